/* The profiles that come with the program, over telegrams of our own making from the layouts that
 * the profiles state. */
#include "parsers/vendor_profiles.h"
#include "suites.h"
#include "support.h"

#include <stdio.h>
#include <string.h>

static struct vendor_profiles *builtin(void)
{
    struct vendor_profiles *v = vendor_profiles_new();
    struct emt_diag diag = { 0 };

    ck_assert_int_eq(vendor_profiles_add_builtin(v, &diag), EMT_OK);
    return v;
}

static void put_reading(char *got, size_t size, const struct reading *q)
{
    char number[DECIMAL_TEXT_MAX];
    size_t n = strlen(got);

    (void)snprintf(got + n, size - n, "%s%s %s%s%s%s%s%s%s", n ? ", " : "",
                   quantity_name(q->quantity), decimal_format(q->value, number), q->unit ? " " : "",
                   q->unit ? q->unit : "", q->qualifier[0] ? " " : "", q->qualifier,
                   q->time_text[0] ? " @" : "", q->time_text);
    n = strlen(got);
    if (q->storage)
        (void)snprintf(got + n, size - n, " s=%u", (unsigned)q->storage);
    n = strlen(got);
    if (q->quality != QUALITY_MEASURED)
        (void)snprintf(got + n, size - n, " %s", quality_name(q->quality));
}

/* Numbers and states of the telegram, in order. */
static void check_bytes(const char *name, uint8_t *frame, size_t n, const char *device,
                        const char *want)
{
    struct vendor_profiles *v = builtin();
    char got[1024] = "", id[DEVICE_ID_TEXT_MAX];
    struct decode_request req;
    struct decode_result r;
    struct decoder d;

    decoder_open(&d);
    frame[0] = (uint8_t)(n - 1);
    req = decoder_request(&d, PROTOCOL_WMBUS, frame, n);
    req.format = FRAME_FORMAT_NO_LINK_CRC;
    req.vendors = v;
    ck_assert_int_eq(decode_frame(&req, &r), EMT_OK);
    ck_assert_msg(r.state == (want ? FRAME_OK : FRAME_UNSUPPORTED), "%s: %s", name, r.reason);
    ck_assert_str_eq(device_id_format(&r.device, id), device);
    for (unsigned i = 0; i < r.nreadings; i++)
        if (r.readings[i].kind == READING_NUMBER || r.readings[i].kind == READING_STATE)
            put_reading(got, sizeof got, &r.readings[i]);
    ck_assert_msg(strcmp(got, want ? want : "") == 0, "%s:\n  is   %s\n  want %s", name, got, want);
    decoder_close(&d);
    vendor_profiles_free(v);
}

static void check(const char *name, const char *hex, const char *device, const char *want)
{
    uint8_t frame[256];
    size_t n = bytes_of(hex, frame, sizeof frame);

    check_bytes(name, frame, n, device, want);
}

#define APT "1406"
#define APA "0106"

START_TEST(apator)
{
    check("08", "0044" APT "78563412 0303 a0 0a000000 ffff", "APT-12345678-03-03",
          "volume 0.003333 m3");
    check("172", "0044" APT "78563412 0411 a0 0a000000", "APT-12345678-04-11",
          "volume 3.333333 m3");
    check("162 behind 0f",
          "0044" APA "78563412 0507 7a01000000 0f 00000000000000 00aabbccdd 40aaaaaaaaaaaa"
          " 1039300000 ff0000",
          "APA-12345678-05-07", "volume 12.345 m3");
    check("162 behind 80", "0044" APA "78563412 0507 7a01000000 80 00000000000000 1039300000 0000",
          "APA-12345678-05-07", "volume 12.345 m3");
    check("E.ITN", "0044" APA "78563412 0408 a0 01aaaa 0a00 0000 1400 9f27 8014 0015",
          "APA-12345678-04-08",
          "hca 20 HCA @2019-12-31, hca 10 HCA s=1, temperature 21 °C average+room,"
          " temperature 20.5 °C average+room s=1");
    check("E.ITN behind B6",
          "0044" APA "78563412 0408 b6 02bbbba0 01aaaa 0a00 0000 1400 9f27 8014 0015",
          "APA-12345678-04-08",
          "hca 20 HCA @2019-12-31, hca 10 HCA s=1, temperature 21 °C average+room,"
          " temperature 20.5 °C average+room s=1");
}
END_TEST

