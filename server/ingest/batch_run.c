#include "batch_run.h"

#include "batch_write.h"
#include "store/store.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* How often one part meets a lock or a deadlock before its tenant is put off. */
#define ATTEMPTS_MAX 2u
/* From the second attempt on a lock is not waited for long: all other tenants wait as well. */
#define PATIENT_ATTEMPTS 1u
/* Looking up devices and decoding take turns: an encrypted address shows only after the first
 * decode. */
#define ROUNDS_MAX 3u

enum run_stage {
    STAGE_IDLE,
    STAGE_SETTLING,
    STAGE_PART,    /* take the next part */
    STAGE_LOOK_UP, /* who sent the frames */
    STAGE_LOADING, /* … answers under way */
    STAGE_DECODE,
    STAGE_CREATING, /* channels under way */
    STAGE_FLIGHT_1,
    STAGE_FLIGHT_2,
    STAGE_COMMITTING,
};

/* A piece of frames[] that is committed or rolled back as one. */
struct part {
    size_t from, to;
    unsigned attempts;
    bool careful; /* what was taken for new the last time was not */
};

struct batch_run {
    struct run_settings settings;
    struct run_handler handler;
    struct store *store;
    struct batch_write *write;
    struct registry_load *load;
    enum run_stage stage;
    bool waiting;     /* a sync is outstanding */
    bool unknown;     /* a commit's outcome is */
    enum emt_err err; /* first failure of the flight */
    enum emt_err load_err;
    char sqlstate[6];
    char error[300];
    struct batch_frame **frames;
    size_t nframes, frames_cap;
    struct part *parts; /* a stack: what stands on top comes first */
    size_t nparts, parts_cap;
    struct part part;
    unsigned rounds;
    struct registry_device **devices; /* with channels to create */
    size_t ndevices, devices_cap;
    struct run_stats stats;
};

/* ---- life ---- */

static void on_failed(void *ctx, enum emt_err err)
{
    struct batch_run *r = ctx;

    /* Those skipped behind the culprit say EMT_ESTATE and nothing new. */
    if (r->err != EMT_OK && (r->err != EMT_ESTATE || err == EMT_ESTATE))
        return;
    r->err = err;
    (void)snprintf(r->sqlstate, sizeof r->sqlstate, "%s", store_sqlstate(r->store));
    (void)snprintf(r->error, sizeof r->error, "%s", store_error(r->store));
}

struct batch_run *batch_run_new(const struct run_settings *s, const struct run_handler *h)
{
    struct batch_run *r = calloc(1, sizeof *r);

    if (!r)
        return NULL;
    r->settings = *s;
    r->handler = *h;
    r->write = batch_write_new(s->replay, &r->stats, on_failed, r);
    r->load = registry_load_new(s->registry);
    if (r->write && r->load)
        return r;
    batch_run_free(r);
    return NULL;
}

void batch_run_free(struct batch_run *r)
{
    if (!r)
        return;
    if (r->write)
        batch_write_free(r->write);
    registry_load_free(r->load);
    free(r->frames);
    free(r->parts);
    free(r->devices);
    free(r);
}

void batch_run_set_window(struct batch_run *r, emt_time hot_from, emt_time hot_to)
{
    batch_write_window(r->write, hot_from, hot_to);
}

const struct run_stats *batch_run_stats(const struct batch_run *r)
{
    return &r->stats;
}

const char *batch_run_error(const struct batch_run *r)
{
    return r->error;
}

void batch_run_abort(struct batch_run *r)
{
    r->stage = STAGE_IDLE;
    r->waiting = false;
    r->store = NULL;
    r->nframes = r->nparts = 0;
}

/* ---- flights ---- */

static void flight_landed(void *ctx, enum emt_err err, const struct store_result *res)
{
    struct batch_run *r = ctx;

    (void)res;
    if (err != EMT_OK)
        on_failed(r, err);
    r->waiting = false;
    r->handler.wake(r->handler.ctx);
}

/* What could not even be sent fails like what was refused: the sync behind it brings the answer. */
static void fly(struct batch_run *r, enum run_stage stage, enum emt_err err)
{
    r->stage = stage;
    if (err != EMT_OK)
        on_failed(r, err);
    r->waiting = store_send_sync(r->store, flight_landed, r) == EMT_OK;
    if (!r->waiting)
        on_failed(r, EMT_EDB);
}

