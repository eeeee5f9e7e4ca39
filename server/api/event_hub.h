/* Fans out what changes to the event streams of this process.
 *
 * One thread asks the database once a second for each tenant that somebody watches (event_watch.h):
 * that works over any number of nodes, and ingest need not notify (decision 18). Who opened a
 * stream is asked for again every few seconds; a stream whose key or session has ended is closed.
 */
#ifndef EMT_API_EVENT_HUB_H
#define EMT_API_EVENT_HUB_H

#include "base/attr.h"
#include "base/error.h"
#include "event_watch.h"
#include "store/stream_store.h"

#include <stddef.h>
#include <stdint.h>

struct event_hub;
struct http_stream;
struct metrics;

struct event_hub_settings {
    const char *conninfo;
    const char *node;        /* told in `hello` */
    unsigned tenant_most;    /* streams of one tenant, default 1024 */
    unsigned principal_most; /* streams of one key or session, default 32 */
    int64_t session_idle_s;  /* a session not used for as long is over, default 1800 */
    struct metrics *metrics;
};

EMT_CHECKED enum emt_err event_hub_new(const struct event_hub_settings *s, struct event_hub **out,
                                       struct emt_diag *diag);
/* Ends all streams; NULL is fine. */
void event_hub_free(struct event_hub *h);

/* EMT_ELIMIT the tenant or the asker has its share; *what names the limit. From any thread. */
EMT_CHECKED enum emt_err event_hub_admit(struct event_hub *h, const struct stream_asker *asker,
                                         const char **what);
/* Takes the stream over, with its reference. mark: where the asker was before, or NULL. */
EMT_CHECKED enum emt_err event_hub_subscribe(struct event_hub *h, const struct stream_asker *asker,
                                             unsigned topics, const struct event_mark *mark,
                                             struct http_stream *stream);
/* Bytes that may wait for one reader. */
size_t event_hub_queue_bytes(void);

#endif
