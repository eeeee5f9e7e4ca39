#include "bench_channel_server.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/writer.h"
#include "handshake_pool.h"
#include "link.h"
#include "listener.h"
#include "loop/loop.h"
#include "pki/tls_conn.h"
#include "pki/tls_context.h"
#include "pki/trust.h"
#include "session.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <event2/thread.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CREDIT ((size_t)1 << 20)

static void fail(const char *what)
{
    fprintf(stderr, "emt-bench channel: %s\n", what);
    exit(1);
}

/* ---- what both answer ---- */

static int64_t rss_bytes(void)
{
    long pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    if (!f || fscanf(f, "%ld %ld", &pages, &resident) != 2)
        fail("no /proc/self/statm");
    fclose(f);
    return (int64_t)resident * sysconf(_SC_PAGESIZE);
}

static int64_t cpu_us(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * INT64_C(1000000) + u.ru_utime.tv_usec +
           u.ru_stime.tv_usec;
}

/* Until the parent is gone. */
static void answer(int fd, uint16_t port, atomic_uint *sessions)
{
    char ask;

    while (read(fd, &ask, 1) == 1) {
        struct channel_report r = { rss_bytes(), cpu_us(), atomic_load(sessions), port };
        if (write(fd, &r, sizeof r) != (ssize_t)sizeof r)
            break;
    }
    _exit(0);
}

/* ---- ours ---- */

struct ours {
    struct loop *loop;
    struct tls_context *tls;
    struct handshake_pool *pool;
    struct link_pool links;
    struct arena *arena;
    struct writer encoder;
    struct session_limits limits;
    atomic_uint sessions;
};

struct conn {
    struct session session;
    struct ours *o;
    struct link *link;
    bool closed;
};

struct arrival {
    struct ours *o;
    struct tls_conn *tls;
    int fd;
};

static enum emt_err op_send(void *link, const struct uplink_message *m)
{
    struct conn *c = link;

    writer_clear(&c->o->encoder);
    if (uplink_encode(m, &c->o->encoder) != EMT_OK)
        return EMT_EINTERNAL;
    return link_send(c->link, c->o->encoder.data, c->o->encoder.len);
}

static void op_allow(void *link, size_t longest)
{
    link_allow(((struct conn *)link)->link, longest);
}

static void on_claimed(void *arg)
{
    struct session_owned owned = { 1, 1, 1, 0 };

    session_handle(arg, EV_CLAIMED, &(struct session_input){ .owned = &owned });
}

static enum emt_err op_claim(void *host, struct session *s, const struct uplink_hello *hello)
{
    (void)hello;
    return loop_after_turn(((struct ours *)host)->loop, on_claimed, s);
}

static enum emt_err op_open(void *host, struct session *s, uint64_t last_seq)
{
    (void)host;
    (void)s;
    (void)last_seq;
    return EMT_OK;
}

/* As if the batch were committed at once: its acknowledgement is the answer. */
static void on_committed(void *arg)
{
    struct session *s = arg;
    struct ingest_report r = { .up_to = s->last_taken };

    session_handle(s, EV_COMMITTED, &(struct session_input){ .report = &r });
}

static enum emt_err op_frame(void *host, struct session *s, const struct ingest_frame *f)
{
    (void)f;
    return loop_after_turn(((struct ours *)host)->loop, on_committed, s);
}

static enum emt_err op_gap(void *host, struct session *s, const struct uplink_gap *g)
{
    (void)host;
    (void)s;
    (void)g;
    return EMT_OK;
}

static size_t op_credit(void *host, struct session *s)
{
    (void)host;
    (void)s;
    return CREDIT;
}

static void op_status(void *host, struct session *s, const struct uplink_status *st)
{
    (void)host;
    (void)s;
    (void)st;
}

static void op_log(void *host, struct session *s, const struct uplink_log *l)
{
    (void)host;
    (void)s;
    (void)l;
}

static void op_result(void *host, struct session *s, const struct uplink_command_result *r)
{
    (void)host;
    (void)s;
    (void)r;
}

static enum emt_err op_renew(void *host, struct session *s,
                             const struct uplink_certificate_request *r)
{
    (void)host;
    (void)s;
    (void)r;
    return EMT_ELIMIT;
}

static void op_ready(void *host, struct session *s)
{
    (void)s;
    atomic_fetch_add(&((struct ours *)host)->sessions, 1);
}

static void on_buried(void *arg)
{
    struct conn *c = arg;

    session_release(&c->session);
    free(c);
}

static void op_closed(void *host, struct session *s)
{
    struct ours *o = host;
    struct conn *c = (struct conn *)s;

    if (s->was_ready)
        atomic_fetch_sub(&o->sessions, 1);
    link_close(c->link);
    if (loop_after_turn(o->loop, on_buried, c) != EMT_OK)
        fail("out of memory");
}

