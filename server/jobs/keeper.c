#include "keeper.h"

#include "base/clock.h"
#include "base/log.h"
#include "delivery/fetch.h"
#include "jobs/crl_import.h"
#include "loop/metrics.h"
#include "own_crl.h"
#include "stepper.h"
#include "store/certificate_store.h"
#include "store/store.h"

#include <stdlib.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define STEP_MS 3000
#define WARN_MS (60 * 60 * 1000)
#define FETCH_S 30
#define FETCHES_AT_ONCE 8
/* Meanwhile no other node tries. */
#define FETCH_CLAIM (2 * EMT_MINUTE)
/* Half of what is left of a list, within these; after a failure doubling. */
#define FETCH_LEAST (10 * EMT_SECOND)
#define FETCH_MOST (12 * EMT_HOUR)
#define RETRY_FIRST (30 * EMT_SECOND)
#define RETRY_MOST EMT_HOUR

struct keeper {
    struct stepper stepper;
    struct seal_key master;
    bool private_networks;
    struct store *admin; /* of the step under way */
    int64_t warn_ms;
    struct metric *made, *taken, *failed, *revoked, *stale, *errors;
};

/* ---- our own lists ---- */

static void publish(struct keeper *k)
{
    struct emt_diag diag = { 0 };
    int64_t made = 0;
    enum emt_err err = own_crl_step(k->admin, &k->master, clock_now(), &made, &diag);

    metric_add(k->made, made);
    if (made > 0)
        LOG_INFO("crl-made", LOG_I("lists", made));
    if (err == EMT_OK)
        return;
    metric_add(k->errors, 1);
    LOG_ERROR("crl-not-made", LOG_S("error", diag.text[0] ? diag.text : store_error(k->admin)));
}

/* ---- lists of others ---- */

static emt_time next_fetch(const struct crl_info *info, emt_time now)
{
    int64_t wait = FETCH_MOST;

    if (info->next_update != EMT_TIME_NONE && (info->next_update - now) / 2 < wait)
        wait = (info->next_update - now) / 2;
    return now + (wait < FETCH_LEAST ? FETCH_LEAST : wait);
}

static emt_time next_retry(int64_t tries, emt_time now)
{
    int64_t wait = RETRY_FIRST;

    for (int64_t i = 0; i < tries && wait < RETRY_MOST; i++)
        wait *= 2;
    return now + (wait < RETRY_MOST ? wait : RETRY_MOST);
}

/* In a transaction of its own; the list before stays when this one is refused. */
static enum emt_err take(struct keeper *k, int32_t tenant, int64_t import, const struct writer *w,
                         struct crl_import_result *res, struct emt_diag *diag)
{
    enum emt_err err = store_begin(k->admin, tenant);

    if (err == EMT_OK)
        err = crl_import(k->admin, tenant, import, w->data, w->len, true, clock_now(), res, diag);
    if (err == EMT_OK)
        err = store_commit(k->admin);
    else
        store_rollback(k->admin);
    return err;
}

/* A server that keeps us waiting does not hold up the end of the process. */
static bool goes_on(void *ctx)
{
    struct keeper *k = ctx;

    return stepper_goes_on(&k->stepper);
}

