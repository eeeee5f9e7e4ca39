#include "common/trace.h"

#include "base/arena.h"
#include "base/hex.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SPACES_MAX 4096
#define PARTS_MAX 64
#define FIRST 32
/* A copy of a copy …: link CRCs, ELL, transport layer, compact frame are the deepest. */
#define CHAIN_MAX 12
#define TEXT_MAX 192
#define HEADER_BYTES_MAX 24 /* DIB or VIB of a record: 11 bytes, a unit as text is cut */

/* Bytes in memory that stand elsewhere. */
struct space {
    const uint8_t *p;
    size_t n;
    const uint8_t *src; /* NULL: offset_of says, and without it nobody knows */
    size_t (*offset_of)(const void *ctx, size_t at);
    const void *ctx;
};

struct part {
    const uint8_t *p;
    size_t n;
};

struct entry {
    uint32_t offset, len;
    enum explain_where where;
    const char *dif, *vif;
    const char *text;
    unsigned first, count;
};

struct trace {
    struct arena *arena;
    const uint8_t *frame;
    size_t frame_len;
    struct explain_layer *layers; /* `fields` stays NULL until the end, nfields is theirs */
    struct explain_field *fields;
    struct entry *records;
    struct space *spaces;
    struct part parts[PARTS_MAX];
    unsigned nlayers, nfields, nrecords, nspaces, nparts;
    unsigned fields_cap, records_cap, spaces_cap;
    bool cut; /* something was left out */
    bool no_memory;
};

struct trace *trace_new(struct arena *arena, const uint8_t *frame, size_t len)
{
    struct trace *t = (struct trace *)arena_alloc(arena, sizeof *t);

    if (!t)
        return NULL;
    t->arena = arena;
    t->frame = frame;
    t->frame_len = len;
    t->layers = (struct explain_layer *)arena_alloc(arena, EXPLAIN_LAYERS_MAX * sizeof *t->layers);
    return t->layers ? t : NULL;
}

struct trace_mark trace_mark(const struct trace *t)
{
    struct trace_mark m = { 0 };

    if (t)
        m = (struct trace_mark){ t->nlayers, t->nfields, t->nrecords, t->nspaces, t->nparts };
    return m;
}

void trace_rewind(struct trace *t, struct trace_mark mark)
{
    if (!t)
        return;
    t->nlayers = mark.layers;
    t->nfields = mark.fields;
    t->nrecords = mark.records;
    t->nspaces = mark.spaces;
    t->nparts = mark.parts;
    if (t->nlayers > 0) { /* fields of the layer that was open then */
        struct explain_layer *l = &t->layers[t->nlayers - 1];
        unsigned before = 0;

        for (unsigned i = 0; i + 1 < t->nlayers; i++)
            before += t->layers[i].nfields;
        l->nfields = t->nfields - before;
    }
}

/* ---- places ---- */

static bool holds(const uint8_t *p, size_t n, const uint8_t *at)
{
    return (uintptr_t)at >= (uintptr_t)p && (uintptr_t)at - (uintptr_t)p < n;
}

/* The newest space with this byte: storage is used again. */
static const struct space *find_space(const struct trace *t, const uint8_t *at)
{
    for (unsigned i = t->nspaces; i > 0; i--)
        if (holds(t->spaces[i - 1].p, t->spaces[i - 1].n, at))
            return &t->spaces[i - 1];
    return NULL;
}

static bool find_part(const struct trace *t, const uint8_t *at, size_t *offset)
{
    size_t base = 0;

    for (unsigned i = 0; i < t->nparts; i++) {
        if (holds(t->parts[i].p, t->parts[i].n, at)) {
            *offset = base + (size_t)((uintptr_t)at - (uintptr_t)t->parts[i].p);
            return true;
        }
        base += t->parts[i].n;
    }
    return false;
}

