/* One connection: the peer's socket on one side, MHD's end of a socketpair on the other, and bytes
 * pumped between them. It belongs to its front's thread.
 *
 *      peer ══ sock ══ tls_conn ── up ──▶ pair ── MHD
 *                               ◀─ down ──
 *
 * An answer that is a stream (http_stream.h) takes the pair's place: MHD closes its end without a
 * word, and from then on `down` is fed by the stream.
 *
 * Each direction holds at most one scratch buffer of bytes that its sink did not take, and reads no
 * more while it holds some; idle connections hold none. A side that has ended is told to the other
 * as such (half-close), so a client may shut its side after the request. */
#ifndef EMT_HTTP_LINK_H
#define EMT_HTTP_LINK_H

#include "http_gate.h"
#include "pki/tls_conn.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct MHD_Daemon;
struct http_front;
struct http_stream;

enum { LINK_SCRATCH = 16384, LINK_SOCKET_BUFFER = 65536 };

enum http_link_state {
    LINK_HANDSHAKE,
    LINK_OPEN,
    LINK_STREAM, /* the answer is a stream */
    LINK_LINGER, /* all is sent; waits a moment for the peer to close, so that nothing is cut off */
    LINK_DEAD,
};

/* One descriptor in the front's epoll set; events carry a pointer to it. */
struct endpoint {
    enum endpoint_kind { ENDPOINT_WAKE, ENDPOINT_LISTENER, ENDPOINT_SOCK, ENDPOINT_PAIR } kind;
    int fd;
    uint32_t interest;
    bool registered;
    struct http_link *link;
};

/* One direction. */
struct flow {
    uint8_t *data; /* what the sink did not take yet; NULL when nothing */
    size_t from, len;
    enum tls_wait wait; /* what the TLS side waits for */
    bool ended;         /* the source gives no more */
    bool told;          /* and the sink knows */
    bool discard;       /* the sink is gone: bytes are dropped */
};

struct http_link {
    struct http_link *prev, *next; /* list of its state, oldest first */
    enum http_link_state state;
    bool again; /* more can be moved now, without an event */
    struct endpoint sock, pair;
    struct tls_conn *tls; /* NULL: plain */
    struct http_front *front;
    int mhd_fd;   /* MHD's end of the pair; -1: none */
    bool counted; /* in the server's number of connections */
    /* Set by MHD's thread before it closes its end; holds a reference. */
    _Atomic(struct http_stream *) stream;
    struct flow up, down;
    bool pair_gone; /* MHD has closed its end */
    struct http_gate gate;
    unsigned message;    /* the gate's count when this request began */
    int64_t inside_ms;   /* since when a request is arriving; 0: none is */
    int64_t deadline_ms; /* of the state; not for LINK_OPEN: MHD watches idleness */
    struct sockaddr_storage peer;
    socklen_t peer_len;
};

/* NULL: no memory; sock is closed in any case. tls is taken over, and NULL for plain HTTP. */
struct http_link *http_link_new(int sock, struct tls_conn *tls, const struct sockaddr *peer,
                                socklen_t peer_len);
/* Closes both descriptors. */
void http_link_free(struct http_link *l);

/* Goes on with the handshake. EMT_OK it is up; EMT_EAGAIN; else it failed (tls_conn_reason). */
enum emt_err http_link_handshake(struct http_link *l);
/* Makes the socketpair. False: the link cannot be used. */
bool http_link_make_pair(struct http_link *l, int *mhd_end);
/* Moves what can be moved; sets `again` when it stopped for others' sake. Sets the state to
 * LINK_LINGER or LINK_DEAD at the end. */
void http_link_pump(struct http_link *l, uint8_t scratch[LINK_SCRATCH]);
/* The request takes too long to arrive. */
void http_link_time_out(struct http_link *l);
/* Tells MHD once more that nothing will follow: with its edge-triggered events it does not notice
 * an end that came together with its last bytes. */
void http_link_end_again(struct http_link *l);
/* The pair's other end is closed for good: what is left in it is still read. */
void http_link_pair_hangup(struct http_link *l);

/* Events that the link waits for on each side. */
uint32_t http_link_sock_interest(const struct http_link *l);
uint32_t http_link_pair_interest(const struct http_link *l);

#endif
