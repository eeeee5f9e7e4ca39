/* An answer that stays open and is written from outside: server-sent events.
 *
 * A stream takes no pool worker and no MHD connection: once the handler has returned, the front
 * that holds the peer's connection serves it. Bytes wait in a bounded queue that exists only while
 * something waits; what does not fit is refused at once, so a slow reader never holds up who
 * writes. The answer ends with its connection (RFC 9112, 6.3, rule 8). */
#ifndef EMT_HTTP_HTTP_STREAM_H
#define EMT_HTTP_HTTP_STREAM_H

#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_response;
struct http_stream;

/* Makes the answer a stream: status, headers and body of the handler are its beginning. A handler
 * that then fails answers its problem document, and the stream is closed. queue_bytes: most that
 * waits for the peer. *out is given up with http_stream_unref() and may be used from any thread.
 * EMT_ELIMIT the server has its limit of streams; EMT_ESTATE the answer is one already;
 * EMT_ENOMEM. */
EMT_CHECKED enum emt_err http_response_stream(struct http_response *r, size_t queue_bytes,
                                              struct http_stream **out);
/* Queues all of it or nothing, without waiting. False: there is no room, or the stream is closed.
 */
bool http_stream_write(struct http_stream *s, const void *p, size_t n);
/* What is queued is still sent, then the connection ends. */
void http_stream_end(struct http_stream *s);
/* The connection ends now. */
void http_stream_abort(struct http_stream *s);
/* False: the peer is gone, or the server is stopping. */
bool http_stream_is_open(struct http_stream *s);
/* How long bytes have been waiting without one of them being taken; 0: nothing waits. */
int64_t http_stream_stalled_ms(struct http_stream *s, int64_t now_ms);
/* NULL is fine. The stream itself lives on until it is ended. */
void http_stream_unref(struct http_stream *s);

#endif
