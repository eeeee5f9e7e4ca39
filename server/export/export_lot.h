/* Readings of many channels at once, and what was sent of many places: a statement for a lot of
 * them instead of one for each. */
#ifndef EMT_EXPORT_EXPORT_LOT_H
#define EMT_EXPORT_EXPORT_LOT_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "connectors/load_profile.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

/* Channels times days of one lot: 25,000 quarter hours, some MiB. */
#define EXPORT_LOT_CHANNEL_DAYS 256

struct lot_channel {
    int64_t channel;
    size_t first, n;
};
struct export_lot {
    struct store *store; /* in a transaction of the tenant */
    int32_t tenant;
    emt_time now; /* later readings come from a wrong clock */
    /* Of substitutes that say nothing of themselves; NULL where the use case has none. */
    const char *method, *reason;

    emt_time from, to;            /* loaded: from <= time < to */
    struct lot_channel *channels; /* ascending */
    size_t n_channels, cap_channels;
    int64_t *ids; /* of the channels, once they are arranged */
    size_t cap_ids;
    bool asked; /* the server is at it */
    struct register_reading *readings;
    size_t n_readings, cap_readings;
    size_t at; /* while loading: the channel whose readings come */

    struct register_reading **extras; /* asked for beyond the lot, kept until lot_forget() */
    size_t n_extras, cap_extras;
};

void lot_init(struct export_lot *l, struct store *s, int32_t tenant, emt_time now);
void lot_release(struct export_lot *l);
/* Empty, for the next one. */
void lot_clear(struct export_lot *l);
EMT_CHECKED enum emt_err lot_add(struct export_lot *l, int64_t channel);
/* Asks for what was added, and returns; the server works meanwhile. One lot of a connection at a
 * time. */
EMT_CHECKED enum emt_err lot_ask(struct export_lot *l, emt_time from, emt_time to);
/* The same once more, as it stands now; nothing if the answer was taken already. */
EMT_CHECKED enum emt_err lot_ask_again(struct export_lot *l);
/* Takes the answer. */
EMT_CHECKED enum emt_err lot_load(struct export_lot *l);
/* Readings with from <= time < to, ascending; out of the lot, else asked for by themselves.
 * Borrowed until lot_forget() or lot_clear(). */
EMT_CHECKED enum emt_err lot_range(struct export_lot *l, int64_t channel, emt_time from,
                                   emt_time to, const struct register_reading **out, size_t *n);
/* Readings of two stretches of time, [from, from_end) and [to_begin, to), as one list. */
EMT_CHECKED enum emt_err lot_edges(struct export_lot *l, int64_t channel, emt_time from,
                                   emt_time from_end, emt_time to_begin, emt_time to,
                                   const struct register_reading **out, size_t *n);
void lot_forget(struct export_lot *l);

#endif
