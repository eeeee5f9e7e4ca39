/* The small enumerations: frame_state, quality, protocol. */
#include "model/frame_state.h"
#include "model/protocol.h"
#include "model/quality.h"
#include "suites.h"

START_TEST(frame_states_have_names_and_a_retry)
{
    for (unsigned i = 0; i < FRAME_STATES; i++) {
        enum frame_state s = FRAME_OK;

        ck_assert_int_eq(frame_state_parse(frame_state_name((enum frame_state)i), &s), EMT_OK);
        ck_assert_uint_eq(s, i);
    }
    ck_assert_str_eq(frame_state_name(FRAME_PLAINTEXT_REFUSED), "plaintext-refused");
    ck_assert_str_eq(frame_state_name((enum frame_state)99), "unknown");
    ck_assert_int_eq(frame_state_retry(FRAME_OK), FRAME_RETRY_NEVER);
    ck_assert_int_eq(frame_state_retry(FRAME_KEY_NEEDED), FRAME_RETRY_KEY);
    ck_assert_int_eq(frame_state_retry(FRAME_FORMAT_NEEDED), FRAME_RETRY_FORMAT);
    ck_assert_int_eq(frame_state_retry(FRAME_QUARANTINED), FRAME_RETRY_OPERATOR);
    ck_assert_int_eq(frame_state_retry((enum frame_state)99), FRAME_RETRY_NEVER);
}
END_TEST

START_TEST(protocols_and_formats_have_names)
{
    enum protocol p;
    enum frame_format f;

    for (unsigned i = PROTOCOL_WMBUS; i < PROTOCOLS; i++) {
        ck_assert_int_eq(protocol_parse(protocol_name((enum protocol)i), &p), EMT_OK);
        ck_assert_uint_eq(p, i);
    }
    for (unsigned i = 0; i < FRAME_FORMATS; i++) {
        ck_assert_int_eq(frame_format_parse(frame_format_name((enum frame_format)i), &f), EMT_OK);
        ck_assert_uint_eq(f, i);
    }
    ck_assert_int_eq(protocol_parse("none", &p), EMT_ENOTFOUND);
    ck_assert_int_eq(protocol_parse("WMBUS", &p), EMT_ENOTFOUND);
    ck_assert_int_eq(frame_format_parse("x", &f), EMT_ENOTFOUND);
    ck_assert_str_eq(protocol_name((enum protocol)99), "unknown");
}
END_TEST

START_TEST(a_measured_value_beats_a_formed_one)
{
    ck_assert_int_gt(quality_rank(QUALITY_MEASURED), quality_rank(QUALITY_SUBSTITUTE));
    ck_assert_int_gt(quality_rank(QUALITY_MEASURED), quality_rank(QUALITY_INVALID));
    ck_assert_int_gt(quality_rank(QUALITY_CORRECTED), quality_rank(QUALITY_MEASURED));
}
END_TEST

START_TEST(what_may_be_sent_has_a_qualifier)
{
    ck_assert_str_eq(quality_mscons(QUALITY_MEASURED), "220");
    ck_assert_str_eq(quality_mscons(QUALITY_CORRECTED), "220");
    ck_assert_str_eq(quality_mscons(QUALITY_SUBSTITUTE), "67");
    ck_assert_str_eq(quality_mscons(QUALITY_PROVISIONAL), "Z18");
    ck_assert_ptr_null(quality_mscons(QUALITY_ESTIMATED));
    ck_assert_ptr_null(quality_mscons(QUALITY_INVALID));
}
END_TEST

START_TEST(qualities_have_names)
{
    enum quality q;

    for (unsigned i = 0; i < QUALITIES; i++) {
        ck_assert_int_eq(quality_parse(quality_name((enum quality)i), &q), EMT_OK);
        ck_assert_uint_eq(q, i);
    }
    ck_assert_int_eq(quality_parse("good", &q), EMT_ENOTFOUND);
    ck_assert_str_eq(quality_name((enum quality)99), "unknown");
}
END_TEST

