/* One transaction per file: the number is taken, the values are read, the file is written to memory
 * and stored with its number. Only what is committed is handed out, so a crash at any point neither
 * reuses a number nor loses a file. */
#include "export/mscons_export.h"

#include "connectors/mscons_number.h"
#include "connectors/mscons_write.h"
#include "model/market_id.h"
#include "mscons_place.h"
#include "store/export_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define FILE_BYTES_MAX (256u << 20)
#define NOTES_BYTES_MAX (1u << 20)

/* Notes go to the caller and, with the file, into the database. */
struct note_tap {
    const struct mscons_export_handler *handler;
    struct writer text;
};

static void tap_note(void *ctx, const char *text)
{
    struct note_tap *tap = ctx;

    /* A list cut at its limit is still a list: the caller has all of it. */
    if (tap->text.len + strlen(text) + 1 < NOTES_BYTES_MAX)
        writer_printf(&tap->text, "%s\n", text);
    if (tap->handler->note != NULL)
        tap->handler->note(tap->handler->ctx, text);
}

static enum location_kind kind_of_pid(unsigned pid)
{
    return pid == 13025 ? LOCATION_MALO : LOCATION_MELO;
}

static enum emt_err check_request(const struct mscons_export_request *req, struct emt_diag *diag)
{
    if (req->pid != 13017 && req->pid != 13018 && req->pid != 13025)
        return emt_fail(diag, EMT_EUNSUPPORTED,
                        "pid %u: this version writes 13017, 13018 and 13025", req->pid);
    emt_time from = local_day_start(req->from);
    emt_time to = local_day_start(req->to);
    if (from == EMT_TIME_NONE || to == EMT_TIME_NONE || from >= to)
        return emt_fail(diag, EMT_EMALFORMED, "period: 'from' must be a day before 'to'");
    if (to - from > (MSCONS_EXPORT_DAYS_MAX + 1) * EMT_DAY)
        return emt_fail(diag, EMT_EMALFORMED, "period: longer than %d days",
                        MSCONS_EXPORT_DAYS_MAX);
    if (req->location != NULL) {
        return kind_of_pid(req->pid) == LOCATION_MALO ? malo_check(req->location, diag)
                                                      : melo_check(req->location, diag);
    }
    return EMT_OK;
}

/* End of the rows that share a column's text with row `first`. */
static int group_end(const struct store_result *rows, int first, int column)
{
    int i = first + 1;

    while (i < store_rows(rows) &&
           strcmp(c_text(rows, i, column), c_text(rows, first, column)) == 0)
        i++;
    return i;
}

static enum emt_err write_places(struct mscons_run *run, const struct store_result *rows, int first,
                                 int end)
{
    while (first < end) {
        int next = group_end(rows, first, EXPORT_LOCATION_CODE);
        enum emt_err err = mscons_place(run, rows, first, next < end ? next : end);

        if (err != EMT_OK)
            return err;
        first = next;
    }
    return EMT_OK;
}

struct file_job {
    struct store *store;
    const struct mscons_export_request *req;
    const struct export_tenant *tenant;
    const char *receiver;
    struct note_tap *tap;
    struct export_file head;
    char reference[MSCONS_NUMBER_MAX];
    char name[MSCONS_FILE_NAME_MAX];
    struct writer content;
    int messages;
    int64_t file_id;
};

static enum emt_err job_number(struct file_job *j, struct emt_diag *diag)
{
    char last[32];
    enum emt_err err = export_number_lock(j->store, j->req->tenant, j->tenant->own_mp_id, last);

    if (err == EMT_OK)
        err = mscons_number_next(last, j->req->now, j->reference);
    if (err == EMT_OK)
        err = export_number_set(j->store, j->req->tenant, j->tenant->own_mp_id, j->reference);
    return err == EMT_OK ? EMT_OK
                         : emt_fail(diag, err, "no number for the file: %s", store_error(j->store));
}

