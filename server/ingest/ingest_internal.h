/* What the files of the batch engine share: ingest_source.c takes frames in, ingest.c brings them
 * into the database. */
#ifndef EMT_INGEST_INGEST_INTERNAL_H
#define EMT_INGEST_INGEST_INTERNAL_H

#include "batch.h"
#include "batch_run.h"
#include "ingest/ingest.h"
#include "ingest_metrics.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tenant_share {
    int32_t tenant;
    unsigned sessions;
    int64_t stalled_until_ms;
    int64_t stall_ms; /* the last wait; 0: none */
    size_t waiting;   /* frames in the queue or under way */
    size_t used;      /* of the budget */
    uint64_t batch;   /* the batch that taken belongs to */
    size_t taken;     /* bytes in that batch */
};

struct source {
    struct batch_source b;
    uint64_t ticket;
    uint64_t taken; /* highest sequence number taken */
    bool open;
    bool told;      /* that it is fenced */
    size_t pending; /* frames in the queue or under way */
    struct tenant_share *share;
};

struct ingest {
    struct loop *loop;
    struct ingest_handler handler;
    size_t budget_bytes;
    unsigned batch_rows, batch_ms;
    struct metrics *own_metrics;
    struct ingest_metrics m;
    struct scratch *scratch;
    struct registry *registry;
    struct batch_decoder *decoder;
    struct batch_run *run;
    struct db_link *link;
    struct loop_timer *close_timer, *wake_timer, *poll_timer, *drain_timer;

    struct map *sources; /* ticket → source */
    struct map *shares;  /* tenant → tenant_share */
    uint64_t next_ticket;
    unsigned tenants; /* with sessions */
    unsigned busy;    /* tenants with frames in the queue or under way */
    uint64_t batches; /* taken so far */

    struct batch_frame *head, **tail; /* collected */
    size_t queued;
    int64_t queued_since_ms;
    size_t used; /* of the budget */
    bool full;

    struct batch_frame **batch; /* under way */
    size_t nbatch, batch_cap;
    bool running;
    bool trying; /* the batch is of one tenant that was put off before */
    bool settle; /* the batch may be in the database already */
    bool asleep; /* … and waits a moment before it is asked */
    int64_t started_ms;
    unsigned rows_per_frame; /* running mean, in sixteenths */

    struct store *store; /* NULL while down */
    int64_t down_since_ms;
    bool polling, poll_due, polled;
    bool prepared; /* this connection */
    unsigned polls;

    bool draining;
    void (*drained)(void *ctx);
    void *drained_ctx;
};

/* The one place that starts something; called whenever something changed. ingest.c. */
void ingest_proceed(struct ingest *in);

/* Full at the budget, free again at three quarters of it; tells the owner when that changes. */
void ingest_feel_pressure(struct ingest *in);
/* What a frame takes of the budget. */
size_t ingest_cost(const struct batch_frame *f);
/* Gives that back. */
void ingest_pay(struct ingest *in, const struct batch_frame *f);
/* The frame is gone from queue and batch; paid: its cost was given back already. */
void ingest_release(struct ingest *in, struct batch_frame *f, bool paid);

#endif
