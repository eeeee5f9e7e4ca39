#include "bench_channel.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/writer.h"
#include "bench_channel_server.h"
#include "pki/authority.h"
#include "wire/uplink.h"

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FRAME_BYTES 100
#define TURNS 5

struct options {
    unsigned sessions, handshakes, messages;
};

struct identities {
    struct writer root, server, server_key, gateway, gateway_key;
};

struct client {
    SSL *ssl;
    int fd;
};

static void check(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "emt-bench channel: %s\n", what);
    exit(1);
}

/* ---- identities ---- */

static void identities_make(struct identities *id, enum key_kind kind)
{
    struct authority *root = NULL, *servers = NULL, *tenant = NULL;
    struct writer csr;
    struct leaf_info info;
    emt_time now = clock_now();

    writer_init_heap(&id->root, 65536);
    writer_init_heap(&id->server, 65536);
    writer_init_heap(&id->server_key, 65536);
    writer_init_heap(&id->gateway, 65536);
    writer_init_heap(&id->gateway_key, 65536);
    writer_init_heap(&csr, 65536);
    check(authority_new_root(kind, now, EMT_DAY, &root, NULL) == EMT_OK &&
              authority_chain_pem(root, &id->root) == EMT_OK &&
              authority_new_sub(root, kind, NULL, "EMT Platform Server CA", now, EMT_DAY, &servers,
                                NULL) == EMT_OK &&
              authority_new_sub(root, kind, "acme", "EMT Tenant CA acme", now, EMT_DAY, &tenant,
                                NULL) == EMT_OK &&
              authority_issue_server(servers, kind, "127.0.0.1", now, EMT_DAY, &id->server,
                                     &id->server_key, &info, NULL) == EMT_OK &&
              csr_new(kind, "gateway", &id->gateway_key, &csr, NULL) == EMT_OK &&
              authority_issue_gateway(tenant, (const char *)csr.data, csr.len, "acme", "gw-1", now,
                                      EMT_DAY, &id->gateway, &info, NULL) == EMT_OK,
          "certificates");
    writer_release(&csr);
    authority_free(root);
    authority_free(servers);
    authority_free(tenant);
}

static void identities_release(struct identities *id)
{
    writer_release(&id->root);
    writer_release(&id->server);
    writer_release(&id->server_key);
    writer_release(&id->gateway);
    writer_release(&id->gateway_key);
}

/* ---- the gateways' end, bare OpenSSL for both servers ---- */

static SSL_CTX *client_context(struct identities *id)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    BIO *bio = BIO_new_mem_buf(writer_cstr(&id->gateway), -1);
    X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);

    SSL_CTX_use_certificate(ctx, cert);
    X509_free(cert);
    while ((cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)))
        SSL_CTX_add0_chain_cert(ctx, cert);
    BIO_free(bio);
    bio = BIO_new_mem_buf(writer_cstr(&id->gateway_key), -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    check(SSL_CTX_use_PrivateKey(ctx, key) == 1, "client key");
    EVP_PKEY_free(key);
    SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set1_groups_list(ctx, "P-256:brainpoolP256r1:brainpoolP384r1:P-384");
    SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)"\005emt/1", 6);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    return ctx;
}

static void client_open(struct client *c, SSL_CTX *ctx, uint16_t port, SSL_SESSION *resume)
{
    struct sockaddr_in sa = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(c->fd >= 0 && connect(c->fd, (struct sockaddr *)&sa, sizeof sa) == 0, "connect");
    c->ssl = SSL_new(ctx);
    SSL_set_fd(c->ssl, c->fd);
    if (resume)
        SSL_set_session(c->ssl, resume);
    check(SSL_connect(c->ssl) == 1, "handshake");
    check(!resume || SSL_session_reused(c->ssl), "not resumed");
}

static void client_close(struct client *c)
{
    (void)SSL_shutdown(c->ssl); /* says so, and does not wait: a session cut off is not resumed */
    SSL_free(c->ssl);
    close(c->fd);
}

/* One message out and one answer in, whatever it is. */
static void client_round(struct client *c, const struct writer *w)
{
    char buf[4096];

    check(SSL_write(c->ssl, w->data, (int)w->len) == (int)w->len, "write");
    check(SSL_read(c->ssl, buf, sizeof buf) > 0, "no answer");
}

