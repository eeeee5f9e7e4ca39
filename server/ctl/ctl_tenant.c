#include "ctl_tenant.h"

#include "base/error.h"
#include "base/file.h"
#include "ctl_database.h"
#include "tenant_move.h"

#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

struct options {
    const char *tenant, *out, *in, *transport, *key, *yes, *master, *meters;
    const char *embedded, *config, *conninfo;
    bool link_users;
};

static int wrong_usage(const char *what, const char *arg)
{
    if (what != NULL)
        (void)fprintf(stderr, "emtctl tenant: %s%s\n", what, arg != NULL ? arg : "");
    (void)fputs(usage, stderr);
    return 2;
}

static const char **text_of(struct options *o, const char *name)
{
    const struct {
        const char *name;
        const char **text;
    } texts[] = {
        { "--tenant", &o->tenant },
        { "--out", &o->out },
        { "--in", &o->in },
        { "--transport-key", &o->transport },
        { "--key", &o->key },
        { "--yes-delete", &o->yes },
        { "--embedded", &o->embedded },
        { "--config", &o->config },
        { "--conninfo", &o->conninfo },
        { "--meters", &o->meters },
        { "--master-key", &o->master },
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (strcmp(name, texts[i].name) == 0)
            return texts[i].text;
    }
    return NULL;
}

static int read_options(int argc, char **argv, struct options *o)
{
    for (int i = 2; i < argc; i++) {
        const char **text = text_of(o, argv[i]);

        if (strcmp(argv[i], "--link-users") == 0)
            o->link_users = true;
        else if (text == NULL)
            return wrong_usage("unknown option ", argv[i]);
        else if (*text != NULL)
            return wrong_usage("given twice: ", argv[i]);
        else if (i + 1 == argc)
            return wrong_usage("a value is missing behind ", argv[i]);
        else
            *text = argv[++i];
    }
    if ((o->embedded != NULL) + (o->config != NULL) + (o->conninfo != NULL) > 1)
        return wrong_usage("only one of --embedded, --config and --conninfo", NULL);
    return 0;
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
    const struct passwd *who = getpwuid(getuid());
    struct emt_diag diag = { 0 };
    char master[PATH_LEN];
    char actor[96];
    char text[512];
    char *conninfo = NULL;
    enum emt_err err = ctl_conninfo(o->embedded, o->config, o->conninfo, &conninfo, &diag);

    if (err == EMT_OK && secrets)
        err = ctl_master_path(o->embedded, o->config, o->conninfo, o->master, master, sizeof master,
                              &diag);
    (void)snprintf(actor, sizeof actor, "emtctl:%.60s", who != NULL ? who->pw_name : "?");
    m->conninfo = conninfo;
    m->master = master;
    m->transport = o->transport;
    m->actor = actor;
    m->link_users = o->link_users;
    if (err == EMT_OK)
        err = work(m, &diag);
    free(conninfo);
    if (err == EMT_OK)
        return fflush(stdout) != 0 ? 1 : 0;
    (void)emt_diag_format(&diag, text, sizeof text);
    (void)fprintf(stderr, "emtctl tenant: %s\n", *text ? text : emt_err_name(err));
    return 1;
}

int ctl_tenant_command(int argc, char **argv)
{
    struct options o = { 0 };
    struct tenant_move m = { 0 };
    int code;

    if (argc < 2)
        return wrong_usage(NULL, NULL);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        (void)fputs(usage, stdout);
        return 0;
    }
    code = read_options(argc, argv, &o);
    if (code != 0)
        return code;
    m.key = o.tenant;
    if (strcmp(argv[1], "export") == 0) {
        if (!o.tenant || !o.out || !o.transport || o.in || o.key || o.yes || o.link_users)
            return wrong_usage("export needs --tenant, --out and --transport-key", NULL);
        m.folder = o.out;
        return run(&o, &m, true, tenant_export);
    }
    if (strcmp(argv[1], "import") == 0) {
        if (!o.in || !o.transport || o.tenant || o.out || o.yes)
            return wrong_usage("import needs --in and --transport-key", NULL);
        m.folder = o.in;
        m.key = o.key;
        return run(&o, &m, true, tenant_import);
    }
    if (strcmp(argv[1], "limit") == 0) {
        if (!o.tenant || !o.meters || !read_meters(o.meters, &m.meters) || o.out || o.in || o.yes)
            return wrong_usage("limit needs --tenant, and --meters with a number or none", NULL);
        return run(&o, &m, false, tenant_limit);
    }
    if (strcmp(argv[1], "delete") != 0)
        return wrong_usage("unknown command ", argv[1]);
    if (!o.tenant || !o.yes || o.out || o.in || o.key || o.link_users)
        return wrong_usage("delete needs --tenant and --yes-delete", NULL);
    if (strcmp(o.tenant, o.yes) != 0)
        return wrong_usage("--yes-delete must repeat the tenant's key", NULL);
    return run(&o, &m, false, tenant_delete);
}
