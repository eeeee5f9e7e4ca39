#include "batch.h"

#include "base/arena.h"
#include "base/cipher.h"
#include "fragments.h"
#include "ingest/scratch.h"
#include "parsers/decode.h"
#include "parsers/vendor_profiles.h"
#include "store/reading_store.h"

#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* What decoding one frame of at most 16 KiB may take, and what one batch may keep of it. */
#define FRAME_ARENA (16u << 20)
#define KEEP_ARENA (512u << 20)

struct batch_decoder {
    struct registry *registry;
    struct scratch *scratch;
    struct cipher *cipher;
    struct arena *arena; /* one frame */
    struct arena *keep;  /* one batch */
    struct fragments *fragments;
    struct vendor_profiles *vendors; /* those that come with the program */
    int64_t clock_ahead_us;
};

struct batch_frame *batch_frame_new(struct batch_source *source, const void *data, size_t len)
{
    struct batch_frame *f = calloc(1, sizeof *f + len);

    if (!f)
        return NULL;
    f->source = source;
    f->why = "";
    f->len = len;
    if (data && len)
        memcpy(f->data, data, len);
    return f;
}

void batch_frame_reset(struct batch_frame *f)
{
    f->peeked = f->decoded = f->moved = f->raw_only = f->ignored = false;
    f->has_device = f->has_hash = f->has_counter = f->poisoned = f->clock_ahead = false;
    f->device = NULL;
    f->state = f->final = FRAME_OK;
    f->why = "";
    f->values = NULL;
    f->nvalues = f->unscalable = 0;
}

bool batch_is_radio(const struct batch_frame *f)
{
    return f->protocol == PROTOCOL_WMBUS || f->protocol == PROTOCOL_LORAWAN;
}

struct batch_decoder *batch_decoder_new(struct registry *r, struct scratch *scratch,
                                        int64_t clock_ahead_us)
{
    struct batch_decoder *d = calloc(1, sizeof *d);

    if (!d)
        return NULL;
    d->registry = r;
    d->scratch = scratch;
    d->clock_ahead_us = clock_ahead_us;
    d->cipher = cipher_new();
    d->arena = arena_new(FRAME_ARENA);
    d->keep = arena_new(KEEP_ARENA);
    d->vendors = vendor_profiles_new();
    d->fragments = fragments_new();
    if (d->cipher && d->arena && d->keep && d->vendors && d->fragments &&
        vendor_profiles_add_builtin(d->vendors, NULL) == EMT_OK)
        return d;
    batch_decoder_free(d);
    return NULL;
}

void batch_decoder_free(struct batch_decoder *d)
{
    if (!d)
        return;
    cipher_free(d->cipher);
    vendor_profiles_free(d->vendors);
    fragments_free(d->fragments);
    if (d->arena)
        arena_free(d->arena);
    if (d->keep)
        arena_free(d->keep);
    free(d);
}

void batch_decoder_reset(struct batch_decoder *d)
{
    arena_reset(d->keep);
}

const char *batch_decoder_text(struct batch_decoder *d, const char *text)
{
    const char *copy = text[0] ? arena_text(d->keep, text, strlen(text)) : "";

    return copy ? copy : "";
}

/* ---- crash notes ---- */

/* The bytes as they came: what crashes may do so before a telegram's identity is known. */
static void note_of(const struct batch_frame *f, uint8_t note[16])
{
    uint8_t sum[32];

    cipher_sha256(f->data, f->len, sum);
    memcpy(note, sum, 16);
}

static bool enter(struct batch_decoder *d, struct batch_frame *f)
{
    uint8_t note[16];

    if (!d->scratch)
        return true;
    note_of(f, note);
    f->poisoned = scratch_is_poisoned(d->scratch, note);
    if (!f->poisoned)
        scratch_enter(d->scratch, note);
    return !f->poisoned;
}

static void leave(struct batch_decoder *d)
{
    if (d->scratch)
        scratch_leave(d->scratch);
}

/* A poisoned frame is stored, not looked at: whoever sent it is not known. */
static void quarantine(struct batch_frame *f)
{
    f->state = FRAME_QUARANTINED;
    f->why = "decoding it once ended the process";
    f->peeked = f->decoded = true;
}

/* ---- peek ---- */

