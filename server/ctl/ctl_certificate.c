#include "ctl_certificate.h"

#include "base/cipher.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/seal.h"
#include "ctl_database.h"
#include "ctl_options.h"
#include "jobs/crl_import.h"
#include "pki/import.h"
#include "store/audit_store.h"
#include "store/certificate_store.h"
#include "store/gateway_store.h"
#include "store/secret_store.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define PEM_MAX ((size_t)256 << 10)
#define PATH_LEN 2048

static const char usage[] =
    "usage: emtctl certificate list     --tenant KEY [WHERE]\n"
    "       emtctl certificate import   --tenant KEY --name TEXT --file PEM [--gateway ID [--logger]\n"
    "                                   [--proof PEM]] [--crl-url URL] [--crl-policy none|alarm|refuse]\n"
    "                                   [WHERE]\n"
    "       emtctl certificate remove   --tenant KEY --id N [WHERE]\n"
    "       emtctl certificate crl      --tenant KEY --id N --file FILE [WHERE]\n"
    "       emtctl certificate emt-list --tenant KEY [WHERE]\n"
    "       emtctl certificate emt-add  --tenant KEY --name TEXT --sig PEM --sig-key PEM --enc PEM\n"
    "                                   --enc-key PEM --tls PEM --tls-key PEM [WHERE]\n"
    "\n"
    "WHERE: --embedded DIR | --config FILE | --conninfo TEXT --master-key FILE\n"
    "  import    believes a CA; with --gateway one certificate, as that gateway's; with --logger on\n"
    "            the listener for devices of others; --proof: a certificate request of its key, with\n"
    "            O = tenant, CN = gateway\n"
    "  crl       takes the list of revoked certificates of an imported CA\n"
    "  emt-add   a new triple of the market participant; the ones before stay beside it\n"
    "exit: 0 done, 1 failed, 2 wrong usage\n";
static const struct ctl_command me = { .name = "emtctl certificate", .usage = usage };

struct options {
    const char *tenant, *name, *file, *gateway, *url, *policy, *id, *proof;
    const char *emt[3], *emt_key[3];
    const char *master;
    struct ctl_where where;
    bool logger;
};

static const char *const uses[] = { "sig", "enc", "tls" };

/* 0, or the exit code. */
static int read_options(int argc, char **argv, struct options *o)
{
    const struct ctl_option known[] = {
        { "--tenant", &o->tenant, NULL },
        { "--name", &o->name, NULL },
        { "--file", &o->file, NULL },
        { "--gateway", &o->gateway, NULL },
        { "--crl-url", &o->url, NULL },
        { "--crl-policy", &o->policy, NULL },
        { "--id", &o->id, NULL },
        { "--proof", &o->proof, NULL },
        { "--sig", &o->emt[0], NULL },
        { "--sig-key", &o->emt_key[0], NULL },
        { "--enc", &o->emt[1], NULL },
        { "--enc-key", &o->emt_key[1], NULL },
        { "--tls", &o->emt[2], NULL },
        { "--tls-key", &o->emt_key[2], NULL },
        { "--master-key", &o->master, NULL },
        { "--logger", NULL, &o->logger },
        CTL_WHERE(&o->where),
    };
    int words;
    int code = ctl_options_read(&me, argc, argv, 2, known, sizeof known / sizeof known[0], &words);

    if (code != 0)
        return code;
    if (o->tenant == NULL)
        return ctl_wrong_usage(&me, "--tenant is missing", NULL);
    return ctl_where_check(&me, &o->where);
}

/* What a command works with: an open transaction of the tenant. */
struct work {
    const struct options *o;
    struct store *s;
    int32_t tenant;
    struct emt_diag *diag;
};

static enum emt_err note(const struct work *w, const char *action, const char *object,
                         const char *detail)
{
    char actor[CTL_ACTOR_MAX];
    const struct audit_entry e = {
        .tenant = w->tenant, .actor = actor, .action = action, .object = object, .detail = detail
    };

    (void)ctl_actor(actor);
    return audit_append(w->s, &e);
}

