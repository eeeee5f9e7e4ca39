#include "field_metrics.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/writer.h"
#include "loop/metrics.h"

#include <stdbool.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

static const char *const limit_names[FIELD_LIMITS] = {
    [LIMIT_CONNECTIONS] = "connections",
    [LIMIT_HANDSHAKE_QUEUE] = "handshake-queue",
    [LIMIT_DESCRIPTORS] = "descriptors",
    [LIMIT_HELLO] = "hello",
    [LIMIT_MESSAGE] = "message",
    [LIMIT_UNFINISHED] = "unfinished-messages",
    [LIMIT_SESSION_QUEUE] = "session-queue",
    [LIMIT_CREDIT] = "credit",
    [LIMIT_LOG_LINES] = "log-lines",
    [LIMIT_JOURNAL] = "journal",
    [LIMIT_COMMANDS] = "commands",
    [LIMIT_MAILBOX] = "mailbox",
};

static struct metric *labelled(struct metrics *m, const char *name, const char *label,
                               const char *value, const char *help)
{
    char text[80];
    struct writer w;

    writer_init_fixed(&w, text, sizeof text);
    writer_printf(&w, "%s=\"%s\"", label, value);
    return metrics_counter(m, name, writer_cstr(&w), help);
}

void field_metrics_init(struct field_metrics *f, struct metrics *m)
{
    f->sessions = metrics_gauge(m, "emt_field_sessions", NULL, "Gateways connected and ready.");
    f->connections =
        metrics_gauge(m, "emt_field_connections", NULL, "Open connections, handshakes included.");
    f->handshakes_waiting = metrics_gauge(m, "emt_field_handshakes_waiting", NULL,
                                          "Connections waiting for or in their handshake.");
    f->frames = metrics_counter(m, "emt_field_frames_total", NULL, "Frames taken from gateways.");
    f->bytes = metrics_counter(m, "emt_field_bytes_total", NULL, "Bytes of frames taken.");
    f->repeated = metrics_counter(m, "emt_field_repeated_total", NULL,
                                  "Frames that a gateway sent again within a session.");
    f->resumed =
        metrics_counter(m, "emt_field_resumed_total", NULL, "Handshakes that resumed a session.");
    for (int i = 0; i < HANDSHAKE_OUTCOMES; i++)
        f->handshakes[i] = labelled(m, "emt_field_handshakes_total", "result",
                                    handshake_outcome_name((enum handshake_outcome)i),
                                    "Connections by the outcome of their handshake.");
    for (int i = ENDING_NONE + 1; i < SESSION_ENDINGS; i++)
        f->closed[i] =
            labelled(m, "emt_field_closed_total", "reason",
                     session_ending_name((enum session_ending)i), "Sessions ended, by reason.");
    f->closed[ENDING_NONE] = f->closed[ENDING_PROTOCOL];
    for (int i = 0; i < FIELD_LIMITS; i++)
        f->limits[i] = labelled(m, "emt_field_limit_total", "limit", limit_names[i],
                                "Times that a limit of the field channel was met.");
    f->claims_ok = labelled(m, "emt_field_claims_total", "result", "ok", "Claims of gateways.");
    f->claims_refused =
        labelled(m, "emt_field_claims_total", "result", "refused", "Claims of gateways.");
    f->claims_failed =
        labelled(m, "emt_field_claims_total", "result", "failed", "Claims of gateways.");
    f->claim_time = metrics_histogram(m, "emt_field_claim_seconds", NULL,
                                      "From Hello to the answer of the database.");
    f->commands_sent =
        metrics_counter(m, "emt_field_commands_sent_total", NULL, "Commands sent to gateways.");
    f->commands_answered = metrics_counter(m, "emt_field_commands_answered_total", NULL,
                                           "Results of commands received.");
    f->renewed = labelled(m, "emt_field_certificates_total", "result", "issued",
                          "Requests of gateways for a new certificate.");
    f->renew_refused = labelled(m, "emt_field_certificates_total", "result", "refused",
                                "Requests of gateways for a new certificate.");
    f->retired = metrics_counter(m, "emt_field_certificates_retired_total", NULL,
                                 "Certificates revoked because a younger one took their place.");
    f->renegotiations =
        metrics_gauge(m, "emt_field_renegotiations_refused", NULL,
                      "Renegotiations refused since the server's certificate was made.");
    f->status = metrics_counter(m, "emt_field_status_total", NULL, "Status messages received.");
    f->log_lines =
        metrics_counter(m, "emt_field_log_lines_total", NULL, "Log lines of gateways received.");
    f->journal_dropped = metrics_counter(m, "emt_field_journal_dropped_total", NULL,
                                         "Status, log lines and the like that could not be kept.");
}

enum emt_err handshake_log_init(struct handshake_log *l)
{
    memset(l, 0, sizeof *l);
    return pthread_mutex_init(&l->mutex, NULL) == 0 ? EMT_OK : EMT_ENOMEM;
}

void handshake_log_release(struct handshake_log *l)
{
    pthread_mutex_destroy(&l->mutex);
}

void handshake_log_write(struct handshake_log *l, enum handshake_outcome o, const char *reason,
                         const char *peer)
{
    int64_t now = clock_mono_ms();
    uint64_t left_out = 0;
    bool due;

    pthread_mutex_lock(&l->mutex);
    due = l->last_ms[o] == 0 || now - l->last_ms[o] >= 1000;
    if (due) {
        l->last_ms[o] = now;
        left_out = l->left_out[o];
        l->left_out[o] = 0;
    } else {
        l->left_out[o]++;
    }
    pthread_mutex_unlock(&l->mutex);
    if (due)
        LOG_INFO("handshake-failed", LOG_S("result", handshake_outcome_name(o)),
                 LOG_S("reason", reason[0] ? reason : NULL), LOG_S("peer", peer),
                 LOG_I("left_out", left_out));
}
