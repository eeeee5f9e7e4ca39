/* A request on its worker: find the route, find out who asks, open the tenant's transaction, let
 * the handler answer, commit.
 *
 * The order of refusals is fixed: unknown path 404, no valid key or session 401, a forged request
 * 403, another tenant 404 as if it did not exist, too little a role 403, a missing scope 403. */
#include "api/api.h"

#include "api/portal_files.h"
#include "api_audit.h"
#include "api_auth.h"
#include "api_call.h"
#include "api_entitlement.h"
#include "api_idempotency.h"
#include "api_internal.h"
#include "api_query.h"
#include "api_rights.h"
#include "api_route.h"
#include "api_text.h"
#include "base/cipher.h"
#include "base/log.h"
#include "event_hub.h"
#include "loop/metrics.h"
#include "share_book.h"
#include "store/tenant_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define SESSION_IDLE_S (INT64_C(30) * 60)
#define SESSION_S (INT64_C(12) * 3600)

static void *worker_new(void *ctx)
{
    struct api_worker *w = calloc(1, sizeof *w);

    if (w != NULL)
        w->api = ctx;
    return w;
}

static void worker_free(void *ctx, void *worker)
{
    struct api_worker *w = worker;

    (void)ctx;
    if (w == NULL)
        return;
    store_close(w->app);
    store_close(w->admin);
    free(w);
}

/* As it was sent: what api_authenticate() decides by. NULL: none. */
static const char *credential_of(const struct http_request *r)
{
    const char *authorization = http_request_header(r, "Authorization");

    return authorization != NULL ? authorization : http_request_header(r, "Cookie");
}

/* From here on the requests of this key or session count for it and not for strangers. */
static void note_share(const struct api_call *c)
{
    const char *credential = credential_of(c->req);
    int32_t claim = api_claim(http_request_header(c->req, "Authorization"),
                              http_request_header(c->req, "Cookie"));

    if (credential != NULL)
        share_book_note(c->api->shares, credential, claim, clock_mono_ms());
}

static int32_t tenant_of(void *ctx, const struct http_request *r)
{
    struct api *a = ctx;

    if (strcmp(http_request_path(r), "/healthz") == 0)
        return 0; /* whoever watches over us is not turned away because others ask a lot */
    return share_book_find(a->shares, credential_of(r), clock_mono_ms());
}

/* Connections that ended while nobody used them are no reason to fail the next request. */
static void drop_ended(struct store **s)
{
    if (*s == NULL || !store_has_ended(*s))
        return;
    store_close(*s);
    *s = NULL;
}

static struct store *worker_app(struct api_worker *w, const struct api_settings *s)
{
    struct emt_diag diag = { 0 };

    drop_ended(&w->app);
    drop_ended(&w->admin);
    if (w->app == NULL && store_open(s->conninfo, STORE_APP, 5000, &w->app, &diag) != EMT_OK) {
        LOG_WARN("api-database", LOG_S("reason", diag.text));
        w->app = NULL;
    }
    if (w->app != NULL)
        store_set_patience(w->app, API_DATABASE_MS);
    return w->app;
}

/* The tenant of the path, if the asker may know it. EMT_ENOTFOUND. */
static enum emt_err find_tenant(struct api_call *c)
{
    struct tenant t;

    if (!c->who.is_operator) {
        if (strcmp(c->who.tenant_key, c->tenant_key) != 0)
            return EMT_ENOTFOUND;
        c->tenant = c->who.tenant;
        return EMT_OK;
    }
    if (api_admin(c) == NULL)
        return EMT_EDB;
    enum emt_err err = tenant_find(c->worker->admin, c->tenant_key, &t);
    if (err == EMT_OK)
        c->tenant = t.id;
    return err;
}

static bool is_change(const struct api_route *route)
{
    return route->method != HTTP_GET;
}

static bool may(const struct api_route *route, const struct api_principal *who)
{
    if (route->access == ACCESS_ANY || route->access == ACCESS_SESSION)
        return true;
    if (who->is_operator && !(who->auditor && is_change(route)))
        return true;
    return route->access != ACCESS_OPERATOR && who->tenant != 0 &&
           (route->roles & ROLE_BIT(who->role)) != 0;
}

