/* Association: AARQ, AARE and release (IEC 62056-5-3, annexes on ACSE), in BER. */
#ifndef EMT_PARSERS_DLMS_ACSE_H
#define EMT_PARSERS_DLMS_ACSE_H

#include "base/attr.h"
#include "base/error.h"
#include "base/reader.h"
#include "parsers/dlms_client.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACSE_AARQ 0x60
#define ACSE_AARE 0x61
#define ACSE_RLRQ 0x62
#define ACSE_RLRE 0x63

/* Mechanisms of authentication (…8.2.n). */
#define ACSE_MECHANISM_NONE DLMS_MECHANISM_NONE
#define ACSE_MECHANISM_LOW DLMS_MECHANISM_LOW
#define ACSE_MECHANISM_GMAC DLMS_MECHANISM_GMAC
/* Contexts (…8.1.n): logical names without and with ciphering. */
#define ACSE_CONTEXT_LN 1
#define ACSE_CONTEXT_LN_CIPHERED 3

/* What an AARE (or AARQ) says; pointers are borrowed. */
struct acse_apdu {
    uint8_t tag;
    uint8_t context;   /* last arc of the application context name; 0: absent */
    uint8_t mechanism; /* last arc of the mechanism name; 0: absent */
    bool has_result;
    uint8_t result;                /* 0 accepted, 1 rejected for good, 2 for now */
    uint8_t diagnostic;            /* of the service user or provider: 14 authentication required */
    const uint8_t *title;          /* system title of the sender (AP title); NULL: none */
    const uint8_t *authentication; /* password or challenge */
    size_t authentication_len;
    const uint8_t *user_information; /* an xDLMS initiate APDU, plain or ciphered */
    size_t user_information_len;
};

/* Reads a whole ACSE APDU with its tag. EMT_ETRUNCATED, EMT_EMALFORMED. */
EMT_CHECKED enum emt_err acse_read(const uint8_t *p, size_t n, struct acse_apdu *out);

#endif
