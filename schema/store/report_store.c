#include "store/report_store.h"

enum {
    TEMPLATE_INSERT,
    TEMPLATE_UPDATE,
    TEMPLATE_DELETE,
    TEMPLATE_LOCK,
    TEMPLATE_GET,
    TEMPLATE_LIST,
    SERIES_PAGE,
    SERIES_COUNT,
    SERIES_PLACES,
    MAIL_SET,
    MAIL_GET,
    READOUT_SEED,
    READOUT_ASK,
    READOUT_COUNT,
    READOUT_STATE,
    READOUT_MISSING,
    READOUT_END,
    STATEMENTS
};

/* clang-format off */
#define D(member) ", coalesce(definition->>'" member "', '')"
/* The columns of enum report_template_column. */
#define SELECT_TEMPLATE \
    "SELECT template_id::text, template_id, name, definition::text," \
    " array_to_string(quantities, E'\\n'), history, created_at, revision," \
    " coalesce((SELECT string_agg(c.text, E'\\n' ORDER BY c.nr) FROM jsonb_array_elements_text(definition->'columns')" \
    "  WITH ORDINALITY AS c(text, nr)), '')" \
    D("shape") D("format") D("language") D("encoding") D("unrepresentable") D("time_zone") D("time_format") \
    D("date_format") D("clock_format") D("field_separator") D("decimal_separator") D("quoting") D("line_end") \
    D("measure") D("energy_unit") D("grid") D("preamble") D("title") D("company") D("logo_text") \
    D("contact_name") D("contact_mail") D("contact_phone") D("file_name") D("heading") D("letterhead") \
    D("cell_status") D("decimals") D("step_s") \
    " FROM report_template"

/* Registers of a choice, b: what binds them then. $2 location, $3 quantities, $4 history, $5 from, $6 to. */
#define CHOICE \
    " FROM device d" \
    " JOIN channel c ON c.tenant_id = d.tenant_id AND c.device_id = d.device_id" \
    " JOIN quantity q ON q.id = c.quantity" \
    " LEFT JOIN LATERAL (SELECT l.code, lc.device_number, lc.obis, lc.ratio_mantissa, lc.ratio_exponent" \
    "  FROM location_channel lc JOIN location l ON l.tenant_id = lc.tenant_id AND l.location_id = lc.location_id" \
    "  WHERE lc.tenant_id = c.tenant_id AND lc.channel_id = c.channel_id AND ($2::text IS NULL OR l.code = $2)" \
    "  AND lc.valid_from < $6::timestamptz AND (lc.valid_to IS NULL OR lc.valid_to > $5::timestamptz)" \
    "  ORDER BY lc.valid_from DESC, l.kind, lc.binding_id LIMIT 1) b ON true" \
    " WHERE d.tenant_id = $1 AND d.active AND d.assignment = 1 AND c.kind = 0 AND c.function = 0" \
    " AND ($4::bool OR c.storage = 0)" \
    " AND ($3::text = '' OR q.name = ANY (string_to_array($3, E'\\n')))" \
    " AND ($2::text IS NULL OR b.code IS NOT NULL)"
#define CUMULATES \
    "q.name IN ('energy', 'reactive-energy', 'apparent-energy', 'volume', 'mass', 'hca', 'counter')"
/* A value since the read-out began; a meter's clock may be a minute behind. */
#define FRESH \
    "EXISTS (SELECT FROM channel k JOIN reading r ON r.tenant_id = k.tenant_id AND r.channel_id = k.channel_id" \
    " WHERE k.tenant_id = d.tenant_id AND k.device_id = d.device_id AND r.ts >= o.begun_at - interval '60 s')"

