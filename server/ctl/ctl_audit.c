#include "ctl_audit.h"

#include "base/clock.h"
#include "ctl_database.h"
#include "ctl_options.h"
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
static const struct ctl_command me = { .name = "emtctl audit", .usage = usage };

struct options {
    const char *tenant;
    struct ctl_where where;
};

/* 0, or the exit code. */
static int read_options(int argc, char **argv, struct options *o)
{
    const struct ctl_option known[] = {
        { "--tenant", &o->tenant, NULL },
        CTL_WHERE(&o->where),
    };
    int words;
    int code = ctl_options_read(&me, argc, argv, 2, known, sizeof known / sizeof known[0], &words);

    return code != 0 ? code : ctl_where_check(&me, &o->where);
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
    bool broken = false;
    int32_t tenant = 0;
    enum emt_err err =
        ctl_conninfo(o->where.embedded, o->where.config, o->where.conninfo, &conninfo, &diag);

    if (err == EMT_OK && o->tenant != NULL && strcmp(o->tenant, PLATFORM_NAME) != 0)
        err = ctl_tenant(conninfo, o->tenant, &tenant, &diag);
    if (err == EMT_OK)
        err = store_open(conninfo, STORE_ADMIN, CTL_CONNECT_MS, &admin, &diag);
    if (err == EMT_OK)
        err = o->tenant != NULL ? verify_one(admin, tenant, o->tenant, &broken, &diag)
                                : verify_all(admin, &broken, &diag);
    store_close(admin);
    free(conninfo);
    int code = ctl_end(&me, err, &diag);
    return broken ? 1 : code;
}

int ctl_audit(int argc, char **argv)
{
    struct options o = { 0 };

    if (ctl_wants_help(argc, argv))
        return ctl_help(&me);
    if (argc < 2)
        return ctl_wrong_usage(&me, NULL, NULL);
    if (strcmp(argv[1], "verify") != 0)
        return ctl_wrong_usage(&me, "unknown command ", argv[1]);
    int code = read_options(argc, argv, &o);
    return code == 0 ? verify(&o) : code;
}
