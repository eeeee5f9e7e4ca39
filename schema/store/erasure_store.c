/* One channel or one pack per transaction: nobody waits long. Blocks are cut under the lock of
 * their channel's row, as everybody who writes blocks does. */
#include "store/erasure_store.h"

#include "base/writer.h"
#include "model/block.h"
#include "store/audit_store.h"
#include "store/raw_pack_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define PASSES_MOST 5
#define BLOCK_VALUES_FIRST 4096

const char *const erasure_kind_names[ERASED_KINDS + 1] = {
    "values", "packed_values", "texts",     "predecessors", "conflicts",     "corrections",
    "frames", "packed_frames", "telegrams", "events",       "read_attempts", NULL
};

enum {
    INSERT,
    JOB_SET,
    LIST,
    GET,
    STANDING,
    CHANNELS,
    DEVICES,
    CHANNEL_LOCK,
    VALUES,
    LATE,
    TEXTS,
    HISTORY,
    CONFLICTS,
    CORRECTIONS,
    COUNT_VALUES,
    BLOCKS,
    BLOCK_SET,
    BLOCK_DROP,
    FRAMES,
    TELEGRAMS,
    EVENTS,
    ATTEMPTS,
    COUNT_DEVICE,
    DIFFERENCES,
    ENDED,
    STATEMENTS
};

/* clang-format off */
#define COLUMNS \
    "SELECT e.erasure_id::text, e.erasure_id, e.location, e.erase_from, e.erase_until, e.reason, e.ordered_at," \
    " e.ordered_by, e.job_id, e.runs, e.ended_at, e.verified_at, e.counts::text FROM erasure e WHERE e.tenant_id = $1"
/* The channels of the location while they were bound to it, within the order's time. */
#define MINE \
    "WITH RECURSIVE mine AS (" \
    " SELECT b.channel_id, greatest(b.valid_from, e.erase_from) AS f, least(b.valid_to, e.erase_until) AS t" \
    " FROM erasure e JOIN location l ON l.tenant_id = $1 AND l.code = e.location" \
    " JOIN location_channel b ON b.tenant_id = $1 AND b.location_id = l.location_id" \
    " WHERE e.tenant_id = $1 AND e.erasure_id = $2" \
    "  AND greatest(b.valid_from, e.erase_from) < least(b.valid_to, e.erase_until)"
#define SPAN " AND ts >= $3::timestamptz AND ts < $4::timestamptz"
#define FROM_CHANNEL(table) "DELETE FROM " table " WHERE tenant_id = $1 AND channel_id = $2::int8" SPAN
#define COUNT(table) "(SELECT count(*) FROM " table " WHERE tenant_id = $1 AND channel_id = $2::int8" SPAN ")"
#define OF_DEVICE(table, time) \
    " " table " WHERE tenant_id = $1 AND device_id = $2::int8 AND " time " >= $3::timestamptz AND " time " < $4::timestamptz"

