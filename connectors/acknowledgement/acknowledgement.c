/* CONTRL (UN/EDIFACT D.3 and D.4, EDI@Energy MIG 2.0):
 *   UNH  UCI 0020, S002, S003, 0083, 0085, 0013, S011    the interchange
 *        (UCF 0048, S006, S007, 0083, 0085, 0013, S011   a group)
 *        UCM 0062, S009, 0083, 0085, 0013, S011          a message
 *        UCS 0096, 0085                                  a segment by its position in the message
 *        UCD 0085, S011 (0098, 0104)                     an element in it
 *   UNT
 * APERAK (D.07B, MIG 2.1 and 2.2):
 *   UNH  BGM 312 or 313, document number
 *        RFF+ACE interchange, DTM, NAD
 *        ERC code, FTX texts, RFF+ACW document, RFF+AGO message
 *   UNT */
#include "connectors/acknowledgement.h"

#include "connectors/edi_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

struct acknowledging {
    struct edi_reader reader;
    struct edi_segment seg;
    const struct acknowledgement_handler *handler;
    struct emt_diag *diag;
    struct acknowledgement_head head;
    bool utf8;                         /* what the interchange is written in, else ISO 8859-1 */
    unsigned messages, notes;          /* so far */
    unsigned in_message;               /* segments of the message, UNH included; 0: outside */
    char message_reference[36];        /* of the answer's own message */
    struct acknowledgement_note note;  /* what applies to the next one */
    enum acknowledgement_verdict said; /* of the level above the segments */
    bool pending;                      /* the note waits for more of its parts */
    bool answered;                     /* this message said something */
    bool stands_in_document;           /* APERAK: the pending note has its document */
};

const char *acknowledgement_kind_name(enum acknowledgement_kind kind)
{
    return kind == ACKNOWLEDGEMENT_CONTRL ? "contrl" : "aperak";
}

static enum emt_err fail(struct acknowledging *a, enum emt_err err, const char *what)
{
    if (a->diag != NULL)
        a->diag->offset = a->seg.offset;
    return emt_fail(a->diag, err, "segment %u, %.3s: %s", a->seg.position, a->seg.text, what);
}

/* --- texts --- */

static size_t put_latin1(char *out, size_t n, size_t size, unsigned char c)
{
    if (c < 0x80) {
        if (n + 1 < size)
            out[n++] = c < 0x20 || c == 0x7f ? ' ' : (char)c;
    } else if (n + 2 < size) {
        out[n++] = (char)(0xc0u | (c >> 6));
        out[n++] = (char)(0x80u | (c & 0x3fu));
    }
    return n;
}

/* Length of the UTF-8 sequence at s, 0: none. */
static size_t utf8_length(const unsigned char *s)
{
    size_t len = s[0] < 0x80                    ? 1
                 : s[0] >= 0xc2 && s[0] < 0xe0  ? 2
                 : s[0] >= 0xe0 && s[0] < 0xf0  ? 3
                 : s[0] >= 0xf0 && s[0] <= 0xf4 ? 4
                                                : 0;

    for (size_t i = 1; i < len; i++) {
        if ((s[i] & 0xc0u) != 0x80)
            return 0;
    }
    /* Overlong forms, surrogates and what is beyond Unicode. */
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] >= 0x90))
        return 0;
    return len;
}

/* Appends to out what fits as a whole. Returns the new length. */
static size_t put_text(const struct acknowledging *a, char *out, size_t n, size_t size,
                       const char *text)
{
    const unsigned char *s = (const unsigned char *)text;

    while (*s != '\0') {
        size_t len = a->utf8 ? utf8_length(s) : 0;

        if (len > 1) {
            if (n + len < size) {
                memcpy(out + n, s, len);
                n += len;
            }
            s += len;
        } else {
            n = put_latin1(out, n, size, *s++);
        }
    }
    out[n] = '\0';
    return n;
}

