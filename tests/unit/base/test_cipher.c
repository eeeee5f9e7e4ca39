/* Vectors: NIST SP 800-38A F.2.1 and F.5.1, SP 800-38C example 1, the GCM specification's case 4,
 * FIPS 81 (appendix C), RFC 4493, RFC 4231, FIPS 180-2. */
#include "base/cipher.h"
#include "base/hex.h"
#include "suites.h"

#include <openssl/err.h>
#include <string.h>

#define KEY "2b7e151628aed2a6abf7158809cf4f3c"
#define PLAIN "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"

struct bytes {
    uint8_t p[128];
    size_t n;
};

static struct bytes hex(const char *text)
{
    struct bytes b;

    ck_assert_int_eq(hex_decode(text, strlen(text), b.p, sizeof b.p, &b.n), EMT_OK);
    return b;
}

static void assert_bytes(const uint8_t *p, const char *expected)
{
    struct bytes b = hex(expected);

    ck_assert_mem_eq(p, b.p, b.n);
}

START_TEST(cbc_both_ways_and_in_place)
{
    struct cipher *c = cipher_new();
    struct bytes key = hex(KEY);
    struct bytes iv = hex("000102030405060708090a0b0c0d0e0f");
    struct bytes text = hex(PLAIN);

    for (unsigned i = 0; i < 3; i++) {
        ck_assert_int_eq(cipher_aes128_cbc_encrypt(c, key.p, iv.p, text.p, text.n, text.p), EMT_OK);
        assert_bytes(text.p, "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2");
        ck_assert_int_eq(cipher_aes128_cbc_decrypt(c, key.p, iv.p, text.p, text.n, text.p), EMT_OK);
        assert_bytes(text.p, PLAIN);
    }
    ck_assert_int_eq(cipher_aes128_cbc_decrypt(c, key.p, iv.p, text.p, 15, text.p), EMT_EMALFORMED);
    ck_assert_int_eq(cipher_aes128_cbc_decrypt(c, key.p, iv.p, text.p, 0, text.p), EMT_OK);
    cipher_free(c);
    cipher_free(NULL);
}
END_TEST

START_TEST(ctr_of_any_length)
{
    struct cipher *c = cipher_new();
    struct bytes key = hex(KEY);
    struct bytes iv = hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
    struct bytes text = hex(PLAIN);
    uint8_t out[32];

    for (size_t n = 0; n <= text.n; n++) {
        struct bytes expected =
            hex("874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff");

        ck_assert_int_eq(cipher_aes128_ctr(c, key.p, iv.p, text.p, n, out), EMT_OK);
        ck_assert_mem_eq(out, expected.p, n);
    }
    cipher_free(c);
}
END_TEST

START_TEST(des_by_three_equal_keys)
{
    struct cipher *c = cipher_new();
    struct bytes key = hex("0123456789abcdef");
    struct bytes iv = hex("1234567890abcdef");
    struct bytes in = hex("e5c7cdde872bf27c43e934008c389c0f683788499a7c05f6");
    uint8_t out[24];

    ck_assert_int_eq(cipher_des_cbc_decrypt(c, key.p, iv.p, in.p, in.n, out), EMT_OK);
    ck_assert_mem_eq(out, "Now is the time for all ", 24);
    ck_assert_int_eq(cipher_des_cbc_decrypt(c, key.p, iv.p, in.p, 9, out), EMT_EMALFORMED);
    cipher_free(c);
}
END_TEST