static void encode_hello(struct writer *w)
{
    struct uplink_message m = { .kind = UPLINK_HELLO };

    m.u.hello.version_min = m.u.hello.version_max = UPLINK_VERSION;
    m.u.hello.next_seq = m.u.hello.oldest_seq = 1;
    writer_clear(w);
    check(uplink_encode(&m, w) == EMT_OK, "hello");
}

static void encode_frame(struct writer *w, uint64_t seq)
{
    static uint8_t data[FRAME_BYTES];
    struct uplink_frame f = { .seq = seq, .protocol = 1, .data = data, .len = sizeof data };
    struct uplink_message m = { .kind = UPLINK_FRAMES, .u.frames = { &f, 1 } };

    writer_clear(w);
    check(uplink_encode(&m, w) == EMT_OK, "frame");
}

/* ---- phases: figures of one server ---- */

struct figures {
    double full_us, resumed_us, message_us, session_bytes;
};

static void settle(struct channel_server *s, unsigned sessions)
{
    struct channel_report r;

    for (int i = 0; i < 1000; i++) {
        channel_server_report(s, &r);
        if (r.sessions == sessions)
            return;
        nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
    }
    check(false, "sessions do not settle");
}

static double handshakes(struct channel_server *s, SSL_CTX *ctx, unsigned n, bool resume)
{
    struct channel_report before, after;
    struct client c;
    struct writer hello;
    SSL_SESSION *session = NULL;

    writer_init_heap(&hello, 4096);
    encode_hello(&hello);
    client_open(&c, ctx, s->port, NULL); /* warm, and something to resume */
    client_round(&c, &hello);
    session = resume ? SSL_get1_session(c.ssl) : NULL;
    client_close(&c);
    settle(s, 0);
    channel_server_report(s, &before);
    for (unsigned i = 0; i < n; i++) {
        client_open(&c, ctx, s->port, session);
        client_close(&c);
    }
    nanosleep(&(struct timespec){ 0, 200000000 }, NULL);
    channel_server_report(s, &after);
    SSL_SESSION_free(session);
    writer_release(&hello);
    return (double)(after.cpu_us - before.cpu_us) / n;
}

static double messages(struct channel_server *s, SSL_CTX *ctx, unsigned n)
{
    struct channel_report before, after;
    struct client c;
    struct writer w;

    writer_init_heap(&w, 4096);
    client_open(&c, ctx, s->port, NULL);
    encode_hello(&w);
    client_round(&c, &w);
    channel_server_report(s, &before);
    for (unsigned i = 1; i <= n; i++) {
        encode_frame(&w, i);
        client_round(&c, &w);
    }
    channel_server_report(s, &after);
    client_close(&c);
    writer_release(&w);
    return (double)(after.cpu_us - before.cpu_us) / n;
}

static double memory(struct channel_server *s, SSL_CTX *ctx, unsigned n)
{
    struct channel_report before, after;
    struct client *c = calloc(n, sizeof *c);
    struct writer hello;

    check(c != NULL, "out of memory");
    writer_init_heap(&hello, 4096);
    encode_hello(&hello);
    settle(s, 0);
    channel_server_report(s, &before);
    for (unsigned i = 0; i < n; i++) {
        client_open(&c[i], ctx, s->port, NULL);
        client_round(&c[i], &hello);
    }
    settle(s, n);
    channel_server_report(s, &after);
    for (unsigned i = 0; i < n; i++)
        client_close(&c[i]);
    free(c);
    writer_release(&hello);
    return (double)(after.rss_bytes - before.rss_bytes) / n;
}

/* Both servers run, and have their turns one after the other: what else the machine does meets both
 * alike, and the median of the turns leaves out the one that it met hard. */
enum turn_kind { TURN_FULL, TURN_RESUMED, TURN_MESSAGE, TURN_KINDS };

struct turns {
    double us[TURN_KINDS][TURNS];
};

static void take_turn(struct channel_server *s, SSL_CTX *ctx, const struct options *o, bool all,
                      struct turns *t, unsigned i)
{
    t->us[TURN_FULL][i] = handshakes(s, ctx, o->handshakes / TURNS + 1, false);
    t->us[TURN_RESUMED][i] = handshakes(s, ctx, o->handshakes, true);
    t->us[TURN_MESSAGE][i] = all ? messages(s, ctx, o->messages / TURNS + 1) : 0;
}

