/* What a loop writes about its gateways besides frames: status, log lines, results of commands,
 * ends of sessions, alarms. Collected for a second, then one small transaction per tenant. Status
 * and log are dropped, and counted, when there is too much or no database; the rest is kept, up to
 * a bound, until it is written. Loop thread only. */
#ifndef EMT_FIELD_JOURNAL_H
#define EMT_FIELD_JOURNAL_H

#include "base/clock.h"
#include "wire/uplink.h"

#include <stdbool.h>
#include <stdint.h>

struct journal;
struct metric;
struct store;

/* dropped, met: counters. NULL when out of memory. */
struct journal *journal_new(struct metric *dropped, struct metric *limit_met);
/* After its store's callbacks can run no more. */
void journal_free(struct journal *j);

/* A newer status of a gateway replaces one that still waits. */
void journal_status(struct journal *j, int32_t tenant, int64_t gateway,
                    const struct uplink_status *st);
void journal_log(struct journal *j, int32_t tenant, int64_t gateway, const struct uplink_log *l);
void journal_result(struct journal *j, int32_t tenant, int64_t gateway,
                    const uint8_t key[UPLINK_KEY_LEN], uint32_t outcome, const char *text);
void journal_end(struct journal *j, int32_t tenant, int64_t gateway, int64_t epoch,
                 const char *reason);
void journal_alarm(struct journal *j, int32_t tenant, int64_t gateway, const char *kind,
                   const char *detail);

/* Queues what waits on the connection; true: something was queued (kick the link). s NULL: no
 * database, status and log are dropped. */
bool journal_flush(struct journal *j, struct store *s);
/* Nothing waits and nothing is under way. */
bool journal_is_idle(const struct journal *j);

#endif
