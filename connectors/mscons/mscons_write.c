#include "connectors/mscons_write.h"

#include "model/local_day.h"
#include "model/market_id.h"
#include "mscons/mscons_id.h"
#include "mscons/mscons_rules.h"

#include <stdio.h>
#include <string.h>

/* What differs between the use cases written here; the rules common to reader and writer stand in
 * mscons_rules.c. */
struct kind {
    unsigned pid;
    const char *application; /* DE0026 */
    const char *document;    /* DE1001 */
    bool profile;            /* values tile a period */
};

static const struct kind kinds[] = {
    { 13017, "VL", "7", false },
    { 13018, "TL", "7", true },
    { 13025, "TL", "Z48", true },
};

static const struct kind *kind_of(unsigned pid)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (kinds[i].pid == pid)
            return &kinds[i];
    }
    return NULL;
}

const char *mscons_application(unsigned kind)
{
    const struct kind *k = kind_of(kind);

    return k ? k->application : NULL;
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

static void put_time(struct edi_writer *e, const char *qualifier, emt_time t)
{
    edi_segment(e, "DTM");
    edi_element(e, qualifier);
    edi_component_time303(e, t);
    edi_component(e, "303");
    edi_end(e);
}

static void put_day(struct edi_writer *e, const char *qualifier, emt_time t)
{
    struct local_date d = local_date_of(t);
    char text[16];

    snprintf(text, sizeof(text), "%04u%02u%02u", (unsigned)d.year % 10000u,
             (unsigned)d.month % 100u, (unsigned)d.day % 100u);
    edi_segment(e, "DTM");
    edi_element(e, qualifier);
    edi_component(e, text);
    edi_component(e, "102");
    edi_end(e);
}

/* RFF, NAD and COM have one shape: tag, element, and a component behind it. */
static void put_pair(struct edi_writer *e, const char *tag, const char *code, const char *text)
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
    put_pair(&w->edi, "COM", w->file.contact_mail, "EM");
}

static void put_message_head(struct mscons_writer *w, const struct kind *k,
                             const struct export_document *d, const char *reference)
{
    const char *const type[5] = { "MSCONS", "D", "04B", "UN", w->version };
    struct edi_writer *e = &w->edi;
    char pid[12];

    snprintf(pid, sizeof(pid), "%u", k->pid);
    edi_message_begin(e, reference, type);
    edi_segment(e, "BGM");
    edi_element(e, k->document);
    edi_element(e, d->number);
    edi_element(e, "9");
    edi_end(e);
    put_time(e, "137", w->file.created);
    if (d->order)
        put_pair(e, "RFF", "AGI", d->order);
    put_pair(e, "RFF", "Z13", pid);
    put_party(e, "MS", w->file.sender);
    put_contact(w);
    put_party(e, "MR", w->file.recipient);
    edi_segment(e, "UNS");
    edi_element(e, "D");
    edi_end(e);
}

static void put_place(struct edi_writer *e, const struct kind *k, const struct export_document *d)
{
    edi_segment(e, "NAD");
    edi_element(e, "DP");
    edi_end(e);
    edi_segment(e, "LOC");
    edi_element(e, "172");
    edi_element(e, d->location);
    edi_end(e);
    if (k->profile) {
        put_time(e, "163", d->from);
        put_time(e, "164", d->to);
    }
    if (d->device)
        put_pair(e, "RFF", "MG", d->device);
    if (d->config_id)
        put_pair(e, "RFF", "AGK", d->config_id);
}

