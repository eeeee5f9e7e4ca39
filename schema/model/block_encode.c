#include "block_group.h"
#include "model/block.h"

#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* What the values allow, found before the first byte is written. */
struct plan {
    const struct block_value *v;
    size_t n;
    unsigned flags;
    unsigned unit; /* index of block_units */
    int exponent;  /* lowest */
};

/* ---- times ---- */

static uint64_t delta_us(const struct block_value *v, size_t i)
{
    return (uint64_t)v[i].ts - (uint64_t)v[i - 1].ts;
}

static bool plan_times(struct plan *p)
{
    const struct block_value *v = p->v;
    uint64_t step = p->n > 1 ? delta_us(v, 1) : 0;
    bool regular = step <= INT64_MAX;

    while (v[0].ts % block_units[p->unit])
        p->unit++;
    for (size_t i = 1; i < p->n; i++) {
        uint64_t d = delta_us(v, i);

        if (v[i].ts <= v[i - 1].ts)
            return false;
        if (d == step && i > 1)
            continue;
        regular = regular && d == step;
        step = d; /* of the neighbour: a gap in a grid costs two looks */
        while (d % (uint64_t)block_units[p->unit])
            p->unit++;
    }
    if (regular)
        p->flags |= BLOCK_REGULAR;
    return true;
}

static bool put_times(const struct plan *p, struct writer *w)
{
    uint64_t unit = (uint64_t)block_units[p->unit];
    bool ok = true;

    for (size_t i = 0; ok && i < p->n; i += GROUP_MAX) {
        int64_t d[GROUP_MAX];
        unsigned k = p->n - i < GROUP_MAX ? (unsigned)(p->n - i) : GROUP_MAX;

        for (unsigned j = 0; j < k; j++)
            d[j] = (int64_t)(delta_us(p->v, i + j ? i + j : 1) / unit);
        ok = group_put(w, d, k);
    }
    return ok;
}

/* ---- numbers ---- */

static void plan_runs(struct plan *p)
{
    const struct block_value *v = p->v;
    unsigned quality = 0, exponent = 0;
    int lowest = v[0].exponent;

    for (size_t i = 1; i < p->n; i++) {
        quality |= v[i].quality != v[0].quality;
        exponent |= v[i].exponent != v[0].exponent;
        lowest = v[i].exponent < lowest ? v[i].exponent : lowest;
    }
    p->exponent = lowest;
    p->flags |= quality ? BLOCK_QUALITY_RUNS : 0;
    p->flags |= exponent ? BLOCK_EXPONENT_RUNS : 0;
}

/* Whether all numbers can be written at the lowest exponent. */
static bool scales(const struct plan *p)
{
    for (size_t i = 0; i < p->n; i++) {
        int up = p->v[i].exponent - p->exponent;
        int64_t x;

        if (up > 18 || __builtin_mul_overflow(p->v[i].mantissa, block_powers[up], &x))
            return false;
    }
    return true;
}

static unsigned load(const struct plan *p, size_t i, int64_t x[GROUP_MAX])
{
    unsigned k = p->n - i < GROUP_MAX ? (unsigned)(p->n - i) : GROUP_MAX;

    if (p->flags & BLOCK_SCALED) {
        for (unsigned j = 0; j < k; j++)
            x[j] = p->v[i + j].mantissa * block_powers[p->v[i + j].exponent - p->exponent];
    } else {
        for (unsigned j = 0; j < k; j++)
            x[j] = p->v[i + j].mantissa;
    }
    return k;
}

/* Numbers to differences, modulo 2^64; the first of the block is taken as large as the second. */
static void differ(int64_t x[GROUP_MAX], unsigned k, int64_t *before, bool first)
{
    int64_t last = x[k - 1];

    for (unsigned j = k - 1; j > 0; j--)
        x[j] = (int64_t)((uint64_t)x[j] - (uint64_t)x[j - 1]);
    if (first)
        x[0] = k > 1 ? x[1] : 0;
    else
        x[0] = (int64_t)((uint64_t)x[0] - (uint64_t)*before);
    *before = last;
}

/* Bits that the group takes. */
static unsigned cost(const int64_t x[GROUP_MAX], unsigned k)
{
    int64_t least = x[0], most = x[0];

    for (unsigned j = 1; j < k; j++) {
        least = x[j] < least ? x[j] : least;
        most = x[j] > most ? x[j] : most;
    }
    return k * bits_of((uint64_t)most - (uint64_t)least) + bits_of(zigzag(least));
}

