#include "revocation.h"

#include "base/log.h"
#include "pki/trust.h"
#include "store/session_store.h"

#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

struct revocation {
    struct trust *trust, *logger;
    void (*changed)(void *ctx);
    void (*queued)(void *ctx);
    void *ctx;
    struct store *store; /* of the poll under way */
    bool asked;          /* for the imports, in this poll */
    bool again;          /* asked for while it was under way */
    unsigned calls;      /* 0: nothing under way */
    int64_t version;     /* of the imported certificates, as they were taken */
    int64_t newest;      /* … as the database has them */
    int foreign;         /* authorities that came from elsewhere, as of the last poll */
};

struct revocation *revocation_new(struct trust *trust, struct trust *logger,
                                  void (*changed)(void *ctx), void (*queued)(void *ctx), void *ctx)
{
    struct revocation *r = calloc(1, sizeof *r);

    if (r)
        *r = (struct revocation){ .trust = trust_ref(trust),
                                  .logger = logger ? trust_ref(logger) : NULL,
                                  .changed = changed,
                                  .queued = queued,
                                  .ctx = ctx };
    return r;
}

void revocation_free(struct revocation *r)
{
    if (!r)
        return;
    trust_unref(r->trust);
    trust_unref(r->logger);
    free(r);
}

static void take(struct revocation *r, const struct store_result *res)
{
    int rows = store_rows(res);
    size_t n = 0;
    uint8_t(*set)[32] = malloc((rows > 0 ? (size_t)rows : 1) * sizeof *set);
    uint64_t epoch = trust_epoch(r->trust);

    if (!set)
        return; /* the next poll */
    for (int i = 0; i < rows; i++)
        if (session_read_revoked(res, i, set[n]))
            n++;
    if (trust_set_revoked(r->trust, (const uint8_t(*)[32])set, n) != EMT_OK ||
        (r->logger && trust_set_revoked(r->logger, (const uint8_t(*)[32])set, n) != EMT_OK))
        LOG_ERROR("revocations-not-taken", LOG_I("certificates", n));
    free(set);
    if (trust_epoch(r->trust) != epoch) {
        LOG_INFO("revocations", LOG_I("certificates", n));
        r->changed(r->ctx);
    }
}

static void on_revoked(void *ctx, enum emt_err err, const struct store_result *res)
{
    struct revocation *r = ctx;

    r->calls--;
    if (err == EMT_OK)
        take(r, res);
}

/* A tenant that came from another installation brings its authority, which no root here vouches
 * for. Whom it names is still decided by the directory of certificates. */
static void on_foreign(void *ctx, enum emt_err err, const struct store_result *res)
{
    struct revocation *r = ctx;
    struct emt_diag diag = { 0 };

    r->calls--;
    if (err != EMT_OK || store_rows(res) == r->foreign)
        return;
    r->foreign = store_rows(res);
    for (int i = 0; i < r->foreign; i++) {
        const char *pem = c_text(res, i, 0);

        if (trust_add_pem(r->trust, pem, strlen(pem), &diag) != EMT_OK)
            LOG_ERROR("authority-not-taken", LOG_S("error", diag.text));
    }
    LOG_INFO("authorities-from-elsewhere", LOG_I("authorities", r->foreign));
}

/* ---- imported certificates ---- */

/* Those of one listener's purpose. */
static bool set_imports(struct trust *t, const struct store_result *res, bool logger, size_t *n)
{
    int rows = store_rows(res);
    struct trust_import *list = calloc(rows > 0 ? (size_t)rows : 1, sizeof *list);
    struct emt_diag diag = { 0 };
    size_t bad = 0;

    *n = 0;
    if (!list)
        return false;
    for (int i = 0; i < rows; i++) {
        struct session_import in;

        session_read_import(res, i, &in);
        if (in.logger == logger)
            list[(*n)++] = (struct trust_import){ in.pem, in.pinned, in.crl, in.crl_len };
    }
    bool ok = trust_set_imports(t, list, *n, &bad, &diag) == EMT_OK;
    free(list);
    if (bad > 0)
        LOG_ERROR("imports-not-read", LOG_I("certificates", bad), LOG_S("error", diag.text));
    return ok;
}

static void on_imports(void *ctx, enum emt_err err, const struct store_result *res)
{
    struct revocation *r = ctx;
    size_t gateways = 0;
    size_t loggers = 0;

    r->calls--;
    if (err != EMT_OK || !set_imports(r->trust, res, false, &gateways) ||
        (r->logger && !set_imports(r->logger, res, true, &loggers)))
        return; /* the next poll */
    r->version = r->newest;
    LOG_INFO("imports", LOG_I("gateways", gateways), LOG_I("loggers", loggers));
    r->changed(r->ctx);
}

static void on_version(void *ctx, enum emt_err err, const struct store_result *res)
{
    struct revocation *r = ctx;

    r->calls--;
    if (err == EMT_OK && store_rows(res) == 1)
        r->newest = c_int(res, 0, 0);
}

static void on_segment(void *ctx, enum emt_err err, const struct store_result *res);

/* Once for each poll, so that what cannot be taken is tried again by the clock. */
static void ask_imports(struct revocation *r)
{
    r->asked = true;
    if (session_send_imports(r->store, on_imports, r) == EMT_OK)
        r->calls++;
    if (session_send_end_of_segment(r->store, on_segment, r) == EMT_OK)
        r->calls++;
    r->queued(r->ctx);
}

static void on_segment(void *ctx, enum emt_err err, const struct store_result *res)
{
    struct revocation *r = ctx;

    (void)res;
    r->calls--;
    if (err != EMT_OK || r->calls > 0)
        return;
    if (r->newest != r->version && !r->asked)
        ask_imports(r);
    else if (r->again)
        revocation_poll(r, r->store);
}

void revocation_poll(struct revocation *r, struct store *s)
{
    if (!s)
        return;
    r->again = r->calls > 0;
    if (r->again)
        return;
    r->store = s;
    r->asked = false;
    if (session_send_revoked(s, on_revoked, r) == EMT_OK)
        r->calls++;
    if (session_send_foreign(s, on_foreign, r) == EMT_OK)
        r->calls++;
    if (session_send_trust_version(s, on_version, r) == EMT_OK)
        r->calls++;
    if (session_send_end_of_segment(s, on_segment, r) == EMT_OK)
        r->calls++;
    r->queued(r->ctx);
}
