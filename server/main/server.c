#include "server.h"

#include "api/api.h"
#include "api/portal_files.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "embedded_pg.h"
#include "field/field.h"
#include "http/http_server.h"
#include "jobs/jobs.h"
#include "loop/metrics.h"
#include "node.h"
#include "pki/tls_context.h"
#include "pki/trust.h"
#include "platform_pki.h"
#include "status_http.h"
#include "store/migrate.h"
#include "store/node_store.h"
#include "store/store.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CONNECT_MS 10000
#define DRAIN_MS 5000
/* A certificate is renewed a third of its life before it ends; after a failure again in an hour. */
#define RENEW_BEFORE (INT64_C(30) * EMT_DAY)
#define RENEW_RETRY EMT_HOUR

struct server {
    struct server_settings s;
    struct seal_key master;
    struct platform_pki pki;
    struct trust *trust, *trust_logger;
    struct tls_set tls;
    emt_time renew_at;
    struct first_login login;
    const char *url;
    char base_url[400]; /* what the API tells; set right before anybody can know a port that the
                           kernel chose */
    struct config_list public12, public13; /* what enrolling gateways are told */
    struct metrics *metrics;
    struct metric *restarts, *lease, *requests, *busy, *share, *handshakes, *too_large, *failed;
    struct metric *root_days, *server_ca_days, *server_days;
    int64_t ends_told_at; /* days since 1970 of the last look at ends */
    struct metric *malformed, *peers, *streams, *streams_refused;
    struct node *node;
    struct field *field;
    struct jobs *jobs;
    struct portal_files *portal;
    struct api *api;
    struct http_server *https;
    struct status_http *status;
    _Atomic(const char *) not_ready;
};

/* ---- small things ---- */

static void look(void *ctx)
{
    struct server *v = ctx;

    if (v->field)
        field_wake(v->field);
    if (v->jobs)
        jobs_wake(v->jobs);
}

static const char *why_not_ready(void *ctx)
{
    struct server *v = ctx;
    const char *why = v->not_ready;

    if (!why && !node_is_alive(v->node))
        return "the lease of this node has run out: the database does not answer";
    return why;
}

static void register_metrics(struct server *v)
{
    struct metrics *m = v->metrics;
    static const char *const http = "emt_http_refused_total";

    v->lease = metrics_gauge(m, "emt_node_alive", NULL, "1 while this node renews its lease");
    static const char *const ends = "emt_certificate_days_left";
    static const char *const help = "Days until a certificate of the platform ends";
    v->root_days = metrics_gauge(m, ends, "certificate=\"root\"", help);
    v->server_ca_days = metrics_gauge(m, ends, "certificate=\"server-ca\"", help);
    v->server_days = metrics_gauge(m, ends, "certificate=\"server\"", help);
    v->restarts = metrics_gauge(m, "emt_embedded_postgres_restarts", NULL,
                                "Restarts of the private PostgreSQL since the start");
    v->requests = metrics_gauge(m, "emt_http_requests", NULL, "Requests since the start");
    v->busy = metrics_gauge(m, http, "reason=\"busy\"", "Requests refused since the start");
    v->share =
        metrics_gauge(m, http, "reason=\"tenant-share\"", "Requests refused since the start");
    v->too_large =
        metrics_gauge(m, http, "reason=\"too-large\"", "Requests refused since the start");
    v->malformed =
        metrics_gauge(m, http, "reason=\"malformed\"", "Requests refused since the start");
    v->peers = metrics_gauge(m, http, "reason=\"peer\"", "Requests refused since the start");
    v->streams = metrics_gauge(m, "emt_http_streams", NULL, "Answers that stay open");
    v->streams_refused =
        metrics_gauge(m, http, "reason=\"streams\"", "Requests refused since the start");
    v->handshakes =
        metrics_gauge(m, "emt_http_handshakes_failed", NULL, "TLS handshakes that failed");
    v->failed = metrics_gauge(m, "emt_http_responses_5xx", NULL, "Answers with a status of 500 up");
}

