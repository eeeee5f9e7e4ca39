/* One transaction per file: the number is taken, the values are read, the file is written to memory
 * and stored with its number. Only what is committed is handed out, so a crash at any point neither
 * reuses a number nor loses a file. The lock on the number lets exports of one sender wait for each
 * other: what one has sent the next one knows. */
#include "export_out.h"

#include "connectors/mscons_check.h"
#include "export_judge.h"
#include "store/export_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* One message alone may be larger than the limit of a file. */
#define FILE_BYTES_MAX ((size_t)64 << 20)
/* How far the time of sending may be set ahead, so that a correction is later than what it takes
 * the place of: as often may a day be sent within a minute, and as much may a clock be set back. */
#define AHEAD_MAX (30 * EMT_MINUTE)

static emt_time whole_minute(emt_time t)
{
    return t - t % EMT_MINUTE; /* DTM+137 has minutes */
}

static enum emt_err take_number(struct export_out *o, struct emt_diag *diag)
{
    const char *sender = o->tenant->own_mp_id;
    char last[32];
    enum emt_err err = export_number_lock(o->store, o->req->tenant, sender, last);

    if (err == EMT_OK && strcmp(last, o->reference) != 0)
        o->strangers++;
    if (err == EMT_OK)
        err = mscons_number_next(last, o->req->now, o->reference);
    if (err == EMT_OK)
        err = export_number_set(o->store, o->req->tenant, sender, o->reference);
    return err == EMT_OK ? EMT_OK
                         : emt_fail(diag, err, "no number for the file: %s", store_error(o->store));
}

static enum emt_err file_begin(struct export_out *o, struct emt_diag *diag)
{
    enum emt_err err = store_begin(o->store, o->req->tenant);

    if (err != EMT_OK)
        return emt_fail(diag, err, "%s", store_error(o->store));
    o->begun = true;
    writer_clear(&o->content);
    export_messages_clear(o->messages);
    err = take_number(o, diag);
    if (err != EMT_OK)
        return err;
    o->epoch++;
    o->head = (struct export_file){ .sender = o->tenant->own_mp_id,
                                    .recipient = o->receiver,
                                    .reference = o->reference,
                                    .created = o->created,
                                    .test = o->req->test };
    return mscons_begin(&o->writer, &o->head, &o->sink, diag);
}

enum emt_err out_open(struct export_out *o, struct store *s,
                      const struct mscons_export_request *req,
                      const struct mscons_export_handler *handler,
                      const struct export_tenant *tenant, const char *receiver,
                      struct emt_diag *diag)
{
    int64_t bytes = 0;
    int32_t messages = 0;

    *o = (struct export_out){ .store = s,
                              .req = req,
                              .handler = handler,
                              .tenant = tenant,
                              .receiver = receiver,
                              .bytes_max = MSCONS_EXPORT_FILE_BYTES,
                              .messages_max = INT32_MAX,
                              .part = 1,
                              .created = whole_minute(req->now) };
    snprintf(o->holder, sizeof o->holder, "%s%s", req->test ? "test:" : "", receiver);
    writer_init_heap(&o->note_text, EXPORT_NOTES_BYTES_MAX);
    writer_init_heap(&o->content, FILE_BYTES_MAX);
    o->sink = sink_to_writer(&o->content);
    o->notes = (struct export_notes){ handler->note, handler->ctx, &o->note_text };
    o->messages = export_messages_new();
    if (o->messages == NULL)
        return EMT_ENOMEM;
    enum emt_err err = file_begin(o, diag);
    if (err == EMT_OK)
        err = export_limits_get(s, req->tenant, receiver, &bytes, &messages);
    if (err == EMT_OK && bytes > 0)
        o->bytes_max = (size_t)bytes;
    if (err == EMT_OK && messages > 0)
        o->messages_max = messages;
    return err;
}

/* --- the end of a file --- */

struct judging {
    const struct export_out *o;
    const char *name;
};

static void put_finding(void *ctx, const struct mscons_finding *f)
{
    struct judging *j = ctx;

    if (!f->warning)
        export_note(&j->o->notes, j->name, "segment %u: %s: %s", f->segment, f->code, f->text);
}

/* Says what is wrong with a file that did not pass. */
static enum emt_err refuse(struct export_out *o, const char *name, struct emt_diag *diag)
{
    struct judging j = { o, name };
    struct mscons_findings out = { put_finding, &j };
    struct mscons_check_result result;
    enum emt_err err = mscons_check(o->content.data, o->content.len, name, &out, &result);

    o->refused = err == EMT_OK;
    return err != EMT_OK ? err
                         : emt_fail(diag, EMT_EMALFORMED, "%s breaks %u rules and is not kept",
                                    name, result.findings);
}

static enum emt_err insert(struct export_out *o, const char *name, const char *next_place,
                           emt_time next_from, int64_t *id)
{
    char pid[8];
    struct export_file_row row = { .kind = "mscons",
                                   .pid = pid,
                                   .sender = o->tenant->own_mp_id,
                                   .receiver = o->receiver,
                                   .reference = o->reference,
                                   .file_name = name,
                                   .notes = writer_cstr(&o->note_text),
                                   .from = local_day_start(o->req->from),
                                   .to = local_day_start(o->req->to),
                                   .created = o->req->now,
                                   .messages = (int32_t)o->writer.edi.messages,
                                   .content = o->content.data,
                                   .content_len = o->content.len,
                                   .job = o->req->job,
                                   .part = o->part,
                                   .next_place = next_place,
                                   .next_from = next_from };

    snprintf(pid, sizeof pid, "%u", o->req->pid);
    enum emt_err err = export_file_insert(o->store, o->req->tenant, &row, id);
    if (err == EMT_OK)
        err = export_messages_insert(o->store, o->req->tenant, *id, o->holder, o->head.created,
                                     o->messages);
    return err;
}

