#include "mscons/mscons_checker.h"
#include "mscons/mscons_id.h"
#include "mscons/mscons_value_rule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct message_state *msg(struct checker *c)
{
    return &c->msg;
}

void mscons_message_begin(struct checker *c)
{
    struct message_state *m = msg(c);

    m->key = MESSAGE_KEY(AT_UNH, 0);
    m->date = EMT_TIME_NONE;
    m->from = EMT_TIME_NONE;
    m->to = EMT_TIME_NONE;
    m->use = EMT_TIME_NONE;
    m->version = mscons_version_named(edi_value(&c->seg, 2, 5));
}

static void on_document(struct checker *c)
{
    struct message_state *m = msg(c);
    const char *number = edi_value(&c->seg, 2, 1);
    void *old = NULL;

    m->seen_bgm = true;
    m->bgm_position = c->seg.position;
    snprintf(m->bgm, sizeof(m->bgm), "%.3s", edi_value(&c->seg, 1, 1));
    snprintf(m->function, sizeof(m->function), "%.3s", edi_value(&c->seg, 3, 1));
    if (!*number)
        return;
    if (map_put(c->documents, number, strlen(number), c, &old) != EMT_OK)
        c->out_of_memory = true;
    if (old)
        mscons_checker_add(c, c->seg.position, "BGM", "document number stands twice in this file");
}

static void on_head_time(struct checker *c)
{
    struct message_state *m = msg(c);
    const char *q = edi_value(&c->seg, 1, 1);
    emt_time t;

    if (strcmp(q, "137") == 0) {
        m->seen_date = true;
        (void)mscons_read_time(c, 303, &m->date);
        if (m->date != EMT_TIME_NONE && c->created != EMT_TIME_NONE && m->date > c->created)
            mscons_checker_add(c, c->seg.position, "FUTURE",
                               "the document is dated after the file");
    } else if (strcmp(q, "293") == 0 && c->msg.key == MESSAGE_KEY(AT_REFERENCE, 2)) {
        (void)mscons_read_time(c, 304, &t);
        m->stamp_position = c->seg.position;
    } else {
        mscons_checker_add(c, c->seg.position, "DTM", "DTM+%.3s does not belong to the head", q);
    }
}

static void on_use_case(struct checker *c, const char *text)
{
    struct message_state *m = msg(c);
    unsigned pid = strlen(text) == 5 && strspn(text, "0123456789") == 5
                       ? (unsigned)strtoul(text, NULL, 10)
                       : 0;

    m->seen_pid = true;
    m->pid_position = c->seg.position;
    m->rules = mscons_use_case(pid);
    if (!m->rules)
        mscons_checker_add(c, c->seg.position, "PID", "'%.10s' is no use case of MSCONS", text);
}

static void on_head_reference(struct checker *c)
{
    struct message_state *m = msg(c);
    const char *q = edi_value(&c->seg, 1, 1);

    if (strcmp(q, "Z13") == 0) {
        on_use_case(c, edi_value(&c->seg, 1, 2));
        return;
    }
    if (m->n_references == 8)
        return;
    m->reference_position[m->n_references] = c->seg.position;
    snprintf(m->references[m->n_references++], sizeof(m->references[0]), "%.3s", q);
}

/* The parties of every message are those of UNB. */
static void on_party(struct checker *c, size_t side)
{
    struct message_state *m = msg(c);
    const char *id = edi_value(&c->seg, 2, 1);
    const char *agency = edi_value(&c->seg, 2, 3);
    static const char *const pairs[][2] = { { "14", "9" }, { "500", "293" }, { "502", "332" } };

    if (side == 0)
        m->seen_sender = true;
    else
        m->seen_recipient = true;
    m->party_position[side] = c->seg.position;
    snprintf(m->agency[side], sizeof(m->agency[side]), "%.3s", agency);
    if (!c->fits || !c->seen_unb)
        return;
    if (strcmp(id, c->parties[side]) != 0)
        mscons_checker_add(c, c->seg.position, "NAD", "%.35s is not the %s of the file, %s", id,
                           side == 0 ? "sender" : "recipient", c->parties[side]);
    for (size_t i = 0; i < 3; i++) {
        if (strcmp(c->party_qualifiers[side], pairs[i][0]) == 0 && strcmp(agency, pairs[i][1]) != 0)
            mscons_checker_add(c, c->seg.position, "NAD",
                               "agency %.3s does not match qualifier %s in UNB", agency,
                               pairs[i][0]);
    }
}