/* A key without scopes may what its role may. */
static bool in_scope(const struct api_route *route, const struct api_principal *who)
{
    return who->scopes == 0 || route->area == AREA_NONE ||
           (who->scopes & SCOPE_BIT(route->area, is_change(route))) != 0;
}

static enum emt_err out_of_scope(struct api_call *c, const struct api_route *route)
{
    return api_problem(c, 403, "scope", NULL, "the key lacks the scope %s:%s",
                       api_area_names[route->area], is_change(route) ? "write" : "read");
}

/* Runs the handler in a transaction of the tenant; commits only an answer that says it worked. */
static enum emt_err in_transaction(struct api_call *c, const struct api_route *route)
{
    enum emt_err err = store_begin(c->store, c->tenant);

    if (err != EMT_OK)
        return api_store_problem(c, EMT_EDB, "tenant");
    err =
        api_is_idempotent(c, route) ? api_idempotent_inside(c, route, c->store) : route->handle(c);
    if (err != EMT_OK || c->status == 0 || c->status >= 400) {
        store_rollback(c->store);
        return err;
    }
    if (store_commit(c->store) != EMT_OK)
        return api_store_problem(c, EMT_EDB, "tenant");
    read_log_keep(&c->api->reads, c->read_mark);
    return EMT_OK;
}

/* A handler that makes its own transactions, or none. */
static enum emt_err in_the_open(struct api_call *c, const struct api_route *route)
{
    if (!api_is_idempotent(c, route))
        return route->handle(c);
    struct store *s = c->tenant != 0 ? c->store : api_admin(c);
    return s != NULL ? api_idempotent_around(c, route, s)
                     : api_store_problem(c, EMT_EDB, "database");
}

/* Last before the handler: who may not ask is not told what could be asked. Probes of balancers
 * carry what they like. */
static enum emt_err answer(struct api_call *c, const struct api_route *route)
{
    if (route->handle != api_health && !api_query_known(c, route))
        return EMT_OK;
    return route->access == ACCESS_TENANT ? in_transaction(c, route) : in_the_open(c, route);
}

static enum emt_err run_tenant(struct api_call *c, const struct api_route *route)
{
    enum emt_err err = find_tenant(c);

    if (err == EMT_ENOTFOUND)
        return api_problem(c, 404, "not-found", NULL, "tenant %.60s does not exist", c->tenant_key);
    if (err != EMT_OK)
        return api_store_problem(c, err, "tenant");
    /* A reader's role is what such a key has for want of another. */
    if (api_is_outside(c) && !api_outside_route(route))
        return api_outside_refused(c);
    if (!api_is_outside(c) && !may(route, &c->who))
        return api_problem(c, 403, "forbidden", NULL, "your role does not allow it");
    if (!in_scope(route, &c->who))
        return out_of_scope(c, route);
    if (!api_is_entitled(c, route, &err))
        return err;
    return answer(c, route);
}

static enum emt_err not_known(struct api_call *c, const struct api_route *route)
{
    if (http_response_header(c->out, "WWW-Authenticate", "Bearer") != EMT_OK)
        return EMT_ENOMEM;
    if (route->access == ACCESS_SESSION)
        return api_problem(c, 401, "unauthorized", NULL, "log in: POST /api/v1/sessions");
    return api_problem(c, 401, "unauthorized", NULL,
                       "send a valid API key: Authorization: Bearer emt_…");
}

static enum emt_err run(struct api_call *c, const struct api_route *route)
{
    if (route->handle == api_health || route->handle == api_version)
        return answer(c, route); /* also without a database */
    c->store = worker_app(c->worker, c->settings);
    if (c->store == NULL)
        return api_store_problem(c, EMT_EDB, "database");
    if (route->access == ACCESS_PUBLIC)
        return answer(c, route);
    enum emt_err err = api_authenticate(c);
    if (err == EMT_EAUTH ||
        (err == EMT_OK && route->access == ACCESS_SESSION && c->who.session_id == 0))
        return not_known(c, route);
    if (err != EMT_OK)
        return api_store_problem(c, err, "key");
    note_share(c);
    if (c->who.session_id != 0 && is_change(route) && !api_csrf_good(c))
        return api_problem(c, 403, "csrf", NULL,
                           "send the session's csrf_token as X-CSRF-Token, from a page of ours");
    if (route->access == ACCESS_TENANT || route->access == ACCESS_TENANT_OPEN)
        return run_tenant(c, route);
    if (api_is_outside(c))
        return api_outside_refused(c);
    if (!may(route, &c->who))
        return api_problem(c, 403, "forbidden", NULL, "this is for operators of the platform");
    return in_scope(route, &c->who) ? answer(c, route) : out_of_scope(c, route);
}

