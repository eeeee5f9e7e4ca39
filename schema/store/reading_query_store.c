/* A value can stand in a month partition, in reading_late and in a block. All are read in one
 * statement, so that a compaction between two statements can neither hide nor double a value. */
#include "store/reading_query_store.h"

#include "reading_lot.h"
#include "reading_series.h"

#include <stdlib.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* Values of one statement of a walk. */
#define WALK_VALUES 5000
#define LOT_SPAN_MAX (EMT_DAY + EMT_HOUR) /* a local day */

enum { RANGE, LOT_CHANNELS, LOT, LAST, TEXT_RANGE, STATEMENTS };

/* Sessions keep their time zone: days and months are those of UTC. */
#define SPAN_END                                                                                   \
    "CASE span WHEN 0 THEN span_start + interval '24 hours'"                                       \
    " ELSE (span_start AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC' END"
#define NO_VALUE "NULL::int8 AS mantissa, NULL::int2 AS exponent, NULL::int2 AS quality"
/* No span is longer than 744 hours: that much can be told from the key. */
#define BLOCKS_OF                                                                                  \
    " span_start > $3::timestamptz - interval '744 hours' AND span_start < $4 AND " SPAN_END " > $3"

/* clang-format off */
static const struct store_statement statements[STATEMENTS] = {
    /* The first block may begin before the range: its values do not count towards the limit. */
    [RANGE] = { "reading_range", 5,
        "SELECT $2::int8 AS channel_id, * FROM ("
        " SELECT 0::int2 AS place, span_start AS ts, " NO_VALUE ", data FROM ("
        "  SELECT span_start, data, sum(n) OVER w - n - first_value(n) OVER w AS before FROM reading_block"
        "  WHERE tenant_id = $1 AND channel_id = $2 AND" BLOCKS_OF
        "  WINDOW w AS (ORDER BY span_start)) b WHERE before < $5"
        " UNION ALL"
        " (SELECT 1::int2, ts, mantissa, exponent, quality, NULL::bytea FROM reading"
        "  WHERE tenant_id = $1 AND channel_id = $2 AND ts >= $3 AND ts < $4 ORDER BY ts LIMIT $5)"
        " UNION ALL"
        " (SELECT 2::int2, ts, mantissa, exponent, quality, NULL::bytea FROM reading_late"
        "  WHERE tenant_id = $1 AND channel_id = $2 AND ts >= $3 AND ts < $4 ORDER BY ts LIMIT $5)) v"
        " ORDER BY place, ts" },
    [LOT_CHANNELS] = { "reading_lot_channels", 3,
        "SELECT channel_id FROM channel WHERE tenant_id = $1 AND channel_id > $2"
        " ORDER BY channel_id LIMIT $3" },
    /* Few columns and no order: what a row costs here is felt. data is NULL in a row of the hot ones,
       and empty in a late one. */
    [LOT] = { "reading_lot", 4,
        "SELECT channel_id, span_start AS ts, 0::int8 AS mantissa, 0::int4 AS rest, data FROM reading_block"
        "  WHERE tenant_id = $1 AND channel_id = ANY($2::int8[]) AND" BLOCKS_OF
        " UNION ALL"
        " SELECT channel_id, ts, mantissa, exponent::int4 * 65536 + quality, NULL::bytea FROM reading"
        "  WHERE tenant_id = $1 AND channel_id = ANY($2::int8[]) AND ts >= $3 AND ts < $4"
        " UNION ALL"
        " SELECT channel_id, ts, mantissa, exponent::int4 * 65536 + quality, ''::bytea FROM reading_late"
        "  WHERE tenant_id = $1 AND channel_id = ANY($2::int8[]) AND ts >= $3 AND ts < $4" },
    [LAST] = { "reading_last", 2,
        "SELECT u.nr, v.* FROM unnest($2::int8[]) WITH ORDINALITY AS u(channel_id, nr),"
        " LATERAL ("
        " (SELECT 0::int2 AS place, span_start AS ts, " NO_VALUE ", data FROM reading_block b"
        "  WHERE b.tenant_id = $1 AND b.channel_id = u.channel_id ORDER BY span_start DESC LIMIT 1)"
        " UNION ALL"
        " (SELECT 1::int2, ts, mantissa, exponent, quality, NULL::bytea FROM reading r"
        "  WHERE r.tenant_id = $1 AND r.channel_id = u.channel_id ORDER BY ts DESC LIMIT 1)"
        " UNION ALL"
        " (SELECT 2::int2, ts, mantissa, exponent, quality, NULL::bytea FROM reading_late l"
        "  WHERE l.tenant_id = $1 AND l.channel_id = u.channel_id ORDER BY ts DESC LIMIT 1)) v"
        " ORDER BY u.nr, place" },
    [TEXT_RANGE] = { "reading_text_range", 5,
        "SELECT ts, text, quality FROM reading_text"
        " WHERE tenant_id = $1 AND channel_id = $2 AND ts >= $3 AND ts < $4"
        " ORDER BY ts LIMIT $5" },
};
/* clang-format on */

