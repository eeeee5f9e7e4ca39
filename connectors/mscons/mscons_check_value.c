#include "mscons/mscons_checker.h"
#include "mscons/mscons_value_rule.h"

#include <stdio.h>
#include <string.h>

static struct message_state *msg(struct checker *c)
{
    return &c->msg;
}

static struct mscons_value_place place_of(const struct message_state *m)
{
    return (struct mscons_value_place){ .rules = m->rules,
                                        .bgm = m->bgm,
                                        .place_len = m->place_len,
                                        .config = m->config,
                                        .obis = m->line.obis };
}

static size_t digits_of(const char *text)
{
    size_t n = 0;

    while (text[n] >= '0' && text[n] <= '9')
        n++;
    return n;
}

static void check_number(struct checker *c, const char *text)
{
    const struct message_state *m = msg(c);
    const char *p = text + (*text == '-');
    size_t whole = digits_of(p);
    size_t places = 0;

    if (whole > 0 && p[whole] == '.') {
        places = digits_of(p + whole + 1);
        whole += places > 0 ? places + 1 : 0;
    }
    if (whole == 0 || p[whole] != '\0') {
        mscons_checker_add(c, c->seg.position, "NUM", "'%.35s' is no number with a decimal point",
                           text);
        return;
    }
    if (!m->rules)
        return;
    struct mscons_value_place at = place_of(m);
    if (places > mscons_decimals_allowed(&at))
        mscons_checker_add(c, c->seg.position, "NUM",
                           "%.35s has %zu decimals, at most %u are allowed", text, places,
                           mscons_decimals_allowed(&at));
    if (*text == '-' && !mscons_negative_allowed(&at))
        mscons_checker_add(c, c->seg.position, "NUM", "%.35s is negative", text);
}

static const char *unit_of(const struct message_state *m)
{
    static const struct {
        const char *medium, *unit;
    } units[] = { { "SOL", "D54" }, { "WID", "MTS" }, { "AUA", "KWH" }, { "FPA", "KWT" } };

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(m->line.medium, units[i].medium) == 0)
            return units[i].unit;
    }
    return "KWH";
}

static void check_unit(struct checker *c, const char *unit)
{
    const struct message_state *m = msg(c);

    if (!m->rules)
        return;
    if (!m->rules->unit && *unit)
        mscons_checker_add(c, c->seg.position, "UNIT",
                           "unit '%.8s': the OBIS number implies the unit", unit);
    else if (m->rules->unit && strcmp(unit, unit_of(m)) != 0)
        mscons_checker_add(c, c->seg.position, "UNIT", "unit is '%.8s', must be %s", unit,
                           unit_of(m));
}

static void check_qualifier(struct checker *c)
{
    struct message_state *m = msg(c);
    struct mscons_value_place at = place_of(m);

    if (strcmp(m->line.qualifier, m->value.qualifier) == 0)
        return;
    if (!m->line.obis_ok)
        at.obis = (struct obis){ 0 };
    if (!mscons_qualifier_allowed(&at, m->value.qualifier))
        mscons_checker_add(c, c->seg.position, "QTY", "qualifier %s is not for this value in %u",
                           m->value.qualifier, m->rules->pid);
    else
        memcpy(m->line.qualifier, m->value.qualifier, sizeof m->line.qualifier);
}

/* The first three characters of a code. */
static void copy_code(char out[4], const char *code)
{
    size_t n = 0;

    for (; n < 3 && code[n] != '\0'; n++)
        out[n] = code[n];
    for (; n < 4; n++)
        out[n] = '\0';
}

void mscons_value_begin(struct checker *c)
{
    struct message_state *m = msg(c);
    struct value_state *v = &m->value;

    mscons_value_end(c);
    c->result->values++;
    *v = (struct value_state){ .open = true,
                               .position = c->seg.position,
                               .from = EMT_TIME_NONE,
                               .to = EMT_TIME_NONE,
                               .use = EMT_TIME_NONE,
                               .read = EMT_TIME_NONE,
                               .exchange = EMT_TIME_NONE };
    copy_code(v->qualifier, edi_value(&c->seg, 1, 1));
    m->line.values++;
    if (m->line.values == 10000)
        mscons_checker_add(c, c->seg.position, "QTY", "more than 9999 values in one LIN");
    if (!c->fits)
        return;
    if (m->rules)
        check_qualifier(c);
    check_number(c, edi_value(&c->seg, 1, 2));
    check_unit(c, edi_value(&c->seg, 1, 3));
}

