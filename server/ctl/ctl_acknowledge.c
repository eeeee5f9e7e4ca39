#include "ctl_acknowledge.h"

#include "acknowledgement/acknowledgement_match.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "connectors/acknowledgement.h"
#include "ctl_database.h"
#include "ctl_options.h"
#include "store/store.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
static const struct ctl_command me = { .name = "emtctl acknowledge",
                                       .usage = usage,
                                       .words = INT_MAX };

struct options {
    const char *tenant;
    struct ctl_where where;
    char **files;
    int n_files;
    int32_t tenant_id;
    char actor[CTL_ACTOR_MAX];
};

/* 0, or the exit code. */
static int read_options(int argc, char **argv, struct options *o)
{
    const struct ctl_option known[] = {
        { "--tenant", &o->tenant, NULL },
        CTL_WHERE(&o->where),
    };
    int words;
    int code = ctl_options_read(&me, argc, argv, 1, known, sizeof known / sizeof known[0], &words);

    if (code != 0)
        return code;
    o->files = argv + 1;
    o->n_files = words;
    if (o->tenant == NULL || o->n_files == 0)
        return ctl_wrong_usage(&me, "--tenant and a file are needed", NULL);
    return ctl_where_check(&me, &o->where);
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

    if (ctl_wants_help(argc, argv))
        return ctl_help(&me);
    int code = read_options(argc, argv, &o);
    if (code != 0)
        return code;
    (void)ctl_actor(o.actor);
    enum emt_err err =
        ctl_conninfo(o.where.embedded, o.where.config, o.where.conninfo, &conninfo, &diag);
    if (err == EMT_OK)
        err = ctl_tenant(conninfo, o.tenant, &o.tenant_id, &diag);
    if (err == EMT_OK)
        err = store_open(conninfo, STORE_APP, CTL_CONNECT_MS, &s, &diag);
    bool good = err == EMT_OK && take_all(s, &o);
    store_close(s);
    free(conninfo);
    code = ctl_end(&me, err, &diag);
    return good ? code : 1;
}
