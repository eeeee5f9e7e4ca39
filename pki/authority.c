#include "pki/authority.h"

#include "authority_internal.h"
#include "certificate.h"
#include "key.h"
#include "token.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum {
    SERIAL_BYTES = 16, /* as the SM-PKI does */
    CSR_MAX_BYTES = 16384,
    SERVER_NAMES_MAX = 32,
    SERVER_NAME_BYTES = 253, /* RFC 1035 in text form */
};

/* Gateways' clocks are a little off: what was issued this moment must count at once. */
#define BACKDATE (5 * EMT_MINUTE)

struct authority {
    X509 *cert;
    STACK_OF(X509) * above; /* issuing CAs up to, without, the root; may be empty */
    EVP_PKEY *key;
    char *uri; /* of a key in a token; NULL: it is in memory */
};

/* What a certificate to be made says; NULL texts are left out. */
struct draft {
    const char *organisation;
    const char *common_name;
    const char *basic_constraints;
    const char *key_usage;
    const char *extended_key_usage;
    const GENERAL_NAMES *names;
    emt_time now;
    int64_t lifetime;
};

X509 *authority_certificate(const struct authority *a)
{
    return a->cert;
}

EVP_PKEY *authority_key(const struct authority *a)
{
    return a->key;
}

static bool is_root(const X509 *cert)
{
    return (X509_get_extension_flags((X509 *)cert) & EXFLAG_SS) != 0;
}

static bool add_name(X509_NAME *name, int nid, const char *text)
{
    return !text || X509_NAME_add_entry_by_NID(name, nid, MBSTRING_UTF8,
                                               (const unsigned char *)text, -1, -1, 0) == 1;
}

static bool set_serial(X509 *cert)
{
    uint8_t bytes[SERIAL_BYTES];
    BIGNUM *n = NULL;

    if (RAND_bytes(bytes, sizeof bytes) != 1)
        return false;
    /* Positive and always of full length (RFC 5280, 4.1.2.2). */
    bytes[0] = (uint8_t)((bytes[0] & 0x7fu) | 0x40u);
    n = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert)) != NULL;
    BN_free(n);
    return ok;
}

/* A certificate does not outlive the one that signs it. */
static bool set_times(X509 *cert, const struct draft *d, const X509 *issuer)
{
    emt_time from = d->now - BACKDATE;
    emt_time until = EMT_TIME_NONE;

    if (__builtin_add_overflow(d->now, d->lifetime, &until))
        return false;
    if (issuer) {
        emt_time end = time_from_asn1(X509_get0_notAfter(issuer));
        if (until > end)
            until = end;
    }
    return until > from && ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)(from / EMT_SECOND)) &&
           ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)(until / EMT_SECOND));
}

static bool add_extension(X509 *cert, X509V3_CTX *ctx, int nid, const char *value)
{
    if (!value)
        return true;

    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, ctx, nid, value);
    bool ok = ext && X509_add_ext(cert, ext, -1) == 1;

    X509_EXTENSION_free(ext);
    return ok;
}

static bool add_extensions(X509 *cert, const struct draft *d, X509 *issuer)
{
    X509V3_CTX ctx;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer ? issuer : cert, cert, NULL, NULL, 0);
    return add_extension(cert, &ctx, NID_basic_constraints, d->basic_constraints) &&
           add_extension(cert, &ctx, NID_key_usage, d->key_usage) &&
           add_extension(cert, &ctx, NID_ext_key_usage, d->extended_key_usage) &&
           add_extension(cert, &ctx, NID_subject_key_identifier, "hash") &&
           add_extension(cert, &ctx, NID_authority_key_identifier, issuer ? "keyid" : NULL) &&
           (!d->names ||
            X509_add1_ext_i2d(cert, NID_subject_alt_name, (void *)d->names, 0, 0) == 1);
}

/* issuer NULL: signs itself. */
static enum emt_err certificate_make(const struct draft *d, EVP_PKEY *subject_key,
                                     const struct authority *issuer, X509 **out,
                                     struct emt_diag *diag)
{
    X509 *signer = issuer ? issuer->cert : NULL;
    EVP_PKEY *key = issuer ? issuer->key : subject_key;
    X509 *cert = X509_new();
    X509_NAME *name = X509_NAME_new();
    enum emt_err err = EMT_OK;

