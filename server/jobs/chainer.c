#include "chainer.h"

#include "base/log.h"
#include "jobs/audit_chain.h"
#include "loop/metrics.h"
#include "stepper.h"

#include <stdlib.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define STEP_MS 1000

struct chainer {
    struct stepper stepper;
    struct seal_key master;
    struct metric *linked, *failed;
};

static int64_t step(void *ctx, struct store *admin)
{
    struct chainer *c = ctx;
    struct emt_diag diag = { 0 };
    int64_t linked = 0;
    enum emt_err err = audit_chain_step(admin, &c->master, &linked, &diag);

    metric_add(c->linked, linked);
    if (err == EMT_OK || err == EMT_EAGAIN)
        return STEP_MS;
    metric_add(c->failed, 1);
    LOG_ERROR("audit-not-linked", LOG_S("error", diag.text));
    return STEPPER_FAILED;
}

enum emt_err chainer_start(const char *conninfo, const struct seal_key *master, struct metrics *m,
                           struct chainer **out, struct emt_diag *diag)
{
    struct chainer *c = calloc(1, sizeof *c);

    if (!c)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    c->master = *master;
    c->linked = metrics_counter(m, "emt_audit_linked_total", NULL, "Audit entries linked");
    c->failed = metrics_counter(m, "emt_audit_link_failures_total", NULL,
                                "Attempts to link the audit that failed");
    enum emt_err err = stepper_start(&c->stepper, conninfo, step, c, "the audit's", diag);
    if (err != EMT_OK) {
        chainer_stop(c);
        return err;
    }
    *out = c;
    return EMT_OK;
}

void chainer_stop(struct chainer *c)
{
    if (!c)
        return;
    stepper_stop(&c->stepper);
    seal_key_wipe(&c->master);
    free(c);
}
