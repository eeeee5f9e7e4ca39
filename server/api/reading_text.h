/* Values as text, fast: a year of quarter hours is one answer. What decimal_format() and
 * time_format() write, without their generality. */
#ifndef EMT_API_READING_TEXT_H
#define EMT_API_READING_TEXT_H

#include "base/clock.h"
#include "base/writer.h"
#include "model/aggregate.h"
#include "model/decimal.h"
#include "store/reading_query_store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Keeps the date of the last value: most have the same. */
struct reading_text {
    struct writer *out; /* borrowed; remembers its failure */
    emt_time day;
    char date[16];
    bool any; /* JSON: an item stands already */
};

void reading_text_init(struct reading_text *t, struct writer *out);
/* {"ts":…,"value":…,"quality":…,"time_source":…}, with a comma before it where one stands. */
void reading_text_json(struct reading_text *t, const struct stored_reading *v);
void aggregate_text_json(struct reading_text *t, const struct aggregate *a, bool delta);
/* A line; channel 0: without that column. */
void reading_text_csv(struct reading_text *t, int64_t channel, const struct stored_reading *v);
void aggregate_text_csv(struct reading_text *t, const struct aggregate *a, bool delta);

#endif
