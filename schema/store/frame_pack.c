/* off size
 *   0    1  version, 1
 *   1    1  flags: 1 deflated
 *   .    .  deflated: length of the body, varint; then the body through zlib; else the body
 * Body:
 *   .    .  number of frames, varint
 *   .    .  number of spools, varint; 16 bytes each
 *   .    .  number of devices, varint; ascending, each the difference to the one before, varint
 *   .    .  per frame: head (put_head)
 *   .    .  16 bytes per frame that has a hash
 *   .    .  the frames themselves, to the end */
#include "store/frame_pack.h"

#include "base/reader.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define DEFLATED 1u
#define SPOOL_LEN 16u
#define HASH_LEN 16u
#define LEVEL 6
#define VARINT_MAX 10u
#define REASON_MOST 65535u

enum head_bits { HAS_COUNTER = 1, HAS_RSSI = 2, HAS_HASH = 4, HAS_REASON = 8, HEAD_BITS = 15 };

/* ---- numbers ---- */

static void put_varint(struct writer *w, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        writer_u8(w, (uint8_t)(v | 0x80u));
    writer_u8(w, (uint8_t)v);
}

static uint64_t get_varint(struct reader *r)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < VARINT_MAX; i++) {
        uint8_t b = reader_u8(r);

        if (i == VARINT_MAX - 1 && b > 1) {
            reader_fail(r);
            return 0;
        }
        v |= (uint64_t)(b & 0x7fu) << (7 * i);
        if (b < 0x80)
            break;
    }
    return v;
}

/* 0, -1, 1, -2 as 0, 1, 2, 3; differences wrap at 2^64. */
static void put_signed(struct writer *w, uint64_t v)
{
    put_varint(w, v << 1 ^ (v >> 63 ? UINT64_MAX : 0));
}

static uint64_t get_signed(struct reader *r)
{
    uint64_t v = get_varint(r);

    return v >> 1 ^ (v & 1u ? UINT64_MAX : 0);
}

static int16_t get_int2(struct reader *r)
{
    int64_t v = (int64_t)get_signed(r);

    if (v < INT16_MIN || v > INT16_MAX) {
        reader_fail(r);
        return 0;
    }
    return (int16_t)v;
}

/* ---- packing ---- */

struct tables {
    const uint8_t **spools;
    size_t nspools;
    int64_t *devices; /* ascending */
    size_t ndevices;
};

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static size_t spool_index(const struct tables *t, const uint8_t *id)
{
    size_t i = 0;

    while (i < t->nspools && memcmp(t->spools[i], id, SPOOL_LEN) != 0)
        i++;
    return i;
}

static bool tables_make(struct tables *t, const struct packed_frame *f, size_t n)
{
    size_t kept = 0;

    t->spools = calloc(n, sizeof *t->spools);
    t->devices = calloc(n, sizeof *t->devices);
    if (!t->spools || !t->devices)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (spool_index(t, f[i].spool_id) == t->nspools)
            t->spools[t->nspools++] = f[i].spool_id;
        if (f[i].device != 0)
            t->devices[t->ndevices++] = f[i].device;
    }
    qsort(t->devices, t->ndevices, sizeof *t->devices, by_number);
    for (size_t i = 0; i < t->ndevices; i++) {
        if (i == 0 || t->devices[i] != t->devices[i - 1])
            t->devices[kept++] = t->devices[i];
    }
    t->ndevices = kept;
    return true;
}

static void tables_release(struct tables *t)
{
    free(t->spools);
    free(t->devices);
}

static void put_tables(struct writer *w, const struct tables *t)
{
    int64_t before = 0;

    put_varint(w, t->nspools);
    for (size_t i = 0; i < t->nspools; i++)
        writer_bytes(w, t->spools[i], SPOOL_LEN);
    put_varint(w, t->ndevices);
    for (size_t i = 0; i < t->ndevices; i++) {
        put_varint(w, (uint64_t)t->devices[i] - (uint64_t)before);
        before = t->devices[i];
    }
}

static uint64_t device_place(const struct tables *t, int64_t device)
{
    const int64_t *at = NULL;

    if (device != 0)
        at = bsearch(&device, t->devices, t->ndevices, sizeof device, by_number);
    return at ? (uint64_t)(at - t->devices) + 1 : 0;
}

