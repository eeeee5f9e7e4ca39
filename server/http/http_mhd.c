#include "http_mhd.h"

#include "base/clock.h"
#include "base/log.h"
#include "http_internal.h"
#include "http_listen.h"
#include "http_outlet.h"
#include "http_thread.h"

#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum {
    /* Bytes for one request: its line and headers as the gate lets them pass, and what the library
     * notes of each. */
    CONNECTION_POOL = 24576,
    /* A body that is too large is read on for this many times its limit, since a client that is
     * still sending does not read our answer; then the connection ends. */
    DISCARD_TIMES = 2,
};

static const char detail_body[] = "the request body is larger than this server takes";
static const char detail_busy[] = "all workers are busy; try again";

static enum http_method method_of(const char *name)
{
    for (unsigned m = HTTP_GET; m < HTTP_OTHER; m++) {
        if (strcmp(name, http_method_name((enum http_method)m)) == 0)
            return (enum http_method)m;
    }
    return HTTP_OTHER;
}

/* A slash that somebody wrote as %2F is part of a name to him, and would be a separator to us. */
static bool hides_a_slash(const char *uri)
{
    size_t path = strcspn(uri, "?");

    for (size_t i = 0; i + 2 < path; i++) {
        if (strncasecmp(uri + i, "%2f", 3) == 0)
            return true;
    }
    return false;
}

/* The earliest moment of a request. The raw URI is looked at here because later %00 has become the
 * end of a text. */
static void *on_uri(void *cls, const char *uri, struct MHD_Connection *conn)
{
    struct http_request *r = request_new(cls, conn);

    if (r && (strstr(uri, "%00") || hides_a_slash(uri)))
        r->refuse = 400;
    return r;
}

/* Hands the finished response over. It is the request's memory that is sent: MHD tells us when it
 * is through with it. */
static enum MHD_Result send_response(struct http_request *r)
{
    struct http_response *out = &r->response;
    struct MHD_Response *m =
        MHD_create_response_from_buffer(out->body.len, out->body.data, MHD_RESPMEM_PERSISTENT);
    enum MHD_Result result = MHD_NO;

    if (!m)
        return MHD_NO;
    bool ok = MHD_add_response_header(m, "X-Request-Id", r->id) == MHD_YES;
    for (const struct response_header *h = out->headers; ok && h; h = h->next)
        ok = MHD_add_response_header(m, h->name, h->value) == MHD_YES;
    if (ok && atomic_load(&r->server->phase) != SERVER_RUNNING)
        ok = MHD_add_response_header(m, "Connection", "close") == MHD_YES;
    if (ok)
        result = MHD_queue_response(r->conn, out->status, m);
    MHD_destroy_response(m);
    r->phase = REQUEST_SENT;
    if (out->status >= 500)
        http_count(&r->server->counters.responses_5xx);
    return result;
}

