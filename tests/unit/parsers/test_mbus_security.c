/* Every header with every security mode in every frame format, built here from the layouts of EN
 * 13757-4 and -7 with libcrypto's own primitives, so that nothing of the decoder proves itself. */
#include "base/writer.h"
#include "explain_check.h"
#include "parsers/oms_encode.h"
#include "suites.h"
#include "support.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define FRAME_MAX 300
#define MCR 0x01020304u
#define ACCESS 0x2a

enum header { NONE, SHORT, LONG, HEADERS };
enum security {
    PLAIN,
    DES_CBC,        /* mode 2 */
    AES_CBC_IV,     /* mode 5 */
    AES_CBC_AFL,    /* mode 7, key derived, MAC in the AFL */
    AES_CBC_NO_KDF, /* mode 7, the key itself */
    AES_CCM,        /* mode 10, key derived */
    AES_CCM_NO_KDF, /* mode 10, the key itself */
    ELL_CTR,        /* link layer, CI 8D */
    ELL_CTR_TO,     /* the same with a receiver, CI 8F */
    SECURITIES
};
enum format { BARE, CRC_A, CRC_B, FORMATS };

static const char *const security_names[] = { "none",    "mode 2",  "mode 5",  "mode 7", "mode 7",
                                              "mode 10", "mode 10", "ELL-CTR", "ELL-CTR" };
static const char *const keys[] = { "8091a2b3c4d5e6f7", "000102030405060708090a0b0c0d0e0f" };
static const char *const wrong_keys[] = { "0091a2b3c4d5e6f0", "100102030405060708090a0b0c0d0e0f" };
/* M, ID, version, type of the link layer, and of the meter in a long header */
static const uint8_t link_address[8] = { 0xb4, 0x15, 0x33, 0x22, 0x11, 0x00, 0x05, 0x36 };
static const uint8_t meter_address[8] = { 0xb4, 0x15, 0x78, 0x56, 0x34, 0x12, 0x01, 0x02 };
/* volume 12.345 m3; power 77 W */
static const uint8_t records[] = { 0x04, 0x13, 0x39, 0x30, 0x00, 0x00, 0x02, 0x2b, 0x4d, 0x00 };

struct telegram {
    enum header header;
    enum security security;
    uint8_t tpl[FRAME_MAX]; /* transport layer as sent */
    size_t len;
};

/* ---- libcrypto ---- */

static void crypt(const EVP_CIPHER *type, const uint8_t *key, const uint8_t *iv, const uint8_t *in,
                  size_t n, uint8_t *out)
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int len = 0;

    ck_assert_int_eq(EVP_EncryptInit_ex(c, type, NULL, key, iv), 1);
    EVP_CIPHER_CTX_set_padding(c, 0);
    ck_assert_int_eq(EVP_EncryptUpdate(c, out, &len, in, (int)n), 1);
    EVP_CIPHER_CTX_free(c);
}

static void cmac(const uint8_t key[16], const uint8_t *p, size_t n, uint8_t out[16])
{
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "CMAC", NULL);
    EVP_MAC_CTX *c = EVP_MAC_CTX_new(mac);
    OSSL_PARAM params[2];
    char cipher[] = "AES-128-CBC";
    size_t len = 0;

    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, cipher, 0);
    params[1] = OSSL_PARAM_construct_end();
    ck_assert_int_eq(EVP_MAC_init(c, key, 16, params), 1);
    ck_assert_int_eq(EVP_MAC_update(c, p, n), 1);
    ck_assert_int_eq(EVP_MAC_final(c, out, &len, 16), 1);
    EVP_MAC_CTX_free(c);
    EVP_MAC_free(mac);
}

