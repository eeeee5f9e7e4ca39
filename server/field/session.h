/* The state machine of one gateway's connection. It knows neither socket nor database: it speaks
 * through session_ops, and is fed with events.
 *
 * Thread: its loop's. session_handle() is the only door; session_move() inside of it alone assigns
 * the state. A session that reached CLOSED has told its host (ops->closed) and only waits to be
 * released. */
#ifndef EMT_FIELD_SESSION_H
#define EMT_FIELD_SESSION_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "ingest/ingest.h"
#include "wire/uplink.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct loop_timer;

enum session_state {
    SESSION_CLOSED, /* nothing happens any more; also what a cell left out of the table leads to */
    SESSION_HELLO,  /* TLS is up, the gateway has yet to say hello */
    SESSION_CLAIM,  /* the database is asked who this is, and whether we may own it */
    SESSION_READY,  /* frames, commands, … */
    SESSION_DRAINING, /* Bye is said; what was taken is still acknowledged */
    SESSION_STATES
};

enum session_event {
    /* messages of the gateway */
    EV_HELLO,
    EV_FRAMES,
    EV_GAP,
    EV_STATUS,
    EV_LOG,
    EV_PING,
    EV_PONG,
    EV_COMMAND_RESULT,
    EV_CERTIFICATE_REQUEST,
    EV_BYE,
    EV_FOREIGN, /* a message that only we send */
    /* the link */
    EV_TOO_LONG,
    EV_UNREADABLE,
    EV_PEER_CLOSED,
    EV_PEER_LOST,
    EV_LINK_MEMORY, /* the loop's memory for unfinished messages is used up */
    /* the host */
    EV_CLAIMED,
    EV_REFUSED,
    EV_COMMITTED,
    EV_CREDIT, /* the credit may have changed */
    EV_COMMAND,
    EV_CERTIFICATE, /* the answer to a request of the gateway */
    EV_FENCED,      /* another node owns the gateway */
    EV_REPLACED,    /* a newer session on this node owns the gateway */
    EV_REVOKED,
    EV_TIMEOUT, /* too long in this state, or silent */
    EV_AGE,
    EV_STOP,
    SESSION_EVENTS
};

/* Why a session ends: each has a name, a counter, and what the gateway is told. */
enum session_ending {
    ENDING_NONE,
    ENDING_PROTOCOL,
    ENDING_NO_HELLO,
    ENDING_NO_VERSION,
    ENDING_IDLE,
    ENDING_AGE,
    ENDING_SHUTDOWN,
    ENDING_SUPERSEDED,
    ENDING_REVOKED,
    ENDING_UNKNOWN,
    ENDING_WRONG_TENANT,
    ENDING_SUSPENDED,
    ENDING_CRL,
    ENDING_CLONE,
    ENDING_DATABASE,
    ENDING_BUSY,
    ENDING_CREDIT,
    ENDING_TOO_LONG,
    ENDING_UNREADABLE,
    ENDING_SLOW_READER,
    ENDING_PEER_BYE,
    ENDING_PEER_CLOSED,
    ENDING_PEER_LOST,
    ENDING_MEMORY,
    SESSION_ENDINGS
};
/* "protocol", …; static. */
const char *session_ending_name(enum session_ending e);
const char *session_state_name(enum session_state s);
const char *session_event_name(enum session_event ev);

/* What the certificate said, and who is at the other end. */
struct session_peer {
    char address[46];
    uint8_t fingerprint[32];
    char gateway[65];
    char tenant[65];
    char serial[65];
    bool foreign;    /* its certificate, or the CA of that, was imported: names say nothing */
    bool has_anchor; /* the CA was */
    uint8_t anchor[32], issuer[32];
    emt_time not_before, not_after; /* of the certificate */
    const char *tls;                /* static: "TLSv1.2" */
    bool resumed;
};

/* A claim's answer. */
struct session_owned {
    int32_t tenant;
    int64_t gateway;
    int64_t epoch;
    uint64_t last_seq;
};

