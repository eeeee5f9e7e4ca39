#include "sml/sml_transport.h"
#include "sml_writer.h"
#include "suites.h"

#include <string.h>

#define SERVER "0a01454d480000a1bd34"

static size_t make_file(uint8_t *out, int64_t value)
{
    struct sml_writer w;

    sml_writer_init(&w);
    sml_open(&w, SERVER);
    sml_get_list(&w, SERVER, 1);
    sml_entry(&w, "0100010800ff", 30, -1, value);
    sml_get_list_end(&w);
    sml_close(&w);
    return sml_envelope(&w, 1, out);
}

START_TEST(a_whole_file_is_intact)
{
    uint8_t file[8192];
    size_t n = make_file(file, 1);
    struct sml_frame f;

    ck_assert_int_eq(sml_transport_look(file, n, 8192, &f), SML_ENVELOPE_INTACT);
    ck_assert_uint_eq(f.len, n);
    ck_assert_uint_eq(f.version, 1);
    ck_assert_ptr_eq(sml_transport_body(file, &f, NULL), file + 8);
}
END_TEST

START_TEST(every_prefix_is_incomplete)
{
    uint8_t file[8192];
    size_t n = make_file(file, 1);
    struct sml_frame f;

    for (size_t i = 0; i < n; i++)
        ck_assert_int_eq(sml_transport_look(file, i, 8192, &f), SML_ENVELOPE_INCOMPLETE);
}
END_TEST

START_TEST(every_flipped_bit_is_found)
{
    uint8_t file[8192];
    size_t n = make_file(file, 1);
    struct sml_frame f;

    for (size_t i = 0; i < n * 8; i++) {
        file[i / 8] ^= (uint8_t)(1u << i % 8);
        ck_assert_int_ne(sml_transport_look(file, n, 8192, &f), SML_ENVELOPE_INTACT);
        file[i / 8] ^= (uint8_t)(1u << i % 8);
    }
}
END_TEST

START_TEST(doubled_escapes_are_halved)
{
    struct sml_writer w;
    uint8_t file[8192], storage[4096];
    struct sml_frame f;
    size_t n;

    sml_writer_init(&w);
    sml_raw(&w, "00112233 1b1b1b1b 1b1b1b1b 44556677 1b1b1b1b 8899");
    n = sml_envelope(&w, 1, file);
    ck_assert_int_eq(sml_transport_look(file, n, 8192, &f), SML_ENVELOPE_INTACT);
    ck_assert_uint_eq(f.escapes, 3);
    ck_assert_uint_eq(f.padding, 2);
    ck_assert_uint_eq(sml_transport_body_len(&f), w.body.len);
    ck_assert_mem_eq(sml_transport_body(file, &f, storage), w.body.data, w.body.len);
    for (size_t i = 0; i < w.body.len; i++)
        ck_assert_uint_eq(file[sml_transport_offset(file, &f, i)], w.body.data[i]);
}
END_TEST

START_TEST(version_two_may_set_properties)
{
    /* 1b1b1b1b 03…: timeout, 04…: block size. */
    static const uint8_t start[] = { 0x1b, 0x1b, 0x1b, 0x1b, 2,    2, 2, 2,
                                     0x1b, 0x1b, 0x1b, 0x1b, 0x04, 0, 1, 0 };
    struct sml_writer w;
    uint8_t plain[8192], storage[4096];
    struct sml_frame f;
    struct writer o;
    size_t n;

    sml_writer_init(&w);
    sml_raw(&w, "aabbccdd 00112233");
    writer_init_fixed(&o, plain, sizeof plain);
    n = sml_envelope(&w, 2, plain);
    ck_assert_int_eq(sml_transport_look(plain, n, 8192, &f), SML_ENVELOPE_INTACT);
    ck_assert_uint_eq(f.version, 2);
    /* The same with a property in front: body and escapes stay apart. */
    sml_writer_init(&w);
    sml_raw(&w, "1b1b1b1b");
    writer_bytes(&o, start, sizeof start);
    writer_bytes(&o, "\xaa\xbb\xcc\xdd", 4);
    writer_bytes(&o, "\x1b\x1b\x1b\x1b\x1a\x00", 6);
    writer_le(&o, 0, 2);
    ck_assert_int_eq(sml_transport_look(plain, o.len, 8192, &f), SML_ENVELOPE_BAD_CRC);
    ck_assert_uint_eq(f.escapes, 2);
    f.len = o.len;
    ck_assert_uint_eq(sml_transport_body_len(&f), 4);
    ck_assert_mem_eq(sml_transport_body(plain, &f, storage), "\xaa\xbb\xcc\xdd", 4);
    ck_assert_uint_eq(sml_transport_offset(plain, &f, 0), 16);
    /* Version 1 knows no properties. */
    memset(plain + 4, 1, 4);
    ck_assert_int_eq(sml_transport_look(plain, o.len, 8192, &f), SML_ENVELOPE_BAD_ESCAPE);
}
END_TEST

