#include "pki/crl.h"

#include "authority_internal.h"
#include "certificate.h"
#include "crl_internal.h"
#include "key.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum { SERIAL_HEX_MAX = 64 };

struct crl {
    X509_CRL *x;
};

X509_CRL *crl_x509(const struct crl *c)
{
    return c->x;
}

static bool serial_of_hex(const char *hex, ASN1_INTEGER **out)
{
    size_t n = strlen(hex);
    BIGNUM *bn = NULL;

    if (n == 0 || n > SERIAL_HEX_MAX || strspn(hex, "0123456789abcdefABCDEF") != n)
        return false;
    *out = BN_hex2bn(&bn, hex) == (int)n ? BN_to_ASN1_INTEGER(bn, NULL) : NULL;
    BN_free(bn);
    return *out != NULL;
}

/* ---- ours ---- */

static bool set_date(ASN1_TIME **place, emt_time t)
{
    *place = ASN1_TIME_set(NULL, (time_t)(t / EMT_SECOND));
    return *place != NULL;
}

static enum emt_err add_entry(X509_CRL *x, const struct crl_revoked *r, struct emt_diag *diag)
{
    X509_REVOKED *entry = X509_REVOKED_new();
    ASN1_INTEGER *serial = NULL;
    ASN1_TIME *at = NULL;
    enum emt_err err = EMT_ENOMEM;

    if (!serial_of_hex(r->serial, &serial))
        err = emt_fail(diag, EMT_EMALFORMED, "'%.64s' is no serial number", r->serial);
    else if (entry && set_date(&at, r->at) && X509_REVOKED_set_serialNumber(entry, serial) == 1 &&
             X509_REVOKED_set_revocationDate(entry, at) == 1 && X509_CRL_add0_revoked(x, entry)) {
        entry = NULL; /* the list's */
        err = EMT_OK;
    }
    ASN1_INTEGER_free(serial);
    ASN1_TIME_free(at);
    X509_REVOKED_free(entry);
    return err;
}

static bool set_head(X509_CRL *x, X509 *issuer, emt_time now, int64_t lifetime)
{
    ASN1_TIME *from = NULL;
    ASN1_TIME *until = NULL;
    bool ok = X509_CRL_set_version(x, X509_CRL_VERSION_2) == 1 &&
              X509_CRL_set_issuer_name(x, X509_get_subject_name(issuer)) == 1 &&
              set_date(&from, now) && set_date(&until, now + lifetime) &&
              X509_CRL_set1_lastUpdate(x, from) == 1 && X509_CRL_set1_nextUpdate(x, until) == 1;

    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    return ok;
}

static bool set_extensions(X509_CRL *x, X509 *issuer, int64_t number)
{
    ASN1_INTEGER *n = ASN1_INTEGER_new();
    X509V3_CTX ctx;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, NULL, NULL, x, 0);
    X509_EXTENSION *id =
        X509V3_EXT_conf_nid(NULL, &ctx, NID_authority_key_identifier, "keyid:always");
    bool ok = n && id && ASN1_INTEGER_set_int64(n, number) == 1 &&
              X509_CRL_add_ext(x, id, -1) == 1 &&
              X509_CRL_add1_ext_i2d(x, NID_crl_number, n, 0, 0) == 1;

    X509_EXTENSION_free(id);
    ASN1_INTEGER_free(n);
    return ok;
}

static enum emt_err write_der(X509_CRL *x, struct writer *out)
{
    uint8_t *der = NULL;
    int n = i2d_X509_CRL(x, &der);
    enum emt_err err = n > 0 && writer_bytes(out, der, (size_t)n) ? EMT_OK : EMT_ENOMEM;

    OPENSSL_free(der);
    return err;
}

enum emt_err crl_issue(const struct authority *a, const struct crl_revoked *list, size_t n,
                       int64_t number, emt_time now, int64_t lifetime, struct writer *out,
                       struct emt_diag *diag)
{
    X509 *issuer = authority_certificate(a);
    EVP_PKEY *key = authority_key(a);
    X509_CRL *x = X509_CRL_new();
    enum emt_err err = EMT_OK;

