/* The parts of mscons_check(): interchange (mscons_check.c), message (mscons_check_message.c),
 * order of its segments (mscons_check_order.c), value (mscons_check_value.c) and the shape of
 * single segments (mscons_mig.c). */
#ifndef EMT_CONNECTORS_MSCONS_CHECKER_H
#define EMT_CONNECTORS_MSCONS_CHECKER_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/map.h"
#include "connectors/edi_reader.h"
#include "connectors/mscons_check.h"
#include "model/obis.h"
#include "mscons/mscons_rules.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Places of a message in their order (MIG, branching diagram). */
enum message_place {
    AT_NOWHERE,
    AT_UNH,
    AT_BGM,
    AT_DATE,
    AT_REFERENCE, /* SG1 */
    AT_SENDER,    /* SG2 */
    AT_CONTACT,   /* SG4 */
    AT_RECIPIENT, /* SG2 */
    AT_UNS,
    AT_PARTY,  /* SG5 */
    AT_PLACE,  /* SG6 LOC */
    AT_PERIOD, /* SG6 DTM */
    AT_DETAIL, /* SG7 */
    AT_KIND,   /* SG8 */
    AT_LINE,   /* SG9 LIN */
    AT_PRODUCT,
    AT_QUANTITY, /* SG10 QTY */
    AT_TIME,
    AT_STATUS,
};
/* Of a segment: a number that grows in the order of the MIG; order below 16. */
#define MESSAGE_KEY(place, order) ((unsigned)(place)*16u + (order))

/* One SG10. */
struct value_state {
    bool open;
    unsigned position; /* of its QTY */
    char qualifier[4];
    unsigned seen;                          /* bits: enum value_seen */
    emt_time from, to, use, read, exchange; /* EMT_TIME_NONE: not there, or not readable */
    bool read_day_only;
    unsigned notes;
    char note[4][4]; /* codes of the first four */
    unsigned basis;
    unsigned basis_begin, basis_end; /* Z36 or Z38, Z37 or Z39 */
};

enum value_seen {
    SEEN_163 = 1 << 0,
    SEEN_164 = 1 << 1,
    SEEN_9 = 1 << 2,
    SEEN_7 = 1 << 3,
    SEEN_60 = 1 << 4,
    SEEN_306 = 1 << 5,
    SEEN_METHOD = 1 << 6,
    SEEN_REASON = 1 << 7,
    SEEN_CORRECTION = 1 << 8,
};

struct line_state {
    bool open;
    unsigned position;
    bool product; /* PIA seen */
    bool obis_ok;
    struct obis obis;
    char medium[8];
    char qualifier[4]; /* one that is allowed here; "" before the first */
    uint32_t values;
    emt_time expected; /* where the next interval has to start; EMT_TIME_NONE: not known */
    bool gap_found;    /* one finding per line is enough */
};

struct message_state {
    bool open;
    bool judged; /* MSCONS: otherwise only the envelope */
    bool head_done;
    bool split;     /* DE0068 or S010 stand in UNH */
    unsigned start; /* position of UNH */
    unsigned key;   /* MESSAGE_KEY() of the last segment */
    char reference[16];
    const struct mscons_version *version;
    const struct mscons_use_case *rules; /* NULL: unknown use case */
    unsigned pid_position;
    unsigned bgm_position;
    char bgm[4];
    char function[4];
    emt_time date;
    unsigned stamp_position; /* of SG1 DTM+293 */
    char references[8][4];   /* SG1 qualifiers but Z13 */
    unsigned n_references;
    unsigned reference_position[8];
    bool seen_bgm, seen_date, seen_pid, seen_sender, seen_recipient, seen_uns, seen_contact;
    unsigned channels; /* COM */
    char agency[2][4]; /* of sender and recipient */
    unsigned party_position[2];
    unsigned places; /* SG5 */
    char locations[4][4];
    unsigned n_locations; /* of this SG5 */
    size_t place_len;
    unsigned place_position;
    char periods[8][4]; /* SG6 DTM qualifiers of this SG5 */
    unsigned n_periods;
    emt_time from, to;
    bool device, config, series_kind;
    uint32_t lines;
    bool total, part; /* 13009: an energy of the place, and what belongs to volumes */
    emt_time use;     /* of the readings; EMT_TIME_NONE: none yet */
    struct line_state line;
    struct value_state value;
};

#define CHECKER_CODES 64

struct checker {
    const struct mscons_findings *out;
    struct mscons_check_result *result;
    struct {
        const char *code;
        unsigned count;
    } codes[CHECKER_CODES];
    struct edi_reader reader;
    struct edi_segment seg; /* the one being judged */
    bool fits;              /* its shape is that of the MIG; if not, its content is not judged */
    struct map *documents;  /* DE1004 seen in this file */
    struct map *references; /* DE0062 seen in this file */
    char day_text[8];       /* CCYYMMDD that was read last */
    emt_time day;           /* its begin, UTC; EMT_TIME_NONE: no such day */
    bool out_of_memory;
    bool seen_unb, seen_unz;
    char type[8]; /* of the first message */
    char parties[2][36];
    char party_qualifiers[2][5];
    char reference[36];
    char application[16];
    emt_time created; /* EMT_TIME_NONE: not readable */
    char date[8];     /* yymmdd as UNB says */
    struct message_state msg;
};

/* Reports a finding; code is static text. */
void mscons_checker_add(struct checker *c, unsigned segment, const char *code, const char *fmt, ...)
    EMT_PRINTF(4, 5);
void mscons_checker_warn(struct checker *c, unsigned segment, const char *code, const char *fmt,
                         ...) EMT_PRINTF(4, 5);

/* Compares c->seg with the element table of the MIG; false (reported under the tag) when it does
 * not fit. */
bool mscons_mig_check(struct checker *c);
/* Reads the DTM in c->seg, if that fits; format: what DE2379 must be, 0: 303. False (reported) when
 * it does not hold; *out is then EMT_TIME_NONE. Months give their first instant, days theirs, in
 * German legal time. */
bool mscons_read_time(struct checker *c, unsigned format, emt_time *out);

/* Place of a code in a list of codes, from 1; 0 when it is not there. */
unsigned mscons_order_in(const char *list, const char *code);
/* Where c->seg belongs; 0: no segment of MSCONS. */
unsigned mscons_order_key(const struct checker *c);
/* Reports c->seg under ORDER where it does not follow the last segment; it is the last one then. */
void mscons_order_check(struct checker *c, unsigned key);

/* MSCONS between UNH and UNT. */
void mscons_message_begin(struct checker *c);
void mscons_message_segment(struct checker *c);
void mscons_message_end(struct checker *c);

/* SG10. Each is called with its segment in c->seg. */
void mscons_value_begin(struct checker *c);
void mscons_value_time(struct checker *c);
void mscons_value_status(struct checker *c);
/* Judges the SG10 that ends here; harmless when none is open. */
void mscons_value_end(struct checker *c);
/* Judges the SG9 that ends here, its last value included; harmless when none is open. */
void mscons_line_end(struct checker *c);

#endif
