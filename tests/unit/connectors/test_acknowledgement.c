#include "connectors/acknowledgement.h"
#include "corpus.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOTES 16
#define UNB "UNB+UNOC:3+9900999000205:500+9900999000106:500+261118:0320+C1'"
#define CONTRL "UNH+1+CONTRL:D:3:UN:2.0b'"
#define UCI(rest) "UCI+A1+9900999000106:500+9900999000205:500+" rest "'"
#define APERAK "UNH+1+APERAK:D:07B:UN:2.2'BGM+313+AP-1'DTM+137:202611180330?+00:303'RFF+ACE:A1'"
#define UNZ "UNZ+1+C1'"

static struct acknowledgement_note notes[NOTES];
static unsigned n;
static struct acknowledgement_head head;
static struct emt_diag diag;

static enum emt_err take(void *ctx, const struct acknowledgement_note *note)
{
    (void)ctx;
    if (n < NOTES)
        notes[n] = *note;
    n++;
    return EMT_OK;
}

static enum emt_err read_bytes(const char *text, size_t len)
{
    struct acknowledgement_handler h = { take, NULL };

    n = 0;
    memset(notes, 0, sizeof notes);
    memset(&head, 0, sizeof head);
    memset(&diag, 0, sizeof diag);
    return acknowledgement_read(text, len, &h, &head, &diag);
}

static enum emt_err read_text(const char *text)
{
    return read_bytes(text, strlen(text));
}

START_TEST(contrl_accepts_an_interchange)
{
    ck_assert_int_eq(read_text("UNA:+.? '" UNB CONTRL UCI("7") "UNT+3+1'" UNZ), EMT_OK);
    ck_assert_int_eq(head.kind, ACKNOWLEDGEMENT_CONTRL);
    ck_assert_str_eq(head.sender, "9900999000205");
    ck_assert_str_eq(head.recipient, "9900999000106");
    ck_assert_str_eq(head.reference, "C1");
    ck_assert_str_eq(head.version, "D:3:2.0b");
    ck_assert_uint_eq(n, 1);
    ck_assert_str_eq(notes[0].interchange, "A1");
    ck_assert_str_eq(notes[0].original_sender, "9900999000106");
    ck_assert_str_eq(notes[0].original_recipient, "9900999000205");
    ck_assert_int_eq(notes[0].level, ACKNOWLEDGES_INTERCHANGE);
    ck_assert_int_eq(notes[0].verdict, VERDICT_ACCEPTED);
    ck_assert_str_eq(notes[0].code, "");
}
END_TEST

START_TEST(contrl_rejects_an_interchange_with_code_and_place)
{
    ck_assert_int_eq(read_text(UNB CONTRL UCI("4+28+UNZ+2:1") "UNT+3+1'" UNZ), EMT_OK);
    ck_assert_uint_eq(n, 1);
    ck_assert_int_eq(notes[0].verdict, VERDICT_REJECTED);
    ck_assert_str_eq(notes[0].code, "28");
    ck_assert_str_eq(notes[0].segment, "UNZ");
    ck_assert_uint_eq(notes[0].element, 2);
    ck_assert_uint_eq(notes[0].component, 1);
}
END_TEST

