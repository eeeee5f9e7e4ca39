/* Keeps a node's set of revoked certificates as the database has it. On one loop of the node. */
#ifndef EMT_FIELD_REVOCATION_H
#define EMT_FIELD_REVOCATION_H

struct revocation;
struct store;
struct trust;

/* changed: the set is another than before, and handshakes know already. queued: kick the link. NULL
 * when out of memory. */
struct revocation *revocation_new(struct trust *trust, void (*changed)(void *ctx),
                                  void (*queued)(void *ctx), void *ctx);
void revocation_free(struct revocation *r);
/* Reads the set, unless that is under way. s NULL: no database, the old set stays. */
void revocation_poll(struct revocation *r, struct store *s);

#endif
