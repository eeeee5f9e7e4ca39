/* The gateway's end of the field channel: dials, keeps one session with the head-end, sends what
 * the spool owes under the head-end's credit, answers commands. An object on a libevent base; a
 * process may hold thousands.
 *
 * waiting → connecting → tls → hello → ready, and from anywhere back to waiting (docs/agent.md).
 * All calls on the loop's thread. */
#ifndef EMT_AGENT_UPLINK_CLIENT_H
#define EMT_AGENT_UPLINK_CLIENT_H

#include "agent/endpoint.h"
#include "base/attr.h"
#include "base/error.h"
#include "wire/uplink.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct command_memory;
struct event_base;
struct spool;
struct tls_context;

struct command_outcome;
struct uplink_client;

/* Called on the loop; none may free the client. Any may be NULL. */
struct uplink_client_events {
    void (*up)(void *ctx);
    /* A session or an attempt ended; the next attempt follows in wait_ms. */
    void (*down)(void *ctx, const char *reason, uint32_t wait_ms);
    /* One frame sent in this session was acknowledged that long after it was sent. */
    void (*acked)(void *ctx, int64_t after_ms);
    /* The head-end's word on progress was handled: acknowledgement or Welcome. */
    void (*progress)(void *ctx);
    /* Adds what only the program knows: frames_heard, metrics (borrowed until the call after). */
    void (*fill_status)(void *ctx, struct uplink_status *status);
    /* The answer to uplink_client_request_certificate(). true: uplink_client_set_tls() was called,
     * and the session gives way to one with the new certificate. */
    bool (*certificate)(void *ctx, const struct uplink_certificate_issued *issued);
    /* A command that the client does not know. false: nor does the program. */
    bool (*command)(void *ctx, const struct uplink_command *cmd, struct command_outcome *out);
};

struct uplink_client_config {
    struct event_base *base;
    struct arena *arena; /* one per loop, for the message at hand */
    struct spool *spool;
    struct command_memory *commands;
    struct tls_context *tls;          /* TLS_PROFILE_AGENT; a reference is taken */
    const struct endpoint *endpoints; /* borrowed for good; tried in order */
    size_t nendpoints;
    size_t first_endpoint;   /* where every round begins; below nendpoints */
    const char *server_name; /* expected in the certificate; NULL: the endpoint's host */
    const char *software, *hardware, *serial; /* borrowed for good */
    const char *gateway;                      /* name for logs, borrowed for good */
    const char *disk;                         /* path for disk_free_bytes */
    uint32_t backoff_first_ms, backoff_most_ms;
    int64_t status_interval_ms; /* 0: none */
    struct uplink_client_events events;
    void *ctx;
};

struct uplink_client_counters {
    uint64_t attempts, sessions, failures;
    uint64_t frames_sent, bytes_sent;
    uint64_t frames_acked; /* of those sent in the session that acknowledged them */
    uint64_t frames_rejected, gaps, commands, resent;
    uint64_t bytes_under_way, credit_bytes;
};

/* EMT_ENOMEM. Free with uplink_client_free(). */
EMT_CHECKED enum emt_err uplink_client_new(const struct uplink_client_config *config,
                                           struct uplink_client **out);
/* Ends the session at once. NULL is fine. */
void uplink_client_free(struct uplink_client *c);

/* Dials after delay_ms (so that many clients do not start at the same moment). */
void uplink_client_start(struct uplink_client *c, uint32_t delay_ms);
/* Ends the session and stays down until started again. */
void uplink_client_stop(struct uplink_client *c);
/* As a network that is gone: the connection is dropped without a word, and dialled again as after
 * any failure. Nothing where there is none. */
void uplink_client_cut(struct uplink_client *c);
/* As cut, and goes on at once with the endpoint behind the one that it was connected to. */
void uplink_client_flee(struct uplink_client *c);
/* Says Bye and goes on at once with the next endpoint, where rounds begin from now on. */
void uplink_client_move(struct uplink_client *c);
/* The spool has new durable frames. */
void uplink_client_kick(struct uplink_client *c);
/* A line for the head-end (level as syslog). Kept while there is no session, the last 16. */
void uplink_client_log(struct uplink_client *c, uint32_t level, const char *text);

/* There is a session, and its head-end issues certificates. */
bool uplink_client_may_renew(const struct uplink_client *c);
/* false: it could not be sent. */
bool uplink_client_request_certificate(struct uplink_client *c, const void *csr, size_t len);
/* Counts from the next attempt on; a reference is taken. */
void uplink_client_set_tls(struct uplink_client *c, struct tls_context *tls);
/* Now, by the clock of the head-end as its last Welcome told it: the gateway's own may be wrong. */
emt_time uplink_client_time(const struct uplink_client *c);

bool uplink_client_ready(const struct uplink_client *c);
/* There is a session, and everything durable is acknowledged. */
bool uplink_client_idle(const struct uplink_client *c);
void uplink_client_counters(const struct uplink_client *c, struct uplink_client_counters *out);

#endif
