#include "status_http.h"

#include "base/writer.h"
#include "http/http_server.h"
#include "loop/metrics.h"
#include "store/migrate.h"
#include "store/node_store.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_MS 2000

struct status_http {
    struct status_settings s;
    struct http_handler handler;
    struct http_server *server;
};

/* A pool thread's connection, opened when somebody asks. */
struct asker {
    struct store *db;
};

static void *asker_new(void *ctx)
{
    (void)ctx;
    return calloc(1, sizeof(struct asker));
}

static void asker_free(void *ctx, void *worker)
{
    struct asker *a = worker;

    (void)ctx;
    if (a)
        store_close(a->db);
    free(a);
}

static int32_t nobody(void *ctx, const struct http_request *r)
{
    (void)ctx;
    (void)r;
    return 0;
}

static void asker_hang_up(struct asker *a)
{
    store_close(a->db);
    a->db = NULL;
}

/* Ready means: frames that arrive now can be stored. */
static enum emt_err ask(struct store *db, struct emt_diag *diag)
{
    bool stand = false;
    int version;
    enum emt_err err = migrate_check(db, &version, diag);

    if (err != EMT_OK)
        return err;
    err = node_partitions_stand(db, &stand);
    if (err != EMT_OK)
        return emt_fail(diag, err, "database: %s", store_error(db));
    return stand ? EMT_OK : emt_fail(diag, EMT_ESTATE, "partitions are missing");
}

static enum emt_err ask_database(struct status_http *h, struct asker *a, struct emt_diag *diag)
{
    enum emt_err err = EMT_OK;

    /* A connection kept from the last question may have ended unnoticed, with a restart of the
     * database long over: that says nothing, a new one does. */
    if (a->db && ask(a->db, diag) == EMT_OK)
        return EMT_OK;
    if (a->db && !store_is_broken(a->db))
        return EMT_ESTATE;
    asker_hang_up(a);
    *diag = (struct emt_diag){ .text = "" };
    err = store_open(h->s.conninfo, STORE_ADMIN, CONNECT_MS, &a->db, diag);
    return err == EMT_OK ? ask(a->db, diag) : err;
}

static void answer_ready(struct status_http *h, struct asker *a, struct http_response *out)
{
    const char *why = h->s.not_ready(h->s.ctx);
    struct emt_diag diag = { .text = "" };

    if (!why && ask_database(h, a, &diag) != EMT_OK)
        why = diag.text[0] ? diag.text : "the database does not answer";
    http_response_status(out, why ? 503 : 200);
    writer_printf(http_response_body(out), "%s\n", why ? why : "ready");
}

static enum emt_err handle(void *ctx, void *worker, const struct http_request *r,
                           struct http_response *out)
{
    struct status_http *h = ctx;
    const char *path = http_request_path(r);
    enum http_method m = http_request_method(r);
    enum emt_err err;

    err = http_response_header(out, "Content-Type",
                               strcmp(path, "/metrics") == 0 ? "text/plain; version=0.0.4"
                                                             : "text/plain; charset=utf-8");
    if (err != EMT_OK)
        return err;
    if (m != HTTP_GET && m != HTTP_HEAD) {
        http_response_status(out, 405);
        return http_response_header(out, "Allow", "GET, HEAD");
    }
    if (strcmp(path, "/metrics") == 0) {
        if (h->s.refresh)
            h->s.refresh(h->s.ctx);
        metrics_write(h->s.metrics, http_response_body(out));
    } else if (strcmp(path, "/healthz") == 0) {
        writer_text(http_response_body(out), "alive\n");
    } else if (strcmp(path, "/readyz") == 0) {
        answer_ready(h, worker, out);
    } else {
        http_response_status(out, 404);
        writer_text(http_response_body(out), "/metrics, /healthz and /readyz are here\n");
    }
    return EMT_OK;
}

enum emt_err status_http_start(const struct status_settings *s, struct status_http **out,
                               struct emt_diag *diag)
{
    struct status_http *h = calloc(1, sizeof *h);
    struct http_settings http = { .nlisten = 1,
                                  .threads = 1,
                                  .workers = 2,
                                  .queue = 32,
                                  .tenant_share = 2,
                                  .body_max = 1024,
                                  .connections = 64,
                                  .idle_s = 30,
                                  .handshake_s = 10 };
    enum emt_err err;

    if (!h)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    h->s = *s;
    h->handler = (struct http_handler){ h, asker_new, asker_free, nobody, handle };
    http.listen = &h->s.listen;
    err = http_server_start(&http, &h->handler, &h->server, diag);
    if (err == EMT_OK)
        *out = h;
    else
        free(h);
    return err;
}

uint16_t status_http_port(const struct status_http *h)
{
    return http_server_port(h->server, 0);
}

void status_http_stop(struct status_http *h)
{
    if (!h)
        return;
    http_server_stop(h->server);
    free(h);
}
