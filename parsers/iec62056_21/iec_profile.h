/* Load profiles and log books: VDEW "Lastenheft Elektronische Lastgangzähler", and the gas hour of
 * DSMR 2 and 3, which has the same form.
 *
 * code(time)(status)(period)(z)(code 1)(unit 1)…(code z)(unit z), then z brackets per period. The
 * time is that of the first row: the end of its period. */
#ifndef EMT_PARSERS_IEC62056_21_IEC_PROFILE_H
#define EMT_PARSERS_IEC62056_21_IEC_PROFILE_H

#include "iec_context.h"
#include "iec_set.h"

#include <stdbool.h>

#define IEC_COLUMNS_MAX 64

/* Reads the set when it has this form; false when it has not. */
bool iec_profile_put(struct iec_context *ctx, const struct iec_set *set);

#endif