static const struct store_statement statements[STATEMENTS] = {
    [TEMPLATE_INSERT] = { "report_template_insert", 6,
        "INSERT INTO report_template (tenant_id, name, definition, quantities, history)"
        " SELECT $1::int4, $2::text, $3::text::jsonb, $4::text[], $5::bool"
        " WHERE (SELECT count(*) FROM report_template WHERE tenant_id = $1) < $6"
        " RETURNING template_id" },
    [TEMPLATE_UPDATE] = { "report_template_update", 6,
        "UPDATE report_template SET name = $2::text, definition = $3::text::jsonb, quantities = $4::text[],"
        " history = $5::bool, revision = revision + 1 WHERE tenant_id = $1 AND template_id = $6" },
    [TEMPLATE_DELETE] = { "report_template_delete", 2,
        "DELETE FROM report_template WHERE tenant_id = $1 AND template_id = $2" },
    [TEMPLATE_LOCK] = { "report_template_lock", 2,
        "SELECT template_id FROM report_template WHERE tenant_id = $1 AND template_id = $2 FOR UPDATE" },
    [TEMPLATE_GET] = { "report_template_get", 2,
        SELECT_TEMPLATE " WHERE tenant_id = $1 AND template_id = $2" },
    [TEMPLATE_LIST] = { "report_template_list", 3,
        SELECT_TEMPLATE " WHERE tenant_id = $1 AND template_id > $2"
        " ORDER BY report_template.template_id LIMIT $3" },
    [SERIES_PAGE] = { "report_series_page", 8,
        "SELECT c.channel_id, d.device_id, d.number, d.ident, d.manufacturer, d.type, d.name, d.place,"
        " coalesce(b.code, ''), coalesce(b.device_number, ''),"
        " regexp_replace(coalesce(c.obis, b.obis, ''), '[*]255$', ''), q.name, c.name, coalesce(c.unit, ''),"
        " c.tariff, c.storage, coalesce(b.ratio_mantissa, 1), coalesce(b.ratio_exponent, 0::int2), " CUMULATES
        CHOICE
        " AND d.device_id = ANY (ARRAY(SELECT e.device_id FROM device e WHERE e.tenant_id = $1 AND e.device_id > $7"
        "  AND e.active AND e.assignment = 1 AND EXISTS (SELECT FROM channel k JOIN quantity kq ON kq.id = k.quantity"
        "   WHERE k.tenant_id = e.tenant_id AND k.device_id = e.device_id AND k.kind = 0 AND k.function = 0"
        "   AND ($4::bool OR k.storage = 0) AND ($3::text = '' OR kq.name = ANY (string_to_array($3, E'\\n')))"
        "   AND ($2::text IS NULL OR EXISTS (SELECT FROM location_channel lc JOIN location l"
        "    ON l.tenant_id = lc.tenant_id AND l.location_id = lc.location_id"
        "    WHERE lc.tenant_id = k.tenant_id AND lc.channel_id = k.channel_id AND l.code = $2"
        "    AND lc.valid_from < $6::timestamptz AND (lc.valid_to IS NULL OR lc.valid_to > $5::timestamptz))))"
        "  ORDER BY e.device_id LIMIT $8))"
        " ORDER BY d.device_id, (" CUMULATES ") DESC, c.storage, c.tariff, c.subunit, c.quantity, c.channel_id" },
    [SERIES_COUNT] = { "report_series_count", 6, "SELECT count(*)" CHOICE },
    [SERIES_PLACES] = { "report_series_places", 6,
        "SELECT l.code, b.device_number, b.ratio_mantissa, b.ratio_exponent, lower(x.r), upper(x.r),"
        " EXISTS (SELECT FROM calculated_channel k WHERE k.tenant_id = $1 AND k.channel_id = $2)"
        " FROM location_channel b JOIN location l ON l.tenant_id = $1 AND l.location_id = b.location_id,"
        " unnest(tstzmultirange(tstzrange(b.valid_from, b.valid_to) * tstzrange($4, $5))"
        "  * CASE WHEN $6::text IS NULL THEN '{(,)}'::tstzmultirange ELSE"
        "  (SELECT coalesce(range_agg(tstzrange(d.valid_from, d.valid_to)), '{}') FROM mandate d"
        "   WHERE d.tenant_id = $1 AND d.location_id = b.location_id AND d.recipient = $6) END) AS x (r)"
        " WHERE b.tenant_id = $1 AND b.channel_id = $2::int8 AND ($3::text IS NULL OR l.code = $3)"
        " ORDER BY l.kind, lower(x.r), b.binding_id" },
    [MAIL_SET] = { "report_mail_set", 5,
        "INSERT INTO report_mail (tenant_id, file_id, mail_to, mail_cc, mail_bcc)"
        " VALUES ($1, $2, string_to_array($3, E'\\n'), string_to_array($4, E'\\n'), string_to_array($5, E'\\n'))"
        " ON CONFLICT (tenant_id, file_id) DO NOTHING" },
    [MAIL_GET] = { "report_mail_get", 2,
        "SELECT array_to_string(mail_to, E'\\n'), array_to_string(mail_cc, E'\\n'), array_to_string(mail_bcc, E'\\n')"
        " FROM report_mail WHERE tenant_id = $1 AND file_id = $2" },
    [READOUT_SEED] = { "readout_seed", 3,
        "INSERT INTO readout (tenant_id, job_id, begun_at, deadline)"
        " VALUES ($1, $2::int8, now(), now() + make_interval(secs => $3::int4))"
        " ON CONFLICT (tenant_id, job_id) DO NOTHING" },
    [READOUT_ASK] = { "readout_ask", 8,
        "WITH heard AS (SELECT DISTINCT g.gateway_id FROM (SELECT DISTINCT d.tenant_id, d.device_id" CHOICE ") d"
        " CROSS JOIN LATERAL (SELECT f.gateway_id FROM raw_frame f WHERE f.tenant_id = d.tenant_id"
        "  AND f.device_id = d.device_id AND f.stored_at > now() - interval '40 days'"
        "  ORDER BY f.received_at DESC LIMIT 1) h"
        " JOIN gateway_session g ON g.tenant_id = d.tenant_id AND g.gateway_id = h.gateway_id AND g.state = 0),"
        " ordered AS (INSERT INTO command (tenant_id, gateway_id, idempotency_key, name, arguments, expires_at)"
        " SELECT $1, gateway_id, uuid_send(gen_random_uuid()), 'read', '{}',"
        "  now() + make_interval(secs => $8::int4) FROM heard RETURNING gateway_id, command_id)"
        " INSERT INTO readout_gateway (tenant_id, job_id, gateway_id, command_id)"
        " SELECT $1, $7::int8, gateway_id, command_id FROM ordered" },
    [READOUT_COUNT] = { "readout_count", 2,
        "SELECT count(*) FROM readout_gateway WHERE tenant_id = $1 AND job_id = $2::int8" },
    [READOUT_STATE] = { "readout_state", 7,
        "SELECT o.begun_at, o.deadline,"
        " (SELECT count(*) FROM readout_gateway g WHERE g.tenant_id = $1 AND g.job_id = o.job_id),"
        " (SELECT count(*) FROM readout_gateway g JOIN command k ON k.tenant_id = g.tenant_id"
        "  AND k.command_id = g.command_id WHERE g.tenant_id = $1 AND g.job_id = o.job_id AND k.state >= 2),"
        " m.meters, m.fresh FROM readout o, LATERAL (SELECT count(*) AS meters, count(*) FILTER (WHERE " FRESH ") AS fresh"
        "  FROM (SELECT DISTINCT d.tenant_id, d.device_id" CHOICE ") d) m"
        " WHERE o.tenant_id = $1 AND o.job_id = $7::int8" },
    [READOUT_MISSING] = { "readout_missing", 8,
        "SELECT d.number, coalesce(g.external_id, ''), CASE WHEN h.gateway_id IS NULL THEN 'no gateway has heard it lately'"
        " WHEN rg.command_id IS NULL THEN 'its gateway was not connected'"
        " WHEN k.state = 2 THEN 'no value came: ' || coalesce(nullif(k.result, ''), 'asked')"
        " WHEN k.state = 3 THEN 'its gateway refused: ' || coalesce(k.result, '')"
        " WHEN k.state = 4 THEN 'its gateway did not answer' ELSE 'no answer by the deadline' END"
        " FROM readout o, LATERAL (SELECT DISTINCT d.tenant_id, d.device_id, d.number" CHOICE ") d"
        " LEFT JOIN LATERAL (SELECT f.gateway_id FROM raw_frame f WHERE f.tenant_id = d.tenant_id"
        "  AND f.device_id = d.device_id AND f.stored_at > now() - interval '40 days'"
        "  ORDER BY f.received_at DESC LIMIT 1) h ON true"
        " LEFT JOIN gateway g ON g.tenant_id = d.tenant_id AND g.gateway_id = h.gateway_id"
        " LEFT JOIN readout_gateway rg ON rg.tenant_id = d.tenant_id AND rg.job_id = $7::int8 AND rg.gateway_id = h.gateway_id"
        " LEFT JOIN command k ON k.tenant_id = rg.tenant_id AND k.command_id = rg.command_id"
        " WHERE o.tenant_id = $1 AND o.job_id = $7::int8 AND NOT " FRESH
        " ORDER BY d.number LIMIT $8::int4" },
    [READOUT_END] = { "readout_end", 2, "DELETE FROM readout WHERE tenant_id = $1 AND job_id = $2::int8" },
};
/* clang-format on */

