#include "ctl_location.h"

#include "base/clock.h"
#include "ctl_database.h"
#include "ctl_options.h"
#include "export/mapping_csv.h"
#include "store/audit_store.h"
#include "store/erasure_store.h"
#include "store/store.h"

#include <inttypes.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

struct options {
    const char *tenant, *location, *yes, *reason, *from, *until;
    const char *embedded, *config, *conninfo;
    emt_time from_time, until_time;
};

static int wrong_usage(const char *what, const char *arg)
{
    if (what != NULL)
        (void)fprintf(stderr, "emtctl location: %s%s\n", what, arg != NULL ? arg : "");
    (void)fputs(usage, stderr);
    return 2;
}

static const char **text_of(struct options *o, const char *name)
{
    const struct {
        const char *name;
        const char **text;
    } texts[] = {
        { "--tenant", &o->tenant },     { "--location", &o->location },
        { "--yes-erase", &o->yes },     { "--reason", &o->reason },
        { "--from", &o->from },         { "--until", &o->until },
        { "--embedded", &o->embedded }, { "--config", &o->config },
        { "--conninfo", &o->conninfo },
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (strcmp(name, texts[i].name) == 0)
            return texts[i].text;
    }
    return NULL;
}

static int check_options(struct options *o)
{
    emt_time now = clock_now();

    if ((o->embedded != NULL) + (o->config != NULL) + (o->conninfo != NULL) > 1)
        return wrong_usage("only one of --embedded, --config and --conninfo", NULL);
    if (!o->tenant || !o->location || !o->yes || !o->reason || *o->reason == '\0')
        return wrong_usage("erase needs --tenant, --location, --yes-erase and --reason", NULL);
    if (strcmp(o->location, o->yes) != 0)
        return wrong_usage("--yes-erase must repeat the location's code", NULL);
    o->from_time = EMT_TIME_NONE;
    o->until_time = now;
    if (o->from != NULL && time_parse(o->from, &o->from_time) != EMT_OK)
        return wrong_usage("--from is no time: ", o->from);
    if (o->until != NULL && time_parse(o->until, &o->until_time) != EMT_OK)
        return wrong_usage("--until is no time: ", o->until);
    if (o->until_time > now)
        return wrong_usage("--until lies in the future: ", o->until);
    if (o->from_time != EMT_TIME_NONE && o->from_time >= o->until_time)
        return wrong_usage("--from must lie before --until", NULL);
    return 0;
}

static int read_options(int argc, char **argv, struct options *o)
{
    for (int i = 2; i < argc; i++) {
        const char **text = text_of(o, argv[i]);

        if (text == NULL)
            return wrong_usage("unknown option ", argv[i]);
        if (*text != NULL)
            return wrong_usage("given twice: ", argv[i]);
        if (i + 1 == argc)
            return wrong_usage("a value is missing behind ", argv[i]);
        *text = argv[++i];
    }
    return check_options(o);
}

static enum emt_err order(struct store *s, int32_t tenant, const struct options *o, int64_t *id)
{
    const struct passwd *who = getpwuid(getuid());
    char actor[96];

    (void)snprintf(actor, sizeof actor, "emtctl:%.60s", who != NULL ? who->pw_name : "?");
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
    enum emt_err err = ctl_conninfo(o->embedded, o->config, o->conninfo, &conninfo, diag);

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

int ctl_location(int argc, char **argv)
{
    struct options o = { 0 };
    struct emt_diag diag = { 0 };
    char text[512];

    if (argc < 2)
        return wrong_usage(NULL, NULL);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        (void)fputs(usage, stdout);
        return 0;
    }
    if (strcmp(argv[1], "export") == 0)
        return export_command(argc, argv);
    if (strcmp(argv[1], "erase") != 0)
        return wrong_usage("unknown command ", argv[1]);
    int code = read_options(argc, argv, &o);
    if (code != 0)
        return code;
    enum emt_err err = erase(&o, &diag);
    if (err == EMT_OK)
        return fflush(stdout) != 0 ? 1 : 0;
    (void)emt_diag_format(&diag, text, sizeof text);
    (void)fprintf(stderr, "emtctl location: %s\n", *text ? text : emt_err_name(err));
    return 1;
}
