#include "verify.h"

#include "certificate.h"
#include "crl_internal.h"
#include "import_set.h"
#include "key.h"
#include "pki/trust.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum {
    CHAIN_DEPTH_MAX = 4, /* root, sub CA, leaf, and one in reserve */
    AUTH_LEVEL = 2,      /* 112 bits and more, no SHA-1 */
    AUTH_BITS = 112,
    RSA_BITS_MIN = 2048,
    ANCHORS_TRIED = 32, /* imported CAs of one name, for one handshake */
};

static enum emt_err refuse(struct verify_failure *f, int x509_error, const char *prefix,
                           const char *text)
{
    f->x509_error = x509_error;
    snprintf(f->text, sizeof f->text, "%s%s", prefix, text);
    return EMT_EAUTH;
}

/* A pinned certificate becomes the anchor: that it was merely sent along proves nothing, so the
 * chain must lead to it. */
static X509_STORE *pinned_store(const struct verify_request *q)
{
    X509_STORE *store = X509_STORE_new();

    for (int i = 0; store && i < sk_X509_num(q->sent); i++) {
        uint8_t fp[32];
        X509 *cert = sk_X509_value(q->sent, i);

        if (certificate_fingerprint(cert, fp) && memcmp(fp, q->pin, sizeof fp) == 0 &&
            X509_STORE_add_cert(store, cert) != 1) {
            X509_STORE_free(store);
            store = NULL;
        }
    }
    return store;
}

static bool set_host(X509_VERIFY_PARAM *param, const char *host)
{
    uint8_t address[16];

    if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_host(param, host, 0) == 1;
}

static bool set_params(X509_STORE_CTX *ctx, const struct verify_request *q, bool strict)
{
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);

    /* Everything in the trust is an anchor, also a CA that is not self-signed. */
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
    if (strict) /* our own profile: it keeps RFC 5280 to the letter */
        X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT);
    X509_VERIFY_PARAM_set_depth(param, CHAIN_DEPTH_MAX);
    X509_VERIFY_PARAM_set_auth_level(param, AUTH_LEVEL);
    X509_VERIFY_PARAM_set_time(param, (time_t)(q->now / EMT_SECOND));
    return X509_STORE_CTX_set_purpose(ctx, q->server ? X509_PURPOSE_SSL_SERVER
                                                     : X509_PURPOSE_SSL_CLIENT) == 1 &&
           (!q->host || set_host(param, q->host));
}

static bool has_pin(STACK_OF(X509) * chain, const uint8_t pin[32])
{
    for (int i = 0; i < sk_X509_num(chain); i++) {
        uint8_t fp[32];
        if (certificate_fingerprint(sk_X509_value(chain, i), fp) && memcmp(fp, pin, 32) == 0)
            return true;
    }
    return false;
}

static bool any_revoked(struct trust *trust, STACK_OF(X509) * chain)
{
    for (int i = 0; i < sk_X509_num(chain); i++) {
        uint8_t fp[32];
        /* A fingerprint that cannot be computed must not pass for a good one. */
        if (!certificate_fingerprint(sk_X509_value(chain, i), fp) || trust_is_revoked(trust, fp))
            return true;
    }
    return false;
}

static emt_time earliest_end(STACK_OF(X509) * chain)
{
    emt_time end = INT64_MAX;

    for (int i = 0; i < sk_X509_num(chain); i++) {
        emt_time t = time_from_asn1(X509_get0_notAfter(sk_X509_value(chain, i)));
        if (t < end)
            end = t;
    }
    return end;
}

/* The organisation is the tenant: a tenant's CA must not be able to name another one. */
static enum emt_err check_tenant(STACK_OF(X509) * chain, const struct tls_peer *peer,
                                 struct verify_failure *f)
{
    char issuer[NAME_MAX_BYTES + 1];