static enum emt_err common_headers(struct http_response *out)
{
    static const char *const headers[][2] = {
        { "X-Content-Type-Options", "nosniff" },
        { "Strict-Transport-Security", "max-age=31536000" },
        { "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'" },
    };

    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        enum emt_err err = http_response_header(out, headers[i][0], headers[i][1]);

        if (err != EMT_OK)
            return err;
    }
    return EMT_OK;
}

static bool query_is_utf8(const struct http_request *r)
{
    const char *value = NULL;

    for (unsigned i = 0; http_request_query_at(r, i, &value) != NULL; i++) {
        if (value != NULL && !text_is_utf8(value, strlen(value)))
            return false;
    }
    return true;
}

static enum emt_err wrong_method(struct api_call *c, const char *path)
{
    char allow[64];
    enum emt_err err = http_response_header(c->out, "Allow", api_route_allow(path, allow));

    if (err != EMT_OK)
        return err;
    return api_problem(c, 405, "method", NULL, "%s is not for this path: %s",
                       http_method_name(http_request_method(c->req)), allow);
}

static enum emt_err dispatch(struct api_call *c)
{
    const char *path = http_request_path(c->req);
    bool path_known = false;
    const struct api_route *route =
        text_is_utf8(path, strlen(path))
            ? api_route_find(http_request_method(c->req), path, c, &path_known)
            : NULL;

    if (route == NULL && !path_known)
        return api_problem(c, 404, "not-found", NULL, "no such path; see /api/v1/openapi.yaml");
    if (route == NULL)
        return wrong_method(c, path);
    if (!query_is_utf8(c->req))
        return api_problem(c, 400, "invalid", NULL, "query: a value is not UTF-8");
    return run(c, route);
}

/* What the browser loads; touches no database. */
static enum emt_err answer_portal(struct api *a, const struct http_request *r,
                                  struct http_response *out)
{
    int64_t start = clock_mono_ms();
    unsigned status = 500;
    enum emt_err err = portal_files_answer(a->settings.portal, r, out, &status);

    metric_observe_ms(a->duration, clock_mono_ms() - start);
    metric_add(status < 400 ? a->answered : status < 500 ? a->refused : a->failed, 1);
    return err;
}

/* The answer's own headers, once it is final: a commit that failed has replaced it. */
static enum emt_err finish(struct api_call *c)
{
    char seconds[16];
    enum emt_err err = EMT_OK;

    if (c->status == 0)
        return EMT_EINTERNAL; /* a handler that gave no answer */
    http_response_status(c->out, c->status);
    if (c->content_type != NULL)
        err = http_response_header(c->out, "Content-Type", c->content_type);
    char cached[40] = "no-store";
    if (c->cached_s > 0 && c->status == 200)
        snprintf(cached, sizeof cached, "public, max-age=%u", c->cached_s);
    if (err == EMT_OK)
        err = http_response_header(c->out, "Cache-Control", cached);
    if (err == EMT_OK && c->disposition[0] != '\0')
        err = http_response_header(c->out, "Content-Disposition", c->disposition);
    bool good = c->status < 400;
    if (err == EMT_OK && good && c->etag[0] != '\0')
        err = http_response_header(c->out, "ETag", c->etag);
    if (err == EMT_OK && good && c->location[0] != '\0')
        err = http_response_header(c->out, "Location", c->location);
    if (err == EMT_OK && good && c->replayed)
        err = http_response_header(c->out, "Idempotency-Replayed", "true");
    snprintf(seconds, sizeof seconds, "%u", c->retry_after_s);
    if (err == EMT_OK && c->retry_after_s != 0)
        err = http_response_header(c->out, "Retry-After", seconds);
    return err;
}