/* SG4: one CTA and one to five COM behind it. */
static void check_contact(struct checker *c)
{
    struct message_state *m = msg(c);

    if (edi_is(&c->seg, "CTA")) {
        m->seen_contact = true;
        if (strcmp(edi_value(&c->seg, 1, 1), "IC") != 0)
            mscons_checker_add(c, c->seg.position, "CTA", "CTA+%.3s, must be CTA+IC",
                               edi_value(&c->seg, 1, 1));
        return;
    }
    if (!m->seen_contact)
        mscons_checker_add(c, c->seg.position, "COM", "COM stands without CTA");
    if (++m->channels == 6)
        mscons_checker_add(c, c->seg.position, "COM", "more than 5 COM");
    if (mscons_order_in("TE EM AJ AL FX", edi_value(&c->seg, 1, 2)) == 0)
        mscons_checker_add(c, c->seg.position, "COM", "kind of channel '%.3s' is not known",
                           edi_value(&c->seg, 1, 2));
}

static void on_contact(struct checker *c)
{
    const struct message_state *m = msg(c);
    const char *text = edi_value(&c->seg, 1, 1);
    const char *kind = edi_value(&c->seg, 1, 2);
    bool mail = strcmp(kind, "EM") == 0;

    if (m->version && !m->version->contact)
        mscons_checker_add(c, c->seg.position, edi_is(&c->seg, "CTA") ? "CTA" : "COM",
                           "version %s has no contact group", m->version->name);
    if (c->fits)
        check_contact(c);
    if (!edi_is(&c->seg, "COM") || !c->fits)
        return;
    if (mail && (!strchr(text, '@') || !strchr(text, '.')))
        mscons_checker_add(c, c->seg.position, "COM", "'%.60s' is no mail address", text);
    if (!mail &&
        (text[0] != '+' || text[1] == '\0' || text[1 + strspn(text + 1, "0123456789")] != '\0'))
        mscons_checker_add(c, c->seg.position, "COM", "'%.60s' is no number with a plus and digits",
                           text);
}

static void check_references(struct checker *c)
{
    struct message_state *m = msg(c);
    const struct mscons_use_case *r = m->rules;
    char must[8];

    for (unsigned i = 0; i < m->n_references; i++) {
        bool ok = mscons_list_has(r->references, m->references[i], m->bgm, NULL);

        if (r->pid == 13014 && m->version && !m->version->contact)
            ok = false; /* RFF+AGI ended with 2.4c */
        if (!ok)
            mscons_checker_add(c, m->reference_position[i], "RFF", "RFF+%s is not for %u",
                               m->references[i], r->pid);
    }
    for (size_t n = 0; mscons_list_must(r->references, n, m->bgm, must); n++) {
        bool found = false;

        for (unsigned i = 0; i < m->n_references; i++)
            found = found || strcmp(m->references[i], must) == 0;
        if (!found)
            mscons_checker_add(c, m->pid_position, "RFF", "RFF+%s is missing in %u", must, r->pid);
    }
}

static void check_agencies(struct checker *c)
{
    const struct message_state *m = msg(c);

    for (size_t i = 0; i < 2; i++) {
        bool power = strcmp(m->agency[i], "293") == 0;
        bool gas = strcmp(m->agency[i], "332") == 0;

        if ((power && m->rules->sector == SECTOR_GAS) || (gas && m->rules->sector == SECTOR_POWER))
            mscons_checker_add(c, m->party_position[i], "NAD", "agency %s is not for %u",
                               m->agency[i], m->rules->pid);
        else if (!power && !gas && strcmp(m->agency[i], "9") != 0 && m->party_position[i])
            mscons_checker_add(c, m->party_position[i], "NAD", "agency '%s' is not known",
                               m->agency[i]);
    }
}

