#include "connectors/mscons_write.h"

#include "model/local_day.h"
#include "model/market_id.h"
#include "mscons/mscons_id.h"
#include "mscons/mscons_message.h"
#include "mscons/mscons_rules.h"
#include "mscons/mscons_value_rule.h"

#include <stdio.h>
#include <string.h>

/* Use cases that are written here. What they ask for stands in mscons_rules.c, for writer and
 * checker alike. */
static const unsigned written[] = { 13002, 13006, 13007, 13008, 13009, 13016,
                                    13017, 13018, 13019, 13025, 13027 };

static const struct mscons_use_case *use_case_of(unsigned pid)
{
    for (size_t i = 0; i < sizeof(written) / sizeof(written[0]); i++) {
        if (written[i] == pid)
            return mscons_use_case(pid);
    }
    return NULL;
}

/* The first code of a list into out, which holds 8. */
static const char *first_of(const char *list, char out[8])
{
    size_t n = strcspn(list, " !@");

    n = n < 7 ? n : 7;
    memcpy(out, list, n);
    out[n] = '\0';
    return out;
}

const char *mscons_application(unsigned kind)
{
    static const char *const names[] = { "EM", "TL", "VL" };
    const struct mscons_use_case *r = use_case_of(kind);
    char name[8];

    /* A cancellation goes the way of what it cancels. */
    if (!r || kind == 13006)
        return NULL;
    first_of(r->applications, name);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], name) == 0)
            return names[i];
    }
    return NULL;
}

bool mscons_register_allowed(unsigned kind, struct obis obis, emt_time to)
{
    return (mscons_obis_allowed(kind, obis, "SRW", NULL) ||
            mscons_obis_allowed(kind, obis, "Z02", NULL)) &&
           !mscons_obis_ended(kind, obis, to);
}

bool mscons_document_register(unsigned kind, const char *document, struct obis obis)
{
    const struct mscons_use_case *r = use_case_of(kind);
    char first[8];

    if (!r)
        return false;
    if (!document)
        document = first_of(r->documents, first);
    return mscons_obis_allowed(kind, obis, "SRW", document) ||
           mscons_obis_allowed(kind, obis, "Z02", document);
}

unsigned mscons_decimals(unsigned kind, const char *document, const char *location,
                         struct obis obis)
{
    const struct mscons_use_case *r = use_case_of(kind);
    char bgm[8];
    struct mscons_value_place place = { .rules = r,
                                        .place_len = location ? strlen(location) : 0,
                                        .config = location == NULL,
                                        .obis = obis };

    if (!r || !r->products)
        return 0;
    place.bgm = document ? document : first_of(r->documents, bgm);
    return mscons_decimals_allowed(&place);
}

bool mscons_correction_allowed(unsigned kind, const char *code, const char *qualifier,
                               const char *location)
{
    const struct mscons_use_case *r = use_case_of(kind);

    return r && r->corrections &&
           mscons_status_allowed(r->corrections, code, qualifier,
                                 location && strlen(location) == 11);
}

bool mscons_has_methods(unsigned kind)
{
    const struct mscons_use_case *r = use_case_of(kind);

    return r && r->methods;
}

bool mscons_has_document(unsigned kind, const char *document)
{
    const struct mscons_use_case *r = use_case_of(kind);
    char first[8];

    return r && kind != 13006 && mscons_list_has(r->documents, document, "", NULL) &&
           strcmp(first_of(r->documents, first), document) != 0;
}

const char *mscons_version_at(emt_time t)
{
    const struct mscons_version *v = t == EMT_TIME_NONE ? NULL : mscons_version_of(t);

    return v ? v->name : NULL;
}

static enum emt_err check_head(const struct export_file *file, struct emt_diag *diag)
{
    if (!file->sender || mp_id_check(file->sender, diag) != EMT_OK)
        return emt_fail(diag, EMT_EMALFORMED, "sender '%s' is no MP-ID of 13 digits",
                        file->sender ? file->sender : "");
    if (!file->recipient || mp_id_check(file->recipient, diag) != EMT_OK)
        return emt_fail(diag, EMT_EMALFORMED, "recipient '%s' is no MP-ID of 13 digits",
                        file->recipient ? file->recipient : "");
    return mscons_reference_check(file->reference, diag);
}