/* A register grows: its differences are short. A power or a temperature wavers: itself is. */
static void plan_order(struct plan *p)
{
    uint64_t direct = 0, differences = 0;
    int64_t before = 0;

    for (size_t i = 0; i < p->n; i += GROUP_MAX) {
        int64_t x[GROUP_MAX];
        unsigned k = load(p, i, x);

        direct += cost(x, k);
        differ(x, k, &before, i == 0);
        differences += cost(x, k);
    }
    if (direct < differences)
        p->flags |= BLOCK_DIRECT;
}

static uint64_t origin_of(const struct plan *p)
{
    int64_t x[GROUP_MAX];
    unsigned k = load(p, 0, x);

    return k > 1 ? 2 * (uint64_t)x[0] - (uint64_t)x[1] : (uint64_t)x[0];
}

static bool put_values(const struct plan *p, struct writer *w)
{
    int64_t before = 0;
    bool ok = true;

    for (size_t i = 0; ok && i < p->n; i += GROUP_MAX) {
        int64_t x[GROUP_MAX];
        unsigned k = load(p, i, x);

        if (!(p->flags & BLOCK_DIRECT))
            differ(x, k, &before, i == 0);
        ok = group_put(w, x, k);
    }
    return ok;
}

/* ---- runs ---- */

static int16_t quality_at(const struct block_value *v)
{
    return v->quality;
}

static int16_t exponent_at(const struct block_value *v)
{
    return v->exponent;
}

static bool put_runs(const struct plan *p, struct writer *w,
                     int16_t (*at)(const struct block_value *v))
{
    size_t from = 0;
    bool ok = true;

    for (size_t i = 1; ok && i <= p->n; i++) {
        if (i < p->n && at(&p->v[i]) == at(&p->v[from]))
            continue;
        ok = put_varint(w, i - from) && put_varint(w, zigzag(at(&p->v[from])));
        from = i;
    }
    return ok;
}

/* A part with its length before it: written behind a guess of one byte, moved where that is short.
 */
static bool put_part(const struct plan *p, struct writer *w,
                     bool (*put)(const struct plan *p, struct writer *w))
{
    size_t at = w->len;
    uint8_t head[VARINT_MAX];
    struct writer h;
    size_t len;

    if (!writer_u8(w, 0) || !put(p, w))
        return false;
    len = w->len - at - 1;
    writer_init_fixed(&h, head, sizeof head);
    if (!put_varint(&h, len) || !writer_reserve(w, h.len - 1))
        return false;
    memmove(w->data + at + h.len, w->data + at + 1, len);
    memcpy(w->data + at, head, h.len);
    return true;
}

static bool put_quality_runs(const struct plan *p, struct writer *w)
{
    return put_runs(p, w, quality_at);
}

static bool put_exponent_runs(const struct plan *p, struct writer *w)
{
    return put_runs(p, w, exponent_at);
}

/* ---- all of it ---- */

static bool put_head(const struct plan *p, struct writer *w)
{
    uint64_t unit = (uint64_t)block_units[p->unit];
    int64_t start = p->v[0].ts / block_units[p->unit];

    if (!writer_u8(w, BLOCK_VERSION) || !writer_u8(w, (uint8_t)p->flags) || !put_varint(w, p->n) ||
        !writer_u8(w, (uint8_t)p->unit) || !put_varint(w, zigzag(start)))
        return false;
    if (p->flags & BLOCK_REGULAR)
        return put_varint(w, p->n > 1 ? delta_us(p->v, 1) / unit : 0);
    return true;
}

static bool put_all(const struct plan *p, struct writer *w)
{
    bool ok = put_head(p, w);

    if (ok && p->flags & BLOCK_QUALITY_RUNS)
        ok = put_part(p, w, put_quality_runs);
    else
        ok = ok && put_varint(w, zigzag(p->v[0].quality));
    if (p->flags & BLOCK_SCALED || !(p->flags & BLOCK_EXPONENT_RUNS))
        ok = ok && put_varint(w, zigzag(p->exponent));
    if (ok && p->flags & BLOCK_EXPONENT_RUNS)
        ok = put_part(p, w, put_exponent_runs);
    if (ok && !(p->flags & BLOCK_REGULAR))
        ok = put_part(p, w, put_times);
    if (ok && !(p->flags & BLOCK_DIRECT))
        ok = put_varint(w, zigzag((int64_t)origin_of(p)));
    return ok && put_values(p, w);
}

enum emt_err block_encode(const struct block_value *v, size_t n, struct writer *out)
{
    struct plan p = { .v = v, .n = n };

    if (n == 0 || n > BLOCK_VALUES_MAX)
        return EMT_ELIMIT;
    if (!plan_times(&p))
        return EMT_EMALFORMED;
    plan_runs(&p);
    if (p.flags & BLOCK_EXPONENT_RUNS && scales(&p))
        p.flags |= BLOCK_SCALED;
    plan_order(&p);
    return put_all(&p, out) ? EMT_OK : EMT_ENOMEM;
}