    if (!cert || !name || !add_name(name, NID_organizationName, d->organisation) ||
        !add_name(name, NID_commonName, d->common_name))
        err = pki_fail(diag, EMT_EINTERNAL, "subject");
    else if (!set_times(cert, d, signer))
        err = emt_fail(diag, EMT_ESTATE, "the issuing certificate has ended, or no lifetime");
    else if (X509_set_version(cert, X509_VERSION_3) != 1 || !set_serial(cert) ||
             X509_set_subject_name(cert, name) != 1 ||
             X509_set_issuer_name(cert, signer ? X509_get_subject_name(signer) : name) != 1 ||
             X509_set_pubkey(cert, subject_key) != 1 || !add_extensions(cert, d, signer) ||
             X509_sign(cert, key, key_digest(key)) <= 0)
        err = pki_fail(diag, EMT_EINTERNAL, "new certificate");

    X509_NAME_free(name);
    if (err == EMT_OK)
        *out = cert;
    else
        X509_free(cert);
    return err;
}

static enum emt_err check_name(struct emt_diag *diag, const char *what, const char *text)
{
    if (text && !name_is_plain(text, strlen(text)))
        return emt_fail(diag, EMT_EMALFORMED, "%s: 1 to %d printable bytes", what, NAME_MAX_BYTES);
    return EMT_OK;
}

/* above = the CAs between the new authority and the root: what its issuer has above itself, and the
 * issuer unless that is a root. */
static bool inherit_chain(struct authority *a, const struct authority *issuer)
{
    if (!issuer || is_root(issuer->cert))
        return true;
    if (!X509_up_ref(issuer->cert))
        return false;
    if (sk_X509_push(a->above, issuer->cert) == 0) {
        X509_free(issuer->cert);
        return false;
    }
    for (int i = 0; i < sk_X509_num(issuer->above); i++) {
        X509 *cert = sk_X509_value(issuer->above, i);
        if (!X509_up_ref(cert))
            return false;
        if (sk_X509_push(a->above, cert) == 0) {
            X509_free(cert);
            return false;
        }
    }
    return true;
}

static struct authority *authority_alloc(void)
{
    struct authority *a = calloc(1, sizeof *a);

    if (!a)
        return NULL;
    a->above = sk_X509_new_null();
    if (!a->above) {
        free(a);
        return NULL;
    }
    return a;
}

/* Where the key of a new authority comes from: a token, or a new one of this kind. */
struct key_source {
    enum key_kind kind;
    const char *uri; /* NULL: a new one */
};

static enum emt_err take_key(struct authority *a, const struct key_source *from,
                             struct emt_diag *diag)
{
    if (!from->uri)
        return key_generate(from->kind, &a->key, diag);
    a->uri = strdup(from->uri);
    return a->uri ? token_key(from->uri, strlen(from->uri), &a->key, diag) : EMT_ENOMEM;
}

static enum emt_err authority_make(const struct draft *d, const struct key_source *from,
                                   const struct authority *issuer, struct authority **out,
                                   struct emt_diag *diag)
{
    struct authority *a = authority_alloc();
    enum emt_err err = a && inherit_chain(a, issuer) ? EMT_OK : EMT_ENOMEM;

    if (err == EMT_OK)
        err = take_key(a, from, diag);
    if (err == EMT_OK)
        err = certificate_make(d, a->key, issuer, &a->cert, diag);
    if (err == EMT_OK)
        *out = a;
    else
        authority_free(a);
    return err;
}

static enum emt_err new_root(const struct key_source *from, emt_time now, int64_t lifetime,
                             struct authority **out, struct emt_diag *diag)
{
    uint8_t id[4];
    char common_name[NAME_MAX_BYTES + 1];

    if (RAND_bytes(id, sizeof id) != 1)
        return pki_fail(diag, EMT_EINTERNAL, "random numbers");
    snprintf(common_name, sizeof common_name, "EMT Platform Root %02x%02x%02x%02x", id[0], id[1],
             id[2], id[3]);

    struct draft d = { .common_name = common_name,
                       .basic_constraints = "critical,CA:TRUE,pathlen:1",
                       .key_usage = "critical,keyCertSign,cRLSign",
                       .now = now,
                       .lifetime = lifetime };
    return authority_make(&d, from, NULL, out, diag);
}

enum emt_err authority_new_root(enum key_kind kind, emt_time now, int64_t lifetime,
                                struct authority **out, struct emt_diag *diag)
{
    return new_root(&(struct key_source){ kind, NULL }, now, lifetime, out, diag);
}

