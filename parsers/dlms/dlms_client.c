/* With HLS (IEC 62056-5-3, mechanism 5): AARQ carries our challenge, AARE the meter's; we answer
 * with reply_to_HLS_authentication (method 1 of 0-0:40.0.0), control 10, counter and a tag over the
 * meter's challenge; the meter's return value is the same over ours. */
#include "parsers/dlms_client.h"

#include "base/cipher.h"
#include "base/reader.h"
#include "dlms_acse.h"
#include "dlms_axdr.h"
#include "dlms_security.h"

#include <string.h>

#define WRAPPER_LEN 8
#define WRAPPER_VERSION 1
#define APDU_MAX 512      /* what we send */
#define MESSAGE_MAX 65535 /* what we take */
#define INVOKE_ID 0xc1    /* confirmed, high priority, 1 */
#define CONTROL_SEALED (DLMS_AUTHENTICATED | DLMS_ENCRYPTED)
#define GMAC_LEN (5 + DLMS_TAG_LEN)
#define CHALLENGE_MIN 8
#define SCRATCH_LEN (DLMS_EXTRA_MAX + 33 + APDU_MAX)

#define GET_REQUEST 0xc0
#define GET_RESPONSE 0xc4
#define ACTION_REQUEST 0xc3
#define ACTION_RESPONSE 0xc7
#define GLO 0x08 /* a service's tag plus this is its glo variant */
#define GLO_INITIATE_REQUEST 0x21
#define DIAGNOSTIC_AUTHENTICATION_REQUIRED 14

static bool uses_keys(const struct dlms_client_config *config)
{
    return config->ciphered || config->mechanism == ACSE_MECHANISM_GMAC;
}

enum emt_err dlms_client_init(struct dlms_client *c, const struct dlms_client_config *config)
{
    bool gmac = config->mechanism == ACSE_MECHANISM_GMAC;

    memset(c, 0, sizeof *c);
    writer_init_heap(&c->in, WRAPPER_LEN + MESSAGE_MAX);
    writer_init_heap(&c->answer, DLMS_ANSWER_MAX);
    c->state = DLMS_CLIENT_CLOSED;
    if (config->secret_len > DLMS_CHALLENGE_MAX || (gmac && config->secret_len < CHALLENGE_MIN) ||
        (config->mechanism != ACSE_MECHANISM_NONE && config->mechanism != ACSE_MECHANISM_LOW &&
         !gmac))
        return EMT_EMALFORMED;
    if (uses_keys(config) && (config->key.len != 16 || config->key.ak_len != 16 ||
                              config->key.system_title_len != DLMS_TITLE_LEN || !config->cipher))
        return EMT_EMALFORMED;
    c->config = *config;
    if (config->secret_len)
        memcpy(c->secret, config->secret, config->secret_len);
    c->config.secret = c->secret;
    c->state = DLMS_CLIENT_IDLE;
    return EMT_OK;
}

void dlms_client_release(struct dlms_client *c)
{
    writer_release(&c->in);
    writer_release(&c->answer);
    cipher_wipe(c, sizeof *c);
    c->state = DLMS_CLIENT_CLOSED;
}

/* ---- to the meter ---- */

static enum emt_err next_counter(struct dlms_client *c, uint32_t *out)
{
    if (c->config.counter == UINT32_MAX)
        return EMT_ELIMIT; /* a nonce must never come twice: the key has to be changed */
    *out = c->config.counter++;
    return EMT_OK;
}

/* control, counter, text and tag of n bytes of text. */
static enum emt_err seal(struct dlms_client *c, uint8_t control, const uint8_t *text, size_t n,
                         uint8_t *out, size_t *out_len)
{
    uint8_t scratch[SCRATCH_LEN];
    uint32_t counter;
    enum emt_err err = n > APDU_MAX ? EMT_ELIMIT : next_counter(c, &counter);

    if (err != EMT_OK)
        return err;
    return dlms_protected_seal(c->config.cipher, control, counter, &c->config.key, text, n, scratch,
                               out, out_len);
}