/* What must stand before UNS. */
static void check_head_complete(struct checker *c)
{
    const struct message_state *m = msg(c);
    unsigned at = c->seg.position;

    if (!m->seen_bgm)
        mscons_checker_add(c, at, "BGM", "BGM is missing");
    if (!m->seen_date)
        mscons_checker_add(c, at, "DTM", "DTM+137 is missing");
    if (!m->seen_pid)
        mscons_checker_add(c, at, "PID", "RFF+Z13 (use case) is missing");
    if (!m->seen_sender)
        mscons_checker_add(c, at, "NAD", "NAD+MS is missing");
    if (!m->seen_recipient)
        mscons_checker_add(c, at, "NAD", "NAD+MR is missing");
    if (m->seen_contact && m->channels == 0)
        mscons_checker_add(c, at, "COM", "CTA has no COM");
}

static void head_end(struct checker *c)
{
    struct message_state *m = msg(c);
    const struct mscons_use_case *r = m->rules;

    if (m->head_done)
        return;
    m->head_done = true;
    check_head_complete(c);
    if (!r)
        return;
    if (m->seen_bgm && !mscons_list_has(r->documents, m->bgm, "", NULL))
        mscons_checker_add(c, m->bgm_position, "BGM", "kind of document %s is not for %u", m->bgm,
                           r->pid);
    if (m->seen_bgm && strcmp(m->function, r->function) != 0)
        mscons_checker_add(c, m->bgm_position, "BGM", "function %s is not for %u", m->function,
                           r->pid);
    if (c->seen_unb && !mscons_list_has(r->applications, c->application, "", NULL))
        mscons_checker_add(c, m->pid_position, "APP", "application '%s' in UNB, %u belongs to %s",
                           c->application, r->pid, r->applications);
    /* Readings alone are no energies. */
    if (r->pid == 13006 && strcmp(c->application, "VL") == 0 && strcmp(m->bgm, "7") != 0)
        mscons_checker_add(c, m->pid_position, "APP",
                           "application VL in UNB, a cancelled %s belongs to EM", m->bgm);
    if (m->split && r->pid != 13013)
        mscons_checker_add(c, m->start, "UNH", "only 13013 is split over several messages");
    /* The version stamp of SG1 belongs to the allocation list alone. */
    if (m->stamp_position && r->pid != 13013)
        mscons_checker_add(c, m->stamp_position, "DTM", "DTM+293 of the head is not for %u",
                           r->pid);
    if (!m->stamp_position && r->pid == 13013)
        mscons_checker_add(c, m->pid_position, "DTM", "DTM+293 of the head is missing in 13013");
    check_references(c);
    check_agencies(c);
}

/* Whether a list of what was seen holds a code. */
static bool seen(char (*list)[4], unsigned n, const char *code)
{
    for (unsigned i = 0; i < n; i++) {
        if (strcmp(list[i], code) == 0)
            return true;
    }
    return false;
}

static void check_details(struct checker *c)
{
    struct message_state *m = msg(c);
    const struct mscons_use_case *r = m->rules;
    unsigned at = m->place_position;
    bool device_must = false;
    bool may_be_empty = (r->places & PLACE_EMPTY) != 0;

    if (m->place_len > 0 && m->config)
        mscons_checker_add(c, at, "RFF",
                           "RFF+AGK stands only in the place of an identifier in LOC");
    if (m->place_len == 0 && may_be_empty && r->pid != 13006 && !m->config)
        mscons_checker_add(c, at, "LOCID", "LOC without identifier needs RFF+AGK");
    if (m->place_len == 0 && !may_be_empty)
        mscons_checker_add(c, at, "LOCID", "LOC without identifier");
    (void)mscons_list_has(r->details, "MG", m->bgm, &device_must);
    if (r->pid == 13017)
        device_must = !m->config; /* condition 131 */
    if (device_must && !m->device)
        mscons_checker_add(c, at, "RFF", "RFF+MG (device number) is missing");
    if (m->device && r->pid == 13017 && m->config)
        mscons_checker_add(c, at, "RFF", "RFF+MG and RFF+AGK exclude each other");
    if (mscons_is_correction(r, m->place_len, m->config) &&
        !seen(m->references, m->n_references, "AGI"))
        mscons_checker_add(c, m->pid_position, "RFF",
                           "RFF+AGI is missing: a correction energy names what it corrects");
}