const struct store_statement *report_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

static void two(struct store_param p[2], int32_t tenant, int64_t id)
{
    p_int4(&p[0], tenant);
    p_int8(&p[1], id);
}

/* --- templates --- */

static void template_params(struct store_param p[5], int32_t tenant,
                            const struct report_template_row *row)
{
    p_int4(&p[0], tenant);
    p_text(&p[1], row->name);
    p_text(&p[2], row->definition);
    p_array(&p[3], row->quantities);
    p_bool(&p[4], row->history);
}

enum emt_err report_template_insert(struct store *s, int32_t tenant,
                                    const struct report_template_row *row, int64_t *id)
{
    struct store_param p[6];

    template_params(p, tenant, row);
    p_int8(&p[5], REPORT_TEMPLATES_MOST);
    enum emt_err err = store_run_number(s, &statements[TEMPLATE_INSERT], p, id);
    return err == EMT_ENOTFOUND ? EMT_ELIMIT : err;
}

enum emt_err report_template_update(struct store *s, int32_t tenant, int64_t id,
                                    const struct report_template_row *row)
{
    struct store_param p[6];

    template_params(p, tenant, row);
    p_int8(&p[5], id);
    return store_run_touch(s, &statements[TEMPLATE_UPDATE], p);
}

enum emt_err report_template_delete(struct store *s, int32_t tenant, int64_t id)
{
    struct store_param p[2];