static void put_head(struct writer *w, const struct tables *t, const struct packed_frame *f,
                     const struct packed_frame *before)
{
    unsigned bits = (f->has_counter ? HAS_COUNTER : 0u) | (f->has_rssi ? HAS_RSSI : 0u) |
                    (f->hash ? HAS_HASH : 0u) | (f->reason_len ? HAS_REASON : 0u);

    writer_u8(w, (uint8_t)bits);
    writer_u8(w, f->state);
    put_varint(w, spool_index(t, f->spool_id));
    put_varint(w, device_place(t, f->device));
    put_signed(w, (uint64_t)f->seq - (uint64_t)before->seq);
    put_signed(w, (uint64_t)f->stored_at - (uint64_t)before->stored_at);
    put_signed(w, (uint64_t)f->received_at - (uint64_t)f->stored_at);
    put_signed(w, (uint64_t)(int64_t)f->protocol);
    put_signed(w, (uint64_t)(int64_t)f->format);
    put_varint(w, f->len);
    if (f->has_counter)
        put_signed(w, (uint64_t)f->counter);
    if (f->has_rssi)
        put_signed(w, (uint64_t)(int64_t)f->rssi_dbm);
    if (f->reason_len) {
        put_varint(w, f->reason_len);
        writer_bytes(w, f->reason, f->reason_len);
    }
}

static enum emt_err put_body(struct writer *w, const struct packed_frame *frames, size_t n)
{
    static const struct packed_frame nothing;
    struct tables t = { 0 };
    enum emt_err err = EMT_ENOMEM;

    if (tables_make(&t, frames, n)) {
        put_varint(w, n);
        put_tables(w, &t);
        for (size_t i = 0; i < n; i++)
            put_head(w, &t, &frames[i], i ? &frames[i - 1] : &nothing);
        for (size_t i = 0; i < n; i++) {
            if (frames[i].hash)
                writer_bytes(w, frames[i].hash, HASH_LEN);
        }
        for (size_t i = 0; i < n; i++)
            writer_bytes(w, frames[i].data, frames[i].len);
        err = w->failed ? EMT_ELIMIT : EMT_OK;
    }
    tables_release(&t);
    return err;
}

/* Deflated where that is shorter. */
static enum emt_err put_pack(struct writer *out, const struct writer *body)
{
    uLongf len = compressBound(body->len);
    uint8_t *deflated = malloc(len);
    bool shorter;

    if (!deflated)
        return EMT_ENOMEM;
    if (compress2(deflated, &len, body->data, body->len, LEVEL) != Z_OK) {
        free(deflated);
        return EMT_ENOMEM;
    }
    shorter = len + VARINT_MAX < body->len;
    writer_u8(out, FRAME_PACK_VERSION);
    writer_u8(out, shorter ? DEFLATED : 0);
    if (shorter) {
        put_varint(out, body->len);
        writer_bytes(out, deflated, len);
    } else {
        writer_bytes(out, body->data, body->len);
    }
    free(deflated);
    return out->failed ? EMT_ELIMIT : EMT_OK;
}

static bool fits(const struct packed_frame *frames, size_t n)
{
    if (n == 0 || n > FRAME_PACK_FRAMES_MOST)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (frames[i].reason_len > REASON_MOST || frames[i].device < 0)
            return false;
    }
    return true;
}

enum emt_err frame_pack_encode(const struct packed_frame *frames, size_t n, struct writer *out)
{
    struct writer body;
    enum emt_err err;

    if (!fits(frames, n))
        return EMT_ELIMIT;
    writer_init_heap(&body, FRAME_PACK_BODY_MOST);
    err = put_body(&body, frames, n);
    if (err == EMT_OK)
        err = put_pack(out, &body);
    writer_release(&body);
    return err;
}

/* ---- unpacking ---- */

struct reading_tables {
    struct reader spools;
    size_t nspools;
    int64_t *devices;
    size_t ndevices;
};

static enum emt_err get_devices(struct reader *in, struct reading_tables *t)
{
    uint64_t n = get_varint(in), device = 0;

    /* Each takes a byte at least. */
    if (in->failed || n > reader_left(in))
        return EMT_ETRUNCATED;
    t->ndevices = (size_t)n;
    t->devices = calloc(n ? (size_t)n : 1, sizeof *t->devices);
    if (!t->devices)
        return EMT_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        uint64_t more = get_varint(in);

        if (more == 0 || more > (uint64_t)INT64_MAX - device)
            return in->failed ? EMT_ETRUNCATED : EMT_EMALFORMED;
        device += more;
        t->devices[i] = (int64_t)device;
    }
    return in->failed ? EMT_ETRUNCATED : EMT_OK;
}

static enum emt_err get_tables(struct reader *in, struct reading_tables *t)
{
    uint64_t n = get_varint(in);

    if (in->failed || n > reader_left(in) / SPOOL_LEN)
        return EMT_ETRUNCATED;
    t->nspools = (size_t)n;
    t->spools = reader_sub(in, (size_t)n * SPOOL_LEN);
    return get_devices(in, t);
}

