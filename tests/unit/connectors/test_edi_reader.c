#include "connectors/edi_reader.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct edi_reader r;
static struct edi_segment seg;

static enum emt_err open_text(const char *text)
{
    return edi_reader_init(&r, text, strlen(text));
}

START_TEST(segments_elements_and_components)
{
    ck_assert_int_eq(open_text("UNA:+.? 'UNB+UNOC:3++A'LOC+172'"), EMT_OK);
    ck_assert(r.una);
    ck_assert_int_eq(edi_reader_next(&r, &seg), EMT_OK);
    ck_assert(edi_is(&seg, "UNB"));
    ck_assert_uint_eq(seg.position, 1);
    ck_assert_uint_eq(seg.n_elements, 3);
    ck_assert_uint_eq(edi_components(&seg, 1), 2);
    ck_assert_str_eq(edi_value(&seg, 1, 2), "3");
    ck_assert_str_eq(edi_value(&seg, 2, 1), "");
    ck_assert_str_eq(edi_value(&seg, 3, 1), "A");
    ck_assert_str_eq(edi_value(&seg, 3, 2), "");
    ck_assert_str_eq(edi_value(&seg, 9, 1), "");
    ck_assert_int_eq(edi_reader_next(&r, &seg), EMT_OK);
    ck_assert_uint_eq(seg.position, 2);
    ck_assert_int_eq(edi_reader_next(&r, &seg), EMT_ENOTFOUND);
    ck_assert_int_eq(edi_reader_next(&r, &seg), EMT_ENOTFOUND);
}
END_TEST

START_TEST(released_characters_are_data)
{
    ck_assert_int_eq(open_text("UNB+A?+B?'C?:D??E?F'"), EMT_OK);
    ck_assert_int_eq(edi_reader_next(&r, &seg), EMT_OK);
    ck_assert_uint_eq(seg.n_elements, 1);
    ck_assert_str_eq(edi_value(&seg, 1, 1), "A+B'C:D?EF");
}
END_TEST

START_TEST(any_service_characters_of_una)
{
    ck_assert_int_eq(open_text("UNA|*,\\ ~UNB*a|b\\~c~"), EMT_OK);
    ck_assert_int_eq(r.syntax.decimal, ',');
    ck_assert_int_eq(edi_reader_next(&r, &seg), EMT_OK);
    ck_assert_str_eq(edi_value(&seg, 1, 2), "b~c");
}
END_TEST

START_TEST(una_with_equal_or_senseless_characters_is_refused)
{
    ck_assert_int_eq(open_text("UNA::.? 'UNB'"), EMT_EMALFORMED);
    ck_assert_int_eq(open_text("UNA:+.?  UNB'"), EMT_EMALFORMED);
    ck_assert_int_eq(open_text("UNAA+.? 'UNB'"), EMT_EMALFORMED);
    ck_assert_int_eq(open_text("UNA:+."), EMT_ETRUNCATED);
}
END_TEST

START_TEST(what_is_no_edifact_is_told_at_once)
{
    ck_assert_int_eq(open_text(""), EMT_EUNSUPPORTED);
    ck_assert_int_eq(open_text("UN"), EMT_EUNSUPPORTED);
    ck_assert_int_eq(open_text("<?xml version=\"1.0\"?>"), EMT_EUNSUPPORTED);
}
END_TEST

START_TEST(the_end_inside_a_segment_is_truncated)
{
    ck_assert_int_eq(open_text("UNB+A'UNZ+1"), EMT_OK);
    ck_assert_int_eq(edi_reader_next(&r, &seg), EMT_OK);
    ck_assert_int_eq(edi_reader_next(&r, &seg), EMT_ETRUNCATED);
    ck_assert_int_eq(edi_reader_next(&r, &seg), EMT_ETRUNCATED);
    ck_assert_int_eq(open_text("UNB+A?"), EMT_OK);
    ck_assert_int_eq(edi_reader_next(&r, &seg), EMT_ETRUNCATED);
}
END_TEST

