/* A frame as JSON, for its list and for its own page. */
#ifndef EMT_API_API_FRAME_H
#define EMT_API_API_FRAME_H

#include "api_call.h"

/* Columns as frame_list() has them. NULL: out of memory. */
json_t *api_frame_json(const struct store_result *r, int row);

/* Whether this very value is in the frame: decoded again as on the way in, with the tenant's keys.
 * A frame that is not there or does not decode holds none. */
struct frame_value {
    const char *key; /* of the channel, reading_channel_key() */
    emt_time at;
    struct decimal value; /* in the channel's base unit */
};
struct frame_place {
    const char *gateway;
    uint8_t spool[16];
    int64_t seq;
};
EMT_CHECKED enum emt_err api_frame_holds(struct api_call *c, const struct frame_place *place,
                                         const struct frame_value *value, bool *holds);

#endif
