/* What needs no server; the ways over the network are tested end to end with real ones. */
#include "base/file.h"
#include "delivery/delivery.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/emt-delivery-XXXXXX";
static struct delivery_target target;
static struct delivery_result result;
static struct delivery_bytes bytes;
static struct delivery_file file;

static void setup(void)
{
    memcpy(dir, "/tmp/emt-delivery-XXXXXX", sizeof dir);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    target = (struct delivery_target){ .kind = DELIVERY_LOCAL, .path = dir };
    bytes = (struct delivery_bytes){ .data = (const uint8_t *)"UNB+UNOC:3'", .len = 11 };
    file = delivery_file_of(&bytes);
    file.name = "a.txt";
}

static void path_of(const char *name, char out[256])
{
    ck_assert_int_eq(file_join(out, 256, dir, name), EMT_OK);
}

static void teardown(void)
{
    static const char *const names[] = { "a.txt", ".a.txt.part" };

    for (size_t i = 0; i < 2; i++) {
        char path[256];

        path_of(names[i], path);
        (void)unlink(path);
    }
    ck_assert_int_eq(rmdir(dir), 0);
}

static void is(enum delivery_outcome outcome, const char *says)
{
    ck_assert_msg(result.outcome == outcome && strstr(result.text, says) != NULL, "%s: %s",
                  delivery_outcome_name(result.outcome), result.text);
}

START_TEST(a_file_arrives_under_its_name_and_once)
{
    char path[256];
    char *text = NULL;
    size_t n = 0;

    delivery_send(&target, &file, &result);
    is(DELIVERY_DONE, "a.txt");
    ck_assert_uint_eq(result.bytes, 11);
    path_of("a.txt", path);
    ck_assert_int_eq(file_read(path, 100, &text, &n, NULL), EMT_OK);
    ck_assert_str_eq(text, "UNB+UNOC:3'");
    free(text);
    file.may_be_there = true;
    delivery_send(&target, &file, &result);
    is(DELIVERY_THERE, "already");
    file.may_be_there = false;
    delivery_send(&target, &file, &result);
    is(DELIVERY_REFUSED, "another file");
    /* A file of another size is not ours, whatever was tried before. */
    file.may_be_there = true;
    bytes.len = 5;
    file.size = 5;
    delivery_send(&target, &file, &result);
    is(DELIVERY_REFUSED, "another file");
}
END_TEST

static enum emt_err breaks(void *ctx, void *buf, size_t n, size_t *got)
{
    (void)ctx;
    (void)buf;
    (void)n;
    *got = 0;
    return EMT_EIO;
}

START_TEST(what_cannot_be_read_or_ends_early_leaves_nothing)
{
    struct stat st;
    char path[256];

    file.read = breaks;
    delivery_send(&target, &file, &result);
    is(DELIVERY_RETRY, "cannot be read");
    file = delivery_file_of(&bytes);
    file.name = "a.txt";
    file.size = 12;
    delivery_send(&target, &file, &result);
    is(DELIVERY_RETRY, "11 of 12");
    path_of("a.txt", path);
    ck_assert_int_ne(stat(path, &st), 0);
}
END_TEST

START_TEST(a_link_in_the_place_of_the_part_is_not_followed)
{
    char path[256];
    struct stat st;

    path_of(".a.txt.part", path);
    ck_assert_int_eq(symlink("/nonexistent/victim", path), 0);
    delivery_send(&target, &file, &result);
    is(DELIVERY_DONE, "a.txt");
    path_of("a.txt", path);
    ck_assert_int_eq(lstat(path, &st), 0);
    ck_assert(S_ISREG(st.st_mode));
}
END_TEST

START_TEST(names_are_no_paths)
{
    static const char *const bad[] = { "",     ".",    "..",  ".hidden", "a/b",
                                       "../a", "a\nb", "a b", "a\"b",    "\xc3\xa4" };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        file.name = bad[i];
        delivery_send(&target, &file, &result);
        is(DELIVERY_REFUSED, "name");
    }
}
END_TEST