static void fetch_one(struct keeper *k, const struct store_result *due, int row)
{
    int32_t tenant = (int32_t)c_int(due, row, 0);
    int64_t import = c_int(due, row, 1);
    const struct fetch_settings f = { .url = c_text(due, row, 2),
                                      .most = CRL_MAX_BYTES,
                                      .seconds = FETCH_S,
                                      .public_only = !k->private_networks,
                                      .alive = goes_on,
                                      .alive_ctx = k };
    struct crl_import_result res = { 0 };
    struct emt_diag diag = { 0 };
    struct writer w;
    enum emt_err err = import_crl_tried(k->admin, tenant, import, "", clock_now() + FETCH_CLAIM);

    if (err != EMT_OK)
        return;
    writer_init_heap(&w, CRL_MAX_BYTES);
    err = fetch_url(&f, &w, &diag);
    if (err == EMT_OK)
        err = take(k, tenant, import, &w, &res, &diag);
    writer_release(&w);
    metric_add(err == EMT_OK ? k->taken : k->failed, 1);
    metric_add(k->revoked, res.revoked);
    if (err == EMT_OK) {
        LOG_INFO("crl-fetched", LOG_I("tenant", tenant), LOG_I("import", import),
                 LOG_I("entries", res.info.entries), LOG_I("revoked", res.revoked));
        err = import_crl_tried(k->admin, tenant, import, "", next_fetch(&res.info, clock_now()));
    } else {
        LOG_WARN("crl-not-fetched", LOG_I("tenant", tenant), LOG_I("import", import),
                 LOG_S("error", diag.text));
        err = import_crl_tried(k->admin, tenant, import, diag.text[0] ? diag.text : "database",
                               next_retry(c_int(due, row, 3), clock_now()));
    }
    if (err != EMT_OK)
        LOG_WARN("crl-not-noted", LOG_S("error", store_error(k->admin)));
}

static void fetch_due(struct keeper *k)
{
    struct store_result *due = NULL;

    if (import_crl_due(k->admin, clock_now(), FETCHES_AT_ONCE, &due) != EMT_OK)
        return;
    for (int i = 0; i < store_rows(due) && !store_is_broken(k->admin) && goes_on(k); i++)
        fetch_one(k, due, i);
    store_result_free(due);
}

static void look_for_stale(struct keeper *k)
{
    int64_t told = 0;
    int64_t stale = 0;

    if (import_crl_stale(k->admin, &told, &stale) != EMT_OK)
        return;
    metric_set(k->stale, stale);
    if (told > 0)
        LOG_WARN("crl-stale", LOG_I("lists", told));
}

static void warn(struct keeper *k)
{
    int64_t n = 0;

    if (clock_mono_ms() < k->warn_ms)
        return;
    if (other_certificates_warn(k->admin, &n) != EMT_OK)
        return;
    k->warn_ms = clock_mono_ms() + WARN_MS;
    if (n > 0)
        LOG_WARN("certificates-end", LOG_I("others", n));
}

/* ---- life ---- */

static int64_t step(void *ctx, struct store *admin)
{
    struct keeper *k = ctx;

    k->admin = admin;
    publish(k);
    fetch_due(k);
    look_for_stale(k);
    warn(k);
    k->admin = NULL;
    return STEP_MS;
}

static void make_metrics(struct keeper *k, struct metrics *m)
{
    static const char fetches[] = "emt_crl_fetched_total";
    static const char help[] = "Lists of imported CAs that were fetched";

    k->made = metrics_counter(m, "emt_crl_made_total", NULL, "Lists that our CAs signed");
    k->errors = metrics_counter(m, "emt_crl_failures_total", NULL,
                                "Times that a list of ours could not be made");
    k->taken = metrics_counter(m, fetches, "result=\"taken\"", help);
    k->failed = metrics_counter(m, fetches, "result=\"failed\"", help);
    k->revoked = metrics_counter(m, "emt_crl_revoked_total", NULL,
                                 "Gateways' certificates that a fetched list ended");
    k->stale = metrics_gauge(m, "emt_crl_stale", NULL,
                             "Lists of imported CAs that are missing or past their next update");
}

enum emt_err keeper_start(const char *conninfo, const struct seal_key *master,
                          bool private_networks, struct metrics *m, struct keeper **out,
                          struct emt_diag *diag)
{
    struct keeper *k = calloc(1, sizeof *k);

    if (!k)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    k->master = *master;
    k->private_networks = private_networks;
    make_metrics(k, m);
    enum emt_err err = stepper_start(&k->stepper, conninfo, step, k, "the certificates'", diag);
    if (err != EMT_OK) {
        keeper_stop(k);
        return err;
    }
    *out = k;
    return EMT_OK;
}

void keeper_stop(struct keeper *k)
{
    if (!k)
        return;
    stepper_stop(&k->stepper);
    seal_key_wipe(&k->master);
    free(k);
}