START_TEST(contrl_rejects_messages_segments_and_elements)
{
    ck_assert_int_eq(
        read_text(UNB CONTRL UCI("7") "UCM+1+MSCONS:D:04B:UN:2.5+4'UCS+14'UCD+12+2:2'"
                                      "UCD+39+3'UCS+15+13'UCM+2+MSCONS:D:04B:UN:2.5+4+"
                                      "29+UNT+1'UCM+3+MSCONS:D:04B:UN:2.5+7'UNT+10+1'" UNZ),
        EMT_OK);
    ck_assert_uint_eq(n, 7);
    ck_assert_int_eq(notes[0].verdict, VERDICT_ACCEPTED);
    ck_assert_int_eq(notes[1].level, ACKNOWLEDGES_MESSAGE);
    ck_assert_int_eq(notes[1].verdict, VERDICT_REJECTED);
    ck_assert_str_eq(notes[1].message, "1");
    ck_assert_int_eq(notes[2].level, ACKNOWLEDGES_ELEMENT);
    ck_assert_str_eq(notes[2].segment, "14");
    ck_assert_str_eq(notes[2].code, "12");
    ck_assert_uint_eq(notes[2].component, 2);
    ck_assert_str_eq(notes[3].segment, "14");
    ck_assert_str_eq(notes[3].code, "39");
    ck_assert_uint_eq(notes[3].component, 0);
    ck_assert_int_eq(notes[4].level, ACKNOWLEDGES_SEGMENT);
    ck_assert_str_eq(notes[4].segment, "15");
    ck_assert_str_eq(notes[4].code, "13");
    ck_assert_str_eq(notes[4].message, "1");
    ck_assert_str_eq(notes[5].message, "2");
    ck_assert_str_eq(notes[5].segment, "UNT");
    ck_assert_int_eq(notes[6].verdict, VERDICT_ACCEPTED);
}
END_TEST

START_TEST(contrl_of_syntax_4_and_with_groups)
{
    ck_assert_int_eq(
        read_text("UNB+UNOY:4+9900999000205:500+9900999000106:500+20261118:0320+C1'"
                  "UNH+1+CONTRL:4:1:UN'" UCI("7") "UCF+G1+S+R+7'UCF+G2+S+R+4+21+UNG'UNT+5+1'" UNZ),
        EMT_OK);
    ck_assert_uint_eq(n, 2);
    ck_assert_int_eq(notes[1].level, ACKNOWLEDGES_INTERCHANGE);
    ck_assert_int_eq(notes[1].verdict, VERDICT_REJECTED);
    ck_assert_str_eq(notes[1].code, "21");
}
END_TEST

START_TEST(received_is_neither_accepted_nor_rejected)
{
    ck_assert_int_eq(read_text(UNB CONTRL UCI("8") "UNT+3+1'" UNZ), EMT_OK);
    ck_assert_int_eq(notes[0].verdict, VERDICT_RECEIVED);
}
END_TEST

START_TEST(other_service_characters_and_level_b)
{
    char text[] = "UNB+UNOB:1+S+R+261118:0320+C1'UNH+1+CONTRL:D:3:UN:2.0b'UCI+A1+R+S+7'UNT+3+1'UNZ+"
                  "1+C1'";

    ck_assert_int_eq(
        read_text("UNA|*,\\ ~UNB*UNOB|2*S|500*R|500*261118|0320*C\\*1~UNH*1*CONTRL|D|3|"
                  "UN|2.0b~UCI*A1*R|500*S|500*7~UNT*3*1~UNZ*1*C\\*1~"),
        EMT_OK);
    ck_assert_str_eq(head.reference, "C*1");
    for (char *p = text; *p; p++)
        *p = (char)(*p == '+' ? 0x1d : *p == ':' ? 0x1f : *p == '\'' ? 0x1c : *p);
    ck_assert_int_eq(read_text(text), EMT_OK);
    ck_assert_str_eq(notes[0].interchange, "A1");
}
END_TEST

START_TEST(aperak_names_error_document_and_message)
{
    ck_assert_int_eq(read_text(UNB APERAK "DTM+171:202611180312?+00:303'NAD+MS+9900999000205::293'"
                                          "ERC+Z20'FTX+ABO+++1-1?:1.29.0:zwei'FTX+AAO+++S\xfc\xdf'"
                                          "RFF+ACW:LG-1'RFF+AGO:1'ERC+Z14'UNT+13+1'" UNZ),
                     EMT_OK);
    ck_assert_int_eq(head.kind, ACKNOWLEDGEMENT_APERAK);
    ck_assert_uint_eq(n, 2);
    ck_assert_int_eq(notes[0].level, ACKNOWLEDGES_MESSAGE);
    ck_assert_int_eq(notes[0].verdict, VERDICT_REJECTED);
    ck_assert_str_eq(notes[0].interchange, "A1");
    ck_assert_str_eq(notes[0].code, "Z20");
    ck_assert_str_eq(notes[0].document, "LG-1");
    ck_assert_str_eq(notes[0].message, "1");
    ck_assert_str_eq(notes[0].text, "1-1:1.29.0 zwei S\xc3\xbc\xc3\x9f");
    ck_assert_int_eq(notes[1].level, ACKNOWLEDGES_INTERCHANGE);
    ck_assert_str_eq(notes[1].code, "Z14");
    ck_assert_str_eq(notes[1].document, "");
}
END_TEST

