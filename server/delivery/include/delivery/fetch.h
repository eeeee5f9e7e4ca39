/* Fetches one document by HTTP: bounded in size and time, no redirects, no proxies, nothing of the
 * environment. Blocks for as long as it takes: on a worker thread. */
#ifndef EMT_DELIVERY_FETCH_H
#define EMT_DELIVERY_FETCH_H

#include "base/attr.h"
#include "base/error.h"
#include "base/writer.h"

#include <stdbool.h>
#include <stddef.h>

struct fetch_settings {
    const char *url; /* http:// or https:// */
    size_t most;     /* bytes of the answer */
    unsigned seconds;
    bool public_only;         /* no addresses of this machine and of private networks */
    bool (*alive)(void *ctx); /* asked about once a second; false ends it. May be NULL */
    void *alive_ctx;
};
/* Whether it could be fetched at all: EMT_EMALFORMED. */
EMT_CHECKED enum emt_err fetch_check(const char *url, struct emt_diag *diag);
/* The answer's body is appended. EMT_EMALFORMED no such address; EMT_ELIMIT longer than allowed;
 * EMT_ESTATE the address is not allowed, or the server says no (not 200); EMT_EIO no answer;
 * EMT_EUNSUPPORTED a build without libcurl. */
EMT_CHECKED enum emt_err fetch_url(const struct fetch_settings *s, struct writer *out,
                                   struct emt_diag *diag);

#endif
