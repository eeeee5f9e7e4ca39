#include "store/frame_store.h"

#include "result_edit.h"
#include "store/raw_pack_store.h"

#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum {
    FRAME_INSERT,
    WAITING_DEVICES,
    WAITING_OF_DEVICE,
    WAITING_UNKNOWN,
    UPDATE_KNOWN,
    UPDATE_UNKNOWN,
    FRAMES_DROP,
    FRAMES_DROP_EMPTY,
    FRAMES_EXPIRE,
    HEARD_EXPIRE,
    TELEGRAMS_EXPIRE,
    REJECTED_EXPIRE,
    GAP_EXPIRE,
    TENANTS,
    PARTITIONS,
    STATEMENTS
};

#define WAITING_COLUMNS                                                                            \
    "SELECT gateway_id, spool_id, seq, received_at, stored_at, state, protocol, format, "          \
    "rssi_dbm, data FROM raw_frame"
#define WAITING_BEHIND                                                                             \
    " AND state = ANY($3::int2[]) AND (received_at, gateway_id, seq, spool_id) > "                 \
    "($4::timestamptz, $5::int8, $6::int8, $7::bytea)"                                             \
    " ORDER BY received_at, gateway_id, seq, spool_id LIMIT $8::int4"
#define UPDATE_FRAMES                                                                              \
    "UPDATE raw_frame f SET state = u.state, device_id = u.device_id, counter = u.counter, hash "  \
    "= u.hash, reason = u.reason"                                                                  \
    " FROM unnest($2::int8[], $3::bytea[], $4::int8[], $5::timestamptz[], $6::timestamptz[], "     \
    "$7::int8[], $8::int2[], $9::int2[],"                                                          \
    " $10::int8[], $11::int8[], $12::bytea[], $13::text[])"                                        \
    " AS u(gateway_id, spool_id, seq, received_at, stored_at, old_device, old_state, state, "      \
    "device_id, counter, hash, reason)"                                                            \
    " WHERE f.tenant_id = $1 AND f.received_at = u.received_at AND f.stored_at = u.stored_at AND " \
    "f.gateway_id = u.gateway_id"                                                                  \
    " AND f.spool_id = u.spool_id AND f.seq = u.seq AND f.state = u.old_state"

static const struct store_statement statements[STATEMENTS] = {
    [FRAME_INSERT] = { "frame_insert", 14,
                       "INSERT INTO raw_frame (tenant_id, gateway_id, spool_id, seq, protocol, "
                       "format, received_at, device_id, counter, state, rssi_dbm, hash, data, "
                       "reason, stored_at)"
                       " SELECT $1, unnest($2::int8[]), unnest($3::bytea[]), unnest($4::int8[]), "
                       "unnest($5::int2[]), unnest($6::int2[]), unnest($7::timestamptz[]), "
                       "unnest($8::int8[]), unnest($9::int8[]), unnest($10::int2[]), "
                       "unnest($11::int2[]), unnest($12::bytea[]), unnest($13::bytea[]), "
                       "unnest($14::text[]), now()" },
    /* The second condition on state is the one of the partial index raw_frame_waiting. */
    [WAITING_DEVICES] = { "waiting_devices", 8,
                          "SELECT DISTINCT f.device_id FROM raw_frame f JOIN device d ON "
                          "d.tenant_id = $1 AND d.device_id = f.device_id"
                          " WHERE f.tenant_id = $1 AND f.state = ANY($2::int2[]) AND f.state IN "
                          "(1, 2, 3, 6, 7, 8, 10, 11) AND f.device_id > $3::int8"
                          " AND ($4::text IS NULL OR d.manufacturer = $4) AND ($5::text IS NULL OR "
                          "d.number = $5)"
                          " AND ($6::int2 IS NULL OR d.version = $6) AND ($7::int2 IS NULL OR "
                          "d.type = $7)"
                          " ORDER BY f.device_id LIMIT $8::int4" },
    [WAITING_OF_DEVICE] = { "waiting_of_device", 8,
                            WAITING_COLUMNS
                            " WHERE tenant_id = $1 AND device_id = $2::int8" WAITING_BEHIND },
    [WAITING_UNKNOWN] = { "waiting_unknown", 8,
                          WAITING_COLUMNS " WHERE tenant_id = $1 AND device_id IS NULL AND "
                                          "$2::int8 = 0" WAITING_BEHIND },
    [UPDATE_KNOWN] = { "frame_update_known", 13, UPDATE_FRAMES " AND f.device_id = u.old_device" },
    [UPDATE_UNKNOWN] = { "frame_update_unknown", 13, UPDATE_FRAMES " AND f.device_id IS NULL" },
    [FRAMES_DROP] = { "frames_drop", 1,
                      "SELECT raw_frames_drop($1::timestamptz - make_interval(days => (SELECT "
                      "max(raw_retention_days) FROM tenant)))" },
    [FRAMES_DROP_EMPTY] = { "frames_drop_empty", 1,
                            "SELECT raw_frames_drop_empty($1::timestamptz)" },
    [FRAMES_EXPIRE] = { "frames_expire", 2,
                        "DELETE FROM raw_frame f WHERE f.tenant_id = $1"
                        " AND f.stored_at < $2::timestamptz - make_interval(days => (SELECT "
                        "raw_retention_days FROM tenant WHERE id = $1))" },
    [HEARD_EXPIRE] = { "heard_expire", 3,
                       "DELETE FROM raw_frame f USING device d WHERE f.tenant_id = $1 AND "
                       "d.tenant_id = $1 AND d.assignment = 0"
                       " AND f.device_id = d.device_id AND f.stored_at < $2::timestamptz - "
                       "make_interval(days => $3::int4)"
                       " AND f.received_at < $2::timestamptz - make_interval(days => $3::int4)" },
    [TELEGRAMS_EXPIRE] = { "telegrams_expire", 2,
                           "DELETE FROM telegram WHERE tenant_id = $1 AND received_at < "
                           "$2::timestamptz" },
    [REJECTED_EXPIRE] = { "rejected_expire", 2,
                          "DELETE FROM frame_rejected WHERE tenant_id = $1 AND at < "
                          "$2::timestamptz" },
    [GAP_EXPIRE] = { "gap_expire", 2,
                     "DELETE FROM gateway_gap WHERE tenant_id = $1 AND at < $2::timestamptz" },
    [TENANTS] = { "maintenance_tenants", 0, "SELECT id FROM tenant ORDER BY id" },
    [PARTITIONS] = { "partitions_ensure", 2,
                     "SELECT partitions_ensure($1::timestamptz, $2::int4)" },
};