static emt_time whole_minute(emt_time t)
{
    emt_time rest = t % EMT_MINUTE;

    return t - (rest < 0 ? rest + EMT_MINUTE : rest);
}

enum emt_err mscons_begin(struct mscons_writer *w, const struct export_file *file,
                          const struct sink *out, struct emt_diag *diag)
{
    enum emt_err err;

    *w = (struct mscons_writer){ .file = *file };
    edi_init(&w->edi, out, MSCONS_MESSAGE_LIMIT);
    err = check_head(file, diag);
    if (err != EMT_OK)
        return err;
    w->version = mscons_version_at(file->created);
    if (!w->version)
        return emt_fail(diag, EMT_EUNSUPPORTED,
                        "no MSCONS version is known for the day of sending (first: 2024-04-03)");
    w->file.created = whole_minute(file->created);
    return EMT_OK;
}

void mscons_release(struct mscons_writer *w)
{
    edi_release(&w->edi);
}

/* UNB+UNOC:3+sender:qualifier+recipient:qualifier+yymmdd:hhmm+reference++application[++++1]. */
static void put_interchange_head(struct mscons_writer *w)
{
    struct edi_writer *e = &w->edi;
    struct civil c;
    char date[8];
    char time[8];

    time_to_civil(w->file.created, &c);
    snprintf(date, sizeof(date), "%02u%02u%02u", (unsigned)c.year % 100u, (unsigned)c.month % 100u,
             (unsigned)c.day % 100u);
    snprintf(time, sizeof(time), "%02u%02u", (unsigned)c.hour % 100u, (unsigned)c.minute % 100u);
    edi_una(e);
    edi_segment(e, "UNB");
    edi_element(e, "UNOC");
    edi_component(e, "3");
    edi_element(e, w->file.sender);
    edi_component(e, mp_id_qualifier(w->file.sender));
    edi_element(e, w->file.recipient);
    edi_component(e, mp_id_qualifier(w->file.recipient));
    edi_element(e, date);
    edi_component(e, time);
    edi_element(e, w->file.reference);
    edi_element(e, NULL); /* DE0022 */
    edi_element(e, w->application);
    edi_element(e, NULL); /* DE0029, 0031, 0032 stay empty */
    edi_element(e, NULL);
    edi_element(e, NULL);
    edi_element(e, w->file.test ? "1" : NULL); /* DE0035 */
    edi_end(e);
}

void mscons_write_time(struct edi_writer *e, const char *qualifier, emt_time t)
{
    edi_segment(e, "DTM");
    edi_element(e, qualifier);
    edi_component_time303(e, t);
    edi_component(e, "303");
    edi_end(e);
}

void mscons_write_pair(struct edi_writer *e, const char *tag, const char *code, const char *text)
{
    edi_segment(e, tag);
    edi_element(e, code);
    edi_component(e, text);
    edi_end(e);
}

static void put_party(struct edi_writer *e, const char *role, const char *mp_id)
{
    edi_segment(e, "NAD");
    edi_element(e, role);
    edi_element(e, mp_id);
    edi_component(e, NULL);
    edi_component(e, mp_id_agency(mp_id));
    edi_end(e);
}

/* SG4, which ends with version 2.4c. */
static void put_contact(struct mscons_writer *w)
{
    const struct mscons_version *v = mscons_version_named(w->version);

    if (!v || !v->contact || !w->file.contact_name || !w->file.contact_mail)
        return;
    edi_segment(&w->edi, "CTA");
    edi_element(&w->edi, "IC");
    edi_element(&w->edi, NULL);
    edi_component(&w->edi, w->file.contact_name);
    edi_end(&w->edi);
    mscons_write_pair(&w->edi, "COM", w->file.contact_mail, "EM");
}

