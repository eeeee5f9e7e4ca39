/* Partners' answers, the state that they give to files and messages, and until when one is
 * expected. Inside a transaction of the tenant.
 *
 * A state only rises: written, delivered, overdue, accepted, refused (application), rejected
 * (syntax). So answers may come twice and in any order. */
#ifndef EMT_STORE_ACKNOWLEDGEMENT_STORE_H
#define EMT_STORE_ACKNOWLEDGEMENT_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "store/export_store.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- answers --- */

struct acknowledgement_row {
    const char *kind, *sender, *recipient, *reference, *version;
    bool test;
    const char *source;    /* "rest", "folder", "emtctl" */
    const char *file_name; /* "" for none */
    emt_time received;
    const char *received_by;
    const uint8_t *digest; /* SHA-256 of content */
    const void *content;
    size_t content_len;
};
/* *repeated: the same bytes came before; *id is what they were kept as, and only their repetition
 * is counted. */
EMT_CHECKED enum emt_err acknowledgement_insert(struct store *s, int32_t tenant,
                                                const struct acknowledgement_row *row, int64_t *id,
                                                bool *repeated);

/* Notes of one answer, collected and inserted at once. */
struct acknowledgement_notes;
struct acknowledgement_note_row {
    int32_t nth;
    const char *interchange, *message, *document, *code, *segment, *text;
    int64_t file, sent; /* export_file, export_message; 0: none */
    int16_t level, verdict;
    int32_t element, component;
};
struct acknowledgement_notes *acknowledgement_notes_new(void); /* NULL: no memory */
void acknowledgement_notes_free(struct acknowledgement_notes *n);
EMT_CHECKED enum emt_err acknowledgement_notes_add(struct acknowledgement_notes *n,
                                                   const struct acknowledgement_note_row *row);
EMT_CHECKED enum emt_err acknowledgement_notes_insert(struct store *s, int32_t tenant, int64_t id,
                                                      struct acknowledgement_notes *n);

/* Columns of acknowledgement_list() and, with content bytea behind them, acknowledgement_get(). */
enum acknowledgement_column {
    ACKNOWLEDGEMENT_CURSOR,
    ACKNOWLEDGEMENT_ID,
    ACKNOWLEDGEMENT_KIND,
    ACKNOWLEDGEMENT_SENDER,
    ACKNOWLEDGEMENT_RECIPIENT,
    ACKNOWLEDGEMENT_REFERENCE,
    ACKNOWLEDGEMENT_VERSION,
    ACKNOWLEDGEMENT_TEST,
    ACKNOWLEDGEMENT_SOURCE,
    ACKNOWLEDGEMENT_FILE_NAME,
    ACKNOWLEDGEMENT_RECEIVED_AT,
    ACKNOWLEDGEMENT_RECEIVED_BY,
    ACKNOWLEDGEMENT_REPEATS,
    ACKNOWLEDGEMENT_VERDICT,   /* int2: the worst of its notes */
    ACKNOWLEDGEMENT_UNMATCHED, /* int8: notes about no file of ours */
    ACKNOWLEDGEMENT_CONTENT
};
/* Newest first, before a number (0: from the newest). file 0: any; unmatched: only those with a
 * note about no file of ours. */
EMT_CHECKED enum emt_err acknowledgement_list(struct store *s, int32_t tenant, int64_t file,
                                              bool unmatched, int64_t before, int limit,
                                              struct store_result **out);
/* EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err acknowledgement_get(struct store *s, int32_t tenant, int64_t id,
                                             struct store_result **out);
/* Rows (acknowledgement_id, nth, kind, reference, received_at, interchange, file_id, message_id,
 * level, verdict, message, document, code, segment, element, component, text) of one answer
 * (file 0), or of all about one file (id 0). */
EMT_CHECKED enum emt_err acknowledgement_note_list(struct store *s, int32_t tenant, int64_t id,
                                                   int64_t file, struct store_result **out);

/* --- what was sent --- */

/* The file that carries this reference from sender to receiver, locked until the transaction ends.
 * EMT_ENOTFOUND: none of this tenant does. */
EMT_CHECKED enum emt_err sent_file_find(struct store *s, int32_t tenant, const char *sender,
                                        const char *receiver, const char *reference, int64_t *file);
/* *risen: the state was a lower one. text: what people read about it. */
EMT_CHECKED enum emt_err sent_file_state(struct store *s, int32_t tenant, int64_t file,
                                         enum export_state state, emt_time at, const char *text,
                                         bool *risen);
/* All messages of the file (message and document ""), or the one with this UNH reference or
 * document number. *n rose; *sent the last one meant, risen or not, 0 for none. */
EMT_CHECKED enum emt_err sent_messages_state(struct store *s, int32_t tenant, int64_t file,
                                             const char *message, const char *document,
                                             enum export_state state, emt_time at, const char *text,
                                             int64_t *n, int64_t *sent);
