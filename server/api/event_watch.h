/* What changes in one tenant, found by asking the database again and again.
 *
 * Rows become visible when their transaction commits, not in the order of their numbers or times.
 * So each question reaches back over a window longer than transactions last, and what was seen
 * before is left out: a late commit is found, nothing is told twice. */
#ifndef EMT_API_EVENT_WATCH_H
#define EMT_API_EVENT_WATCH_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;
struct event_watch;

enum event_topic { TOPIC_GATEWAYS, TOPIC_FRAMES, TOPIC_JOBS, TOPIC_EVENTS, EVENT_TOPICS };
#define TOPIC_BIT(t) (1u << (t))

/* Where somebody was when his stream ended: the id of what he had last. */
struct event_mark {
    int64_t event_id; /* tell events above it */
    emt_time at;      /* and gateways and jobs that changed since */
};
/* "<event id>.<microseconds>"; false: no mark of ours. */
bool event_mark_parse(const char *text, struct event_mark *out);

/* What a question found; texts are whole blocks of text/event-stream, valid for the call. */
struct event_sink {
    void *ctx;
    void (*tell)(void *ctx, enum event_topic topic, const char *text, size_t n);
    void (*lost)(void *ctx, enum event_topic topic, int64_t count);
};

struct event_watch *event_watch_new(int32_t tenant); /* NULL: no memory */
void event_watch_free(struct event_watch *w);
/* The id that what is told now carries. Returns buf. */
const char *event_watch_mark(const struct event_watch *w, char buf[48]);
/* Asks for these topics in a transaction of its own. The first time a topic is asked for, what is
 * there counts as seen and is not told. A topic that was not asked for lately begins anew. */
EMT_CHECKED enum emt_err event_watch_poll(struct event_watch *w, struct store *s, unsigned topics,
                                          int64_t now_ms, const struct event_sink *sink);
/* Tells what happened since a mark, oldest first, as far back as it goes; seen or not. */
EMT_CHECKED enum emt_err event_watch_resume(struct event_watch *w, struct store *s, unsigned topics,
                                            const struct event_mark *mark,
                                            const struct event_sink *sink);

#endif
