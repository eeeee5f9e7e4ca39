#include "connectors/edi_writer.h"
#include "suites.h"

#include <string.h>

static struct writer bytes;
static struct sink sink;
static struct edi_writer w;

static void setup(void)
{
    writer_init_heap(&bytes, 1u << 20);
    sink = sink_to_writer(&bytes);
    edi_init(&w, &sink, 4096);
}

static void teardown(void)
{
    edi_release(&w);
    writer_release(&bytes);
}

static const char *written(void)
{
    ck_assert_int_eq(edi_flush(&w), EMT_OK);
    return writer_cstr(&bytes);
}

START_TEST(service_characters_in_data_are_released)
{
    edi_segment(&w, "BGM");
    edi_element(&w, "A+B'C:D?E");
    edi_end(&w);
    ck_assert_str_eq(written(), "BGM+A?+B?'C?:D??E'");
}
END_TEST

START_TEST(empty_ends_are_dropped_and_empty_middles_kept)
{
    edi_segment(&w, "UNB");
    edi_element(&w, "A");
    edi_component(&w, NULL);
    edi_component(&w, "B");
    edi_element(&w, NULL);
    edi_element(&w, "");
    edi_element(&w, "C");
    edi_component(&w, "");
    edi_element(&w, NULL);
    edi_end(&w);
    ck_assert_str_eq(written(), "UNB+A::B+++C'");
}
END_TEST

START_TEST(utf8_becomes_latin1)
{
    edi_segment(&w, "CTA");
    edi_element(&w, "M\xc3\xbcller");
    edi_end(&w);
    ck_assert_str_eq(written(), "CTA+M\xfcller'");
}
END_TEST

START_TEST(what_unoc_has_not_is_refused)
{
    static const char *const refused[] = { "\xe2\x82\xac", "a\nb", "\xc2\x85",
                                           "\xff",         "\xc3", "\x7f" };

    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        edi_release(&w);
        edi_init(&w, &sink, 4096);
        edi_segment(&w, "BGM");
        edi_element(&w, refused[i]);
        edi_end(&w);
        ck_assert_int_eq(w.err, EMT_EMALFORMED);
        ck_assert_int_eq(edi_flush(&w), EMT_EMALFORMED);
    }
    ck_assert_uint_eq(bytes.len, 0);
}
END_TEST

START_TEST(a_long_text_passes_through_whole)
{
    char text[1001];
    char expected[2100] = "RFF+";

    memset(text, '+', 1000);
    text[1000] = 0;
    edi_segment(&w, "RFF");
    edi_element(&w, text);
    edi_end(&w);
    for (size_t i = 0; i < 1000; i++)
        memcpy(expected + 4 + 2 * i, "?+", 2);
    memcpy(expected + 2004, "'", 2);
    ck_assert_str_eq(written(), expected);
}
END_TEST

START_TEST(unt_counts_unh_and_itself)
{
    static const char *const type[5] = { "MSCONS", "D", "04B", "UN", "2.5" };

    edi_message_begin(&w, "7", type);
    edi_segment(&w, "UNS");
    edi_element(&w, "D");
    edi_end(&w);
    ck_assert_int_eq(edi_message_end(&w, "7"), EMT_OK);
    ck_assert_str_eq(written(), "UNH+7+MSCONS:D:04B:UN:2.5'UNS+D'UNT+3+7'");
    ck_assert_uint_eq(w.messages, 1);
    ck_assert_uint_eq(w.bytes, bytes.len);
}
END_TEST

START_TEST(a_dropped_message_leaves_no_byte)
{
    static const char *const type[5] = { "MSCONS", "D", "04B", "UN", "2.5" };

    edi_una(&w);
    edi_message_begin(&w, "1", type);
    edi_segment(&w, "BGM");
    edi_element(&w, "\n");
    edi_end(&w);
    ck_assert_int_eq(edi_message_end(&w, "1"), EMT_EMALFORMED);
    edi_message_drop(&w);
    ck_assert_int_eq(w.err, EMT_OK);
    edi_message_begin(&w, "1", type);
    ck_assert_int_eq(edi_message_end(&w, "1"), EMT_OK);
    ck_assert_str_eq(written(), "UNA:+.? 'UNH+1+MSCONS:D:04B:UN:2.5'UNT+2+1'");
}
END_TEST

