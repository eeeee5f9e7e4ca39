/* Rows leave and blocks come in one transaction, so that every reader sees each value once: in the
 * rows before it, in the block after it. */
#include "store/block_store.h"

#include "block_merge.h"

#include <stdlib.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define LOT_CHANNELS 512
#define LOT_FIRST 64
/* A time further ahead is a wrong clock (decision 5). */
#define AHEAD_MOST (2 * EMT_DAY)

enum {
    CLOSED,
    PLANS_BY_KEY,
    NEXT_MONTH,
    COUNTS,
    CHANNEL_LOCK,
    KINDS,
    TAKE,
    TAKE_LATE,
    FETCH,
    UPSERT,
    CONFLICT,
    HISTORY,
    PARTITION,
    PARTITIONS_DROP,
    DAYS_ASK,
    DAYS_WRITE,
    STATEMENTS
};

/* clang-format off */
static const struct store_statement statements[STATEMENTS] = {
    [CLOSED] = { "block_closed", 1, "SELECT compact_after_days FROM tenant WHERE id = $1::int4" },
    /* A month's statistics lag behind its rows: never over the whole table. */
    [PLANS_BY_KEY] = { "block_plans", 0,
        "SELECT set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),"
        " set_config('enable_mergejoin', 'off', true), set_config('enable_hashagg', 'off', true)" },
    [NEXT_MONTH] = { "block_next_month", 3,
        "SELECT min(ts) FROM ("
        " SELECT min(ts) AS ts FROM reading WHERE tenant_id = $1 AND ts >= $2 AND ts < $3"
        " UNION ALL"
        " SELECT min(ts) FROM reading_late WHERE tenant_id = $1 AND ts >= $2 AND ts < $3) v" },
    /* Channel by channel, so that no more is counted than a lot looks at. */
    [COUNTS] = { "block_counts", 5,
        "SELECT c.channel_id, v.n, v.first, v.last FROM ("
        " SELECT channel_id FROM channel WHERE tenant_id = $1 AND channel_id > $2"
        "  ORDER BY channel_id LIMIT $5) c,"
        " LATERAL (SELECT count(*) AS n, min(ts) AS first, max(ts) AS last FROM ("
        "  SELECT ts FROM reading r WHERE r.tenant_id = $1 AND r.channel_id = c.channel_id"
        "   AND r.ts >= $3 AND r.ts < $4"
        "  UNION ALL"
        "  SELECT ts FROM reading_late l WHERE l.tenant_id = $1 AND l.channel_id = c.channel_id"
        "   AND l.ts >= $3 AND l.ts < $4) u) v"
        " ORDER BY c.channel_id" },
    [CHANNEL_LOCK] = { "block_channel_lock", 2,
        "SELECT channel_id FROM channel WHERE tenant_id = $1 AND channel_id = ANY($2::int8[])"
        " ORDER BY channel_id FOR NO KEY UPDATE" },
    [KINDS] = { "block_kinds", 4,
        "SELECT channel_id, max(span) FROM reading_block WHERE tenant_id = $1"
        " AND channel_id = ANY($2::int8[]) AND span_start >= $3 AND span_start < $4"
        " GROUP BY channel_id" },
    [TAKE] = { "block_take", 4,
        "DELETE FROM reading WHERE tenant_id = $1 AND channel_id = ANY($2::int8[])"
        " AND ts >= $3 AND ts < $4 RETURNING channel_id, ts, mantissa, exponent, quality" },
    [TAKE_LATE] = { "block_take_late", 4,
        "DELETE FROM reading_late WHERE tenant_id = $1 AND channel_id = ANY($2::int8[])"
        " AND ts >= $3 AND ts < $4 RETURNING channel_id, ts, mantissa, exponent, quality" },
    [FETCH] = { "block_fetch", 3,
        "SELECT b.channel_id, b.data FROM unnest($2::int8[], $3::timestamptz[]) AS u(channel_id, span_start)"
        " JOIN reading_block b ON b.tenant_id = $1 AND b.channel_id = u.channel_id"
        " AND b.span_start = u.span_start" },
    [UPSERT] = { "block_upsert", 6,
        "INSERT INTO reading_block (tenant_id, channel_id, span_start, n, span, data)"
        " SELECT $1, u.channel_id, u.span_start, u.n, u.span, u.data"
        " FROM unnest($2::int8[], $3::timestamptz[], $4::int4[], $5::int2[], $6::bytea[])"
        " AS u(channel_id, span_start, n, span, data)"
        " ON CONFLICT (tenant_id, channel_id, span_start)"
        " DO UPDATE SET n = excluded.n, span = excluded.span, data = excluded.data" },
    [CONFLICT] = { "block_conflict", 10,
        "INSERT INTO reading_conflict (tenant_id, channel_id, ts, mantissa, exponent, quality,"
        " kept_mantissa, kept_exponent, kept_quality, seen_at)"
        " SELECT $1, u.channel_id, u.ts, u.mantissa, u.exponent, u.quality, u.km, u.ke, u.kq, $10::timestamptz"
        " FROM unnest($2::int8[], $3::timestamptz[], $4::int8[], $5::int2[], $6::int2[], $7::int8[], $8::int2[],"
        " $9::int2[]) AS u(channel_id, ts, mantissa, exponent, quality, km, ke, kq) ON CONFLICT DO NOTHING" },
    /* Who corrects a value notes its predecessor himself; then there is nothing to add. */
    [HISTORY] = { "block_history", 7,
        "INSERT INTO reading_history (tenant_id, channel_id, ts, replaced_at, mantissa, exponent, quality,"
        " replaced_by, reason)"
        " SELECT $1, u.channel_id, u.ts, $7::timestamptz, u.mantissa, u.exponent, u.quality, '', 'higher rank'"
        " FROM unnest($2::int8[], $3::timestamptz[], $4::int8[], $5::int2[], $6::int2[])"
        " AS u(channel_id, ts, mantissa, exponent, quality)"
        " WHERE NOT EXISTS (SELECT FROM reading_history h WHERE h.tenant_id = $1 AND h.channel_id = u.channel_id"
        " AND h.ts = u.ts AND h.mantissa = u.mantissa AND h.exponent = u.exponent AND h.quality = u.quality)"
        " ON CONFLICT DO NOTHING" },
    [PARTITION] = { "block_partition", 1, "SELECT block_partition_ensure($1::timestamptz)" },
    [PARTITIONS_DROP] = { "reading_partitions_drop", 2,
        "SELECT reading_partitions_drop($1::timestamptz, $2::int4)" },
    /* Spans of a channel never overlap: a day has a block of its own, or its month has one. */
    [DAYS_ASK] = { "block_days_ask", 5,
        "SELECT u.channel_id, u.day, b.data, u.whole AND (EXISTS (SELECT FROM reading r"
        "  WHERE r.tenant_id = $1 AND r.channel_id = u.channel_id AND r.ts >= u.day"
        "   AND r.ts < u.day + interval '24 hours' OFFSET 0)"
        "  OR EXISTS (SELECT FROM reading_late l WHERE l.tenant_id = $1 AND l.channel_id = u.channel_id"
        "   AND l.ts >= u.day AND l.ts < u.day + interval '24 hours' OFFSET 0)) AS has_rows"
        " FROM (SELECT unnest($2::int8[]) AS channel_id, unnest($3::timestamptz[]) AS day,"
        "  unnest($4::timestamptz[]) AS month, unnest($5::bool[]) AS whole OFFSET 0) AS u"
        " LEFT JOIN LATERAL (SELECT d.data FROM reading_block d WHERE d.tenant_id = $1"
        "   AND d.channel_id = u.channel_id AND d.span_start = u.day AND d.span = 0"
        "  UNION ALL SELECT m.data FROM reading_block m WHERE m.tenant_id = $1"
        "   AND m.channel_id = u.channel_id AND m.span_start = u.month AND m.span = 1"
        "  LIMIT 1) AS b ON true" },
    [DAYS_WRITE] = { "block_days_write", 6,
        "INSERT INTO reading_block (tenant_id, channel_id, span_start, n, span, data)"
        " SELECT $1, u.channel_id, u.day, u.n, 0, u.data"
        " FROM (SELECT unnest($2::int8[]) AS channel_id, unnest($3::timestamptz[]) AS day,"
        "  unnest($4::timestamptz[]) AS month, unnest($5::int4[]) AS n, unnest($6::bytea[]) AS data"
        "  OFFSET 0) AS u"
        " WHERE NOT EXISTS (SELECT FROM reading_block b WHERE b.tenant_id = $1"
        "   AND b.channel_id = u.channel_id AND b.span_start = u.month AND b.span = 1 OFFSET 0)"
        "  AND NOT EXISTS (SELECT FROM reading r WHERE r.tenant_id = $1 AND r.channel_id = u.channel_id"
        "   AND r.ts >= u.day AND r.ts < u.day + interval '24 hours' OFFSET 0)"
        "  AND NOT EXISTS (SELECT FROM reading_late l WHERE l.tenant_id = $1 AND l.channel_id = u.channel_id"
        "   AND l.ts >= u.day AND l.ts < u.day + interval '24 hours' OFFSET 0)"
        " ON CONFLICT (tenant_id, channel_id, span_start) DO NOTHING" },
};
/* clang-format on */