static void ccm(const uint8_t key[16], const uint8_t nonce[13], const uint8_t *aad, size_t aad_len,
                const uint8_t *in, size_t n, uint8_t *out, uint8_t tag[8])
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int len = 0;

    ck_assert_int_eq(EVP_EncryptInit_ex(c, EVP_aes_128_ccm(), NULL, NULL, NULL), 1);
    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_CCM_SET_IVLEN, 13, NULL);
    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_CCM_SET_TAG, 8, NULL);
    ck_assert_int_eq(EVP_EncryptInit_ex(c, NULL, NULL, key, nonce), 1);
    ck_assert_int_eq(EVP_EncryptUpdate(c, NULL, &len, NULL, (int)n), 1);
    ck_assert_int_eq(EVP_EncryptUpdate(c, NULL, &len, aad, (int)aad_len), 1);
    ck_assert_int_eq(EVP_EncryptUpdate(c, out, &len, in, (int)n), 1);
    ck_assert_int_eq(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_CCM_GET_TAG, 8, tag), 1);
    EVP_CIPHER_CTX_free(c);
}

/* CRC-16 of EN 13757-4, bit by bit. */
static uint16_t crc16(const uint8_t *p, size_t n)
{
    unsigned crc = 0;

    for (size_t i = 0; i < n; i++) {
        crc ^= (unsigned)p[i] << 8;
        for (int k = 0; k < 8; k++)
            crc = (crc << 1 ^ (crc & 0x8000u ? 0x3d65u : 0)) & 0xffffu;
    }
    return (uint16_t)~crc;
}

/* ---- the telegram ---- */

static const uint8_t *address_of(enum header h)
{
    return h == LONG ? meter_address : link_address;
}

static void derive(uint8_t constant, enum header h, uint8_t out[16])
{
    uint8_t key[16], input[16];

    (void)bytes_of(keys[1], key, sizeof key);
    memset(input, 7, sizeof input);
    input[0] = constant;
    for (unsigned i = 0; i < 4; i++)
        input[1 + i] = (uint8_t)(MCR >> 8 * i);
    memcpy(input + 5, address_of(h) + 2, 4);
    cmac(key, input, sizeof input, out);
}

static void put_header(struct writer *w, enum header h, unsigned cfg)
{
    static const uint8_t ci[] = { [NONE] = 0x78, [SHORT] = 0x7a, [LONG] = 0x72 };

    writer_u8(w, ci[h]);
    if (h == NONE)
        return;
    if (h == LONG) { /* ID before the manufacturer */
        writer_bytes(w, meter_address + 2, 4);
        writer_bytes(w, meter_address, 2);
        writer_bytes(w, meter_address + 6, 2);
    }
    writer_u8(w, ACCESS);
    writer_u8(w, 0);
    writer_le(w, cfg, 2);
}

/* 2F 2F, the records, 2F up to whole blocks. */
static size_t pad(size_t block, uint8_t *out)
{
    size_t n = 2 + sizeof records;

    memset(out, 0x2f, 64);
    memcpy(out + 2, records, sizeof records);
    return (n + block - 1) / block * block;
}

static void put_blocks(struct writer *w, const struct telegram *t)
{
    uint8_t text[64], iv[16] = { 0 }, key[24];
    size_t block = t->security == DES_CBC ? 8 : 16, n = pad(block, text);

    if (t->security == DES_CBC) {
        /* three times the same key: single DES */
        (void)bytes_of(keys[0], key, 8);
        memcpy(key + 8, key, 8);
        memcpy(key + 16, key, 8);
        crypt(EVP_des_ede3_cbc(), key, iv, text, n, writer_reserve(w, n));
        return;
    }
    (void)bytes_of(keys[1], key, 16);
    if (t->security == AES_CBC_AFL)
        derive(0, t->header, key);
    if (t->security == AES_CBC_IV) {
        memcpy(iv, address_of(t->header), 8);
        memset(iv + 8, ACCESS, 8);
    }
    crypt(EVP_aes_128_cbc(), key, iv, text, n, writer_reserve(w, n));
}

static void put_ccm(struct writer *w, const struct telegram *t)
{
    uint8_t nonce[13] = { 0 }, key[16], tag[8];
    size_t aad_len = w->len;

    (void)bytes_of(keys[1], key, sizeof key);
    if (t->security == AES_CCM)
        derive(0, t->header, key);
    memcpy(nonce, address_of(t->header), 8);
    for (unsigned i = 0; i < 4; i++)
        nonce[9 + i] = (uint8_t)(MCR >> (24 - 8 * i));
    writer_le(w, MCR, 4);
    ccm(key, nonce, w->data, aad_len, records, sizeof records, writer_reserve(w, sizeof records),
        tag);
    writer_bytes(w, tag, sizeof tag);
}

