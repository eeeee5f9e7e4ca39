/* One EVP context per algorithm, fetched on first use and re-initialised with key and IV
 * afterwards, which allocates nothing. Calls without a cipher (hash, HMAC, random) keep no state.
 */
#include "base/cipher.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum algorithm { AES_CBC, AES_CTR, AES_CCM, AES_GCM_128, AES_GCM_256, DES3_CBC, ALGORITHMS };

static const char *const algorithm_names[ALGORITHMS] = {
    [AES_CBC] = "AES-128-CBC",     [AES_CTR] = "AES-128-CTR",     [AES_CCM] = "AES-128-CCM",
    [AES_GCM_128] = "AES-128-GCM", [AES_GCM_256] = "AES-256-GCM", [DES3_CBC] = "DES-EDE3-CBC",
};

struct cipher {
    EVP_CIPHER_CTX *ctx[ALGORITHMS];
    EVP_MAC_CTX *cmac;
};

/* A failure leaves nothing in OpenSSL's error queue, where the thread's next TLS call would find
 * it. */
static enum emt_err failed(enum emt_err err)
{
    ERR_clear_error();
    return err;
}

struct cipher *cipher_new(void)
{
    return calloc(1, sizeof(struct cipher));
}

void cipher_free(struct cipher *c)
{
    if (!c)
        return;
    for (unsigned i = 0; i < ALGORITHMS; i++)
        EVP_CIPHER_CTX_free(c->ctx[i]);
    EVP_MAC_CTX_free(c->cmac);
    free(c);
}

/* A context bound to its algorithm; NULL when libcrypto does not have it. */
static EVP_CIPHER_CTX *context(struct cipher *c, enum algorithm a)
{
    EVP_CIPHER *algorithm;
    EVP_CIPHER_CTX *ctx;

    if (c->ctx[a])
        return c->ctx[a];
    algorithm = EVP_CIPHER_fetch(NULL, algorithm_names[a], NULL);
    ctx = algorithm ? EVP_CIPHER_CTX_new() : NULL;
    if (ctx && EVP_CipherInit_ex2(ctx, algorithm, NULL, NULL, 1, NULL) != 1) {
        EVP_CIPHER_CTX_free(ctx);
        ctx = NULL;
    }
    EVP_CIPHER_free(algorithm); /* the context holds its own reference */
    c->ctx[a] = ctx;
    return ctx;
}

static enum emt_err run(EVP_CIPHER_CTX *ctx, const uint8_t *key, const uint8_t *iv, int encrypt,
                        const uint8_t *in, size_t len, uint8_t *out)
{
    int n = 0;

    if (!ctx)
        return failed(EMT_EINTERNAL);
    if (len > INT_MAX)
        return EMT_ELIMIT;
    if (EVP_CipherInit_ex2(ctx, NULL, key, iv, encrypt, NULL) != 1 ||
        EVP_CIPHER_CTX_set_padding(ctx, 0) != 1)
        return failed(EMT_EINTERNAL);
    if (len == 0)
        return EMT_OK;
    if (EVP_CipherUpdate(ctx, out, &n, in, (int)len) != 1 || (size_t)n != len)
        return failed(EMT_EINTERNAL);
    return EMT_OK;
}

enum emt_err cipher_aes128_cbc_decrypt(struct cipher *c, const uint8_t key[16],
                                       const uint8_t iv[16], const uint8_t *in, size_t len,
                                       uint8_t *out)
{
    return len % 16 ? EMT_EMALFORMED : run(context(c, AES_CBC), key, iv, 0, in, len, out);
}

enum emt_err cipher_aes128_cbc_encrypt(struct cipher *c, const uint8_t key[16],
                                       const uint8_t iv[16], const uint8_t *in, size_t len,
                                       uint8_t *out)
{
    return len % 16 ? EMT_EMALFORMED : run(context(c, AES_CBC), key, iv, 1, in, len, out);
}

enum emt_err cipher_aes128_ctr(struct cipher *c, const uint8_t key[16], const uint8_t iv[16],
                               const uint8_t *in, size_t len, uint8_t *out)
{
    return run(context(c, AES_CTR), key, iv, 1, in, len, out);
}

enum emt_err cipher_des_cbc_decrypt(struct cipher *c, const uint8_t key[8], const uint8_t iv[8],
                                    const uint8_t *in, size_t len, uint8_t *out)
{
    EVP_CIPHER_CTX *ctx = context(c, DES3_CBC);
    uint8_t triple[24];
    enum emt_err err;

    if (len % 8)
        return EMT_EMALFORMED;
    if (!ctx)
        return failed(EMT_EUNSUPPORTED);
    /* Single DES lives in OpenSSL's legacy provider, which need not be there; triple DES with three
     * equal keys is the same function (encrypt and decrypt under one key cancel out). */
    for (size_t i = 0; i < 3; i++)
        memcpy(triple + 8 * i, key, 8);
    err = run(ctx, triple, iv, 0, in, len, out);
    OPENSSL_cleanse(triple, sizeof triple);
    return err;
}