    if (sk_X509_num(chain) < 2 ||
        certificate_name(sk_X509_value(chain, 1), NID_organizationName, issuer) != NAME_FOUND ||
        strcmp(issuer, peer->organisation) != 0)
        return refuse(f, X509_V_ERR_CERT_REJECTED, "", "organisation does not match issuer");
    if (peer->common_name[0] == 0)
        return refuse(f, X509_V_ERR_CERT_REJECTED, "", "no common name");
    return EMT_OK;
}

static enum emt_err fill_peer(STACK_OF(X509) * chain, struct tls_peer *peer,
                              struct verify_failure *f)
{
    X509 *leaf = sk_X509_value(chain, 0);

    if (certificate_name(leaf, NID_commonName, peer->common_name) == NAME_BAD ||
        certificate_name(leaf, NID_organizationName, peer->organisation) == NAME_BAD)
        return refuse(f, X509_V_ERR_CERT_REJECTED, "", "ambiguous subject");
    if (!certificate_fingerprint(leaf, peer->fingerprint))
        return EMT_ENOMEM;
    if (sk_X509_num(chain) > 1 &&
        !certificate_fingerprint(sk_X509_value(chain, 1), peer->issuer_key_id))
        return EMT_ENOMEM;
    certificate_serial(leaf, peer->serial);
    peer->not_before = time_from_asn1(X509_get0_notBefore(leaf));
    peer->not_after = time_from_asn1(X509_get0_notAfter(leaf));
    peer->present = true;
    return EMT_OK;
}

static bool curve_allowed(X509 *cert)
{
    EVP_PKEY *key = X509_get0_pubkey(cert);
    enum key_kind kind;

    return key && key_kind_of(key, &kind) == EMT_OK;
}

static enum emt_err check_curves(STACK_OF(X509) * chain, struct verify_failure *f)
{
    for (int i = 0; i < sk_X509_num(chain); i++)
        if (!curve_allowed(sk_X509_value(chain, i)))
            return refuse(f, X509_V_ERR_EE_KEY_TOO_SMALL,
                          "certificate verify failed: ", "key type or curve not allowed");
    return EMT_OK;
}

/* Our own profile beyond RFC 5280: keys of the named curves only, and a leaf that may sign, which
 * is what TLS has it do (OpenSSL's purpose is content with keyAgreement). */
static enum emt_err check_profile(STACK_OF(X509) * chain, struct verify_failure *f)
{
    enum emt_err err = check_curves(chain, f);

    if (err == EMT_OK && X509_get_key_usage(sk_X509_value(chain, 0)) != KU_DIGITAL_SIGNATURE)
        return refuse(f, X509_V_ERR_INVALID_PURPOSE,
                      "certificate verify failed: ", "key usage is not digitalSignature alone");
    return err;
}

/* Others name what they like besides, but the leaf must be allowed to sign, and to be a client. */
static enum emt_err check_usage(X509 *leaf, struct verify_failure *f)
{
    if ((X509_get_key_usage(leaf) & KU_DIGITAL_SIGNATURE) == 0 ||
        X509_check_purpose(leaf, X509_PURPOSE_SSL_CLIENT, 0) != 1)
        return refuse(f, X509_V_ERR_INVALID_PURPOSE,
                      "certificate verify failed: ", "key usage does not allow TLS clients");
    return EMT_OK;
}

/* The lists of the imported CAs, for each certificate of the chain. */
static bool any_listed(const struct import_set *set, STACK_OF(X509) * chain)
{
    for (int i = 0; i + 1 < sk_X509_num(chain); i++) {
        uint8_t fp[32];
        X509_REVOKED *entry = NULL;
        if (!certificate_fingerprint(sk_X509_value(chain, i + 1), fp))
            return true;
        const struct import *ca = import_set_find(set, fp, false);
        if (ca && ca->crl &&
            X509_CRL_get0_by_cert(crl_x509(ca->crl), &entry, sk_X509_value(chain, i)) == 1)
            return true;
    }
    return false;
}

/* What the platform asks beyond the mathematics of the chain. anchor: the imported CA that it leads
 * to; NULL: it is our own. */
