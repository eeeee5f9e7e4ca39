#include "ctl_acknowledge.h"

#include "acknowledgement/acknowledgement_match.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "connectors/acknowledgement.h"
#include "ctl_database.h"
#include "store/store.h"

#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

static const char usage[] =
    "usage: emtctl acknowledge --tenant KEY [--embedded DIR | --config FILE | --conninfo TEXT]\n"
    "                          FILE...\n"
    "\n"
    "Takes partners' answers (CONTRL, APERAK) and matches them to what the tenant sent.\n"
    "  --embedded   folder of emtd --embedded; --config: configuration of emtd (default\n"
    "               " CTL_CONFIG_DEFAULT "); --conninfo: libpq connection string\n"
    "One line per file; the same file once more changes nothing.\n"
    "exit: 0 all taken, 1 one was not, 2 wrong usage\n";

struct options {
    const char *tenant, *embedded, *config, *conninfo;
    char **files;
    int n_files;
    int32_t tenant_id;
    char actor[96];
};

static int wrong_usage(const char *what, const char *arg)
{
    if (what != NULL)
        (void)fprintf(stderr, "emtctl acknowledge: %s%s\n", what, arg != NULL ? arg : "");
    (void)fputs(usage, stderr);
    return 2;
}

/* 0, or the exit code. Options stand before the files. */
static int read_options(int argc, char **argv, struct options *o)
{
    int i = 1;

    for (; i < argc && argv[i][0] == '-'; i++) {
        const char **text = strcmp(argv[i], "--tenant") == 0     ? &o->tenant
                            : strcmp(argv[i], "--embedded") == 0 ? &o->embedded
                            : strcmp(argv[i], "--config") == 0   ? &o->config
                            : strcmp(argv[i], "--conninfo") == 0 ? &o->conninfo
                                                                 : NULL;

        if (text == NULL)
            return wrong_usage("unknown option ", argv[i]);
        if (i + 1 == argc)
            return wrong_usage(argv[i], " needs a value");
        *text = argv[++i];
    }
    o->files = argv + i;
    o->n_files = argc - i;
    if (o->tenant == NULL || o->n_files == 0)
        return wrong_usage("--tenant and a file are needed", NULL);
    if ((o->embedded != NULL) + (o->config != NULL) + (o->conninfo != NULL) > 1)
        return wrong_usage("only one of --embedded, --config and --conninfo", NULL);
    return 0;
}

static enum emt_err take(struct store *s, const struct options *o, const char *path,
                         struct acknowledgement_outcome *got, struct emt_diag *diag)
{
    const char *slash = strrchr(path, '/');
    struct acknowledgement_arrival a = { .tenant = o->tenant_id,
                                         .source = "emtctl",
                                         .file_name = slash != NULL ? slash + 1 : path,
                                         .actor = o->actor,
                                         .now = clock_now() };
    char *data = NULL;
    enum emt_err err = file_read(path, ACKNOWLEDGEMENT_BYTES_MAX, &data, &a.len, diag);

    if (err != EMT_OK)
        return err;
    a.data = data;
    err = store_begin(s, o->tenant_id);
    if (err == EMT_OK)
        err = acknowledgement_take(s, &a, got, diag);
    if (err == EMT_OK)
        err = store_commit(s);
    else
        store_rollback(s);
    free(data);
    return err;
}

static bool take_all(struct store *s, const struct options *o)
{
    bool good = true;

    for (int i = 0; i < o->n_files; i++) {
        struct acknowledgement_outcome got = { 0 };
        struct emt_diag diag = { 0 };
        enum emt_err err = take(s, o, o->files[i], &got, &diag);

        if (err != EMT_OK) {
            good = false;
            (void)fprintf(stderr, "emtctl acknowledge: %s: %s\n", o->files[i],
                          diag.text[0] != '\0' ? diag.text : emt_err_name(err));
        } else if (got.repeated) {
            (void)printf("%s: acknowledgement %lld came before\n", o->files[i], (long long)got.id);
        } else {
            (void)printf("%s: %s, acknowledgement %lld of %s: matched %u, unmatched %u, files "
                         "changed %u\n",
                         o->files[i], got.kind, (long long)got.id, got.reference, got.matched,
                         got.unmatched, got.changed);
        }
    }
    return good;
}

int ctl_acknowledge(int argc, char **argv)
{
    struct options o = { 0 };
    struct emt_diag diag = { 0 };
    struct store *s = NULL;
    char *conninfo = NULL;
    char text[512];

    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        (void)fputs(usage, stdout);
        return 0;
    }
    int code = read_options(argc, argv, &o);
    if (code != 0)
        return code;
    const struct passwd *who = getpwuid(getuid());
    (void)snprintf(o.actor, sizeof o.actor, "emtctl:%.60s", who != NULL ? who->pw_name : "?");
    enum emt_err err = ctl_conninfo(o.embedded, o.config, o.conninfo, &conninfo, &diag);
    if (err == EMT_OK)
        err = ctl_tenant(conninfo, o.tenant, &o.tenant_id, &diag);
    if (err == EMT_OK)
        err = store_open(conninfo, STORE_APP, CTL_CONNECT_MS, &s, &diag);
    bool good = err == EMT_OK && take_all(s, &o);
    store_close(s);
    free(conninfo);
    if (err != EMT_OK) {
        (void)emt_diag_format(&diag, text, sizeof text);
        (void)fprintf(stderr, "emtctl acknowledge: %s\n", *text ? text : emt_err_name(err));
    }
    return good ? 0 : 1;
}