/* What must stand in an SG5 that ends here. */
static void place_end(struct checker *c)
{
    struct message_state *m = msg(c);
    const struct mscons_use_case *r = m->rules;
    char must[8];

    if (m->places == 0 || !r)
        return;
    for (size_t n = 0; mscons_list_must(r->locations, n, m->bgm, must); n++) {
        if (!seen(m->locations, m->n_locations, must))
            mscons_checker_add(c, c->seg.position, "LOC", "LOC+%s is missing", must);
    }
    for (size_t n = 0; mscons_list_must(r->period, n, m->bgm, must); n++) {
        if (!seen(m->periods, m->n_periods, must))
            mscons_checker_add(c, m->place_position ? m->place_position : c->seg.position, "DTM",
                               "DTM+%s of the place is missing", must);
    }
    if (m->n_locations > 0)
        check_details(c);
    if (r->series_kind && !m->series_kind)
        mscons_checker_add(c, c->seg.position, "CCI", "CCI is missing in %u", r->pid);
    if (r->pid == 13006 ? m->lines > 0 : m->lines == 0)
        mscons_checker_add(c, c->seg.position, "LIN",
                           r->pid == 13006 ? "a cancellation ends with the place"
                                           : "LIN is missing");
}

static void on_place_party(struct checker *c)
{
    struct message_state *m = msg(c);
    const char *role = edi_value(&c->seg, 1, 1);

    mscons_line_end(c);
    place_end(c);
    m->places++;
    m->n_locations = 0;
    m->n_periods = 0;
    m->place_len = 0;
    m->place_position = 0;
    m->from = EMT_TIME_NONE;
    m->to = EMT_TIME_NONE;
    m->device = m->config = m->series_kind = false;
    m->lines = 0;
    m->total = m->part = false;
    m->use = EMT_TIME_NONE;
    if (!m->rules)
        return;
    if (strcmp(role, m->rules->party) != 0)
        mscons_checker_add(c, c->seg.position, "NAD", "NAD+%.3s, must be NAD+%s in %u", role,
                           m->rules->party, m->rules->pid);
    if (m->places > 1 && !m->rules->several_places)
        mscons_checker_add(c, c->seg.position, "NAD", "another place needs a message of its own");
}

static void on_location(struct checker *c)
{
    struct message_state *m = msg(c);
    const char *q = edi_value(&c->seg, 1, 1);
    const char *id = edi_value(&c->seg, 2, 1);
    struct emt_diag diag = { 0 };

    if (m->n_locations < 4)
        snprintf(m->locations[m->n_locations++], sizeof(m->locations[0]), "%.3s", q);
    m->place_len = strlen(id);
    m->place_position = c->seg.position;
    if (!m->rules || !c->fits)
        return;
    if (!mscons_list_has(m->rules->locations, q, m->bgm, NULL)) {
        mscons_checker_add(c, c->seg.position, "LOC", "LOC+%.3s is not for %u", q, m->rules->pid);
        return;
    }
    if (*id && mscons_place_check(id, m->rules->places, &diag) != EMT_OK)
        mscons_checker_add(c, c->seg.position, "LOCID", "%s", diag.text);
    if (strcmp(q, "237") == 0 &&
        mscons_place_check(edi_value(&c->seg, 3, 1), PLACE_EIC, &diag) != EMT_OK)
        mscons_checker_add(c, c->seg.position, "LOCID", "%s", diag.text);
}

