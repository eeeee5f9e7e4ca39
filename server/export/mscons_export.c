/* Each receiver gets his own files. Places go in lots, whose readings and former messages are asked
 * for at once; what a place sends for a day or period is one unit, at whose begin a file may end.
 */
#include "export/mscons_export.h"

#include "export_feed.h"
#include "export_unit.h"
#include "model/market_id.h"
#include "store/export_store.h"
#include "store/mandate_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* Places of one lot; channels where only one instant of each is read. */
#define LOT_PLACES_MAX 500
#define LOT_INSTANTS_MAX 2000

/* --- the request --- */

static const struct export_use_case *use_case_of(const struct mscons_export_request *req)
{
    return export_use_case(req->pid == 13006 ? req->cancels : req->pid);
}

/* A NeLo is taken as it is: whether it exists is seen soon enough. */
static enum emt_err check_location(const struct export_use_case *u, const char *code,
                                   struct emt_diag *diag)
{
    bool melo = (u->places & LOCATION_BIT(LOCATION_MELO)) != 0;
    bool malo = (u->places & LOCATION_BIT(LOCATION_MALO)) != 0;

    if ((u->places & LOCATION_BIT(LOCATION_NELO)) != 0 && strlen(code) == 11 && code[0] == 'E')
        return EMT_OK;
    return melo && (!malo || strlen(code) > 11) ? melo_check(code, diag) : malo_check(code, diag);
}

enum emt_err mscons_export_check(const struct mscons_export_request *req, struct emt_diag *diag)
{
    const struct export_use_case *u = use_case_of(req);

    if (u == NULL)
        return emt_fail(diag, EMT_EUNSUPPORTED, "pid %u is not exported",
                        req->pid == 13006 ? req->cancels : req->pid);
    if (req->pid == 13006 && !u->cancelled)
        return emt_fail(diag, EMT_EUNSUPPORTED,
                        "pid %u is corrected by a later message, not cancelled", u->pid);
    emt_time from = local_day_start(req->from);
    emt_time to = local_day_start(req->to);
    if (from == EMT_TIME_NONE || to == EMT_TIME_NONE || from >= to)
        return emt_fail(diag, EMT_EMALFORMED, "period: 'from' must be a day before 'to'");
    if (to - from > (MSCONS_EXPORT_DAYS_MAX + 1) * EMT_DAY)
        return emt_fail(diag, EMT_EMALFORMED, "period: longer than %d days",
                        MSCONS_EXPORT_DAYS_MAX);
    if (req->document != NULL && !mscons_has_document(req->pid, req->document))
        return emt_fail(diag, EMT_EMALFORMED, "document: use case %u has no %.3s", req->pid,
                        req->document);
    return req->location != NULL ? check_location(u, req->location, diag) : EMT_OK;
}

/* --- units: days, months, or the whole period --- */

struct unit {
    emt_time from, to;
};
struct units {
    struct unit list[MSCONS_EXPORT_DAYS_MAX + 2];
    size_t n;
    struct unit whole;
};

static emt_time day_start(bool gas, struct local_date d)
{
    return gas ? gas_day_start(d) : local_day_start(d);
}

static bool before(struct local_date a, struct local_date b)
{
    return local_day_start(a) < local_day_start(b);
}

static void units_of(const struct mscons_export_request *req, struct units *out)
{
    const struct export_use_case *u = use_case_of(req);
    struct local_date d = req->from;

    out->n = 0;
    out->whole = (struct unit){ day_start(u->gas, req->from), day_start(u->gas, req->to) };
    if (req->pid == 13006 || (u->shape == EXPORT_ENERGY && !u->months)) {
        out->list[out->n++] = out->whole;
        return;
    }
    while (before(d, req->to)) {
        struct local_date next = local_date_add(d, 1);

        if (u->months) {
            next = (struct local_date){ d.month == 12 ? d.year + 1 : d.year, d.month % 12 + 1, 1 };
            if (d.day != 1 || before(req->to, next)) {
                d = next; /* only whole months have an energy of the month */
                continue;
            }
        }
        if (!u->months && day_start(u->gas, d) > req->now)
            break;
        out->list[out->n++] = (struct unit){ day_start(u->gas, d), day_start(u->gas, next) };
        d = next;
    }
}

