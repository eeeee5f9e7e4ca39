#include "block_group.h"
#include "model/block.h"

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* ---- the header ---- */

static int16_t get_int16(struct reader *in)
{
    int64_t v = unzigzag(get_varint(in));

    if (v < INT16_MIN || v > INT16_MAX)
        reader_fail(in);
    return (int16_t)v;
}

/* One value for the whole block, or a part with runs. */
static void open_runs(struct reader *in, bool many, uint32_t count, struct block_runs *out)
{
    *out = (struct block_runs){ .left = count };
    if (!many) {
        out->value = get_int16(in);
        return;
    }
    out->left = 0;
    out->in = reader_sub(in, get_varint(in));
}

static bool regular_fits(const struct block_cursor *c)
{
    uint64_t room = (uint64_t)(INT64_MAX / c->unit) - c->time;

    return c->count < 2 || (c->step > 0 && room / c->step >= c->count - 1);
}

static void open_times(struct block_cursor *c, struct reader *in)
{
    unsigned unit = reader_u8(in);
    int64_t start = unzigzag(get_varint(in));

    if (unit >= BLOCK_UNITS) {
        reader_fail(in);
        return;
    }
    c->unit = block_units[unit];
    c->time = (uint64_t)start;
    if (start < INT64_MIN / c->unit || start > INT64_MAX / c->unit)
        reader_fail(in);
    if (c->flags & BLOCK_REGULAR) {
        c->step = get_varint(in);
        if (!regular_fits(c))
            reader_fail(in);
    }
}

/* Each group is two bytes at least: a short block cannot promise a lot of values. */
static bool holds(size_t len, uint32_t count)
{
    return len / 2 >= (count + GROUP_MAX - 1) / GROUP_MAX;
}

enum emt_err block_open(struct block_cursor *c, const void *data, size_t len)
{
    struct reader in = reader_of(data, len);
    unsigned version = reader_u8(&in);
    uint64_t count;

    *c = (struct block_cursor){ .flags = reader_u8(&in) };
    count = get_varint(&in);
    if (in.failed)
        return EMT_ETRUNCATED;
    if (version != BLOCK_VERSION || c->flags & ~BLOCK_FLAGS)
        return EMT_EUNSUPPORTED;
    if (count == 0 || count > BLOCK_VALUES_MAX)
        return EMT_EMALFORMED;
    c->count = c->left = (uint32_t)count;
    open_times(c, &in);
    open_runs(&in, c->flags & BLOCK_QUALITY_RUNS, c->count, &c->quality);
    if (c->flags & BLOCK_SCALED || !(c->flags & BLOCK_EXPONENT_RUNS))
        c->exponent = get_int16(&in);
    c->exponents = (struct block_runs){ .left = c->count, .value = c->exponent };
    if (c->flags & BLOCK_EXPONENT_RUNS)
        open_runs(&in, true, c->count, &c->exponents);
    if (!(c->flags & BLOCK_REGULAR)) {
        c->times = reader_sub(&in, get_varint(&in));
        if (!in.failed && !holds(reader_left(&c->times), c->count))
            return EMT_EMALFORMED;
    }
    if (!(c->flags & BLOCK_DIRECT))
        c->value = (uint64_t)unzigzag(get_varint(&in));
    if (in.failed || !holds(reader_left(&in), c->count))
        return EMT_EMALFORMED;
    c->values = reader_sub(&in, reader_left(&in));
    return EMT_OK;
}

/* ---- a lot ---- */

static bool next_regular(struct block_cursor *c, struct block_value *out, unsigned n)
{
    uint64_t us = c->time * (uint64_t)c->unit, step = c->step * (uint64_t)c->unit;

    for (unsigned i = 0; i < n; i++)
        out[i].ts = (emt_time)(us + i * step);
    c->time += n * c->step;
    return true;
}

static bool next_times(struct block_cursor *c, struct block_value *out, unsigned n)
{
    uint64_t d[GROUP_MAX];
    int64_t at[GROUP_MAX];
    int64_t last = c->last;
    bool ascends = true;

    if (c->flags & BLOCK_REGULAR)
        return next_regular(c, out, n);
    if (!group_get(&c->times, d, n))
        return false;
    if (!c->started) /* the header has the first time itself */
        d[0] = 0;
    for (unsigned i = 0; i < n; i++) {
        c->time += d[i];
        at[i] = (int64_t)c->time;
        ascends &= at[i] > last || (i == 0 && !c->started);
        last = at[i];
    }
    if (!ascends || last > INT64_MAX / c->unit)
        return false;
    for (unsigned i = 0; i < n; i++)
        out[i].ts = at[i] * c->unit;
    c->started = true;
    c->last = last;
    return true;
}

