/* offset  size  (PROXY protocol specification, section 2.2)
 *   0      12   signature
 *  12       1   version (high nibble, 2) and command (0 LOCAL, 1 PROXY)
 *  13       1   family (high nibble: 0 unspecified, 1 IPv4, 2 IPv6, 3 UNIX) and transport (1
 * stream) 14       2   length of what follows, big endian 16       4 or 16   source address, then
 * destination, ports, and extensions that are passed over */
#include "proxy.h"

#include "base/reader.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define FIXED 16
#define NETWORKS_MAX 64

static const uint8_t signature[12] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                       0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a };

/* ---- who is trusted ---- */

struct network {
    int family;
    unsigned bits;
    uint8_t address[16];
};

struct proxy_trust {
    size_t n;
    struct network networks[];
};

static bool address_parse(const char *text, struct network *out)
{
    if (inet_pton(AF_INET, text, out->address) == 1) {
        out->family = AF_INET;
        out->bits = 32;
        return true;
    }
    out->family = AF_INET6;
    out->bits = 128;
    return inet_pton(AF_INET6, text, out->address) == 1;
}

static bool network_parse(const char *text, struct network *out)
{
    char host[LISTENER_PEER_MAX];
    size_t n = strcspn(text, "/");
    unsigned bits = 0, digits = 0;

    if (n >= sizeof host)
        return false;
    memcpy(host, text, n);
    host[n] = '\0';
    if (!address_parse(host, out))
        return false;
    if (text[n] == '\0')
        return true;
    for (const char *p = text + n + 1; *p; p++, digits++) {
        if (*p < '0' || *p > '9' || digits == 3)
            return false;
        bits = bits * 10 + (unsigned)(*p - '0');
    }
    if (digits == 0 || bits > out->bits)
        return false;
    out->bits = bits;
    return true;
}

enum emt_err proxy_trust_new(const char *const *networks, size_t n, struct proxy_trust **out,
                             struct emt_diag *diag)
{
    struct proxy_trust *t = NULL;

    *out = NULL;
    if (n == 0)
        return EMT_OK;
    if (n > NETWORKS_MAX)
        return emt_fail(diag, EMT_ELIMIT, "more than %d networks of balancers", NETWORKS_MAX);
    t = calloc(1, sizeof *t + n * sizeof t->networks[0]);
    if (!t)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    for (; t->n < n; t->n++) {
        if (!network_parse(networks[t->n], &t->networks[t->n])) {
            (void)emt_fail(diag, EMT_EMALFORMED, "\"%.100s\" is no network like 10.0.0.0/8",
                           networks[t->n]);
            free(t);
            return EMT_EMALFORMED;
        }
    }
    *out = t;
    return EMT_OK;
}

static bool within(const struct network *net, const struct network *a)
{
    unsigned whole = net->bits / 8, rest = net->bits % 8;
    uint8_t mask = (uint8_t)(0xff00u >> rest);

    if (net->family != a->family || memcmp(net->address, a->address, whole) != 0)
        return false;
    return rest == 0 || ((net->address[whole] ^ a->address[whole]) & mask) == 0;
}

bool proxy_trusts(const struct proxy_trust *t, const char *peer)
{
    struct network a = { 0 };

    if (!t || !address_parse(peer, &a))
        return false;
    for (size_t i = 0; i < t->n; i++)
        if (within(&t->networks[i], &a))
            return true;
    return false;
}

/* ---- the header ---- */

enum emt_err proxy_header_wants(const struct proxy_header *h, size_t *n)
{
    size_t known = h->have < sizeof signature ? h->have : sizeof signature;
    struct reader in = reader_of(h->bytes, h->have);

    if (memcmp(h->bytes, signature, known) != 0)
        return EMT_EMALFORMED;
    *n = FIXED - h->have;
    if (h->have < FIXED)
        return EMT_OK;
    (void)reader_skip(&in, sizeof signature);
    uint8_t version = reader_u8(&in);
    (void)reader_u8(&in);
    size_t whole = FIXED + (size_t)reader_u16be(&in);
    if (version >> 4 != 2 || whole > PROXY_HEADER_MAX)
        return EMT_EMALFORMED;
    *n = whole - h->have;
    return EMT_OK;
}

enum emt_err proxy_header_read(struct proxy_header *h, int fd)
{
    size_t wants = 0;

    for (;;) {
        enum emt_err err = proxy_header_wants(h, &wants);
        if (err != EMT_OK || wants == 0)
            return err;
        ssize_t n = recv(fd, h->bytes + h->have, wants, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return EMT_EAGAIN;
        if (n <= 0)
            return EMT_EIO;
        h->have += (size_t)n;
    }
}

enum emt_err proxy_header_peer(const struct proxy_header *h, char peer[LISTENER_PEER_MAX])
{
    struct reader in = reader_of(h->bytes, h->have);

    (void)reader_skip(&in, sizeof signature);
    uint8_t command = reader_u8(&in) & 0x0fu;
    uint8_t family = reader_u8(&in);
    (void)reader_u16be(&in);
    if (command == 0)
        return EMT_OK; /* LOCAL: a check of the balancer's own */
    if (command != 1)
        return EMT_EMALFORMED;
    if (family >> 4 != 1 && family >> 4 != 2)
        return EMT_OK;
    bool v4 = family >> 4 == 1;
    const uint8_t *address = reader_bytes(&in, v4 ? 4 : 16);
    /* Destination and ports must be there too. */
    (void)reader_skip(&in, (v4 ? 4 : 16) + 4);
    if (in.failed || (family & 0x0fu) != 1 ||
        !inet_ntop(v4 ? AF_INET : AF_INET6, address, peer, LISTENER_PEER_MAX))
        return EMT_EMALFORMED;
    return EMT_OK;
}
