/* Rows leave and their pack comes in one transaction: a frame is in one place or the other. */
#include "store/raw_pack_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define GATEWAYS_LOT 200

enum {
    CLOSED,
    NEXT_DAY,
    GATEWAYS,
    BOUND,
    TAKE,
    INSERT,
    OF_DEVICE,
    OF_DEVICE_LOCKED,
    REPLACE,
    DROP,
    STATEMENTS
};

/* clang-format off */
/* As RAW_PACK_STATES. */
#define SETTLED \
    " AND f.state IN (0, 4, 5) AND NOT EXISTS (SELECT FROM device d WHERE d.tenant_id = $1" \
    " AND d.device_id = f.device_id AND d.assignment = 0)"
#define OF_DAY " AND f.stored_at >= $3::timestamptz AND f.stored_at < $3 + interval '24 hours'"

#define NEXT_OF_DEVICE \
    "SELECT gateway_id, day::text, part, data FROM raw_pack WHERE tenant_id = $1" \
    " AND devices @> ARRAY[$2::int8] AND last_received >= $3 AND first_received < $4" \
    " AND (gateway_id, day, part) > ($5::int8, coalesce(nullif($6::text, ''), '-infinity')::date, $7::int4)" \
    " ORDER BY gateway_id, day, part LIMIT 1"

static const struct store_statement statements[STATEMENTS] = {
    [CLOSED] = { "raw_pack_closed", 1, "SELECT raw_pack_after_days FROM tenant WHERE id = $1::int4" },
    [NEXT_DAY] = { "raw_pack_next_day", 3,
        "SELECT min(f.stored_at) FROM raw_frame f WHERE f.tenant_id = $1"
        " AND f.stored_at >= $2::timestamptz AND f.stored_at < $3::timestamptz" SETTLED },
    [GATEWAYS] = { "raw_pack_gateways", 4,
        "SELECT DISTINCT f.gateway_id FROM raw_frame f WHERE f.tenant_id = $1"
        " AND f.gateway_id > $2::int8" OF_DAY SETTLED " ORDER BY f.gateway_id LIMIT $4::int4" },
    /* By number, because that has an index; frames of two spools with one number stay together. */
    [BOUND] = { "raw_pack_bound", 6,
        "SELECT coalesce(max(seq) FILTER (WHERE n <= $5::int4 AND bytes <= $6::int4), min(seq)) FROM ("
        " SELECT seq, count(*) OVER w AS n, sum(octet_length(data)) OVER w AS bytes FROM ("
        "  SELECT f.seq, f.data FROM raw_frame f WHERE f.tenant_id = $1 AND f.gateway_id = $2"
        "  AND f.seq > $4::int8" OF_DAY SETTLED " ORDER BY f.seq LIMIT $5 + 1) l"
        " WINDOW w AS (ORDER BY seq)) c" },
    [TAKE] = { "raw_pack_take", 5,
        "DELETE FROM raw_frame f WHERE f.tenant_id = $1 AND f.gateway_id = $2 AND f.seq > $4::int8"
        " AND f.seq <= $5::int8" OF_DAY SETTLED
        " RETURNING spool_id, seq, received_at, stored_at, device_id, counter, rssi_dbm, protocol,"
        " format, state, hash, data, reason" },
    [INSERT] = { "raw_pack_insert", 13,
        "INSERT INTO raw_pack (tenant_id, gateway_id, day, part, n, data, first_stored, last_stored,"
        " first_received, last_received, first_seq, last_seq, states, devices)"
        " SELECT $1, $2::int8, ($3::timestamptz AT TIME ZONE 'UTC')::date,"
        " (SELECT coalesce(max(part) + 1, 0) FROM raw_pack WHERE tenant_id = $1 AND gateway_id = $2"
        "  AND day = ($3 AT TIME ZONE 'UTC')::date),"
        " $4::int4, $5::bytea, $6::timestamptz, $7::timestamptz, $8::timestamptz, $9::timestamptz,"
        " $10::int8, $11::int8, $12::int4, $13::int8[]" },
    [OF_DEVICE] = { "raw_pack_of_device", 7, NEXT_OF_DEVICE },
    [OF_DEVICE_LOCKED] = { "raw_pack_of_device_locked", 7, NEXT_OF_DEVICE " FOR UPDATE" },
    [REPLACE] = { "raw_pack_replace", 14,
        "UPDATE raw_pack SET n = $5, data = $6, first_stored = $7, last_stored = $8, first_received = $9,"
        " last_received = $10, first_seq = $11, last_seq = $12, states = $13, devices = $14"
        " WHERE tenant_id = $1 AND gateway_id = $2 AND day = $3::text::date AND part = $4" },
    [DROP] = { "raw_pack_drop", 4,
        "DELETE FROM raw_pack WHERE tenant_id = $1 AND gateway_id = $2 AND day = $3::text::date AND part = $4" },
};
/* clang-format on */

