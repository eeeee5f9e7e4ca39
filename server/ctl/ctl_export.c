#include "ctl_export.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "ctl_database.h"
#include "ctl_options.h"
#include "export/mscons_export.h"
#include "store/audit_store.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

static const char usage[] =
    "usage: emtctl export mscons --tenant KEY --pid N --from DAY --to DAY --out DIR\n"
    "                            [--location ID] [--test] [--hold-gaps] [--only-changes]\n"
    "                            [--cancels N] [--document CODE]\n"
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
    "  --document   delivery note Z41 of 13019 or Z42 of 13016, before a supply Z27 of 13009\n"
    "  --embedded   folder of emtd --embedded; --config: configuration of emtd (default\n"
    "               " CTL_CONFIG_DEFAULT "); --conninfo: libpq connection string\n"
    "The paths written go to stdout, what did not go out and why to stderr.\n"
    "exit: 0 files written, 1 failed or nothing to write, 2 wrong usage\n";
static const struct ctl_command me = { .name = "emtctl export", .usage = usage };

struct options {
    const char *tenant, *pid, *from, *to, *location, *out;
    const char *cancels, *document;
    struct ctl_where where;
    bool test, hold_gaps, only_changes;
    struct mscons_export_request request;
};

/* 0, or the exit code. */
static int read_options(int argc, char **argv, struct options *o)
{
    const struct ctl_option known[] = {
        { "--tenant", &o->tenant, NULL },
        { "--pid", &o->pid, NULL },
        { "--from", &o->from, NULL },
        { "--to", &o->to, NULL },
        { "--location", &o->location, NULL },
        { "--out", &o->out, NULL },
        { "--cancels", &o->cancels, NULL },
        { "--document", &o->document, NULL },
        { "--test", NULL, &o->test },
        { "--hold-gaps", NULL, &o->hold_gaps },
        { "--only-changes", NULL, &o->only_changes },
        CTL_WHERE(&o->where),
    };
    int words;
    int code = ctl_options_read(&me, argc, argv, 2, known, sizeof known / sizeof known[0], &words);

    if (code != 0)
        return code;
    if (o->tenant == NULL || o->pid == NULL || o->from == NULL || o->to == NULL || o->out == NULL)
        return ctl_wrong_usage(&me, "--tenant, --pid, --from, --to and --out are needed", NULL);
    return ctl_where_check(&me, &o->where);
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
        return ctl_wrong_usage(&me, "--pid must be a use case that is exported, not ", o->pid);
    if ((o->cancels != NULL) != (o->request.pid == 13006))
        return ctl_wrong_usage(&me, "--cancels belongs to --pid 13006", NULL);
    o->request.cancels = o->cancels != NULL ? pid_of(o->cancels) : 0;
    if (o->cancels != NULL && (o->request.cancels == 0 || o->request.cancels == 13006))
        return ctl_wrong_usage(&me, "--cancels must be a use case that is exported, not ",
                               o->cancels);
    if (local_date_parse(o->from, &o->request.from) != EMT_OK)
        return ctl_wrong_usage(&me, "--from must be a day as 2026-11-20, not ", o->from);
    if (local_date_parse(o->to, &o->request.to) != EMT_OK)
        return ctl_wrong_usage(&me, "--to must be a day as 2026-11-20, not ", o->to);
    if (local_day_start(o->request.from) >= local_day_start(o->request.to))
        return ctl_wrong_usage(&me, "--from must be a day before --to, not ", o->from);
    o->request.document = o->document;
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
    int32_t tenant = run->options->request.tenant;
    char actor[CTL_ACTOR_MAX];
    char detail[64];
    struct audit_entry entry = { .tenant = tenant,
                                 .actor = actor,
                                 .action = "export.mscons",
                                 .object = name,
                                 .detail = detail };

    (void)ctl_actor(actor);
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
    char *conninfo = NULL;
    enum emt_err err =
        ctl_conninfo(o->where.embedded, o->where.config, o->where.conninfo, &conninfo, &diag);

    if (err == EMT_OK)
        err = run_export(o, conninfo, &run, &diag);
    free(conninfo);
    if (err != EMT_OK)
        return ctl_end(&me, err, &diag);
    if (run.files == 0)
        (void)fprintf(stderr, "emtctl export: nothing to write\n");
    return run.files > 0 ? 0 : 1;
}

int ctl_export(int argc, char **argv)
{
    struct options o = { 0 };

    if (ctl_wants_help(argc, argv))
        return ctl_help(&me);
    if (argc < 2)
        return ctl_wrong_usage(&me, NULL, NULL);
    if (strcmp(argv[1], "mscons") != 0)
        return ctl_wrong_usage(&me, "unknown format ", argv[1]);
    int code = read_options(argc, argv, &o);
    if (code == 0)
        code = read_request(&o);
    return code == 0 ? export_mscons(&o) : code;
}
