#include "verify.h"

#include "certificate.h"
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

static bool set_params(X509_STORE_CTX *ctx, const struct verify_request *q)
{
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);

    /* Everything in the trust is an anchor, also a CA that is not self-signed. */
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
    if (q->tenant_leaf) /* our own profile: it keeps RFC 5280 to the letter */
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
    peer->not_after = time_from_asn1(X509_get0_notAfter(leaf));
    peer->present = true;
    return EMT_OK;
}

/* Our own profile beyond RFC 5280: keys of the named curves only, and a leaf that may sign, which
 * is what TLS has it do (OpenSSL's purpose is content with keyAgreement). */
static enum emt_err check_profile(STACK_OF(X509) * chain, struct verify_failure *f)
{
    enum key_kind kind;

    for (int i = 0; i < sk_X509_num(chain); i++) {
        EVP_PKEY *key = X509_get0_pubkey(sk_X509_value(chain, i));
        if (!key || key_kind_of(key, &kind) != EMT_OK)
            return refuse(f, X509_V_ERR_EE_KEY_TOO_SMALL,
                          "certificate verify failed: ", "key type or curve not allowed");
    }
    if (X509_get_key_usage(sk_X509_value(chain, 0)) != KU_DIGITAL_SIGNATURE)
        return refuse(f, X509_V_ERR_INVALID_PURPOSE,
                      "certificate verify failed: ", "key usage is not digitalSignature alone");
    return EMT_OK;
}

/* What the platform asks beyond the mathematics of the chain. */
static enum emt_err judge(const struct verify_request *q, STACK_OF(X509) * chain,
                          struct identity *id, struct verify_failure *f)
{
    if (q->pin && !has_pin(chain, q->pin))
        return refuse(f, X509_V_ERR_CERT_UNTRUSTED,
                      "certificate verify failed: ", "pinned certificate not in the chain");
    if (q->trust && any_revoked(q->trust, chain))
        return refuse(f, X509_V_ERR_CERT_REVOKED, "", "revoked");

    enum emt_err err = fill_peer(chain, &id->peer, f);
    if (err == EMT_OK && q->tenant_leaf)
        err = check_profile(chain, f);
    if (err == EMT_OK && q->tenant_leaf)
        err = check_tenant(chain, &id->peer, f);
    id->peer.first_handshake = q->now;
    id->valid_until = earliest_end(chain);
    return err;
}

static enum emt_err verify_with(X509_STORE *store, const struct verify_request *q,
                                struct identity *out, struct verify_failure *f)
{
    /* Read before the check: a revocation meanwhile makes the session look old, never current. */
    struct identity id = { .epoch = q->trust ? trust_epoch(q->trust) : 0 };
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    enum emt_err err = EMT_ENOMEM;

    if (ctx && X509_STORE_CTX_init(ctx, store, q->leaf, q->sent) == 1 && set_params(ctx, q)) {
        if (X509_verify_cert(ctx) == 1) {
            err = judge(q, X509_STORE_CTX_get0_chain(ctx), &id, f);
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

enum emt_err verify_chain(const struct verify_request *q, struct identity *out,
                          struct verify_failure *failure)
{
    X509_STORE *pinned = NULL;

    *failure = (struct verify_failure){ .x509_error = X509_V_ERR_UNSPECIFIED };
    if (!q->trust) {
        pinned = pinned_store(q);
        if (!pinned)
            return EMT_ENOMEM;
        if (sk_X509_OBJECT_num(X509_STORE_get0_objects(pinned)) == 0) {
            X509_STORE_free(pinned);
            return refuse(failure, X509_V_ERR_CERT_UNTRUSTED,
                          "certificate verify failed: ", "pinned certificate not in the chain");
        }
    }

    enum emt_err err = verify_with(pinned ? pinned : trust_store(q->trust), q, out, failure);
    X509_STORE_free(pinned);
    return err;
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
    if (trust && trust_epoch(trust) != id->epoch &&
        (trust_is_revoked(trust, id->peer.fingerprint) ||
         trust_is_revoked(trust, id->peer.issuer_key_id)))
        return refuse(failure, X509_V_ERR_CERT_REVOKED, "", "revoked");
    return EMT_OK;
}
