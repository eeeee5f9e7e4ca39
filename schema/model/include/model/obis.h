/* OBIS codes A-B:C.D.E*F (IEC 62056-6-1, DIN EN 13757-1). */
#ifndef EMT_MODEL_OBIS_H
#define EMT_MODEL_OBIS_H

#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct obis {
    uint8_t a, b, c, d, e, f;
};

#define OBIS_TEXT_MAX 28

/* "1-0:1.8.0*255", "1-0:1.8.0" (F = 255), "1.8.0" (A = 1, B = 0, F = 255); '&' as '*'.
 * EMT_EMALFORMED. */
EMT_CHECKED enum emt_err obis_parse(const char *text, struct obis *out);
/* Long form with *F always. buf holds OBIS_TEXT_MAX. Returns buf. */
char *obis_format(struct obis o, char buf[OBIS_TEXT_MAX]);
/* The market's form, without *F. Returns buf. */
char *obis_format_short(struct obis o, char buf[OBIS_TEXT_MAX]);
/* A in the highest byte; order of packed values is order of codes. 0 = no code. */
uint64_t obis_pack(struct obis o);
struct obis obis_unpack(uint64_t packed);
bool obis_equal(struct obis a, struct obis b);
bool obis_is_none(struct obis o); /* all zero */

#endif
