/* What the kinds of sources share. */
#ifndef EMT_AGENT_SOURCE_INTERNAL_H
#define EMT_AGENT_SOURCE_INTERNAL_H

#include "agent/source.h"
#include "base/backoff.h"

#include <event2/event.h>

#define SOURCE_BACKOFF_FIRST_MS 1000
#define SOURCE_BACKOFF_MOST_MS 300000

struct source {
    const struct source_config *config;
    struct event_base *base;
    struct source_sink sink;
    struct source_counters counters;
    struct backoff backoff;
    struct event *next; /* the next attempt */
    const struct source_kind *kind;
    void *own; /* of the kind */
    int64_t begun_ms;
};

struct source_kind {
    /* Makes source.own; EMT_EIO with diag, EMT_ENOMEM. */
    enum emt_err (*open)(struct source *s, struct emt_diag *diag);
    /* The timer `next` is due: connect, read. NULL where nothing is dialled. */
    void (*begin)(struct source *s);
    void (*close)(struct source *s);
};

extern const struct source_kind source_kind_sml, source_kind_iec, source_kind_dlms;

/* Counts and hands on. */
void source_put(struct source *s, enum protocol protocol, enum frame_format format,
                const uint8_t *p, size_t n);
/* A reading is done: the next begins one interval after this one began. */
void source_done(struct source *s);
/* It failed: logged, and tried again after a waiting time that doubles up to the interval. */
void source_failed(struct source *s, const char *reason);
void source_after(struct event *timer, int64_t ms);

#endif