static enum emt_err judge(const struct verify_request *q, STACK_OF(X509) * chain,
                          const struct import_set *set, const struct import *anchor,
                          struct identity *id, struct verify_failure *f)
{
    if (q->pin && !has_pin(chain, q->pin))
        return refuse(f, X509_V_ERR_CERT_UNTRUSTED,
                      "certificate verify failed: ", "pinned certificate not in the chain");
    if (q->trust && any_revoked(q->trust, chain))
        return refuse(f, X509_V_ERR_CERT_REVOKED, "", "revoked");
    if (anchor && any_listed(set, chain))
        return refuse(f, X509_V_ERR_CERT_REVOKED, "", "revoked");

    enum emt_err err = fill_peer(chain, &id->peer, f);
    if (anchor) {
        id->peer.origin = TLS_PEER_FOREIGN_CA;
        memcpy(id->peer.anchor, anchor->fingerprint, sizeof id->peer.anchor);
        if (err == EMT_OK)
            err = check_curves(chain, f);
        if (err == EMT_OK)
            err = check_usage(sk_X509_value(chain, 0), f);
    } else if (q->rule == LEAF_EMT) {
        if (err == EMT_OK)
            err = check_profile(chain, f);
        if (err == EMT_OK)
            err = check_tenant(chain, &id->peer, f);
    }
    id->peer.first_handshake = q->now;
    id->valid_until = earliest_end(chain);
    return err;
}

static enum emt_err verify_with(X509_STORE *store, const struct verify_request *q,
                                const struct import_set *set, const struct import *anchor,
                                struct identity *out, struct verify_failure *f)
{
    bool strict = q->rule == LEAF_EMT && !anchor;
    /* Read before the check: a revocation meanwhile makes the session look old, never current. */
    struct identity id = { .epoch = q->trust ? trust_epoch(q->trust) : 0 };
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    enum emt_err err = EMT_ENOMEM;

    if (ctx && X509_STORE_CTX_init(ctx, store, q->leaf, q->sent) == 1 &&
        set_params(ctx, q, strict)) {
        if (X509_verify_cert(ctx) == 1) {
            err = judge(q, X509_STORE_CTX_get0_chain(ctx), set, anchor, &id, f);
        } else {
            int e = X509_STORE_CTX_get_error(ctx);
            err = refuse(f, e, "certificate verify failed: ", X509_verify_cert_error_string(e));
        }
    }
    X509_STORE_CTX_free(ctx);
    ERR_clear_error();
    if (err == EMT_OK)
        *out = id;
    return err;
}

/* ---- certificates of others ---- */

static enum emt_err verify_with_anchor(const struct verify_request *q, const struct import_set *set,
                                       const struct import *anchor, struct identity *out,
                                       struct verify_failure *f)
{
    X509_STORE *store = X509_STORE_new();
    enum emt_err err = EMT_ENOMEM;

    if (store && X509_STORE_add_cert(store, anchor->cert) == 1)
        err = verify_with(store, q, set, anchor, out, f);
    X509_STORE_free(store);
    return err;
}

/* Whether this CA's name is that of an issuer among the certificates that were sent. */
static bool may_be_anchor(const struct import *i, STACK_OF(X509) * sent)
{
    const X509_NAME *name = X509_get_subject_name(i->cert);

    for (int k = 0; k < sk_X509_num(sent); k++)
        if (X509_NAME_cmp(name, X509_get_issuer_name(sk_X509_value(sent, k))) == 0)
            return true;
    return false;
}

/* Anybody's import may bear anybody's name: each is tried by itself. EMT_ENOTFOUND: none fits, and
 * *f stays. */
static enum emt_err verify_imported(const struct verify_request *q, const struct import_set *set,
                                    struct identity *out, struct verify_failure *f)
{
    enum emt_err err = EMT_ENOTFOUND;
    unsigned tried = 0;

    for (size_t i = 0; i < set->n && tried < ANCHORS_TRIED && err != EMT_OK; i++) {
        const struct import *ca = &set->items[i];

        if (ca->pinned || !may_be_anchor(ca, q->sent))
            continue;
        tried++;
        err = verify_with_anchor(q, set, ca, out, f);
        if (err == EMT_ENOMEM)
            return err;
    }
    return err;
}

