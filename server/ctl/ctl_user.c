#include "ctl_user.h"

#include "base/cipher.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/password.h"
#include "ctl_database.h"
#include "ctl_options.h"
#include "store/audit_store.h"
#include "store/store.h"
#include "store/user_session_store.h"
#include "store/user_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

static const char usage[] =
    "usage: emtctl user reset NAME [--embedded DIR | --config FILE | --conninfo TEXT]\n"
    "\n"
    "Gives a user a one-time password, good for one login, which exchanges it. For an operator who\n"
    "has lost the password while no other operator can help; everybody else is helped in the\n"
    "portal. A disabled user is enabled again. Sessions and the user's platform keys end; keys of\n"
    "tenants that the user made go on, programs use them: revoke them in the portal where the old\n"
    "password was in wrong hands. It is noted in the audit under the name of who runs this\n"
    "command. The password goes to stdout.\n"
    "exit: 0 done, 1 failed, 2 wrong usage\n";
static const struct ctl_command me = { .name = "emtctl user", .usage = usage, .words = 1 };

struct options {
    const char *name;
    struct ctl_where where;
};

/* 0, or the exit code. */
static int read_options(int argc, char **argv, struct options *o)
{
    const struct ctl_option known[] = {
        CTL_WHERE(&o->where),
    };
    int words;
    int code = ctl_options_read(&me, argc, argv, 2, known, sizeof known / sizeof known[0], &words);

    if (code != 0)
        return code;
    if (words == 0)
        return ctl_wrong_usage(&me, "whose password? A name is missing", NULL);
    o->name = argv[2];
    return ctl_where_check(&me, &o->where);
}

static enum emt_err note(struct store *admin, const struct platform_user *user)
{
    char actor[CTL_ACTOR_MAX];
    const struct audit_entry e = { .actor = actor,
                                   .action = "user.reset",
                                   .object = user->name,
                                   .detail = user->disabled ? "one-time password; enabled again"
                                                            : "one-time password" };

    (void)ctl_actor(actor);
    return audit_append(admin, &e);
}

static enum emt_err reset(struct store *admin, const char *name, const char *hash,
                          struct emt_diag *diag)
{
    struct platform_user user;
    enum emt_err err = user_find(admin, name, &user);

    if (err == EMT_ENOTFOUND)
        return emt_fail(diag, err, "there is no user \"%s\"", name);
    if (err == EMT_OK)
        err = user_lock(admin, user.id, &user);
    if (err != EMT_OK)
        return err;
    cipher_wipe(user.password_hash, sizeof user.password_hash);
    err = note(admin, &user);
    user.disabled = false;
    if (err == EMT_OK)
        err = user_update(admin, &user);
    if (err == EMT_OK)
        err = user_reset(admin, user.id, hash);
    if (err == EMT_OK)
        err = user_session_end_all(admin, user.id, 0);
    return err == EMT_OK ? platform_key_revoke_all(admin, user.id, clock_now()) : err;
}

static enum emt_err reset_on(const char *conninfo, const char *name, const char *hash,
                             struct emt_diag *diag)
{
    struct store *admin = NULL;
    enum emt_err err = store_open(conninfo, STORE_ADMIN, CTL_CONNECT_MS, &admin, diag);

    if (err != EMT_OK)
        return err;
    err = store_begin(admin, 0);
    if (err == EMT_OK)
        err = reset(admin, name, hash, diag);
    if (err == EMT_OK)
        err = store_commit(admin);
    if (err != EMT_OK) {
        if (diag->text[0] == '\0')
            (void)emt_fail(diag, err, "%s", store_error(admin));
        store_rollback(admin);
    }
    store_close(admin);
    return err;
}

static int run(const struct options *o)
{
    struct emt_diag diag = { 0 };
    char password[PASSWORD_ONE_TIME_MAX];
    char hash[PASSWORD_HASH_MAX];
    char *conninfo = NULL;
    enum emt_err err =
        ctl_conninfo(o->where.embedded, o->where.config, o->where.conninfo, &conninfo, &diag);

    if (err == EMT_OK)
        err = password_one_time(password);
    if (err == EMT_OK)
        err = password_hash(password, hash);
    if (err == EMT_OK)
        err = reset_on(conninfo, o->name, hash, &diag);
    free(conninfo);
    if (err == EMT_OK)
        (void)printf("%s\n", password);
    cipher_wipe(password, sizeof password);
    return ctl_end(&me, err, &diag);
}

int ctl_user(int argc, char **argv)
{
    struct options o = { 0 };

    if (ctl_wants_help(argc, argv))
        return ctl_help(&me);
    if (argc < 2)
        return ctl_wrong_usage(&me, NULL, NULL);
    if (strcmp(argv[1], "reset") != 0)
        return ctl_wrong_usage(&me, "unknown command ", argv[1]);
    int code = read_options(argc, argv, &o);
    return code == 0 ? run(&o) : code;
}