const struct store_statement *block_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

enum emt_err block_closed(struct store *s, int32_t tenant, emt_time now, emt_time *closed)
{
    struct store_param p;
    int64_t days;

    p_int4(&p, tenant);
    enum emt_err err = store_run_number(s, &statements[CLOSED], &p, &days);
    if (err == EMT_OK)
        *closed = block_day_of(now) - days * EMT_DAY;
    return err;
}

enum emt_err block_next_month(struct store *s, int32_t tenant, emt_time from, emt_time closed,
                              emt_time *out)
{
    struct store_param p[3];
    struct store_result *r;

    *out = EMT_TIME_NONE;
    p_int4(&p[0], tenant);
    p_time(&p[1], from);
    p_time(&p[2], closed);
    enum emt_err err = store_run_row(s, &statements[NEXT_MONTH], p, &r);
    if (err != EMT_OK)
        return err;
    if (!c_null(r, 0, 0))
        *out = block_month_of(c_time(r, 0, 0));
    store_result_free(r);
    return EMT_OK;
}

enum emt_err reading_partitions_drop(struct store *s, emt_time now, int32_t hot_days,
                                     int64_t *dropped)
{
    struct store_param p[2];

    p_time(&p[0], now);
    p_int4(&p[1], hot_days);
    return store_run_number(s, &statements[PARTITIONS_DROP], p, dropped);
}

