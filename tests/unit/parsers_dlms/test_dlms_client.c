/* The client against a scripted meter. The association with a password is the Green Book's worked
 * example of AARQ and AARE. */
#include "base/cipher.h"
#include "dlms/dlms_acse.h"
#include "dlms/dlms_security.h"
#include "parsers/dlms_client.h"
#include "suites.h"
#include "support.h"

#include <string.h>

#define ACCEPTED                                                                                   \
    "61 29 a109060760857405080101 a203020100 a305a103020100"                                       \
    "be10040e0800065f1f040000501f01f40007"

static const struct dlms_client_get get_import = { .class_id = 3,
                                                   .obis = { 1, 0, 1, 8, 0, 255 },
                                                   .attribute = 2 };

static struct dlms_client client;
static uint8_t sent[1024];
static struct writer out;
static struct dlms_client_report report;

static void expect_sent(const char *apdu_hex)
{
    uint8_t want[512];
    size_t n = dlms_test_hex(apdu_hex, want, sizeof want);

    ck_assert_uint_eq(out.len, 8 + n);
    ck_assert_mem_eq(out.data, "\x00\x01\x00\x10\x00\x01", 6);
    ck_assert_uint_eq((unsigned)(out.data[6] << 8 | out.data[7]), n);
    ck_assert_mem_eq(out.data + 8, want, n);
    writer_clear(&out);
}

/* The meter's message in a wrapper, one byte at a time. */
static enum emt_err reply(const uint8_t *apdu, size_t n)
{
    uint8_t message[1024] = { 0x00, 0x01, 0x00, 0x01, 0x00, 0x10 };

    message[6] = (uint8_t)(n >> 8);
    message[7] = (uint8_t)n;
    memcpy(message + 8, apdu, n);
    for (size_t i = 0; i < n + 8; i++) {
        size_t used;
        enum emt_err err = dlms_client_feed(&client, message + i, 1, &used, &out, &report);

        if (err != EMT_OK)
            return err;
        ck_assert_uint_eq(used, 1);
        ck_assert(i == n + 7 || report.event == DLMS_CLIENT_MORE);
    }
    return EMT_OK;
}

static enum emt_err reply_hex(const char *hex)
{
    uint8_t apdu[512];

    return reply(apdu, dlms_test_hex(hex, apdu, sizeof apdu));
}

static void start(const struct dlms_client_config *config)
{
    writer_init_fixed(&out, sent, sizeof sent);
    ck_assert_int_eq(dlms_client_init(&client, config), EMT_OK);
    ck_assert_int_eq(dlms_client_associate(&client, &out), EMT_OK);
}

static void start_with_password(void)
{
    const struct dlms_client_config config = { .client = 16,
                                               .server = 1,
                                               .mechanism = ACSE_MECHANISM_LOW,
                                               .secret = (const uint8_t *)"12345678",
                                               .secret_len = 8 };

    start(&config);
    expect_sent("6036a1090607608574050801018a0207808b0760857405080201ac0a80083132333435363738"
                "be10040e01000000065f1f0400007e1f04b0");
}

static void associate(void)
{
    start_with_password();
    ck_assert_int_eq(reply_hex(ACCEPTED), EMT_OK);
    ck_assert_int_eq(report.event, DLMS_CLIENT_ASSOCIATED);
}

START_TEST(the_published_association_with_a_password)
{
    associate();
    ck_assert_int_eq(client.state, DLMS_CLIENT_READY);
    ck_assert_int_eq(dlms_client_associate(&client, &out), EMT_ESTATE);
    ck_assert_int_eq(dlms_client_disconnect(&client, &out), EMT_OK);
    expect_sent("6203800100");
    ck_assert_int_eq(reply_hex("6303800100"), EMT_OK);
    ck_assert_int_eq(report.event, DLMS_CLIENT_RELEASED);
    dlms_client_release(&client);
}
END_TEST

