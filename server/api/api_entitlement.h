/* What is agreed with a tenant, asked before each operation that belongs to a module. */
#ifndef EMT_API_API_ENTITLEMENT_H
#define EMT_API_API_ENTITLEMENT_H

#include "api_call.h"

struct api_route;

/* False: the problem is answered, or *err. Outside of a transaction. */
bool api_is_entitled(struct api_call *c, const struct api_route *route, enum emt_err *err);
/* The module of a path as the document names it (x-emt-module); NULL: none. */
const char *api_module_of(const char *pattern);

#endif
