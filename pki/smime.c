#include "pki/smime.h"

#include "certificate.h"
#include "key.h"

#include <openssl/cms.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* Text is passed as it is, without a header of its own; parts come one at a time. */
#define FLAGS (CMS_BINARY | CMS_PARTIAL | CMS_STREAM)

static bool is_rsa(const X509 *cert)
{
    return EVP_PKEY_get_base_id(X509_get0_pubkey(cert)) == EVP_PKEY_RSA;
}

/* The entity with the MIME headers that name its kind, CRLF. EMT_EINTERNAL. */
static enum emt_err write_mime(CMS_ContentInfo *cms, BIO *in, int flags, BIO **out,
                               struct emt_diag *diag)
{
    BIO *bio = BIO_new(BIO_s_mem());

    if (bio != NULL && SMIME_write_CMS(bio, cms, in, flags | CMS_CRLFEOL) == 1) {
        *out = bio;
        return EMT_OK;
    }
    BIO_free(bio);
    return pki_fail(diag, EMT_EINTERNAL, "S/MIME");
}

/* --- signing --- */

static enum emt_err add_signer(CMS_ContentInfo *cms, STACK_OF(X509) * chain, EVP_PKEY *key,
                               struct emt_diag *diag)
{
    X509 *cert = sk_X509_value(chain, 0);

    if (X509_check_private_key(cert, key) != 1)
        return pki_fail(diag, EMT_EAUTH, "the signing key does not belong to its certificate");
    CMS_SignerInfo *si =
        CMS_add1_signer(cms, cert, key, EVP_sha256(), FLAGS | (is_rsa(cert) ? CMS_KEY_PARAM : 0));
    if (si == NULL)
        return pki_fail(diag, EMT_EINTERNAL, "signing");
    if (is_rsa(cert) &&
        EVP_PKEY_CTX_set_rsa_padding(CMS_SignerInfo_get0_pkey_ctx(si), RSA_PKCS1_PSS_PADDING) != 1)
        return pki_fail(diag, EMT_EINTERNAL, "signing");
    for (int i = 1; i < sk_X509_num(chain); i++) {
        if (CMS_add1_cert(cms, sk_X509_value(chain, i)) != 1)
            return pki_fail(diag, EMT_EINTERNAL, "signing");
    }
    return EMT_OK;
}

static enum emt_err sign_with(STACK_OF(X509) * chain, EVP_PKEY *key, BIO *in, BIO **out,
                              struct emt_diag *diag)
{
    const int flags = FLAGS | CMS_DETACHED;
    CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, flags);
    enum emt_err err =
        cms != NULL ? add_signer(cms, chain, key, diag) : pki_fail(diag, EMT_ENOMEM, "signing");

    if (err == EMT_OK)
        err = write_mime(cms, in, flags, out, diag);
    CMS_ContentInfo_free(cms);
    return err;
}

static enum emt_err sign(const struct smime_settings *s, BIO *in, BIO **out, struct emt_diag *diag)
{
    STACK_OF(X509) *chain = NULL;
    EVP_PKEY *key = NULL;

    if (s->sign_key_pem == NULL)
        return emt_fail(diag, EMT_EMALFORMED, "a signing certificate without its key");
    enum emt_err err = certificates_from_pem(s->sign_pem, strlen(s->sign_pem), &chain, diag);
    if (err == EMT_OK)
        err = key_from_pem(s->sign_key_pem, strlen(s->sign_key_pem), &key, diag);
    if (err == EMT_OK)
        err = sign_with(chain, key, in, out, diag);
    EVP_PKEY_free(key);
    sk_X509_pop_free(chain, X509_free);
    return err;
}

/* --- encrypting --- */

static enum emt_err add_recipient(CMS_ContentInfo *cms, X509 *cert, struct emt_diag *diag)
{
    CMS_RecipientInfo *ri =
        CMS_add1_recipient_cert(cms, cert, FLAGS | (is_rsa(cert) ? CMS_KEY_PARAM : 0));

    if (ri == NULL)
        return pki_fail(diag, EMT_EMALFORMED, "a recipient's certificate is not for encryption");
    if (!is_rsa(cert))
        return EMT_OK;
    EVP_PKEY_CTX *ctx = CMS_RecipientInfo_get0_pkey_ctx(ri);
    if (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) != 1 ||
        EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) != 1 ||
        EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) != 1)
        return pki_fail(diag, EMT_EINTERNAL, "encrypting");
    return EMT_OK;
}

static enum emt_err encrypt(const char *pem, BIO *in, BIO **out, struct emt_diag *diag)
{
    STACK_OF(X509) *list = NULL;
    CMS_ContentInfo *cms = CMS_encrypt(NULL, NULL, EVP_aes_256_cbc(), FLAGS);
    enum emt_err err = cms != NULL ? certificates_from_pem(pem, strlen(pem), &list, diag)
                                   : pki_fail(diag, EMT_ENOMEM, "encrypting");

    for (int i = 0; err == EMT_OK && i < sk_X509_num(list); i++)
        err = add_recipient(cms, sk_X509_value(list, i), diag);
    if (err == EMT_OK)
        err = write_mime(cms, in, FLAGS, out, diag);
    CMS_ContentInfo_free(cms);
    sk_X509_pop_free(list, X509_free);
    return err;
}

/* OpenSSL ends the lines of its base64 with LF alone, which mail servers refuse: CRLF everywhere.
 * What was signed has CRLF already, so the signature holds. */
static enum emt_err take(BIO *bio, uint8_t **out, size_t *out_len)
{
    char *text = NULL;
    long n = BIO_get_mem_data(bio, &text);
    uint8_t *copy = n > 0 ? malloc(2 * (size_t)n) : NULL;
    size_t len = 0;

    if (copy == NULL)
        return EMT_ENOMEM;
    for (long i = 0; i < n; i++) {
        if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r'))
            copy[len++] = '\r';
        copy[len++] = (uint8_t)text[i];
    }
    *out = copy;
    *out_len = len;
    return EMT_OK;
}

enum emt_err smime_seal(const struct smime_settings *s, const uint8_t *entity, size_t n,
                        uint8_t **out, size_t *out_len, struct emt_diag *diag)
{
    if (s->sign_pem == NULL && s->encrypt_pem == NULL)
        return emt_fail(diag, EMT_EMALFORMED, "neither a certificate to sign nor one to encrypt");
    if (n > INT32_MAX)
        return emt_fail(diag, EMT_ELIMIT, "the message is too long");

    BIO *plain = BIO_new_mem_buf(entity, (int)n);
    BIO *signed_part = NULL;
    BIO *sealed = NULL;
    enum emt_err err = plain != NULL ? EMT_OK : pki_fail(diag, EMT_ENOMEM, "S/MIME");
    if (err == EMT_OK && s->sign_pem != NULL)
        err = sign(s, plain, &signed_part, diag);
    BIO *before = signed_part != NULL ? signed_part : plain;
    if (err == EMT_OK && s->encrypt_pem != NULL)
        err = encrypt(s->encrypt_pem, before, &sealed, diag);
    if (err == EMT_OK)
        err = take(sealed != NULL ? sealed : before, out, out_len);
    BIO_free(plain);
    BIO_free(signed_part);
    BIO_free(sealed);
    return err;
}
