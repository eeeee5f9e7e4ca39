/* Explanations of telegrams whose every place is known from the layout. */
#include "base/writer.h"
#include "parsers/explain.h"
#include "parsers/oms_encode.h"
#include "suites.h"
#include "support.h"

#include <stdlib.h>
#include <string.h>

#define KEY "000102030405060708090a0b0c0d0e0f"
#define FRAME_MAX 400

static struct explanation explain(struct decoder *d, enum protocol protocol,
                                  enum frame_format format, const uint8_t *frame, size_t len,
                                  struct decode_result *result)
{
    struct decode_request req = decoder_request(d, protocol, frame, len);
    struct explanation ex;

    req.format = format;
    ck_assert_int_eq(explain_frame(&req, result, &ex), EMT_OK);
    return ex;
}

static const struct explain_layer *layer(const struct explanation *ex, const char *name)
{
    for (unsigned i = 0; i < ex->nlayers; i++)
        if (strcmp(ex->layers[i].name, name) == 0)
            return &ex->layers[i];
    ck_abort_msg("no layer %s", name);
}

static void check_field(const struct explanation *ex, const char *of, const char *name,
                        const char *value, uint32_t offset, uint32_t len)
{
    const struct explain_layer *l = layer(ex, of);

    for (unsigned i = 0; i < l->nfields; i++) {
        if (strcmp(l->fields[i].name, name) != 0)
            continue;
        ck_assert_str_eq(l->fields[i].value, value);
        ck_assert_uint_eq(l->fields[i].offset, offset);
        ck_assert_uint_eq(l->fields[i].len, len);
        return;
    }
    ck_abort_msg("no field %s in %s", name, of);
}

static void check_record(const struct explanation *ex, unsigned i, enum explain_where where,
                         uint32_t offset, uint32_t len, const char *dif, const char *vif)
{
    const struct explain_record *r = &ex->records[i];

    ck_assert_uint_lt(i, ex->nrecords);
    ck_assert_int_eq(r->where, where);
    ck_assert_uint_eq(r->offset, offset);
    ck_assert_uint_eq(r->len, len);
    if (dif)
        ck_assert_str_eq(r->dif, dif);
    if (vif)
        ck_assert_str_eq(r->vif, vif);
}

/* Volume 12.345 m3 in 6 bytes, power 77 W in 4; mode 5 fills up to 16. */
static size_t make_telegram(struct decoder *d, bool encrypted, bool crc, uint8_t *out)
{
    static const uint8_t volume[] = { 0x13 }, power[] = { 0x2b };
    struct oms_telegram t = { .device = { "EMT", "12345678", 1, 2, true },
                              .access_number = 0x2a,
                              .encrypted = encrypted };
    uint8_t records[32], frame[FRAME_MAX];
    struct writer w, sent, r;

    writer_init_fixed(&r, records, sizeof records);
    ck_assert_int_eq(oms_put_record(&r, 0x04, volume, 1, 12345), EMT_OK);
    ck_assert_int_eq(oms_put_record(&r, 0x02, power, 1, 77), EMT_OK);
    (void)bytes_of(KEY, t.key, sizeof t.key);
    t.records = records;
    t.records_len = r.len;
    writer_init_fixed(&w, frame, sizeof frame);
    writer_init_fixed(&sent, out, FRAME_MAX);
    ck_assert_int_eq(oms_encode(d->cipher, &t, &w), EMT_OK);
    if (crc)
        ck_assert_int_eq(oms_add_crc_a(frame, w.len, &sent), EMT_OK);
    else
        writer_bytes(&sent, frame, w.len);
    return sent.len;
}

START_TEST(places_in_a_plain_telegram_count_link_crcs)
{
    uint8_t frame[FRAME_MAX];
    struct decode_result result;
    struct explanation ex;
    struct decoder d;
    size_t len;

    decoder_open(&d);
    len = make_telegram(&d, false, true, frame);
    ex = explain(&d, PROTOCOL_WMBUS, FRAME_FORMAT_A_CRC, frame, len, &result);
    ck_assert_int_eq(result.state, FRAME_OK);
    ck_assert_ptr_null(ex.plain);
    check_field(&ex, "link-a", "manufacturer", "EMT", 2, 2);
    check_field(&ex, "link-a", "id_number", "12345678", 4, 4);
    /* 10 bytes of the first block, 2 of its CRC, then CI */
    check_field(&ex, "tpl", "ci", "7a", 12, 1);
    check_field(&ex, "tpl", "access_number", "42", 13, 1);
    check_field(&ex, "tpl", "configuration", "0000 mode 0", 15, 2);
    check_record(&ex, 0, EXPLAIN_FRAME, 17, 6, "04", "13");
    ck_assert_ptr_eq(ex.records[0].reading, &result.readings[0]);
    check_record(&ex, 1, EXPLAIN_FRAME, 23, 4, "02", "2b");
    ck_assert_uint_eq(frame[23], 0x02);
    decoder_close(&d);
}
END_TEST

