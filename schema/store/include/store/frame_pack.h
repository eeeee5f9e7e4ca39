/* Raw frames of one gateway and day, packed: the bytes of raw_pack.data. The layout, byte by byte,
 * is in docs/generic-schema.md. A function of its bytes; knows no database. */
#ifndef EMT_STORE_FRAME_PACK_H
#define EMT_STORE_FRAME_PACK_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/writer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_PACK_VERSION 1
#define FRAME_PACK_FRAMES_MOST 65536u
/* Unpacked; what claims to be more is refused before memory is taken. */
#define FRAME_PACK_BODY_MOST ((size_t)64 << 20)

/* One row of raw_frame, without its tenant and gateway. Everything is borrowed. */
struct packed_frame {
    const uint8_t *spool_id; /* 16 */
    int64_t seq;
    emt_time received_at, stored_at;
    int64_t device; /* 0: not known */
    int64_t counter;
    bool has_counter, has_rssi;
    int16_t rssi_dbm, protocol, format;
    uint8_t state;
    const uint8_t *hash; /* 16, or NULL */
    const uint8_t *data;
    size_t len;
    const char *reason; /* reason_len bytes, not closed with a 0 */
    size_t reason_len;
};

struct frame_pack {
    struct packed_frame *frames; /* owned; they point into body or into what was decoded */
    size_t n;
    uint8_t *body; /* owned, NULL when the pack is not deflated */
};

/* Appends the pack of 1 to FRAME_PACK_FRAMES_MOST frames to out. EMT_ELIMIT: more than that, or
 * more bytes than a reader takes; EMT_ENOMEM. */
EMT_CHECKED enum emt_err frame_pack_encode(const struct packed_frame *frames, size_t n,
                                           struct writer *out);
/* Borrows data as long as *out lives; free with frame_pack_release(). EMT_EUNSUPPORTED: another
 * version or unknown flags; EMT_EMALFORMED, EMT_ETRUNCATED; EMT_ELIMIT; EMT_ENOMEM. */
EMT_CHECKED enum emt_err frame_pack_decode(const void *data, size_t len, struct frame_pack *out);
void frame_pack_release(struct frame_pack *p);

#endif