const struct store_statement *frame_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

/* ---- storing ---- */

static bool add_id(struct store_array *a, bool known, int64_t id)
{
    return known ? store_array_int(a, id) : store_array_null(a);
}

static int64_t clamp_int2(int v)
{
    return v < INT16_MIN ? INT16_MIN : v > INT16_MAX ? INT16_MAX : v;
}

bool frame_rows_init(struct store_rows *r)
{
    static const enum store_type types[] = { STORE_INT8, STORE_BYTES, STORE_INT8,  STORE_INT2,
                                             STORE_INT2, STORE_TIME,  STORE_INT8,  STORE_INT8,
                                             STORE_INT2, STORE_INT2,  STORE_BYTES, STORE_BYTES,
                                             STORE_TEXT };

    return store_rows_init(r, types, 13);
}

bool frame_rows_add(struct store_rows *r, const struct frame_row *f)
{
    return store_array_int(r->column[0], f->gateway) &&
           store_array_bytes(r->column[1], f->spool_id, 16) &&
           store_array_int(r->column[2], (int64_t)f->seq) &&
           store_array_int(r->column[3], f->protocol) && store_array_int(r->column[4], f->format) &&
           store_array_time(r->column[5], f->received_at) &&
           add_id(r->column[6], f->device != 0, f->device) &&
           add_id(r->column[7], f->has_counter, f->counter) &&
           store_array_int(r->column[8], f->state) &&
           store_array_int(r->column[9], clamp_int2(f->rssi_dbm)) &&
           store_array_bytes(r->column[10], f->hash, 16) &&
           store_array_bytes(r->column[11], f->data, f->len) &&
           store_array_text(r->column[12], f->reason);
}

enum emt_err frame_rows_send(struct store *s, int32_t tenant, struct store_rows *r,
                             store_done *done, void *ctx)
{
    return store_rows_send(s, &statements[FRAME_INSERT], tenant, r, 0, done, ctx);
}

/* ---- replay ---- */

/* int2[] of the states in the mask; NULL when out of memory. */
static struct store_array *states_array(uint32_t states)
{
    struct store_array *a = store_array_new(STORE_INT2);
    bool ok = a;

    for (int i = 0; ok && i < FRAME_STATES; i++) {
        if (states & UINT32_C(1) << i)
            ok = store_array_int(a, i);
    }
    if (ok)
        return a;
    store_array_free(a);
    return NULL;
}

static void p_int2_or_null(struct store_param *p, int v)
{
    if (v < 0)
        p_null(p);
    else
        p_int2(p, (int16_t)v);
}