static void keep(const struct acknowledging *a, char *out, size_t size, unsigned element,
                 unsigned component)
{
    put_text(a, out, 0, size, edi_value(&a->seg, element, component));
}

#define KEEP(a, field, element, component) keep(a, field, sizeof(field), element, component)

static unsigned small_number(const char *text)
{
    unsigned n = 0;

    if (strlen(text) > 6 || text[strspn(text, "0123456789")] != '\0')
        return 0;
    for (; *text != '\0'; text++)
        n = n * 10 + (unsigned)(*text - '0');
    return n;
}

/* --- notes --- */

static enum emt_err tell(struct acknowledging *a)
{
    if (a->note.interchange[0] == '\0')
        return fail(a, EMT_EMALFORMED, "says something before it names the interchange");
    if (a->notes == ACKNOWLEDGEMENT_NOTES_MAX)
        return fail(a, EMT_ELIMIT, "says more than is read at once");
    a->notes++;
    a->answered = true;
    a->pending = false;
    return a->handler->note(a->handler->ctx, &a->note);
}

static enum emt_err tell_pending(struct acknowledging *a)
{
    return a->pending ? tell(a) : EMT_OK;
}

static enum emt_err read_action(struct acknowledging *a, unsigned element)
{
    const char *action = edi_value(&a->seg, element, 1);

    if (strcmp(action, "7") == 0)
        a->said = VERDICT_ACCEPTED;
    else if (strcmp(action, "4") == 0)
        a->said = VERDICT_REJECTED;
    else if (strcmp(action, "8") == 0)
        a->said = VERDICT_RECEIVED;
    else
        return fail(a, EMT_EUNSUPPORTED, "the action (DE 0083) is none of 4, 7 and 8");
    return EMT_OK;
}

/* What follows the action in UCI, UCF and UCM: 0085, 0013, S011. */
static void read_place(struct acknowledging *a, unsigned element)
{
    KEEP(a, a->note.code, element, 1);
    KEEP(a, a->note.segment, element + 1, 1);
    a->note.element = small_number(edi_value(&a->seg, element + 2, 1));
    a->note.component = small_number(edi_value(&a->seg, element + 2, 2));
}

static void forget_place(struct acknowledging *a)
{
    a->note.code[0] = a->note.segment[0] = a->note.text[0] = '\0';
    a->note.element = a->note.component = 0;
}

static enum emt_err on_uci(struct acknowledging *a)
{
    if (a->answered)
        return fail(a, EMT_EMALFORMED, "a second interchange is answered in one message");
    KEEP(a, a->note.interchange, 1, 1);
    KEEP(a, a->note.original_sender, 2, 1);
    KEEP(a, a->note.original_recipient, 3, 1);
    if (a->note.interchange[0] == '\0')
        return fail(a, EMT_EMALFORMED, "names no interchange");
    enum emt_err err = read_action(a, 4);
    if (err != EMT_OK)
        return err;
    a->note.level = ACKNOWLEDGES_INTERCHANGE;
    a->note.verdict = a->said;
    read_place(a, 5);
    return tell(a);
}

/* We send no groups; one that is rejected takes the interchange with it. */
static enum emt_err on_ucf(struct acknowledging *a)
{
    enum emt_err err = read_action(a, 4);

    if (err != EMT_OK || a->said != VERDICT_REJECTED)
        return err;
    a->note.level = ACKNOWLEDGES_INTERCHANGE;
    a->note.verdict = a->said;
    read_place(a, 5);
    return tell(a);
}

static enum emt_err on_ucm(struct acknowledging *a)
{
    KEEP(a, a->note.message, 1, 1);
    if (a->note.message[0] == '\0')
        return fail(a, EMT_EMALFORMED, "names no message");
    enum emt_err err = read_action(a, 3);
    if (err != EMT_OK)
        return err;
    a->note.level = ACKNOWLEDGES_MESSAGE;
    a->note.verdict = a->said;
    read_place(a, 4);
    return tell(a);
}

