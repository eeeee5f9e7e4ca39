#include "claims.h"

#include "field_metrics.h"
#include "journal.h"
#include "loop/metrics.h"
#include "store/session_store.h"

#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* What a gateway says of itself is cut to this. */
#define FACT_MAX 128

enum claim_stage { CLAIM_WAITING, CLAIM_FINDING, CLAIM_CLAIMING };

struct claim {
    struct claim *next, **slot;
    struct claims *claims;
    struct session *session; /* NULL: gone meanwhile */
    enum claim_stage stage;
    unsigned calls; /* answers still to come */
    bool failed;
    bool found, fits;
    int64_t started_ms;
    int32_t tenant;
    int64_t gateway;
    enum session_refusal refusal;
    struct session_claimed claimed;
    struct session_peer peer; /* the session's, which may be gone */
    uint8_t spool_id[UPLINK_SPOOL_ID_LEN];
    char software[FACT_MAX + 1], hardware[FACT_MAX + 1], serial[FACT_MAX + 1];
};

struct claims {
    struct claims_settings settings;
    struct store *store;
    struct claim *first;
};

static const enum session_ending refusal_endings[] = {
    [SESSION_REFUSAL_NONE] = ENDING_UNKNOWN,        [SESSION_REFUSAL_UNKNOWN] = ENDING_UNKNOWN,
    [SESSION_REFUSAL_REVOKED] = ENDING_REVOKED,     [SESSION_REFUSAL_TENANT] = ENDING_WRONG_TENANT,
    [SESSION_REFUSAL_SUSPENDED] = ENDING_SUSPENDED, [SESSION_REFUSAL_CRL] = ENDING_CRL,
    [SESSION_REFUSAL_CLONE] = ENDING_CLONE,
};

struct claims *claims_new(const struct claims_settings *s)
{
    struct claims *c = calloc(1, sizeof *c);

    if (c)
        c->settings = *s;
    return c;
}

static void claim_free(struct claim *k)
{
    if (k->session)
        k->session->claim = NULL;
    *k->slot = k->next;
    if (k->next)
        k->next->slot = k->slot;
    free(k);
}

void claims_free(struct claims *c)
{
    if (!c)
        return;
    while (c->first)
        claim_free(c->first);
    free(c);
}

/* Cut at a character, so that it stays UTF-8. */
static void fact_copy(char out[FACT_MAX + 1], const char *text)
{
    size_t n = text ? strlen(text) : 0;

    if (n > FACT_MAX) {
        n = FACT_MAX;
        while (n > 0 && ((unsigned char)text[n] & 0xc0u) == 0x80u)
            n--;
    }
    if (n > 0)
        memcpy(out, text, n);
    out[n] = '\0';
}

/* ---- answers ---- */

static void claim_step(struct claim *k);

static void settle(struct claim *k, enum emt_err err)
{
    if (err != EMT_OK)
        k->failed = true;
    if (--k->calls == 0)
        claim_step(k);
}

static void on_found(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct claim *k = ctx;

    k->found = err == EMT_OK && session_read_find(r, &k->tenant, &k->gateway);
    settle(k, err);
}

static void on_facts(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct claim *k = ctx;

    k->refusal = err == EMT_OK ? session_read_facts(r) : SESSION_REFUSAL_NONE;
    settle(k, err);
}

static void on_claimed(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct claim *k = ctx;

    k->fits = err == EMT_OK && session_read_claimed(r, &k->claimed);
    settle(k, err);
}

static void on_segment(void *ctx, enum emt_err err, const struct store_result *r)
{
    (void)r;
    settle(ctx, err);
}

/* ---- questions ---- */

static void counted(struct claim *k, enum emt_err err)
{
    if (err == EMT_OK)
        k->calls++;
    else
        k->failed = true;
}

/* One call of our own is open while we queue, so that no answer settles half a segment. */
static void segment_end(struct claim *k, struct store *s)
{
    counted(k, session_send_end_of_segment(s, on_segment, k));
    k->claims->settings.queued(k->claims->settings.ctx);
    settle(k, EMT_OK);
}

static enum emt_err send_find_foreign(struct store *s, struct claim *k)
{
    const struct session_foreign f = {
        .fingerprint = k->peer.fingerprint,
        .anchor = k->peer.anchor,
        .common_name = k->peer.gateway,
        .serial = k->peer.serial,
        .not_before = k->peer.not_before,
        .not_after = k->peer.not_after,
    };

    return session_send_find_foreign(s, &f, on_found, k);
}