    two(p, tenant, id);
    return store_run_touch(s, &statements[TEMPLATE_DELETE], p);
}

enum emt_err report_template_lock(struct store *s, int32_t tenant, int64_t id)
{
    struct store_param p[2];

    two(p, tenant, id);
    return store_run_touch(s, &statements[TEMPLATE_LOCK], p);
}

enum emt_err report_template_get(struct store *s, int32_t tenant, int64_t id,
                                 struct store_result **out)
{
    struct store_param p[2];

    two(p, tenant, id);
    return store_run_row(s, &statements[TEMPLATE_GET], p, out);
}

enum emt_err report_template_list(struct store *s, int32_t tenant, int64_t after, int limit,
                                  struct store_result **out)
{
    struct store_param p[3];

    two(p, tenant, after);
    p_int8(&p[2], limit);
    return store_run(s, &statements[TEMPLATE_LIST], p, out);
}

/* --- registers --- */

/* $1 to $6. */
static void choice_params(struct store_param p[6], int32_t tenant,
                          const struct report_choice *choice)
{
    p_int4(&p[0], tenant);
    p_text(&p[1], choice->location);
    p_text(&p[2], choice->quantities);
    p_bool(&p[3], choice->history);
    p_time(&p[4], choice->from);
    p_time(&p[5], choice->to);
}

enum emt_err report_series_page(struct store *s, int32_t tenant, const struct report_choice *choice,
                                int64_t after, int devices, struct store_result **out)
{
    struct store_param p[8];

    choice_params(p, tenant, choice);
    p_int8(&p[6], after);
    p_int8(&p[7], devices);
    return store_run(s, &statements[SERIES_PAGE], p, out);
}

