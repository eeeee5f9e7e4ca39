/* Lists of revoked certificates (RFC 5280, 5): ours to be published, others' to be believed.
 *
 * Complete lists of one CA only: no delta lists, none for a part of the reasons or of the
 * certificates, none that name certificates of another issuer (indirect). What we do not judge
 * completely must not pass for judged. */
#ifndef EMT_PKI_CRL_H
#define EMT_PKI_CRL_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/writer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct authority; /* pki/authority.h */
struct crl;

#define CRL_MAX_BYTES ((size_t)8 << 20)
#define CRL_NUMBER_MAX 41 /* 20 bytes (RFC 5280, 5.2.3) as hex, and 0 */

/* --- ours --- */

struct crl_revoked {
    const char *serial; /* hex, as in struct leaf_info */
    emt_time at;
};
/* Version 2 with authority key identifier and CRL number, DER into out. number above 0 and never
 * smaller than the last one. Every distribution point serves the whole list, so that there is no
 * issuing distribution point in it. EMT_EMALFORMED a serial that is none; diag names the reason. */
EMT_CHECKED enum emt_err crl_issue(const struct authority *a, const struct crl_revoked *list,
                                   size_t n, int64_t number, emt_time now, int64_t lifetime,
                                   struct writer *out, struct emt_diag *diag);

/* --- of others --- */

struct crl_info {
    char number[CRL_NUMBER_MAX]; /* 40 hex digits, so that texts compare as numbers do; "": none */
    emt_time this_update;
    emt_time next_update; /* EMT_TIME_NONE: not said */
    size_t entries;
};

/* DER or PEM. EMT_EMALFORMED; EMT_EUNSUPPORTED no complete list (see above); EMT_ELIMIT. */
EMT_CHECKED enum emt_err crl_read(const void *data, size_t n, struct crl **out,
                                  struct emt_diag *diag);
void crl_free(struct crl *c);
void crl_describe(const struct crl *c, struct crl_info *out);
/* The list as DER. */
EMT_CHECKED enum emt_err crl_der(const struct crl *c, struct writer *out);

/* Whether this CA (first certificate of ca_pem) issued the list, and it is one for this moment.
 * EMT_EAUTH: another issuer, bad or weak signature, no right to sign lists; EMT_ESTATE: not yet
 * valid, or past its next update. */
EMT_CHECKED enum emt_err crl_verify(const struct crl *c, const char *ca_pem, size_t n, emt_time now,
                                    struct emt_diag *diag);
/* A list must not go back: EMT_ECONFLICT when `now` is older than what is `held` (by number, where
 * both have one, else by date); EMT_OK also for the same list again. */
EMT_CHECKED enum emt_err crl_follows(const struct crl_info *held, const struct crl_info *now,
                                     struct emt_diag *diag);
/* serial as hex; false also for what is no serial. */
bool crl_lists(const struct crl *c, const char *serial);

#endif
