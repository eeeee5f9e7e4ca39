/* The thread that keeps certificates in order: our own lists of revoked certificates, those of
 * imported CAs, alarms before an end. */
#ifndef EMT_JOBS_KEEPER_H
#define EMT_JOBS_KEEPER_H

#include "base/attr.h"
#include "base/error.h"
#include "base/seal.h"

#include <stdbool.h>

struct keeper;
struct metrics;

/* conninfo and master are copied. private_networks: lists may be fetched there. */
EMT_CHECKED enum emt_err keeper_start(const char *conninfo, const struct seal_key *master,
                                      bool private_networks, struct metrics *m, struct keeper **out,
                                      struct emt_diag *diag);
void keeper_stop(struct keeper *k); /* NULL is fine */

#endif