enum emt_err waiting_devices(struct store *s, int32_t tenant, const struct waiting_filter *f,
                             int64_t after, int32_t limit, struct store_result **out)
{
    struct store_array *states = states_array(f->states);
    struct store_param p[8];
    enum emt_err err;

    if (!states)
        return EMT_ENOMEM;
    p_int4(&p[0], tenant);
    p_array(&p[1], states);
    p_int8(&p[2], after);
    p_text(&p[3], f->manufacturer);
    p_text(&p[4], f->number);
    p_int2_or_null(&p[5], f->version);
    p_int2_or_null(&p[6], f->type);
    p_int4(&p[7], limit);
    err = store_run(s, &statements[WAITING_DEVICES], p, out);
    store_array_free(states);
    return err;
}

/* Columns of WAITING_COLUMNS. */
static bool put_packed(struct store_result *to, const struct packed_hit *h)
{
    const struct packed_frame *f = &h->f;
    int row = store_rows(to);

    return result_put_int(to, row, 0, h->gateway, 8) &&
           result_put_bytes(to, row, 1, f->spool_id, 16) && result_put_int(to, row, 2, f->seq, 8) &&
           result_put_time(to, row, 3, f->received_at) &&
           result_put_time(to, row, 4, f->stored_at) && result_put_int(to, row, 5, f->state, 2) &&
           result_put_int(to, row, 6, f->protocol, 2) && result_put_int(to, row, 7, f->format, 2) &&
           (f->has_rssi ? result_put_int(to, row, 8, f->rssi_dbm, 2)
                        : result_put_null(to, row, 8)) &&
           result_put_bytes(to, row, 9, f->data, f->len);
}

/* <0: the row comes first; 0: the same frame, packed between the two looks. */
static int compare_packed(const struct store_result *rows, int i, const struct packed_hit *h)
{
    int64_t row[3] = { c_time(rows, i, 3), c_int(rows, i, 0), c_int(rows, i, 2) };
    int64_t hit[3] = { h->f.received_at, h->gateway, h->f.seq };
    size_t n;
    const uint8_t *spool = c_bytes(rows, i, 1, &n);

    for (int k = 0; k < 3; k++) {
        if (row[k] != hit[k])
            return row[k] < hit[k] ? -1 : 1;
    }
    return n == 16 ? memcmp(spool, h->f.spool_id, 16) : -1;
}

static enum emt_err merge_packed(struct store_result **rows, const struct packed_hits *h,
                                 int32_t limit)
{
    struct store_result *to = result_like(*rows);
    bool ok = to != NULL;
    size_t k = 0;
    int i = 0;

    while (ok && store_rows(to) < limit && (i < store_rows(*rows) || k < h->n)) {
        int by = i == store_rows(*rows) ? 1
                 : k == h->n            ? -1
                                        : compare_packed(*rows, i, &h->list[k]);

        k += by == 0;
        ok = by <= 0 ? result_copy_row(to, *rows, i++) : put_packed(to, &h->list[k++]);
    }
    if (!ok) {
        store_result_free(to);
        return EMT_ENOMEM;
    }
    store_result_free(*rows);
    *rows = to;
    return EMT_OK;
}

static enum emt_err add_packed(struct store *s, int32_t tenant, int64_t device, uint32_t mask,
                               const struct waiting_at *at, int32_t limit,
                               struct store_result **rows)
{
    struct packed_hits hits;
    enum emt_err err = packed_of_device(s, tenant, device, mask & RAW_PACK_STATES, at->received_at,
                                        at->gateway, at->seq, at->spool_id, (size_t)limit, &hits);

    if (err == EMT_OK && hits.n > 0)
        err = merge_packed(rows, &hits, limit);
    packed_hits_release(&hits);
    return err;
}

enum emt_err waiting_frames(struct store *s, int32_t tenant, int64_t device, uint32_t mask,
                            const struct waiting_at *at, int32_t limit, struct store_result **out)
{
    struct store_array *states = states_array(mask);
    struct store_param p[8];
    enum emt_err err;

    if (!states)
        return EMT_ENOMEM;
    p_int4(&p[0], tenant);
    p_int8(&p[1], device);
    p_array(&p[2], states);
    p_time(&p[3], at->received_at);
    p_int8(&p[4], at->gateway);
    p_int8(&p[5], at->seq);
    p_bytes(&p[6], at->spool_id, 16);
    p_int4(&p[7], limit);
    err = store_run(s, &statements[device ? WAITING_OF_DEVICE : WAITING_UNKNOWN], p, out);
    store_array_free(states);
    if (err == EMT_OK && mask & RAW_PACK_STATES && limit > 0) {
        err = add_packed(s, tenant, device, mask, at, limit, out);
        if (err != EMT_OK) {
            store_result_free(*out);
            *out = NULL;
        }
    }
    return err;
}

