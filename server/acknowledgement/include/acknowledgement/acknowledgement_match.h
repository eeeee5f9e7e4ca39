/* A partner's answer is kept and matched to what was sent.
 *
 * It belongs to a file when its own recipient sent that file, its own sender received it, and the
 * reference agrees; whatever else it names is kept and raises a warning. Another tenant's files are
 * not there, and so is a file to another partner: nobody answers for somebody else. */
#ifndef EMT_ACKNOWLEDGEMENT_MATCH_H
#define EMT_ACKNOWLEDGEMENT_MATCH_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

struct acknowledgement_arrival {
    int32_t tenant;
    const void *data;
    size_t len;
    const char *source;    /* "rest", "folder", "emtctl" */
    const char *file_name; /* "" for none */
    const char *actor;     /* for the audit */
    emt_time now;
};

struct acknowledgement_outcome {
    int64_t id;
    bool repeated;      /* the same bytes came before: nothing was changed */
    const char *kind;   /* "contrl", "aperak" */
    char reference[36]; /* its own */
    unsigned matched;   /* notes about files of ours */
    unsigned unmatched; /* notes about none */
    unsigned changed;   /* files whose state rose */
};

/* Inside a transaction of the tenant, which the caller commits; everything or nothing. Writes the
 * audit, and events for what was rejected or belongs to no file. EMT_EUNSUPPORTED, EMT_EMALFORMED,
 * EMT_ETRUNCATED, EMT_ELIMIT: the file is none that is read, and why (diag); EMT_ENOMEM; errors of
 * the store. */
EMT_CHECKED enum emt_err acknowledgement_take(struct store *app,
                                              const struct acknowledgement_arrival *a,
                                              struct acknowledgement_outcome *out,
                                              struct emt_diag *diag);

/* Files without an answer in time become overdue, each with an alarm; of all tenants, as
 * STORE_ADMIN outside of a transaction. *n files did. Nodes may do it at the same time. EMT_EAGAIN
 * a lock; EMT_EDB. */
EMT_CHECKED enum emt_err acknowledgement_overdue_step(struct store *admin, emt_time now,
                                                      int64_t *n);

#endif
