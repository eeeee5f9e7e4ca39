#include "tls_session.h"

#include "base/error.h"
#include "base/reader.h"
#include "base/writer.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdint.h>
#include <stdlib.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum {
    DER_SEQUENCE = 0x30,
    DER_PEER = 0xa3, /* SSL_SESSION, element [3] EXPLICIT: the peer's certificate */
    SESSION_MAX = 65536,
};

/* X.690, 8.1.3: definite lengths of up to three bytes are all that a session has. */
static size_t read_length(struct reader *r)
{
    uint8_t first = reader_u8(r);

    if (first < 0x80)
        return first;
    if (first == 0x81 || first == 0x82 || first == 0x83)
        return (size_t)reader_be(r, first & 0x0fu);
    reader_fail(r);
    return 0;
}

static void write_length(struct writer *w, size_t n)
{
    unsigned bytes = n < 0x100 ? 1 : n < 0x10000 ? 2 : 3;

    if (n < 0x80) {
        writer_u8(w, (uint8_t)n);
        return;
    }
    writer_u8(w, (uint8_t)(0x80u | bytes));
    writer_be(w, n, bytes);
}

/* Copies the elements of the outer SEQUENCE except the peer's. */
static enum emt_err cut_peer(const uint8_t *der, size_t n, struct writer *out)
{
    uint8_t *body = malloc(n);
    struct reader all = reader_of(der, n);
    struct writer w;

    if (!body)
        return EMT_ENOMEM;
    writer_init_fixed(&w, body, n);

    uint8_t tag = reader_u8(&all);
    size_t len = read_length(&all);
    struct reader in = reader_sub(&all, len);
    while (!reader_at_end(&in)) {
        const uint8_t *start = in.data + in.pos;
        size_t from = in.pos;
        bool keep = reader_u8(&in) != DER_PEER;

        reader_skip(&in, read_length(&in));
        if (keep && !in.failed)
            writer_bytes(&w, start, in.pos - from);
    }
    writer_u8(out, DER_SEQUENCE);
    write_length(out, w.len);
    writer_bytes(out, body, w.len);

    bool ok = tag == DER_SEQUENCE && !in.failed && !w.failed && !out->failed;
    OPENSSL_cleanse(body, n); /* holds the master secret */
    free(body);
    return ok ? EMT_OK : EMT_EINTERNAL;
}

static SSL_SESSION *without_peer(SSL_SESSION *fat)
{
    uint8_t *der = NULL;
    int n = i2d_SSL_SESSION(fat, &der);
    SSL_SESSION *slim = NULL;

    if (n <= 0 || n > SESSION_MAX) {
        OPENSSL_free(der);
        return NULL;
    }
    uint8_t *cut = malloc((size_t)n + 8);
    if (cut) {
        struct writer w;
        writer_init_fixed(&w, cut, (size_t)n + 8);
        if (cut_peer(der, (size_t)n, &w) == EMT_OK) {
            const uint8_t *p = w.data;
            slim = d2i_SSL_SESSION(NULL, &p, (long)w.len);
        }
        OPENSSL_cleanse(cut, (size_t)n + 8);
        free(cut);
    }
    OPENSSL_clear_free(der, (size_t)n);
    return slim;
}

void session_slim(SSL *ssl, bool cache)
{
    SSL_SESSION *fat = SSL_get_session(ssl);
    SSL_SESSION *slim = fat ? without_peer(fat) : NULL;

    /* Order matters: SSL_set_session() takes the old one's id out of the cache. */
    if (slim && SSL_set_session(ssl, slim) == 1 && cache)
        (void)SSL_CTX_add_session(SSL_get_SSL_CTX(ssl), slim); /* 0: it was there */
    SSL_SESSION_free(slim);
    ERR_clear_error();
}