START_TEST(a_refused_association_closes)
{
    start_with_password();
    ck_assert_int_eq(reply_hex("61 17 a109060760857405080101 a203020101 a305a10302010d"),
                     EMT_EAUTH);
    ck_assert_int_eq(client.state, DLMS_CLIENT_CLOSED);
    ck_assert_int_eq(dlms_client_get(&client, &get_import, &out), EMT_ESTATE);
    dlms_client_release(&client);
}
END_TEST

START_TEST(a_value_is_read)
{
    associate();
    ck_assert_int_eq(dlms_client_get(&client, &get_import, &out), EMT_OK);
    ck_assert_int_eq(dlms_client_get(&client, &get_import, &out), EMT_ESTATE);
    expect_sent("c001c1 0003 0100010800ff 02 00");
    ck_assert_int_eq(reply_hex("c401c100 0600001391"), EMT_OK);
    ck_assert_int_eq(report.event, DLMS_CLIENT_DATA);
    ck_assert_uint_eq(client.answer.len, 5);
    ck_assert_mem_eq(client.answer.data, "\x06\x00\x00\x13\x91", 5);
    ck_assert_int_eq(dlms_client_get(&client, &get_import, &out), EMT_OK);
    ck_assert_int_eq(reply_hex("c401c10103"), EMT_OK);
    ck_assert_int_eq(report.event, DLMS_CLIENT_NO_DATA);
    ck_assert_uint_eq(report.result, 3);
    dlms_client_release(&client);
}
END_TEST

START_TEST(a_range_is_read_in_blocks)
{
    struct dlms_client_get what = {
        .class_id = 7, .obis = { 1, 0, 99, 1, 0, 255 }, .attribute = 2, .by_range = true
    };

    (void)dlms_test_hex("07ea0b14ff000000ffffc400", what.from, 12);
    (void)dlms_test_hex("07ea0b15ff000000ffffc400", what.to, 12);
    associate();
    ck_assert_int_eq(dlms_client_get(&client, &what, &out), EMT_OK);
    expect_sent("c001c1 0007 0100630100ff 02 01 01"
                "0204 0204 120008 09060000010000ff 0f02 120000"
                "090c07ea0b14ff000000ffffc400 090c07ea0b15ff000000ffffc400 0100");
    ck_assert_int_eq(reply_hex("c402c1 00 00000001 00 03 010206"), EMT_OK);
    ck_assert_int_eq(report.event, DLMS_CLIENT_MORE);
    expect_sent("c002c1 00000001");
    ck_assert_int_eq(reply_hex("c402c1 01 00000002 00 06 000000011102"), EMT_OK);
    ck_assert_int_eq(report.event, DLMS_CLIENT_DATA);
    ck_assert_uint_eq(client.answer.len, 9);
    ck_assert_mem_eq(client.answer.data, "\x01\x02\x06\x00\x00\x00\x01\x11\x02", 9);
    dlms_client_release(&client);
}
END_TEST

START_TEST(odd_answers_close)
{
    static const char *const cases[] = {
        "c402c1 00 00000002 00 01 00", /* not the first block */
        "c402c1 00 00000001 00 05 00", /* shorter than it says */
        "c401c2 00 0600001391",        /* another invocation */
        "c401c1 02 00",                /* neither data nor result */
        "c501c100",                    /* another service */
        "c4",
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        associate();
        ck_assert_int_eq(dlms_client_get(&client, &get_import, &out), EMT_OK);
        ck_assert_msg(reply_hex(cases[i]) == EMT_EMALFORMED, "%s", cases[i]);
        ck_assert_int_eq(client.state, DLMS_CLIENT_CLOSED);
        dlms_client_release(&client);
    }
}
END_TEST

/* ---- HLS with GMAC, ciphered ---- */

static const uint8_t our_challenge[16] = "client challenge";
static const uint8_t meter_challenge[16] = "meter challenges";
static struct cipher *cipher;

static struct device_key key_with_title(const char *title)
{
    struct device_key key = dlms_test_meter().keys[0];

    memcpy(key.system_title, title, DLMS_TITLE_LEN);
    key.system_title_len = DLMS_TITLE_LEN;
    return key;
}