static bool next_values(struct block_cursor *c, struct block_value *out, unsigned n)
{
    uint64_t x[GROUP_MAX];

    if (!group_get(&c->values, x, n))
        return false;
    if (c->flags & BLOCK_DIRECT) {
        for (unsigned i = 0; i < n; i++)
            out[i].mantissa = (int64_t)x[i];
        return true;
    }
    for (unsigned i = 0; i < n; i++) {
        c->value += x[i];
        out[i].mantissa = (int64_t)c->value;
    }
    return true;
}

/* How many values from here on have the run's value; 0: the runs are broken. */
static unsigned run_next(struct block_runs *r, unsigned n)
{
    if (r->left == 0) {
        uint64_t len = get_varint(&r->in);

        r->value = get_int16(&r->in);
        if (r->in.failed || len == 0 || len > BLOCK_VALUES_MAX)
            return 0;
        r->left = (uint32_t)len;
    }
    n = r->left < n ? r->left : n;
    r->left -= n;
    return n;
}

static bool next_quality(struct block_cursor *c, struct block_value *out, unsigned n)
{
    for (unsigned i = 0; i < n;) {
        unsigned k = run_next(&c->quality, n - i);

        if (k == 0)
            return false;
        for (unsigned end = i + k; i < end; i++)
            out[i].quality = c->quality.value;
    }
    return true;
}

/* Back from the common exponent to the one that was sent: without remainder, or it is no block. */
static bool unscale(const struct block_cursor *c, struct block_value *v)
{
    int up = v->exponent - c->exponent;

    if (!(c->flags & BLOCK_SCALED))
        return true;
    if (up < 0 || up > 18 || v->mantissa % block_powers[up])
        return false;
    v->mantissa /= block_powers[up];
    return true;
}

static bool next_exponents(struct block_cursor *c, struct block_value *out, unsigned n)
{
    if (!(c->flags & BLOCK_EXPONENT_RUNS)) {
        for (unsigned i = 0; i < n; i++)
            out[i].exponent = c->exponent;
        return true;
    }
    for (unsigned i = 0; i < n;) {
        unsigned k = run_next(&c->exponents, n - i);

        if (k == 0)
            return false;
        for (unsigned end = i + k; i < end; i++) {
            out[i].exponent = c->exponents.value;
            if (!unscale(c, &out[i]))
                return false;
        }
    }
    return true;
}

/* Nothing stands behind the last value, and no run goes on. */
static bool ends_well(const struct block_cursor *c)
{
    return reader_at_end(&c->values) && reader_at_end(&c->times) && reader_at_end(&c->quality.in) &&
           reader_at_end(&c->exponents.in) &&
           (c->quality.left == 0 || !(c->flags & BLOCK_QUALITY_RUNS)) &&
           (c->exponents.left == 0 || !(c->flags & BLOCK_EXPONENT_RUNS));
}

enum emt_err block_next(struct block_cursor *c, struct block_value out[BLOCK_GROUP], size_t *n)
{
    unsigned k = c->left < GROUP_MAX ? c->left : GROUP_MAX;

    *n = 0;
    if (k == 0)
        return EMT_OK;
    if (!next_times(c, out, k) || !next_values(c, out, k) || !next_quality(c, out, k) ||
        !next_exponents(c, out, k))
        return EMT_EMALFORMED;
    c->left -= k;
    if (c->left == 0 && !ends_well(c))
        return EMT_EMALFORMED;
    *n = k;
    return EMT_OK;
}

enum emt_err block_decode(const void *data, size_t len, struct block_value *out, size_t cap,
                          size_t *n)
{
    struct block_cursor c;
    enum emt_err err = block_open(&c, data, len);
    size_t at = 0, k = 1;

    *n = 0;
    if (err == EMT_OK && c.count > cap)
        err = EMT_ELIMIT;
    while (err == EMT_OK && k > 0 && at < c.count) {
        err = cap - at >= BLOCK_GROUP || c.left <= cap - at ? block_next(&c, out + at, &k)
                                                            : EMT_ELIMIT;
        at += k;
    }
    if (err == EMT_OK)
        *n = at;
    return err;
}