static enum emt_err job_content(struct file_job *j, const struct store_result *rows, int first,
                                int end, struct emt_diag *diag)
{
    struct sink sink = sink_to_writer(&j->content);
    struct mscons_export_handler handler = { .note = tap_note, .ctx = j->tap };
    struct mscons_writer writer;
    /* Who sends to itself needs nobody's leave. */
    bool mandates = j->tenant->mandates_required && strcmp(j->receiver, j->tenant->own_mp_id) != 0;
    struct mscons_run run = { .store = j->store,
                              .req = j->req,
                              .handler = &handler,
                              .writer = &writer,
                              .reference = j->reference,
                              .tolerance_s = j->tenant->tolerance_s,
                              .receiver = j->receiver,
                              .mandates = mandates };

    j->head = (struct export_file){ .sender = j->tenant->own_mp_id,
                                    .recipient = j->receiver,
                                    .reference = j->reference,
                                    /* DTM+137 has minutes */
                                    .created = j->req->now - j->req->now % EMT_MINUTE,
                                    .test = j->req->test };
    enum emt_err err = mscons_begin(&writer, &j->head, &sink, diag);
    if (err == EMT_OK) {
        err = write_places(&run, rows, first, end);
        if (err == EMT_OK)
            err = mscons_end(&writer, diag);
        j->messages = (int)run.documents;
    }
    mscons_release(&writer);
    if (err == EMT_OK)
        err = mscons_file_name(&j->head, j->req->pid, j->name, sizeof j->name, diag);
    return err;
}

static enum emt_err job_keep(struct file_job *j)
{
    char pid[8];
    struct export_file_row row = { .kind = "mscons",
                                   .pid = pid,
                                   .sender = j->tenant->own_mp_id,
                                   .receiver = j->receiver,
                                   .reference = j->reference,
                                   .file_name = j->name,
                                   .notes = writer_cstr(&j->tap->text),
                                   .from = local_day_start(j->req->from),
                                   .to = local_day_start(j->req->to),
                                   .created = j->req->now,
                                   .messages = j->messages,
                                   .content = j->content.data,
                                   .content_len = j->content.len,
                                   .job = j->req->job,
                                   .part = 1 };

    snprintf(pid, sizeof pid, "%u", j->req->pid);
    return export_file_insert(j->store, j->req->tenant, &row, &j->file_id);
}

/* The file of one receiver: rows [first, end). A file without messages is none. */
static enum emt_err export_file_of(struct file_job *j, const struct store_result *rows, int first,
                                   int end, struct emt_diag *diag)
{
    enum emt_err err = store_begin(j->store, j->req->tenant);

    if (err != EMT_OK)
        return emt_fail(diag, err, "%s", store_error(j->store));
    err = job_number(j, diag);
    if (err == EMT_OK)
        err = job_content(j, rows, first, end, diag);
    if (err == EMT_OK) {
        err = job_keep(j);
        if (err == EMT_OK)
            err = store_commit(j->store);
        if (err != EMT_OK)
            (void)emt_fail(diag, err, "file not kept: %s", store_error(j->store));
    }
    if (err != EMT_OK)
        store_rollback(j->store);
    return err;
}

static void tap_notes(struct note_tap *tap, const char *text)
{
    char line[400];

    while (*text != '\0') {
        size_t n = strcspn(text, "\n");

        snprintf(line, sizeof line, "%.*s", (int)n, text);
        tap_note(tap, line);
        text += n + (text[n] == '\n');
    }
}

/* What an earlier run of the job wrote for the receiver. EMT_ENOTFOUND. */
static enum emt_err written_before(struct file_job *j, struct emt_diag *diag)
{
    const struct mscons_export_handler *h = j->tap->handler;
    struct store_result *r = NULL;

    if (j->req->job == 0)
        return EMT_ENOTFOUND;
    enum emt_err err = store_begin(j->store, j->req->tenant);
    if (err == EMT_OK)
        err = export_files_of_job(j->store, j->req->tenant, j->req->job, j->receiver, &r);
    if (err != EMT_OK)
        (void)emt_fail(diag, err, "%s", store_error(j->store));
    store_rollback(j->store);
    if (err == EMT_OK && store_rows(r) == 0)
        err = EMT_ENOTFOUND;
    if (err != EMT_OK) {
        store_result_free(r);
        return err;
    }
    tap_notes(j->tap, c_text(r, 0, 1));
    if (h->file != NULL)
        err = h->file(h->ctx, c_int(r, 0, 0), "", NULL, 0, 0);
    store_result_free(r);
    return err;
}