static const struct store_statement statements[STATEMENTS] = {
    [INSERT] = { "erasure_insert", 6,
        "INSERT INTO erasure (tenant_id, location, erase_from, erase_until, reason, ordered_by)"
        " SELECT $1, l.code, $3, $4, $5, $6 FROM location l WHERE l.tenant_id = $1 AND l.code = $2"
        " RETURNING erasure_id" },
    [JOB_SET] = { "erasure_job_set", 3,
        "UPDATE erasure SET job_id = $3 WHERE tenant_id = $1 AND erasure_id = $2" },
    [LIST] = { "erasure_list", 4,
        COLUMNS " AND ($2::text IS NULL OR e.location = $2) AND ($3::int8 = 0 OR e.erasure_id < $3)"
        " ORDER BY e.erasure_id DESC LIMIT $4" },
    [GET] = { "erasure_get", 2, COLUMNS " AND e.erasure_id = $2" },
    [STANDING] = { "erasure_standing", 2,
        "SELECT erasure_id FROM erasure WHERE tenant_id = $1 AND ordered_at > $2 AND runs > 0 ORDER BY 1" },
    /* With what is computed from them: a sum of one value is that value. */
    [CHANNELS] = { "erasure_channels", 2,
        MINE "), dep AS (SELECT channel_id, tstzrange(f, t) AS r FROM mine UNION"
        " SELECT k.channel_id, d.r FROM dep d JOIN calculated_channel k ON k.tenant_id = $1"
        "  AND k.inputs @> ARRAY[d.channel_id])"
        " SELECT d.channel_id, lower(x.r), upper(x.r) FROM (SELECT channel_id, range_agg(r) AS r FROM dep GROUP BY 1) d,"
        " unnest(d.r) AS x (r) ORDER BY 1, 2" },
    [DEVICES] = { "erasure_devices", 2,
        MINE ") SELECT d.device_id, lower(x.r), upper(x.r) FROM ("
        " SELECT c.device_id, range_agg(tstzrange(m.f, m.t)) AS r FROM mine m"
        " JOIN channel c ON c.tenant_id = $1 AND c.channel_id = m.channel_id"
        " WHERE NOT EXISTS (SELECT FROM calculation k WHERE k.tenant_id = $1 AND k.channel_id = m.channel_id)"
        " GROUP BY 1) d, unnest(d.r) AS x (r) ORDER BY 1, 2" },
    [CHANNEL_LOCK] = { "erasure_channel_lock", 2,
        "SELECT channel_id FROM channel WHERE tenant_id = $1 AND channel_id = $2 FOR NO KEY UPDATE" },
    [VALUES] = { "erasure_values", 4, FROM_CHANNEL("reading") },
    [LATE] = { "erasure_late", 4, FROM_CHANNEL("reading_late") },
    [TEXTS] = { "erasure_texts", 4, FROM_CHANNEL("reading_text") },
    [HISTORY] = { "erasure_history", 4, FROM_CHANNEL("reading_history") },
    [CONFLICTS] = { "erasure_conflicts", 4, FROM_CHANNEL("reading_conflict") },
    [CORRECTIONS] = { "erasure_corrections", 4, FROM_CHANNEL("reading_correction") },
    [COUNT_VALUES] = { "erasure_count_values", 4,
        "SELECT " COUNT("reading") " + " COUNT("reading_late") " + " COUNT("reading_text") " + " COUNT("reading_history")
        " + " COUNT("reading_conflict") " + " COUNT("reading_correction") },
    /* No span is longer than a month. */
    [BLOCKS] = { "erasure_blocks", 4,
        "SELECT span_start, data FROM reading_block WHERE tenant_id = $1 AND channel_id = $2::int8"
        " AND span_start > $3::timestamptz - interval '32 days' AND span_start < $4::timestamptz ORDER BY span_start" },
    [BLOCK_SET] = { "erasure_block_set", 5,
        "UPDATE reading_block SET n = $4, data = $5 WHERE tenant_id = $1 AND channel_id = $2::int8 AND span_start = $3" },
    [BLOCK_DROP] = { "erasure_block_drop", 3,
        "DELETE FROM reading_block WHERE tenant_id = $1 AND channel_id = $2::int8 AND span_start = $3" },
    [FRAMES] = { "erasure_frames", 4, "DELETE FROM" OF_DEVICE("raw_frame", "received_at") },
    [TELEGRAMS] = { "erasure_telegrams", 4, "DELETE FROM" OF_DEVICE("telegram", "received_at") },
    [EVENTS] = { "erasure_events", 4, "DELETE FROM" OF_DEVICE("event", "at") },
    [ATTEMPTS] = { "erasure_attempts", 4, "DELETE FROM" OF_DEVICE("read_attempt", "at") },
    [COUNT_DEVICE] = { "erasure_count_device", 4,
        "SELECT (SELECT count(*) FROM" OF_DEVICE("raw_frame", "received_at") ")"
        " + (SELECT count(*) FROM" OF_DEVICE("telegram", "received_at") ")"
        " + (SELECT count(*) FROM" OF_DEVICE("event", "at") ")"
        " + (SELECT count(*) FROM" OF_DEVICE("read_attempt", "at") ")" },
    /* Reports of replays show values, and are forgotten after days anyway. */
    [DIFFERENCES] = { "erasure_differences", 1, "DELETE FROM replay_difference WHERE tenant_id = $1" },
    [ENDED] = { "erasure_ended", 4,
        "UPDATE erasure SET runs = runs + 1, ended_at = $3, verified_at = $3, counts = (SELECT jsonb_object_agg(key,"
        " coalesce((counts ->> key)::int8, 0) + value::int8) FROM jsonb_each_text($4::text::jsonb))"
        " WHERE tenant_id = $1 AND erasure_id = $2" },
};
/* clang-format on */

const struct store_statement *erasure_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

/* ---- orders ---- */

