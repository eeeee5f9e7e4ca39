#include "mbus_readings.h"

#include "base/arena.h"
#include "mbus_date.h"
#include "mbus_meaning.h"
#include "mbus_obis.h"
#include "mbus_profile.h"
#include "mbus_record.h"
#include "mbus_trace.h"
#include "mbus_value.h"
#include "mbus_vendor.h"
#include "model/quality.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define LIST_FIRST 16
#define ENTRIES_FIRST 16
#define BUCKETS 64
#define VIF_DATE_TIME 0x6d
#define FILLER 0x2f
#define LEFT_OVER_MAX 2

struct entry {
    struct mbus_record rec;
    struct mbus_meaning meaning;
    bool has_date;
    struct mbus_date date;
    char date_text[MBUS_DATE_TEXT_MAX];
    emt_time instant;    /* of date; timestamps only */
    unsigned next_stamp; /* index + 1 of the next entry that is the time of others; 0: none */
    unsigned traced;     /* its number in the trace; 0: none */
};

struct build {
    struct mbus_context *ctx;
    struct mbus_reading_list list;
    struct entry *entries;
    unsigned n, cap;
    unsigned first_stamp,
        last_stamp; /* index + 1 of entries that are the time of others; 0: none */
    const struct vendor_profile *vendor; /* of the meter; NULL none */
    const struct entry *profile;         /* whose elements are being put */
};

/* Room for `cap` readings. */
static bool reserve(struct mbus_reading_list *list, unsigned cap)
{
    struct reading *items;

    if (cap <= list->cap)
        return true;
    items = (struct reading *)arena_alloc(list->arena, cap * sizeof *items);
    if (!items)
        return false;
    if (list->n)
        memcpy(items, list->items, list->n * sizeof *items);
    list->items = items;
    list->cap = cap;
    return true;
}

struct reading *mbus_reading_add(struct mbus_reading_list *list)
{
    struct reading *r;

    if (list->n == list->cap && !reserve(list, list->cap ? 2 * list->cap : LIST_FIRST))
        return NULL;
    r = &list->items[list->n++]; /* zeroed by the arena */
    r->time = EMT_TIME_NONE;
    return r;
}