/* The answer of a stream goes past MHD, which closes its end of the connection. */
static void put_stream_head(const struct http_request *r, struct writer *w)
{
    char date[40] = "";
    time_t now = time(NULL);
    struct tm tm;

    if (gmtime_r(&now, &tm))
        strftime(date, sizeof date, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
    writer_printf(w, "HTTP/1.1 %u OK\r\n%sX-Request-Id: %s\r\n", r->response.status, date, r->id);
    for (const struct response_header *h = r->response.headers; h; h = h->next)
        writer_printf(w, "%s: %s\r\n", h->name, h->value);
    writer_text(w, "Connection: close\r\n\r\n");
    writer_bytes(w, r->response.body.data, r->response.body.len);
}

/* MHD_NO: it ends its connection without a word, and the front goes on with the stream. */
static enum MHD_Result send_stream(struct http_request *r)
{
    struct http_stream *stream = r->response.stream;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->conn, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct writer head;

    writer_init_heap(&head, HTTP_RESPONSE_MAX);
    put_stream_head(r, &head);
    bool ok = info && !head.failed && stream_begin(stream, head.data, head.len);
    writer_release(&head);
    if (ok && server_adopt(r->server, info->connect_fd, stream))
        r->response.stream = NULL; /* the link's now */
    r->phase = REQUEST_SENT;
    return MHD_NO;
}

static enum MHD_Result refuse(struct http_request *r, unsigned status)
{
    struct http_server *s = r->server;
    const char *detail = detail_busy;

    if (status == 413) {
        http_count(&s->counters.body_too_large);
        detail = detail_body;
    } else if (status == 503) {
        http_count(&s->counters.rejected_busy);
    } else if (status == 429) {
        http_count(&s->counters.rejected_share);
        detail = "your share of the workers is busy; try again";
    } else {
        detail = "the request line or its headers can be read in more than one way";
    }
    response_problem(r, status, detail);
    return send_response(r);
}

/* Content-Length where it is given; MHD has checked that it is a number. */
static bool announces_too_much(const struct http_request *r)
{
    const char *text = http_request_header(r, "Content-Length");

    return text && strtoull(text, NULL, 10) > r->server->settings.body_max;
}

struct framing {
    unsigned lengths, encodings, hosts;
};

static enum MHD_Result count_framing(void *cls, enum MHD_ValueKind kind, const char *name,
                                     const char *value)
{
    struct framing *f = cls;

    (void)kind;
    (void)value;
    f->lengths += strcasecmp(name, "Content-Length") == 0;
    f->encodings += strcasecmp(name, "Transfer-Encoding") == 0;
    f->hosts += strcasecmp(name, "Host") == 0;
    return MHD_YES;
}

/* Two lengths, or a length and an encoding: a proxy before us may see another end of the request
 * than we do, and take what follows for somebody else's (RFC 9112, 6.3 and 11.2). The same goes for
 * the host, of which HTTP/1.1 wants one (3.2). */
static bool is_ambiguous(const struct http_request *r, const char *version)
{
    struct framing f = { 0 };

    MHD_get_connection_values(r->conn, MHD_HEADER_KIND, count_framing, &f);
    return f.lengths + f.encodings > 1 || f.hosts > 1 ||
           (f.hosts == 0 && strcmp(version, MHD_HTTP_VERSION_1_1) == 0);
}

static enum MHD_Result on_head(struct http_request *r, const char *url, const char *method,
                               const char *version)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

    http_count(&r->server->counters.requests);
    if (info && info->client_addr)
        address_text(info->client_addr, r->peer);
    r->method = method_of(method);
    r->path = strdup(url);
    if (!r->path)
        return MHD_NO;
    r->phase = REQUEST_BODY;
    if (url[0] != '/' || is_ambiguous(r, version))
        r->refuse = 400;
    if (!r->refuse && announces_too_much(r))
        r->refuse = 413;
    /* Answered before the body is read: MHD ends the connection afterwards. */
    return r->refuse ? refuse(r, r->refuse) : MHD_YES;
}

static void refuse_body(struct http_request *r, unsigned status)
{
    r->refuse = status;
    request_drop_body(r);
}

/* Keeps the piece, or only counts it when the request is refused already. */
static enum MHD_Result on_piece(struct http_request *r, const char *p, size_t n)
{
    struct http_server *s = r->server;
    size_t most = s->settings.body_max;

    r->body_seen += n;
    if (r->refuse)
        return r->body_seen / DISCARD_TIMES > most ? MHD_NO : MHD_YES;
    if (r->body_seen > most) {
        refuse_body(r, 413);
        return MHD_YES;
    }
    size_t before = atomic_fetch_add_explicit(&s->body_bytes, n, memory_order_relaxed);
    if (before + n > s->body_total || !writer_bytes(&r->body, p, n)) {
        atomic_fetch_sub_explicit(&s->body_bytes, n, memory_order_relaxed);
        refuse_body(r, 503);
        return MHD_YES;
    }
    r->body_kept += n;
    return MHD_YES;
}

static void activate(struct http_request *r)
{
    struct http_server *s = r->server;

    r->active = true;
    pthread_mutex_lock(&s->lock);
    s->active++;
    pthread_mutex_unlock(&s->lock);
}

/* The request is complete: to the pool with it. Suspended first, since a worker may be through
 * before this function is. */
static enum MHD_Result on_complete(struct http_request *r)
{
    struct http_server *s = r->server;

    if (r->refuse)
        return refuse(r, r->refuse);
    r->task.tenant = s->handler.tenant_of ? s->handler.tenant_of(s->handler.ctx, r) : 0;
    switch (http_pool_admit(s->pool, r->task.tenant)) {
    case POOL_BUSY:
        return refuse(r, 503);
    case POOL_SHARE:
        return refuse(r, 429);
    case POOL_ADMITTED:
        break;
    }
    activate(r);
    r->phase = REQUEST_POOLED;
    MHD_suspend_connection(r->conn);
    http_pool_submit(s->pool, &r->task);
    return MHD_YES;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *conn, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *n, void **req_cls)
{
    struct http_request *r = *req_cls;

    (void)cls;
    (void)conn;
    if (!r) /* there was no memory for it */
        return MHD_NO;
    switch (r->phase) {
    case REQUEST_HEAD:
        return on_head(r, url, method, version);
    case REQUEST_BODY:
        if (*n > 0) {
            size_t taken = *n;
            *n = 0;
            return on_piece(r, data, taken);
        }
        return on_complete(r);
    case REQUEST_POOLED: /* suspended: MHD does not call */
        return MHD_YES;
    case REQUEST_ANSWERED:
        return r->response.stream ? send_stream(r) : send_response(r);
    case REQUEST_SENT:
        return MHD_YES;
    }
    return MHD_NO;
}

