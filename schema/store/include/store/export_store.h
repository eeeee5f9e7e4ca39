/* What an export reads (places and their registers) and what it leaves behind: numbers, files and
 * the messages in them. Inside a transaction of the tenant.
 *
 * export_file: one file as it was written, whole, in `content`; it never changes. (sender,
 * reference) names it in the market: UNB DE0020. A job may write several to one receiver (`part`).
 *
 * export_message: one row for each UNH..UNT of each file; content_at and content_len say which
 * bytes of the file it is, nth is its UNH reference, number its document number (BGM DE1004, unique
 * for a tenant). It carried, for each i, values of channels[i] as register obis[i] of the place
 * `location` (LOC+172 is empty where a configuration `config_id` stands for it) with period_from <
 * end of the value <= period_to; a reading has its instant in both. So from a reading to its
 * messages: location_channel gives the places of its channel, (location, use_case, period) finds
 * the messages, obis and channels say which of them held it. And back: (channel, time) from the
 * message. Of several messages on one place, use case and period the one with the latest `version`
 * holds (profiles are overwritten); readings and energies are taken back by a message with
 * cancels_id, and the row taken back has cancelled_by. `digest` is equal exactly when two messages
 * say the same about the same values. state, of a message and of a file: enum export_state. Exports
 * write EXPORT_WRITTEN only, and read it: what is EXPORT_REJECTED or EXPORT_REFUSED counts as never
 * sent. state_at and state_text belong to who sets the state. */
#ifndef EMT_STORE_EXPORT_STORE_H
#define EMT_STORE_EXPORT_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "model/decimal.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Stored: the numbers are for good. */
enum location_kind {
    LOCATION_MELO = 1,
    LOCATION_MALO = 2,
    LOCATION_NELO = 3,
    LOCATION_TRANCHE = 4
};
#define LOCATION_BIT(kind) (1u << (kind))

/* Stored: the numbers are for good. */
enum export_state {
    EXPORT_WRITTEN = 0,
    EXPORT_DELIVERED = 1,
    EXPORT_ACCEPTED = 2,
    EXPORT_REJECTED = 3, /* syntax, by CONTRL */
    EXPORT_REFUSED = 4,  /* application error, by APERAK */
    EXPORT_OVERDUE = 5   /* no answer in time */
};

/* Columns of export_places_next(), one row per place and register, ordered by receiver, place,
 * register, begin. A place without a register gives one row with binding_id NULL. */
enum {
    EXPORT_LOCATION_CODE, /* text */
    EXPORT_RECEIVER,      /* text, "" when none */
    EXPORT_BINDING_ID,    /* int8, NULL: nothing bound */
    EXPORT_CHANNEL_ID,    /* int8 */
    EXPORT_OBIS,          /* text, the market's */
    EXPORT_RATIO_MANTISSA,
    EXPORT_RATIO_EXPONENT,
    EXPORT_DEVICE_NUMBER, /* text */
    EXPORT_UNIT,          /* text, "" without: base unit of the channel */
    EXPORT_KIND,          /* int2, enum reading_kind */
    EXPORT_ACTIVE,        /* bool: the device is active */
    EXPORT_VALID_FROM,
    EXPORT_VALID_TO,          /* NULL: open */
    EXPORT_LOCATION_KIND,     /* int2, enum location_kind */
    EXPORT_USE_CASE,          /* int4, NULL: every one that its register suits */
    EXPORT_ORDER_NUMBER,      /* text, "" none */
    EXPORT_CONFIG_ID,         /* text, "" none */
    EXPORT_DECIMALS,          /* int2, NULL: as the use case permits */
    EXPORT_STEP_S,            /* int4, NULL: the use case's */
    EXPORT_CAPACITY_MANTISSA, /* int8, NULL: no roll-over */
    EXPORT_CAPACITY_EXPONENT,
    EXPORT_FIRST_MANTISSA, /* int8, NULL: register at VALID_FROM is not told */
    EXPORT_FIRST_EXPONENT,
    EXPORT_LAST_MANTISSA, /* int8, NULL: register at VALID_TO is not told */
    EXPORT_LAST_EXPONENT,
    EXPORT_MASTER_DATA, /* text, "" none */
};
/* Bindings of places of these kinds (LOCATION_BIT) that overlap [from, to); location NULL: all;
 * of_file: only places of the messages of this file, 0: all. *places: how many there are. They come
 * page by page, as they stand when the transaction of the opening is committed; one such list is
 * open on a connection at a time. */