enum emt_err erasure_insert(struct store *s, int32_t tenant, const struct erasure_new *e,
                            int64_t *id)
{
    struct store_param p[6];

    p_int4(&p[0], tenant);
    p_text(&p[1], e->location);
    p_time(&p[2], e->from);
    p_time(&p[3], e->until);
    p_text(&p[4], e->reason);
    p_text(&p[5], e->ordered_by);
    return store_run_number(s, &statements[INSERT], p, id);
}

enum emt_err erasure_job_set(struct store *s, int32_t tenant, int64_t id, int64_t job)
{
    struct store_param p[3];

    p_int4(&p[0], tenant);
    p_int8(&p[1], id);
    p_int8(&p[2], job);
    return store_run_touch(s, &statements[JOB_SET], p);
}

enum emt_err erasure_list(struct store *s, int32_t tenant, const char *location, int64_t before,
                          int limit, struct store_result **out)
{
    struct store_param p[4];

    p_int4(&p[0], tenant);
    p_text(&p[1], location);
    p_int8(&p[2], before);
    p_int8(&p[3], limit);
    return store_run(s, &statements[LIST], p, out);
}

enum emt_err erasure_get(struct store *s, int32_t tenant, int64_t id, struct store_result **out)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_int8(&p[1], id);
    return store_run_row(s, &statements[GET], p, out);
}

enum emt_err erasure_standing(struct store *s, int32_t tenant, emt_time ordered_after,
                              struct store_result **out)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_time(&p[1], ordered_after);
    return store_run(s, &statements[STANDING], p, out);
}

/* ---- one stretch of a channel or of a device ---- */

struct stretch {
    struct store *s;
    int32_t tenant;
    int64_t id; /* of the channel or the device */
    emt_time from, to;
    struct erasure_counts *counts; /* NULL: only look; left grows instead */
    int64_t left;
};

static void stretch_params(const struct stretch *x, struct store_param p[4])
{
    p_int4(&p[0], x->tenant);
    p_int8(&p[1], x->id);
    p_time(&p[2], x->from);
    p_time(&p[3], x->to);
}

static enum emt_err remove_rows(struct stretch *x, unsigned statement, enum erasure_kind kind)
{
    struct store_result *r = NULL;
    struct store_param p[4];

    stretch_params(x, p);
    enum emt_err err = store_run(x->s, &statements[statement], p, &r);
    if (err == EMT_OK)
        x->counts->n[kind] += store_affected(r);
    store_result_free(r);
    return err;
}

static enum emt_err count_rows(struct stretch *x, unsigned statement)
{
    struct store_param p[4];
    int64_t n = 0;

    stretch_params(x, p);
    enum emt_err err = store_run_number(x->s, &statements[statement], p, &n);
    x->left += n;
    return err;
}

/* Values outside of the stretch, in place; how many. */
static size_t keep_others(const struct stretch *x, struct block_value *v, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        if (v[i].ts < x->from || v[i].ts >= x->to)
            v[kept++] = v[i];
    }
    return kept;
}

static enum emt_err write_block(struct stretch *x, emt_time start, const struct block_value *v,
                                size_t n)
{
    struct store_param p[5];
    struct writer w;

    p_int4(&p[0], x->tenant);
    p_int8(&p[1], x->id);
    p_time(&p[2], start);
    if (n == 0)
        return store_run(x->s, &statements[BLOCK_DROP], p, NULL);
    writer_init_heap(&w, BLOCK_BYTES_MAX);
    enum emt_err err = block_encode(v, n, &w);
    p_int4(&p[3], (int32_t)n);
    p_bytes(&p[4], w.data, w.len);
    if (err == EMT_OK)
        err = store_run(x->s, &statements[BLOCK_SET], p, NULL);
    writer_release(&w);
    return err;
}

static enum emt_err cut_block(struct stretch *x, emt_time start, const void *data, size_t len)
{
    struct block_cursor c;
    struct block_value *v;
    size_t n = 0;
    enum emt_err err = block_open(&c, data, len);

    if (err != EMT_OK)
        return err;
    v = calloc(c.count ? c.count : 1, sizeof *v);
    if (v == NULL)
        return EMT_ENOMEM;
    err = block_decode(data, len, v, c.count, &n);
    size_t kept = err == EMT_OK ? keep_others(x, v, n) : n;
    if (err == EMT_OK && kept < n) {
        if (x->counts == NULL) {
            x->left += (int64_t)(n - kept);
        } else {
            x->counts->n[ERASED_PACKED_VALUES] += (int64_t)(n - kept);
            err = write_block(x, start, v, kept);
        }
    }
    free(v);
    return err;
}

