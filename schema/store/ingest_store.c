#include "store/ingest_store.h"

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum {
    PLANS_GENERIC,
    PLANS_DISCARD,
    LOCKS_BRIEF,
    CURSOR_ADVANCE,
    CURSOR_SETTLE,
    DEVICE_LOCK,
    TELEGRAM_INSERT,
    TELEGRAM_CAREFUL,
    COUNTER_RAISE,
    REJECTED_INSERT,
    GAP_INSERT,
    STATEMENTS
};

/* The same slot is the key; the slots beside it are looked at as well, because five minutes do not
 * end at a slot's border. */
#define TELEGRAMS                                                                                  \
    "INSERT INTO telegram (tenant_id, device_id, slot, received_at, hash)"                         \
    " SELECT $1, u.device_id, u.slot, u.received_at, u.hash"                                       \
    " FROM (SELECT unnest($2::int8[]) AS device_id, unnest($3::bytea[]) AS hash, "                 \
    "unnest($4::int8[]) AS slot, unnest($5::timestamptz[]) AS received_at OFFSET 0) AS u"          \
    " WHERE NOT EXISTS (SELECT FROM telegram o WHERE o.tenant_id = $1 AND o.device_id = "          \
    "u.device_id AND o.hash = u.hash AND o.slot BETWEEN u.slot - 1 AND u.slot + 1"                 \
    " AND (o.slot = u.slot OR o.received_at BETWEEN u.received_at - interval '300 s' AND "         \
    "u.received_at + interval '300 s') OFFSET 0) "

