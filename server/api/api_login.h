/* The password of a user, checked and perhaps exchanged: what POST /login and POST /sessions share,
 * and changing one's own. */
#ifndef EMT_API_API_LOGIN_H
#define EMT_API_API_LOGIN_H

#include "api_call.h"
#include "base/password.h"
#include "login_guard.h"
#include "store/user_store.h"

struct login_try {
    const char *name, *password;
    const char *new_password; /* NULL: keeps the old one */
    struct platform_user user;
    struct login_guard guard;
    struct store *admin;
};

/* Refuses (c->status is then not 0, and no transaction open), or leaves t->user and a transaction
 * on t->admin, in which a new password is set. */
EMT_CHECKED enum emt_err api_login_begin(struct api_call *c, struct login_try *t);
/* Commits it. Refused: 503 is answered. */
EMT_CHECKED enum emt_err api_login_end(struct api_call *c, struct login_try *t);
/* The password was right, though the transaction is not committed: the attempt does not count. An
 * answer that was given stays, unless the database fails: 503. */
EMT_CHECKED enum emt_err api_login_passed(struct api_call *c, const struct login_try *t);
/* A one-time password and its hash. Wipe both. */
EMT_CHECKED enum emt_err api_one_time(char password[PASSWORD_ONE_TIME_MAX],
                                      char hash[PASSWORD_HASH_MAX]);

#endif
