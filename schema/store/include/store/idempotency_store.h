/* Answers to requests that carried an Idempotency-Key, for a day: the same request gets the same
 * answer. Inside a transaction of the tenant; tenant 0, the platform, as STORE_ADMIN. */
#ifndef EMT_STORE_IDEMPOTENCY_STORE_H
#define EMT_STORE_IDEMPOTENCY_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;
struct store_result;

#define IDEMPOTENCY_KEPT EMT_DAY

/* Who asks with which key for what. */
struct idempotency {
    int32_t tenant;
    const char *principal, *key;
    uint8_t request_hash[32];
    emt_time now; /* older answers than IDEMPOTENCY_KEPT are none */
};

enum idempotency_state { IDEMPOTENCY_BEGUN, IDEMPOTENCY_ANSWERED, IDEMPOTENCY_SECRET };

/* One request at a time: *mine is false while another one with this key runs. Held until the
 * transaction ends; with `session` until idempotency_unlock() or the connection ends. */
EMT_CHECKED enum emt_err idempotency_lock(struct store *s, const struct idempotency *i,
                                          bool session, bool *mine);
EMT_CHECKED enum emt_err idempotency_unlock(struct store *s, const struct idempotency *i);
/* (request_hash, state, status, content_type, location, etag, body). EMT_ENOTFOUND: first time. */
EMT_CHECKED enum emt_err idempotency_find(struct store *s, const struct idempotency *i,
                                          struct store_result **out);

struct idempotency_answer {
    enum idempotency_state state;
    unsigned status;
    const char *content_type, *location, *etag; /* NULL: none */
    const void *body;                           /* NULL unless ANSWERED */
    size_t len;
};
/* In the place of what was kept before. */
EMT_CHECKED enum emt_err idempotency_keep(struct store *s, const struct idempotency *i,
                                          const struct idempotency_answer *a);
EMT_CHECKED enum emt_err idempotency_forget(struct store *s, const struct idempotency *i);
/* Of all tenants, as STORE_ADMIN; at most limit, *n did. */
EMT_CHECKED enum emt_err idempotency_expire(struct store *s, emt_time before, int64_t limit,
                                            int64_t *n);

struct store_statement;
const struct store_statement *idempotency_store_statements(size_t *n);

#endif
