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

/* Claims of one segment: what comes in a storm shares round trips and commits. */
#define BATCH_MAX 64

enum claim_stage {
    CLAIM_WAITING,   /* for a batch */
    CLAIM_UNDER_WAY, /* in the batch */
    CLAIM_FAILED,    /* for the next second, or the next connection */
};

struct claim {
    struct claim *next, *prev;
    struct claims *claims;
    struct session *session; /* NULL: gone meanwhile */
    enum claim_stage stage;
    bool alone; /* its batch failed: it, or a neighbour, is at fault */
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

/* What is asked about all claims of a batch, a segment each. */
enum batch_step { BATCH_FIND, BATCH_CLAIM, BATCH_FACTS, BATCH_DONE };

struct claims {
    struct claims_settings settings;
    struct store *store;
    struct claim *first, *last; /* in the order in which they came */
    struct claim *batch[BATCH_MAX];
    unsigned nbatch; /* 0: none is under way */
    enum batch_step step;
    unsigned calls; /* answers still to come */
    bool failed, unsent;
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
    struct claims *c = k->claims;

    if (k->session)
        k->session->claim = NULL;
    if (k->prev)
        k->prev->next = k->next;
    else
        c->first = k->next;
    if (k->next)
        k->next->prev = k->prev;
    else
        c->last = k->prev;
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

/* All is known of this claim. */
static void conclude(struct claim *k)
{
    if (!k->found)
        refuse(k, ENDING_UNKNOWN);
    else if (!k->fits && k->session)
        refuse(k, refusal_endings[k->refusal]);
    else if (!k->fits)
        claim_free(k); /* gone before it was asked for */
    else if (k->claimed.held)
        hold(k);
    else
        owned(k);
}

/* Nothing is known: each again by itself, or, where it was by itself, in a second. */
static void put_back(struct claims *c)
{
    bool wait = c->nbatch == 1 || c->unsent || !c->store;

    for (unsigned i = 0; i < c->nbatch; i++) {
        struct claim *k = c->batch[i];
        metric_add(c->settings.metrics->claims_failed, 1);
        k->stage = wait ? CLAIM_FAILED : CLAIM_WAITING;
        k->alone = !c->unsent;
        if (!k->session)
            claim_free(k);
    }
}

/* ---- a batch ---- */

static void batch_next(struct claims *c);
static void batch_start(struct claims *c);

static void settle(struct claims *c, enum emt_err err)
{
    if (err != EMT_OK)
        c->failed = true;
    if (--c->calls == 0)
        batch_next(c);
}

static void on_found(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct claim *k = ctx;

    k->found = err == EMT_OK && session_read_find(r, &k->tenant, &k->gateway);
    settle(k->claims, err);
}

static void on_claimed(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct claim *k = ctx;

    k->fits = err == EMT_OK && session_read_claimed(r, &k->claimed);
    settle(k->claims, err);
}

static void on_facts(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct claim *k = ctx;

    k->refusal = err == EMT_OK ? session_read_facts(r) : SESSION_REFUSAL_NONE;
    settle(k->claims, err);
}

static void on_segment(void *ctx, enum emt_err err, const struct store_result *r)
{
    (void)r;
    settle(ctx, err);
}

static void counted(struct claims *c, enum emt_err err)
{
    if (err == EMT_OK)
        c->calls++;
    else
        c->failed = c->unsent = true;
}

static struct session_claim facts_of(const struct claim *k)
{
    return (struct session_claim){
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
}

/* Is there something to ask about this claim in this step? */
static bool concerned(const struct claim *k, enum batch_step step)
{
    switch (step) {
    case BATCH_FIND:
        return true;
    case BATCH_CLAIM:
        return k->found && k->session;
    case BATCH_FACTS: /* rare: why it did not fit */
        return k->found && k->session && !k->fits;
    case BATCH_DONE:
        break;
    }
    return false;
}

static enum emt_err send_find(struct store *s, struct claim *k)
{
    const struct session_foreign f = {
        .fingerprint = k->peer.fingerprint,
        .anchor = k->peer.anchor,
        .common_name = k->peer.gateway,
        .serial = k->peer.serial,
        .not_before = k->peer.not_before,
        .not_after = k->peer.not_after,
    };