/* Which format a time inside SG10 has; 0: 303. */
static unsigned format_of(const struct checker *c, const char *qualifier)
{
    const struct message_state *m = &c->msg;
    bool day = strcmp(edi_value(&c->seg, 1, 3), "102") == 0;

    if (strcmp(qualifier, "9") == 0)
        return day ? 102 : 303;
    if (strcmp(qualifier, "306") != 0)
        return 303;
    if (m->rules && m->rules->pid == 13013)
        return 102;
    return m->rules && m->rules->pid == 13016 && strcmp(m->bgm, "Z42") == 0 && day ? 102 : 610;
}

void mscons_value_time(struct checker *c)
{
    static const struct {
        const char *qualifier;
        unsigned seen;
    } qualifiers[] = { { "163", SEEN_163 }, { "164", SEEN_164 }, { "9", SEEN_9 },
                       { "7", SEEN_7 },     { "60", SEEN_60 },   { "306", SEEN_306 } };
    struct value_state *v = &msg(c)->value;
    const char *q = edi_value(&c->seg, 1, 1);
    unsigned seen = 0;
    emt_time t;

    for (size_t i = 0; i < sizeof(qualifiers) / sizeof(qualifiers[0]); i++) {
        if (strcmp(q, qualifiers[i].qualifier) == 0) {
            seen = qualifiers[i].seen;
            break;
        }
    }
    if (seen == 0) {
        mscons_checker_add(c, c->seg.position, "DTM", "DTM+%.3s does not belong to a value", q);
        return;
    }
    v->seen |= seen;
    (void)mscons_read_time(c, format_of(c, q), &t);
    if (seen == SEEN_163)
        v->from = t;
    else if (seen == SEEN_164)
        v->to = t;
    else if (seen == SEEN_7)
        v->use = t;
    else if (seen == SEEN_60)
        v->exchange = t;
    else if (seen == SEEN_9)
        v->read = t;
    if (seen == SEEN_9)
        v->read_day_only = strcmp(edi_value(&c->seg, 1, 3), "102") == 0;
    /* 495: nothing lies after the document; a day only counts as such (135). */
    if (t != EMT_TIME_NONE && msg(c)->date != EMT_TIME_NONE && t > msg(c)->date && msg(c)->rules &&
        !msg(c)->rules->future)
        mscons_checker_add(c, c->seg.position, "FUTURE",
                           "DTM+%.3s lies after the document's DTM+137", q);
}

static const char *status_list(const struct mscons_use_case *r, const char *category,
                               unsigned *seen)
{
    *seen = 0;
    if (strcmp(category, "Z33") == 0)
        return r->notes;
    if (strcmp(category, "Z32") == 0) {
        *seen = SEEN_METHOD;
        return r->methods;
    }
    if (strcmp(category, "Z34") == 0) {
        *seen = SEEN_CORRECTION;
        return r->corrections;
    }
    if (strcmp(category, "Z40") == 0) {
        *seen = SEEN_REASON;
        return r->reasons;
    }
    return NULL;
}

static void basis_status(struct checker *c, const char *code)
{
    struct value_state *v = &msg(c)->value;
    bool begin = strcmp(code, "Z36") == 0 || strcmp(code, "Z38") == 0;
    bool end = strcmp(code, "Z37") == 0 || strcmp(code, "Z39") == 0;
    struct mscons_value_place at = place_of(msg(c));

    v->basis++;
    v->basis_begin += begin;
    v->basis_end += end;
    if (!begin && !end)
        mscons_checker_add(c, c->seg.position, "STS", "STS+10+%.3s is not known", code);
    else if (!mscons_needs_basis(&at))
        mscons_checker_add(c, c->seg.position, "STS", "STS+10 is not for this value of %u",
                           msg(c)->rules->pid);
}

/* Up to four plausibility notes, each once (packages 4P0..1 to 6P0..1). */
static void check_note(struct checker *c, const char *code)
{
    struct value_state *v = &msg(c)->value;

    for (unsigned i = 0; i < v->notes && i < 4; i++) {
        if (strncmp(v->note[i], code, 3) == 0)
            mscons_checker_add(c, c->seg.position, "STS", "plausibility note %.3s stands twice",
                               code);
    }
    if (v->notes < 4)
        copy_code(v->note[v->notes], code);
    if (++v->notes > 4)
        mscons_checker_add(c, c->seg.position, "STS", "more than 4 plausibility notes");
}

