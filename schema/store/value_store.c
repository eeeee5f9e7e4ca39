/* At each time of a change the value stands in up to three places: readers take the highest rank.
 * Afterwards it stands in one: in its block where the block has the time already, else in the row
 * that is there, else as a new row. */
#include "store/value_store.h"

#include "base/writer.h"
#include "model/decimal.h"
#include "model/quality.h"
#include "store/block_store.h"
#include "store/store_rows.h"

#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum {
    LOCK,
    ROWS,
    LATE,
    LOOK_ROWS,
    LOOK_LATE,
    BLOCKS,
    ROWS_DELETE,
    LATE_DELETE,
    ROWS_UPDATE,
    LATE_UPDATE,
    ROWS_INSERT,
    LATE_INSERT,
    BLOCK_UPDATE,
    BLOCK_DELETE,
    HISTORY,
    STATEMENTS
};

#define AT_TIMES                                                                                   \
    " WHERE tenant_id = $1 AND channel_id = $2 AND ts = ANY($3::timestamptz[])"                    \
    " AND ts >= $4 AND ts <= $5"
#define VALUES                                                                                     \
    " FROM unnest($3::timestamptz[], $4::int8[], $5::int2[], $6::int2[])"                          \
    " AS u(ts, mantissa, exponent, quality)"
#define SET_VALUE " SET mantissa = u.mantissa, exponent = u.exponent, quality = u.quality"

/* clang-format off */
static const struct store_statement statements[STATEMENTS] = {
    [LOCK] = { "value_channel_lock", 2,
        "SELECT channel_id FROM channel WHERE tenant_id = $1 AND channel_id = $2 FOR NO KEY UPDATE" },
    [ROWS] = { "value_rows", 5,
        "SELECT ts, mantissa, exponent, quality FROM reading" AT_TIMES " ORDER BY ts FOR UPDATE" },
    [LATE] = { "value_late", 5,
        "SELECT ts, mantissa, exponent, quality FROM reading_late" AT_TIMES " ORDER BY ts FOR UPDATE" },
    [LOOK_ROWS] = { "value_look_rows", 5,
        "SELECT ts, mantissa, exponent, quality FROM reading" AT_TIMES },
    [LOOK_LATE] = { "value_look_late", 5,
        "SELECT ts, mantissa, exponent, quality FROM reading_late" AT_TIMES },
    [BLOCKS] = { "value_blocks", 3,
        "SELECT span_start, span, data FROM reading_block"
        " WHERE tenant_id = $1 AND channel_id = $2 AND span_start = ANY($3::timestamptz[])"
        " ORDER BY span_start" },
    [ROWS_DELETE] = { "value_rows_delete", 5, "DELETE FROM reading" AT_TIMES },
    [LATE_DELETE] = { "value_late_delete", 5, "DELETE FROM reading_late" AT_TIMES },
    [ROWS_UPDATE] = { "value_rows_update", 6,
        "UPDATE reading r" SET_VALUE VALUES " WHERE r.tenant_id = $1 AND r.channel_id = $2 AND r.ts = u.ts" },
    [LATE_UPDATE] = { "value_late_update", 6,
        "UPDATE reading_late r" SET_VALUE VALUES " WHERE r.tenant_id = $1 AND r.channel_id = $2 AND r.ts = u.ts" },
    [ROWS_INSERT] = { "value_rows_insert", 6,
        "INSERT INTO reading (tenant_id, channel_id, ts, mantissa, exponent, quality)"
        " SELECT $1, $2::int8, u.ts, u.mantissa, u.exponent, u.quality" VALUES
        " JOIN storage_window w ON u.ts >= w.hot_from AND u.ts < w.hot_to ON CONFLICT DO NOTHING" },
    [LATE_INSERT] = { "value_late_insert", 7,
        "INSERT INTO reading_late (tenant_id, channel_id, ts, mantissa, exponent, quality, received_at)"
        " SELECT $1, $2::int8, u.ts, u.mantissa, u.exponent, u.quality, $7::timestamptz" VALUES
        " LEFT JOIN storage_window w ON u.ts >= w.hot_from AND u.ts < w.hot_to"
        " WHERE w.one IS NULL ON CONFLICT DO NOTHING" },
    [BLOCK_UPDATE] = { "value_block_update", 5,
        "UPDATE reading_block SET n = $4::int4, data = $5::bytea"
        " WHERE tenant_id = $1 AND channel_id = $2 AND span_start = $3" },
    [BLOCK_DELETE] = { "value_block_delete", 3,
        "DELETE FROM reading_block WHERE tenant_id = $1 AND channel_id = $2 AND span_start = $3" },
    /* A time twice within a microsecond: the first predecessor is the one that stood. */
    [HISTORY] = { "value_history", 9,
        "INSERT INTO reading_history (tenant_id, channel_id, ts, replaced_at, mantissa, exponent, quality,"
        " replaced_by, reason)"
        " SELECT $1, $2::int8, u.ts, $8::timestamptz, u.mantissa, u.exponent, u.quality, $9::text, u.reason"
        " FROM unnest($3::timestamptz[], $4::int8[], $5::int2[], $6::int2[], $7::text[])"
        " AS u(ts, mantissa, exponent, quality, reason) ON CONFLICT DO NOTHING" },
};
/* clang-format on */