enum emt_err authority_new_root_token(const char *uri, emt_time now, int64_t lifetime,
                                      struct authority **out, struct emt_diag *diag)
{
    return new_root(&(struct key_source){ KEY_P256, uri }, now, lifetime, out, diag);
}

static enum emt_err new_sub(struct authority *issuer, const struct key_source *from,
                            const char *organisation, const char *common_name, emt_time now,
                            int64_t lifetime, struct authority **out, struct emt_diag *diag)
{
    enum emt_err err = check_name(diag, "organisation", organisation);

    if (err == EMT_OK)
        err = check_name(diag, "common name", common_name);
    if (err != EMT_OK)
        return err;
    if (X509_get_pathlen(issuer->cert) == 0)
        return emt_fail(diag, EMT_ESTATE, "this authority issues leaves only (path length 0)");

    struct draft d = { .organisation = organisation,
                       .common_name = common_name,
                       .basic_constraints = "critical,CA:TRUE,pathlen:0",
                       .key_usage = "critical,keyCertSign,cRLSign",
                       .now = now,
                       .lifetime = lifetime };
    return authority_make(&d, from, issuer, out, diag);
}

enum emt_err authority_new_sub(struct authority *issuer, enum key_kind kind,
                               const char *organisation, const char *common_name, emt_time now,
                               int64_t lifetime, struct authority **out, struct emt_diag *diag)
{
    return new_sub(issuer, &(struct key_source){ kind, NULL }, organisation, common_name, now,
                   lifetime, out, diag);
}

enum emt_err authority_new_sub_token(struct authority *issuer, const char *uri,
                                     const char *organisation, const char *common_name,
                                     emt_time now, int64_t lifetime, struct authority **out,
                                     struct emt_diag *diag)
{
    return new_sub(issuer, &(struct key_source){ KEY_P256, uri }, organisation, common_name, now,
                   lifetime, out, diag);
}

static enum emt_err read_key(struct authority *a, bool platform, const char *key, size_t n,
                             struct emt_diag *diag)
{
    if (!platform || !token_is_uri(key, n))
        return key_from_pem(key, n, &a->key, diag);
    a->uri = strndup(key, n);
    return a->uri ? token_key(key, n, &a->key, diag) : EMT_ENOMEM;
}

static enum emt_err load(bool platform, const char *chain_pem, size_t chain_len, const char *key,
                         size_t key_len, struct authority **out, struct emt_diag *diag)
{
    struct authority *a = authority_alloc();
    STACK_OF(X509) *chain = NULL;
    enum emt_err err = a ? certificates_from_pem(chain_pem, chain_len, &chain, diag) : EMT_ENOMEM;

    if (err == EMT_OK) {
        sk_X509_free(a->above);
        a->above = chain;
        a->cert = sk_X509_shift(chain);
        err = read_key(a, platform, key, key_len, diag);
    }
    if (err == EMT_OK && X509_check_private_key(a->cert, a->key) != 1)
        err = pki_fail(diag, EMT_EAUTH, "certificate and key do not belong together");
    if (err == EMT_OK && X509_check_ca(a->cert) != 1)
        err = emt_fail(diag, EMT_EMALFORMED, "the certificate is not a CA's");
    if (err == EMT_OK)
        *out = a;
    else
        authority_free(a);
    return err;
}

enum emt_err authority_load(const char *chain_pem, size_t chain_len, const char *key_pem,
                            size_t key_len, struct authority **out, struct emt_diag *diag)
{
    return load(false, chain_pem, chain_len, key_pem, key_len, out, diag);
}

enum emt_err authority_load_platform(const char *chain_pem, size_t chain_len, const char *key,
                                     size_t key_len, struct authority **out, struct emt_diag *diag)
{
    return load(true, chain_pem, chain_len, key, key_len, out, diag);
}

void authority_free(struct authority *a)
{
    if (!a)
        return;
    X509_free(a->cert);
    sk_X509_pop_free(a->above, X509_free);
    EVP_PKEY_free(a->key); /* clears the private number */
    free(a->uri);
    free(a);
}

enum emt_err authority_chain_pem(const struct authority *a, struct writer *out)
{
    enum emt_err err = certificate_to_pem(a->cert, out);

    for (int i = 0; err == EMT_OK && i < sk_X509_num(a->above); i++)
        err = certificate_to_pem(sk_X509_value(a->above, i), out);
    return err;
}

