#include "acknowledgement/acknowledgement_match.h"

#include "base/cipher.h"
#include "connectors/acknowledgement.h"
#include "store/acknowledgement_store.h"
#include "store/audit_store.h"
#include "store/event_store.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define OVERDUE_MOST 100
/* Warnings of one answer; it may name thousands of files. */
#define UNMATCHED_EVENTS_MOST 5

struct matching {
    struct store *app;
    const struct acknowledgement_arrival *arrival;
    struct acknowledgement_head head;
    struct acknowledgement_note *notes;
    size_t n, cap;
    struct acknowledgement_notes *rows;
    struct acknowledgement_outcome *out;
    /* The file that the notes before spoke of. */
    char interchange[36];
    int64_t file;
};

static enum emt_err collect(void *ctx, const struct acknowledgement_note *note)
{
    struct matching *m = ctx;

    if (m->n == m->cap) {
        size_t cap = m->cap != 0 ? 2 * m->cap : 16;
        struct acknowledgement_note *p = reallocarray(m->notes, cap, sizeof *p);

        if (p == NULL)
            return EMT_ENOMEM;
        m->notes = p;
        m->cap = cap;
    }
    m->notes[m->n++] = *note;
    return EMT_OK;
}

/* --- in words --- */

static size_t put(char *out, size_t n, size_t size, const char *before, const char *text)
{
    int len = text[0] != '\0' ? snprintf(out + n, size - n, "%s%s", before, text) : 0;

    return len < 0 || n + (size_t)len >= size ? size - 1 : n + (size_t)len;
}

/* "CONTRL C1: 12, segment 14, element 2.2". A message is explained by the first of its segments. */
static void explain(const struct matching *m, size_t i, char *out, size_t size)
{
    const struct acknowledgement_note *x = &m->notes[i];
    char place[24] = "";

    if (x->code[0] == '\0' && i + 1 < m->n && m->notes[i + 1].level > x->level &&
        m->notes[i + 1].verdict == x->verdict &&
        (x->level == ACKNOWLEDGES_INTERCHANGE ||
         strcmp(m->notes[i + 1].message, x->message) == 0)) {
        explain(m, i + 1, out, size);
        return;
    }
    size_t n =
        put(out, 0, size, "", m->head.kind == ACKNOWLEDGEMENT_CONTRL ? "CONTRL " : "APERAK ");
    n = put(out, n, size, "", m->head.reference);
    n = put(out, n, size, ": ", x->code);
    n = put(out, n, size, ", segment ", x->segment);
    if (x->element != 0 && x->component != 0)
        snprintf(place, sizeof place, "%u.%u", x->element, x->component);
    else if (x->element != 0)
        snprintf(place, sizeof place, "%u", x->element);
    n = put(out, n, size, ", element ", place);
    (void)put(out, n, size, ", ", x->text);
}

static enum emt_err tell(struct matching *m, enum event_severity severity, const char *kind,
                         const char *detail)
{
    struct event_row e = {
        .at = m->arrival->now, .severity = severity, .kind = kind, .detail = detail
    };

    return event_store_add(m->app, m->arrival->tenant, &e);
}

static enum emt_err tell_unmatched(struct matching *m, const struct acknowledgement_note *x)
{
    char detail[240];

    if (m->out->unmatched > UNMATCHED_EVENTS_MOST)
        return EMT_OK;
    snprintf(detail, sizeof detail, "%s %s of %s: no file %s to this partner",
             m->head.kind == ACKNOWLEDGEMENT_CONTRL ? "CONTRL" : "APERAK", m->head.reference,
             m->head.sender, x->interchange);
    return tell(m, EVENT_WARNING, "acknowledgement-unmatched", detail);
}

/* --- states --- */

static enum export_state state_of(const struct matching *m, const struct acknowledgement_note *x)
{
    if (x->verdict == VERDICT_ACCEPTED)
        return EXPORT_ACCEPTED;
    return m->head.kind == ACKNOWLEDGEMENT_CONTRL ? EXPORT_REJECTED : EXPORT_REFUSED;
}

