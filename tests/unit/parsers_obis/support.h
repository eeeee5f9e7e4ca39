/* What the tests of the front door share. */
#ifndef EMT_TESTS_UNIT_PARSERS_OBIS_SUPPORT_H
#define EMT_TESTS_UNIT_PARSERS_OBIS_SUPPORT_H

#include "base/arena.h"
#include "parsers/decode.h"

/* Decodes bytes; the result lives until the next call. Asserts EMT_OK and that a peek agrees. */
struct decode_result decode_bytes(enum protocol protocol, const void *p, size_t n);
/* The value as text of the first reading with this code as printed and this qualifier (NULL: the
 * first that is neither status nor signature); NULL: none. */
const char *value_of(const struct decode_result *r, const char *code, const char *qualifier);
const struct reading *reading_of(const struct decode_result *r, const char *code,
                                 const char *qualifier);
const char *link_of(const struct decode_result *r, const char *name);
void support_release(void);

#endif
