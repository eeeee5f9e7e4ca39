#include "journal.h"

#include "base/json_text.h"
#include "base/map.h"
#include "base/writer.h"
#include "loop/metrics.h"
#include "roster.h"
#include "store/session_store.h"

#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* Bytes that wait: for status and log, and for what must not be lost. */
#define LOSABLE_MAX (8u << 20)
#define KEPT_MAX (32u << 20)
/* Statements in one transaction. */
#define BATCH_MAX 500
#define METRICS_JSON_MAX 65536

enum entry_kind { ENTRY_STATUS, ENTRY_LOG, ENTRY_RESULT, ENTRY_END, ENTRY_ALARM };

struct entry {
    struct entry *next;
    enum entry_kind kind;
    bool alone; /* failed together with others: try it on its own, then give up */
    int32_t tenant;
    int64_t gateway, epoch;
    emt_time at;
    uint32_t number; /* level or outcome */
    uint8_t key[UPLINK_KEY_LEN];
    struct session_status status;
    size_t size;
    char *text, *more; /* inside of data */
    char data[];
};

struct batch {
    struct batch *next, **slot;
    struct journal *journal;
    struct store *store; /* it was queued there */
    struct entry *first, **last;
    unsigned n;
    unsigned calls;
    bool failed, connection_lost;
};

struct journal {
    struct entry *first, **last;
    struct map *status; /* gateway → its waiting status */
    struct batch *batches;
    size_t losable, kept;
    struct metric *dropped, *limit_met;
};

static bool is_losable(const struct entry *e)
{
    return e->kind == ENTRY_STATUS || e->kind == ENTRY_LOG;
}

struct journal *journal_new(struct metric *dropped, struct metric *limit_met)
{
    struct journal *j = calloc(1, sizeof *j);

    if (!j)
        return NULL;
    j->last = &j->first;
    j->dropped = dropped;
    j->limit_met = limit_met;
    j->status = map_new();
    if (!j->status) {
        free(j);
        return NULL;
    }
    return j;
}

static void entries_free(struct entry *e)
{
    while (e) {
        struct entry *next = e->next;
        free(e);
        e = next;
    }
}

void journal_free(struct journal *j)
{
    if (!j)
        return;
    while (j->batches) {
        struct batch *b = j->batches;
        j->batches = b->next;
        entries_free(b->first);
        free(b);
    }
    entries_free(j->first);
    map_free(j->status);
    free(j);
}

bool journal_is_idle(const struct journal *j)
{
    return !j->first && !j->batches;
}

/* ---- collecting ---- */

static void append(struct journal *j, struct entry *e)
{
    e->next = NULL;
    *j->last = e;
    j->last = &e->next;
    *(is_losable(e) ? &j->losable : &j->kept) += e->size;
}

/* An entry that counts against its bound from here on; NULL (counted) when there is no room. */
static struct entry *entry_new(struct journal *j, enum entry_kind kind, int32_t tenant,
                               int64_t gateway, const char *text, const char *more)
{
    size_t n = strlen(text) + 1, m = strlen(more) + 1;
    size_t size = sizeof(struct entry) + n + m;
    bool losable = kind == ENTRY_STATUS || kind == ENTRY_LOG;
    struct entry *e = NULL;

    if (losable ? j->losable + size <= LOSABLE_MAX : j->kept + size <= KEPT_MAX)
        e = calloc(1, size);
    else
        metric_add(j->limit_met, 1);
    if (!e) {
        metric_add(j->dropped, 1);
        return NULL;
    }
    e->kind = kind;
    e->tenant = tenant;
    e->gateway = gateway;
    e->at = clock_now();
    e->size = size;
    e->text = e->data;
    e->more = e->data + n;
    memcpy(e->text, text, n);
    memcpy(e->more, more, m);
    append(j, e);
    return e;
}

static int64_t whole(uint64_t v)
{
    return v > INT64_MAX ? INT64_MAX : (int64_t)v;
}

static void metrics_json(const struct uplink_status *st, struct writer *w)
{
    writer_text(w, "{");
    for (size_t i = 0; i < st->nmetrics; i++) {
        if (i > 0)
            writer_text(w, ",");
        json_put_cstr(w, st->metrics[i].name ? st->metrics[i].name : "");
        writer_printf(w, ":%lld", (long long)st->metrics[i].value);
    }
    writer_text(w, "}");
}