static void make_tpl(struct telegram *t)
{
    struct writer w;

    writer_init_fixed(&w, t->tpl, sizeof t->tpl);
    switch (t->security) {
    case DES_CBC:
        put_header(&w, t->header, 0x0210); /* 16 bytes */
        put_blocks(&w, t);
        break;
    case AES_CBC_IV:
        put_header(&w, t->header, 0x0510); /* 1 block */
        put_blocks(&w, t);
        break;
    case AES_CBC_AFL:
    case AES_CBC_NO_KDF:
        put_header(&w, t->header, 0x0710);
        writer_u8(&w, t->security == AES_CBC_AFL ? 0x10 : 0x00);
        put_blocks(&w, t);
        break;
    case AES_CCM:
    case AES_CCM_NO_KDF:
        put_header(&w, t->header, 0x0aff); /* all */
        writer_le(&w, t->security == AES_CCM ? 0x0110 : 0x0100, 2);
        put_ccm(&w, t);
        break;
    case PLAIN:
    case ELL_CTR:
    case ELL_CTR_TO:
    case SECURITIES:
        put_header(&w, t->header, 0);
        writer_bytes(&w, records, sizeof records);
        break;
    }
    ck_assert(!w.failed);
    t->len = w.len;
}

/* MCL: CMAC of 8 bytes, with the counter. */
static void put_afl(struct writer *w, const struct telegram *t)
{
    uint8_t covered[FRAME_MAX], key[16], mac[16];
    struct writer c;

    writer_init_fixed(&c, covered, sizeof covered);
    writer_u8(&c, 0x25);
    writer_le(&c, MCR, 4);
    writer_bytes(&c, t->tpl, t->len);
    derive(1, t->header, key);
    cmac(key, covered, c.len, mac);
    writer_be(w, 0x900f, 2);
    writer_le(w, 0x2c00, 2);
    writer_u8(w, 0x25);
    writer_le(w, MCR, 4);
    writer_bytes(w, mac, 8);
}

static void put_ell(struct writer *w, const struct telegram *t)
{
    bool receiver = t->security == ELL_CTR_TO;
    uint32_t sn = UINT32_C(1) << 29 | 0x12345;
    uint8_t text[FRAME_MAX], iv[16] = { 0 }, key[16];
    uint16_t crc = crc16(t->tpl, t->len);

    writer_u8(w, receiver ? 0x8f : 0x8d);
    writer_u8(w, 0x20); /* communication control */
    writer_u8(w, 0x11); /* access number */
    if (receiver)
        writer_bytes(w, meter_address, sizeof meter_address);
    writer_le(w, sn, 4);
    memcpy(iv, link_address, 8);
    iv[8] = 0x20;
    for (unsigned i = 0; i < 4; i++)
        iv[9 + i] = (uint8_t)(sn >> 8 * i);
    text[0] = (uint8_t)(crc & 0xffu);
    text[1] = (uint8_t)(crc >> 8);
    memcpy(text + 2, t->tpl, t->len);
    (void)bytes_of(keys[1], key, sizeof key);
    crypt(EVP_aes_128_ctr(), key, iv, text, t->len + 2, writer_reserve(w, t->len + 2));
}

static size_t make_frame(struct telegram *t, uint8_t *frame)
{
    struct writer w;

    make_tpl(t);
    writer_init_fixed(&w, frame, FRAME_MAX);
    writer_be(&w, 0x0044, 2);
    writer_bytes(&w, link_address, sizeof link_address);
    if (t->security == AES_CBC_AFL)
        put_afl(&w, t);
    if (t->security == ELL_CTR || t->security == ELL_CTR_TO)
        put_ell(&w, t);
    else
        writer_bytes(&w, t->tpl, t->len);
    ck_assert(!w.failed);
    frame[0] = (uint8_t)(w.len - 1);
    return w.len;
}

