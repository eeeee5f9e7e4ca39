#include "ctl_export.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "ctl_database.h"
#include "export/mscons_export.h"
#include "store/audit_store.h"
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
    "usage: emtctl export mscons --tenant KEY --pid N --from DAY --to DAY --out DIR\n"
    "                            [--location ID] [--test] [--hold-gaps] [--only-changes]\n"
    "                            [--cancels N]\n"
    "                            [--embedded DIR | --config FILE | --conninfo TEXT]\n"
    "\n"
    "Writes MSCONS files with their exact names into DIR and keeps them in the database.\n"
    "  --pid        power: 13018, 13025 load profiles, 13017 readings, 13019 energy, 13016 energy\n"
    "               and maximum of a month, 13027 type-2 values; gas: 13008 load profile, 13002\n"
    "               readings, 13009 energy, 13007 quality; 13006 takes readings or energies back\n"
    "  --from --to  German local days as 2026-11-20, --to exclusive\n"
    "  --location   one MeLo, MaLo, NeLo or tranche; all that the use case is for without it\n"
    "  --test       test flag of the interchange\n"
    "  --hold-gaps  holds a day with a gap back instead of sending it in contiguous spans\n"
    "  --only-changes  of profiles: only what the receiver does not have like that already\n"
    "  --cancels    with --pid 13006: the use case that is taken back\n"
    "  --embedded   folder of emtd --embedded; --config: configuration of emtd (default\n"
    "               " CTL_CONFIG_DEFAULT "); --conninfo: libpq connection string\n"
    "The paths written go to stdout, what did not go out and why to stderr.\n"
    "exit: 0 files written, 1 failed or nothing to write, 2 wrong usage\n";

struct options {
    const char *tenant, *pid, *from, *to, *location, *out;
    const char *embedded, *config, *conninfo, *cancels;
    bool test, hold_gaps, only_changes;
    struct mscons_export_request request;
};

static int wrong_usage(const char *what, const char *arg)
{
    if (what != NULL)
        (void)fprintf(stderr, "emtctl export: %s%s\n", what, arg != NULL ? arg : "");
    (void)fputs(usage, stderr);
    return 2;
}

/* Where the text behind an option goes; NULL: no such option. */
static const char **text_of(struct options *o, const char *name)
{
    const struct {
        const char *name;
        const char **text;
    } texts[] = {
        { "--tenant", &o->tenant },     { "--pid", &o->pid },
        { "--from", &o->from },         { "--to", &o->to },
        { "--location", &o->location }, { "--out", &o->out },
        { "--embedded", &o->embedded }, { "--config", &o->config },
        { "--conninfo", &o->conninfo }, { "--cancels", &o->cancels },
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (strcmp(name, texts[i].name) == 0)
            return texts[i].text;
    }
    return NULL;
}

/* 0, or the exit code. */
static int read_options(int argc, char **argv, struct options *o)
{
    for (int i = 2; i < argc; i++) {
        const char **text = text_of(o, argv[i]);

        if (strcmp(argv[i], "--test") == 0)
            o->test = true;
        else if (strcmp(argv[i], "--hold-gaps") == 0)
            o->hold_gaps = true;
        else if (strcmp(argv[i], "--only-changes") == 0)
            o->only_changes = true;
        else if (text == NULL)
            return wrong_usage("unknown option ", argv[i]);
        else if (*text != NULL)
            return wrong_usage("given twice: ", argv[i]);
        else if (i + 1 == argc)
            return wrong_usage("a value is missing behind ", argv[i]);
        else
            *text = argv[++i];
    }
    if (o->tenant == NULL || o->pid == NULL || o->from == NULL || o->to == NULL || o->out == NULL)
        return wrong_usage("--tenant, --pid, --from, --to and --out are needed", NULL);
    if ((o->embedded != NULL) + (o->config != NULL) + (o->conninfo != NULL) > 1)
        return wrong_usage("only one of --embedded, --config and --conninfo", NULL);
    return 0;
}

/* 0: no use case that is exported. */
static unsigned pid_of(const char *text)
{
    char *end = NULL;
    unsigned long pid = strtoul(text, &end, 10);

    if (*text < '0' || *text > '9' || *end != '\0')
        return 0;
    for (const unsigned *known = mscons_export_pids(); *known != 0; known++) {
        if (*known == pid)
            return *known;
    }
    return 0;
}