static void on_period(struct checker *c)
{
    struct message_state *m = msg(c);
    const char *q = edi_value(&c->seg, 1, 1);
    unsigned format = 303;
    emt_time t;

    if (m->n_periods < 8)
        snprintf(m->periods[m->n_periods++], sizeof(m->periods[0]), "%.3s", q);
    if (m->rules && !mscons_list_has(m->rules->period, q, m->bgm, NULL)) {
        mscons_checker_add(c, c->seg.position, "DTM", "DTM+%.3s of the place is not for %u", q,
                           m->rules->pid);
        return;
    }
    if (strcmp(q, "492") == 0 || strcmp(q, "157") == 0)
        format = 610;
    else if (strcmp(q, "293") == 0)
        format = 304;
    (void)mscons_read_time(c, format, &t);
    if (strcmp(q, "163") == 0)
        m->from = t;
    if (strcmp(q, "164") == 0)
        m->to = t;
    if (strcmp(q, "164") == 0 && m->from != EMT_TIME_NONE && t != EMT_TIME_NONE && t <= m->from)
        mscons_checker_add(c, c->seg.position, "DTM", "the period ends before it starts");
}

static void on_detail(struct checker *c)
{
    struct message_state *m = msg(c);
    const char *q = edi_value(&c->seg, 1, 1);

    if (strcmp(q, "MG") == 0)
        m->device = true;
    if (strcmp(q, "AGK") == 0)
        m->config = true;
    if (m->rules && !mscons_list_has(m->rules->details, q, m->bgm, NULL))
        mscons_checker_add(c, c->seg.position, "RFF", "RFF+%.3s of the place is not for %u", q,
                           m->rules->pid);
}

static void on_kind(struct checker *c)
{
    struct message_state *m = msg(c);

    m->series_kind = true;
    if (m->rules && !m->rules->series_kind)
        mscons_checker_add(c, c->seg.position, "CCI", "CCI is not for %u", m->rules->pid);
    else if (strcmp(edi_value(&c->seg, 1, 1), "15") != 0)
        mscons_checker_add(c, c->seg.position, "CCI", "kind of series is not CCI+15");
}

static void on_line(struct checker *c)
{
    struct message_state *m = msg(c);
    const char *number = edi_value(&c->seg, 1, 1);

    mscons_line_end(c);
    m->lines++;
    m->line = (struct line_state){ .open = true, .position = c->seg.position, .expected = m->from };
    /* The energy and up to two maxima (condition 502). */
    if (m->rules && m->rules->pid == 13009 && strcmp(m->bgm, "Z27") == 0 && m->lines == 4)
        mscons_checker_add(c, c->seg.position, "LIN", "more than three registers with BGM+Z27");
    if (c->fits && strtoul(number, NULL, 10) != m->lines)
        mscons_checker_add(c, c->seg.position, "LIN", "running number is %s, must be %u", number,
                           m->lines);
}

static void on_medium(struct checker *c, const char *text)
{
    static const struct {
        unsigned pid;
        const char *media;
    } media[] = { { 13021, "SOL WID" }, { 13022, "AUA FPA" }, { 13023, "AUA" }, { 13026, "AUA" } };
    struct message_state *m = msg(c);

    m->line.obis_ok = true; /* the medium stands in its place */
    snprintf(m->line.medium, sizeof(m->line.medium), "%.7s", text);
    for (size_t i = 0; i < sizeof(media) / sizeof(media[0]); i++) {
        if (media[i].pid == m->rules->pid && mscons_order_in(media[i].media, text) == 0)
            mscons_checker_add(c, c->seg.position, "PIA", "medium '%.20s' is not for %u", text,
                               m->rules->pid);
    }
}

/* An energy of gas stands alone: state number and calorific value belong to volumes (51). */
static void check_company(struct checker *c)
{
    struct message_state *m = msg(c);
    struct obis o = m->line.obis;

    if (!m->rules || m->rules->pid != 13009)
        return;
    m->total = m->total || (o.c == 33 && o.d == 86);
    m->part = m->part || mscons_is_state_or_calorific(o);
    if (m->total && m->part)
        mscons_checker_add(c, c->seg.position, "OBIS",
                           "7-0:33.86.0 and state number or calorific value in one message");
}

