/* libmicrohttpd: one daemon without a listener per HTTP thread. */
#ifndef EMT_HTTP_MHD_H
#define EMT_HTTP_MHD_H

#include "base/attr.h"
#include "base/error.h"
#include "http_pool.h"

struct MHD_Daemon;
struct http_server;

EMT_CHECKED enum emt_err mhd_start(struct http_server *s, struct MHD_Daemon **out);

/* What the pool does with requests; ctx is the server. */
struct pool_calls mhd_pool_calls(struct http_server *s);

#endif
