#include "store/mandate_store.h"

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum {
    INSERT,
    LIST,
    GET,
    UPDATE,
    DELETE,
    PERIODS,
    STRETCHES,
    MISSING,
    PERMISSIONS,
    FILE_MISSING,
    REPORT_MISSING,
    STATEMENTS
};

#define SELECT                                                                                     \
    "SELECT m.mandate_id::text, m.mandate_id, l.code, m.recipient, m.purpose, m.valid_from,"       \
    " m.valid_to, m.evidence, m.created_at, m.created_by FROM mandate m"                           \
    " JOIN location l ON l.tenant_id = m.tenant_id AND l.location_id = m.location_id"              \
    " WHERE m.tenant_id = $1"

/* clang-format off */
/* Channels, with what they are made of: top is what is asked for. */
#define MEMBERS(tops) \
    "WITH RECURSIVE top AS (" tops "), member AS (" \
    " SELECT t.channel_id AS top, t.channel_id FROM top t" \
    " UNION SELECT m.top, x.input FROM member m" \
    " JOIN calculated_channel k ON k.tenant_id = $1 AND k.channel_id = m.channel_id, unnest(k.inputs) AS x (input)" \
    "), bound AS (" \
    " SELECT m.top, b.channel_id, b.location_id, tstzrange(b.valid_from, b.valid_to) AS r FROM member m" \
    " JOIN location_channel b ON b.tenant_id = $1 AND b.channel_id = m.channel_id" \
    "), allowed AS (" \
    " SELECT b.top, b.channel_id, range_agg(b.r * tstzrange(d.valid_from, d.valid_to)) AS r FROM bound b" \
    " JOIN mandate d ON d.tenant_id = $1 AND d.location_id = b.location_id AND d.recipient = $2 AND ($3::text IS NULL OR d.purpose = $3)" \
    " GROUP BY 1, 2" \
    "), denied AS (" \
    " SELECT p.top, range_agg(x.r) AS r FROM (" \
    "  SELECT b.top, b.channel_id, range_agg(b.r) AS r FROM bound b WHERE b.channel_id <> b.top GROUP BY 1, 2) p" \
    " LEFT JOIN allowed a ON a.top = p.top AND a.channel_id = p.channel_id," \
    " unnest(p.r - coalesce(a.r, '{}')) AS x (r) GROUP BY 1" \
    "), permitted AS (" \
    " SELECT t.channel_id AS top, tstzmultirange(tstzrange($4, $5)) * coalesce(a.r, '{}') - coalesce(n.r, '{}') AS r" \
    " FROM top t LEFT JOIN allowed a ON a.top = t.channel_id AND a.channel_id = t.channel_id" \
    " LEFT JOIN denied n ON n.top = t.channel_id) "