/* The signature of a pinned certificate proves nothing, but who still signs with SHA-1 or with a
 * short key has no place here. */
static enum emt_err check_strength(const struct verify_request *q, struct verify_failure *f)
{
    EVP_PKEY *key = X509_get0_pubkey(q->leaf);
    int bits = 0;
    bool rsa = key && EVP_PKEY_is_a(key, "RSA");

    if (X509_get_signature_info(q->leaf, NULL, NULL, &bits, NULL) != 1 || bits < AUTH_BITS)
        return refuse(f, X509_V_ERR_CA_MD_TOO_WEAK,
                      "certificate verify failed: ", "signature digest too weak");
    if (q->rule == LEAF_LOGGER && rsa && EVP_PKEY_get_bits(key) < RSA_BITS_MIN)
        return refuse(f, X509_V_ERR_EE_KEY_TOO_SMALL,
                      "certificate verify failed: ", "key too weak");
    if (!(q->rule == LEAF_LOGGER && rsa) && !curve_allowed(q->leaf))
        return refuse(f, X509_V_ERR_EE_KEY_TOO_SMALL,
                      "certificate verify failed: ", "key type or curve not allowed");
    return EMT_OK;
}

enum emt_err verify_leaf_alone(X509 *leaf, enum leaf_rule rule, struct verify_failure *failure)
{
    const struct verify_request q = { .leaf = leaf, .rule = rule };
    enum emt_err err = check_strength(&q, failure);

    return err == EMT_OK ? check_usage(leaf, failure) : err;
}

static enum emt_err check_times(const struct verify_request *q, struct verify_failure *f)
{
    time_t now = (time_t)(q->now / EMT_SECOND);
    int e = X509_V_OK;

    if (X509_cmp_time(X509_get0_notBefore(q->leaf), &now) >= 0)
        e = X509_V_ERR_CERT_NOT_YET_VALID;
    else if (X509_cmp_time(X509_get0_notAfter(q->leaf), &now) <= 0)
        e = X509_V_ERR_CERT_HAS_EXPIRED;
    return e == X509_V_OK
               ? EMT_OK
               : refuse(f, e, "certificate verify failed: ", X509_verify_cert_error_string(e));
}

/* The certificate itself was imported: there is no chain to look at. */
static enum emt_err verify_pinned(const struct verify_request *q, struct identity *out,
                                  struct verify_failure *f)
{
    struct identity id = { .epoch = trust_epoch(q->trust) };
    STACK_OF(X509) *alone = sk_X509_new_null();
    enum emt_err err = alone && sk_X509_push(alone, q->leaf) > 0 ? EMT_OK : EMT_ENOMEM;

    if (err == EMT_OK && any_revoked(q->trust, alone))
        err = refuse(f, X509_V_ERR_CERT_REVOKED, "", "revoked");
    if (err == EMT_OK)
        err = check_times(q, f);
    if (err == EMT_OK)
        err = check_usage(q->leaf, f);
    if (err == EMT_OK)
        err = fill_peer(alone, &id.peer, f);
    id.peer.origin = TLS_PEER_PINNED;
    id.peer.first_handshake = q->now;
    id.valid_until = id.peer.not_after;
    sk_X509_free(alone);
    if (err == EMT_OK)
        *out = id;
    return err;
}

static bool is_pinned(const struct import_set *set, const X509 *leaf)
{
    uint8_t fp[32];
    const struct import *i =
        set && certificate_fingerprint(leaf, fp) ? import_set_find(set, fp, true) : NULL;

    return i != NULL;
}

/* Our own CAs do not know this certificate; only then may others answer for it. */
static bool is_strange(const struct verify_failure *f)
{
    switch (f->x509_error) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_UNTRUSTED:
        return true;
    default: /* the numbers are OpenSSL's */
        return false;
    }
}

static enum emt_err verify_emt(const struct verify_request *q, const struct import_set *set,
                               struct identity *out, struct verify_failure *f)
{
    enum emt_err err;

