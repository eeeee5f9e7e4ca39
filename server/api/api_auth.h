/* Who asks: an API key becomes a principal. */
#ifndef EMT_API_API_AUTH_H
#define EMT_API_API_AUTH_H

#include "api_call.h"

#define API_KEY_TENANT_PREFIX "emt_"
#define API_KEY_OPERATOR_PREFIX "emt_op_"

/* Fills c->who. EMT_EAUTH: no key, or one that is not good (the answer must not tell which);
 * EMT_EDB. */
EMT_CHECKED enum emt_err api_authenticate(struct api_call *c);
/* The tenant number that a key's text claims, for fair shares only; 0 when it claims none. */
int32_t api_key_claim(const char *authorization);

#endif
