#include "store/reading_store.h"

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum {
    READING_INSERT,
    READING_UPSERT,
    READING_LATE_UPSERT,
    READING_CONFLICT,
    READING_LATE_CONFLICT,
    TEXT_INSERT,
    STATEMENTS
};

/* quality_stored_rank() of model/quality.h; a test holds the two together. */
#define RANK(q)                                                                                    \
    "(CASE WHEN " q " & 16384 <> 0 THEN 2 WHEN " q " & 255 = 0 THEN 1 WHEN " q                     \
    " & 255 = 5 THEN 2 ELSE 0 END)"
#define VALUES                                                                                     \
    "unnest($2::int8[], $3::timestamptz[], $4::int8[], $5::int2[], $6::int2[]) AS u(channel_id, "  \
    "ts, mantissa, exponent, quality)"
#define KEEP_HIGHER(table)                                                                         \
    " ON CONFLICT (tenant_id, channel_id, ts) DO UPDATE"                                           \
    " SET mantissa = excluded.mantissa, exponent = excluded.exponent, quality = excluded.quality"  \
    " WHERE " RANK("excluded.quality") " > " RANK(table ".quality")
/* Arrays unrolled in the list, in step: in FROM each would be kept in a store of its own first. */
#define ROWS                                                                                       \
    " SELECT $1, unnest($2::int8[]), unnest($3::timestamptz[]), unnest($4::int8[]), "              \
    "unnest($5::int2[]), unnest($6::int2[])"
/* By value, not by spelling (1.20 is 1.2): both mantissas at the lower exponent, as numeric, which
 * is exact. */
#define AT_LOWER(a, b)                                                                             \
    a ".mantissa::numeric * ('1e' || (" a ".exponent - least(" a ".exponent, " b                   \
      ".exponent)))::numeric"
#define CONFLICTS_WITH(table)                                                                      \
    "INSERT INTO reading_conflict (tenant_id, channel_id, ts, mantissa, exponent, quality, "       \
    "kept_mantissa, kept_exponent,"                                                                \
    " kept_quality, seen_at)"                                                                      \
    " SELECT $1, u.channel_id, u.ts, u.mantissa, u.exponent, u.quality, r.mantissa, r.exponent, "  \
    "r.quality, $7::timestamptz"                                                                   \
    " FROM " VALUES " JOIN " table                                                                 \
    " r ON r.tenant_id = $1 AND r.channel_id = u.channel_id AND r.ts = u.ts"                       \
    " WHERE " RANK("u.quality") " = " RANK("r.quality") " AND " AT_LOWER(                          \
        "u", "r") " <> " AT_LOWER("r", "u") " ON CONFLICT DO NOTHING"

static const struct store_statement statements[STATEMENTS] = {
    [READING_INSERT] = { "reading_insert", 6,
                         "INSERT INTO reading (tenant_id, channel_id, ts, mantissa, exponent, "
                         "quality)" ROWS },
    [READING_UPSERT] = { "reading_upsert", 6,
                         "INSERT INTO reading (tenant_id, channel_id, ts, mantissa, exponent, "
                         "quality)" ROWS KEEP_HIGHER("reading") },
    [READING_LATE_UPSERT] = { "reading_late_upsert", 7,
                              "INSERT INTO reading_late (tenant_id, channel_id, ts, mantissa, "
                              "exponent, quality, received_at)"
                              " SELECT $1, u.channel_id, u.ts, u.mantissa, u.exponent, u.quality, "
                              "$7::timestamptz FROM " VALUES KEEP_HIGHER("reading_late") },
    [READING_CONFLICT] = { "reading_conflict_insert", 7, CONFLICTS_WITH("reading") },
    [READING_LATE_CONFLICT] = { "reading_late_conflict_insert", 7, CONFLICTS_WITH("reading_late") },
    /* A text stands until another one: only changes are rows. What the statement itself inserts is
       not seen by its own question, so each text asks no further back than the one before it here,
       which is another one. */
    [TEXT_INSERT] = { "reading_text_insert", 5,
                      "INSERT INTO reading_text (tenant_id, channel_id, ts, quality, text)"
                      " SELECT $1, u.channel_id, u.ts, u.quality, u.text"
                      " FROM (SELECT n.*, lag(n.ts, 1, '-infinity') OVER (PARTITION BY n.channel_id"
                      " ORDER BY n.ts) AS after FROM unnest($2::int8[], $3::timestamptz[], "
                      "$4::int2[], $5::text[]) AS n(channel_id, ts, quality, text)) AS u"
                      " WHERE u.text IS DISTINCT FROM (SELECT t.text FROM reading_text t WHERE "
                      "t.tenant_id = $1"
                      " AND t.channel_id = u.channel_id AND t.ts <= u.ts AND t.ts > u.after"
                      " ORDER BY t.ts DESC LIMIT 1)"
                      " ON CONFLICT (tenant_id, channel_id, ts) DO UPDATE SET text = "
                      "excluded.text, quality = excluded.quality"
                      " WHERE " RANK("excluded.quality") " > " RANK("reading_text.quality") },
};

