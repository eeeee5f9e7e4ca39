/* What a client sends, looked at before libmicrohttpd sees it: where each request ends, in one way
 * only (RFC 9112). A proxy before us and the library behind us must not be able to read it
 * differently, so what is lax is refused, not repaired.
 *
 * Bytes pass as whole heads, bodies and chunk lines; what is not whole yet is held, at most
 * GATE_HEAD_MAX. Knows no sockets and no clock. */
#ifndef EMT_HTTP_GATE_H
#define EMT_HTTP_GATE_H

#include "base/attr.h"
#include "base/writer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    GATE_HEAD_MAX = 8192,   /* request line and headers: beyond 431 */
    GATE_TARGET_MAX = 6144, /* beyond 414 */
    GATE_HEADERS_MAX = 64,  /* beyond 431 */
    GATE_QUERY_MAX = 64,    /* parameters; beyond 400 */
    GATE_METHOD_MAX = 16,
    GATE_CHUNK_DIGITS_MAX = 8,
};

enum gate_state {
    GATE_START, /* between requests; one empty line may come (RFC 9112, 2.2) */
    GATE_HEAD,  /* in a request line or headers */
    GATE_BODY,  /* `left` bytes of a body of known length */
    GATE_CHUNK_SIZE,
    GATE_CHUNK_DATA, /* `left` bytes of a chunk */
    GATE_CHUNK_END,  /* the line end behind a chunk */
    GATE_LAST,       /* the empty line behind the last chunk */
    GATE_REFUSED,    /* nothing passes any more */
};

struct http_gate {
    enum gate_state state;
    uint8_t *held; /* what is not whole yet; NULL when nothing */
    size_t nheld;
    uint8_t *passed; /* what the last call gave out, where it was held before */
    size_t seen;     /* bytes at the beginning of what is held that need not be looked at again */
    uint64_t left;
    unsigned messages;  /* that have begun */
    unsigned status;    /* REFUSED: of the answer */
    const char *reason; /* REFUSED: static text */
};

/* A zeroed gate is ready. */
void http_gate_release(struct http_gate *g);
/* Takes n bytes. *out (borrowed until the next call, may lie in p) may pass, *nout of them. False:
 * no memory. Refusals are a state, not an error: what passes before them still passes. */
EMT_CHECKED bool http_gate_feed(struct http_gate *g, const uint8_t *p, size_t n,
                                const uint8_t **out, size_t *nout);
/* A request has begun to arrive and is not complete. */
bool http_gate_is_inside(const struct http_gate *g);
/* For refusals from elsewhere (a time-out). */
void http_gate_refuse(struct http_gate *g, unsigned status, const char *reason);
/* The whole answer of a refusal, which ends the connection. id: 16 hex digits. */
void http_gate_answer(const struct http_gate *g, const char *id, struct writer *w);

#endif