enum emt_err authority_key_pem(const struct authority *a, struct writer *out)
{
    if (a->uri)
        return writer_text(out, a->uri) ? EMT_OK : EMT_ENOMEM;
    return key_to_pem(a->key, out);
}

void authority_fingerprint(const struct authority *a, uint8_t out[32])
{
    if (!certificate_fingerprint(a->cert, out))
        memset(out, 0, 32);
}

/* Leaf and what a peer needs to reach the root, which it has itself. */
static enum emt_err leaf_chain_pem(const struct authority *a, const X509 *leaf, struct writer *out)
{
    enum emt_err err = certificate_to_pem(leaf, out);

    if (err == EMT_OK && !is_root(a->cert))
        err = authority_chain_pem(a, out);
    return err;
}

/* The request's subject and wishes are not looked at: only its key and the proof that the sender
 * has it. */
static enum emt_err request_key(const char *pem, size_t n, EVP_PKEY **out, struct emt_diag *diag)
{
    enum key_kind kind;
    enum emt_err err = EMT_OK;

    if (n > CSR_MAX_BYTES)
        return emt_fail(diag, EMT_EMALFORMED, "certificate request larger than %d bytes",
                        CSR_MAX_BYTES);

    BIO *bio = BIO_new_mem_buf(pem, (int)n);
    X509_REQ *req = bio ? PEM_read_bio_X509_REQ(bio, NULL, no_passphrase, NULL) : NULL;
    EVP_PKEY *key = req ? X509_REQ_get_pubkey(req) : NULL;

    if (!req || !key)
        err = pki_fail(diag, EMT_EMALFORMED, "certificate request");
    else if (key_kind_of(key, &kind) != EMT_OK)
        err = emt_fail(diag, EMT_EUNSUPPORTED,
                       "key type: P-256, P-384, brainpoolP256r1 or brainpoolP384r1");
    else if (X509_REQ_verify(req, key) != 1)
        err = pki_fail(diag, EMT_EAUTH, "signature of the certificate request");

    X509_REQ_free(req);
    BIO_free(bio);
    if (err == EMT_OK)
        *out = key;
    else
        EVP_PKEY_free(key);
    return err;
}

enum emt_err authority_issue_gateway(struct authority *a, const char *csr_pem, size_t csr_len,
                                     const char *organisation, const char *common_name,
                                     emt_time now, int64_t lifetime, struct writer *chain_out,
                                     struct leaf_info *info, struct emt_diag *diag)
{
    EVP_PKEY *key = NULL;
    X509 *leaf = NULL;
    enum emt_err err = check_name(diag, "organisation", organisation);

    if (err == EMT_OK)
        err = check_name(diag, "common name", common_name);
    if (err == EMT_OK)
        err = request_key(csr_pem, csr_len, &key, diag);
    if (err != EMT_OK)
        return err;

    struct draft d = { .organisation = organisation,
                       .common_name = common_name,
                       .basic_constraints = "critical,CA:FALSE",
                       .key_usage = "critical,digitalSignature",
                       .extended_key_usage = "clientAuth",
                       .now = now,
                       .lifetime = lifetime };
    err = certificate_make(&d, key, a, &leaf, diag);
    if (err == EMT_OK)
        err = leaf_chain_pem(a, leaf, chain_out);
    if (err == EMT_OK)
        err = leaf_info_of(leaf, info);
    X509_free(leaf);
    EVP_PKEY_free(key);
    return err;
}

