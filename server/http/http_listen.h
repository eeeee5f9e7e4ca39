/* Listening sockets. */
#ifndef EMT_HTTP_LISTEN_H
#define EMT_HTTP_LISTEN_H

#include "base/attr.h"
#include "base/error.h"

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

/* "192.0.2.1:8443" or "[2001:db8::1]:8443". EMT_EMALFORMED no such address, EMT_EIO not possible.
 * *out: non-blocking, the caller closes it. */
EMT_CHECKED enum emt_err listen_open(const char *text, int *out, struct emt_diag *diag);
/* Port that the socket is bound to; 0 when it is not. */
uint16_t listen_port(int fd);
/* "192.0.2.1" or "2001:db8::1"; "" for other families. Returns buf. */
const char *address_text(const struct sockaddr *sa, char buf[INET6_ADDRSTRLEN]);

#endif
