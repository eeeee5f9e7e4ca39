#include "base/clock.h"
#include "base/json_text.h"
#include "http_internal.h"
#include "http_outlet.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

const char *http_method_name(enum http_method m)
{
    switch (m) {
    case HTTP_GET:
        return "GET";
    case HTTP_POST:
        return "POST";
    case HTTP_PUT:
        return "PUT";
    case HTTP_PATCH:
        return "PATCH";
    case HTTP_DELETE:
        return "DELETE";
    case HTTP_HEAD:
        return "HEAD";
    case HTTP_OTHER:
        return "OTHER";
    }
    return "OTHER";
}

/* A counter through a bijection (SplitMix64): unique without a system call, and not guessable in a
 * row. */
static uint64_t next_id(struct http_server *s)
{
    uint64_t z = s->id_seed + atomic_fetch_add_explicit(&s->next_id, 1, memory_order_relaxed) *
                                  UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void request_id_new(struct http_server *s, char id[17])
{
    snprintf(id, 17, "%016llx", (unsigned long long)next_id(s));
}

struct http_request *request_new(struct http_server *s, struct MHD_Connection *conn)
{
    struct http_request *r = calloc(1, sizeof *r);

    if (!r)
        return NULL;
    r->server = s;
    r->conn = conn;
    r->started_ms = clock_mono_ms();
    r->response.status = 200;
    r->response.server = s;
    request_id_new(s, r->id);
    writer_init_heap(&r->body, s->settings.body_max);
    writer_init_heap(&r->response.body, HTTP_RESPONSE_MAX);
    return r;
}

static void headers_free(struct http_response *out)
{
    while (out->headers) {
        struct response_header *h = out->headers;
        out->headers = h->next;
        free(h->name);
        free(h->value);
        free(h);
    }
    out->nheaders = 0;
}

/* The stream that did not come to be. */
static void stream_drop(struct http_response *out)
{
    if (!out->stream)
        return;
    http_stream_abort(out->stream);
    stream_close(out->stream);
    http_stream_unref(out->stream);
    out->stream = NULL;
}

void request_drop_body(struct http_request *r)
{
    atomic_fetch_sub_explicit(&r->server->body_bytes, r->body_kept, memory_order_relaxed);
    r->body_kept = 0;
    writer_release(&r->body);
}

void request_free(struct http_request *r)
{
    if (!r)
        return;
    request_drop_body(r);
    stream_drop(&r->response);
    free(r->path);
    writer_release(&r->response.body);
    headers_free(&r->response);
    free(r);
}

enum http_method http_request_method(const struct http_request *r)
{
    return r->method;
}

const char *http_request_path(const struct http_request *r)
{
    return r->path;
}

const char *http_request_query(const struct http_request *r, const char *name)
{
    const char *value = NULL;
    size_t n = 0;

    if (MHD_lookup_connection_value_n(r->conn, MHD_GET_ARGUMENT_KIND, name, strlen(name), &value,
                                      &n) != MHD_YES)
        return NULL;
    return value ? value : "";
}

/* The walk of http_request_query_at(). */
struct walk {
    unsigned left;
    const char *name, *value;
};

static enum MHD_Result walk_step(void *arg, enum MHD_ValueKind kind, const char *name,
                                 const char *value)
{
    struct walk *w = arg;

    (void)kind;
    if (w->left-- > 0)
        return MHD_YES;
    w->name = name;
    w->value = value ? value : "";
    return MHD_NO;
}

const char *http_request_query_at(const struct http_request *r, unsigned i, const char **value)
{
    struct walk w = { .left = i };

    MHD_get_connection_values(r->conn, MHD_GET_ARGUMENT_KIND, walk_step, &w);
    if (w.name)
        *value = w.value;
    return w.name;
}

const char *http_request_header(const struct http_request *r, const char *name)
{
    return MHD_lookup_connection_value(r->conn, MHD_HEADER_KIND, name);
}

const uint8_t *http_request_body(const struct http_request *r, size_t *len)
{
    *len = r->body.len;
    return r->body.data ? r->body.data : (const uint8_t *)"";
}

const char *http_request_peer(const struct http_request *r)
{
    return r->peer;
}

const char *http_request_id(const struct http_request *r)
{
    return r->id;
}

void http_response_status(struct http_response *r, unsigned status)
{
    r->status = status;
}

/* RFC 9110, 5.1 and 5.5: a token, and a value that cannot end the line. */
static bool header_is_sound(const char *name, const char *value)
{
    static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

    if (name[0] == 0 || name[strspn(name, token)] != 0)
        return false;
    for (const char *p = value; *p; p++) {
        if (((uint8_t)*p < 0x20 && *p != '\t') || *p == 0x7f)
            return false;
    }
    return true;
}

enum emt_err http_response_header(struct http_response *r, const char *name, const char *value)
{
    if (!header_is_sound(name, value))
        return EMT_EMALFORMED;
    if (r->nheaders == HTTP_RESPONSE_HEADERS_MAX)
        return EMT_ELIMIT;

    struct response_header *h = calloc(1, sizeof *h);
    if (!h)
        return EMT_ENOMEM;
    h->name = strdup(name);
    h->value = strdup(value);
    if (!h->name || !h->value) {
        free(h->name);
        free(h->value);
        free(h);
        return EMT_ENOMEM;
    }
    struct response_header **end = &r->headers;
    while (*end)
        end = &(*end)->next;
    *end = h;
    r->nheaders++;
    return EMT_OK;
}

struct writer *http_response_body(struct http_response *r)
{
    return &r->body;
}

static const char *status_title(unsigned status)
{
    switch (status) {
    case 400:
        return "Bad Request";
    case 413:
        return "Content Too Large";
    case 429:
        return "Too Many Requests";
    case 503:
        return "Service Unavailable";
    default: /* statuses are numbers of the protocol; this file makes no others */
        return "Internal Server Error";
    }
}

void response_problem(struct http_request *r, unsigned status, const char *detail)
{
    struct http_response *out = &r->response;
    char retry[16];

    stream_drop(out);
    headers_free(out);
    writer_clear(&out->body);
    out->status = status;
    writer_text(&out->body, "{\"type\":\"about:blank\",\"title\":");
    json_put_cstr(&out->body, status_title(status));
    writer_printf(&out->body, ",\"status\":%u,\"detail\":", status);
    json_put_cstr(&out->body, detail);
    writer_text(&out->body, ",\"request\":");
    json_put_cstr(&out->body, r->id);
    writer_text(&out->body, "}\n");
    enum emt_err err = http_response_header(out, "Content-Type", "application/problem+json");
    if (err == EMT_OK && (status == 429 || status == 503)) {
        snprintf(retry, sizeof retry, "%d", HTTP_RETRY_AFTER_S);
        err = http_response_header(out, "Retry-After", retry);
    }
    if (err != EMT_OK) /* no memory left for words: the status alone still says it */
        headers_free(out);
}
