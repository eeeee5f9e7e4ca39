/* The server id of SML: how a meter calls itself. */
#ifndef EMT_PARSERS_SML_SERVER_ID_H
#define EMT_PARSERS_SML_SERVER_ID_H

#include "model/device_id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SML_SERVER_ID_TEXT_MAX 33

/* A meter number of DIN 43863-5 as printed on the meter: "1EMH0010599732" for
 * 0a 01 45 4d 48 00 00 a1 bd 34. False for any other server id. */
bool sml_server_id_number(const uint8_t *p, size_t n, char out[SML_SERVER_ID_TEXT_MAX]);
/* Maker letters and number of the above. */
bool sml_server_id_parts(const uint8_t *p, size_t n, char maker[4], uint32_t *number);
/* The identity of the meter: its number after DIN 43863-5, else a text where all bytes are
 * printable, else hex. False where it fits in no identity (nothing, or too long). */
bool sml_server_id_device(const uint8_t *p, size_t n, struct device_id *out);

#endif
