/* Users, what they are to the platform, and operators' API keys. All as STORE_ADMIN. What users may
 * in tenants: member_store.h. */
#ifndef EMT_STORE_USER_STORE_H
#define EMT_STORE_USER_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;
struct store_result;

enum platform_role {
    PLATFORM_OPERATOR = 0,
    PLATFORM_AUDITOR = 1, /* reads only */
    PLATFORM_NONE = 2     /* memberships alone count */
};

struct platform_user {
    int64_t id;
    char name[401];          /* 100 characters */
    char password_hash[160]; /* argon2id, encoded */
    bool one_time;           /* good for one login, which exchanges it */
    bool disabled;
    enum platform_role role;
    char display_name[801]; /* 200 characters */
};

/* EMT_ECONFLICT the name is taken; EMT_ELIMIT no name. */
EMT_CHECKED enum emt_err user_create(struct store *s, const char *name, const char *password_hash,
                                     bool one_time, enum platform_role role, int64_t *id);
EMT_CHECKED enum emt_err user_create_named(struct store *s, const char *name,
                                           const char *display_name, const char *password_hash,
                                           bool one_time, enum platform_role role, int64_t *id);
/* EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err user_find(struct store *s, const char *name, struct platform_user *out);
EMT_CHECKED enum emt_err user_count(struct store *s, int64_t *n);
/* Replaces the password that was verified against old_hash, in one step: of two that exchange the
 * same one-time password one wins. EMT_ECONFLICT: it is another one by now, or the user is
 * disabled. */
EMT_CHECKED enum emt_err user_set_password(struct store *s, int64_t id, const char *old_hash,
                                           const char *new_hash);
/* The user, locked until the transaction ends. EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err user_lock(struct store *s, int64_t id, struct platform_user *out);
/* Display name, role and disabled as u says. EMT_ENOTFOUND; EMT_ELIMIT. */
EMT_CHECKED enum emt_err user_update(struct store *s, const struct platform_user *u);
/* A one-time password instead of what there was. EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err user_reset(struct store *s, int64_t id, const char *one_time_hash);
EMT_CHECKED enum emt_err user_logged_in(struct store *s, int64_t id, emt_time now);
/* How many operators there are who are not disabled. */
EMT_CHECKED enum emt_err user_operators(struct store *s, int64_t *n);
/* (cursor, id, name, display_name, role, memberships as JSON [{tenant, role: number}], one_time,
 * created_at, last_login_at, disabled_at). */
EMT_CHECKED enum emt_err user_list(struct store *s, int64_t after, int limit,
                                   struct store_result **out);
EMT_CHECKED enum emt_err user_get(struct store *s, int64_t id, struct store_result **out);
/* EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err user_disable(struct store *s, int64_t id);

struct platform_key {
    int64_t id;
    int64_t user_id;
    char user_name[401];
    char name[401];
    enum platform_role role;
    emt_time created_at;
    emt_time expires_at;   /* EMT_TIME_NONE: never */
    emt_time revoked_at;   /* EMT_TIME_NONE: not */
    emt_time last_used_at; /* EMT_TIME_NONE: never */
};

/* hash: SHA-256 of the key. expires_at EMT_TIME_NONE: never. */
EMT_CHECKED enum emt_err platform_key_create(struct store *s, int64_t user_id, const char *name,
                                             const uint8_t hash[32], emt_time expires_at,
                                             int64_t *id);
/* A key that is good at `now`: EMT_ENOTFOUND when unknown, expired, revoked, or its user disabled
 * or no operator or auditor any more. */
EMT_CHECKED enum emt_err platform_key_find(struct store *s, const uint8_t hash[32], emt_time now,
                                           struct platform_key *out);
/* Notes the use, at most once a minute. */
EMT_CHECKED enum emt_err platform_key_used(struct store *s, int64_t id, emt_time now);
/* EMT_ENOTFOUND unknown or revoked before. */
EMT_CHECKED enum emt_err platform_key_revoke(struct store *s, int64_t id, emt_time now);
EMT_CHECKED enum emt_err platform_key_revoke_all(struct store *s, int64_t user, emt_time now);
/* Keys with id > after in order of id, at most *n of them; *n becomes how many. */
EMT_CHECKED enum emt_err platform_key_list(struct store *s, int64_t after, struct platform_key *out,
                                           size_t *n);

/* For the test that prepares them all. */
struct store_statement;
const struct store_statement *user_store_statements(size_t *n);

#endif
