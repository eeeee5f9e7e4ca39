#include "base/error.h"
#include "base/writer.h"
#include "certificate.h"
#include "key.h"
#include "pki/authority.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* The subject is a courtesy: the CA puts its own (authority_issue_gateway). */
static bool fill_request(X509_REQ *req, EVP_PKEY *key, const char *common_name)
{
    X509_NAME *name = X509_NAME_new();
    bool ok = name &&
              X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                                         (const unsigned char *)common_name, -1, -1, 0) == 1 &&
              X509_REQ_set_version(req, X509_REQ_VERSION_1) == 1 &&
              X509_REQ_set_subject_name(req, name) == 1 && X509_REQ_set_pubkey(req, key) == 1 &&
              X509_REQ_sign(req, key, key_digest(key)) > 0;

    X509_NAME_free(name);
    return ok;
}

static enum emt_err request_to_pem(const X509_REQ *req, struct writer *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    enum emt_err err = EMT_ENOMEM;
    char *text = NULL;

    if (bio && PEM_write_bio_X509_REQ(bio, req) == 1) {
        long n = BIO_get_mem_data(bio, &text);
        if (n > 0 && writer_bytes(out, text, (size_t)n))
            err = EMT_OK;
    }
    BIO_free(bio);
    return err;
}

enum emt_err csr_new(enum key_kind kind, const char *common_name, struct writer *key_out,
                     struct writer *csr_out, struct emt_diag *diag)
{
    EVP_PKEY *key = NULL;

    if (!name_is_plain(common_name, strlen(common_name)))
        return emt_fail(diag, EMT_EMALFORMED, "common name: 1 to %d printable bytes",
                        NAME_MAX_BYTES);

    enum emt_err err = key_generate(kind, &key, diag);
    X509_REQ *req = err == EMT_OK ? X509_REQ_new() : NULL;

    if (err != EMT_OK)
        goto out;
    if (!req || !fill_request(req, key, common_name)) {
        err = pki_fail(diag, EMT_EINTERNAL, "certificate request");
        goto out;
    }
    err = request_to_pem(req, csr_out);
    if (err == EMT_OK)
        err = key_to_pem(key, key_out);
out:
    X509_REQ_free(req);
    EVP_PKEY_free(key);
    return err;
}
