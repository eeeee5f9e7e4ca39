/* Portal sessions of users. (session_store is the gateways'.) As STORE_ADMIN. A session ends by
 * being deleted; the database knows the SHA-256 of its cookie. */
#ifndef EMT_STORE_USER_SESSION_STORE_H
#define EMT_STORE_USER_SESSION_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "store/user_store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

/* Who a session is, and what it may do in one tenant. */
struct user_session {
    int64_t id;
    int64_t user_id;
    char user_name[401];
    enum platform_role platform_role;
    emt_time expires_at;
    bool unnoted;    /* its last use was noted a minute ago or longer */
    int32_t tenant;  /* 0: not a member of it, or it is not active */
    int tenant_role; /* as in api_key */
};

EMT_CHECKED enum emt_err user_session_create(struct store *s, int64_t user, const uint8_t hash[32],
                                             emt_time now, emt_time expires_at, const char *peer,
                                             int64_t *id);
/* A session that is good at `now` and was used after idle_since. tenant_key: whose membership to
 * look at, or NULL. EMT_ENOTFOUND unknown, over, idle for too long, or its user disabled. */
EMT_CHECKED enum emt_err user_session_find(struct store *s, const uint8_t hash[32], emt_time now,
                                           emt_time idle_since, const char *tenant_key,
                                           struct user_session *out);
/* Notes the use; waits for nobody who does the same. */
EMT_CHECKED enum emt_err user_session_seen(struct store *s, int64_t id, emt_time now);
/* None is fine: it has ended before. */
EMT_CHECKED enum emt_err user_session_end(struct store *s, int64_t id);
EMT_CHECKED enum emt_err user_session_end_hash(struct store *s, const uint8_t hash[32]);
/* All of a user but one (0: all). */
EMT_CHECKED enum emt_err user_session_end_all(struct store *s, int64_t user, int64_t but);
/* Removes a bounded number of those that are over. */
EMT_CHECKED enum emt_err user_session_purge(struct store *s, emt_time now, emt_time idle_since);

/* For the test that prepares them all. */
struct store_statement;
const struct store_statement *user_session_store_statements(size_t *n);

#endif