EMT_CHECKED enum emt_err export_places_open(struct store *s, int32_t tenant, unsigned kinds,
                                            const char *location, int64_t of_file, emt_time from,
                                            emt_time to, int64_t *places);
#define EXPORT_PLACES_ROWS 1000
/* The next rows, *n of them, 0 at the end; a result may have more. All rows of a place come at once
 * unless a place has more than a page takes: then that is all there is in it, *cut is set, and the
 * next page may go on with it. */
EMT_CHECKED enum emt_err export_places_next(struct store *s, struct store_result **out, int *n,
                                            bool *cut);
void export_places_close(struct store *s);

/* What an export needs to know of its tenant. */
struct export_tenant {
    char own_mp_id[32]; /* "" for none */
    int32_t tolerance_s;
    bool mandates_required; /* mandate_store.h */
};
/* EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err export_tenant_get(struct store *s, int32_t tenant,
                                           struct export_tenant *out);

/* What is done about intervals without energy. */
struct export_policy {
    char gap[16]; /* "spans", "hold", "provisional", "substitute" */
    char method[8], reason[8], correction[8];
};
/* The use case's own, or that of all, or the product's: spans. */
EMT_CHECKED enum emt_err export_policy_get(struct store *s, int32_t tenant, unsigned use_case,
                                           struct export_policy *out);

EMT_CHECKED enum emt_err export_policy_set(struct store *s, int32_t tenant, unsigned use_case,
                                           const struct export_policy *p);

/* Somebody in the market; limits 0: none said. */
struct export_partner {
    const char *mp_id, *name, *role;
    int64_t file_bytes_max, file_messages_max;
};
/* A new one, or what is known of him anew; EMT_ELIMIT a limit out of range. */
EMT_CHECKED enum emt_err export_partner_set(struct store *s, int32_t tenant,
                                            const struct export_partner *p);
/* Sizes that a receiver takes; 0: none said. */
EMT_CHECKED enum emt_err export_limits_get(struct store *s, int32_t tenant, const char *receiver,
                                           int64_t *bytes, int32_t *messages);

/* The sender's last interchange reference, locked until the end of the transaction; "" for none.
 * out holds 32. */
EMT_CHECKED enum emt_err export_number_lock(struct store *s, int32_t tenant, const char *sender,
                                            char out[32]);
EMT_CHECKED enum emt_err export_number_set(struct store *s, int32_t tenant, const char *sender,
                                           const char *last);

struct export_file_row {
    const char *kind, *pid, *sender, *receiver, *reference, *file_name, *notes;
    emt_time from, to, created;
    int32_t messages;
    const void *content;
    size_t content_len;
    int64_t job; /* that writes it; 0: none */
    int32_t part;
    const char *next_place; /* NULL: the last of the job to this receiver */
    emt_time next_from;
};
EMT_CHECKED enum emt_err export_file_insert(struct store *s, int32_t tenant,
                                            const struct export_file_row *row, int64_t *file_id);

/* The files that this job wrote for the receiver before it was interrupted, in their order:
 * (file_id, notes, part, next_place, next_from). */
EMT_CHECKED enum emt_err export_files_of_job(struct store *s, int32_t tenant, int64_t job,
                                             const char *receiver, struct store_result **out);

