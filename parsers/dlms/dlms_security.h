/* Ciphering of APDUs (IEC 62056-5-3, clause 5; security suites 0, 1 and 2 of the Green Book). */
#ifndef EMT_PARSERS_DLMS_SECURITY_H
#define EMT_PARSERS_DLMS_SECURITY_H

#include "base/attr.h"
#include "base/cipher.h"
#include "base/error.h"
#include "parsers/decode.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DLMS_SUITE_MASK 0x0fu
#define DLMS_AUTHENTICATED 0x10u
#define DLMS_ENCRYPTED 0x20u
#define DLMS_BROADCAST 0x40u
#define DLMS_COMPRESSED 0x80u

#define DLMS_TAG_LEN 12
#define DLMS_TITLE_LEN 8
/* Header fields of general-ciphering that are authenticated with the text. */
#define DLMS_EXTRA_MAX 256

/* A protected text as it stands in the APDU. */
struct dlms_protected {
    uint8_t control;
    uint32_t counter;
    const uint8_t *title; /* 8 bytes; NULL: the key's */
    const uint8_t *extra; /* more associated data: general-ciphering */
    size_t extra_len;
    const uint8_t *text; /* without the tag */
    size_t text_len;
    const uint8_t *tag; /* NULL: not authenticated */
};

/* Reads control, counter, text and tag from the bytes of a ciphered service: the whole of p.
 * EMT_ETRUNCATED; EMT_EUNSUPPORTED a suite above 2, or compressed. */
EMT_CHECKED enum emt_err dlms_protected_read(const uint8_t *p, size_t n,
                                             struct dlms_protected *out);

/* Deciphers with one key into out (text_len bytes); scratch holds DLMS_EXTRA_MAX + 33 bytes and,
 * for texts that are authenticated only, text_len more. *verified: a tag was checked. EMT_EAUTH the
 * tag does not fit; EMT_ENOTFOUND this key cannot serve (length, no system title). */
EMT_CHECKED enum emt_err dlms_protected_open(struct cipher *c, const struct dlms_protected *m,
                                             const struct device_key *key, uint8_t *scratch,
                                             uint8_t *out, bool *verified);

/* The mirror image, for the client: writes control, counter, text and tag (n + 5 or n + 17 bytes).
 * control as above; scratch as above. */
EMT_CHECKED enum emt_err dlms_protected_seal(struct cipher *c, uint8_t control, uint32_t counter,
                                             const struct device_key *key, const uint8_t *text,
                                             size_t n, uint8_t *scratch, uint8_t *out,
                                             size_t *out_len);

/* How a text was protected, for people; static. */
const char *dlms_security_name(uint8_t control, bool verified);

#endif
