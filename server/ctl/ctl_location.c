#include "ctl_location.h"

#include "base/clock.h"
#include "ctl_database.h"
#include "ctl_options.h"
#include "export/mapping_csv.h"
#include "store/audit_store.h"
#include "store/erasure_store.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

static const char usage[] =
    "usage: emtctl location erase --tenant KEY --location CODE --yes-erase CODE --reason TEXT\n"
    "                             [--from TIME] [--until TIME]\n"
    "                             [--embedded DIR | --config FILE | --conninfo TEXT]\n"
    "       emtctl location export --tenant KEY [--embedded DIR | --config FILE | --conninfo TEXT]\n"
    "\n"
    "export  prints all places of the market and the channels bound to them as CSV, in the shape\n"
    "that the import of the API reads.\n"
    "erase   erases what was measured at the location while it had its meters: values in rows and blocks,\n"
    "what was computed from them, frames, events and read attempts; looks whether anything is left;\n"
    "prints what went. Times as 2026-11-20T00:00:00Z, --until exclusive (default: now). Cannot be\n"
    "undone; the code is given twice. The order stands: emtd repeats it each day.\n"
    "exit: 0 done, 1 failed, 2 wrong usage\n";

static const struct ctl_command me = { .name = "emtctl location", .usage = usage };

struct options {
    const char *tenant, *location, *yes, *reason, *from, *until;
    struct ctl_where where;
    emt_time from_time, until_time;
};

static int check_options(struct options *o)
{
    emt_time now = clock_now();

    if (!o->tenant || !o->location || !o->yes || !o->reason || *o->reason == '\0')
        return ctl_wrong_usage(&me, "erase needs --tenant, --location, --yes-erase and --reason",
                               NULL);
    if (strcmp(o->location, o->yes) != 0)
        return ctl_wrong_usage(&me, "--yes-erase must repeat the location's code", NULL);
    o->from_time = EMT_TIME_NONE;
    o->until_time = now;
    if (o->from != NULL && time_parse(o->from, &o->from_time) != EMT_OK)
        return ctl_wrong_usage(&me, "--from is no time: ", o->from);
    if (o->until != NULL && time_parse(o->until, &o->until_time) != EMT_OK)
        return ctl_wrong_usage(&me, "--until is no time: ", o->until);
    if (o->until_time > now)
        return ctl_wrong_usage(&me, "--until lies in the future: ", o->until);
    if (o->from_time != EMT_TIME_NONE && o->from_time >= o->until_time)
        return ctl_wrong_usage(&me, "--from must lie before --until", NULL);
    return 0;
}

static int read_options(int argc, char **argv, struct options *o)
{
    const struct ctl_option known[] = {
        { "--tenant", &o->tenant, NULL },
        { "--location", &o->location, NULL },
        { "--yes-erase", &o->yes, NULL },
        { "--reason", &o->reason, NULL },
        { "--from", &o->from, NULL },
        { "--until", &o->until, NULL },
        CTL_WHERE(&o->where),
    };
    int words;
    int code = ctl_options_read(&me, argc, argv, 2, known, sizeof known / sizeof known[0], &words);

    if (code == 0)
        code = ctl_where_check(&me, &o->where);
    return code == 0 ? check_options(o) : code;
}

static enum emt_err order(struct store *s, int32_t tenant, const struct options *o, int64_t *id)
{
    char actor[CTL_ACTOR_MAX];

    (void)ctl_actor(actor);
    const struct erasure_new e = { .location = o->location,
                                   .from = o->from_time,
                                   .until = o->until_time,
                                   .reason = o->reason,
                                   .ordered_by = actor };
    const struct audit_entry entry = { .tenant = tenant,
                                       .actor = actor,
                                       .action = "location.erase",
                                       .object = o->location,
                                       .detail = o->reason };
    enum emt_err err = store_begin(s, tenant);

    if (err == EMT_OK)
        err = erasure_insert(s, tenant, &e, id);
    if (err == EMT_OK)
        err = audit_append(s, &entry);
    if (err == EMT_OK)
        return store_commit(s);
    store_rollback(s);
    return err;
}

static enum emt_err erase(const struct options *o, struct emt_diag *diag)
{
    struct erasure_counts counts;
    struct store *s = NULL;
    char *conninfo = NULL;
    int32_t tenant = 0;
    int64_t id = 0;
    enum emt_err err =
        ctl_conninfo(o->where.embedded, o->where.config, o->where.conninfo, &conninfo, diag);

