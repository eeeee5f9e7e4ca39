/* What the use cases of MSCONS ask for, as data: AHB 3.2 (MIG 2.5), which differs from AHB 3.1
 * (MIG 2.4c) only in the contact group and in 13014. Only codes and facts; the reading of them is
 * mscons_check.c.
 *
 * Lists are texts of codes with a blank between them. "!" behind a code: it must be there; "@X"
 * behind a code: only with that BGM. */
#ifndef EMT_CONNECTORS_MSCONS_RULES_H
#define EMT_CONNECTORS_MSCONS_RULES_H

#include "base/clock.h"
#include "model/local_day.h"
#include "model/obis.h"

#include <stdbool.h>
#include <stddef.h>

enum mscons_sector { SECTOR_POWER, SECTOR_GAS, SECTOR_BOTH };

/* Which times stand behind a value. */
enum mscons_times {
    TIMES_INTERVAL,       /* 163 and 164 */
    TIMES_READING,        /* 7, optional 9 and 60 */
    TIMES_READING_OR_GAS, /* state number and calorific value: interval; else reading */
    TIMES_ENERGY_OR_MAX,  /* D = 6: 306; else interval */
    TIMES_GAS_YEAR,       /* 7-0:33.47.0 with BGM Z27: 306; else interval */
    TIMES_TYPE2,          /* interval or 7 */
    TIMES_MONTH_DAY,      /* 306 */
    TIMES_NONE,
};

/* Where the day of a time has to begin. */
enum mscons_day_line { LINE_NONE, LINE_POWER, LINE_GAS, LINE_SECTOR };

struct mscons_use_case {
    unsigned pid;
    enum mscons_sector sector;
    const char *applications; /* DE0026 */
    const char *documents;    /* DE1001 */
    const char *function;     /* DE1225 */
    const char *references;   /* SG1 RFF beside Z13 */
    const char *party;        /* SG5 NAD */
    const char *locations;    /* SG6 LOC */
    const char *period;       /* SG6 DTM */
    const char *details;      /* SG7 RFF */
    const char *products;     /* DE7143 */
    const char *quantities;   /* DE6063 */
    /* STS+Z33, Z32, Z34, Z40: status lists as described at mscons_status_allowed(). */
    const char *notes;
    const char *methods;
    const char *corrections;
    const char *reasons;
    unsigned places; /* enum mscons_place of the LOC */
    enum mscons_times times;
    enum mscons_day_line line;
    bool series_kind;    /* SG8 CCI */
    bool unit;           /* DE6411 is given */
    bool future;         /* times may lie after the document's */
    bool tiles;          /* values tile the period */
    bool gas_quality;    /* STS+Z31 */
    bool basis;          /* STS+10 */
    bool several_places; /* more than one SG5 */
};

/* NULL for a number that is no use case. */
const struct mscons_use_case *mscons_use_case(unsigned pid);

/* Whether `code` stands in the list, given the BGM; *must (may be NULL) says whether it has to be
 * there. */
bool mscons_list_has(const char *list, const char *code, const char *bgm, bool *must);
/* The n-th code that has to be there into out; false past the last. */
bool mscons_list_must(const char *list, size_t n, const char *bgm, char out[8]);
/* Whether a status code may stand at a value of this qualifier. List: code:packages, a package is a
 * digit: 4 = 67, 5 = 220, 6 = 201, 7 = 20, 8 = Z18; "m": only at a place of 11 characters. */
bool mscons_status_allowed(const char *list, const char *code, const char *qualifier,
                           bool short_place);

/* An OBIS number as the market writes it, A-B:C.D.E, strictly: no F, no leading zeros, nothing
 * behind it. */
bool mscons_obis_parse(const char *text, struct obis *out);
/* Whether the code list names it for this use case with this product qualifier; bgm: the kind of
 * document, NULL for any that the use case has. */
bool mscons_obis_allowed(unsigned pid, struct obis obis, const char *product, const char *bgm);

/* Whether it was taken from the list before a period that ends at `to`. */
bool mscons_obis_ended(unsigned pid, struct obis obis, emt_time to);

/* Versions of the message and since when they hold (German legal day). */
struct mscons_version {
    const char *name;     /* DE0057 */
    int year, month, day; /* first day */
    bool contact;         /* SG4 exists */
};
/* The one in force on the day of t; NULL before the first known. */
const struct mscons_version *mscons_version_of(emt_time t);
const struct mscons_version *mscons_version_named(const char *name);

/* Less than a legal day apart: 24 hours by the German wall clock, so 25 over the autumn change and
 * 23 over the spring change (AHB, condition 130). */
bool mscons_within_a_day(emt_time a, emt_time b);
/* German legal days that are equal or neighbours (condition 133). */
bool mscons_neighbour_days(struct local_date a, struct local_date b);

#endif
