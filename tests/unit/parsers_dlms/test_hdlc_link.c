/* The client side of an HDLC connection against a meter that is written here. */
#include "base/reader.h"
#include "common/crc16.h"
#include "dlms/dlms_hdlc.h"
#include "parsers/hdlc_link.h"
#include "suites.h"

#include <string.h>

static struct hdlc_link hlink;
static uint8_t sent[2048];
static struct writer out;
static enum hdlc_link_event event;

/* A frame of the meter (server 1, client 16), shared flags left to the caller. */
static size_t meter_frame(uint8_t control, bool more, const char *info, size_t n, uint8_t *p)
{
    size_t len = n ? n + 9 : 7, at = 1;
    uint16_t crc;

    p[0] = HDLC_FLAG;
    p[at++] = (uint8_t)(0xa0 | (more ? 8 : 0) | len >> 8);
    p[at++] = (uint8_t)len;
    p[at++] = 16 << 1 | 1;
    p[at++] = 1 << 1 | 1;
    p[at++] = control;
    crc = crc16_x25(p + 1, at - 1);
    p[at++] = (uint8_t)crc;
    p[at++] = (uint8_t)(crc >> 8);
    if (n) {
        memcpy(p + at, info, n);
        at += n;
        crc = crc16_x25(p + 1, at - 1);
        p[at++] = (uint8_t)crc;
        p[at++] = (uint8_t)(crc >> 8);
    }
    p[at++] = HDLC_FLAG;
    return at;
}

static enum emt_err feed(const uint8_t *p, size_t n)
{
    event = HDLC_LINK_MORE;
    for (size_t i = 0; i < n; i++) { /* a byte at a time */
        size_t used;
        enum hdlc_link_event ev;
        enum emt_err err = hdlc_link_feed(&hlink, p + i, 1, &used, &out, &ev);

        if (err != EMT_OK)
            return err;
        ck_assert_uint_eq(used, 1);
        if (ev != HDLC_LINK_MORE)
            event = ev;
    }
    return EMT_OK;
}

static enum emt_err reply(uint8_t control, bool more, const char *info, size_t n)
{
    uint8_t p[512];

    return feed(p, meter_frame(control, more, info, n, p));
}

static struct hdlc_frame last_sent(void)
{
    struct reader in = reader_of(out.data, out.len);
    struct hdlc_frame f;

    ck_assert_int_eq(hdlc_frame_read(&in, &f), EMT_OK);
    writer_clear(&out);
    return f;
}

static void up(void)
{
    writer_init_fixed(&out, sent, sizeof sent);
    ck_assert_int_eq(hdlc_link_init(&hlink, 16, 1, 0), EMT_OK);
    ck_assert_int_eq(hdlc_link_send(&hlink, (const uint8_t *)"x", 1, &out), EMT_ESTATE);
    ck_assert_int_eq(hdlc_link_connect(&hlink, &out), EMT_OK);
    ck_assert_mem_eq(out.data, "\x7e\xa0\x07\x03\x21\x93\x0f\x01\x7e", 9); /* the known SNRM */
    writer_clear(&out);
    ck_assert_int_eq(reply(0x73, false, NULL, 0), EMT_OK);
    ck_assert_int_eq(event, HDLC_LINK_READY);
}

START_TEST(an_apdu_goes_out_and_segments_come_back_together)
{
    struct hdlc_frame f;

    up();
    ck_assert_int_eq(hdlc_link_send(&hlink, (const uint8_t *)"abc", 3, &out), EMT_OK);
    f = last_sent();
    ck_assert_uint_eq(f.control, 0x10);
    ck_assert_uint_eq(f.info_len, 6);
    ck_assert_mem_eq(f.info,
                     "\xe6\xe6\x00"
                     "abc",
                     6);
    ck_assert_int_eq(reply(0x30, true, "\xe6\xe7\x00one ", 7), EMT_OK);
    ck_assert_int_eq(event, HDLC_LINK_MORE);
    ck_assert_uint_eq(last_sent().control, 0x31); /* RR, next is 1 */
    ck_assert_int_eq(reply(0x32, false, "two", 3), EMT_OK);
    ck_assert_int_eq(event, HDLC_LINK_APDU);
    ck_assert_uint_eq(hlink.apdu.len, 7);
    ck_assert_mem_eq(hlink.apdu.data, "one two", 7);
    ck_assert_int_eq(hdlc_link_send(&hlink, (const uint8_t *)"d", 1, &out), EMT_OK);
    ck_assert_uint_eq(last_sent().control, 0x52);
    ck_assert_int_eq(reply(0x54, false, "\xe6\xe7\x00!", 4), EMT_OK);
    ck_assert_uint_eq(hlink.apdu.len, 1);
    ck_assert_int_eq(hdlc_link_disconnect(&hlink, &out), EMT_OK);
    ck_assert_uint_eq(last_sent().control, 0x53);
    hdlc_link_release(&hlink);
}
END_TEST