START_TEST(a_record_over_a_link_crc_is_longer_by_it)
{
    /* 10 bytes and CRC, 16 bytes and CRC, the rest: the record's last four bytes */
    static const uint8_t telegram[] = { 0x1d, 0x44, 0xb4, 0x15, 0x78, 0x56, 0x34, 0x12, 0x01, 0x02,
                                        0x78, 0x0d, 0xfd, 0x11, 0x0f, 'a',  'b',  'c',  'd',  'e',
                                        'f',  'g',  'h',  'i',  'j',  'k',  'l',  'm',  'n',  'o' };
    uint8_t frame[FRAME_MAX];
    struct decode_result result;
    struct explanation ex;
    struct decoder d;
    struct writer w;

    decoder_open(&d);
    writer_init_fixed(&w, frame, sizeof frame);
    ck_assert_int_eq(oms_add_crc_a(telegram, sizeof telegram, &w), EMT_OK);
    ex = explain(&d, PROTOCOL_WMBUS, FRAME_FORMAT_A_CRC, frame, w.len, &result);
    ck_assert_int_eq(result.state, FRAME_OK);
    ck_assert_uint_eq(ex.nrecords, 1);
    check_record(&ex, 0, EXPLAIN_FRAME, 13, 19 + 2, "0d", "fd11");
    decoder_close(&d);
}
END_TEST

START_TEST(deciphered_records_stand_in_the_plain_bytes)
{
    uint8_t frame[FRAME_MAX];
    struct decode_result result;
    struct explanation ex;
    struct decoder d;
    size_t len;

    decoder_open(&d);
    decoder_add_key(&d, KEY);
    len = make_telegram(&d, true, true, frame);
    ex = explain(&d, PROTOCOL_WMBUS, FRAME_FORMAT_A_CRC, frame, len, &result);
    ck_assert_int_eq(result.state, FRAME_OK);
    ck_assert_uint_eq(ex.plain_len, 16);
    ck_assert_uint_eq(ex.plain[0], 0x2f);
    check_record(&ex, 0, EXPLAIN_PLAIN, 0, 2, "2f", NULL);
    ck_assert_str_eq(ex.records[0].text, "filler");
    check_record(&ex, 1, EXPLAIN_PLAIN, 2, 6, "04", "13");
    check_record(&ex, 2, EXPLAIN_PLAIN, 8, 4, "02", "2b");
    check_record(&ex, 3, EXPLAIN_PLAIN, 12, 4, "2f", NULL);
    ck_assert_uint_eq(ex.nrecords, 4);
    check_field(&ex, "tpl", "configuration", "0510 mode 5", 15, 2);
    decoder_close(&d);
}
END_TEST

START_TEST(without_the_key_layers_are_shown_and_nothing_else)
{
    uint8_t frame[FRAME_MAX];
    struct decode_result result;
    struct explanation ex;
    struct decoder d;
    size_t len;

    decoder_open(&d);
    len = make_telegram(&d, true, false, frame);
    ex = explain(&d, PROTOCOL_WMBUS, FRAME_FORMAT_NO_LINK_CRC, frame, len, &result);
    ck_assert_int_eq(result.state, FRAME_KEY_NEEDED);
    ck_assert_ptr_null(ex.plain);
    ck_assert_uint_eq(ex.nrecords, 0);
    ck_assert_uint_eq(ex.nlayers, 2);
    ck_assert_ptr_nonnull(strstr(ex.note, "no key known"));
    decoder_close(&d);
}
END_TEST

/* EN 13757-3 annex G: only the data is sent. */
START_TEST(a_compact_frame_points_to_its_data)
{
    uint8_t full[64], compact[64];
    size_t full_len, len;
    struct decode_result result;
    struct explanation ex;
    struct decoder d;

    decoder_open(&d);
    full_len = bytes_of("1a44b415313131310107780413e8030000426c9f2c0dfd11024241", full, 64);
    len = bytes_of("1744b41531313131010779ccccaa45e90300009f2c024241", compact, 64);
    (void)explain(&d, PROTOCOL_WMBUS, FRAME_FORMAT_NO_LINK_CRC, full, full_len, &result);
    ck_assert_int_eq(result.state, FRAME_OK);
    ex = explain(&d, PROTOCOL_WMBUS, FRAME_FORMAT_NO_LINK_CRC, compact, len, &result);
    ck_assert_int_eq(result.state, FRAME_OK);
    check_field(&ex, "compact", "format_signature", "cccc", 11, 2);
    check_field(&ex, "compact", "full_frame_crc", "aa45", 13, 2);
    check_record(&ex, 0, EXPLAIN_FRAME, 15, 4, "04", "13");
    check_record(&ex, 1, EXPLAIN_FRAME, 19, 2, "42", "6c");
    check_record(&ex, 2, EXPLAIN_FRAME, 21, 3, "0d", "fd11");
    decoder_close(&d);
}
END_TEST

