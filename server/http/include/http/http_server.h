/* The one HTTP server: libmicrohttpd behind our OpenSSL listener, for api and intake.
 *
 * One MHD daemon per HTTP thread without a listener; accepted connections do TLS in our front and
 * are handed over through a socketpair with the real peer address. A handler never runs on an HTTP
 * thread: the request is suspended once its body is complete, handled on a bounded pool with a
 * share per tenant, and resumed. Requests that can be read in more than one way are refused before
 * the library sees them (http_gate.h). Every answer carries X-Request-Id. */
#ifndef EMT_HTTP_HTTP_SERVER_H
#define EMT_HTTP_HTTP_SERVER_H

#include "base/attr.h"
#include "base/error.h"
#include "base/writer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_server;
struct tls_context;

enum http_method { HTTP_GET, HTTP_POST, HTTP_PUT, HTTP_PATCH, HTTP_DELETE, HTTP_HEAD, HTTP_OTHER };
const char *http_method_name(enum http_method m);

/* Borrowed for the time of the handler. */
struct http_request;
enum http_method http_request_method(const struct http_request *r);
/* Decoded, without query; begins with '/'. */
const char *http_request_path(const struct http_request *r);
/* Decoded; NULL when absent; "" without value. */
const char *http_request_query(const struct http_request *r, const char *name);
/* Walks the query parameters: NULL past the end. */
const char *http_request_query_at(const struct http_request *r, unsigned i, const char **value);
/* Any case; NULL when absent. */
const char *http_request_header(const struct http_request *r, const char *name);
const uint8_t *http_request_body(const struct http_request *r, size_t *len);
const char *http_request_peer(const struct http_request *r); /* "192.0.2.1" or "2001:db8::1" */
/* 16 hex digits, unique, also in the log and the X-Request-Id header. */
const char *http_request_id(const struct http_request *r);

struct http_response;
void http_response_status(struct http_response *r, unsigned status); /* 200 unless set */
/* Both copied. EMT_EMALFORMED a name that is no token or a value with a line end or control
 * character; EMT_ELIMIT more than 64. */
EMT_CHECKED enum emt_err http_response_header(struct http_response *r, const char *name,
                                              const char *value);
/* Growing, at most 64 MiB: beyond 500. */
struct writer *http_response_body(struct http_response *r);

struct http_handler {
    void *ctx;
    /* One per pool thread (its database connection); NULL result: the thread answers 503 and tries
     * again with the next request. */
    void *(*worker_new)(void *ctx);
    void (*worker_free)(void *ctx, void *worker);
    /* Whose share this request counts against; quick, no I/O; 0 for nobody's. Runs on an HTTP
     * thread. */
    int32_t (*tenant_of)(void *ctx, const struct http_request *r);
    /* On a pool thread. Not EMT_OK: 500 problem+json is sent instead. */
    enum emt_err (*handle)(void *ctx, void *worker, const struct http_request *r,
                           struct http_response *out);
};

struct http_settings {
    const char *const *listen; /* "0.0.0.0:8443", "[::]:8443"; port 0: any */
    size_t nlisten;
    struct tls_context *tls; /* NULL: plain HTTP (loopback metrics only) */
    unsigned threads;        /* HTTP threads (MHD daemons), default 1 */
    unsigned workers;        /* pool threads, default 4 */
    /* Requests waiting for a worker, default 256: beyond 503 with Retry-After. */
    unsigned queue;
    /* Most workers one tenant may occupy, default workers / 2 (at least 1). */
    unsigned tenant_share;
    /* Most of its requests waiting beyond that, default queue / 8 (at least 1): beyond 429. */
    unsigned tenant_queue;
    size_t body_max;      /* bytes, default 8 MiB: beyond 413 */
    unsigned connections; /* default 1024 */
    /* Of one peer address (IPv6: its /64), streams too, default connections + streams. */
    unsigned peer_connections;
    unsigned request_s;   /* for head and body of a request, default 60: beyond 408 */
    unsigned streams;     /* answers that stay open (http_stream.h), default 8192 */
    unsigned idle_s;      /* default 60 */
    unsigned handshake_s; /* default 10 */
};

/* Starts listening. s and the handler's pointers stay with the caller; the TLS context is kept by
 * reference; *out is stopped and freed with http_server_stop(). EMT_EMALFORMED an address that is
 * none; EMT_EIO it cannot be listened on. All request bodies in memory together take at most 8 *
 * body_max (at least 64 MiB); beyond 503. */
EMT_CHECKED enum emt_err http_server_start(const struct http_settings *s,
                                           const struct http_handler *h, struct http_server **out,
                                           struct emt_diag *diag);
/* Port of listener i, for port 0. */
uint16_t http_server_port(const struct http_server *s, size_t i);
/* New handshakes use this context from now on. */
void http_server_set_tls(struct http_server *s, struct tls_context *tls);
/* Stops accepting, lets requests finish for 5 s, answers 503 to those that then still wait for a
 * worker, waits for handlers that still run, frees. */
void http_server_stop(struct http_server *s);

struct http_counters {
    uint64_t connections; /* accepted */
    uint64_t requests;
    uint64_t rejected_busy;    /* 503 by us, and TLS connections beyond the limit */
    uint64_t rejected_share;   /* 429 */
    uint64_t handshake_failed; /* time-outs too */
    uint64_t body_too_large;   /* 413 */
    uint64_t malformed;        /* refused before anybody looked at them: 400, 408, 414, 431, … */
    uint64_t rejected_peer;    /* connections of an address that has enough */
    uint64_t responses_5xx;
    uint64_t streams; /* opened */
    uint64_t streams_refused;
    uint64_t streams_open; /* now */
};
void http_server_counters(const struct http_server *s, struct http_counters *out);

#endif