static struct decode_request request_of(struct batch_decoder *d, const struct batch_frame *f)
{
    return (struct decode_request){ .protocol = (enum protocol)f->protocol,
                                    .format = (enum frame_format)f->format,
                                    .frame = f->data,
                                    .len = f->len,
                                    .cipher = d->cipher,
                                    .arena = d->arena,
                                    .vendors = d->vendors };
}

static void settle(struct batch_decoder *d, struct batch_frame *f, enum frame_state state,
                   const char *why)
{
    f->state = state;
    f->why = batch_decoder_text(d, why);
    f->decoded = true;
}

void batch_peek(struct batch_decoder *d, struct batch_frame *f)
{
    struct decode_request req = request_of(d, f);
    struct decode_result res;
    enum emt_err err;

    if (!enter(d, f)) {
        quarantine(f);
        return;
    }
    arena_reset(d->arena);
    memset(&res, 0, sizeof res);
    err = decode_peek(&req, &res);
    leave(d);
    f->peeked = true;
    f->has_device = err == EMT_OK && res.has_device;
    if (f->has_device)
        f->id = res.device;
    if (err != EMT_OK)
        settle(d, f, FRAME_MALFORMED, "more memory than a frame may take");
    else if (res.state != FRAME_OK && !f->has_device)
        settle(d, f, res.state, res.reason);
}

/* ---- values ---- */

/* EN 13757-3 texts are ISO 8859-1 where they are not UTF-8; the database takes UTF-8 only, and no
 * NUL. */
static bool is_utf8(const char *s)
{
    const uint8_t *p = (const uint8_t *)s;

    while (*p) {
        unsigned more = *p < 0x80u                  ? 0
                        : *p >= 0xc2u && *p < 0xe0u ? 1
                        : (*p & 0xf0u) == 0xe0u     ? 2
                        : *p >= 0xf0u && *p < 0xf5u ? 3
                                                    : 9;
        if (more == 9)
            return false;
        /* Overlong forms, surrogates and what lies beyond U+10FFFF. */
        if ((*p == 0xe0u && p[1] < 0xa0u) || (*p == 0xedu && p[1] > 0x9fu) ||
            (*p == 0xf0u && p[1] < 0x90u) || (*p == 0xf4u && p[1] > 0x8fu))
            return false;
        for (p++; more; more--, p++) {
            if ((*p & 0xc0u) != 0x80u)
                return false;
        }
    }
    return true;
}

static const char *utf8_text(struct arena *a, const char *s)
{
    size_t n = strlen(s), at = 0;
    char *out;

    if (is_utf8(s))
        return arena_text(a, s, n);
    out = arena_alloc(a, 2 * n + 1);
    for (size_t i = 0; out && i < n; i++) {
        uint8_t b = (uint8_t)s[i];

        if (b < 0x80u) {
            out[at++] = (char)b;
        } else {
            out[at++] = (char)(0xc0u | b >> 6);
            out[at++] = (char)(0x80u | (b & 0x3fu));
        }
    }
    return out;
}

static bool has_own_time(const struct reading *r)
{
    return r->time != EMT_TIME_NONE && r->time_source != TIME_SOURCE_NONE;
}

/* EMT_EAGAIN: passed over, for a reason that the frame notes. */
static enum emt_err value_of(struct batch_decoder *d, struct batch_frame *f,
                             const struct reading *r, emt_time now, struct batch_value *v)
{
    bool own = has_own_time(r);
    int channel;

    v->device = f->device;
    v->is_text = r->kind == READING_TEXT || r->kind == READING_RAW;
    v->ts = own ? r->time : f->received_at;
    v->quality = READING_QUALITY(r->quality, own ? r->time_source : TIME_SOURCE_GATEWAY);
    if (v->ts > now + d->clock_ahead_us) {
        f->clock_ahead = true;
        return EMT_EAGAIN;
    }
    if (!v->is_text && reading_base_value(r, &v->value) != EMT_OK) {
        f->unscalable++;
        return EMT_EAGAIN;
    }
    channel = registry_channel(f->device, r);
    if (channel < 0)
        return EMT_ELIMIT;
    v->channel = (unsigned)channel;
    v->text = v->is_text ? utf8_text(d->keep, r->text ? r->text : "") : "";
    return v->text ? EMT_OK : EMT_ENOMEM;
}

/* The meter's clock, which stands at the values of the telegram as their time: a text of its own,
 * one per telegram, would say nothing more. */
