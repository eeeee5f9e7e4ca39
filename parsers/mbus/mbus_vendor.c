#include "mbus_vendor.h"

#include "base/arena.h"
#include "mbus_date.h"
#include "mbus_obis.h"
#include "mbus_value.h"
#include "mbus_vif_table.h"

#include <string.h>

#define CODE 0x7fu

static bool has_bit(const uint8_t set[32], uint8_t n)
{
    return (unsigned)set[n / 8] >> n % 8 & 1u;
}

bool vendor_is_for(const struct vendor_profile *p, const struct device_id *device)
{
    bool made = false;

    for (unsigned i = 0; i < p->nmanufacturers && !made; i++)
        made = memcmp(p->manufacturers[i], device->manufacturer, sizeof p->manufacturers[i]) == 0;
    return made && (p->any_version || has_bit(p->versions, device->version)) &&
           (p->any_type || has_bit(p->types, device->type));
}

static bool holds(const struct vendor_condition *c, const uint8_t *p, size_t n)
{
    return c->at + (size_t)c->len <= n && memcmp(p + c->at, c->is, c->len) == 0;
}

static bool fits(const struct vendor_layout *l, const uint8_t *p, size_t n)
{
    if (n < l->least || n > l->most)
        return false;
    for (unsigned i = 0; i < l->nconditions; i++)
        if (!holds(&l->conditions[i], p, n))
            return false;
    return true;
}

static bool is_place(const struct vendor_layout *l, const struct vendor_block *block)
{
    if (l->place != block->place)
        return false;
    if (l->place == VENDOR_BODY)
        return memchr(l->cis, block->ci, l->ncis) != NULL;
    return l->header_len == block->header_len &&
           (l->header_len == 0 || memcmp(l->header, block->header, l->header_len) == 0);
}

const struct vendor_profile *vendor_first(const struct mbus_context *ctx)
{
    const struct vendor_profile *v =
        ctx->req->vendors ? vendor_profiles_first(ctx->req->vendors) : NULL;

    while (v && !vendor_is_for(v, &ctx->out->device))
        v = v->next;
    return v;
}

const struct vendor_layout *vendor_find(const struct mbus_context *ctx,
                                        const struct vendor_profile *first,
                                        const struct vendor_block *block)
{
    for (const struct vendor_profile *v = first; v; v = v->next) {
        if (v != first && !vendor_is_for(v, &ctx->out->device))
            continue;
        for (const struct vendor_layout *l = v->layouts; l; l = l->next)
            if (is_place(l, block) && fits(l, block->p, block->n))
                return l;
    }
    return NULL;
}

/* False: it does not lie in the block, or is no number. */
static bool read_term(const struct vendor_term *t, const uint8_t *p, size_t n, size_t offset,
                      int64_t *out)
{
    uint8_t bytes[8];
    size_t at = t->at + offset;
    int64_t v;

    if (at > n || t->len > n - at)
        return false;
    for (size_t i = 0; i < t->len; i++)
        bytes[i] = p[at + (t->big_endian ? t->len - 1 - i : i)];
    if (t->number == VENDOR_BCD) {
        if (!mbus_bcd(bytes, t->len, &v))
            return false;
    } else {
        v = mbus_binary(bytes, t->len, t->number == VENDOR_SIGNED);
        if (v < 0 && t->number == VENDOR_UNSIGNED)
            return false; /* eight bytes beyond what a value holds */
    }
    if (t->bits)
        v = (int64_t)((uint64_t)v >> t->bit & ((UINT64_C(1) << t->bits) - 1));
    return !__builtin_mul_overflow(v, t->times, out);
}

static bool read_sum(const struct vendor_field *f, const uint8_t *p, size_t n, size_t offset,
                     int64_t *sum)
{
    *sum = 0;
    for (unsigned i = 0; i < f->nterms; i++) {
        int64_t v;

        if (!read_term(&f->terms[i], p, n, offset, &v) || __builtin_add_overflow(*sum, v, sum))
            return false;
    }
    return true;
}

/* The number that the sum stands for. */
static bool number_of(const struct vendor_field *f, int64_t sum, struct decimal *out)
{
    if (f->lookup) {
        if (sum < 0 || (uint64_t)sum >= f->nlookup)
            return false;
        *out = f->lookup[sum];
    } else if (f->is_power) {
        if (sum < 0 || sum > 62 - (int64_t)f->power_plus)
            return false;
        *out = decimal_of((int64_t)1 << (sum + f->power_plus), 0);
    } else {
        *out = decimal_of(sum, 0);
    }
    return true;
}

/* Quantity, unit and value; false: it cannot be told. */
static bool set_value(const struct vendor_field *f, const uint8_t *p, size_t n, int64_t sum,
                      struct reading *r)
{
    const struct mbus_vif *v;
    uint8_t code;

    if (f->vif_at < 0) {
        struct decimal number;

        r->quantity = f->quantity;
        r->unit = f->unit;
        if (!number_of(f, sum, &number) || decimal_mul(number, f->scale, &r->value) != EMT_OK)
            return false;
        if (f->divide)
            return decimal_div(r->value, decimal_of(f->divide, 0), f->places, &r->value) == EMT_OK;
        if (f->scale.mantissa != 1)
            r->value = decimal_normal(r->value); /* 1/256 has eight places that say nothing */
        return true;
    }
    if ((size_t)f->vif_at >= n)
        return false;
    code = p[f->vif_at] & CODE;
    v = mbus_vif_primary(code);
    if (!v || v->data != MBUS_DATA_NUMBER || v->qualifier)
        return false;
    r->quantity = v->quantity;
    r->unit = v->unit;
    return decimal_mul(decimal_of(sum, v->exponent + (code & v->mask)),
                       decimal_of(v->factor ? v->factor : 1, 0), &r->value) == EMT_OK;
}