static enum emt_err cmac_ready(struct cipher *c, const uint8_t key[16])
{
    char name[] = "AES-128-CBC";
    OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, name, 0),
                            OSSL_PARAM_construct_end() };
    EVP_MAC *mac;

    if (c->cmac)
        return EVP_MAC_init(c->cmac, key, 16, NULL) == 1 ? EMT_OK : failed(EMT_EINTERNAL);
    mac = EVP_MAC_fetch(NULL, "CMAC", NULL);
    c->cmac = mac ? EVP_MAC_CTX_new(mac) : NULL;
    EVP_MAC_free(mac);
    if (!c->cmac)
        return failed(EMT_EINTERNAL);
    if (EVP_MAC_init(c->cmac, key, 16, params) != 1) {
        EVP_MAC_CTX_free(c->cmac);
        c->cmac = NULL;
        return failed(EMT_EINTERNAL);
    }
    return EMT_OK;
}

enum emt_err cipher_aes128_cmac(struct cipher *c, const uint8_t key[16],
                                const struct cipher_part *parts, size_t nparts, uint8_t mac[16])
{
    uint8_t out[16];
    size_t n = 0;
    enum emt_err err = cmac_ready(c, key);

    if (err)
        return err;
    for (size_t i = 0; i < nparts; i++)
        if (parts[i].n && EVP_MAC_update(c->cmac, parts[i].p, parts[i].n) != 1)
            return failed(EMT_EINTERNAL);
    if (EVP_MAC_final(c->cmac, out, &n, sizeof out) != 1 || n != sizeof out)
        return failed(EMT_EINTERNAL);
    memcpy(mac, out, sizeof out);
    return EMT_OK;
}

/* What does not fit into a parameter of EVP is refused before. */
static bool lengths_fit(size_t aad_len, size_t len)
{
    return aad_len <= INT_MAX && len <= INT_MAX;
}

static bool put_aad(EVP_CIPHER_CTX *ctx, const uint8_t *aad, size_t aad_len)
{
    int n;

    return aad_len == 0 || EVP_CipherUpdate(ctx, NULL, &n, aad, (int)aad_len) == 1;
}

enum emt_err cipher_aes128_ccm_open(struct cipher *c, const uint8_t key[16], const uint8_t *nonce,
                                    size_t nonce_len, const uint8_t *aad, size_t aad_len,
                                    const uint8_t *in, size_t len, const uint8_t *tag,
                                    size_t tag_len, uint8_t *out)
{
    EVP_CIPHER_CTX *ctx = context(c, AES_CCM);
    uint8_t expected[16];
    uint8_t none[1] = { 0 };
    int n = 0;

    /* NIST SP 800-38C: even tags of 4 to 16 bytes, nonces of 7 to 13. */
    if (nonce_len < 7 || nonce_len > 13 || tag_len < 4 || tag_len > 16 || tag_len % 2)
        return EMT_EMALFORMED;
    if (!lengths_fit(aad_len, len))
        return EMT_ELIMIT;
    if (!ctx)
        return failed(EMT_EINTERNAL);
    memcpy(expected, tag, tag_len);
    /* Order matters: lengths and tag, then key and nonce, then the total length, which CCM must
     * know before the first byte of associated data. */
    if (EVP_CipherInit_ex2(ctx, NULL, NULL, NULL, 0, NULL) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, (int)nonce_len, NULL) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, (int)tag_len, expected) != 1 ||
        EVP_CipherInit_ex2(ctx, NULL, key, nonce, 0, NULL) != 1 ||
        EVP_CipherUpdate(ctx, NULL, &n, NULL, (int)len) != 1 || !put_aad(ctx, aad, aad_len))
        return failed(EMT_EINTERNAL);
    if (EVP_CipherUpdate(ctx, len ? out : none, &n, len ? in : none, (int)len) != 1) {
        if (len)
            OPENSSL_cleanse(out, len);
        return failed(EMT_EAUTH);
    }
    return EMT_OK;
}

/* A GCM context with key, nonce and associated data in place. */
static enum emt_err gcm_start(struct cipher *c, int encrypt, const uint8_t *key, size_t key_len,
                              const uint8_t nonce[12], const uint8_t *aad, size_t aad_len,
                              size_t len, EVP_CIPHER_CTX **out)
{
    EVP_CIPHER_CTX *ctx;

    if (key_len != 16 && key_len != 32)
        return EMT_EMALFORMED;
    if (!lengths_fit(aad_len, len))
        return EMT_ELIMIT;
    ctx = context(c, key_len == 16 ? AES_GCM_128 : AES_GCM_256);
    if (!ctx || EVP_CipherInit_ex2(ctx, NULL, key, nonce, encrypt, NULL) != 1 ||
        !put_aad(ctx, aad, aad_len))
        return failed(EMT_EINTERNAL);
    *out = ctx;
    return EMT_OK;
}