static void log_request(const struct http_request *r)
{
    enum log_level level = r->response.status >= 500 ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG;

    LOG_EVENT(level, "http-request", LOG_S("request", r->id),
              LOG_S("method", http_method_name(r->method)), LOG_S("path", r->path),
              LOG_I("status", r->response.status), LOG_S("peer", r->peer),
              LOG_I("ms", clock_mono_ms() - r->started_ms));
}

static void on_completed(void *cls, struct MHD_Connection *conn, void **req_cls,
                         enum MHD_RequestTerminationCode how)
{
    struct http_server *s = cls;
    struct http_request *r = *req_cls;

    (void)conn;
    (void)how;
    *req_cls = NULL;
    if (!r)
        return;
    if (r->phase == REQUEST_SENT)
        log_request(r);
    bool active = r->active;
    request_free(r);
    if (!active)
        return;
    pthread_mutex_lock(&s->lock);
    if (--s->active == 0)
        pthread_cond_broadcast(&s->idle);
    pthread_mutex_unlock(&s->lock);
}

/* MHD writes to stderr otherwise. */
static void on_library_log(void *cls, const char *fmt, va_list args)
{
    char text[256];

    (void)cls;
    if (!log_wants(LOG_LEVEL_DEBUG))
        return;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    vsnprintf(text, sizeof text, fmt, args);
#pragma GCC diagnostic pop
    text[strcspn(text, "\r\n")] = 0;
    LOG_DEBUG("http-library", LOG_S("text", text));
}

static void task_run(void *ctx, void *worker, bool have_worker, struct pool_task *task)
{
    struct http_server *s = ctx;
    struct http_request *r = (struct http_request *)task;

    if (!have_worker) {
        response_problem(r, 503, "the database cannot be reached; try again");
        return;
    }
    enum emt_err err = s->handler.handle(s->handler.ctx, worker, r, &r->response);
    if (err == EMT_OK && !r->response.body.failed && r->response.status >= 200 &&
        r->response.status <= 599)
        return;
    if (err == EMT_OK)
        err = r->response.body.failed ? EMT_ELIMIT : EMT_EINTERNAL;
    LOG_ERROR("http-handler-failed", LOG_S("request", r->id), LOG_S("error", emt_err_name(err)));
    response_problem(r, 500, "the request could not be handled");
}

static void task_drop(void *ctx, struct pool_task *task)
{
    struct http_server *s = ctx;

    http_count(&s->counters.rejected_busy);
    response_problem((struct http_request *)task, 503, "the server is stopping");
}

/* From MHD_resume_connection() on the request belongs to its HTTP thread. */
static void task_done(void *ctx, struct pool_task *task)
{
    struct http_request *r = (struct http_request *)task;

    (void)ctx;
    r->phase = REQUEST_ANSWERED;
    MHD_resume_connection(r->conn);
}

static void *task_worker_new(void *ctx)
{
    struct http_server *s = ctx;

    return s->handler.worker_new(s->handler.ctx);
}

static void task_worker_free(void *ctx, void *worker)
{
    struct http_server *s = ctx;

    if (s->handler.worker_free)
        s->handler.worker_free(s->handler.ctx, worker);
}

struct pool_calls mhd_pool_calls(struct http_server *s)
{
    return (struct pool_calls){ .ctx = s,
                                .worker_new = s->handler.worker_new ? task_worker_new : NULL,
                                .worker_free = task_worker_free,
                                .run = task_run,
                                .done = task_done,
                                .drop = task_drop };
}

enum emt_err mhd_start(struct http_server *s, struct MHD_Daemon **out)
{
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET |
                     MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC | MHD_USE_ERROR_LOG;
    sigset_t old;

    signals_block(&old);
    struct MHD_Daemon *d = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, s, MHD_OPTION_EXTERNAL_LOGGER, on_library_log, NULL,
        MHD_OPTION_URI_LOG_CALLBACK, on_uri, s, MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
        MHD_OPTION_CONNECTION_LIMIT, s->settings.connections, MHD_OPTION_CONNECTION_TIMEOUT,
        s->settings.idle_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_POOL,
        MHD_OPTION_END);
    signals_restore(&old);
    if (!d)
        return EMT_EIO;
    *out = d;
    return EMT_OK;
}