START_TEST(what_the_meter_takes_limits_a_request)
{
    static const char takes[] = "\x81\x80\x06\x05\x01\x40\x06\x01\x28";
    uint8_t apdu[200] = { 0 };

    up();
    ck_assert_int_eq(hdlc_link_send(&hlink, apdu, 126, &out), EMT_ELIMIT);
    ck_assert_int_eq(hdlc_link_send(&hlink, apdu, 125, &out), EMT_OK);
    hdlc_link_release(&hlink);
    writer_clear(&out);
    ck_assert_int_eq(hdlc_link_init(&hlink, 16, 1, 0), EMT_OK);
    ck_assert_int_eq(hdlc_link_connect(&hlink, &out), EMT_OK);
    ck_assert_int_eq(reply(0x73, false, takes, 9), EMT_OK);
    ck_assert_int_eq(hdlc_link_send(&hlink, apdu, 38, &out), EMT_ELIMIT);
    ck_assert_int_eq(hdlc_link_send(&hlink, apdu, 37, &out), EMT_OK);
    hdlc_link_release(&hlink);
}
END_TEST

START_TEST(frames_that_do_not_belong_here_close)
{
    static const struct {
        uint8_t control;
        const char *info;
        size_t n;
        enum emt_err err;
    } cases[] = {
        { 0x32, "\xe6\xe7\x00x", 4, EMT_EMALFORMED }, /* not the next number */
        { 0x10, "\xe6\xe7\x00x", 4, EMT_EMALFORMED }, /* our frame is not acknowledged */
        { 0x30, "\xe6\xe6\x00x", 4, EMT_EMALFORMED }, /* no answer of a meter */
        { 0x30, "\xe6", 1, EMT_EMALFORMED },
        { 0x30, NULL, 0, EMT_EMALFORMED },
        { 0x1f, NULL, 0, EMT_ECONFLICT }, /* DM */
        { 0x97, NULL, 0, EMT_ECONFLICT }, /* FRMR */
        { 0x73, NULL, 0, EMT_ECONFLICT }, /* UA again */
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        up();
        ck_assert_int_eq(hdlc_link_send(&hlink, (const uint8_t *)"x", 1, &out), EMT_OK);
        ck_assert_msg(reply(cases[i].control, false, cases[i].info, cases[i].n) == cases[i].err,
                      "case %zu", i);
        ck_assert_int_eq(hlink.state, HDLC_LINK_CLOSED);
        ck_assert_int_eq(reply(0x30, false, "\xe6\xe7\x00x", 4), EMT_ESTATE);
        hdlc_link_release(&hlink);
    }
}
END_TEST

START_TEST(noise_is_passed_over_and_damage_is_not)
{
    uint8_t p[64];
    size_t n;

    up();
    ck_assert_int_eq(hdlc_link_send(&hlink, (const uint8_t *)"x", 1, &out), EMT_OK);
    n = meter_frame(0x30, false, "\xe6\xe7\x00x", 4, p);
    ck_assert_int_eq(feed(p + n - 1, 1), EMT_OK); /* flags to fill the time */
    ck_assert_int_eq(feed(p + n - 1, 1), EMT_OK);
    p[n - 4] ^= 1;
    ck_assert_int_eq(feed(p, n), EMT_EAUTH);
    hdlc_link_release(&hlink);
    up();
    ck_assert_int_eq(feed((const uint8_t *)"\x7e\x50\x07", 3), EMT_EMALFORMED);
    hdlc_link_release(&hlink);
}
END_TEST

START_TEST(addresses_have_one_two_or_four_bytes)
{
    static const struct {
        unsigned client, server, physical;
        enum emt_err err;
        uint32_t address;
    } cases[] = { { 16, 1, 0, EMT_OK, 1 },
                  { 16, 1, 17, EMT_OK, 1u << 7 | 17 },
                  { 16, 1, 1000, EMT_OK, 1u << 14 | 1000 },
                  { 0, 1, 0, EMT_ELIMIT, 0 },
                  { 128, 1, 0, EMT_ELIMIT, 0 },
                  { 16, 16384, 0, EMT_ELIMIT, 0 } };

    writer_init_fixed(&out, sent, sizeof sent);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_int_eq(
            hdlc_link_init(&hlink, cases[i].client, cases[i].server, cases[i].physical),
            cases[i].err);
        if (cases[i].err == EMT_OK) {
            ck_assert_int_eq(hdlc_link_connect(&hlink, &out), EMT_OK);
            ck_assert_uint_eq(last_sent().destination, cases[i].address);
        } else {
            ck_assert_int_eq(hdlc_link_connect(&hlink, &out), EMT_ESTATE);
        }
        hdlc_link_release(&hlink);
    }
}
END_TEST

SUITE(hdlc_link, an_apdu_goes_out_and_segments_come_back_together,
      what_the_meter_takes_limits_a_request, frames_that_do_not_belong_here_close,
      noise_is_passed_over_and_damage_is_not, addresses_have_one_two_or_four_bytes)
