/* What the routes of heard meters and of allow-lists share. */
#ifndef EMT_API_API_HEARD_H
#define EMT_API_API_HEARD_H

#include "api_call.h"
#include "meter_key_csv.h"

/* Wraps and keeps a key of a meter (api_meter_key.c); *id its number. */
EMT_CHECKED enum emt_err api_meter_key_keep(struct api_call *c, const struct meter_key *k,
                                            int64_t *id);
/* Orders the list again where the gateway keeps what is adopted (api_heard_allow.c). EMT_ELIMIT:
 * too many meters, or too many open commands. */
EMT_CHECKED enum emt_err api_allow_list_refresh(struct api_call *c, int64_t gateway);

#endif