const struct store_statement *reading_query_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

static enum emt_err run_range(struct store *s, const struct store_statement *st, int32_t tenant,
                              int64_t channel, emt_time from, emt_time to, size_t limit,
                              struct store_result **out)
{
    struct store_param p[5];

    if (limit == 0 || limit > READING_RANGE_MAX)
        return EMT_ELIMIT;
    p_int4(&p[0], tenant);
    p_int8(&p[1], channel);
    p_time(&p[2], from);
    p_time(&p[3], to);
    p_int8(&p[4], (int64_t)limit);
    return store_run(s, st, p, out);
}

static struct stored_reading reading_of(const struct block_value *v)
{
    return (struct stored_reading){ .ts = v->ts,
                                    .value = decimal_of(v->mantissa, v->exponent),
                                    .quality = quality_of_stored(v->quality),
                                    .time_source =
                                        (enum time_source)quality_stored_source(v->quality),
                                    .stored_quality = v->quality };
}

/* ---- one channel ---- */

/* Doubles the list when it is full, up to the limit of a call. */
static bool list_room(struct stored_reading **list, size_t *cap, size_t n)
{
    size_t more = *cap ? *cap * 2 : 1024;
    struct stored_reading *p;

    if (n < *cap)
        return true;
    p = reallocarray(*list, more, sizeof *p);
    if (p == NULL)
        return false;
    *list = p;
    *cap = more;
    return true;
}

static enum emt_err collect(const struct store_result *r, emt_time from, emt_time to, size_t limit,
                            struct stored_reading **list, size_t *n)
{
    struct reading_series series;
    struct block_value v;
    size_t cap = 0;
    int next;
    bool got = store_rows(r) > 0;
    enum emt_err err = got ? reading_series_open(&series, r, 0, from, to, &next) : EMT_OK;

    while (err == EMT_OK && got && *n < limit) {
        err = reading_series_next(&series, &v, &got);
        if (err != EMT_OK || !got)
            break;
        if (!list_room(list, &cap, *n))
            return EMT_ENOMEM;
        (*list)[(*n)++] = reading_of(&v);
    }
    return err;
}

enum emt_err reading_range(struct store *s, int32_t tenant, int64_t channel, emt_time from,
                           emt_time to, size_t limit, struct stored_reading **out, size_t *n)
{
    struct stored_reading *list = NULL;
    struct store_result *r = NULL;
    size_t count = 0;
    enum emt_err err = run_range(s, &statements[RANGE], tenant, channel, from, to, limit, &r);

    if (err != EMT_OK)
        return err;
    err = collect(r, from, to, limit, &list, &count);
    store_result_free(r);
    if (err != EMT_OK) {
        free(list);
        return err;
    }
    *out = list;
    *n = count;
    return EMT_OK;
}