static void refresh_metrics(void *ctx)
{
    struct server *v = ctx;
    struct http_counters c = { 0 };

    metric_set(v->restarts, v->s.embedded ? embedded_pg_restarts(v->s.embedded) : 0);
    if (v->not_ready) /* the parts come and go */
        return;
    metric_set(v->lease, node_is_alive(v->node));
    if (!v->https)
        return;
    http_server_counters(v->https, &c);
    metric_set(v->requests, (int64_t)c.requests);
    metric_set(v->busy, (int64_t)c.rejected_busy);
    metric_set(v->share, (int64_t)c.rejected_share);
    metric_set(v->too_large, (int64_t)c.body_too_large);
    metric_set(v->malformed, (int64_t)c.malformed);
    metric_set(v->peers, (int64_t)c.rejected_peer);
    metric_set(v->streams, (int64_t)c.streams_open);
    metric_set(v->streams_refused, (int64_t)c.streams_refused);
    metric_set(v->handshakes, (int64_t)c.handshake_failed);
    metric_set(v->failed, (int64_t)c.responses_5xx);
}

/* ---- the database ---- */

static enum emt_err prepare_database(struct server *v, struct store **admin, struct emt_diag *diag)
{
    const struct config *c = v->s.config;
    int version;
    enum emt_err err = EMT_OK;

    if (v->s.embedded)
        err =
            bootstrap_cluster(embedded_pg_superuser_conninfo(v->s.embedded), v->s.migrations, diag);
    if (err == EMT_OK && c->migrate)
        err = bootstrap_migrate(c->conninfo, v->s.migrations, diag);
    if (err == EMT_OK)
        err = store_open(c->conninfo, STORE_ADMIN, CONNECT_MS, admin, diag);
    if (err == EMT_OK)
        err = migrate_check(*admin, &version, diag);
    if (err == EMT_OK) {
        err = node_partitions_ensure(*admin, (int32_t)c->worker_hot_days);
        if (err == EMT_OK)
            err = node_expire(*admin, NULL);
        if (err != EMT_OK)
            (void)emt_fail(diag, EMT_EDB, "%s", store_error(*admin));
    }
    return err;
}

static void rest(const struct server *v, uint32_t ms)
{
    int64_t until = clock_mono_ms() + ms;
    const struct timespec step = { 0, 100000000 };

    while (clock_mono_ms() < until && !v->s.cancelled())
        (void)nanosleep(&step, NULL);
}

/* A database that is not there yet is no reason to give up: a service manager would only start us
 * again. */
static enum emt_err wait_for_database(struct server *v, struct store **admin, struct emt_diag *diag)
{
    struct backoff back = { 500, 10000, 0 };

    for (;;) {
        char text[700];
        enum emt_err err;

        *diag = (struct emt_diag){ .line = 0 };
        err = prepare_database(v, admin, diag);
        if (err != EMT_EDB && err != EMT_EAGAIN)
            return err;
        store_close(*admin);
        *admin = NULL;
        if (diag->file[0]) /* a migration failed: waiting does not mend it */
            return err;
        LOG_WARN("database-not-ready", LOG_S("error", emt_diag_format(diag, text, sizeof text)));
        rest(v, backoff_next(&back));
        if (v->s.cancelled())
            return emt_fail(diag, EMT_ESTATE, "ended while waiting for the database");
    }
}

/* ---- certificates ---- */

static enum emt_err make_tls(const struct server *v, struct tls_set *out, struct emt_diag *diag)
{
    const struct config *c = v->s.config;
    const struct tls_set_settings t = { .names = c->names,
                                        .server_key = c->pki.server_key,
                                        .certificate = c->api.certificate,
                                        .key = c->api.key,
                                        .session_age_ms = c->field.session_age_ms,
                                        .trust = v->trust,
                                        .trust_logger = v->trust_logger };

    return tls_set_make(&v->pki, &t, clock_now(), out, diag);
}