const struct store_statement *reading_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

bool reading_rows_init(struct store_rows *r)
{
    static const enum store_type types[] = { STORE_INT8, STORE_TIME, STORE_INT8, STORE_INT2,
                                             STORE_INT2 };

    return store_rows_init(r, types, 5);
}

bool reading_rows_add(struct store_rows *r, const struct reading_row *row)
{
    return store_array_int(r->column[0], row->channel) && store_array_time(r->column[1], row->ts) &&
           store_array_int(r->column[2], row->value.mantissa) &&
           store_array_int(r->column[3], row->value.exponent) &&
           store_array_int(r->column[4], row->quality);
}

enum emt_err reading_new_send(struct store *s, int32_t tenant, struct store_rows *r,
                              store_done *done, void *ctx)
{
    return store_rows_send(s, &statements[READING_INSERT], tenant, r, 0, done, ctx);
}

enum emt_err reading_rows_send(struct store *s, int32_t tenant, struct store_rows *r,
                               store_done *done, void *ctx)
{
    return store_rows_send(s, &statements[READING_UPSERT], tenant, r, 0, done, ctx);
}

enum emt_err reading_late_send(struct store *s, int32_t tenant, struct store_rows *r,
                               emt_time received_at, store_done *done, void *ctx)
{
    return store_rows_send(s, &statements[READING_LATE_UPSERT], tenant, r, received_at, done, ctx);
}

enum emt_err reading_conflict_send(struct store *s, int32_t tenant, struct store_rows *r,
                                   emt_time seen_at, store_done *done, void *ctx)
{
    return store_rows_send(s, &statements[READING_CONFLICT], tenant, r, seen_at, done, ctx);
}

enum emt_err reading_late_conflict_send(struct store *s, int32_t tenant, struct store_rows *r,
                                        emt_time seen_at, store_done *done, void *ctx)
{
    return store_rows_send(s, &statements[READING_LATE_CONFLICT], tenant, r, seen_at, done, ctx);
}

bool text_rows_init(struct store_rows *r)
{
    static const enum store_type types[] = { STORE_INT8, STORE_TIME, STORE_INT2, STORE_TEXT };

    return store_rows_init(r, types, 4);
}

bool text_rows_add(struct store_rows *r, const struct text_row *row)
{
    return store_array_int(r->column[0], row->channel) && store_array_time(r->column[1], row->ts) &&
           store_array_int(r->column[2], row->quality) && store_array_text(r->column[3], row->text);
}

enum emt_err text_rows_send(struct store *s, int32_t tenant, struct store_rows *r, store_done *done,
                            void *ctx)
{
    return store_rows_send(s, &statements[TEXT_INSERT], tenant, r, 0, done, ctx);
}
