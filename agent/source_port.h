/* A byte connection to a meter: a TCP connection that is dialled or was accepted, or a serial port.
 * Nothing blocks but the lookup of a name (endpoint_resolve()). */
#ifndef EMT_AGENT_SOURCE_PORT_H
#define EMT_AGENT_SOURCE_PORT_H

#include "agent/source_config.h"
#include "base/attr.h"
#include "base/error.h"

#include <event2/util.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that wait to be written: one request and its repeats. */
#define SOURCE_PORT_OUT_MAX 4096
#define SOURCE_PORT_READ 4096

struct event_base;
struct source_port;

struct source_port_events {
    void (*up)(void *ctx);
    void (*bytes)(void *ctx, const uint8_t *p, size_t n);
    /* It could not be opened, or it ended; reason is static. The port may be closed in here. */
    void (*down)(void *ctx, const char *reason);
    void *ctx;
};

/* Closed at first. Free with source_port_free(); not from within bytes() or up(). */
struct source_port *source_port_new(struct event_base *base,
                                    const struct source_port_events *events);
void source_port_free(struct source_port *p);

/* Dials or opens as the configuration says; up() or down() follow from the loop. */
void source_port_open(struct source_port *p, const struct source_config *config);
/* Takes over an accepted connection. EMT_ENOMEM: the descriptor stays the caller's. */
EMT_CHECKED enum emt_err source_port_adopt(struct source_port *p, evutil_socket_t fd);
/* What does not fit is dropped: who asks waits for an answer and gives up. */
void source_port_write(struct source_port *p, const uint8_t *data, size_t n);
/* Serial ports: this speed once everything written before is out, not before. Nothing else. */
void source_port_baud(struct source_port *p, unsigned baud);
/* No event follows. */
void source_port_close(struct source_port *p);
bool source_port_is_open(const struct source_port *p);

#endif
