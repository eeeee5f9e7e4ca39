#include "ctl_user.h"

#include "base/cipher.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/password.h"
#include "ctl_database.h"
#include "store/audit_store.h"
#include "store/store.h"
#include "store/user_session_store.h"
#include "store/user_store.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

static const char usage[] =
    "usage: emtctl user reset NAME [--embedded DIR | --config FILE | --conninfo TEXT]\n"
    "\n"
    "Gives a user a one-time password, good for one login, which exchanges it. For an operator who\n"
    "has lost the password while no other operator can help; everybody else is helped in the\n"
    "portal. A disabled user is enabled again. Sessions and the user's platform keys end. It is\n"
    "noted in the audit under the name of who runs this command. The password goes to stdout.\n"
    "exit: 0 done, 1 failed, 2 wrong usage\n";

struct options {
    const char *name, *embedded, *config, *conninfo;
};

static int wrong_usage(const char *what, const char *arg)
{
    if (what != NULL)
        (void)fprintf(stderr, "emtctl user: %s%s\n", what, arg != NULL ? arg : "");
    (void)fputs(usage, stderr);
    return 2;
}

/* 0, or the exit code. */
static int read_options(int argc, char **argv, struct options *o)
{
    for (int i = 2; i < argc; i++) {
        const char **text = strcmp(argv[i], "--embedded") == 0   ? &o->embedded
                            : strcmp(argv[i], "--config") == 0   ? &o->config
                            : strcmp(argv[i], "--conninfo") == 0 ? &o->conninfo
                            : argv[i][0] != '-'                  ? &o->name
                                                                 : NULL;
        if (text == NULL)
            return wrong_usage("unknown option ", argv[i]);
        if (*text != NULL)
            return wrong_usage("given twice: ", argv[i]);
        if (text != &o->name && ++i == argc)
            return wrong_usage("a value is missing behind ", argv[i - 1]);
        *text = argv[i];
    }
    if (o->name == NULL)
        return wrong_usage("whose password? A name is missing", NULL);
    if ((o->embedded != NULL) + (o->config != NULL) + (o->conninfo != NULL) > 1)
        return wrong_usage("only one of --embedded, --config and --conninfo", NULL);
    return 0;
}

static enum emt_err note(struct store *admin, const struct platform_user *user)
{
    const struct passwd *who = getpwuid(getuid());
    char actor[96];
    const struct audit_entry e = { .actor = actor,
                                   .action = "user.reset",
                                   .object = user->name,
                                   .detail = user->disabled ? "one-time password; enabled again"
                                                            : "one-time password" };

    (void)snprintf(actor, sizeof actor, "emtctl:%.60s", who != NULL ? who->pw_name : "?");
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
    char text[512];
    char *conninfo = NULL;
    enum emt_err err = ctl_conninfo(o->embedded, o->config, o->conninfo, &conninfo, &diag);

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
    if (err == EMT_OK)
        return fflush(stdout) != 0 ? 1 : 0;
    (void)emt_diag_format(&diag, text, sizeof text);
    (void)fprintf(stderr, "emtctl user: %s\n", *text ? text : emt_err_name(err));
    return 1;
}

int ctl_user(int argc, char **argv)
{
    struct options o = { 0 };

    if (argc < 2)
        return wrong_usage(NULL, NULL);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0 ||
        (argc == 3 && strcmp(argv[2], "--help") == 0)) {
        (void)fputs(usage, stdout);
        return 0;
    }
    if (strcmp(argv[1], "reset") != 0)
        return wrong_usage("unknown command ", argv[1]);
    int code = read_options(argc, argv, &o);
    return code == 0 ? run(&o) : code;
}
