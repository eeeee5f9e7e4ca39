/* Where to dial: "host:port", "192.0.2.1:7443", "[2001:db8::1]:7443". */
#ifndef EMT_AGENT_ENDPOINT_H
#define EMT_AGENT_ENDPOINT_H

#include "base/attr.h"
#include "base/error.h"

#include <stddef.h>
#include <sys/socket.h>

#define ENDPOINT_HOST_MAX 256
#define ENDPOINT_TEXT_MAX (ENDPOINT_HOST_MAX + 8)

struct endpoint {
    char host[ENDPOINT_HOST_MAX]; /* without brackets */
    char port[6];
};

/* One socket address of an endpoint. */
struct endpoint_address {
    struct sockaddr_storage addr;
    socklen_t len;
    size_t endpoint; /* index of the endpoint that it belongs to */
};

/* EMT_EMALFORMED no host, no port or a port outside 1..65535. */
EMT_CHECKED enum emt_err endpoint_parse(const char *text, struct endpoint *out);
/* Adds the addresses of endpoint number `which` to list (*n of cap are used). Numeric hosts need no
 * lookup; a name is looked up with getaddrinfo(), which blocks for as long as the resolver takes:
 * gateways that must not pause are given addresses. EMT_ENOTFOUND the name does not resolve. */
EMT_CHECKED enum emt_err endpoint_resolve(const struct endpoint *e, size_t which,
                                          struct endpoint_address *list, size_t cap, size_t *n);
/* "192.0.2.1:7443" for logs; returns buf. */
char *endpoint_address_format(const struct endpoint_address *a, char buf[ENDPOINT_TEXT_MAX]);

#endif
