/* A place of the market with its registers, out of the rows of export_places_next(). */
#ifndef EMT_EXPORT_EXPORT_PLACE_H
#define EMT_EXPORT_EXPORT_PLACE_H

#include "base/clock.h"
#include "export_use_case.h"
#include "model/decimal.h"
#include "model/obis.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct export_notes;
struct store_result;

/* Registers of one place, exchanged ones counted. */
#define PLACE_REGISTERS_MAX 64

/* One binding. Texts are borrowed from the rows. */
struct place_register {
    struct obis obis;
    char code[OBIS_TEXT_MAX];
    enum export_source source;
    int64_t channel;
    const char *device, *order, *config; /* "" for none */
    const char *master_data;             /* number of the message on its exchange, "" for none */
    struct decimal factor;   /* from the channel's unit to the market's, ratio included */
    struct decimal scale;    /* … without the ratio: for what the register shows */
    struct decimal capacity; /* mantissa 0: does not roll over */
    struct decimal first, last;
    bool has_first, has_last;
    int decimals; /* what the values are rounded to */
    emt_time step;
    emt_time from, to; /* to EMT_TIME_NONE: open */
};

struct place {
    const char *code;
    int kind; /* enum location_kind */
    struct place_register regs[PLACE_REGISTERS_MAX];
    size_t n;
};

/* Rows [first, end) are the place's, for a period that ends at `to`. What of it does not suit the
 * use case is noted. */
void place_of_rows(const struct export_use_case *u, const struct export_notes *notes,
                   const struct store_result *rows, int first, int end, emt_time to,
                   struct place *out);
/* Bound at some time of [from, to). */
bool place_register_bound(const struct place_register *r, emt_time from, emt_time to);

#endif