enum emt_err report_series_count(struct store *s, int32_t tenant,
                                 const struct report_choice *choice, int64_t *n)
{
    struct store_param p[6];

    choice_params(p, tenant, choice);
    return store_run_number(s, &statements[SERIES_COUNT], p, n);
}

enum emt_err report_series_places(struct store *s, int32_t tenant, int64_t channel,
                                  const char *location, emt_time from, emt_time to,
                                  const char *recipient, struct store_result **out)
{
    struct store_param p[6];

    two(p, tenant, channel);
    p_text(&p[2], location);
    p_time(&p[3], from);
    p_time(&p[4], to);
    p_text(&p[5], recipient);
    return store_run(s, &statements[SERIES_PLACES], p, out);
}

/* --- mail --- */

enum emt_err report_mail_set(struct store *s, int32_t tenant, int64_t file_id, const char *to,
                             const char *cc, const char *bcc)
{
    struct store_param p[5];

    two(p, tenant, file_id);
    p_text(&p[2], to);
    p_text(&p[3], cc);
    p_text(&p[4], bcc);
    return store_run(s, &statements[MAIL_SET], p, NULL);
}

enum emt_err report_mail_get(struct store *s, int32_t tenant, int64_t file_id,
                             struct store_result **out)
{
    struct store_param p[2];

    two(p, tenant, file_id);
    return store_run_row(s, &statements[MAIL_GET], p, out);
}

/* --- meters that are read first --- */

static enum emt_err ask(struct store *s, int32_t tenant, int64_t job,
                        const struct report_choice *choice, int32_t deadline_s)
{
    struct store_param p[8];

    choice_params(p, tenant, choice);
    p_int8(&p[6], job);
    p_int4(&p[7], deadline_s);
    return store_run(s, &statements[READOUT_ASK], p, NULL);
}

enum emt_err readout_begin(struct store *s, int32_t tenant, int64_t job,
                           const struct report_choice *choice, int32_t deadline_s,
                           int64_t *gateways)
{
    struct store_param p[3];

    two(p, tenant, job);
    p_int4(&p[2], deadline_s);
    enum emt_err err = store_run_touch(s, &statements[READOUT_SEED], p);
    if (err == EMT_OK)
        err = ask(s, tenant, job, choice, deadline_s);
    else if (err == EMT_ENOTFOUND)
        err = EMT_OK; /* a run before this one did */
    return err == EMT_OK ? store_run_number(s, &statements[READOUT_COUNT], p, gateways) : err;
}

enum emt_err readout_state(struct store *s, int32_t tenant, int64_t job,
                           const struct report_choice *choice, struct readout_state *out)
{
    struct store_result *r = NULL;
    struct store_param p[7];

    choice_params(p, tenant, choice);
    p_int8(&p[6], job);
    enum emt_err err = store_run_row(s, &statements[READOUT_STATE], p, &r);
    if (err == EMT_OK)
        *out = (struct readout_state){ .begun_at = c_time(r, 0, 0),
                                       .deadline = c_time(r, 0, 1),
                                       .gateways = c_int(r, 0, 2),
                                       .ended = c_int(r, 0, 3),
                                       .meters = c_int(r, 0, 4),
                                       .fresh = c_int(r, 0, 5) };
    store_result_free(r);
    return err;
}

enum emt_err readout_missing(struct store *s, int32_t tenant, int64_t job,
                             const struct report_choice *choice, int limit,
                             struct store_result **out)
{
    struct store_param p[8];

    choice_params(p, tenant, choice);
    p_int8(&p[6], job);
    p_int4(&p[7], limit);
    return store_run(s, &statements[READOUT_MISSING], p, out);
}

enum emt_err readout_end(struct store *s, int32_t tenant, int64_t job)
{
    struct store_param p[2];

    two(p, tenant, job);
    return store_run(s, &statements[READOUT_END], p, NULL);
}