static bool id_of(const struct options *o, int64_t *out)
{
    char *end = NULL;

    *out = o->id != NULL ? strtoll(o->id, &end, 10) : 0;
    return o->id != NULL && *end == '\0' && *out > 0;
}

/* ---- imports ---- */

static enum emt_err list(const struct work *w)
{
    struct store_result *r = NULL;
    enum emt_err err = import_list(w->s, w->tenant, 0, 1000, &r);

    for (int i = 0; err == EMT_OK && i < store_rows(r); i++) {
        char until[32];
        bool pinned = c_bool(r, i, IMPORT_PINNED);

        (void)printf("%" PRId64 "\t%s\t%s\t%s\t%s\t%s\tCRL %s\t%" PRId64 " sessions\n",
                     c_int(r, i, IMPORT_ID), c_text(r, i, IMPORT_PURPOSE),
                     pinned ? c_text(r, i, IMPORT_GATEWAY) : "CA", c_text(r, i, IMPORT_NAME),
                     c_text(r, i, IMPORT_SUBJECT),
                     time_format(c_time(r, i, IMPORT_NOT_AFTER), until),
                     c_null(r, i, IMPORT_CRL_NUMBER) ? "none" : c_text(r, i, IMPORT_CRL_NUMBER),
                     c_int(r, i, IMPORT_SESSIONS));
    }
    store_result_free(r);
    return err;
}

/* -1: no such policy. */
static int policy_of(const char *text)
{
    static const char *const names[] = { "none", "alarm", "refuse" };

    for (int i = 0; text != NULL && i < 3; i++)
        if (strcmp(text, names[i]) == 0)
            return i;
    return text == NULL ? 0 : -1;
}

/* What the holder of the key signed, if there is something. */
static enum emt_err check_proof(const struct work *w, const char *pem)
{
    const struct options *o = w->o;
    char *request = NULL;
    size_t n = 0;

    if (o->proof == NULL)
        return EMT_OK;
    enum emt_err err = file_read(o->proof, PEM_MAX, &request, &n, w->diag);
    if (err == EMT_OK)
        err = import_proof(pem, strlen(pem), request, n, o->tenant, o->gateway, w->diag);
    free(request);
    return err;
}

static enum emt_err insert(const struct work *w, struct import_row *row, const char *pem)
{
    const struct options *o = w->o;
    enum import_use use = !row->pinned ? IMPORT_AS_CA
                          : o->logger  ? IMPORT_AS_LOGGER
                                       : IMPORT_AS_GATEWAY;
    struct certificate_facts facts;
    int64_t id = 0;
    enum emt_err err = import_check(pem, strlen(pem), use, clock_now(), &facts, w->diag);

    if (err == EMT_OK)
        err = check_proof(w, pem);
    if (err != EMT_OK)
        return err;
    memcpy(row->fingerprint, facts.info.fingerprint, sizeof row->fingerprint);
    row->subject = facts.subject;
    row->serial = facts.info.serial;
    row->not_before = facts.info.not_before;
    row->not_after = facts.info.not_after;
    row->pem = pem;
    if (row->pinned)
        err = gateway_find(w->s, w->tenant, o->gateway, &row->gateway);
    if (err != EMT_OK)
        return emt_fail(w->diag, err, "there is no gateway %s", o->gateway);
    err = import_insert(w->s, w->tenant, row, &id);
    if (err == EMT_ECONFLICT)
        return emt_fail(w->diag, err, "it is imported, or somebody's already");
    if (err == EMT_OK)
        err = note(w, "certificate.import", row->name, row->serial);
    if (err == EMT_OK)
        (void)printf("%" PRId64 "\n", id);
    return err;
}

static enum emt_err import(const struct work *w)
{
    const struct options *o = w->o;
    struct import_row row = { .purpose = o->logger ? "logger" : "gateway",
                              .pinned = o->gateway != NULL,
                              .name = o->name,
                              .proven = o->proof != NULL,
                              .crl_url = o->url,
                              .crl_policy = policy_of(o->policy) };
    char *pem = NULL;
    size_t n = 0;
    enum emt_err err = file_read(o->file, PEM_MAX, &pem, &n, w->diag);

