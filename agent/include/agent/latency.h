/* Distribution of waiting times: exact to 1 ms below one second, to 10 ms below eleven, beyond that
 * one class. */
#ifndef EMT_AGENT_LATENCY_H
#define EMT_AGENT_LATENCY_H

#include <stdint.h>

#define LATENCY_CLASSES 2001u

struct latency {
    uint64_t count[LATENCY_CLASSES];
    uint64_t n;
};

void latency_clear(struct latency *l);
void latency_add(struct latency *l, int64_t ms);
/* The time that `percent` of all do not exceed: upper bound of its class, 0 when there is nothing;
 * 11000 stands for longer ones. */
int64_t latency_percentile(const struct latency *l, unsigned percent);

#endif
