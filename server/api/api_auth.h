/* Who asks: an API key or the cookie of a portal session becomes a principal. */
#ifndef EMT_API_API_AUTH_H
#define EMT_API_API_AUTH_H

#include "api_call.h"

#define API_KEY_TENANT_PREFIX "emt_"
#define API_KEY_OPERATOR_PREFIX "emt_op_"
/* Browsers take a __Host- cookie only from the host itself, over TLS, for all of its paths. */
#define API_SESSION_COOKIE "__Host-emt-session"
#define API_SESSION_TEXT_MAX 64

/* Fills c->who, and c->csrf for a session. An Authorization header decides alone; without one the
 * cookie does. EMT_EAUTH: neither, or one that is not good (the answer must not tell which);
 * EMT_EDB. */
EMT_CHECKED enum emt_err api_authenticate(struct api_call *c);
/* A request that changes something comes from our own pages: a session sent its token, and an
 * Origin header names this server. */
bool api_csrf_good(const struct api_call *c);
bool api_origin_good(const struct api_call *c);
/* Whose share a request counts against: the tenant number that a key's text claims, a number above
 * all tenants' for a session's cookie, 0 for nobody. For fair shares only. */
int32_t api_claim(const char *authorization, const char *cookie);

/* The session's cookie of a Cookie header; false: there is none. Wipe it. */
bool api_session_text(const char *cookie, char out[API_SESSION_TEXT_MAX]);
/* The CSRF token of a session: derived from its cookie, so nothing of it is stored. */
EMT_CHECKED enum emt_err api_session_csrf(const char *session, char out[48]);

#endif