static void on_product(struct checker *c)
{
    struct message_state *m = msg(c);
    const char *text = edi_value(&c->seg, 2, 1);
    const char *product = edi_value(&c->seg, 2, 2);

    m->line.product = true;
    if (!c->fits)
        return;
    if (strcmp(edi_value(&c->seg, 1, 1), "5") != 0)
        mscons_checker_add(c, c->seg.position, "PIA", "PIA+%.3s, must be PIA+5",
                           edi_value(&c->seg, 1, 1));
    if (m->rules && !mscons_list_has(m->rules->products, product, m->bgm, NULL)) {
        mscons_checker_add(c, c->seg.position, "PIA", "product qualifier %.3s is not for %u",
                           product, m->rules->pid);
        return;
    }
    if (strcmp(product, "Z08") == 0) {
        if (m->rules)
            on_medium(c, text);
        return;
    }
    m->line.obis_ok = mscons_obis_parse(text, &m->line.obis);
    if (!m->line.obis_ok)
        mscons_checker_add(c, c->seg.position, "OBIS", "'%.35s' is not written as A-B:C.D.E", text);
    else if (m->rules && (!mscons_obis_allowed(m->rules->pid, m->line.obis, product, m->bgm) ||
                          mscons_obis_ended(m->rules->pid, m->line.obis, m->to)))
        mscons_checker_add(c, c->seg.position, "OBIS", "%.35s (%.3s) is not listed for %u with %s",
                           text, product, m->rules->pid, m->bgm);
    else
        check_company(c);
}

static void on_uns(struct checker *c)
{
    c->msg.seen_uns = true;
    if (c->fits && strcmp(edi_value(&c->seg, 1, 1), "D") != 0)
        mscons_checker_add(c, c->seg.position, "UNS", "UNS+%.3s, must be UNS+D",
                           edi_value(&c->seg, 1, 1));
    head_end(c);
}

/* A value segment without its QTY. */
static bool has_value(struct checker *c)
{
    if (c->msg.value.open)
        return true;
    mscons_checker_add(c, c->seg.position, "ORDER", "%s stands before the first QTY",
                       edi_value(&c->seg, 0, 1));
    return false;
}

static void dispatch(struct checker *c, enum message_place place)
{
    switch (place) {
    case AT_BGM:
        on_document(c);
        break;
    case AT_DATE:
        on_head_time(c);
        break;
    case AT_REFERENCE:
        if (edi_is(&c->seg, "DTM"))
            on_head_time(c);
        else
            on_head_reference(c);
        break;
    case AT_SENDER:
        on_party(c, 0);
        break;
    case AT_CONTACT:
        on_contact(c);
        break;
    case AT_RECIPIENT:
        on_party(c, 1);
        break;
    case AT_UNS:
        on_uns(c);
        break;
    case AT_PARTY:
        on_place_party(c);
        break;
    case AT_PLACE:
        on_location(c);
        break;
    case AT_PERIOD:
        on_period(c);
        break;
    case AT_DETAIL:
        on_detail(c);
        break;
    case AT_KIND:
        on_kind(c);
        break;
    case AT_LINE:
        on_line(c);
        break;
    case AT_PRODUCT:
        on_product(c);
        break;
    case AT_QUANTITY:
        mscons_value_begin(c);
        break;
    case AT_TIME:
        if (has_value(c))
            mscons_value_time(c);
        break;
    case AT_STATUS:
        if (has_value(c))
            mscons_value_status(c);
        break;
    case AT_NOWHERE:
    case AT_UNH:
        break;
    }
}

void mscons_message_segment(struct checker *c)
{
    unsigned key = mscons_order_key(c);

    if (key == 0) {
        mscons_checker_add(c, c->seg.position, "SEG", "segment %s is not part of MSCONS",
                           edi_value(&c->seg, 0, 1));
        return;
    }
    c->fits = mscons_mig_check(c);
    mscons_order_check(c, key);
    dispatch(c, (enum message_place)(key / 16u));
}

void mscons_message_end(struct checker *c)
{
    struct message_state *m = msg(c);

    mscons_line_end(c);
    head_end(c);
    place_end(c);
    if (!m->seen_uns)
        mscons_checker_add(c, c->seg.position, "UNS", "UNS is missing");
    if (m->places == 0)
        mscons_checker_add(c, c->seg.position, "NAD", "the place (SG5 NAD) is missing");
}
