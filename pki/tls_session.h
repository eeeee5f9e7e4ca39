/* Sessions without the peer's certificates (decision 14). Internal to pki/. */
#ifndef EMT_PKI_TLS_SESSION_H
#define EMT_PKI_TLS_SESSION_H

#include <openssl/ssl.h>
#include <stdbool.h>

/* Server, TLS 1.2, after a full handshake: replaces the connection's session by a copy without the
 * peer's certificates (about 11 KiB per connection) and puts that copy into the cache if wanted.
 * The context's method must be a fixed version: SSL_set_session() on a flexible one would restart
 * the connection. When it fails the connection goes on with the session that it has. */
void session_slim(SSL *ssl, bool cache);

#endif