const struct store_statement *raw_pack_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

static emt_time day_of(emt_time t)
{
    emt_time rest = t % EMT_DAY;

    return t - (rest < 0 ? rest + EMT_DAY : rest);
}

enum emt_err raw_pack_closed(struct store *s, int32_t tenant, emt_time now, emt_time *closed)
{
    struct store_param p;
    int64_t days;

    p_int4(&p, tenant);
    enum emt_err err = store_run_number(s, &statements[CLOSED], &p, &days);
    if (err == EMT_OK)
        *closed = day_of(now) - days * EMT_DAY;
    return err;
}

enum emt_err raw_pack_next_day(struct store *s, int32_t tenant, emt_time from, emt_time closed,
                               emt_time *day)
{
    struct store_param p[3];
    struct store_result *r;

    *day = EMT_TIME_NONE;
    p_int4(&p[0], tenant);
    p_time(&p[1], from);
    p_time(&p[2], closed);
    enum emt_err err = store_run_row(s, &statements[NEXT_DAY], p, &r);
    if (err != EMT_OK)
        return err;
    if (!c_null(r, 0, 0))
        *day = day_of(c_time(r, 0, 0));
    store_result_free(r);
    return EMT_OK;
}

enum emt_err raw_pack_gateways(struct store *s, int32_t tenant, emt_time day, int64_t after,
                               struct store_result **out)
{
    struct store_param p[4];

    p_int4(&p[0], tenant);
    p_int8(&p[1], after);
    p_time(&p[2], day);
    p_int4(&p[3], GATEWAYS_LOT);
    return store_run(s, &statements[GATEWAYS], p, out);
}

/* ---- one pack ---- */

static struct packed_frame row_to_frame(const struct store_result *r, int i)
{
    struct packed_frame f = { .seq = c_int(r, i, 1),
                              .received_at = c_time(r, i, 2),
                              .stored_at = c_time(r, i, 3),
                              .device = c_int(r, i, 4),
                              .has_counter = !c_null(r, i, 5),
                              .counter = c_int(r, i, 5),
                              .has_rssi = !c_null(r, i, 6),
                              .rssi_dbm = (int16_t)c_int(r, i, 6),
                              .protocol = (int16_t)c_int(r, i, 7),
                              .format = (int16_t)c_int(r, i, 8),
                              .state = (uint8_t)c_int(r, i, 9),
                              .reason = c_text(r, i, 12) };
    size_t n;

    f.spool_id = c_bytes(r, i, 0, &n);
    if (n != 16)
        f.spool_id = NULL; /* nothing of ours; does not fit a pack */
    if (!c_null(r, i, 10)) {
        f.hash = c_bytes(r, i, 10, &n);
        if (n != 16)
            f.spool_id = NULL;
    }
    f.data = c_bytes(r, i, 11, &f.len);
    f.reason_len = strlen(f.reason);
    return f;
}

static int by_storing(const void *a, const void *b)
{
    const struct packed_frame *x = a, *y = b;

    if (x->stored_at != y->stored_at)
        return x->stored_at < y->stored_at ? -1 : 1;
    if (x->seq != y->seq)
        return x->seq < y->seq ? -1 : 1;
    return memcmp(x->spool_id, y->spool_id, 16);
}