/* Citus wants immutable expressions in updates: times are parameters, not now(). */
static const struct store_statement statements[STATEMENTS] = {
    /* A plan made for the length of this batch's arrays costs more than it saves, each time. A kept
     * one must not have been chosen because a table was small just then: it goes through the keys,
     * row by row. */
    [PLANS_GENERIC] = { "plans_generic", 0,
                        "SELECT set_config('plan_cache_mode', 'force_generic_plan', false),"
                        " set_config('enable_seqscan', 'off', false),"
                        " set_config('enable_bitmapscan', 'off', false),"
                        " set_config('enable_hashjoin', 'off', false),"
                        " set_config('enable_mergejoin', 'off', false),"
                        " set_config('enable_material', 'off', false)" },
    [PLANS_DISCARD] = { "plans_discard", 0, "DISCARD PLANS" },
    [LOCKS_BRIEF] = { "locks_brief", 0, "SELECT set_config('lock_timeout', '200ms', true)" },
    [CURSOR_ADVANCE] = { "cursor_advance", 7,
                         "UPDATE gateway_cursor c SET last_seq = u.seq, frames = c.frames + u.n, "
                         "updated_at = $7::timestamptz"
                         " FROM unnest($2::int8[], $3::bytea[], $4::int8[], $5::int8[], "
                         "$6::int8[]) AS u(gateway_id, spool_id, epoch, seq, n)"
                         " WHERE c.tenant_id = $1 AND c.gateway_id = u.gateway_id AND c.spool_id = "
                         "u.spool_id AND c.epoch = u.epoch"
                         " AND c.last_seq < u.seq RETURNING c.gateway_id, c.spool_id, c.epoch" },
    [CURSOR_SETTLE] = { "cursor_settle", 7,
                        "UPDATE gateway_cursor c SET updated_at = $7::timestamptz"
                        " FROM unnest($2::int8[], $3::bytea[], $4::int8[], $5::int8[], $6::int8[]) "
                        "AS u(gateway_id, spool_id, epoch, seq, n)"
                        " WHERE c.tenant_id = $1 AND c.gateway_id = u.gateway_id AND c.spool_id = "
                        "u.spool_id AND c.epoch = u.epoch"
                        " RETURNING c.gateway_id, c.spool_id, c.last_seq, c.epoch" },
    /* The subquery stays whole (OFFSET 0): once for each device, through the key, in the array's
       order. A join planned while the table was small reads all devices of the tenant, once for
       each of the batch. */
    [DEVICE_LOCK] = { "device_lock", 2,
                      "SELECT d.device_id, d.counter, d.counter_at"
                      " FROM (SELECT unnest($2::int8[]) AS device_id OFFSET 0) AS u"
                      " CROSS JOIN LATERAL (SELECT o.device_id, o.counter, o.counter_at FROM device o"
                      " WHERE o.tenant_id = $1 AND o.device_id = u.device_id"
                      " OFFSET 0 FOR NO KEY UPDATE) AS d" },
    /* Under the device's lock nobody else adds telegrams of it. */
    [TELEGRAM_INSERT] = { "telegram_insert", 5, TELEGRAMS "RETURNING device_id, hash, slot" },
    [TELEGRAM_CAREFUL] = { "telegram_careful", 5,
                           TELEGRAMS "ON CONFLICT (tenant_id, device_id, slot, hash) DO NOTHING "
                                     "RETURNING device_id, hash, slot" },
    [COUNTER_RAISE] = { "counter_raise", 4,
                        "UPDATE device d SET counter = u.counter, counter_at = u.received_at"
                        " FROM unnest($2::int8[], $3::int8[], $4::timestamptz[]) AS u(device_id, "
                        "counter, received_at)"
                        " WHERE d.tenant_id = $1 AND d.device_id = u.device_id AND d.counter < "
                        "u.counter" },
    [REJECTED_INSERT] = { "rejected_insert", 6,
                          "INSERT INTO frame_rejected (tenant_id, gateway_id, spool_id, seq, "
                          "reason, at)"
                          " SELECT $1, u.gateway_id, u.spool_id, u.seq, u.reason, $6::timestamptz"
                          " FROM unnest($2::int8[], $3::bytea[], $4::int8[], $5::text[]) AS "
                          "u(gateway_id, spool_id, seq, reason)" },
    [GAP_INSERT] = { "gap_insert", 7,
                     "INSERT INTO gateway_gap (tenant_id, gateway_id, spool_id, from_seq, to_seq, "
                     "reason, at)"
                     " SELECT $1, u.gateway_id, u.spool_id, u.from_seq, u.to_seq, u.reason, "
                     "$7::timestamptz"
                     " FROM unnest($2::int8[], $3::bytea[], $4::int8[], $5::int8[], $6::text[]) AS "
                     "u(gateway_id, spool_id, from_seq, to_seq, reason)" },
};

const struct store_statement *ingest_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

enum emt_err ingest_prepare_send(struct store *s)
{
    return store_send(s, &statements[PLANS_GENERIC], NULL, NULL, NULL);
}

enum emt_err ingest_replan_send(struct store *s)
{
    return store_send(s, &statements[PLANS_DISCARD], NULL, NULL, NULL);
}

enum emt_err ingest_brief_send(struct store *s)
{
    return store_send(s, &statements[LOCKS_BRIEF], NULL, NULL, NULL);
}

bool cursor_rows_init(struct store_rows *r)
{
    static const enum store_type types[] = { STORE_INT8, STORE_BYTES, STORE_INT8, STORE_INT8,
                                             STORE_INT8 };

    return store_rows_init(r, types, 5);
}

bool cursor_rows_add(struct store_rows *r, const struct cursor_row *c)
{
    return store_array_int(r->column[0], c->gateway) &&
           store_array_bytes(r->column[1], c->spool_id, 16) &&
           store_array_int(r->column[2], c->epoch) &&
           store_array_int(r->column[3], (int64_t)c->last_seq) &&
           store_array_int(r->column[4], (int64_t)c->frames);
}

enum emt_err cursor_rows_send(struct store *s, int32_t tenant, struct store_rows *r, emt_time now,
                              store_done *done, void *ctx)
{
    return store_rows_send(s, &statements[CURSOR_ADVANCE], tenant, r, now, done, ctx);
}

