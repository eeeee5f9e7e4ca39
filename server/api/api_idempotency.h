/* Idempotency-Key: a request that is repeated within a day gets the first answer again and does
 * nothing a second time.
 *
 * Where the handler works in one transaction, the answer is kept in it. A handler with transactions
 * of its own is noted as begun first; if it is cut off, a repetition is told that the outcome is
 * not known, and does nothing. Refusals are not kept: what was not done may be tried again. */
#ifndef EMT_API_API_IDEMPOTENCY_H
#define EMT_API_API_IDEMPOTENCY_H

#include "api_call.h"

struct api_route;

/* Whether this request carries a key and its operation heeds it. */
bool api_is_idempotent(const struct api_call *c, const struct api_route *route);
/* Runs the handler inside the transaction of s, which is open, or gives the answer of the first
 * time. The caller commits or rolls back as with the handler alone. */
enum emt_err api_idempotent_inside(struct api_call *c, const struct api_route *route,
                                   struct store *s);
/* The same for a handler with transactions of its own; s is outside of one and not the handler's
 * business. */
enum emt_err api_idempotent_around(struct api_call *c, const struct api_route *route,
                                   struct store *s);

#endif
