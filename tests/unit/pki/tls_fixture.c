#include "tls_fixture.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct tls_context *test_context_aged(enum tls_profile profile, const struct test_leaf *leaf,
                                      struct trust *trust, int64_t age_ms)
{
    struct tls_context *ctx = NULL;
    struct emt_diag diag = { 0 };
    struct tls_settings s = {
        .profile = profile, .trust = trust, .session_cache = 100, .session_age_ms = age_ms
    };

    if (leaf) {
        s.chain_pem = (const char *)leaf->chain.data;
        s.chain_len = leaf->chain.len;
        s.key_pem = (const char *)leaf->key.data;
        s.key_len = leaf->key.len;
    }
    ck_assert_msg(tls_context_new(&s, &ctx, &diag) == EMT_OK, "%s", diag.text);
    return ctx;
}

struct tls_context *test_context(enum tls_profile profile, const struct test_leaf *leaf,
                                 struct trust *trust)
{
    return test_context_aged(profile, leaf, trust, 0);
}

void tls_pair_connect(struct tls_pair *p, struct tls_context *client, struct tls_context *server,
                      const char *name)
{
    *p = (struct tls_pair){ .client_err = EMT_EAGAIN, .server_err = EMT_EAGAIN };
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p->fd), 0);
    if (client)
        p->client = tls_conn_connect(client, p->fd[0], name);
    if (server)
        p->server = tls_conn_accept(server, p->fd[1]);
}

void tls_pair_handshake(struct tls_pair *p)
{
    enum tls_wait wait;

    for (unsigned i = 0; i < 20; i++) {
        if (p->client_err == EMT_EAGAIN)
            p->client_err = tls_conn_handshake(p->client, &wait);
        if (p->server_err == EMT_EAGAIN)
            p->server_err = tls_conn_handshake(p->server, &wait);
    }
}

void tls_pair_open(struct tls_pair *p, struct tls_context *client, struct tls_context *server,
                   const char *name)
{
    tls_pair_connect(p, client, server, name);
    tls_pair_handshake(p);
}

static void carry(struct tls_conn *from, struct tls_conn *to, size_t n)
{
    uint8_t *sent = malloc(n);
    uint8_t *got = malloc(n);
    size_t out = 0;
    size_t in = 0;

    for (size_t i = 0; i < n; i++)
        sent[i] = (uint8_t)(i * 31 + n);
    while (in < n) {
        enum tls_wait wait;
        size_t k;
        if (out < n) {
            enum emt_err err = tls_conn_write(from, sent + out, n - out, &k, &wait);
            ck_assert(err == EMT_OK || err == EMT_EAGAIN);
            out += k;
        }
        enum emt_err err = tls_conn_read(to, got + in, n - in, &k, &wait);
        ck_assert_msg(err == EMT_OK || err == EMT_EAGAIN, "%s", tls_conn_reason(to));
        in += k;
    }
    ck_assert_mem_eq(sent, got, n);
    free(sent);
    free(got);
}

void tls_pair_talk(struct tls_pair *p, size_t n)
{
    carry(p->client, p->server, n);
    carry(p->server, p->client, n);
}

void tls_pair_close(struct tls_pair *p)
{
    enum tls_wait wait;
    uint8_t byte;
    size_t n;

    tls_conn_free(p->client);
    shutdown(p->fd[0], SHUT_RDWR);
    if (p->server && p->server_err == EMT_OK) /* hears of it, as a loop does */
        ck_assert_int_ne(tls_conn_read(p->server, &byte, 1, &n, &wait), EMT_OK);
    tls_conn_free(p->server);
    close(p->fd[0]);
    close(p->fd[1]);
}