/* Letters, digits, '-', '.', and '*' as the whole first label (RFC 6125, 6.4.3). */
static bool dns_name_ok(const char *s)
{
    size_t start = strncmp(s, "*.", 2) == 0 ? 2 : 0;
    size_t n = strlen(s);

    if (n == start || s[start] == '.' || s[start] == '-')
        return false;
    return strspn(s + start, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") ==
           n - start;
}

static ASN1_OCTET_STRING *address_of(const char *s)
{
    uint8_t bytes[16];
    int n = 0;

    if (inet_pton(AF_INET, s, bytes) == 1)
        n = 4;
    else if (inet_pton(AF_INET6, s, bytes) == 1)
        n = 16;
    if (n == 0)
        return NULL;

    ASN1_OCTET_STRING *o = ASN1_OCTET_STRING_new();
    if (o && ASN1_OCTET_STRING_set(o, bytes, n) != 1) {
        ASN1_OCTET_STRING_free(o);
        o = NULL;
    }
    return o;
}

static enum emt_err push_name(GENERAL_NAMES *names, const char *s, struct emt_diag *diag)
{
    GENERAL_NAME *gn = GENERAL_NAME_new();
    ASN1_STRING *value = address_of(s);
    int type = value ? GEN_IPADD : GEN_DNS;

    if (!value && !dns_name_ok(s)) {
        GENERAL_NAME_free(gn);
        return emt_fail(diag, EMT_EMALFORMED, "'%.64s' is neither a host name nor an address", s);
    }
    if (!value) {
        value = ASN1_IA5STRING_new();
        if (value && ASN1_STRING_set(value, s, -1) != 1) {
            ASN1_STRING_free(value);
            value = NULL;
        }
    }
    if (gn && value) {
        GENERAL_NAME_set0_value(gn, type, value); /* takes value */
        if (sk_GENERAL_NAME_push(names, gn) > 0)
            return EMT_OK;
        GENERAL_NAME_free(gn);
        return EMT_ENOMEM;
    }
    ASN1_STRING_free(value);
    GENERAL_NAME_free(gn);
    return EMT_ENOMEM;
}

/* "a.example, 192.0.2.1" to general names; first = the first of them, the CN where it fits into
 * one. */
static enum emt_err parse_names(const char *text, GENERAL_NAMES *names, char *first, size_t size,
                                struct emt_diag *diag)
{
    first[0] = 0;
    for (unsigned i = 0;; i++) {
        char name[SERVER_NAME_BYTES + 1];
        text += strspn(text, " ");
        size_t n = strcspn(text, ",");
        size_t used = n;

        while (used > 0 && text[used - 1] == ' ')
            used--;
        if (used == 0 || used >= sizeof name || i == SERVER_NAMES_MAX)
            return emt_fail(diag, EMT_EMALFORMED, "server names: 1 to %d, of 1 to %d bytes",
                            SERVER_NAMES_MAX, SERVER_NAME_BYTES);
        memcpy(name, text, used);
        name[used] = 0;

        enum emt_err err = push_name(names, name, diag);
        if (err != EMT_OK)
            return err;
        if (i == 0 && used < size)
            memcpy(first, name, used + 1);
        if (text[n] == 0)
            return EMT_OK;
        text += n + 1;
    }
}

static enum emt_err issue_server(struct authority *a, EVP_PKEY *key, const char *names,
                                 emt_time now, int64_t lifetime, struct writer *chain_out,
                                 struct leaf_info *info, struct emt_diag *diag)
{
    char first[NAME_MAX_BYTES + 1];
    GENERAL_NAMES *list = sk_GENERAL_NAME_new_null();
    X509 *leaf = NULL;
    enum emt_err err = list ? parse_names(names, list, first, sizeof first, diag) : EMT_ENOMEM;

    if (err == EMT_OK) {
        struct draft d = { .common_name = first[0] ? first : "EMT Platform",
                           .basic_constraints = "critical,CA:FALSE",
                           .key_usage = "critical,digitalSignature",
                           .extended_key_usage = "serverAuth",
                           .names = list,
                           .now = now,
                           .lifetime = lifetime };
        err = certificate_make(&d, key, a, &leaf, diag);
    }
    if (err == EMT_OK)
        err = leaf_chain_pem(a, leaf, chain_out);
    if (err == EMT_OK)
        err = leaf_info_of(leaf, info);
    X509_free(leaf);
    GENERAL_NAMES_free(list);
    return err;
}

enum emt_err authority_issue_server(struct authority *a, enum key_kind kind, const char *names,
                                    emt_time now, int64_t lifetime, struct writer *chain_out,
                                    struct writer *key_out, struct leaf_info *info,
                                    struct emt_diag *diag)
{
    EVP_PKEY *key = NULL;
    enum emt_err err = key_generate(kind, &key, diag);

    if (err == EMT_OK)
        err = issue_server(a, key, names, now, lifetime, chain_out, info, diag);
    if (err == EMT_OK)
        err = key_to_pem(key, key_out);
    EVP_PKEY_free(key);
    return err;
}

enum emt_err authority_issue_server_token(struct authority *a, const char *uri, const char *names,
                                          emt_time now, int64_t lifetime, struct writer *chain_out,
                                          struct leaf_info *info, struct emt_diag *diag)
{
    EVP_PKEY *key = NULL;
    enum emt_err err = token_key(uri, strlen(uri), &key, diag);

    if (err == EMT_OK)
        err = issue_server(a, key, names, now, lifetime, chain_out, info, diag);
    EVP_PKEY_free(key);
    return err;
}