static void put_length(struct writer *w, size_t n)
{
    if (n >= 0x100)
        writer_be(w, 0x820000 | n, 3);
    else if (n >= 0x80)
        writer_be(w, 0x8100 | n, 2);
    else
        writer_u8(w, (uint8_t)n);
}

static enum emt_err send_apdu(struct dlms_client *c, const uint8_t *apdu, size_t n,
                              struct writer *out)
{
    writer_be(out, WRAPPER_VERSION, 2);
    writer_be(out, c->config.client, 2);
    writer_be(out, c->config.server, 2);
    writer_be(out, n, 2);
    return writer_bytes(out, apdu, n) ? EMT_OK : EMT_ELIMIT;
}

/* A request, ciphered where the association is. */
static enum emt_err send_request(struct dlms_client *c, const struct writer *request,
                                 struct writer *out)
{
    uint8_t sealed[APDU_MAX + GMAC_LEN], storage[sizeof sealed + 4];
    struct writer w;
    size_t n;
    enum emt_err err;

    if (request->failed)
        return EMT_ELIMIT;
    if (!c->config.ciphered)
        return send_apdu(c, request->data, request->len, out);
    err = seal(c, CONTROL_SEALED, request->data, request->len, sealed, &n);
    if (err != EMT_OK)
        return err;
    writer_init_fixed(&w, storage, sizeof storage);
    writer_u8(&w, request->data[0] + GLO);
    put_length(&w, n);
    writer_bytes(&w, sealed, n);
    return w.failed ? EMT_ELIMIT : send_apdu(c, w.data, w.len, out);
}

/* Inner octet string of user-information; get, selective access, block transfer, action. */
static enum emt_err put_initiate(struct dlms_client *c, struct writer *w)
{
    static const uint8_t initiate[] = { 0x01, 0x00, 0x00, 0x00, 0x06, 0x5f, 0x1f,
                                        0x04, 0x00, 0x00, 0x7e, 0x1f, 0x04, 0xb0 };
    uint8_t sealed[sizeof initiate + GMAC_LEN];
    size_t n;
    enum emt_err err;

    if (!c->config.ciphered) {
        writer_be(w, 0xbe10040e, 4);
        writer_bytes(w, initiate, sizeof initiate);
        return EMT_OK;
    }
    err = seal(c, CONTROL_SEALED, initiate, sizeof initiate, sealed, &n);
    if (err != EMT_OK)
        return err;
    writer_u8(w, 0xbe);
    writer_u8(w, (uint8_t)(n + 4));
    writer_u8(w, 0x04);
    writer_u8(w, (uint8_t)(n + 2));
    writer_u8(w, GLO_INITIATE_REQUEST);
    writer_u8(w, (uint8_t)n);
    writer_bytes(w, sealed, n);
    return EMT_OK;
}

static void put_name(struct writer *w, uint8_t group, uint8_t arc)
{
    static const uint8_t prefix[] = { 0x60, 0x85, 0x74, 0x05, 0x08 };

    writer_bytes(w, prefix, sizeof prefix);
    writer_u8(w, group);
    writer_u8(w, arc);
}

enum emt_err dlms_client_associate(struct dlms_client *c, struct writer *out)
{
    const struct dlms_client_config *config = &c->config;
    uint8_t body_storage[256], storage[256];
    struct writer body, w;
    enum emt_err err;

