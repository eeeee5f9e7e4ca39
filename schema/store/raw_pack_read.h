/* What the readers of frames in this folder share. */
#ifndef EMT_STORE_RAW_PACK_READ_H
#define EMT_STORE_RAW_PACK_READ_H

#include <stdbool.h>

struct packed_hit;
struct store_result;

/* Appends the frame to a result with the columns of frame_list(). devices: of packed_devices(). */
bool frame_row_put(struct store_result *to, const struct packed_hit *h,
                   const struct store_result *devices);

#endif
