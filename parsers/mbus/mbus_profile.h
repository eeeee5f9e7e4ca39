/* Standard load profiles: records with VIFE 13, 1E or 1F, whose data are many values (EN 13757-3,
 * annex F). */
#ifndef EMT_PARSERS_MBUS_PROFILE_H
#define EMT_PARSERS_MBUS_PROFILE_H

#include "base/attr.h"
#include "base/error.h"
#include "mbus_date.h"
#include "mbus_record.h"

#include <stdbool.h>
#include <stdint.h>

#define MBUS_PROFILE_INVERSE 0x13       /* elements run back in time; registers follow the base's */
#define MBUS_PROFILE_WITH_REGISTER 0x1e /* element i belongs to register base + 1 + i */
#define MBUS_PROFILE_COMPACT 0x1f       /* all elements belong to the base's register */

/* What a profile counts from: a record with the same quantity, tariff, sub-unit and storage, and
 * the date of that storage. */
struct mbus_profile_base {
    bool has_value;
    int64_t value;
    bool has_date;
    struct mbus_date date;
};

struct mbus_profile_element {
    int64_t number; /* in the scale of the profile's VIB */
    bool is_sum;    /* a register value; false: the bare step, because there is no base value */
    uint64_t storage;
    uint16_t column; /* added to the sub-unit: a profile that is not spaced in time */
    bool has_date;
    struct mbus_date date;
};

/* Elements one by one, in the order sent; "no value" elements are passed over, and end an
 * incremental profile. put returns an error to stop. EMT_EMALFORMED no profile: control or spacing
 * is reserved, or the bytes are no elements. */
EMT_CHECKED enum emt_err
mbus_profile_walk(const struct mbus_record *rec, uint8_t kind, const struct mbus_profile_base *base,
                  enum emt_err (*put)(void *ctx, const struct mbus_profile_element *e), void *ctx);

#endif