/* Format B: up to 126 bytes, one CRC that L counts. */
static size_t put_format(enum format format, const uint8_t *frame, size_t n, uint8_t *out)
{
    struct writer w;
    uint16_t crc;

    writer_init_fixed(&w, out, FRAME_MAX);
    if (format == CRC_A) {
        ck_assert_int_eq(oms_add_crc_a(frame, n, &w), EMT_OK);
        return w.len;
    }
    writer_bytes(&w, frame, n);
    if (format == BARE)
        return w.len;
    ck_assert_uint_lt(n, 126);
    out[0] = (uint8_t)(out[0] + 2);
    crc = crc16(out, n);
    writer_be(&w, crc, 2);
    return w.len;
}

/* ---- judged ---- */

static struct decode_result run(struct decoder *d, enum format format, const uint8_t *frame,
                                size_t n)
{
    static const enum frame_format formats[] = { FRAME_FORMAT_NO_LINK_CRC, FRAME_FORMAT_A_CRC,
                                                 FRAME_FORMAT_B_CRC };
    static uint8_t sent[FRAME_MAX];
    struct decode_request req =
        decoder_request(d, PROTOCOL_WMBUS, sent, put_format(format, frame, n, sent));
    struct decode_result r;

    arena_reset(d->arena);
    req.format = formats[format];
    ck_assert_int_eq(decode_frame(&req, &r), EMT_OK);
    explain_check(&req, &r, d->keys, d->nkeys);
    return r;
}

static void use_key(struct decoder *d, const struct telegram *t, const char *const from[2])
{
    d->nkeys = 0;
    decoder_add_key(d, from[t->security == DES_CBC ? 0 : 1]);
}

static void check_ok(const struct telegram *t, const struct decode_result *r, const char *where)
{
    char text[DEVICE_ID_TEXT_MAX], number[DECIMAL_TEXT_MAX];

    ck_assert_msg(r->state == FRAME_OK, "%s: %s", where, r->reason);
    ck_assert_str_eq(device_id_format(&r->device, text),
                     t->header == LONG ? "EMT-12345678-01-02" : "EMT-00112233-05-36");
    ck_assert_int_eq(r->has_adapter, t->header == LONG);
    ck_assert_str_eq(r->security, security_names[t->security]);
    ck_assert_uint_eq(r->nreadings, 2);
    ck_assert_str_eq(decimal_format(r->readings[0].value, number), "12.345");
    ck_assert_str_eq(decimal_format(r->readings[1].value, number), "77");
    ck_assert_int_eq(r->encrypted, t->security != PLAIN);
}

static bool is_authenticated(enum security s)
{
    return s == AES_CBC_AFL || s == AES_CCM || s == AES_CCM_NO_KDF;
}

static void check_keys(struct decoder *d, struct telegram *t, enum format format,
                       const uint8_t *frame, size_t n, const char *where)
{
    uint8_t changed[FRAME_MAX];
    struct decode_result r;

    d->nkeys = 0;
    r = run(d, format, frame, n);
    ck_assert_msg(r.state == FRAME_KEY_NEEDED && r.nreadings == 0, "%s: %s", where, r.reason);
    use_key(d, t, wrong_keys);
    r = run(d, format, frame, n);
    ck_assert_msg(r.state == (is_authenticated(t->security) ? FRAME_MAC_WRONG : FRAME_KEY_WRONG) &&
                      r.nreadings == 0,
                  "%s: %s", where, r.reason);
    if (!is_authenticated(t->security))
        return;
    use_key(d, t, keys);
    memcpy(changed, frame, n);
    changed[n - 9] ^= 0x01; /* the last byte of the text, or the one before it */
    r = run(d, format, changed, n);
    ck_assert_msg(r.state == FRAME_MAC_WRONG && r.nreadings == 0, "%s: %s", where, r.reason);
}