static void ask_who(struct claim *k)
{
    struct store *s = k->claims->store;

    k->stage = CLAIM_FINDING;
    k->failed = false;
    k->calls = 1;
    counted(k, k->peer.has_anchor ? send_find_foreign(s, k)
                                  : session_send_find(s, k->peer.fingerprint, on_found, k));
    segment_end(k, s);
}

static void ask_claim(struct claim *k)
{
    struct store *s = k->claims->store;
    struct session_claim c = {
        .tenant = k->tenant,
        .gateway = k->gateway,
        .fingerprint = k->peer.fingerprint,
        .organisation = k->peer.foreign ? NULL : k->peer.tenant,
        .external_id = k->peer.gateway,
        .node = k->claims->settings.node,
        .peer = k->peer.address,
        .tls = k->peer.tls,
        .spool_id = k->spool_id,
        .software = k->software,
        .hardware = k->hardware,
        .serial = k->serial,
    };

    k->stage = CLAIM_CLAIMING;
    k->failed = false;
    k->calls = 1;
    if (session_send_tenant(s, k->tenant) != EMT_OK)
        k->failed = true;
    counted(k, session_send_facts(s, &c, on_facts, k));
    counted(k, session_send_claim(s, &c, on_claimed, k));
    segment_end(k, s);
}

/* ---- results ---- */

static void refuse(struct claim *k, enum session_ending e)
{
    struct session *s = k->session;
    struct session_input in = { .refusal = e };

    metric_add(k->claims->settings.metrics->claims_refused, 1);
    claim_free(k);
    if (s)
        session_handle(s, EV_REFUSED, &in);
}

static void hold(struct claim *k)
{
    journal_alarm(k->claims->settings.journal, k->tenant, k->gateway, "clone", k->peer.address);
    refuse(k, ENDING_CLONE);
}

static void owned(struct claim *k)
{
    struct session *s = k->session;
    struct field_metrics *m = k->claims->settings.metrics;
    struct session_owned o = { k->tenant, k->gateway, k->claimed.epoch, k->claimed.last_seq };

    metric_add(m->claims_ok, 1);
    metric_observe_ms(m->claim_time, clock_mono_ms() - k->started_ms);
    if (!s)
        journal_end(k->claims->settings.journal, o.tenant, o.gateway, o.epoch, "gone");
    claim_free(k);
    if (s)
        session_handle(s, EV_CLAIMED, &(struct session_input){ .owned = &o });
}

/* All answers of a segment are there. */
static void claim_step(struct claim *k)
{
    if (k->failed) {
        metric_add(k->claims->settings.metrics->claims_failed, 1);
        k->stage = CLAIM_WAITING; /* claims_retry() or the next connection */
        if (!k->session)
            claim_free(k);
    } else if (k->stage == CLAIM_FINDING) {
        if (!k->found)
            refuse(k, ENDING_UNKNOWN);
        else if (!k->session)
            claim_free(k);
        else
            ask_claim(k);
    } else if (!k->fits) {
        refuse(k, refusal_endings[k->refusal]);
    } else if (k->claimed.held) {
        hold(k);
    } else {
        owned(k);
    }
}

/* ---- the outside ---- */

enum emt_err claims_add(struct claims *c, struct session *s, const struct uplink_hello *hello)
{
    struct claim *k = calloc(1, sizeof *k);

    if (!k)
        return EMT_ENOMEM;
    k->claims = c;
    k->session = s;
    k->peer = s->peer;
    k->started_ms = clock_mono_ms();
    memcpy(k->spool_id, hello->spool_id, sizeof k->spool_id);
    fact_copy(k->software, hello->software);
    fact_copy(k->hardware, hello->hardware);
    fact_copy(k->serial, hello->serial);
    k->next = c->first;
    k->slot = &c->first;
    if (k->next)
        k->next->slot = &k->next;
    c->first = k;
    s->claim = k;
    if (c->store)
        ask_who(k);
    return EMT_OK;
}

void claims_forget(struct session *s)
{
    struct claim *k = s->claim;

    if (!k)
        return;
    s->claim = NULL;
    k->session = NULL;
    if (k->stage == CLAIM_WAITING)
        claim_free(k);
}

void claims_retry(struct claims *c)
{
    if (!c->store)
        return;
    /* Asking may put a claim back to waiting at once, but never frees another one. */
    for (struct claim *k = c->first, *next; k; k = next) {
        next = k->next;
        if (k->stage == CLAIM_WAITING)
            ask_who(k);
    }
}

void claims_store(struct claims *c, struct store *s)
{
    c->store = s;
    claims_retry(c);
}
