#include "export_job.h"

#include "base/clock.h"
#include "export/mscons_export.h"
#include "store/audit_store.h"
#include "store/job_store.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define NOTES_MAX 5000

struct running {
    struct store *app;
    const struct job *job;
    const struct export_order *order;
    bool (*step)(void *ctx, int64_t done, int64_t total);
    void *ctx;
    struct store_array *notes;
};

/* Who wrote it is noted with the file or not at all. */
static enum emt_err keep_file(void *ctx, struct store *s, int64_t file_id, const char *name,
                              int messages)
{
    struct running *r = ctx;
    char detail[64];
    struct audit_entry entry = { .tenant = r->job->tenant,
                                 .actor = r->order->actor,
                                 .action = "export.mscons",
                                 .object = name,
                                 .detail = detail };

    (void)file_id;
    (void)snprintf(detail, sizeof detail, "%d messages, job %lld", messages, (long long)r->job->id);
    return audit_append(s, &entry);
}

static enum emt_err take_file(void *ctx, int64_t file_id, const char *name, const void *content,
                              size_t len, int messages)
{
    struct running *r = ctx;

    (void)name;
    (void)content;
    (void)len;
    (void)messages;
    if (r->order->file == NULL)
        return EMT_OK;
    enum emt_err err = store_begin(r->app, r->job->tenant);
    if (err == EMT_OK)
        err = r->order->file(r->order->file_ctx, r->app, file_id);
    if (err == EMT_OK)
        return store_commit(r->app);
    store_rollback(r->app);
    return err;
}

static void take_note(void *ctx, const char *text)
{
    struct running *r = ctx;

    /* An array without memory fails the statement that keeps the result. */
    if (store_array_count(r->notes) < NOTES_MAX)
        (void)store_array_text(r->notes, text);
}

static bool take_step(void *ctx, int64_t done, int64_t total)
{
    struct running *r = ctx;

    return r->step(r->ctx, done, total);
}

enum emt_err export_job_order_run(struct store *app, const struct job *job,
                                  const struct export_order *order,
                                  bool (*step)(void *ctx, int64_t done, int64_t total), void *ctx,
                                  struct store_array *notes, char *error, size_t size)
{
    struct running r = { app, job, order, step, ctx, notes };
    struct mscons_export_handler h = {
        .keep = keep_file, .file = take_file, .note = take_note, .ctx = &r, .step = take_step
    };
    struct mscons_export_request req = { .tenant = job->tenant,
                                         .pid = order->pid,
                                         .from = order->from,
                                         .to = order->to,
                                         .location = order->location,
                                         .receiver = order->receiver,
                                         .only_changes = order->only_changes,
                                         .document = order->document,
                                         .cancels = order->cancels,
                                         .again = order->again,
                                         .now = clock_now(),
                                         .test = order->test,
                                         .hold_gaps = order->hold_gaps,
                                         .job = job->id };
    struct emt_diag diag = { 0 };
    enum emt_err err = mscons_export_run(app, &req, &h, &diag);

    if (err != EMT_OK)
        (void)snprintf(error, size, "%s",
                       diag.text[0]            ? diag.text
                       : err == EMT_EMALFORMED ? "a stored value is damaged: see the log"
                                               : emt_err_name(err));
    return err;
}

enum emt_err export_job_run(struct store *app, const struct job *job,
                            bool (*step)(void *ctx, int64_t done, int64_t total), void *ctx,
                            struct store_array *notes, char *error, size_t size)
{
    struct export_order order = { .pid = job->pid,
                                  .location = job->location[0] ? job->location : NULL,
                                  .test = job->test,
                                  .hold_gaps = job->hold_gaps,
                                  .only_changes = job->only_changes,
                                  .document = job->document[0] ? job->document : NULL,
                                  .cancels = job->cancels,
                                  .actor = job->created_by };
    enum emt_err err = local_date_parse(job->from, &order.from);

    if (err == EMT_OK)
        err = local_date_parse(job->to, &order.to);
    if (err != EMT_OK) {
        (void)snprintf(error, size, "the period is none");
        return err;
    }
    return export_job_order_run(app, job, &order, step, ctx, notes, error, size);
}
