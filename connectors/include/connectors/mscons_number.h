/* Numbers that must never repeat, even when the database is restored from an older backup
 * (interchange reference DE0020, unique per sender): next = max(last + 1, milliseconds since
 * 2020-01-01T00:00:00Z), written in base 36 with capital letters. After a restore `last` is old,
 * but the clock has moved on. */
#ifndef EMT_CONNECTORS_MSCONS_NUMBER_H
#define EMT_CONNECTORS_MSCONS_NUMBER_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"

/* DE0020 holds 14 characters; with the closing 0. */
#define MSCONS_NUMBER_MAX 15

/* last: the number given before by this sender, NULL or "" for the first. out is written on EMT_OK
 * only. EMT_EMALFORMED last is not 1..14 of 0-9 A-Z, or now lies before 2020; EMT_ELIMIT last is
 * the largest number. */
EMT_CHECKED enum emt_err mscons_number_next(const char *last, emt_time now,
                                            char out[MSCONS_NUMBER_MAX]);

#endif
