#include "store/event_store.h"

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum { EVENT_INSERT, EVENT_ADD, EVENT_EXPIRE, STATEMENTS };

static const struct store_statement statements[STATEMENTS] = {
    [EVENT_INSERT] = { "event_insert", 7,
                       "INSERT INTO event (tenant_id, at, severity, kind, gateway_id, device_id, "
                       "detail)"
                       " SELECT $1, u.at, u.severity, u.kind, u.gateway_id, u.device_id, u.detail"
                       " FROM unnest($2::timestamptz[], $3::int2[], $4::text[], $5::int8[], "
                       "$6::int8[], $7::text[])"
                       " AS u(at, severity, kind, gateway_id, device_id, detail)" },
    [EVENT_ADD] = { "event_add", 7,
                    "INSERT INTO event (tenant_id, at, severity, kind, gateway_id, device_id, detail)"
                    " VALUES ($1, $2, $3, $4, $5, $6, $7)" },
    [EVENT_EXPIRE] = { "event_expire", 2,
                       "DELETE FROM event WHERE (tenant_id, event_id) IN (SELECT e.tenant_id, "
                       "e.event_id FROM event e"
                       " WHERE e.at < $1::timestamptz LIMIT $2::int4)" },
};

const struct store_statement *event_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

bool event_rows_init(struct store_rows *r)
{
    static const enum store_type types[] = { STORE_TIME, STORE_INT2, STORE_TEXT,
                                             STORE_INT8, STORE_INT8, STORE_TEXT };

    return store_rows_init(r, types, 6);
}

static bool add_id(struct store_array *a, int64_t id)
{
    return id ? store_array_int(a, id) : store_array_null(a);
}

bool event_rows_add(struct store_rows *r, const struct event_row *e)
{
    return store_array_time(r->column[0], e->at) &&
           store_array_int(r->column[1], (int64_t)e->severity) &&
           store_array_text(r->column[2], e->kind) && add_id(r->column[3], e->gateway) &&
           add_id(r->column[4], e->device) && store_array_text(r->column[5], e->detail);
}

enum emt_err event_rows_send(struct store *s, int32_t tenant, struct store_rows *r)
{
    return store_rows_send(s, &statements[EVENT_INSERT], tenant, r, 0, NULL, NULL);
}

static void id_or_null(struct store_param *p, int64_t id)
{
    p_null(p);
    if (id != 0)
        p_int8(p, id);
}

enum emt_err event_store_add(struct store *s, int32_t tenant, const struct event_row *e)
{
    struct store_param p[7];

    p_int4(&p[0], tenant);
    p_time(&p[1], e->at);
    p_int2(&p[2], (int16_t)e->severity);
    p_text(&p[3], e->kind);
    id_or_null(&p[4], e->gateway);
    id_or_null(&p[5], e->device);
    p_text(&p[6], e->detail);
    return store_run(s, &statements[EVENT_ADD], p, NULL);
}

enum emt_err event_expire(struct store *s, emt_time past, int32_t limit, int64_t *n)
{
    struct store_param p[2];
    struct store_result *r;
    enum emt_err err;

    p_time(&p[0], past);
    p_int4(&p[1], limit);
    err = store_run(s, &statements[EVENT_EXPIRE], p, &r);
    if (err == EMT_OK) {
        *n = store_affected(r);
        store_result_free(r);
    }
    return err;
}
