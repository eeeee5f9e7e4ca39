#include "pki/signing_key.h"

#include "key.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

static enum emt_err public_to_pem(EVP_PKEY *key, struct writer *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    long n = 0;

    if (bio != NULL && PEM_write_bio_PUBKEY(bio, key) == 1)
        n = BIO_get_mem_data(bio, &text);
    enum emt_err err = n > 0 && writer_bytes(out, text, (size_t)n) ? EMT_OK : EMT_ENOMEM;
    BIO_free(bio);
    return err;
}

enum emt_err signing_key_new(struct writer *secret_pem, struct writer *public_pem,
                             struct emt_diag *diag)
{
    EVP_PKEY *key = NULL;
    enum emt_err err = key_generate(KEY_P256, &key, diag);

    if (err == EMT_OK)
        err = key_to_pem(key, secret_pem);
    if (err == EMT_OK)
        err = public_to_pem(key, public_pem);
    EVP_PKEY_free(key);
    return err;
}

enum emt_err signing_key_sign(const char *secret_pem, size_t n, const void *text, size_t len,
                              unsigned char out[SIGNATURE_MAX], size_t *out_len,
                              struct emt_diag *diag)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY *key = NULL;
    size_t room = SIGNATURE_MAX;
    enum emt_err err = ctx != NULL ? key_from_pem(secret_pem, n, &key, diag) : EMT_ENOMEM;

    if (err == EMT_OK && (EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) != 1 ||
                          EVP_DigestSign(ctx, out, &room, text, len) != 1))
        err = pki_fail(diag, EMT_EINTERNAL, "signature");
    if (err == EMT_OK)
        *out_len = room;
    EVP_PKEY_free(key);
    EVP_MD_CTX_free(ctx);
    return err;
}

enum emt_err signing_key_verify(const char *public_pem, size_t n, const void *text, size_t len,
                                const void *signature, size_t signature_len, struct emt_diag *diag)
{
    BIO *bio = n > 0 && n <= INT_MAX ? BIO_new_mem_buf(public_pem, (int)n) : NULL;
    EVP_PKEY *key = bio != NULL ? PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL) : NULL;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    enum emt_err err = EMT_OK;

    if (ctx == NULL)
        err = EMT_ENOMEM;
    else if (key == NULL)
        err = pki_fail(diag, EMT_EMALFORMED, "public key");
    else if (EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) != 1 ||
             EVP_DigestVerify(ctx, signature, signature_len, text, len) != 1)
        err = pki_fail(diag, EMT_EAUTH, "signature");
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    BIO_free(bio);
    return err;
}