static enum emt_err get_head(struct reader *in, const struct reading_tables *t,
                             const struct packed_frame *before, struct packed_frame *f)
{
    unsigned bits = reader_u8(in);
    uint64_t spool, device, len;
    struct reader spools = t->spools;

    f->state = reader_u8(in);
    spool = get_varint(in);
    device = get_varint(in);
    f->seq = (int64_t)((uint64_t)before->seq + get_signed(in));
    f->stored_at = (emt_time)((uint64_t)before->stored_at + get_signed(in));
    f->received_at = (emt_time)((uint64_t)f->stored_at + get_signed(in));
    f->protocol = get_int2(in);
    f->format = get_int2(in);
    len = get_varint(in);
    f->has_counter = bits & HAS_COUNTER;
    f->has_rssi = bits & HAS_RSSI;
    f->counter = f->has_counter ? (int64_t)get_signed(in) : 0;
    f->rssi_dbm = f->has_rssi ? get_int2(in) : (int16_t)0;
    if (bits & HAS_REASON) {
        f->reason_len = (size_t)get_varint(in);
        if (f->reason_len == 0 || f->reason_len > REASON_MOST)
            return in->failed ? EMT_ETRUNCATED : EMT_EMALFORMED;
        f->reason = (const char *)reader_bytes(in, f->reason_len);
    } else {
        f->reason = "";
    }
    if (in->failed)
        return EMT_ETRUNCATED;
    if (bits & ~(unsigned)HEAD_BITS || spool >= t->nspools || device > t->ndevices ||
        len > FRAME_PACK_BODY_MOST || memchr(f->reason, '\0', f->reason_len))
        return EMT_EMALFORMED;
    (void)reader_skip(&spools, (size_t)spool * SPOOL_LEN);
    f->spool_id = reader_bytes(&spools, SPOOL_LEN);
    f->device = device ? t->devices[device - 1] : 0;
    f->len = (size_t)len;
    if (bits & HAS_HASH)
        f->hash = f->spool_id; /* its place is known only behind the last head */
    return EMT_OK;
}

static enum emt_err get_contents(struct reader *in, struct frame_pack *p)
{
    for (size_t i = 0; i < p->n; i++) {
        if (p->frames[i].hash)
            p->frames[i].hash = reader_bytes(in, HASH_LEN);
    }
    for (size_t i = 0; i < p->n; i++)
        p->frames[i].data = reader_bytes(in, p->frames[i].len);
    if (in->failed)
        return EMT_ETRUNCATED;
    return reader_at_end(in) ? EMT_OK : EMT_EMALFORMED;
}

static enum emt_err get_body(struct reader *in, struct frame_pack *p)
{
    static const struct packed_frame nothing;
    struct reading_tables t = { 0 };
    uint64_t n = get_varint(in);
    enum emt_err err;

    if (in->failed)
        return EMT_ETRUNCATED;
    if (n == 0 || n > FRAME_PACK_FRAMES_MOST)
        return EMT_EMALFORMED;
    p->frames = calloc((size_t)n, sizeof *p->frames);
    p->n = (size_t)n;
    err = p->frames ? get_tables(in, &t) : EMT_ENOMEM;
    for (size_t i = 0; err == EMT_OK && i < p->n; i++)
        err = get_head(in, &t, i ? &p->frames[i - 1] : &nothing, &p->frames[i]);
    if (err == EMT_OK)
        err = get_contents(in, p);
    free(t.devices);
    return err;
}

static enum emt_err inflate_body(struct reader *in, struct frame_pack *p, struct reader *body)
{
    uint64_t len = get_varint(in);
    size_t packed = reader_left(in);
    const uint8_t *from = reader_bytes(in, packed);
    uLongf got;

    if (in->failed)
        return EMT_ETRUNCATED;
    if (len == 0 || len > FRAME_PACK_BODY_MOST)
        return EMT_ELIMIT;
    /* zlib shrinks to no less than a thousandth: a length beyond that is a lie about memory. */
    if (len / 1100 > packed)
        return EMT_EMALFORMED;
    p->body = malloc((size_t)len);
    if (!p->body)
        return EMT_ENOMEM;
    got = (uLongf)len;
    uLong used = (uLong)packed;
    if (uncompress2(p->body, &got, from, &used) != Z_OK || got != len || used != packed)
        return EMT_EMALFORMED;
    *body = reader_of(p->body, (size_t)len);
    return EMT_OK;
}

enum emt_err frame_pack_decode(const void *data, size_t len, struct frame_pack *out)
{
    struct reader in = reader_of(data, len), body;
    struct frame_pack p = { 0 };
    uint8_t version = reader_u8(&in), flags = reader_u8(&in);
    enum emt_err err = EMT_OK;

    *out = p;
    if (in.failed)
        return EMT_ETRUNCATED;
    if (version != FRAME_PACK_VERSION || flags & ~DEFLATED)
        return EMT_EUNSUPPORTED;
    body = in;
    if (flags & DEFLATED)
        err = inflate_body(&in, &p, &body);
    if (err == EMT_OK)
        err = get_body(&body, &p);
    if (err == EMT_OK)
        *out = p;
    else
        frame_pack_release(&p);
    return err;
}

void frame_pack_release(struct frame_pack *p)
{
    free(p->frames);
    free(p->body);
    *p = (struct frame_pack){ 0 };
}
