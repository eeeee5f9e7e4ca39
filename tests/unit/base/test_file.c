#include "base/file.h"
#include "suites.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A new folder under the temporary directory; its path lives in `buf`. */
static const char *make_dir(char buf[64])
{
    (void)snprintf(buf, 64, "%s", "/tmp/emt-file-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(buf));
    return buf;
}

static unsigned count_entries(const char *dir)
{
    DIR *d = opendir(dir);
    unsigned n = 0;

    ck_assert_ptr_nonnull(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n - 2;
}

static void assert_content(const char *path, const char *expected)
{
    char *text;
    size_t len;

    ck_assert_int_eq(file_read(path, 1000, &text, &len, NULL), EMT_OK);
    ck_assert_str_eq(text, expected);
    ck_assert_uint_eq(len, strlen(expected));
    free(text);
}

START_TEST(written_replaced_and_read)
{
    char dir[64];
    char path[128];
    struct stat st;

    ck_assert_int_eq(file_join(path, sizeof path, make_dir(dir), "f"), EMT_OK);
    ck_assert_int_eq(file_write(path, "one", 3, 0600, NULL), EMT_OK);
    ck_assert_int_eq(file_write(path, "second", 6, 0640, NULL), EMT_OK);
    assert_content(path, "second");
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0640);
    ck_assert_uint_eq(count_entries(dir), 1); /* no temporary file stays */
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

START_TEST(create_never_replaces)
{
    char dir[64];
    char path[128];
    struct emt_diag diag = { .file = "" };

    ck_assert_int_eq(file_join(path, sizeof path, make_dir(dir), "f"), EMT_OK);
    ck_assert_int_eq(file_create(path, "one", 3, 0600, NULL), EMT_OK);
    ck_assert_int_eq(file_create(path, "two", 3, 0600, &diag), EMT_ECONFLICT);
    ck_assert_str_eq(diag.file, path);
    assert_content(path, "one");
    ck_assert_uint_eq(count_entries(dir), 1);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

START_TEST(reading_has_a_limit)
{
    char dir[64];
    char path[128];
    char *text;
    size_t len;

    ck_assert_int_eq(file_join(path, sizeof path, make_dir(dir), "f"), EMT_OK);
    ck_assert_int_eq(file_write(path, "12345", 5, 0600, NULL), EMT_OK);
    ck_assert_int_eq(file_read(path, 4, &text, &len, NULL), EMT_ELIMIT);
    ck_assert_int_eq(file_read(path, 5, &text, &len, NULL), EMT_OK);
    free(text);
    ck_assert_int_eq(file_read("/dev/zero", 100000, &text, &len, NULL), EMT_ELIMIT);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

START_TEST(files_without_a_size_are_read)
{
    char *text;
    size_t len;

    ck_assert_int_eq(file_read("/proc/self/status", 100000, &text, &len, NULL), EMT_OK);
    ck_assert_uint_gt(len, 0);
    free(text);
}
END_TEST

START_TEST(what_is_missing_is_told_apart_from_what_fails)
{
    struct emt_diag diag = { .file = "" };
    char *text;
    size_t len;

    ck_assert_int_eq(file_read("/nowhere/f", 10, &text, &len, &diag), EMT_ENOTFOUND);
    ck_assert_str_eq(diag.file, "/nowhere/f");
    ck_assert_int_eq(file_read("/tmp", 10, &text, &len, &diag), EMT_EIO);
    ck_assert_int_eq(file_write("/proc/none/f", "x", 1, 0600, &diag), EMT_ENOTFOUND);
}
END_TEST

START_TEST(folders_with_their_parents)
{
    char dir[64];
    char path[128];
    char file[160];
    struct emt_diag diag = { .file = "" };

    ck_assert_int_eq(file_join(path, sizeof path, make_dir(dir), "a/b/"), EMT_OK);
    ck_assert_int_eq(file_mkdirs(path, 0700, NULL), EMT_OK);
    ck_assert_int_eq(file_mkdirs(path, 0700, NULL), EMT_OK);
    ck_assert_int_eq(file_join(file, sizeof file, path, "f"), EMT_OK);
    ck_assert_int_eq(file_write(file, "", 0, 0600, NULL), EMT_OK);
    ck_assert_int_eq(file_mkdirs(file, 0700, &diag), EMT_EIO);
    ck_assert_int_eq(unlink(file), 0);
    ck_assert_int_eq(rmdir(path), 0);
    (void)snprintf(path, sizeof path, "%s/a", dir);
    ck_assert_int_eq(rmdir(path), 0);
    ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

START_TEST(joined_paths_must_fit)
{
    char buf[8];

    ck_assert_int_eq(file_join(buf, sizeof buf, "/ab/", "cde"), EMT_OK);
    ck_assert_str_eq(buf, "/ab/cde");
    ck_assert_int_eq(file_join(buf, sizeof buf, "/abc", "cde"), EMT_ELIMIT);
}
END_TEST

SUITE(file, written_replaced_and_read, create_never_replaces, reading_has_a_limit,
      files_without_a_size_are_read, what_is_missing_is_told_apart_from_what_fails,
      folders_with_their_parents, joined_paths_must_fit)