START_TEST(an_error_of_several_documents_is_told_for_each)
{
    ck_assert_int_eq(
        read_text(UNB APERAK "ERC+Z30'RFF+ACW:D1'RFF+AGO:1'RFF+ACW:D2'RFF+AGO:2'UNT+10+1'" UNZ),
        EMT_OK);
    ck_assert_uint_eq(n, 2);
    ck_assert_str_eq(notes[0].document, "D1");
    ck_assert_str_eq(notes[0].message, "1");
    ck_assert_str_eq(notes[1].document, "D2");
    ck_assert_str_eq(notes[1].message, "2");
    ck_assert_str_eq(notes[1].code, "Z30");
}
END_TEST

START_TEST(aperak_accepts)
{
    ck_assert_int_eq(
        read_text(UNB "UNH+1+APERAK:D:07B:UN:2.1i'BGM+312+AP-1'RFF+ACE:A1'RFF+ACW:D1'UNT+5+1'" UNZ),
        EMT_OK);
    ck_assert_uint_eq(n, 1);
    ck_assert_int_eq(notes[0].verdict, VERDICT_ACCEPTED);
    ck_assert_str_eq(notes[0].document, "D1");
}
END_TEST

START_TEST(several_messages_in_one_file)
{
    ck_assert_int_eq(read_text(UNB "UNH+1+APERAK:D:07B:UN:2.2'BGM+312+A'RFF+ACE:A1'UNT+4+1'"
                                   "UNH+2+APERAK:D:07B:UN:2.2'BGM+313+B'RFF+ACE:A2'ERC+Z10'UNT+5+2'"
                                   "UNZ+2+C1'"),
                     EMT_OK);
    ck_assert_uint_eq(n, 2);
    ck_assert_str_eq(notes[0].interchange, "A1");
    ck_assert_str_eq(notes[1].interchange, "A2");
    ck_assert_int_eq(notes[1].verdict, VERDICT_REJECTED);
}
END_TEST