static int by_size(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static double median(double *v)
{
    qsort(v, TURNS, sizeof *v, by_size);
    return v[TURNS / 2];
}

static void conclude(struct turns *t, struct figures *f)
{
    f->full_us = median(t->us[TURN_FULL]);
    f->resumed_us = median(t->us[TURN_RESUMED]);
    f->message_us = median(t->us[TURN_MESSAGE]);
}

/* Memory in a process of its own: pages that handshakes have freed would hide it. */
static double measure_memory(const struct channel_identity *ci, SSL_CTX *ctx,
                             const struct options *o, bool bare)
{
    struct channel_server s;
    double bytes;

    channel_server_start(&s, ci, bare);
    (void)handshakes(&s, ctx, 1, false);
    bytes = memory(&s, ctx, o->sessions);
    channel_server_stop(&s);
    return bytes;
}

static void measure(struct identities *id, const struct options *o, bool all, struct figures *bare,
                    struct figures *ours)
{
    struct channel_identity ci = { writer_cstr(&id->root), writer_cstr(&id->server),
                                   writer_cstr(&id->server_key) };
    struct channel_server sb, so;
    struct turns tb, to;
    SSL_CTX *ctx = client_context(id);

    if (all) {
        bare->session_bytes = measure_memory(&ci, ctx, o, true);
        ours->session_bytes = measure_memory(&ci, ctx, o, false);
    }
    channel_server_start(&sb, &ci, true);
    channel_server_start(&so, &ci, false);
    for (unsigned i = 0; i < TURNS; i++) {
        take_turn(&sb, ctx, o, all, &tb, i);
        take_turn(&so, ctx, o, all, &to, i);
    }
    conclude(&tb, bare);
    conclude(&to, ours);
    channel_server_stop(&sb);
    channel_server_stop(&so);
    SSL_CTX_free(ctx);
}

static void line(const char *name, const char *unit, unsigned runs, double value, double baseline)
{
    printf("{\"bench\":\"channel\",\"name\":\"%s\",\"value\":%.1f,\"unit\":\"%s\",\"runs\":%u,"
           "\"baseline\":%.1f,\"ratio\":%.2f}\n",
           name, value, unit, runs, baseline, baseline > 0 ? value / baseline : 0);
    fflush(stdout);
}

static unsigned number(const char *text)
{
    unsigned long n = strtoul(text, NULL, 10);

    check(n > 0 && n <= 1000000, "a number from 1 to 1,000,000 is expected");
    return (unsigned)n;
}

static bool read_options(int argc, char **argv, struct options *o)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--full") == 0)
            o->sessions = 10000;
        else if (strcmp(argv[i], "--sessions") == 0 && i + 1 < argc)
            o->sessions = number(argv[++i]);
        else if (strcmp(argv[i], "--handshakes") == 0 && i + 1 < argc)
            o->handshakes = number(argv[++i]);
        else if (strcmp(argv[i], "--messages") == 0 && i + 1 < argc)
            o->messages = number(argv[++i]);
        else
            return false;
    }
    return true;
}

int bench_channel(int argc, char **argv)
{
    struct options o = { 2000, 500, 20000 };
    struct rlimit files;
    struct identities id;
    struct figures ours, bare;

    if (!read_options(argc, argv, &o))
        return 2;
    signal(SIGPIPE, SIG_IGN);
    log_open("emt-bench", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, 2);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);

    identities_make(&id, KEY_P256);
    measure(&id, &o, true, &bare, &ours);
    identities_release(&id);
    line("session-memory", "bytes", o.sessions, ours.session_bytes, bare.session_bytes);
    line("handshake-cpu-p256", "us", o.handshakes, ours.full_us, bare.full_us);
    line("resumed-cpu-p256", "us", o.handshakes, ours.resumed_us, bare.resumed_us);
    line("message-cpu", "us", o.messages, ours.message_us, bare.message_us);
    identities_make(&id, KEY_BRAINPOOL_P256R1);
    measure(&id, &o, false, &bare, &ours);
    identities_release(&id);
    line("handshake-cpu-brainpool", "us", o.handshakes, ours.full_us, bare.full_us);
    line("resumed-cpu-brainpool", "us", o.handshakes, ours.resumed_us, bare.resumed_us);
    return 0;
}
