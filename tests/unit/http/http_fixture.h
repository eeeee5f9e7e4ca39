/* A server of HTTP for tests, with handlers that echo, block, fail and answer at length, and its
 * clients. Ends the test when something does not work. */
#ifndef EMT_TESTS_HTTP_FIXTURE_H
#define EMT_TESTS_HTTP_FIXTURE_H

#include "http/http_server.h"
#include "http_client.h"
#include "pki/tls_context.h"
#include "pki_fixture.h"

#include <stdatomic.h>
#include <stdbool.h>

/* Between setup and teardown. */
extern struct http_fixture {
    struct test_pki pki;
    struct tls_context *server_tls, *client_tls;
    atomic_bool no_worker; /* none can be made */
} http_fixture;

void http_fixture_setup(void);
void http_fixture_teardown(void);
/* A certificate for name; NULL: none. */
struct tls_context *http_fixture_context(enum tls_profile profile, const char *name);

/* What these servers do; for those that are started by hand. */
extern const struct http_handler http_fixture_handler;
/* On a free port of the loopback interface where s names none. */
struct http_server *http_fixture_server_with(struct http_settings s);
/* The same with TLS and nothing else said. */
struct http_server *http_fixture_server(void);
void http_fixture_client(struct client *c, struct http_server *s);

/* Handlers of /block wait at the gate until it is open. */
void gate_await(unsigned n); /* until so many wait */
void gate_set(bool open);

#endif
