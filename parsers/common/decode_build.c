#include "common/decode_build.h"

#include "base/arena.h"
#include "base/hex.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FIRST_READINGS 16
#define BUCKETS 256

enum emt_err decode_build_init(struct decode_build *b, const struct decode_request *req,
                               struct decode_result *out, bool peek)
{
    memset(b, 0, sizeof *b);
    b->req = req;
    b->out = out;
    b->peek = peek;
    b->trace = peek ? NULL : req->trace;
    b->layers =
        (struct decode_layer *)arena_alloc(req->arena, DECODE_LAYERS_MAX * sizeof *b->layers);
    b->fields =
        (struct decode_field *)arena_alloc(req->arena, DECODE_FIELDS_MAX * sizeof *b->fields);
    if (!b->layers || !b->fields)
        return EMT_ENOMEM;
    out->layers = b->layers;
    out->link = b->fields;
    return EMT_OK;
}

bool decode_build_fail(struct decode_build *b, const char *fmt, ...)
{
    va_list ap;

    if (b->out->reason[0])
        return false;
    va_start(ap, fmt);
    (void)vsnprintf(b->out->reason, sizeof b->out->reason, fmt, ap);
    va_end(ap);
    return false;
}

void decode_build_layer(struct decode_build *b, const char *name, size_t offset, size_t len)
{
    struct decode_layer *l;

    if (b->out->nlayers == DECODE_LAYERS_MAX)
        return;
    l = &b->layers[b->out->nlayers++];
    l->name = name;
    l->offset = (uint32_t)offset;
    l->len = (uint32_t)len;
}

static void put_field(struct decode_build *b, const char *name, const char *text, bool is_number)
{
    struct decode_field *f;

    if (b->out->nlink == DECODE_FIELDS_MAX)
        return;
    f = &b->fields[b->out->nlink++];
    f->name = name;
    f->text = text;
    f->is_number = is_number;
}

void decode_build_text(struct decode_build *b, const char *name, const char *text, size_t len)
{
    put_field(b, name, decode_build_copy(b, text, len), false);
}

void decode_build_hex(struct decode_build *b, const char *name, const uint8_t *p, size_t n)
{
    put_field(b, name, decode_build_copy_hex(b, p, n), false);
}

void decode_build_number(struct decode_build *b, const char *name, uint64_t value)
{
    char text[24];
    size_t at = sizeof text;

    do
        text[--at] = (char)('0' + value % 10);
    while ((value /= 10) != 0);
    put_field(b, name, decode_build_copy(b, text + at, sizeof text - at), true);
}

static bool grow(struct decode_build *b)
{
    unsigned first = b->first ? b->first : FIRST_READINGS;
    unsigned cap = b->cap ? 2 * b->cap : first;
    struct reading *items = (struct reading *)arena_alloc(b->req->arena, cap * sizeof *items);

    if (!items) {
        b->no_memory = true;
        return false;
    }
    if (b->n)
        memcpy(items, b->items, b->n * sizeof *items);
    b->items = items;
    b->cap = cap;
    return true;
}

struct reading *decode_build_reading(struct decode_build *b)
{
    struct reading *r = &b->scratch;

    if (b->peek) {
        memset(r, 0, sizeof *r);
    } else {
        if (b->n == b->cap && !grow(b))
            return NULL;
        r = &b->items[b->n++]; /* zeroed by the arena */
    }
    r->time = EMT_TIME_NONE;
    return r;
}

const char *decode_build_copy(struct decode_build *b, const char *text, size_t len)
{
    const char *copy = arena_text(b->req->arena, text, len);

    if (copy)
        return copy;
    b->no_memory = true;
    return "";
}

const char *decode_build_copy_hex(struct decode_build *b, const uint8_t *p, size_t n)
{
    char *copy = (char *)arena_alloc(b->req->arena, 2 * n + 1);

    if (copy)
        return hex_encode(p, n, copy);
    b->no_memory = true;
    return "";
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* One channel and one time: the second value would hide the first. */
static bool same_place(const struct reading *a, const struct reading *b)
{
    return obis_equal(a->obis, b->obis) && a->time == b->time && a->kind == b->kind &&
           a->quantity == b->quantity && a->function == b->function && a->tariff == b->tariff &&
           a->storage == b->storage && a->subunit == b->subunit &&
           same_text(a->obis_text, b->obis_text) && same_text(a->unit, b->unit) &&
           strcmp(a->qualifier, b->qualifier) == 0;
}

static unsigned bucket_of(const struct reading *r)
{
    uint64_t h = (obis_pack(r->obis) ^ (uint64_t)r->time) * UINT64_C(0x9e3779b97f4a7c15);

    return (unsigned)(h >> 56);
}

/* Readings of a bucket form a list, newest first, so that a frame with thousands of values does not
 * take their square. */
static bool number_repeats(struct decode_build *b)
{
    unsigned heads[BUCKETS] = { 0 }; /* index + 1 */
    unsigned *next;

    if (b->n < 2)
        return true;
    next = (unsigned *)arena_alloc(b->req->arena, b->n * sizeof *next);
    if (!next)
        return false;
    for (unsigned i = 0; i < b->n; i++) {
        struct reading *r = &b->items[i];
        unsigned *head = &heads[bucket_of(r)];
        unsigned at = *head;

        while (at && !same_place(&b->items[at - 1], r))
            at = next[at - 1];
        if (at)
            r->nth = b->items[at - 1].nth + 1;
        next[i] = *head;
        *head = i + 1;
    }
    return true;
}

void decode_build_record(struct decode_build *b, const uint8_t *p, size_t n, unsigned first,
                         const char *text)
{
    struct trace_record r = { .at = p, .len = n, .text = text, .first = first };

    if (!b->trace)
        return;
    r.count = b->n > first ? b->n - first : 0;
    (void)trace_record(b->trace, &r);
}

enum emt_err decode_build_finish(struct decode_build *b, enum frame_state state)
{
    b->out->state = state;
    if (state == FRAME_OK && !b->peek) {
        if (!number_repeats(b))
            b->no_memory = true;
        b->out->readings = b->items;
        b->out->nreadings = b->n;
    }
    if (!b->no_memory)
        return EMT_OK;
    b->out->nreadings = 0;
    return EMT_ENOMEM;
}
