#include "connectors/mscons_show.h"

#include "base/json_text.h"
#include "connectors/edi_reader.h"
#include "model/decimal.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 72
#define QUALIFIERS_MAX 16

struct head {
    char reference[TEXT_MAX], pid[TEXT_MAX], version[TEXT_MAX], bgm[TEXT_MAX], document[TEXT_MAX],
        function[TEXT_MAX], date[TEXT_MAX], location[TEXT_MAX], device[TEXT_MAX], config[TEXT_MAX],
        cancels[TEXT_MAX];
    bool location_172;
};

struct line {
    char product[TEXT_MAX];
    uint64_t values;
    struct decimal sum;
    bool sum_lost; /* a value could not be read or added */
    char from[13], to[13];
    struct {
        char qualifier[8];
        uint64_t count;
    } quantities[QUALIFIERS_MAX];
    size_t n_quantities;
};

struct show {
    struct edi_reader reader;
    struct edi_segment seg;
    struct writer *out;
    bool message_open, head_written, line_open;
    uint64_t messages, lines;
    struct head head;
    struct line line;
};

/* ISO 8859-1 to JSON text; "" gives null. */
static void put_text(struct writer *w, const char *s)
{
    char utf8[2 * TEXT_MAX + 2];
    size_t n = 0;

    if (!*s) {
        json_put_cstr(w, NULL);
        return;
    }
    for (; *s && n + 2 < sizeof(utf8); s++) {
        unsigned char c = (unsigned char)*s;

        if (c < 0x80) {
            utf8[n++] = (char)c;
        } else {
            utf8[n++] = (char)(0xc0u | (c >> 6));
            utf8[n++] = (char)(0x80u | (c & 0x3fu));
        }
    }
    json_put_string(w, utf8, n);
}

/* ,"name": without the comma in front where it is the first of its object. */
static void put_name(struct writer *w, bool first, const char *name)
{
    (void)writer_printf(w, "%s\"%s\":", first ? "" : ",", name);
}

static void put_member(struct writer *w, bool first, const char *name, const char *value)
{
    put_name(w, first, name);
    put_text(w, value);
}

static void keep(char out[TEXT_MAX], const char *text)
{
    snprintf(out, TEXT_MAX, "%.*s", TEXT_MAX - 1, text);
}

static void put_interchange(struct show *s, const struct edi_segment *unb)
{
    const char *date = edi_value(unb, 4, 1);
    const char *time = edi_value(unb, 4, 2);
    char created[32] = "";

    if (strlen(date) == 6 && strlen(time) == 4)
        snprintf(created, sizeof(created), "20%.2s-%.2s-%.2sT%.2s:%.2sZ", date, date + 2, date + 4,
                 time, time + 2);
    put_name(s->out, true, "interchange");
    (void)writer_text(s->out, "{");
    put_member(s->out, true, "sender", edi_value(unb, 2, 1));
    put_member(s->out, false, "receiver", edi_value(unb, 3, 1));
    put_member(s->out, false, "ref", edi_value(unb, 5, 1));
    put_member(s->out, false, "app", edi_value(unb, 7, 1));
    put_name(s->out, false, "test");
    (void)writer_text(s->out, strcmp(edi_value(unb, 11, 1), "1") == 0 ? "true" : "false");
    put_member(s->out, false, "created", created);
    (void)writer_text(s->out, "},\"messages\":[");
}

static void write_head(struct show *s)
{
    const struct head *h = &s->head;

    if (s->head_written)
        return;
    s->head_written = true;
    (void)writer_text(s->out, s->messages++ == 0 ? "{" : ",{");
    put_member(s->out, true, "ref", h->reference);
    put_member(s->out, false, "pid", h->pid);
    put_member(s->out, false, "version", h->version);
    put_member(s->out, false, "bgm", h->bgm);
    put_member(s->out, false, "doc", h->document);
    put_member(s->out, false, "function", h->function);
    put_member(s->out, false, "date", h->date);
    put_member(s->out, false, "loc", h->location);
    put_member(s->out, false, "device", h->device);
    put_member(s->out, false, "config", h->config);
    put_member(s->out, false, "cancels", h->cancels);
    (void)writer_text(s->out, ",\"lines\":[");
    s->lines = 0;
}