/* A file stands as its worst message does: part of it is not what was sent. */
static enum emt_err raise_file(struct matching *m, const struct acknowledgement_note *x,
                               enum export_state state, const char *text)
{
    const struct acknowledgement_arrival *a = m->arrival;
    char detail[800];
    bool risen = false;

    /* One message that is accepted says nothing of the others. */
    if (state == EXPORT_ACCEPTED && x->level != ACKNOWLEDGES_INTERCHANGE)
        return EMT_OK;
    enum emt_err err = sent_file_state(m->app, a->tenant, m->file, state, a->now, text, &risen);
    if (err != EMT_OK || !risen)
        return err;
    m->out->changed++;
    if (state == EXPORT_ACCEPTED)
        return EMT_OK;
    snprintf(detail, sizeof detail, "%s to %s: %s", x->interchange, m->head.sender, text);
    return tell(m, EVENT_ALARM, state == EXPORT_REJECTED ? "export-rejected" : "export-refused",
                detail);
}

/* *sent: the message that is meant, 0: the whole file or none that it has. */
static enum emt_err apply(struct matching *m, size_t i, int64_t *sent)
{
    const struct acknowledgement_arrival *a = m->arrival;
    const struct acknowledgement_note *x = &m->notes[i];
    enum export_state state = state_of(m, x);
    char text[700];
    int64_t n = 0;

    *sent = 0;
    if (x->verdict == VERDICT_RECEIVED)
        return EMT_OK;
    explain(m, i, text, sizeof text);
    enum emt_err err = sent_messages_state(m->app, a->tenant, m->file, x->message, x->document,
                                           state, a->now, text, &n, sent);
    return err == EMT_OK ? raise_file(m, x, state, text) : err;
}

/* --- one note after the other --- */

static enum emt_err find_file(struct matching *m, const struct acknowledgement_note *x)
{
    /* What it says of the file's parties must be what it is itself, the other way round. */
    bool ours =
        (x->original_sender[0] == '\0' || strcmp(x->original_sender, m->head.recipient) == 0) &&
        (x->original_recipient[0] == '\0' || strcmp(x->original_recipient, m->head.sender) == 0);

    if (!ours) {
        m->interchange[0] = '\0';
        m->file = 0;
        return EMT_OK;
    }
    if (strcmp(m->interchange, x->interchange) == 0)
        return EMT_OK;
    memcpy(m->interchange, x->interchange, sizeof m->interchange);
    m->file = 0;
    enum emt_err err = sent_file_find(m->app, m->arrival->tenant, m->head.recipient, m->head.sender,
                                      x->interchange, &m->file);
    if (err == EMT_ENOTFOUND)
        m->file = 0;
    return err == EMT_ENOTFOUND ? EMT_OK : err;
}

static enum emt_err take_note(struct matching *m, size_t i)
{
    const struct acknowledgement_note *x = &m->notes[i];
    struct acknowledgement_note_row row = { .nth = (int32_t)i + 1,
                                            .interchange = x->interchange,
                                            .message = x->message,
                                            .document = x->document,
                                            .code = x->code,
                                            .segment = x->segment,
                                            .text = x->text,
                                            .level = (int16_t)x->level,
                                            .verdict = (int16_t)x->verdict,
                                            .element = (int32_t)x->element,
                                            .component = (int32_t)x->component };
    enum emt_err err = find_file(m, x);

    if (err == EMT_OK && m->file != 0) {
        m->out->matched++;
        err = apply(m, i, &row.sent);
    } else if (err == EMT_OK) {
        m->out->unmatched++;
        err = tell_unmatched(m, x);
    }
    row.file = m->file;
    return err == EMT_OK ? acknowledgement_notes_add(m->rows, &row) : err;
}

/* What was made of it, once it is known that it is new. */
static enum emt_err take_notes(struct matching *m)
{
    const struct acknowledgement_arrival *a = m->arrival;
    char detail[160];
    struct audit_entry entry = { .tenant = a->tenant,
                                 .actor = a->actor,
                                 .action = "acknowledgement.take",
                                 .object = m->head.reference,
                                 .detail = detail };
    enum emt_err err = EMT_OK;

