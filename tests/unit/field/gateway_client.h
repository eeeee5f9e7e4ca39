/* A gateway by hand, for tests of the field channel: one TLS connection, messages sent and awaited.
 * Failures end the test. */
#ifndef EMT_TESTS_GATEWAY_CLIENT_H
#define EMT_TESTS_GATEWAY_CLIENT_H

#include "base/arena.h"
#include "base/error.h"
#include "pki/tls_context.h"
#include "wire/uplink.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_conn;

struct gateway_client {
    int fd;
    struct tls_conn *tls;
    struct arena *arena;
    uint8_t *buffer;
    size_t len;
};

/* Connects over TCP; from: source address or NULL. */
int client_dial(const char *address, uint16_t port, const char *from);
/* Connects and shakes hands; the result of the handshake. name: server name. */
enum emt_err client_open(struct gateway_client *c, struct tls_context *ctx, const char *address,
                         uint16_t port, const char *from);
/* As client_open(), behind a balancer that sends these bytes first. */
enum emt_err client_open_behind(struct gateway_client *c, struct tls_context *ctx,
                                const char *address, uint16_t port, const void *first, size_t n);
void client_close(struct gateway_client *c);

void client_send(struct gateway_client *c, const struct uplink_message *m);
void client_send_bytes(struct gateway_client *c, const void *p, size_t n);
/* The next message; false: the connection ended, or nothing came in time. *m lives until the next
 * call. */
bool client_next(struct gateway_client *c, struct uplink_message *m, int timeout_ms);
/* The next message of this kind, others passed over (pings are answered). */
void client_expect(struct gateway_client *c, enum uplink_kind kind, struct uplink_message *m);
/* Bye with this reason, and then the end. */
void client_expect_bye(struct gateway_client *c, const char *reason);

void client_hello(struct gateway_client *c, uint8_t spool);
/* n frames of len bytes each, of a protocol that needs no keys. */
void client_frames(struct gateway_client *c, uint64_t first, unsigned n, size_t len);
/* Acks until everything up to seq is acknowledged. */
void client_expect_ack(struct gateway_client *c, uint64_t seq);

#endif