    if (err == EMT_OK)
        err = insert(w, &row, pem);
    free(pem);
    return err;
}

static enum emt_err remove_import(const struct work *w)
{
    int64_t id = 0;
    enum emt_err err = id_of(w->o, &id) ? import_delete(w->s, w->tenant, id) : EMT_ENOTFOUND;

    if (err == EMT_ENOTFOUND)
        return emt_fail(w->diag, err, "there is no import %s", w->o->id);
    return err == EMT_OK ? note(w, "certificate.remove", w->o->id, "") : err;
}

static enum emt_err take_crl(const struct work *w)
{
    struct crl_import_result res = { 0 };
    int64_t id = 0;
    char *data = NULL;
    size_t n = 0;
    enum emt_err err = file_read(w->o->file, CRL_MAX_BYTES, &data, &n, w->diag);

    if (err == EMT_OK)
        err = id_of(w->o, &id)
                  ? crl_import(w->s, w->tenant, id, data, n, false, clock_now(), &res, w->diag)
                  : emt_fail(w->diag, EMT_ENOTFOUND, "--id: no number");
    free(data);
    if (err == EMT_OK)
        err = note(w, "certificate.crl", w->o->id, res.info.number);
    if (err == EMT_OK)
        (void)printf("%zu entries, %u gateways revoked\n", res.info.entries, res.revoked);
    return err;
}

/* ---- the market participant ---- */

static enum emt_err emt_list(const struct work *w)
{
    struct store_result *r = NULL;
    enum emt_err err = emt_triple_list(w->s, w->tenant, 0, &r);

    for (int i = 0; err == EMT_OK && i < store_rows(r); i++) {
        char until[32];

        (void)printf("%" PRId64 "\t%s\t%s\t%s\t%s\t%s%s\n", c_int(r, i, 1), c_text(r, i, 2),
                     c_text(r, i, 4), c_text(r, i, 5), c_text(r, i, 6),
                     time_format(c_time(r, i, 9), until), c_bool(r, i, 10) ? "\tcurrent" : "");
    }
    store_result_free(r);
    return err;
}

static enum emt_err data_key(const struct work *w, struct seal_key *out)
{
    const struct options *o = w->o;
    struct seal_key master;
    char path[PATH_LEN];
    enum emt_err err = ctl_master_path(o->where.embedded, o->where.config, o->where.conninfo,
                                       o->master, path, sizeof path, w->diag);

    if (err == EMT_OK)
        err = seal_key_read(path, &master, w->diag);
    if (err != EMT_OK)
        return err;
    err = tenant_key_load(w->s, w->tenant, 0, &master, out);
    seal_key_wipe(&master);
    return err == EMT_EAUTH
               ? emt_fail(w->diag, err, "%s is not the master key of this database", path)
               : err;
}

static enum emt_err emt_add_one(const struct work *w, int64_t triple, unsigned use,
                                const struct seal_key *key)
{
    struct certificate_facts facts;
    char *chain = NULL;
    char *secret = NULL;
    size_t n = 0;
    size_t len = 0;
    enum emt_err err = file_read(w->o->emt[use], PEM_MAX, &chain, &n, w->diag);

    if (err == EMT_OK)
        err = file_read(w->o->emt_key[use], PEM_MAX, &secret, &len, w->diag);
    if (err == EMT_OK)
        err = emt_check(chain, n, secret, len, (enum emt_use)use, clock_now(), &facts, w->diag);
    if (err == EMT_OK) {
        struct emt_certificate_row row = { .use = uses[use],
                                           .chain_pem = chain,
                                           .key_pem = secret,
                                           .key_len = len,
                                           .subject = facts.subject,
                                           .serial = facts.info.serial,
                                           .not_before = facts.info.not_before,
                                           .not_after = facts.info.not_after };
        memcpy(row.fingerprint, facts.info.fingerprint, sizeof row.fingerprint);
        err = emt_certificate_insert(w->s, w->tenant, triple, &row, key);
    }
    if (secret != NULL)
        cipher_wipe(secret, len);
    free(secret);
    free(chain);
    return err;
}