static void end_line(struct show *s)
{
    const struct line *l = &s->line;
    char sum[DECIMAL_TEXT_MAX] = "";

    if (!s->line_open)
        return;
    s->line_open = false;
    (void)writer_text(s->out, s->lines++ == 0 ? "{" : ",{");
    put_member(s->out, true, "obis", l->product);
    (void)writer_printf(s->out, ",\"n\":%llu", (unsigned long long)l->values);
    if (!l->sum_lost && l->values > 0)
        decimal_format(l->sum, sum);
    put_member(s->out, false, "sum", sum);
    put_member(s->out, false, "from", l->from);
    put_member(s->out, false, "to", l->to);
    (void)writer_text(s->out, ",\"qty\":{");
    for (size_t i = 0; i < l->n_quantities; i++) {
        if (i > 0)
            (void)writer_text(s->out, ",");
        put_text(s->out, l->quantities[i].qualifier);
        (void)writer_printf(s->out, ":%llu", (unsigned long long)l->quantities[i].count);
    }
    (void)writer_text(s->out, "}}");
}

static void end_message(struct show *s)
{
    if (!s->message_open)
        return;
    s->message_open = false;
    end_line(s);
    write_head(s);
    (void)writer_text(s->out, "]}");
}

static void begin_message(struct show *s)
{
    end_message(s);
    s->message_open = true;
    s->head_written = false;
    s->head = (struct head){ 0 };
    keep(s->head.reference, edi_value(&s->seg, 1, 1));
    keep(s->head.version, edi_value(&s->seg, 2, 5));
}

static void begin_line(struct show *s)
{
    end_line(s);
    write_head(s);
    s->line_open = true;
    s->line = (struct line){ 0 };
}

static void count_qualifier(struct line *l, const char *qualifier)
{
    for (size_t i = 0; i < l->n_quantities; i++) {
        if (strcmp(l->quantities[i].qualifier, qualifier) == 0) {
            l->quantities[i].count++;
            return;
        }
    }
    if (l->n_quantities == QUALIFIERS_MAX || strlen(qualifier) > 7 || !*qualifier)
        return;
    snprintf(l->quantities[l->n_quantities].qualifier, sizeof(l->quantities[0].qualifier), "%.7s",
             qualifier);
    l->quantities[l->n_quantities++].count = 1;
}

static void on_quantity(struct show *s)
{
    char text[TEXT_MAX];
    struct decimal value;
    struct line *l = &s->line;
    char *mark;

    if (!s->line_open)
        return;
    keep(text, edi_value(&s->seg, 1, 2));
    /* Old files name a comma in UNA and write it. */
    mark = s->reader.syntax.decimal == ',' ? strchr(text, ',') : NULL;
    if (mark)
        *mark = '.';
    l->values++;
    count_qualifier(l, edi_value(&s->seg, 1, 1));
    if (decimal_parse(text, strlen(text), &value) != EMT_OK ||
        decimal_add(l->sum, value, &l->sum) != EMT_OK)
        l->sum_lost = true;
}

/* The twelve digits in front of the offset. */
static void keep_time(char out[13], const char *text, bool earliest)
{
    char digits[13];
    int order;

    if (strspn(text, "0123456789") != 12)
        return;
    snprintf(digits, sizeof(digits), "%.12s", text);
    order = strcmp(digits, out);
    if (!out[0] || (earliest ? order < 0 : order > 0))
        memcpy(out, digits, sizeof(digits));
}

static void on_time(struct show *s)
{
    const char *q = edi_value(&s->seg, 1, 1);
    const char *text = edi_value(&s->seg, 1, 2);

    if (strcmp(q, "137") == 0 && !s->line_open)
        keep(s->head.date, text);
    if (!s->line_open)
        return;
    if (strcmp(q, "163") == 0)
        keep_time(s->line.from, text, true);
    if (strcmp(q, "164") == 0 || strcmp(q, "7") == 0)
        keep_time(s->line.to, text, false);
}

