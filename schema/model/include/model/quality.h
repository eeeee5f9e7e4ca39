/* Quality of a value, and its rank: of two values for one channel and time the higher rank wins
 * (docs/generic-schema.md). */
#ifndef EMT_MODEL_QUALITY_H
#define EMT_MODEL_QUALITY_H

#include "base/attr.h"
#include "base/error.h"

/* Stored as int2: the numbers are for good. */
enum quality {
    QUALITY_MEASURED = 0,
    QUALITY_SUBSTITUTE = 1, /* formed by a rule, with method and reason */
    QUALITY_ESTIMATED = 2,
    QUALITY_PROVISIONAL = 3,
    QUALITY_INVALID = 4,   /* the meter itself flags it (record error, permanent error) */
    QUALITY_CORRECTED = 5, /* set by a person, with reason */
    QUALITIES
};

/* substitute, estimated, provisional, invalid < measured < corrected. */
int quality_rank(enum quality q);

/* As a value carries it in the database: quality in the low byte, source of the time in the four
 * bits above it (model/reading.h), and whether a person put it above what was measured. */
#define QUALITY_BY_HAND 0x4000
/* The rank of a stored one: by hand ranks with corrected, whatever the quality. */
int quality_stored_rank(int stored);
enum quality quality_of_stored(int stored);
int quality_stored_source(int stored);
/* The worse of two, for a value that is computed from others: measured, corrected, provisional,
 * substitute, estimated, invalid. */
enum quality quality_worse(enum quality a, enum quality b);
const char *quality_name(enum quality q);
EMT_CHECKED enum emt_err quality_parse(const char *name, enum quality *out);
/* MSCONS QTY qualifier (DE6063): "220", "67", "Z18"; NULL: must not be sent. */
const char *quality_mscons(enum quality q);
/* From the quality of a received QTY: "220", "67", "Z18", also "201" (old substitute).
 * EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err quality_from_mscons(const char *qualifier, enum quality *out);
/* From the status of an entry of a COSEM load profile (OBIS 0-0:96.10.7): bit 0 critical error, 1
 * clock invalid, 2 data not valid, 3 daylight saving, 5 clock adjusted, 7 power down. */
enum quality quality_from_cosem(unsigned status);
/* From the status byte of an M-Bus or OMS header (EN 13757-7, status field): bits 0 and 1
 * application error, 2 power low, 3 permanent error, 4 temporary error. The low battery says
 * nothing about the value. */
enum quality quality_from_oms(unsigned status);

#endif