static const struct store_statement statements[STATEMENTS] = {
    [INSERT] = { "mandate_insert", 8,
        "INSERT INTO mandate (tenant_id, location_id, recipient, purpose, valid_from, valid_to, evidence,"
        " created_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING mandate_id" },
    [LIST] = { "mandate_list", 4,
        SELECT " AND ($2::text IS NULL OR l.code = $2) AND m.mandate_id > $3 ORDER BY m.mandate_id LIMIT $4" },
    [GET] = { "mandate_get", 2, SELECT " AND m.mandate_id = $2" },
    [UPDATE] = { "mandate_update", 4,
        "UPDATE mandate SET valid_to = $3, evidence = $4 WHERE tenant_id = $1 AND mandate_id = $2" },
    [DELETE] = { "mandate_delete", 2, "DELETE FROM mandate WHERE tenant_id = $1 AND mandate_id = $2" },
    [PERIODS] = { "mandate_periods", 3,
        "SELECT m.valid_from, m.valid_to FROM mandate m"
        " JOIN location l ON l.tenant_id = m.tenant_id AND l.location_id = m.location_id"
        " WHERE m.tenant_id = $1 AND l.code = $2 AND m.recipient = $3" },
    [STRETCHES] = { "mandate_stretches", 8,
        MEMBERS("SELECT DISTINCT b.channel_id FROM mandate d"
                " JOIN location_channel b ON b.tenant_id = $1 AND b.location_id = d.location_id"
                " WHERE d.tenant_id = $1 AND d.recipient = $2 AND ($3::text IS NULL OR d.purpose = $3)"
                " AND b.channel_id > $6 AND ($7::int8 = 0 OR b.channel_id = $7)"
                " AND tstzrange(b.valid_from, b.valid_to) * tstzrange(d.valid_from, d.valid_to) && tstzrange($4, $5)"
                " ORDER BY b.channel_id LIMIT $8")
        "SELECT p.top, lower(x.r), upper(x.r) FROM permitted p LEFT JOIN LATERAL unnest(p.r) AS x (r) ON true ORDER BY 1, 2" },
    /* Named is a location without mandate, of the channel itself before those of its inputs. */
    [MISSING] = { "mandate_missing", 6,
        MEMBERS("SELECT $6::int8 AS channel_id")
        ", gap AS (SELECT x.r FROM permitted p, unnest(tstzmultirange(tstzrange($4, $5)) - p.r) AS x (r)"
        " ORDER BY x.r LIMIT 1)"
        "SELECT l.code, lower(g.r), upper(g.r), l.known FROM gap g LEFT JOIN LATERAL ("
        " SELECT o.code, EXISTS (SELECT FROM mandate d WHERE d.tenant_id = $1 AND d.location_id = b.location_id"
        "   AND d.recipient = $2) AS known"
        " FROM bound b JOIN location o ON o.tenant_id = $1 AND o.location_id = b.location_id"
        " WHERE b.r && g.r ORDER BY EXISTS (SELECT FROM mandate d WHERE d.tenant_id = $1"
        "   AND d.location_id = b.location_id AND d.recipient = $2 AND d.purpose = $3"
        "   AND tstzrange(d.valid_from, d.valid_to) @> (b.r * g.r)),"
        "  b.channel_id <> b.top, o.code LIMIT 1) l ON true" },
    [PERMISSIONS] = { "mandate_permissions", 5,
        "WITH p AS (SELECT b.channel_id, l.code, b.obis, c.unit, q.name,"
        "  tstzrange(b.valid_from, b.valid_to) * tstzrange(d.valid_from, d.valid_to) AS r,"
        "  row_number() OVER (ORDER BY b.channel_id, b.binding_id, d.mandate_id) AS place FROM mandate d"
        " JOIN location l ON l.tenant_id = $1 AND l.location_id = d.location_id"
        " JOIN location_channel b ON b.tenant_id = $1 AND b.location_id = d.location_id"
        " JOIN channel c ON c.tenant_id = $1 AND c.channel_id = b.channel_id JOIN quantity q ON q.id = c.quantity"
        " WHERE d.tenant_id = $1 AND d.recipient = $2 AND d.purpose = $3"
        "  AND tstzrange(b.valid_from, b.valid_to) && tstzrange(d.valid_from, d.valid_to))"
        "SELECT place::text, channel_id, code, obis, unit, name, lower(r), upper(r) FROM p WHERE place > $4"
        " ORDER BY place LIMIT $5" },
    /* Values of the channels that a report shows, and of what these are made of. A stretch goes up to its
       last value, which may stand at the very end of a mandate, also as the only one. */
    [REPORT_MISSING] = { "mandate_report_missing", 6,
        MEMBERS("SELECT DISTINCT x.c AS channel_id FROM export_message s, unnest(s.channels) AS x (c)"
                " WHERE s.tenant_id = $1 AND s.file_id = $6::int8")
        "SELECT s.location, lower(g.r), upper(g.r) FROM export_message s CROSS JOIN LATERAL unnest(s.channels) AS x (c)"
        " LEFT JOIN permitted p ON p.top = x.c, unnest(tstzmultirange(tstzrange(s.period_from,"
        "  greatest(s.period_to, s.period_from + interval '1 microsecond'))) - coalesce(p.r, '{}')) AS g (r)"
        " WHERE s.tenant_id = $1 AND s.file_id = $6 AND EXISTS (SELECT FROM tenant t WHERE t.id = $1"
        "  AND ($3::text IS NOT NULL OR (t.mandates_required AND t.own_mp_id IS DISTINCT FROM $2::text)))"
        " AND (s.period_from < s.period_to OR NOT EXISTS (SELECT FROM unnest(p.r) AS e (r) WHERE upper(e.r) = s.period_from))"
        " ORDER BY 1, 2 LIMIT 1" },
    /* Both ends count: the register at the end of a mandate is still the receiver's. */
    [FILE_MISSING] = { "mandate_file_missing", 3,
        "WITH f AS (SELECT f.* FROM export_file f JOIN tenant t ON t.id = $1 WHERE f.tenant_id = $1 AND f.file_id = $2"
        "  AND ($3::text IS NOT NULL OR (t.mandates_required AND f.receiver IS DISTINCT FROM t.own_mp_id))"
        "), shown AS ("
        " SELECT m.location AS code, m.period_from AS shown_from, m.period_to AS shown_to, true AS whole FROM f"
        " JOIN export_message m ON m.tenant_id = $1 AND m.file_id = f.file_id"
        " UNION ALL SELECT l.code, f.period_from, f.period_to, false FROM f JOIN location l ON l.tenant_id = $1"
        "  AND ($3 IS NOT NULL OR l.receiver_mp_id = f.receiver) AND position(convert_to(l.code, 'UTF8') IN f.content) > 0"
        " WHERE NOT EXISTS (SELECT FROM export_message m WHERE m.tenant_id = $1 AND m.file_id = f.file_id)"
        ") SELECT s.code, s.shown_from, s.shown_to FROM shown s, f, LATERAL ("
        " SELECT coalesce(range_agg(tstzrange(d.valid_from, d.valid_to, '[]')), '{}') AS r FROM mandate d"
        " JOIN location l ON l.tenant_id = $1 AND l.location_id = d.location_id"
        " WHERE d.tenant_id = $1 AND l.code = s.code AND d.recipient = f.receiver"
        "  AND ($3 IS NULL OR d.purpose = $3)) m"
        " WHERE NOT CASE WHEN s.whole THEN m.r @> tstzrange(s.shown_from, s.shown_to, '[]')"
        "  ELSE m.r && tstzrange(s.shown_from, s.shown_to) END ORDER BY 1, 2 LIMIT 1" },
};
/* clang-format on */

