/* Telegrams of the ingest benchmarks: OMS, mode 5, four values and the meter's date. */
#ifndef EMT_TESTS_BENCH_TELEGRAM_H
#define EMT_TESTS_BENCH_TELEGRAM_H

#include "base/clock.h"

#include <stdbool.h>
#include <stdint.h>

struct cipher;

#define BENCH_TELEGRAM_VALUES 4

struct bench_telegram {
    uint8_t data[128];
    uint8_t len;
};
/* Electricity meter number `device` of manufacturer EMT, a quarter of an hour after the step
 * before. */
bool bench_telegram_make(struct cipher *c, unsigned device, unsigned step, emt_time start,
                         const uint8_t key[16], struct bench_telegram *out);

#endif
