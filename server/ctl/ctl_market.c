#include "ctl_market.h"

#include "base/error.h"
#include "ctl_database.h"
#include "ctl_options.h"
#include "export/mscons_export.h"
#include "model/market_id.h"
#include "store/audit_store.h"
#include "store/export_store.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

static const char usage[] =
    "usage: emtctl market policy --tenant KEY [--pid N] --gap GAP [--method CODE] [--reason CODE]\n"
    "                            [--correction CODE] [DATABASE]\n"
    "       emtctl market partner --tenant KEY --mp-id ID [--name TEXT] [--role TEXT]\n"
    "                            [--file-bytes N] [--file-messages N] [DATABASE]\n"
    "\n"
    "policy says what an export does with intervals without energy:\n"
    "  --pid         of one use case; without it of all that have no line of their own\n"
    "  --gap         spans: contiguous spans go out; hold: the day waits; provisional, substitute:\n"
    "                the gap is filled\n"
    "  --method      of substitutes: Z92 interpolated, ZJ2 as a week before (default Z92)\n"
    "  --reason      of substitutes, STS+Z40 (default Z75)\n"
    "  --correction  of values that take the place of sent ones, STS+Z34 (default ZA7)\n"
    "partner says what files somebody takes; 0 or nothing: the product's limit\n"
    "DATABASE: --embedded DIR | --config FILE | --conninfo TEXT, default " CTL_CONFIG_DEFAULT "\n"
    "exit: 0 done, 1 failed, 2 wrong usage\n";
static const struct ctl_command me = { .name = "emtctl market", .usage = usage };

enum option {
    TENANT,
    PID,
    GAP,
    METHOD,
    REASON,
    CORRECTION,
    MP_ID,
    NAME,
    ROLE,
    FILE_BYTES,
    FILE_MESSAGES,
    EMBEDDED,
    CONFIG,
    CONNINFO,
    OPTIONS
};
static const char *const names[OPTIONS] = {
    "--tenant",        "--pid",      "--gap",    "--method",   "--reason",
    "--correction",    "--mp-id",    "--name",   "--role",     "--file-bytes",
    "--file-messages", "--embedded", "--config", "--conninfo",
};

static int read_options(int argc, char **argv, const char *o[OPTIONS])
{
    struct ctl_option known[OPTIONS] = { { NULL, NULL, NULL } };
    int words;

    for (int i = 0; i < OPTIONS; i++)
        known[i] = (struct ctl_option){ names[i], &o[i], NULL };
    int code = ctl_options_read(&me, argc, argv, 2, known, OPTIONS, &words);
    if (code != 0)
        return code;
    if (o[TENANT] == NULL)
        return ctl_wrong_usage(&me, "--tenant is needed", NULL);
    const struct ctl_where where = { o[EMBEDDED], o[CONFIG], o[CONNINFO] };
    return ctl_where_check(&me, &where);
}