static enum emt_err on_ucs(struct acknowledging *a)
{
    a->note.level = ACKNOWLEDGES_SEGMENT;
    a->note.verdict = a->said;
    KEEP(a, a->note.segment, 1, 1);
    KEEP(a, a->note.code, 2, 1);
    a->pending = true; /* its elements say more, if there are any */
    return EMT_OK;
}

static enum emt_err on_ucd(struct acknowledging *a)
{
    char segment[sizeof a->note.segment];

    if (a->note.segment[0] == '\0')
        return fail(a, EMT_EMALFORMED, "an element outside of a segment");
    memcpy(segment, a->note.segment, sizeof segment);
    forget_place(a);
    memcpy(a->note.segment, segment, sizeof segment);
    a->note.level = ACKNOWLEDGES_ELEMENT;
    a->note.verdict = a->said;
    KEEP(a, a->note.code, 1, 1);
    a->note.element = small_number(edi_value(&a->seg, 2, 1));
    a->note.component = small_number(edi_value(&a->seg, 2, 2));
    return tell(a);
}

static enum emt_err on_contrl(struct acknowledging *a)
{
    enum emt_err err = EMT_OK;

    if (edi_is(&a->seg, "UCI"))
        return on_uci(a);
    if (!a->answered)
        return fail(a, EMT_EMALFORMED, "stands before UCI");
    if (edi_is(&a->seg, "UCD")) {
        a->pending = false;
        return on_ucd(a);
    }
    err = tell_pending(a);
    forget_place(a);
    if (err != EMT_OK)
        return err;
    if (edi_is(&a->seg, "UCF"))
        return on_ucf(a);
    if (edi_is(&a->seg, "UCM"))
        return on_ucm(a);
    if (edi_is(&a->seg, "UCS") && a->note.message[0] != '\0')
        return on_ucs(a);
    return fail(a, EMT_EMALFORMED, "does not stand here in CONTRL");
}

/* --- APERAK --- */

static enum emt_err on_bgm(struct acknowledging *a)
{
    const char *kind = edi_value(&a->seg, 1, 1);

    if (strcmp(kind, "312") == 0)
        a->said = VERDICT_ACCEPTED;
    else if (strcmp(kind, "313") == 0)
        a->said = VERDICT_REJECTED;
    else
        return fail(a, EMT_EUNSUPPORTED, "neither 312 nor 313");
    a->note.verdict = a->said;
    return EMT_OK;
}

static void begin_error(struct acknowledging *a)
{
    a->note.message[0] = a->note.document[0] = '\0';
    a->note.level = ACKNOWLEDGES_INTERCHANGE;
    a->pending = true;
    a->stands_in_document = false;
}

/* An error that holds for several documents is told once for each. */
static enum emt_err on_document(struct acknowledging *a)
{
    enum emt_err err = EMT_OK;

    if (!a->pending)
        begin_error(a);
    if (a->stands_in_document) {
        err = tell(a);
        begin_error(a);
    }
    KEEP(a, a->note.document, 1, 2);
    a->note.level = ACKNOWLEDGES_MESSAGE;
    a->stands_in_document = true;
    return err;
}

static enum emt_err on_reference(struct acknowledging *a)
{
    const char *q = edi_value(&a->seg, 1, 1);

    if (strcmp(q, "ACE") == 0) {
        if (a->note.interchange[0] != '\0')
            return fail(a, EMT_EMALFORMED, "a second interchange is answered in one message");
        KEEP(a, a->note.interchange, 1, 2);
    } else if (strcmp(q, "ACW") == 0) {
        return on_document(a);
    } else if (strcmp(q, "AGO") == 0) {
        if (!a->pending)
            begin_error(a);
        KEEP(a, a->note.message, 1, 2);
        a->note.level = ACKNOWLEDGES_MESSAGE;
    }
    return EMT_OK;
}