/* ---- one piece of work: some channels, one month ---- */

struct channel_work {
    int64_t channel;
    int64_t rows, days; /* from the first to the last, with those that have none */
    bool by_month, has_blocks;
};

struct work {
    struct store *s;
    int32_t tenant;
    emt_time now, month, from, to;
    struct channel_work *list;
    size_t n;
    struct store_array *ids; /* of the list */
    struct block_merge merge;
    int64_t rows;
};

static bool work_init(struct work *w)
{
    w->ids = store_array_new(STORE_INT8);
    return block_merge_init(&w->merge) && w->ids != NULL;
}

static void work_release(struct work *w)
{
    store_array_free(w->ids);
    block_merge_release(&w->merge);
}

/* Binary search: the list ascends. */
static struct channel_work *work_find(const struct work *w, int64_t channel)
{
    size_t lo = 0, hi = w->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (w->list[mid].channel < channel)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < w->n && w->list[lo].channel == channel ? &w->list[lo] : NULL;
}

static bool work_fill_ids(struct work *w)
{
    bool ok = true;

    store_array_clear(w->ids);
    for (size_t i = 0; ok && i < w->n; i++)
        ok = store_array_int(w->ids, w->list[i].channel);
    return ok;
}

/* Waits for other writers of these channels' blocks, and keeps them out. */
static enum emt_err lock_channels(struct work *w)
{
    struct store_param p[2];

    if (!work_fill_ids(w))
        return EMT_ENOMEM;
    p_int4(&p[0], w->tenant);
    p_array(&p[1], w->ids);
    return store_run(w->s, &statements[CHANNEL_LOCK], p, NULL);
}

static void range_params(struct work *w, struct store_param p[4], emt_time from, emt_time to)
{
    p_int4(&p[0], w->tenant);
    p_array(&p[1], w->ids);
    p_time(&p[2], from);
    p_time(&p[3], to);
}

/* What stands decides; without anything the density does. */
static enum emt_err choose_spans(struct work *w)
{
    struct store_param p[4];
    struct store_result *r;

