#include "block_merge.h"

#include "model/decimal.h"
#include "model/quality.h"

#include <stdlib.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* ---- spans ---- */

emt_time block_day_of(emt_time t)
{
    emt_time into = t % EMT_DAY;

    return t - (into < 0 ? into + EMT_DAY : into);
}

emt_time block_month_of(emt_time t)
{
    struct civil c;

    time_to_civil(t, &c);
    c.day = 1;
    c.hour = c.minute = c.second = c.micros = 0;
    return civil_to_time(&c);
}

emt_time block_month_after(emt_time month)
{
    return block_month_of(month + 31 * EMT_DAY);
}

/* ---- collecting ---- */

bool block_merge_init(struct block_merge *m)
{
    static const enum store_type block[] = { STORE_INT8, STORE_TIME, STORE_INT4, STORE_INT2,
                                             STORE_BYTES };
    static const enum store_type conflict[] = { STORE_INT8, STORE_TIME, STORE_INT8, STORE_INT2,
                                                STORE_INT2, STORE_INT8, STORE_INT2, STORE_INT2 };
    static const enum store_type history[] = { STORE_INT8, STORE_TIME, STORE_INT8, STORE_INT2,
                                               STORE_INT2 };

    *m = (struct block_merge){ 0 };
    writer_init_heap(&m->packed, BLOCK_BYTES_MAX);
    bool ok = store_rows_init(&m->blocks, block, 5);
    ok = store_rows_init(&m->conflicts, conflict, 8) && ok;
    return store_rows_init(&m->history, history, 5) && ok;
}

void block_merge_release(struct block_merge *m)
{
    free(m->items);
    free(m->values);
    writer_release(&m->packed);
    store_rows_release(&m->blocks);
    store_rows_release(&m->conflicts);
    store_rows_release(&m->history);
    m->items = NULL;
    m->values = NULL;
}

void block_merge_clear(struct block_merge *m)
{
    m->n = 0;
    m->unsorted = false;
    m->written = 0;
    store_rows_clear(&m->blocks);
    store_rows_clear(&m->conflicts);
    store_rows_clear(&m->history);
}

static bool room(void **list, size_t *cap, size_t need, size_t size)
{
    size_t more = *cap ? *cap : 1024;
    void *p;

    if (need <= *cap)
        return true;
    while (more < need)
        more *= 2;
    p = reallocarray(*list, more, size);
    if (p == NULL)
        return false;
    *list = p;
    *cap = more;
    return true;
}

static int rank_of(const struct block_value *v)
{
    return quality_stored_rank(v->quality);
}

/* Channel, time, higher rank, place: the first of a time is the one that stands. */
static int compare(const struct block_item *a, const struct block_item *b)
{
    if (a->channel != b->channel)
        return a->channel < b->channel ? -1 : 1;
    if (a->v.ts != b->v.ts)
        return a->v.ts < b->v.ts ? -1 : 1;
    int ra = rank_of(&a->v), rb = rank_of(&b->v);
    return ra != rb ? rb - ra : (int)a->place - (int)b->place;
}

static int compare_items(const void *a, const void *b)
{
    return compare(a, b);
}

enum emt_err block_merge_add(struct block_merge *m, int64_t channel, const struct block_value *v,
                             enum block_place place)
{
    void *list = m->items;

    if (!room(&list, &m->cap, m->n + 1, sizeof *m->items))
        return EMT_ENOMEM;
    m->items = list;
    m->items[m->n] = (struct block_item){ channel, *v, (uint8_t)place };
    if (m->n > 0 && compare(&m->items[m->n - 1], &m->items[m->n]) > 0)
        m->unsorted = true;
    m->n++;
    return EMT_OK;
}

enum emt_err block_merge_add_block(struct block_merge *m, int64_t channel, const void *data,
                                   size_t len)
{
    struct block_value lot[BLOCK_GROUP];
    struct block_cursor c;
    size_t n = 1;
    enum emt_err err = block_open(&c, data, len);

    while (err == EMT_OK && n > 0) {
        err = block_next(&c, lot, &n);
        for (size_t i = 0; err == EMT_OK && i < n; i++)
            err = block_merge_add(m, channel, &lot[i], PLACE_BLOCK);
    }
    return err;
}

