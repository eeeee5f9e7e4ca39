/* Conditional requests (RFC 9110, 13): a resource carries an ETag made of what a client can change
 * or rely on; members that change by themselves, as a connection's state, are left out. */
#ifndef EMT_API_API_CONDITION_H
#define EMT_API_API_CONDITION_H

#include "api_call.h"

/* Answers a single resource with its ETag; 304 when If-None-Match names it. Steals body.
 * lively: members left out of the ETag, closed by NULL; may be NULL. */
enum emt_err api_resource(struct api_call *c, unsigned status, json_t *body,
                          const char *const *lively);
/* Whether a change is bound to a state: then lock the resource's row before it is read. */
bool api_has_if_match(const struct api_call *c);
/* Whether If-Match names the resource as it stands (or is absent, or '*'); false: 412 is answered.
 * Steals current; NULL is out of memory. */
bool api_if_match(struct api_call *c, json_t *current, const char *const *lively);

#endif