/* --- one receiver --- */

/* Days without mandate are noted once for each span of them. */
struct permission {
    struct store_result *mandates; /* rows (valid_from, valid_to); NULL: none is needed */
    bool refused;                  /* the unit before */
};

/* Places of all receivers, so that one with many is no long silence. */
struct progress {
    const struct mscons_export_handler *handler;
    int64_t done, total;
};

struct receiver {
    struct export_run run;
    struct export_out out;
    struct export_lot lots[2]; /* the one at hand (run.lot), and the one that comes next */
    struct units units;
    const char *code; /* its MP-ID */
    struct export_feed *feed;
    struct place place;
    struct permission permission;
    struct progress *progress;
    /* A job that begins again: what stands is behind it. */
    char skip_place[64];
    emt_time skip_from;
};

static bool is_permitted(struct receiver *r, const struct unit *u)
{
    struct permission *p = &r->permission;
    emt_time to = r->run.use->shape == EXPORT_READING ? u->from : u->to;
    bool permitted = p->mandates == NULL;
    char when[32];

    for (int i = 0; !permitted && i < store_rows(p->mandates); i++)
        permitted = c_time(p->mandates, i, 0) <= u->from &&
                    (c_null(p->mandates, i, 1) || c_time(p->mandates, i, 1) >= to);
    if (!permitted && !p->refused)
        export_note(&r->out.notes, r->place.code, "no mandate for %s from %s on", r->out.receiver,
                    time_format(u->from, when));
    p->refused = !permitted;
    return permitted;
}

static enum emt_err run_unit(struct receiver *r, const struct unit *u)
{
    struct export_run *run = &r->run;
    enum emt_err err = EMT_OK;

    if (run->req->pid == 13006)
        return export_document_cancel_all(run, r->place.code, u->from, u->to);
    switch (run->use->shape) {
    case EXPORT_PROFILE:
        return unit_profile(run, &r->place, u->from, u->to);
    case EXPORT_READING:
        err = unit_reading(run, &r->place, u->from, u->to);
        if (err == EMT_OK && u->to == r->units.whole.to && run->use->gas)
            err = unit_energy(run, &r->place, r->units.whole.from, r->units.whole.to);
        return err;
    case EXPORT_ENERGY:
        return unit_energy(run, &r->place, u->from, u->to);
    case EXPORT_ORDERED:
        err = unit_profile(run, &r->place, u->from, u->to);
        if (err == EMT_OK)
            err = unit_reading(run, &r->place, u->from, u->to);
        return err == EMT_OK ? unit_instants(run, &r->place, u->from, u->to) : err;
    }
    return EMT_EINTERNAL;
}

static bool is_behind(const struct receiver *r, emt_time from)
{
    int c = strcmp(r->place.code, r->skip_place);

    return c > 0 || (c == 0 && from >= r->skip_from);
}

static enum emt_err run_place(struct receiver *r, size_t first_unit, size_t end_unit)
{
    enum emt_err err = EMT_OK;

    if (r->place.n == 0 && r->run.req->pid != 13006)
        return EMT_OK;
    for (size_t i = first_unit; i < end_unit && err == EMT_OK; i++) {
        const struct unit *u = &r->units.list[i];

        if (!is_behind(r, u->from) || !is_permitted(r, u))
            continue;
        err = run_unit(r, u);
        lot_forget(r->run.lot);
    }
    return err;
}

static enum emt_err open_place(struct receiver *r, const struct feed_page *page, int first, int end)
{
    const struct mscons_export_request *req = r->run.req;
    const char *code = page_place(page, first);

    store_result_free(r->permission.mandates);
    r->permission = (struct permission){ 0 };
    if (req->pid == 13006) {
        r->place.code = code;
        r->place.n = 0;
    } else {
        place_of_rows(r->run.use, &r->out.notes, page->rows, first, end, r->units.whole.to,
                      &r->place);
    }
    return r->run.mandates ? mandate_periods(r->run.store, req->tenant, code, r->out.receiver,
                                             &r->permission.mandates)
                           : EMT_OK;
}

