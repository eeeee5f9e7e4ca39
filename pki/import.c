#include "pki/import.h"

#include "certificate.h"
#include "key.h"
#include "verify.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

static enum emt_err write_subject(X509 *cert, char out[SUBJECT_MAX])
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    enum emt_err err = EMT_ENOMEM;

    if (bio && X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0,
                                  XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
        long n = BIO_get_mem_data(bio, &text);
        err = n < SUBJECT_MAX ? EMT_OK : EMT_EMALFORMED;
        if (err == EMT_OK && n > 0)
            memcpy(out, text, (size_t)n);
        if (err == EMT_OK)
            out[n] = 0;
    }
    BIO_free(bio);
    return err;
}

static enum emt_err facts_of(X509 *cert, emt_time now, struct certificate_facts *out,
                             struct emt_diag *diag)
{
    enum emt_err err = leaf_info_of(cert, &out->info);

    if (err == EMT_OK)
        err = write_subject(cert, out->subject);
    if (err != EMT_OK)
        return emt_fail(diag, err, "the subject is too long");
    if (!out->info.serial[0] || out->info.not_before == EMT_TIME_NONE ||
        out->info.not_after == EMT_TIME_NONE)
        return emt_fail(diag, EMT_EMALFORMED, "serial number or times cannot be read");
    if (out->info.not_after <= now)
        return emt_fail(diag, EMT_ESTATE, "the certificate is over");
    return EMT_OK;
}

static enum emt_err check_ca(X509 *cert, struct emt_diag *diag)
{
    enum key_kind kind;
    int bits = 0;

    if (X509_check_ca(cert) != 1 || (X509_get_key_usage(cert) & KU_KEY_CERT_SIGN) == 0)
        return emt_fail(diag, EMT_EMALFORMED,
                        "no CA: name the gateway whose certificate it is (gateway)");
    if (key_kind_of(X509_get0_pubkey(cert), &kind) != EMT_OK)
        return emt_fail(diag, EMT_EUNSUPPORTED,
                        "key type: P-256, P-384, brainpoolP256r1 or brainpoolP384r1");
    if (X509_get_signature_info(cert, NULL, NULL, &bits, NULL) != 1 || bits < 112)
        return emt_fail(diag, EMT_EUNSUPPORTED, "signed with a digest that is too weak");
    return EMT_OK;
}

/* With the eyes of the handshake. */
static enum emt_err check_pinned(X509 *cert, enum import_use use, struct emt_diag *diag)
{
    struct verify_failure f = { 0 };
    enum leaf_rule rule = use == IMPORT_AS_LOGGER ? LEAF_LOGGER : LEAF_EMT;

    if (X509_check_ca(cert) == 1)
        return emt_fail(diag, EMT_EMALFORMED, "a CA's certificate is no device's");
    return verify_leaf_alone(cert, rule, &f) == EMT_OK
               ? EMT_OK
               : emt_fail(diag, EMT_EUNSUPPORTED, "%s", f.text);
}

enum emt_err import_check(const char *pem, size_t n, enum import_use use, emt_time now,
                          struct certificate_facts *out, struct emt_diag *diag)
{
    STACK_OF(X509) *list = NULL;
    enum emt_err err = certificates_from_pem(pem, n, &list, diag);

    if (err != EMT_OK)
        return err;
    if (sk_X509_num(list) != 1) {
        err =
            emt_fail(diag, EMT_EMALFORMED, "one certificate at a time, not %d", sk_X509_num(list));
    } else {
        X509 *cert = sk_X509_value(list, 0);
        err = use == IMPORT_AS_CA ? check_ca(cert, diag) : check_pinned(cert, use, diag);
        if (err == EMT_OK)
            err = facts_of(cert, now, out, diag);
    }
    sk_X509_pop_free(list, X509_free);
    ERR_clear_error();
    return err;
}