/* The root as a file, for whoever calls the API of this node: curl --cacert STATE_DIR/root.pem. */
static enum emt_err keep_root(const struct server *v, struct emt_diag *diag)
{
    char path[PATH_MAX];
    enum emt_err err = file_join(path, sizeof path, v->s.config->state_dir, "root.pem");

    if (err != EMT_OK)
        return emt_fail(diag, err, "state_dir: the path is too long");
    return file_write(path, v->pki.root_pem.data, v->pki.root_pem.len, 0644, diag);
}

static enum emt_err open_pki(struct server *v, struct store *admin, struct emt_diag *diag)
{
    const struct config_pki *p = &v->s.config->pki;
    const struct platform_keys keys = { p->root_key, p->server_ca_key };
    enum emt_err err = platform_pki_open(admin, &v->master, &keys, clock_now(), &v->pki, diag);

    if (err != EMT_OK)
        return err;
    v->trust = trust_new();
    if (v->s.config->field.listen_logger.n > 0)
        v->trust_logger = trust_new();
    if (!v->trust || (v->s.config->field.listen_logger.n > 0 && !v->trust_logger))
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    err = keep_root(v, diag);
    if (err != EMT_OK)
        return err;
    err = trust_add_pem(v->trust, (const char *)v->pki.root_pem.data, v->pki.root_pem.len, diag);
    if (err == EMT_OK)
        err = make_tls(v, &v->tls, diag);
    v->renew_at = v->tls.not_after - RENEW_BEFORE;
    return err;
}

static void renew_certificates(struct server *v)
{
    struct emt_diag diag = { .line = 0 };
    struct tls_set fresh;
    char text[700];
    enum emt_err err = make_tls(v, &fresh, &diag);

    if (err != EMT_OK) {
        LOG_ERROR("certificate-not-renewed",
                  LOG_S("error", emt_diag_format(&diag, text, sizeof text)));
        v->renew_at = clock_now() + RENEW_RETRY;
        return;
    }
    if (v->field) {
        field_set_tls(v->field, fresh.field12, fresh.field13);
        field_set_tls_logger(v->field, fresh.logger);
    }
    if (v->https)
        http_server_set_tls(v->https, fresh.https);
    tls_set_release(&v->tls);
    v->tls = fresh;
    v->renew_at = fresh.not_after - RENEW_BEFORE;
    LOG_NOTICE("certificate-renewed", LOG_S("until", time_format(fresh.not_after, text)));
}

static void reload_portal(struct server *v)
{
    struct emt_diag diag = { .line = 0 };
    char text[700];

    if (!v->portal)
        return;
    if (portal_files_reload(v->portal, &diag) != EMT_OK)
        LOG_ERROR("portal-not-read", LOG_S("error", emt_diag_format(&diag, text, sizeof text)));
    else
        LOG_NOTICE("portal-read", LOG_I("files", portal_files_count(v->portal)));
}

void server_reload(struct server *v)
{
    renew_certificates(v);
    reload_portal(v);
}

static void look_at_end(struct metric *days, const char *name, emt_time ends, int64_t life_days)
{
    int64_t left = (ends - clock_now()) / EMT_DAY;
    int64_t step = left < 7 ? 7 : left < 30 ? 30 : 90;

    metric_set(days, left);
    /* What is renewed by itself is worth a word only when that did not happen. */
    if (left >= 90 || step * 4 > life_days)
        return;
    if (left < 30)
        LOG_ERROR("certificate-ends", LOG_S("certificate", name), LOG_I("days", left));
    else
        LOG_WARN("certificate-ends", LOG_S("certificate", name), LOG_I("days", left));
}

/* Once a day: root and CA of the servers are replaced by people, the server's certificate is not.
 */
static void look_at_ends(struct server *v)
{
    int64_t today = clock_now() / EMT_DAY;

    if (v->ends_told_at == today)
        return;
    v->ends_told_at = today;
    look_at_end(v->root_days, "root", v->pki.root_ends, 7305);
    look_at_end(v->server_ca_days, "server-ca", v->pki.server_ca_ends, 3652);
    look_at_end(v->server_days, "server", v->tls.not_after, 90);
}