const struct store_statement *value_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

/* Where the time of a change has a value. */
enum { IN_BLOCK = 1, IN_ROW = 2, IN_LATE = 4 };

struct call {
    struct store *s;
    int32_t tenant;
    int64_t channel;
    struct value_change *changes;
    uint8_t *places;
    size_t n;
    const struct value_who *who;
    struct store_array *times; /* of all changes, then of those that a statement is about */
    struct store_rows rows;    /* ts, mantissa, exponent, quality */
    struct store_rows history; /* … and reason */
    struct store_result *blocks;
};

static bool call_init(struct call *c)
{
    static const enum store_type types[] = { STORE_TIME, STORE_INT8, STORE_INT2, STORE_INT2,
                                             STORE_TEXT };

    c->places = calloc(c->n ? c->n : 1, 1);
    c->times = store_array_new(STORE_TIME);
    bool ok = store_rows_init(&c->rows, types, 4);
    return store_rows_init(&c->history, types, 5) && ok && c->places != NULL && c->times != NULL;
}

static void call_release(struct call *c)
{
    free(c->places);
    store_array_free(c->times);
    store_rows_release(&c->rows);
    store_rows_release(&c->history);
    store_result_free(c->blocks);
}

/* ---- what stands ---- */

/* The change of a time; NULL: none. */
static struct value_change *find(const struct call *c, emt_time ts)
{
    size_t lo = 0, hi = c->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (c->changes[mid].v.ts < ts)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < c->n && c->changes[lo].v.ts == ts ? &c->changes[lo] : NULL;
}

/* Called in the order of places: at equal rank the earlier one stands. */
static void offer(struct call *c, const struct block_value *v, unsigned place)
{
    struct value_change *change = find(c, v->ts);

    if (change == NULL)
        return;
    c->places[change - c->changes] |= (uint8_t)place;
    if (change->had &&
        quality_stored_rank(v->quality) <= quality_stored_rank(change->before.quality))
        return;
    change->had = true;
    change->before = *v;
}

static bool add_starts(const struct call *c, struct store_array *starts)
{
    emt_time day = EMT_TIME_NONE, month = EMT_TIME_NONE;

    for (size_t i = 0; i < c->n; i++) {
        emt_time d = block_day_of(c->changes[i].v.ts), m = block_month_of(c->changes[i].v.ts);

        if (m != month && m != d && !store_array_time(starts, m))
            return false;
        if (d != day && !store_array_time(starts, d))
            return false;
        day = d;
        month = m;
    }
    return true;
}

static enum emt_err read_blocks(struct call *c)
{
    struct store_array *starts = store_array_new(STORE_TIME);
    struct store_param p[3];
    enum emt_err err = EMT_ENOMEM;

