/* One error type, grouped by what the caller does about it.
 *
 * emt_err_class() is the hundreds digit: retry, reject (the peer is at fault), refuse (our limit or
 * policy), broken (ours; somebody looks at it). */
#ifndef EMT_BASE_ERROR_H
#define EMT_BASE_ERROR_H

#include "base/attr.h"

#include <stddef.h>

enum emt_err {
    EMT_OK = 0,
    EMT_EAGAIN = 100,     /* retry: nothing is wrong yet */
    EMT_ETRUNCATED = 200, /* reject: ends before it is complete */
    EMT_EMALFORMED,       /* reject: breaks its own rules */
    EMT_EUNSUPPORTED,     /* reject: well-formed, but not something we read */
    EMT_EAUTH,            /* reject: identity, signature or rights do not hold */
    EMT_ENOTFOUND,        /* reject: what was asked for does not exist */
    EMT_ECONFLICT,        /* reject: contradicts what exists */
    EMT_ELIMIT = 300,     /* refuse: a named limit of ours */
    EMT_ESTATE,           /* refuse: not now, not in this state */
    EMT_ENOMEM = 400,     /* broken: out of memory */
    EMT_EDB,              /* broken: the database refused or is gone */
    EMT_EIO,              /* broken: file or socket */
    EMT_EINTERNAL,        /* broken: a library failed in a way that should not happen */
};

enum emt_err_class {
    EMT_CLASS_OK = 0,
    EMT_CLASS_RETRY,
    EMT_CLASS_REJECT,
    EMT_CLASS_REFUSE,
    EMT_CLASS_BROKEN
};

static inline enum emt_err_class emt_err_class(enum emt_err err)
{
    return (enum emt_err_class)((int)err / 100);
}

/* "malformed", "limit", …; never NULL. */
const char *emt_err_name(enum emt_err err);

/* What a human reads beside an error: where and why. Filled by the function that failed; `text`
 * names the field and the reason and carries no secret. A NULL diag is always accepted. */
struct emt_diag {
    char file[256]; /* "" when there is none */
    unsigned line;  /* from 1; 0 when there is none */
    char key[96];   /* configuration key or field path, "" when there is none */
    size_t offset;  /* byte offset in the input, where the input is binary */
    char text[320];
};

/* Sets diag->text (diag may be NULL) and returns err, so that `return emt_fail(d, EMT_ELIMIT, …)`
 * reads well. */
enum emt_err emt_fail(struct emt_diag *diag, enum emt_err err, const char *fmt, ...)
    EMT_PRINTF(3, 4);

/* "FILE:LINE: KEY: text" with the parts that are set, cut to size; returns buf. */
const char *emt_diag_format(const struct emt_diag *diag, char *buf, size_t size);

#endif