START_TEST(incomplete_targets_are_named)
{
    static const char *const to[] = { "a@example.com", NULL };
    static const char *const no_address[] = { "a@example.com>", NULL };
    static const struct delivery_mail mails[] = {
        { .from = "b@example.com", .subject = "" },
        { .from = "b@example.com", .to = no_address, .subject = "" },
        { .from = "b", .to = to, .subject = "" },
        { .from = "b@example.com", .to = to, .subject = "a\r\nBcc: c@example.com" },
    };
    static const struct {
        struct delivery_target target;
        const char *key;
    } bad[] = {
        { { .kind = DELIVERY_LOCAL }, "path" },
        { { .kind = DELIVERY_LOCAL, .path = "out" }, "path" },
        { { .kind = DELIVERY_SFTP, .path = "x" }, "host" },
        { { .kind = DELIVERY_SFTP, .host = "h" }, "user" },
        { { .kind = DELIVERY_SFTP, .host = "h", .user = "u" }, "password" },
        { { .kind = DELIVERY_SFTP, .host = "h", .user = "u", .password = "p" }, "host_key" },
        { { .kind = DELIVERY_SFTP,
            .host = "h",
            .user = "u",
            .password = "p",
            .host_key = "SHA256:x" },
          "host_key" },
        { { .kind = DELIVERY_FTP, .host = "h" }, "plain_allowed" },
        { { .kind = DELIVERY_FTPS, .host = "h", .path = "a\rDELE b" }, "path" },
        { { .kind = DELIVERY_FTPS, .host = "h", .path = "a\" \"b" }, "path" },
        { { .kind = DELIVERY_FTPS, .host = "-h" }, "host" },
        { { .kind = DELIVERY_FTPS, .host = "h", .password = "a\r\nDELE b" }, "password" },
        { { .kind = DELIVERY_HTTPS, .host = "h", .path = "/", .bearer = "a\r\nX: b" }, "bearer" },
        { { .kind = DELIVERY_FTPS, .host = "h", .client_pem = "x" }, "client_key" },
        { { .kind = DELIVERY_HTTPS, .host = "h" }, "path" },
        { { .kind = DELIVERY_HTTPS, .host = "h/x@y", .path = "/" }, "host" },
        { { .kind = DELIVERY_MAIL, .host = "h" }, "from" },
        { { .kind = DELIVERY_MAIL, .host = "h", .mail = &mails[0] }, "to" },
        { { .kind = DELIVERY_MAIL, .host = "h", .mail = &mails[1] }, "to" },
        { { .kind = DELIVERY_MAIL, .host = "h", .mail = &mails[2] }, "from" },
        { { .kind = DELIVERY_MAIL, .host = "h", .mail = &mails[3] }, "subject" },
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct emt_diag diag = { 0 };

        enum emt_err err = delivery_check(&bad[i].target, &diag);
        if (err == EMT_EUNSUPPORTED) /* a build without libcurl */
            continue;
        ck_assert_msg(err == EMT_EMALFORMED, "%zu", i);
        ck_assert_msg(strcmp(diag.key, bad[i].key) == 0, "%zu: %s %s", i, diag.key, diag.text);
        delivery_send(&bad[i].target, &file, &result);
        is(DELIVERY_REFUSED, bad[i].key);
    }
}
END_TEST

Suite *delivery_suite(void)
{
    Suite *s = suite_create("delivery");
    TCase *t = tcase_create("core");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_file_arrives_under_its_name_and_once);
    tcase_add_test(t, what_cannot_be_read_or_ends_early_leaves_nothing);
    tcase_add_test(t, a_link_in_the_place_of_the_part_is_not_followed);
    tcase_add_test(t, names_are_no_paths);
    tcase_add_test(t, incomplete_targets_are_named);
    suite_add_tcase(s, t);
    return s;
}
