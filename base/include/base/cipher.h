/* Symmetric primitives over libcrypto. Nothing here is home-made; nothing here knows a protocol. */
#ifndef EMT_BASE_CIPHER_H
#define EMT_BASE_CIPHER_H

#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A thread's own cipher contexts, made once and reused: no allocation per call after warm-up. */
struct cipher;
struct cipher *cipher_new(void); /* NULL when out of memory */
void cipher_free(struct cipher *c);

/* No padding: len is a multiple of 16. out may equal in. EMT_EMALFORMED for another length. */
EMT_CHECKED enum emt_err cipher_aes128_cbc_decrypt(struct cipher *c, const uint8_t key[16],
                                                   const uint8_t iv[16], const uint8_t *in,
                                                   size_t len, uint8_t *out);
EMT_CHECKED enum emt_err cipher_aes128_cbc_encrypt(struct cipher *c, const uint8_t key[16],
                                                   const uint8_t iv[16], const uint8_t *in,
                                                   size_t len, uint8_t *out);
/* Counter block big endian in the last bytes; any length; encrypts and decrypts. */
EMT_CHECKED enum emt_err cipher_aes128_ctr(struct cipher *c, const uint8_t key[16],
                                           const uint8_t iv[16], const uint8_t *in, size_t len,
                                           uint8_t *out);
/* DES-CBC for legacy meters (EN 13757-3 modes 2 and 3), decrypt only; len a multiple of 8.
 * EMT_EUNSUPPORTED where libcrypto has no DES. */
EMT_CHECKED enum emt_err cipher_des_cbc_decrypt(struct cipher *c, const uint8_t key[8],
                                                const uint8_t iv[8], const uint8_t *in, size_t len,
                                                uint8_t *out);
/* AES-128-CMAC (RFC 4493) over the concatenation of `parts` byte strings. */
struct cipher_part {
    const uint8_t *p;
    size_t n;
};
EMT_CHECKED enum emt_err cipher_aes128_cmac(struct cipher *c, const uint8_t key[16],
                                            const struct cipher_part *parts, size_t nparts,
                                            uint8_t mac[16]);
/* AES-128-CCM decrypt and verify; nonce 7..13 bytes, tag 4..16. EMT_EAUTH when the tag does not
 * fit. */
EMT_CHECKED enum emt_err cipher_aes128_ccm_open(struct cipher *c, const uint8_t key[16],
                                                const uint8_t *nonce, size_t nonce_len,
                                                const uint8_t *aad, size_t aad_len,
                                                const uint8_t *in, size_t len, const uint8_t *tag,
                                                size_t tag_len, uint8_t *out);
/* AES-GCM, key 16 or 32 bytes, nonce 12, tag 12..16 bytes. open: EMT_EAUTH when the tag does not
 * fit. */
EMT_CHECKED enum emt_err cipher_aes_gcm_seal(struct cipher *c, const uint8_t *key, size_t key_len,
                                             const uint8_t nonce[12], const uint8_t *aad,
                                             size_t aad_len, const uint8_t *in, size_t len,
                                             uint8_t *out, uint8_t *tag, size_t tag_len);
EMT_CHECKED enum emt_err cipher_aes_gcm_open(struct cipher *c, const uint8_t *key, size_t key_len,
                                             const uint8_t nonce[12], const uint8_t *aad,
                                             size_t aad_len, const uint8_t *in, size_t len,
                                             const uint8_t *tag, size_t tag_len, uint8_t *out);

void cipher_sha256(const void *p, size_t n, uint8_t out[32]);
/* The same over parts that do not stand in memory at once. */
struct cipher_digest;
struct cipher_digest *cipher_digest_new(void); /* NULL when out of memory */
void cipher_digest_add(struct cipher_digest *d, const void *p, size_t n);
/* The hash of what was added, and d begins anew. */
void cipher_digest_end(struct cipher_digest *d, uint8_t out[32]);
void cipher_digest_free(struct cipher_digest *d); /* NULL is fine */
EMT_CHECKED enum emt_err cipher_hmac_sha256(const uint8_t *key, size_t key_len, const void *p,
                                            size_t n, uint8_t out[32]);
/* Cryptographic random bytes; EMT_EINTERNAL when the system has none. */
EMT_CHECKED enum emt_err cipher_random(void *out, size_t n);
/* Constant time. */
bool cipher_equal(const void *a, const void *b, size_t n);
/* Cannot be optimised away. */
void cipher_wipe(void *p, size_t n);

#endif
