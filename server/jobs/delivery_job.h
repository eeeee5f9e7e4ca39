/* The job "delivery": one try of one file at one target. What follows (another try, the second
 * target, an alarm) is ordered in the transaction that keeps how it ended. */
#ifndef EMT_JOBS_DELIVERY_JOB_H
#define EMT_JOBS_DELIVERY_JOB_H

#include "base/attr.h"
#include "base/error.h"
#include "base/seal.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct job;
struct store;
struct writer;

struct delivery_rules {
    const struct seal_key *master;
    /* Local targets stand below ROOT/<tenant's number>/; NULL: there are none. */
    const char *root;
    bool private_networks; /* targets may stand in them */
};

/* app: a synchronous store of role STORE_APP outside of a transaction. alive: keeps the lease while
 * the transfer lasts; false ends it. EMT_OK: the try is over and kept, however it ended; text says
 * how
 * ("delivered: …"). EMT_EAGAIN ended by alive; EMT_EDB. */
EMT_CHECKED enum emt_err delivery_job_run(struct store *app, const struct job *job,
                                          const struct delivery_rules *rules,
                                          bool (*alive)(void *ctx), void *ctx, char *text,
                                          size_t size);

/* The job "delivery-test": a sample to a target. *result gets {"outcome", "detail"}. EMT_OK also
 * when it was refused; EMT_ENOTFOUND no such target; EMT_EDB. */
EMT_CHECKED enum emt_err delivery_job_test(struct store *app, const struct job *job,
                                           const struct delivery_rules *rules,
                                           bool (*alive)(void *ctx), void *ctx,
                                           struct writer *result);

/* Orders the job of a delivery that waits; inside a transaction of the tenant. */
EMT_CHECKED enum emt_err delivery_job_order(struct store *s, int32_t tenant, int64_t delivery,
                                            int32_t in_s);

#endif
