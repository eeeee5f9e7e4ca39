#include "value_rows.h"

#include "base/cipher.h"
#include "batch_run.h"
#include "model/quality.h"
#include "store/reading_store.h"

#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define FIRST_ROWS 256
/* A hundred years: keeps the arithmetic of times in range. */
#define RETENTION_DAYS_MOST 36500

void value_rows_init(struct value_rows *r, struct run_stats *stats)
{
    memset(r, 0, sizeof *r);
    r->stats = stats;
    r->hot_from = r->hot_to = INT64_MAX;
}

void value_rows_release(struct value_rows *r)
{
    free(r->at);
    r->at = NULL;
    r->n = r->cap = 0;
}

void value_rows_clear(struct value_rows *r, emt_time now)
{
    r->n = 0;
    r->now = now;
}

/* ---- taking ---- */

static int rank_of(int16_t quality)
{
    return quality_stored_rank(quality);
}

static void text_hash(const char *text, uint8_t out[16])
{
    uint8_t sum[32];

    cipher_sha256(text, strlen(text), sum);
    memcpy(out, sum, 16);
}

/* The same as what was committed last for this channel: meters repeat due-date values in every
 * telegram. */
static bool is_repeated(const struct batch_value *v)
{
    const struct registry_channel *c = &v->device->channels[v->channel];
    uint8_t hash[16];

    if (!c->has_last || c->last_ts != v->ts || rank_of(v->quality) > rank_of(c->last_quality))
        return false;
    if (!v->is_text)
        return decimal_compare(c->last, v->value) == 0;
    /* At another time the same text may be news: another loop may have stored a change between. */
    text_hash(v->text, hash);
    return memcmp(hash, c->last_text, sizeof hash) == 0;
}

static emt_time oldest_kept(const struct value_rows *r, const struct registry_tenant *t)
{
    int64_t days = t->reading_retention_days < RETENTION_DAYS_MOST ? t->reading_retention_days
                                                                   : RETENTION_DAYS_MOST;

    return r->now - days * EMT_DAY;
}

static enum value_place place_of(const struct value_rows *r, const struct batch_value *v)
{
    if (v->is_text)
        return VALUE_TEXT;
    return v->ts >= r->hot_from && v->ts < r->hot_to ? VALUE_HOT : VALUE_LATE;
}

/* The database has no value of this time, as far as this loop knows. */
static bool is_ahead(const struct batch_value *v)
{
    const struct registry_channel *c = &v->device->channels[v->channel];

    return c->has_last && v->ts > c->last_ts;
}

bool value_rows_is_news(const struct value_rows *r, const struct batch_value *v)
{
    return v->ts >= oldest_kept(r, v->device->tenant) && !is_repeated(v);
}

static bool row_room(struct value_rows *r)
{
    size_t cap = r->cap ? 2 * r->cap : FIRST_ROWS;
    struct value_row *grown;

    if (r->n < r->cap)
        return true;
    grown = realloc(r->at, cap * sizeof *grown);
    if (!grown)
        return false;
    r->at = grown;
    r->cap = cap;
    return true;
}

bool value_rows_add(struct value_rows *r, const struct batch_value *v)
{
    if (v->ts < oldest_kept(r, v->device->tenant)) {
        r->stats->refused++;
        return true;
    }
    if (is_repeated(v)) {
        r->stats->repeated++;
        return true;
    }
    if (!row_room(r))
        return false;
    r->at[r->n] = (struct value_row){ .v = v,
                                      .channel = v->device->channels[v->channel].id,
                                      .place = place_of(r, v),
                                      .rank = rank_of(v->quality),
                                      .ahead = is_ahead(v),
                                      .order = r->n };
    r->n++;
    return true;
}

/* ---- one for each (channel, ts) ---- */