enum emt_err reading_walk(struct store *s, int32_t tenant, int64_t channel, emt_time from,
                          emt_time to, const struct reading_visitor *visitor)
{
    enum emt_err err = EMT_OK;
    size_t n = WALK_VALUES;

    while (err == EMT_OK && n == WALK_VALUES && from < to) {
        struct stored_reading *list = NULL;

        err = reading_range(s, tenant, channel, from, to, WALK_VALUES, &list, &n);
        for (size_t i = 0; err == EMT_OK && i < n; i++)
            err = visitor->value(visitor->ctx, channel, &list[i]);
        if (err == EMT_OK && n > 0)
            from = list[n - 1].ts + 1;
        free(list);
    }
    return err;
}

/* ---- many channels ---- */

static enum emt_err lot_channels(struct store *s, int32_t tenant, int64_t after, int channels,
                                 int64_t ids[READING_LOT_CHANNELS], size_t *n)
{
    struct store_param p[3];
    struct store_result *r;

    p_int4(&p[0], tenant);
    p_int8(&p[1], after);
    p_int8(&p[2], channels);
    enum emt_err err = store_run(s, &statements[LOT_CHANNELS], p, &r);
    if (err != EMT_OK)
        return err;
    *n = 0;
    for (int i = 0; i < store_rows(r); i++)
        ids[(*n)++] = c_int(r, i, 0);
    store_result_free(r);
    return EMT_OK;
}

enum { LOT_CHANNEL, LOT_TS, LOT_MANTISSA, LOT_REST, LOT_DATA };

static enum emt_err take_row(struct reading_lot *l, const struct store_result *r, int row,
                             emt_time from, emt_time to)
{
    int64_t channel = c_int(r, row, LOT_CHANNEL);
    size_t len = 0;
    const uint8_t *data = c_bytes(r, row, LOT_DATA, &len);

    if (len > 0)
        return reading_lot_add_block(l, channel, data, len, from, to);
    int32_t rest = (int32_t)c_int(r, row, LOT_REST);
    int16_t quality = (int16_t)(uint16_t)((uint32_t)rest & 0xffffu);
    struct block_value v = { c_time(r, row, LOT_TS), c_int(r, row, LOT_MANTISSA),
                             (int16_t)((rest - quality) / 65536), quality };

    return reading_lot_add(l, channel, &v, c_null(r, row, LOT_DATA) ? PLACE_ROW : PLACE_LATE);
}

static enum emt_err visit_lot(const struct reading_lot *l, const struct reading_visitor *visitor)
{
    enum emt_err err = EMT_OK;

    for (size_t slot = 0; slot < l->n_ids; slot++) {
        size_t n;
        const struct lot_value *v = reading_lot_of(l, slot, &n);

        for (size_t i = 0; i < n && err == EMT_OK; i++) {
            struct stored_reading out = reading_of(&v[i].v);

            err = visitor->value(visitor->ctx, l->ids[slot], &out);
        }
    }
    return err;
}

enum emt_err reading_ask_channels(struct store *s, int32_t tenant, const int64_t *channels,
                                  size_t n, emt_time from, emt_time to)
{
    struct store_array *ids = store_array_new(STORE_INT8);
    struct store_param p[4];
    bool ok = ids != NULL;

    for (size_t i = 0; ok && i < n; i++)
        ok = store_array_int(ids, channels[i]);
    if (!ok) {
        store_array_free(ids);
        return EMT_ENOMEM;
    }
    p_int4(&p[0], tenant);
    p_array(&p[1], ids);
    p_time(&p[2], from);
    p_time(&p[3], to);
    enum emt_err err = store_ask(s, &statements[LOT], p);
    store_array_free(ids);
    return err;
}

enum emt_err reading_answer_channels(struct store *s, const int64_t *channels, size_t n,
                                     emt_time from, emt_time to,
                                     const struct reading_visitor *visitor)
{
    struct store_result *r = NULL;
    struct reading_lot lot = { 0 };
    enum emt_err err = store_answer(s, &r);

    if (err != EMT_OK)
        return err;
    err = reading_lot_init(&lot, channels, n, (size_t)store_rows(r));
    for (int row = 0; err == EMT_OK && row < store_rows(r); row++)
        err = take_row(&lot, r, row, from, to);
    store_result_free(r);
    if (err == EMT_OK)
        err = reading_lot_sort(&lot);
    if (err == EMT_OK)
        err = visit_lot(&lot, visitor);
    reading_lot_release(&lot);
    return err;
}

