#include "renewal.h"

#include "base/cipher.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/writer.h"
#include "loop/loop.h"
#include "loop/metrics.h"
#include "pki/authority.h"
#include "store/audit_store.h"
#include "store/directory_store.h"
#include "store/gateway_store.h"
#include "store/secret_store.h"
#include "store/store.h"
#include "store/tenant_store.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define WAITING_MAX 1024
#define CONNECT_MS 5000
#define PATIENCE_MS 10000
#define PEM_MAX ((size_t)64 << 10)
/* Issued within an hour and never used: an agent that asks on and on gets no more. */
#define UNUSED_MAX 5
#define RETIRE_MOST_MS 60000
#define RETIRE_LEAST_MS 2000
#define WARN_MS 3600000

struct job {
    struct job *next;
    struct renewal_request q;
    size_t len;
    char csr[]; /* with closing 0 */
};

struct renewal {
    struct renewal_settings s;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards the list and stopping */
    pthread_cond_t cond;
    struct job *first, **end;
    unsigned waiting;
    bool stopping;
    struct store *db; /* the thread's */
    int64_t retire_at_ms, warn_at_ms;
};

void renewal_answer_free(struct renewal_answer *a)
{
    if (!a)
        return;
    free(a->chain);
    free(a);
}

/* ---- issuing ---- */

struct holder {
    char tenant[64], gateway[65];
};

/* Who asks; a reason when it gets nothing, NULL otherwise. */
static const char *find_holder(struct renewal *r, const struct renewal_request *q,
                               struct holder *out)
{
    struct store_result *rows = NULL;
    enum emt_err err = certificate_renewable(r->db, q->tenant, q->gateway, q->fingerprint, &rows);

    if (err != EMT_OK)
        return err == EMT_ENOTFOUND ? "unknown-certificate" : "database";
    snprintf(out->tenant, sizeof out->tenant, "%s", c_text(rows, 0, 0));
    snprintf(out->gateway, sizeof out->gateway, "%s", c_text(rows, 0, 1));
    bool good = c_bool(rows, 0, 2);
    bool often = c_int(rows, 0, 3) >= UNUSED_MAX;
    store_result_free(rows);
    if (!good)
        return "revoked";
    return often ? "too-often" : NULL;
}

static enum emt_err open_ca(struct renewal *r, int32_t tenant, struct authority **out,
                            struct emt_diag *diag)
{
    struct seal_key data_key;
    struct writer chain, key;
    int32_t generation = 0;
    enum emt_err err = tenant_key_load(r->db, tenant, 0, &r->s.master, &data_key);

    if (err != EMT_OK)
        return err;
    writer_init_heap(&chain, PEM_MAX);
    writer_init_heap(&key, PEM_MAX);
    err = tenant_ca_load(r->db, tenant, &data_key, &generation, NULL, &chain, &key);
    seal_key_wipe(&data_key);
    if (err == EMT_OK)
        err = authority_load((const char *)chain.data, chain.len, (const char *)key.data, key.len,
                             out, diag);
    if (key.data)
        cipher_wipe(key.data, key.len);
    writer_release(&key);
    writer_release(&chain);
    return err;
}

static enum emt_err keep(struct renewal *r, const struct renewal_request *q, const struct holder *h,
                         const struct leaf_info *leaf)
{
    char actor[80], detail[128];
    const struct audit_entry e = { .tenant = q->tenant,
                                   .actor = actor,
                                   .action = "gateway.renew",
                                   .object = h->gateway,
                                   .detail = detail };
    enum emt_err err = certificate_insert(r->db, q->tenant, leaf->fingerprint, q->gateway,
                                          leaf->serial, leaf->not_before, leaf->not_after);

    snprintf(actor, sizeof actor, "gateway:%s", h->gateway);
    snprintf(detail, sizeof detail, "certificate %s", leaf->serial);
    if (err == EMT_OK)
        err = directory_add(r->db, DIRECTORY_GATEWAY_CERTIFICATE, leaf->fingerprint, q->gateway);
    return err == EMT_OK ? audit_append(r->db, &e) : err;
}