static bool is_only_time(const struct reading *r, const struct decode_result *res)
{
    if (r->kind != READING_TEXT || r->quantity != QUANTITY_DATE_TIME || r->storage != 0 ||
        r->function != READING_INSTANT || !r->text)
        return false;
    for (unsigned i = 0; i < res->nreadings; i++) {
        const struct reading *v = &res->readings[i];

        if ((v->kind == READING_NUMBER || v->kind == READING_STATE) && v->storage == 0 &&
            has_own_time(v) && strcmp(v->time_text, r->text) == 0)
            return true;
    }
    return false;
}

static enum emt_err take_values(struct batch_decoder *d, struct batch_frame *f,
                                const struct decode_result *res, emt_time now)
{
    enum emt_err err = EMT_OK;

    f->values = arena_alloc(d->keep, res->nreadings * sizeof *f->values);
    if (!f->values)
        return EMT_ENOMEM;
    for (unsigned i = 0; i < res->nreadings && (!err || err == EMT_EAGAIN); i++) {
        if (is_only_time(&res->readings[i], res))
            continue;
        err = value_of(d, f, &res->readings[i], now, &f->values[f->nvalues]);
        if (err == EMT_OK)
            f->nvalues++;
    }
    return err == EMT_EAGAIN ? EMT_OK : err;
}

/* ---- decode ---- */

/* The tenant has not adopted the meter: what arrived is kept for a while, nothing is read from it.
 * Adopting it orders a replay. */
static void only_heard(struct batch_decoder *d, struct batch_frame *f,
                       const struct decode_result *res)
{
    if (res->state == FRAME_OK)
        settle(d, f, FRAME_PLAINTEXT_REFUSED, "the device is heard only, not adopted");
    else
        settle(d, f, res->state, res->reason);
}

static const uint8_t no_hash[16];

static void take_result(struct batch_decoder *d, struct batch_frame *f,
                        const struct decode_result *res, emt_time now)
{
    enum emt_err err;

    memcpy(f->hash, res->telegram_hash, sizeof f->hash);
    f->has_hash = memcmp(f->hash, no_hash, sizeof no_hash) != 0;
    if (f->device && f->device->assignment == DEVICE_HEARD) {
        only_heard(d, f, res);
        return;
    }
    settle(d, f, res->state, res->reason);
    if (res->state != FRAME_OK)
        return;
    if (!f->device) {
        settle(d, f, FRAME_UNSUPPORTED, "the frame does not say whose it is");
        return;
    }
    f->has_counter = res->has_counter && res->counter <= INT64_MAX;
    f->counter = f->has_counter ? (int64_t)res->counter : 0;
    err = take_values(d, f, res, now);
    if (err == EMT_OK)
        return;
    f->nvalues = 0;
    settle(d, f, FRAME_UNSUPPORTED,
           err == EMT_ELIMIT ? "more channels than a device may have" : "out of memory");
}

void batch_decode(struct batch_decoder *d, struct batch_frame *f, emt_time now)
{
    struct decode_request req = request_of(d, f);
    struct decode_result res;
    bool heard = f->device && f->device->assignment == DEVICE_HEARD;
    enum emt_err err;

    if (f->device && (f->device->device == 0 || f->device->assignment == DEVICE_IGNORED)) {
        f->ignored = f->decoded = true;
        return;
    }
    if (!enter(d, f)) {
        quarantine(f);
        return;
    }
    if (f->device && !heard) {
        req.keys = registry_keys_of(f->device);
        req.formats = registry_formats_of(f->device);
        req.accept_plaintext = f->device->accept_plaintext;
        req.fragments = fragments_of(d->fragments, f->device->tenant->id, now);
    }
    arena_reset(d->arena);
    memset(&res, 0, sizeof res);
    f->nvalues = f->unscalable = 0;
    f->clock_ahead = false;
    err = decode_frame(&req, &res);
    leave(d);
    if (err != EMT_OK) {
        settle(d, f, FRAME_MALFORMED, "more memory than a frame may take");
        return;
    }
    if (!f->moved && res.has_device && (!f->has_device || !device_id_equal(&res.device, &f->id))) {
        f->moved = f->has_device = true;
        f->id = res.device;
        f->device = NULL;
        return;
    }
    take_result(d, f, &res, now);
}