static int read_request(struct options *o)
{
    o->request.pid = pid_of(o->pid);
    if (o->request.pid == 0)
        return wrong_usage("--pid must be a use case that is exported, not ", o->pid);
    if ((o->cancels != NULL) != (o->request.pid == 13006))
        return wrong_usage("--cancels belongs to --pid 13006", NULL);
    o->request.cancels = o->cancels != NULL ? pid_of(o->cancels) : 0;
    if (o->cancels != NULL && (o->request.cancels == 0 || o->request.cancels == 13006))
        return wrong_usage("--cancels must be a use case that is exported, not ", o->cancels);
    if (local_date_parse(o->from, &o->request.from) != EMT_OK)
        return wrong_usage("--from must be a day as 2026-11-20, not ", o->from);
    if (local_date_parse(o->to, &o->request.to) != EMT_OK)
        return wrong_usage("--to must be a day as 2026-11-20, not ", o->to);
    if (local_day_start(o->request.from) >= local_day_start(o->request.to))
        return wrong_usage("--from must be a day before --to, not ", o->from);
    o->request.location = o->location;
    o->request.test = o->test;
    o->request.hold_gaps = o->hold_gaps;
    o->request.only_changes = o->only_changes;
    o->request.now = clock_now();
    return 0;
}

/* --- the files --- */

struct run {
    struct store *store;
    const struct options *options;
    unsigned files;
};

/* Files leave the tenant: who took them stands in its audit. */
static enum emt_err keep_file(void *ctx, struct store *s, int64_t file_id, const char *name,
                              int messages)
{
    const struct run *run = ctx;
    const struct passwd *who = getpwuid(getuid());
    int32_t tenant = run->options->request.tenant;
    char actor[96];
    char detail[64];
    struct audit_entry entry = { .tenant = tenant,
                                 .actor = actor,
                                 .action = "export.mscons",
                                 .object = name,
                                 .detail = detail };

    (void)snprintf(actor, sizeof actor, "emtctl:%.60s", who != NULL ? who->pw_name : "?");
    (void)snprintf(detail, sizeof detail, "%d messages", messages);
    (void)file_id;
    return audit_append(s, &entry);
}

static enum emt_err take_file(void *ctx, int64_t file_id, const char *name, const void *content,
                              size_t len, int messages)
{
    struct run *run = ctx;
    struct emt_diag diag = { 0 };
    char path[2048];

    (void)messages;
    enum emt_err err = file_join(path, sizeof path, run->options->out, name);
    /* A name is used once: whatever stands there already is something else. */
    if (err == EMT_OK)
        err = file_create(path, content, len, 0640, &diag);
    if (err != EMT_OK) {
        (void)fprintf(stderr, "emtctl export: %s: %s; it is kept in the database as export %lld\n",
                      name, diag.text[0] ? diag.text : emt_err_name(err), (long long)file_id);
        return err;
    }
    run->files++;
    return printf("%s\n", path) < 0 || fflush(stdout) != 0 ? EMT_EIO : EMT_OK;
}

static void take_note(void *ctx, const char *text)
{
    (void)ctx;
    (void)fprintf(stderr, "%s\n", text);
}

static enum emt_err run_export(struct options *o, const char *conninfo, struct run *run,
                               struct emt_diag *diag)
{
    const struct mscons_export_handler handler = {
        .keep = keep_file, .file = take_file, .note = take_note, .ctx = run
    };
    enum emt_err err = ctl_tenant(conninfo, o->tenant, &o->request.tenant, diag);

    if (err == EMT_OK)
        err = file_mkdirs(o->out, 0750, diag);
    if (err == EMT_OK)
        err = store_open(conninfo, STORE_APP, CTL_CONNECT_MS, &run->store, diag);
    if (err == EMT_OK)
        err = mscons_export_run(run->store, &o->request, &handler, diag);
    store_close(run->store);
    return err;
}

static int export_mscons(struct options *o)
{
    struct run run = { NULL, o, 0 };
    struct emt_diag diag = { 0 };
    char text[512];
    char *conninfo = NULL;
    enum emt_err err = ctl_conninfo(o->embedded, o->config, o->conninfo, &conninfo, &diag);

    if (err == EMT_OK)
        err = run_export(o, conninfo, &run, &diag);
    free(conninfo);
    if (err != EMT_OK) {
        (void)emt_diag_format(&diag, text, sizeof text);
        (void)fprintf(stderr, "emtctl export: %s\n", *text ? text : emt_err_name(err));
        return 1;
    }
    if (run.files == 0)
        (void)fprintf(stderr, "emtctl export: nothing to write\n");
    return run.files > 0 ? 0 : 1;
}

int ctl_export(int argc, char **argv)
{
    struct options o = { 0 };

    if (argc < 2)
        return wrong_usage(NULL, NULL);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        (void)fputs(usage, stdout);
        return 0;
    }
    if (strcmp(argv[1], "mscons") != 0)
        return wrong_usage("unknown format ", argv[1]);
    if (argc == 3 && strcmp(argv[2], "--help") == 0) {
        (void)fputs(usage, stdout);
        return 0;
    }
    int code = read_options(argc, argv, &o);
    if (code == 0)
        code = read_request(&o);
    return code == 0 ? export_mscons(&o) : code;
}
