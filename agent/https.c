#include "agent/https.h"

#include "base/clock.h"
#include "base/reader.h"
#include "pki/tls_conn.h"
#include "pki/tls_context.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define TIME_LIMIT_MS 30000
#define ANSWER_MAX (HTTPS_BODY_MAX + 16384u)
#define HEADERS_MAX 64
#define ADDRESSES_MAX 8

enum emt_err https_parse_url(const char *url, struct endpoint *out)
{
    char text[ENDPOINT_TEXT_MAX];
    static const char scheme[] = "https://";

    if (strncmp(url, scheme, sizeof scheme - 1) != 0)
        return EMT_EMALFORMED;
    int n = snprintf(text, sizeof text, "%s", url + sizeof scheme - 1);
    if (n < 0 || (size_t)n >= sizeof text)
        return EMT_EMALFORMED;
    size_t len = strlen(text);
    if (len > 0 && text[len - 1] == '/')
        text[--len] = '\0';
    if (strchr(text, '/') || strchr(text, '?') || strchr(text, '#') || strchr(text, '@'))
        return EMT_EMALFORMED;
    if (endpoint_parse(text, out) == EMT_OK)
        return EMT_OK;
    if (len + 5 > sizeof text)
        return EMT_EMALFORMED;
    memcpy(text + len, ":443", 5);
    return endpoint_parse(text, out);
}

/* --- the answer --- */

struct headers {
    bool chunked;
    bool has_length;
    size_t length;
};

/* The next line without its CR LF; false when there is none. */
static bool take_line(struct reader *in, const char **line, size_t *n)
{
    size_t left = reader_left(in);

    for (size_t i = 0; i + 1 < left; i++) {
        if (reader_peek(in, i) == '\r' && reader_peek(in, i + 1) == '\n') {
            *line = (const char *)reader_bytes(in, i);
            *n = i;
            return reader_skip(in, 2);
        }
    }
    return false;
}