    if (c->state != DLMS_CLIENT_IDLE)
        return EMT_ESTATE;
    writer_init_fixed(&body, body_storage, sizeof body_storage);
    writer_init_fixed(&w, storage, sizeof storage);
    writer_be(&body, 0xa1090607, 4);
    put_name(&body, 1, config->ciphered ? ACSE_CONTEXT_LN_CIPHERED : ACSE_CONTEXT_LN);
    if (uses_keys(config)) {
        writer_be(&body, 0xa60a0408, 4);
        writer_bytes(&body, config->key.system_title, DLMS_TITLE_LEN);
    }
    if (config->mechanism != ACSE_MECHANISM_NONE) {
        writer_be(&body, 0x8a0207808b07, 6);
        put_name(&body, 2, config->mechanism);
        writer_u8(&body, 0xac);
        writer_u8(&body, (uint8_t)(config->secret_len + 2));
        writer_u8(&body, 0x80);
        writer_u8(&body, (uint8_t)config->secret_len);
        writer_bytes(&body, c->secret, config->secret_len);
    }
    err = put_initiate(c, &body);
    if (err != EMT_OK)
        return err;
    writer_u8(&w, ACSE_AARQ);
    put_length(&w, body.len);
    writer_bytes(&w, body.data, body.len);
    if (body.failed || w.failed)
        return EMT_ELIMIT;
    c->state = DLMS_CLIENT_ASSOCIATING;
    return send_apdu(c, w.data, w.len, out);
}

static void put_descriptor(struct writer *w, uint16_t class_id, struct obis o, int8_t attribute)
{
    writer_be(w, class_id, 2);
    writer_be(w, obis_pack(o), 6);
    writer_u8(w, (uint8_t)attribute);
}

/* range_descriptor of class 7: restricting object (the clock), from, to, all columns. */
static void put_range(struct writer *w, const struct dlms_client_get *what)
{
    static const uint8_t clock[] = { 0x02, 0x04, 0x02, 0x04, 0x12, 0x00, 0x08, 0x09, 0x06, 0x00,
                                     0x00, 0x01, 0x00, 0x00, 0xff, 0x0f, 0x02, 0x12, 0x00, 0x00 };

    writer_bytes(w, clock, sizeof clock);
    writer_be(w, 0x090c, 2);
    writer_bytes(w, what->from, sizeof what->from);
    writer_be(w, 0x090c, 2);
    writer_bytes(w, what->to, sizeof what->to);
    writer_be(w, 0x0100, 2);
}

enum emt_err dlms_client_get(struct dlms_client *c, const struct dlms_client_get *what,
                             struct writer *out)
{
    uint8_t storage[APDU_MAX];
    struct writer w;

    if (c->state != DLMS_CLIENT_READY)
        return EMT_ESTATE;
    writer_init_fixed(&w, storage, sizeof storage);
    writer_u8(&w, GET_REQUEST);
    writer_u8(&w, 1);
    writer_u8(&w, INVOKE_ID);
    put_descriptor(&w, what->class_id, what->obis, what->attribute);
    writer_u8(&w, what->by_range);
    if (what->by_range) {
        writer_u8(&w, 1);
        put_range(&w, what);
    }
    writer_clear(&c->answer);
    c->block = 0;
    c->state = DLMS_CLIENT_READING;
    return send_request(c, &w, out);
}

enum emt_err dlms_client_disconnect(struct dlms_client *c, struct writer *out)
{
    static const uint8_t release[] = { ACSE_RLRQ, 0x03, 0x80, 0x01, 0x00 };

    if (c->state != DLMS_CLIENT_READY)
        return EMT_ESTATE;
    c->state = DLMS_CLIENT_RELEASING;
    return send_apdu(c, release, sizeof release, out);
}

static enum emt_err ask_next_block(struct dlms_client *c, struct writer *out)
{
    uint8_t storage[8];
    struct writer w;

    writer_init_fixed(&w, storage, sizeof storage);
    writer_u8(&w, GET_REQUEST);
    writer_u8(&w, 2);
    writer_u8(&w, INVOKE_ID);
    writer_be(&w, c->block, 4);
    return send_request(c, &w, out);
}

static enum emt_err answer_challenge(struct dlms_client *c, const uint8_t *challenge, size_t n,
                                     struct writer *out)
{
    static const struct obis association = { 0, 0, 40, 0, 0, 255 };
    uint8_t sealed[DLMS_CHALLENGE_MAX + GMAC_LEN], storage[64];
    struct writer w;
    size_t len;
    enum emt_err err;

