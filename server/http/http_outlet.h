/* The inner side of a stream: between whoever writes it and the front that sends it. */
#ifndef EMT_HTTP_OUTLET_H
#define EMT_HTTP_OUTLET_H

#include "http/http_stream.h"

#include <pthread.h>
#include <stdint.h>

struct http_front;
struct http_link;
struct http_server;

struct http_stream {
    struct http_server *server;
    pthread_mutex_t lock; /* guards all up to `waiting` */
    unsigned refs;
    size_t most; /* bytes queued and taken together */
    uint8_t *data;
    size_t len, cap;
    size_t taken;       /* bytes that the front has and the peer has not */
    int64_t moved_ms;   /* when bytes began to wait, or the peer last took some */
    bool ended, closed; /* no more is to come; nobody sends any more */
    bool abort;
    struct http_front *front; /* NULL until the answer's head is out */
    bool waiting;             /* in the front's mailbox, which holds a reference */

    struct http_stream *next; /* in the mailbox, under its lock */
    struct http_link *link;   /* the front's thread only */
};

struct http_stream *stream_ref(struct http_stream *s);
/* The answer's head, before everything that was queued meanwhile. False: no memory. */
bool stream_begin(struct http_stream *s, const void *head, size_t n);
/* The front serves it from here on; called in its thread. */
void stream_attach(struct http_stream *s, struct http_front *front, struct http_link *link);
/* Nobody serves it any more. */
void stream_close(struct http_stream *s);
/* Takes it out of the mailbox; NULL: nobody serves it any more. */
struct http_link *stream_heard(struct http_stream *s);
/* All that is queued: *data is freed by the caller. 0: nothing. *over: nothing will follow; *abort:
 * what is left does not count. */
size_t stream_take(struct http_stream *s, uint8_t **data, bool *over, bool *abort);
/* The peer took n of the bytes taken; called in the front's thread. */
void stream_sent(struct http_stream *s, size_t n);

#endif
