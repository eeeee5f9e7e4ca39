/* The thread that links the audit each second. */
#ifndef EMT_JOBS_CHAINER_H
#define EMT_JOBS_CHAINER_H

#include "base/attr.h"
#include "base/error.h"
#include "base/seal.h"

struct chainer;
struct metrics;

/* conninfo and master are copied. */
EMT_CHECKED enum emt_err chainer_start(const char *conninfo, const struct seal_key *master,
                                       struct metrics *m, struct chainer **out,
                                       struct emt_diag *diag);
void chainer_stop(struct chainer *c); /* NULL is fine */

#endif