static enum emt_err emt_add(const struct work *w)
{
    struct seal_key key;
    int64_t id = 0;
    enum emt_err err = data_key(w, &key);

    if (err != EMT_OK)
        return err;
    err = emt_triple_insert(w->s, w->tenant, w->o->name, &id);
    for (unsigned i = 0; err == EMT_OK && i < 3; i++)
        err = emt_add_one(w, id, i, &key);
    seal_key_wipe(&key);
    if (err == EMT_OK)
        err = note(w, "emt-certificate.create", w->o->name, "");
    if (err == EMT_OK)
        (void)printf("%" PRId64 "\n", id);
    return err;
}

/* ---- commands ---- */

static bool has_nothing(const struct options *o)
{
    (void)o;
    return true;
}

static bool has_import(const struct options *o)
{
    return o->name != NULL && o->file != NULL && policy_of(o->policy) >= 0 &&
           ((!o->logger && o->proof == NULL) || o->gateway != NULL) &&
           (o->gateway == NULL || (o->url == NULL && o->policy == NULL));
}

static bool has_id(const struct options *o)
{
    return o->id != NULL;
}

static bool has_list(const struct options *o)
{
    return o->id != NULL && o->file != NULL;
}

static bool has_triple(const struct options *o)
{
    bool all = o->name != NULL;

    for (unsigned i = 0; i < 3; i++)
        all = all && o->emt[i] != NULL && o->emt_key[i] != NULL;
    return all;
}

static const struct {
    const char *name;
    bool (*complete)(const struct options *o);
    enum emt_err (*run)(const struct work *w);
} commands[] = {
    { "list", has_nothing, list },         { "import", has_import, import },
    { "remove", has_id, remove_import },   { "crl", has_list, take_crl },
    { "emt-list", has_nothing, emt_list }, { "emt-add", has_triple, emt_add },
};

static enum emt_err run_on(const char *conninfo, const struct options *o,
                           enum emt_err (*run)(const struct work *w), struct emt_diag *diag)
{
    struct work w = { .o = o, .diag = diag };
    enum emt_err err = ctl_tenant(conninfo, o->tenant, &w.tenant, diag);

    if (err == EMT_OK)
        err = store_open(conninfo, STORE_APP, CTL_CONNECT_MS, &w.s, diag);
    if (err != EMT_OK)
        return err;
    err = store_begin(w.s, w.tenant);
    if (err == EMT_OK)
        err = run(&w);
    if (err == EMT_OK)
        err = store_commit(w.s);
    if (err != EMT_OK) {
        if (diag->text[0] == '\0')
            (void)emt_fail(diag, err, "%s", store_error(w.s));
        store_rollback(w.s);
    }
    store_close(w.s);
    return err;
}

int ctl_certificate(int argc, char **argv)
{
    struct options o = { 0 };
    struct emt_diag diag = { 0 };
    char *conninfo = NULL;
    size_t i = 0;

    if (ctl_wants_help(argc, argv))
        return ctl_help(&me);
    if (argc < 2)
        return ctl_wrong_usage(&me, NULL, NULL);
    while (i < sizeof commands / sizeof commands[0] && strcmp(argv[1], commands[i].name) != 0)
        i++;
    if (i == sizeof commands / sizeof commands[0])
        return ctl_wrong_usage(&me, "unknown command ", argv[1]);
    int code = read_options(argc, argv, &o);
    if (code != 0)
        return code;
    if (!commands[i].complete(&o))
        return ctl_wrong_usage(&me, "options are missing, or do not go together: ", argv[1]);
    enum emt_err err =
        ctl_conninfo(o.where.embedded, o.where.config, o.where.conninfo, &conninfo, &diag);
    if (err == EMT_OK)
        err = run_on(conninfo, &o, commands[i].run, &diag);
    free(conninfo);
    return ctl_end(&me, err, &diag);
}