static void count_and_log(const struct api_call *c, unsigned status, int64_t took)
{
    struct api *a = c->api;

    metric_observe_ms(a->duration, took);
    metric_add(status < 400 ? a->answered : status < 500 ? a->refused : a->failed, 1);
    LOG_INFO("request", LOG_S("method", http_method_name(http_request_method(c->req))),
             LOG_S("path", http_request_path(c->req)), LOG_I("status", status), LOG_I("ms", took),
             LOG_S("peer", http_request_peer(c->req)),
             LOG_S("actor", c->who.actor[0] ? c->who.actor : NULL),
             LOG_S("request", http_request_id(c->req)));
}

static enum emt_err handle(void *ctx, void *worker, const struct http_request *r,
                           struct http_response *out)
{
    struct api *a = ctx;
    struct api_call c = { .api = a,
                          .settings = &a->settings,
                          .worker = worker,
                          .req = r,
                          .out = out,
                          .now = clock_now() };
    int64_t start = clock_mono_ms();

    if (a->settings.portal != NULL && portal_files_takes(http_request_path(r)))
        return answer_portal(a, r, out);
    if (worker == NULL)
        return EMT_ENOMEM;
    enum emt_err err = common_headers(out);
    if (err == EMT_OK)
        err = dispatch(&c);
    if (err == EMT_OK)
        err = finish(&c);
    /* Whatever a handler forgot must not reach the next request of this worker. */
    if (c.worker->app != NULL)
        store_rollback(c.worker->app);
    if (c.worker->admin != NULL)
        store_rollback(c.worker->admin);
    cipher_wipe(c.csrf, sizeof c.csrf);
    count_and_log(&c, err == EMT_OK ? c.status : 500, clock_mono_ms() - start);
    if (err == EMT_OK && c.wake && c.status < 400 && a->settings.wake != NULL)
        a->settings.wake(a->settings.wake_ctx);
    return err;
}

enum emt_err api_new(const struct api_settings *s, struct api **out, struct emt_diag *diag)
{
    struct api *a = calloc(1, sizeof *a);

    if (a == NULL)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    read_log_init(&a->reads);
    a->settings = *s;
    if (a->settings.leaf_lifetime_s == 0)
        a->settings.leaf_lifetime_s = INT64_C(365) * 86400;
    if (a->settings.session_idle_s == 0)
        a->settings.session_idle_s = SESSION_IDLE_S;
    if (a->settings.session_s == 0)
        a->settings.session_s = SESSION_S;
    a->handler = (struct http_handler){ .ctx = a,
                                        .worker_new = worker_new,
                                        .worker_free = worker_free,
                                        .tenant_of = tenant_of,
                                        .handle = handle };
    a->duration =
        metrics_histogram(s->metrics, "emt_api_duration_ms", NULL, "Time to handle a request");
    a->answered = metrics_counter(s->metrics, "emt_api_requests_total", "class=\"ok\"",
                                  "Requests by class of answer");
    a->refused = metrics_counter(s->metrics, "emt_api_requests_total", "class=\"refused\"",
                                 "Requests by class of answer");
    a->failed = metrics_counter(s->metrics, "emt_api_requests_total", "class=\"failed\"",
                                "Requests by class of answer");
    const struct event_hub_settings hub = { .conninfo = s->conninfo,
                                            .node = s->node,
                                            .tenant_most = s->tenant_streams,
                                            .principal_most = s->principal_streams,
                                            .session_idle_s = a->settings.session_idle_s,
                                            .metrics = s->metrics };
    a->shares = share_book_new();
    enum emt_err err = a->shares != NULL ? event_hub_new(&hub, &a->hub, diag) : EMT_ENOMEM;
    if (err != EMT_OK) {
        api_free(a);
        return err;
    }
    *out = a;
    return EMT_OK;
}

void api_free(struct api *a)
{
    if (a == NULL)
        return;
    event_hub_free(a->hub);
    share_book_free(a->shares);
    seal_key_wipe(&a->settings.master);
    read_log_release(&a->reads);
    free(a);
}

const struct http_handler *api_handler(struct api *a)
{
    return &a->handler;
}