    if (err == EMT_OK)
        err = ctl_tenant(conninfo, o->tenant, &tenant, diag);
    if (err == EMT_OK)
        err = store_open(conninfo, STORE_APP, CTL_CONNECT_MS, &s, diag);
    free(conninfo);
    if (err != EMT_OK)
        return err;
    err = order(s, tenant, o, &id);
    if (err == EMT_ENOTFOUND)
        (void)emt_fail(diag, err, "the tenant has no location %s", o->location);
    else if (err == EMT_OK)
        err = erasure_run(s, tenant, id, clock_now(), NULL, NULL, &counts);
    if (err == EMT_EAGAIN)
        (void)emt_fail(diag, err, "values come faster than they go; the order stands, try again");
    else if (err != EMT_OK && err != EMT_ENOTFOUND)
        (void)emt_fail(diag, err, "%s", store_error(s));
    for (int i = 0; err == EMT_OK && i < ERASED_KINDS; i++)
        (void)printf("%s: %" PRId64 "\n", erasure_kind_names[i], counts.n[i]);
    store_close(s);
    return err;
}

/* --- the mapping --- */

#define PLACES 500
#define PLACES_BYTES_MAX (64u << 20)

static const struct ctl_command exporting = { .name = "emtctl location export", .usage = usage };

/* A part at a time: a mapping may be large. */
static enum emt_err print_mapping(struct store *s, int32_t tenant, struct emt_diag *diag)
{
    char after[MAPPING_CODE_MAX] = "";
    char next[MAPPING_CODE_MAX];
    struct writer w;
    enum emt_err err = store_begin(s, tenant);

    writer_init_heap(&w, PLACES_BYTES_MAX);
    mapping_csv_head(&w);
    while (err == EMT_OK) {
        err = mapping_csv_lines(s, tenant, after, PLACES, &w, next);
        if (err == EMT_OK && fwrite(w.data, 1, w.len, stdout) != w.len)
            err = emt_fail(diag, EMT_EIO, "stdout cannot be written");
        if (next[0] == '\0')
            break;
        memcpy(after, next, sizeof after);
        writer_clear(&w);
    }
    writer_release(&w);
    store_rollback(s);
    return err == EMT_EDB ? emt_fail(diag, err, "%s", store_error(s)) : err;
}

static enum emt_err export_mapping(const struct ctl_where *where, const char *key,
                                   struct emt_diag *diag)
{
    struct store *s = NULL;
    char *conninfo = NULL;
    int32_t tenant = 0;
    enum emt_err err =
        ctl_conninfo(where->embedded, where->config, where->conninfo, &conninfo, diag);

    if (err == EMT_OK)
        err = ctl_tenant(conninfo, key, &tenant, diag);
    if (err == EMT_OK)
        err = store_open(conninfo, STORE_APP, CTL_CONNECT_MS, &s, diag);
    free(conninfo);
    if (err == EMT_OK)
        err = print_mapping(s, tenant, diag);
    store_close(s);
    if (err == EMT_OK && fflush(stdout) != 0)
        err = emt_fail(diag, EMT_EIO, "stdout cannot be written");
    return err;
}

static int export_command(int argc, char **argv)
{
    const char *tenant = NULL;
    struct ctl_where where = { 0 };
    const struct ctl_option known[] = { { "--tenant", &tenant, NULL }, CTL_WHERE(&where) };
    struct emt_diag diag = { 0 };
    int words;
    int code =
        ctl_options_read(&exporting, argc, argv, 2, known, sizeof known / sizeof known[0], &words);

    if (code != 0)
        return code;
    if (tenant == NULL)
        return ctl_wrong_usage(&exporting, "--tenant is needed", NULL);
    code = ctl_where_check(&exporting, &where);
    return code != 0 ? code : ctl_end(&exporting, export_mapping(&where, tenant, &diag), &diag);
}

static int erase_command(int argc, char **argv)
{
    struct options o = { 0 };
    struct emt_diag diag = { 0 };
    int code = read_options(argc, argv, &o);

    return code == 0 ? ctl_end(&me, erase(&o, &diag), &diag) : code;
}

int ctl_location(int argc, char **argv)
{
    if (ctl_wants_help(argc, argv))
        return ctl_help(&me);
    if (argc < 2)
        return ctl_wrong_usage(&me, NULL, NULL);
    if (strcmp(argv[1], "export") == 0)
        return export_command(argc, argv);
    if (strcmp(argv[1], "erase") == 0)
        return erase_command(argc, argv);
    return ctl_wrong_usage(&me, "unknown command ", argv[1]);
}