/* EN 13757-4: the encrypted part begins at the payload CRC, and so do the places. */
START_TEST(an_ell_telegram_shows_layers_where_their_ciphertext_is)
{
    uint8_t frame[64];
    size_t len =
        bytes_of("24442d2c443322111b168d209101ca7c2197326aa5aa2a42bbf9f0976de9a886131f913232",
                 frame, sizeof frame);
    struct decode_result result;
    struct explanation ex;
    struct decoder d;

    decoder_open(&d);
    decoder_add_key(&d, KEY);
    ex = explain(&d, PROTOCOL_WMBUS, FRAME_FORMAT_NO_LINK_CRC, frame, len, &result);
    ck_assert_int_eq(result.state, FRAME_OK);
    check_field(&ex, "ell", "communication_control", "20", 11, 1);
    check_field(&ex, "ell", "payload_crc", "9732", 17, 2);
    ck_assert_uint_eq(layer(&ex, "tpl")->offset, 19);
    ck_assert_ptr_nonnull(ex.plain);
    ck_assert_uint_eq(ex.plain[0], 0x78); /* behind the CRC: the CI */
    for (unsigned i = 0; i < ex.nrecords; i++)
        ck_assert_int_eq(ex.records[i].where, EXPLAIN_PLAIN);
    ck_assert_uint_ge(ex.records[0].offset, 1);
    decoder_close(&d);
}
END_TEST

START_TEST(a_record_that_is_cut_is_shown_without_value_and_the_one_before_with)
{
    uint8_t frame[64];
    size_t len = bytes_of("1244b4157856341201027804130102030404132f", frame, sizeof frame);
    struct decode_result result;
    struct explanation ex;
    struct decoder d;

    decoder_open(&d);
    frame[0] = (uint8_t)(len - 1);
    ex = explain(&d, PROTOCOL_WMBUS, FRAME_FORMAT_NO_LINK_CRC, frame, len, &result);
    ck_assert_int_eq(result.state, FRAME_OK);
    ck_assert_uint_eq(ex.nrecords, 2);
    check_record(&ex, 0, EXPLAIN_FRAME, 11, 6, "04", "13");
    ck_assert_ptr_nonnull(ex.records[0].reading);
    ck_assert_ptr_null(ex.records[1].reading);
    ck_assert_str_ne(result.reason, "");
    check_record(&ex, 1, EXPLAIN_FRAME, 17, 3, NULL, NULL);
    ck_assert_str_eq(ex.records[1].text, "no complete record");
    ck_assert_ptr_nonnull(ex.note);
    decoder_close(&d);
}
END_TEST

START_TEST(what_cannot_be_shown_is_said)
{
    uint8_t *frame = (uint8_t *)malloc(DECODE_FRAME_MAX);
    struct decode_result result;
    struct explanation ex;
    struct decoder d;

    decoder_open(&d);
    memset(frame, 0, DECODE_FRAME_MAX);
    ex = explain(&d, PROTOCOL_NONE, FRAME_FORMAT_AUTO, frame, 10, &result);
    ck_assert_int_eq(result.state, FRAME_UNSUPPORTED);
    ck_assert_uint_eq(ex.nlayers, 0);
    ck_assert_ptr_nonnull(ex.note);
    ex = explain(&d, PROTOCOL_WMBUS, FRAME_FORMAT_AUTO, frame, 0, &result);
    ck_assert_ptr_nonnull(ex.note);
    free(frame);
    decoder_close(&d);
}
END_TEST

START_TEST(an_arena_too_small_is_our_limit)
{
    uint8_t frame[FRAME_MAX];
    struct decode_result result;
    struct explanation ex;
    struct decode_request req;
    struct decoder d;
    size_t len;

    decoder_open(&d);
    len = make_telegram(&d, false, false, frame);
    arena_free(d.arena);
    for (size_t limit = 1024; limit <= 512 * 1024; limit *= 2) {
        enum emt_err err;

        d.arena = arena_new(limit);
        req = decoder_request(&d, PROTOCOL_WMBUS, frame, len);
        err = explain_frame(&req, &result, &ex);
        ck_assert(err == EMT_OK || err == EMT_ENOMEM);
        ck_assert(err == EMT_OK || (ex.nlayers == 0 && ex.nrecords == 0));
        arena_free(d.arena);
    }
    ck_assert_uint_eq(ex.nrecords, 2);
    d.arena = arena_new(0);
    decoder_close(&d);
}
END_TEST

SUITE(explain, places_in_a_plain_telegram_count_link_crcs, a_record_over_a_link_crc_is_longer_by_it,
      deciphered_records_stand_in_the_plain_bytes,
      without_the_key_layers_are_shown_and_nothing_else, a_compact_frame_points_to_its_data,
      an_ell_telegram_shows_layers_where_their_ciphertext_is,
      a_record_that_is_cut_is_shown_without_value_and_the_one_before_with,
      what_cannot_be_shown_is_said, an_arena_too_small_is_our_limit)