START_TEST(tags_are_three_capitals_or_digits)
{
    static const char *const bad[] = { "UNB'un+1'", "UNB'AB'", "UNB'ABCD'", "UNB'A:BC'",
                                       "UNB' UNZ'" };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_int_eq(open_text(bad[i]), EMT_OK);
        ck_assert_int_eq(edi_reader_next(&r, &seg), EMT_OK);
        ck_assert_int_eq(edi_reader_next(&r, &seg), EMT_EMALFORMED);
    }
}
END_TEST

START_TEST(a_zero_byte_is_malformed)
{
    static const char text[] = "UNB+A\0B'";

    ck_assert_int_eq(edi_reader_init(&r, text, sizeof(text) - 1), EMT_OK);
    ck_assert_int_eq(edi_reader_next(&r, &seg), EMT_EMALFORMED);
}
END_TEST

START_TEST(line_breaks_between_segments_are_counted)
{
    ck_assert_int_eq(open_text("UNA:+.? '\r\nUNB+A'\nUNZ+1'\n"), EMT_OK);
    while (edi_reader_next(&r, &seg) == EMT_OK)
        ck_assert(!seg.odd_character);
    ck_assert_int_eq(r.err, EMT_ENOTFOUND);
    ck_assert_uint_eq(r.line_breaks, 4);
    ck_assert(r.ends_with_break);
}
END_TEST

START_TEST(control_characters_in_data_are_marked)
{
    ck_assert_int_eq(open_text("UNB+A\tB'UNB+M\xfcller'"), EMT_OK);
    ck_assert_int_eq(edi_reader_next(&r, &seg), EMT_OK);
    ck_assert(seg.odd_character);
    ck_assert_int_eq(edi_reader_next(&r, &seg), EMT_OK);
    ck_assert(!seg.odd_character);
}
END_TEST

/* A segment of `head`, n times c, terminator. */
static enum emt_err read_run(char c, size_t n)
{
    char *text = malloc(n + 8);
    enum emt_err err;

    memcpy(text, "UNB+", 4);
    memset(text + 4, c, n);
    text[n + 4] = '\'';
    ck_assert_int_eq(edi_reader_init(&r, text, n + 5), EMT_OK);
    err = edi_reader_next(&r, &seg);
    free(text);
    return err;
}

START_TEST(every_size_is_bounded)
{
    ck_assert_int_eq(read_run('A', EDI_SEGMENT_MAX - 3), EMT_OK);
    ck_assert_uint_eq(strlen(edi_value(&seg, 1, 1)), EDI_SEGMENT_MAX - 3);
    ck_assert_int_eq(read_run('A', EDI_SEGMENT_MAX - 2), EMT_ELIMIT);
    ck_assert_int_eq(read_run(':', EDI_COMPONENTS_MAX - 2), EMT_OK);
    ck_assert_uint_eq(edi_components(&seg, 1), EDI_COMPONENTS_MAX - 1);
    ck_assert_str_eq(edi_value(&seg, 1, EDI_COMPONENTS_MAX - 1), "");
    ck_assert_int_eq(read_run(':', EDI_COMPONENTS_MAX - 1), EMT_ELIMIT);
    ck_assert_int_eq(read_run('+', EDI_ELEMENTS_MAX - 2), EMT_OK);
    ck_assert_uint_eq(seg.n_elements, EDI_ELEMENTS_MAX - 1);
    ck_assert_int_eq(read_run('+', EDI_ELEMENTS_MAX - 1), EMT_ELIMIT);
}
END_TEST

Suite *edi_reader_suite(void)
{
    Suite *s = suite_create("edi_reader");
    TCase *t = tcase_create("edi_reader");

    tcase_add_test(t, segments_elements_and_components);
    tcase_add_test(t, released_characters_are_data);
    tcase_add_test(t, any_service_characters_of_una);
    tcase_add_test(t, una_with_equal_or_senseless_characters_is_refused);
    tcase_add_test(t, what_is_no_edifact_is_told_at_once);
    tcase_add_test(t, the_end_inside_a_segment_is_truncated);
    tcase_add_test(t, tags_are_three_capitals_or_digits);
    tcase_add_test(t, a_zero_byte_is_malformed);
    tcase_add_test(t, line_breaks_between_segments_are_counted);
    tcase_add_test(t, control_characters_in_data_are_marked);
    tcase_add_test(t, every_size_is_bounded);
    suite_add_tcase(s, t);
    return s;
}
