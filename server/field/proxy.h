/* The PROXY protocol, version 2 (binary), of a balancer in front of the field listener: who the
 * gateway's address is. Taken from balancers that are named in the configuration, who must send it;
 * from everybody else such bytes are no TLS. */
#ifndef EMT_FIELD_PROXY_H
#define EMT_FIELD_PROXY_H

#include "base/attr.h"
#include "base/error.h"
#include "listener.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Networks whose word is taken. */
struct proxy_trust;
/* "10.1.0.0/16", "fd00::/8", "192.0.2.7"; n 0 gives NULL in *out: nobody is. EMT_EMALFORMED with
 * the text. Free with free(). */
EMT_CHECKED enum emt_err proxy_trust_new(const char *const *networks, size_t n,
                                         struct proxy_trust **out, struct emt_diag *diag);
/* peer: numeric address. t NULL: false. */
bool proxy_trusts(const struct proxy_trust *t, const char *peer);

#define PROXY_HEADER_MAX 552 /* 16 bytes and what a segment of the least size holds */

/* Collects one header, byte-exactly: what follows it is left in the socket. Zeroed at first. */
struct proxy_header {
    size_t have;
    uint8_t bytes[PROXY_HEADER_MAX];
};
/* Bytes still needed of what is there; 0: whole. EMT_EMALFORMED no header of version 2, or too
 * long. */
EMT_CHECKED enum emt_err proxy_header_wants(const struct proxy_header *h, size_t *n);
/* Reads what is there. EMT_OK whole; EMT_EAGAIN; EMT_EIO the peer is gone; EMT_EMALFORMED. */
EMT_CHECKED enum emt_err proxy_header_read(struct proxy_header *h, int fd);
/* Of a whole one: the address of the other end into peer, which stays as it is when the balancer
 * speaks for itself (LOCAL) or names none. EMT_EMALFORMED. */
EMT_CHECKED enum emt_err proxy_header_peer(const struct proxy_header *h,
                                           char peer[LISTENER_PEER_MAX]);

#endif
