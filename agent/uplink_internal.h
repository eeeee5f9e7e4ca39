/* What the two halves of the uplink client share: uplink_client.c (dialling, TLS, bytes) and
 * uplink_session.c (messages). */
#ifndef EMT_AGENT_UPLINK_INTERNAL_H
#define EMT_AGENT_UPLINK_INTERNAL_H

#include "agent/uplink_client.h"
#include "base/backoff.h"
#include "base/writer.h"

#include <event2/event.h>

struct tls_conn;

enum client_state {
    CLIENT_STOPPED,
    CLIENT_WAITING,    /* for the next attempt */
    CLIENT_CONNECTING, /* TCP */
    CLIENT_TLS,        /* handshake */
    CLIENT_HELLO,      /* Hello sent, Welcome expected */
    CLIENT_READY,
};

#define CLIENT_ADDRESSES_MAX 16
#define CLIENT_LOG_MAX 16
#define CLIENT_LOG_TEXT 160

/* A frame that was sent and is not acknowledged. */
struct sent_frame {
    uint64_t seq;
    uint32_t len;
    int64_t sent_ms;
};

struct sent_queue {
    struct sent_frame *item;
    size_t cap, head, count; /* cap is a power of two */
    uint64_t bytes;
};

struct pending_log {
    uint32_t level;
    emt_time at;
    char text[CLIENT_LOG_TEXT];
};

struct uplink_client {
    struct uplink_client_config config;
    enum client_state state;
    uint64_t session; /* counts attempts: whoever calls out checks it afterwards */
    struct backoff backoff;
    struct uplink_client_counters counters;

    struct endpoint_address address[CLIENT_ADDRESSES_MAX]; /* of this round */
    size_t naddresses, next_address;
    int fd;
    struct tls_conn *tls;
    struct event *readable, *writable;
    struct event *timer;  /* of the state */
    struct event *alive;  /* pings */
    struct event *status; /* Status messages */
    struct event *resend; /* paces a repeated range */

    struct writer in, out;
    size_t out_at;      /* sent of out */
    size_t out_offered; /* offered again after EMT_EAGAIN */

    /* session */
    int64_t ready_ms, heard_ms; /* monotonic */
    uint32_t idle_ms;
    size_t max_message;
    bool may_gap, may_status, may_log, may_renew;
    int64_t clock_ahead; /* of the head-end, microseconds; outlives the session */
    bool proved; /* an acknowledgement came: the next failure starts from the shortest wait */
    uint64_t send_next;
    uint64_t credit;
    uint64_t nonce;
    uint64_t resend_from, resend_to; /* 0: nothing to repeat */
    struct sent_queue sent;
    struct pending_log log[CLIENT_LOG_MAX];
    size_t log_head, log_count;
};

/* uplink_client.c */

/* Ends the session or attempt. retry_ms 0: the next address of the round, else by back-off;
 * otherwise after about retry_ms. */
void client_fail(struct uplink_client *c, const char *reason, uint32_t retry_ms);
void client_move(struct uplink_client *c, enum client_state state);
/* Appends to the output; client_flush() sends. A message that cannot be encoded ends the session:
 * false. */
bool client_put(struct uplink_client *c, const struct uplink_message *m);
void client_flush(struct uplink_client *c);
size_t client_out_left(const struct uplink_client *c);

/* uplink_session.c */

void session_open(struct uplink_client *c); /* TLS is up: says Hello */
void session_handle(struct uplink_client *c, const struct uplink_message *m);
void session_pump(struct uplink_client *c);
void session_close(struct uplink_client *c);
void session_alive(struct uplink_client *c);
void session_status(struct uplink_client *c);
void session_resend(struct uplink_client *c);
void sent_release(struct sent_queue *q);

#endif
