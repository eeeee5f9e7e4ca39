/* A client association for reading a meter: AARQ with a password (LLS) or GMAC (HLS, mechanism 5),
 * get with selective access by range, blocks.
 *
 * Bytes in, bytes out: the caller carries what is written to the meter and feeds what comes back,
 * in pieces as they arrive; it owns timers and the connection. Framing is the TCP/UDP wrapper (IEC
 * 62056-47). One request at a time. After EMT_* other than OK, ESTATE and EAGAIN the client is
 * CLOSED. */
#ifndef EMT_PARSERS_DLMS_CLIENT_H
#define EMT_PARSERS_DLMS_CLIENT_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/writer.h"
#include "model/obis.h"
#include "parsers/decode.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cipher;

#define DLMS_CHALLENGE_MAX 64
/* Mechanisms of authentication (IEC 62056-5-3): none, password, GMAC. */
#define DLMS_MECHANISM_NONE 0
#define DLMS_MECHANISM_LOW 1
#define DLMS_MECHANISM_GMAC 5
/* Most bytes of one answer put together from blocks. */
#define DLMS_ANSWER_MAX ((size_t)1024 * 1024)

enum dlms_client_state {
    DLMS_CLIENT_IDLE = 0,
    DLMS_CLIENT_ASSOCIATING,
    DLMS_CLIENT_AUTHENTICATING, /* the meter's challenge was answered */
    DLMS_CLIENT_READY,
    DLMS_CLIENT_READING,
    DLMS_CLIENT_RELEASING,
    DLMS_CLIENT_CLOSED
};

struct dlms_client_config {
    uint16_t client, server; /* wPorts */
    uint8_t mechanism;       /* DLMS_MECHANISM_NONE, _LOW, _GMAC */
    const uint8_t *secret;   /* LOW: password; GMAC: our challenge, 8 to 64 random bytes */
    size_t secret_len;       /* copied */
    bool ciphered;           /* requests and answers are encrypted and authenticated */
    struct device_key key;   /* ek, ak and our own system title; GMAC or ciphered */
    uint32_t counter;        /* our next invocation counter: above all used before */
    struct cipher *cipher;   /* GMAC or ciphered; borrowed */
};

/* What to read. */
struct dlms_client_get {
    uint16_t class_id;
    struct obis obis;
    int8_t attribute;
    bool by_range;            /* profile buffers: rows from..to, both included (selector 1) */
    uint8_t from[12], to[12]; /* date-time of IEC 62056-6-2 */
};

struct dlms_client {
    enum dlms_client_state state;
    struct dlms_client_config config;
    uint8_t secret[DLMS_CHALLENGE_MAX];
    uint8_t meter_title[8];
    bool has_meter_title;
    bool has_meter_counter;
    uint32_t meter_counter; /* the last one accepted: they only rise */
    uint32_t block;         /* last block received */
    struct writer in;       /* bytes of a message not complete yet */
    struct writer answer;
};

enum dlms_client_event {
    DLMS_CLIENT_MORE = 0,   /* nothing for the caller but to send what was written, and to feed */
    DLMS_CLIENT_ASSOCIATED, /* READY */
    DLMS_CLIENT_DATA,       /* answer.data, answer.len: one A-XDR data element; READY */
    DLMS_CLIENT_NO_DATA,    /* the meter refuses with `result`; READY */
    DLMS_CLIENT_RELEASED    /* CLOSED */
};

struct dlms_client_report {
    enum dlms_client_event event;
    uint8_t result; /* NO_DATA: data-access-result */
};

/* EMT_EMALFORMED a configuration that cannot work (secret, key, title). Release in any case. */
EMT_CHECKED enum emt_err dlms_client_init(struct dlms_client *c,
                                          const struct dlms_client_config *config);
/* Frees memory and wipes keys. */
void dlms_client_release(struct dlms_client *c);

/* Each writes one message for the meter. EMT_ESTATE: not in this state; EMT_ELIMIT no room in out,
 * or the invocation counter is used up. */
EMT_CHECKED enum emt_err dlms_client_associate(struct dlms_client *c, struct writer *out);
EMT_CHECKED enum emt_err dlms_client_get(struct dlms_client *c, const struct dlms_client_get *what,
                                         struct writer *out);
EMT_CHECKED enum emt_err dlms_client_disconnect(struct dlms_client *c, struct writer *out);

/* Bytes from the meter; reads at most one message, *used tells how many bytes were taken.
 * EMT_EAUTH the meter refused the association, its tag or its answer to our challenge is wrong, or
 * its counter does not rise; EMT_EMALFORMED; EMT_ELIMIT more than DLMS_ANSWER_MAX. */
EMT_CHECKED enum emt_err dlms_client_feed(struct dlms_client *c, const uint8_t *p, size_t n,
                                          size_t *used, struct writer *out,
                                          struct dlms_client_report *report);

#endif