START_TEST(tails_of_water_meters)
{
    check("hydrodigit",
          "0044b40978563412 1307 78 0413e8030000 0f 15 06 0a000000 640000c80000"
          "ffffff ffffff ffffff ffffff ffffff ffffff ffffff ffffff ffffff ffffff",
          "BMT-12345678-13-07",
          "volume 1.000 m3, voltage 2.5 V battery, volume 0.010 m3 export,"
          " volume 1.00 m3 month-of-year s=1, volume 2.00 m3 month-of-year s=2,"
          " volume 167772.15 m3 month-of-year s=3 invalid,"
          " volume 167772.15 m3 month-of-year s=4 invalid,"
          " volume 167772.15 m3 month-of-year s=5 invalid,"
          " volume 167772.15 m3 month-of-year s=6 invalid,"
          " volume 167772.15 m3 month-of-year s=7 invalid,"
          " volume 167772.15 m3 month-of-year s=8 invalid,"
          " volume 167772.15 m3 month-of-year s=9 invalid,"
          " volume 167772.15 m3 month-of-year s=10 invalid,"
          " volume 167772.15 m3 month-of-year s=11 invalid,"
          " volume 167772.15 m3 month-of-year s=12 invalid");
    check("gwf", "0044e61e78563412 3c07 78 0413e8030000 0f 01 00 a8", "GWF-12345678-3c-07",
          "volume 1.000 m3, battery 10.5 year remaining");
}
END_TEST

START_TEST(techem_and_qundis)
{
    check("techem water", "0044685078563412 7462 a2 00 9f27 0a00 0000 0500 00",
          "TCH-12345678-74-62",
          "volume 1.5 m3, volume 1.0 m3 @2019-12-31 s=1, volume 0.5 m3 since-due-date");
    check("qundis error code", "0044934478563412 1807 78 0413e8030000 02bb560700",
          "QDS-12345678-18-07", "volume 1.000 m3, status 7 error-code");
}
END_TEST

START_TEST(electricity)
{
    check("ime", "0044a52578563412 6602 78 849010ff80843b 10270000", "IME-12345678-66-02",
          "other 10000 mfct-80843b, energy 100000 Wh import");
    check("em24", "0044361c78563412 0002 78 04032c010000 04fb827304000000", "GAV-12345678-00-02",
          "energy 300 Wh, reactive-energy 4 varh, apparent-energy 300.027 VAh calculated");
}
END_TEST

/* The scrambling, written from its description and not from the decoder: a register of 32 bits,
 * seeded with key, address and the four bytes from the CI on, each taken as a big endian number; it
 * is shifted eight times per byte, and bits 1, 2, 11 and 31 make the new lowest bit. */
static void scramble(uint8_t *frame, size_t n, const char *key_hex)
{
    uint8_t key[8], seed[4] = { 0 };
    uint32_t s = 0;

    (void)bytes_of(key_hex, key, sizeof key);
    for (unsigned i = 0; i < 4; i++)
        seed[i] = (uint8_t)(key[i] ^ key[4 + i] ^ frame[2 + i] ^ frame[6 + i] ^ frame[10 + i]);
    for (unsigned i = 0; i < 4; i++)
        s = s * 256 + seed[i];
    for (size_t at = 15; at < n; at++) {
        for (unsigned i = 0; i < 8; i++) {
            unsigned bit = (unsigned)(s / 2 % 2 + s / 4 % 2 + s / 2048 % 2 + (s >> 31)) % 2;

            s = s * 2 + bit;
        }
        frame[at] = (uint8_t)(frame[at] ^ s % 256);
    }
}

#define PRIOS_BODY "a2 13 4d 40 00 4b 39300000 10270000 7f2c"
#define PRIOS_VALUES                                                                               \
    "volume 12.345 m3, volume 10.000 m3 @2019-12-31 s=1, battery 6.5 year remaining,"              \
    " duration 32 s transmission-period, status 2 leakage-and-blocked, status 64 alarms"

START_TEST(diehl_scrambled)
{
    static const char *const keys[] = { "39bc8a10e66d83f8", "51728910e66d83f8" };
    uint8_t frame[64];
    size_t n;

    for (size_t i = 0; i < 2; i++) {
        /* version and type stand before the ID */
        n = bytes_of("0044a511 7807 78563412 " PRIOS_BODY, frame, sizeof frame);
        frame[0] = (uint8_t)(n - 1);
        scramble(frame, n, keys[i]);
        check_bytes("prios", frame, n, "DME-12345678-78-07", PRIOS_VALUES);
    }
    /* Sappel's number goes on into version and type */
    n = bytes_of("0044304c 78563412 d401 " PRIOS_BODY, frame, sizeof frame);
    scramble(frame, n, keys[0]);
    check_bytes("sappel", frame, n, "SAP-12345678-00-07", PRIOS_VALUES);
    /* a key of its own: raw, nothing invented */
    n = bytes_of("0044a511 7807 78563412 " PRIOS_BODY, frame, sizeof frame);
    scramble(frame, n, "0102030405060708");
    check_bytes("own key", frame, n, "DME-12345678-78-07", NULL);
}
END_TEST

/* Hydrus and other OMS meters of the same makers keep the common order. */
START_TEST(diehl_in_common_order)
{
    check("oms", "0044a51178563412 7807 7a01000000 0413e8030000", "DME-12345678-78-07",
          "volume 1.000 m3");
}
END_TEST

SUITE(vendor_families, apator, tails_of_water_meters, techem_and_qundis, electricity,
      diehl_scrambled, diehl_in_common_order)