static void on_reference(struct show *s)
{
    const char *q = edi_value(&s->seg, 1, 1);
    const char *text = edi_value(&s->seg, 1, 2);

    if (strcmp(q, "Z13") == 0)
        keep(s->head.pid, text);
    else if (strcmp(q, "ACW") == 0)
        keep(s->head.cancels, text);
    else if (strcmp(q, "MG") == 0)
        keep(s->head.device, text);
    else if (strcmp(q, "AGK") == 0)
        keep(s->head.config, text);
}

/* LOC+172 names the place; profiles and transfer series have other ones, shown when there is no
 * 172. */
static void on_location(struct show *s)
{
    bool is_172 = strcmp(edi_value(&s->seg, 1, 1), "172") == 0;

    if (s->head.location_172 || (s->head.location[0] && !is_172))
        return;
    s->head.location_172 = is_172;
    keep(s->head.location, edi_value(&s->seg, 2, 1));
}

static void on_message_segment(struct show *s)
{
    if (edi_is(&s->seg, "QTY")) {
        on_quantity(s);
    } else if (edi_is(&s->seg, "DTM")) {
        on_time(s);
    } else if (edi_is(&s->seg, "LIN")) {
        begin_line(s);
    } else if (edi_is(&s->seg, "PIA")) {
        keep(s->line.product, edi_value(&s->seg, 2, 1));
    } else if (edi_is(&s->seg, "RFF")) {
        on_reference(s);
    } else if (edi_is(&s->seg, "LOC")) {
        on_location(s);
    } else if (edi_is(&s->seg, "BGM")) {
        keep(s->head.bgm, edi_value(&s->seg, 1, 1));
        keep(s->head.document, edi_value(&s->seg, 2, 1));
        keep(s->head.function, edi_value(&s->seg, 3, 1));
    } else if (edi_is(&s->seg, "UNT")) {
        end_message(s);
    }
}

static enum emt_err fail_at(struct show *s, enum emt_err err, struct emt_diag *diag)
{
    if (diag)
        diag->offset = s->reader.in.pos;
    return emt_fail(diag, err, "segment %u cannot be read", s->reader.segments + 1);
}

/* The rest of a MSCONS file whose first UNH stands in s->seg. */
static enum emt_err show_mscons(struct show *s, struct emt_diag *diag)
{
    enum emt_err err = EMT_OK;

    do {
        if (edi_is(&s->seg, "UNH"))
            begin_message(s);
        else if (s->message_open)
            on_message_segment(s);
        bool last = edi_is(&s->seg, "UNZ");
        err = edi_reader_next(&s->reader, &s->seg);
        if (last && err != EMT_ENOTFOUND)
            return emt_fail(diag, EMT_EUNSUPPORTED,
                            "something stands behind UNZ: one file holds one interchange");
    } while (err == EMT_OK);
    end_message(s);
    (void)writer_text(s->out, "]");
    return err == EMT_ENOTFOUND ? EMT_OK : fail_at(s, err, diag);
}

/* What CONTRL and APERAK say about one place of a file. */
struct answer {
    char message[TEXT_MAX], segment[TEXT_MAX], error[TEXT_MAX], element[8], component[8];
    char document[TEXT_MAX];
};

#define ANSWERS_MAX 64

struct answers {
    char interchange[TEXT_MAX];
    char kind[8];
    bool message_level;
    struct answer list[ANSWERS_MAX];
    size_t n;
};

static struct answer *add_answer(struct answers *a)
{
    if (a->n < ANSWERS_MAX)
        a->n++;
    return &a->list[a->n - 1];
}

static struct answer *last_answer(struct answers *a)
{
    return a->n > 0 ? &a->list[a->n - 1] : add_answer(a);
}

static void keep_position(struct show *s, struct answer *x, unsigned element)
{
    snprintf(x->element, sizeof(x->element), "%.7s", edi_value(&s->seg, element, 1));
    snprintf(x->component, sizeof(x->component), "%.7s", edi_value(&s->seg, element, 2));
}

/* UCI: 0020, S002, S003, 0083, 0085, 0013, S011. UCM: 0062, S009, 0083, 0085, 0013, S011. UCS:
 * 0096, 0085. UCD: 0085, S011 (CONTRL, syntax 3). */