static enum emt_err export_receiver(struct file_job *j, const struct store_result *rows, int first,
                                    int end, struct emt_diag *diag)
{
    struct emt_diag why = { 0 };

    if (mp_id_check(j->receiver, &why) != EMT_OK) {
        for (int i = first; i < end; i = group_end(rows, i, EXPORT_LOCATION_CODE)) {
            char line[400];

            snprintf(line, sizeof line, "%s: no receiver: %s",
                     c_text(rows, i, EXPORT_LOCATION_CODE),
                     *j->receiver ? why.text : "the location has no receiver_mp_id");
            tap_note(j->tap, line);
        }
        return EMT_OK;
    }
    enum emt_err err = written_before(j, diag);
    if (err != EMT_ENOTFOUND)
        return err;
    writer_init_heap(&j->content, FILE_BYTES_MAX);
    err = export_file_of(j, rows, first, end, diag);
    const struct mscons_export_handler *h = j->tap->handler;
    if (err == EMT_ENOTFOUND)
        err = EMT_OK; /* no message: the notes say why */
    else if (err == EMT_OK && h->file != NULL)
        err = h->file(h->ctx, j->file_id, j->name, j->content.data, j->content.len, j->messages);
    writer_release(&j->content);
    return err;
}

static enum emt_err read_plan(struct store *s, const struct mscons_export_request *req,
                              struct export_tenant *tenant, struct store_result **rows,
                              struct emt_diag *diag)
{
    enum emt_err err = store_begin(s, req->tenant);

    if (err != EMT_OK)
        return emt_fail(diag, err, "%s", store_error(s));
    err = export_tenant_get(s, req->tenant, tenant);
    if (err == EMT_ENOTFOUND)
        emt_fail(diag, err, "tenant %d does not exist", (int)req->tenant);
    if (err == EMT_OK)
        err = export_bindings(s, req->tenant, LOCATION_BIT(kind_of_pid(req->pid)), req->location,
                              local_day_start(req->from), local_day_start(req->to), rows);
    store_rollback(s);
    if (err == EMT_OK && mp_id_check(tenant->own_mp_id, NULL) != EMT_OK)
        err = emt_fail(diag, EMT_EMALFORMED,
                       "the tenant has no own_mp_id: set the MP-ID it sends with");
    if (err == EMT_OK && store_rows(*rows) == 0 && req->location != NULL)
        err = emt_fail(diag, EMT_ENOTFOUND, "location %s is not registered", req->location);
    if (err == EMT_EDB)
        emt_fail(diag, err, "%s", store_error(s));
    return err;
}

static int64_t count_receivers(const struct store_result *rows)
{
    int64_t n = 0;

    for (int i = 0; i < store_rows(rows); i = group_end(rows, i, EXPORT_RECEIVER))
        n++;
    return n;
}

static enum emt_err export_all(struct store *s, const struct mscons_export_request *req,
                               const struct mscons_export_handler *h,
                               const struct export_tenant *tenant, const struct store_result *rows,
                               struct emt_diag *diag)
{
    int64_t total = count_receivers(rows);
    int64_t done = 0;
    enum emt_err err = EMT_OK;

    for (int first = 0; err == EMT_OK && first < store_rows(rows); done++) {
        int end = group_end(rows, first, EXPORT_RECEIVER);
        struct note_tap tap = { .handler = h };
        struct file_job job = { .store = s,
                                .req = req,
                                .tenant = tenant,
                                .receiver = c_text(rows, first, EXPORT_RECEIVER),
                                .tap = &tap };

        if (h->step != NULL && !h->step(h->ctx, done, total))
            return EMT_EAGAIN;
        writer_init_heap(&tap.text, NOTES_BYTES_MAX);
        err = export_receiver(&job, rows, first, end, diag);
        writer_release(&tap.text);
        first = end;
    }
    if (err == EMT_OK && h->step != NULL)
        (void)h->step(h->ctx, done, total); /* too late to stop */
    return err;
}

enum emt_err mscons_export_run(struct store *s, const struct mscons_export_request *req,
                               const struct mscons_export_handler *h, struct emt_diag *diag)
{
    struct store_result *rows = NULL;
    struct export_tenant tenant;
    enum emt_err err = check_request(req, diag);

    if (err == EMT_OK)
        err = read_plan(s, req, &tenant, &rows, diag);
    if (err == EMT_OK)
        err = export_all(s, req, h, &tenant, rows, diag);
    if (rows != NULL)
        store_result_free(rows);
    return err;
}
