/* A profile is overwritten by a later message on the same place and period (AHB, 13018, 13025,
 * 13008, 13007, 13027); readings and energies are cancelled with 13006 and sent anew. What the
 * receiver has is told by the file that was sent, byte by byte; the digest only saves looking into
 * it. */
#include "export_document.h"

#include "export_sent.h"
#include "model/quality.h"
#include "store/export_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* Upper bounds of what a document takes in the file. */
#define VALUE_BYTES 160
#define MESSAGE_BYTES 1024
#define CANCEL_BYTES 640

bool export_ends(enum emt_err err)
{
    return emt_err_class(err) == EMT_CLASS_BROKEN || emt_err_class(err) == EMT_CLASS_RETRY;
}

enum emt_err export_sent_load(struct export_run *run, struct emt_diag *diag)
{
    unsigned use_case = run->req->pid == 13006 ? run->req->cancels : run->req->pid;
    struct store_result *rows = NULL;

    if (run->sent != NULL && run->sent_epoch == run->out->epoch)
        return EMT_OK;
    enum emt_err err = export_messages_sent(
        run->store, run->req->tenant, use_case, run->out->holder, run->places, run->sent_from,
        run->sent_to, run->req->pid == 13006 ? run->req->again : 0, &rows);
    if (err != EMT_OK)
        return emt_fail(diag, err, "%s", store_error(run->store));
    store_result_free(run->sent);
    run->sent = rows;
    run->sent_epoch = run->out->epoch;
    return EMT_OK;
}

bool export_is_note(const char *document)
{
    return document != NULL && (strcmp(document, "Z41") == 0 || strcmp(document, "Z42") == 0);
}

/* --- the document --- */

struct pending {
    struct export_run *run;
    const struct place *place;
    struct export_lines *lines;
    struct export_document doc;
    struct export_series series[DOCUMENT_LINES_MAX];
    struct export_values values[DOCUMENT_LINES_MAX];
    const char *obis[DOCUMENT_LINES_MAX * LINE_REGISTERS_MAX];
    int64_t channels[DOCUMENT_LINES_MAX * LINE_REGISTERS_MAX];
    char obis_set[1024]; /* each once, as SENT_OBIS would have it */
    struct export_message_row row;
    /* Rows of what it takes the place of. */
    int before[16];
    size_t n_before;
    bool same;      /* the last of them says the same */
    bool overtaken; /* one of them was sent since its readings were read */
};

static const char *or_null(const char *text)
{
    return text[0] != '\0' ? text : NULL;
}

static void fill_document(struct pending *p, const char *document, emt_time from, emt_time to)
{
    const struct export_use_case *u = p->run->use;
    const struct place_register *first = p->lines->line[0].regs[0];
    struct export_document *d = &p->doc;
    size_t k = 0;

    *d = (struct export_document){ .kind = u->pid,
                                   .type = document,
                                   .order = or_null(first->order),
                                   .location = p->place->code,
                                   .from = from,
                                   .to = to,
                                   .series = p->series,
                                   .n_series = p->lines->n };
    /* Readings of an exchange name the message that announced it (13002, conditions 129, 546). */
    if (u->pid == 13002 && p->lines->line[0].values->exchange_at != EMT_TIME_NONE)
        d->earlier = or_null(first->master_data);
    /* Delivery notes answer nothing. */
    if (export_is_note(document))
        d->order = NULL;
    if (u->shape == EXPORT_READING)
        d->device = or_null(first->device);
    if ((u->pid == 13017 || u->pid == 13019) && first->config[0] != '\0' &&
        p->place->kind == LOCATION_MELO) {
        d->config_id = first->config;
        d->location = d->device = NULL;
    }
    if (u->pid == 13007)
        d->version = p->run->out->head.created;
    for (size_t i = 0; i < p->lines->n; i++) {
        struct export_line *l = &p->lines->line[i];

        p->values[i] = (struct export_values){ l->values, l->n_values, 0 };
        p->series[i] = (struct export_series){ l->regs[0]->obis, reading_cursor_of(&p->values[i]) };
        for (size_t r = 0; r < l->n_regs; r++) {
            p->obis[k] = l->regs[0]->code;
            p->channels[k++] = l->regs[r]->channel;
        }
    }
    p->row = (struct export_message_row){ .use_case = u->pid,
                                          .document = document,
                                          .location = p->place->code,
                                          .device = d->device,
                                          .config_id = d->config_id,
                                          .obis = p->obis,
                                          .channels = p->channels,
                                          .n_channels = k,
                                          .from = from,
                                          .to = to };
}

