/* IEC 62056-5-3: AES-GCM of APDUs. The first vector is the Green Book's example of a ciphered
 * get-request. */
#include "dlms/dlms_security.h"
#include "suites.h"
#include "support.h"

#include <string.h>

static const char example_text[] = "c0010000080000010000ff0200";
static const char example_sealed[] =
    "3001234567 411312ff935a47566827c467bc 7d825c3be4a77c3fcc056b6b";

static struct device_key example_key(void)
{
    struct device_key key = dlms_test_meter().keys[0];

    key.system_title_len =
        (uint8_t)dlms_test_hex("4d4d4d0000bc614e", key.system_title, sizeof key.system_title);
    return key;
}

static enum emt_err open_hex(const char *hex, const struct device_key *key, uint8_t *out,
                             size_t *len, bool *verified)
{
    uint8_t bytes[256], scratch[DLMS_EXTRA_MAX + 33 + 256];
    struct cipher *c = cipher_new();
    struct dlms_protected m;
    size_t n = dlms_test_hex(hex, bytes, sizeof bytes);
    enum emt_err err = dlms_protected_read(bytes, n, &m);

    if (err == EMT_OK)
        err = dlms_protected_open(c, &m, key, scratch, out, verified);
    *len = m.text_len;
    cipher_free(c);
    return err;
}

START_TEST(the_published_example_opens)
{
    struct device_key key = example_key();
    uint8_t out[64], want[64];
    size_t len, n = dlms_test_hex(example_text, want, sizeof want);
    bool verified;

    ck_assert_int_eq(open_hex(example_sealed, &key, out, &len, &verified), EMT_OK);
    ck_assert(verified);
    ck_assert_uint_eq(len, n);
    ck_assert_mem_eq(out, want, n);
}
END_TEST

START_TEST(the_published_example_is_sealed)
{
    struct device_key key = example_key();
    struct cipher *c = cipher_new();
    uint8_t text[64], want[64], out[64], scratch[DLMS_EXTRA_MAX + 33];
    size_t n = dlms_test_hex(example_text, text, sizeof text);
    size_t want_len = dlms_test_hex(example_sealed, want, sizeof want), len;

    ck_assert_int_eq(dlms_protected_seal(c, 0x30, 0x01234567, &key, text, n, scratch, out, &len),
                     EMT_OK);
    ck_assert_uint_eq(len, want_len);
    ck_assert_mem_eq(out, want, len);
    cipher_free(c);
}
END_TEST

START_TEST(without_authentication_key_it_opens_unverified)
{
    struct device_key key = example_key();
    uint8_t out[64], want[64];
    size_t len, n = dlms_test_hex(example_text, want, sizeof want);
    bool verified = true;

    key.ak_len = 0;
    ck_assert_int_eq(open_hex(example_sealed, &key, out, &len, &verified), EMT_OK);
    ck_assert(!verified);
    ck_assert_mem_eq(out, want, n);
}
END_TEST

START_TEST(every_protection_returns_its_text)
{
    static const uint8_t controls[] = { 0x10, 0x20, 0x30, 0x31, 0x70 };
    struct device_key key = example_key();
    struct cipher *c = cipher_new();
    uint8_t text[40], out[128], back[64], scratch[DLMS_EXTRA_MAX + 33 + 64];

    memset(text, 0x5a, sizeof text);
    for (size_t i = 0; i < sizeof controls; i++) {
        struct dlms_protected m;
        size_t len;
        bool verified;

        ck_assert_int_eq(
            dlms_protected_seal(c, controls[i], 7, &key, text, sizeof text, scratch, out, &len),
            EMT_OK);
        ck_assert_int_eq(dlms_protected_read(out, len, &m), EMT_OK);
        ck_assert_uint_eq(m.counter, 7);
        ck_assert_int_eq(dlms_protected_open(c, &m, &key, scratch, back, &verified), EMT_OK);
        ck_assert(verified == ((controls[i] & DLMS_AUTHENTICATED) != 0));
        ck_assert_mem_eq(back, text, sizeof text);
        if (!(controls[i] & DLMS_AUTHENTICATED))
            continue;
        out[len - 20] ^= 1; /* in the text */
        ck_assert_int_eq(dlms_protected_read(out, len, &m), EMT_OK);
        ck_assert_int_eq(dlms_protected_open(c, &m, &key, scratch, back, &verified), EMT_EAUTH);
    }
    cipher_free(c);
}
END_TEST

START_TEST(a_key_that_cannot_serve_is_passed_over)
{
    struct device_key key = example_key();
    uint8_t out[64];
    size_t len;
    bool verified;

    key.len = 8;
    ck_assert_int_eq(open_hex(example_sealed, &key, out, &len, &verified), EMT_ENOTFOUND);
    key = example_key();
    key.system_title_len = 0;
    ck_assert_int_eq(open_hex(example_sealed, &key, out, &len, &verified), EMT_ENOTFOUND);
}
END_TEST

START_TEST(short_and_unknown_texts_are_refused)
{
    struct device_key key = example_key();
    uint8_t out[64];
    size_t len;
    bool verified;

    ck_assert_int_eq(open_hex("30012345", &key, out, &len, &verified), EMT_ETRUNCATED);
    ck_assert_int_eq(open_hex("300123456701020304", &key, out, &len, &verified), EMT_ETRUNCATED);
    ck_assert_int_eq(open_hex("2301234567", &key, out, &len, &verified), EMT_EUNSUPPORTED);
    ck_assert_int_eq(open_hex("a001234567", &key, out, &len, &verified), EMT_EUNSUPPORTED);
}
END_TEST

SUITE(dlms_security, the_published_example_opens, the_published_example_is_sealed,
      without_authentication_key_it_opens_unverified, every_protection_returns_its_text,
      a_key_that_cannot_serve_is_passed_over, short_and_unknown_texts_are_refused)