enum emt_err cursor_settle_send(struct store *s, int32_t tenant, struct store_rows *r, emt_time now,
                                store_done *done, void *ctx)
{
    return store_rows_send(s, &statements[CURSOR_SETTLE], tenant, r, now, done, ctx);
}

enum emt_err device_lock_send(struct store *s, int32_t tenant, struct store_array *devices,
                              store_done *done, void *ctx)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_array(&p[1], devices);
    return store_send(s, &statements[DEVICE_LOCK], p, done, ctx);
}

int64_t telegram_slot(emt_time received_at)
{
    return received_at / TELEGRAM_SLOT; /* collected frames are never before 1970 */
}

bool telegram_rows_init(struct store_rows *r)
{
    static const enum store_type types[] = { STORE_INT8, STORE_BYTES, STORE_INT8, STORE_TIME };

    return store_rows_init(r, types, 4);
}

bool telegram_rows_add(struct store_rows *r, const struct telegram_row *t)
{
    return store_array_int(r->column[0], t->device) &&
           store_array_bytes(r->column[1], t->hash, 16) &&
           store_array_int(r->column[2], telegram_slot(t->received_at)) &&
           store_array_time(r->column[3], t->received_at);
}

enum emt_err telegram_rows_send(struct store *s, int32_t tenant, struct store_rows *r, bool careful,
                                store_done *done, void *ctx)
{
    return store_rows_send(s, &statements[careful ? TELEGRAM_CAREFUL : TELEGRAM_INSERT], tenant, r,
                           0, done, ctx);
}

bool counter_rows_init(struct store_rows *r)
{
    static const enum store_type types[] = { STORE_INT8, STORE_INT8, STORE_TIME };

    return store_rows_init(r, types, 3);
}

bool counter_rows_add(struct store_rows *r, int64_t device, int64_t counter, emt_time received_at)
{
    return store_array_int(r->column[0], device) && store_array_int(r->column[1], counter) &&
           store_array_time(r->column[2], received_at);
}

enum emt_err counter_rows_send(struct store *s, int32_t tenant, struct store_rows *r)
{
    return store_rows_send(s, &statements[COUNTER_RAISE], tenant, r, 0, NULL, NULL);
}

bool rejected_rows_init(struct store_rows *r)
{
    static const enum store_type types[] = { STORE_INT8, STORE_BYTES, STORE_INT8, STORE_TEXT };

    return store_rows_init(r, types, 4);
}

bool rejected_rows_add(struct store_rows *r, int64_t gateway, const uint8_t spool_id[16],
                       uint64_t seq, const char *reason)
{
    return store_array_int(r->column[0], gateway) &&
           store_array_bytes(r->column[1], spool_id, 16) &&
           store_array_int(r->column[2], (int64_t)seq) && store_array_text(r->column[3], reason);
}

enum emt_err rejected_rows_send(struct store *s, int32_t tenant, struct store_rows *r, emt_time now)
{
    return store_rows_send(s, &statements[REJECTED_INSERT], tenant, r, now, NULL, NULL);
}

bool gap_rows_init(struct store_rows *r)
{
    static const enum store_type types[] = { STORE_INT8, STORE_BYTES, STORE_INT8, STORE_INT8,
                                             STORE_TEXT };

    return store_rows_init(r, types, 5);
}

bool gap_rows_add(struct store_rows *r, int64_t gateway, const uint8_t spool_id[16], uint64_t from,
                  uint64_t to, const char *reason)
{
    return store_array_int(r->column[0], gateway) &&
           store_array_bytes(r->column[1], spool_id, 16) &&
           store_array_int(r->column[2], (int64_t)from) &&
           store_array_int(r->column[3], (int64_t)to) && store_array_text(r->column[4], reason);
}

enum emt_err gap_rows_send(struct store *s, int32_t tenant, struct store_rows *r, emt_time now)
{
    return store_rows_send(s, &statements[GAP_INSERT], tenant, r, now, NULL, NULL);
}
