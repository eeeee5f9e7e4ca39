/* Frames, events and conflicts as people see them. Inside a transaction of the tenant. A list is
 * ascending or newest first as it says, starts behind the cursor, and its column 0 is the cursor of
 * each row. */
#ifndef EMT_STORE_FRAME_QUERY_STORE_H
#define EMT_STORE_FRAME_QUERY_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* NULL, 0, negative and EMT_TIME_NONE: any. */
struct frame_filter {
    int64_t device;
    const char *gateway;
    int state;
    emt_time from, to; /* of storing */
};
/* (cursor, gateway, spool hex, seq, received_at, stored_at, device, protocol, state, reason, rssi,
 * data), newest stored first. The cursor is "<stored_at microseconds>.<gateway_id>.<seq>". */
EMT_CHECKED enum emt_err frame_list(struct store *s, int32_t tenant, const struct frame_filter *f,
                                    emt_time before, int64_t before_gateway, int64_t before_seq,
                                    int limit, struct store_result **out);
struct event_filter {
    int severity; /* -1: any; so below NULL and EMT_TIME_NONE */
    const char *kind;
    emt_time from, to;
};
/* (cursor, event_id, at, severity, kind, gateway, device, detail), newest first; before: 0 from the
 * newest. */
EMT_CHECKED enum emt_err event_list(struct store *s, int32_t tenant, const struct event_filter *f,
                                    int64_t before, int limit, struct store_result **out);
/* (cursor, channel, ts, mantissa, exponent, kept mantissa, kept exponent, seen_at), by time of
 * sight, oldest first. The cursor counts rows. */
EMT_CHECKED enum emt_err conflict_list(struct store *s, int32_t tenant, int64_t after, int limit,
                                       struct store_result **out);

/* How many frames of the device (0: any) wait in these states (frame_store.h); no more than `most`
 * are counted. */
struct waiting_filter;
EMT_CHECKED enum emt_err waiting_count(struct store *s, int32_t tenant, int64_t device,
                                       const struct waiting_filter *f, int64_t most, int64_t *n);

const struct store_statement *frame_query_store_statements(size_t *n);

#endif
