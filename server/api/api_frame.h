/* A frame as JSON, for its list and for its own page. */
#ifndef EMT_API_API_FRAME_H
#define EMT_API_API_FRAME_H

#include "api_call.h"

/* Columns as frame_list() has them. NULL: out of memory. */
json_t *api_frame_json(const struct store_result *r, int row);

#endif
