/* A tenant with meters, places and readings, for tests of exports. Times are fixed: the clock of
 * the machine does not count. Failures end the test. */
#ifndef EMT_TESTS_EXPORT_FIXTURE_H
#define EMT_TESTS_EXPORT_FIXTURE_H

#include "base/clock.h"
#include "pg_fixture.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* Example numbers: of nobody, with good check digits. */
#define SENDER "9900999000106"
#define RECEIVER "9900999000205"
#define MELO "DE0009991011500000000000000000001"
#define MELO_2 "DE0009991011500000000000000000002"
#define MALO "51234567895"

/* Month partitions around 2026. */
void export_partitions(struct pg_fixture *f);
/* A tenant that sends with SENDER and reads with a tolerance of 120 s. */
int32_t export_tenant_new(struct pg_fixture *f, const char *key);
/* A device with one channel; the channel's number. */
int64_t export_channel(struct pg_fixture *f, int32_t tenant, const char *ident, const char *unit);
/* Registers a place; receiver NULL: none. */
void export_place(struct pg_fixture *f, int32_t tenant, const char *code, const char *receiver);
struct export_bind {
    const char *place, *obis, *device; /* number of the meter */
    int64_t channel;
    int64_t ratio_mantissa;
    int ratio_exponent;
    const char *from, *to; /* RFC 3339; to NULL: open */
};
void export_bind(struct pg_fixture *f, int32_t tenant, const struct export_bind *b);
/* What the register shows at quarter hour i of the series, in Wh; uneven and growing. */
int64_t register_at(int64_t i);
/* Readings around n + 1 boundaries of quarter hours from `from`, up to 59 s off them:
 * register_at(0) to register_at(n). */
void export_readings(struct pg_fixture *f, int32_t tenant, int64_t channel, const char *from,
                     int n);
emt_time at(const char *rfc3339);
/* printf into pg_fixture_sql(). */
void export_sql(struct pg_fixture *f, const char *fmt, ...) EMT_PRINTF(2, 3);

#endif
