/* A listening socket of one loop. Each loop has its own on the same address (SO_REUSEPORT), and the
 * kernel spreads the connections. */
#ifndef EMT_FIELD_LISTENER_H
#define EMT_FIELD_LISTENER_H

#include "base/attr.h"
#include "base/error.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct loop;
struct listener;

#define LISTENER_PEER_MAX 46

struct listener_handler {
    /* A connection, not blocking, given to the callee. peer: numeric address of the other end. */
    void (*accepted)(void *ctx, int fd, const char *peer);
    /* No descriptors left: accepting rests for a second. */
    void (*exhausted)(void *ctx);
    void *ctx;
    /* NULL: always. false: accepting rests for a moment, who comes waits in the kernel's queue. */
    bool (*has_room)(void *ctx);
};

struct listener_address {
    struct sockaddr_storage sa;
    socklen_t len;
};
/* "0.0.0.0:7443", "[::]:7443"; numbers only. EMT_EMALFORMED. */
EMT_CHECKED enum emt_err listener_address_parse(const char *text, struct listener_address *out);
uint16_t listener_address_port(const struct listener_address *a);
void listener_address_set_port(struct listener_address *a, uint16_t port);

/* Nobody listens there yet? SO_REUSEPORT alone would share the port with another server of the same
 * user without a word. EMT_EIO with the reason. */
EMT_CHECKED enum emt_err listener_probe(const struct listener_address *a, struct emt_diag *diag);
/* Binds and listens; accepts once the loop runs. EMT_EIO with the reason in diag. An IPv6 address
 * takes no IPv4. */
EMT_CHECKED enum emt_err listener_new(struct loop *l, const struct listener_address *a,
                                      const struct listener_handler *h, struct listener **out,
                                      struct emt_diag *diag);
void listener_free(struct listener *l); /* stops listening; NULL is fine */
uint16_t listener_port(const struct listener *l);

#endif
