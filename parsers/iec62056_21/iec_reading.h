/* Values of a read-out as readings. */
#ifndef EMT_PARSERS_IEC62056_21_IEC_READING_H
#define EMT_PARSERS_IEC62056_21_IEC_READING_H

#include "iec_context.h"
#include "iec_set.h"

/* What all values of a code have in common: meaning, unit, text of the code. Copied for each value.
 */
struct iec_channel {
    struct reading reading;
    bool measured; /* a code whose values are numbers also without a unit */
};

/* text: the code as printed; code: what it stands for, NULL where it is none; unit: n = 0 for none.
 */
void iec_channel_init(struct iec_context *ctx, struct iec_span text, const struct iec_code *code,
                      struct iec_span unit, struct iec_channel *out);
/* A reading of the channel; NULL out of memory. time may be NULL. */
struct reading *iec_reading_put(struct iec_context *ctx, const struct iec_channel *ch,
                                struct iec_span value, const struct iec_time *time,
                                enum time_source source);
/* Remembers what a set says about others: clock, dates of billing periods, version. */
void iec_set_note(struct iec_context *ctx, const struct iec_set *set);
/* A set that is no profile: one value, a value with its time, a list of events, or a text. */
void iec_set_put(struct iec_context *ctx, const struct iec_set *set);
/* Gives the values that have no time of their own the one that the read-out tells for them: the
 * date of their billing period, or the telegram's clock. */
void iec_readings_date(struct iec_context *ctx);

#endif
