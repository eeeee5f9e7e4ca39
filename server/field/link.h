/* One connection with a gateway: bytes in and out over TLS on plain libevent events, cut into
 * messages by their length prefix.
 *
 * An idle link holds no buffers: bytes are read into the loop's own, and only what is left of a
 * message that has not yet arrived whole, or cannot yet be sent, is kept on the heap. What
 * unfinished messages of all links of a loop hold together is bounded. */
#ifndef EMT_FIELD_LINK_H
#define EMT_FIELD_LINK_H

#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct link;
struct tls_conn;

/* Where the bytes travel: TLS in the product, a bare socket in tests of the framing. Results as
 * pki/tls_conn.h has them; *wait: bits of enum tls_wait. */
struct link_wire {
    enum emt_err (*read)(void *wire, void *buf, size_t cap, size_t *n, unsigned *wait);
    enum emt_err (*write)(void *wire, const void *buf, size_t len, size_t *n, unsigned *wait);
    size_t (*pending)(const void *wire);
    void (*shutdown)(void *wire);
    void (*free)(void *wire);
};
extern const struct link_wire link_wire_tls; /* wire: struct tls_conn */

enum link_end {
    LINK_CLOSED,     /* the peer closed cleanly, between messages */
    LINK_LOST,       /* reset, or closed inside a message */
    LINK_TOO_LONG,   /* a message longer than it may be */
    LINK_UNREADABLE, /* an empty message, or broken TLS */
    LINK_MEMORY,     /* the loop's bound for unfinished messages, or no memory at all */
};

struct link_handler {
    /* One whole message without its prefix, borrowed for the call. */
    void (*message)(void *ctx, const uint8_t *p, size_t n);
    /* Nothing more will arrive; called once, never from inside link_send(). */
    void (*ended)(void *ctx, enum link_end end);
};

/* What the links of one loop share; loop thread only. */
struct link_pool {
    struct loop *loop;
    uint8_t *buffer; /* every read goes here */
    size_t size;
    size_t unfinished, unfinished_max; /* bytes of messages not yet whole, of all links */
    size_t queue_max;                  /* bytes queued to one peer */
    uint32_t linger_ms;                /* to send what is queued when closing */
    struct link *first;                /* all links, also closing ones */
    void (*gone)(void *ctx);           /* a link was freed */
    void *ctx;
};
/* The other members are set by the caller. */
EMT_CHECKED enum emt_err link_pool_init(struct link_pool *pool, struct loop *l);
/* Frees all links that are left, too. */
void link_pool_release(struct link_pool *pool);

/* Takes wire and fd on success (pool->gone tells when they are gone); on EMT_ENOMEM both stay the
 * caller's. */
EMT_CHECKED enum emt_err link_new(struct link_pool *pool, const struct link_wire *wire_ops,
                                  void *wire, int fd, size_t longest, const struct link_handler *h,
                                  void *ctx, struct link **out);
/* Longest message accepted from now on. */
void link_allow(struct link *l, size_t longest);
/* Queues bytes and writes what goes at once. EMT_ELIMIT more than queue_max is waiting; EMT_ENOMEM.
 * A connection that turns out to be lost is no error here: ended() tells. */
EMT_CHECKED enum emt_err link_send(struct link *l, const uint8_t *p, size_t n);
/* No more calls of the handler. Sends what is queued, says goodbye and frees the link by itself,
 * within linger_ms. */
void link_close(struct link *l);

#endif