/* Bits 0-4 day, 5-8 month, 9-15 year of this century. */
static bool read_packed_date(const uint8_t *p, struct mbus_date *d)
{
    unsigned v = (unsigned)p[0] | (unsigned)p[1] << 8;
    uint8_t g[2] = { (uint8_t)((v & 0x1fu) | (v >> 9 & 7u) << 5),
                     (uint8_t)((v >> 5 & 0x0fu) | (v >> 12 & 0x0fu) << 4) };

    return mbus_date_read(g, sizeof g, d);
}

static void set_time(const struct vendor_field *f, const uint8_t *p, size_t n, struct reading *r)
{
    struct mbus_date d;
    bool known;

    if (f->date == VENDOR_DATE_NONE || f->date_at + (size_t)2 > n)
        return;
    known = f->date == VENDOR_DATE_G ? mbus_date_read(p + f->date_at, 2, &d)
                                     : read_packed_date(p + f->date_at, &d);
    if (!known)
        return;
    mbus_date_text(&d, r->time_text);
    r->time = mbus_date_instant(&d);
    r->time_source = TIME_SOURCE_METER;
}

/* The data behind the first such tag; false: there is none before the walk ends. */
static bool find_tag(const struct vendor_layout *l, uint8_t tag, const uint8_t **p, size_t *n)
{
    size_t at = l->tags_from;

    while (at < *n) {
        size_t len = l->tag_len[(*p)[at]];
        uint8_t here = (*p)[at++];

        if (len == VENDOR_NO_TAG || len > *n - at)
            return false;
        if (here == tag) {
            *p += at;
            *n = len;
            return true;
        }
        at += len;
    }
    return false;
}

/* The part that a bit announces; false: it is not there. */
static bool find_part(const struct vendor_layout *l, uint8_t bit, const uint8_t **p, size_t *n)
{
    size_t at = l->parts_from;
    unsigned flags = l->part_flags < *n ? (*p)[l->part_flags] : 0;

    for (unsigned i = 0; i < l->nparts; i++) {
        if (!(flags >> l->parts[i].bit & 1u))
            continue;
        if (at > *n || l->parts[i].len > *n - at)
            return false;
        if (l->parts[i].bit == bit) {
            *p += at;
            *n = l->parts[i].len;
            return true;
        }
        at += l->parts[i].len;
    }
    return false;
}

static enum emt_err put_field(const struct mbus_context *ctx, const struct vendor_layout *layout,
                              const struct vendor_field *f, const uint8_t *p, size_t n,
                              struct mbus_reading_list *list)
{
    if ((f->has_tag && !find_tag(layout, f->tag, &p, &n)) ||
        (f->has_part && !find_part(layout, f->part, &p, &n)))
        return EMT_OK;
    for (unsigned k = 0; k < f->count; k++) {
        struct reading r = f->shape, *to;
        int64_t sum;

        if (!read_sum(f, p, n, (size_t)k * f->step, &sum) || !set_value(f, p, n, sum, &r))
            continue;
        r.storage = (uint64_t)((int64_t)f->shape.storage + (int64_t)k * f->storage_step);
        if (f->has_none && sum == f->none)
            r.quality = QUALITY_INVALID; /* as a standard record that holds no value */
        r.time = EMT_TIME_NONE;
        set_time(f, p, n, &r);
        r.obis = mbus_obis_of(ctx->out->device.type, &r);
        to = mbus_reading_add(list);
        if (!to)
            return EMT_ENOMEM;
        *to = r;
    }
    return EMT_OK;
}

/* The block with its scrambling taken off, in the arena; NULL: no key of the profile fits. */
static enum emt_err unscramble(const struct mbus_context *ctx, const struct vendor_layout *layout,
                               const struct vendor_block *block, const uint8_t **out)
{
    uint8_t *plain = (uint8_t *)arena_alloc(ctx->req->arena, block->n);

    if (!plain)
        return EMT_ENOMEM;
    *out = NULL;
    for (unsigned i = 0; i < layout->nprios_keys && !*out; i++)
        if (mbus_prios_open(ctx->link_raw, block->ci, layout->prios_keys[i], block->p, block->n,
                            plain))
            *out = plain;
    return EMT_OK;
}

enum emt_err vendor_put(const struct mbus_context *ctx, const struct vendor_layout *layout,
                        const struct vendor_block *block, struct mbus_reading_list *list,
                        bool *opened)
{
    const uint8_t *p = block->p;
    size_t n = block->n, from = 0;
    enum emt_err err = EMT_OK;

    if (layout->nprios_keys)
        err = unscramble(ctx, layout, block, &p);
    *opened = p != NULL;
    if (err != EMT_OK || !p)
        return err;
    if (layout->has_skip)
        from = layout->skip_at < n ? (size_t)p[layout->skip_at] + layout->skip_plus : n;
    if (from > n)
        from = n;
    for (unsigned i = 0; i < layout->nfields && err == EMT_OK; i++)
        err = put_field(ctx, layout, &layout->fields[i], p + from, n - from, list);
    return err;
}