static void put_message_head(struct mscons_message *m, const char *reference)
{
    const char *const type[5] = { "MSCONS", "D", "04B", "UN", m->w->version };
    const struct export_document *d = m->document;
    struct edi_writer *e = &m->w->edi;
    char pid[12];

    snprintf(pid, sizeof(pid), "%u", m->rules->pid);
    edi_message_begin(e, reference, type);
    edi_segment(e, "BGM");
    edi_element(e, m->bgm);
    edi_element(e, d->number);
    edi_element(e, m->rules->function);
    edi_end(e);
    mscons_write_time(e, "137", m->w->file.created);
    if (d->order)
        mscons_write_pair(e, "RFF", "AGI", d->order);
    if (d->cancels)
        mscons_write_pair(e, "RFF", "ACW", d->cancels);
    if (d->earlier)
        mscons_write_pair(e, "RFF", "Z30", d->earlier);
    mscons_write_pair(e, "RFF", "Z13", pid);
    put_party(e, "MS", m->w->file.sender);
    put_contact(m->w);
    put_party(e, "MR", m->w->file.recipient);
    edi_segment(e, "UNS");
    edi_element(e, "D");
    edi_end(e);
}

static bool has_period(const struct mscons_use_case *r, const char *qualifier)
{
    return r->period && mscons_list_has(r->period, qualifier, "", NULL);
}

static void put_stamp(struct edi_writer *e, emt_time t)
{
    struct civil c;
    char text[32];

    time_to_civil(t, &c);
    snprintf(text, sizeof(text), "%04u%02u%02u%02u%02u%02u+00", (unsigned)c.year % 10000u,
             (unsigned)c.month % 100u, (unsigned)c.day % 100u, (unsigned)c.hour % 100u,
             (unsigned)c.minute % 100u, (unsigned)c.second % 100u);
    edi_segment(e, "DTM");
    edi_element(e, "293");
    edi_component(e, text);
    edi_component(e, "304");
    edi_end(e);
}

static void put_place(struct mscons_message *m)
{
    const struct export_document *d = m->document;
    struct edi_writer *e = &m->w->edi;

    edi_segment(e, "NAD");
    edi_element(e, "DP");
    edi_end(e);
    edi_segment(e, "LOC");
    edi_element(e, "172");
    edi_element(e, d->location);
    edi_end(e);
    if (has_period(m->rules, "163")) {
        mscons_write_time(e, "163", d->from);
        mscons_write_time(e, "164", d->to);
    }
    if (has_period(m->rules, "293"))
        put_stamp(e, d->version);
    if (d->device)
        mscons_write_pair(e, "RFF", "MG", d->device);
    if (d->config_id)
        mscons_write_pair(e, "RFF", "AGK", d->config_id);
}

/* Characters of UTF-8 text; 0 for NULL. */
static size_t text_length(const char *s)
{
    size_t n = 0;

    for (; s && *s; s++)
        n += ((unsigned char)*s & 0xc0u) != 0x80u;
    return n;
}

static enum emt_err check_text(const char *what, const char *text, size_t max,
                               struct emt_diag *diag)
{
    size_t n = text_length(text);

    if (n == 0 || n > max)
        return emt_fail(diag, EMT_EMALFORMED, "%s has %zu characters, must be 1 to %zu", what, n,
                        max);
    return EMT_OK;
}

/* A text that only some use cases carry: it must be there, may be there, or must not. */
static enum emt_err check_part(const char *what, const char *text, const char *list,
                               const char *code, const struct mscons_message *m,
                               struct emt_diag *diag)
{
    bool must = false;
    bool may = list && mscons_list_has(list, code, m->bgm, &must);

    if (text && !may)
        return emt_fail(diag, EMT_EMALFORMED, "use case %u with document %s carries no %s",
                        m->rules->pid, m->bgm, what);
    if (!text && must)
        return emt_fail(diag, EMT_EMALFORMED, "use case %u needs the %s", m->rules->pid, what);
    return text ? check_text(what, text, 70, diag) : EMT_OK;
}

/* A configuration id stands in the place of location and device number (AHB, conditions 131, 132).
 */
static enum emt_err check_location(const struct mscons_message *m, struct emt_diag *diag)
{
    const struct export_document *d = m->document;
    const struct mscons_use_case *r = m->rules;
    bool device = r->details && mscons_list_has(r->details, "MG", m->bgm, NULL);
    enum emt_err err = check_part("configuration id", d->config_id, r->details, "AGK", m, diag);