    range_params(w, p, w->month, block_month_after(w->month));
    enum emt_err err = store_run(w->s, &statements[KINDS], p, &r);
    if (err != EMT_OK)
        return err;
    for (size_t i = 0; i < w->n; i++)
        w->list[i].by_month = w->list[i].rows < BLOCK_DAY_VALUES * w->list[i].days;
    for (int i = 0; i < store_rows(r); i++) {
        struct channel_work *c = work_find(w, c_int(r, i, 0));

        if (c != NULL) {
            c->has_blocks = true;
            c->by_month = c_int(r, i, 1) == 1;
        }
    }
    store_result_free(r);
    return EMT_OK;
}

static enum emt_err take_rows(struct work *w, unsigned statement, enum block_place place)
{
    struct store_param p[4];
    struct store_result *r;

    range_params(w, p, w->from, w->to);
    enum emt_err err = store_run(w->s, &statements[statement], p, &r);
    if (err != EMT_OK)
        return err;
    w->rows += store_rows(r);
    for (int i = 0; err == EMT_OK && i < store_rows(r); i++) {
        struct block_value v = { c_time(r, i, 1), c_int(r, i, 2), (int16_t)c_int(r, i, 3),
                                 (int16_t)c_int(r, i, 4) };

        err = block_merge_add(&w->merge, c_int(r, i, 0), &v, place);
    }
    store_result_free(r);
    return err;
}

static bool note_spans(struct work *w, struct store_array *ids, struct store_array *starts)
{
    int64_t channel = 0;
    emt_time last = EMT_TIME_NONE;

    for (size_t i = 0; i < w->merge.n; i++) {
        const struct block_item *it = &w->merge.items[i];
        const struct channel_work *c = work_find(w, it->channel);
        emt_time start = c && c->by_month ? w->month : block_day_of(it->v.ts);

        if (!c || !c->has_blocks || (it->channel == channel && start == last))
            continue;
        channel = it->channel;
        last = start;
        if (!store_array_int(ids, channel) || !store_array_time(starts, start))
            return false;
    }
    return true;
}

/* The blocks that the rows taken belong to. */
static enum emt_err fetch_blocks(struct work *w)
{
    struct store_array *ids = store_array_new(STORE_INT8);
    struct store_array *starts = store_array_new(STORE_TIME);
    struct store_result *r = NULL;
    struct store_param p[3];
    enum emt_err err = EMT_ENOMEM;

    if (ids && starts && note_spans(w, ids, starts)) {
        p_int4(&p[0], w->tenant);
        p_array(&p[1], ids);
        p_array(&p[2], starts);
        err = store_array_count(ids) ? store_run(w->s, &statements[FETCH], p, &r) : EMT_OK;
    }
    for (int i = 0; err == EMT_OK && r && i < store_rows(r); i++) {
        size_t len;
        const uint8_t *data = c_bytes(r, i, 1, &len);

        err = block_merge_add_block(&w->merge, c_int(r, i, 0), data, len);
    }
    store_result_free(r);
    store_array_free(ids);
    store_array_free(starts);
    return err;
}

static enum emt_err pack_channels(struct work *w)
{
    const struct block_item *it = w->merge.items;
    enum emt_err err = EMT_OK;

    for (size_t from = 0, to = 0; err == EMT_OK && from < w->merge.n; from = to) {
        const struct channel_work *c = work_find(w, it[from].channel);

        while (to < w->merge.n && it[to].channel == it[from].channel)
            to++;
        err = block_merge_pack(&w->merge, from, to, c && c->by_month);
    }
    return err;
}

static enum emt_err run_rows(struct work *w, unsigned statement, struct store_rows *rows,
                             int64_t *touched)
{
    struct store_param p[STORE_ROWS_COLUMNS + 2];
    struct store_result *r;
    unsigned n = 0;

    if (store_rows_count(rows) == 0)
        return EMT_OK;
    p_int4(&p[n++], w->tenant);
    for (unsigned i = 0; i < rows->n; i++)
        p_array(&p[n++], rows->column[i]);
    p_time(&p[n], w->now); /* where the statement has one more */
    enum emt_err err = store_run(w->s, &statements[statement], p, &r);
    if (err != EMT_OK)
        return err;
    if (touched)
        *touched += store_affected(r);
    store_result_free(r);
    return EMT_OK;
}

/* From what was collected to what stands. */
static enum emt_err write_blocks(struct work *w, struct block_counts *counts)
{
    struct store_param p;
    int64_t conflicts = 0;

