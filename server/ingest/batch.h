/* Frames on their way into the database: what one is, and how it is decoded. How a batch of them is
 * written is batch_run.h. */
#ifndef EMT_INGEST_BATCH_H
#define EMT_INGEST_BATCH_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "model/decimal.h"
#include "model/device_id.h"
#include "model/frame_state.h"
#include "registry.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct scratch;

/* Whose spool the frames come from. Outlives its frames. */
struct batch_source {
    int32_t tenant;
    int64_t gateway;
    uint8_t spool_id[16];
    int64_t epoch;
    bool gone;        /* fenced: its frames leave the batch, unacknowledged */
    uint64_t reach;   /* of the part under way: highest sequence number */
    uint64_t nframes; /* … frames stored */
    uint64_t settled; /* last_seq as read after an unknown outcome */
    bool hit;         /* … its cursor row answered */
    uint64_t mark;    /* the part that it was gathered for */
    void *owner;
};

enum batch_kind { BATCH_FRAME, BATCH_REJECTED, BATCH_GAP };

/* One value of a frame, ready for its table. */
struct batch_value {
    struct registry_device *device;
    unsigned channel; /* index in device->channels, which may move */
    bool is_text;
    emt_time ts;
    struct decimal value; /* in the base unit */
    int16_t quality;      /* READING_QUALITY() */
    const char *text;
};

struct batch_frame {
    struct batch_frame *next; /* its owner's */
    struct batch_source *source;
    enum batch_kind kind;
    uint64_t seq;
    uint64_t from;      /* gap: from..seq */
    const char *reason; /* rejected: static text; gap: stands in data */
    emt_time received_at;
    int protocol, format, rssi_dbm;

    /* A stored frame that is decoded again (replay): its row. */
    bool is_stored;
    emt_time stored_at;
    enum frame_state old_state;
    int64_t old_device;

    /* Found out by batch_peek() and batch_decode(). */
    bool peeked, decoded, moved;
    bool raw_only; /* the database refused what was decoded: keep the bytes only */
    bool ignored;  /* of a device that the tenant ignores: acknowledged and counted, not stored */
    bool has_device, has_hash, has_counter, poisoned, clock_ahead;
    struct device_id id;
    uint8_t hash[16]; /* of the telegram */
    int64_t counter;
    struct registry_device *device;
    enum frame_state state;
    const char *why; /* "" or why the state is not ok */
    struct batch_value *values;
    unsigned nvalues;
    unsigned unscalable; /* values that do not fit the base unit */

    /* Decided under the device's lock. */
    bool fresh; /* first of its telegram */
    enum frame_state final;

    bool done;     /* committed */
    bool told;     /* … and reported: the owner's */
    bool deferred; /* to be tried again later, with all of its tenant */
    size_t sent;   /* bytes as the gateway counts them; a rejected frame's are not kept */
    size_t len;
    uint8_t data[];
};

/* A copy of data (zeros where that is NULL); NULL when out of memory. free() it. */
struct batch_frame *batch_frame_new(struct batch_source *source, const void *data, size_t len);
/* As if it had not been looked at. */
void batch_frame_reset(struct batch_frame *f);
/* Heard by whoever is near, so that one telegram comes several times. */
bool batch_is_radio(const struct batch_frame *f);

struct batch_decoder;
/* scratch may be NULL (no crash notes). Free with batch_decoder_free(). */
struct batch_decoder *batch_decoder_new(struct registry *r, struct scratch *scratch,
                                        int64_t clock_ahead_us);
void batch_decoder_free(struct batch_decoder *d);
/* What was decoded before is gone: between batches. */
void batch_decoder_reset(struct batch_decoder *d);
/* Text that lives until the reset; "" when out of memory. */
const char *batch_decoder_text(struct batch_decoder *d, const char *text);
/* Who sent it. */
void batch_peek(struct batch_decoder *d, struct batch_frame *f);
/* f->device is set where f->has_device. Afterwards either f->decoded, or f->device is NULL: the
 * meter is another one than peek could tell (its address was encrypted), is now in f->id, and has
 * to be looked up before the frame is decoded again. */
void batch_decode(struct batch_decoder *d, struct batch_frame *f, emt_time now);

#endif
