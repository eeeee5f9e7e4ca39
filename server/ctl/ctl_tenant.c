#include "ctl_tenant.h"

#include "base/error.h"
#include "base/file.h"
#include "ctl_database.h"
#include "ctl_options.h"
#include "tenant_move.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define PATH_LEN 2048

static const char usage[] =
    "usage: emtctl tenant export --tenant KEY --out FOLDER --transport-key FILE [WHERE]\n"
    "       emtctl tenant import --in FOLDER --transport-key FILE [--key NEWKEY] [--link-users] [WHERE]\n"
    "       emtctl tenant delete --tenant KEY --yes-delete KEY [WHERE]\n"
    "       emtctl tenant limit --tenant KEY --meters N|none [WHERE]\n"
    "\n"
    "WHERE: --embedded DIR | --config FILE | --conninfo TEXT --master-key FILE\n"
    "  export  everything of a tenant into a new folder (docs/tenant-archive.md). Its secrets are\n"
    "          wrapped by the transport key, whose file is made where there is none\n"
    "  import  such a folder as a new tenant, all of it or nothing, under its old key or --key.\n"
    "          --link-users: users of the same name who exist here become members\n"
    "  delete  destroys the tenant's data keys, removes every row, checks that none is left, and\n"
    "          says so in the platform's audit. Cannot be undone; the key is given twice\n"
    "  limit   how many active meters the tenant may have; what ingest learns beyond begins passive\n"
    "import and delete connect as emt_owner, the others as emt_admin.\n"
    "exit: 0 done, 1 failed, 2 wrong usage\n";
static const struct ctl_command me = { .name = "emtctl tenant", .usage = usage };

struct options {
    const char *tenant, *out, *in, *transport, *key, *yes, *master, *meters;
    struct ctl_where where;
    bool link_users;
};

/* 0, or the exit code. */
static int read_options(int argc, char **argv, struct options *o)
{
    const struct ctl_option known[] = {
        { "--tenant", &o->tenant, NULL },
        { "--out", &o->out, NULL },
        { "--in", &o->in, NULL },
        { "--transport-key", &o->transport, NULL },
        { "--key", &o->key, NULL },
        { "--yes-delete", &o->yes, NULL },
        { "--meters", &o->meters, NULL },
        { "--master-key", &o->master, NULL },
        { "--link-users", NULL, &o->link_users },
        CTL_WHERE(&o->where),
    };
    int words;
    int code = ctl_options_read(&me, argc, argv, 2, known, sizeof known / sizeof known[0], &words);

    return code != 0 ? code : ctl_where_check(&me, &o->where);
}

static bool read_meters(const char *text, int32_t *out)
{
    char *end = NULL;
    long n = strcmp(text, "none") == 0 ? -1 : strtol(text, &end, 10);

    *out = (int32_t)n;
    return n == -1 ? end == NULL : *text >= '0' && *text <= '9' && *end == '\0' && n <= INT32_MAX;
}

typedef enum emt_err tenant_work(const struct tenant_move *m, struct emt_diag *diag);

static int run(const struct options *o, struct tenant_move *m, bool secrets, tenant_work *work)
{
    struct emt_diag diag = { 0 };
    char master[PATH_LEN];
    char actor[CTL_ACTOR_MAX];
    char *conninfo = NULL;
    enum emt_err err =
        ctl_conninfo(o->where.embedded, o->where.config, o->where.conninfo, &conninfo, &diag);

    if (err == EMT_OK && secrets)
        err = ctl_master_path(o->where.embedded, o->where.config, o->where.conninfo, o->master,
                              master, sizeof master, &diag);
    (void)ctl_actor(actor);
    m->conninfo = conninfo;
    m->master = master;
    m->transport = o->transport;
    m->actor = actor;
    m->link_users = o->link_users;
    if (err == EMT_OK)
        err = work(m, &diag);
    free(conninfo);
    return ctl_end(&me, err, &diag);
}

int ctl_tenant_command(int argc, char **argv)
{
    struct options o = { 0 };
    struct tenant_move m = { 0 };
    int code;

    if (ctl_wants_help(argc, argv))
        return ctl_help(&me);
    if (argc < 2)
        return ctl_wrong_usage(&me, NULL, NULL);
    code = read_options(argc, argv, &o);
    if (code != 0)
        return code;
    m.key = o.tenant;
    if (strcmp(argv[1], "export") == 0) {
        if (!o.tenant || !o.out || !o.transport || o.in || o.key || o.yes || o.link_users)
            return ctl_wrong_usage(&me, "export needs --tenant, --out and --transport-key", NULL);
        m.folder = o.out;
        return run(&o, &m, true, tenant_export);
    }
    if (strcmp(argv[1], "import") == 0) {
        if (!o.in || !o.transport || o.tenant || o.out || o.yes)
            return ctl_wrong_usage(&me, "import needs --in and --transport-key", NULL);
        m.folder = o.in;
        m.key = o.key;
        return run(&o, &m, true, tenant_import);
    }
    if (strcmp(argv[1], "limit") == 0) {
        if (!o.tenant || !o.meters || !read_meters(o.meters, &m.meters) || o.out || o.in || o.yes)
            return ctl_wrong_usage(&me, "limit needs --tenant, and --meters with a number or none",
                                   NULL);
        return run(&o, &m, false, tenant_limit);
    }
    if (strcmp(argv[1], "delete") != 0)
        return ctl_wrong_usage(&me, "unknown command ", argv[1]);
    if (!o.tenant || !o.yes || o.out || o.in || o.key || o.link_users)
        return ctl_wrong_usage(&me, "delete needs --tenant and --yes-delete", NULL);
    if (strcmp(o.tenant, o.yes) != 0)
        return ctl_wrong_usage(&me, "--yes-delete must repeat the tenant's key", NULL);
    return run(&o, &m, false, tenant_delete);
}
