#include "agent/endpoint.h"

#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

static bool port_valid(const char *text)
{
    unsigned port = 0;
    size_t n = strlen(text);

    if (n == 0 || n > 5)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        port = port * 10 + (unsigned)(text[i] - '0');
    }
    return port >= 1 && port <= 65535;
}

static bool host_valid(const char *host, size_t n, bool brackets)
{
    if (n == 0 || n >= ENDPOINT_HOST_MAX)
        return false;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)host[i];
        if (c <= ' ' || c >= 0x7f || c == '[' || c == ']' || c == '/' || (c == ':' && !brackets))
            return false;
    }
    return true;
}

enum emt_err endpoint_parse(const char *text, struct endpoint *out)
{
    bool brackets = text[0] == '[';
    const char *host = brackets ? text + 1 : text;
    const char *end = brackets ? strchr(host, ']') : strchr(host, ':');

    if (!end || end[brackets ? 1 : 0] != ':')
        return EMT_EMALFORMED;
    const char *port = end + (brackets ? 2 : 1);
    size_t n = (size_t)(end - host);
    if (!host_valid(host, n, brackets) || !port_valid(port))
        return EMT_EMALFORMED;
    memset(out, 0, sizeof *out);
    memcpy(out->host, host, n);
    memcpy(out->port, port, strlen(port));
    return EMT_OK;
}

enum emt_err endpoint_resolve(const struct endpoint *e, size_t which, struct endpoint_address *list,
                              size_t cap, size_t *n)
{
    struct addrinfo hints = { .ai_family = AF_UNSPEC,
                              .ai_socktype = SOCK_STREAM,
                              .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
    struct addrinfo *found = NULL;
    int rc = getaddrinfo(e->host, e->port, &hints, &found);

    if (rc != 0) {
        hints.ai_flags = AI_NUMERICSERV;
        rc = getaddrinfo(e->host, e->port, &hints, &found);
    }
    if (rc != 0)
        return EMT_ENOTFOUND;
    for (const struct addrinfo *a = found; a && *n < cap; a = a->ai_next) {
        if (a->ai_addrlen > sizeof list[*n].addr)
            continue;
        memcpy(&list[*n].addr, a->ai_addr, a->ai_addrlen);
        list[*n].len = a->ai_addrlen;
        list[*n].endpoint = which;
        (*n)++;
    }
    freeaddrinfo(found);
    return EMT_OK;
}

char *endpoint_address_format(const struct endpoint_address *a, char buf[ENDPOINT_TEXT_MAX])
{
    char host[NI_MAXHOST], port[NI_MAXSERV];
    int rc = getnameinfo((const struct sockaddr *)&a->addr, a->len, host, sizeof host, port,
                         sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);

    if (rc != 0)
        snprintf(buf, ENDPOINT_TEXT_MAX, "?");
    else
        snprintf(buf, ENDPOINT_TEXT_MAX, strchr(host, ':') ? "[%.200s]:%s" : "%.200s:%s", host,
                 port);
    return buf;
}