/* One cell of the matrix per loop. */
START_TEST(every_header_mode_and_format)
{
    struct telegram t = { .header = (enum header)(_i % HEADERS),
                          .security = (enum security)(_i / HEADERS % SECURITIES) };
    enum format format = (enum format)(_i / HEADERS / SECURITIES);
    bool in_header = t.security != PLAIN && t.security < ELL_CTR;
    uint8_t frame[FRAME_MAX];
    struct decode_result r;
    struct decoder d;
    char where[80];
    size_t n;

    if (t.header == NONE && in_header)
        return; /* no configuration field: nothing announces a mode */
    (void)snprintf(where, sizeof where, "header %d, %s, format %d", (int)t.header,
                   security_names[t.security], (int)format);
    decoder_open(&d);
    n = make_frame(&t, frame);
    if (t.security != PLAIN)
        use_key(&d, &t, keys);
    r = run(&d, format, frame, n);
    check_ok(&t, &r, where);
    if (t.security == PLAIN) {
        decoder_add_key(&d, keys[1]);
        r = run(&d, format, frame, n);
        ck_assert_msg(r.state == FRAME_PLAINTEXT_REFUSED && r.nreadings == 0, "%s", where);
    } else {
        check_keys(&d, &t, format, frame, n, where);
    }
    decoder_close(&d);
}
END_TEST

/* EN 13757-7, table 19: what is not read is named, and gives nothing. */
START_TEST(a_mode_that_is_not_read_is_named)
{
    static const uint8_t modes[] = { 1, 3, 4, 6, 8, 9, 11, 12, 13, 14, 15, 16, 31 };
    static const char *const hints[] = {
        [3] = "DES-CBC", [8] = "AES-CTR with CMAC", [9] = "AES-GCM", [13] = "TLS", [31] = NULL
    };

    for (size_t i = 0; i < sizeof modes; i++)
        for (enum header h = SHORT; h <= LONG; h++) {
            uint8_t frame[FRAME_MAX];
            struct decode_result r;
            struct decoder d;
            struct writer w;
            char name[16];

            decoder_open(&d);
            decoder_add_key(&d, keys[1]);
            writer_init_fixed(&w, frame, sizeof frame);
            writer_be(&w, 0x0044, 2);
            writer_bytes(&w, link_address, sizeof link_address);
            put_header(&w, h, (unsigned)modes[i] << 8 | 0x10);
            for (unsigned k = 0; k < 17; k++)
                writer_u8(&w, (uint8_t)(0xc0 + k));
            frame[0] = (uint8_t)(w.len - 1);
            r = run(&d, BARE, frame, w.len);
            (void)snprintf(name, sizeof name, "mode %u", modes[i]);
            ck_assert_msg(r.state == FRAME_UNSUPPORTED, "%s: %s", name, r.reason);
            ck_assert_str_eq(r.security, name);
            ck_assert_ptr_nonnull(strstr(r.reason, name));
            if (hints[modes[i]])
                ck_assert_ptr_nonnull(strstr(r.reason, hints[modes[i]]));
            ck_assert_uint_eq(r.nreadings, 0);
            decoder_close(&d);
        }
}
END_TEST

/* EN 13757-7, AFL: authentication type 8. */
START_TEST(a_gmac_is_named)
{
    struct telegram t = { .header = SHORT, .security = PLAIN };
    uint8_t frame[FRAME_MAX];
    struct decode_result r;
    struct decoder d;
    struct writer w;

    decoder_open(&d);
    make_tpl(&t);
    writer_init_fixed(&w, frame, sizeof frame);
    writer_be(&w, 0x0044, 2);
    writer_bytes(&w, link_address, sizeof link_address);
    writer_be(&w, 0x9013, 2);
    writer_le(&w, 0x2c00, 2);
    writer_u8(&w, 0x28);
    writer_le(&w, MCR, 4);
    for (unsigned i = 0; i < 12; i++)
        writer_u8(&w, (uint8_t)i);
    writer_bytes(&w, t.tpl, t.len);
    frame[0] = (uint8_t)(w.len - 1);
    r = run(&d, BARE, frame, w.len);
    ck_assert_int_eq(r.state, FRAME_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(r.reason, "GMAC"));
    decoder_close(&d);
}
END_TEST

Suite *mbus_security_suite(void)
{
    Suite *s = suite_create("mbus_security");
    TCase *c = tcase_create("mbus_security");

    tcase_set_timeout(c, 60);
    tcase_add_loop_test(c, every_header_mode_and_format, 0, HEADERS * SECURITIES * FORMATS);
    tcase_add_test(c, a_mode_that_is_not_read_is_named);
    tcase_add_test(c, a_gmac_is_named);
    suite_add_tcase(s, c);
    return s;
}