    if (n < CHALLENGE_MIN || n > DLMS_CHALLENGE_MAX)
        return EMT_EAUTH;
    /* A meter that sends our own challenge back would have us answer for it. */
    if (n == c->config.secret_len && cipher_equal(challenge, c->secret, n))
        return EMT_EAUTH;
    err = seal(c, DLMS_AUTHENTICATED, challenge, n, sealed, &len);
    if (err != EMT_OK)
        return err;
    writer_init_fixed(&w, storage, sizeof storage);
    writer_u8(&w, ACTION_REQUEST);
    writer_u8(&w, 1);
    writer_u8(&w, INVOKE_ID);
    put_descriptor(&w, 15, association, 1);
    writer_u8(&w, 1);
    writer_u8(&w, AXDR_OCTETS);
    writer_u8(&w, GMAC_LEN);
    writer_bytes(&w, sealed, 5);
    writer_bytes(&w, sealed + len - DLMS_TAG_LEN, DLMS_TAG_LEN);
    c->state = DLMS_CLIENT_AUTHENTICATING;
    return send_request(c, &w, out);
}

/* ---- from the meter ---- */

static bool counter_rises(struct dlms_client *c, uint32_t counter)
{
    if (c->has_meter_counter && counter <= c->meter_counter)
        return false;
    c->has_meter_counter = true;
    c->meter_counter = counter;
    return true;
}

/* Opens with the meter's title; the tag must fit. out: text_len bytes. */
static enum emt_err open_sealed(struct dlms_client *c, struct dlms_protected *m, uint8_t *out)
{
    uint8_t scratch[SCRATCH_LEN];
    bool verified;
    enum emt_err err;

    if (!m->tag || !c->has_meter_title)
        return EMT_EAUTH;
    if (!(m->control & DLMS_ENCRYPTED) && m->text_len > APDU_MAX)
        return EMT_ELIMIT;
    m->title = c->meter_title;
    err = dlms_protected_open(c->config.cipher, m, &c->config.key, scratch, out, &verified);
    return err == EMT_OK && verified ? EMT_OK : EMT_EAUTH;
}

/* The service in an answer: as it is, or deciphered in place. */
static enum emt_err open_answer(struct dlms_client *c, uint8_t *apdu, size_t n, uint8_t tag,
                                struct reader *service)
{
    struct reader in = reader_of(apdu, n);
    struct dlms_protected m;
    size_t len;
    enum emt_err err;

    if (!c->config.ciphered) {
        *service = in;
        return reader_u8(service) == tag ? EMT_OK : EMT_EMALFORMED;
    }
    if (reader_u8(&in) != tag + GLO)
        return EMT_EAUTH; /* a plain answer in a ciphered association */
    len = axdr_length(&in);
    if (in.failed || len != reader_left(&in))
        return EMT_EMALFORMED;
    err = dlms_protected_read(in.data + in.pos, len, &m);
    if (err != EMT_OK)
        return EMT_EMALFORMED;
    if ((m.control & CONTROL_SEALED) != CONTROL_SEALED)
        return EMT_EAUTH;
    apdu += m.text - apdu;
    err = open_sealed(c, &m, apdu);
    if (err == EMT_OK && !counter_rises(c, m.counter))
        err = EMT_EAUTH;
    *service = reader_of(apdu, m.text_len);
    if (err != EMT_OK)
        return err;
    return reader_u8(service) == tag ? EMT_OK : EMT_EMALFORMED;
}

static enum emt_err take_aare(struct dlms_client *c, const uint8_t *p, size_t n, struct writer *out,
                              struct dlms_client_report *report)
{
    struct acse_apdu a;
    bool gmac = c->config.mechanism == ACSE_MECHANISM_GMAC;

    if (acse_read(p, n, &a) != EMT_OK || a.tag != ACSE_AARE || !a.has_result)
        return EMT_EMALFORMED;
    if (a.result != 0 ||
        a.context != (c->config.ciphered ? ACSE_CONTEXT_LN_CIPHERED : ACSE_CONTEXT_LN))
        return EMT_EAUTH;
    if (a.title) {
        memcpy(c->meter_title, a.title, DLMS_TITLE_LEN);
        c->has_meter_title = true;
    }
    if (gmac) {
        if (a.diagnostic != DIAGNOSTIC_AUTHENTICATION_REQUIRED || !a.title || !a.authentication ||
            memcmp(a.title, c->config.key.system_title, DLMS_TITLE_LEN) == 0)
            return EMT_EAUTH;
        return answer_challenge(c, a.authentication, a.authentication_len, out);
    }
    c->state = DLMS_CLIENT_READY;
    report->event = DLMS_CLIENT_ASSOCIATED;
    return EMT_OK;
}

