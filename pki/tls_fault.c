#include "tls_fault.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/tls1.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* Reasons that somebody does something about; the others keep OpenSSL's words. */
static const struct {
    int reason;
    enum emt_err err;
    const char *text;
} table[] = {
    { SSL_R_HTTP_REQUEST, EMT_EMALFORMED, "http-request" },
    { SSL_R_HTTPS_PROXY_REQUEST, EMT_EMALFORMED, "http-request" },
    { SSL_R_UNSUPPORTED_PROTOCOL, EMT_EMALFORMED, "no common version" },
    { SSL_R_WRONG_SSL_VERSION, EMT_EMALFORMED, "no common version" },
    { SSL_R_VERSION_TOO_LOW, EMT_EMALFORMED, "no common version" },
    { SSL_R_VERSION_TOO_HIGH, EMT_EMALFORMED, "no common version" },
    { SSL_R_NO_SHARED_CIPHER, EMT_EMALFORMED, "no common cipher suite or group" },
    { SSL_R_NO_APPLICATION_PROTOCOL, EMT_EMALFORMED, "no common alpn" },
    { SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, EMT_EAUTH, "no client certificate" },
    { SSL_R_CERTIFICATE_VERIFY_FAILED, EMT_EAUTH, "certificate verify failed" },
    { SSL_R_WRONG_CURVE, EMT_EAUTH, "certificate on a curve that is not allowed" },
    { SSL_R_BAD_SIGNATURE, EMT_EAUTH, "the peer does not have its certificate's key" },
    { SSL_R_UNEXPECTED_EOF_WHILE_READING, EMT_EIO, "peer closed" },
};

/* OpenSSL reports an alert of the peer as this offset and the alert's number. */
static bool alert_fault(int reason, struct tls_fault *out)
{
    int alert = reason - SSL_AD_REASON_OFFSET;

    if (alert < 0 || alert > 255)
        return false;
    *out = (struct tls_fault){ EMT_EMALFORMED,
                               ERR_reason_error_string(ERR_PACK(ERR_LIB_SSL, 0, reason)), true };
    if (!out->text)
        out->text = "unknown alert";
    switch (alert) {
    case SSL_AD_PROTOCOL_VERSION:
        out->text = "no common version";
        break;
    case TLS1_AD_NO_APPLICATION_PROTOCOL:
        out->text = "no common alpn";
        break;
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
    case SSL_AD_CERTIFICATE_REQUIRED:
        out->err = EMT_EAUTH;
        break;
    default: /* the numbers are the peer's */
        break;
    }
    return true;
}

/* The first error is the cause, later ones are its echo; of other libraries' errors libssl's own
 * says more. */
static unsigned long pick_error(void)
{
    unsigned long first = ERR_get_error();
    unsigned long e = first;

    while (e != 0 && ERR_GET_LIB(e) != ERR_LIB_SSL)
        e = ERR_get_error();
    ERR_clear_error();
    return e != 0 ? e : first;
}

struct tls_fault tls_fault_take(bool hello_seen)
{
    unsigned long e = pick_error();
    int reason = ERR_GET_REASON(e);
    struct tls_fault fault = { EMT_EMALFORMED, ERR_reason_error_string(e), false };

    if (!fault.text)
        fault.text = "unknown failure";
    if (ERR_GET_LIB(e) != ERR_LIB_SSL) {
        fault.err = e ? EMT_EINTERNAL : EMT_EIO;
        return fault;
    }
    if (alert_fault(reason, &fault))
        return fault;
    for (unsigned i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].reason == reason)
            return (struct tls_fault){ table[i].err, table[i].text, false };
    }
    if (!hello_seen)
        fault.text = "not-tls";
    return fault;
}