START_TEST(a_person_stands_above_the_meter)
{
    ck_assert_int_eq(quality_stored_rank(QUALITY_MEASURED | 0x300), 1);
    ck_assert_int_eq(quality_stored_rank(QUALITY_INVALID | 0x100), 0);
    ck_assert_int_eq(quality_stored_rank(QUALITY_INVALID | 0x100 | QUALITY_BY_HAND), 2);
    ck_assert_int_eq(quality_stored_rank(QUALITY_CORRECTED), 2);
    ck_assert_int_eq(quality_of_stored(QUALITY_INVALID | 0x100 | QUALITY_BY_HAND), QUALITY_INVALID);
    ck_assert_int_eq(quality_stored_source(QUALITY_INVALID | 0x300 | QUALITY_BY_HAND), 3);
}
END_TEST

START_TEST(a_computed_value_is_as_good_as_its_worst_input)
{
    ck_assert_int_eq(quality_worse(QUALITY_MEASURED, QUALITY_CORRECTED), QUALITY_CORRECTED);
    ck_assert_int_eq(quality_worse(QUALITY_INVALID, QUALITY_ESTIMATED), QUALITY_INVALID);
    ck_assert_int_eq(quality_worse(QUALITY_SUBSTITUTE, QUALITY_PROVISIONAL), QUALITY_SUBSTITUTE);
    ck_assert_int_eq(quality_worse((enum quality)99, QUALITY_MEASURED), QUALITY_INVALID);
}
END_TEST

/* The table of docs/generic-schema.md. */
START_TEST(each_status_outside_has_one_quality)
{
    static const struct {
        unsigned cosem;
        enum quality quality;
    } cosem[] = {
        { 0x00, QUALITY_MEASURED }, { 0x01, QUALITY_INVALID },  { 0x02, QUALITY_PROVISIONAL },
        { 0x04, QUALITY_INVALID },  { 0x06, QUALITY_INVALID },  { 0x08, QUALITY_MEASURED },
        { 0x20, QUALITY_MEASURED }, { 0x80, QUALITY_MEASURED },
    };
    static const struct {
        unsigned oms;
        enum quality quality;
    } oms[] = {
        { 0x00, QUALITY_MEASURED },    { 0x01, QUALITY_MEASURED }, { 0x02, QUALITY_INVALID },
        { 0x03, QUALITY_MEASURED },    { 0x04, QUALITY_MEASURED }, { 0x08, QUALITY_INVALID },
        { 0x10, QUALITY_PROVISIONAL }, { 0x18, QUALITY_INVALID },  { 0xe0, QUALITY_MEASURED },
    };
    enum quality q;

    for (size_t i = 0; i < sizeof cosem / sizeof cosem[0]; i++)
        ck_assert_int_eq(quality_from_cosem(cosem[i].cosem), cosem[i].quality);
    for (size_t i = 0; i < sizeof oms / sizeof oms[0]; i++)
        ck_assert_int_eq(quality_from_oms(oms[i].oms), oms[i].quality);
    for (unsigned i = 0; i < QUALITIES; i++) {
        const char *qualifier = quality_mscons((enum quality)i);

        if (qualifier && i != QUALITY_CORRECTED) {
            ck_assert_int_eq(quality_from_mscons(qualifier, &q), EMT_OK);
            ck_assert_int_eq(q, i);
        }
    }
    ck_assert_int_eq(quality_from_mscons("201", &q), EMT_OK);
    ck_assert_int_eq(q, QUALITY_SUBSTITUTE);
    ck_assert_int_eq(quality_from_mscons("79", &q), EMT_ENOTFOUND);
    ck_assert_int_eq(quality_from_mscons("", &q), EMT_ENOTFOUND);
}
END_TEST

SUITE(states, frame_states_have_names_and_a_retry, protocols_and_formats_have_names,
      a_measured_value_beats_a_formed_one, what_may_be_sent_has_a_qualifier, qualities_have_names,
      a_person_stands_above_the_meter, a_computed_value_is_as_good_as_its_worst_input,
      each_status_outside_has_one_quality)
