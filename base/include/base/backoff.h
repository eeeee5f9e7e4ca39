/* Waiting times between attempts: doubling from first_ms to most_ms, with full jitter over the
 * upper half, so that thousands of peers do not come back at the same moment. */
#ifndef EMT_BASE_BACKOFF_H
#define EMT_BASE_BACKOFF_H

#include <stdint.h>

struct backoff {
    uint32_t first_ms;
    uint32_t most_ms;
    uint32_t attempt; /* failures in a row */
};

/* Milliseconds to wait after one more failure: between half of and the whole step. */
uint32_t backoff_next(struct backoff *b);
/* It worked. */
void backoff_reset(struct backoff *b);

#endif
