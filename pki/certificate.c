#include "certificate.h"

#include "base/hex.h"
#include "key.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>
#include <time.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum { SERIAL_MAX_BYTES = 32 };

/* PEM_read_bio_X509 ends with "no start line" at the end of the text; any other error is a broken
 * certificate. */
static bool at_end_of_pem(void)
{
    unsigned long e = ERR_peek_last_error();

    return ERR_GET_LIB(e) == ERR_LIB_PEM && ERR_GET_REASON(e) == PEM_R_NO_START_LINE;
}

static enum emt_err read_all(BIO *bio, STACK_OF(X509) * list, struct emt_diag *diag)
{
    for (;;) {
        X509 *cert = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);

        if (!cert) {
            if (!at_end_of_pem())
                return pki_fail(diag, EMT_EMALFORMED, "certificate");
            ERR_clear_error();
            return sk_X509_num(list) > 0 ? EMT_OK
                                         : emt_fail(diag, EMT_EMALFORMED, "no certificate found");
        }
        if (sk_X509_num(list) == PEM_MAX_CERTIFICATES || sk_X509_push(list, cert) == 0) {
            X509_free(cert);
            return emt_fail(diag, EMT_ELIMIT, "more than %d certificates", PEM_MAX_CERTIFICATES);
        }
    }
}

enum emt_err certificates_from_pem(const char *pem, size_t n, STACK_OF(X509) * *out,
                                   struct emt_diag *diag)
{
    if (n > PEM_MAX_BYTES)
        return emt_fail(diag, EMT_ELIMIT, "certificates larger than %d bytes", PEM_MAX_BYTES);

    BIO *bio = BIO_new_mem_buf(pem, (int)n);
    STACK_OF(X509) *list = sk_X509_new_null();
    enum emt_err err = bio && list ? read_all(bio, list, diag) : EMT_ENOMEM;

    BIO_free(bio);
    if (err == EMT_OK)
        *out = list;
    else
        sk_X509_pop_free(list, X509_free);
    return err;
}

enum emt_err certificate_to_pem(const X509 *cert, struct writer *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    enum emt_err err = EMT_ENOMEM;
    char *text = NULL;

    if (bio && PEM_write_bio_X509(bio, cert) == 1) {
        long n = BIO_get_mem_data(bio, &text);
        if (n > 0 && writer_bytes(out, text, (size_t)n))
            err = EMT_OK;
    }
    BIO_free(bio);
    return err;
}

bool certificate_fingerprint(const X509 *cert, uint8_t out[32])
{
    unsigned n = 0;

    return X509_digest(cert, EVP_sha256(), out, &n) == 1 && n == 32;
}

bool name_is_plain(const char *text, size_t n)
{
    if (n == 0 || n > NAME_MAX_BYTES)
        return false;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = (uint8_t)text[i];
        if (c < 0x20 || c == 0x7f)
            return false;
    }
    return true;
}

enum name_found certificate_name(const X509 *cert, int nid, char out[NAME_MAX_BYTES + 1])
{
    return subject_name(X509_get_subject_name(cert), nid, out);
}

enum name_found subject_name(const X509_NAME *subject, int nid, char out[NAME_MAX_BYTES + 1])
{
    int at = X509_NAME_get_index_by_NID(subject, nid, -1);
    enum name_found found = NAME_BAD;
    unsigned char *text = NULL;

    out[0] = 0;
    if (at < 0)
        return NAME_ABSENT;
    if (X509_NAME_get_index_by_NID(subject, nid, at) >= 0)
        return NAME_BAD;

    /* Compare after decoding: PrintableString and UTF8String both occur in the SM-PKI. */
    int n = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    if (n > 0 && name_is_plain((const char *)text, (size_t)n)) {
        memcpy(out, text, (size_t)n);
        out[n] = 0;
        found = NAME_FOUND;
    }
    OPENSSL_free(text);
    ERR_clear_error();
    return found;
}

emt_time time_from_asn1(const ASN1_TIME *t)
{
    struct tm tm;

    if (!t || ASN1_TIME_to_tm(t, &tm) != 1)
        return EMT_TIME_NONE;

    struct civil c = { .year = tm.tm_year + 1900,
                       .month = tm.tm_mon + 1,
                       .day = tm.tm_mday,
                       .hour = tm.tm_hour,
                       .minute = tm.tm_min,
                       .second = tm.tm_sec };
    return civil_to_time(&c);
}

void certificate_serial(const X509 *cert, char out[65])
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);
    int n = ASN1_STRING_length(serial);

    out[0] = 0;
    if (n > 0 && n <= SERIAL_MAX_BYTES)
        hex_encode(ASN1_STRING_get0_data(serial), (size_t)n, out);
}

enum emt_err leaf_info_of(const X509 *cert, struct leaf_info *out)
{
    if (!certificate_fingerprint(cert, out->fingerprint))
        return EMT_ENOMEM;
    certificate_serial(cert, out->serial);
    out->not_before = time_from_asn1(X509_get0_notBefore(cert));
    out->not_after = time_from_asn1(X509_get0_notAfter(cert));
    return EMT_OK;
}

enum emt_err certificate_info(const char *pem, size_t n, struct leaf_info *out,
                              struct emt_diag *diag)
{
    STACK_OF(X509) *list = NULL;
    enum emt_err err = certificates_from_pem(pem, n, &list, diag);

    if (err != EMT_OK)
        return err;
    err = leaf_info_of(sk_X509_value(list, 0), out);
    sk_X509_pop_free(list, X509_free);
    return err;
}