struct summary {
    emt_time first_stored, last_stored, first_received, last_received;
    int64_t first_seq, last_seq;
    int32_t states;
};

static struct summary summarize(const struct packed_frame *f, size_t n)
{
    struct summary s = { f[0].stored_at,
                         f[n - 1].stored_at,
                         f[0].received_at,
                         f[0].received_at,
                         f[0].seq,
                         f[0].seq,
                         0 };

    for (size_t i = 0; i < n; i++) {
        s.first_received =
            f[i].received_at < s.first_received ? f[i].received_at : s.first_received;
        s.last_received = f[i].received_at > s.last_received ? f[i].received_at : s.last_received;
        s.first_seq = f[i].seq < s.first_seq ? f[i].seq : s.first_seq;
        s.last_seq = f[i].seq > s.last_seq ? f[i].seq : s.last_seq;
        s.states |= (int32_t)(UINT32_C(1) << f[i].state);
    }
    return s;
}

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* int8[] of the devices, each once; NULL when out of memory. */
static struct store_array *devices_of(const struct packed_frame *f, size_t n)
{
    struct store_array *a = store_array_new(STORE_INT8);
    int64_t *ids = calloc(n, sizeof *ids);
    bool ok = a && ids;

    for (size_t i = 0; ok && i < n; i++)
        ids[i] = f[i].device;
    if (ok)
        qsort(ids, n, sizeof *ids, by_number);
    for (size_t i = 0; ok && i < n; i++)
        ok = (i > 0 && ids[i] == ids[i - 1]) || store_array_int(a, ids[i]);
    free(ids);
    if (ok)
        return a;
    store_array_free(a);
    return NULL;
}

static enum emt_err insert_pack(struct store *s, int32_t tenant, int64_t gateway, emt_time day,
                                const struct packed_frame *f, size_t n, const struct writer *pack)
{
    struct summary sum = summarize(f, n);
    struct store_array *devices = devices_of(f, n);
    struct store_param p[13];

    if (!devices)
        return EMT_ENOMEM;
    p_int4(&p[0], tenant);
    p_int8(&p[1], gateway);
    p_time(&p[2], day);
    p_int4(&p[3], (int32_t)n);
    p_bytes(&p[4], pack->data, pack->len);
    p_time(&p[5], sum.first_stored);
    p_time(&p[6], sum.last_stored);
    p_time(&p[7], sum.first_received);
    p_time(&p[8], sum.last_received);
    p_int8(&p[9], sum.first_seq);
    p_int8(&p[10], sum.last_seq);
    p_int4(&p[11], sum.states);
    p_array(&p[12], devices);
    enum emt_err err = store_run(s, &statements[INSERT], p, NULL);
    store_array_free(devices);
    return err;
}

static enum emt_err pack_rows(struct store *s, int32_t tenant, int64_t gateway, emt_time day,
                              const struct store_result *rows, struct raw_pack_counts *got)
{
    size_t n = (size_t)store_rows(rows);
    struct packed_frame *f = calloc(n, sizeof *f);
    struct writer pack;
    enum emt_err err = f ? EMT_OK : EMT_ENOMEM;

    for (size_t i = 0; err == EMT_OK && i < n; i++) {
        f[i] = row_to_frame(rows, (int)i);
        if (!f[i].spool_id)
            err = EMT_ELIMIT;
    }
    writer_init_heap(&pack, FRAME_PACK_BODY_MOST);
    if (err == EMT_OK) {
        qsort(f, n, sizeof *f, by_storing);
        err = frame_pack_encode(f, n, &pack);
    }
    if (err == EMT_OK)
        err = insert_pack(s, tenant, gateway, day, f, n, &pack);
    if (err == EMT_OK)
        *got = (struct raw_pack_counts){ (int64_t)n, 1, 0, (int64_t)pack.len };
    writer_release(&pack);
    free(f);
    return err;
}

