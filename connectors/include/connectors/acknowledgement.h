/* Reads what a partner answers to a file: CONTRL (syntax, directory versions 3 and 4, so MIG 2.0
 * and its successors) and APERAK (application, MIG 2.1 and 2.2).
 *
 * One note per thing said: about the interchange, a message in it, a segment or an element. The
 * envelope is believed only as a whole: counts and references of UNT and UNZ must agree, so that
 * half a file accepts nothing. */
#ifndef EMT_CONNECTORS_ACKNOWLEDGEMENT_H
#define EMT_CONNECTORS_ACKNOWLEDGEMENT_H

#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

#define ACKNOWLEDGEMENT_BYTES_MAX (1u << 20)
#define ACKNOWLEDGEMENT_NOTES_MAX 5000

enum acknowledgement_kind { ACKNOWLEDGEMENT_CONTRL, ACKNOWLEDGEMENT_APERAK };
/* "contrl", "aperak". */
const char *acknowledgement_kind_name(enum acknowledgement_kind kind);

enum acknowledgement_level {
    ACKNOWLEDGES_INTERCHANGE,
    ACKNOWLEDGES_MESSAGE,
    ACKNOWLEDGES_SEGMENT,
    ACKNOWLEDGES_ELEMENT
};

enum acknowledgement_verdict {
    VERDICT_RECEIVED, /* 0083 = 8: it is there, nothing is judged yet */
    VERDICT_ACCEPTED, /* 0083 = 7; BGM 312 */
    VERDICT_REJECTED  /* 0083 = 4; BGM 313 */
};

/* Texts are UTF-8, "" for what is not said. */
struct acknowledgement_head {
    enum acknowledgement_kind kind;
    char sender[36], recipient[36]; /* UNB, S002 and S003 */
    char reference[36];             /* UNB, 0020: the answer's own */
    char version[24];               /* "D:3:2.0b" of the first UNH */
    bool test;
};

struct acknowledgement_note {
    char interchange[36];                             /* whose 0020 this is about */
    char original_sender[36], original_recipient[36]; /* CONTRL: of the file that is answered */
    enum acknowledgement_level level;
    enum acknowledgement_verdict verdict;
    char message[36];            /* its UNH reference */
    char document[72];           /* APERAK: its BGM number */
    char code[12];               /* 0085 or 9321: what is wrong */
    char segment[12];            /* tag, or position in the message */
    unsigned element, component; /* 0: not said */
    char text[600];              /* APERAK: FTX, parts separated by blanks */
};

struct acknowledgement_handler {
    /* Borrowed for the call. Called in the order of the file, before it is known whether the
     * envelope holds: keep them apart until acknowledgement_read() says EMT_OK. Anything but EMT_OK
     * ends the reading with it. */
    enum emt_err (*note)(void *ctx, const struct acknowledgement_note *note);
    void *ctx;
};

/* head is written on EMT_OK. EMT_EUNSUPPORTED no EDIFACT file, another message type, character set
 * or action code; EMT_EMALFORMED, EMT_ETRUNCATED with the segment in diag; EMT_ELIMIT larger than
 * the limits above or than the EDIFACT reader takes; EMT_ENOMEM. */
EMT_CHECKED enum emt_err acknowledgement_read(const void *data, size_t len,
                                              const struct acknowledgement_handler *h,
                                              struct acknowledgement_head *head,
                                              struct emt_diag *diag);

#endif
