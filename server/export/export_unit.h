/* What a place sends for one day or period, by the shape of its use case. Errors are those that end
 * the export; what cannot be sent is noted. */
#ifndef EMT_EXPORT_EXPORT_UNIT_H
#define EMT_EXPORT_EXPORT_UNIT_H

#include "export_document.h"

/* Intervals of [from, to), a day: registers that cover it share a message; one with gaps goes by
 * the tenant's policy. */
EMT_CHECKED enum emt_err unit_profile(struct export_run *run, const struct place *place,
                                      emt_time from, emt_time to);
/* Registers at `at`, the begin of a day that ends at `end`, and at each exchange in it. */
EMT_CHECKED enum emt_err unit_reading(struct export_run *run, const struct place *place,
                                      emt_time at, emt_time end);
/* One value for [from, to). */
EMT_CHECKED enum emt_err unit_energy(struct export_run *run, const struct place *place,
                                     emt_time from, emt_time to);
/* Stored values at their instants behind `from`, up to `to`. */
EMT_CHECKED enum emt_err unit_instants(struct export_run *run, const struct place *place,
                                       emt_time from, emt_time to);

/* --- what they share --- */

/* Registers of the place from one source that are one register to the market: same number, order,
 * and for readings meter and configuration. From *next on; false: no further one. */
bool unit_next_line(const struct export_run *run, const struct place *place,
                    enum export_source source, emt_time from, emt_time to, size_t *next,
                    struct export_line *out);
/* The chain of a line around [from, to] into spans, which holds LINE_REGISTERS_MAX, with the
 * readings that it needs there; protocol holds two for each of them. */
struct unit_chain {
    struct register_chain chain;
    struct register_span spans[LINE_REGISTERS_MAX];
    struct register_reading protocol[2 * LINE_REGISTERS_MAX];
};
EMT_CHECKED enum emt_err unit_chain_of(struct export_run *run, const struct export_line *line,
                                       emt_time from, emt_time to, emt_time tolerance,
                                       struct unit_chain *out);
/* A register's time in the place, with what the protocol of its exchange says; no readings. */
void unit_span_of(const struct place_register *r, struct register_span *s,
                  struct register_reading protocol[2]);
/* "1-1:1.8.0: text" about a line. */
void unit_note(const struct export_run *run, const struct place *place,
               const struct export_line *line, const char *fmt, ...) EMT_PRINTF(4, 5);
/* A stored value as the market wants it: scaled, rounded. */
EMT_CHECKED enum emt_err unit_market_value(const struct place_register *r, struct decimal factor,
                                           struct decimal value, struct decimal *out);

#endif
