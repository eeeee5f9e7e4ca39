#include "http_fixture.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct http_fixture http_fixture;

/* Handlers of /block wait here. */
static pthread_mutex_t gate_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_changed = PTHREAD_COND_INITIALIZER;
static bool gate_open;
static unsigned gate_waiting;

struct tls_context *http_fixture_context(enum tls_profile profile, const char *name)
{
    struct tls_settings s = { .profile = profile,
                              .trust = http_fixture.pki.trust,
                              .session_cache = 64 };
    struct tls_context *ctx = NULL;
    struct test_leaf leaf = { 0 };

    if (name) {
        test_leaf_server(&leaf, http_fixture.pki.servers, KEY_P256, name);
        s.chain_pem = (const char *)leaf.chain.data;
        s.chain_len = leaf.chain.len;
        s.key_pem = (const char *)leaf.key.data;
        s.key_len = leaf.key.len;
    }
    ck_assert_int_eq(tls_context_new(&s, &ctx, NULL), EMT_OK);
    if (name)
        test_leaf_release(&leaf);
    return ctx;
}

void http_fixture_setup(void)
{
    test_pki_init(&http_fixture.pki);
    http_fixture.server_tls = http_fixture_context(TLS_PROFILE_HTTPS, "localhost");
    http_fixture.client_tls = http_fixture_context(TLS_PROFILE_HTTPS_CLIENT, NULL);
}

void http_fixture_teardown(void)
{
    tls_context_unref(http_fixture.server_tls);
    tls_context_unref(http_fixture.client_tls);
    test_pki_release(&http_fixture.pki);
}

static void gate_wait(void)
{
    pthread_mutex_lock(&gate_lock);
    gate_waiting++;
    pthread_cond_broadcast(&gate_changed);
    while (!gate_open)
        pthread_cond_wait(&gate_changed, &gate_lock);
    gate_waiting--;
    pthread_mutex_unlock(&gate_lock);
}

void gate_await(unsigned n)
{
    pthread_mutex_lock(&gate_lock);
    while (gate_waiting < n)
        pthread_cond_wait(&gate_changed, &gate_lock);
    pthread_mutex_unlock(&gate_lock);
}

void gate_set(bool open)
{
    pthread_mutex_lock(&gate_lock);
    gate_open = open;
    pthread_cond_broadcast(&gate_changed);
    pthread_mutex_unlock(&gate_lock);
}

static void echo(const struct http_request *r, struct http_response *out)
{
    struct writer *w = http_response_body(out);
    size_t n = 0;
    const uint8_t *body = http_request_body(r, &n);
    const char *value = "";
    const char *name;

    writer_printf(w, "%s %s from %s\n", http_method_name(http_request_method(r)),
                  http_request_path(r), http_request_peer(r));
    for (unsigned i = 0; (name = http_request_query_at(r, i, &value)) != NULL; i++)
        writer_printf(w, "%s=%s\n", name, value);
    const char *header = http_request_header(r, "x-thing");
    writer_printf(w, "thing %s\n", header ? header : "(none)");
    writer_bytes(w, body, n);
}

static enum emt_err handle(void *ctx, void *worker, const struct http_request *r,
                           struct http_response *out)
{
    const char *path = http_request_path(r);
    const char *n = http_request_query(r, "n");
    struct writer *w = http_response_body(out);

    (void)ctx;
    ck_assert_ptr_nonnull(worker);
    if (strcmp(path, "/fail") == 0) {
        writer_text(w, "half an answer that nobody sees");
        return EMT_EDB;
    }
    if (strcmp(path, "/block") == 0)
        gate_wait();
    if (strcmp(path, "/body") == 0) {
        size_t len = 0;
        const uint8_t *body = http_request_body(r, &len);
        writer_bytes(w, body, len);
        return EMT_OK;
    }
    if (strcmp(path, "/big") == 0) {
        uint8_t *p = writer_reserve(w, strtoul(n, NULL, 10));
        if (p)
            memset(p, 'x', strtoul(n, NULL, 10));
        return EMT_OK;
    }
    if (strcmp(path, "/nothing") == 0) {
        http_response_status(out, 204);
        return EMT_OK;
    }
    if (strcmp(path, "/inject") == 0) {
        ck_assert_int_eq(http_response_header(out, "X-A", "b\r\nX-Evil: 1"), EMT_EMALFORMED);
        ck_assert_int_eq(http_response_header(out, "X-A: b", "c"), EMT_EMALFORMED);
        ck_assert_int_eq(http_response_header(out, "", "c"), EMT_EMALFORMED);
        for (unsigned i = 0; i < 64; i++)
            ck_assert_int_eq(http_response_header(out, "X-Good", "1"), EMT_OK);
        ck_assert_int_eq(http_response_header(out, "X-Good", "1"), EMT_ELIMIT);
    }
    echo(r, out);
    return EMT_OK;
}

static void *worker_new(void *ctx)
{
    (void)ctx;
    return atomic_load(&http_fixture.no_worker) ? NULL : malloc(1);
}

static void worker_free(void *ctx, void *worker)
{
    (void)ctx;
    free(worker);
}

static int32_t tenant_of(void *ctx, const struct http_request *r)
{
    const char *text = http_request_header(r, "X-Tenant");

    (void)ctx;
    return text ? (int32_t)strtol(text, NULL, 10) : 0;
}

const struct http_handler http_fixture_handler = {
    .worker_new = worker_new, .worker_free = worker_free, .tenant_of = tenant_of, .handle = handle
};

struct http_server *http_fixture_server_with(struct http_settings s)
{
    static const char *const loopback[] = { "127.0.0.1:0" };
    struct http_server *out = NULL;
    struct emt_diag diag = { 0 };

    if (!s.listen) {
        s.listen = loopback;
        s.nlisten = 1;
    }
    ck_assert_msg(http_server_start(&s, &http_fixture_handler, &out, &diag) == EMT_OK, "%s",
                  diag.text);
    ck_assert_uint_ne(http_server_port(out, 0), 0);
    return out;
}

struct http_server *http_fixture_server(void)
{
    return http_fixture_server_with((struct http_settings){ .tls = http_fixture.server_tls });
}

void http_fixture_client(struct client *c, struct http_server *s)
{
    client_open(c, http_server_port(s, 0), http_fixture.client_tls);
}