static bool parse_size(const char *text, size_t n, unsigned base, size_t *out)
{
    size_t v = 0, i = 0;

    for (; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        unsigned digit;
        if (c >= '0' && c <= '9')
            digit = c - (unsigned)'0';
        else if (base == 16 && (c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            digit = (unsigned)(c | 0x20) - 'a' + 10;
        else
            break;
        v = v * base + digit;
        if (v > ANSWER_MAX)
            return false;
    }
    *out = v;
    return i > 0 && (i == n || text[i] == ';' || text[i] == ' ');
}

/* The value of a header line when its name is this one. */
static bool header_is(const char *line, size_t n, const char *name, const char **value, size_t *len)
{
    size_t name_len = strlen(name);

    if (n <= name_len || line[name_len] != ':' || strncasecmp(line, name, name_len) != 0)
        return false;
    size_t at = name_len + 1;
    while (at < n && (line[at] == ' ' || line[at] == '\t'))
        at++;
    *value = line + at;
    *len = n - at;
    return true;
}

static enum emt_err take_headers(struct reader *in, struct headers *h)
{
    const char *line = NULL, *value = NULL;
    size_t n = 0, len = 0;

    for (unsigned i = 0; i < HEADERS_MAX; i++) {
        if (!take_line(in, &line, &n))
            return EMT_ETRUNCATED;
        if (n == 0)
            return EMT_OK;
        if (header_is(line, n, "content-length", &value, &len)) {
            if (!parse_size(value, len, 10, &h->length))
                return EMT_EMALFORMED;
            h->has_length = true;
        } else if (header_is(line, n, "transfer-encoding", &value, &len)) {
            if (len != 7 || strncasecmp(value, "chunked", 7) != 0)
                return EMT_EUNSUPPORTED;
            h->chunked = true;
        }
    }
    return EMT_ELIMIT;
}

static enum emt_err take_chunks(struct reader *in, struct writer *body)
{
    const char *line = NULL;
    size_t n = 0, size = 0;

    while (take_line(in, &line, &n)) {
        if (!parse_size(line, n, 16, &size))
            return EMT_EMALFORMED;
        if (size == 0)
            return EMT_OK;
        const uint8_t *p = reader_bytes(in, size);
        if (!p || !reader_skip(in, 2))
            return EMT_ETRUNCATED;
        writer_bytes(body, p, size);
    }
    return EMT_ETRUNCATED;
}

static enum emt_err parse_status(const char *line, size_t n, unsigned *status)
{
    if (n < 12 || memcmp(line, "HTTP/1.", 7) != 0 || line[8] != ' ')
        return EMT_EMALFORMED;
    *status = 0;
    for (size_t i = 9; i < 12; i++) {
        if (line[i] < '0' || line[i] > '9')
            return EMT_EMALFORMED;
        *status = *status * 10 + (unsigned)(line[i] - '0');
    }
    return EMT_OK;
}

enum emt_err https_parse_answer(const uint8_t *p, size_t n, unsigned *status, struct writer *body)
{
    struct reader in = reader_of(p, n);
    struct headers h = { 0 };
    const char *line = NULL;
    size_t len = 0;

    if (!take_line(&in, &line, &len))
        return EMT_ETRUNCATED;
    enum emt_err err = parse_status(line, len, status);
    if (err == EMT_OK)
        err = take_headers(&in, &h);
    if (err != EMT_OK)
        return err;
    if (h.chunked) {
        err = take_chunks(&in, body);
    } else {
        size_t size = h.has_length ? h.length : reader_left(&in);
        const uint8_t *from = reader_bytes(&in, size);
        if (!from)
            return EMT_ETRUNCATED;
        writer_bytes(body, from, size);
    }
    if (err == EMT_OK && body->failed)
        err = EMT_ELIMIT;
    return err;
}

/* --- the connection --- */

struct exchange {
    int fd;
    struct tls_conn *tls;
    int64_t until_ms;
};

static enum emt_err wait_socket(const struct exchange *x, short events)
{
    int64_t left = x->until_ms - clock_mono_ms();
    struct pollfd p = { .fd = x->fd, .events = events };

    if (left <= 0)
        return EMT_EIO;
    int rc = poll(&p, 1, (int)left);
    if (rc < 0 && errno == EINTR)
        return EMT_OK; /* the caller tries and waits again */
    return rc > 0 ? EMT_OK : EMT_EIO;
}

static enum emt_err wait_tls(const struct exchange *x, enum tls_wait wait)
{
    return wait_socket(x, wait == TLS_WAIT_WRITE ? POLLOUT : POLLIN);
}

static enum emt_err dial(struct exchange *x, const struct endpoint *server, struct emt_diag *diag)
{
    struct endpoint_address list[ADDRESSES_MAX];
    size_t n = 0;
    int error = EHOSTUNREACH;

    if (endpoint_resolve(server, 0, list, ADDRESSES_MAX, &n) != EMT_OK)
        return emt_fail(diag, EMT_EIO, "%.200s: the name does not resolve", server->host);
    for (size_t i = 0; i < n; i++) {
        socklen_t len = sizeof error;
        x->fd = socket(list[i].addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (x->fd < 0)
            continue;
        error =
            connect(x->fd, (const struct sockaddr *)&list[i].addr, list[i].len) == 0 ? 0 : errno;
        if (error == EINPROGRESS) {
            error = ETIMEDOUT;
            if (wait_socket(x, POLLOUT) == EMT_OK)
                (void)getsockopt(x->fd, SOL_SOCKET, SO_ERROR, &error, &len);
        }
        if (error == 0)
            return EMT_OK;
        close(x->fd);
        x->fd = -1;
    }
    return emt_fail(diag, EMT_EIO, "%.200s:%s: %s", server->host, server->port, strerror(error));
}

static enum emt_err shake_hands(struct exchange *x)
{
    enum tls_wait wait = TLS_WAIT_NONE;
    enum emt_err err = tls_conn_handshake(x->tls, &wait);

    while (err == EMT_EAGAIN) {
        if (wait_tls(x, wait) != EMT_OK)
            return EMT_EIO;
        err = tls_conn_handshake(x->tls, &wait);
    }
    return err;
}

static enum emt_err send_all(struct exchange *x, const uint8_t *p, size_t n)
{
    enum tls_wait wait = TLS_WAIT_NONE;

    while (n > 0) {
        size_t done = 0;
        enum emt_err err = tls_conn_write(x->tls, p, n, &done, &wait);
        if (err == EMT_EAGAIN)
            err = wait_tls(x, wait);
        if (err != EMT_OK)
            return err;
        p += done;
        n -= done;
    }
    return EMT_OK;
}

static enum emt_err receive_all(struct exchange *x, struct writer *answer)
{
    uint8_t chunk[4096];
    enum tls_wait wait = TLS_WAIT_NONE;

    for (;;) {
        size_t n = 0;
        enum emt_err err = tls_conn_read(x->tls, chunk, sizeof chunk, &n, &wait);
        if (err == EMT_ENOTFOUND)
            return EMT_OK; /* the server closed, as asked */
        if (err == EMT_EIO && answer->len > 0)
            return EMT_OK; /* it closed without TLS's farewell: length and JSON say whether all is
                              there */
        if (err == EMT_EAGAIN) {
            if (wait_tls(x, wait) != EMT_OK)
                return answer->len > 0 ? EMT_OK : EMT_EIO;
            continue;
        }
        if (err != EMT_OK)
            return err;
        if (!writer_bytes(answer, chunk, n))
            return EMT_ELIMIT;
    }
}

static enum emt_err talk(struct exchange *x, const struct endpoint *server, struct tls_context *ctx,
                         const struct writer *request, struct writer *answer, struct emt_diag *diag)
{
    enum emt_err err = dial(x, server, diag);

    if (err != EMT_OK)
        return err;
    x->tls = tls_conn_connect(ctx, x->fd, server->host);
    if (!x->tls)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    err = shake_hands(x);
    if (err == EMT_OK)
        err = send_all(x, request->data, request->len);
    if (err == EMT_OK)
        err = receive_all(x, answer);
    if (err != EMT_OK) {
        const char *reason = tls_conn_reason(x->tls);
        return emt_fail(diag, err, "%.200s:%s: %.100s", server->host, server->port,
                        *reason ? reason : "no answer in time");
    }
    tls_conn_shutdown(x->tls);
    return EMT_OK;
}

static void put_request(struct writer *w, const struct endpoint *server, const char *path,
                        const char *json, size_t len)
{
    bool six = strchr(server->host, ':') != NULL;

    writer_printf(w, "POST %s HTTP/1.1\r\nHost: %s%s%s:%s\r\n", path, six ? "[" : "", server->host,
                  six ? "]" : "", server->port);
    writer_printf(
        w,
        "Content-Type: application/json\r\nAccept: application/json, application/problem+json\r\n");
    writer_printf(w, "Content-Length: %zu\r\nConnection: close\r\n\r\n", len);
    writer_bytes(w, json, len);
}

enum emt_err https_post_json(const struct endpoint *server, const uint8_t pin[32], const char *path,
                             const char *json, size_t len, unsigned *status, struct writer *body,
                             struct emt_diag *diag)
{
    struct exchange x = { .fd = -1, .until_ms = clock_mono_ms() + TIME_LIMIT_MS };
    struct tls_settings settings = { .profile = TLS_PROFILE_HTTPS_CLIENT, .has_pin = true };
    struct tls_context *ctx = NULL;
    struct writer request, answer;

    memcpy(settings.pin, pin, sizeof settings.pin);
    writer_init_heap(&request, HTTPS_BODY_MAX);
    writer_init_heap(&answer, ANSWER_MAX);
    put_request(&request, server, path, json, len);
    enum emt_err err = request.failed ? EMT_ELIMIT : tls_context_new(&settings, &ctx, diag);
    if (err == EMT_OK)
        err = talk(&x, server, ctx, &request, &answer, diag);
    if (err == EMT_OK) {
        err = https_parse_answer(answer.data, answer.len, status, body);
        if (err != EMT_OK)
            err = emt_fail(diag, err, "%.200s:%s: no proper HTTP answer (%s)", server->host,
                           server->port, emt_err_name(err));
    }
    tls_conn_free(x.tls);
    if (x.fd >= 0)
        close(x.fd);
    tls_context_unref(ctx);
    writer_release(&request);
    writer_release(&answer);
    return err;
}
