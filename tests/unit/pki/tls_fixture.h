/* Two ends of one TLS connection in one thread, over a socketpair. */
#ifndef EMT_TESTS_TLS_FIXTURE_H
#define EMT_TESTS_TLS_FIXTURE_H

#include "base/error.h"
#include "pki/tls_conn.h"
#include "pki/tls_context.h"
#include "pki_fixture.h"

/* leaf may be NULL; trust may be NULL. Ends the test when the context cannot be made. */
struct tls_context *test_context(enum tls_profile profile, const struct test_leaf *leaf,
                                 struct trust *trust);
/* With the sessions' age, and a cache of 100. */
struct tls_context *test_context_aged(enum tls_profile profile, const struct test_leaf *leaf,
                                      struct trust *trust, int64_t age_ms);

struct tls_pair {
    int fd[2]; /* client, server */
    struct tls_conn *client, *server;
    enum emt_err client_err, server_err;
};

/* Connects and runs both handshakes to their end; name may be NULL. */
void tls_pair_open(struct tls_pair *p, struct tls_context *client, struct tls_context *server,
                   const char *name);
/* The same up to the handshake, which tls_pair_handshake runs. */
void tls_pair_connect(struct tls_pair *p, struct tls_context *client, struct tls_context *server,
                      const char *name);
void tls_pair_handshake(struct tls_pair *p);
/* n bytes each way arrive as sent; also makes a TLS 1.3 client read its tickets. */
void tls_pair_talk(struct tls_pair *p, size_t n);
/* Without close_notify, as a lost connection ends. */
void tls_pair_close(struct tls_pair *p);

#endif
