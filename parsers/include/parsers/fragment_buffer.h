/* A fragment_store in memory: pieces of long messages by meter, bounded in meters and bytes, given
 * up by age. Knows no clock: the caller says what time it is. Not thread safe. */
#ifndef EMT_PARSERS_FRAGMENT_BUFFER_H
#define EMT_PARSERS_FRAGMENT_BUFFER_H

#include "base/clock.h"
#include "parsers/decode.h"

#include <stddef.h>

struct fragment_buffer;

/* Bytes kept at most, bookkeeping included; the meter that was silent for longest gives way. */
#define FRAGMENT_BUFFER_BYTES ((size_t)1024 * 1024)
/* Bytes kept of one meter, bookkeeping included. */
#define FRAGMENT_METER_BYTES ((size_t)3 * DECODE_FRAME_MAX)

/* NULL when out of memory. Free with fragment_buffer_free(). */
struct fragment_buffer *fragment_buffer_new(void);
void fragment_buffer_free(struct fragment_buffer *b);
struct fragment_store fragment_buffer_store(struct fragment_buffer *b);
/* It is `now`: what was not added to for longer than `age` is given up. */
void fragment_buffer_expire(struct fragment_buffer *b, emt_time now, emt_time age);
/* Meters with pieces, for tests and metrics. */
size_t fragment_buffer_count(const struct fragment_buffer *b);

#endif
