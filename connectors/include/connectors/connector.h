/* What every connector speaks: values come from a cursor, bytes go to a sink.
 *
 * A connector is a function of its arguments: it opens no file, asks no clock and no database.
 * Times of creation, reference numbers and document numbers are given by the caller, so one golden
 * file tests it whole. */
#ifndef EMT_CONNECTORS_CONNECTOR_H
#define EMT_CONNECTORS_CONNECTOR_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/writer.h"
#include "model/decimal.h"
#include "model/obis.h"
#include "model/quality.h"

#include <stdbool.h>
#include <stddef.h>

/* Where the bytes of a file go. `put` takes all n bytes or fails; p is borrowed for the call. The
 * caller opened the sink and closes it; a connector never does. After an error what was put is
 * worthless: the caller throws it away. */
struct sink {
    enum emt_err (*put)(void *ctx, const void *p, size_t n);
    void *ctx;
};

/* A sink that appends to w (borrowed). put gives EMT_ELIMIT once w failed. */
struct sink sink_to_writer(struct writer *w);

/* One value on its way out: exact, in the unit that the format asks for (energy: kWh, kvarh). */
struct export_value {
    emt_time from; /* start of the interval; EMT_TIME_NONE: the value belongs to the instant `to` */
    emt_time to;   /* end of the interval, exclusive, or the instant */
    struct decimal value;
    enum quality quality;
    /* Codes as the market spells them ("Z92"); NULL for none; borrowed until the next call of
     * next(). */
    const char *note;       /* plausibility note */
    const char *method;     /* how a substitute was formed */
    const char *reason;     /* why it had to be formed */
    const char *correction; /* why a value already sent is replaced */
    /* Readings only; EMT_TIME_NONE when not known. */
    emt_time read_at;     /* when a person read the register */
    bool read_day_only;   /* of read_at only the German local day is known */
    emt_time exchange_at; /* real time of the meter exchange behind this reading */
    /* Kind of the value where its quality does not say it ("201" proposed, "20" not usable, "187"
     * forecast); NULL: after the quality. */
    const char *qualifier;
    /* Energies: whether the readings at begin and end were sent ("Z36", "Z37") or the value comes
     * from a split ("Z38", "Z39"). NULL where the kind has none. */
    const char *basis_begin, *basis_end;
    bool gas_quality_changed; /* STS+Z31: the gas quality was replaced */
};

/* A value with everything optional left out. from may be EMT_TIME_NONE. */
struct export_value export_value_of(emt_time from, emt_time to, struct decimal value,
                                    enum quality quality);

/* Gives values in the order of time. EMT_OK with *more = true: *out is written; EMT_OK with *more =
 * false: no further value. Any error ends the walk and is passed on by the connector. */
struct reading_cursor {
    enum emt_err (*next)(void *ctx, struct export_value *out, bool *more);
    void *ctx;
};

/* A cursor over an array of the caller; both borrowed for as long as the cursor is used. */
struct export_values {
    const struct export_value *values;
    size_t count;
    size_t pos; /* next one to give; 0 to start */
};
struct reading_cursor reading_cursor_of(struct export_values *array);

/* One register: its OBIS code as the master data fixed it, and its values. */
struct export_series {
    struct obis obis;
    struct reading_cursor values;
};

/* One document: one place, one period, one or more registers. All texts and series are borrowed. */
struct export_document {
    unsigned kind;         /* MSCONS: Prüfidentifikator */
    const char *number;    /* unique per sender */
    const char *type;      /* DE1001 where the kind has several ("Z41"); NULL: its first */
    const char *cancels;   /* 13006: number of the document that it takes back */
    unsigned cancels_kind; /* 13006: its kind; type as it had */
    const char *earlier; /* gas readings after an exchange: number of the message before; or NULL */
    emt_time version;    /* 13007: version stamp; else EMT_TIME_NONE or 0 */
    const char *order;   /* number of the order this answers; NULL for none */
    const char *location;  /* MaLo, MeLo, NeLo or tranche; NULL only together with config_id */
    const char *device;    /* number of the meter; NULL where the kind has none */
    const char *config_id; /* configuration id of values from a smart meter gateway, or NULL */
    emt_time from, to;     /* period of an interval document; unused by readings */
    const struct export_series *series;
    size_t n_series;
};

/* One file from one sender to one recipient. Texts are borrowed. */
struct export_file {
    const char *sender;    /* MP-ID */
    const char *recipient; /* MP-ID */
    const char *reference; /* unique per sender; mscons_number_next() makes them */
    emt_time created;
    bool test;
    /* Contact of the sender, for formats and versions that carry one; NULL for none. */
    const char *contact_name;
    const char *contact_mail;
};

struct connector {
    const char *name;       /* "mscons": as configuration and API spell it */
    const char *title;      /* for people */
    const char *media_type; /* "application/edifact" */
    const unsigned *kinds;  /* document kinds, closed by 0 */
    /* The exact name of the file of documents of this kind, without folder, into buf.
     * EMT_EMALFORMED, EMT_EUNSUPPORTED, EMT_ELIMIT (buf too small) as the connector's header says.
     */
    enum emt_err (*file_name)(const struct export_file *file, unsigned kind, char *buf, size_t size,
                              struct emt_diag *diag);
    /* The whole file. Stops at the first document that cannot be written; who wants to go on
     * without it uses the connector's own functions. */
    enum emt_err (*write)(const struct export_file *file, const struct export_document *documents,
                          size_t count, const struct sink *out, struct emt_diag *diag);
};

/* The table of connectors: NULL past the end, NULL for an unknown name. */
const struct connector *connector_at(size_t i);
const struct connector *connector_find(const char *name);

#endif
