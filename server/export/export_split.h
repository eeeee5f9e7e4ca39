/* A register at an instant at which nobody read it: formed from the readings around it, so that an
 * energy can be split there (STS+10, Z38 and Z39). */
#ifndef EMT_EXPORT_EXPORT_SPLIT_H
#define EMT_EXPORT_EXPORT_SPLIT_H

#include "export_document.h"

/* Readings further away than this say nothing about the instant. */
#define SPLIT_REACH (40 * EMT_DAY)

/* Adds to the span what register r showed at `at`, where the tenant's policy is to substitute and
 * neither a reading nor the protocol of an exchange says it. *formed is set then; *own is the
 * span's list then, and free()d by the caller. */
EMT_CHECKED enum emt_err split_at(struct export_run *run, const struct place_register *r,
                                  emt_time at, struct register_span *s,
                                  struct register_reading **own, bool *formed);

#endif