/* A code of three characters, Z first. */
static bool is_code(const char *text)
{
    return strlen(text) == 3 && text[0] == 'Z' &&
           strspn(text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 3;
}

static int64_t number(const char *text)
{
    char *end = NULL;
    long long n = text != NULL ? strtoll(text, &end, 10) : 0;

    return text == NULL || (*text >= '0' && *text <= '9' && *end == '\0') ? n : -1;
}

static bool is_exported(int64_t pid)
{
    for (const unsigned *known = mscons_export_pids(); *known != 0; known++) {
        if ((int64_t)*known == pid)
            return true;
    }
    return pid == 0;
}

static int check_policy(const char *o[OPTIONS], struct export_policy *p)
{
    static const char *const gaps[] = { "spans", "hold", "provisional", "substitute" };
    bool known = false;

    for (size_t i = 0; i < 4; i++)
        known = known || (o[GAP] != NULL && strcmp(o[GAP], gaps[i]) == 0);
    if (!known)
        return ctl_wrong_usage(&me, "--gap must be spans, hold, provisional or substitute", NULL);
    if (!is_exported(number(o[PID])))
        return ctl_wrong_usage(&me, "--pid must be a use case that is exported, not ", o[PID]);
    if (o[METHOD] != NULL && strcmp(o[METHOD], "Z92") != 0 && strcmp(o[METHOD], "ZJ2") != 0)
        return ctl_wrong_usage(&me, "--method must be Z92 or ZJ2, not ", o[METHOD]);
    if (o[REASON] != NULL && !is_code(o[REASON]))
        return ctl_wrong_usage(&me, "--reason must be a code as Z75, not ", o[REASON]);
    if (o[CORRECTION] != NULL && !is_code(o[CORRECTION]))
        return ctl_wrong_usage(&me, "--correction must be a code as ZA7, not ", o[CORRECTION]);
    (void)snprintf(p->gap, sizeof p->gap, "%s", o[GAP]);
    (void)snprintf(p->method, sizeof p->method, "%s", o[METHOD] != NULL ? o[METHOD] : "Z92");
    (void)snprintf(p->reason, sizeof p->reason, "%s", o[REASON] != NULL ? o[REASON] : "Z75");
    (void)snprintf(p->correction, sizeof p->correction, "%s",
                   o[CORRECTION] != NULL ? o[CORRECTION] : "ZA7");
    return 0;
}

static int check_partner(const char *o[OPTIONS], struct export_partner *p)
{
    struct emt_diag diag = { 0 };

    if (o[MP_ID] == NULL || mp_id_check(o[MP_ID], &diag) != EMT_OK)
        return ctl_wrong_usage(&me, "--mp-id must be 13 digits", NULL);
    *p = (struct export_partner){ .mp_id = o[MP_ID],
                                  .name = o[NAME] != NULL ? o[NAME] : "",
                                  .role = o[ROLE] != NULL ? o[ROLE] : "",
                                  .file_bytes_max = number(o[FILE_BYTES]),
                                  .file_messages_max = number(o[FILE_MESSAGES]) };
    if (p->file_bytes_max < 0 || (p->file_bytes_max > 0 && p->file_bytes_max < 10000))
        return ctl_wrong_usage(&me, "--file-bytes must be 10000 or more, not ", o[FILE_BYTES]);
    if (p->file_messages_max < 0 || p->file_messages_max > INT32_MAX)
        return ctl_wrong_usage(&me, "--file-messages must be a number, not ", o[FILE_MESSAGES]);
    return 0;
}

static enum emt_err keep(struct store *s, int32_t tenant, const char *o[OPTIONS],
                         const struct export_policy *policy, const struct export_partner *partner)
{
    char actor[CTL_ACTOR_MAX];
    struct audit_entry entry = { .tenant = tenant,
                                 .actor = actor,
                                 .action = partner != NULL ? "market.partner" : "market.policy",
                                 .object = partner != NULL  ? partner->mp_id
                                           : o[PID] != NULL ? o[PID]
                                                            : "all",
                                 .detail = partner != NULL ? "limits of files" : policy->gap };

    (void)ctl_actor(actor);
    enum emt_err err = store_begin(s, tenant);
    if (err == EMT_OK)
        err = partner != NULL ? export_partner_set(s, tenant, partner)
                              : export_policy_set(s, tenant, (unsigned)number(o[PID]), policy);
    if (err == EMT_OK)
        err = audit_append(s, &entry);
    if (err == EMT_OK)
        return store_commit(s);
    store_rollback(s);
    return err;
}

static int run(const char *o[OPTIONS], const struct export_policy *policy,
               const struct export_partner *partner)
{
    struct emt_diag diag = { 0 };
    struct store *s = NULL;
    char *conninfo = NULL;
    int32_t tenant = 0;
    enum emt_err err = ctl_conninfo(o[EMBEDDED], o[CONFIG], o[CONNINFO], &conninfo, &diag);

    if (err == EMT_OK)
        err = ctl_tenant(conninfo, o[TENANT], &tenant, &diag);
    if (err == EMT_OK)
        err = store_open(conninfo, STORE_APP, CTL_CONNECT_MS, &s, &diag);
    if (err == EMT_OK) {
        err = keep(s, tenant, o, policy, partner);
        if (err != EMT_OK)
            (void)emt_fail(&diag, err, "%s", store_error(s));
    }
    store_close(s);
    free(conninfo);
    return ctl_end(&me, err, &diag);
}

int ctl_market(int argc, char **argv)
{
    const char *o[OPTIONS] = { NULL };
    struct export_policy policy = { 0 };
    struct export_partner partner;
    bool is_partner = argc > 1 && strcmp(argv[1], "partner") == 0;

    if (ctl_wants_help(argc, argv))
        return ctl_help(&me);
    if (argc < 2 || (!is_partner && strcmp(argv[1], "policy") != 0))
        return ctl_wrong_usage(&me, "policy or partner", NULL);
    int code = read_options(argc, argv, o);
    if (code == 0)
        code = is_partner ? check_partner(o, &partner) : check_policy(o, &policy);
    return code == 0 ? run(o, &policy, is_partner ? &partner : NULL) : code;
}
