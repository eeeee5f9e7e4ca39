/* New certificates for gateways that are connected, and the end of those before them.
 *
 * A thread of its own with a database connection of its own: a signature of the tenant's CA and a
 * transaction would hold up a loop. It also revokes certificates that younger ones have replaced,
 * and has the ends of certificates told (docs/pki.md). */
#ifndef EMT_FIELD_RENEWAL_H
#define EMT_FIELD_RENEWAL_H

#include "base/attr.h"
#include "base/error.h"
#include "base/seal.h"
#include "field_metrics.h"

#include <stddef.h>
#include <stdint.h>

struct loop;
struct renewal;

/* Told on the loop that asked, in an allocation of its own. */
struct renewal_answer {
    void *owner;
    int32_t tenant;
    int64_t gateway, epoch;
    char *chain; /* PEM; NULL: refused */
    size_t len;
    const char *reason; /* of a refusal, static */
};
void renewal_answer_free(struct renewal_answer *a);

struct renewal_settings {
    const char *conninfo; /* borrowed for good */
    struct seal_key master;
    int64_t leaf_lifetime_us;
    int64_t grace_s;               /* how long a replaced certificate stays good */
    struct field_metrics *metrics; /* borrowed for good */
    /* arg: struct renewal_answer, given. */
    void (*answer)(void *arg);
};
/* Starts the thread. EMT_ENOMEM. */
EMT_CHECKED enum emt_err renewal_new(const struct renewal_settings *s, struct renewal **out);
/* Ends the thread; what waits is dropped. After the loops have ended, before they are freed. NULL
 * is fine. */
void renewal_free(struct renewal *r);

struct renewal_request {
    struct loop *loop;
    void *owner;
    int32_t tenant;
    int64_t gateway, epoch;
    uint8_t fingerprint[32]; /* of the certificate in use */
};
/* Any thread; csr is copied. EMT_ELIMIT too many wait; EMT_ENOMEM. */
EMT_CHECKED enum emt_err renewal_ask(struct renewal *r, const struct renewal_request *q,
                                     const void *csr, size_t len);

#endif