static void take_off(struct batch_run *r)
{
    r->err = EMT_OK;
}

/* ---- parts ---- */

static bool push(struct batch_run *r, struct part p)
{
    if (p.from == p.to)
        return true;
    if (r->nparts == r->parts_cap) {
        size_t cap = r->parts_cap ? 2 * r->parts_cap : 32;
        struct part *grown = realloc(r->parts, cap * sizeof *grown);
        if (!grown)
            return false;
        r->parts = grown;
        r->parts_cap = cap;
    }
    r->parts[r->nparts++] = p;
    return true;
}

static bool push_part(struct batch_run *r, size_t from, size_t to, unsigned attempts)
{
    return push(r, (struct part){ from, to, attempts, r->part.careful });
}

static bool push_careful(struct batch_run *r)
{
    struct part p = r->part;

    p.careful = true;
    return push(r, p);
}

static bool is_out(const struct batch_frame *f)
{
    return f->done || f->deferred || f->source->gone;
}

static size_t left_in_part(const struct batch_run *r)
{
    size_t n = 0;

    for (size_t i = r->part.from; i < r->part.to; i++)
        n += !is_out(r->frames[i]);
    return n;
}

/* The frames of one source must be committed in order: what stands behind a deferred one is
 * deferred as well, and the whole tenant with it. */
static void put_off(struct batch_run *r)
{
    int32_t tenant = r->frames[r->part.from]->source->tenant;

    for (size_t i = 0; i < r->nframes; i++) {
        if (r->frames[i]->source->tenant == tenant && !r->frames[i]->done)
            r->frames[i]->deferred = true;
    }
}

/* What the data itself is guilty of: data exceptions (22), constraints (23), checks (44).
 * Everything else (no space, a missing right, a lock) is no frame's fault: it is waited for. */
static bool is_data_fault(const struct batch_run *r)
{
    static const char classes[][3] = { "22", "23", "44" };

    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        if (strncmp(r->sqlstate, classes[i], 2) == 0)
            return r->err != EMT_EAGAIN;
    }
    return false;
}

static bool split_tenants(struct batch_run *r)
{
    size_t to = r->part.to;

    /* From the back, so that the first tenant lies on top. */
    while (to > r->part.from) {
        size_t from = to - 1;

        while (from > r->part.from &&
               r->frames[from - 1]->source->tenant == r->frames[to - 1]->source->tenant)
            from--;
        if (!push_part(r, from, to, r->err == EMT_EAGAIN ? PATIENT_ATTEMPTS : 0))
            return false;
        to = from;
    }
    return true;
}

static void keep_bytes_only(struct batch_run *r)
{
    char why[340];

    for (size_t i = r->part.from; i < r->part.to; i++) {
        struct batch_frame *f = r->frames[i];

        if (is_out(f))
            continue;
        (void)snprintf(why, sizeof why, "store: %s", r->error);
        /* The server may speak any language, and the text may be cut within a character: stored as
         * it is, it would be refused in its turn. */
        for (char *c = why; *c; c++)
            *c = (unsigned char)*c < 0x80u ? *c : '?';
        f->raw_only = true;
        f->state = FRAME_MALFORMED;
        f->why = batch_decoder_text(r->settings.decoder, why);
    }
}

static bool can_keep_bytes_only(const struct batch_run *r)
{
    for (size_t i = r->part.from; i < r->part.to; i++) {
        if (!is_out(r->frames[i]))
            return r->frames[i]->kind == BATCH_FRAME && !r->frames[i]->raw_only;
    }
    return false;
}

static bool one_tenant(const struct batch_run *r)
{
    return r->frames[r->part.from]->source->tenant == r->frames[r->part.to - 1]->source->tenant;
}

