/* Parties outside of the tenant: keys with a recipient read what mandates give them, and nothing
 * else. */
#ifndef EMT_API_API_RIGHTS_H
#define EMT_API_API_RIGHTS_H

#include "api_call.h"
#include "store/mandate_store.h"

struct api_route;

bool api_is_outside(const struct api_call *c);
struct mandate_asker api_asker(const struct api_call *c);
/* May somebody outside call this at all? The document says so with x-emt-mandate. */
bool api_outside_route(const struct api_route *route);
/* Answers 403 for a route that is not for parties outside. */
enum emt_err api_outside_refused(struct api_call *c);

/* Whether the call may see these values of a channel. False: the refusal is answered and noted in
 * the audit, or *err. The transaction of the call goes on only when it is true. */
bool api_may_read(struct api_call *c, int64_t channel, emt_time from, emt_time to,
                  enum emt_err *err);
/* Until when the values behind `at` may be looked at, at most to `most`. */
EMT_CHECKED enum emt_err api_readable_until(struct api_call *c, int64_t channel, emt_time at,
                                            emt_time most, emt_time *until);
/* The same for an exported file: its receiver's mandates as they are now. */
bool api_may_read_file(struct api_call *c, int64_t file, const char *kind, const char *receiver,
                       enum emt_err *err);

#endif