static enum emt_err cut_blocks(struct stretch *x)
{
    struct store_result *r = NULL;
    struct store_param p[4];

    stretch_params(x, p);
    enum emt_err err = store_run(x->s, &statements[BLOCKS], p, &r);
    for (int i = 0; err == EMT_OK && i < store_rows(r); i++) {
        size_t len;
        const uint8_t *data = c_bytes(r, i, 1, &len);

        err = cut_block(x, c_time(r, i, 0), data, len);
    }
    store_result_free(r);
    return err;
}

static enum emt_err erase_channel(struct stretch *x)
{
    static const struct {
        unsigned statement;
        enum erasure_kind kind;
    } rows[] = {
        { VALUES, ERASED_VALUES },       { LATE, ERASED_VALUES },
        { TEXTS, ERASED_TEXTS },         { HISTORY, ERASED_PREDECESSORS },
        { CONFLICTS, ERASED_CONFLICTS }, { CORRECTIONS, ERASED_CORRECTIONS },
    };
    struct store_param p[2];

    if (x->counts == NULL) {
        enum emt_err err = count_rows(x, COUNT_VALUES);
        return err == EMT_OK ? cut_blocks(x) : err;
    }
    p_int4(&p[0], x->tenant);
    p_int8(&p[1], x->id);
    enum emt_err err = store_run(x->s, &statements[CHANNEL_LOCK], p, NULL);
    for (size_t i = 0; err == EMT_OK && i < sizeof rows / sizeof rows[0]; i++)
        err = remove_rows(x, rows[i].statement, rows[i].kind);
    return err == EMT_OK ? cut_blocks(x) : err;
}

static enum emt_err erase_device(struct stretch *x)
{
    if (x->counts == NULL)
        return count_rows(x, COUNT_DEVICE);
    enum emt_err err = remove_rows(x, FRAMES, ERASED_FRAMES);
    if (err == EMT_OK)
        err = remove_rows(x, TELEGRAMS, ERASED_TELEGRAMS);
    if (err == EMT_OK)
        err = remove_rows(x, EVENTS, ERASED_EVENTS);
    return err == EMT_OK ? remove_rows(x, ATTEMPTS, ERASED_ATTEMPTS) : err;
}

static enum emt_err in_transaction(struct stretch *x, enum emt_err (*work)(struct stretch *))
{
    enum emt_err err = store_begin(x->s, x->tenant);

    if (err == EMT_OK)
        err = work(x);
    if (err == EMT_OK)
        return store_commit(x->s);
    if (!store_is_broken(x->s))
        store_rollback(x->s);
    return err;
}

/* Packs of the device, each in a transaction of its own. */
static enum emt_err erase_packs(struct stretch *x)
{
    struct raw_pack_place at = { 0 };
    bool more = true;
    enum emt_err err = EMT_OK;

    while (err == EMT_OK && more) {
        int64_t n = 0;

        err = raw_pack_forget(x->s, x->tenant, x->id, x->from, x->to, x->counts == NULL, &at, &n,
                              &more);
        if (x->counts != NULL)
            x->counts->n[ERASED_PACKED_FRAMES] += n;
        else
            x->left += n;
    }
    return err;
}

/* ---- the whole order ---- */

struct run {
    struct store *s;
    int32_t tenant;
    struct store_result *channels, *devices;
    bool (*step)(void *ctx, int64_t done, int64_t total);
    void *ctx;
    int64_t done, total;
};

static enum emt_err load_plan(struct run *r, int64_t id)
{
    struct store_result *order = NULL;
    struct store_param p[2];
    enum emt_err err = store_begin(r->s, r->tenant);

    p_int4(&p[0], r->tenant);
    p_int8(&p[1], id);
    if (err == EMT_OK)
        err = erasure_get(r->s, r->tenant, id, &order);
    if (err == EMT_OK)
        err = store_run(r->s, &statements[CHANNELS], p, &r->channels);
    if (err == EMT_OK)
        err = store_run(r->s, &statements[DEVICES], p, &r->devices);
    if (!store_is_broken(r->s))
        store_rollback(r->s);
    store_result_free(order);
    return err;
}

