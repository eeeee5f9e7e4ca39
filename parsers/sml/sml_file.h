/* The messages of one SML file, without envelope. */
#ifndef EMT_PARSERS_SML_FILE_H
#define EMT_PARSERS_SML_FILE_H

#include "sml_context.h"

/* Reads every message of a file: layout, checksum, body. False with a reason where one is wrong:
 * the file is refused as a whole then. */
bool sml_file_read(struct sml_context *ctx, const uint8_t *p, size_t n);

#endif
