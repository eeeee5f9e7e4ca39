/* Hex and base64 text. */
#ifndef EMT_BASE_HEX_H
#define EMT_BASE_HEX_H

#include "base/attr.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/* Decodes n characters (upper or lower case; white space between bytes and '|' and '_' are passed
 * over) into out, at most cap bytes; *len = bytes written. EMT_EMALFORMED a character that is none
 * or half a byte; EMT_ELIMIT more than cap bytes. */
EMT_CHECKED enum emt_err hex_decode(const char *text, size_t n, uint8_t *out, size_t cap,
                                    size_t *len);
/* Lower-case hex and a closing 0; out holds 2 * n + 1. Returns out. */
char *hex_encode(const uint8_t *p, size_t n, char *out);

/* base64 with padding and a closing 0; out holds 4 * ((n + 2) / 3) + 1. Returns out. */
char *base64_encode(const uint8_t *p, size_t n, char *out);
/* base64url without padding, for tokens. Same size. */
char *base64url_encode(const uint8_t *p, size_t n, char *out);
/* Either alphabet, padding optional, no white space. Errors as hex_decode. */
EMT_CHECKED enum emt_err base64_decode(const char *text, size_t n, uint8_t *out, size_t cap,
                                       size_t *len);

#endif