static const char *issue(struct renewal *r, const struct job *j, struct writer *chain)
{
    struct emt_diag diag = { 0 };
    struct authority *ca = NULL;
    struct leaf_info leaf;
    struct holder h;
    const char *reason = find_holder(r, &j->q, &h);

    if (reason)
        return reason;
    enum emt_err err = open_ca(r, j->q.tenant, &ca, &diag);
    if (err != EMT_OK) {
        LOG_ERROR("tenant-ca-unusable", LOG_S("tenant", h.tenant),
                  LOG_S("error", emt_err_name(err)), LOG_S("reason", diag.text));
        return "no-authority";
    }
    err = authority_issue_gateway(ca, j->csr, j->len, h.tenant, h.gateway, clock_now(),
                                  r->s.leaf_lifetime_us, chain, &leaf, &diag);
    authority_free(ca);
    if (emt_err_class(err) == EMT_CLASS_REJECT) {
        LOG_WARN("renewal-refused", LOG_S("gateway", h.gateway), LOG_S("reason", diag.text));
        return "bad-request";
    }
    if (err == EMT_OK)
        err = keep(r, &j->q, &h, &leaf);
    if (err == EMT_OK)
        return NULL;
    LOG_ERROR("renewal-failed", LOG_S("gateway", h.gateway), LOG_S("error", emt_err_name(err)),
              LOG_S("reason", diag.text));
    return "database";
}

/* A transaction whose outcome is not known has issued a certificate at most that nobody uses. */
static const char *issue_in_transaction(struct renewal *r, const struct job *j,
                                        struct writer *chain)
{
    if (store_begin(r->db, j->q.tenant) != EMT_OK)
        return "database";
    const char *reason = issue(r, j, chain);
    if (reason) {
        store_rollback(r->db);
        return reason;
    }
    return store_commit(r->db) == EMT_OK ? NULL : "database";
}

static bool connect_db(struct renewal *r)
{
    struct emt_diag diag = { 0 };

    if (r->db && (store_is_broken(r->db) || store_has_ended(r->db))) {
        store_close(r->db);
        r->db = NULL;
    }
    if (!r->db && store_open(r->s.conninfo, STORE_APP, CONNECT_MS, &r->db, &diag) != EMT_OK) {
        LOG_WARN("renewal-database", LOG_S("error", diag.text));
        return false;
    }
    store_set_patience(r->db, PATIENCE_MS);
    return true;
}

static void serve(struct renewal *r, const struct job *j)
{
    struct renewal_answer *a = calloc(1, sizeof *a);
    struct writer chain;

    if (!a)
        return; /* the gateway asks again in its next session */
    *a = (struct renewal_answer){
        .owner = j->q.owner, .tenant = j->q.tenant, .gateway = j->q.gateway, .epoch = j->q.epoch
    };
    writer_init_heap(&chain, PEM_MAX);
    a->reason = connect_db(r) ? issue_in_transaction(r, j, &chain) : "database";
    if (!a->reason) {
        a->len = chain.len;
        a->chain = strdup(writer_cstr(&chain));
        if (!a->chain)
            a->reason = "memory";
    }
    writer_release(&chain);
    metric_add(a->reason ? r->s.metrics->renew_refused : r->s.metrics->renewed, 1);
    if (loop_post(j->q.loop, r->s.answer, a) != EMT_OK)
        renewal_answer_free(a);
}

/* ---- what is done by the clock ---- */

static void retire(struct renewal *r)
{
    int64_t n = 0;

    if (certificates_retire(r->db, r->s.grace_s, &n) != EMT_OK) {
        LOG_WARN("certificates-not-retired", LOG_S("error", store_error(r->db)));
        return;
    }
    if (n > 0)
        LOG_INFO("certificates-retired", LOG_I("certificates", n));
    metric_add(r->s.metrics->retired, n);
}

static void warn(struct renewal *r)
{
    int64_t n = 0;

    if (certificates_warn(r->db, &n) != EMT_OK)
        LOG_WARN("certificates-not-looked-at", LOG_S("error", store_error(r->db)));
    else if (n > 0)
        LOG_WARN("certificates-end", LOG_I("gateways", n));
}

