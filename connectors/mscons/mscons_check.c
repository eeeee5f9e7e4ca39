#include "connectors/mscons_check.h"

#include "model/market_id.h"
#include "mscons/mscons_checker.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned *counter_of(struct checker *c, const char *code)
{
    for (size_t i = 0; i < CHECKER_CODES; i++) {
        if (!c->codes[i].code)
            c->codes[i].code = code;
        if (strcmp(c->codes[i].code, code) == 0)
            return &c->codes[i].count;
    }
    return &c->codes[CHECKER_CODES - 1].count;
}

EMT_PRINTF(5, 0)
static void report(struct checker *c, unsigned segment, const char *code, bool warning,
                   const char *fmt, va_list args)
{
    struct mscons_finding f = { .segment = segment, .code = code, .warning = warning };

    if (warning)
        c->result->warnings++;
    else
        c->result->findings++;
    if (++*counter_of(c, code) > MSCONS_FINDINGS_PER_CODE)
        return;
    vsnprintf(f.text, sizeof(f.text), fmt, args);
    /* Data is ISO 8859-1 and may be anything; a finding is printed on terminals. */
    for (char *p = f.text; *p; p++) {
        if ((unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f)
            *p = '.';
    }
    c->out->put(c->out->ctx, &f);
}

void mscons_checker_add(struct checker *c, unsigned segment, const char *code, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    report(c, segment, code, false, fmt, args);
    va_end(args);
}

void mscons_checker_warn(struct checker *c, unsigned segment, const char *code, const char *fmt,
                         ...)
{
    va_list args;

    va_start(args, fmt);
    report(c, segment, code, true, fmt, args);
    va_end(args);
}

static void report_suppressed(struct checker *c)
{
    for (size_t i = 0; i < CHECKER_CODES && c->codes[i].code; i++) {
        struct mscons_finding f = { .code = c->codes[i].code };

        if (c->codes[i].count <= MSCONS_FINDINGS_PER_CODE)
            continue;
        snprintf(f.text, sizeof(f.text), "%u more of this kind",
                 c->codes[i].count - MSCONS_FINDINGS_PER_CODE);
        c->out->put(c->out->ctx, &f);
    }
}

/* Sum of digits with alternating weights; the check digit completes it to the next ten. */
static unsigned check_digit(const char *id, size_t n, unsigned odd, unsigned even)
{
    unsigned sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (unsigned)(id[i] - '0') * (i % 2 == 0 ? odd : even);
    return (10 - sum % 10) % 10;
}

static void check_party(struct checker *c, unsigned element, size_t side)
{
    const char *id = edi_value(&c->seg, element, 1);
    const char *qualifier = edi_value(&c->seg, element, 2);
    bool gs1 = strcmp(qualifier, "14") == 0;

    snprintf(c->parties[side], sizeof(c->parties[side]), "%.35s", id);
    snprintf(c->party_qualifiers[side], sizeof(c->party_qualifiers[side]), "%.4s", qualifier);
    if (strlen(id) != 13 || strspn(id, "0123456789") != 13) {
        mscons_checker_add(c, c->seg.position, "MPID", "'%.35s' is no MP-ID of 13 digits", id);
        return;
    }
    if (!gs1 && strcmp(qualifier, "500") != 0 && strcmp(qualifier, "502") != 0) {
        mscons_checker_add(c, c->seg.position, "UNB", "qualifier '%.4s' of %s is not known",
                           qualifier, id);
        return;
    }
    if (gs1 && check_digit(id, 12, 1, 3) != (unsigned)(id[12] - '0'))
        mscons_checker_add(c, c->seg.position, "MPIDCHK", "%s has a wrong GS1 check digit", id);
    if (!gs1 && strcmp(mp_id_qualifier(id), qualifier) != 0)
        mscons_checker_add(c, c->seg.position, "MPIDCHK", "%s is no code number of qualifier %s",
                           id, qualifier);
    else if (!gs1 && check_digit(id, 12, 1, 2) != (unsigned)(id[12] - '0'))
        /* The rule is inferred from published numbers, not from a published text. */
        mscons_checker_warn(c, c->seg.position, "MPIDCHK", "the check digit of %s looks wrong", id);
}

static int two(const char *p)
{
    return (p[0] - '0') * 10 + (p[1] - '0');
}

/* yymmdd:hhmm, UTC. */
static void read_created(struct checker *c)
{
    const char *date = edi_value(&c->seg, 4, 1);
    const char *time = edi_value(&c->seg, 4, 2);
    struct civil t = { 0 };

    c->created = EMT_TIME_NONE;
    if (strlen(date) != 6 || strlen(time) != 4) {
        mscons_checker_add(c, c->seg.position, "UNB", "date of creation is not yymmdd:hhmm");
        return;
    }
    snprintf(c->date, sizeof(c->date), "%.6s", date);
    t.year = 2000 + two(date);
    t.month = two(date + 2);
    t.day = two(date + 4);
    t.hour = two(time);
    t.minute = two(time + 2);
    c->created = civil_to_time(&t);
    if (c->created == EMT_TIME_NONE)
        mscons_checker_add(c, c->seg.position, "UNB", "date of creation does not exist");
}

static void on_unb(struct checker *c)
{
    const char *reference = edi_value(&c->seg, 5, 1);

    if (c->seen_unb || c->seg.position != 1)
        mscons_checker_add(c, c->seg.position, "UNB", "UNB stands only once and first");
    c->seen_unb = true;
    c->fits = mscons_mig_check(c);
    snprintf(c->reference, sizeof(c->reference), "%.35s", reference);
    snprintf(c->application, sizeof(c->application), "%.14s", edi_value(&c->seg, 7, 1));
    check_party(c, 2, 0);
    check_party(c, 3, 1);
    if (!c->fits)
        return;
    if (strcmp(edi_value(&c->seg, 1, 1), "UNOC") != 0 || strcmp(edi_value(&c->seg, 1, 2), "3") != 0)
        mscons_checker_add(c, c->seg.position, "UNB", "character set and syntax are not UNOC:3");
    if (strspn(reference, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") != strlen(reference))
        mscons_checker_add(c, c->seg.position, "UNB", "reference '%s' is not of 0-9 and A-Z",
                           reference);
    read_created(c);
    if (*edi_value(&c->seg, 11, 1) && strcmp(edi_value(&c->seg, 11, 1), "1") != 0)
        mscons_checker_add(c, c->seg.position, "UNB", "test indicator is not 1");
}

/* The version follows the date in UNB. The two hours between German and UTC midnight belong to
 * both. */
static void check_version(struct checker *c)
{
    const char *name = edi_value(&c->seg, 2, 5);
    const struct mscons_version *v = mscons_version_named(name);
    const struct mscons_version *local;
    const struct mscons_version *utc;

    if (!v) {
        mscons_checker_add(c, c->seg.position, "UNH", "version '%.6s' is not known", name);
        return;
    }
    if (c->created == EMT_TIME_NONE)
        return;
    local = mscons_version_of(c->created);
    utc = mscons_version_of(c->created - local_offset_s(c->created) * EMT_SECOND);
    if (v != local && v != utc)
        mscons_checker_add(c, c->seg.position, "UNH",
                           "version %s is not in force on the day of UNB, %s is", name,
                           local ? local->name : "an older one");
}

static void on_unh(struct checker *c)
{
    struct message_state *m = &c->msg;
    const char *reference = edi_value(&c->seg, 1, 1);
    const char *type = edi_value(&c->seg, 2, 1);
    void *old = NULL;

    if (m->open)
        mscons_checker_add(c, c->seg.position, "UNT", "a message begins before the last one ended");
    *m = (struct message_state){ .open = true, .start = c->seg.position };
    c->result->messages++;
    snprintf(m->reference, sizeof(m->reference), "%.14s", reference);
    if (!c->type[0])
        snprintf(c->type, sizeof(c->type), "%.6s", type);
    c->fits = mscons_mig_check(c);
    if (map_put(c->references, reference, strlen(reference), c, &old) != EMT_OK)
        c->out_of_memory = true;
    if (old)
        mscons_checker_add(c, c->seg.position, "UNH", "reference %.14s stands twice in this file",
                           reference);
    if (strcmp(type, c->type) != 0)
        mscons_checker_add(c, c->seg.position, "UNH", "%.6s and %s in one file", type, c->type);
    m->judged = strcmp(type, "MSCONS") == 0;
    if (!m->judged) {
        if (strcmp(type, "CONTRL") != 0 && strcmp(type, "APERAK") != 0)
            mscons_checker_add(c, c->seg.position, "UNH", "message type %.6s is not judged here",
                               type);
        return;
    }
    if (strcmp(edi_value(&c->seg, 2, 2), "D") != 0 ||
        strcmp(edi_value(&c->seg, 2, 3), "04B") != 0 || strcmp(edi_value(&c->seg, 2, 4), "UN") != 0)
        mscons_checker_add(c, c->seg.position, "UNH", "not MSCONS:D:04B:UN");
    check_version(c);
    /* DE0068 and S010 are for lists split over several messages; which use case this is, is known
     * later. */
    m->split = edi_components(&c->seg, 3) > 0 || edi_components(&c->seg, 4) > 0;
    mscons_message_begin(c);
}

static void on_unt(struct checker *c)
{
    struct message_state *m = &c->msg;
    unsigned long count = strtoul(edi_value(&c->seg, 1, 1), NULL, 10);
    unsigned actual;

    if (!m->open) {
        mscons_checker_add(c, c->seg.position, "UNT", "UNT without UNH");
        return;
    }
    c->fits = mscons_mig_check(c);
    if (m->judged)
        mscons_message_end(c);
    m->open = false;
    actual = c->seg.position - m->start + 1;
    if (c->fits && count != actual)
        mscons_checker_add(c, c->seg.position, "UNT", "%lu segments announced, %u found", count,
                           actual);
    if (c->fits && strcmp(edi_value(&c->seg, 2, 1), m->reference) != 0)
        mscons_checker_add(c, c->seg.position, "UNT", "reference is not that of UNH, %s",
                           m->reference);
}

static void on_unz(struct checker *c)
{
    unsigned long count = strtoul(edi_value(&c->seg, 1, 1), NULL, 10);

    if (c->msg.open)
        mscons_checker_add(c, c->seg.position, "UNT", "the last message has no UNT");
    c->msg.open = false;
    c->seen_unz = true;
    c->fits = mscons_mig_check(c);
    if (!c->fits)
        return;
    if (count != c->result->messages)
        mscons_checker_add(c, c->seg.position, "UNZ", "%lu messages announced, %u found", count,
                           c->result->messages);
    if (strcmp(edi_value(&c->seg, 2, 1), c->reference) != 0)
        mscons_checker_add(c, c->seg.position, "UNZ", "reference is not that of UNB, %s",
                           c->reference);
}

static void on_segment(struct checker *c)
{
    if (c->seg.odd_character)
        mscons_checker_add(c, c->seg.position, "CHAR", "control character in the data");
    if (c->seen_unz)
        mscons_checker_add(c, c->seg.position, "UNZ", "a segment stands behind UNZ");
    else if (!c->seen_unb && !edi_is(&c->seg, "UNB"))
        mscons_checker_add(c, c->seg.position, "UNB", "the file does not begin with UNB");
    if (edi_is(&c->seg, "UNB"))
        on_unb(c);
    else if (edi_is(&c->seg, "UNH"))
        on_unh(c);
    else if (edi_is(&c->seg, "UNT"))
        on_unt(c);
    else if (edi_is(&c->seg, "UNZ"))
        on_unz(c);
    else if (!c->msg.open)
        mscons_checker_add(c, c->seg.position, "ORDER", "a segment stands outside of messages");
    else if (c->msg.judged)
        mscons_message_segment(c);
}

static void check_syntax(struct checker *c)
{
    const struct edi_syntax *s = &c->reader.syntax;

    if (!c->reader.una)
        mscons_checker_add(c, 0, "UNA", "UNA is missing");
    else if (s->component != ':' || s->element != '+' || s->decimal != '.' || s->release != '?' ||
             s->reserved != ' ' || s->terminator != '\'')
        mscons_checker_add(c, 0, "UNA", "service characters are not those of the market");
}

static void check_end(struct checker *c, enum emt_err err)
{
    unsigned at = c->reader.segments;

    if (err != EMT_ENOTFOUND && c->seen_unz)
        mscons_checker_add(c, at + 1, "UNZ",
                           "something stands behind UNZ: a second interchange, or a rest");
    else if (err == EMT_ETRUNCATED)
        mscons_checker_add(c, at + 1, "SYNTAX", "the file ends inside a segment");
    else if (err == EMT_EMALFORMED)
        mscons_checker_add(c, at + 1, "SYNTAX", "no segment tag, or a zero byte");
    else if (err == EMT_ELIMIT)
        mscons_checker_add(c, at + 1, "SYNTAX", "the segment is larger than any of MSCONS");
    if (err == EMT_ENOTFOUND && c->msg.open)
        mscons_checker_add(c, at, "UNT", "the last message has no UNT");
    if (err == EMT_ENOTFOUND && !c->seen_unz)
        mscons_checker_add(c, at, "UNZ", "UNZ is missing");
    if (err == EMT_ENOTFOUND && c->result->messages == 0)
        mscons_checker_add(c, at, "UNH", "the file holds no message");
    /* One line end behind the last segment is a lesser sin than lines. */
    if (c->reader.line_breaks > 2 || (c->reader.line_breaks > 0 && !c->reader.ends_with_break))
        mscons_checker_add(c, 0, "LF", "line breaks between segments");
    else if (c->reader.line_breaks > 0)
        mscons_checker_add(c, at, "LFEND", "a line break behind the last segment");
}

/* Type_DE0026_sender_recipient_yyyymmdd_DE0020.txt; the second part may be empty in other types. */
static void check_name(struct checker *c, const char *name)
{
    char expected[160];

    snprintf(expected, sizeof(expected), "%s_%s_%s_%s_20%s_%s.txt", c->type, c->application,
             c->parties[0], c->parties[1], c->date, c->reference);
    if (strcmp(name, expected) != 0)
        mscons_checker_add(c, 0, "NAME", "the file must be named %s", expected);
}

static enum emt_err run(struct checker *c, const char *file_name)
{
    enum emt_err err;

    check_syntax(c);
    while ((err = edi_reader_next(&c->reader, &c->seg)) == EMT_OK)
        on_segment(c);
    check_end(c, err);
    if (file_name)
        check_name(c, file_name);
    report_suppressed(c);
    return c->out_of_memory ? EMT_ENOMEM : EMT_OK;
}

enum emt_err mscons_check(const void *data, size_t len, const char *file_name,
                          const struct mscons_findings *out, struct mscons_check_result *result)
{
    struct checker *c = calloc(1, sizeof(*c));
    enum emt_err err;

    *result = (struct mscons_check_result){ 0 };
    if (!c)
        return EMT_ENOMEM;
    c->out = out;
    c->result = result;
    c->created = EMT_TIME_NONE;
    c->documents = map_new();
    c->references = map_new();
    err = edi_reader_init(&c->reader, data, len);
    if (!c->documents || !c->references)
        err = EMT_ENOMEM;
    if (err == EMT_ETRUNCATED || err == EMT_EMALFORMED) {
        mscons_checker_add(c, 0, "UNA", "UNA names no usable service characters");
        err = EMT_OK;
    } else if (err == EMT_OK) {
        err = run(c, file_name);
    }
    map_free(c->documents);
    map_free(c->references);
    free(c);
    return err;
}