    m->rows = acknowledgement_notes_new();
    if (m->rows == NULL)
        return EMT_ENOMEM;
    for (size_t i = 0; err == EMT_OK && i < m->n; i++)
        err = take_note(m, i);
    if (err == EMT_OK)
        err = acknowledgement_notes_insert(m->app, a->tenant, m->out->id, m->rows);
    snprintf(detail, sizeof detail,
             "%s of %s, acknowledgement %lld: %u files changed, %u unmatched", m->out->kind,
             m->head.sender, (long long)m->out->id, m->out->changed, m->out->unmatched);
    return err == EMT_OK ? audit_append(m->app, &entry) : err;
}

static enum emt_err keep(struct matching *m)
{
    const struct acknowledgement_arrival *a = m->arrival;
    uint8_t digest[32];
    struct acknowledgement_row row = { .kind = m->out->kind,
                                       .sender = m->head.sender,
                                       .recipient = m->head.recipient,
                                       .reference = m->head.reference,
                                       .version = m->head.version,
                                       .test = m->head.test,
                                       .source = a->source,
                                       .file_name = a->file_name,
                                       .received = a->now,
                                       .received_by = a->actor,
                                       .digest = digest,
                                       .content = a->data,
                                       .content_len = a->len };

    cipher_sha256(a->data, a->len, digest);
    enum emt_err err =
        acknowledgement_insert(m->app, a->tenant, &row, &m->out->id, &m->out->repeated);
    return err == EMT_OK && !m->out->repeated ? take_notes(m) : err;
}

enum emt_err acknowledgement_take(struct store *app, const struct acknowledgement_arrival *a,
                                  struct acknowledgement_outcome *out, struct emt_diag *diag)
{
    struct matching m = { .app = app, .arrival = a, .out = out };
    struct acknowledgement_handler h = { .note = collect, .ctx = &m };

    *out = (struct acknowledgement_outcome){ 0 };
    enum emt_err err = acknowledgement_read(a->data, a->len, &h, &m.head, diag);
    if (err == EMT_OK) {
        out->kind = acknowledgement_kind_name(m.head.kind);
        memcpy(out->reference, m.head.reference, sizeof out->reference);
        err = keep(&m);
        if (err != EMT_OK)
            (void)emt_fail(diag, err, "not kept: %s", store_error(app));
    }
    acknowledgement_notes_free(m.rows);
    free(m.notes);
    return err;
}

/* --- overdue --- */

enum { OVERDUE_TENANT, OVERDUE_FILE, OVERDUE_NAME, OVERDUE_RECEIVER };

static enum emt_err become_overdue(struct store *admin, const struct store_result *r, int row,
                                   emt_time now)
{
    int32_t tenant = (int32_t)c_int(r, row, OVERDUE_TENANT);
    int64_t file = c_int(r, row, OVERDUE_FILE);
    char detail[400];
    struct event_row e = {
        .at = now, .severity = EVENT_ALARM, .kind = "export-overdue", .detail = detail
    };
    int64_t n = 0;
    int64_t sent = 0;
    bool risen = false;
    enum emt_err err =
        sent_file_state(admin, tenant, file, EXPORT_OVERDUE, now, "no answer in time", &risen);

    if (err == EMT_OK)
        err = sent_messages_state(admin, tenant, file, "", "", EXPORT_OVERDUE, now,
                                  "no answer in time", &n, &sent);
    snprintf(detail, sizeof detail, "%.250s: %.40s sent no CONTRL in time",
             c_text(r, row, OVERDUE_NAME), c_text(r, row, OVERDUE_RECEIVER));
    return err == EMT_OK && risen ? event_store_add(admin, tenant, &e) : err;
}

enum emt_err acknowledgement_overdue_step(struct store *admin, emt_time now, int64_t *n)
{
    struct store_result *r = NULL;
    int64_t done = 0;
    enum emt_err err = store_begin(admin, 0);

    *n = 0;
    if (err == EMT_OK)
        err = sent_files_overdue(admin, now, OVERDUE_MOST, &r);
    for (int i = 0; err == EMT_OK && i < store_rows(r); i++, done++)
        err = become_overdue(admin, r, i, now);
    store_result_free(r);
    if (err == EMT_OK)
        err = store_commit(admin);
    else
        store_rollback(admin);
    if (err == EMT_OK)
        *n = done;
    return err;
}