/* Where one byte stands. plain: the plain bytes are asked first. False: nowhere that is shown. */
static bool find_byte(const struct trace *t, const uint8_t *at, bool plain,
                      enum explain_where *where, size_t *offset)
{
    *where = EXPLAIN_PLAIN;
    for (unsigned i = 0; i < CHAIN_MAX; i++) {
        const struct space *s;

        if (plain && find_part(t, at, offset))
            return true;
        *where = EXPLAIN_FRAME;
        if (holds(t->frame, t->frame_len, at)) {
            *offset = (size_t)((uintptr_t)at - (uintptr_t)t->frame);
            return true;
        }
        *where = EXPLAIN_PLAIN;
        s = find_space(t, at);
        if (s && s->offset_of) {
            *where = EXPLAIN_FRAME;
            *offset = s->offset_of(s->ctx, (size_t)((uintptr_t)at - (uintptr_t)s->p));
            return *offset < t->frame_len;
        }
        if (!s || !s->src)
            return false;
        at = s->src + ((uintptr_t)at - (uintptr_t)s->p);
    }
    return false;
}

static bool find_range(const struct trace *t, const uint8_t *p, size_t n, bool plain,
                       enum explain_where *where, uint32_t *offset, uint32_t *len)
{
    enum explain_where last_where;
    size_t first, last;

    *where = EXPLAIN_FRAME;
    *offset = *len = 0;
    if (!p || n == 0 || !find_byte(t, p, plain, where, &first))
        return false;
    *offset = (uint32_t)first;
    *len = (uint32_t)n;
    if (find_byte(t, p + (n - 1), plain, &last_where, &last) && last_where == *where &&
        last >= first)
        *len = (uint32_t)(last - first + 1);
    return true;
}

bool trace_knows(const struct trace *t, const uint8_t *p)
{
    enum explain_where where;
    size_t offset;

    return t && p && find_byte(t, p, true, &where, &offset);
}

static void *grown(struct trace *t, const void *items, unsigned n, unsigned *cap, unsigned most,
                   size_t size)
{
    unsigned want = *cap ? 2 * *cap : FIRST;
    void *to;

    if (want > most)
        want = most;
    to = arena_alloc(t->arena, want * size);
    if (!to) {
        t->no_memory = true;
        return NULL;
    }
    if (n)
        memcpy(to, items, n * size);
    *cap = want;
    return to;
}

static void add_space(struct trace *t, const struct space *s)
{
    if (s->n == 0)
        return;
    if (t->nspaces == SPACES_MAX) {
        t->cut = true;
        return;
    }
    if (t->nspaces == t->spaces_cap) {
        struct space *to =
            (struct space *)grown(t, t->spaces, t->nspaces, &t->spaces_cap, SPACES_MAX, sizeof *to);

        if (!to)
            return;
        t->spaces = to;
    }
    t->spaces[t->nspaces++] = *s;
}

void trace_copy(struct trace *t, const uint8_t *p, size_t n, const uint8_t *src)
{
    const struct space s = { .p = p, .n = n, .src = src };

    if (t && p != src)
        add_space(t, &s);
}

void trace_map(struct trace *t, const uint8_t *p, size_t n,
               size_t (*offset_of)(const void *ctx, size_t at), const void *ctx)
{
    const struct space s = { .p = p, .n = n, .offset_of = offset_of, .ctx = ctx };

    if (t)
        add_space(t, &s);
}

void trace_plain(struct trace *t, const uint8_t *p, size_t n, const uint8_t *src)
{
    size_t offset;

    if (!t || n == 0)
        return;
    /* Deciphered a second time: the inner text is what people want to see. */
    for (unsigned i = 0; src && i < t->nparts; i++)
        if (holds(t->parts[i].p, t->parts[i].n, src) && find_part(t, src, &offset)) {
            memmove(&t->parts[i], &t->parts[i + 1], (t->nparts - i - 1) * sizeof t->parts[0]);
            t->nparts--;
            break;
        }
    if (src)
        trace_copy(t, p, n, src);
    if (t->nparts == PARTS_MAX)
        t->cut = true;
    else
        t->parts[t->nparts++] = (struct part){ p, n };
}

/* ---- layers and fields ---- */

void trace_layer(struct trace *t, const char *name, const uint8_t *p, size_t n)
{
    struct explain_layer *l;
    enum explain_where where;

    if (!t)
        return;
    if (t->nlayers == EXPLAIN_LAYERS_MAX) {
        t->cut = true;
        return;
    }
    l = &t->layers[t->nlayers++];
    *l = (struct explain_layer){ .name = name };
    (void)find_range(t, p, n, false, &where, &l->offset, &l->len);
}