static int64_t retire_every_ms(const struct renewal *r)
{
    int64_t ms = r->s.grace_s * 1000 / 2;

    if (ms > RETIRE_MOST_MS)
        return RETIRE_MOST_MS;
    return ms < RETIRE_LEAST_MS ? RETIRE_LEAST_MS : ms;
}

static void do_due(struct renewal *r)
{
    int64_t now = clock_mono_ms();

    if (now < r->retire_at_ms && now < r->warn_at_ms)
        return;
    bool up = connect_db(r);
    if (now >= r->retire_at_ms) {
        r->retire_at_ms = now + retire_every_ms(r);
        if (up)
            retire(r);
    }
    if (now >= r->warn_at_ms && up) {
        r->warn_at_ms = now + WARN_MS;
        warn(r);
    }
}

/* ---- the thread ---- */

static struct job *take(struct renewal *r, bool *stopping)
{
    struct timespec until;
    struct job *j;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 1;
    pthread_mutex_lock(&r->mutex);
    if (!r->first && !r->stopping)
        (void)pthread_cond_timedwait(&r->cond, &r->mutex, &until);
    *stopping = r->stopping;
    j = r->first;
    if (j) {
        r->first = j->next;
        if (!r->first)
            r->end = &r->first;
        r->waiting--;
    }
    pthread_mutex_unlock(&r->mutex);
    return j;
}

static void *run(void *arg)
{
    struct renewal *r = arg;
    bool stopping = false;

    while (!stopping) {
        struct job *j = take(r, &stopping);
        if (j && !stopping)
            serve(r, j);
        free(j);
        if (!stopping)
            do_due(r);
    }
    store_close(r->db);
    return NULL;
}

enum emt_err renewal_new(const struct renewal_settings *s, struct renewal **out)
{
    struct renewal *r = calloc(1, sizeof *r);

    if (!r)
        return EMT_ENOMEM;
    r->s = *s;
    r->end = &r->first;
    /* The first look comes when the node has settled. */
    r->retire_at_ms = clock_mono_ms() + retire_every_ms(r);
    r->warn_at_ms = clock_mono_ms() + RETIRE_LEAST_MS;
    if (pthread_mutex_init(&r->mutex, NULL) != 0)
        goto no_mutex;
    if (pthread_cond_init(&r->cond, NULL) != 0)
        goto no_cond;
    if (pthread_create(&r->thread, NULL, run, r) != 0)
        goto no_thread;
    *out = r;
    return EMT_OK;
no_thread:
    pthread_cond_destroy(&r->cond);
no_cond:
    pthread_mutex_destroy(&r->mutex);
no_mutex:
    seal_key_wipe(&r->s.master);
    free(r);
    return EMT_ENOMEM;
}

void renewal_free(struct renewal *r)
{
    if (!r)
        return;
    pthread_mutex_lock(&r->mutex);
    r->stopping = true;
    pthread_cond_signal(&r->cond);
    pthread_mutex_unlock(&r->mutex);
    pthread_join(r->thread, NULL);
    while (r->first) {
        struct job *j = r->first;
        r->first = j->next;
        free(j);
    }
    pthread_cond_destroy(&r->cond);
    pthread_mutex_destroy(&r->mutex);
    seal_key_wipe(&r->s.master);
    free(r);
}

enum emt_err renewal_ask(struct renewal *r, const struct renewal_request *q, const void *csr,
                         size_t len)
{
    struct job *j = calloc(1, sizeof *j + len + 1);
    enum emt_err err = EMT_OK;

    if (!j)
        return EMT_ENOMEM;
    j->q = *q;
    j->len = len;
    if (len > 0)
        memcpy(j->csr, csr, len);
    pthread_mutex_lock(&r->mutex);
    if (r->waiting == WAITING_MAX) {
        err = EMT_ELIMIT;
    } else {
        *r->end = j;
        r->end = &j->next;
        r->waiting++;
        pthread_cond_signal(&r->cond);
    }
    pthread_mutex_unlock(&r->mutex);
    if (err != EMT_OK)
        free(j);
    return err;
}