    if (err == EMT_OK)
        err = check_part("device number", d->device, r->details, "MG", m, diag);
    if (err != EMT_OK)
        return err;
    if (d->config_id && (d->location || d->device))
        return emt_fail(diag, EMT_EMALFORMED,
                        "a document has either a configuration id or a location%s",
                        device ? " with a device number" : "");
    if (d->location && device && !d->device)
        return check_text("device number", d->device, 70, diag);
    if (d->location)
        return mscons_place_check(d->location, r->places, diag);
    if (d->config_id || r->pid == 13006)
        return EMT_OK;
    return emt_fail(diag, EMT_EMALFORMED, "use case %u needs a location%s", r->pid,
                    (r->places & PLACE_EMPTY) != 0 ? " or a configuration id" : "");
}

static enum emt_err check_period(const struct mscons_message *m, struct emt_diag *diag)
{
    const struct export_document *d = m->document;
    emt_time created = m->w->file.created;

    if (has_period(m->rules, "163") &&
        (d->from == EMT_TIME_NONE || d->to == EMT_TIME_NONE || d->from >= d->to ||
         d->from % EMT_MINUTE != 0 || d->to % EMT_MINUTE != 0))
        return emt_fail(diag, EMT_EMALFORMED, "period is empty or not of whole minutes");
    /* No time lies after DTM+137 (AHB, condition 495). */
    if (has_period(m->rules, "163") && !m->rules->future && d->to > created)
        return emt_fail(diag, EMT_EMALFORMED, "period ends after the file was created");
    if (has_period(m->rules, "293") && (d->version <= 0 || d->version > created))
        return emt_fail(diag, EMT_EMALFORMED,
                        "use case %u needs a version stamp, not after the file's creation",
                        m->rules->pid);
    return EMT_OK;
}

static enum emt_err check_document(const struct mscons_message *m, struct emt_diag *diag)
{
    const struct export_document *d = m->document;
    const struct mscons_use_case *r = m->rules;
    enum emt_err err = check_text("document number", d->number, 35, diag);

    if (err == EMT_OK && !mscons_list_has(r->documents, m->bgm, "", NULL))
        err = emt_fail(diag, EMT_EMALFORMED, "use case %u has no document of type %.3s", r->pid,
                       m->bgm);
    if (err == EMT_OK)
        err = check_part("order number", d->order, r->references, "AGI", m, diag);
    if (err == EMT_OK)
        err = check_part("number of the cancelled document", d->cancels, r->references, "ACW", m,
                         diag);
    if (err == EMT_OK)
        err =
            check_part("number of the earlier message", d->earlier, r->references, "Z30", m, diag);
    if (err == EMT_OK)
        err = check_period(m, diag);
    if (err == EMT_OK)
        err = check_location(m, diag);
    if (err == EMT_OK && !d->order &&
        mscons_is_correction(r, d->location ? strlen(d->location) : 0, d->config_id != NULL))
        err = emt_fail(diag, EMT_EMALFORMED,
                       "a correction energy names the order or the reading that it corrects");
    if (err == EMT_OK && (d->n_series == 0) != (r->products == NULL))
        err = emt_fail(diag, EMT_EMALFORMED, "%s",
                       r->products ? "document without a register"
                                   : "a cancellation carries no values");
    return err;
}

/* What the document is, after its use case; a cancellation (13006) is what it cancels. */
static enum emt_err identify(struct mscons_message *m, char application[8], char bgm[8],
                             struct emt_diag *diag)
{
    const struct export_document *d = m->document;
    unsigned of = d->kind == 13006 ? d->cancels_kind : d->kind;
    const struct mscons_use_case *r = of == 13006 ? NULL : use_case_of(of);

    m->rules = use_case_of(d->kind);
    if (!m->rules || !r)
        return emt_fail(diag, EMT_EUNSUPPORTED, "use case %u is not written", of);
    first_of(r->applications, application);
    m->bgm = d->type ? d->type : first_of(r->documents, bgm);
    /* Profiles are overwritten, not cancelled. */
    if (d->kind == 13006 && strcmp(application, "TL") == 0)
        return emt_fail(diag, EMT_EUNSUPPORTED,
                        "use case %u is corrected by a later message, not cancelled", of);
    return EMT_OK;
}

