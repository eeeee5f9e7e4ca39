#include "reading_lot.h"

#include "model/quality.h"

#include <stdlib.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum emt_err reading_lot_init(struct reading_lot *l, const int64_t *ids, size_t n_ids,
                              size_t expected)
{
    *l = (struct reading_lot){ .ids = ids, .n_ids = n_ids, .cap = expected + 1 };
    l->list = calloc(l->cap, sizeof *l->list);
    return l->list != NULL ? EMT_OK : EMT_ENOMEM;
}

void reading_lot_release(struct reading_lot *l)
{
    free(l->list);
    free(l->sorted);
    free(l->first);
    *l = (struct reading_lot){ 0 };
}

/* Rows that were written together come together: mostly it is the next channel, or the same. */
static bool find_slot(struct reading_lot *l, int64_t channel)
{
    size_t lo = 0;
    size_t hi = l->n_ids;

    if (l->at + 1 < l->n_ids && l->ids[l->at + 1] == channel) {
        l->at++;
        return true;
    }
    if (l->at < l->n_ids && l->ids[l->at] == channel)
        return true;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (l->ids[mid] < channel)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == l->n_ids || l->ids[lo] != channel)
        return false;
    l->at = lo;
    return true;
}

static enum emt_err add(struct reading_lot *l, const struct block_value *v, enum block_place place)
{
    if (l->n == l->cap) {
        struct lot_value *list = reallocarray(l->list, l->cap * 2, sizeof *list);

        if (list == NULL)
            return EMT_ENOMEM;
        l->list = list;
        l->cap *= 2;
    }
    l->list[l->n++] = (struct lot_value){ *v, (uint32_t)l->at, (uint8_t)place };
    return EMT_OK;
}

enum emt_err reading_lot_add(struct reading_lot *l, int64_t channel, const struct block_value *v,
                             enum block_place place)
{
    return find_slot(l, channel) ? add(l, v, place) : EMT_OK;
}

enum emt_err reading_lot_add_block(struct reading_lot *l, int64_t channel, const void *data,
                                   size_t len, emt_time from, emt_time to)
{
    struct block_value group[BLOCK_GROUP];
    struct block_cursor c;
    size_t n = 1;

    if (!find_slot(l, channel))
        return EMT_OK;
    enum emt_err err = block_open(&c, data, len);
    while (err == EMT_OK && n > 0) {
        err = block_next(&c, group, &n);
        if (err == EMT_OK && n > 0 && group[0].ts >= to)
            break;
        for (size_t i = 0; err == EMT_OK && i < n; i++) {
            if (group[i].ts >= from && group[i].ts < to)
                err = add(l, &group[i], PLACE_BLOCK);
        }
    }
    return err;
}

/* ---- sorting ---- */

/* Time, higher rank, place: the first of a time is the one that stands. */
static int compare(const struct lot_value *a, const struct lot_value *b)
{
    if (a->v.ts != b->v.ts)
        return a->v.ts < b->v.ts ? -1 : 1;
    int ra = quality_stored_rank(a->v.quality);
    int rb = quality_stored_rank(b->v.quality);
    return ra != rb ? rb - ra : (int)a->place - (int)b->place;
}

static int compare_values(const void *a, const void *b)
{
    return compare(a, b);
}

/* Sorts one channel's values where they do not come in order; returns how many are left. */
static size_t settle(struct lot_value *v, size_t n)
{
    bool ascending = true;
    size_t kept = 0;

    for (size_t i = 1; i < n && ascending; i++)
        ascending = v[i - 1].v.ts < v[i].v.ts;
    if (ascending)
        return n;
    qsort(v, n, sizeof *v, compare_values);
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || v[i].v.ts != v[kept - 1].v.ts)
            v[kept++] = v[i];
    }
    return kept;
}

enum emt_err reading_lot_sort(struct reading_lot *l)
{
    size_t *end = calloc(l->n_ids + 1, sizeof *end);
    size_t sum = 0;

    l->sorted = calloc(l->n + 1, sizeof *l->sorted);
    l->first = calloc(l->n_ids + 1, sizeof *l->first);
    if (end == NULL || l->sorted == NULL || l->first == NULL) {
        free(end);
        return EMT_ENOMEM;
    }
    for (size_t i = 0; i < l->n; i++)
        end[l->list[i].slot]++;
    for (size_t slot = 0; slot < l->n_ids; slot++) {
        size_t n = end[slot];

        end[slot] = sum;
        sum += n;
    }
    for (size_t i = 0; i < l->n; i++)
        l->sorted[end[l->list[i].slot]++] = l->list[i];
    /* From here on end[slot] is what it says; the values that are left close up. */
    size_t from = 0;
    size_t to = 0;
    for (size_t slot = 0; slot < l->n_ids; slot++) {
        size_t n = settle(&l->sorted[from], end[slot] - from);

        l->first[slot] = to;
        if (to == from) {
            to += n;
        } else {
            for (size_t i = 0; i < n; i++)
                l->sorted[to++] = l->sorted[from + i];
        }
        from = end[slot];
    }
    l->first[l->n_ids] = to;
    free(end);
    return EMT_OK;
}

const struct lot_value *reading_lot_of(const struct reading_lot *l, size_t slot, size_t *n)
{
    *n = l->first[slot + 1] - l->first[slot];
    return &l->sorted[l->first[slot]];
}