    if (!x || !set_head(x, issuer, now, lifetime) || !set_extensions(x, issuer, number))
        err = pki_fail(diag, EMT_EINTERNAL, "new list of revoked certificates");
    for (size_t i = 0; err == EMT_OK && i < n; i++)
        err = add_entry(x, &list[i], diag);
    if (err == EMT_OK && (X509_CRL_sort(x) != 1 || X509_CRL_sign(x, key, key_digest(key)) <= 0))
        err = pki_fail(diag, EMT_EINTERNAL, "new list of revoked certificates");
    if (err == EMT_OK)
        err = write_der(x, out);
    X509_CRL_free(x);
    ERR_clear_error();
    return err;
}

/* ---- of others ---- */

static X509_CRL *parse(const void *data, size_t n)
{
    const uint8_t *p = data;
    BIO *bio;
    X509_CRL *x;

    if (n > 0 && p[0] == 0x30) { /* a SEQUENCE; PEM begins with a letter or a dash */
        x = d2i_X509_CRL(NULL, &p, (long)n);
        if (x && p != (const uint8_t *)data + n) {
            X509_CRL_free(x);
            x = NULL;
        }
        return x;
    }
    bio = BIO_new_mem_buf(data, (int)n);
    x = bio ? PEM_read_bio_X509_CRL(bio, NULL, no_passphrase, NULL) : NULL;
    BIO_free(bio);
    return x;
}

/* Extensions that change what the list means (RFC 5280, 5.2). */
static bool is_complete(X509_CRL *x)
{
    ISSUING_DIST_POINT *idp;
    int critical = -1;
    bool ok = true;

    for (int i = 0; i < X509_CRL_get_ext_count(x); i++) {
        X509_EXTENSION *ext = X509_CRL_get_ext(x, i);
        int nid = OBJ_obj2nid(X509_EXTENSION_get_object(ext));

        if (X509_EXTENSION_get_critical(ext) && nid != NID_issuing_distribution_point &&
            nid != NID_crl_number && nid != NID_authority_key_identifier)
            return false; /* a delta list among them */
    }
    idp = X509_CRL_get_ext_d2i(x, NID_issuing_distribution_point, &critical, NULL);
    if (idp)
        ok = idp->onlyuser <= 0 && idp->onlyCA <= 0 && idp->indirectCRL <= 0 &&
             idp->onlyattr <= 0 && !idp->onlysomereasons;
    else
        ok = critical == -1; /* absent, and not unreadable or there twice */
    ISSUING_DIST_POINT_free(idp);
    return ok;
}

enum emt_err crl_read(const void *data, size_t n, struct crl **out, struct emt_diag *diag)
{
    X509_CRL *x;
    struct crl *c;

    if (n > CRL_MAX_BYTES)
        return emt_fail(diag, EMT_ELIMIT, "list of revoked certificates larger than %zu bytes",
                        CRL_MAX_BYTES);
    x = parse(data, n);
    if (!x)
        return pki_fail(diag, EMT_EMALFORMED, "list of revoked certificates");
    if (!is_complete(x)) {
        X509_CRL_free(x);
        ERR_clear_error();
        return emt_fail(diag, EMT_EUNSUPPORTED,
                        "not a complete list of its issuer: delta, partial and indirect lists are "
                        "not read");
    }
    c = calloc(1, sizeof *c);
    if (!c) {
        X509_CRL_free(x);
        return EMT_ENOMEM;
    }
    c->x = x;
    *out = c;
    ERR_clear_error();
    return EMT_OK;
}

void crl_free(struct crl *c)
{
    if (!c)
        return;
    X509_CRL_free(c->x);
    free(c);
}

