#include "delivery_curl.h"

#include <arpa/inet.h>
#include <linux/memfd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define CONNECT_S 30
#define STALLED_S 60
#define TRANSFER_S 3600

bool delivery_has_network(void)
{
    return true;
}

static size_t give_bytes(char *buf, size_t size, size_t n, void *ctx)
{
    struct transfer *x = ctx;
    size_t got = 0;

    if (x->file->read(x->file->ctx, buf, size * n, &got) != EMT_OK) {
        x->read_failed = true;
        return CURL_READFUNC_ABORT;
    }
    x->out->bytes += got;
    return got;
}

/* libcurl goes back to the first byte where a login is asked for late. */
static int seek_bytes(void *ctx, curl_off_t offset, int origin)
{
    struct transfer *x = ctx;

    if (origin != SEEK_SET || offset != 0 || x->file->rewind(x->file->ctx) != EMT_OK)
        return CURL_SEEKFUNC_CANTSEEK;
    x->out->bytes = 0;
    return CURL_SEEKFUNC_OK;
}

/* Keeps the begin of an answer for the operator and drops the rest. */
static size_t keep_answer(char *data, size_t size, size_t n, void *ctx)
{
    struct transfer *x = ctx;
    size_t room = sizeof x->answer - 1 - x->answer_len;
    size_t take = size * n < room ? size * n : room;

    memcpy(x->answer + x->answer_len, data, take);
    x->answer_len += take;
    x->answer[x->answer_len] = '\0';
    return size * n;
}

static bool set_blob(CURL *c, CURLoption option, const char *pem)
{
    struct curl_blob blob = { .data = (void *)(uintptr_t)pem,
                              .len = strlen(pem),
                              .flags = CURL_BLOB_NOCOPY };

    return curl_easy_setopt(c, option, &blob) == CURLE_OK;
}

static bool set_tls(struct transfer *x)
{
    const struct delivery_target *t = x->target;
    CURL *c = x->curl;
    bool good =
        curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
        curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
        curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK;

    if (good && t->ca_pem != NULL)
        good = set_blob(c, CURLOPT_CAINFO_BLOB, t->ca_pem) &&
               curl_easy_setopt(c, CURLOPT_CAPATH, NULL) == CURLE_OK;
    if (good && t->client_pem != NULL)
        good = set_blob(c, CURLOPT_SSLCERT_BLOB, t->client_pem) &&
               set_blob(c, CURLOPT_SSLKEY_BLOB, t->client_key_pem);
    return good;
}

/* The key lives in memory: libssh2 reads it from a name, which is that of a descriptor. */
static bool set_private_key(struct transfer *x)
{
    const char *key = x->target->private_key;
    size_t n = strlen(key);
    char path[32];

    x->key_fd = (int)syscall(SYS_memfd_create, "key", MFD_CLOEXEC);
    if (x->key_fd < 0 || write(x->key_fd, key, n) != (ssize_t)n)
        return false;
    snprintf(path, sizeof path, "/proc/self/fd/%d", x->key_fd);
    return curl_easy_setopt(x->curl, CURLOPT_SSH_PRIVATE_KEYFILE, path) == CURLE_OK &&
           (x->target->private_key_password == NULL ||
            curl_easy_setopt(x->curl, CURLOPT_KEYPASSWD, x->target->private_key_password) ==
                CURLE_OK);
}

static bool set_ssh(struct transfer *x)
{
    const struct delivery_target *t = x->target;
    long auth = CURLSSH_AUTH_PASSWORD | CURLSSH_AUTH_KEYBOARD;

    if (t->private_key != NULL) {
        auth = CURLSSH_AUTH_PUBLICKEY;
        if (!set_private_key(x))
            return false;
    }
    return curl_easy_setopt(x->curl, CURLOPT_SSH_AUTH_TYPES, auth) == CURLE_OK &&
           curl_easy_setopt(x->curl, CURLOPT_SSH_HOST_PUBLIC_KEY_SHA256, t->host_key + 7) ==
               CURLE_OK;
}

static bool set_login(struct transfer *x)
{
    const struct delivery_target *t = x->target;
    CURL *c = x->curl;

    if (t->kind == DELIVERY_HTTPS && t->bearer != NULL)
        return curl_easy_setopt(c, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER) == CURLE_OK &&
               curl_easy_setopt(c, CURLOPT_XOAUTH2_BEARER, t->bearer) == CURLE_OK;
    if (t->user == NULL)
        return true;
    return curl_easy_setopt(c, CURLOPT_USERNAME, t->user) == CURLE_OK &&
           (t->password == NULL ||
            curl_easy_setopt(c, CURLOPT_PASSWORD, t->password) == CURLE_OK) &&
           (t->kind != DELIVERY_HTTPS ||
            curl_easy_setopt(c, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC) == CURLE_OK);
}