/* The file arrived at a target, the first time or once more; so did its messages. */
EMT_CHECKED enum emt_err sent_file_delivered(struct store *s, int32_t tenant, int64_t file,
                                             emt_time at);
/* The new files of a job take the place of a rejected one. */
EMT_CHECKED enum emt_err sent_file_replaces(struct store *s, int32_t tenant, int64_t file,
                                            int64_t replaces);

/* As STORE_ADMIN, over all tenants: rows (tenant_id, file_id, file_name, receiver) that were
 * delivered, got no answer in time by the tenant's rules, and nobody else is looking at. */
EMT_CHECKED enum emt_err sent_files_overdue(struct store *s, emt_time now, int limit,
                                            struct store_result **out);

/* Columns of sent_file_facts(). */
enum sent_file_column {
    SENT_FILE_NUMBER, /* int8: the file */
    SENT_FILE_STATE,  /* int2, enum export_state */
    SENT_FILE_STATE_AT,
    SENT_FILE_STATE_TEXT,
    SENT_FILE_DELIVERED_AT,
    SENT_FILE_DUE_AT,      /* when an answer is due; NULL: not delivered, or none is expected */
    SENT_FILE_REPLACES,    /* int8, NULL */
    SENT_FILE_REPLACED_BY, /* int8, NULL: the latest */
};
/* What became of it so far (enum export_state); answers to it wait until the transaction ends.
 * EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err sent_file_lock(struct store *s, int32_t tenant, int64_t file,
                                        int64_t *state);
/* One row. EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err sent_file_facts(struct store *s, int32_t tenant, int64_t file,
                                         struct store_result **out);
/* Of those of `files` (int8[]) that there are, newest first. */
EMT_CHECKED enum emt_err sent_files_facts(struct store *s, int32_t tenant,
                                          struct store_array *files, struct store_result **out);
/* Columns of sent_message_list(). */
enum sent_message_column {
    SENT_MESSAGE_NTH_CURSOR, /* text */
    SENT_MESSAGE_SENT_ID,
    SENT_MESSAGE_FILE,
    SENT_MESSAGE_NTH,
    SENT_MESSAGE_NUMBER,
    SENT_MESSAGE_USE_CASE,
    SENT_MESSAGE_LOCATION,
    SENT_MESSAGE_DEVICE,
    SENT_MESSAGE_CONFIG_ID,
    SENT_MESSAGE_OBIS,     /* text, JSON array */
    SENT_MESSAGE_CHANNELS, /* text, JSON array */
    SENT_MESSAGE_FROM,
    SENT_MESSAGE_TO,
    SENT_MESSAGE_VERSION,
    SENT_MESSAGE_VALUES,
    SENT_MESSAGE_CANCELS,      /* int8, NULL */
    SENT_MESSAGE_CANCELLED_BY, /* int8, NULL */
    SENT_MESSAGE_STATE,
    SENT_MESSAGE_STATE_AT,
    SENT_MESSAGE_STATE_TEXT,
};
/* Messages of one file behind nth. */
EMT_CHECKED enum emt_err sent_message_list(struct store *s, int32_t tenant, int64_t file,
                                           int64_t after, int limit, struct store_result **out);

/* Every message that carried the channel's value at this instant, newest first, at most limit: a
 * message holds values whose instant lies in (period_from, period_to], or at both where they are
 * one. Columns: those of sent_message_list(), and behind them */
enum {
    SENT_TRACE_REFERENCE = SENT_MESSAGE_STATE_TEXT + 1,
    SENT_TRACE_FILE_NAME,
    SENT_TRACE_RECEIVER,
    SENT_TRACE_CREATED_AT,
    SENT_TRACE_FILE_STATE,
};
EMT_CHECKED enum emt_err sent_trace(struct store *s, int32_t tenant, int64_t channel, emt_time at,
                                    int limit, struct store_result **out);
/* Where the channel's value at this instant comes from: (device ident, device_id, key).
 * EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err sent_trace_channel(struct store *s, int32_t tenant, int64_t channel,
                                            struct store_result **out);
/* Frames of the device that were received in [from, to), next to `at` first: (gateway, spool hex,
 * seq, received_at, stored_at, state); frames that were not packed yet. */
EMT_CHECKED enum emt_err sent_trace_frames(struct store *s, int32_t tenant, int64_t device,
                                           emt_time from, emt_time to, emt_time at, int limit,
                                           struct store_result **out);

/* --- how long to wait for an answer --- */

#define ACKNOWLEDGEMENT_WITHIN_S 86400 /* where there is no rule */
/* Rows (mp_id, within_s). */
EMT_CHECKED enum emt_err acknowledgement_rule_list(struct store *s, int32_t tenant,
                                                   struct store_result **out);
EMT_CHECKED enum emt_err acknowledgement_rule_put(struct store *s, int32_t tenant,
                                                  const char *mp_id, int32_t within_s);
/* EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err acknowledgement_rule_delete(struct store *s, int32_t tenant,
                                                     const char *mp_id);

const struct store_statement *acknowledgement_store_statements(size_t *n);

#endif
