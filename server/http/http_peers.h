/* How many connections each peer address has. From any thread. */
#ifndef EMT_HTTP_PEERS_H
#define EMT_HTTP_PEERS_H

#include <stdbool.h>
#include <sys/socket.h>

struct http_peers;

struct http_peers *peers_new(unsigned most); /* NULL: no memory */
void peers_free(struct http_peers *p);       /* NULL is fine */
/* One more of this address (IPv6: of its /64, which is what one subscriber has); false: it has
 * `most`, or no memory. */
bool peers_enter(struct http_peers *p, const struct sockaddr *peer);
void peers_leave(struct http_peers *p, const struct sockaddr *peer);

#endif