void server_tick(struct server *v)
{
    look_at_ends(v);
    if (clock_now() >= v->renew_at)
        renew_certificates(v);
}

/* ---- the parts ---- */

static enum emt_err start_status(struct server *v, struct emt_diag *diag)
{
    const struct config *c = v->s.config;
    const struct status_settings s = { .listen = c->metrics_listen,
                                       .conninfo = c->conninfo,
                                       .metrics = v->metrics,
                                       .not_ready = why_not_ready,
                                       .refresh = refresh_metrics,
                                       .ctx = v };

    return *c->metrics_listen ? status_http_start(&s, &v->status, diag) : EMT_OK;
}

static unsigned cores(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);

    return n > 0 ? (unsigned)n : 1;
}

static enum emt_err start_field(struct server *v, struct emt_diag *diag)
{
    const struct config *c = v->s.config;
    const struct config_field *f = &c->field;
    struct field_settings s = { .listen12 = f->listen12.items,
                                .nlisten12 = f->listen12.n,
                                .listen13 = f->listen13.items,
                                .nlisten13 = f->listen13.n,
                                .listen_logger = f->listen_logger.items,
                                .nlisten_logger = f->listen_logger.n,
                                .tls12 = v->tls.field12,
                                .tls13 = v->tls.field13,
                                .tls_logger = v->tls.logger,
                                .trust = v->trust,
                                .trust_logger = v->trust_logger,
                                .proxy_from = f->proxy_from.items,
                                .nproxy_from = f->proxy_from.n,
                                .drain_ms = (uint32_t)f->drain_ms,
                                .loops = f->loops ? (unsigned)f->loops : cores(),
                                .handshakes = f->handshakes ? (unsigned)f->handshakes : cores(),
                                .handshake_queue = (unsigned)f->handshake_queue,
                                .connections = (unsigned)f->connections,
                                .hello_ms = (uint32_t)f->hello_ms,
                                .handshake_ms = (uint32_t)f->handshake_ms,
                                .idle_ms = (uint32_t)f->idle_ms,
                                .session_age_ms = (uint32_t)f->session_age_ms,
                                .session_queue_bytes = (size_t)f->session_queue_bytes,
                                .commands = (unsigned)f->commands,
                                .leaf_lifetime_s = c->leaf_lifetime_ms / 1000,
                                .certificate_grace_s = f->certificate_grace_ms / 1000,
                                .conninfo = c->conninfo,
                                .master = v->master,
                                .node_id = node_id(v->node),
                                .state_dir = c->state_dir,
                                .budget_bytes = (size_t)f->budget_bytes,
                                .metrics = v->metrics };
    enum emt_err err = field_start(&s, &v->field, diag);

    seal_key_wipe(&s.master);
    return err;
}

static enum emt_err start_jobs(struct server *v, struct emt_diag *diag)
{
    const struct config *c = v->s.config;
    char scratch[512];
    struct jobs_settings s = { .conninfo = c->conninfo,
                               .master = v->master,
                               .workers = (unsigned)c->worker_jobs,
                               .node_id = node_id(v->node),
                               .hot_days = (unsigned)c->worker_hot_days,
                               .delivery_root = *c->delivery_root ? c->delivery_root : NULL,
                               .private_networks = c->private_networks,
                               .metrics = v->metrics };
    enum emt_err err = file_join(scratch, sizeof scratch, c->state_dir, "scratch-jobs");

    if (err == EMT_OK)
        s.scratch_path = config_text(v->s.config, scratch);
    if (err == EMT_OK && !s.scratch_path)
        err = EMT_ENOMEM;
    if (err == EMT_OK)
        err = jobs_start(&s, &v->jobs, diag);
    seal_key_wipe(&s.master);
    return err;
}