void waiting_frame_of(const struct store_result *r, int row, struct waiting_frame *out)
{
    size_t n;
    const uint8_t *spool = c_bytes(r, row, 1, &n);

    memset(out, 0, sizeof *out);
    out->at.gateway = c_int(r, row, 0);
    if (n == sizeof out->at.spool_id)
        memcpy(out->at.spool_id, spool, n);
    out->at.seq = c_int(r, row, 2);
    out->at.received_at = c_time(r, row, 3);
    out->stored_at = c_time(r, row, 4);
    out->state = (enum frame_state)c_int(r, row, 5);
    out->protocol = (int)c_int(r, row, 6);
    out->format = (int)c_int(r, row, 7);
    out->rssi_dbm = c_null(r, row, 8) ? 0 : (int)c_int(r, row, 8);
    out->data = c_bytes(r, row, 9, &out->len);
}

bool update_rows_init(struct store_rows *r)
{
    static const enum store_type types[] = { STORE_INT8, STORE_BYTES, STORE_INT8,  STORE_TIME,
                                             STORE_TIME, STORE_INT8,  STORE_INT2,  STORE_INT2,
                                             STORE_INT8, STORE_INT8,  STORE_BYTES, STORE_TEXT };

    return store_rows_init(r, types, 12);
}

bool update_rows_add(struct store_rows *r, const struct frame_update *u)
{
    return store_array_int(r->column[0], u->at.gateway) &&
           store_array_bytes(r->column[1], u->at.spool_id, 16) &&
           store_array_int(r->column[2], u->at.seq) &&
           store_array_time(r->column[3], u->at.received_at) &&
           store_array_time(r->column[4], u->stored_at) &&
           add_id(r->column[5], u->old_device != 0, u->old_device) &&
           store_array_int(r->column[6], u->old_state) && store_array_int(r->column[7], u->state) &&
           add_id(r->column[8], u->device != 0, u->device) &&
           add_id(r->column[9], u->has_counter, u->counter) &&
           store_array_bytes(r->column[10], u->hash, 16) &&
           store_array_text(r->column[11], u->reason);
}

enum emt_err update_rows_send(struct store *s, int32_t tenant, struct store_rows *r, bool known,
                              store_done *done, void *ctx)
{
    return store_rows_send(s, &statements[known ? UPDATE_KNOWN : UPDATE_UNKNOWN], tenant, r, 0,
                           done, ctx);
}

/* ---- retention ---- */

static enum emt_err run_counted(struct store *s, unsigned statement, const struct store_param *p,
                                int64_t *n)
{
    struct store_result *r;
    enum emt_err err = store_run(s, &statements[statement], p, &r);

    if (err == EMT_OK) {
        *n += store_affected(r);
        store_result_free(r);
    }
    return err;
}

enum emt_err frames_drop(struct store *s, emt_time now, int64_t *n)
{
    struct store_param p[1];
    struct store_result *r;
    enum emt_err err;

    p_time(&p[0], now);
    err = store_run(s, &statements[FRAMES_DROP], p, &r);
    if (err == EMT_OK) {
        *n = store_rows(r) ? c_int(r, 0, 0) : 0;
        store_result_free(r);
    }
    return err;
}

enum emt_err frames_drop_empty(struct store *s, emt_time past, int64_t *n)
{
    struct store_param p;

    p_time(&p, past);
    return store_run_number(s, &statements[FRAMES_DROP_EMPTY], &p, n);
}

enum emt_err frames_expire(struct store *s, int32_t tenant, emt_time now, int32_t heard_days,
                           int64_t *n)
{
    struct store_param p[3];
    enum emt_err err;

    *n = 0;
    p_int4(&p[0], tenant);
    p_time(&p[1], now);
    p_int4(&p[2], heard_days);
    err = run_counted(s, FRAMES_EXPIRE, p, n);
    return err ? err : run_counted(s, HEARD_EXPIRE, p, n);
}

enum emt_err telegrams_expire(struct store *s, int32_t tenant, emt_time past, int64_t *n)
{
    struct store_param p[2];

    *n = 0;
    p_int4(&p[0], tenant);
    p_time(&p[1], past);
    return run_counted(s, TELEGRAMS_EXPIRE, p, n);
}

enum emt_err rejections_expire(struct store *s, int32_t tenant, emt_time past, int64_t *n)
{
    struct store_param p[2];
    enum emt_err err;

    *n = 0;
    p_int4(&p[0], tenant);
    p_time(&p[1], past);
    err = run_counted(s, REJECTED_EXPIRE, p, n);
    return err ? err : run_counted(s, GAP_EXPIRE, p, n);
}

enum emt_err tenants_of_maintenance(struct store *s, struct store_result **out)
{
    return store_run(s, &statements[TENANTS], NULL, out);
}

enum emt_err partitions_ensure(struct store *s, emt_time now, int32_t hot_days)
{
    struct store_param p[2];

    p_time(&p[0], now);
    p_int4(&p[1], hot_days);
    return store_run(s, &statements[PARTITIONS], p, NULL);
}