const struct store_statement *mandate_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

enum emt_err mandate_insert(struct store *s, int32_t tenant, const struct mandate_new *m,
                            int64_t *id)
{
    struct store_param p[8];

    p_int4(&p[0], tenant);
    p_int8(&p[1], m->location);
    p_text(&p[2], m->recipient);
    p_text(&p[3], m->purpose);
    p_time(&p[4], m->from);
    p_time(&p[5], m->to);
    p_text(&p[6], m->evidence);
    p_text(&p[7], m->created_by);
    return store_run_number(s, &statements[INSERT], p, id);
}

enum emt_err mandate_list(struct store *s, int32_t tenant, const char *location, int64_t after,
                          int limit, struct store_result **out)
{
    struct store_param p[4];

    p_int4(&p[0], tenant);
    p_text(&p[1], location);
    p_int8(&p[2], after);
    p_int8(&p[3], limit);
    return store_run(s, &statements[LIST], p, out);
}

enum emt_err mandate_get(struct store *s, int32_t tenant, int64_t id, struct store_result **out)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_int8(&p[1], id);
    return store_run_row(s, &statements[GET], p, out);
}

enum emt_err mandate_update(struct store *s, int32_t tenant, int64_t id, emt_time to,
                            const char *evidence)
{
    struct store_param p[4];

    p_int4(&p[0], tenant);
    p_int8(&p[1], id);
    p_time(&p[2], to);
    p_text(&p[3], evidence);
    return store_run_touch(s, &statements[UPDATE], p);
}

enum emt_err mandate_delete(struct store *s, int32_t tenant, int64_t id)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_int8(&p[1], id);
    return store_run_touch(s, &statements[DELETE], p);
}

enum emt_err mandate_periods(struct store *s, int32_t tenant, const char *location,
                             const char *recipient, struct store_result **out)
{
    struct store_param p[3];

    p_int4(&p[0], tenant);
    p_text(&p[1], location);
    p_text(&p[2], recipient);
    return store_run(s, &statements[PERIODS], p, out);
}

static void put_asker(struct store_param *p, int32_t tenant, const struct mandate_asker *who)
{
    p_int4(&p[0], tenant);
    p_text(&p[1], who->recipient);
    p_text(&p[2], who->purpose);
}

enum emt_err mandate_stretches(struct store *s, int32_t tenant, const struct mandate_asker *who,
                               int64_t channel, int64_t after, int limit, emt_time from,
                               emt_time to, struct store_result **out)
{
    struct store_param p[8];

    put_asker(p, tenant, who);
    p_time(&p[3], from);
    p_time(&p[4], to);
    p_int8(&p[5], after);
    p_int8(&p[6], channel);
    p_int8(&p[7], limit);
    return store_run(s, &statements[STRETCHES], p, out);
}

enum emt_err mandate_missing(struct store *s, int32_t tenant, const struct mandate_asker *who,
                             int64_t channel, emt_time from, emt_time to, struct store_result **out)
{
    struct store_param p[6];

    put_asker(p, tenant, who);
    p_time(&p[3], from);
    p_time(&p[4], to);
    p_int8(&p[5], channel);
    return store_run_row(s, &statements[MISSING], p, out);
}

enum emt_err mandate_permissions(struct store *s, int32_t tenant, const struct mandate_asker *who,
                                 int64_t after, int limit, struct store_result **out)
{
    struct store_param p[5];

    put_asker(p, tenant, who);
    p_int8(&p[3], after);
    p_int8(&p[4], limit);
    return store_run(s, &statements[PERMISSIONS], p, out);
}

enum emt_err mandate_file_missing(struct store *s, int32_t tenant, int64_t file,
                                  const char *purpose, struct store_result **out)
{
    struct store_param p[3];

    p_int4(&p[0], tenant);
    p_int8(&p[1], file);
    p_text(&p[2], purpose);
    return store_run_row(s, &statements[FILE_MISSING], p, out);
}

enum emt_err mandate_report_missing(struct store *s, int32_t tenant, int64_t file,
                                    const struct mandate_asker *who, struct store_result **out)
{
    struct store_param p[6];

    put_asker(p, tenant, who);
    p_time(&p[3], EMT_TIME_NONE);
    p_time(&p[4], EMT_TIME_NONE);
    p_int8(&p[5], file);
    return store_run_row(s, &statements[REPORT_MISSING], p, out);
}
