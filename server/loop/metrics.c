#include "loop/metrics.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define NBOUNDS 15

static const int64_t bounds_ms[NBOUNDS] = { 1,   2,    5,    10,   20,    50,    100,  200,
                                            500, 1000, 2000, 5000, 10000, 30000, 60000 };

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

static const char *const kind_names[] = {
    [METRIC_COUNTER] = "counter",
    [METRIC_GAUGE] = "gauge",
    [METRIC_HISTOGRAM] = "histogram",
};

struct metric {
    struct metric *next; /* of the same family */
    char *labels;        /* "" for none */
    _Atomic int64_t value;
    _Atomic int64_t *buckets; /* histogram: one per bound, and one above all */
    _Atomic int64_t sum_ms;
};

struct family {
    struct family *next;
    char *name, *help;
    enum metric_kind kind;
    struct metric *first, **last;
};

struct metrics {
    pthread_mutex_t mutex; /* guards the lists; values are atomic */
    struct family *first, **last;
    struct metric spare; /* counts what could not be registered; never shown */
};

struct metrics *metrics_new(void)
{
    struct metrics *m = calloc(1, sizeof *m);

    if (!m)
        return NULL;
    if (pthread_mutex_init(&m->mutex, NULL) != 0) {
        free(m);
        return NULL;
    }
    m->last = &m->first;
    return m;
}

static void metric_free(struct metric *c)
{
    if (!c)
        return;
    free(c->labels);
    free((void *)c->buckets);
    free(c);
}

static void family_free(struct family *f)
{
    if (!f)
        return;
    while (f->first) {
        struct metric *next = f->first->next;
        metric_free(f->first);
        f->first = next;
    }
    free(f->name);
    free(f->help);
    free(f);
}

void metrics_free(struct metrics *m)
{
    if (!m)
        return;
    while (m->first) {
        struct family *next = m->first->next;
        family_free(m->first);
        m->first = next;
    }
    pthread_mutex_destroy(&m->mutex);
    free(m);
}

static struct family *family_find(struct metrics *m, const char *name, enum metric_kind kind,
                                  const char *help)
{
    struct family *f;

    for (f = m->first; f; f = f->next)
        if (strcmp(f->name, name) == 0)
            return f->kind == kind ? f : NULL;
    f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->name = strdup(name);
    f->help = strdup(help ? help : "");
    f->kind = kind;
    f->last = &f->first;
    if (!f->name || !f->help) {
        family_free(f);
        return NULL;
    }
    *m->last = f;
    m->last = &f->next;
    return f;
}

static struct metric *metric_find(struct family *f, const char *labels)
{
    struct metric *c;

    for (c = f->first; c; c = c->next)
        if (strcmp(c->labels, labels) == 0)
            return c;
    c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->labels = strdup(labels);
    if (f->kind == METRIC_HISTOGRAM)
        c->buckets = calloc(NBOUNDS + 1, sizeof *c->buckets);
    if (!c->labels || (f->kind == METRIC_HISTOGRAM && !c->buckets)) {
        metric_free(c);
        return NULL;
    }
    *f->last = c;
    f->last = &c->next;
    return c;
}

static struct metric *metric_register(struct metrics *m, const char *name, const char *labels,
                                      const char *help, enum metric_kind kind)
{
    struct metric *c = NULL;
    struct family *f;

    pthread_mutex_lock(&m->mutex);
    f = family_find(m, name, kind, help);
    if (f)
        c = metric_find(f, labels ? labels : "");
    pthread_mutex_unlock(&m->mutex);
    return c ? c : &m->spare;
}

struct metric *metrics_counter(struct metrics *m, const char *name, const char *labels,
                               const char *help)
{
    return metric_register(m, name, labels, help, METRIC_COUNTER);
}

struct metric *metrics_gauge(struct metrics *m, const char *name, const char *labels,
                             const char *help)
{
    return metric_register(m, name, labels, help, METRIC_GAUGE);
}

struct metric *metrics_histogram(struct metrics *m, const char *name, const char *labels,
                                 const char *help)
{
    return metric_register(m, name, labels, help, METRIC_HISTOGRAM);
}

void metric_add(struct metric *c, int64_t n)
{
    atomic_fetch_add_explicit(&c->value, n, memory_order_relaxed);
}

void metric_set(struct metric *c, int64_t v)
{
    atomic_store_explicit(&c->value, v, memory_order_relaxed);
}

int64_t metric_get(const struct metric *c)
{
    return atomic_load_explicit(&c->value, memory_order_relaxed);
}

void metric_observe_ms(struct metric *h, int64_t ms)
{
    size_t i = 0;

    if (ms < 0)
        ms = 0;
    metric_add(h, 1);
    if (!h->buckets)
        return;
    while (i < NBOUNDS && ms > bounds_ms[i])
        i++;
    atomic_fetch_add_explicit(&h->buckets[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->sum_ms, ms, memory_order_relaxed);
}

static void write_bucket(struct writer *out, const struct family *f, const struct metric *c,
                         const char *bound, int64_t count)
{
    writer_printf(out, "%s_bucket{%s%sle=\"%s\"} %" PRId64 "\n", f->name, c->labels,
                  c->labels[0] ? "," : "", bound, count);
}

static void write_histogram(struct writer *out, const struct family *f, const struct metric *c)
{
    const char *open = c->labels[0] ? "{" : "", *close = c->labels[0] ? "}" : "";
    int64_t sum = atomic_load_explicit(&c->sum_ms, memory_order_relaxed);
    int64_t count = 0;

    for (size_t i = 0; i < NBOUNDS; i++) {
        char bound[32];
        struct writer w;
        writer_init_fixed(&w, bound, sizeof bound);
        writer_printf(&w, "%" PRId64 ".%03" PRId64, bounds_ms[i] / 1000, bounds_ms[i] % 1000);
        count += atomic_load_explicit(&c->buckets[i], memory_order_relaxed);
        write_bucket(out, f, c, writer_cstr(&w), count);
    }
    count += atomic_load_explicit(&c->buckets[NBOUNDS], memory_order_relaxed);
    write_bucket(out, f, c, "+Inf", count);
    writer_printf(out, "%s_sum%s%s%s %" PRId64 ".%03" PRId64 "\n", f->name, open, c->labels, close,
                  sum / 1000, sum % 1000);
    writer_printf(out, "%s_count%s%s%s %" PRId64 "\n", f->name, open, c->labels, close, count);
}

static void write_family(struct writer *out, const struct family *f)
{
    writer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", f->name, f->help, f->name,
                  kind_names[f->kind]);
    for (const struct metric *c = f->first; c; c = c->next) {
        if (f->kind == METRIC_HISTOGRAM)
            write_histogram(out, f, c);
        else
            writer_printf(out, "%s%s%s%s %" PRId64 "\n", f->name, c->labels[0] ? "{" : "",
                          c->labels, c->labels[0] ? "}" : "", metric_get(c));
    }
}

void metrics_write(struct metrics *m, struct writer *out)
{
    pthread_mutex_lock(&m->mutex);
    for (const struct family *f = m->first; f; f = f->next)
        write_family(out, f);
    pthread_mutex_unlock(&m->mutex);
}
