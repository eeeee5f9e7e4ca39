/* What the field channel counts, and log lines that must not flood. */
#ifndef EMT_FIELD_FIELD_METRICS_H
#define EMT_FIELD_FIELD_METRICS_H

#include "base/error.h"
#include "handshake_pool.h"
#include "session.h"

#include <pthread.h>
#include <stdint.h>

struct metric;
struct metrics;

/* Every designed limit of the field channel (docs/limits.md), counted when it is met. */
enum field_limit {
    LIMIT_CONNECTIONS,
    LIMIT_HANDSHAKE_QUEUE,
    LIMIT_DESCRIPTORS,
    LIMIT_HELLO,
    LIMIT_MESSAGE,
    LIMIT_UNFINISHED,
    LIMIT_SESSION_QUEUE,
    LIMIT_CREDIT,
    LIMIT_LOG_LINES,
    LIMIT_JOURNAL,
    LIMIT_COMMANDS,
    LIMIT_MAILBOX,
    FIELD_LIMITS
};

struct field_metrics {
    struct metric *sessions, *connections, *frames, *bytes, *repeated, *resumed;
    struct metric *handshakes[HANDSHAKE_OUTCOMES];
    struct metric *handshakes_waiting;
    struct metric *closed[SESSION_ENDINGS];
    struct metric *limits[FIELD_LIMITS];
    struct metric *claims_ok, *claims_refused, *claims_failed, *claim_time;
    struct metric *commands_sent, *commands_answered;
    struct metric *renewed, *renew_refused, *retired, *renegotiations;
    struct metric *status, *log_lines, *journal_dropped;
};
void field_metrics_init(struct field_metrics *f, struct metrics *m);

/* At most one line a second for each outcome of a handshake; the next says how many were left out.
 */
struct handshake_log {
    pthread_mutex_t mutex;
    int64_t last_ms[HANDSHAKE_OUTCOMES];
    uint64_t left_out[HANDSHAKE_OUTCOMES];
};
EMT_CHECKED enum emt_err handshake_log_init(struct handshake_log *l);
void handshake_log_release(struct handshake_log *l);
void handshake_log_write(struct handshake_log *l, enum handshake_outcome o, const char *reason,
                         const char *peer);

#endif