    if (starts != NULL && add_starts(c, starts)) {
        p_int4(&p[0], c->tenant);
        p_int8(&p[1], c->channel);
        p_array(&p[2], starts);
        err = store_run(c->s, &statements[BLOCKS], p, &c->blocks);
    }
    store_array_free(starts);
    for (int i = 0; err == EMT_OK && i < store_rows(c->blocks); i++) {
        struct block_value lot[BLOCK_GROUP];
        struct block_cursor cursor;
        size_t len, n = 1;
        const uint8_t *data = c_bytes(c->blocks, i, 2, &len);

        err = block_open(&cursor, data, len);
        while (err == EMT_OK && n > 0) {
            err = block_next(&cursor, lot, &n);
            for (size_t k = 0; err == EMT_OK && k < n; k++)
                offer(c, &lot[k], IN_BLOCK);
        }
    }
    return err;
}

static void time_params(const struct call *c, struct store_param p[5])
{
    p_int4(&p[0], c->tenant);
    p_int8(&p[1], c->channel);
    p_array(&p[2], c->times);
    p_time(&p[3], c->changes[0].v.ts);
    p_time(&p[4], c->changes[c->n - 1].v.ts);
}

static enum emt_err read_rows(struct call *c, unsigned statement, unsigned place)
{
    struct store_param p[5];
    struct store_result *r;

    time_params(c, p);
    enum emt_err err = store_run(c->s, &statements[statement], p, &r);
    if (err != EMT_OK)
        return err;
    for (int i = 0; i < store_rows(r); i++) {
        struct block_value v = { c_time(r, i, 0), c_int(r, i, 1), (int16_t)c_int(r, i, 2),
                                 (int16_t)c_int(r, i, 3) };

        offer(c, &v, place);
    }
    store_result_free(r);
    return EMT_OK;
}

static enum emt_err lock_channel(struct call *c)
{
    struct store_param p[2];

    p_int4(&p[0], c->tenant);
    p_int8(&p[1], c->channel);
    return store_run_touch(c->s, &statements[LOCK], p);
}

static enum emt_err read_standing(struct call *c, unsigned rows, unsigned late)
{
    for (size_t i = 0; i < c->n; i++) {
        if (!store_array_time(c->times, c->changes[i].v.ts))
            return EMT_ENOMEM;
    }
    enum emt_err err = read_blocks(c);
    if (err == EMT_OK)
        err = read_rows(c, rows, IN_ROW);
    return err == EMT_OK ? read_rows(c, late, IN_LATE) : err;
}

/* ---- deciding ---- */

static bool is_same(const struct block_value *a, const struct block_value *b)
{
    return a->quality == b->quality && decimal_compare(decimal_of(a->mantissa, a->exponent),
                                                       decimal_of(b->mantissa, b->exponent)) == 0;
}

/* Where the change does not say whose the time is, it is still that of what it replaces. */
static void keep_source(struct value_change *c)
{
    if (c->had && !c->remove && quality_stored_source(c->v.quality) == 0)
        c->v.quality = (int16_t)(c->v.quality | quality_stored_source(c->before.quality) * 256);
}

static enum value_outcome judge(const struct value_change *c, enum value_rule rule)
{
    if (!c->had)
        return c->remove ? VALUE_SAME : VALUE_WRITTEN;
    if (!c->remove && is_same(&c->v, &c->before))
        return VALUE_SAME;
    if (rule == VALUE_NOT_BY_HAND && (c->before.quality & QUALITY_BY_HAND))
        return VALUE_OUTRANKED;
    if (rule == VALUE_BY_RANK && !c->remove &&
        quality_stored_rank(c->v.quality) < quality_stored_rank(c->before.quality))
        return VALUE_OUTRANKED;
    return VALUE_WRITTEN;
}

/* ---- writing ---- */

/* Which place a change ends in; 0: in none. */
static unsigned home(const struct call *c, size_t i)
{
    unsigned places = c->places[i];

    if (c->changes[i].remove)
        return 0;
    return (places & IN_BLOCK) ? IN_BLOCK : (places & IN_ROW) ? IN_ROW : places & IN_LATE;
}

static bool is_written(const struct call *c, size_t i)
{
    return c->changes[i].outcome == VALUE_WRITTEN;
}

/* Rows of this place that are not the value's home. */
static enum emt_err delete_rows(struct call *c, unsigned statement, unsigned place)
{
    struct store_param p[5];

