#define _GNU_SOURCE /* memmem() */
#include "http_client.h"

#include "pki/tls_conn.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATIENCE_MS = 15000 };

static int connect_to(const struct sockaddr *sa, socklen_t len)
{
    int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    int on = 1;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, sa, len), 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

int client_socket(uint16_t port)
{
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };

    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connect_to((const struct sockaddr *)&sa, sizeof sa);
}

/* False when the time is over. */
static bool wait_for(const struct client *c, short events, int ms)
{
    struct pollfd p = { .fd = c->fd, .events = events };

    return poll(&p, 1, ms) == 1;
}

static void wait_tls(const struct client *c, enum tls_wait wait)
{
    ck_assert(wait_for(c, wait == TLS_WAIT_WRITE ? POLLOUT : POLLIN, PATIENCE_MS));
}

static void start(struct client *c, int fd, struct tls_context *tls)
{
    enum tls_wait wait;
    enum emt_err err;

    *c = (struct client){ .fd = fd };
    if (!tls)
        return;
    c->tls = tls_conn_connect(tls, fd, "localhost");
    while ((err = tls_conn_handshake(c->tls, &wait)) == EMT_EAGAIN)
        wait_tls(c, wait);
    ck_assert_msg(err == EMT_OK, "%s", tls_conn_reason(c->tls));
}

void client_open(struct client *c, uint16_t port, struct tls_context *tls)
{
    start(c, client_socket(port), tls);
}

void client_open_v6(struct client *c, uint16_t port, struct tls_context *tls)
{
    struct sockaddr_in6 sa = { .sin6_family = AF_INET6,
                               .sin6_port = htons(port),
                               .sin6_addr = IN6ADDR_LOOPBACK_INIT };

    start(c, connect_to((const struct sockaddr *)&sa, sizeof sa), tls);
}

void client_close(struct client *c)
{
    if (c->tls) {
        tls_conn_shutdown(c->tls);
        tls_conn_free(c->tls);
    }
    close(c->fd);
    free(c->buf);
}

void client_drop(struct client *c)
{
    struct linger hard = { 1, 0 };

    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    tls_conn_free(c->tls);
    close(c->fd);
    free(c->buf);
}

void client_send(struct client *c, const void *p, size_t n)
{
    size_t done = 0;

    while (done < n) {
        const char *at = (const char *)p + done;
        if (c->tls) {
            enum tls_wait wait;
            size_t k;
            enum emt_err err = tls_conn_write(c->tls, at, n - done, &k, &wait);
            if (err == EMT_EAGAIN)
                wait_tls(c, wait);
            else if (err != EMT_OK)
                return; /* the reader sees it */
            done += k;
        } else {
            ssize_t k = send(c->fd, at, n - done, MSG_NOSIGNAL);
            if (k < 0 && errno == EAGAIN)
                ck_assert(wait_for(c, POLLOUT, PATIENCE_MS));
            else if (k < 0)
                return;
            else
                done += (size_t)k;
        }
    }
}

void client_text(struct client *c, const char *text)
{
    client_send(c, text, strlen(text));
}

/* More bytes into the buffer; false at the end of the connection or of the time. */
static bool receive(struct client *c, int ms)
{
    if (c->cap - c->len < 16384) {
        c->cap = c->cap * 2 + 32768;
        c->buf = realloc(c->buf, c->cap);
    }
    for (;;) {
        char *at = c->buf + c->len;
        if (c->tls) {
            enum tls_wait wait;
            size_t k;
            enum emt_err err = tls_conn_read(c->tls, at, 16384, &k, &wait);
            c->len += k;
            if (err == EMT_OK)
                return true;
            if (err != EMT_EAGAIN)
                return false;
        } else {
            ssize_t k = recv(c->fd, at, 16384, 0);
            if (k > 0) {
                c->len += (size_t)k;
                return true;
            }
            if (k == 0 || errno != EAGAIN)
                return false;
        }
        if (!wait_for(c, POLLIN, ms))
            return false;
    }
}

static char *take(struct client *c, size_t n)
{
    char *out = malloc(n + 1);

    memcpy(out, c->buf, n);
    out[n] = 0;
    memmove(c->buf, c->buf + n, c->len - n);
    c->len -= n;
    return out;
}

static size_t content_length(const char *head)
{
    for (const char *p = head; (p = strchr(p, '\n')) != NULL;) {
        if (strncasecmp(++p, "Content-Length:", 15) == 0)
            return strtoul(p + 15, NULL, 10);
    }
    return 0;
}

bool client_read(struct client *c, bool head, struct answer *out)
{
    const char *end;

    *out = (struct answer){ 0 };
    while (c->len < 4 || (end = memmem(c->buf, c->len, "\r\n\r\n", 4)) == NULL) {
        if (!receive(c, PATIENCE_MS))
            return false;
    }
    out->head = take(c, (size_t)(end - c->buf) + 4);
    ck_assert_int_eq(sscanf(out->head, "HTTP/1.1 %u", &out->status), 1);
    out->body_len = head ? 0 : content_length(out->head);
    while (c->len < out->body_len) {
        if (!receive(c, PATIENCE_MS)) {
            answer_release(out);
            return false;
        }
    }
    if (c->len == 0)
        receive(c, 0); /* nothing else may follow; makes room in any case */
    out->body = take(c, out->body_len);
    return true;
}

void answer_release(struct answer *a)
{
    free(a->head);
    free(a->body);
}

void client_ask(struct client *c, const char *method, const char *target, const char *headers,
                const char *body, unsigned status, struct answer *out)
{
    char text[2048];
    struct answer a;

    snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: localhost\r\n%s", method, target, headers);
    client_text(c, text);
    if (body) {
        snprintf(text, sizeof text, "Content-Length: %zu\r\n", strlen(body));
        client_text(c, text);
    }
    client_text(c, "\r\n");
    if (body)
        client_text(c, body);
    ck_assert_msg(client_read(c, strcmp(method, "HEAD") == 0, &a), "%s %s: no answer", method,
                  target);
    ck_assert_msg(a.status == status, "%s %s: %s%s", method, target, a.head, a.body);
    if (out)
        *out = a;
    else
        answer_release(&a);
}

bool client_await(struct client *c, const char *text)
{
    size_t n = strlen(text);

    for (;;) {
        const char *at = c->len >= n ? memmem(c->buf, c->len, text, n) : NULL;

        if (at) {
            size_t used = (size_t)(at - c->buf) + n;
            memmove(c->buf, c->buf + used, c->len - used);
            c->len -= used;
            return true;
        }
        if (!receive(c, PATIENCE_MS))
            return false;
    }
}

bool client_ended(struct client *c, int ms)
{
    if (c->len > 0)
        return false;
    if (!wait_for(c, POLLIN, ms))
        return false;
    return !receive(c, ms) && c->len == 0;
}
