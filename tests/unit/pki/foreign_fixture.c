#include "foreign_fixture.h"

#include <check.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

static EVP_PKEY *new_key(const char *kind)
{
    if (strncmp(kind, "rsa:", 4) == 0)
        return EVP_RSA_gen((unsigned)strtoul(kind + 4, NULL, 10));
    return EVP_EC_gen(kind);
}

static void extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    ck_assert_ptr_nonnull(e);
    ck_assert_int_eq(X509_add_ext(cert, e, -1), 1);
    X509_EXTENSION_free(e);
}

static void append(struct writer *w, BIO *bio)
{
    char *text = NULL;
    long n = BIO_get_mem_data(bio, &text);

    ck_assert(writer_bytes(w, text, (size_t)n));
    BIO_free(bio);
}

static void write_pem(struct foreign *f, const struct foreign_spec *s)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;

    ck_assert_int_eq(PEM_write_bio_X509(bio, f->cert), 1);
    long n = BIO_get_mem_data(bio, &text);
    ck_assert((size_t)n < sizeof f->pem);
    memcpy(f->pem, text, (size_t)n);
    f->pem[n] = 0;
    writer_init_heap(&f->leaf.chain, 65536);
    writer_init_heap(&f->leaf.key, 65536);
    append(&f->leaf.chain, bio);
    if (s->issuer && s->issuer->leaf.chain.len > 0 &&
        X509_NAME_cmp(X509_get_issuer_name(s->issuer->cert),
                      X509_get_subject_name(s->issuer->cert)) != 0)
        ck_assert(
            writer_bytes(&f->leaf.chain, s->issuer->leaf.chain.data, s->issuer->leaf.chain.len));
    bio = BIO_new(BIO_s_mem());
    ck_assert_int_eq(PEM_write_bio_PKCS8PrivateKey(bio, f->key, NULL, NULL, 0, NULL, NULL), 1);
    append(&f->leaf.key, bio);
    ck_assert_int_eq(
        certificate_info(writer_cstr(&f->leaf.chain), f->leaf.chain.len, &f->leaf.info, NULL),
        EMT_OK);
}

void foreign_make(struct foreign *f, const struct foreign_spec *s)
{
    static int serial = 1000;
    bool dated = s->from_s != 0 || s->until_s != 0;

    f->key = new_key(s->key ? s->key : "P-256");
    f->cert = X509_new();
    ck_assert(f->key && f->cert);
    X509 *issuer = s->issuer ? s->issuer->cert : f->cert;
    X509_set_version(f->cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(f->cert), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(f->cert), dated ? s->from_s : -3600);
    X509_gmtime_adj(X509_getm_notAfter(f->cert), dated ? s->until_s : 86400);
    X509_NAME_add_entry_by_NID(X509_get_subject_name(f->cert), NID_commonName, MBSTRING_UTF8,
                               (const unsigned char *)s->name, -1, -1, 0);
    X509_set_issuer_name(f->cert, X509_get_subject_name(issuer));
    X509_set_pubkey(f->cert, f->key);
    extend(f->cert, issuer, NID_basic_constraints, s->ca ? "critical,CA:TRUE" : "CA:FALSE");
    extend(f->cert, issuer, NID_key_usage,
           s->usage ? s->usage
           : s->ca  ? "critical,keyCertSign,cRLSign"
                    : "critical,digitalSignature");
    extend(f->cert, issuer, NID_subject_key_identifier, "hash");
    ck_assert_int_gt(X509_sign(f->cert, s->issuer ? s->issuer->key : f->key,
                               EVP_get_digestbyname(s->digest ? s->digest : "SHA256")),
                     0);
    write_pem(f, s);
}

void foreign_release(struct foreign *f)
{
    X509_free(f->cert);
    EVP_PKEY_free(f->key);
    test_leaf_release(&f->leaf);
}
