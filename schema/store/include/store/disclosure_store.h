/* What is stored about a place of the market, for whoever has a right to know. */
#ifndef EMT_STORE_DISCLOSURE_STORE_H
#define EMT_STORE_DISCLOSURE_STORE_H

#include "base/attr.h"
#include "base/error.h"
#include "store/store.h"

#include <stdint.h>

/* Inside a transaction of the tenant: (document text), one JSON object: location, bindings with
 * what is kept of their channels within their periods. A block counts with the values of its whole
 * span; packed frames are counted by raw_pack_count(). EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err disclosure_get(struct store *s, int32_t tenant, const char *code,
                                        struct store_result **out);

/* So: mandates, erasures, files with the place's code in them. */
EMT_CHECKED enum emt_err disclosure_papers(struct store *s, int32_t tenant, const char *code,
                                           struct store_result **out);

const struct store_statement *disclosure_store_statements(size_t *n);

#endif
