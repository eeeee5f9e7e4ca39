#include "http_gate.h"

#include "base/json_text.h"
#include "base/reader.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* A piece of the head. */
struct span {
    const uint8_t *p;
    size_t n;
};

/* What the headers say of the body and the host. */
struct head {
    bool http10;
    unsigned headers, lengths, encodings, hosts;
    uint64_t length;
};

static bool refuse(struct http_gate *g, unsigned status, const char *reason)
{
    http_gate_refuse(g, status, reason);
    return false;
}

void http_gate_refuse(struct http_gate *g, unsigned status, const char *reason)
{
    if (g->state == GATE_REFUSED)
        return;
    g->state = GATE_REFUSED;
    g->status = status;
    g->reason = reason;
}

/* --- characters --- */

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static int hex_value(uint8_t c)
{
    if (is_digit(c))
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 9110, 5.6.2. */
static bool is_token_char(uint8_t c)
{
    return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
           (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_token(struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!is_token_char(s.p[i]))
            return false;
    }
    return s.n > 0;
}

static bool is_text(struct span s, const char *text)
{
    return s.n == strlen(text) && strncasecmp((const char *)s.p, text, s.n) == 0;
}

static struct span trim(struct span s)
{
    while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
        s = (struct span){ s.p + 1, s.n - 1 };
    while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

/* Up to the separator, and past it; the whole rest where there is none. */
static struct span take_until(struct reader *r, uint8_t separator)
{
    size_t left = reader_left(r);
    size_t n = 0;

    while (n < left && reader_peek(r, n) != separator)
        n++;
    struct span s = { reader_bytes(r, n), n };
    if (n < left)
        (void)reader_u8(r);
    return s;
}

/* --- the request line --- */

/* The byte that stands at i, decoded; *n bytes of text. -1: no percent-encoding. */
static int decoded_at(struct span s, size_t i, size_t *n)
{
    *n = 1;
    if (s.p[i] != '%')
        return s.p[i];
    *n = 3;
    if (i + 2 >= s.n || hex_value(s.p[i + 1]) < 0 || hex_value(s.p[i + 2]) < 0)
        return -1;
    return hex_value(s.p[i + 1]) * 16 + hex_value(s.p[i + 2]);
}

/* "." and "..", written in any way: whoever resolves them gets to another place than whoever does
 * not. An encoded separator is part of a name to the one and a separator to the other. */
static const char *path_fault(struct span path)
{
    unsigned dots = 0; /* the segment has only dots so far; 3: anything else */
    size_t step;

    for (size_t i = 0; i < path.n; i += step) {
        int c = decoded_at(path, i, &step);

        if (step == 3 && (c == '/' || c == '\\'))
            return "the path has an encoded separator";
        if (c == '/') {
            if (dots == 1 || dots == 2)
                break;
            dots = 0;
        } else if (c == '.' && dots < 3) {
            dots++;
        } else {
            dots = 3;
        }
    }
    return dots == 1 || dots == 2 ? "the path has dot segments" : NULL;
}

static bool check_target(struct http_gate *g, struct span target)
{
    size_t path = target.n;
    unsigned parameters = 0;
    size_t step;

    if (target.n > GATE_TARGET_MAX)
        return refuse(g, 414, "the target of the request is too long");
    if (target.n == 0 || target.p[0] != '/')
        return refuse(g, 400, "the target of the request is no path");
    for (size_t i = 0; i < target.n; i += step) {
        int c = decoded_at(target, i, &step);

        if (c <= 0 || (step == 1 && (c <= 0x20 || c >= 0x7f || c == '#' || c == '\\')))
            return refuse(g, 400, "the target of the request has a byte that none may have");
        if (step == 1 && c == '?' && path == target.n)
            path = i;
        parameters += step == 1 && c == '&' && path < target.n;
    }
    const char *fault = path_fault((struct span){ target.p, path });
    if (fault)
        return refuse(g, 400, fault);
    if (parameters >= GATE_QUERY_MAX)
        return refuse(g, 400, "the query has too many parameters");
    return true;
}

static bool check_version(struct http_gate *g, struct span version, struct head *h)
{
    static const char start[] = "HTTP/";

    h->http10 = is_text(version, "HTTP/1.0");
    if (version.n != 8 || memcmp(version.p, start, 5) != 0 || !is_digit(version.p[5]) ||
        version.p[6] != '.' || !is_digit(version.p[7]))
        return refuse(g, 400, "the request line has no version of HTTP");
    if (h->http10 || is_text(version, "HTTP/1.1"))
        return true;
    return refuse(g, 505, "this version of HTTP is not spoken here");
}

static bool check_request_line(struct http_gate *g, struct span line, struct head *h)
{
    struct reader r = reader_of(line.p, line.n);
    struct span method = take_until(&r, ' ');
    struct span target = take_until(&r, ' ');
    struct span version = take_until(&r, 0);

    if (!is_token(method) || method.n > GATE_METHOD_MAX)
        return refuse(g, 400, "the request line has no method");
    return check_target(g, target) && check_version(g, version, h);
}

/* --- headers --- */

static bool parse_length(struct span value, uint64_t *out)
{
    uint64_t n = 0;

    for (size_t i = 0; i < value.n; i++) {
        if (!is_digit(value.p[i]))
            return false;
        n = n * 10 + (uint64_t)(value.p[i] - '0');
    }
    *out = n;
    return value.n > 0 && value.n <= 18; /* more digits are no length that anybody sends */
}

/* RFC 9110, 7.2: a name or address, perhaps with a port. */
static bool is_host(struct span value)
{
    for (size_t i = 0; i < value.n; i++) {
        uint8_t c = value.p[i];
        if (!is_digit(c) && ((c | 0x20) < 'a' || (c | 0x20) > 'z') &&
            (c == 0 || strchr("-._~:[]%", c) == NULL))
            return false;
    }
    return value.n > 0;
}

static bool check_value(struct span value)
{
    for (size_t i = 0; i < value.n; i++) {
        if ((value.p[i] < 0x20 && value.p[i] != '\t') || value.p[i] == 0x7f)
            return false;
    }
    return true;
}

static bool check_header(struct http_gate *g, struct span line, struct head *h)
{
    struct reader r = reader_of(line.p, line.n);
    struct span name = take_until(&r, ':');
    struct span value = trim((struct span){ line.p + r.pos, line.n - r.pos });

    if (++h->headers > GATE_HEADERS_MAX)
        return refuse(g, 431, "the request has too many headers");
    /* Also folded lines and blanks before the colon. */
    if (r.pos == name.n || !is_token(name))
        return refuse(g, 400, "a header has no name");
    if (!check_value(value))
        return refuse(g, 400, "a header has a control character");
    if (is_text(name, "Content-Length")) {
        h->lengths++;
        return parse_length(value, &h->length) || refuse(g, 400, "Content-Length is no number");
    }
    if (is_text(name, "Transfer-Encoding")) {
        h->encodings++;
        return is_text(value, "chunked") ||
               refuse(g, is_token(value) ? 501 : 400, "this transfer coding is not spoken here");
    }
    if (is_text(name, "Host")) {
        h->hosts++;
        return is_host(value) || refuse(g, 400, "Host is no host");
    }
    if (is_text(name, "Expect") && !is_text(value, "100-continue"))
        return refuse(g, 417, "what is expected is not done here");
    return true;
}

/* Where the body ends (6.3), and whether that can be read in two ways (11.2). */
static bool begin_body(struct http_gate *g, const struct head *h)
{
    if (h->lengths + h->encodings > 1 || (h->encodings > 0 && h->http10))
        return refuse(g, 400, "the end of the request can be read in more than one way");
    if (h->hosts > 1 || (h->hosts == 0 && !h->http10))
        return refuse(g, 400, "the request needs one Host");
    g->left = h->length;
    g->state = h->encodings > 0 ? GATE_CHUNK_SIZE : h->length > 0 ? GATE_BODY : GATE_START;
    return true;
}

/* A whole head with its empty line. */
static bool check_head(struct http_gate *g, const uint8_t *p, size_t n)
{
    struct reader r = reader_of(p, n);
    struct head h = { 0 };
    bool first = true;
    bool ok = true;

    while (ok) {
        struct span line = take_until(&r, '\n');
        line.n--; /* the CR is there: gate_find_end() has seen it */
        if (line.n == 0)
            break;
        ok = first ? check_request_line(g, line, &h) : check_header(g, line, &h);
        first = false;
    }
    return ok && begin_body(g, &h);
}

/* --- the stream --- */

/* Bytes up to and with the line end; 0: not there yet. A line end is CR LF and nothing else. */
static size_t find_line(struct http_gate *g, const uint8_t *p, size_t n, size_t from)
{
    const uint8_t *lf = n > from ? memchr(p + from, '\n', n - from) : NULL;

    if (!lf)
        return 0;
    if (lf == p || lf[-1] != '\r') {
        http_gate_refuse(g, 400, "a line ends without CR");
        return 0;
    }
    return (size_t)(lf - p) + 1;
}

static void refuse_long_head(struct http_gate *g, const uint8_t *p, size_t n)
{
    const uint8_t *lf = memchr(p, '\n', n);

    if (!lf || lf - p > GATE_TARGET_MAX)
        http_gate_refuse(g, 414, "the target of the request is too long");
    else
        http_gate_refuse(g, 431, "the headers of the request are too long");
}

/* Bytes of the head with its empty line; 0: not whole yet, or refused. */
static size_t find_head(struct http_gate *g, const uint8_t *p, size_t n)
{
    size_t end;

    while ((end = find_line(g, p, n, g->seen)) != 0) {
        bool empty = end >= 4 && memcmp(p + end - 4, "\r\n\r\n", 4) == 0;

        g->seen = end;
        if (empty)
            break;
    }
    if (g->state != GATE_REFUSED && (end > GATE_HEAD_MAX || (end == 0 && n > GATE_HEAD_MAX)))
        refuse_long_head(g, p, n);
    return g->state == GATE_REFUSED ? 0 : end;
}

static size_t pass_head(struct http_gate *g, const uint8_t *p, size_t n)
{
    size_t end = find_head(g, p, n);

    if (end == 0)
        return 0;
    g->seen = 0;
    return check_head(g, p, end) ? end : 0;
}

/* 7.1: digits, no extensions (nobody needs them, and proxies differ). */
static size_t pass_chunk_size(struct http_gate *g, const uint8_t *p, size_t n)
{
    uint64_t size = 0;
    size_t i = 0;

    while (i < n && i <= GATE_CHUNK_DIGITS_MAX && hex_value(p[i]) >= 0)
        size = size * 16 + (uint64_t)hex_value(p[i++]);
    bool more = i == n || (i + 1 == n && p[i] == '\r');
    if (i > GATE_CHUNK_DIGITS_MAX || (!more && (i == 0 || p[i] != '\r' || p[i + 1] != '\n'))) {
        http_gate_refuse(g, 400, "a chunk has no plain size");
        return 0;
    }
    if (more)
        return 0;
    g->left = size;
    g->state = size > 0 ? GATE_CHUNK_DATA : GATE_LAST;
    return i + 2;
}

static size_t pass_line_end(struct http_gate *g, const uint8_t *p, size_t n, enum gate_state next)
{
    if (p[0] != '\r' || (n > 1 && p[1] != '\n')) {
        http_gate_refuse(g, 400, "a chunk does not end where it says");
        return 0;
    }
    if (n < 2)
        return 0;
    g->state = next;
    return 2;
}

static size_t pass_data(struct http_gate *g, size_t n, enum gate_state next)
{
    if (n < g->left) {
        g->left -= n;
        return n;
    }
    n = (size_t)g->left;
    g->left = 0;
    g->state = next;
    return n;
}

/* One empty line before a request is tolerated. */
static size_t pass_start(struct http_gate *g, const uint8_t *p, size_t n)
{
    if (p[0] == '\r' && n < 2)
        return 0;
    g->state = GATE_HEAD;
    g->messages++;
    g->seen = 0;
    return p[0] == '\r' && p[1] == '\n' ? 2 : 0;
}

/* Bytes of these n > 0 that may pass; 0 with the same state: more are needed. */
static size_t pass(struct http_gate *g, const uint8_t *p, size_t n)
{
    switch (g->state) {
    case GATE_START:
        return pass_start(g, p, n);
    case GATE_HEAD:
        return pass_head(g, p, n);
    case GATE_BODY:
        return pass_data(g, n, GATE_START);
    case GATE_CHUNK_SIZE:
        return pass_chunk_size(g, p, n);
    case GATE_CHUNK_DATA:
        return pass_data(g, n, GATE_CHUNK_END);
    case GATE_CHUNK_END:
        return pass_line_end(g, p, n, GATE_CHUNK_SIZE);
    case GATE_LAST:
        return pass_line_end(g, p, n, GATE_START);
    case GATE_REFUSED:
        break;
    }
    return 0;
}

static void drop_held(struct http_gate *g)
{
    free(g->held);
    g->held = NULL;
    g->nheld = 0;
}

/* Puts the new bytes behind those that are held. */
static bool join(struct http_gate *g, const uint8_t *p, size_t n)
{
    uint8_t *all = realloc(g->held, g->nheld + n);

    if (!all)
        return false;
    memcpy(all + g->nheld, p, n);
    g->held = all;
    g->nheld += n;
    return true;
}

static bool hold(struct http_gate *g, const uint8_t *p, size_t n)
{
    g->held = malloc(n);
    if (!g->held)
        return false;
    memcpy(g->held, p, n);
    g->nheld = n;
    return true;
}

bool http_gate_feed(struct http_gate *g, const uint8_t *p, size_t n, const uint8_t **out,
                    size_t *nout)
{
    size_t done = 0;

    *nout = 0;
    free(g->passed);
    g->passed = NULL;
    if (g->held) {
        if (!join(g, p, n))
            return false;
        g->passed = g->held;
        p = g->held;
        n = g->nheld;
        g->held = NULL;
        g->nheld = 0;
    }
    while (done < n) {
        enum gate_state before = g->state;
        size_t k = pass(g, p + done, n - done);

        done += k;
        if (k == 0 && g->state == before)
            break;
        if (g->state == GATE_REFUSED)
            break;
    }
    *out = p;
    *nout = done;
    return g->state == GATE_REFUSED || done == n || hold(g, p + done, n - done);
}

bool http_gate_is_inside(const struct http_gate *g)
{
    return g->state != GATE_REFUSED && (g->state != GATE_START || g->nheld > 0);
}

void http_gate_release(struct http_gate *g)
{
    drop_held(g);
    free(g->passed);
    g->passed = NULL;
}

static const char *status_title(unsigned status)
{
    switch (status) {
    case 400:
        return "Bad Request";
    case 408:
        return "Request Timeout";
    case 414:
        return "URI Too Long";
    case 417:
        return "Expectation Failed";
    case 431:
        return "Request Header Fields Too Large";
    case 501:
        return "Not Implemented";
    default: /* this file refuses with no others */
        return "HTTP Version Not Supported";
    }
}

void http_gate_answer(const struct http_gate *g, const char *id, struct writer *w)
{
    struct writer body;

    writer_init_heap(&body, 1024);
    writer_text(&body, "{\"type\":\"about:blank\",\"title\":");
    json_put_cstr(&body, status_title(g->status));
    writer_printf(&body, ",\"status\":%u,\"detail\":", g->status);
    json_put_cstr(&body, g->reason);
    writer_text(&body, ",\"request\":");
    json_put_cstr(&body, id);
    writer_text(&body, "}\n");
    writer_printf(w,
                  "HTTP/1.1 %u %s\r\nX-Request-Id: %s\r\nContent-Type: application/problem+json\r\n"
                  "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                  g->status, status_title(g->status), id, body.len);
    writer_bytes(w, body.data, body.len);
    writer_release(&body);
}