struct seen {
    unsigned n;
    size_t len[64];
    uint8_t value[64]; /* a byte of the file that tells them apart */
};

static enum emt_err note(void *ctx, const uint8_t *file, size_t len)
{
    struct seen *s = ctx;
    struct sml_frame f;

    ck_assert_int_eq(sml_transport_look(file, len, 8192, &f), SML_ENVELOPE_INTACT);
    ck_assert_uint_lt(s->n, 64);
    s->value[s->n] = file[len - 1];
    s->len[s->n++] = len;
    return EMT_OK;
}

START_TEST(a_stream_comes_in_any_pieces)
{
    uint8_t line[4096], buf[SML_FILE_METER_MAX], file[8192];
    size_t len = 5, n;

    memset(line, 0x1b, len); /* noise that looks like an escape */
    for (int i = 0; i < 5; i++) {
        n = make_file(file, i);
        memcpy(line + len, file, n);
        len += n;
    }
    for (size_t step = 1; step < 700; step += 13) {
        struct seen seen = { 0 };
        struct sml_stream s;

        sml_stream_init(&s, buf, sizeof buf);
        for (size_t at = 0; at < len; at += step)
            ck_assert_int_eq(
                sml_stream_push(&s, line + at, len - at < step ? len - at : step, note, &seen),
                EMT_OK);
        ck_assert_uint_eq(seen.n, 5);
        ck_assert_uint_eq(s.files, 5);
    }
}
END_TEST

START_TEST(lost_bytes_cost_one_file)
{
    uint8_t line[4096], buf[SML_FILE_METER_MAX], file[8192];
    size_t n = make_file(file, 7);

    for (size_t lost = 0; lost < n; lost++) {
        struct seen seen = { 0 };
        struct sml_stream s;
        size_t len = 0;

        memcpy(line, file, n);
        memcpy(line + n, file, lost);
        memcpy(line + n + lost, file + lost + 1, n - lost - 1);
        memcpy(line + 2 * n - 1, file, n);
        len = 3 * n - 1;
        sml_stream_init(&s, buf, sizeof buf);
        ck_assert_int_eq(sml_stream_push(&s, line, len, note, &seen), EMT_OK);
        ck_assert_int_eq(sml_stream_flush(&s, note, &seen), EMT_OK);
        ck_assert_uint_eq(seen.n, 2);
    }
}
END_TEST

START_TEST(an_endless_file_is_given_up)
{
    uint8_t buf[256], line[1024] = { 0 }, file[8192];
    struct seen seen = { 0 };
    struct sml_stream s;
    size_t n = make_file(file, 7);

    ck_assert_uint_lt(n, sizeof buf);
    memcpy(line, file, 8);
    memcpy(line + 600, file, n);
    sml_stream_init(&s, buf, sizeof buf);
    ck_assert_int_eq(sml_stream_push(&s, line, 600 + n, note, &seen), EMT_OK);
    ck_assert_uint_eq(seen.n, 1);
    ck_assert_uint_eq(s.damaged, 1);
}
END_TEST

SUITE(sml_transport, a_whole_file_is_intact, every_prefix_is_incomplete, every_flipped_bit_is_found,
      doubled_escapes_are_halved, version_two_may_set_properties, a_stream_comes_in_any_pieces,
      lost_bytes_cost_one_file, an_endless_file_is_given_up)