    store_array_clear(c->times);
    for (size_t i = 0; i < c->n; i++) {
        if (is_written(c, i) && (c->places[i] & place) && home(c, i) != place &&
            !store_array_time(c->times, c->changes[i].v.ts))
            return EMT_ENOMEM;
    }
    if (store_array_count(c->times) == 0)
        return EMT_OK;
    time_params(c, p);
    return store_run(c->s, &statements[statement], p, NULL);
}

static bool add_value(struct store_rows *rows, const struct block_value *v)
{
    struct store_array *const *column = rows->column;

    return store_array_time(column[0], v->ts) && store_array_int(column[1], v->mantissa) &&
           store_array_int(column[2], v->exponent) && store_array_int(column[3], v->quality);
}

/* Changes with this home, and none for those that are new everywhere. */
static enum emt_err fill_rows(struct call *c, unsigned place)
{
    store_rows_clear(&c->rows);
    for (size_t i = 0; i < c->n; i++) {
        bool here = place ? home(c, i) == place : !c->places[i] && !c->changes[i].remove;

        if (is_written(c, i) && here && !add_value(&c->rows, &c->changes[i].v))
            return EMT_ENOMEM;
    }
    return EMT_OK;
}

static enum emt_err run_rows(struct call *c, unsigned statement, int64_t *touched)
{
    struct store_param p[7];
    struct store_result *r;

    p_int4(&p[0], c->tenant);
    p_int8(&p[1], c->channel);
    for (unsigned i = 0; i < 4; i++)
        p_array(&p[2 + i], c->rows.column[i]);
    p_time(&p[6], c->who->at); /* where the statement has one more */
    enum emt_err err = store_run(c->s, &statements[statement], p, &r);
    if (err == EMT_OK) {
        *touched += store_affected(r);
        store_result_free(r);
    }
    return err;
}

static enum emt_err update_rows(struct call *c, unsigned statement, unsigned place)
{
    int64_t touched = 0;
    enum emt_err err = fill_rows(c, place);

    if (err != EMT_OK || store_rows_count(&c->rows) == 0)
        return err;
    return run_rows(c, statement, &touched);
}

/* Whoever was faster with a row at one of the times is to be looked at first. */
static enum emt_err insert_rows(struct call *c)
{
    int64_t touched = 0;
    enum emt_err err = fill_rows(c, 0);

    if (err != EMT_OK || store_rows_count(&c->rows) == 0)
        return err;
    err = run_rows(c, ROWS_INSERT, &touched);
    if (err == EMT_OK)
        err = run_rows(c, LATE_INSERT, &touched);
    if (err == EMT_OK && touched != (int64_t)store_rows_count(&c->rows))
        err = EMT_EAGAIN;
    return err;
}

/* ---- blocks ---- */

/* values[0..n) with the changes made that stand in this block; how many are left, *any: changed. */
static size_t edit(const struct call *c, struct block_value *values, size_t n, bool *any)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        const struct value_change *change = find(c, values[i].ts);

        if (change != NULL && change->outcome == VALUE_WRITTEN) {
            *any = true;
            if (change->remove)
                continue;
            values[kept++] = change->v;
        } else {
            values[kept++] = values[i];
        }
    }
    return kept;
}

static enum emt_err keep_block(struct call *c, emt_time start, const struct block_value *values,
                               size_t n)
{
    struct store_param p[5];
    struct writer packed;

    p_int4(&p[0], c->tenant);
    p_int8(&p[1], c->channel);
    p_time(&p[2], start);
    if (n == 0)
        return store_run_touch(c->s, &statements[BLOCK_DELETE], p);
    writer_init_heap(&packed, BLOCK_BYTES_MAX);
    enum emt_err err = block_encode(values, n, &packed);
    if (err == EMT_OK) {
        p_int4(&p[3], (int32_t)n);
        p_bytes(&p[4], packed.data, packed.len);
        err = store_run_touch(c->s, &statements[BLOCK_UPDATE], p);
    }
    writer_release(&packed);
    return err;
}