/* --- lots --- */

static bool reads_instants(const struct receiver *r)
{
    return r->run.use->shape == EXPORT_READING && r->units.n == 1;
}

/* Rows and units that are read at once: several places with all their units, or some units of one.
 */
struct step {
    struct feed_page *page; /* held; NULL: none */
    int first, end;
    int places;
    size_t unit, end_unit, chunk;
};

static void step_release(struct step *s)
{
    page_unref(s->page);
    s->page = NULL;
}

static void step_units(const struct receiver *r, struct step *s, size_t unit)
{
    s->unit = unit;
    s->end_unit = unit + s->chunk < r->units.n ? unit + s->chunk : r->units.n;
}

/* Rows of the receiver from `first` on that make a lot; at least one place. */
static void take_places(const struct receiver *r, struct step *s)
{
    size_t most = reads_instants(r) ? LOT_INSTANTS_MAX : EXPORT_LOT_CHANNEL_DAYS / r->units.n;

    s->end = s->first;
    s->places = 0;
    while (s->end < s->page->n && s->places < LOT_PLACES_MAX &&
           strcmp(page_receiver(s->page, s->end), r->code) == 0) {
        int next = page_place_end(s->page, s->end);

        if (s->places > 0 && (size_t)(next - s->first) > most)
            break;
        s->end = next;
        s->places++;
    }
}

/* Whether the feed stands at a place of the receiver that is not written yet. */
static enum emt_err find_place(struct receiver *r, bool *found)
{
    struct export_feed *f = r->feed;
    enum emt_err err;

    while ((err = feed_fill(f)) == EMT_OK && f->page != NULL &&
           strcmp(page_receiver(f->page, f->at), r->code) == 0) {
        *found = strcmp(page_place(f->page, f->at), r->skip_place) >= 0;
        if (*found)
            return EMT_OK;
        feed_pass(f, page_place_end(f->page, f->at), 1);
        r->progress->done++;
    }
    *found = false;
    return err;
}

/* The next places; out->page is NULL behind the last. */
static enum emt_err step_places(struct receiver *r, struct step *out)
{
    bool found = false;
    enum emt_err err = r->units.n > 0 ? find_place(r, &found) : EMT_OK;

    *out = (struct step){ 0 };
    if (err != EMT_OK || !found)
        return err;
    out->page = page_ref(r->feed->page);
    out->first = r->feed->at;
    take_places(r, out);
    out->chunk = out->places > 1 || r->run.use->shape == EXPORT_ENERGY
                     ? r->units.n
                     : EXPORT_LOT_CHANNEL_DAYS / (size_t)(out->end - out->first) + 1;
    step_units(r, out, 0);
    feed_pass(r->feed, out->end, out->places);
    return EMT_OK;
}

static enum emt_err step_behind(struct receiver *r, const struct step *s, struct step *out)
{
    if (s->end_unit == r->units.n)
        return step_places(r, out);
    *out = *s;
    (void)page_ref(out->page);
    step_units(r, out, s->end_unit);
    return EMT_OK;
}

/* Asks for the readings of a step. */
static enum emt_err ask_step(struct receiver *r, const struct step *s, struct export_lot *lot)
{
    emt_time margin = r->run.tolerance_s * EMT_SECOND;
    emt_time from = r->units.list[s->unit].from;
    emt_time to = reads_instants(r) ? from : r->units.list[s->end_unit - 1].to;
    bool loads = r->run.use->shape != EXPORT_ENERGY && r->run.req->pid != 13006;
    enum emt_err err = EMT_OK;

    lot_clear(lot);
    for (int i = s->first; loads && i < s->end && err == EMT_OK; i++) {
        if (!c_null(s->page->rows, i, EXPORT_CHANNEL_ID))
            err = lot_add(lot, c_int(s->page->rows, i, EXPORT_CHANNEL_ID));
    }
    return err == EMT_OK && loads ? lot_ask(lot, from - margin, to + margin + 1) : err;
}

/* Takes the readings, and asks what was sent. */
static enum emt_err load_step(struct receiver *r, const struct step *s, struct export_lot *lot,
                              struct emt_diag *diag)
{
    struct export_run *run = &r->run;
    emt_time from = r->units.list[s->unit].from;
    const char *last = "";
    enum emt_err err = EMT_OK;

