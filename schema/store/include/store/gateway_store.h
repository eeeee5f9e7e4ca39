/* Gateways, their enrolment, certificates and commands. Inside a transaction of the tenant. A list
 * is ascending or newest first as it says, starts behind the cursor, and its column 0 is the cursor
 * of each row. */
#ifndef EMT_STORE_GATEWAY_STORE_H
#define EMT_STORE_GATEWAY_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Columns of gateway_list(). Session and status are NULL where there was none. */
enum gateway_column {
    GATEWAY_CURSOR,
    GATEWAY_EXTERNAL_ID,
    GATEWAY_NAME,
    GATEWAY_PLACE,
    GATEWAY_STATE,
    GATEWAY_SOFTWARE,
    GATEWAY_HARDWARE,
    GATEWAY_SERIAL,
    GATEWAY_CREATED_AT,
    GATEWAY_SESSION_STATE,
    GATEWAY_SINCE,
    GATEWAY_ENDED_AT,
    GATEWAY_PEER,
    GATEWAY_TLS,
    GATEWAY_EPOCH,
    GATEWAY_NODE,
    GATEWAY_REASON,
    GATEWAY_STATUS_AT,
    GATEWAY_UPTIME_S,
    GATEWAY_SPOOL_BYTES,
    GATEWAY_SPOOL_FRAMES,
    GATEWAY_FRAMES_HEARD,
    GATEWAY_METRICS, /* JSON text */
    GATEWAY_SPOOLS_JSON,
    GATEWAY_ID,
};

/* EMT_ECONFLICT the id is taken; EMT_ELIMIT the id is not spelled as allowed. */
EMT_CHECKED enum emt_err gateway_insert(struct store *s, int32_t tenant, const char *external_id,
                                        const char *name, const char *place, int64_t *id);
struct gateway_filter {
    const char *q;  /* part of external id, name or place, in any case; NULL: any */
    int state;      /* -1: any; so below */
    int connection; /* 0 connected, 1 ended, 2 lost, 3 never connected */
};
/* The columns of enum gateway_column, by external id; after: "" from the start. */
EMT_CHECKED enum emt_err gateway_list(struct store *s, int32_t tenant,
                                      const struct gateway_filter *f, const char *after, int limit,
                                      struct store_result **out);
/* One row as gateway_list(). EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err gateway_get(struct store *s, int32_t tenant, const char *external_id,
                                     struct store_result **out);
/* Its number. EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err gateway_find(struct store *s, int32_t tenant, const char *external_id,
                                      int64_t *id);
/* The same, locked until the end of the transaction. */
EMT_CHECKED enum emt_err gateway_lock(struct store *s, int32_t tenant, const char *external_id,
                                      int64_t *id);
/* NULL leaves a field as it is. EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err gateway_update(struct store *s, int32_t tenant, const char *external_id,
                                        const char *name, const char *place);
/* All certificates and the gateway itself. EMT_ENOTFOUND no such gateway. */
EMT_CHECKED enum emt_err gateway_revoke(struct store *s, int32_t tenant, int64_t gateway_id,
                                        emt_time now, const char *reason);
EMT_CHECKED enum emt_err enrolment_insert(struct store *s, int32_t tenant, int64_t gateway_id,
                                          const uint8_t *token_hash, emt_time expires_at,
                                          int64_t *id);
/* (gateway_id, external_id, key of the tenant, used bool, expired bool), locked until the end of
 * the transaction. EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err enrolment_lock(struct store *s, int32_t tenant, int64_t enrolment_id,
                                        const uint8_t *token_hash, emt_time now,
                                        struct store_result **out);
/* The token is spent and the gateway is enrolled. */
EMT_CHECKED enum emt_err enrolment_use(struct store *s, int32_t tenant, int64_t enrolment_id,
                                       int64_t gateway_id, emt_time now);
EMT_CHECKED enum emt_err certificate_insert(struct store *s, int32_t tenant,
                                            const uint8_t *fingerprint, int64_t gateway_id,
                                            const char *serial, emt_time not_before,
                                            emt_time not_after);
/* (key of the tenant, external_id, good bool, number issued within the hour and never used) of the
 * gateway that shows this certificate; locks the gateway until the end of the transaction.
 * EMT_ENOTFOUND it is not the gateway's. */
EMT_CHECKED enum emt_err certificate_renewable(struct store *s, int32_t tenant, int64_t gateway_id,
                                               const uint8_t *fingerprint,
                                               struct store_result **out);
/* Over all tenants, outside of a transaction: revokes certificates whose place a younger one has
 * taken for longer than grace_s; *n of them. */
EMT_CHECKED enum emt_err certificates_retire(struct store *s, int64_t grace_s, int64_t *n);
/* Over all tenants, outside of a transaction: events for gateways whose certificate ends within 90,
 * 30 or 7 days, each told once; *n of them. */
EMT_CHECKED enum emt_err certificates_warn(struct store *s, int64_t *n);
/* EMT_ELIMIT: the gateway has `most` open ones. */
EMT_CHECKED enum emt_err command_insert(struct store *s, int32_t tenant, int64_t gateway_id,
                                        const uint8_t *key16, const char *name,
                                        const char *arguments_json, emt_time expires_at,
                                        int32_t most, int64_t *id);
/* (cursor, id, name, arguments text, state, created_at, sent_at, ended_at, result), newest first;
 * before: 0 from the newest. */
EMT_CHECKED enum emt_err command_list(struct store *s, int32_t tenant, int64_t gateway_id,
                                      int64_t before, int limit, struct store_result **out);
/* One row as command_list(). EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err command_get(struct store *s, int32_t tenant, int64_t command_id,
                                     struct store_result **out);

const struct store_statement *gateway_store_statements(size_t *n);

#endif