    if (is_pinned(set, q->leaf)) {
        err = check_strength(q, f);
        return err == EMT_OK ? verify_pinned(q, out, f) : err;
    }
    err = verify_with(trust_store(q->trust), q, set, NULL, out, f);
    if (err == EMT_EAUTH && set && is_strange(f)) {
        enum emt_err other = verify_imported(q, set, out, f);
        if (other != EMT_ENOTFOUND)
            err = other;
    }
    return err;
}

static enum emt_err verify_logger(const struct verify_request *q, const struct import_set *set,
                                  struct identity *out, struct verify_failure *f)
{
    enum emt_err err = check_strength(q, f);

    if (err == EMT_OK && !is_pinned(set, q->leaf))
        err = refuse(f, X509_V_ERR_CERT_UNTRUSTED, "", "not pinned");
    return err == EMT_OK ? verify_pinned(q, out, f) : err;
}

static enum emt_err verify_with_pin(const struct verify_request *q, struct identity *out,
                                    struct verify_failure *f)
{
    X509_STORE *pinned = pinned_store(q);
    enum emt_err err;

    if (!pinned)
        return EMT_ENOMEM;
    err = sk_X509_OBJECT_num(X509_STORE_get0_objects(pinned)) == 0
              ? refuse(f, X509_V_ERR_CERT_UNTRUSTED,
                       "certificate verify failed: ", "pinned certificate not in the chain")
              : verify_with(pinned, q, NULL, NULL, out, f);
    X509_STORE_free(pinned);
    return err;
}

enum emt_err verify_chain(const struct verify_request *q, struct identity *out,
                          struct verify_failure *failure)
{
    struct import_set *set = q->trust ? trust_imports(q->trust) : NULL;
    enum emt_err err = EMT_EAUTH;

    *failure = (struct verify_failure){ .x509_error = X509_V_ERR_UNSPECIFIED };
    if (!q->trust)
        return verify_with_pin(q, out, failure);
    switch (q->rule) {
    case LEAF_ANY:
        err = verify_with(trust_store(q->trust), q, NULL, NULL, out, failure);
        break;
    case LEAF_EMT:
        err = verify_emt(q, set, out, failure);
        break;
    case LEAF_LOGGER:
        err = verify_logger(q, set, out, failure);
        break;
    }
    import_set_unref(set);
    ERR_clear_error();
    return err;
}

/* Since the first handshake imports may have gone. */
static enum emt_err still_imported(struct trust *trust, const struct tls_peer *peer,
                                   struct verify_failure *f)
{
    struct import_set *set;
    const struct import *i = NULL;
    bool pinned = peer->origin == TLS_PEER_PINNED;

    if (peer->origin == TLS_PEER_OWN)
        return EMT_OK;
    set = trust_imports(trust);
    if (set)
        i = import_set_find(set, pinned ? peer->fingerprint : peer->anchor, pinned);
    bool stands = i != NULL;
    import_set_unref(set);
    return stands ? EMT_OK : refuse(f, X509_V_ERR_CERT_REVOKED, "", "revoked");
}

enum emt_err verify_resumed(struct trust *trust, const struct identity *id, emt_time now,
                            int64_t max_age_us, struct verify_failure *failure)
{
    int64_t age = now - id->peer.first_handshake;

    *failure = (struct verify_failure){ .x509_error = X509_V_OK };
    /* A clock set back makes the age negative: such a session has no known age. */
    if (age < 0 || age > max_age_us)
        return refuse(failure, X509_V_ERR_CERT_HAS_EXPIRED, "", "expired session");
    if (now > id->valid_until)
        return refuse(failure, X509_V_ERR_CERT_HAS_EXPIRED,
                      "certificate verify failed: ", "certificate has expired");
    if (!trust || trust_epoch(trust) == id->epoch)
        return EMT_OK;
    if (trust_peer_revoked(trust, &id->peer))
        return refuse(failure, X509_V_ERR_CERT_REVOKED, "", "revoked");
    return still_imported(trust, &id->peer, failure);
}
