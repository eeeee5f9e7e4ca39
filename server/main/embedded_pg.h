/* A private PostgreSQL: started, watched, restarted when it dies, stopped at the end. One that an
 * emtd left behind (kill -9) is adopted.
 *
 * Full durability; a socket and no network port; system users root, the server's and ours are every
 * role of the platform (peer). */
#ifndef EMT_MAIN_EMBEDDED_PG_H
#define EMT_MAIN_EMBEDDED_PG_H

#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>

struct embedded_pg;

/* Prepares DIR and starts; returns when the server answers, or early when cancelled() says so (it
 * is asked while waiting). conninfo (database emt, without user) goes to DIR/conninfo too.
 * EMT_ESTATE another emtd runs in DIR; otherwise as pg_cluster_prepare(). */
EMT_CHECKED enum emt_err embedded_pg_start(const char *dir, bool (*cancelled)(void),
                                           struct embedded_pg **out, struct emt_diag *diag);
const char *embedded_pg_conninfo(const struct embedded_pg *e);
/* Database "postgres", for its superuser. */
const char *embedded_pg_superuser_conninfo(const struct embedded_pg *e);
/* It was running when we came. */
bool embedded_pg_was_adopted(const struct embedded_pg *e);
/* Times that it died and was started again. */
unsigned embedded_pg_restarts(const struct embedded_pg *e);
/* Fast shutdown: sessions are ended, everything is written. */
void embedded_pg_stop(struct embedded_pg *e);
/* Sends the fast shutdown without waiting, for a process that must end now. */
void embedded_pg_abandon(struct embedded_pg *e);

#endif