/* Only the last ones can be taken back. */
static void take_back(struct mbus_reading_list *list, unsigned n)
{
    memset(&list->items[n], 0, (list->n - n) * sizeof *list->items);
    list->n = n;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_channel(const struct reading *a, const struct reading *b)
{
    return a->kind == b->kind && a->quantity == b->quantity && a->function == b->function &&
           a->storage == b->storage && a->tariff == b->tariff && a->subunit == b->subunit &&
           obis_equal(a->obis, b->obis) && same_text(a->unit, b->unit) &&
           strcmp(a->qualifier, b->qualifier) == 0;
}

static unsigned bucket_of(const struct reading *r)
{
    unsigned h = (unsigned)r->quantity * 31u + (unsigned)r->storage * 7u + r->tariff * 5u +
                 (unsigned)r->function + r->subunit;

    return (h ^ h >> 6) % BUCKETS;
}

/* Readings of a bucket form a list, newest first, so that hundreds of records do not take their
 * square. */
static bool number_repeats(struct mbus_reading_list *list)
{
    unsigned heads[BUCKETS] = { 0 }; /* index + 1 */
    unsigned *next = (unsigned *)arena_alloc(list->arena, list->n * sizeof *next);

    if (!next)
        return false;
    for (unsigned i = 0; i < list->n; i++) {
        struct reading *r = &list->items[i];
        unsigned *head = &heads[bucket_of(r)];
        unsigned at = *head;

        if (r->time_source == TIME_SOURCE_PROFILE)
            continue; /* one channel at many times */
        while (at && !same_channel(&list->items[at - 1], r))
            at = next[at - 1];
        if (at)
            r->nth = list->items[at - 1].nth + 1;
        next[i] = *head;
        *head = i + 1;
    }
    return true;
}

void mbus_readings_finish(struct mbus_context *ctx, struct mbus_reading_list *list)
{
    if (list->n > 1 && !number_repeats(list))
        ctx->no_memory = true;
    ctx->out->readings = list->items;
    ctx->out->nreadings = list->n;
}

/* How well a date record fits a value of the same storage number; 0: not at all. */
static unsigned date_fit(const struct entry *date, const struct entry *of)
{
    const struct mbus_record *d = &date->rec, *r = &of->rec;
    bool same_place = d->tariff == r->tariff && d->subunit == r->subunit;

    if (d->storage != r->storage)
        return 0;
    /* A current value has the telegram's clock, not some date (due date, error date) that stands
     * beside it. */
    if (r->storage == 0 && (d->vif[0] != VIF_DATE_TIME || !date->date.has_time))
        return 0;
    if (!same_place && (d->tariff != 0 || d->subunit != 0))
        return 0;
    if (d->function != r->function && d->function != READING_INSTANT)
        return 0;
    return 1 + (same_place ? 1u : 0u) + (d->function == r->function ? 2u : 0u);
}

static const struct entry *date_of(const struct build *b, const struct entry *of)
{
    const struct entry *best = NULL;
    unsigned fit = 0;

    for (unsigned at = b->first_stamp; at; at = b->entries[at - 1].next_stamp) {
        unsigned f = date_fit(&b->entries[at - 1], of);

        if (f > fit) {
            fit = f;
            best = &b->entries[at - 1];
        }
    }
    return best;
}

static void set_time(struct reading *r, const char *text, emt_time instant, enum time_source source)
{
    static_assert(sizeof r->time_text >= MBUS_DATE_TEXT_MAX, "every date has room");
    memcpy(r->time_text, text, MBUS_DATE_TEXT_MAX);
    r->time = instant;
    r->time_source = source;
}

static void set_identity(struct reading *r, const struct entry *e)
{
    r->quantity = e->meaning.quantity;
    r->unit = e->meaning.unit;
    r->function = e->rec.function;
    r->storage = e->rec.storage;
    r->tariff = e->rec.tariff;
    r->subunit = e->rec.subunit;
    memcpy(r->qualifier, e->meaning.qualifier, sizeof r->qualifier);
    if (e->meaning.record_error)
        r->quality = QUALITY_INVALID;
}

/* number * factor * 10^exponent, exactly; what does not fit in a decimal is kept as text. */
static enum emt_err set_number(struct build *b, struct reading *r, const struct entry *e,
                               struct decimal number)
{
    struct decimal factor = decimal_of(e->meaning.factor, e->meaning.exponent);
    char text[DECIMAL_TEXT_MAX];

    r->kind = e->meaning.data == MBUS_DATA_FLAGS ? READING_STATE : READING_NUMBER;
    if (e->meaning.factor == 1) {
        int exponent = number.exponent + e->meaning.exponent;

        if (exponent >= -64 && exponent <= 64) {
            r->value = decimal_of(number.mantissa, exponent);
            return EMT_OK;
        }
    } else if (decimal_mul(number, factor, &r->value) == EMT_OK) {
        return EMT_OK;
    }
    decimal_format(number, text);
    r->kind = READING_TEXT;
    r->unit = NULL;
    r->quality = QUALITY_INVALID;
    r->text = arena_text(b->ctx->req->arena, text, strlen(text));
    return r->text ? EMT_OK : EMT_ENOMEM;
}

static enum emt_err set_date_value(struct build *b, struct reading *r, const struct entry *e)
{
    (void)b;
    r->kind = READING_TEXT;
    r->text = e->date_text; /* lives in the arena, as the reading does */
    if (!e->has_date)
        r->quality = QUALITY_INVALID;
    return EMT_OK;
}

static enum emt_err set_value(struct build *b, struct reading *r, const struct entry *e)
{
    struct arena *arena = b->ctx->req->arena;
    struct mbus_value v;
    enum emt_err err;

    if (e->meaning.data == MBUS_DATA_IDENTIFIER && e->rec.value_len > 0) {
        r->kind = READING_TEXT;
        return mbus_value_identifier(arena, &e->rec, &r->text);
    }
    err = mbus_value_of(arena, &e->rec, e->meaning.data != MBUS_DATA_FLAGS, &v);
    if (err != EMT_OK)
        return err;
    if (v.kind == MBUS_VALUE_NUMBER) {
        if (v.not_available)
            r->quality = QUALITY_INVALID;
        return set_number(b, r, e, v.number);
    }
    r->kind = v.kind == MBUS_VALUE_TEXT ? READING_TEXT : READING_RAW;
    r->text = v.text ? v.text : "";
    r->unit = NULL;
    if (v.kind == MBUS_VALUE_INVALID || v.kind == MBUS_VALUE_NONE)
        r->quality = QUALITY_INVALID;
    return EMT_OK;
}

/* What a manufacturer's profile says about the block. *layout: the one that was used, or NULL. */
static enum emt_err put_vendor(struct build *b, const struct entry *e,
                               const struct vendor_layout **layout)
{
    const struct vendor_block block = { .place = e->rec.tail ? VENDOR_TAIL : VENDOR_RECORD,
                                        .header = e->rec.header,
                                        .header_len = e->rec.tail ? 0 : e->rec.header_len,
                                        .p = e->rec.value,
                                        .n = e->rec.value_len };
    bool opened;

    *layout = vendor_find(b->ctx, b->vendor, &block);
    return *layout ? vendor_put(b->ctx, *layout, &block, &b->list, &opened) : EMT_OK;
}

static enum emt_err put_tail(struct build *b, const struct entry *e)
{
    const struct vendor_layout *layout;
    struct reading *r;
    struct mbus_value v;
    enum emt_err err;

    if (e->rec.value_len == 0)
        return EMT_OK;
    err = mbus_value_of(b->ctx->req->arena, &e->rec, false, &v);
    if (err != EMT_OK)
        return err;
    r = mbus_reading_add(&b->list);
    if (!r)
        return EMT_ENOMEM;
    r->kind = READING_RAW;
    r->quantity = QUANTITY_RAW;
    r->text = v.text;
    return b->vendor ? put_vendor(b, e, &layout) : EMT_OK;
}

static enum emt_err put_record(struct build *b, const struct entry *e)
{
    struct reading *r = mbus_reading_add(&b->list);
    const struct entry *date;
    enum emt_err err;

    if (!r)
        return EMT_ENOMEM;
    set_identity(r, e);
    err = e->meaning.data == MBUS_DATA_DATE ? set_date_value(b, r, e) : set_value(b, r, e);
    if (err != EMT_OK)
        return err;
    r->obis = mbus_obis_of(b->ctx->out->device.type, r);
    if (r->kind != READING_NUMBER && r->kind != READING_STATE)
        return EMT_OK;
    date = date_of(b, e);
    if (date)
        set_time(r, date->date_text, date->instant, TIME_SOURCE_METER);
    return EMT_OK;
}

static enum emt_err put_element(void *ctx, const struct mbus_profile_element *el)
{
    struct build *b = (struct build *)ctx;
    const struct entry *e = b->profile;
    struct reading *r = mbus_reading_add(&b->list);
    enum emt_err err;

    if (!r)
        return EMT_ENOMEM;
    set_identity(r, e);
    r->storage = el->storage;
    r->subunit = (uint16_t)(r->subunit + el->column);
    err = set_number(b, r, e, decimal_of(el->number, 0));
    if (err != EMT_OK)
        return err;
    if (!el->is_sum)
        (void)snprintf(r->qualifier, sizeof r->qualifier, "%.36s%sstep", e->meaning.qualifier,
                       e->meaning.qualifier[0] ? "+" : "");
    r->obis = mbus_obis_of(b->ctx->out->device.type, r);
    if (el->has_date) {
        char text[MBUS_DATE_TEXT_MAX];

        mbus_date_text(&el->date, text);
        set_time(r, text, mbus_date_instant(&el->date), TIME_SOURCE_PROFILE);
    }
    return EMT_OK;
}

static bool is_base_of(const struct entry *base, const struct entry *profile)
{
    const struct mbus_record *a = &base->rec, *p = &profile->rec;

    return !base->meaning.profile && a->coding != MBUS_VARIABLE && a->coding != MBUS_FLOAT32 &&
           a->storage == p->storage && a->tariff == p->tariff && a->subunit == p->subunit &&
           a->function == p->function && base->meaning.quantity == profile->meaning.quantity &&
           same_text(base->meaning.unit, profile->meaning.unit) &&
           base->meaning.factor == profile->meaning.factor &&
           strcmp(base->meaning.qualifier, profile->meaning.qualifier) == 0;
}

/* The base value in the scale of the profile; false where it has digits that the profile's scale
 * has not. */
static bool base_value(struct build *b, const struct entry *base, const struct entry *profile,
                       int64_t *out)
{
    struct mbus_value v;
    struct decimal d;

    if (mbus_value_of(b->ctx->req->arena, &base->rec, true, &v) != EMT_OK ||
        v.kind != MBUS_VALUE_NUMBER || v.not_available)
        return false;
    d = decimal_of(v.number.mantissa, base->meaning.exponent - profile->meaning.exponent);
    if (decimal_rescale(d, 0, &d) != EMT_OK)
        return false;
    *out = d.mantissa;
    return true;
}

static enum emt_err put_profile(struct build *b, const struct entry *e)
{
    struct mbus_profile_base base = { 0 };
    const struct entry *date = date_of(b, e);
    unsigned before = b->list.n;
    enum emt_err err;

    for (unsigned i = 0; i < b->n && !base.has_value; i++)
        if (is_base_of(&b->entries[i], e))
            base.has_value = base_value(b, &b->entries[i], e, &base.value);
    if (date) {
        base.has_date = true;
        base.date = date->date;
    }
    b->profile = e;
    err = mbus_profile_walk(&e->rec, e->meaning.profile, &base, put_element, b);
    if (err != EMT_EMALFORMED)
        return err;
    take_back(&b->list, before); /* no profile after all: kept as sent */
    return put_record(b, e);
}

/* A record that a profile may describe stays in the list as sent, before what the profile says,
 * unless the profile says that the standard's reading of it is wrong. */
static enum emt_err put_with_vendor(struct build *b, const struct entry *e)
{
    const struct vendor_layout *layout;
    unsigned before = b->list.n;
    enum emt_err err = put_vendor(b, e, &layout);

    if (err != EMT_OK || (layout && layout->instead && b->list.n > before))
        return err;
    take_back(&b->list, before);
    err = put_record(b, e);
    return err == EMT_OK && layout ? put_vendor(b, e, &layout) : err;
}

static enum emt_err put_entry(struct build *b, const struct entry *e)
{
    if (e->rec.tail)
        return put_tail(b, e);
    /* Without data there is nothing measured, unless the record says why. */
    if ((e->rec.coding == MBUS_NO_DATA || e->rec.coding == MBUS_SELECTION) &&
        !e->meaning.record_error)
        return EMT_OK;
    if (e->meaning.profile && e->rec.coding == MBUS_VARIABLE)
        return put_profile(b, e);
    if (!b->vendor)
        return put_record(b, e);
    return put_with_vendor(b, e);
}

/* Room for one more entry. Entries are zeroed. */
static bool grow(struct build *b)
{
    unsigned cap = b->cap ? 2 * b->cap : ENTRIES_FIRST;
    struct entry *entries = (struct entry *)arena_alloc(b->ctx->req->arena, cap * sizeof *entries);

    if (!entries)
        return false;
    if (b->n)
        memcpy(entries, b->entries, b->n * sizeof *entries);
    b->entries = entries;
    b->cap = cap;
    return true;
}

static void read_date(struct build *b, struct entry *e)
{
    e->has_date = mbus_date_read(e->rec.value, e->rec.value_len, &e->date);
    if (!e->has_date)
        return;
    mbus_date_text(&e->date, e->date_text);
    if (!e->meaning.is_timestamp)
        return;
    e->instant = mbus_date_instant(&e->date);
    if (b->last_stamp)
        b->entries[b->last_stamp - 1].next_stamp = b->n + 1;
    else
        b->first_stamp = b->n + 1;
    b->last_stamp = b->n + 1;
}

/* The data of a record with the most significant byte first, turned round. Blocks of the
 * manufacturer stay as they are. */
static bool turn_round(struct build *b, struct mbus_record *rec)
{
    uint8_t *to;

    if (rec->tail || rec->value_len < 2)
        return true;
    to = (uint8_t *)arena_alloc(b->ctx->req->arena, rec->value_len);
    if (!to)
        return false;
    for (size_t i = 0; i < rec->value_len; i++)
        to[i] = rec->value[rec->value_len - 1 - i];
    rec->value = to;
    return true;
}

/* Reads records until the area ends or one is wrong: returns as mbus_record_decode() does. */
static enum emt_err read_entries(struct build *b, struct reader *in)
{
    struct trace *trace = b->ctx->trace;

    for (;;) {
        size_t from = in->pos;
        struct entry *e;
        enum emt_err err;

        if (b->n == b->cap && !grow(b))
            return EMT_ENOMEM;
        e = &b->entries[b->n];
        err = mbus_record_decode(in, &e->rec);
        if (trace && err != EMT_OK)
            mbus_trace_rest(b->ctx, in->data + from, in->len - from, "no complete record");
        if (err != EMT_OK)
            return err;
        if (trace)
            e->traced = mbus_trace_record(b->ctx, &e->rec, in->data + from);
        if (b->ctx->msb_first && !turn_round(b, &e->rec))
            return EMT_ENOMEM;
        b->ctx->out->more_follows = e->rec.more_follows;
        if (!e->rec.tail)
            mbus_meaning_of(&e->rec, &e->meaning);
        if (e->meaning.data == MBUS_DATA_DATE)
            read_date(b, e);
        b->n++;
    }
}

/* Radio receivers are known to leave the last link CRC behind the telegram and to count it in L:
 * what stands complete before is good. More than these two bytes is no record area, and a wired
 * frame has a length and a checksum that cannot lie. */
static bool is_left_over(const struct build *b, const uint8_t *p, size_t n)
{
    struct reader in = reader_of(p, n);
    struct mbus_record rec;

    if (b->ctx->wired || b->n == 0)
        return false;
    for (unsigned i = 0; i < b->n; i++)
        if (mbus_record_decode(&in, &rec) != EMT_OK)
            return false;
    while (reader_left(&in) > 0 && reader_peek(&in, 0) == FILLER)
        reader_skip(&in, 1);
    return reader_left(&in) <= LEFT_OVER_MAX;
}

/* A telegram that ends inside its last record: what stands complete before is kept, where nothing
 * but the bytes themselves had to tell that the key is right. A wired frame has a length and a
 * checksum that cannot lie. */
static bool may_be_cut(const struct build *b, enum emt_err err)
{
    const struct mbus_context *ctx = b->ctx;

    return err == EMT_ETRUNCATED && !ctx->wired && !ctx->guessed_len && b->n > 0 &&
           (!ctx->decrypted || ctx->authenticated || ctx->payload_checked);
}

/* The status byte is about the meter as it sends: about its present values, and not about those
 * that it put aside earlier. */
static void judge_by_status(const struct mbus_context *ctx, struct mbus_reading_list *list)
{
    enum quality q = quality_from_oms(ctx->out->status);

    if (!ctx->out->has_access_number || q == QUALITY_MEASURED)
        return;
    for (unsigned i = 0; i < list->n; i++) {
        struct reading *r = &list->items[i];

        if (r->kind == READING_NUMBER && r->storage == 0)
            r->quality = quality_worse(r->quality, q);
    }
}

enum frame_state mbus_readings_read(struct mbus_context *ctx, const uint8_t *p, size_t n)
{
    struct build b = { .ctx = ctx,
                       .list = { .arena = ctx->req->arena },
                       .vendor = vendor_first(ctx) };
    struct reader in = reader_of(p, n);
    enum emt_err err = read_entries(&b, &in);

    while (err == EMT_ENOTFOUND && ctx->out->more_follows && ctx->next_telegram &&
           ctx->next_telegram(ctx, &in))
        err = read_entries(&b, &in);
    if (err == EMT_ENOTFOUND && ctx->next_state != FRAME_OK)
        return ctx->next_state;
    if (err == EMT_ENOMEM || !reserve(&b.list, b.n))
        return mbus_no_memory(ctx);
    for (unsigned i = 0; i < b.n; i++) {
        unsigned before = b.list.n;

        if (put_entry(&b, &b.entries[i]) != EMT_OK)
            return mbus_no_memory(ctx);
        if (ctx->trace)
            trace_readings(ctx->trace, b.entries[i].traced, before, b.list.n - before);
    }
    if (b.vendor && vendor_calculate(ctx, b.vendor, &b.list) != EMT_OK)
        return mbus_no_memory(ctx);
    judge_by_status(ctx, &b.list);
    mbus_readings_finish(ctx, &b.list);
    if (err == EMT_ENOTFOUND)
        return FRAME_OK;
    if (may_be_cut(&b, err) || is_left_over(&b, p, n))
        return mbus_fail(ctx, FRAME_OK, "a cut record at the end is passed over");
    return mbus_fail(ctx, FRAME_MALFORMED, "record %u: %s", b.n + 1,
                     err == EMT_ETRUNCATED ? "the telegram ends inside it" : "breaks EN 13757-3");
}