static const struct session_ops ops = { .send = op_send,
                                        .allow = op_allow,
                                        .claim = op_claim,
                                        .ingest_open = op_open,
                                        .ingest_frame = op_frame,
                                        .ingest_gap = op_gap,
                                        .ingest_credit = op_credit,
                                        .status = op_status,
                                        .log = op_log,
                                        .command_result = op_result,
                                        .renew = op_renew,
                                        .ready = op_ready,
                                        .closed = op_closed };

static void on_message(void *ctx, const uint8_t *p, size_t n)
{
    struct conn *c = ctx;
    struct uplink_message m;

    arena_reset(c->o->arena);
    if (uplink_decode(p, n, c->o->arena, &m) == EMT_OK)
        session_message(&c->session, &m);
}

static void on_ended(void *ctx, enum link_end end)
{
    (void)end;
    session_handle(&((struct conn *)ctx)->session, EV_PEER_LOST, &(struct session_input){ 0 });
}

static const struct link_handler handler = { on_message, on_ended };

static void on_arrival(void *arg)
{
    struct arrival *a = arg;
    struct conn *c = calloc(1, sizeof *c);
    const struct tls_peer *p = tls_conn_peer(a->tls);
    struct session_peer peer = { .address = "127.0.0.1", .tls = tls_conn_version(a->tls) };

    if (!c)
        fail("out of memory");
    snprintf(peer.gateway, sizeof peer.gateway, "%s", p->common_name);
    snprintf(peer.tenant, sizeof peer.tenant, "%s", p->organisation);
    c->o = a->o;
    if (link_new(&a->o->links, &link_wire_tls, a->tls, a->fd, 65536, &handler, c, &c->link) !=
            EMT_OK ||
        session_init(&c->session, a->o->loop, &ops, &a->o->limits, a->o, c, &peer) != EMT_OK)
        fail("no session");
    free(a);
}

static void on_up(void *owner, struct tls_conn *tls, int fd, const char *peer)
{
    struct arrival *a = calloc(1, sizeof *a);
    struct ours *o = owner;

    (void)peer;
    if (!a)
        fail("out of memory");
    *a = (struct arrival){ o, tls, fd };
    if (loop_post(o->loop, on_arrival, a) != EMT_OK)
        fail("the loop is full");
}

static void on_failed(void *owner, enum handshake_outcome outcome, const char *reason,
                      const char *peer)
{
    (void)owner;
    (void)peer;
    fprintf(stderr, "handshake: %s: %s\n", handshake_outcome_name(outcome), reason);
}

static void on_accepted(void *ctx, int fd, const char *peer)
{
    struct ours *o = ctx;

    if (handshake_pool_add(o->pool, o->tls, fd, peer, o) != EMT_OK)
        close(fd);
}

static void on_exhausted(void *ctx)
{
    (void)ctx;
    fail("no descriptors");
}

static void on_gone(void *ctx)
{
    (void)ctx;
}

static void serve_ours(int fd, const struct channel_identity *id)
{
    static struct ours o;
    struct trust *trust = trust_new();
    struct tls_settings ts = { .profile = TLS_PROFILE_FIELD_12,
                               .chain_pem = id->chain,
                               .chain_len = strlen(id->chain),
                               .key_pem = id->key,
                               .key_len = strlen(id->key),
                               .trust = trust,
                               .session_cache = 20000 };
    struct handshake_settings hs = { 1, 4096, 10000, NULL, on_up, on_failed };
    struct listener_handler lh = { on_accepted, on_exhausted, &o, NULL };
    struct listener_address a;
    struct listener *l = NULL;
    struct emt_diag diag = { 0 };

    o.loop = loop_new(0);
    o.arena = arena_new((size_t)8 << 20);
    o.limits = (struct session_limits){ 10000, 3600000, 36000000, 1000, 64, 60, 65536, false };
    writer_init_heap(&o.encoder, UPLINK_PREFIX_LEN + UPLINK_MESSAGE_MAX);
    if (trust_add_pem(trust, id->root, strlen(id->root), &diag) != EMT_OK ||
        tls_context_new(&ts, &o.tls, &diag) != EMT_OK ||
        handshake_pool_new(&hs, &o.pool) != EMT_OK || link_pool_init(&o.links, o.loop) != EMT_OK ||
        listener_address_parse("127.0.0.1:0", &a) != EMT_OK ||
        listener_new(o.loop, &a, &lh, &l, &diag) != EMT_OK)
        fail(diag.text);
    o.links.unfinished_max = (size_t)64 << 20;
    o.links.queue_max = (size_t)256 << 10;
    o.links.linger_ms = 1000;
    o.links.gone = on_gone;
    o.links.ctx = &o;
    uint16_t port = listener_port(l);
    if (loop_start(o.loop) != EMT_OK)
        fail("no thread");
    answer(fd, port, &o.sessions);
}

/* ---- bare ---- */

struct bare {
    SSL_CTX *ctx;
    struct event_base *base;
    atomic_uint sessions;
};

struct echo {
    struct bare *b;
    SSL *ssl;
    struct event *event;
    int fd;
    bool up;
};