/* The meter's tag over our challenge. It was made before the answer around it was ciphered, so its
 * counter is the lower one; that our challenge is new keeps old tags out. */
static enum emt_err check_reply(struct dlms_client *c, const uint8_t *reply)
{
    struct dlms_protected m;
    uint8_t unused[DLMS_CHALLENGE_MAX];

    if (dlms_protected_read(reply, GMAC_LEN, &m) != EMT_OK ||
        (m.control & CONTROL_SEALED) != DLMS_AUTHENTICATED)
        return EMT_EAUTH;
    m.text = c->secret;
    m.text_len = c->config.secret_len;
    if (open_sealed(c, &m, unused) != EMT_OK)
        return EMT_EAUTH;
    (void)counter_rises(c, m.counter);
    return EMT_OK;
}

static enum emt_err take_reply(struct dlms_client *c, uint8_t *apdu, size_t n,
                               struct dlms_client_report *report)
{
    /* type, invoke id, result, return value present, data, octet string of 17 bytes */
    static const uint8_t head[] = { 1, INVOKE_ID, 0, 1, 0, AXDR_OCTETS, GMAC_LEN };
    struct reader in;
    const uint8_t *is, *reply;
    enum emt_err err = open_answer(c, apdu, n, ACTION_RESPONSE, &in);

    if (err != EMT_OK)
        return err;
    is = reader_bytes(&in, sizeof head);
    reply = reader_bytes(&in, GMAC_LEN);
    if (!is || !reply || memcmp(is, head, sizeof head) != 0 || !reader_at_end(&in))
        return EMT_EAUTH;
    err = check_reply(c, reply);
    if (err != EMT_OK)
        return err;
    c->state = DLMS_CLIENT_READY;
    report->event = DLMS_CLIENT_ASSOCIATED;
    return EMT_OK;
}

static enum emt_err take_data(struct dlms_client *c, const uint8_t *p, size_t n)
{
    return writer_bytes(&c->answer, p, n) ? EMT_OK : EMT_ELIMIT;
}

static enum emt_err refused(struct dlms_client *c, struct reader *in,
                            struct dlms_client_report *report)
{
    report->result = reader_u8(in);
    if (!reader_at_end(in) || in->failed)
        return EMT_EMALFORMED;
    report->event = DLMS_CLIENT_NO_DATA;
    c->state = DLMS_CLIENT_READY;
    return EMT_OK;
}

static enum emt_err take_block(struct dlms_client *c, struct reader *in, struct writer *out,
                               struct dlms_client_report *report)
{
    uint8_t last = reader_u8(in);
    uint32_t number = reader_u32be(in);
    uint8_t choice = reader_u8(in);
    size_t n;
    const uint8_t *p;
    enum emt_err err;

    if (in->failed || last > 1 || choice > 1 || number != c->block + 1)
        return EMT_EMALFORMED;
    if (choice == 1)
        return refused(c, in, report);
    n = axdr_length(in);
    p = reader_bytes(in, n);
    if (!p || !reader_at_end(in))
        return EMT_EMALFORMED;
    c->block = number;
    err = take_data(c, p, n);
    if (err != EMT_OK)
        return err;
    if (!last)
        return ask_next_block(c, out);
    report->event = DLMS_CLIENT_DATA;
    c->state = DLMS_CLIENT_READY;
    return EMT_OK;
}

static enum emt_err take_get(struct dlms_client *c, uint8_t *apdu, size_t n, struct writer *out,
                             struct dlms_client_report *report)
{
    struct reader in;
    enum emt_err err = open_answer(c, apdu, n, GET_RESPONSE, &in);
    uint8_t type, id, choice;