static void start_gmac(void)
{
    struct dlms_client_config config = { .client = 16,
                                         .server = 1,
                                         .mechanism = ACSE_MECHANISM_GMAC,
                                         .secret = our_challenge,
                                         .secret_len = sizeof our_challenge,
                                         .ciphered = true,
                                         .counter = 1000 };

    cipher = cipher_new();
    config.cipher = cipher;
    config.key = key_with_title("EMTCLNT1");
    start(&config);
    writer_clear(&out);
}

static size_t seal_as_meter(uint8_t control, uint32_t counter, const uint8_t *text, size_t n,
                            uint8_t *to)
{
    struct device_key key = key_with_title("EMTMETR1");
    uint8_t scratch[DLMS_EXTRA_MAX + 33 + 256];
    size_t len;

    ck_assert_int_eq(
        dlms_protected_seal(cipher, control, counter, &key, text, n, scratch, to, &len), EMT_OK);
    return len;
}

/* AARE with the meter's title and this challenge: authentication is required. */
static enum emt_err accept_gmac(const uint8_t challenge[16])
{
    uint8_t aare[128];
    size_t n = dlms_test_hex("61 41 a109060760857405080103 a203020100 a305a10302010e"
                             "a40a0408454d544d45545231 88020780 890760857405080205 aa128010",
                             aare, sizeof aare);

    memcpy(aare + n, challenge, 16);
    n += 16;
    aare[1] = (uint8_t)(n - 2);
    return reply(aare, n);
}

/* The meter's answer to our challenge, in a glo-action-response. */
static enum emt_err reply_gmac(const uint8_t *challenge, uint32_t first, uint32_t second)
{
    uint8_t mac[64], text[64], apdu[128];
    size_t n = dlms_test_hex("c701c10001000911", text, sizeof text);
    size_t len = seal_as_meter(0x10, first, challenge, 16, mac);

    memcpy(text + n, mac, 5);
    memcpy(text + n + 5, mac + len - DLMS_TAG_LEN, DLMS_TAG_LEN);
    n += 5 + DLMS_TAG_LEN;
    len = seal_as_meter(0x30, second, text, n, apdu + 2);
    apdu[0] = 0xcf;
    apdu[1] = (uint8_t)len;
    return reply(apdu, len + 2);
}

/* What the client sent, opened as the meter does. */
static size_t opened(uint8_t tag, uint8_t *text)
{
    struct device_key key = key_with_title("EMTCLNT1");
    uint8_t scratch[DLMS_EXTRA_MAX + 33 + 256];
    struct dlms_protected m;
    bool verified;

    ck_assert_uint_eq(out.data[8], tag);
    ck_assert_int_eq(dlms_protected_read(out.data + 10, out.len - 10, &m), EMT_OK);
    ck_assert_int_eq(dlms_protected_open(cipher, &m, &key, scratch, text, &verified), EMT_OK);
    ck_assert(verified);
    writer_clear(&out);
    return m.text_len;
}

static void associate_gmac(void)
{
    uint8_t text[64], mac[64];
    struct device_key key = key_with_title("EMTCLNT1");
    uint8_t scratch[DLMS_EXTRA_MAX + 33 + 64];
    size_t len;

    start_gmac();
    ck_assert_int_eq(accept_gmac(meter_challenge), EMT_OK);
    ck_assert_int_eq(client.state, DLMS_CLIENT_AUTHENTICATING);
    ck_assert_uint_eq(opened(0xcb, text), 15 + 17);
    ck_assert_mem_eq(text, "\xc3\x01\xc1\x00\x0f\x00\x00\x28\x00\x00\xff\x01\x01\x09\x11\x10", 16);
    ck_assert_int_eq(
        dlms_protected_seal(cipher, 0x10, 1001, &key, meter_challenge, 16, scratch, mac, &len),
        EMT_OK);
    ck_assert_mem_eq(text + 20, mac + len - DLMS_TAG_LEN, DLMS_TAG_LEN);
}