    /* Somebody sent what may be newer than these readings: they would take its place. The lock on
     * the number is held until this file ends; what is sent between the files of the step is told
     * by export_document_put(), because the step's places and lines stand on this lot. */
    if (run->strangers != r->out.strangers)
        err = lot_ask_again(lot);
    run->strangers = r->out.strangers;
    if (err == EMT_OK)
        err = lot_load(lot);
    run->lot = lot;
    store_array_clear(run->places);
    for (int i = s->first; i < s->end && err == EMT_OK; i++) {
        const char *code = page_place(s->page, i);

        if (strcmp(code, last) != 0 && !store_array_text(run->places, code))
            err = EMT_ENOMEM;
        last = code;
    }
    store_result_free(run->sent);
    run->sent = NULL;
    run->sent_from = r->units.whole.from < from ? r->units.whole.from : from;
    run->sent_to = r->units.whole.to;
    if (err != EMT_OK)
        return emt_fail(diag, err, "%s", store_error(run->store));
    err = export_sent_load(run, diag);
    run->sent_last = 0;
    for (int i = 0; err == EMT_OK && i < store_rows(run->sent); i++) {
        if (c_int(run->sent, i, SENT_MESSAGE_ID) > run->sent_last)
            run->sent_last = c_int(run->sent, i, SENT_MESSAGE_ID);
    }
    return err;
}

static enum emt_err run_step(struct receiver *r, const struct step *s)
{
    enum emt_err err = EMT_OK;

    for (int i = s->first; i < s->end && err == EMT_OK;) {
        int next = page_place_end(s->page, i);

        if (s->unit == 0)
            err = open_place(r, s->page, i, next);
        if (err == EMT_OK)
            err = run_place(r, s->unit, s->end_unit);
        store_listen_in(r->run.store);
        i = next;
    }
    return err;
}

static bool goes_on(const struct progress *p)
{
    const struct mscons_export_handler *h = p->handler;

    return h->step == NULL || h->step(h->ctx, p->done, p->total);
}

static enum emt_err run_places(struct receiver *r, struct emt_diag *diag)
{
    struct step now, next = { 0 };
    size_t at = 0;
    enum emt_err err = step_places(r, &now);

    if (err == EMT_OK && now.page != NULL)
        err = ask_step(r, &now, &r->lots[at]);
    for (r->run.strangers = r->out.strangers; now.page != NULL && err == EMT_OK; at = 1 - at) {
        if (now.unit == 0 && !goes_on(r->progress)) {
            err = EMT_EAGAIN;
            break;
        }
        err = load_step(r, &now, &r->lots[at], diag);
        /* While this step is written the server looks for the readings of the next one. */
        if (err == EMT_OK)
            err = step_behind(r, &now, &next);
        if (err == EMT_OK && next.page != NULL)
            err = ask_step(r, &next, &r->lots[1 - at]);
        if (err == EMT_OK)
            err = run_step(r, &now);
        if (now.end_unit == r->units.n)
            r->progress->done += now.places;
        step_release(&now);
        now = next;
        next = (struct step){ 0 };
    }
    step_release(&now);
    return err;
}

/* --- a job that begins again --- */

static void repeat_notes(const struct export_notes *notes, const char *text)
{
    char line[400];

    while (*text != '\0') {
        size_t n = strcspn(text, "\n");

        snprintf(line, sizeof line, "%.*s", (int)n, text);
        export_note_line(notes, line);
        text += n + (text[n] == '\n');
    }
}

/* Hands back what earlier runs of the job wrote for the receiver; *done: that was all. */
static enum emt_err written_before(struct receiver *r, const char *code,
                                   const struct mscons_export_handler *h, struct store *s,
                                   const struct mscons_export_request *req, bool *done, int *part,
                                   struct emt_diag *diag)
{
    struct export_notes notes = { h->note, h->ctx, NULL };
    struct store_result *files = NULL;
    enum emt_err err;