/* Rolled back. What now? */
static void part_failed(struct batch_run *r)
{
    size_t middle = r->part.from + (r->part.to - r->part.from) / 2;
    bool ok = true;

    r->stats.retries++;
    r->stage = STAGE_PART;
    if (batch_write_was_hasty(r->write) && !r->part.careful) {
        ok = push_careful(r);
    } else if (!one_tenant(r)) {
        ok = split_tenants(r);
    } else if (r->err == EMT_EAGAIN && r->part.attempts + 1 < ATTEMPTS_MAX) {
        ok = push_part(r, r->part.from, r->part.to, r->part.attempts + 1);
    } else if (is_data_fault(r) && left_in_part(r) > 1 && r->part.to - r->part.from > 1) {
        ok = push_part(r, middle, r->part.to, 0) && push_part(r, r->part.from, middle, 0);
    } else if (is_data_fault(r) && can_keep_bytes_only(r)) {
        keep_bytes_only(r);
        ok = push_part(r, r->part.from, r->part.to, 0);
    } else {
        ok = false;
    }
    if (!ok)
        put_off(r);
}

/* Ids of devices and channels that were created in a transaction that failed are worth nothing:
 * everything is looked up again. */
static void forget_registry(struct batch_run *r)
{
    registry_clear(r->settings.registry);
    for (size_t i = 0; i < r->nframes; i++) {
        if (!r->frames[i]->done && !r->frames[i]->raw_only)
            batch_frame_reset(r->frames[i]);
        else
            r->frames[i]->device = NULL;
    }
}

static void roll_back(struct batch_run *r)
{
    /* On a broken connection neither matters. */
    if (store_send_rollback(r->store) == EMT_OK)
        (void)!store_send_sync(r->store, NULL, NULL);
}

/* ---- looking up ---- */