static enum emt_err put_message(struct mscons_message *m, struct emt_diag *diag)
{
    struct mscons_writer *w = m->w;
    enum emt_err err = EMT_OK;
    char reference[16];

    snprintf(reference, sizeof(reference), "%u", w->edi.messages + 1u);
    put_message_head(m, reference);
    put_place(m);
    for (size_t i = 0; i < m->document->n_series && err == EMT_OK; i++)
        err = mscons_write_series(m, i, diag);
    if (err == EMT_OK)
        err = edi_message_end(&w->edi, reference);
    if (err == EMT_OK) {
        w->values += m->values;
        w->rounded += m->rounded;
    }
    return err;
}

enum emt_err mscons_put(struct mscons_writer *w, const struct export_document *document,
                        struct emt_diag *diag)
{
    struct mscons_message m = { .w = w, .document = document, .reading_at = EMT_TIME_NONE };
    char application[8];
    char bgm[8];

    if (w->edi.sink_failed)
        return emt_fail(diag, w->edi.err, "%s", w->edi.text);
    enum emt_err err = identify(&m, application, bgm, diag);
    if (err != EMT_OK)
        return err;
    if (w->begun && strcmp(w->application, application) != 0)
        return emt_fail(diag, EMT_ECONFLICT, "use case %u needs a file of application %s",
                        document->kind, application);
    err = check_document(&m, diag);
    if (err != EMT_OK)
        return err;
    if (!w->begun) {
        memcpy(w->application, application, sizeof(w->application));
        put_interchange_head(w);
    }
    err = put_message(&m, diag);
    if (err == EMT_OK) {
        w->begun = true;
        return EMT_OK;
    }
    if (w->edi.err != EMT_OK)
        err = emt_fail(diag, w->edi.err, "%s", w->edi.text);
    edi_message_drop(&w->edi);
    if (!w->begun) {
        /* The head belongs to the first message that succeeds. */
        writer_clear(&w->edi.buf);
        w->application[0] = '\0';
    }
    return err;
}

enum emt_err mscons_end(struct mscons_writer *w, struct emt_diag *diag)
{
    struct edi_writer *e = &w->edi;

    if (e->sink_failed)
        return emt_fail(diag, e->err, "%s", e->text);
    if (!w->begun)
        return emt_fail(diag, EMT_ENOTFOUND, "no message was written: there is no file");
    edi_segment(e, "UNZ");
    edi_element_number(e, e->messages);
    edi_element(e, w->file.reference);
    edi_end(e);
    if (edi_flush(e) != EMT_OK)
        return emt_fail(diag, e->err, "%s", e->text);
    return EMT_OK;
}

enum emt_err mscons_file_name(const struct export_file *file, unsigned kind, char *buf, size_t size,
                              struct emt_diag *diag)
{
    const char *application = mscons_application(kind);
    enum emt_err err = check_head(file, diag);
    struct civil c;
    int n;

    if (err != EMT_OK)
        return err;
    if (!application || file->created == EMT_TIME_NONE)
        return emt_fail(diag, EMT_EUNSUPPORTED, "use case %u is not written", kind);
    time_to_civil(file->created, &c);
    n = snprintf(buf, size, "MSCONS_%s_%s_%s_%04d%02d%02d_%s.txt", application, file->sender,
                 file->recipient, c.year, c.month, c.day, file->reference);
    if (n < 0 || (size_t)n >= size)
        return emt_fail(diag, EMT_ELIMIT, "file name does not fit");
    return EMT_OK;
}

enum emt_err mscons_write(const struct export_file *file, const struct export_document *documents,
                          size_t count, const struct sink *out, struct emt_diag *diag)
{
    struct mscons_writer w;
    enum emt_err err = mscons_begin(&w, file, out, diag);

    for (size_t i = 0; i < count && err == EMT_OK; i++)
        err = mscons_put(&w, &documents[i], diag);
    if (err == EMT_OK)
        err = mscons_end(&w, diag);
    mscons_release(&w);
    return err;
}