    *done = false;
    *part = 1;
    if (req->job == 0)
        return EMT_OK;
    err = store_begin(s, req->tenant);
    if (err == EMT_OK)
        err = export_files_of_job(s, req->tenant, req->job, code, &files);
    if (err != EMT_OK)
        (void)emt_fail(diag, err, "%s", store_error(s));
    store_rollback(s);
    for (int i = 0; err == EMT_OK && i < store_rows(files); i++) {
        repeat_notes(&notes, c_text(files, i, 1));
        if (h->file != NULL)
            err = h->file(h->ctx, c_int(files, i, 0), "", NULL, 0, 0);
        *part = (int)c_int(files, i, 2) + 1;
        *done = c_null(files, i, 3);
        snprintf(r->skip_place, sizeof r->skip_place, "%s", c_text(files, i, 3));
        r->skip_from = c_time(files, i, 4);
    }
    store_result_free(files);
    return err;
}

/* --- all receivers --- */

struct plan {
    struct store *store;
    const struct mscons_export_request *req;
    const struct mscons_export_handler *handler;
    struct export_tenant tenant;
    struct export_policy policy;
    struct export_feed feed;
    struct progress progress;
};

/* Passes over what is left of the receiver's places; `why` not NULL: nothing of them goes out. */
static enum emt_err pass_receiver(struct plan *p, const char *code, const char *why)
{
    struct export_notes notes = { p->handler->note, p->handler->ctx, NULL };
    struct export_feed *f = &p->feed;
    enum emt_err err;

    while ((err = feed_fill(f)) == EMT_OK && f->page != NULL &&
           strcmp(page_receiver(f->page, f->at), code) == 0) {
        if (why != NULL)
            export_note(&notes, page_place(f->page, f->at), "no receiver: %s", why);
        feed_pass(f, page_place_end(f->page, f->at), 1);
    }
    return err;
}

static enum emt_err write_files(struct plan *p, struct receiver *r, const char *code, int part,
                                struct emt_diag *diag)
{
    enum emt_err err = out_open(&r->out, p->store, p->req, p->handler, &p->tenant, code, diag);

    if (err != EMT_OK)
        return err;
    r->out.part = part;
    r->code = code;
    r->feed = &p->feed;
    r->progress = &p->progress;
    r->run = (struct export_run){ .store = p->store,
                                  .req = p->req,
                                  .use = use_case_of(p->req),
                                  .policy = &p->policy,
                                  .tolerance_s = p->tenant.tolerance_s,
                                  /* Who sends to itself needs nobody's leave. */
                                  .mandates = p->tenant.mandates_required &&
                                              strcmp(code, p->tenant.own_mp_id) != 0,
                                  .out = &r->out,
                                  .diag = diag,
                                  .lot = &r->lots[0],
                                  .places = store_array_new(STORE_TEXT) };
    for (size_t i = 0; i < 2; i++) {
        lot_init(&r->lots[i], p->store, p->req->tenant, p->req->now);
        if (mscons_has_methods(r->run.use->pid)) {
            r->lots[i].method = p->policy.method;
            r->lots[i].reason = p->policy.reason;
        }
    }
    units_of(p->req, &r->units);
    err = r->run.places != NULL ? run_places(r, diag) : EMT_ENOMEM;
    if (err == EMT_EDB && diag->text[0] == '\0')
        (void)emt_fail(diag, err, "%s", store_error(p->store));
    if (err == EMT_OK)
        err = out_close(&r->out, diag);
    return err;
}

static void receiver_release(struct receiver *r)
{
    out_release(&r->out);
    lot_release(&r->lots[0]);
    lot_release(&r->lots[1]);
    store_array_free(r->run.places);
    store_result_free(r->run.sent);
    store_result_free(r->permission.mandates);
}

static enum emt_err export_receiver(struct plan *p, const char *code, struct emt_diag *diag)
{
    struct export_notes notes = { p->handler->note, p->handler->ctx, NULL };
    struct receiver *r;
    struct emt_diag why = { 0 };
    bool done = false;
    int part = 1;