static int still_alive(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct transfer *x = ctx;

    (void)a;
    (void)b;
    (void)c;
    (void)d;
    return x->file != NULL && x->file->alive != NULL && !x->file->alive(x->file->alive_ctx);
}

static bool is_private4(uint32_t a)
{
    static const struct {
        uint32_t net;
        unsigned bits;
    } nets[] = { { 0x00000000, 8 },  { 0x0a000000, 8 },  { 0x64400000, 10 }, { 0x7f000000, 8 },
                 { 0xa9fe0000, 16 }, { 0xac100000, 12 }, { 0xc0000000, 24 }, { 0xc0a80000, 16 },
                 { 0xc6120000, 15 }, { 0xe0000000, 3 } };

    for (size_t i = 0; i < sizeof nets / sizeof nets[0]; i++) {
        if ((a ^ nets[i].net) >> (32 - nets[i].bits) == 0)
            return true;
    }
    return false;
}

/* What is not global unicast, or holds an IPv4 address that is not. */
static bool is_private6(const uint8_t a[16])
{
    uint32_t last = (uint32_t)a[12] << 24 | (uint32_t)a[13] << 16 | (uint32_t)a[14] << 8 | a[15];
    static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
    static const uint8_t nat64[12] = { 0, 0x64, 0xff, 0x9b };

    if (memcmp(a, mapped, 12) == 0 || memcmp(a, nat64, 12) == 0)
        return is_private4(last);
    /* Tunnels to IPv4: 6to4 (RFC 3056) and Teredo (RFC 4380). */
    if ((a[0] == 0x20 && a[1] == 0x02) || (a[0] == 0x20 && a[1] == 0x01 && a[2] == 0 && a[3] == 0))
        return true;
    return (a[0] & 0xe0u) != 0x20;
}

bool delivery_is_private(const struct sockaddr *a)
{
    if (a->sa_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, a, sizeof in);
        return is_private4(ntohl(in.sin_addr.s_addr));
    }
    if (a->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, a, sizeof in6);
        return is_private6(in6.sin6_addr.s6_addr);
    }
    return true;
}

/* Looks at the address that is really connected to, whatever the name said a moment ago. */
static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
    struct transfer *x = ctx;

    (void)purpose;
    if (x->target->public_only && delivery_is_private(&a->addr)) {
        x->private_address = true;
        return CURL_SOCKET_BAD;
    }
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static long or_else(unsigned value, unsigned usual)
{
    return (long)(value != 0 ? value : usual);
}

static bool set_limits(struct transfer *x)
{
    const struct delivery_target *t = x->target;
    CURL *c = x->curl;

    return curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, or_else(t->connect_s, CONNECT_S)) ==
               CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_SERVER_RESPONSE_TIMEOUT, or_else(t->stalled_s, STALLED_S)) ==
               CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, or_else(t->stalled_s, STALLED_S)) ==
               CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_TIMEOUT, or_else(t->transfer_s, TRANSFER_S)) == CURLE_OK;
}

/* Nothing of the environment or of the server changes where the file goes. */
static bool set_rules(struct transfer *x, const char *protocol)
{
    CURL *c = x->curl;

    return curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, protocol) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_ERRORBUFFER, x->error) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, open_socket) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, x) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, still_alive) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_XFERINFODATA, x) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, keep_answer) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEDATA, x) == CURLE_OK;
}

bool transfer_path(struct transfer *x, const char *protocol, const char *path)
{
    const struct delivery_target *t = x->target;
    CURLU *u = curl_url();
    bool ipv6 = strchr(t->host, ':') != NULL;
    char host[300];
    char port[8];

    snprintf(host, sizeof host, "%s%s%s", ipv6 ? "[" : "", t->host, ipv6 ? "]" : "");
    snprintf(port, sizeof port, "%u", t->port);
    const char *query = t->kind == DELIVERY_HTTPS ? strchr(path, '?') : NULL;
    char *plain = strndup(path, query != NULL ? (size_t)(query - path) : strlen(path));
    bool good = u != NULL && plain != NULL &&
                curl_url_set(u, CURLUPART_SCHEME, protocol, 0) == CURLUE_OK &&
                curl_url_set(u, CURLUPART_HOST, host, 0) == CURLUE_OK &&
                (t->port == 0 || curl_url_set(u, CURLUPART_PORT, port, 0) == CURLUE_OK) &&
                curl_url_set(u, CURLUPART_PATH, plain, CURLU_URLENCODE) == CURLUE_OK &&
                (query == NULL || curl_url_set(u, CURLUPART_QUERY, query + 1, 0) == CURLUE_OK) &&
                curl_easy_setopt(x->curl, CURLOPT_CURLU, u) == CURLE_OK;
    char *url = NULL;

    /* The handle keeps a pointer to what CURLOPT_CURLU was given: a text is copied. */
    if (good)
        good = curl_url_get(u, CURLUPART_URL, &url, 0) == CURLUE_OK &&
               curl_easy_setopt(x->curl, CURLOPT_CURLU, NULL) == CURLE_OK &&
               curl_easy_setopt(x->curl, CURLOPT_URL, url) == CURLE_OK;
    curl_free(url);
    free(plain);
    curl_url_cleanup(u);
    return good;
}

