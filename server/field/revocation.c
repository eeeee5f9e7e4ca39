#include "revocation.h"

#include "base/log.h"
#include "pki/trust.h"
#include "store/session_store.h"

#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

struct revocation {
    struct trust *trust;
    void (*changed)(void *ctx);
    void (*queued)(void *ctx);
    void *ctx;
    unsigned calls; /* 0: nothing under way */
    int foreign;    /* authorities that came from elsewhere, as of the last poll */
};

struct revocation *revocation_new(struct trust *trust, void (*changed)(void *ctx),
                                  void (*queued)(void *ctx), void *ctx)
{
    struct revocation *r = calloc(1, sizeof *r);

    if (r)
        *r = (struct revocation){ trust_ref(trust), changed, queued, ctx, 0, 0 };
    return r;
}

void revocation_free(struct revocation *r)
{
    if (!r)
        return;
    trust_unref(r->trust);
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
    if (trust_set_revoked(r->trust, (const uint8_t(*)[32])set, n) != EMT_OK)
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

static void on_segment(void *ctx, enum emt_err err, const struct store_result *res)
{
    struct revocation *r = ctx;

    (void)err;
    (void)res;
    r->calls--;
}

void revocation_poll(struct revocation *r, struct store *s)
{
    if (!s || r->calls > 0)
        return;
    if (session_send_revoked(s, on_revoked, r) == EMT_OK)
        r->calls++;
    if (session_send_foreign(s, on_foreign, r) == EMT_OK)
        r->calls++;
    if (session_send_end_of_segment(s, on_segment, r) == EMT_OK)
        r->calls++;
    r->queued(r->ctx);
}
