/* The batch's own rows: gateway cursors, radio telegrams and message counters, rejected frames and
 * gaps (docs/decisions, frames and radio). All of it is asynchronous and runs inside a transaction
 * of the tenant. */
#ifndef EMT_STORE_INGEST_STORE_H
#define EMT_STORE_INGEST_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "store/store.h"
#include "store/store_rows.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Once per connection, outside of a transaction: its statements are planned once. Measured with 100
 * tenants: 71 us of database CPU per frame instead of 91. */
EMT_CHECKED enum emt_err ingest_prepare_send(struct store *s);
/* Plans are made anew on next use: tables grow under a connection that lives for weeks. */
EMT_CHECKED enum emt_err ingest_replan_send(struct store *s);
/* In a transaction: its locks are waited for 200 ms and not longer. */
EMT_CHECKED enum emt_err ingest_brief_send(struct store *s);

/* One gateway's step. */
struct cursor_row {
    int64_t gateway;
    const uint8_t *spool_id; /* 16 */
    int64_t epoch;
    uint64_t last_seq;
    uint64_t frames; /* stored with this step */
};
bool cursor_rows_init(struct store_rows *r);
bool cursor_rows_add(struct store_rows *r, const struct cursor_row *c);
/* Rows (gateway_id, spool_id, epoch) of the cursors that moved. A missing one is fenced: another
 * epoch owns the gateway, or it is past last_seq. */
EMT_CHECKED enum emt_err cursor_rows_send(struct store *s, int32_t tenant, struct store_rows *r,
                                          emt_time now, store_done *done, void *ctx);
/* Rows (gateway_id, spool_id, last_seq, epoch) of the cursors whose epoch still holds. Writes, so
 * that it waits for a transaction whose outcome is unknown, and so that its own clean commit means
 * that everything before it is as durable. last_seq and frames of r are not looked at. */
EMT_CHECKED enum emt_err cursor_settle_send(struct store *s, int32_t tenant, struct store_rows *r,
                                            emt_time now, store_done *done, void *ctx);

/* Locks devices in order of their number, rows (device_id, counter, counter_at). r: STORE_INT8 of
 * device ids. */
EMT_CHECKED enum emt_err device_lock_send(struct store *s, int32_t tenant,
                                          struct store_array *devices, store_done *done, void *ctx);

/* A radio telegram: within 300 s the same hash of the same device is one. slot = received_at / 300
 * s. */
#define TELEGRAM_SLOT (300 * EMT_SECOND)
struct telegram_row {
    int64_t device;
    const uint8_t *hash; /* 16 */
    emt_time received_at;
};
int64_t telegram_slot(emt_time received_at);
bool telegram_rows_init(struct store_rows *r);
bool telegram_rows_add(struct store_rows *r, const struct telegram_row *t);
/* Rows (device_id, hash, slot) of those not heard before. Only under device_lock_send(), of which
 * somebody who does not lock makes EMT_ECONFLICT; careful: not even then. */
EMT_CHECKED enum emt_err telegram_rows_send(struct store *s, int32_t tenant, struct store_rows *r,
                                            bool careful, store_done *done, void *ctx);

bool counter_rows_init(struct store_rows *r);
bool counter_rows_add(struct store_rows *r, int64_t device, int64_t counter, emt_time received_at);
EMT_CHECKED enum emt_err counter_rows_send(struct store *s, int32_t tenant, struct store_rows *r);

bool rejected_rows_init(struct store_rows *r);
bool rejected_rows_add(struct store_rows *r, int64_t gateway, const uint8_t spool_id[16],
                       uint64_t seq, const char *reason);
EMT_CHECKED enum emt_err rejected_rows_send(struct store *s, int32_t tenant, struct store_rows *r,
                                            emt_time now);

bool gap_rows_init(struct store_rows *r);
bool gap_rows_add(struct store_rows *r, int64_t gateway, const uint8_t spool_id[16], uint64_t from,
                  uint64_t to, const char *reason);
EMT_CHECKED enum emt_err gap_rows_send(struct store *s, int32_t tenant, struct store_rows *r,
                                       emt_time now);

const struct store_statement *ingest_store_statements(size_t *n);

#endif