static const struct {
    const char *text, *says;
    enum emt_err err;
} refused[] = {
    { "", "not an EDIFACT file", EMT_EUNSUPPORTED },
    { "{\"json\": 1}", "not an EDIFACT file", EMT_EUNSUPPORTED },
    { UNB "UNH+1+MSCONS:D:04B:UN:2.5'UNT+2+1'" UNZ, "neither CONTRL nor APERAK", EMT_EUNSUPPORTED },
    { UNB CONTRL UCI("7") "UNT+4+1'" UNZ, "other segments", EMT_EMALFORMED },
    { UNB CONTRL UCI("7") "UNT+3+2'" UNZ, "another reference", EMT_EMALFORMED },
    { UNB CONTRL UCI("7") "UNT+3+1'UNZ+2+C1'", "other messages", EMT_EMALFORMED },
    { UNB CONTRL UCI("7") "UNT+3+1'UNZ+1+C2'", "another reference", EMT_EMALFORMED },
    { UNB CONTRL UCI("7") "UNT+3+1'", "without UNZ", EMT_ETRUNCATED },
    { UNB CONTRL UCI("7") "UNT+3+1'" UNZ "UNB+", "behind UNZ", EMT_EMALFORMED },
    { UNB CONTRL UCI("5") "UNT+3+1'" UNZ, "0083", EMT_EUNSUPPORTED },
    { UNB CONTRL UCI("") "UNT+3+1'" UNZ, "0083", EMT_EUNSUPPORTED },
    { UNB CONTRL "UCI++S+R+7'UNT+3+1'" UNZ, "names no interchange", EMT_EMALFORMED },
    { UNB CONTRL UCI("7") UCI("7") "UNT+4+1'" UNZ, "second interchange", EMT_EMALFORMED },
    { UNB CONTRL UCI("4") "UCM++MSCONS:D:04B:UN:2.5+4'UNT+4+1'" UNZ, "names no message",
      EMT_EMALFORMED },
    { UNB CONTRL UCI("4") "UCS+1+2'UNT+4+1'" UNZ, "does not stand here", EMT_EMALFORMED },
    { UNB CONTRL UCI("4") "UCM+1+M+4'UCD+12+1'UNT+5+1'" UNZ, "outside of a segment",
      EMT_EMALFORMED },
    { UNB CONTRL "UCM+1+M+4'UNT+3+1'" UNZ, "before UCI", EMT_EMALFORMED },
    { UNB CONTRL "UNT+2+1'" UNZ, "says nothing", EMT_EMALFORMED },
    { UNB "UNZ+0+C1'", "other messages", EMT_EMALFORMED },
    { UNB "UNH+1+APERAK:D:07B:UN:2.2'BGM+313+A'ERC+Z10'UNT+4+1'" UNZ, "interchange",
      EMT_EMALFORMED },
    { UNB "UNH+1+APERAK:D:07B:UN:2.2'RFF+ACE:A1'UNT+3+1'" UNZ, "no BGM", EMT_EMALFORMED },
    { UNB "UNH+1+APERAK:D:07B:UN:2.2'BGM+314+A'RFF+ACE:A1'UNT+4+1'" UNZ, "312", EMT_EUNSUPPORTED },
    { UNB APERAK "RFF+ACE:A2'UNT+6+1'" UNZ, "second interchange", EMT_EMALFORMED },
    { UNB "UNH+1+CONTRL:D:3:UN:2.0b'" UCI("7") "UNT+3+1'UNH+2+APERAK:D:07B:UN:2.2'", "in one file",
      EMT_EUNSUPPORTED },
    { "UNB+UNOD:3+S+R+261118:0320+C1'" CONTRL UCI("7") "UNT+3+1'" UNZ, "character set",
      EMT_EUNSUPPORTED },
    { "UNB+UNOC:5+S+R+261118:0320+C1'" CONTRL UCI("7") "UNT+3+1'" UNZ, "syntax version",
      EMT_EUNSUPPORTED },
    { "UNB+UNOC:3++R+261118:0320+C1'" CONTRL UCI("7") "UNT+3+1'" UNZ, "sender", EMT_EMALFORMED },
};

START_TEST(what_breaks_its_envelope_is_refused_with_the_place)
{
    ck_assert_int_eq(read_text(refused[_i].text), refused[_i].err);
    ck_assert_msg(strstr(diag.text, refused[_i].says) != NULL, "%s", diag.text);
}
END_TEST

START_TEST(every_prefix_is_refused)
{
    static const char text[] = UNB CONTRL UCI("4") "UCM+1+M+4'UCS+14'UCD+12+2:2'UNT+6+1'" UNZ;

    for (size_t len = 0; len < sizeof text - 1; len++)
        ck_assert_int_ne(read_bytes(text, len), EMT_OK);
    ck_assert_int_eq(read_bytes(text, sizeof text - 1), EMT_OK);
}
END_TEST

START_TEST(too_many_notes_and_bytes_are_refused)
{
    size_t size = 2 * ACKNOWLEDGEMENT_BYTES_MAX;
    char *text = malloc(size);
    size_t len = (size_t)snprintf(text, size, "%s", UNB CONTRL UCI("4"));

    for (unsigned i = 0; i < ACKNOWLEDGEMENT_NOTES_MAX; i++)
        len += (size_t)snprintf(text + len, size - len, "UCM+%u+M+4'", i);
    ck_assert_int_eq(read_bytes(text, len), EMT_ELIMIT);
    ck_assert_uint_eq(n, ACKNOWLEDGEMENT_NOTES_MAX);
    ck_assert_int_eq(read_bytes(text, ACKNOWLEDGEMENT_BYTES_MAX + 1), EMT_ELIMIT);
    free(text);
}
END_TEST

