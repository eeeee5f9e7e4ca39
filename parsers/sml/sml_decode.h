/* SML behind the front door (parsers/decode.h). */
#ifndef EMT_PARSERS_SML_DECODE_H
#define EMT_PARSERS_SML_DECODE_H

#include "parsers/decode.h"

/* One file, with its envelope or without. */
enum emt_err sml_decode(const struct decode_request *req, struct decode_result *out, bool peek);
/* A piece of a serial line: every intact file is listed in frames; device and readings are those of
 * the last file that can be read, because the line has one time of receipt. */
enum emt_err sml_stream_decode(const struct decode_request *req, struct decode_result *out,
                               bool peek);

#endif