void block_merge_sort(struct block_merge *m)
{
    if (m->unsorted)
        qsort(m->items, m->n, sizeof *m->items, compare_items);
    m->unsorted = false;
}

/* ---- deciding ---- */

static bool note_conflict(struct block_merge *m, const struct block_item *kept,
                          const struct block_item *lost)
{
    struct store_array *const *c = m->conflicts.column;

    return store_array_int(c[0], lost->channel) && store_array_time(c[1], lost->v.ts) &&
           store_array_int(c[2], lost->v.mantissa) && store_array_int(c[3], lost->v.exponent) &&
           store_array_int(c[4], lost->v.quality) && store_array_int(c[5], kept->v.mantissa) &&
           store_array_int(c[6], kept->v.exponent) && store_array_int(c[7], kept->v.quality);
}

static bool note_history(struct block_merge *m, const struct block_item *lost)
{
    struct store_array *const *c = m->history.column;

    return store_array_int(c[0], lost->channel) && store_array_time(c[1], lost->v.ts) &&
           store_array_int(c[2], lost->v.mantissa) && store_array_int(c[3], lost->v.exponent) &&
           store_array_int(c[4], lost->v.quality);
}

/* Decision 6: an equal value is a repetition, equal rank and another value is a conflict, and what
 * a higher rank replaces is kept as its predecessor if it stood here before. */
static bool judge(struct block_merge *m, const struct block_item *kept,
                  const struct block_item *lost)
{
    if (decimal_compare(decimal_of(kept->v.mantissa, kept->v.exponent),
                        decimal_of(lost->v.mantissa, lost->v.exponent)) == 0)
        return true;
    if (rank_of(&kept->v) == rank_of(&lost->v))
        return note_conflict(m, kept, lost);
    return lost->place >= kept->place || note_history(m, lost);
}

/* ---- packing ---- */

static enum emt_err put_block(struct block_merge *m, int64_t channel, emt_time start, bool by_month,
                              size_t n)
{
    struct store_array *const *c = m->blocks.column;

    writer_clear(&m->packed);
    enum emt_err err = block_encode(m->values, n, &m->packed);
    if (err != EMT_OK)
        return err;
    m->written++;
    return store_array_int(c[0], channel) && store_array_time(c[1], start) &&
                   store_array_int(c[2], (int64_t)n) && store_array_int(c[3], by_month) &&
                   store_array_bytes(c[4], m->packed.data, m->packed.len)
               ? EMT_OK
               : EMT_ENOMEM;
}

/* One span: items [from, to). A block that nothing changed is left as it is. */
static enum emt_err pack_span(struct block_merge *m, size_t from, size_t to, bool by_month,
                              emt_time start)
{
    void *list = m->values;
    bool changed = false;
    size_t n = 0;

    if (!room(&list, &m->values_cap, to - from, sizeof *m->values))
        return EMT_ENOMEM;
    m->values = list;
    for (size_t i = from, kept = from; i < to; i++) {
        if (i > from && m->items[i].v.ts == m->items[kept].v.ts) {
            if (!judge(m, &m->items[kept], &m->items[i]))
                return EMT_ENOMEM;
            continue;
        }
        kept = i;
        changed = changed || m->items[i].place != PLACE_BLOCK;
        m->values[n++] = m->items[i].v;
    }
    return changed ? put_block(m, m->items[from].channel, start, by_month, n) : EMT_OK;
}

enum emt_err block_merge_pack(struct block_merge *m, size_t from, size_t to, bool by_month)
{
    enum emt_err err = EMT_OK;

    if (by_month)
        return from < to ? pack_span(m, from, to, true, block_month_of(m->items[from].v.ts))
                         : EMT_OK;
    while (err == EMT_OK && from < to) {
        emt_time day = block_day_of(m->items[from].v.ts);
        size_t end = from;

        while (end < to && m->items[end].v.ts - day < EMT_DAY)
            end++;
        err = pack_span(m, from, end, false, day);
        from = end;
    }
    return err;
}
