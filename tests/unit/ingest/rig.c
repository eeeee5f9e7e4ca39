#include "rig.h"

#include "base/cipher.h"
#include "base/hex.h"
#include "loop/loop.h"
#include "model/local_day.h"
#include "parsers/oms_encode.h"
#include "store/secret_store.h"
#include "store/tenant_store.h"

#include <check.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct pg_fixture *rig_fixture;

struct rig_ticket {
    uint64_t ticket, up_to;
    size_t nrejected, bytes_done;
    char reason[64];
    bool fenced;
};

struct rig_engine {
    struct loop *loop;
    struct ingest *ingest;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    struct rig_ticket tickets[RIG_TICKETS];
    size_t ntickets;
    bool full, drained;
};

struct seal_key rig_master(void)
{
    struct seal_key k = { .version = 1 };

    memset(k.key, 0x5a, sizeof k.key);
    return k;
}

/* ---- database ---- */

static char *vtext(const char *fmt, va_list ap)
{
    static char buf[4096];

    vsnprintf(buf, sizeof buf, fmt, ap);
    return buf;
}

int64_t rig_number(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    char *sql = vtext(fmt, ap);
    va_end(ap);
    return pg_fixture_number(rig_fixture, sql);
}

void rig_sql(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    char *sql = vtext(fmt, ap);
    va_end(ap);
    pg_fixture_sql(rig_fixture, sql);
}

int32_t rig_tenant(const char *key)
{
    struct store *s = pg_fixture_store(rig_fixture, STORE_ADMIN);
    struct seal_key master = rig_master(), data_key;
    int32_t id = 0;

    ck_assert_int_eq(store_begin(s, 0), EMT_OK);
    ck_assert_int_eq(tenant_create(s, key, key, &master, &id, &data_key), EMT_OK);
    ck_assert_int_eq(store_commit(s), EMT_OK);
    store_close(s);
    return id;
}

int64_t rig_gateway(int32_t tenant, const char *external_id, uint8_t spool)
{
    rig_sql("insert into gateway (tenant_id, external_id, state) values (%d, '%s', 1)", tenant,
            external_id);
    int64_t id =
        rig_number("select gateway_id from gateway where tenant_id = %d and external_id = '%s'",
                   tenant, external_id);
    rig_sql(
        "insert into gateway_cursor (tenant_id, gateway_id, spool_id, epoch, last_seq, updated_at)"
        " values (%d, %" PRId64 ", decode(repeat('%02x', 16), 'hex'), 1, 0, now())",
        tenant, id, spool);
    return id;
}

static void sql_text(char out[32], const char *text)
{
    if (text)
        snprintf(out, 32, "'%s'", text);
    else
        snprintf(out, 32, "null");
}

static void sql_int(char out[32], int v)
{
    if (v < 0)
        snprintf(out, 32, "null");
    else
        snprintf(out, 32, "%d", v);
}

void rig_key(int32_t tenant, const char *manufacturer, const char *number, int version, int type,
             const uint8_t key[16])
{
    struct store *s = pg_fixture_store(rig_fixture, STORE_APP);
    struct seal_key master = rig_master(), data_key;
    uint8_t blob[16 + SEAL_OVERHEAD];
    char row[24], hex[2 * sizeof blob + 1], m[32], num[32], v[32], ty[32];
    size_t n;
    int64_t id = rig_number("select nextval(pg_get_serial_sequence('device_key', 'key_id'))");

    ck_assert_int_eq(store_begin(s, tenant), EMT_OK);
    ck_assert_int_eq(tenant_key_load(s, tenant, 0, &master, &data_key), EMT_OK);
    ck_assert_int_eq(store_commit(s), EMT_OK);
    store_close(s);
    snprintf(row, sizeof row, "%" PRId64, id);
    struct seal_place place = { tenant, "device_key", row, "key" };
    ck_assert_int_eq(seal_wrap(&data_key, &place, key, 16, blob, &n), EMT_OK);
    sql_text(m, manufacturer);
    sql_text(num, number);
    sql_int(v, version);
    sql_int(ty, type);
    rig_sql(
        "begin; insert into device_key (tenant_id, key_id, manufacturer, number, version, type, blob)"
        " values (%d, %" PRId64 ", %s, %s, %s, %s, decode('%s', 'hex'));"
        " update registry_version set version = version + 1 where tenant_id = %d; commit",
        tenant, id, m, num, v, ty, hex_encode(blob, n, hex), tenant);
}