/* What comes with an event; borrowed for the call. Unused members are NULL or 0. */
struct session_input {
    const struct uplink_message *message; /* messages of the gateway, EV_COMMAND, EV_CERTIFICATE */
    const struct session_owned *owned;    /* EV_CLAIMED */
    enum session_ending refusal;          /* EV_REFUSED */
    const struct ingest_report *report;   /* EV_COMMITTED */
};

struct session;

/* The outside, as a session sees it. */
struct session_ops {
    /* EMT_ELIMIT: more is queued to this gateway than it may be. */
    enum emt_err (*send)(void *link, const struct uplink_message *m);
    /* Longest message that the gateway may send from now on. */
    void (*allow)(void *link, size_t longest);
    /* Ask the database; EV_CLAIMED or EV_REFUSED answers, or nothing for a while. hello is
     * borrowed. */
    enum emt_err (*claim)(void *host, struct session *s, const struct uplink_hello *hello);
    enum emt_err (*ingest_open)(void *host, struct session *s, uint64_t last_seq);
    enum emt_err (*ingest_frame)(void *host, struct session *s, const struct ingest_frame *f);
    enum emt_err (*ingest_gap)(void *host, struct session *s, const struct uplink_gap *g);
    size_t (*ingest_credit)(void *host, struct session *s);
    void (*status)(void *host, struct session *s, const struct uplink_status *st);
    void (*log)(void *host, struct session *s, const struct uplink_log *l);
    void (*command_result)(void *host, struct session *s, const struct uplink_command_result *r);
    /* A new certificate is asked for: EV_CERTIFICATE answers, later. EMT_ELIMIT: too many ask. */
    enum emt_err (*renew)(void *host, struct session *s,
                          const struct uplink_certificate_request *r);
    /* It is READY. */
    void (*ready)(void *host, struct session *s);
    /* It is CLOSED: s->ending says why. Called once; the last call of a session. */
    void (*closed)(void *host, struct session *s);
};

struct session_limits {
    uint32_t hello_ms; /* for Hello, and again for the claim */
    uint32_t idle_ms;
    uint32_t age_ms; /* ±10 % */
    uint32_t drain_ms;
    unsigned commands;    /* sent and not answered */
    unsigned log_minute;  /* log lines a minute */
    size_t hello_longest; /* message before READY */
    bool one_by_one; /* sessions end one after the other: who is sent away need not wait long */
};

/* Visible to the folder; only session.c writes to it, except for what stands under "host". */
struct session {
    const struct session_ops *ops;
    const struct session_limits *limits;
    void *host_ctx, *link;
    struct session_peer peer;
    enum session_state state;
    enum session_ending ending;
    bool was_ready;
    struct loop_timer *timer, *age;
    int64_t started_ms, heard_ms;
    bool pinged; /* since something was heard */

    uint32_t version;
    bool wants_commands;
    uint8_t spool_id[UPLINK_SPOOL_ID_LEN];
    struct session_owned owned;

    /* Flow: payload bytes taken and not yet reported, and what the gateway may have under way. A
     * lowered credit binds the gateway only once it can have heard of it: a ping follows it, and
     * its pong tells. */
    uint64_t last_taken, acked;
    size_t in_flight, credit, limit, lowered_to;
    uint64_t barrier; /* nonce of the ping, 0: none under way */
    uint64_t nonce;

    unsigned open_commands;
    bool renewing; /* a request for a certificate is under way */
    int64_t log_window_ms;
    unsigned log_lines;
    uint64_t frames, bytes, repeated, log_dropped;

    /* host */
    uint64_t ticket;
    bool ticket_open;
    void *claim;
    struct session *next, **slot;
};

/* Starts in HELLO with its timers. EMT_ENOMEM. */
EMT_CHECKED enum emt_err session_init(struct session *s, struct loop *l,
                                      const struct session_ops *ops,
                                      const struct session_limits *limits, void *host, void *link,
                                      const struct session_peer *peer);
/* Frees the timers. */
void session_release(struct session *s);

void session_handle(struct session *s, enum session_event ev, const struct session_input *in);
/* A message of the gateway: the event is its kind. */
void session_message(struct session *s, const struct uplink_message *m);

/* The cell of the table, for tests and the drawing: the next state when the action succeeds; *acts:
 * there is an action. */
enum session_state session_next(enum session_state state, enum session_event ev, bool *acts);

#endif
