/* What the event streams look at: small questions, asked once a second for each tenant that
 * somebody watches. Queued on a pipeline, inside a transaction of the tenant (emt_app). */
#ifndef EMT_STORE_STREAM_STORE_H
#define EMT_STORE_STREAM_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Gateways whose connection changed after `since`, the latest change first: (gateway_id, epoch,
 * external id, state, since when, peer, node). */
enum { STREAM_GATEWAY_ID, STREAM_GATEWAY_EPOCH, STREAM_GATEWAY_SHOWN, STREAM_GATEWAY_STATE = 3 };
EMT_CHECKED enum emt_err stream_send_gateways(struct store *s, int32_t tenant, emt_time since,
                                              int limit, store_done *done, void *ctx);
/* Frames stored after `since`, newest first: (gateway_id, stored_at in microseconds, gateway, spool
 * hex, seq, received_at, stored_at, device, protocol, state, reason, rssi, data). */
enum { STREAM_FRAME_GATEWAY, STREAM_FRAME_STORED, STREAM_FRAME_SHOWN, STREAM_FRAME_SEQ = 4 };
EMT_CHECKED enum emt_err stream_send_frames(struct store *s, int32_t tenant, emt_time since,
                                            int limit, store_done *done, void *ctx);
/* How many were stored after `since` and before `before`; counts no further than `most`. */
EMT_CHECKED enum emt_err stream_send_frame_count(struct store *s, int32_t tenant, emt_time since,
                                                 emt_time before, int most, store_done *done,
                                                 void *ctx);
/* Events above a number, newest first: (event_id, event_id, at, severity, kind, gateway, device,
 * detail). */
enum { STREAM_EVENT_ID, STREAM_EVENT_SHOWN };
EMT_CHECKED enum emt_err stream_send_events(struct store *s, int32_t tenant, int64_t above,
                                            int limit, store_done *done, void *ctx);
/* The newest jobs, newest first: (id, fingerprint of what changes, open or ended after `since`, id,
 * kind, state, progress_done, progress_total, created_at, started_at, ended_at, run_at, attempts,
 * error, result, created_by). The result is left out of those that ended before `since`. */
enum { STREAM_JOB_ID, STREAM_JOB_PRINT, STREAM_JOB_FRESH, STREAM_JOB_SHOWN };
EMT_CHECKED enum emt_err stream_send_jobs(struct store *s, int32_t tenant, emt_time since,
                                          int limit, store_done *done, void *ctx);

/* Who opened a stream: by the number of his key or session. */
enum stream_credential { STREAM_TENANT_KEY, STREAM_PLATFORM_KEY, STREAM_SESSION };
struct stream_asker {
    enum stream_credential kind;
    int32_t tenant; /* whose stream */
    int64_t id;
};
/* Which of the n are good at `now` for their tenant; sessions not used after idle_since are not. As
 * STORE_ADMIN, synchronously. good[n] is written on EMT_OK. */
EMT_CHECKED enum emt_err stream_askers_good(struct store *s, const struct stream_asker *askers,
                                            size_t n, emt_time now, emt_time idle_since,
                                            bool *good);

const struct store_statement *stream_store_statements(size_t *n);

#endif