/* What enrolling gateways are told: as configured, or the first name with the ports that listen
 * here. */
static enum emt_err public_addresses(struct server *v, const struct config_list *said, bool tls13,
                                     struct config_list *out)
{
    struct config *c = v->s.config;
    const struct config_list *listen = tls13 ? &c->field.listen13 : &c->field.listen12;
    char host[64];
    unsigned port = 0;

    *out = *said;
    if (said->n || listen->n == 0)
        return EMT_OK;
    if (v->field)
        port = tls13 ? field_port13(v->field, 0) : field_port12(v->field, 0);
    else if (config_parse_address(listen->items[0], host, sizeof host, &port) != EMT_OK)
        return EMT_EINTERNAL;
    out->items = arena_alloc(c->memory, sizeof *out->items);
    if (!out->items)
        return EMT_ENOMEM;
    out->items[0] = config_address(c, config_first_name(c), port);
    out->n = 1;
    return out->items[0] ? EMT_OK : EMT_ENOMEM;
}

static const char *make_url(struct config *c, unsigned port)
{
    char text[400];
    const char *address = config_address(c, config_first_name(c), port);

    if (c->api.url)
        return c->api.url;
    snprintf(text, sizeof text, "https://%s", address ? address : "");
    return config_text(c, text);
}

static enum emt_err start_https(struct server *v, struct emt_diag *diag)
{
    const struct config_api *a = &v->s.config->api;
    const struct http_settings s = { .listen = a->listen.items,
                                     .nlisten = a->listen.n,
                                     .tls = v->tls.https,
                                     .threads = (unsigned)a->threads,
                                     .workers = (unsigned)a->workers,
                                     .queue = (unsigned)a->queue,
                                     .tenant_share = (unsigned)a->tenant_share,
                                     .body_max = (size_t)a->body_bytes,
                                     .connections = (unsigned)a->connections,
                                     .peer_connections = (unsigned)a->peer_connections,
                                     .request_s = (unsigned)a->request_s,
                                     .streams = (unsigned)a->streams,
                                     .idle_s = (unsigned)a->idle_s,
                                     .handshake_s = (unsigned)a->handshake_s };

    return http_server_start(&s, api_handler(v->api), &v->https, diag);
}

static enum emt_err start_api(struct server *v, struct emt_diag *diag)
{
    struct config *c = v->s.config;
    char host[64];
    unsigned port;
    struct api_settings s = { .conninfo = c->conninfo,
                              .master = v->master,
                              .node = c->node,
                              .tenant_streams = (unsigned)c->api.tenant_streams,
                              .principal_streams = (unsigned)c->api.principal_streams,
                              .session_idle_s = c->api.session_idle_minutes * 60,
                              .session_s = c->api.session_hours * 3600,
                              .leaf_lifetime_s = c->leaf_lifetime_ms / 1000,
                              .wake = node_wake,
                              .wake_ctx = v->node,
                              .metrics = v->metrics };
    enum emt_err err;

    err = portal_files_new(v->s.portal, &v->portal, diag);
    if (err != EMT_OK)
        return err;
    s.portal = v->portal;
    LOG_INFO("portal", LOG_S("dir", v->s.portal), LOG_I("files", portal_files_count(v->portal)));
    err = config_parse_address(c->api.listen.items[0], host, sizeof host, &port);
    if (err != EMT_OK)
        return emt_fail(diag, err, "addresses");
    v->url = make_url(c, port);
    snprintf(v->base_url, sizeof v->base_url, "%s", v->url ? v->url : "");
    s.base_url = v->base_url;
    s.field12 = v->public12.items;
    s.nfield12 = v->public12.n;
    s.field13 = v->public13.items;
    s.nfield13 = v->public13.n;
    memcpy(s.server_pin, v->pki.pin, sizeof s.server_pin);
    err = api_new(&s, &v->api, diag);
    seal_key_wipe(&s.master);
    if (err == EMT_OK)
        err = start_https(v, diag);
    if (err == EMT_OK && port == 0) {
        v->url = make_url(c, http_server_port(v->https, 0));
        snprintf(v->base_url, sizeof v->base_url, "%s", v->url ? v->url : "");
    }
    return err == EMT_OK && !v->url ? EMT_ENOMEM : err;
}

