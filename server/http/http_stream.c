#include "base/clock.h"
#include "http_front.h"
#include "http_internal.h"
#include "http_outlet.h"

#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum { QUEUE_FIRST = 1024 };

static bool reserve_place(struct http_server *s)
{
    if (atomic_fetch_add(&s->streams, 1) < s->settings.streams)
        return true;
    atomic_fetch_sub(&s->streams, 1);
    http_count(&s->counters.streams_refused);
    return false;
}

enum emt_err http_response_stream(struct http_response *r, size_t queue_bytes,
                                  struct http_stream **out)
{
    struct http_stream *s;

    if (r->stream)
        return EMT_ESTATE;
    if (!reserve_place(r->server))
        return EMT_ELIMIT;
    s = calloc(1, sizeof *s);
    if (!s || pthread_mutex_init(&s->lock, NULL) != 0) {
        free(s);
        atomic_fetch_sub(&r->server->streams, 1);
        return EMT_ENOMEM;
    }
    s->server = r->server;
    s->refs = 2; /* the answer's and the caller's */
    s->most = queue_bytes;
    http_count(&s->server->counters.streams);
    r->stream = s;
    *out = s;
    return EMT_OK;
}

struct http_stream *stream_ref(struct http_stream *s)
{
    pthread_mutex_lock(&s->lock);
    s->refs++;
    pthread_mutex_unlock(&s->lock);
    return s;
}

void http_stream_unref(struct http_stream *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    bool last = --s->refs == 0;
    pthread_mutex_unlock(&s->lock);
    if (!last)
        return;
    stream_close(s);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static void drop_queue(struct http_stream *s)
{
    free(s->data);
    s->data = NULL;
    s->len = s->cap = 0;
}

/* Room for n more; false when the limit or the memory does not allow it. */
static bool make_room(struct http_stream *s, size_t n)
{
    size_t cap = s->cap ? s->cap : QUEUE_FIRST;

    if (n <= s->cap - s->len)
        return true;
    while (cap - s->len < n)
        cap *= 2;
    uint8_t *data = realloc(s->data, cap);
    if (!data)
        return false;
    s->data = data;
    s->cap = cap;
    return true;
}

/* Tells the front, once until it has looked. */
static void kick(struct http_stream *s)
{
    if (!s->front || s->waiting || s->closed)
        return;
    s->waiting = true;
    s->refs++;
    front_tell(s->front, s);
}

bool http_stream_write(struct http_stream *s, const void *p, size_t n)
{
    pthread_mutex_lock(&s->lock);
    size_t held = s->len + s->taken;
    bool ok = !s->closed && !s->ended && held <= s->most && n <= s->most - held && make_room(s, n);
    if (ok && n > 0) {
        if (held == 0)
            s->moved_ms = clock_mono_ms();
        memcpy(s->data + s->len, p, n);
        s->len += n;
        kick(s);
    }
    pthread_mutex_unlock(&s->lock);
    return ok;
}

void http_stream_end(struct http_stream *s)
{
    pthread_mutex_lock(&s->lock);
    s->ended = true;
    kick(s);
    pthread_mutex_unlock(&s->lock);
}

void http_stream_abort(struct http_stream *s)
{
    pthread_mutex_lock(&s->lock);
    s->ended = s->abort = true;
    drop_queue(s);
    kick(s);
    pthread_mutex_unlock(&s->lock);
}

bool http_stream_is_open(struct http_stream *s)
{
    pthread_mutex_lock(&s->lock);
    bool open = !s->closed && !s->ended;
    pthread_mutex_unlock(&s->lock);
    return open;
}

int64_t http_stream_stalled_ms(struct http_stream *s, int64_t now_ms)
{
    pthread_mutex_lock(&s->lock);
    int64_t ms = s->len + s->taken > 0 ? now_ms - s->moved_ms : 0;
    pthread_mutex_unlock(&s->lock);
    return ms > 0 ? ms : 0;
}

bool stream_begin(struct http_stream *s, const void *head, size_t n)
{
    pthread_mutex_lock(&s->lock);
    bool ok = !s->abort && make_room(s, n);
    if (ok) {
        memmove(s->data + n, s->data, s->len);
        memcpy(s->data, head, n);
        s->len += n;
        s->moved_ms = clock_mono_ms();
    }
    pthread_mutex_unlock(&s->lock);
    return ok;
}

void stream_attach(struct http_stream *s, struct http_front *front, struct http_link *link)
{
    pthread_mutex_lock(&s->lock);
    s->front = front;
    s->link = link;
    pthread_mutex_unlock(&s->lock);
}

void stream_close(struct http_stream *s)
{
    pthread_mutex_lock(&s->lock);
    bool first = !s->closed;
    s->closed = true;
    s->taken = 0;
    s->link = NULL;
    drop_queue(s);
    pthread_mutex_unlock(&s->lock);
    if (first)
        atomic_fetch_sub(&s->server->streams, 1);
}

struct http_link *stream_heard(struct http_stream *s)
{
    pthread_mutex_lock(&s->lock);
    s->waiting = false;
    struct http_link *l = s->link;
    pthread_mutex_unlock(&s->lock);
    return l;
}

size_t stream_take(struct http_stream *s, uint8_t **data, bool *over, bool *abort)
{
    pthread_mutex_lock(&s->lock);
    size_t n = s->len;
    *data = s->data;
    s->taken += n;
    s->data = NULL;
    s->len = s->cap = 0;
    *over = s->ended;
    *abort = s->abort;
    pthread_mutex_unlock(&s->lock);
    return n;
}

void stream_sent(struct http_stream *s, size_t n)
{
    if (n == 0)
        return;
    pthread_mutex_lock(&s->lock);
    s->taken -= n < s->taken ? n : s->taken;
    s->moved_ms = clock_mono_ms();
    pthread_mutex_unlock(&s->lock);
}