START_TEST(cmac_over_parts)
{
    struct cipher *c = cipher_new();
    struct bytes key = hex(KEY);
    struct bytes m = hex(PLAIN "30c81c46a35ce411");
    struct cipher_part parts[] = { { m.p, 7 }, { NULL, 0 }, { m.p + 7, 33 } };
    struct cipher_part block = { m.p, 16 };
    uint8_t mac[16];

    for (unsigned i = 0; i < 3; i++) {
        ck_assert_int_eq(cipher_aes128_cmac(c, key.p, parts, 3, mac), EMT_OK);
        assert_bytes(mac, "dfa66747de9ae63030ca32611497c827");
        ck_assert_int_eq(cipher_aes128_cmac(c, key.p, &block, 1, mac), EMT_OK);
        assert_bytes(mac, "070a16b46b4d4144f79bdd9dd04a287c");
        ck_assert_int_eq(cipher_aes128_cmac(c, key.p, NULL, 0, mac), EMT_OK);
        assert_bytes(mac, "bb1d6929e95937287fa37d129b756746");
    }
    cipher_free(c);
}
END_TEST

/* The context is reused: a refused message, other lengths and no plaintext in between must not
 * show. */
START_TEST(ccm_opens_what_fits_and_nothing_else)
{
    struct cipher *c = cipher_new();
    struct bytes key = hex("404142434445464748494a4b4c4d4e4f");
    struct bytes nonce = hex("10111213141516");
    struct bytes nonce2 = hex("1011121314151617");
    struct bytes aad = hex("0001020304050607");
    struct bytes aad2 = hex("000102030405060708090a0b0c0d0e0f");
    struct bytes in = hex("7162015b");
    struct bytes tag = hex("4dac255d");
    struct bytes in2 = hex("d2a1f0e051ea5f62081a7792073d593d");
    struct bytes tag2 = hex("1fc64fbfaccd");
    uint8_t out[16];

    for (unsigned i = 0; i < 3; i++) {
        struct bytes bad = tag;

        ck_assert_int_eq(
            cipher_aes128_ccm_open(c, key.p, nonce.p, 7, aad.p, 8, in.p, 4, tag.p, 4, out), EMT_OK);
        assert_bytes(out, "20212223");
        bad.p[0] ^= 1;
        ck_assert_int_eq(
            cipher_aes128_ccm_open(c, key.p, nonce.p, 7, aad.p, 8, in.p, 4, bad.p, 4, out),
            EMT_EAUTH);
        assert_bytes(out, "00000000");
        ck_assert_int_eq(
            cipher_aes128_ccm_open(c, key.p, nonce2.p, 8, aad2.p, 16, in2.p, 16, tag2.p, 6, out),
            EMT_OK);
        assert_bytes(out, "202122232425262728292a2b2c2d2e2f");
        ck_assert_int_eq(
            cipher_aes128_ccm_open(c, key.p, nonce.p, 7, aad.p, 7, in.p, 4, tag.p, 4, out),
            EMT_EAUTH);
        ck_assert_int_eq(
            cipher_aes128_ccm_open(c, key.p, nonce.p, 7, NULL, 0, NULL, 0, tag.p, 4, out),
            EMT_EAUTH);
    }
    ck_assert_int_eq(cipher_aes128_ccm_open(c, key.p, nonce.p, 6, aad.p, 8, in.p, 4, tag.p, 4, out),
                     EMT_EMALFORMED);
    ck_assert_int_eq(cipher_aes128_ccm_open(c, key.p, nonce.p, 7, aad.p, 8, in.p, 4, tag.p, 5, out),
                     EMT_EMALFORMED);
    cipher_free(c);
}
END_TEST

/* The same thread talks TLS, and OpenSSL's calls there look at the queue. */
START_TEST(a_refusal_leaves_no_error_behind)
{
    struct cipher *c = cipher_new();
    static const uint8_t zeros[32];
    uint8_t out[32];

    ck_assert_int_eq(
        cipher_aes128_ccm_open(c, zeros, zeros, 12, zeros, 8, zeros, 32, zeros, 8, out), EMT_EAUTH);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    ck_assert_int_eq(cipher_aes_gcm_open(c, zeros, 32, zeros, NULL, 0, zeros, 32, zeros, 16, out),
                     EMT_EAUTH);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    cipher_free(c);
}
END_TEST

