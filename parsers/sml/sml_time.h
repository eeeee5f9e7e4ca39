/* SML_Time: a choice of three (BSI TR-03109-1 annex IV part b, "SML_Time"). */
#ifndef EMT_PARSERS_SML_TIME_H
#define EMT_PARSERS_SML_TIME_H

#include "base/clock.h"
#include "base/reader.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sml_time_kind {
    SML_TIME_NONE,            /* left out */
    SML_TIME_INDEX,           /* operating seconds: never a wall clock time */
    SML_TIME_TIMESTAMP,       /* Unix seconds */
    SML_TIME_LOCAL_TIMESTAMP, /* Unix seconds with the offsets that make it local time */
};

struct sml_time {
    enum sml_time_kind kind;
    uint32_t seconds;
    int32_t offset_min; /* LOCAL_TIMESTAMP: zone and season together */
    bool bare;          /* a number without its choice: a defect, read as INDEX */
};

#define SML_TIME_TEXT_MAX 32

/* A time or nothing. */
void sml_time_read(struct reader *in, struct sml_time *out);
/* EMT_TIME_NONE for an operating seconds counter and for nothing. */
emt_time sml_time_instant(const struct sml_time *t);
/* "2026-10-25T02:15:00Z", with the sent offset "…+02:00", "index 9424052" or ""; returns buf. */
char *sml_time_text(const struct sml_time *t, char buf[SML_TIME_TEXT_MAX]);

#endif