/* What does not pass is not kept, and so never delivered. */
static enum emt_err keep(struct export_out *o, const char *name, const char *next_place,
                         emt_time next_from, int64_t *id, struct emt_diag *diag)
{
    int messages = (int)o->writer.edi.messages;
    struct export_judge j;
    unsigned findings;

    judge_begin(&j, o->content.data, o->content.len, name);
    enum emt_err stored = insert(o, name, next_place, next_from, id);
    enum emt_err err = judge_end(&j, &findings);
    if (err == EMT_OK && findings > 0)
        err = refuse(o, name, diag);
    if (err != EMT_OK)
        return err;
    if (stored == EMT_OK && o->handler->keep != NULL)
        stored = o->handler->keep(o->handler->ctx, o->store, *id, name, messages);
    if (stored == EMT_OK)
        stored = store_commit(o->store);
    return stored == EMT_OK ? EMT_OK
                            : emt_fail(diag, stored, "file not kept: %s", store_error(o->store));
}

static enum emt_err file_end(struct export_out *o, const char *next_place, emt_time next_from,
                             struct emt_diag *diag)
{
    unsigned kind = o->req->pid == 13006 ? o->req->cancels : o->req->pid;
    char name[MSCONS_FILE_NAME_MAX];
    int messages = (int)o->writer.edi.messages;
    int64_t id = 0;
    enum emt_err err = mscons_end(&o->writer, diag);

    if (err == EMT_OK)
        err = mscons_file_name(&o->head, kind, name, sizeof name, diag);
    if (err == EMT_OK)
        err = keep(o, name, next_place, next_from, &id, diag);
    mscons_release(&o->writer);
    if (err != EMT_OK)
        return err;
    o->begun = false;
    o->part++;
    writer_clear(&o->note_text);
    if (o->handler->file != NULL)
        err =
            o->handler->file(o->handler->ctx, id, name, o->content.data, o->content.len, messages);
    return err;
}

static bool is_late(const struct export_out *o, emt_time version)
{
    return version != 0 && o->created <= version;
}

bool out_is_ahead(const struct export_out *o, emt_time version, struct emt_diag *why)
{
    char when[32];

    if (!is_late(o, version) || version + EMT_MINUTE <= o->req->now + AHEAD_MAX)
        return false;
    (void)emt_fail(why, EMT_ESTATE,
                   "what was sent before is dated %s, ahead of now: try again later, or set the"
                   " clock",
                   time_format(version, when));
    return true;
}

enum emt_err out_room(struct export_out *o, const char *place, emt_time from, size_t bytes,
                      int messages, emt_time version, struct emt_diag *diag)
{
    bool late = is_late(o, version);
    bool full = o->content.len + bytes > o->bytes_max ||
                (int)o->writer.edi.messages > o->messages_max - messages;
    enum emt_err err = EMT_OK;

    if (late)
        o->created = version + EMT_MINUTE;
    if (!late && !(full && o->writer.edi.messages > 0))
        return EMT_OK;
    if (o->writer.edi.messages > 0) {
        err = file_end(o, place, from, diag);
        return err == EMT_OK ? file_begin(o, diag) : err;
    }
    /* Nothing is written yet: the same number, a later time. */
    o->head.created = o->created;
    mscons_release(&o->writer);
    return mscons_begin(&o->writer, &o->head, &o->sink, diag);
}

void out_document_number(const struct export_out *o, char out[36])
{
    snprintf(out, 36, "%s-%u", o->reference, o->writer.edi.messages + 1);
}

/* Where the message begins that was put behind `before`: the first one stands behind the file's
 * head, in which no data can hold these characters unreleased. */
static size_t message_at(const struct export_out *o, size_t before)
{
    static const char begin[] = "'UNH+";
    const uint8_t *p = o->content.data;

    if (before > 0)
        return before;
    for (size_t i = 0; i + sizeof begin <= o->content.len; i++) {
        if (memcmp(p + i, begin, sizeof begin - 1) == 0)
            return i + 1;
    }
    return 0;
}

enum emt_err out_put(struct export_out *o, const struct export_document *doc,
                     struct export_message_row *row, struct emt_diag *diag)
{
    size_t before = o->content.len;
    uint64_t values = o->writer.values;
    enum emt_err err = mscons_put(&o->writer, doc, diag);

    if (err != EMT_OK)
        return err;
    row->number = doc->number;
    row->content_at = message_at(o, before);
    row->content_len = o->content.len - row->content_at;
    row->n_values = (int32_t)(o->writer.values - values);
    return export_messages_add(o->messages, row);
}

enum emt_err out_close(struct export_out *o, struct emt_diag *diag)
{
    if (o->writer.edi.messages == 0)
        return EMT_OK; /* no message: the notes say why */
    return file_end(o, NULL, EMT_TIME_NONE, diag);
}

void out_release(struct export_out *o)
{
    if (o->begun) {
        mscons_release(&o->writer);
        store_rollback(o->store);
    }
    export_messages_free(o->messages);
    writer_release(&o->content);
    writer_release(&o->note_text);
}