static enum emt_err write_block(struct call *c, int row)
{
    struct block_cursor cursor;
    size_t len, n = 0;
    const uint8_t *data = c_bytes(c->blocks, row, 2, &len);
    enum emt_err err = block_open(&cursor, data, len);
    struct block_value *values = NULL;
    bool any = false;

    if (err != EMT_OK)
        return err;
    values = calloc(cursor.count ? cursor.count : 1, sizeof *values);
    if (values == NULL)
        return EMT_ENOMEM;
    err = block_decode(data, len, values, cursor.count, &n);
    if (err == EMT_OK) {
        n = edit(c, values, n, &any);
        if (any)
            err = keep_block(c, c_time(c->blocks, row, 0), values, n);
    }
    free(values);
    return err;
}

static enum emt_err write_blocks(struct call *c)
{
    enum emt_err err = EMT_OK;

    for (int i = 0; err == EMT_OK && i < store_rows(c->blocks); i++)
        err = write_block(c, i);
    return err;
}

/* ---- predecessors ---- */

static enum emt_err write_history(struct call *c)
{
    struct store_param p[9];

    for (size_t i = 0; i < c->n; i++) {
        const struct value_change *change = &c->changes[i];

        if (!is_written(c, i) || !change->had)
            continue;
        if (!add_value(&c->history, &change->before) ||
            !store_array_text(c->history.column[4], change->reason ? change->reason : ""))
            return EMT_ENOMEM;
    }
    if (store_rows_count(&c->history) == 0)
        return EMT_OK;
    p_int4(&p[0], c->tenant);
    p_int8(&p[1], c->channel);
    for (unsigned i = 0; i < 5; i++)
        p_array(&p[2 + i], c->history.column[i]);
    p_time(&p[7], c->who->at);
    p_text(&p[8], c->who->by);
    return store_run(c->s, &statements[HISTORY], p, NULL);
}

static enum emt_err write_changes(struct call *c)
{
    enum emt_err err = delete_rows(c, ROWS_DELETE, IN_ROW);

    if (err == EMT_OK)
        err = delete_rows(c, LATE_DELETE, IN_LATE);
    if (err == EMT_OK)
        err = update_rows(c, ROWS_UPDATE, IN_ROW);
    if (err == EMT_OK)
        err = update_rows(c, LATE_UPDATE, IN_LATE);
    if (err == EMT_OK)
        err = insert_rows(c);
    if (err == EMT_OK)
        err = write_blocks(c);
    return err == EMT_OK ? write_history(c) : err;
}

static enum emt_err check_changes(struct value_change *changes, size_t n)
{
    if (n > VALUE_CHANGES_MAX)
        return EMT_ELIMIT;
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && changes[i].v.ts <= changes[i - 1].v.ts)
            return EMT_EMALFORMED;
        changes[i].had = false;
        changes[i].outcome = VALUE_SAME;
    }
    return EMT_OK;
}

enum emt_err value_look(struct store *s, int32_t tenant, int64_t channel,
                        struct value_change *changes, size_t n)
{
    struct call c = { .s = s, .tenant = tenant, .channel = channel, .changes = changes, .n = n };
    enum emt_err err = check_changes(changes, n);

    if (err != EMT_OK || n == 0)
        return err;
    err = call_init(&c) ? read_standing(&c, LOOK_ROWS, LOOK_LATE) : EMT_ENOMEM;
    call_release(&c);
    return err;
}

enum emt_err value_change(struct store *s, int32_t tenant, int64_t channel, enum value_rule rule,
                          struct value_change *changes, size_t n, const struct value_who *who)
{
    struct call c = {
        .s = s, .tenant = tenant, .channel = channel, .changes = changes, .n = n, .who = who
    };
    enum emt_err err = check_changes(changes, n);

    if (err != EMT_OK || n == 0)
        return err;
    err = call_init(&c) ? lock_channel(&c) : EMT_ENOMEM;
    if (err == EMT_OK)
        err = read_standing(&c, ROWS, LATE);
    for (size_t i = 0; err == EMT_OK && i < n; i++) {
        keep_source(&changes[i]);
        changes[i].outcome = judge(&changes[i], rule);
    }
    if (err == EMT_OK)
        err = write_changes(&c);
    call_release(&c);
    return err;
}
