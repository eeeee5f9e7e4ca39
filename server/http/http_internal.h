/* What the files of server/http share. */
#ifndef EMT_HTTP_INTERNAL_H
#define EMT_HTTP_INTERNAL_H

#include "base/writer.h"
#include "http/http_server.h"
#include "http_pool.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct MHD_Connection;
struct MHD_Daemon;
struct http_front;
struct http_link;
struct http_peers;
struct http_stream;

enum {
    HTTP_LISTEN_MAX = 16,
    HTTP_THREADS_MAX = 64,
    HTTP_RESPONSE_MAX = 64 << 20, /* bytes of one answer */
    HTTP_RESPONSE_HEADERS_MAX = 64,
    HTTP_RETRY_AFTER_S = 1,
};

enum server_phase { SERVER_RUNNING, SERVER_DRAINING, SERVER_ENDING };

struct http_server {
    struct http_settings settings; /* defaults filled in; listen and tls are not kept here */
    struct http_handler handler;
    int listeners[HTTP_LISTEN_MAX];
    uint16_t ports[HTTP_LISTEN_MAX];
    size_t nlisteners;
    struct http_pool *pool;
    struct http_front *fronts[HTTP_THREADS_MAX];
    unsigned nfronts;
    atomic_int phase; /* enum server_phase */
    bool tls_on;

    pthread_mutex_t lock; /* guards tls, active, closed and links_by_fd */
    pthread_cond_t idle;  /* active became 0 */
    struct tls_context *tls;
    unsigned active; /* requests handed to the pool and not yet answered to the end */
    bool closed;     /* the daemons end: no connection is handed to them any more */
    /* The link whose MHD end has this number; a number may be taken again before its last link is
     * gone, which then has no entry any more. */
    struct http_link **links_by_fd;
    size_t nlinks_by_fd;

    struct http_peers *peers;
    atomic_uint links;        /* connections that are no streams */
    atomic_uint streams;      /* open */
    atomic_size_t body_bytes; /* of all request bodies in memory */
    size_t body_total;        /* most of that */
    uint64_t id_seed;
    atomic_uint_fast64_t next_id;
    struct {
        atomic_uint_fast64_t connections, requests, rejected_busy, rejected_share, handshake_failed,
            body_too_large, malformed, rejected_peer, responses_5xx, streams, streams_refused;
    } counters;
};

static inline void http_count(atomic_uint_fast64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

struct response_header {
    struct response_header *next;
    char *name, *value;
};

struct http_response {
    struct http_server *server;
    struct http_stream *stream; /* NULL: an ordinary answer; holds a reference */
    unsigned status;
    unsigned nheaders;
    struct response_header *headers;
    struct writer body;
};

enum request_phase {
    REQUEST_HEAD,     /* nothing seen but the request line */
    REQUEST_BODY,     /* headers seen */
    REQUEST_POOLED,   /* suspended */
    REQUEST_ANSWERED, /* the response is complete */
    REQUEST_SENT,     /* and queued */
};

struct http_request {
    struct pool_task task; /* first: a task is its request */
    struct http_server *server;
    struct MHD_Connection *conn;
    enum request_phase phase;
    enum http_method method;
    unsigned refuse; /* status that answers in the handler's place; 0: none */
    bool active;     /* counted in server->active */
    char *path;
    char peer[INET6_ADDRSTRLEN];
    char id[17];
    int64_t started_ms;
    struct writer body;
    size_t body_seen; /* bytes received, kept or not */
    size_t body_kept; /* of these in body, counted in server->body_bytes */
    struct http_response response;
};

/* Gives the connection behind MHD's descriptor to a stream: a reference goes along. MHD has to
 * close its end afterwards. False: the connection is gone. */
bool server_adopt(struct http_server *s, int mhd_fd, struct http_stream *stream);
/* Enters and removes links; l->mhd_fd is set. False: no memory. */
bool server_link_add(struct http_server *s, struct http_link *l);
void server_link_remove(struct http_server *s, struct http_link *l);

/* 16 hex digits, unique. */
void request_id_new(struct http_server *s, char id[17]);
/* NULL: out of memory. */
struct http_request *request_new(struct http_server *s, struct MHD_Connection *conn);
void request_free(struct http_request *r);
/* Frees the body and takes it off the server's account. */
void request_drop_body(struct http_request *r);

/* Makes the response a problem document (RFC 9457) with this status; what was there is dropped. */
void response_problem(struct http_request *r, unsigned status, const char *detail);

#endif