void mscons_value_status(struct checker *c)
{
    struct message_state *m = msg(c);
    const char *category = edi_value(&c->seg, 1, 1);
    const char *code = edi_value(&c->seg, 3, 1);
    const char *list;
    unsigned seen;

    if (!m->rules || !c->fits)
        return;
    struct mscons_value_place at = place_of(m);
    bool basis = strcmp(category, "10") == 0;
    /* The code stands in DE4405 of category 10, in DE9013 of the others; the other one is empty. */
    if (*edi_value(&c->seg, basis ? 3 : 2, 1))
        mscons_checker_add(c, c->seg.position, "STS", "STS+%.3s has its code in element %d alone",
                           category, basis ? 2 : 3);
    if (basis) {
        basis_status(c, edi_value(&c->seg, 2, 1));
        return;
    }
    if (!mscons_has_status(&at)) {
        mscons_checker_add(c, c->seg.position, "STS", "STS+%.3s does not go with BGM+%s", category,
                           m->bgm);
        return;
    }
    if (strcmp(category, "Z31") == 0) {
        if (!m->rules->gas_quality || strcmp(code, "ZG3") != 0)
            mscons_checker_add(c, c->seg.position, "STS", "STS+Z31++%.3s is not for %u", code,
                               m->rules->pid);
        return;
    }
    list = status_list(m->rules, category, &seen);
    m->value.seen |= seen;
    if (strcmp(category, "Z33") == 0)
        check_note(c, code);
    if (!mscons_status_allowed(list, code, m->value.qualifier, m->place_len == 11))
        mscons_checker_add(c, c->seg.position, "STS",
                           "STS+%.3s++%.3s may not stand at a value of qualifier %s in %u",
                           category, code, m->value.qualifier, m->rules->pid);
}

static void need_time(struct checker *c, unsigned seen, const char *qualifier)
{
    if (!(msg(c)->value.seen & seen))
        mscons_checker_add(c, msg(c)->value.position, "DTM", "DTM+%s is missing", qualifier);
}

static void refuse_time(struct checker *c, unsigned seen, const char *qualifier)
{
    if (msg(c)->value.seen & seen)
        mscons_checker_add(c, msg(c)->value.position, "DTM", "DTM+%s does not belong to this value",
                           qualifier);
}

static void check_times_present(struct checker *c, enum mscons_time_shape shape)
{
    const struct message_state *m = msg(c);

    if (shape == SHAPE_INTERVAL) {
        need_time(c, SEEN_163, "163");
        need_time(c, SEEN_164, "164");
    } else {
        refuse_time(c, SEEN_163, "163");
        refuse_time(c, SEEN_164, "164");
    }
    if (shape == SHAPE_READING || shape == SHAPE_INSTANT)
        need_time(c, SEEN_7, "7");
    else
        refuse_time(c, SEEN_7, "7");
    if (shape == SHAPE_MONTH)
        need_time(c, SEEN_306, "306");
    else
        refuse_time(c, SEEN_306, "306");
    if (shape != SHAPE_READING)
        refuse_time(c, SEEN_60, "60");
    /* When somebody read it: only true values, and not behind a gateway (conditions 93, 131). */
    if (shape != SHAPE_READING || strcmp(m->value.qualifier, "220") != 0 || m->config)
        refuse_time(c, SEEN_9, "9");
}

static void check_day_line(struct checker *c, enum mscons_time_shape shape)
{
    const struct message_state *m = msg(c);
    struct mscons_value_place at = place_of(m);
    const emt_time times[3] = { m->value.from, m->value.to, m->value.use };
    bool gas_sender = strcmp(c->party_qualifiers[0], "502") == 0;

    if (!mscons_needs_day_line(&at, shape))
        return;
    for (size_t i = 0; i < 3; i++) {
        if (times[i] != EMT_TIME_NONE && !mscons_on_day_line(m->rules, gas_sender, times[i]))
            mscons_checker_add(c, m->value.position, "DAYLINE",
                               "DTM+%s is not the begin of a German %s day",
                               i == 0 ? "163" : (i == 1 ? "164" : "7"),
                               m->rules->line == LINE_GAS ? "gas" : "legal");
    }
}

/* All registers of a meter at one time are one message (569). */
static void check_one_time(struct checker *c)
{
    struct message_state *m = msg(c);

    if (m->use != EMT_TIME_NONE && m->use != m->value.use)
        mscons_checker_add(c, m->value.position, "USEDATE",
                           "another DTM+7 than before in this message");
    m->use = m->value.use;
}

