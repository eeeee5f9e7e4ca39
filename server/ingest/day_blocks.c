#include "day_blocks.h"

#include "batch_run.h"
#include "model/block.h"
#include "model/quality.h"

#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* Blocks have partitions for ten years back (partitions_ensure()): older days go as rows. */
#define BLOCK_PAST (9 * 365 * EMT_DAY)

struct day_known {
    int32_t tenant;
    int64_t channel;
    emt_time day;
    bool whole; /* one frame brings it */
    bool has_rows, has_block;
    struct block_value *values; /* of the block */
    size_t n;
};

bool day_blocks_init(struct day_blocks *d)
{
    memset(d, 0, sizeof *d);
    writer_init_heap(&d->packed, BLOCK_BYTES_MAX);
    d->channels = store_array_new(STORE_INT8);
    bool ok = block_ask_rows_init(&d->asks);
    ok = block_day_rows_init(&d->blocks) && ok;
    ok = block_loser_rows_init(&d->losers) && ok;
    return ok && d->channels;
}

void day_blocks_clear(struct day_blocks *d, emt_time now)
{
    for (size_t i = 0; i < d->n; i++)
        free(d->days[i].values);
    d->n = d->written = 0;
    d->sorted = true;
    d->now = now;
}

void day_blocks_release(struct day_blocks *d)
{
    day_blocks_clear(d, 0);
    free(d->days);
    free(d->values);
    writer_release(&d->packed);
    store_rows_release(&d->asks);
    store_rows_release(&d->blocks);
    store_rows_release(&d->losers);
    store_array_free(d->channels);
}

/* ---- asking ---- */

static bool room(void **list, size_t *cap, size_t want, size_t size)
{
    size_t more = *cap ? *cap : 64;
    void *grown;

    if (want <= *cap)
        return true;
    while (more < want)
        more *= 2;
    grown = reallocarray(*list, more, size);
    if (!grown)
        return false;
    *list = grown;
    *cap = more;
    return true;
}

static bool add_day(struct day_blocks *d, const struct day_known *day)
{
    void *list = d->days;

    /* Values of a frame are mostly of one day. */
    if (d->n && d->days[d->n - 1].channel == day->channel && d->days[d->n - 1].day == day->day &&
        d->days[d->n - 1].tenant == day->tenant && d->days[d->n - 1].whole == day->whole)
        return true;
    if (!room(&list, &d->cap, d->n + 1, sizeof *d->days))
        return false;
    d->days = list;
    d->days[d->n++] = *day;
    return true;
}

bool day_blocks_ask(struct day_blocks *d, const struct value_rows *r, const struct batch_frame *f)
{
    emt_time today = block_day_of(d->now);
    bool whole = f->nvalues >= BLOCK_DAY_VALUES;
    bool ok = true;

    for (unsigned i = 0; ok && i < f->nvalues; i++) {
        const struct batch_value *v = &f->values[i];
        const struct registry_channel *c = &v->device->channels[v->channel];
        struct day_known day = { .tenant = v->device->tenant->id,
                                 .channel = c->id,
                                 .day = block_day_of(v->ts),
                                 .whole = whole };

        if (v->ts >= today || v->is_text ||
            (!whole && (c->open_day == day.day || !value_rows_is_news(r, v))))
            continue;
        ok = add_day(d, &day);
    }
    return ok;
}

static int compare_days(const void *a, const void *b)
{
    const struct day_known *x = a, *y = b;

    if (x->tenant != y->tenant)
        return x->tenant < y->tenant ? -1 : 1;
    if (x->channel != y->channel)
        return x->channel < y->channel ? -1 : 1;
    return (x->day > y->day) - (x->day < y->day);
}

/* Tenants come in ascending order, so that the whole list is sorted when each one's end is. */
bool day_blocks_fill_asks(struct day_blocks *d, int32_t tenant, size_t from)
{
    size_t n = from;
    bool ok = true;

    store_rows_clear(&d->asks);
    if (d->n > from)
        qsort(&d->days[from], d->n - from, sizeof *d->days, compare_days);
    for (size_t i = from; i < d->n; i++) {
        if (n > from && compare_days(&d->days[n - 1], &d->days[i]) == 0)
            d->days[n - 1].whole = d->days[n - 1].whole || d->days[i].whole;
        else
            d->days[n++] = d->days[i];
    }
    d->n = n;
    for (size_t i = from; ok && i < n; i++) {
        const struct day_known *k = &d->days[i];
        struct block_ask ask = { k->channel, k->day, k->whole };

        ok = k->tenant == tenant && block_ask_rows_add(&d->asks, &ask);
    }
    return ok;
}

static struct day_known *find_day(const struct day_blocks *d, int32_t tenant, int64_t channel,
                                  emt_time day)
{
    struct day_known key = { .tenant = tenant, .channel = channel, .day = day };

    if (d->n == 0)
        return NULL;
    return bsearch(&key, d->days, d->n, sizeof key, compare_days);
}

/* The values of the day, which is all of a block of a day, and a piece of a month's. */
static enum emt_err take_block(struct day_known *k, const void *data, size_t len)
{
    struct block_value lot[BLOCK_GROUP];
    struct block_cursor c;
    size_t n = 1, cap = 0;
    enum emt_err err = block_open(&c, data, len);

