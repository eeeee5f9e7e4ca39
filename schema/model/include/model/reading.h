/* One value as a decoder found it: exact, in the unit as sent, with everything that tells its
 * channel from others. */
#ifndef EMT_MODEL_READING_H
#define EMT_MODEL_READING_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "model/decimal.h"
#include "model/obis.h"
#include "model/quality.h"
#include "model/quantity.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum reading_kind {
    READING_NUMBER = 0,
    READING_TEXT = 1,  /* texts, dates, identifiers: kept as printed */
    READING_STATE = 2, /* flags or bit field, printed as a number without unit */
    READING_RAW = 3,   /* manufacturer bytes: text is lower-case hex */
};

enum reading_function {
    READING_INSTANT = 0,
    READING_MAXIMUM = 1,
    READING_MINIMUM = 2,
    READING_ERROR = 3
};

enum time_source {
    TIME_SOURCE_NONE = 0,
    TIME_SOURCE_METER = 1,
    TIME_SOURCE_PROFILE = 2,
    TIME_SOURCE_GATEWAY = 3
};

#define READING_QUALIFIER_MAX 48

struct reading {
    enum reading_kind kind;
    struct obis obis;      /* all zero: the standard has no code for it */
    const char *obis_text; /* as printed by the meter where that differs from obis_format(); NULL
                              otherwise; borrowed */
    enum quantity quantity;
    struct decimal value; /* READING_NUMBER, READING_STATE */
    const char *text;     /* READING_TEXT, READING_RAW; borrowed */
    const char *unit;     /* static text as unit_find() spells it; NULL without unit */
    enum reading_function function;
    uint64_t storage; /* 0 = current */
    uint32_t tariff;
    uint16_t subunit;
    /* What else changes the meaning, in a fixed order and spelling: "import", "export",
     * "lower-limit", "phase-l1", "inverse", "record-error", …, joined by '+'. "" for none. Part of
     * the channel. */
    char qualifier[READING_QUALIFIER_MAX];
    bool calculated; /* formed from others of the same telegram by a profile that says how; its
                        qualifier begins with "calculated" */
    unsigned
        nth; /* 0, or how many records with the same identity stand before it in the telegram */
    enum quality quality;
    /* When it was measured. time_text is what the meter said (see emtctl decode), "" for nothing;
     * time is the instant where it can be told (local times are taken as German legal time, or with
     * the offset sent), EMT_TIME_NONE otherwise. */
    char time_text[40];
    emt_time time;
    enum time_source time_source;
};

/* Takes readings one by one; r and its texts are borrowed for the call. An error stops the decoder,
 * which returns it. */
struct reading_sink {
    enum emt_err (*put)(void *ctx, const struct reading *r);
    void *ctx;
};

#define CHANNEL_KEY_MAX 160
/* The natural key of the channel within its device: obis|quantity|dimension base
 * unit|kind|function|storage|tariff|subunit| qualifier|nth, as text. A change of unit within a
 * dimension (kWh to MWh) keeps the key. Returns buf. */
char *reading_channel_key(const struct reading *r, char buf[CHANNEL_KEY_MAX]);
/* The value in the dimension's base unit (unit_find(r->unit)->base), exact; EMT_ELIMIT when it does
 * not fit. Without unit: as is. */
EMT_CHECKED enum emt_err reading_base_value(const struct reading *r, struct decimal *out);

#endif
