/* The front of one HTTP thread: accepts, does TLS, feeds its MHD daemon. */
#ifndef EMT_HTTP_FRONT_H
#define EMT_HTTP_FRONT_H

#include "base/attr.h"
#include "base/error.h"
#include "base/writer.h"

struct MHD_Daemon;
struct http_front;
struct http_link;
struct http_server;
struct http_stream;

/* Starts the thread, which accepts on the server's listeners. daemon is borrowed. */
EMT_CHECKED enum emt_err front_start(struct http_server *s, struct MHD_Daemon *daemon,
                                     struct http_front **out);
/* Makes the thread look at the server's phase. */
void front_wake(struct http_front *f);
/* Makes the thread look at a stream of one of its links; a reference goes along. */
void front_tell(struct http_front *f, struct http_stream *s);
/* The answer of a link whose gate has refused; counts and notes it. */
void front_refused(struct http_front *f, struct http_link *l, struct writer *w);
/* Waits for the thread, which ends in SERVER_ENDING; frees. */
void front_join(struct http_front *f);
struct MHD_Daemon *front_daemon(const struct http_front *f);

#endif