    if (p->req->receiver != NULL && strcmp(p->req->receiver, code) != 0)
        return EMT_OK;
    if (mp_id_check(code, &why) != EMT_OK)
        return pass_receiver(p, code, *code ? why.text : "the location has no receiver_mp_id");
    r = calloc(1, sizeof *r);
    if (r == NULL)
        return EMT_ENOMEM;
    enum emt_err err = written_before(r, code, p->handler, p->store, p->req, &done, &part, diag);
    if (err == EMT_OK && !done) {
        err = write_files(p, r, code, part, diag);
        if (err != EMT_OK && r->out.refused) { /* the other receivers get theirs */
            export_note_line(&notes, diag->text);
            err = EMT_OK;
        }
        receiver_release(r);
    }
    free(r);
    return err;
}

static enum emt_err read_plan(struct plan *p, struct emt_diag *diag)
{
    const struct mscons_export_request *req = p->req;
    const struct export_use_case *u = use_case_of(req);
    struct units units;
    enum emt_err err = store_begin(p->store, req->tenant);

    if (err != EMT_OK)
        return emt_fail(diag, err, "%s", store_error(p->store));
    units_of(req, &units);
    err = export_tenant_get(p->store, req->tenant, &p->tenant);
    if (err == EMT_ENOTFOUND)
        emt_fail(diag, err, "tenant %d does not exist", (int)req->tenant);
    if (err == EMT_OK)
        err = export_policy_get(p->store, req->tenant, u->pid, &p->policy);
    if (err == EMT_OK) {
        /* Gaps are filled from what the meters before and after showed. */
        bool fills = u->shape == EXPORT_PROFILE && strcmp(p->policy.gap, "spans") != 0;

        err = feed_open(&p->feed, p->store, req->tenant, u->places, req->location, req->again,
                        units.whole.from - (fills ? 8 * EMT_DAY : 0),
                        units.whole.to + (fills ? EMT_DAY : 0));
    }
    if (err == EMT_OK)
        err = store_commit(p->store);
    else
        store_rollback(p->store);
    if (err == EMT_OK && mp_id_check(p->tenant.own_mp_id, NULL) != EMT_OK)
        err = emt_fail(diag, EMT_EMALFORMED,
                       "the tenant has no own_mp_id: set the MP-ID it sends with");
    if (err == EMT_OK && p->feed.total == 0 && req->location != NULL)
        err = emt_fail(diag, EMT_ENOTFOUND, "location %s is not registered for use case %u",
                       req->location, u->pid);
    if (err == EMT_EDB)
        emt_fail(diag, err, "%s", store_error(p->store));
    return err;
}

static enum emt_err export_next(struct plan *p, struct emt_diag *diag)
{
    char *code = strdup(page_receiver(p->feed.page, p->feed.at));
    enum emt_err err = code != NULL ? export_receiver(p, code, diag) : EMT_ENOMEM;

    if (err == EMT_OK) {
        err = pass_receiver(p, code, NULL);
        if (err != EMT_OK)
            (void)emt_fail(diag, err, "%s", store_error(p->store));
    }
    free(code);
    return err;
}

static enum emt_err export_all(struct plan *p, struct emt_diag *diag)
{
    struct progress *g = &p->progress;
    enum emt_err err;

    *g = (struct progress){ p->handler, 0, p->feed.total };
    while ((err = feed_fill(&p->feed)) == EMT_OK && p->feed.page != NULL) {
        if (!goes_on(g))
            return EMT_EAGAIN;
        err = export_next(p, diag);
        if (err != EMT_OK)
            return err;
        g->done = p->feed.passed; /* also where the receiver gets nothing */
    }
    if (err != EMT_OK)
        return emt_fail(diag, err, "%s", store_error(p->store));
    (void)goes_on(g); /* too late to stop */
    return EMT_OK;
}

enum emt_err mscons_export_run(struct store *s, const struct mscons_export_request *req,
                               const struct mscons_export_handler *h, struct emt_diag *diag)
{
    struct emt_diag own = { 0 };
    struct plan p = { .store = s, .req = req, .handler = h };
    struct emt_diag *why = diag != NULL ? diag : &own;
    enum emt_err err = mscons_export_check(req, why);

    if (err == EMT_OK)
        err = read_plan(&p, why);
    if (err == EMT_OK)
        err = export_all(&p, why);
    feed_close(&p.feed);
    return err;
}