static bool is_gcm_tag_len(size_t n)
{
    return n >= 12 && n <= 16;
}

enum emt_err cipher_aes_gcm_seal(struct cipher *c, const uint8_t *key, size_t key_len,
                                 const uint8_t nonce[12], const uint8_t *aad, size_t aad_len,
                                 const uint8_t *in, size_t len, uint8_t *out, uint8_t *tag,
                                 size_t tag_len)
{
    EVP_CIPHER_CTX *ctx;
    uint8_t rest[16];
    int n = 0;
    enum emt_err err;

    if (!is_gcm_tag_len(tag_len))
        return EMT_EMALFORMED;
    err = gcm_start(c, 1, key, key_len, nonce, aad, aad_len, len, &ctx);
    if (err)
        return err;
    if ((len && EVP_CipherUpdate(ctx, out, &n, in, (int)len) != 1) ||
        EVP_CipherFinal_ex(ctx, rest, &n) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, (int)tag_len, tag) != 1)
        return failed(EMT_EINTERNAL);
    return EMT_OK;
}

enum emt_err cipher_aes_gcm_open(struct cipher *c, const uint8_t *key, size_t key_len,
                                 const uint8_t nonce[12], const uint8_t *aad, size_t aad_len,
                                 const uint8_t *in, size_t len, const uint8_t *tag, size_t tag_len,
                                 uint8_t *out)
{
    EVP_CIPHER_CTX *ctx;
    uint8_t expected[16];
    uint8_t rest[16];
    int n = 0;
    enum emt_err err;

    if (!is_gcm_tag_len(tag_len))
        return EMT_EMALFORMED;
    memcpy(expected, tag, tag_len);
    err = gcm_start(c, 0, key, key_len, nonce, aad, aad_len, len, &ctx);
    if (err)
        return err;
    if (len && EVP_CipherUpdate(ctx, out, &n, in, (int)len) != 1)
        return failed(EMT_EINTERNAL);
    if (EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, (int)tag_len, expected) != 1)
        return failed(EMT_EINTERNAL);
    if (EVP_CipherFinal_ex(ctx, rest, &n) != 1) {
        if (len)
            OPENSSL_cleanse(out, len); /* plaintext that nobody vouches for */
        return failed(EMT_EAUTH);
    }
    return EMT_OK;
}

/* The low-level calls are deprecated in OpenSSL 3.0, but they alone can neither fail nor allocate:
 * a hash that silently went missing would make different telegrams look equal. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
void cipher_sha256(const void *p, size_t n, uint8_t out[32])
{
    SHA256_CTX ctx;

    SHA256_Init(&ctx);
    if (n)
        SHA256_Update(&ctx, p, n);
    SHA256_Final(out, &ctx);
}

struct cipher_digest {
    SHA256_CTX ctx;
};

struct cipher_digest *cipher_digest_new(void)
{
    struct cipher_digest *d = malloc(sizeof *d);

    if (d)
        SHA256_Init(&d->ctx);
    return d;
}

void cipher_digest_add(struct cipher_digest *d, const void *p, size_t n)
{
    if (n)
        SHA256_Update(&d->ctx, p, n);
}

void cipher_digest_end(struct cipher_digest *d, uint8_t out[32])
{
    SHA256_Final(out, &d->ctx);
    SHA256_Init(&d->ctx);
}
#pragma GCC diagnostic pop

void cipher_digest_free(struct cipher_digest *d)
{
    free(d);
}

enum emt_err cipher_hmac_sha256(const uint8_t *key, size_t key_len, const void *p, size_t n,
                                uint8_t out[32])
{
    unsigned len = 0;

    if (key_len > INT_MAX)
        return EMT_ELIMIT;
    if (!HMAC(EVP_sha256(), key_len ? (const void *)key : "", (int)key_len, n ? p : "", n, out,
              &len) ||
        len != 32)
        return failed(EMT_EINTERNAL);
    return EMT_OK;
}

enum emt_err cipher_random(void *out, size_t n)
{
    if (n > INT_MAX)
        return EMT_ELIMIT;
    return n == 0 || RAND_bytes(out, (int)n) == 1 ? EMT_OK : failed(EMT_EINTERNAL);
}

bool cipher_equal(const void *a, const void *b, size_t n)
{
    return n == 0 || CRYPTO_memcmp(a, b, n) == 0;
}

void cipher_wipe(void *p, size_t n)
{
    if (n)
        OPENSSL_cleanse(p, n);
}
