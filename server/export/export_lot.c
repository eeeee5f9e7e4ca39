#include "export_lot.h"

#include "store/reading_query_store.h"

#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

void lot_init(struct export_lot *l, struct store *s, int32_t tenant, emt_time now)
{
    *l = (struct export_lot){ .store = s, .tenant = tenant, .now = now };
}

void lot_forget(struct export_lot *l)
{
    for (size_t i = 0; i < l->n_extras; i++)
        free(l->extras[i]);
    l->n_extras = 0;
}

/* An answer that nobody wants any more. */
static void lot_drop(struct export_lot *l)
{
    if (l->asked)
        (void)!store_answer(l->store, NULL);
    l->asked = false;
}

void lot_clear(struct export_lot *l)
{
    lot_forget(l);
    lot_drop(l);
    l->n_channels = l->n_readings = l->at = 0;
    l->from = l->to = 0;
}

void lot_release(struct export_lot *l)
{
    lot_forget(l);
    lot_drop(l);
    free(l->extras);
    free(l->ids);
    free(l->channels);
    free(l->readings);
    *l = (struct export_lot){ 0 };
}

/* Room for one more element of `size` bytes. */
static bool room(void **list, size_t *cap, size_t n, size_t size)
{
    size_t more = *cap ? *cap * 2 : 64;
    void *p;

    if (n < *cap)
        return true;
    p = reallocarray(*list, more, size);
    if (p == NULL)
        return false;
    *list = p;
    *cap = more;
    return true;
}

enum emt_err lot_add(struct export_lot *l, int64_t channel)
{
    if (!room((void **)&l->channels, &l->cap_channels, l->n_channels, sizeof *l->channels))
        return EMT_ENOMEM;
    l->channels[l->n_channels++] = (struct lot_channel){ channel, 0, 0 };
    return EMT_OK;
}

static struct register_reading reading_of(const struct export_lot *l,
                                          const struct stored_reading *v)
{
    struct register_reading r = { .time = v->ts, .value = v->value, .quality = v->quality };

    if (r.quality == QUALITY_SUBSTITUTE) {
        r.method = l->method;
        r.reason = l->reason;
    }
    return r;
}

static enum emt_err take_value(void *ctx, int64_t channel, const struct stored_reading *v)
{
    struct export_lot *l = ctx;
    struct lot_channel *c;

    while (l->at < l->n_channels && l->channels[l->at].channel < channel)
        l->at++;
    if (l->at == l->n_channels || l->channels[l->at].channel != channel)
        return EMT_OK;
    if (!room((void **)&l->readings, &l->cap_readings, l->n_readings, sizeof *l->readings))
        return EMT_ENOMEM;
    c = &l->channels[l->at];
    if (c->n++ == 0)
        c->first = l->n_readings;
    l->readings[l->n_readings++] = reading_of(l, v);
    return EMT_OK;
}

static int by_channel(const void *a, const void *b)
{
    int64_t x = ((const struct lot_channel *)a)->channel;
    int64_t y = ((const struct lot_channel *)b)->channel;

    return (x > y) - (x < y);
}

/* Each channel once, ascending; the numbers alone stand in l->ids. */
static enum emt_err arrange(struct export_lot *l)
{
    size_t n = 0;

    if (l->n_channels > 0)
        qsort(l->channels, l->n_channels, sizeof *l->channels, by_channel);
    if (l->cap_ids < l->n_channels) {
        int64_t *ids = reallocarray(l->ids, l->cap_channels, sizeof *ids);

        if (ids == NULL)
            return EMT_ENOMEM;
        l->ids = ids;
        l->cap_ids = l->cap_channels;
    }
    for (size_t i = 0; i < l->n_channels; i++) {
        if (n > 0 && l->channels[n - 1].channel == l->channels[i].channel)
            continue;
        l->ids[n] = l->channels[i].channel;
        l->channels[n++] = l->channels[i];
    }
    l->n_channels = n;
    return EMT_OK;
}

enum emt_err lot_ask(struct export_lot *l, emt_time from, emt_time to)
{
    enum emt_err err = arrange(l);

    l->from = from;
    l->to = to > l->now + 1 ? l->now + 1 : to;
    if (err != EMT_OK || l->n_channels == 0 || l->from >= l->to)
        return err;
    err = reading_ask_channels(l->store, l->tenant, l->ids, l->n_channels, l->from, l->to);
    l->asked = err == EMT_OK;
    return err;
}