static int compare_frames(const void *a, const void *b)
{
    const struct batch_frame *x = *(struct batch_frame *const *)a;
    const struct batch_frame *y = *(struct batch_frame *const *)b;

    if (x->source->tenant != y->source->tenant)
        return x->source->tenant < y->source->tenant ? -1 : 1;
    if (x->source != y->source)
        return x->source < y->source ? -1 : 1;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

/* A replay decodes in order of reception: a full frame teaches the format of the compact ones
 * behind it. */
static int compare_replayed(const void *a, const void *b)
{
    const struct batch_frame *x = *(struct batch_frame *const *)a;
    const struct batch_frame *y = *(struct batch_frame *const *)b;

    if (x->source->tenant != y->source->tenant)
        return x->source->tenant < y->source->tenant ? -1 : 1;
    if (x->received_at != y->received_at)
        return x->received_at < y->received_at ? -1 : 1;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

static bool wants_device(const struct batch_frame *f)
{
    return f->kind == BATCH_FRAME && !is_out(f) && !f->raw_only && !f->decoded && f->has_device &&
           !f->device;
}

/* Takes devices from the cache; EMT_EAGAIN: some have to be looked up. */
static enum emt_err find_devices(struct batch_run *r)
{
    int64_t now_ms = clock_mono_ms();
    enum emt_err err = EMT_OK;

    registry_load_clear(r->load);
    for (size_t i = r->part.from; !err && i < r->part.to; i++) {
        struct batch_frame *f = r->frames[i];

        if (f->kind == BATCH_FRAME && !is_out(f) && !f->peeked && !f->raw_only)
            batch_peek(r->settings.decoder, f);
        if (!wants_device(f))
            continue;
        f->device = registry_device(r->settings.registry, f->source->tenant, &f->id, now_ms);
        if (!f->device)
            err = registry_load_want(r->load, f->source->tenant, &f->id);
        else if (!f->device->tenant->exists)
            f->source->gone = true;
    }
    if (err)
        return err;
    return registry_load_empty(r->load) ? EMT_OK : EMT_EAGAIN;
}

static void look_up(struct batch_run *r)
{
    enum emt_err err = find_devices(r);

    if (err == EMT_OK) {
        r->stage = STAGE_DECODE;
        return;
    }
    take_off(r);
    r->rounds++;
    if (err == EMT_EAGAIN)
        err = r->rounds > ROUNDS_MAX ? EMT_EINTERNAL
                                     : registry_load_send(r->load, r->store, clock_mono_ms(),
                                                          &r->load_err, NULL, NULL);
    fly(r, STAGE_LOADING, err);
}

/* ---- decoding, channels ---- */

static bool decode_part(struct batch_run *r)
{
    emt_time now = clock_now();
    bool complete = true;

    for (size_t i = r->part.from; i < r->part.to; i++) {
        struct batch_frame *f = r->frames[i];

        if (f->kind != BATCH_FRAME || is_out(f) || f->decoded || f->raw_only)
            continue;
        batch_decode(r->settings.decoder, f, now);
        complete = complete && f->decoded;
    }
    return complete;
}

static int compare_devices(const void *a, const void *b)
{
    const struct registry_device *x = *(struct registry_device *const *)a;
    const struct registry_device *y = *(struct registry_device *const *)b;

    if (x->tenant->id != y->tenant->id)
        return x->tenant->id < y->tenant->id ? -1 : 1;
    return (x->device > y->device) - (x->device < y->device);
}

static bool has_new_channels(const struct batch_frame *f)
{
    for (unsigned i = 0; i < f->nvalues; i++) {
        if (f->device->channels[f->values[i].channel].id == 0)
            return true;
    }
    return false;
}

static bool gather_devices(struct batch_run *r)
{
    size_t n = 0;

    r->ndevices = 0;
    for (size_t i = r->part.from; i < r->part.to; i++) {
        struct batch_frame *f = r->frames[i];

        if (is_out(f) || f->raw_only || !f->device || !has_new_channels(f))
            continue;
        if (r->ndevices == r->devices_cap) {
            size_t cap = r->devices_cap ? 2 * r->devices_cap : 64;
            struct registry_device **grown = realloc(r->devices, cap * sizeof *grown);
            if (!grown)
                return false;
            r->devices = grown;
            r->devices_cap = cap;
        }
        r->devices[r->ndevices++] = f->device;
    }
    if (r->ndevices)
        qsort(r->devices, r->ndevices, sizeof(void *), compare_devices);
    for (size_t i = 0; i < r->ndevices; i++) {
        if (n == 0 || r->devices[n - 1] != r->devices[i])
            r->devices[n++] = r->devices[i];
    }
    r->ndevices = n;
    return true;
}

static void begin_write(struct batch_run *r)
{
    enum emt_err err = batch_write_begin(r->write, &r->frames[r->part.from],
                                         r->part.to - r->part.from, clock_now(), r->part.careful);

    take_off(r);
    if (!err)
        err = batch_write_flight1(r->write, r->store, r->part.attempts >= PATIENT_ATTEMPTS);
    fly(r, STAGE_FLIGHT_1, err);
}

static void decode(struct batch_run *r)
{
    if (!decode_part(r)) {
        r->stage = STAGE_LOOK_UP;
        return;
    }
    take_off(r);
    if (!gather_devices(r)) {
        fly(r, STAGE_CREATING, EMT_ENOMEM);
    } else if (r->ndevices) {
        fly(r, STAGE_CREATING,
            registry_create_send(r->load, r->store, r->devices, r->ndevices, &r->load_err, NULL,
                                 NULL));
    } else {
        begin_write(r);
    }
}

/* ---- answers ---- */

static void on_committed(void *ctx, enum emt_err err, const struct store_result *res)
{
    struct batch_run *r = ctx;

    (void)res;
    if (err == EMT_OK)
        return;
    on_failed(r, err);
    /* Told to wait no longer for the standbys: what is here may not be there. */
    if (store_take_unknown_commit(r->store))
        r->unknown = true;
}

static void flight_2(struct batch_run *r)
{
    take_off(r);
    fly(r, STAGE_FLIGHT_2, batch_write_flight2(r->write, r->store));
}

static void commit(struct batch_run *r)
{
    enum emt_err err;

    take_off(r);
    err = batch_write_flight3(r->write, r->store);
    if (!err)
        err = store_send_commit(r->store, on_committed, r);
    fly(r, STAGE_COMMITTING, err);
}

static void part_committed(struct batch_run *r)
{
    batch_write_committed(r->write);
    r->stage = STAGE_PART;
    r->handler.committed(r->handler.ctx, &r->frames[r->part.from], r->part.to - r->part.from);
}

/* Which sources go on, and which of their frames are in the database already. */
static void settled(struct batch_run *r)
{
    for (size_t i = 0; i < r->nframes; i++) {
        struct batch_frame *f = r->frames[i];

        if (!f->source->hit)
            f->source->gone = true;
        else if (f->seq <= f->source->settled)
            f->done = true;
    }
    r->stage = STAGE_PART;
    r->handler.committed(r->handler.ctx, r->frames, r->nframes);
}

static void next_part(struct batch_run *r)
{
    while (r->nparts) {
        r->part = r->parts[--r->nparts];
        r->rounds = 0;
        if (left_in_part(r) > 0) {
            r->stage = STAGE_LOOK_UP;
            return;
        }
    }
    r->stage = STAGE_IDLE;
}

/* The answers of a flight that went well are there. */
static void flight_done(struct batch_run *r)
{
    switch (r->stage) {
    case STAGE_SETTLING:
        settled(r);
        break;
    case STAGE_LOADING:
        r->stage = STAGE_LOOK_UP;
        break;
    case STAGE_CREATING:
        begin_write(r);
        break;
    case STAGE_FLIGHT_1:
        if (batch_write_fenced(r->write)) {
            roll_back(r);
            if (!push_part(r, r->part.from, r->part.to, 0))
                put_off(r);
            r->stage = STAGE_PART;
        } else {
            flight_2(r);
        }
        break;
    case STAGE_FLIGHT_2:
        commit(r);
        break;
    case STAGE_COMMITTING:
        part_committed(r);
        break;
    case STAGE_IDLE:
    case STAGE_PART:
    case STAGE_LOOK_UP:
    case STAGE_DECODE:
        break;
    }
}

static bool is_load(enum run_stage s)
{
    return s == STAGE_LOADING || s == STAGE_CREATING;
}

static enum run_status flight_failed(struct batch_run *r)
{
    if (store_is_broken(r->store))
        return RUN_BROKEN;
    roll_back(r);
    if (r->unknown || r->stage == STAGE_SETTLING)
        return RUN_SETTLE;
    if (is_load(r->stage))
        forget_registry(r);
    part_failed(r);
    return RUN_DONE;
}

enum emt_err batch_run_start(struct batch_run *r, struct store *s,
                             struct batch_frame *const *frames, size_t n, unsigned how)
{
    bool settle = how & RUN_UNSETTLED;

    assert(r->stage == STAGE_IDLE);
    if (n > r->frames_cap) {
        struct batch_frame **grown = realloc(r->frames, n * sizeof *grown);
        if (!grown)
            return EMT_ENOMEM;
        r->frames = grown;
        r->frames_cap = n;
    }
    if (n)
        memcpy(r->frames, frames, n * sizeof(struct batch_frame *));
    if (n)
        qsort(r->frames, n, sizeof(void *), r->settings.replay ? compare_replayed : compare_frames);
    r->store = s;
    r->nframes = n;
    r->nparts = 0;
    r->part = (struct part){ 0 };
    r->unknown = false;
    r->err = EMT_OK;
    memset(&r->stats, 0, sizeof r->stats);
    if (!push_part(r, 0, n, how & RUN_BRIEF ? PATIENT_ATTEMPTS : 0))
        return EMT_ENOMEM;
    r->stage = STAGE_PART;
    if (settle && n && !r->settings.replay) {
        enum emt_err err = batch_write_begin(r->write, r->frames, n, clock_now(), false);

        if (!err)
            err = batch_write_settle(r->write, s, on_committed, r);
        fly(r, STAGE_SETTLING, err);
    }
    return EMT_OK;
}

enum run_status batch_run_step(struct batch_run *r)
{
    enum run_status status;

    for (;;) {
        if (r->waiting)
            return RUN_WAIT;
        switch (r->stage) {
        case STAGE_IDLE:
            return RUN_DONE;
        case STAGE_PART:
            next_part(r);
            break;
        case STAGE_LOOK_UP:
            look_up(r);
            break;
        case STAGE_DECODE:
            decode(r);
            break;
        case STAGE_SETTLING:
        case STAGE_LOADING:
        case STAGE_CREATING:
        case STAGE_FLIGHT_1:
        case STAGE_FLIGHT_2:
        case STAGE_COMMITTING:
            if (is_load(r->stage) && r->load_err != EMT_OK)
                on_failed(r, r->load_err);
            r->load_err = EMT_OK;
            status = r->err == EMT_OK ? RUN_DONE : flight_failed(r);
            if (status != RUN_DONE)
                return status;
            if (r->err == EMT_OK)
                flight_done(r);
            break;
        }
    }
}