static int compare_rows(const void *a, const void *b)
{
    const struct value_row *x = a, *y = b;

    if (x->place != y->place)
        return x->place < y->place ? -1 : 1;
    if (x->channel != y->channel)
        return x->channel < y->channel ? -1 : 1;
    if (x->v->ts != y->v->ts)
        return x->v->ts < y->v->ts ? -1 : 1;
    if (x->rank != y->rank)
        return x->rank > y->rank ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

/* Does the text in force just before it in this batch say the same? */
static bool is_same_text(const struct value_rows *r, size_t from, size_t n,
                         const struct value_row *row)
{
    const struct value_row *before = n > from ? &r->at[n - 1] : NULL;

    return row->place == VALUE_TEXT && before && before->place == VALUE_TEXT &&
           before->channel == row->channel && strcmp(before->v->text, row->v->text) == 0;
}

/* The value that stands for the same (channel, ts), among rows from..n; NULL: none yet. */
static const struct value_row *standing(const struct value_rows *r, size_t from, size_t n,
                                        const struct value_row *row)
{
    for (; n > from; n--) {
        const struct value_row *before = &r->at[n - 1];

        if (before->place != row->place || before->channel != row->channel ||
            before->v->ts != row->v->ts)
            break;
        if (!before->outranked)
            return before;
    }
    return NULL;
}

/* Another value of the same rank stays as well, outranked: it is looked at as a conflict once
 * everything stands. */
static bool is_superfluous(const struct value_row *row, const struct value_row *best)
{
    return best && (row->place == VALUE_TEXT || row->rank < best->rank ||
                    decimal_compare(row->v->value, best->v->value) == 0);
}

struct value_span value_rows_close(struct value_rows *r, size_t from)
{
    struct value_span s = { .from = from };
    size_t n = from;

    if (r->n > from)
        qsort(&r->at[from], r->n - from, sizeof *r->at, compare_rows);
    for (size_t i = from; i < r->n; i++) {
        struct value_row *row = &r->at[i];
        const struct value_row *best = standing(r, from, n, row);

        if (is_same_text(r, from, n, row) || is_superfluous(row, best))
            continue;
        row->outranked = best != NULL;
        s.losers[row->place] = s.losers[row->place] || best;
        r->at[n++] = *row;
    }
    s.to = r->n = n;
    return s;
}

/* ---- giving ---- */

static bool is_picked(const struct value_row *v, enum value_pick pick)
{
    switch (pick) {
    case VALUE_STANDING:
        return !v->outranked;
    case VALUE_STANDING_AHEAD:
        return !v->outranked && v->ahead;
    case VALUE_STANDING_BEHIND:
        return !v->outranked && !v->ahead;
    case VALUE_ALL:
        return true;
    }
    return false;
}

bool value_span_readings(const struct value_rows *r, const struct value_span *s,
                         enum value_place place, enum value_pick pick, struct store_rows *out)
{
    bool ok = true;

    store_rows_clear(out);
    for (size_t i = s->from; ok && i < s->to; i++) {
        const struct value_row *v = &r->at[i];
        struct reading_row row = { v->channel, v->v->ts, v->v->value, v->v->quality };

        if (v->place == place && is_picked(v, pick))
            ok = reading_rows_add(out, &row);
    }
    return ok;
}

bool value_span_texts(const struct value_rows *r, const struct value_span *s,
                      struct store_rows *out)
{
    bool ok = true;

    store_rows_clear(out);
    for (size_t i = s->from; ok && i < s->to; i++) {
        const struct value_row *v = &r->at[i];
        struct text_row row = { v->channel, v->v->ts, v->v->quality, v->v->text };

        if (v->place == VALUE_TEXT)
            ok = text_rows_add(out, &row);
    }
    return ok;
}

static void remember(const struct value_row *row)
{
    struct registry_channel *c = &row->v->device->channels[row->v->channel];

    if (row->outranked || (c->has_last && row->v->ts < c->last_ts))
        return;
    c->has_last = true;
    c->last_ts = row->v->ts;
    c->last = row->v->value;
    c->last_quality = row->v->quality;
    if (row->v->is_text)
        text_hash(row->v->text, c->last_text);
}

void value_rows_remember(const struct value_rows *r)
{
    for (size_t i = 0; i < r->n; i++)
        remember(&r->at[i]);
}
