#include "agent/latency.h"

#include <string.h>

void latency_clear(struct latency *l)
{
    memset(l, 0, sizeof *l);
}

void latency_add(struct latency *l, int64_t ms)
{
    uint64_t v = ms < 0 ? 0 : (uint64_t)ms;
    uint64_t class = v < 1000 ? v : 1000 + (v - 1000) / 10;

    l->count[class < LATENCY_CLASSES ? class : LATENCY_CLASSES - 1]++;
    l->n++;
}

int64_t latency_percentile(const struct latency *l, unsigned percent)
{
    uint64_t wanted = (l->n * percent + 99) / 100, seen = 0;

    if (l->n == 0)
        return 0;
    for (int64_t i = 0; i < (int64_t)LATENCY_CLASSES; i++) {
        seen += l->count[i];
        if (seen >= wanted && seen > 0)
            return i < 1000 ? i : i == LATENCY_CLASSES - 1 ? 11000 : 1000 + (i - 1000) * 10 + 9;
    }
    return 11000;
}