/* *upto: the last number of the lot; false: there is none. */
static enum emt_err find_bound(struct store *s, int32_t tenant, int64_t gateway, emt_time day,
                               int64_t after, int64_t *upto, bool *any)
{
    struct store_param p[6];
    struct store_result *r;

    p_int4(&p[0], tenant);
    p_int8(&p[1], gateway);
    p_time(&p[2], day);
    p_int8(&p[3], after);
    p_int4(&p[4], RAW_PACK_FRAMES);
    p_int4(&p[5], RAW_PACK_BYTES);
    enum emt_err err = store_run_row(s, &statements[BOUND], p, &r);
    if (err != EMT_OK)
        return err;
    *any = !c_null(r, 0, 0);
    *upto = c_int(r, 0, 0);
    store_result_free(r);
    return EMT_OK;
}

static enum emt_err move_lot(struct store *s, int32_t tenant, int64_t gateway, emt_time day,
                             int64_t after, int64_t upto, struct raw_pack_counts *got)
{
    struct store_param p[5];
    struct store_result *rows;

    p_int4(&p[0], tenant);
    p_int8(&p[1], gateway);
    p_time(&p[2], day);
    p_int8(&p[3], after);
    p_int8(&p[4], upto);
    enum emt_err err = store_run(s, &statements[TAKE], p, &rows);
    if (err != EMT_OK)
        return err;
    got->skipped = store_rows(rows);
    if (store_rows(rows) > 0)
        err = pack_rows(s, tenant, gateway, day, rows, got);
    store_result_free(rows);
    return err;
}

enum emt_err raw_pack_move(struct store *s, int32_t tenant, int64_t gateway, emt_time day,
                           int64_t *after, bool *done, struct raw_pack_counts *counts)
{
    struct raw_pack_counts got = { 0 };
    int64_t upto = 0;
    bool any = false;
    enum emt_err err = store_begin(s, tenant);

    *done = false;
    if (err == EMT_OK)
        err = find_bound(s, tenant, gateway, day, *after, &upto, &any);
    if (err == EMT_OK && any)
        err = move_lot(s, tenant, gateway, day, *after, upto, &got);
    if (err == EMT_OK)
        err = store_commit(s);
    if (err != EMT_OK && !store_is_broken(s))
        store_rollback(s);
    if (err == EMT_ELIMIT) { /* about the frames, not about the moment: they stay rows */
        counts->skipped += got.skipped;
        *after = upto;
        return EMT_OK;
    }
    if (err != EMT_OK)
        return err == EMT_ECONFLICT ? EMT_EAGAIN : err;
    counts->frames += got.frames;
    counts->packs += got.packs;
    counts->bytes += got.bytes;
    *after = upto;
    *done = !any;
    return EMT_OK;
}

/* ---- forgetting ---- */

static enum emt_err replace_pack(struct store *s, int32_t tenant, const struct raw_pack_place *at,
                                 const struct packed_frame *f, size_t n)
{
    struct store_array *devices = n > 0 ? devices_of(f, n) : NULL;
    struct store_param p[14];
    struct summary sum = { 0 };
    struct writer pack;

    p_int4(&p[0], tenant);
    p_int8(&p[1], at->gateway);
    p_text(&p[2], at->day);
    p_int4(&p[3], at->part);
    if (n == 0)
        return store_run(s, &statements[DROP], p, NULL);
    writer_init_heap(&pack, FRAME_PACK_BODY_MOST);
    enum emt_err err = devices ? frame_pack_encode(f, n, &pack) : EMT_ENOMEM;
    sum = summarize(f, n);
    p_int4(&p[4], (int32_t)n);
    p_bytes(&p[5], pack.data, pack.len);
    p_time(&p[6], sum.first_stored);
    p_time(&p[7], sum.last_stored);
    p_time(&p[8], sum.first_received);
    p_time(&p[9], sum.last_received);
    p_int8(&p[10], sum.first_seq);
    p_int8(&p[11], sum.last_seq);
    p_int4(&p[12], sum.states);
    if (err == EMT_OK) {
        p_array(&p[13], devices);
        err = store_run_touch(s, &statements[REPLACE], p);
    }
    writer_release(&pack);
    store_array_free(devices);
    return err;
}