    while (err == EMT_OK && n > 0) {
        err = block_next(&c, lot, &n);
        for (size_t i = 0; err == EMT_OK && i < n; i++) {
            void *list = k->values;

            if (lot[i].ts < k->day || lot[i].ts >= k->day + EMT_DAY)
                continue;
            if (!room(&list, &cap, k->n + 1, sizeof *k->values))
                return EMT_ENOMEM;
            k->values = list;
            k->values[k->n++] = lot[i];
        }
    }
    if (err != EMT_OK)
        k->n = 0;
    return err;
}

bool day_blocks_take(struct day_blocks *d, int32_t tenant, const struct store_result *r, int row)
{
    struct day_known *k = find_day(d, tenant, c_int(r, row, 0), c_time(r, row, 1));
    const uint8_t *data;
    size_t len;

    if (!k)
        return true;
    k->has_rows = c_bool(r, row, 3);
    k->has_block = !c_null(r, row, 2);
    if (!k->has_block)
        return true;
    data = c_bytes(r, row, 2, &len);
    return take_block(k, data, len) != EMT_ENOMEM;
}

/* ---- settling ---- */

static struct block_value value_of(const struct value_row *row)
{
    return (struct block_value){ row->v->ts, row->v->value.mantissa,
                                 (int16_t)row->v->value.exponent, row->v->quality };
}

static int compare_times(const void *key, const void *element)
{
    const emt_time *ts = key;
    const struct block_value *v = element;

    return (*ts > v->ts) - (*ts < v->ts);
}

/* Decision 6, with the block as what stands. */
static bool judge(struct day_blocks *d, const struct day_known *k, struct value_row *row,
                  struct run_stats *stats)
{
    struct block_value v = value_of(row);
    const struct block_value *kept =
        k->n ? bsearch(&v.ts, k->values, k->n, sizeof *k->values, compare_times) : NULL;
    int rank;

    if (!kept)
        return true;
    rank = quality_stored_rank(kept->quality);
    if (row->rank > rank)
        return true;
    row->place = VALUE_SETTLED;
    if (row->rank < rank || decimal_compare(decimal_of(v.mantissa, v.exponent),
                                            decimal_of(kept->mantissa, kept->exponent)) == 0) {
        stats->repeated++;
        return true;
    }
    return block_loser_rows_add(&d->losers, &(struct block_loser){ row->channel, v, *kept });
}

static bool may_become_block(const struct day_blocks *d, const struct day_known *k,
                             const struct value_row *rows, size_t n)
{
    if (!k->whole || k->has_rows || k->has_block || n < BLOCK_DAY_VALUES || n > BLOCK_VALUES_MAX ||
        k->day < d->now - BLOCK_PAST || k->day + EMT_DAY > block_day_of(d->now))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (rows[i].outranked) /* to be told from what stands: that is found among rows */
            return false;
    }
    return true;
}

static bool become_block(struct day_blocks *d, const struct day_known *k, struct value_row *rows,
                         size_t n)
{
    void *list = d->values;

    if (!room(&list, &d->values_cap, n, sizeof *d->values))
        return false;
    d->values = list;
    for (size_t i = 0; i < n; i++)
        d->values[i] = value_of(&rows[i]);
    writer_clear(&d->packed);
    if (block_encode(d->values, n, &d->packed) != EMT_OK)
        return true; /* as rows, then */
    for (size_t i = 0; i < n; i++)
        rows[i].place = VALUE_SETTLED;
    d->written++;
    return store_array_int(d->channels, k->channel) &&
           block_day_rows_add(&d->blocks, k->channel, k->day, n, d->packed.data, d->packed.len);
}

/* One channel's day, in order of time. */
static bool settle_day(struct day_blocks *d, const struct day_known *k, struct value_row *rows,
                       size_t n, struct run_stats *stats)
{
    struct registry_channel *c = &rows->v->device->channels[rows->v->channel];
    bool ok = true;

    if (may_become_block(d, k, rows, n)) {
        stats->values += n;
        return become_block(d, k, rows, n);
    }
    if (!k->has_block)
        c->open_day = k->day;
    for (size_t i = 0; ok && k->has_block && i < n; i++)
        ok = judge(d, k, &rows[i], stats);
    return ok;
}

bool day_blocks_settle(struct day_blocks *d, int32_t tenant, struct value_rows *r,
                       const struct value_span *s)
{
    bool ok = true;

    store_rows_clear(&d->blocks);
    store_rows_clear(&d->losers);
    store_array_clear(d->channels);
    if (d->n == 0)
        return true;
    for (size_t i = s->from, to = i; ok && i < s->to; i = to) {
        struct value_row *row = &r->at[i];
        emt_time day = block_day_of(row->v->ts);
        const struct day_known *k;

        for (to = i + 1; to < s->to && r->at[to].place == row->place &&
                         r->at[to].channel == row->channel && r->at[to].v->ts - day < EMT_DAY;)
            to++;
        if (row->place == VALUE_TEXT)
            continue;
        k = find_day(d, tenant, row->channel, day);
        if (k)
            ok = settle_day(d, k, row, to - i, r->stats);
    }
    return ok;
}