static struct stretch stretch_of(const struct run *r, const struct store_result *rows, int row,
                                 struct erasure_counts *counts)
{
    return (struct stretch){ .s = r->s,
                             .tenant = r->tenant,
                             .id = c_int(rows, row, 0),
                             .from = c_time(rows, row, 1),
                             .to = c_time(rows, row, 2),
                             .counts = counts };
}

static bool go_on(struct run *r)
{
    return r->step == NULL || r->step(r->ctx, r->done++, r->total);
}

/* counts NULL: looks, and *left is what is there. */
static enum emt_err pass(struct run *r, struct erasure_counts *counts, int64_t *left)
{
    enum emt_err err = EMT_OK;

    *left = 0;
    for (int i = 0; err == EMT_OK && i < store_rows(r->channels); i++) {
        struct stretch x = stretch_of(r, r->channels, i, counts);

        err = go_on(r) ? in_transaction(&x, erase_channel) : EMT_EAGAIN;
        *left += x.left;
    }
    for (int i = 0; err == EMT_OK && i < store_rows(r->devices); i++) {
        struct stretch x = stretch_of(r, r->devices, i, counts);

        err = go_on(r) ? in_transaction(&x, erase_device) : EMT_EAGAIN;
        if (err == EMT_OK)
            err = go_on(r) ? erase_packs(&x) : EMT_EAGAIN;
        *left += x.left;
    }
    return err;
}

static bool is_any(const struct erasure_counts *c)
{
    for (int i = 0; i < ERASED_KINDS; i++)
        if (c->n[i] != 0)
            return true;
    return false;
}

static void counts_json(const struct erasure_counts *c, char *out, size_t size)
{
    struct writer w;

    writer_init_fixed(&w, (uint8_t *)out, size - 1);
    for (int i = 0; i < ERASED_KINDS; i++)
        writer_printf(&w, "%s\"%s\": %" PRId64, i > 0 ? ", " : "{", erasure_kind_names[i], c->n[i]);
    writer_text(&w, "}");
    out[w.len] = '\0';
}

static enum emt_err note_end(struct run *r, int64_t id, emt_time now,
                             const struct erasure_counts *counts)
{
    struct store_result *order = NULL;
    struct store_param p[4];
    char text[600];
    enum emt_err err = store_begin(r->s, r->tenant);

    counts_json(counts, text, sizeof text);
    p_int4(&p[0], r->tenant);
    p_int8(&p[1], id);
    p_time(&p[2], now);
    p_text(&p[3], text);
    if (err == EMT_OK)
        err = erasure_get(r->s, r->tenant, id, &order);
    if (err == EMT_OK)
        err = store_run(r->s, &statements[ENDED], p, NULL);
    if (err == EMT_OK && is_any(counts))
        err = store_run(r->s, &statements[DIFFERENCES], p, NULL);
    /* A later run that finds nothing is no news. */
    if (err == EMT_OK && (is_any(counts) || c_int(order, 0, 9) == 0)) {
        const struct audit_entry entry = { .tenant = r->tenant,
                                           .actor = "emtd",
                                           .action = "location.erased",
                                           .object = c_text(order, 0, 2),
                                           .detail = text };
        err = audit_append(r->s, &entry);
    }
    store_result_free(order);
    if (err == EMT_OK)
        return store_commit(r->s);
    if (!store_is_broken(r->s))
        store_rollback(r->s);
    return err;
}

enum emt_err erasure_run(struct store *s, int32_t tenant, int64_t id, emt_time now,
                         bool (*step)(void *ctx, int64_t done, int64_t total), void *ctx,
                         struct erasure_counts *out)
{
    struct run r = { .s = s, .tenant = tenant, .step = step, .ctx = ctx };
    int64_t left = 1;

    memset(out, 0, sizeof *out);
    enum emt_err err = load_plan(&r, id);
    if (err == EMT_OK)
        r.total = 2 * ((int64_t)store_rows(r.channels) + 2 * store_rows(r.devices));
    for (int i = 0; err == EMT_OK && left > 0; i++) {
        if (i == PASSES_MOST) {
            err = EMT_EAGAIN;
            break;
        }
        r.done = 0;
        err = pass(&r, out, &left);
        if (err == EMT_OK)
            err = pass(&r, NULL, &left);
    }
    if (err == EMT_OK)
        err = note_end(&r, id, now, out);
    store_result_free(r.channels);
    store_result_free(r.devices);
    return err;
}