enum emt_err lot_ask_again(struct export_lot *l)
{
    if (!l->asked)
        return EMT_OK;
    enum emt_err err = store_answer(l->store, NULL);

    l->asked = false;
    return err == EMT_OK ? lot_ask(l, l->from, l->to) : err;
}

enum emt_err lot_load(struct export_lot *l)
{
    struct reading_visitor visitor = { take_value, l };

    l->n_readings = l->at = 0;
    if (!l->asked)
        return EMT_OK;
    l->asked = false;
    return reading_answer_channels(l->store, l->ids, l->n_channels, l->from, l->to, &visitor);
}

static const struct lot_channel *find(const struct export_lot *l, int64_t channel)
{
    struct lot_channel key = { .channel = channel };

    return l->n_channels == 0
               ? NULL
               : bsearch(&key, l->channels, l->n_channels, sizeof *l->channels, by_channel);
}

static size_t lower_bound(const struct register_reading *r, size_t n, emt_time t)
{
    size_t lo = 0;

    while (lo < n) {
        size_t mid = lo + (n - lo) / 2;

        if (r[mid].time < t)
            lo = mid + 1;
        else
            n = mid;
    }
    return lo;
}

static enum emt_err fetch(struct export_lot *l, int64_t channel, emt_time from, emt_time to,
                          const struct register_reading **out, size_t *n)
{
    struct stored_reading *stored = NULL;
    size_t count = 0;

    if (!room((void **)&l->extras, &l->cap_extras, l->n_extras, sizeof(struct register_reading *)))
        return EMT_ENOMEM;
    enum emt_err err =
        reading_range(l->store, l->tenant, channel, from, to, READING_RANGE_MAX, &stored, &count);
    if (err != EMT_OK || count == 0) {
        free(stored);
        return err;
    }
    struct register_reading *list = calloc(count, sizeof *list);
    for (size_t i = 0; list != NULL && i < count; i++)
        list[i] = reading_of(l, &stored[i]);
    free(stored);
    if (list == NULL)
        return EMT_ENOMEM;
    l->extras[l->n_extras++] = list;
    *out = list;
    *n = count;
    return EMT_OK;
}

enum emt_err lot_range(struct export_lot *l, int64_t channel, emt_time from, emt_time to,
                       const struct register_reading **out, size_t *n)
{
    const struct lot_channel *c = find(l, channel);

    *out = NULL;
    *n = 0;
    if (to > l->now + 1)
        to = l->now + 1;
    if (from >= to)
        return EMT_OK;
    if (c == NULL || from < l->from || to > l->to)
        return fetch(l, channel, from, to, out, n);
    if (c->n == 0)
        return EMT_OK;
    const struct register_reading *r = &l->readings[c->first];
    size_t first = lower_bound(r, c->n, from);

    *out = r + first;
    *n = lower_bound(r, c->n, to) - first;
    return EMT_OK;
}

enum emt_err lot_edges(struct export_lot *l, int64_t channel, emt_time from, emt_time from_end,
                       emt_time to_begin, emt_time to, const struct register_reading **out,
                       size_t *n)
{
    const struct register_reading *a = NULL;
    const struct register_reading *b = NULL;
    size_t na = 0;
    size_t nb = 0;

    if (to_begin <= from_end)
        return lot_range(l, channel, from, to, out, n);
    enum emt_err err = lot_range(l, channel, from, from_end, &a, &na);
    if (err == EMT_OK)
        err = lot_range(l, channel, to_begin, to, &b, &nb);
    if (err != EMT_OK)
        return err;
    *n = na + nb;
    *out = na > 0 ? a : b;
    if (na == 0 || nb == 0)
        return EMT_OK;
    if (!room((void **)&l->extras, &l->cap_extras, l->n_extras, sizeof(struct register_reading *)))
        return EMT_ENOMEM;
    struct register_reading *both = calloc(na + nb, sizeof *both);
    if (both == NULL)
        return EMT_ENOMEM;
    memcpy(both, a, na * sizeof *a);
    memcpy(both + na, b, nb * sizeof *b);
    l->extras[l->n_extras++] = both;
    *out = both;
    return EMT_OK;
}