static enum emt_err start_parts(struct server *v, struct store *admin, struct emt_diag *diag)
{
    struct config *c = v->s.config;
    const struct node_settings n = { c->conninfo, c->node, v->s.version };
    enum emt_err err = bootstrap_master_key(admin, c->master_key, &v->master, diag);

    if (err == EMT_OK)
        err = open_pki(v, admin, diag);
    if (err == EMT_OK)
        err = bootstrap_operator(admin, c->state_dir, "", v->pki.pin, &v->login, diag);
    if (err == EMT_OK)
        err = node_open(&n, &v->node, diag);
    if (err == EMT_OK && (c->roles & CONFIG_WORKER))
        err = start_jobs(v, diag);
    if (err == EMT_OK && (c->roles & CONFIG_FIELD))
        err = start_field(v, diag);
    if (err == EMT_OK)
        err = public_addresses(v, &c->field.public12, false, &v->public12);
    if (err == EMT_OK)
        err = public_addresses(v, &c->field.public13, true, &v->public13);
    if (err == EMT_OK && (c->roles & CONFIG_API))
        err = start_api(v, diag);
    if (err == EMT_OK && v->url)
        err = first_login_set_url(c->state_dir, v->url, diag);
    if (err == EMT_OK)
        err = node_start(v->node, look, v);
    return err;
}

enum emt_err server_start(const struct server_settings *s, struct server **out,
                          struct emt_diag *diag)
{
    struct server *v = calloc(1, sizeof *v);
    struct store *admin = NULL;
    enum emt_err err;

    if (!v)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    v->s = *s;
    v->not_ready = "starting";
    v->metrics = metrics_new();
    err = v->metrics ? EMT_OK : emt_fail(diag, EMT_ENOMEM, "out of memory");
    if (err == EMT_OK) {
        register_metrics(v);
        err = file_mkdirs(s->config->state_dir, 0755, diag);
    }
    if (err == EMT_OK)
        err = start_status(v, diag);
    if (err == EMT_OK)
        err = wait_for_database(v, &admin, diag);
    if (err == EMT_OK)
        err = start_parts(v, admin, diag);
    store_close(admin);
    if (err != EMT_OK) {
        server_stop(v);
        return err;
    }
    v->not_ready = NULL;
    *out = v;
    return EMT_OK;
}

const struct first_login *server_first_login(const struct server *v)
{
    return &v->login;
}

const char *server_url(const struct server *v)
{
    return v->url ? v->url : "";
}

const char *server_field12(const struct server *v)
{
    return v->field && v->public12.n ? v->public12.items[0] : "";
}

const char *server_field13(const struct server *v)
{
    return v->field && v->public13.n ? v->public13.items[0] : "";
}

unsigned server_status_port(const struct server *v)
{
    return v->status ? status_http_port(v->status) : 0;
}

const uint8_t *server_pin(const struct server *v)
{
    return v->pki.pin;
}

void server_stop(struct server *v)
{
    if (!v)
        return;
    v->not_ready = "ending";
    field_drain(v->field);
    /* Nothing looks into parts that end; the lease holds until the last session is closed in order.
     */
    node_halt(v->node);
    if (v->field)
        field_stop(v->field, DRAIN_MS);
    status_http_stop(v->status);
    if (v->https)
        http_server_stop(v->https);
    if (v->jobs)
        jobs_stop(v->jobs);
    api_free(v->api);
    portal_files_free(v->portal);
    node_close(v->node);
    tls_set_release(&v->tls);
    trust_unref(v->trust);
    trust_unref(v->trust_logger);
    platform_pki_release(&v->pki);
    seal_key_wipe(&v->master);
    metrics_free(v->metrics);
    free(v);
}