bool transfer_begin(struct transfer *x, const struct delivery_target *t,
                    const struct delivery_file *file, struct delivery_result *out,
                    const char *protocol, const char *path)
{
    *x = (struct transfer){
        .curl = curl_easy_init(), .target = t, .file = file, .out = out, .key_fd = -1
    };
    if (x->curl != NULL && set_rules(x, protocol) && set_limits(x) && set_tls(x) && set_login(x) &&
        (t->kind != DELIVERY_SFTP || set_ssh(x)) && transfer_path(x, protocol, path))
        return true;
    delivery_say(out, DELIVERY_RETRY, "libcurl does not take the settings, or memory is short");
    return false;
}

void transfer_end(struct transfer *x)
{
    if (x->curl != NULL)
        curl_easy_cleanup(x->curl);
    if (x->key_fd >= 0)
        close(x->key_fd);
    *x = (struct transfer){ .key_fd = -1 };
}

void transfer_upload(struct transfer *x)
{
    curl_easy_setopt(x->curl, CURLOPT_READFUNCTION, give_bytes);
    curl_easy_setopt(x->curl, CURLOPT_READDATA, x);
    curl_easy_setopt(x->curl, CURLOPT_SEEKFUNCTION, seek_bytes);
    curl_easy_setopt(x->curl, CURLOPT_SEEKDATA, x);
    curl_easy_setopt(x->curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)x->file->size);
}

/* Whether trying the same again can change anything. */
static bool is_refusal(CURLcode code, long answer)
{
    switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION: /* certificate, or host key of SSH */
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_USE_SSL_FAILED: /* the server has no TLS */
    case CURLE_LOGIN_DENIED:
    case CURLE_REMOTE_ACCESS_DENIED:
    case CURLE_REMOTE_FILE_NOT_FOUND:
    case CURLE_REMOTE_FILE_EXISTS:
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_FILE_COULDNT_READ_FILE:
        return true;
    default:
        /* FTP 552 is a full store: it may have room later. SMTP 552 is a mail that is too long. */
        return answer >= 500 && answer != 552;
    }
}

CURLcode transfer_run(struct transfer *x, bool once)
{
    long answer = 0;

    x->error[0] = '\0';
    x->answer_len = 0;
    x->answer[0] = '\0';
    CURLcode code = curl_easy_perform(x->curl);
    curl_easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, &answer);
    x->out->answer = answer > 0 ? (unsigned)answer : 0;
    if (code == CURLE_OK)
        return code;
    bool sent = once && x->file != NULL && x->out->bytes == x->file->size &&
                (code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING ||
                 code == CURLE_OPERATION_TIMEDOUT || code == CURLE_SEND_ERROR ||
                 code == CURLE_PARTIAL_FILE || code == CURLE_ABORTED_BY_CALLBACK);
    enum delivery_outcome outcome = DELIVERY_RETRY;
    if (x->private_address) {
        delivery_say(x->out, DELIVERY_REFUSED,
                     "%s: %.60s is an address of this machine or of a private network, which the "
                     "operator of this platform does not allow (delivery.private_networks)",
                     delivery_kind_name(x->target->kind), x->target->host);
        return code;
    }
    if (sent && x->file->size > 0)
        outcome = DELIVERY_UNKNOWN;
    else if (!x->read_failed && is_refusal(code, x->target->kind == DELIVERY_HTTPS ? 0 : answer))
        outcome = DELIVERY_REFUSED;
    /* libssh2 signs with RSA keys only in the old way. */
    bool by_key = code == CURLE_LOGIN_DENIED && x->target->private_key != NULL;
    delivery_say(x->out, outcome, "%s: %.60s: %s%s", delivery_kind_name(x->target->kind),
                 x->target->host,
                 x->read_failed        ? "the file cannot be read"
                 : x->error[0] != '\0' ? x->error
                                       : curl_easy_strerror(code),
                 by_key ? " (an RSA key would sign with SHA-1, which current servers refuse: use "
                          "Ed25519 or ECDSA)"
                        : "");
    return code;
}