static void on_contrl(struct show *s, struct answers *a)
{
    if (edi_is(&s->seg, "UCI")) {
        keep(a->interchange, edi_value(&s->seg, 1, 1));
        snprintf(a->kind, sizeof(a->kind), "%.7s", edi_value(&s->seg, 4, 1));
        if (*edi_value(&s->seg, 5, 1)) {
            struct answer *x = add_answer(a);

            keep(x->error, edi_value(&s->seg, 5, 1));
            keep(x->segment, edi_value(&s->seg, 6, 1));
            keep_position(s, x, 7);
        }
    } else if (edi_is(&s->seg, "UCM")) {
        if (strcmp(edi_value(&s->seg, 3, 1), "4") != 0)
            return; /* a message that was accepted */
        struct answer *x = add_answer(a);

        a->message_level = true;
        keep(x->message, edi_value(&s->seg, 1, 1));
        keep(x->error, edi_value(&s->seg, 4, 1));
        keep(x->segment, edi_value(&s->seg, 5, 1));
        keep_position(s, x, 6);
    } else if (edi_is(&s->seg, "UCS")) {
        struct answer *x = last_answer(a);

        if (x->segment[0]) { /* another place in the same message */
            struct answer *y = add_answer(a);

            if (y != x)
                keep(y->message, x->message);
            x = y;
        }
        keep(x->segment, edi_value(&s->seg, 1, 1));
        keep(x->error, edi_value(&s->seg, 2, 1));
    } else if (edi_is(&s->seg, "UCD")) {
        struct answer *x = last_answer(a);

        keep(x->error, edi_value(&s->seg, 1, 1));
        keep_position(s, x, 2);
    }
}

static void on_aperak(struct show *s, struct answers *a)
{
    const char *q = edi_value(&s->seg, 1, 1);

    if (edi_is(&s->seg, "BGM"))
        snprintf(a->kind, sizeof(a->kind), "%.7s", q);
    else if (edi_is(&s->seg, "ERC"))
        keep(add_answer(a)->error, q);
    else if (edi_is(&s->seg, "RFF") && strcmp(q, "ACE") == 0)
        keep(a->interchange, edi_value(&s->seg, 1, 2));
    else if (edi_is(&s->seg, "RFF") && strcmp(q, "ACW") == 0)
        keep(last_answer(a)->document, edi_value(&s->seg, 1, 2));
    else if (edi_is(&s->seg, "RFF") && strcmp(q, "AGO") == 0)
        keep(last_answer(a)->message, edi_value(&s->seg, 1, 2));
}

/* Digits as a number, a tag as text. */
static void put_digits(struct writer *w, const char *name, const char *value)
{
    size_t n = strlen(value);

    if (n == 0)
        return;
    put_name(w, false, name);
    if (n < 10 && strspn(value, "0123456789") == n)
        (void)writer_printf(w, "%lu", strtoul(value, NULL, 10));
    else
        put_text(w, value);
}

static void put_contrl_answer(struct writer *w, const struct answer *x)
{
    if (x->message[0])
        put_member(w, false, "message", x->message);
    put_digits(w, "segment", x->segment);
    if (x->error[0])
        put_member(w, false, "error", x->error);
    put_digits(w, "element", x->element);
    put_digits(w, "component", x->component);
}

static void put_contrl(struct show *s, const struct answers *a)
{
    const char *kind = "interchange rejected";

    if (a->message_level)
        kind = "message rejected";
    else if (strcmp(a->kind, "7") == 0)
        kind = "acknowledged";
    else if (strcmp(a->kind, "8") == 0)
        kind = "received";
    put_member(s->out, true, "type", "CONTRL");
    put_member(s->out, false, "kind", kind);
    put_member(s->out, false, "interchange", a->interchange);
    if (a->n > 0)
        put_contrl_answer(s->out, &a->list[0]);
    for (size_t i = 1; i < a->n; i++) {
        (void)writer_text(s->out, i == 1 ? ",\"more\":[{" : ",{");
        put_member(s->out, true, "interchange", a->interchange);
        put_contrl_answer(s->out, &a->list[i]);
        (void)writer_text(s->out, i + 1 == a->n ? "}]" : "}");
    }
}