    block_merge_sort(&w->merge);
    enum emt_err err = fetch_blocks(w);
    block_merge_sort(&w->merge);
    if (err == EMT_OK)
        err = pack_channels(w);
    if (err == EMT_OK && w->merge.written) {
        p_time(&p, w->month);
        err = store_run(w->s, &statements[PARTITION], &p, NULL);
    }
    if (err == EMT_OK)
        err = run_rows(w, UPSERT, &w->merge.blocks, NULL);
    if (err == EMT_OK)
        err = run_rows(w, CONFLICT, &w->merge.conflicts, &conflicts);
    if (err == EMT_OK)
        err = run_rows(w, HISTORY, &w->merge.history, NULL);
    counts->rows += w->rows;
    counts->blocks += w->merge.written;
    counts->conflicts += conflicts;
    return err;
}

/* ---- compaction ---- */

/* Which channels are next: into w->list, at most BLOCK_LOT_ROWS rows. *last: none behind them. */
struct lot_end {
    int64_t last;    /* channel that was looked at, 0: none */
    int64_t rows;    /* of the first that has some */
    size_t channels; /* that have rows */
    emt_time to;
    bool by_day, none_behind;
};

static int64_t lot_limit(const struct block_lot *lot)
{
    if (lot->single || lot->from)
        return 1;
    return lot->width ? lot->width : LOT_FIRST;
}

/* Which channels are next: into w->list those with rows, at most BLOCK_LOT_ROWS of them. */
static enum emt_err plan_lot(struct work *w, struct block_lot *lot, struct lot_end *end)
{
    int64_t limit = lot_limit(lot), rows = 0;
    struct store_param p[5];
    struct store_result *r;
    int i;

    p_int4(&p[0], w->tenant);
    p_int8(&p[1], lot->after);
    p_time(&p[2], w->from);
    p_time(&p[3], w->to);
    p_int8(&p[4], limit);
    enum emt_err err = store_run(w->s, &statements[COUNTS], p, &r);
    if (err != EMT_OK)
        return err;
    for (i = 0; i < store_rows(r); i++) {
        rows += c_int(r, i, 1);
        if (w->n > 0 && rows > BLOCK_LOT_ROWS)
            break;
        end->last = c_int(r, i, 0);
        if (c_int(r, i, 1) == 0)
            continue;
        emt_time first = block_day_of(c_time(r, i, 2)), until = block_day_of(c_time(r, i, 3));
        w->list[w->n++] = (struct channel_work){ .channel = end->last,
                                                 .rows = c_int(r, i, 1),
                                                 .days = (until - first) / EMT_DAY + 1 };
        if (w->n == 1 && rows > BLOCK_LOT_ROWS) { /* alone, and day by day */
            w->from = first;
            w->to = first + EMT_DAY < w->to ? first + EMT_DAY : w->to;
            end->by_day = true;
            i++;
            break;
        }
    }
    end->none_behind = i == store_rows(r) && i < limit;
    if (limit > 1) /* what is counted and not taken is counted again */
        lot->width = i < LOT_CHANNELS / 2 ? i + i / 2 + 2 : LOT_CHANNELS;
    store_result_free(r);
    end->to = w->to;
    end->rows = w->n ? w->list[0].rows : 0;
    end->channels = w->n;
    return EMT_OK;
}

/* Channels that wait for the end of their month leave the list. */
static void drop_waiting(struct work *w, emt_time closed)
{
    size_t kept = 0;

    if (block_month_after(w->month) <= closed)
        return;
    for (size_t i = 0; i < w->n; i++) {
        if (!w->list[i].by_month || w->list[i].has_blocks)
            w->list[kept++] = w->list[i];
    }
    w->n = kept;
}

static enum emt_err compact_channels(struct work *w, emt_time closed, struct block_counts *counts)
{
    enum emt_err err = lock_channels(w);

    if (err == EMT_OK)
        err = choose_spans(w);
    if (err != EMT_OK)
        return err;
    drop_waiting(w, closed);
    if (w->n == 0)
        return EMT_OK;
    if (!work_fill_ids(w))
        return EMT_ENOMEM;
    err = take_rows(w, TAKE, PLACE_ROW);
    if (err == EMT_OK)
        err = take_rows(w, TAKE_LATE, PLACE_LATE);
    return err == EMT_OK ? write_blocks(w, counts) : err;
}

