#include "base/backoff.h"

#include <sys/random.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* Any value will do when the kernel has no randomness yet: then peers merely come back together. */
static uint32_t random_u32(void)
{
    uint32_t v = 0;

    (void)!getrandom(&v, sizeof v, GRND_NONBLOCK);
    return v;
}

uint32_t backoff_next(struct backoff *b)
{
    uint64_t step = b->first_ms;

    for (uint32_t i = 0; i < b->attempt && step < b->most_ms; i++)
        step *= 2;
    if (step > b->most_ms)
        step = b->most_ms;
    if (b->attempt < UINT32_MAX)
        b->attempt++;
    return (uint32_t)(step - random_u32() % (step / 2 + 1));
}

void backoff_reset(struct backoff *b)
{
    b->attempt = 0;
}
