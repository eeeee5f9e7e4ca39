#include "http_listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum { BACKLOG = 1024 };

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static bool parse_port(const char *text, in_port_t *out)
{
    char *end = NULL;
    unsigned long port = strtoul(text, &end, 10);

    if (*text < '0' || *text > '9' || *end || port > 65535)
        return false;
    *out = htons((uint16_t)port);
    return true;
}

/* 0 when the text is no address with a port. */
static socklen_t parse_address(const char *text, union address *out)
{
    char host[INET6_ADDRSTRLEN];
    bool v6 = text[0] == '[';
    const char *start = v6 ? text + 1 : text;
    const char *end = strchr(start, v6 ? ']' : ':');
    size_t n = end ? (size_t)(end - start) : 0;

    *out = (union address){ 0 };
    if (n == 0 || n >= sizeof host || (v6 && end[1] != ':'))
        return 0;
    memcpy(host, start, n);
    host[n] = 0;
    if (v6) {
        out->v6.sin6_family = AF_INET6;
        bool ok = inet_pton(AF_INET6, host, &out->v6.sin6_addr) == 1 &&
                  parse_port(end + 2, &out->v6.sin6_port);
        return ok ? sizeof out->v6 : 0;
    }
    out->v4.sin_family = AF_INET;
    bool ok =
        inet_pton(AF_INET, host, &out->v4.sin_addr) == 1 && parse_port(end + 1, &out->v4.sin_port);
    return ok ? sizeof out->v4 : 0;
}

enum emt_err listen_open(const char *text, int *out, struct emt_diag *diag)
{
    union address a;
    socklen_t len = parse_address(text, &a);
    int on = 1;

    if (len == 0)
        return emt_fail(diag, EMT_EMALFORMED,
                        "'%.64s': not ADDRESS:PORT, with IPv6 addresses in brackets", text);

    int fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        /* So that [::] and 0.0.0.0 stand side by side and no peer is an IPv4-mapped one. */
        if (a.any.sa_family == AF_INET6)
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    }
    if (fd < 0 || bind(fd, &a.any, len) != 0 || listen(fd, BACKLOG) != 0) {
        enum emt_err err = emt_fail(diag, EMT_EIO, "listen on %.64s: %s", text, strerror(errno));
        if (fd >= 0)
            close(fd);
        return err;
    }
    *out = fd;
    return EMT_OK;
}

uint16_t listen_port(int fd)
{
    union address a = { 0 };
    socklen_t len = sizeof a;

    if (getsockname(fd, &a.any, &len) != 0)
        return 0;
    return ntohs(a.any.sa_family == AF_INET6 ? a.v6.sin6_port : a.v4.sin_port);
}

const char *address_text(const struct sockaddr *sa, char buf[INET6_ADDRSTRLEN])
{
    union address a = { 0 };

    buf[0] = 0;
    if (sa->sa_family == AF_INET) {
        memcpy(&a.v4, sa, sizeof a.v4);
        inet_ntop(AF_INET, &a.v4.sin_addr, buf, INET6_ADDRSTRLEN);
    } else if (sa->sa_family == AF_INET6) {
        memcpy(&a.v6, sa, sizeof a.v6);
        inet_ntop(AF_INET6, &a.v6.sin6_addr, buf, INET6_ADDRSTRLEN);
    }
    return buf;
}