void trace_close(struct trace *t, const uint8_t *p)
{
    struct explain_layer *l;
    enum explain_where where;
    uint32_t offset, len;

    if (!t || t->nlayers == 0)
        return;
    l = &t->layers[t->nlayers - 1];
    if (find_range(t, p - 1, 1, false, &where, &offset, &len) && offset >= l->offset)
        l->len = offset + 1 - l->offset;
}

static void put_field(struct trace *t, const char *name, const char *text, size_t text_len,
                      const uint8_t *p, size_t n)
{
    struct explain_field *f;
    enum explain_where where;

    if (t->nlayers == 0)
        return;
    if (t->nfields == EXPLAIN_FIELDS_MAX) {
        t->cut = true;
        return;
    }
    if (t->nfields == t->fields_cap) {
        struct explain_field *to = (struct explain_field *)grown(
            t, t->fields, t->nfields, &t->fields_cap, EXPLAIN_FIELDS_MAX, sizeof *to);

        if (!to)
            return;
        t->fields = to;
    }
    f = &t->fields[t->nfields];
    f->name = name;
    f->value = arena_text(t->arena, text, text_len);
    if (!f->value) {
        t->no_memory = true;
        return;
    }
    (void)find_range(t, p, n, false, &where, &f->offset, &f->len);
    t->nfields++;
    t->layers[t->nlayers - 1].nfields++;
}

void trace_text(struct trace *t, const char *name, const char *text, const uint8_t *p, size_t n)
{
    size_t len = t && text ? strlen(text) : 0;

    if (t && text)
        put_field(t, name, text, len < TEXT_MAX ? len : TEXT_MAX, p, n);
}

void trace_format(struct trace *t, const char *name, const uint8_t *p, size_t n, const char *fmt,
                  ...)
{
    char text[TEXT_MAX];
    va_list ap;

    if (!t)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    put_field(t, name, text, strlen(text), p, n);
}

void trace_put_hex(struct trace *t, const char *name, const uint8_t *p, size_t n)
{
    char text[2 * EXPLAIN_FIELD_BYTES + 4];
    size_t shown = n < EXPLAIN_FIELD_BYTES ? n : EXPLAIN_FIELD_BYTES;

    /* What stands nowhere is not read: a decoder that is wrong about a length shows nothing. */
    if (!t || !p || n == 0 || !trace_knows(t, p) || !trace_knows(t, p + (n - 1)))
        return;
    (void)hex_encode(p, shown, text);
    if (shown < n)
        memcpy(text + 2 * shown, "...", 4);
    put_field(t, name, text, strlen(text), p, n);
}

void trace_number(struct trace *t, const char *name, uint64_t value, const uint8_t *p, size_t n)
{
    if (t)
        trace_format(t, name, p, n, "%" PRIu64, value);
}

/* ---- records ---- */

static const char *header_text(struct trace *t, const uint8_t *p, size_t n)
{
    char text[2 * HEADER_BYTES_MAX + 1];
    const char *copy;

    if (!p || n == 0)
        return NULL;
    n = n < HEADER_BYTES_MAX ? n : HEADER_BYTES_MAX;
    copy = arena_text(t->arena, hex_encode(p, n, text), 2 * n);
    if (!copy)
        t->no_memory = true;
    return copy;
}

unsigned trace_record(struct trace *t, const struct trace_record *r)
{
    struct entry *e;

    if (!t)
        return 0;
    if (t->nrecords == EXPLAIN_RECORDS_MAX) {
        t->cut = true;
        return 0;
    }
    if (t->nrecords == t->records_cap) {
        struct entry *to = (struct entry *)grown(t, t->records, t->nrecords, &t->records_cap,
                                                 EXPLAIN_RECORDS_MAX, sizeof *to);

        if (!to)
            return 0;
        t->records = to;
    }
    e = &t->records[t->nrecords++];
    *e = (struct entry){ .text = r->text, .first = r->first, .count = r->count };
    e->dif = header_text(t, r->dif, r->dif_len);
    e->vif = header_text(t, r->vif, r->vif_len);
    (void)find_range(t, r->at, r->len, true, &e->where, &e->offset, &e->len);
    return t->nrecords;
}

