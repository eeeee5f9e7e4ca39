/* Query parameters: which each operation knows, and their values. A parameter that an operation
 * does not know is an error: a filter with a slip in its name would show everything. */
#ifndef EMT_API_API_QUERY_H
#define EMT_API_API_QUERY_H

#include "api_call.h"

struct api_route;

/* False: the problem that names the first unknown one is answered. */
bool api_query_known(struct api_call *c, const struct api_route *route);
/* The names of a route, separated by spaces; "" for none. */
const char *api_query_names(const struct api_route *route);

/* Each answers the problem and returns false when the value is wrong; absent, they leave *out. */
/* A text of 1 to most characters. */
bool api_query_text(struct api_call *c, const char *name, size_t most, const char **out);
/* The place in a list of names that NULL ends. */
bool api_query_enum(struct api_call *c, const char *name, const char *const *names, int *out);
/* A number from 1. */
bool api_query_number(struct api_call *c, const char *name, int64_t *out);
/* "true" or "false": 1 or 0. */
bool api_query_flag(struct api_call *c, const char *name, int *out);

#define API_Q_MAX 100

#endif