/* Rows (file_id, kind, pid, sender, receiver, reference, file_name, period_from, period_to,
 * created_at, messages, notes, size int4), newest first, with file_id < before (0: from the
 * newest). */
struct export_file_filter {
    int state;        /* enum export_state; -1: any */
    const char *kind; /* "mscons", "report"; NULL: any, as below */
    const char *pid;  /* of messages */
    const char *receiver;
    emt_time from, to; /* of the values: periods that have a part of it; EMT_TIME_NONE: no bound */
    emt_time created_from, created_to;
};
EMT_CHECKED enum emt_err export_file_list(struct store *s, int32_t tenant,
                                          const struct export_file_filter *f, int64_t before,
                                          int limit, struct store_result **out);
/* One row as above plus content bytea as last column. EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err export_file_get(struct store *s, int32_t tenant, int64_t file_id,
                                         struct store_result **out);

/* --- messages --- */

/* Messages of one file, collected while it is written and inserted behind it at once. */
struct export_messages;
struct export_message_row {
    const char *number, *document, *location, *device, *config_id; /* NULL: "" */
    unsigned use_case;
    /* Of each register and channel; borrowed. */
    const char *const *obis;
    const int64_t *channels;
    size_t n_channels;
    emt_time from, to;
    int64_t digest;
    int32_t n_values;
    size_t content_at, content_len;
    int64_t cancels; /* 0: none */
};
struct export_messages *export_messages_new(void); /* NULL: no memory */
void export_messages_free(struct export_messages *m);
void export_messages_clear(struct export_messages *m);
/* EMT_ENOMEM, EMT_ELIMIT. */
EMT_CHECKED enum emt_err export_messages_add(struct export_messages *m,
                                             const struct export_message_row *row);
/* Inserts them as those of the file, and notes at the ones that they take back who does. receiver:
 * who holds them then, as export_messages_sent() asks; of test files "test:" and its MP-ID. */
EMT_CHECKED enum emt_err export_messages_insert(struct store *s, int32_t tenant, int64_t file_id,
                                                const char *receiver, emt_time version,
                                                struct export_messages *m);

/* Columns of export_messages_sent(). */
enum {
    SENT_MESSAGE_ID, /* int8 */
    SENT_FILE_ID,    /* int8 */
    SENT_NUMBER,
    SENT_DOCUMENT,
    SENT_LOCATION,
    SENT_DEVICE,
    SENT_CONFIG_ID,
    SENT_FROM,
    SENT_TO,
    SENT_VERSION,
    SENT_DIGEST, /* int8 */
    SENT_OBIS,   /* text, "1-1:1.29.0 …" without those that repeat */
};
/* What stands at the receiver for these locations (text[]) of one use case: messages that overlap
 * [from, to], not taken back, not rejected, in order of location, begin, version. taken_back_by not
 * 0: only what this file's messages were to take back. */
EMT_CHECKED enum emt_err export_messages_sent(struct store *s, int32_t tenant, unsigned use_case,
                                              const char *receiver, struct store_array *locations,
                                              emt_time from, emt_time to, int64_t taken_back_by,
                                              struct store_result **out);
/* The use case of what the file's messages take back. EMT_ENOTFOUND: they take nothing back. */
EMT_CHECKED enum emt_err export_cancelled_case(struct store *s, int32_t tenant, int64_t file_id,
                                               int64_t *use_case);
/* The bytes of one message as it was sent, as the one column. EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err export_message_content(struct store *s, int32_t tenant, int64_t message,
                                                struct store_result **out);
/* Rows (message_id, nth, number, use_case, document, location, device_number, config_id,
 * period_from, period_to, version, n_values, cancels_id, cancelled_by, state, state_at,
 * state_text), of one file in their order. */
EMT_CHECKED enum emt_err export_message_list(struct store *s, int32_t tenant, int64_t file_id,
                                             struct store_result **out);

const struct store_statement *export_store_statements(size_t *n);

#endif
