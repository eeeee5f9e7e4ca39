/* date-time of COSEM (IEC 62056-6-2): twelve bytes of local time with its deviation from UTC. */
#ifndef EMT_PARSERS_DLMS_CLOCK_H
#define EMT_PARSERS_DLMS_CLOCK_H

#include "base/clock.h"

#include <stdbool.h>
#include <stdint.h>

#define DLMS_CLOCK_LEN 12
#define DLMS_CLOCK_TEXT_MAX 40
#define DLMS_CLOCK_STATUS_UNKNOWN 0xff

struct dlms_clock {
    struct civil local;
    bool has_offset;
    int offset_min; /* local time = UTC + offset; the sign is that of ISO 8601 */
    uint8_t status; /* bit 7 summer time, 0 invalid, 1 doubtful; ff unknown */
};

/* False where the bytes are no date-time, or one that leaves day, hour or minute open. */
bool dlms_clock_read(const uint8_t p[DLMS_CLOCK_LEN], struct dlms_clock *out);
/* "2026-11-21T00:15:00+01:00"; without offset where the meter sends none. Returns buf. */
char *dlms_clock_text(const struct dlms_clock *c, char buf[DLMS_CLOCK_TEXT_MAX]);
/* Without offset the time is German legal time, summer as the status says. EMT_TIME_NONE where the
 * meter calls its clock invalid, or in the repeated hour without a status. */
emt_time dlms_clock_instant(const struct dlms_clock *c);
/* The clock so much later, in the same offset. */
void dlms_clock_add(struct dlms_clock *c, uint32_t seconds);

#endif