static void echo_free(struct echo *e)
{
    if (e->up)
        atomic_fetch_sub(&e->b->sessions, 1);
    SSL_set_shutdown(e->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(e->ssl);
    event_free(e->event);
    close(e->fd);
    free(e);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct echo *e = arg;
    char buf[16384];
    int n;

    (void)fd;
    (void)what;
    if (!e->up) {
        int r = SSL_do_handshake(e->ssl);
        if (r != 1) {
            if (SSL_get_error(e->ssl, r) != SSL_ERROR_WANT_READ)
                echo_free(e);
            return;
        }
        e->up = true;
        atomic_fetch_add(&e->b->sessions, 1);
    }
    while ((n = SSL_read(e->ssl, buf, sizeof buf)) > 0)
        if (SSL_write(e->ssl, buf, n) != n)
            break;
    if (SSL_get_error(e->ssl, n) != SSL_ERROR_WANT_READ)
        echo_free(e);
}

static void on_connection(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa,
                          int len, void *arg)
{
    struct echo *e = calloc(1, sizeof *e);

    (void)l;
    (void)sa;
    (void)len;
    if (!e)
        fail("out of memory");
    e->b = arg;
    e->fd = fd;
    e->ssl = SSL_new(e->b->ctx);
    SSL_set_fd(e->ssl, fd);
    SSL_set_accept_state(e->ssl);
    e->event = event_new(e->b->base, fd, EV_READ | EV_PERSIST, on_readable, e);
    event_add(e->event, NULL);
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *n, const unsigned char *in,
                   unsigned in_len, void *arg)
{
    (void)ssl;
    (void)arg;
    (void)in_len;
    *out = in + 1;
    *n = in[0];
    return SSL_TLSEXT_ERR_OK;
}

static void bare_context(struct bare *b, const struct channel_identity *id)
{
    X509_STORE *store = X509_STORE_new();
    BIO *bio = BIO_new_mem_buf(id->root, -1);
    X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);

    b->ctx = SSL_CTX_new(TLS_server_method());
    X509_STORE_add_cert(store, cert);
    X509_free(cert);
    BIO_free(bio);
    SSL_CTX_set_cert_store(b->ctx, store);
    bio = BIO_new_mem_buf(id->chain, -1);
    cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    SSL_CTX_use_certificate(b->ctx, cert);
    X509_free(cert);
    while ((cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)))
        SSL_CTX_add0_chain_cert(b->ctx, cert);
    BIO_free(bio);
    bio = BIO_new_mem_buf(id->key, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    if (SSL_CTX_use_PrivateKey(b->ctx, key) != 1)
        fail("bare server: key");
    EVP_PKEY_free(key);
    SSL_CTX_set_min_proto_version(b->ctx, TLS1_2_VERSION);
    SSL_CTX_set_max_proto_version(b->ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(b->ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(b->ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set1_groups_list(b->ctx, "P-256:brainpoolP256r1:brainpoolP384r1:P-384");
    SSL_CTX_set_verify(b->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_session_id_context(b->ctx, (const unsigned char *)"bare", 4);
    SSL_CTX_set_alpn_select_cb(b->ctx, on_alpn, NULL);
}

static void *bare_run(void *arg)
{
    event_base_dispatch(((struct bare *)arg)->base);
    return NULL;
}

static void serve_bare(int fd, const struct channel_identity *id)
{
    static struct bare b;
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof sa;
    pthread_t thread;

    bare_context(&b, id);
    b.base = event_base_new();
    struct evconnlistener *l = evconnlistener_new_bind(
        b.base, on_connection, &b, LEV_OPT_CLOSE_ON_FREE, 1024, (struct sockaddr *)&sa, sizeof sa);
    if (!l || getsockname(evconnlistener_get_fd(l), (struct sockaddr *)&sa, &len) != 0 ||
        pthread_create(&thread, NULL, bare_run, &b) != 0)
        fail("bare server");
    answer(fd, ntohs(sa.sin_port), &b.sessions);
}

/* ---- processes ---- */

void channel_server_start(struct channel_server *s, const struct channel_identity *id, bool bare)
{
    struct channel_report r;
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
        fail("socketpair");
    fflush(NULL);
    s->pid = fork();
    if (s->pid < 0)
        fail("fork");
    if (s->pid == 0) {
        close(fds[0]);
        signal(SIGPIPE, SIG_IGN);
        if (bare)
            serve_bare(fds[1], id);
        else
            serve_ours(fds[1], id);
        _exit(0);
    }
    close(fds[1]);
    s->fd = fds[0];
    channel_server_report(s, &r);
    s->port = r.port;
}

void channel_server_report(struct channel_server *s, struct channel_report *out)
{
    if (write(s->fd, "?", 1) != 1 ||
        recv(s->fd, out, sizeof *out, MSG_WAITALL) != (ssize_t)sizeof *out)
        fail("the server is gone");
}

void channel_server_stop(struct channel_server *s)
{
    shutdown(s->fd, SHUT_RDWR); /* a server that was started later has a copy of this end */
    close(s->fd);
    waitpid(s->pid, NULL, 0);
}