static size_t value_count(const struct pending *p)
{
    size_t n = 0;

    for (size_t i = 0; i < p->lines->n; i++)
        n += p->lines->line[i].n_values;
    return n;
}

/* --- what was sent before --- */

static bool same_place(const struct pending *p, const struct store_result *sent, int i)
{
    const struct export_message_row *r = &p->row;

    return strcmp(c_text(sent, i, SENT_LOCATION), r->location) == 0 &&
           strcmp(c_text(sent, i, SENT_DEVICE), r->device != NULL ? r->device : "") == 0 &&
           strcmp(c_text(sent, i, SENT_CONFIG_ID), r->config_id != NULL ? r->config_id : "") == 0 &&
           strcmp(c_text(sent, i, SENT_DOCUMENT), r->document != NULL ? r->document : "") == 0;
}

/* Whether a register of the document stands in the list of the row. */
static bool shares_register(const struct pending *p, const char *list)
{
    for (size_t i = 0; i < p->lines->n; i++) {
        const char *code = p->lines->line[i].regs[0]->code;
        size_t n = strlen(code);

        for (const char *at = list; (at = strstr(at, code)) != NULL; at += n) {
            if ((at == list || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0'))
                return true;
        }
    }
    return false;
}

/* Profiles overlap; readings and energies have the same time. */
static bool same_time(const struct pending *p, const struct store_result *sent, int i)
{
    emt_time from = c_time(sent, i, SENT_FROM);
    emt_time to = c_time(sent, i, SENT_TO);

    if (p->run->use->cancelled || p->row.from == p->row.to)
        return from == p->row.from && to == p->row.to;
    return from < p->row.to && to > p->row.from;
}

/* First row of the place: rows are in the order of locations. */
static int first_row(const struct store_result *sent, const char *place)
{
    int lo = 0;
    int hi = store_rows(sent);

    while (lo < hi) {
        int mid = lo + (hi - lo) / 2;

        if (strcmp(c_text(sent, mid, SENT_LOCATION), place) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void by_version(struct pending *p)
{
    const struct store_result *sent = p->run->sent;

    for (size_t i = 1; i < p->n_before; i++) {
        for (size_t k = i; k > 0 && c_time(sent, p->before[k], SENT_VERSION) <
                                        c_time(sent, p->before[k - 1], SENT_VERSION);
             k--) {
            int t = p->before[k];

            p->before[k] = p->before[k - 1];
            p->before[k - 1] = t;
        }
    }
}

/* The lock on the number lets exports of one sender wait for each other only between files: a step
 * that goes on in its second file may find what another one read later and sent. Numbers of
 * messages grow under that lock. */
static bool is_overtaking(const struct export_run *run, int row)
{
    return run->strangers != run->out->strangers &&
           c_int(run->sent, row, SENT_MESSAGE_ID) > run->sent_last;
}

static void find_before(struct pending *p)
{
    const struct store_result *sent = p->run->sent;
    const char *place = p->place->code;

    for (int i = first_row(sent, place);
         i < store_rows(sent) && strcmp(c_text(sent, i, SENT_LOCATION), place) == 0; i++) {
        if (same_place(p, sent, i) && same_time(p, sent, i) &&
            shares_register(p, c_text(sent, i, SENT_OBIS))) {
            p->overtaken = p->overtaken || is_overtaking(p->run, i);
            if (p->n_before < sizeof p->before / sizeof p->before[0])
                p->before[p->n_before++] = i;
        }
    }
    by_version(p);
    if (p->n_before == 0)
        return;
    int last = p->before[p->n_before - 1];
    p->same = c_int(sent, last, SENT_DIGEST) == p->row.digest &&
              c_time(sent, last, SENT_FROM) == p->row.from &&
              c_time(sent, last, SENT_TO) == p->row.to;
}

/* Looks into what was sent: marks the values that differ, and says whether any does. */
static enum emt_err compare(struct pending *p, bool *differs)
{
    struct export_run *run = p->run;
    struct sent_values was;
    enum emt_err err = sent_values_init(&was, p->lines);

    for (size_t i = 0; i < p->n_before && err == EMT_OK; i++) {
        struct store_result *r = NULL;
        size_t n;

        err = export_message_content(run->store, run->req->tenant,
                                     c_int(run->sent, p->before[i], SENT_MESSAGE_ID), &r);
        if (err != EMT_OK)
            break;
        const uint8_t *bytes = c_bytes(r, 0, 0, &n);
        err = sent_values_take(&was, p->lines, bytes, n);
        store_result_free(r);
    }
    if (err == EMT_OK)
        *differs = sent_values_mark(&was, p->lines, run->use->pid, p->doc.location,
                                    p->row.document != NULL ? "" : run->policy->correction);
    sent_values_release(&was);
    return err;
}

/* --- cancelling --- */

static enum emt_err put_cancel(struct export_run *run, int row, unsigned of)
{
    const struct store_result *sent = run->sent;
    char number[36];
    struct emt_diag diag = { 0 };
    struct export_document doc = { .kind = 13006,
                                   .number = number,
                                   .type = or_null(c_text(sent, row, SENT_DOCUMENT)),
                                   .cancels = c_text(sent, row, SENT_NUMBER),
                                   .cancels_kind = of };
    struct export_message_row entry = { .use_case = 13006,
                                        .document = doc.type,
                                        .location = c_text(sent, row, SENT_LOCATION),
                                        .device = c_text(sent, row, SENT_DEVICE),
                                        .config_id = c_text(sent, row, SENT_CONFIG_ID),
                                        .from = c_time(sent, row, SENT_FROM),
                                        .to = c_time(sent, row, SENT_TO),
                                        .cancels = c_int(sent, row, SENT_MESSAGE_ID) };

    /* Also where a configuration stood for it: 13006 has no place for that (LOC is "X"). */
    doc.location = entry.location;
    out_document_number(run->out, number);
    enum emt_err err = out_put(run->out, &doc, &entry, &diag);
    if (err != EMT_OK && !export_ends(err)) {
        export_note(&run->out->notes, entry.location, "%s cannot be cancelled: %s", doc.cancels,
                    diag.text);
        return EMT_OK;
    }
    return err;
}

enum emt_err export_document_cancel_all(struct export_run *run, const char *place, emt_time from,
                                        emt_time to)
{
    enum emt_err err = export_sent_load(run, run->diag);

    for (int i = err == EMT_OK ? first_row(run->sent, place) : 0;
         err == EMT_OK && i < store_rows(run->sent) &&
         strcmp(c_text(run->sent, i, SENT_LOCATION), place) == 0;
         i++) {
        if (c_time(run->sent, i, SENT_FROM) < from || c_time(run->sent, i, SENT_TO) > to)
            continue;
        unsigned epoch = run->out->epoch;

        err = out_room(run->out, place, from, CANCEL_BYTES, 1, 0, run->diag);
        if (err == EMT_OK && run->out->epoch != epoch) {
            /* Another file: what was cancelled in the one before is no longer among the rows. */
            err = export_sent_load(run, run->diag);
            i = first_row(run->sent, place) - 1;
            continue;
        }
        if (err == EMT_OK)
            err = put_cancel(run, i, run->req->cancels);
    }
    return err;
}

/* --- writing --- */

static enum emt_err put(struct pending *p)
{
    struct emt_diag diag = { 0 };
    char number[36];

    out_document_number(p->run->out, number);
    p->doc.number = number;
    for (size_t i = 0; i < p->lines->n; i++)
        p->values[i].pos = 0;
    enum emt_err err = out_put(p->run->out, &p->doc, &p->row, &diag);
    p->doc.number = NULL;
    if (err == EMT_OK || export_ends(err))
        return err;
    export_note(&p->run->out->notes, p->place->code, "left out: %s", diag.text);
    return EMT_OK;
}

/* Said of the first one, because it holds for a whole file, or for what is left of a step. */
static void note_left_out(const struct pending *p, const char *why)
{
    export_note(&p->run->out->notes, p->place->code, "left out, and whatever else it holds for: %s",
                why);
}

/* Room for the document and what it cancels; *again: the rows of what was sent may be others now;
 * *out: it cannot go. */
static enum emt_err make_room(struct pending *p, bool *again, bool *out)
{
    struct export_run *run = p->run;
    struct emt_diag why = { 0 };
    unsigned epoch = run->out->epoch;
    bool cancels = run->use->cancelled;
    emt_time version = p->n_before > 0 && !cancels
                           ? c_time(run->sent, p->before[p->n_before - 1], SENT_VERSION)
                           : 0;
    size_t bytes = MESSAGE_BYTES + value_count(p) * VALUE_BYTES + p->n_before * CANCEL_BYTES;

    *out = out_is_ahead(run->out, version, &why);
    if (*out) {
        if (run->ahead++ == 0)
            note_left_out(p, why.text);
        return EMT_OK;
    }
    enum emt_err err = out_room(run->out, p->place->code, p->row.from, bytes,
                                1 + (cancels ? (int)p->n_before : 0), version, run->diag);
    *again = run->out->epoch != epoch;
    return err;
}

static enum emt_err put_with_cancels(struct pending *p)
{
    enum emt_err err = EMT_OK;

    for (size_t i = 0; p->run->use->cancelled && i < p->n_before && err == EMT_OK; i++)
        err = put_cancel(p->run, p->before[i], p->run->use->pid);
    return err == EMT_OK ? put(p) : err;
}

/* Whether the receiver has it already, or what is newer. */
static enum emt_err judge_before(struct pending *p, bool *stays)
{
    bool only_changes = p->run->use->cancelled || p->run->req->only_changes;
    bool differs = false;
    enum emt_err err = EMT_OK;

    p->n_before = 0;
    p->same = p->overtaken = *stays = false;
    find_before(p);
    if (p->n_before > 0 && !p->same)
        err = compare(p, &differs);
    *stays = only_changes && p->n_before > 0 && (p->same || !differs);
    if (*stays) {
        p->run->unchanged++;
    } else if (err == EMT_OK && differs && p->overtaken) {
        *stays = true;
        if (p->run->overtaken++ == 0)
            note_left_out(p, "another export has sent what may be newer: the next one compares");
    }
    return err;
}

enum emt_err export_document_put(struct export_run *run, const struct place *place,
                                 const char *document, emt_time from, emt_time to,
                                 struct export_lines *lines)
{
    struct pending *p = calloc(1, sizeof *p);
    bool stays = false;
    bool again = false;

    if (p == NULL)
        return EMT_ENOMEM;
    p->run = run;
    p->place = place;
    p->lines = lines;
    fill_document(p, document, from, to);
    p->row.digest = sent_digest(lines);
    enum emt_err err = export_sent_load(run, run->diag);
    if (err == EMT_OK)
        err = judge_before(p, &stays);
    if (err == EMT_OK && !stays)
        err = make_room(p, &again, &stays);
    if (err == EMT_OK && again) {
        err = export_sent_load(run, run->diag);
        if (err == EMT_OK)
            err = judge_before(p, &stays);
        if (run->use->pid == 13007)
            p->doc.version = run->out->head.created;
    }
    if (err == EMT_OK && !stays)
        err = put_with_cancels(p);
    free(p);
    return err;
}
