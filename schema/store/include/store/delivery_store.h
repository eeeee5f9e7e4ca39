/* Targets with their wrapped secrets, and what became of each file at each target. Inside a
 * transaction of the tenant. */
#ifndef EMT_STORE_DELIVERY_STORE_H
#define EMT_STORE_DELIVERY_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- targets --- */

/* Texts "" where there is none; lists of addresses one per line. */
struct target_row {
    const char *name, *kind, *host, *path, *user, *host_key;
    const char *ca_pem, *client_pem, *sign_pem, *encrypt_pem;
    const char *mail_from, *mail_to, *mail_cc, *mail_bcc, *mail_subject, *mail_text;
    const char *partner; /* whose files it takes, as export_file.receiver; "": everybody's */
    int32_t port;
    bool plain_allowed, implicit_tls;
};

#define TARGETS_MOST 1000 /* of a tenant */
/* EMT_ECONFLICT the name is taken; EMT_ELIMIT there are TARGETS_MOST. */
EMT_CHECKED enum emt_err target_insert(struct store *s, int32_t tenant,
                                       const struct target_row *row, int64_t *id);
/* Raises the revision. EMT_ENOTFOUND, EMT_ECONFLICT. */
EMT_CHECKED enum emt_err target_update(struct store *s, int32_t tenant, int64_t id,
                                       const struct target_row *row);
/* EMT_ECONFLICT a schedule or a delivery names it; EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err target_delete(struct store *s, int32_t tenant, int64_t id);

/* Until the transaction ends nobody else changes it. EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err target_lock(struct store *s, int32_t tenant, int64_t id);

/* Columns of target_get() and target_list(). */
enum target_column {
    TARGET_CURSOR,
    TARGET_ID,
    TARGET_NAME,
    TARGET_KIND,
    TARGET_HOST,
    TARGET_PORT,
    TARGET_PATH,
    TARGET_USER,
    TARGET_HOST_KEY,
    TARGET_CA_PEM,
    TARGET_CLIENT_PEM,
    TARGET_SIGN_PEM,
    TARGET_ENCRYPT_PEM,
    TARGET_PLAIN_ALLOWED,
    TARGET_IMPLICIT_TLS,
    TARGET_MAIL_FROM,
    TARGET_MAIL_TO, /* lists: one address per line */
    TARGET_MAIL_CC,
    TARGET_MAIL_BCC,
    TARGET_MAIL_SUBJECT,
    TARGET_MAIL_TEXT,
    TARGET_SECRETS, /* purposes of which there is one, blank between */
    TARGET_CREATED_AT,
    TARGET_REVISION,
    TARGET_PARTNER
};
EMT_CHECKED enum emt_err target_get(struct store *s, int32_t tenant, int64_t id,
                                    struct store_result **out);
/* By number, behind `after`. */
EMT_CHECKED enum emt_err target_list(struct store *s, int32_t tenant, int64_t after, int limit,
                                     struct store_result **out);

/* blob NULL: forgets it. */
EMT_CHECKED enum emt_err target_secret_set(struct store *s, int32_t tenant, int64_t id,
                                           const char *purpose, const void *blob, size_t len);
/* Rows (purpose text, blob bytea). */
EMT_CHECKED enum emt_err target_secrets(struct store *s, int32_t tenant, int64_t id,
                                        struct store_result **out);

/* --- deliveries --- */

enum delivery_state {
    DELIVERY_STATE_WAITING,
    DELIVERY_STATE_SENDING,
    DELIVERY_STATE_DELIVERED,
    DELIVERY_STATE_FAILED,
    DELIVERY_STATE_UNKNOWN
};

struct delivery_order {
    int64_t file, target;
    int64_t second_target; /* 0: none */
    int32_t retries, retry_s;
    const char *created_by;
    bool again; /* also where it arrived before */
};
/* One row per file and target. One that failed or is unknown waits anew, with its tries from 0;
 * one that waits, is being sent or arrived stays: *id is its number. EMT_ECONFLICT no such file or
 * target; EMT_ESTATE the target takes files of another party only. */
EMT_CHECKED enum emt_err delivery_add(struct store *s, int32_t tenant,
                                      const struct delivery_order *order, int64_t *id);

struct delivery_try {
    int64_t file, target, second_target;
    int32_t tries; /* this one included */
    int32_t retries, retry_s;
    bool interrupted; /* the try before this one never said how it ended */
};
/* Begins a try: the row is being sent from now on. EMT_ENOTFOUND: nothing is to be done (delivered,
 * failed, gone). */
EMT_CHECKED enum emt_err delivery_begin(struct store *s, int32_t tenant, int64_t id,
                                        struct delivery_try *out);
/* Whether its target kept us waiting at the last try. EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err delivery_is_slow(struct store *s, int32_t tenant, int64_t id, bool *slow);
/* Notes it, without a new revision: it is nothing that somebody set. */
EMT_CHECKED enum emt_err target_slow_set(struct store *s, int32_t tenant, int64_t id, bool slow);
/* How it ended; WAITING: another try follows. */
EMT_CHECKED enum emt_err delivery_end(struct store *s, int32_t tenant, int64_t id,
                                      enum delivery_state state, const char *outcome,
                                      const char *detail);

/* Columns of delivery_list(). */
enum delivery_column {
    DELIVERY_CURSOR,
    DELIVERY_ID,
    DELIVERY_FILE,
    DELIVERY_FILE_NAME,
    DELIVERY_TARGET,
    DELIVERY_TARGET_NAME,
    DELIVERY_STATE,
    DELIVERY_TRIES,
    DELIVERY_OUTCOME,
    DELIVERY_DETAIL,
    DELIVERY_CREATED_AT,
    DELIVERY_TRIED_AT,
    DELIVERY_ENDED_AT,
    DELIVERY_CREATED_BY
};
/* Newest first, before a number (0: from the newest); file 0 and state -1: any. */
EMT_CHECKED enum emt_err delivery_list(struct store *s, int32_t tenant, int64_t file, int state,
                                       int64_t before, int limit, struct store_result **out);
/* As above, one row. EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err delivery_get(struct store *s, int32_t tenant, int64_t id,
                                      struct store_result **out);

const struct store_statement *delivery_store_statements(size_t *n);

#endif
