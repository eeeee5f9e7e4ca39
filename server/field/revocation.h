/* Keeps a node's sets of revoked and of imported certificates as the database has them. On one loop
 * of the node. */
#ifndef EMT_FIELD_REVOCATION_H
#define EMT_FIELD_REVOCATION_H

struct revocation;
struct store;
struct trust;

/* changed: the set is another than before, and handshakes know already. queued: kick the link. NULL
 * when out of memory. logger: of the loggers' listener, NULL without. */
struct revocation *revocation_new(struct trust *trust, struct trust *logger,
                                  void (*changed)(void *ctx), void (*queued)(void *ctx), void *ctx);
void revocation_free(struct revocation *r);
/* Reads the sets; once more when a reading is under way, which may have begun before what changed.
 * s NULL: no database, the old set stays. */
void revocation_poll(struct revocation *r, struct store *s);

#endif
