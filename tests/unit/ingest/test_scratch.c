#include "ingest/scratch.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];
static char path[96];
static char sibling[96];

static void setup(void)
{
    snprintf(dir, sizeof dir, "/tmp/emt-notes-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/ingest-0.scratch", dir);
    snprintf(sibling, sizeof sibling, "%s/ingest-1.scratch", dir);
}

static void teardown(void)
{
    unlink(path);
    unlink(sibling);
    rmdir(dir);
}

static struct scratch *open_it(void)
{
    struct scratch *s = NULL;
    struct emt_diag diag;

    ck_assert_int_eq(scratch_open(path, &s, &diag), EMT_OK);
    return s;
}

static void hash_of(unsigned n, uint8_t hash[16])
{
    memset(hash, 0, 16);
    memcpy(hash, &n, sizeof n);
    hash[15] = 0xee;
}

START_TEST(a_frame_that_was_left_is_not_poisoned)
{
    struct scratch *s = open_it();
    uint8_t h[16];

    hash_of(1, h);
    scratch_enter(s, h);
    scratch_leave(s);
    scratch_close(s);
    s = open_it();
    ck_assert(!scratch_is_poisoned(s, h));
    ck_assert_uint_eq(scratch_poisoned(s), 0);
    scratch_close(s);
}
END_TEST

START_TEST(a_note_that_was_never_left_poisons_the_frame)
{
    struct scratch *s = open_it();
    uint8_t h[16], other[16];

    hash_of(1, h);
    hash_of(2, other);
    scratch_enter(s, h);
    scratch_close(s); /* as after a crash: no leave */
    for (int i = 0; i < 2; i++) {
        s = open_it();
        ck_assert(scratch_is_poisoned(s, h));
        ck_assert(!scratch_is_poisoned(s, other));
        ck_assert_uint_eq(scratch_poisoned(s), 1);
        scratch_close(s);
    }
}
END_TEST

START_TEST(the_list_keeps_the_last_hundred)
{
    uint8_t h[16];

    for (unsigned i = 0; i < 130; i++) {
        struct scratch *s = open_it();

        hash_of(i, h);
        scratch_enter(s, h);
        scratch_close(s);
    }
    struct scratch *s = open_it();
    ck_assert_uint_eq(scratch_poisoned(s), 100);
    hash_of(29, h);
    ck_assert(!scratch_is_poisoned(s, h));
    hash_of(30, h);
    ck_assert(scratch_is_poisoned(s, h));
    hash_of(129, h);
    ck_assert(scratch_is_poisoned(s, h));
    scratch_close(s);
}
END_TEST

START_TEST(a_damaged_file_starts_anew)
{
    struct scratch *s = open_it();
    uint8_t h[16], junk[4096];

    hash_of(1, h);
    scratch_enter(s, h);
    scratch_close(s);
    memset(junk, 0xff, sizeof junk);
    memcpy(junk, "EMTNOTE1", 8); /* the right beginning, impossible counts */
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(junk, 1, sizeof junk, f), sizeof junk);
    fclose(f);
    s = open_it();
    ck_assert_uint_eq(scratch_poisoned(s), 0);
    scratch_close(s);
}
END_TEST

START_TEST(an_impossible_path_says_why)
{
    struct scratch *s = NULL;
    struct emt_diag diag = { 0 };

    ck_assert_int_eq(scratch_open("/nonexistent/dir/note", &s, &diag), EMT_EIO);
    ck_assert_ptr_nonnull(strstr(diag.text, "/nonexistent/dir/note"));
}
END_TEST

START_TEST(what_one_loop_noted_all_know_after_a_crash)
{
    struct scratch *other = NULL;
    struct scratch *s = open_it();
    struct emt_diag diag;
    uint8_t h[16];

    hash_of(7, h);
    scratch_enter(s, h);
    /* As long as the process lives its note is no crash. */
    ck_assert_int_eq(scratch_open(sibling, &other, &diag), EMT_OK);
    ck_assert(!scratch_is_poisoned(other, h));
    scratch_close(other);
    scratch_close(s);
    ck_assert_int_eq(scratch_open(sibling, &other, &diag), EMT_OK);
    ck_assert(scratch_is_poisoned(other, h));
    scratch_close(other);
}
END_TEST

START_TEST(a_file_in_use_is_refused)
{
    struct scratch *again = NULL;
    struct scratch *s = open_it();
    struct emt_diag diag = { 0 };

    ck_assert_int_eq(scratch_open(path, &again, &diag), EMT_EIO);
    scratch_close(s);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("scratch");
    TCase *t = tcase_create("all");
    SRunner *sr;
    int failed;

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_frame_that_was_left_is_not_poisoned);
    tcase_add_test(t, a_note_that_was_never_left_poisons_the_frame);
    tcase_add_test(t, the_list_keeps_the_last_hundred);
    tcase_add_test(t, a_damaged_file_starts_anew);
    tcase_add_test(t, an_impossible_path_says_why);
    tcase_add_test(t, what_one_loop_noted_all_know_after_a_crash);
    tcase_add_test(t, a_file_in_use_is_refused);
    suite_add_tcase(s, t);
    sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
