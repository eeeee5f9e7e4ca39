/* Asks the database who a gateway is and takes it over: directory, then one statement that raises
 * the epoch (store/session_store.h). Claims wait while the database is gone; how long is the
 * session's business. Loop thread only. */
#ifndef EMT_FIELD_CLAIMS_H
#define EMT_FIELD_CLAIMS_H

#include "base/attr.h"
#include "base/error.h"
#include "session.h"

#include <stdint.h>

struct claims;
struct journal;
struct store;
struct field_metrics;

struct claims_settings {
    int64_t node;
    struct journal *journal; /* for alarms, and ends of what was claimed for nobody */
    struct field_metrics *metrics;
    void (*queued)(void *ctx); /* something was queued on the connection: kick the link */
    void *ctx;
};
struct claims *claims_new(const struct claims_settings *s); /* NULL when out of memory */
/* After the store's callbacks can run no more; no session is told anything. */
void claims_free(struct claims *c);

/* Answers by EV_CLAIMED or EV_REFUSED, never from inside. Sets s->claim. */
EMT_CHECKED enum emt_err claims_add(struct claims *c, struct session *s,
                                    const struct uplink_hello *hello);
/* The session is gone; its gateway, should the claim succeed yet, is given back. */
void claims_forget(struct session *s);
/* The connection came (s), or went (NULL). */
void claims_store(struct claims *c, struct store *s);
/* Each second: tries again what failed. */
void claims_retry(struct claims *c);

#endif
