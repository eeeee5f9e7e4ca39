#include "store/retention_store.h"

#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define LOT 10000

enum { SETTINGS, ROWS, LATE, BLOCKS, TEXTS, CONFLICTS, HISTORY, PACKS, STATEMENTS };

/* clang-format off */
/* 48: BLOCK_DAY_VALUES of model/block.h, where a block of the day begins. */
#define ROWS_OF(table) \
    "DELETE FROM " table " r USING (" \
    " SELECT channel_id, date_trunc('day', ts, 'UTC') AS day, count(*) >= 48 AS dense" \
    " FROM " table " WHERE tenant_id = $1 AND ts < greatest($2::timestamptz, $3::timestamptz)" \
    " GROUP BY 1, 2) d" \
    " WHERE r.tenant_id = $1 AND r.channel_id = d.channel_id" \
    " AND r.ts >= d.day AND r.ts < d.day + interval '24 hours'" \
    " AND d.day < CASE WHEN d.dense THEN $2 ELSE $3 END"

static const struct store_statement statements[STATEMENTS] = {
    [SETTINGS] = { "retention_settings", 1,
        "SELECT reading_retention_days, daily_retention_days, raw_retention_days FROM tenant"
        " WHERE id = $1" },
    [ROWS] = { "retention_rows", 3, ROWS_OF("reading") },
    [LATE] = { "retention_late", 3, ROWS_OF("reading_late") },
    [BLOCKS] = { "retention_blocks", 4,
        "DELETE FROM reading_block b USING ("
        " SELECT channel_id, span_start FROM reading_block WHERE tenant_id = $1"
        " AND ((span = 0 AND span_start < $2::timestamptz)"
        "  OR (span = 1 AND span_start < $3::timestamptz"
        "   AND span_start < date_trunc('month', $3, 'UTC')))"
        " LIMIT $4::int4) old"
        " WHERE b.tenant_id = $1 AND b.channel_id = old.channel_id AND b.span_start = old.span_start" },
    [TEXTS] = { "retention_texts", 2,
        "DELETE FROM reading_text WHERE tenant_id = $1 AND ts < $2::timestamptz" },
    [CONFLICTS] = { "retention_conflicts", 2,
        "DELETE FROM reading_conflict WHERE tenant_id = $1 AND ts < $2::timestamptz" },
    [HISTORY] = { "retention_history", 2,
        "DELETE FROM reading_history WHERE tenant_id = $1 AND ts < $2::timestamptz" },
    /* A pack is of one day. */
    [PACKS] = { "retention_packs", 2,
        "DELETE FROM raw_pack WHERE tenant_id = $1 AND last_stored < $2::timestamptz" },
};
/* clang-format on */

const struct store_statement *retention_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

/* Values and frames before these times go. */
struct cuts {
    emt_time dense, sparse, longer, raw;
};

static enum emt_err load_cuts(struct store *s, int32_t tenant, emt_time now, struct cuts *c)
{
    emt_time today = now / EMT_DAY * EMT_DAY;
    struct store_param p;
    struct store_result *r;

    p_int4(&p, tenant);
    enum emt_err err = store_run_row(s, &statements[SETTINGS], &p, &r);
    if (err != EMT_OK)
        return err;
    c->dense = today - c_int(r, 0, 0) * EMT_DAY;
    c->sparse = today - c_int(r, 0, 1) * EMT_DAY;
    c->raw = now - c_int(r, 0, 2) * EMT_DAY;
    c->longer = c->dense < c->sparse ? c->dense : c->sparse;
    store_result_free(r);
    return EMT_OK;
}

static enum emt_err run(struct store *s, unsigned statement, struct store_param *p, int64_t *n)
{
    struct store_result *r;
    enum emt_err err = store_run(s, &statements[statement], p, &r);

    if (err == EMT_OK) {
        *n = store_affected(r);
        store_result_free(r);
    }
    return err;
}

static enum emt_err expire_before(struct store *s, unsigned statement, int32_t tenant,
                                  emt_time past, int64_t *sum)
{
    struct store_param p[2];
    int64_t n = 0;

    p_int4(&p[0], tenant);
    p_time(&p[1], past);
    enum emt_err err = run(s, statement, p, &n);
    *sum += n;
    return err;
}

static enum emt_err expire_values(struct store *s, int32_t tenant, const struct cuts *c,
                                  struct retention_counts *out)
{
    struct store_param p[4];
    int64_t n = 0;

    p_int4(&p[0], tenant);
    p_time(&p[1], c->dense);
    p_time(&p[2], c->sparse);
    p_int4(&p[3], LOT);
    enum emt_err err = run(s, ROWS, p, &out->rows);
    if (err == EMT_OK)
        err = run(s, LATE, p, &n);
    out->rows += n;
    for (n = LOT; err == EMT_OK && n == LOT; out->blocks += n)
        err = run(s, BLOCKS, p, &n);
    return err;
}

enum emt_err retention_expire(struct store *s, int32_t tenant, emt_time now,
                              struct retention_counts *out)
{
    static const unsigned others[] = { TEXTS, CONFLICTS, HISTORY };
    struct cuts c;

    memset(out, 0, sizeof *out);
    enum emt_err err = load_cuts(s, tenant, now, &c);
    if (err == EMT_OK)
        err = expire_values(s, tenant, &c, out);
    for (size_t i = 0; err == EMT_OK && i < sizeof others / sizeof others[0]; i++)
        err = expire_before(s, others[i], tenant, c.longer, &out->others);
    if (err == EMT_OK)
        err = expire_before(s, PACKS, tenant, c.raw, &out->packs);
    return err;
}