static void put_aperak(struct show *s, const struct answers *a)
{
    static const struct answer none;
    const struct answer *x = a->n > 0 ? &a->list[0] : &none;

    put_member(s->out, true, "type", "APERAK");
    put_member(s->out, false, "kind", strcmp(a->kind, "313") == 0 ? "error" : "acknowledged");
    if (x->error[0])
        put_member(s->out, false, "erc", x->error);
    put_member(s->out, false, "interchange", a->interchange);
    put_member(s->out, false, "document", x->document);
    for (size_t i = 1; i < a->n; i++) {
        (void)writer_text(s->out, i == 1 ? ",\"more\":[{" : ",{");
        put_member(s->out, true, "erc", a->list[i].error);
        put_member(s->out, false, "document", a->list[i].document);
        (void)writer_text(s->out, i + 1 == a->n ? "}]" : "}");
    }
}

/* One message of a file of answers, whose UNH stands in s->seg; left on the next UNH or at the end.
 */
static enum emt_err show_one_answer(struct show *s, struct answers *a)
{
    bool contrl = strcmp(edi_value(&s->seg, 2, 1), "CONTRL") == 0;
    enum emt_err err;

    *a = (struct answers){ 0 };
    while ((err = edi_reader_next(&s->reader, &s->seg)) == EMT_OK && !edi_is(&s->seg, "UNH")) {
        if (contrl)
            on_contrl(s, a);
        else
            on_aperak(s, a);
    }
    if (contrl)
        put_contrl(s, a);
    else
        put_aperak(s, a);
    return err;
}

/* The first answer of the file, and others when there are. */
static enum emt_err show_answers(struct show *s, struct emt_diag *diag)
{
    struct answers *a = calloc(1, sizeof(*a));
    bool others = false;
    enum emt_err err;

    if (!a)
        return EMT_ENOMEM;
    err = show_one_answer(s, a);
    while (err == EMT_OK) {
        (void)writer_text(s->out, others ? ",{" : ",\"others\":[{");
        others = true;
        err = show_one_answer(s, a);
        (void)writer_text(s->out, "}");
    }
    if (others)
        (void)writer_text(s->out, "]");
    free(a);
    return err == EMT_ENOTFOUND ? EMT_OK : fail_at(s, err, diag);
}

static enum emt_err show_file(struct show *s, struct emt_diag *diag)
{
    struct edi_segment *unb = malloc(sizeof(*unb));
    enum emt_err err;

    if (!unb)
        return EMT_ENOMEM;
    err = edi_reader_next(&s->reader, unb);
    if (err == EMT_OK && !edi_is(unb, "UNB"))
        err = EMT_EUNSUPPORTED;
    if (err == EMT_OK)
        err = edi_reader_next(&s->reader, &s->seg);
    if (err == EMT_OK && !edi_is(&s->seg, "UNH"))
        err = EMT_EUNSUPPORTED;
    if (err != EMT_OK) {
        free(unb);
        return fail_at(s, err == EMT_ENOTFOUND ? EMT_ETRUNCATED : err, diag);
    }
    (void)writer_text(s->out, "{");
    if (strcmp(edi_value(&s->seg, 2, 1), "CONTRL") == 0 ||
        strcmp(edi_value(&s->seg, 2, 1), "APERAK") == 0) {
        err = show_answers(s, diag);
    } else if (strcmp(edi_value(&s->seg, 2, 1), "MSCONS") == 0) {
        put_interchange(s, unb);
        err = show_mscons(s, diag);
    } else {
        err = emt_fail(diag, EMT_EUNSUPPORTED, "message type '%.6s' is not read",
                       edi_value(&s->seg, 2, 1));
    }
    free(unb);
    (void)writer_text(s->out, "}\n");
    return err;
}

enum emt_err mscons_show(const void *data, size_t len, struct writer *out, struct emt_diag *diag)
{
    struct show *s = calloc(1, sizeof(*s));
    enum emt_err err;

    if (!s)
        return EMT_ENOMEM;
    s->out = out;
    err = edi_reader_init(&s->reader, data, len);
    if (err != EMT_OK)
        err = emt_fail(diag, err, "not an EDIFACT file");
    else
        err = show_file(s, diag);
    if (err == EMT_OK && out->failed)
        err = emt_fail(diag, EMT_ELIMIT, "the output is too large");
    free(s);
    return err;
}