static enum emt_err compact_once(struct work *w, struct block_lot *lot, struct lot_end *end,
                                 struct block_counts *counts)
{
    enum emt_err err = store_run(w->s, &statements[PLANS_BY_KEY], NULL, NULL);

    if (err == EMT_OK)
        err = plan_lot(w, lot, end);
    return err == EMT_OK && w->n > 0 ? compact_channels(w, lot->closed, counts) : err;
}

static void step_on(struct block_lot *lot, const struct lot_end *end)
{
    if (end->by_day && end->to < lot->closed && end->to < block_month_after(lot->month)) {
        lot->after = end->last - 1; /* the same channel, its next days */
        lot->from = end->to;
    } else {
        lot->from = 0;
        lot->after = end->last ? end->last : lot->after;
        lot->done = end->none_behind;
    }
    lot->single = false;
}

/* Something about the values themselves, not about the moment. */
static bool is_hopeless(enum emt_err err)
{
    return emt_err_class(err) == EMT_CLASS_REJECT || emt_err_class(err) == EMT_CLASS_REFUSE;
}

enum emt_err block_compact(struct store *s, int32_t tenant, struct block_lot *lot, emt_time now,
                           struct block_counts *counts)
{
    struct channel_work list[LOT_CHANNELS];
    emt_time month_end = block_month_after(lot->month);
    struct work w = { .s = s,
                      .tenant = tenant,
                      .now = now,
                      .month = lot->month,
                      .from = lot->from ? lot->from : lot->month,
                      .to = month_end < lot->closed ? month_end : lot->closed,
                      .list = list };
    struct block_counts got = { 0 };
    struct lot_end end = { 0 };
    enum emt_err err = work_init(&w) ? store_begin(s, tenant) : EMT_ENOMEM;

    if (err == EMT_OK) {
        err = compact_once(&w, lot, &end, &got);
        if (err == EMT_OK)
            err = store_commit(s);
        if (err != EMT_OK && !store_is_broken(s))
            store_rollback(s);
    }
    work_release(&w);
    if (err == EMT_OK) {
        counts->rows += got.rows;
        counts->blocks += got.blocks;
        counts->conflicts += got.conflicts;
        step_on(lot, &end);
    } else if (is_hopeless(err) && end.channels) {
        err = EMT_OK;
        if (!lot->single && end.channels > 1) {
            lot->single = true; /* find out which of them it is */
        } else {
            counts->skipped += end.rows;
            step_on(lot, &end);
        }
    }
    return err;
}

/* ---- whole days ---- */

static bool ascend(const struct block_row *rows, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        if (rows[i].channel < rows[i - 1].channel ||
            (rows[i].channel == rows[i - 1].channel && rows[i].v.ts <= rows[i - 1].v.ts))
            return false;
    }
    return true;
}

/* Rows of w->month into merge and list; the first month behind it that has rows, too. */
static enum emt_err gather(struct work *w, const struct block_row *rows, size_t n, emt_time *next)
{
    enum emt_err err = EMT_OK;
    emt_time day = EMT_TIME_NONE;

    *next = INT64_MAX;
    for (size_t i = 0; err == EMT_OK && i < n; i++) {
        const struct block_row *r = &rows[i];

        if (r->v.ts >= w->to && r->v.ts < *next)
            *next = r->v.ts;
        if (r->v.ts < w->from || r->v.ts >= w->to)
            continue;
        if (w->n == 0 || w->list[w->n - 1].channel != r->channel) {
            w->list[w->n++] = (struct channel_work){ .channel = r->channel };
            day = EMT_TIME_NONE;
        }
        struct channel_work *c = &w->list[w->n - 1];
        c->rows++;
        if (day == EMT_TIME_NONE || r->v.ts - day >= EMT_DAY) {
            day = block_day_of(r->v.ts);
            c->days++;
        }
        err = block_merge_add(&w->merge, r->channel, &r->v, PLACE_LATE);
    }
    return err;
}

static enum emt_err deliver_month(struct work *w, const struct block_row *rows, size_t n,
                                  emt_time *next, struct block_counts *counts)
{
    w->to = block_month_after(w->month);
    w->from = w->month;
    w->n = 0;
    w->rows = 0;
    block_merge_clear(&w->merge);
    enum emt_err err = gather(w, rows, n, next);
    if (err == EMT_OK && w->n > 0)
        err = lock_channels(w);
    if (err == EMT_OK && w->n > 0)
        err = choose_spans(w);
    return err == EMT_OK && w->n > 0 ? write_blocks(w, counts) : err;
}