START_TEST(a_message_beyond_the_limit_is_refused)
{
    for (int i = 0; i < 2000; i++) {
        edi_segment(&w, "UNS");
        edi_end(&w);
    }
    ck_assert_int_eq(w.err, EMT_ELIMIT);
    ck_assert_int_eq(edi_flush(&w), EMT_ELIMIT);
}
END_TEST

static enum emt_err broken_put(void *ctx, const void *p, size_t n)
{
    (void)ctx;
    (void)p;
    (void)n;
    return EMT_EIO;
}

START_TEST(an_error_of_the_sink_stays)
{
    struct sink broken = { broken_put, NULL };

    edi_release(&w);
    edi_init(&w, &broken, 4096);
    edi_una(&w);
    ck_assert_int_eq(edi_flush(&w), EMT_EIO);
    edi_message_drop(&w);
    ck_assert_int_eq(w.err, EMT_EIO);
    ck_assert(w.sink_failed);
}
END_TEST

START_TEST(times_are_utc_with_a_released_offset)
{
    struct civil c = { .year = 2026, .month = 10, .day = 25, .hour = 0, .minute = 59 };
    struct civil old = { .year = 1969, .month = 12, .day = 31, .hour = 23, .minute = 45 };

    edi_segment(&w, "DTM");
    edi_element(&w, "163");
    edi_component_time303(&w, civil_to_time(&c));
    edi_component_time303(&w, civil_to_time(&c) + EMT_MINUTE);
    edi_component_time303(&w, civil_to_time(&c) + EMT_DAY);
    edi_component_time303(&w, civil_to_time(&old));
    edi_end(&w);
    ck_assert_str_eq(written(), "DTM+163:202610250059?+00:202610250100?+00:202610260059?+00:"
                                "196912312345?+00'");
}
END_TEST

START_TEST(a_time_with_seconds_is_refused)
{
    edi_segment(&w, "DTM");
    edi_element(&w, "163");
    edi_component_time303(&w, 60 * EMT_SECOND + 1);
    ck_assert_int_eq(w.err, EMT_EMALFORMED);
}
END_TEST

START_TEST(decimals_have_a_digit_before_the_point)
{
    edi_segment(&w, "QTY");
    edi_element(&w, "220");
    edi_component_decimal(&w, decimal_of(5, -3));
    edi_component_decimal(&w, decimal_of(12, 2));
    edi_component_decimal(&w, decimal_of(-25, -1));
    edi_component_decimal(&w, decimal_of(0, 0));
    edi_end(&w);
    ck_assert_str_eq(written(), "QTY+220:0.005:1200:-2.5:0'");
}
END_TEST

Suite *edi_writer_suite(void)
{
    Suite *s = suite_create("edi_writer");
    TCase *t = tcase_create("edi_writer");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, service_characters_in_data_are_released);
    tcase_add_test(t, empty_ends_are_dropped_and_empty_middles_kept);
    tcase_add_test(t, utf8_becomes_latin1);
    tcase_add_test(t, what_unoc_has_not_is_refused);
    tcase_add_test(t, a_long_text_passes_through_whole);
    tcase_add_test(t, unt_counts_unh_and_itself);
    tcase_add_test(t, a_dropped_message_leaves_no_byte);
    tcase_add_test(t, a_message_beyond_the_limit_is_refused);
    tcase_add_test(t, an_error_of_the_sink_stays);
    tcase_add_test(t, times_are_utc_with_a_released_offset);
    tcase_add_test(t, a_time_with_seconds_is_refused);
    tcase_add_test(t, decimals_have_a_digit_before_the_point);
    suite_add_tcase(s, t);
    return s;
}
