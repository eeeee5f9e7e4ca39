#include "agent/simulate.h"

#include "base/cipher.h"
#include "base/writer.h"

#include <stdlib.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define TELEGRAM_MAX 256u

struct turn {
    emt_time at;
    uint64_t k;
    uint32_t meter;
};

struct simulation {
    uint32_t n;
    struct sim_meter *meter;
    struct turn *heap; /* the earliest first */
    struct cipher *cipher;
    uint8_t bytes[TELEGRAM_MAX];
};

static bool earlier(const struct turn *a, const struct turn *b)
{
    return a->at < b->at || (a->at == b->at && a->meter < b->meter);
}

static void sift_down(struct simulation *s, size_t i)
{
    for (;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < s->n; child++) {
            if (earlier(&s->heap[child], &s->heap[least]))
                least = child;
        }
        if (least == i)
            return;
        struct turn t = s->heap[i];
        s->heap[i] = s->heap[least];
        s->heap[least] = t;
        i = least;
    }
}

static enum emt_err fill(struct simulation *s, const struct simulation_config *config)
{
    for (uint32_t i = 0; i < s->n; i++) {
        enum emt_err err =
            sim_meter_init(&s->meter[i], config->seed, config->first_index + i, config->interval_s);
        if (err != EMT_OK)
            return err;
        uint64_t k = sim_meter_first(&s->meter[i], config->from);
        s->heap[i] = (struct turn){ sim_meter_time(&s->meter[i], k), k, i };
    }
    for (size_t i = s->n / 2; i-- > 0;)
        sift_down(s, i);
    return EMT_OK;
}

enum emt_err simulation_new(const struct simulation_config *config, struct simulation **out)
{
    if (config->meters == 0 || config->meters > SIMULATE_METERS_MAX || config->interval_s == 0 ||
        config->interval_s > 86400)
        return EMT_ELIMIT;
    struct simulation *s = calloc(1, sizeof *s);
    if (!s)
        return EMT_ENOMEM;
    s->n = config->meters;
    s->meter = calloc(s->n, sizeof *s->meter);
    s->heap = calloc(s->n, sizeof *s->heap);
    s->cipher = cipher_new();
    enum emt_err err = s->meter && s->heap && s->cipher ? fill(s, config) : EMT_ENOMEM;
    if (err != EMT_OK) {
        simulation_free(s);
        return err;
    }
    *out = s;
    return EMT_OK;
}

void simulation_free(struct simulation *s)
{
    if (!s)
        return;
    cipher_free(s->cipher);
    free(s->heap);
    free(s->meter);
    free(s);
}

emt_time simulation_due(const struct simulation *s)
{
    return s->heap[0].at;
}

uint32_t simulation_due_meter(const struct simulation *s)
{
    return s->heap[0].meter;
}

enum emt_err simulation_next(struct simulation *s, struct sim_telegram *out)
{
    struct turn *t = &s->heap[0];
    struct sim_meter *m = &s->meter[t->meter];
    struct writer w;

    writer_init_fixed(&w, s->bytes, sizeof s->bytes);
    enum emt_err err = sim_meter_telegram(m, t->k, s->cipher, &w);
    if (err != EMT_OK)
        return err;
    *out =
        (struct sim_telegram){ .meter = t->meter,
                               .sent_at = t->at,
                               .rssi_dbm = -60 - (int32_t)(m->index * 7 % 45) - (int32_t)(t->k % 5),
                               .data = s->bytes,
                               .len = w.len };
    t->k++;
    t->at = sim_meter_time(m, t->k);
    sift_down(s, 0);
    return EMT_OK;
}

const struct sim_meter *simulation_meter(const struct simulation *s, uint32_t meter)
{
    return &s->meter[meter];
}

struct sim_clock sim_clock_of(emt_time real_now, unsigned backfill_days, unsigned speed)
{
    struct sim_clock c = { real_now - (int64_t)backfill_days * EMT_DAY, real_now, speed };

    return c;
}

emt_time sim_clock_now(const struct sim_clock *c, emt_time real_now)
{
    int64_t elapsed = real_now - c->real_start;

    if (c->speed == 0 || elapsed > (real_now - c->start) / c->speed)
        return real_now;
    return c->start + elapsed * c->speed;
}