void journal_status(struct journal *j, int32_t tenant, int64_t gateway,
                    const struct uplink_status *st)
{
    struct gateway_key k = gateway_key(tenant, gateway);
    struct writer w;
    struct entry *e, *old;

    writer_init_heap(&w, METRICS_JSON_MAX);
    metrics_json(st, &w);
    e = entry_new(j, ENTRY_STATUS, tenant, gateway, w.failed ? "{}" : writer_cstr(&w), "");
    writer_release(&w);
    if (!e)
        return;
    e->status = (struct session_status){
        .tenant = tenant,
        .gateway = gateway,
        .at = st->at == EMT_TIME_NONE ? e->at : st->at,
        .uptime_s = whole(st->uptime_s),
        .spool_bytes = whole(st->spool_bytes),
        .spool_frames = whole(st->spool_frames),
        .frames_heard = whole(st->frames_heard),
        .memory_free = whole(st->memory_free_bytes),
        .disk_free = whole(st->disk_free_bytes),
        .load_permille = st->load_permille > INT32_MAX ? INT32_MAX : (int32_t)st->load_permille,
    };
    old = map_get(j->status, k.bytes, sizeof k.bytes);
    if (old)
        old->gateway = 0; /* passed over when the time comes */
    if (map_put(j->status, k.bytes, sizeof k.bytes, e, NULL) != EMT_OK && old)
        (void)map_del(j->status, k.bytes, sizeof k.bytes);
}

void journal_log(struct journal *j, int32_t tenant, int64_t gateway, const struct uplink_log *l)
{
    struct entry *e = entry_new(j, ENTRY_LOG, tenant, gateway, l->text ? l->text : "", "");

    if (!e)
        return;
    if (l->at != EMT_TIME_NONE)
        e->at = l->at;
    e->number = l->level > 7 ? 7 : l->level;
}

void journal_result(struct journal *j, int32_t tenant, int64_t gateway,
                    const uint8_t key[UPLINK_KEY_LEN], uint32_t outcome, const char *text)
{
    struct entry *e = entry_new(j, ENTRY_RESULT, tenant, gateway, text ? text : "", "");

    if (!e)
        return;
    memcpy(e->key, key, sizeof e->key);
    e->number = outcome;
}

void journal_end(struct journal *j, int32_t tenant, int64_t gateway, int64_t epoch,
                 const char *reason)
{
    struct entry *e = entry_new(j, ENTRY_END, tenant, gateway, reason, "");

    if (e)
        e->epoch = epoch;
}

void journal_alarm(struct journal *j, int32_t tenant, int64_t gateway, const char *kind,
                   const char *detail)
{
    (void)entry_new(j, ENTRY_ALARM, tenant, gateway, kind, detail);
}

/* ---- writing ---- */

static void entry_drop(struct journal *j, struct entry *e)
{
    metric_add(j->dropped, 1);
    free(e);
}

static void batch_free(struct batch *b)
{
    *b->slot = b->next;
    if (b->next)
        b->next->slot = b->slot;
    entries_free(b->first);
    free(b);
}

/* A transaction fails as a whole. What must not be lost is tried again: as it was when the
 * connection broke, one by one when the database refused, since one bad entry must not take the
 * others with it. */
static void batch_retry(struct batch *b)
{
    struct entry *e = b->first;

    b->first = NULL;
    while (e) {
        struct entry *next = e->next;
        if (is_losable(e) || (!b->connection_lost && e->alone)) {
            entry_drop(b->journal, e);
        } else {
            e->alone = e->alone || !b->connection_lost;
            append(b->journal, e);
        }
        e = next;
    }
}

static void on_done(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct batch *b = ctx;

    (void)r;
    if (err != EMT_OK)
        b->failed = true;
    if (err == EMT_EDB && store_is_broken(b->store))
        b->connection_lost = true;
    if (--b->calls > 0)
        return;
    if (b->failed)
        batch_retry(b);
    batch_free(b);
}