/* ---- engine ---- */

static struct rig_ticket *ticket_of(struct rig_engine *e, uint64_t ticket)
{
    for (size_t i = 0; i < e->ntickets; i++) {
        if (e->tickets[i].ticket == ticket)
            return &e->tickets[i];
    }
    ck_assert_uint_lt(e->ntickets, RIG_TICKETS);
    e->tickets[e->ntickets] = (struct rig_ticket){ .ticket = ticket };
    return &e->tickets[e->ntickets++];
}

static void committed(void *ctx, uint64_t ticket, const struct ingest_report *r)
{
    struct rig_engine *e = ctx;

    pthread_mutex_lock(&e->mutex);
    struct rig_ticket *t = ticket_of(e, ticket);
    ck_assert_uint_gt(r->up_to, t->up_to);
    t->up_to = r->up_to;
    t->nrejected += r->nrejected;
    t->bytes_done += r->bytes_done;
    if (r->nrejected)
        snprintf(t->reason, sizeof t->reason, "%s", r->rejected[r->nrejected - 1].reason);
    pthread_cond_broadcast(&e->cond);
    pthread_mutex_unlock(&e->mutex);
}

static void fenced(void *ctx, uint64_t ticket)
{
    struct rig_engine *e = ctx;

    pthread_mutex_lock(&e->mutex);
    ticket_of(e, ticket)->fenced = true;
    pthread_cond_broadcast(&e->cond);
    pthread_mutex_unlock(&e->mutex);
}

static void pressure(void *ctx, bool full)
{
    struct rig_engine *e = ctx;

    pthread_mutex_lock(&e->mutex);
    e->full = full;
    pthread_cond_broadcast(&e->cond);
    pthread_mutex_unlock(&e->mutex);
}

/* One call on the loop's thread. */
struct call {
    struct rig_engine *e;
    void (*fn)(struct rig_engine *e, struct call *c);
    bool done;
    enum emt_err err;
    uint64_t ticket;
    const struct ingest_source *source;
    uint64_t from, to;
    const struct ingest_frame *frame;
    const char *reason;
    size_t size;
    const struct ingest_settings *settings;
};

static void on_loop(void *arg)
{
    struct call *c = arg;
    struct rig_engine *e = c->e;

    c->fn(e, c);
    pthread_mutex_lock(&e->mutex);
    c->done = true;
    pthread_cond_broadcast(&e->cond);
    pthread_mutex_unlock(&e->mutex);
}

static void call(struct rig_engine *e, struct call *c)
{
    c->e = e;
    ck_assert_int_eq(loop_post(e->loop, on_loop, c), EMT_OK);
    pthread_mutex_lock(&e->mutex);
    while (!c->done)
        pthread_cond_wait(&e->cond, &e->mutex);
    pthread_mutex_unlock(&e->mutex);
}

static void do_new(struct rig_engine *e, struct call *c)
{
    const struct ingest_handler h = { committed, fenced, pressure, e };
    struct emt_diag diag = { 0 };

    c->err = ingest_new(e->loop, c->settings, &h, &e->ingest, &diag);
    if (c->err)
        fprintf(stderr, "%s\n", diag.text);
}

struct rig_engine *rig_engine_new(const struct rig_options *o)
{
    static const struct rig_options none;
    struct rig_engine *e = calloc(1, sizeof *e);

    ck_assert_ptr_nonnull(e);
    if (!o)
        o = &none;
    pthread_mutex_init(&e->mutex, NULL);
    pthread_cond_init(&e->cond, NULL);
    e->loop = loop_new(0);
    ck_assert_ptr_nonnull(e->loop);
    ck_assert_int_eq(loop_start(e->loop), EMT_OK);
    struct ingest_settings s = { .conninfo = pg_fixture_conninfo(rig_fixture),
                                 .master = rig_master(),
                                 .scratch_path = o->scratch_path,
                                 .budget_bytes = o->budget_bytes,
                                 .batch_rows = o->batch_rows,
                                 .batch_ms = o->batch_ms };
    struct call c = { .fn = do_new, .settings = &s };
    call(e, &c);
    ck_assert_int_eq(c.err, EMT_OK);
    return e;
}