static enum emt_err check_request(X509_REQ *req, X509 *cert, const char *organisation,
                                  const char *common_name, struct emt_diag *diag)
{
    const X509_NAME *subject = X509_REQ_get_subject_name(req);
    EVP_PKEY *key = X509_REQ_get0_pubkey(req);
    char name[NAME_MAX_BYTES + 1];

    if (!key || EVP_PKEY_eq(key, X509_get0_pubkey(cert)) != 1)
        return emt_fail(diag, EMT_EAUTH, "it has another key than the certificate");
    if (X509_REQ_verify(req, key) != 1)
        return emt_fail(diag, EMT_EAUTH, "it is not signed with its key");
    if (subject_name(subject, NID_organizationName, name) != NAME_FOUND ||
        strcmp(name, organisation) != 0)
        return emt_fail(diag, EMT_EMALFORMED, "its organisation (O) is not %s", organisation);
    if (subject_name(subject, NID_commonName, name) != NAME_FOUND || strcmp(name, common_name) != 0)
        return emt_fail(diag, EMT_EMALFORMED, "its common name (CN) is not %s", common_name);
    return EMT_OK;
}

enum emt_err import_proof(const char *pem, size_t n, const char *request, size_t request_len,
                          const char *organisation, const char *common_name, struct emt_diag *diag)
{
    STACK_OF(X509) *list = NULL;
    BIO *bio = request_len < PEM_MAX_BYTES ? BIO_new_mem_buf(request, (int)request_len) : NULL;
    X509_REQ *req = bio ? PEM_read_bio_X509_REQ(bio, NULL, no_passphrase, NULL) : NULL;
    enum emt_err err = certificates_from_pem(pem, n, &list, diag);

    if (err == EMT_OK)
        err = req ? check_request(req, sk_X509_value(list, 0), organisation, common_name, diag)
                  : emt_fail(diag, EMT_EMALFORMED, "no certificate request (PKCS #10) in PEM");
    sk_X509_pop_free(list, X509_free);
    X509_REQ_free(req);
    BIO_free(bio);
    ERR_clear_error();
    return err;
}

/* TR-03109-4: signing ones have no extended key usage, TLS ones have both, encrypting ones agree
 * upon keys. */
static enum emt_err check_use(X509 *cert, enum emt_use use, struct emt_diag *diag)
{
    uint32_t usage = X509_get_key_usage(cert);
    uint32_t extended = X509_get_extended_key_usage(cert);
    bool fits = false;

    switch (use) {
    case EMT_SIG:
        fits = (usage & KU_DIGITAL_SIGNATURE) != 0 &&
               (extended == UINT32_MAX || (extended & XKU_SMIME) != 0);
        break;
    case EMT_ENC:
        fits = (usage & (KU_KEY_AGREEMENT | KU_KEY_ENCIPHERMENT)) != 0;
        break;
    case EMT_TLS:
        fits = (usage & KU_DIGITAL_SIGNATURE) != 0 && extended != UINT32_MAX &&
               (extended & XKU_SSL_SERVER) != 0;
        break;
    }
    return fits ? EMT_OK
                : emt_fail(diag, EMT_EMALFORMED, "the certificate's key usage is another one");
}

enum emt_err emt_check(const char *chain_pem, size_t chain_len, const char *key_pem, size_t key_len,
                       enum emt_use use, emt_time now, struct certificate_facts *out,
                       struct emt_diag *diag)
{
    STACK_OF(X509) *chain = NULL;
    EVP_PKEY *key = NULL;
    enum emt_err err = certificates_from_pem(chain_pem, chain_len, &chain, diag);

    if (err == EMT_OK)
        err = key_from_pem(key_pem, key_len, &key, diag);
    if (err == EMT_OK && X509_check_private_key(sk_X509_value(chain, 0), key) != 1)
        err = pki_fail(diag, EMT_EAUTH, "certificate and key do not belong together");
    if (err == EMT_OK)
        err = check_use(sk_X509_value(chain, 0), use, diag);
    if (err == EMT_OK)
        err = facts_of(sk_X509_value(chain, 0), now, out, diag);
    EVP_PKEY_free(key);
    sk_X509_pop_free(chain, X509_free);
    ERR_clear_error();
    return err;
}