    if (err != EMT_OK)
        return err;
    type = reader_u8(&in);
    id = reader_u8(&in);
    if (in.failed || (id & 0x0f) != (INVOKE_ID & 0x0f))
        return EMT_EMALFORMED;
    if (type == 2)
        return take_block(c, &in, out, report);
    choice = reader_u8(&in);
    if (type != 1 || in.failed || choice > 1 || c->block != 0)
        return EMT_EMALFORMED;
    if (choice == 1)
        return refused(c, &in, report);
    n = reader_left(&in);
    err = take_data(c, reader_bytes(&in, n), n);
    if (err != EMT_OK)
        return err;
    report->event = DLMS_CLIENT_DATA;
    c->state = DLMS_CLIENT_READY;
    return EMT_OK;
}

static enum emt_err take_apdu(struct dlms_client *c, uint8_t *apdu, size_t n, struct writer *out,
                              struct dlms_client_report *report)
{
    struct acse_apdu a;

    switch (c->state) {
    case DLMS_CLIENT_ASSOCIATING:
        return take_aare(c, apdu, n, out, report);
    case DLMS_CLIENT_AUTHENTICATING:
        return take_reply(c, apdu, n, report);
    case DLMS_CLIENT_READING:
        return take_get(c, apdu, n, out, report);
    case DLMS_CLIENT_RELEASING:
        if (acse_read(apdu, n, &a) != EMT_OK || a.tag != ACSE_RLRE)
            return EMT_EMALFORMED;
        c->state = DLMS_CLIENT_CLOSED;
        report->event = DLMS_CLIENT_RELEASED;
        return EMT_OK;
    case DLMS_CLIENT_IDLE:
    case DLMS_CLIENT_READY:
    case DLMS_CLIENT_CLOSED:
        break;
    }
    return EMT_EMALFORMED; /* nobody asked */
}

/* Moves bytes into c->in until `want` are there. */
static bool gather(struct dlms_client *c, const uint8_t *p, size_t n, size_t want, size_t *used)
{
    size_t take = want > c->in.len ? want - c->in.len : 0;

    if (take > n - *used)
        take = n - *used;
    if (take)
        writer_bytes(&c->in, p + *used, take);
    *used += take;
    return !c->in.failed && c->in.len >= want;
}

static enum emt_err take_message(struct dlms_client *c, const uint8_t *p, size_t n, size_t *used,
                                 struct writer *out, struct dlms_client_report *report)
{
    struct reader head;
    unsigned version, source, destination;
    size_t len;
    enum emt_err err;

    if (!gather(c, p, n, WRAPPER_LEN, used))
        return c->in.failed ? EMT_ENOMEM : EMT_OK;
    head = reader_of(c->in.data, WRAPPER_LEN);
    version = reader_u16be(&head);
    source = reader_u16be(&head);
    destination = reader_u16be(&head);
    len = reader_u16be(&head);
    if (version != WRAPPER_VERSION || source != c->config.server ||
        destination != c->config.client || len == 0)
        return EMT_EMALFORMED;
    if (!gather(c, p, n, WRAPPER_LEN + len, used))
        return c->in.failed ? EMT_ENOMEM : EMT_OK;
    err = take_apdu(c, c->in.data + WRAPPER_LEN, len, out, report);
    writer_clear(&c->in);
    return err;
}

enum emt_err dlms_client_feed(struct dlms_client *c, const uint8_t *p, size_t n, size_t *used,
                              struct writer *out, struct dlms_client_report *report)
{
    enum emt_err err;

    *used = 0;
    *report = (struct dlms_client_report){ .event = DLMS_CLIENT_MORE };
    if (c->state == DLMS_CLIENT_CLOSED)
        return EMT_ESTATE;
    err = take_message(c, p, n, used, out, report);
    if (err != EMT_OK) {
        c->state = DLMS_CLIENT_CLOSED;
        report->event = DLMS_CLIENT_MORE;
    }
    return err;
}
