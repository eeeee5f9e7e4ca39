#include "ctl_audit.h"

#include "base/clock.h"
#include "ctl_database.h"
#include "jobs/audit_chain.h"
#include "store/store.h"
#include "store/tenant_store.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define TENANTS_AT_ONCE 200
#define PLATFORM_NAME "-" /* no tenant can be called so */

static const char usage[] =
    "usage: emtctl audit verify [--tenant KEY]\n"
    "                           [--embedded DIR | --config FILE | --conninfo TEXT]\n"
    "\n"
    "Recomputes the chain of audit entries and checks its daily signatures; without --tenant of all\n"
    "tenants and of the platform (-). One line each goes to stdout:\n"
    "  TENANT: ok: N entries, M linked, K signatures[, begins behind NUMBER]\n"
    "  TENANT: broken: entry E: reason\n"
    "exit: 0 all hold, 1 one is broken or cannot be read, 2 wrong usage\n";

struct options {
    const char *tenant, *embedded, *config, *conninfo;
};

static int wrong_usage(const char *what, const char *arg)
{
    if (what != NULL)
        (void)fprintf(stderr, "emtctl audit: %s%s\n", what, arg != NULL ? arg : "");
    (void)fputs(usage, stderr);
    return 2;
}

/* 0, or the exit code. */
static int read_options(int argc, char **argv, struct options *o)
{
    const struct {
        const char *name;
        const char **text;
    } texts[] = {
        { "--tenant", &o->tenant },
        { "--embedded", &o->embedded },
        { "--config", &o->config },
        { "--conninfo", &o->conninfo },
    };

    for (int i = 2; i < argc; i++) {
        const char **text = NULL;

        for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++) {
            if (strcmp(argv[i], texts[k].name) == 0)
                text = texts[k].text;
        }
        if (text == NULL)
            return wrong_usage("unknown option ", argv[i]);
        if (*text != NULL)
            return wrong_usage("given twice: ", argv[i]);
        if (i + 1 == argc)
            return wrong_usage("a value is missing behind ", argv[i]);
        *text = argv[++i];
    }
    if ((o->embedded != NULL) + (o->config != NULL) + (o->conninfo != NULL) > 1)
        return wrong_usage("only one of --embedded, --config and --conninfo", NULL);
    return 0;
}

/* *broken is set, never cleared. */
static enum emt_err verify_one(struct store *admin, int32_t tenant, const char *name, bool *broken,
                               struct emt_diag *diag)
{
    struct audit_verdict v;
    enum emt_err err = audit_chain_verify(admin, admin, tenant, &v);

    if (err != EMT_OK)
        return emt_fail(diag, err, "%s: %s", name, store_error(admin));
    if (v.ok) {
        (void)printf("%s: ok: %lld entries, %lld linked, %lld signatures", name,
                     (long long)v.entries, (long long)v.chained, (long long)v.anchors);
        if (v.base > 0)
            (void)printf(", begins behind %lld", (long long)v.base);
        (void)putchar('\n');
    } else {
        (void)printf("%s: broken: entry %lld: %s\n", name, (long long)v.bad_entry, v.reason);
        *broken = true;
    }
    return EMT_OK;
}

static enum emt_err verify_all(struct store *admin, bool *broken, struct emt_diag *diag)
{
    struct tenant *list = calloc(TENANTS_AT_ONCE, sizeof *list);
    size_t n = TENANTS_AT_ONCE;
    int32_t after = 0;
    enum emt_err err = list != NULL ? verify_one(admin, 0, PLATFORM_NAME, broken, diag)
                                    : emt_fail(diag, EMT_ENOMEM, "out of memory");

    while (err == EMT_OK && n == TENANTS_AT_ONCE) {
        err = tenant_list(admin, after, list, &n);
        if (err != EMT_OK)
            (void)emt_fail(diag, err, "%s", store_error(admin));
        for (size_t i = 0; err == EMT_OK && i < n; i++) {
            after = list[i].id;
            err = verify_one(admin, list[i].id, list[i].key, broken, diag);
        }
    }
    free(list);
    return err;
}

static int verify(const struct options *o)
{
    struct emt_diag diag = { 0 };
    struct store *admin = NULL;
    char *conninfo = NULL;
    char text[512];
    bool broken = false;
    int32_t tenant = 0;
    enum emt_err err = ctl_conninfo(o->embedded, o->config, o->conninfo, &conninfo, &diag);

    if (err == EMT_OK && o->tenant != NULL && strcmp(o->tenant, PLATFORM_NAME) != 0)
        err = ctl_tenant(conninfo, o->tenant, &tenant, &diag);
    if (err == EMT_OK)
        err = store_open(conninfo, STORE_ADMIN, CTL_CONNECT_MS, &admin, &diag);
    if (err == EMT_OK)
        err = o->tenant != NULL ? verify_one(admin, tenant, o->tenant, &broken, &diag)
                                : verify_all(admin, &broken, &diag);
    store_close(admin);
    free(conninfo);
    if (err != EMT_OK) {
        (void)emt_diag_format(&diag, text, sizeof text);
        (void)fprintf(stderr, "emtctl audit: %s\n", *text ? text : emt_err_name(err));
        return 1;
    }
    return broken || fflush(stdout) != 0 ? 1 : 0;
}

int ctl_audit(int argc, char **argv)
{
    struct options o = { 0 };

    if (argc < 2)
        return wrong_usage(NULL, NULL);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        (void)fputs(usage, stdout);
        return 0;
    }
    if (strcmp(argv[1], "verify") != 0)
        return wrong_usage("unknown command ", argv[1]);
    if (argc == 3 && strcmp(argv[2], "--help") == 0) {
        (void)fputs(usage, stdout);
        return 0;
    }
    int code = read_options(argc, argv, &o);
    return code == 0 ? verify(&o) : code;
}