static void do_free(struct rig_engine *e, struct call *c)
{
    (void)c;
    ingest_free(e->ingest);
}

void rig_engine_free(struct rig_engine *e)
{
    struct call c = { .fn = do_free };

    call(e, &c);
    loop_stop(e->loop);
    loop_join(e->loop);
    loop_free(e->loop);
    pthread_mutex_destroy(&e->mutex);
    pthread_cond_destroy(&e->cond);
    free(e);
}

static void do_open(struct rig_engine *e, struct call *c)
{
    c->err = ingest_open(e->ingest, c->source, c->from, &c->ticket);
}

uint64_t rig_open(struct rig_engine *e, int32_t tenant, int64_t gateway, uint8_t spool,
                  int64_t epoch, uint64_t last_seq)
{
    struct ingest_source s = { .tenant = tenant, .gateway = gateway, .epoch = epoch };
    struct call c = { .fn = do_open, .source = &s, .from = last_seq };

    memset(s.spool_id, spool, sizeof s.spool_id);
    call(e, &c);
    ck_assert_int_eq(c.err, EMT_OK);
    return c.ticket;
}

static void do_close(struct rig_engine *e, struct call *c)
{
    ingest_close(e->ingest, c->ticket);
}

void rig_close(struct rig_engine *e, uint64_t ticket)
{
    struct call c = { .fn = do_close, .ticket = ticket };

    call(e, &c);
}

static void do_push(struct rig_engine *e, struct call *c)
{
    c->err = ingest_frame(e->ingest, c->ticket, c->frame);
}

enum emt_err rig_push(struct rig_engine *e, uint64_t ticket, const struct ingest_frame *f)
{
    struct call c = { .fn = do_push, .ticket = ticket, .frame = f };

    call(e, &c);
    return c.err;
}

static void do_gap(struct rig_engine *e, struct call *c)
{
    c->err = ingest_gap(e->ingest, c->ticket, c->from, c->to, c->reason);
}

enum emt_err rig_gap(struct rig_engine *e, uint64_t ticket, uint64_t from, uint64_t to,
                     const char *reason)
{
    struct call c = { .fn = do_gap, .ticket = ticket, .from = from, .to = to, .reason = reason };

    call(e, &c);
    return c.err;
}

static void do_credit(struct rig_engine *e, struct call *c)
{
    c->size = ingest_credit(e->ingest, c->ticket);
}

size_t rig_credit(struct rig_engine *e, uint64_t ticket)
{
    struct call c = { .fn = do_credit, .ticket = ticket };

    call(e, &c);
    return c.size;
}

static struct timespec deadline(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_sec += RIG_WAIT_MS / 1000;
    return t;
}

void rig_wait(struct rig_engine *e, uint64_t ticket, uint64_t up_to)
{
    struct timespec until = deadline();
    int rc = 0;

    pthread_mutex_lock(&e->mutex);
    while (rc == 0 && ticket_of(e, ticket)->up_to < up_to)
        rc = pthread_cond_timedwait(&e->cond, &e->mutex, &until);
    uint64_t got = ticket_of(e, ticket)->up_to;
    pthread_mutex_unlock(&e->mutex);
    ck_assert_uint_eq(got, up_to);
}

void rig_wait_fenced(struct rig_engine *e, uint64_t ticket)
{
    struct timespec until = deadline();
    int rc = 0;

    pthread_mutex_lock(&e->mutex);
    while (rc == 0 && !ticket_of(e, ticket)->fenced)
        rc = pthread_cond_timedwait(&e->cond, &e->mutex, &until);
    pthread_mutex_unlock(&e->mutex);
    ck_assert_int_eq(rc, 0);
}