enum emt_err reading_walk_lot(struct store *s, int32_t tenant, int64_t after, int channels,
                              emt_time from, emt_time to, const struct reading_visitor *visitor,
                              int64_t *last)
{
    int64_t ids[READING_LOT_CHANNELS];
    size_t n = 0;

    if (from >= to || to - from > LOT_SPAN_MAX || channels < 1 || channels > READING_LOT_CHANNELS)
        return EMT_ELIMIT;
    enum emt_err err = lot_channels(s, tenant, after, channels, ids, &n);
    if (err == EMT_OK)
        *last = n > 0 ? ids[n - 1] : 0;
    if (err != EMT_OK || n == 0)
        return err;
    err = reading_ask_channels(s, tenant, ids, n, from, to);
    return err == EMT_OK ? reading_answer_channels(s, ids, n, from, to, visitor) : err;
}

/* ---- the last ones ---- */

enum { LAST_NR, LAST_PLACE, LAST_TS, LAST_MANTISSA, LAST_EXPONENT, LAST_QUALITY, LAST_DATA };

static enum emt_err last_of_block(const struct store_result *r, int row, struct block_value *out)
{
    struct block_value lot[BLOCK_GROUP];
    struct block_cursor c;
    size_t len, n = 1;
    const uint8_t *data = c_bytes(r, row, LAST_DATA, &len);
    enum emt_err err = block_open(&c, data, len);

    while (err == EMT_OK && n > 0) {
        err = block_next(&c, lot, &n);
        if (err == EMT_OK && n > 0)
            *out = lot[n - 1];
    }
    return err;
}

/* A later place wins by a later time, or at the same time by its rank. */
static enum emt_err last_row(const struct store_result *r, int row, struct stored_reading *best)
{
    struct block_value v = { c_time(r, row, LAST_TS), c_int(r, row, LAST_MANTISSA),
                             (int16_t)c_int(r, row, LAST_EXPONENT),
                             (int16_t)c_int(r, row, LAST_QUALITY) };
    enum emt_err err = c_int(r, row, LAST_PLACE) == 0 ? last_of_block(r, row, &v) : EMT_OK;
    struct stored_reading got = reading_of(&v);

    if (err == EMT_OK && (best->ts == EMT_TIME_NONE || got.ts > best->ts ||
                          (got.ts == best->ts && quality_stored_rank(got.stored_quality) >
                                                     quality_stored_rank(best->stored_quality))))
        *best = got;
    return err;
}

enum emt_err reading_last(struct store *s, int32_t tenant, const int64_t *channels, size_t n,
                          struct stored_reading *out)
{
    struct store_array *ids = store_array_new(STORE_INT8);
    struct store_result *r = NULL;
    struct store_param p[2];
    bool ok = ids != NULL;

    for (size_t i = 0; i < n; i++) {
        out[i] = (struct stored_reading){ .ts = EMT_TIME_NONE };
        ok = ok && store_array_int(ids, channels[i]);
    }
    if (!ok) {
        store_array_free(ids);
        return EMT_ENOMEM;
    }
    p_int4(&p[0], tenant);
    p_array(&p[1], ids);
    enum emt_err err = store_run(s, &statements[LAST], p, &r);
    for (int i = 0; err == EMT_OK && i < store_rows(r); i++)
        err = last_row(r, i, &out[c_int(r, i, LAST_NR) - 1]);
    store_result_free(r);
    store_array_free(ids);
    return err;
}

enum emt_err reading_text_range(struct store *s, int32_t tenant, int64_t channel, emt_time from,
                                emt_time to, size_t limit, struct store_result **out)
{
    return run_range(s, &statements[TEXT_RANGE], tenant, channel, from, to, limit, out);
}
