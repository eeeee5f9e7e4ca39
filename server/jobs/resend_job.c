#include "resend_job.h"

#include "connectors/edi_reader.h"
#include "connectors/mscons_write.h"
#include "delivery_job.h"
#include "export_job.h"
#include "model/local_day.h"
#include "store/acknowledgement_store.h"
#include "store/delivery_store.h"
#include "store/export_store.h"
#include "store/job_store.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define TARGETS_MAX 100
/* As a delivery by hand: somebody looks on. */
#define RETRIES 3
#define RETRY_S 500
/* Columns of export_file_get() that are needed here. */
enum { FILE_PID = 2, FILE_RECEIVER = 4, FILE_FROM = 7, FILE_TO = 8, FILE_CONTENT = 13 };

struct resend {
    const struct job *job;
    char receiver[40];
    char document[4];
    struct export_order order;
    int64_t targets[TARGETS_MAX];
    size_t n_targets;
    struct store_array *notes;
    bool written;
};

/* Where the old file arrived, or was to arrive when it did nowhere. */
static enum emt_err load_targets(struct resend *r, struct store *app)
{
    struct store_result *d = NULL;
    bool arrived = false;
    enum emt_err err = delivery_list(app, r->job->tenant, r->job->subject, -1, 0, TARGETS_MAX, &d);

    for (int i = 0; err == EMT_OK && i < store_rows(d); i++)
        arrived = arrived || c_int(d, i, DELIVERY_STATE) == DELIVERY_STATE_DELIVERED;
    for (int i = 0; err == EMT_OK && i < store_rows(d); i++) {
        if (!arrived || c_int(d, i, DELIVERY_STATE) == DELIVERY_STATE_DELIVERED)
            r->targets[r->n_targets++] = c_int(d, i, DELIVERY_TARGET);
    }
    store_result_free(d);
    return err;
}

/* A job that begins again finds the file replaced by its own one. */
static enum emt_err check_state(const struct resend *r, struct store *app, char *error, size_t size)
{
    struct store_result *f = NULL;
    enum emt_err err = sent_file_facts(app, r->job->tenant, r->job->subject, &f);

    if (err == EMT_ENOTFOUND)
        (void)snprintf(error, size, "no such file");
    if (err == EMT_OK && c_int(f, 0, SENT_FILE_STATE) != EXPORT_REJECTED &&
        c_int(f, 0, SENT_FILE_STATE) != EXPORT_REFUSED) {
        (void)snprintf(error, size, "the file is not rejected");
        err = EMT_ECONFLICT;
    }
    store_result_free(f);
    return err;
}

/* A cancellation takes back once more what stands since it was rejected, and nothing else. */
static enum emt_err load_cancelled(struct resend *r, struct store *app, char *error, size_t size)
{
    int64_t use_case = 0;
    enum emt_err err = export_cancelled_case(app, r->job->tenant, r->job->subject, &use_case);

    if (err == EMT_ENOTFOUND) {
        (void)snprintf(error, size, "what the file took back is gone");
        return EMT_ECONFLICT;
    }
    r->order.cancels = (unsigned)use_case;
    return err;
}

/* UNB DE0035 of what was sent: the place of a test file is not taken by one in earnest; and what
 * kind of document its messages are, those that take others back among them. */
static void read_head(struct resend *r, const struct store_result *f)
{
    struct edi_reader in;
    struct edi_segment seg;
    size_t n = 0;
    const uint8_t *p = c_bytes(f, 0, FILE_CONTENT, &n);

    if (edi_reader_init(&in, p, n) != EMT_OK || edi_reader_next(&in, &seg) != EMT_OK)
        return;
    r->order.test = strcmp(edi_value(&seg, 11, 1), "1") == 0;
    while (edi_reader_next(&in, &seg) == EMT_OK && !edi_is(&seg, "BGM"))
        ;
    snprintf(r->document, sizeof r->document, "%.3s", edi_value(&seg, 1, 1));
    if (mscons_has_document(r->order.pid, r->document))
        r->order.document = r->document;
}

static enum emt_err load(struct resend *r, struct store *app, char *error, size_t size)
{
    struct store_result *f = NULL;
    enum emt_err err = store_begin(app, r->job->tenant);

    if (err == EMT_OK)
        err = check_state(r, app, error, size);
    if (err == EMT_OK)
        err = export_file_get(app, r->job->tenant, r->job->subject, &f);
    if (err == EMT_OK) {
        snprintf(r->receiver, sizeof r->receiver, "%s", c_text(f, 0, FILE_RECEIVER));
        r->order.pid = (unsigned)strtoul(c_text(f, 0, FILE_PID), NULL, 10);
        r->order.from = local_date_of(c_time(f, 0, FILE_FROM));
        r->order.to = local_date_of(c_time(f, 0, FILE_TO));
        read_head(r, f);
        r->order.again = r->job->subject;
        err = load_targets(r, app);
    }
    if (err == EMT_OK && r->order.pid == 13006)
        err = load_cancelled(r, app, error, size);
    store_result_free(f);
    store_rollback(app);
    if (err == EMT_EDB)
        (void)snprintf(error, size, "%s", store_error(app));
    return err;
}

static enum emt_err note_other_party(struct resend *r, int64_t target)
{
    char line[120];

    snprintf(line, sizeof line, "not sent to target %lld: it takes files of another party only",
             (long long)target);
    return store_array_text(r->notes, line) ? EMT_OK : EMT_ENOMEM;
}

/* Inside a transaction of the tenant; also for files of an earlier run. */
static enum emt_err take_file(void *ctx, struct store *app, int64_t file_id)
{
    struct resend *r = ctx;
    r->written = true;
    enum emt_err err = sent_file_replaces(app, r->job->tenant, file_id, r->job->subject);

    for (size_t i = 0; err == EMT_OK && i < r->n_targets; i++) {
        struct delivery_order order = { .file = file_id,
                                        .target = r->targets[i],
                                        .retries = RETRIES,
                                        .retry_s = RETRY_S,
                                        .created_by = r->job->created_by };
        int64_t id = 0;

        err = delivery_add(app, r->job->tenant, &order, &id);
        if (err == EMT_ESTATE) { /* became another party's */
            err = note_other_party(r, order.target);
            continue;
        }
        if (err == EMT_OK)
            err = delivery_job_order(app, r->job->tenant, id, 0);
    }
    return err;
}

enum emt_err resend_job_run(struct store *app, const struct job *job,
                            bool (*step)(void *ctx, int64_t done, int64_t total), void *ctx,
                            struct store_array *notes, char *error, size_t size)
{
    struct resend r = { .job = job, .notes = notes };
    enum emt_err err = load(&r, app, error, size);

    if (err != EMT_OK)
        return err;
    r.order.receiver = r.receiver;
    r.order.only_changes = true;
    r.order.actor = job->created_by;
    r.order.file = take_file;
    r.order.file_ctx = &r;
    err = export_job_order_run(app, job, &r.order, step, ctx, notes, error, size);
    if (err == EMT_OK && !r.written && store_array_count(notes) == 0 &&
        !store_array_text(notes, "nothing to send: the partner holds the same from another file,"
                                 " or the places are another partner's now"))
        err = EMT_ENOMEM;
    return err;
}