enum emt_err block_deliver(struct store *s, int32_t tenant, const struct block_row *rows, size_t n,
                           emt_time now, struct block_counts *counts)
{
    struct work w = { .s = s, .tenant = tenant, .now = now };
    emt_time next = INT64_MAX;
    enum emt_err err = EMT_OK;

    if (!ascend(rows, n))
        return EMT_EMALFORMED;
    for (size_t i = 0; i < n; i++) {
        if (rows[i].v.ts < 0 || rows[i].v.ts > now + AHEAD_MOST)
            return EMT_ELIMIT;
        next = rows[i].v.ts < next ? rows[i].v.ts : next;
    }
    w.list = n ? calloc(n, sizeof *w.list) : NULL;
    if (!work_init(&w) || (n && !w.list))
        err = EMT_ENOMEM;
    while (err == EMT_OK && n > 0 && next != INT64_MAX) {
        w.month = block_month_of(next);
        err = deliver_month(&w, rows, n, &next, counts);
    }
    work_release(&w);
    free(w.list);
    return err;
}

/* ---- from a pipeline ---- */

bool block_ask_rows_init(struct store_rows *r)
{
    static const enum store_type types[] = { STORE_INT8, STORE_TIME, STORE_TIME, STORE_BOOL };

    return store_rows_init(r, types, 4);
}

bool block_ask_rows_add(struct store_rows *r, const struct block_ask *a)
{
    return store_array_int(r->column[0], a->channel) && store_array_time(r->column[1], a->day) &&
           store_array_time(r->column[2], block_month_of(a->day)) &&
           store_array_int(r->column[3], a->whole);
}

enum emt_err block_ask_send(struct store *s, int32_t tenant, struct store_rows *r, store_done *done,
                            void *ctx)
{
    return store_rows_send(s, &statements[DAYS_ASK], tenant, r, 0, done, ctx);
}

enum emt_err block_lock_send(struct store *s, int32_t tenant, struct store_array *channels,
                             store_done *done, void *ctx)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_array(&p[1], channels);
    return store_send(s, &statements[CHANNEL_LOCK], p, done, ctx);
}

bool block_day_rows_init(struct store_rows *r)
{
    static const enum store_type types[] = { STORE_INT8, STORE_TIME, STORE_TIME, STORE_INT4,
                                             STORE_BYTES };

    return store_rows_init(r, types, 5);
}

bool block_day_rows_add(struct store_rows *r, int64_t channel, emt_time day, size_t values,
                        const void *data, size_t len)
{
    return store_array_int(r->column[0], channel) && store_array_time(r->column[1], day) &&
           store_array_time(r->column[2], block_month_of(day)) &&
           store_array_int(r->column[3], (int64_t)values) &&
           store_array_bytes(r->column[4], data, len);
}

enum emt_err block_day_send(struct store *s, int32_t tenant, struct store_rows *r, store_done *done,
                            void *ctx)
{
    return store_rows_send(s, &statements[DAYS_WRITE], tenant, r, 0, done, ctx);
}

bool block_loser_rows_init(struct store_rows *r)
{
    static const enum store_type types[] = { STORE_INT8, STORE_TIME, STORE_INT8, STORE_INT2,
                                             STORE_INT2, STORE_INT8, STORE_INT2, STORE_INT2 };

    return store_rows_init(r, types, 8);
}

bool block_loser_rows_add(struct store_rows *r, const struct block_loser *l)
{
    return store_array_int(r->column[0], l->channel) &&
           store_array_time(r->column[1], l->lost.ts) &&
           store_array_int(r->column[2], l->lost.mantissa) &&
           store_array_int(r->column[3], l->lost.exponent) &&
           store_array_int(r->column[4], l->lost.quality) &&
           store_array_int(r->column[5], l->kept.mantissa) &&
           store_array_int(r->column[6], l->kept.exponent) &&
           store_array_int(r->column[7], l->kept.quality);
}

enum emt_err block_loser_send(struct store *s, int32_t tenant, struct store_rows *r,
                              emt_time seen_at, store_done *done, void *ctx)
{
    return store_rows_send(s, &statements[CONFLICT], tenant, r, seen_at, done, ctx);
}
