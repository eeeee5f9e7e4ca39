/* S/MIME (RFC 8551): a MIME entity signed by one sender and encrypted for its recipients. Whoever
 * mails to a market partner needs both (edi@energy, rules for transmission by SMTP). */
#ifndef EMT_PKI_SMIME_H
#define EMT_PKI_SMIME_H

#include "base/attr.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct smime_settings {
    const char *sign_pem;     /* certificate, its chain behind it; NULL: not signed */
    const char *sign_key_pem; /* PKCS#8, belongs to sign_pem */
    const char
        *encrypt_pem; /* certificates of all recipients, one after the other; NULL: not encrypted */
};

/* entity: a MIME entity with its headers, lines ended by CRLF. *out: a MIME entity with headers of
 * its own (MIME-Version and Content-Type among them) and CRLF line ends, malloc()ed. Signing comes
 * first, AES-256-CBC and SHA-256 are used; RSA keys of recipients get RSAES-OAEP. EMT_EMALFORMED a
 * certificate or key that is none, or one without the other; EMT_EAUTH key and certificate do not
 * belong together; EMT_EINTERNAL. */
EMT_CHECKED enum emt_err smime_seal(const struct smime_settings *s, const uint8_t *entity, size_t n,
                                    uint8_t **out, size_t *out_len, struct emt_diag *diag);

#endif