START_TEST(gcm_both_ways)
{
    struct cipher *c = cipher_new();
    struct bytes key = hex("feffe9928665731c6d6a8f9467308308");
    struct bytes nonce = hex("cafebabefacedbaddecaf888");
    struct bytes aad = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
    struct bytes text = hex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                            "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39");
    uint8_t out[64];
    uint8_t tag[16];

    for (unsigned i = 0; i < 3; i++) {
        ck_assert_int_eq(
            cipher_aes_gcm_seal(c, key.p, 16, nonce.p, aad.p, aad.n, text.p, text.n, out, tag, 16),
            EMT_OK);
        assert_bytes(out, "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
                          "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091");
        assert_bytes(tag, "5bc94fbc3221a5db94fae95ae7121a47");
        ck_assert_int_eq(
            cipher_aes_gcm_open(c, key.p, 16, nonce.p, aad.p, aad.n, out, text.n, tag, 12, out),
            EMT_OK);
        ck_assert_mem_eq(out, text.p, text.n);
        tag[11] ^= 0x80;
        ck_assert_int_eq(
            cipher_aes_gcm_open(c, key.p, 16, nonce.p, aad.p, aad.n, out, text.n, tag, 12, out),
            EMT_EAUTH);
        ck_assert_int_eq(out[0], 0);
    }
    ck_assert_int_eq(cipher_aes_gcm_seal(c, key.p, 24, nonce.p, NULL, 0, text.p, 1, out, tag, 16),
                     EMT_EMALFORMED);
    ck_assert_int_eq(cipher_aes_gcm_open(c, key.p, 16, nonce.p, NULL, 0, text.p, 1, tag, 8, out),
                     EMT_EMALFORMED);
    cipher_free(c);
}
END_TEST

START_TEST(gcm_of_nothing_with_a_long_key)
{
    struct cipher *c = cipher_new();
    static const uint8_t key[32];
    static const uint8_t nonce[12];
    uint8_t tag[16];

    ck_assert_int_eq(cipher_aes_gcm_seal(c, key, 32, nonce, NULL, 0, NULL, 0, NULL, tag, 16),
                     EMT_OK);
    assert_bytes(tag, "530f8afbc74536b9a963b4f1c4cb738b");
    ck_assert_int_eq(cipher_aes_gcm_open(c, key, 32, nonce, NULL, 0, NULL, 0, tag, 16, NULL),
                     EMT_OK);
    cipher_free(c);
}
END_TEST

START_TEST(hashes)
{
    uint8_t out[32];

    cipher_sha256("abc", 3, out);
    assert_bytes(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    cipher_sha256(NULL, 0, out);
    assert_bytes(out, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    ck_assert_int_eq(
        cipher_hmac_sha256((const uint8_t *)"Jefe", 4, "what do ya want for nothing?", 28, out),
        EMT_OK);
    assert_bytes(out, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    ck_assert_int_eq(cipher_hmac_sha256(NULL, 0, NULL, 0, out), EMT_OK);
    assert_bytes(out, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}
END_TEST

START_TEST(random_equal_and_wipe)
{
    uint8_t a[32] = { 0 };
    uint8_t b[32] = { 0 };

    ck_assert(cipher_equal(a, b, sizeof a));
    ck_assert_int_eq(cipher_random(a, sizeof a), EMT_OK);
    ck_assert(!cipher_equal(a, b, sizeof a));
    ck_assert(cipher_equal(NULL, NULL, 0));
    cipher_wipe(a, sizeof a);
    ck_assert_mem_eq(a, b, sizeof a);
}
END_TEST

SUITE(cipher, cbc_both_ways_and_in_place, ctr_of_any_length, des_by_three_equal_keys,
      cmac_over_parts, ccm_opens_what_fits_and_nothing_else, a_refusal_leaves_no_error_behind,
      gcm_both_ways, gcm_of_nothing_with_a_long_key, hashes, random_equal_and_wipe)
