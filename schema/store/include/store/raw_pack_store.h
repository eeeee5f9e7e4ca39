/* Raw frames of closed days as packs: how they come there, and how readers find them. Frames that
 * wait for something (a key, a format, a new version) and those of devices that are only heard stay
 * rows: what decoding them again changes is the row. */
#ifndef EMT_STORE_RAW_PACK_STORE_H
#define EMT_STORE_RAW_PACK_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "store/frame_pack.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A pack takes no more than so many frames and bytes of frames (a single longer one is alone). */
#define RAW_PACK_FRAMES 2000
#define RAW_PACK_BYTES (1 << 20)
/* States of frames that nothing is tried for any more: bits of enum frame_state. */
#define RAW_PACK_STATES ((UINT32_C(1) << 0) | (UINT32_C(1) << 4) | (UINT32_C(1) << 5))

struct raw_pack_counts {
    int64_t frames, packs, skipped; /* skipped: stay rows, because they do not fit a pack */
    int64_t bytes;                  /* of the packs */
};

/* --- packing, as STORE_ADMIN outside of a transaction --- */

/* Days before *closed are closed. */
EMT_CHECKED enum emt_err raw_pack_closed(struct store *s, int32_t tenant, emt_time now,
                                         emt_time *closed);
/* The first day at or after `from` and before `closed` with frames to be packed; EMT_TIME_NONE. */
EMT_CHECKED enum emt_err raw_pack_next_day(struct store *s, int32_t tenant, emt_time from,
                                           emt_time closed, emt_time *day);
/* Its gateways above `after`, ascending: rows (gateway_id). */
EMT_CHECKED enum emt_err raw_pack_gateways(struct store *s, int32_t tenant, emt_time day,
                                           int64_t after, struct store_result **out);
/* One transaction: the gateway's next frames above *after become a pack, *after their last number,
 * *done when there were none. Start with INT64_MIN. EMT_EAGAIN: somebody else packs it, or a lock.
 */
EMT_CHECKED enum emt_err raw_pack_move(struct store *s, int32_t tenant, int64_t gateway,
                                       emt_time day, int64_t *after, bool *done,
                                       struct raw_pack_counts *counts);

/* --- forgetting, as STORE_APP outside of a transaction --- */

/* The pack that was looked at last; zeroed to begin. */
struct raw_pack_place {
    int64_t gateway;
    char day[16];
    int32_t part;
};
/* One transaction: takes the device's frames received in [from, to) out of the next pack behind *at
 * that has some. look: only counts. *more: there was a pack. */
EMT_CHECKED enum emt_err raw_pack_forget(struct store *s, int32_t tenant, int64_t device,
                                         emt_time from, emt_time to, bool look,
                                         struct raw_pack_place *at, int64_t *frames, bool *more);

/* --- reading, inside a transaction of the tenant --- */

/* How many packed frames there are of a device, received in [from, to). */
struct raw_pack_span {
    int64_t frames;
    emt_time first, last; /* EMT_TIME_NONE: no frame */
};
EMT_CHECKED enum emt_err raw_pack_count(struct store *s, int32_t tenant, int64_t device,
                                        emt_time from, emt_time to, struct raw_pack_span *out);

/* One frame out of a pack, with memory of its own. */
struct packed_hit {
    int64_t gateway;
    char gateway_id[64]; /* external */
    struct packed_frame f;
    uint8_t *memory; /* owned */
};
struct packed_hits {
    struct packed_hit *list;
    size_t n, cap;
};
void packed_hits_release(struct packed_hits *h);

/* NULL, 0 and EMT_TIME_NONE: any. Bounds of storing; only frames before (below) the place given. */
struct packed_filter {
    int64_t device;
    const char *gateway;
    uint32_t states; /* bits */
    emt_time from, to;
    emt_time before; /* EMT_TIME_NONE: from the newest; else with the two below */
    int64_t before_gateway, before_seq;
};
/* The newest `limit` that fit, by (stored_at, gateway, seq) descending. EMT_EMALFORMED a pack that
 * cannot be read, EMT_ENOMEM, EMT_EDB. */
EMT_CHECKED enum emt_err packed_newest(struct store *s, int32_t tenant,
                                       const struct packed_filter *f, size_t limit,
                                       struct packed_hits *out);
/* Frames of a device (0: not known) behind a place, by (received_at, gateway, seq, spool). */
EMT_CHECKED enum emt_err packed_of_device(struct store *s, int32_t tenant, int64_t device,
                                          uint32_t states, emt_time received_at, int64_t gateway,
                                          int64_t seq, const uint8_t spool[16], size_t limit,
                                          struct packed_hits *out);
/* The frame of this number, or none (n = 0). */
EMT_CHECKED enum emt_err packed_one(struct store *s, int32_t tenant, const char *gateway,
                                    const uint8_t spool[16], int64_t seq, struct packed_hits *out);
/* Rows (device_id, ident, assignment, accept_plaintext) of the hits' devices, ascending. */
EMT_CHECKED enum emt_err packed_devices(struct store *s, int32_t tenant,
                                        const struct packed_hits *h, struct store_result **out);

const struct store_statement *raw_pack_store_statements(size_t *n);
const struct store_statement *packed_frame_store_statements(size_t *n);

#endif
