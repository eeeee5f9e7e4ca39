/* Formats of compact frames, learnt within one run of `emtctl decode`. */
#ifndef EMT_CTL_FORMAT_CACHE_H
#define EMT_CTL_FORMAT_CACHE_H

#include "parsers/decode.h"

struct format_cache;

struct format_cache *format_cache_new(void); /* NULL when out of memory */
void format_cache_free(struct format_cache *c);
/* The decoder's view of it: keyed by manufacturer, version, type and signature. Unverified formats
 * are kept as well: the telegrams of a run are the operator's own. */
struct format_store format_cache_store(struct format_cache *c);

#endif
