#include "mail_message.h"
#include "suites.h"

#include <string.h>

static struct writer w;

static void setup(void)
{
    writer_init_heap(&w, 1u << 20);
}

static void teardown(void)
{
    writer_release(&w);
}

static const char *const to[] = { "a@example.com", "b@example.com", NULL };
static const char *const bcc[] = { "hidden@example.com", NULL };

START_TEST(headers_in_full)
{
    struct delivery_mail m = {
        .from = "emt@example.org", .to = to, .bcc = bcc, .subject = "Values"
    };

    mail_headers(&w, &m, INT64_C(1795000000) * EMT_SECOND, "1@example.org");
    ck_assert_str_eq(writer_cstr(&w), "From: <emt@example.org>\r\n"
                                      "To: <a@example.com>,\r\n <b@example.com>\r\n"
                                      "Subject: Values\r\n"
                                      "Date: Wed, 18 Nov 2026 11:06:40 +0000\r\n"
                                      "Message-ID: <1@example.org>\r\n");
}
END_TEST

/* RFC 2047, 2: encoded words of at most 75 characters; no character is cut in two. */
START_TEST(long_subjects_become_words)
{
    struct delivery_mail m = { .from = "emt@example.org",
                               .to = to,
                               .subject =
                                   "\xc3\xa4\xc3\xb6\xc3\xbc\xe2\x82\xac Lastg\xc3\xa4nge der "
                                   "Messlokationen, \xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4" };
    size_t words = 0;

    mail_headers(&w, &m, 0, "1@example.org");
    for (const char *p = strstr(writer_cstr(&w), "=?UTF-8?B?"); p != NULL;
         p = strstr(p + 1, "=?UTF-8?B?"), words++) {
        const char *end = strstr(p + 10, "?=");

        ck_assert_ptr_nonnull(end);
        ck_assert_int_le(end + 2 - p, 75);
    }
    ck_assert_uint_gt(words, 1);
}
END_TEST

START_TEST(lines_are_short_and_ascii)
{
    static uint8_t data[10000];
    struct mail_attachment a = {
        .name = "a.txt", .media_type = "text/plain", .data = data, .len = sizeof data
    };
    size_t column = 0;

    memset(data, 0xff, sizeof data);
    mail_entity(&w,
                "Gr\xc3\xbc\xc3\x9f"
                "e",
                &a, "b0");
    for (size_t i = 0; i < w.len; i++) {
        ck_assert_uint_lt(w.data[i], 0x80);
        if (w.data[i] == '\n') {
            ck_assert_uint_eq(w.data[i - 1], '\r');
            column = 0;
            continue;
        }
        ck_assert_uint_le(++column, 78);
    }
    ck_assert_ptr_nonnull(strstr(writer_cstr(&w), "--=_b0--\r\n"));
}
END_TEST

Suite *mail_message_suite(void)
{
    Suite *s = suite_create("mail_message");
    TCase *t = tcase_create("core");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, headers_in_full);
    tcase_add_test(t, long_subjects_become_words);
    tcase_add_test(t, lines_are_short_and_ascii);
    suite_add_tcase(s, t);
    return s;
}
