#include "key.h"

#include "token.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdbool.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum { GROUP_NAME_MAX = 64 };

/* Name as people write it, name as OpenSSL answers it. */
static const struct {
    const char *name;
    const char *group;
} kinds[] = {
    [KEY_P256] = { "P-256", "prime256v1" },
    [KEY_P384] = { "P-384", "secp384r1" },
    [KEY_BRAINPOOL_P256R1] = { "brainpoolP256r1", "brainpoolP256r1" },
    [KEY_BRAINPOOL_P384R1] = { "brainpoolP384r1", "brainpoolP384r1" },
};

enum { NKINDS = sizeof kinds / sizeof kinds[0] };

enum emt_err key_kind_parse(const char *name, enum key_kind *out)
{
    for (unsigned i = 0; i < NKINDS; i++) {
        if (strcmp(name, kinds[i].name) == 0) {
            *out = (enum key_kind)i;
            return EMT_OK;
        }
    }
    return EMT_ENOTFOUND;
}

enum emt_err pki_fail(struct emt_diag *diag, enum emt_err err, const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    emt_fail(diag, err, "%s: %s", what, reason ? reason : "refused");
    ERR_clear_error();
    return err;
}

enum emt_err key_generate(enum key_kind kind, EVP_PKEY **out, struct emt_diag *diag)
{
    EVP_PKEY *key = EVP_EC_gen(kinds[kind].group);

    if (!key)
        return pki_fail(diag, EMT_EINTERNAL, "new key");
    *out = key;
    return EMT_OK;
}

int no_passphrase(char *buf, int size, int writing, void *arg)
{
    (void)buf;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

enum emt_err key_from_pem(const char *pem, size_t n, EVP_PKEY **out, struct emt_diag *diag)
{
    BIO *bio = n <= 65536 ? BIO_new_mem_buf(pem, (int)n) : NULL;
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;

    BIO_free(bio);
    if (!key)
        return pki_fail(diag, EMT_EMALFORMED, "private key");
    *out = key;
    return EMT_OK;
}

enum emt_err key_from_pem_or_token(const char *text, size_t n, EVP_PKEY **out,
                                   struct emt_diag *diag)
{
    return token_is_uri(text, n) ? token_key(text, n, out, diag) : key_from_pem(text, n, out, diag);
}

enum emt_err key_to_pem(const EVP_PKEY *key, struct writer *out)
{
    BIO *bio = BIO_new(BIO_s_mem()); /* wiped by BIO_free */
    enum emt_err err = EMT_ENOMEM;
    char *text = NULL;

    if (bio && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1) {
        long n = BIO_get_mem_data(bio, &text);
        /* One write, so that a growing writer leaves no copies of the key in freed memory. */
        if (n > 0 && writer_bytes(out, text, (size_t)n))
            err = EMT_OK;
    }
    BIO_free(bio);
    ERR_clear_error();
    return err;
}

/* Explicit curve parameters allow keys on crafted curves (CVE-2020-0601 and its kind). */
static bool named_curve(const EVP_PKEY *key)
{
    int is_explicit = 0;

    if (EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS,
                               &is_explicit) != 1)
        is_explicit = 0;
    return is_explicit == 0;
}

enum emt_err key_kind_of(const EVP_PKEY *key, enum key_kind *out)
{
    char group[GROUP_NAME_MAX];
    size_t len = 0;
    enum emt_err err = EMT_EUNSUPPORTED;

    if (EVP_PKEY_is_a(key, "EC") && named_curve(key) &&
        EVP_PKEY_get_group_name(key, group, sizeof group, &len) == 1) {
        for (unsigned i = 0; i < NKINDS && err != EMT_OK; i++) {
            if (strcmp(group, kinds[i].group) == 0) {
                *out = (enum key_kind)i;
                err = EMT_OK;
            }
        }
    }
    ERR_clear_error();
    return err;
}

enum emt_err key_kind_of_pem(const char *pem, size_t n, enum key_kind *out)
{
    EVP_PKEY *key = NULL;
    enum emt_err err = key_from_pem(pem, n, &key, NULL);

    if (err == EMT_OK)
        err = key_kind_of(key, out);
    EVP_PKEY_free(key);
    return err;
}

const EVP_MD *key_digest(const EVP_PKEY *key)
{
    return EVP_PKEY_get_bits(key) >= 384 ? EVP_sha384() : EVP_sha256();
}
