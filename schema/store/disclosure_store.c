#include "store/disclosure_store.h"

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* clang-format off */
/* The session's time zone is UTC; z.f is the format. */
#define TIME(v) "to_char(" v ", z.f)"
/* Of one table, within the period of binding b. */
#define WITHIN(v) " >= b.valid_from AND (b.valid_to IS NULL OR " v " < b.valid_to)"
#define KEPT(table) \
    "(SELECT jsonb_build_object('count', count(*), 'first', " TIME("min(ts)") ", 'last', " TIME("max(ts)") ")" \
    " FROM " table " v WHERE v.tenant_id = $1 AND v.channel_id = b.channel_id AND ts" WITHIN("ts") ")"

static const struct store_statement statements[] = {
    { "disclosure", 2,
        "WITH z AS (SELECT 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"' AS f) SELECT jsonb_build_object("
        "'location', jsonb_build_object('code', l.code, 'kind', CASE l.kind WHEN 1 THEN 'melo' ELSE 'malo' END,"
        "  'name', l.name, 'receiver_mp_id', l.receiver_mp_id, 'created_at', " TIME("l.created_at") "),"
        "'bindings', coalesce((SELECT jsonb_agg(jsonb_build_object("
        "  'id', b.binding_id, 'channel', b.channel_id, 'obis', b.obis, 'device_number', b.device_number,"
        "  'device', d.ident, 'place', d.place, 'valid_from', " TIME("b.valid_from") ", 'valid_to', " TIME("b.valid_to") ","
        "  'values', " KEPT("reading") ","
        "  'late', " KEPT("reading_late") ","
        "  'packed', (SELECT jsonb_build_object('count', coalesce(sum(v.n), 0), 'first', " TIME("min(v.span_start)") ","
        "    'last', " TIME("max(v.span_start)") ") FROM reading_block v"
        "   WHERE v.tenant_id = $1 AND v.channel_id = b.channel_id"
        "    AND (b.valid_to IS NULL OR v.span_start < b.valid_to)"
        "    AND v.span_start + CASE v.span WHEN 0 THEN interval '1 day' ELSE interval '1 month' END > b.valid_from),"
        "  'texts', " KEPT("reading_text") ","
        "  'replaced', " KEPT("reading_history") ","
        "  'conflicts', " KEPT("reading_conflict") ","
        "  'corrections', " KEPT("reading_correction") ","
        "  'frames', (SELECT jsonb_build_object('count', count(*), 'first', " TIME("min(f.received_at)") ", 'last', " TIME("max(f.received_at)") ")"
        "   FROM raw_frame f WHERE f.tenant_id = $1 AND f.device_id = d.device_id"
        "    AND f.received_at" WITHIN("f.received_at") "),"
        "  'events', (SELECT count(*) FROM event v WHERE v.tenant_id = $1 AND v.device_id = d.device_id AND v.at" WITHIN("v.at") "),"
        "  'read_attempts', (SELECT count(*) FROM read_attempt v WHERE v.tenant_id = $1 AND v.device_id = d.device_id"
        "    AND v.at" WITHIN("v.at") ")"
        "  ) ORDER BY b.binding_id)"
        "  FROM location_channel b JOIN channel c ON c.tenant_id = $1 AND c.channel_id = b.channel_id"
        "  JOIN device d ON d.tenant_id = $1 AND d.device_id = c.device_id"
        "  WHERE b.tenant_id = $1 AND b.location_id = l.location_id), '[]')"
        ")::text FROM location l, z WHERE l.tenant_id = $1 AND l.code = $2" },
    { "disclosure_papers", 2,
        "WITH z AS (SELECT 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"' AS f) SELECT jsonb_build_object("
        "'mandates', coalesce((SELECT jsonb_agg(jsonb_build_object('id', m.mandate_id, 'recipient', m.recipient,"
        "  'purpose', m.purpose, 'valid_from', " TIME("m.valid_from") ", 'valid_to', " TIME("m.valid_to") ") ORDER BY m.mandate_id)"
        "  FROM mandate m WHERE m.tenant_id = $1 AND m.location_id = l.location_id), '[]'),"
        "'erasures', coalesce((SELECT jsonb_agg(jsonb_build_object('id', e.erasure_id, 'reason', e.reason,"
        "  'from', " TIME("e.erase_from") ", 'until', " TIME("e.erase_until") ", 'ordered_at', " TIME("e.ordered_at") ","
        "  'verified_at', " TIME("e.verified_at") ") ORDER BY e.erasure_id)"
        "  FROM erasure e WHERE e.tenant_id = $1 AND e.location = l.code), '[]'),"
        "'files', coalesce((SELECT jsonb_agg(jsonb_build_object('id', f.file_id, 'file_name', f.file_name,"
        "  'receiver', f.receiver, 'from', " TIME("f.period_from") ", 'to', " TIME("f.period_to") ", 'created_at', " TIME("f.created_at") ","
        "  'deliveries', (SELECT count(*) FROM delivery y WHERE y.tenant_id = $1 AND y.file_id = f.file_id AND y.state = 2))"
        "  ORDER BY f.file_id)"
        "  FROM export_file f WHERE f.tenant_id = $1 AND position(convert_to(l.code, 'UTF8') IN f.content) > 0), '[]')"
        ")::text FROM location l, z WHERE l.tenant_id = $1 AND l.code = $2" },
};
/* clang-format on */

const struct store_statement *disclosure_store_statements(size_t *n)
{
    *n = sizeof statements / sizeof statements[0];
    return statements;
}

enum emt_err disclosure_get(struct store *s, int32_t tenant, const char *code,
                            struct store_result **out)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_text(&p[1], code);
    return store_run_row(s, &statements[0], p, out);
}

enum emt_err disclosure_papers(struct store *s, int32_t tenant, const char *code,
                               struct store_result **out)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_text(&p[1], code);
    return store_run_row(s, &statements[1], p, out);
}
