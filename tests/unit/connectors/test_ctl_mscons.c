/* Exit codes and output lines of emtctl mscons, which are contracts. */
#include "base/file.h"
#include "ctl_mscons.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GOLDEN "tests/corpus/mscons/13018_half_hour.edi"

static char folder[] = "/tmp/test-ctl-mscons-XXXXXX";
static char output[8192];

/* Runs the command with stdout in `output`; arguments end with NULL. */
static int run(char *first, char *second, char *third, char *fourth)
{
    char *argv[] = { "mscons", first, second, third, fourth, NULL };
    int argc = 1;
    int saved;
    int code;
    FILE *f = tmpfile();
    size_t n;

    while (argv[argc])
        argc++;
    fflush(stdout);
    saved = dup(STDOUT_FILENO);
    dup2(fileno(f), STDOUT_FILENO);
    code = ctl_mscons(argc, argv);
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    rewind(f);
    n = fread(output, 1, sizeof(output) - 1, f);
    output[n] = '\0';
    fclose(f);
    return code;
}

/* The golden file with one change, under this name in a folder of its own. */
static char *variant(const char *name, const char *from, const char *to)
{
    static char path[256];
    char *text = NULL;
    char *at;
    size_t len = 0;

    ck_assert_int_eq(file_read(GOLDEN, 1u << 20, &text, &len, NULL), EMT_OK);
    at = from ? strstr(text, from) : NULL;
    if (at)
        memcpy(at, to, strlen(to));
    ck_assert_int_eq(file_join(path, sizeof(path), folder, name), EMT_OK);
    ck_assert_int_eq(file_write(path, text, len, 0600, NULL), EMT_OK);
    free(text);
    return path;
}

static void setup(void)
{
    memcpy(folder + sizeof(folder) - 7, "XXXXXX", 6);
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

START_TEST(a_clean_file_is_silent_and_0)
{
    ck_assert_int_eq(run("check", GOLDEN, NULL, NULL), 0);
    ck_assert_str_eq(output, "");
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

START_TEST(a_finding_is_a_line_and_1)
{
    char *path = variant("x.edi", "QTY+220:0.25", "QTY+220:0,25");
    char expected[300];

    ck_assert_int_eq(run("check", GOLDEN, path, NULL), 1);
    snprintf(expected, sizeof(expected), "%s:15: NUM: ", path);
    ck_assert_msg(strncmp(output, expected, strlen(expected)) == 0, "%s", output);
    ck_assert_int_eq(remove(path), 0);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

START_TEST(the_name_counts_only_with_name)
{
    char *path = variant("MSCONS_TL_9900999000106_9900999000205_20261118_GOLDEN1.txt", NULL, NULL);

    ck_assert_int_eq(run("check", "--name", path, NULL), 0);
    ck_assert_int_eq(run("check", "--name", GOLDEN, NULL), 1);
    ck_assert_ptr_nonnull(strstr(output, ":0: NAME: "));
    ck_assert_int_eq(remove(path), 0);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

START_TEST(what_cannot_be_read_is_2)
{
    ck_assert_int_eq(run("check", "tests/corpus/mscons/none.edi", NULL, NULL), 2);
    ck_assert_int_eq(run("check", "CMakeLists.txt", GOLDEN, NULL), 2);
    ck_assert_int_eq(run("show", "CMakeLists.txt", NULL, NULL), 2);
    ck_assert_str_eq(output, "");
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

START_TEST(wrong_usage_is_2)
{
    ck_assert_int_eq(run(NULL, NULL, NULL, NULL), 2);
    ck_assert_int_eq(run("check", NULL, NULL, NULL), 2);
    ck_assert_int_eq(run("check", "--nmae", GOLDEN, NULL), 2);
    ck_assert_int_eq(run("show", NULL, NULL, NULL), 2);
    ck_assert_int_eq(run("show", GOLDEN, GOLDEN, NULL), 2);
    ck_assert_int_eq(run("show", "--name", GOLDEN, NULL), 2);
    ck_assert_str_eq(output, "");
    ck_assert_int_eq(run("send", GOLDEN, NULL, NULL), 2);
    ck_assert_int_eq(run("--help", NULL, NULL, NULL), 0);
    ck_assert_ptr_nonnull(strstr(output, "usage: emtctl mscons"));
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

START_TEST(behind_two_dashes_everything_is_a_file)
{
    ck_assert_int_eq(run("check", "--", GOLDEN, NULL), 0);
    ck_assert_int_eq(run("check", "--", GOLDEN, "--name"), 2); /* no such file */
    ck_assert_int_eq(run("show", "--", GOLDEN, NULL), 0);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

START_TEST(show_prints_one_object)
{
    ck_assert_int_eq(run("show", GOLDEN, NULL, NULL), 0);
    ck_assert_int_eq(output[0], '{');
    ck_assert_ptr_nonnull(strstr(output, "\"sum\":\"0.55\""));
    ck_assert_str_eq(output + strlen(output) - 2, "}\n");
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ctl_mscons");
    TCase *t = tcase_create("ctl_mscons");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, a_clean_file_is_silent_and_0);
    tcase_add_test(t, a_finding_is_a_line_and_1);
    tcase_add_test(t, the_name_counts_only_with_name);
    tcase_add_test(t, what_cannot_be_read_is_2);
    tcase_add_test(t, wrong_usage_is_2);
    tcase_add_test(t, behind_two_dashes_everything_is_a_file);
    tcase_add_test(t, show_prints_one_object);
    suite_add_tcase(s, t);
    runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
