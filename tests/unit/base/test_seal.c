#include "base/file.h"
#include "base/seal.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct seal_place place = { 7, "device_key", "KAM-1", "ek" };

START_TEST(what_was_wrapped_opens_in_its_place_only)
{
    struct seal_key k;
    uint8_t blob[64];
    uint8_t out[64];
    size_t n;
    size_t len;
    const struct seal_place others[] = {
        { 8, "device_key", "KAM-1", "ek" },
        { 7, "device_keyK", "AM-1", "ek" },
        { 7, "device_key", "KAM-2", "ek" },
        { 7, "device_key", "KAM-1", "ak" },
    };

    ck_assert_int_eq(seal_key_make(&k, 3), EMT_OK);
    ck_assert_int_eq(seal_wrap(&k, &place, "secret", 6, blob, &n), EMT_OK);
    ck_assert_uint_eq(n, 6 + SEAL_OVERHEAD);
    ck_assert_uint_eq(seal_version(blob, n), 3);
    ck_assert_int_eq(seal_unwrap(&k, &place, blob, n, out, &len), EMT_OK);
    ck_assert_uint_eq(len, 6);
    ck_assert_mem_eq(out, "secret", 6);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        ck_assert_int_eq(seal_unwrap(&k, &others[i], blob, n, out, &len), EMT_EAUTH);
    seal_key_wipe(&k);
    ck_assert_uint_eq(k.version, 0);
}
END_TEST

START_TEST(every_changed_bit_and_every_prefix_is_refused)
{
    struct seal_key k;
    uint8_t blob[64];
    uint8_t out[64];
    size_t n;
    size_t len;

    ck_assert_int_eq(seal_key_make(&k, 1), EMT_OK);
    ck_assert_int_eq(seal_wrap(&k, &place, "secret", 6, blob, &n), EMT_OK);
    for (size_t bit = 0; bit < n * 8; bit++) {
        blob[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ck_assert_int_ne(seal_unwrap(&k, &place, blob, n, out, &len), EMT_OK);
        blob[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t i = 0; i < n; i++)
        ck_assert_int_ne(seal_unwrap(&k, &place, blob, i, out, &len), EMT_OK);
    ck_assert_int_eq(seal_unwrap(&k, &place, blob, n, out, &len), EMT_OK);
}
END_TEST

START_TEST(other_keys_are_told_apart)
{
    struct seal_key one;
    struct seal_key same_version;
    struct seal_key two;
    uint8_t blob[SEAL_OVERHEAD];
    uint8_t out[SEAL_OVERHEAD];
    size_t n;
    size_t len;

    ck_assert_int_eq(seal_key_make(&one, 1), EMT_OK);
    ck_assert_int_eq(seal_key_make(&same_version, 1), EMT_OK);
    ck_assert_int_eq(seal_key_make(&two, 2), EMT_OK);
    ck_assert_int_eq(seal_key_make(&two, 0), EMT_EMALFORMED);
    ck_assert_int_eq(seal_wrap(&one, &place, NULL, 0, blob, &n), EMT_OK);
    ck_assert_int_eq(seal_unwrap(&two, &place, blob, n, out, &len), EMT_ENOTFOUND);
    ck_assert_int_eq(seal_unwrap(&same_version, &place, blob, n, out, &len), EMT_EAUTH);
    ck_assert_int_eq(seal_unwrap(&one, &place, blob, n, out, &len), EMT_OK);
    ck_assert_uint_eq(len, 0);
    blob[0] = 2;
    ck_assert_int_eq(seal_unwrap(&one, &place, blob, n, out, &len), EMT_EMALFORMED);
}
END_TEST

START_TEST(two_wraps_differ)
{
    struct seal_key k;
    uint8_t a[64];
    uint8_t b[64];
    size_t n;

    ck_assert_int_eq(seal_key_make(&k, 1), EMT_OK);
    ck_assert_int_eq(seal_wrap(&k, &place, "x", 1, a, &n), EMT_OK);
    ck_assert_int_eq(seal_wrap(&k, &place, "x", 1, b, &n), EMT_OK);
    ck_assert_mem_ne(a + 3, b + 3, 12);
}
END_TEST

static void key_path(char path[64])
{
    int fd;

    (void)snprintf(path, 64, "%s", "/tmp/emt-seal-XXXXXX");
    fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

START_TEST(a_key_file_comes_back_and_is_never_replaced)
{
    struct seal_key k;
    struct seal_key back;
    struct emt_diag diag = { .file = "" };
    char path[64];

    key_path(path);
    ck_assert_int_eq(seal_key_make(&k, 65535), EMT_OK);
    ck_assert_int_eq(seal_key_create(path, &k, &diag), EMT_ECONFLICT);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(seal_key_read(path, &back, &diag), EMT_ENOTFOUND);
    ck_assert_int_eq(seal_key_create(path, &k, &diag), EMT_OK);
    ck_assert_int_eq(seal_key_read(path, &back, &diag), EMT_OK);
    ck_assert_uint_eq(back.version, 65535);
    ck_assert_mem_eq(back.key, k.key, SEAL_KEY_LEN);
    ck_assert_int_eq(chmod(path, 0640), 0);
    ck_assert_int_eq(seal_key_read(path, &back, &diag), EMT_EAUTH);
    ck_assert_ptr_nonnull(strstr(diag.text, "0640"));
    ck_assert_int_eq(unlink(path), 0);
}
END_TEST

#define HEX64 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

START_TEST(what_is_no_key_file_is_refused)
{
    static const char *const bad[] = {
        "",
        "emt-master-key 1 1 ",
        "emt-master-key 2 1 " HEX64,
        "emt-master-key 1 0 " HEX64,
        "emt-master-key 1 65536 " HEX64,
        "emt-master-key 1 x " HEX64,
        "emt-master-key 1 1 " HEX64 "00",
        "emt-master-key 1 1 " HEX64 "\nx",
        "emt-master-key 1 1  " HEX64,
        "emt-master-key 1 1 x" HEX64,
    };
    struct seal_key k = { .version = 9 };
    struct emt_diag diag = { .file = "" };
    char path[64];

    key_path(path);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_int_eq(file_write(path, bad[i], strlen(bad[i]), 0600, NULL), EMT_OK);
        ck_assert_msg(seal_key_read(path, &k, &diag) == EMT_EMALFORMED, "%s", bad[i]);
        ck_assert_ptr_null(strstr(diag.text, "0102")); /* the message shows no key */
    }
    ck_assert_uint_eq(k.version, 9);
    ck_assert_int_eq(file_write(path, "emt-master-key 1 1 " HEX64, 83, 0400, NULL), EMT_OK);
    ck_assert_int_eq(seal_key_read(path, &k, &diag), EMT_OK);
    ck_assert_int_eq(unlink(path), 0);
}
END_TEST

SUITE(seal, what_was_wrapped_opens_in_its_place_only, every_changed_bit_and_every_prefix_is_refused,
      other_keys_are_told_apart, two_wraps_differ, a_key_file_comes_back_and_is_never_replaced,
      what_is_no_key_file_is_refused)
