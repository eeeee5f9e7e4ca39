#include "pack_job.h"

#include "loop/metrics.h"
#include "store/store.h"

#include <string.h>
#include <time.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* A pack whose rows somebody else holds is tried again after a moment, so many times. */
#define BUSY_TRIES 10
#define BUSY_MS 200

struct packing {
    struct store *s;
    int32_t tenant;
    bool (*step)(void *ctx, int64_t done, int64_t total);
    void *ctx;
    const struct pack_metrics *metrics;
    struct raw_pack_counts *sum;
};

void pack_metrics_make(struct pack_metrics *p, struct metrics *m)
{
    p->frames = metrics_counter(m, "emt_packing_frames_total", NULL, "Raw frames moved into packs");
    p->packs = metrics_counter(m, "emt_packing_packs_total", NULL, "Packs of raw frames written");
    p->bytes = metrics_counter(m, "emt_packing_bytes_total", NULL, "Bytes of these packs");
    p->skipped = metrics_counter(m, "emt_packing_skipped_total", NULL,
                                 "Raw frames left as rows, because they do not fit a pack");
}

static void count(struct packing *w, const struct raw_pack_counts *got)
{
    metric_add(w->metrics->frames, got->frames);
    metric_add(w->metrics->packs, got->packs);
    metric_add(w->metrics->bytes, got->bytes);
    metric_add(w->metrics->skipped, got->skipped);
    w->sum->frames += got->frames;
    w->sum->packs += got->packs;
    w->sum->bytes += got->bytes;
    w->sum->skipped += got->skipped;
}

static enum emt_err move_one(struct packing *w, int64_t gateway, emt_time day, int64_t *after,
                             bool *done)
{
    const struct timespec moment = { 0, BUSY_MS * 1000000L };
    struct raw_pack_counts got = { 0 };
    enum emt_err err = EMT_EAGAIN;

    for (unsigned i = 0; err == EMT_EAGAIN && i < BUSY_TRIES; i++) {
        if (i > 0)
            (void)nanosleep(&moment, NULL);
        err = raw_pack_move(w->s, w->tenant, gateway, day, after, done, &got);
    }
    count(w, &got);
    if (err == EMT_OK && !w->step(w->ctx, w->sum->frames, -1))
        err = EMT_EAGAIN;
    return err;
}

static enum emt_err pack_gateway(struct packing *w, int64_t gateway, emt_time day)
{
    int64_t after = INT64_MIN;
    enum emt_err err = EMT_OK;
    bool done = false;

    while (err == EMT_OK && !done)
        err = move_one(w, gateway, day, &after, &done);
    return err;
}

static enum emt_err pack_day(struct packing *w, emt_time day)
{
    int64_t gateway = INT64_MIN;
    enum emt_err err = EMT_OK;
    int n = 1;

    while (err == EMT_OK && n > 0) {
        struct store_result *r;

        err = raw_pack_gateways(w->s, w->tenant, day, gateway, &r);
        if (err != EMT_OK)
            break;
        n = store_rows(r);
        for (int i = 0; err == EMT_OK && i < n; i++) {
            gateway = c_int(r, i, 0);
            err = pack_gateway(w, gateway, day);
        }
        store_result_free(r);
    }
    return err;
}

enum emt_err pack_tenant(struct store *s, int32_t tenant, emt_time now,
                         bool (*step)(void *ctx, int64_t done, int64_t total), void *ctx,
                         const struct pack_metrics *metrics, struct raw_pack_counts *out)
{
    struct packing w = { s, tenant, step, ctx, metrics, out };
    emt_time closed, day, from = 0; /* nothing was stored before 1970 */

    memset(out, 0, sizeof *out);
    enum emt_err err = raw_pack_closed(s, tenant, now, &closed);
    while (err == EMT_OK) {
        err = raw_pack_next_day(s, tenant, from, closed, &day);
        if (err != EMT_OK || day == EMT_TIME_NONE)
            break;
        err = pack_day(&w, day);
        from = day + EMT_DAY;
    }
    return err;
}
