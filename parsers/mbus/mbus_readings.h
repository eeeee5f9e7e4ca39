/* Records of one telegram as readings: scaled, named, tied to their time. */
#ifndef EMT_PARSERS_MBUS_READINGS_H
#define EMT_PARSERS_MBUS_READINGS_H

#include "mbus_context.h"

/* A growing list in the arena. */
struct mbus_reading_list {
    struct arena *arena;
    struct reading *items;
    unsigned n, cap;
};

/* A zeroed reading at the end of the list; NULL out of memory. The pointer lives until the next
 * call. */
struct reading *mbus_reading_add(struct mbus_reading_list *list);
/* Hands the list to the result, with `nth` set where one identity repeats. */
void mbus_readings_finish(struct mbus_context *ctx, struct mbus_reading_list *list);

/* Reads a record area into out->readings. FRAME_MALFORMED: one record is cut or breaks the rules;
 * decode_frame() then drops what was complete before it. */
enum frame_state mbus_readings_read(struct mbus_context *ctx, const uint8_t *p, size_t n);

#endif