    return k->peer.has_anchor ? session_send_find_foreign(s, &f, on_found, k)
                              : session_send_find(s, k->peer.fingerprint, on_found, k);
}

static void ask(struct claim *k, enum batch_step step)
{
    struct claims *c = k->claims;
    struct session_claim facts = facts_of(k);

    if (step == BATCH_FIND) {
        counted(c, send_find(c->store, k));
        return;
    }
    if (session_send_tenant(c->store, k->tenant) != EMT_OK)
        c->failed = c->unsent = true;
    if (step == BATCH_CLAIM)
        counted(c, session_send_claim(c->store, &facts, on_claimed, k));
    else
        counted(c, session_send_facts(c->store, &facts, on_facts, k));
}

/* One call of our own is open while we queue, so that no answer settles half a segment. false:
 * there is nothing to ask. */
static bool ask_all(struct claims *c)
{
    unsigned n = 0;

    c->failed = c->unsent = false;
    c->calls = 1;
    for (unsigned i = 0; i < c->nbatch; i++) {
        if (!concerned(c->batch[i], c->step))
            continue;
        ask(c->batch[i], c->step);
        n++;
    }
    if (n == 0)
        return false;
    counted(c, session_send_end_of_segment(c->store, on_segment, c));
    c->settings.queued(c->settings.ctx);
    settle(c, EMT_OK);
    return true;
}

/* By gateway: two batches that lock the same rows do so in the same order. */
static int by_gateway(const void *a, const void *b)
{
    const struct claim *x = *(struct claim *const *)a, *y = *(struct claim *const *)b;

    if (x->tenant != y->tenant)
        return x->tenant < y->tenant ? -1 : 1;
    return (x->gateway > y->gateway) - (x->gateway < y->gateway);
}

/* What is told may add claims, and end sessions of others: the batch is ours no longer then. */
static void batch_end(struct claims *c)
{
    struct claim *ended[BATCH_MAX];
    unsigned n = c->nbatch;

    if (c->failed) {
        put_back(c);
        c->nbatch = 0;
        return;
    }
    memcpy(ended, c->batch, n * sizeof ended[0]);
    for (unsigned i = 0; i < n; i++)
        conclude(ended[i]);
    c->nbatch = 0;
}

/* The answers of a segment are there. */
static void batch_next(struct claims *c)
{
    if (c->step == BATCH_FIND)
        qsort(c->batch, c->nbatch, sizeof c->batch[0], by_gateway);
    while (!c->failed && c->store && ++c->step < BATCH_DONE) {
        if (ask_all(c))
            return;
    }
    c->failed = c->failed || c->step < BATCH_DONE;
    batch_end(c);
    if (!c->unsent) /* else in a second */
        batch_start(c);
}

static void batch_start(struct claims *c)
{
    struct claim *next;

    if (!c->store || c->nbatch > 0)
        return;
    for (struct claim *k = c->first; k && c->nbatch < BATCH_MAX; k = next) {
        next = k->next;
        if (k->stage != CLAIM_WAITING || (k->alone && c->nbatch > 0))
            continue;
        k->stage = CLAIM_UNDER_WAY;
        k->found = k->fits = false;
        c->batch[c->nbatch++] = k;
        if (k->alone)
            break;
    }
    c->step = BATCH_FIND;
    if (c->nbatch > 0)
        (void)ask_all(c); /* each is asked about */
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
    k->prev = c->last;
    if (k->prev)
        k->prev->next = k;
    else
        c->first = k;
    c->last = k;
    s->claim = k;
    batch_start(c);
    return EMT_OK;
}

void claims_forget(struct session *s)
{
    struct claim *k = s->claim;

    if (!k)
        return;
    s->claim = NULL;
    k->session = NULL;
    if (k->stage != CLAIM_UNDER_WAY)
        claim_free(k);
}

void claims_retry(struct claims *c)
{
    if (!c->store)
        return;
    for (struct claim *k = c->first; k; k = k->next) {
        if (k->stage == CLAIM_FAILED)
            k->stage = CLAIM_WAITING;
    }
    batch_start(c);
}

void claims_store(struct claims *c, struct store *s)
{
    c->store = s;
    claims_retry(c);
}