static void check_use_date(struct checker *c, enum mscons_time_shape shape)
{
    const struct value_state *v = &msg(c)->value;
    bool ok = true;

    if (v->use == EMT_TIME_NONE)
        return;
    if (shape == SHAPE_READING)
        check_one_time(c);
    if (v->exchange != EMT_TIME_NONE)
        ok = mscons_within_a_day(v->exchange, v->use);
    if (ok && v->read != EMT_TIME_NONE)
        ok = v->read_day_only ? mscons_neighbour_days(local_date_of(v->read), local_date_of(v->use))
                              : mscons_within_a_day(v->read, v->use);
    if (!ok)
        mscons_checker_add(c, v->position, "USEDATE",
                           "DTM+7 is a day or more from the time of reading or exchange");
}

static void check_tiling(struct checker *c)
{
    struct message_state *m = msg(c);
    const struct value_state *v = &m->value;
    struct line_state *l = &m->line;

    if (v->from != EMT_TIME_NONE && v->to != EMT_TIME_NONE && v->to <= v->from)
        mscons_checker_add(c, v->position, "DTM", "the interval ends before it starts");
    if (!m->rules->tiles || l->gap_found)
        return;
    if (l->expected != EMT_TIME_NONE && v->from != EMT_TIME_NONE && v->from != l->expected) {
        char expected[32];
        char found[32];

        mscons_checker_add(c, v->position, "GAP", "interval starts at %s, expected %s: %s",
                           time_format(v->from, found), time_format(l->expected, expected),
                           v->from > l->expected ? "gap" : "overlap");
        l->gap_found = true;
    }
    l->expected = v->to;
}

static void check_status(struct checker *c)
{
    const struct message_state *m = msg(c);
    const struct value_state *v = &m->value;
    bool substitute = strcmp(v->qualifier, "67") == 0;
    bool proposed = strcmp(v->qualifier, "201") == 0;
    struct mscons_value_place at = place_of(m);

    if (m->rules->methods && mscons_has_status(&at) && (substitute || proposed) &&
        !(v->seen & SEEN_METHOD))
        mscons_checker_add(c, v->position, "STS",
                           "STS+Z32 (method) is missing at a value of qualifier %s", v->qualifier);
    if (m->rules->reasons && mscons_has_status(&at) && substitute && !(v->seen & SEEN_REASON))
        mscons_checker_add(c, v->position, "STS",
                           "STS+Z40 (reason) is missing at a value of qualifier 67");
    if (mscons_needs_basis(&at) && (v->basis != 2 || v->basis_begin != 1 || v->basis_end != 1))
        mscons_checker_add(c, v->position, "STS",
                           "STS+10 must stand twice: Z36 or Z38, and Z37 or Z39");
}

void mscons_value_end(struct checker *c)
{
    struct message_state *m = msg(c);

    if (!m->value.open)
        return;
    m->value.open = false;
    if (!m->rules)
        return;
    struct mscons_value_place at = place_of(m);
    enum mscons_time_shape shape = mscons_time_shape(&at, (m->value.seen & SEEN_7) != 0);
    /* Without a readable OBIS number the shape is a guess, and the number has been reported. */
    if (m->line.obis_ok || m->rules->times == TIMES_INTERVAL) {
        check_times_present(c, shape);
        check_day_line(c, shape);
    }
    /* At that one time it shows one value. */
    if (shape == SHAPE_READING && m->line.values == 2)
        mscons_checker_add(c, m->value.position, "QTY", "a second reading of the register");
    check_use_date(c, shape);
    check_tiling(c);
    check_status(c);
}

void mscons_line_end(struct checker *c)
{
    struct message_state *m = msg(c);
    struct line_state *l = &m->line;

    mscons_value_end(c);
    if (!l->open)
        return;
    l->open = false;
    if (!l->product)
        mscons_checker_add(c, l->position, "PIA", "LIN without PIA");
    if (l->values == 0)
        mscons_checker_add(c, l->position, "QTY", "LIN without a value");
    else if (m->rules && m->rules->tiles && !l->gap_found && l->expected != EMT_TIME_NONE &&
             m->to != EMT_TIME_NONE && l->expected != m->to)
        mscons_checker_add(c, m->value.position, "GAP",
                           "the last interval does not end with the period");
}