static void put_status(struct edi_writer *e, const char *category, const char *code)
{
    if (!code || !*code)
        return;
    edi_segment(e, "STS");
    edi_element(e, category);
    edi_element(e, NULL);
    edi_element(e, code);
    edi_end(e);
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

static enum emt_err check_reading_place(const struct export_document *d, struct emt_diag *diag)
{
    /* A configuration id stands in the place of MeLo and device number (AHB, conditions 131, 132).
     */
    if (d->config_id && (d->location || d->device))
        return emt_fail(diag, EMT_EMALFORMED,
                        "a reading has either a configuration id or a MeLo with a device number");
    if (d->config_id)
        return check_text("configuration id", d->config_id, 70, diag);
    if (!d->location)
        return emt_fail(diag, EMT_EMALFORMED, "a reading needs a MeLo or a configuration id");
    return check_text("device number", d->device, 70, diag);
}

static enum emt_err check_period(const struct mscons_writer *w, const struct export_document *d,
                                 struct emt_diag *diag)
{
    if (d->from == EMT_TIME_NONE || d->to == EMT_TIME_NONE || d->from >= d->to ||
        d->from % EMT_MINUTE != 0 || d->to % EMT_MINUTE != 0)
        return emt_fail(diag, EMT_EMALFORMED, "period is empty or not of whole minutes");
    /* No time lies after DTM+137 (AHB, condition 495). */
    if (d->to > w->file.created)
        return emt_fail(diag, EMT_EMALFORMED, "period ends after the file was created");
    return EMT_OK;
}

static enum emt_err check_document(const struct mscons_writer *w, const struct kind *k,
                                   const struct export_document *d, struct emt_diag *diag)
{
    enum emt_err err = check_text("document number", d->number, 35, diag);

    if (err == EMT_OK && d->order)
        err = check_text("order number", d->order, 70, diag);
    if (err == EMT_OK && k->profile)
        err = check_period(w, d, diag);
    if (err == EMT_OK && !k->profile)
        err = check_reading_place(d, diag);
    if (err == EMT_OK && k->profile && (d->device || d->config_id || !d->location))
        err = emt_fail(diag, EMT_EMALFORMED,
                       "a load profile has a location, no device number and no configuration id");
    if (err == EMT_OK && d->location)
        err = mscons_place_check(d->location, mscons_use_case(k->pid)->places, diag);
    if (err == EMT_OK && d->n_series == 0)
        err = emt_fail(diag, EMT_EMALFORMED, "document without a register");
    return err;
}

static const char *describe(emt_time t, char buf[32])
{
    return t == EMT_TIME_NONE ? "none" : time_format(t, buf);
}

/* State of one message while its values pass. */
struct message {
    struct mscons_writer *w;
    const struct kind *kind;
    const struct mscons_use_case *rules;
    const struct export_document *document;
    bool short_place;    /* location of 11 characters */
    emt_time reading_at; /* 13017: the one time of use of the message */
    uint64_t values;
    uint64_t rounded;
};

static enum emt_err check_interval(const struct export_value *v, emt_time expected,
                                   struct emt_diag *diag)
{
    char a[32];
    char b[32];

    if (v->from == EMT_TIME_NONE || v->to == EMT_TIME_NONE || v->to <= v->from)
        return emt_fail(diag, EMT_EMALFORMED, "interval %s to %s is empty", describe(v->from, a),
                        describe(v->to, b));
    if (v->from > expected)
        return emt_fail(diag, EMT_EMALFORMED, "gap from %s to %s", describe(expected, a),
                        describe(v->from, b));
    if (v->from < expected)
        return emt_fail(diag, EMT_EMALFORMED, "overlap: an interval starts at %s, expected %s",
                        describe(v->from, a), describe(expected, b));
    return EMT_OK;
}

/* The time of use is German midnight (AHB, UB1), and one for the whole message. */
static enum emt_err check_instant(struct message *m, const struct export_value *v,
                                  struct emt_diag *diag)
{
    char a[32];

    if (v->from != EMT_TIME_NONE || v->to == EMT_TIME_NONE)
        return emt_fail(diag, EMT_EMALFORMED, "a reading belongs to an instant, not an interval");
    if (v->to > m->w->file.created ||
        (v->read_at != EMT_TIME_NONE && v->read_at > m->w->file.created) ||
        (v->exchange_at != EMT_TIME_NONE && v->exchange_at > m->w->file.created))
        return emt_fail(diag, EMT_EMALFORMED, "the reading of %s lies after the file's creation",
                        describe(v->to, a));
    if (local_day_start(local_date_of(v->to)) != v->to)
        return emt_fail(diag, EMT_EMALFORMED, "time of use %s is not German midnight",
                        describe(v->to, a));
    if (m->reading_at != EMT_TIME_NONE && m->reading_at != v->to)
        return emt_fail(diag, EMT_EMALFORMED, "another time of use (%s) needs a message of its own",
                        describe(v->to, a));
    m->reading_at = v->to;
    return EMT_OK;
}

static enum emt_err check_code(const struct message *m, const char *what, const char *list,
                               const char *code, const char *qualifier, struct emt_diag *diag)
{
    if (!code || !*code || mscons_status_allowed(list, code, qualifier, m->short_place))
        return EMT_OK;
    return emt_fail(diag, EMT_EMALFORMED, "%s %.8s may not stand at a value of qualifier %s", what,
                    code, qualifier);
}

static enum emt_err check_status(const struct message *m, const struct export_value *v,
                                 const char *qualifier, struct emt_diag *diag)
{
    const struct mscons_use_case *r = m->rules;
    enum emt_err err = EMT_OK;

    if (strcmp(qualifier, "67") == 0 && (!v->method || !*v->method || !v->reason || !*v->reason))
        return emt_fail(diag, EMT_EMALFORMED, "a substitute value needs method and reason");
    /* Provisional readings exist only behind a configuration id (AHB, condition 113). */
    if (strcmp(qualifier, "Z18") == 0 && !m->kind->profile && !m->document->config_id)
        return emt_fail(diag, EMT_EMALFORMED,
                        "a provisional reading needs a configuration id in the place of the MeLo");
    err = check_code(m, "plausibility note", r->notes, v->note, qualifier, diag);
    if (err == EMT_OK)
        err = check_code(m, "method", r->methods, v->method, qualifier, diag);
    if (err == EMT_OK)
        err = check_code(m, "correction reason", r->corrections, v->correction, qualifier, diag);
    if (err == EMT_OK)
        err = check_code(m, "reason", r->reasons, v->reason, qualifier, diag);
    return err;
}

/* At most 3 decimals (AHB, condition 906), never below 0 in these use cases (902). */
static enum emt_err market_value(struct message *m, struct decimal in, struct decimal *out,
                                 struct emt_diag *diag)
{
    char text[DECIMAL_TEXT_MAX];
    enum emt_err err;

    if (in.mantissa < 0)
        return emt_fail(diag, EMT_EMALFORMED, "value %s is negative", decimal_format(in, text));
    in = decimal_normal(in);
    if (in.exponent < -3) {
        err = decimal_round(in, 3, &in);
        if (err != EMT_OK)
            return emt_fail(diag, err, "a value cannot be rounded to 3 decimals");
        in = decimal_normal(in);
        m->rounded++;
    }
    *out = in;
    return EMT_OK;
}

static void put_times(struct message *m, const struct export_value *v)
{
    struct edi_writer *e = &m->w->edi;

    if (m->kind->profile) {
        put_time(e, "163", v->from);
        put_time(e, "164", v->to);
        return;
    }
    if (v->read_at != EMT_TIME_NONE) {
        if (v->read_day_only)
            put_day(e, "9", v->read_at);
        else
            put_time(e, "9", whole_minute(v->read_at));
    }
    put_time(e, "7", v->to);
    if (v->exchange_at != EMT_TIME_NONE)
        put_time(e, "60", whole_minute(v->exchange_at));
}

static enum emt_err put_value(struct message *m, const struct export_value *v,
                              struct emt_diag *diag)
{
    struct edi_writer *e = &m->w->edi;
    const char *qualifier = quality_mscons(v->quality);
    struct decimal value = decimal_of(0, 0);
    enum emt_err err;

    if (!qualifier)
        return emt_fail(diag, EMT_EUNSUPPORTED, "a value of quality %s must not be sent",
                        quality_name(v->quality));
    err = check_status(m, v, qualifier, diag);
    if (err == EMT_OK)
        err = market_value(m, v->value, &value, diag);
    if (err != EMT_OK)
        return err;
    edi_segment(e, "QTY");
    edi_element(e, qualifier);
    edi_component_decimal(e, value);
    edi_end(e);
    put_times(m, v);
    put_status(e, "Z33", v->note);
    put_status(e, "Z32", v->method);
    put_status(e, "Z34", v->correction);
    put_status(e, "Z40", v->reason);
    m->values++;
    return e->err;
}

/* A date of reading stands only at true values read from the meter itself (AHB, conditions 93,
 * 131), and within a day of the time of use (130, 133). */
static enum emt_err check_read_at(const struct message *m, const struct export_value *v,
                                  struct emt_diag *diag)
{
    bool read_ok = v->read_at == EMT_TIME_NONE || mscons_within_a_day(v->read_at, v->to);

    if (v->read_at != EMT_TIME_NONE && v->read_day_only)
        read_ok = mscons_neighbour_days(local_date_of(v->read_at), local_date_of(v->to));
    if (!read_ok ||
        (v->exchange_at != EMT_TIME_NONE && !mscons_within_a_day(v->exchange_at, v->to)))
        return emt_fail(diag, EMT_EMALFORMED,
                        "time of reading or exchange is a day or more from the time of use");
    if (v->read_at != EMT_TIME_NONE &&
        (m->document->config_id || strcmp(quality_mscons(v->quality), "220") != 0))
        return emt_fail(diag, EMT_EMALFORMED,
                        "only a true value read from the meter has a date of reading");
    return EMT_OK;
}

static enum emt_err put_values(struct message *m, const struct export_series *s,
                               struct emt_diag *diag)
{
    emt_time expected = m->document->from;
    struct export_value v;
    size_t n = 0;
    char a[32];
    char b[32];

    for (;;) {
        bool more = false;
        enum emt_err err = s->values.next(s->values.ctx, &v, &more);

        if (err != EMT_OK)
            return emt_fail(diag, err, "the values could not be read");
        if (!more)
            break;
        if (++n > MSCONS_VALUES_MAX)
            return emt_fail(diag, EMT_ELIMIT, "more than %d values of one register",
                            MSCONS_VALUES_MAX);
        err = m->kind->profile ? check_interval(&v, expected, diag) : check_instant(m, &v, diag);
        if (err == EMT_OK && m->kind->profile && v.to > m->document->to)
            err = emt_fail(diag, EMT_EMALFORMED, "an interval ends after the period, at %s",
                           describe(v.to, a));
        if (err == EMT_OK)
            err = put_value(m, &v, diag);
        if (err == EMT_OK && !m->kind->profile)
            err = check_read_at(m, &v, diag);
        if (err != EMT_OK)
            return err;
        expected = v.to;
    }
    if (n == 0)
        return emt_fail(diag, EMT_EMALFORMED, "register without a value");
    if (m->kind->profile && expected != m->document->to)
        return emt_fail(diag, EMT_EMALFORMED, "gap from %s to %s", describe(expected, a),
                        describe(m->document->to, b));
    return EMT_OK;
}

static enum emt_err put_series(struct message *m, size_t i, struct emt_diag *diag)
{
    const struct export_series *s = &m->document->series[i];
    struct edi_writer *e = &m->w->edi;
    char obis[OBIS_TEXT_MAX];
    enum emt_err err;

    obis_format_short(s->obis, obis);
    if (!mscons_obis_allowed(m->kind->pid, s->obis, "SRW"))
        return emt_fail(diag, EMT_EMALFORMED, "OBIS number %s is not for use case %u", obis,
                        m->kind->pid);
    edi_segment(e, "LIN");
    edi_element_number(e, i + 1);
    edi_end(e);
    edi_segment(e, "PIA");
    edi_element(e, "5");
    edi_element(e, obis);
    edi_component(e, "SRW");
    edi_end(e);
    err = put_values(m, s, diag);
    if (err != EMT_OK && diag)
        snprintf(diag->key, sizeof(diag->key), "%.40s %.30s",
                 m->document->location ? m->document->location : m->document->config_id, obis);
    return err;
}

static enum emt_err put_message(struct mscons_writer *w, const struct kind *k,
                                const struct export_document *d, struct emt_diag *diag)
{
    struct message m = { .w = w,
                         .kind = k,
                         .rules = mscons_use_case(k->pid),
                         .document = d,
                         .short_place = d->location && strlen(d->location) == 11,
                         .reading_at = EMT_TIME_NONE };
    enum emt_err err = EMT_OK;
    char reference[16];

    snprintf(reference, sizeof(reference), "%u", w->edi.messages + 1u);
    put_message_head(w, k, d, reference);
    put_place(&w->edi, k, d);
    for (size_t i = 0; i < d->n_series && err == EMT_OK; i++)
        err = put_series(&m, i, diag);
    if (err == EMT_OK)
        err = edi_message_end(&w->edi, reference);
    if (err == EMT_OK) {
        w->values += m.values;
        w->rounded += m.rounded;
    }
    return err;
}

enum emt_err mscons_put(struct mscons_writer *w, const struct export_document *document,
                        struct emt_diag *diag)
{
    const struct kind *k = kind_of(document->kind);
    enum emt_err err;

    if (w->edi.sink_failed)
        return emt_fail(diag, w->edi.err, "%s", w->edi.text);
    if (!k)
        return emt_fail(diag, EMT_EUNSUPPORTED, "use case %u is not written", document->kind);
    if (w->begun && w->application && strcmp(w->application, k->application) != 0)
        return emt_fail(diag, EMT_ECONFLICT, "use case %u needs a file of application %s", k->pid,
                        k->application);
    err = check_document(w, k, document, diag);
    if (err != EMT_OK)
        return err;
    if (!w->begun) {
        w->application = k->application;
        put_interchange_head(w);
    }
    err = put_message(w, k, document, diag);
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
        w->application = NULL;
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
