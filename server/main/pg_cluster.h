/* The folders and files of a private PostgreSQL cluster: where it can live, which user runs it,
 * initdb, its configuration.
 *
 * Root cannot run PostgreSQL and the server's user cannot read below a closed home, so the place
 * follows from who starts it: DIR/pg                    when the server's user reaches it,
 *   /var/lib/emt/pg-<hash>    otherwise; DIR/pg is then a link to it.
 * Below: data/, log/, start.log, pg_hba.conf, pg_ident.conf, postgresql.conf (written at each
 * start), local.conf (the administrator's). */
#ifndef EMT_MAIN_PG_CLUSTER_H
#define EMT_MAIN_PG_CLUSTER_H

#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>
#include <sys/types.h>

struct pg_cluster {
    char base[256];
    char data[300];
    char socket_dir[108];
    char bin[256]; /* folder of initdb and postgres */
    char user[64]; /* who runs the server */
    uid_t uid;
    gid_t gid;
    bool switch_user; /* we are root: children become that user */
};

/* Finds programs, user and place, makes the cluster if there is none, writes its configuration.
 * EMT_ENOTFOUND no PostgreSQL is installed; EMT_EIO; EMT_EINTERNAL initdb failed; diag says why. */
EMT_CHECKED enum emt_err pg_cluster_prepare(struct pg_cluster *c, const char *dir,
                                            struct emt_diag *diag);
/* Starts a program of the cluster as the server's user, in a session of its own, without our
 * descriptors, output appended to start.log. args ends with NULL. May be called beside running
 * threads. */
EMT_CHECKED enum emt_err pg_cluster_spawn(const struct pg_cluster *c, const char *program,
                                          const char *const *args, pid_t *pid);
/* The last line of start.log, for messages; buf holds size. */
const char *pg_cluster_last_words(const struct pg_cluster *c, char *buf, size_t size);

#endif