static void read_number(const X509_CRL *x, char out[CRL_NUMBER_MAX])
{
    ASN1_INTEGER *n = X509_CRL_get_ext_d2i(x, NID_crl_number, NULL, NULL);
    BIGNUM *bn = n ? ASN1_INTEGER_to_BN(n, NULL) : NULL;
    char *hex = bn && !BN_is_negative(bn) && BN_num_bytes(bn) <= 20 ? BN_bn2hex(bn) : NULL;

    out[0] = 0;
    if (hex) {
        size_t len = strlen(hex);
        memset(out, '0', CRL_NUMBER_MAX - 1);
        memcpy(out + CRL_NUMBER_MAX - 1 - len, hex, len + 1);
    }
    OPENSSL_free(hex);
    BN_free(bn);
    ASN1_INTEGER_free(n);
    ERR_clear_error();
}

void crl_describe(const struct crl *c, struct crl_info *out)
{
    STACK_OF(X509_REVOKED) *list = X509_CRL_get_REVOKED(c->x);

    read_number(c->x, out->number);
    out->this_update = time_from_asn1(X509_CRL_get0_lastUpdate(c->x));
    out->next_update = time_from_asn1(X509_CRL_get0_nextUpdate(c->x));
    out->entries = list ? (size_t)sk_X509_REVOKED_num(list) : 0;
}

enum emt_err crl_der(const struct crl *c, struct writer *out)
{
    return write_der(c->x, out);
}

static bool may_sign_lists(X509 *ca)
{
    return X509_check_ca(ca) >= 1 && (X509_get_key_usage(ca) & KU_CRL_SIGN) != 0;
}

static enum emt_err judge_signature(X509_CRL *x, X509 *ca, struct emt_diag *diag)
{
    int digest = NID_undef;

    if (X509_NAME_cmp(X509_CRL_get_issuer(x), X509_get_subject_name(ca)) != 0)
        return emt_fail(diag, EMT_EAUTH, "the list is of another issuer");
    if (!may_sign_lists(ca))
        return emt_fail(diag, EMT_EAUTH, "this CA may not sign lists (key usage cRLSign)");
    if (OBJ_find_sigid_algs(X509_CRL_get_signature_nid(x), &digest, NULL) != 1 ||
        digest == NID_sha1 || digest == NID_md5)
        return emt_fail(diag, EMT_EAUTH, "the list is signed with a digest that is too weak");
    if (X509_CRL_verify(x, X509_get0_pubkey(ca)) != 1)
        return emt_fail(diag, EMT_EAUTH, "the signature of the list is not this CA's");
    return EMT_OK;
}

enum emt_err crl_verify(const struct crl *c, const char *ca_pem, size_t n, emt_time now,
                        struct emt_diag *diag)
{
    STACK_OF(X509) *list = NULL;
    struct crl_info info;
    enum emt_err err = certificates_from_pem(ca_pem, n, &list, diag);

    if (err == EMT_OK)
        err = judge_signature(c->x, sk_X509_value(list, 0), diag);
    sk_X509_pop_free(list, X509_free);
    ERR_clear_error();
    if (err != EMT_OK)
        return err;
    crl_describe(c, &info);
    if (info.this_update == EMT_TIME_NONE || info.this_update > now + 5 * EMT_MINUTE)
        return emt_fail(diag, EMT_ESTATE, "the list is not valid yet");
    if (info.next_update != EMT_TIME_NONE && info.next_update <= now)
        return emt_fail(diag, EMT_ESTATE, "the list is past its next update");
    return EMT_OK;
}

enum emt_err crl_follows(const struct crl_info *held, const struct crl_info *now,
                         struct emt_diag *diag)
{
    bool back = now->this_update < held->this_update;

    if (held->number[0] && now->number[0])
        back = strcmp(now->number, held->number) < 0;
    else if (held->number[0])
        back = true; /* lists of this CA have numbers */
    return back ? emt_fail(diag, EMT_ECONFLICT, "the list is older than the one that is held")
                : EMT_OK;
}

bool crl_lists(const struct crl *c, const char *serial)
{
    ASN1_INTEGER *number = NULL;
    X509_REVOKED *entry = NULL;
    bool found;

    if (!serial_of_hex(serial, &number))
        return false;
    found = X509_CRL_get0_by_serial(c->x, &entry, number) == 1;
    ASN1_INTEGER_free(number);
    return found;
}