void trace_readings(struct trace *t, unsigned record, unsigned first, unsigned count)
{
    if (!t || record == 0 || record > t->nrecords)
        return;
    t->records[record - 1].first = first;
    t->records[record - 1].count = count;
}

/* ---- the end ---- */

/* "energy (import), maximum" */
static const char *text_of(struct trace *t, const struct entry *e, const struct reading *r)
{
    static const char *const functions[] = { [READING_INSTANT] = "",
                                             [READING_MAXIMUM] = ", maximum",
                                             [READING_MINIMUM] = ", minimum",
                                             [READING_ERROR] = ", during error" };
    char text[TEXT_MAX];
    const char *copy;

    if (!r)
        return e->text;
    (void)snprintf(text, sizeof text, "%s%s%s%s%s", quantity_name(r->quantity),
                   r->qualifier[0] ? " (" : "", r->qualifier, r->qualifier[0] ? ")" : "",
                   functions[r->function]);
    copy = arena_text(t->arena, text, strlen(text));
    if (!copy)
        t->no_memory = true;
    return copy ? copy : "";
}

static void put_row(struct trace *t, const struct entry *e, const struct reading *r,
                    struct explain_record *row)
{
    *row = (struct explain_record){ .offset = e->offset,
                                    .len = e->len,
                                    .where = e->where,
                                    .dif = e->dif,
                                    .vif = e->vif,
                                    .text = text_of(t, e, r),
                                    .reading = r };
}

static bool put_rows(struct trace *t, const struct decode_result *out, struct explanation *ex)
{
    struct explain_record *rows;
    size_t want = 0;
    unsigned n = 0;

    for (unsigned i = 0; i < t->nrecords; i++)
        want += t->records[i].count ? t->records[i].count : 1;
    if (want > EXPLAIN_RECORDS_MAX) {
        want = EXPLAIN_RECORDS_MAX;
        t->cut = true;
    }
    rows = (struct explain_record *)arena_alloc(t->arena, want * sizeof *rows);
    if (!rows)
        return false;
    for (unsigned i = 0; i < t->nrecords; i++) {
        const struct entry *e = &t->records[i];
        bool kept = e->count > 0 && e->first + e->count <= out->nreadings;

        for (unsigned k = 0; k < (kept ? e->count : 1) && n < want; k++)
            put_row(t, e, kept ? &out->readings[e->first + k] : NULL, &rows[n++]);
    }
    ex->records = rows;
    ex->nrecords = n;
    return true;
}

static bool put_plain(struct trace *t, struct explanation *ex)
{
    size_t n = 0;
    uint8_t *all;

    for (unsigned i = 0; i < t->nparts; i++)
        n += t->parts[i].n;
    if (n == 0)
        return true;
    all = (uint8_t *)arena_alloc(t->arena, n);
    if (!all)
        return false;
    ex->plain = all;
    ex->plain_len = n;
    for (unsigned i = 0; i < t->nparts; i++) {
        memcpy(all, t->parts[i].p, t->parts[i].n);
        all += t->parts[i].n;
    }
    return true;
}

static bool put_note(struct trace *t, const struct decode_result *out, struct explanation *ex)
{
    char text[TEXT_MAX];

    if (!out->reason[0] && !t->cut)
        return true;
    (void)snprintf(text, sizeof text, "%s%s%s", out->reason, out->reason[0] && t->cut ? "; " : "",
                   t->cut ? "more than can be shown is left out" : "");
    ex->note = arena_text(t->arena, text, strlen(text));
    return ex->note != NULL;
}

bool trace_finish(struct trace *t, const struct decode_result *out, struct explanation *ex)
{
    unsigned field = 0;

    for (unsigned i = 0; i < t->nlayers; i++) {
        t->layers[i].fields = t->fields ? t->fields + field : NULL;
        field += t->layers[i].nfields;
    }
    ex->layers = t->layers;
    ex->nlayers = t->nlayers;
    return put_rows(t, out, ex) && put_plain(t, ex) && put_note(t, out, ex) && !t->no_memory;
}