START_TEST(both_sides_prove_their_key)
{
    uint8_t text[64], apdu[64];
    size_t len;

    associate_gmac();
    ck_assert_int_eq(reply_gmac(our_challenge, 5, 6), EMT_OK);
    ck_assert_int_eq(report.event, DLMS_CLIENT_ASSOCIATED);
    ck_assert_int_eq(dlms_client_get(&client, &get_import, &out), EMT_OK);
    ck_assert_uint_eq(opened(0xc8, text), 13);
    ck_assert_mem_eq(text, "\xc0\x01\xc1\x00\x03\x01\x00\x01\x08\x00\xff\x02\x00", 13);
    len = seal_as_meter(0x30, 7, (const uint8_t *)"\xc4\x01\xc1\x00\x11\x2a", 6, apdu + 2);
    apdu[0] = 0xcc;
    apdu[1] = (uint8_t)len;
    ck_assert_int_eq(reply(apdu, len + 2), EMT_OK);
    ck_assert_int_eq(report.event, DLMS_CLIENT_DATA);
    ck_assert_uint_eq(client.answer.len, 2);
    /* the same answer again is a replay */
    ck_assert_int_eq(dlms_client_get(&client, &get_import, &out), EMT_OK);
    ck_assert_int_eq(reply(apdu, len + 2), EMT_EAUTH);
    dlms_client_release(&client);
    cipher_free(cipher);
}
END_TEST

START_TEST(a_meter_that_cannot_prove_its_key_is_left)
{
    associate_gmac();
    ck_assert_int_eq(reply_gmac(meter_challenge, 5, 6), EMT_EAUTH);
    ck_assert_int_eq(client.state, DLMS_CLIENT_CLOSED);
    dlms_client_release(&client);
    cipher_free(cipher);
}
END_TEST

START_TEST(our_own_challenge_is_not_answered)
{
    start_gmac();
    ck_assert_int_eq(accept_gmac(our_challenge), EMT_EAUTH);
    dlms_client_release(&client);
    cipher_free(cipher);
}
END_TEST

START_TEST(a_plain_answer_in_a_ciphered_association_is_refused)
{
    associate_gmac();
    ck_assert_int_eq(reply_gmac(our_challenge, 5, 6), EMT_OK);
    ck_assert_int_eq(dlms_client_get(&client, &get_import, &out), EMT_OK);
    ck_assert_int_eq(reply_hex("c401c100112a"), EMT_EAUTH);
    dlms_client_release(&client);
    cipher_free(cipher);
}
END_TEST

START_TEST(a_used_up_counter_is_not_used_again)
{
    start_gmac();
    client.config.counter = UINT32_MAX;
    ck_assert_int_eq(accept_gmac(meter_challenge), EMT_ELIMIT);
    dlms_client_release(&client);
    cipher_free(cipher);
}
END_TEST

START_TEST(configurations_that_cannot_work_are_refused)
{
    struct dlms_client_config config = { .mechanism = ACSE_MECHANISM_GMAC,
                                         .secret = our_challenge,
                                         .secret_len = 16 };

    ck_assert_int_eq(dlms_client_init(&client, &config), EMT_EMALFORMED); /* no key */
    config.mechanism = 4;
    ck_assert_int_eq(dlms_client_init(&client, &config), EMT_EMALFORMED);
    config.mechanism = ACSE_MECHANISM_LOW;
    config.secret_len = DLMS_CHALLENGE_MAX + 1;
    ck_assert_int_eq(dlms_client_init(&client, &config), EMT_EMALFORMED);
    ck_assert_int_eq(dlms_client_associate(&client, &out), EMT_ESTATE);
    dlms_client_release(&client);
}
END_TEST

SUITE(dlms_client, the_published_association_with_a_password, a_refused_association_closes,
      a_value_is_read, a_range_is_read_in_blocks, odd_answers_close, both_sides_prove_their_key,
      a_meter_that_cannot_prove_its_key_is_left, our_own_challenge_is_not_answered,
      a_plain_answer_in_a_ciphered_association_is_refused, a_used_up_counter_is_not_used_again,
      configurations_that_cannot_work_are_refused)