START_TEST(texts_that_are_too_long_end_at_a_whole_character)
{
    char text[4000];
    size_t len = (size_t)snprintf(text, sizeof text, "%s", UNB APERAK "ERC+Z20'FTX+ABO+++x");

    memset(text + len, 0xfc, 900);
    len += 900;
    len += (size_t)snprintf(text + len, sizeof text - len, "'UNT+7+1'%s", UNZ);
    ck_assert_int_eq(read_bytes(text, len), EMT_OK);
    ck_assert_uint_eq(strlen(notes[0].text) % 2, 1);
    ck_assert_uint_lt(strlen(notes[0].text), sizeof notes[0].text);
}
END_TEST

START_TEST(utf8_is_kept_and_what_is_none_is_read_byte_by_byte)
{
    ck_assert_int_eq(read_text("UNB+UNOY:4+S+R+20261118:0320+C1'" APERAK
                               "ERC+Z20'FTX+ABO+++\xc3\xbc\xff\xe2\x82\xac'UNT+7+1'" UNZ),
                     EMT_OK);
    ck_assert_str_eq(notes[0].text, "\xc3\xbc\xc3\xbf\xe2\x82\xac");
}
END_TEST

static enum emt_err full(void *ctx, const struct acknowledgement_note *note)
{
    (void)ctx;
    (void)note;
    return EMT_ENOMEM;
}

START_TEST(the_handler_can_end_it)
{
    struct acknowledgement_handler h = { full, NULL };
    const char *text = UNB CONTRL UCI("7") "UNT+3+1'" UNZ;

    ck_assert_int_eq(acknowledgement_read(text, strlen(text), &h, &head, NULL), EMT_ENOMEM);
}
END_TEST

START_TEST(the_samples_read)
{
    static const char *const names[] = { "syn_contrl_ack.edi", "syn_contrl_interchange_error.edi",
                                         "syn_contrl_message_error.edi", "syn_aperak_z20.edi" };
    static const unsigned expected[] = { 1, 1, 3, 1 };

    for (size_t i = 0; i < 4; i++) {
        char *data = NULL;
        size_t len = 0;

        if (!sample_read(names[i], &data, &len))
            return;
        ck_assert_msg(read_bytes(data, len) == EMT_OK, "%s: %s", names[i], diag.text);
        ck_assert_uint_eq(n, expected[i]);
        free(data);
    }
}
END_TEST

Suite *acknowledgement_suite(void)
{
    Suite *s = suite_create("acknowledgement");
    TCase *c = tcase_create("acknowledgement");

    tcase_add_test(c, contrl_accepts_an_interchange);
    tcase_add_test(c, contrl_rejects_an_interchange_with_code_and_place);
    tcase_add_test(c, contrl_rejects_messages_segments_and_elements);
    tcase_add_test(c, contrl_of_syntax_4_and_with_groups);
    tcase_add_test(c, received_is_neither_accepted_nor_rejected);
    tcase_add_test(c, other_service_characters_and_level_b);
    tcase_add_test(c, aperak_names_error_document_and_message);
    tcase_add_test(c, an_error_of_several_documents_is_told_for_each);
    tcase_add_test(c, aperak_accepts);
    tcase_add_test(c, several_messages_in_one_file);
    tcase_add_loop_test(c, what_breaks_its_envelope_is_refused_with_the_place, 0,
                        (int)(sizeof refused / sizeof refused[0]));
    tcase_add_test(c, every_prefix_is_refused);
    tcase_add_test(c, too_many_notes_and_bytes_are_refused);
    tcase_add_test(c, texts_that_are_too_long_end_at_a_whole_character);
    tcase_add_test(c, utf8_is_kept_and_what_is_none_is_read_byte_by_byte);
    tcase_add_test(c, the_handler_can_end_it);
    tcase_add_test(c, the_samples_read);
    suite_add_tcase(s, c);
    return s;
}