/* FTX C108: up to five parts, read on until the note is full. */
static void on_text(struct acknowledging *a)
{
    size_t n = strlen(a->note.text);

    for (unsigned k = 1; k <= edi_components(&a->seg, 4); k++) {
        const char *part = edi_value(&a->seg, 4, k);

        if (*part != '\0' && n > 0)
            n = put_text(a, a->note.text, n, sizeof a->note.text, " ");
        n = put_text(a, a->note.text, n, sizeof a->note.text, part);
    }
}

static enum emt_err on_aperak(struct acknowledging *a)
{
    if (edi_is(&a->seg, "BGM"))
        return on_bgm(a);
    if (edi_is(&a->seg, "RFF"))
        return on_reference(a);
    if (edi_is(&a->seg, "FTX")) {
        on_text(a);
    } else if (edi_is(&a->seg, "ERC")) {
        enum emt_err err = tell_pending(a);

        forget_place(a);
        begin_error(a);
        KEEP(a, a->note.code, 1, 1);
        return err;
    }
    return EMT_OK;
}

/* --- envelope --- */

static enum emt_err on_unb(struct acknowledging *a)
{
    const char *set = edi_value(&a->seg, 1, 1);
    const char *version = edi_value(&a->seg, 1, 2);

    if (!edi_is(&a->seg, "UNB"))
        return fail(a, EMT_EMALFORMED, "UNB is missing");
    a->utf8 = strcmp(set, "UNOY") == 0 || strcmp(set, "UNOW") == 0;
    if (!a->utf8 && strcmp(set, "UNOA") != 0 && strcmp(set, "UNOB") != 0 &&
        strcmp(set, "UNOC") != 0)
        return fail(a, EMT_EUNSUPPORTED, "a character set that is not read");
    if (version[0] < '1' || version[0] > '4' || version[1] != '\0')
        return fail(a, EMT_EUNSUPPORTED, "a syntax version that is not read");
    KEEP(a, a->head.sender, 2, 1);
    KEEP(a, a->head.recipient, 3, 1);
    KEEP(a, a->head.reference, 5, 1);
    a->head.test = strcmp(edi_value(&a->seg, 11, 1), "1") == 0;
    if (a->head.sender[0] == '\0' || a->head.recipient[0] == '\0' || a->head.reference[0] == '\0')
        return fail(a, EMT_EMALFORMED, "sender, recipient or reference is missing");
    return EMT_OK;
}

static enum emt_err read_type(struct acknowledging *a)
{
    const char *type = edi_value(&a->seg, 2, 1);
    enum acknowledgement_kind kind = ACKNOWLEDGEMENT_CONTRL;

    if (strcmp(type, "APERAK") == 0)
        kind = ACKNOWLEDGEMENT_APERAK;
    else if (strcmp(type, "CONTRL") != 0)
        return fail(a, EMT_EUNSUPPORTED, "neither CONTRL nor APERAK");
    if (a->messages == 1) {
        a->head.kind = kind;
        snprintf(a->head.version, sizeof a->head.version, "%.4s:%.4s:%.8s",
                 edi_value(&a->seg, 2, 2), edi_value(&a->seg, 2, 3), edi_value(&a->seg, 2, 5));
        for (char *p = a->head.version; *p != '\0'; p++) {
            if ((unsigned char)*p >= 0x7f || *p < ' ')
                *p = '?';
        }
    } else if (kind != a->head.kind) {
        return fail(a, EMT_EUNSUPPORTED, "CONTRL and APERAK in one file");
    }
    return EMT_OK;
}

static enum emt_err on_unh(struct acknowledging *a)
{
    a->messages++;
    a->in_message = 1;
    a->answered = a->pending = a->stands_in_document = false;
    a->note = (struct acknowledgement_note){ 0 };
    a->said = VERDICT_RECEIVED;
    KEEP(a, a->message_reference, 1, 1);
    return read_type(a);
}

static enum emt_err on_unt(struct acknowledging *a)
{
    char reference[36];