/* The row just locked. */
static enum emt_err forget_in(struct store *s, int32_t tenant, const struct store_result *row,
                              int64_t device, emt_time from, emt_time to, bool look,
                              const struct raw_pack_place *at, int64_t *frames)
{
    struct frame_pack pack;
    size_t len, kept = 0;
    const uint8_t *data = c_bytes(row, 0, 3, &len);
    enum emt_err err = frame_pack_decode(data, len, &pack);

    if (err != EMT_OK)
        return err;
    for (size_t i = 0; i < pack.n; i++) {
        const struct packed_frame *f = &pack.frames[i];

        if (f->device != device || f->received_at < from || f->received_at >= to)
            pack.frames[kept++] = *f;
    }
    *frames = (int64_t)(pack.n - kept);
    if (!look && kept < pack.n)
        err = replace_pack(s, tenant, at, pack.frames, kept);
    frame_pack_release(&pack);
    return err;
}

/* The next pack behind *at with frames of the device from this time, if there is one. */
static enum emt_err next_of_device(struct store *s, int32_t tenant, int64_t device, emt_time from,
                                   emt_time to, bool locked, struct raw_pack_place *at,
                                   struct store_result **row)
{
    struct store_param p[7];

    p_int4(&p[0], tenant);
    p_int8(&p[1], device);
    p_time(&p[2], from);
    p_time(&p[3], to);
    p_int8(&p[4], at->gateway);
    p_text(&p[5], at->day);
    p_int4(&p[6], at->part);
    enum emt_err err = store_run(s, &statements[locked ? OF_DEVICE_LOCKED : OF_DEVICE], p, row);
    if (err != EMT_OK || store_rows(*row) == 0)
        return err;
    at->gateway = c_int(*row, 0, 0);
    snprintf(at->day, sizeof at->day, "%s", c_text(*row, 0, 1));
    at->part = (int32_t)c_int(*row, 0, 2);
    return EMT_OK;
}

enum emt_err raw_pack_forget(struct store *s, int32_t tenant, int64_t device, emt_time from,
                             emt_time to, bool look, struct raw_pack_place *at, int64_t *frames,
                             bool *more)
{
    struct store_result *row = NULL;
    enum emt_err err = store_begin(s, tenant);

    *frames = 0;
    *more = false;
    if (err == EMT_OK)
        err = next_of_device(s, tenant, device, from, to, !look, at, &row);
    if (err == EMT_OK && store_rows(row) > 0) {
        err = forget_in(s, tenant, row, device, from, to, look, at, frames);
        *more = err == EMT_OK;
    }
    store_result_free(row);
    if (err == EMT_OK)
        return store_commit(s);
    if (!store_is_broken(s))
        store_rollback(s);
    return err;
}

enum emt_err raw_pack_count(struct store *s, int32_t tenant, int64_t device, emt_time from,
                            emt_time to, struct raw_pack_span *out)
{
    struct raw_pack_place at = { 0 };
    bool more = true;
    enum emt_err err = EMT_OK;

    *out = (struct raw_pack_span){ 0, EMT_TIME_NONE, EMT_TIME_NONE };
    while (err == EMT_OK && more) {
        struct store_result *row = NULL;
        struct frame_pack pack = { 0 };
        size_t len;

        err = next_of_device(s, tenant, device, from, to, false, &at, &row);
        more = err == EMT_OK && store_rows(row) > 0;
        if (more) {
            const uint8_t *data = c_bytes(row, 0, 3, &len);
            err = frame_pack_decode(data, len, &pack);
        }
        for (size_t i = 0; more && err == EMT_OK && i < pack.n; i++) {
            emt_time t = pack.frames[i].received_at;

            if (pack.frames[i].device != device || t < from || t >= to)
                continue;
            out->frames++;
            out->first = out->first == EMT_TIME_NONE || t < out->first ? t : out->first;
            out->last = out->last == EMT_TIME_NONE || t > out->last ? t : out->last;
        }
        if (more && err == EMT_OK)
            frame_pack_release(&pack);
        store_result_free(row);
    }
    return err;
}