static enum emt_err entry_send(struct batch *b, struct store *s, struct entry *e)
{
    switch (e->kind) {
    case ENTRY_STATUS:
        e->status.metrics = e->text;
        return session_send_status(s, &e->status, on_done, b);
    case ENTRY_LOG:
        return session_send_log(s, e->tenant, e->gateway, e->at, (int)e->number, e->text, on_done,
                                b);
    case ENTRY_RESULT:
        return session_send_command_result(s, e->tenant, e->gateway, e->key, e->number, e->text,
                                           e->at, on_done, b);
    case ENTRY_END:
        return session_send_end(s, e->tenant, e->gateway, e->epoch, e->at, e->text, on_done, b);
    case ENTRY_ALARM:
        return session_send_alarm(s, e->tenant, e->gateway, e->at, e->text, e->more, on_done, b);
    }
    return EMT_EINTERNAL;
}

static void batch_send(struct batch *b, struct store *s)
{
    enum emt_err err = session_send_tenant(s, b->first->tenant);

    b->store = s;
    b->calls = 1; /* ours, so that no callback ends it before all is queued */
    for (struct entry *e = b->first; e && err == EMT_OK; e = e->next) {
        err = entry_send(b, s, e);
        if (err == EMT_OK)
            b->calls++;
    }
    if (err != EMT_OK)
        b->failed = b->connection_lost = true;
    if (session_send_end_of_segment(s, on_done, b) == EMT_OK)
        b->calls++;
    else
        b->failed = b->connection_lost = true;
    on_done(b, EMT_OK, NULL);
}

static struct batch *batch_new(struct journal *j)
{
    struct batch *b = calloc(1, sizeof *b);

    if (!b)
        return NULL;
    b->journal = j;
    b->last = &b->first;
    b->next = j->batches;
    b->slot = &j->batches;
    if (b->next)
        b->next->slot = &b->next;
    j->batches = b;
    return b;
}

/* Takes everything that waits; entries of replaced status, and without a database those that may be
 * lost, end here. */
static struct entry *take_all(struct journal *j, bool up)
{
    struct entry *e = j->first, *kept = NULL, **last = &kept;

    j->first = NULL;
    j->last = &j->first;
    j->losable = j->kept = 0;
    map_clear(j->status);
    while (e) {
        struct entry *next = e->next;
        e->next = NULL;
        if (e->kind == ENTRY_STATUS && e->gateway == 0) {
            free(e);
        } else if (!up && is_losable(e)) {
            entry_drop(j, e);
        } else if (!up) {
            append(j, e);
        } else {
            *last = e;
            last = &e->next;
        }
        e = next;
    }
    return kept;
}

static int by_tenant(const void *a, const void *b)
{
    const struct entry *x = *(struct entry *const *)a, *y = *(struct entry *const *)b;

    return (x->tenant > y->tenant) - (x->tenant < y->tenant);
}

/* The entries as an array in the order of tenants; the order within a tenant does not matter: each
 * is of its own. */
static struct entry **sorted(struct entry *list, size_t *count)
{
    struct entry **all;
    size_t n = 0;

    for (struct entry *e = list; e; e = e->next)
        n++;
    all = malloc((n ? n : 1) * sizeof(struct entry *));
    if (!all)
        return NULL;
    n = 0;
    for (struct entry *e = list; e; e = e->next)
        all[n++] = e;
    qsort(all, n, sizeof(struct entry *), by_tenant);
    *count = n;
    return all;
}

bool journal_flush(struct journal *j, struct store *s)
{
    struct entry *list, **all;
    struct batch *b = NULL;
    size_t n = 0;

    if (!j->first)
        return false;
    list = take_all(j, s != NULL);
    if (!list)
        return false;
    all = sorted(list, &n);
    for (size_t i = 0; i < n; i++) {
        struct entry *e = all[i];
        if (b &&
            (b->first->tenant != e->tenant || b->n == BATCH_MAX || e->alone || b->first->alone)) {
            batch_send(b, s);
            b = NULL;
        }
        if (!b)
            b = batch_new(j);
        e->next = NULL;
        if (!b) {
            entry_drop(j, e);
            continue;
        }
        *b->last = e;
        b->last = &e->next;
        b->n++;
    }
    if (b)
        batch_send(b, s);
    if (!all) /* out of memory: next time, with luck */
        while (list) {
            struct entry *next = list->next;
            append(j, list);
            list = next;
        }
    free(all);
    return true;
}