#define GETTER(type, name, field)                                                                  \
    type name(struct rig_engine *e, uint64_t ticket)                                               \
    {                                                                                              \
        pthread_mutex_lock(&e->mutex);                                                             \
        type v = ticket_of(e, ticket)->field;                                                      \
        pthread_mutex_unlock(&e->mutex);                                                           \
        return v;                                                                                  \
    }
GETTER(uint64_t, rig_up_to, up_to)
GETTER(size_t, rig_rejected, nrejected)
GETTER(const char *, rig_reason, reason)
GETTER(size_t, rig_bytes_done, bytes_done)

bool rig_is_full(struct rig_engine *e)
{
    pthread_mutex_lock(&e->mutex);
    bool full = e->full;
    pthread_mutex_unlock(&e->mutex);
    return full;
}

static void on_drained(void *ctx)
{
    struct rig_engine *e = ctx;

    pthread_mutex_lock(&e->mutex);
    e->drained = true;
    pthread_cond_broadcast(&e->cond);
    pthread_mutex_unlock(&e->mutex);
}

static void do_drain(struct rig_engine *e, struct call *c)
{
    (void)c;
    ingest_drain(e->ingest, RIG_WAIT_MS, on_drained, e);
}

void rig_drain(struct rig_engine *e)
{
    struct call c = { .fn = do_drain };

    call(e, &c);
    pthread_mutex_lock(&e->mutex);
    while (!e->drained)
        pthread_cond_wait(&e->cond, &e->mutex);
    pthread_mutex_unlock(&e->mutex);
}

/* ---- telegrams ---- */

struct rig_frame rig_telegram(const struct rig_telegram *t)
{
    static const uint8_t wh[] = { 0x03 }, kwh[] = { 0x06 };
    struct oms_telegram o = { .device = { .manufacturer = "EMT",
                                          .version = t->version ? t->version : 1,
                                          .type = t->type ? t->type : 2,
                                          .has_version = true },
                              .access_number = t->access };
    struct cipher *c = cipher_new();
    struct rig_frame f = { { 0 }, 0 };
    uint8_t records[200];
    struct writer w, out;

    snprintf(o.device.number, sizeof o.device.number, "%s", t->number);
    writer_init_fixed(&w, records, sizeof records);
    ck_assert_int_eq(oms_put_record(&w, 0x04, t->in_kwh ? kwh : wh, 1, t->energy_wh), EMT_OK);
    if (t->at) {
        int offset = local_offset_s(t->at);
        struct civil l;

        time_to_civil(t->at + offset * EMT_SECOND, &l);
        ck_assert_int_eq(
            oms_put_datetime(&w, 0x04, l.year, l.month, l.day, l.hour, l.minute, offset == 7200),
            EMT_OK);
    }
    if (t->text) { /* EN 13757-3: variable length (DIF 0D), VIF FD 0E firmware version, LVAR 3, last
                      character first */
        const uint8_t text[] = { 0x0d, 0xfd, 0x0e, 0x03, t->release ? (uint8_t)t->release : '3',
                                 '.',  '1' };
        writer_bytes(&w, text, sizeof text);
    }
    o.records = records;
    o.records_len = w.len;
    o.encrypted = t->key != NULL;
    if (t->key)
        memcpy(o.key, t->key, sizeof o.key);
    writer_init_fixed(&out, f.data, sizeof f.data);
    ck_assert_int_eq(oms_encode(c, &o, &out), EMT_OK);
    f.len = out.len;
    cipher_free(c);
    return f;
}

emt_time rig_noon(int days_ago)
{
    return clock_now() / EMT_DAY * EMT_DAY - days_ago * EMT_DAY + 12 * EMT_HOUR;
}

enum emt_err rig_send(struct rig_engine *e, uint64_t ticket, uint64_t seq, emt_time received_at,
                      const struct rig_telegram *t)
{
    struct rig_frame f = rig_telegram(t);
    struct ingest_frame in = { .seq = seq,
                               .received_at = received_at,
                               .protocol = PROTOCOL_WMBUS,
                               .format = FRAME_FORMAT_NO_LINK_CRC,
                               .data = f.data,
                               .len = f.len,
                               .rssi_dbm = -71 };

    return rig_push(e, ticket, &in);
}