    keep(a, reference, sizeof reference, 2, 1);
    if (small_number(edi_value(&a->seg, 1, 1)) != a->in_message)
        return fail(a, EMT_EMALFORMED, "counts other segments than there are");
    if (strcmp(reference, a->message_reference) != 0)
        return fail(a, EMT_EMALFORMED, "another reference than UNH");
    a->in_message = 0;
    enum emt_err err = tell_pending(a);
    if (err == EMT_OK && a->head.kind == ACKNOWLEDGEMENT_APERAK) {
        if (a->note.interchange[0] == '\0')
            return fail(a, EMT_EMALFORMED, "the message names no interchange (RFF+ACE)");
        if (a->said == VERDICT_RECEIVED)
            return fail(a, EMT_EMALFORMED, "the message has no BGM");
        if (!a->answered)
            err = tell(a);
    }
    if (err == EMT_OK && !a->answered)
        err = fail(a, EMT_EMALFORMED, "the message says nothing");
    return err;
}

static enum emt_err on_unz(struct acknowledging *a)
{
    char reference[36];

    keep(a, reference, sizeof reference, 2, 1);
    if (small_number(edi_value(&a->seg, 1, 1)) != a->messages || a->messages == 0)
        return fail(a, EMT_EMALFORMED, "counts other messages than there are");
    if (strcmp(reference, a->head.reference) != 0)
        return fail(a, EMT_EMALFORMED, "another reference than UNB");
    return EMT_OK;
}

static enum emt_err on_segment(struct acknowledging *a)
{
    if (a->in_message == 0)
        return edi_is(&a->seg, "UNH") ? on_unh(a)
                                      : fail(a, EMT_EMALFORMED, "stands outside of a message");
    a->in_message++;
    if (edi_is(&a->seg, "UNT"))
        return on_unt(a);
    return a->head.kind == ACKNOWLEDGEMENT_CONTRL ? on_contrl(a) : on_aperak(a);
}

static enum emt_err next(struct acknowledging *a)
{
    enum emt_err err = edi_reader_next(&a->reader, &a->seg);

    if (err == EMT_OK)
        return EMT_OK;
    if (a->diag != NULL)
        a->diag->offset = a->reader.in.pos;
    if (err == EMT_ENOTFOUND)
        return emt_fail(a->diag, EMT_ETRUNCATED, "ends without UNZ");
    return emt_fail(a->diag, err, "segment %u cannot be read", a->reader.segments + 1);
}

static enum emt_err read_all(struct acknowledging *a)
{
    enum emt_err err = next(a);

    if (err == EMT_OK)
        err = on_unb(a);
    while (err == EMT_OK) {
        err = next(a);
        if (err == EMT_OK && a->in_message == 0 && edi_is(&a->seg, "UNZ")) {
            err = on_unz(a);
            break;
        }
        if (err == EMT_OK)
            err = on_segment(a);
    }
    if (err == EMT_OK && edi_reader_next(&a->reader, &a->seg) != EMT_ENOTFOUND)
        err = emt_fail(a->diag, EMT_EMALFORMED, "more stands behind UNZ");
    return err;
}

enum emt_err acknowledgement_read(const void *data, size_t len,
                                  const struct acknowledgement_handler *h,
                                  struct acknowledgement_head *head, struct emt_diag *diag)
{
    struct acknowledging *a;
    enum emt_err err;

    if (len > ACKNOWLEDGEMENT_BYTES_MAX)
        return emt_fail(diag, EMT_ELIMIT, "larger than %u bytes", ACKNOWLEDGEMENT_BYTES_MAX);
    a = calloc(1, sizeof *a);
    if (a == NULL)
        return EMT_ENOMEM;
    a->handler = h;
    a->diag = diag;
    err = edi_reader_init(&a->reader, data, len);
    if (err != EMT_OK)
        err = emt_fail(diag, err, "not an EDIFACT file");
    else
        err = read_all(a);
    if (err == EMT_OK)
        *head = a->head;
    free(a);
    return err;
}
