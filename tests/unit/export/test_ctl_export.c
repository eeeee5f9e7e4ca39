/* Exit codes, paths and files of emtctl export, which are contracts. */
#include "base/file.h"
#include "connectors/mscons_check.h"
#include "ctl_export.h"
#include "export_fixture.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct pg_fixture *fixture;
static char folder[] = "/tmp/test-ctl-export-XXXXXX";
static char output[8192], complaints[8192];

static FILE *divert(int fd, int *saved)
{
    FILE *f = tmpfile();

    ck_assert_ptr_nonnull(f);
    *saved = dup(fd);
    dup2(fileno(f), fd);
    return f;
}

static void restore(int fd, int saved, FILE *f, char *text, size_t size)
{
    dup2(saved, fd);
    close(saved);
    rewind(f);
    text[fread(text, 1, size - 1, f)] = '\0';
    fclose(f);
}

/* Runs the command; words stand between single spaces, '@' is the folder. */
static int run(const char *words)
{
    char text[1024];
    char *argv[40] = { "export" };
    int argc = 1;
    int saved_out;
    int saved_err;
    size_t n = 0;

    for (const char *p = words; *p; p++)
        n += (size_t)snprintf(text + n, sizeof text - n, *p == '@' ? "%s" : "%.1s",
                              *p == '@' ? folder : p);
    for (char *p = text, *next; p != NULL && *p; p = next) {
        next = strchr(p, ' ');
        if (next)
            *next++ = '\0';
        argv[argc++] = p;
    }
    fflush(stdout);
    FILE *out = divert(STDOUT_FILENO, &saved_out);
    FILE *err = divert(STDERR_FILENO, &saved_err);
    int code = ctl_export(argc, argv);
    fflush(stdout);
    fflush(stderr);
    restore(STDOUT_FILENO, saved_out, out, output, sizeof output);
    restore(STDERR_FILENO, saved_err, err, complaints, sizeof complaints);
    return code;
}

#define DAYS "--pid 13018 --from 2026-01-14 --to 2026-01-15"

START_TEST(wrong_usage_is_2_and_says_what)
{
    static const struct {
        const char *words, *says;
    } cases[] = {
        { "", "usage:" },
        { "csv", "unknown format csv" },
        { "mscons", "are needed" },
        { "mscons --tenant a --out @ " DAYS " --fast", "unknown option --fast" },
        { "mscons --tenant a --tenant b --out @ " DAYS, "given twice: --tenant" },
        { "mscons --out @ " DAYS " --tenant", "behind --tenant" },
        { "mscons --tenant a --out @ --pid x --from 2026-01-14 --to 2026-01-15", "--pid" },
        { "mscons --tenant a --out @ --pid 13018 --from 14.01.2026 --to 2026-01-15", "--from" },
        { "mscons --tenant a --out @ --pid 13018 --from 2026-01-14 --to 2026-02-30", "--to" },
        { "mscons --tenant a --out @ " DAYS " --config a --embedded b", "only one of" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_int_eq(run(cases[i].words), 2);
        ck_assert_msg(strstr(complaints, cases[i].says) != NULL, "%s: %s", cases[i].words,
                      complaints);
        ck_assert_str_eq(output, "");
    }
    ck_assert_int_eq(run("--help"), 0);
    ck_assert_ptr_nonnull(strstr(output, "usage:"));
}
END_TEST

static void put_finding(void *ctx, const struct mscons_finding *f)
{
    (void)ctx;
    fprintf(stderr, "%u: %s: %s\n", f->segment, f->code, f->text);
}

/* One path on stdout, of a clean file in the folder. */
static void check_file(char path[1024])
{
    struct mscons_findings out = { put_finding, NULL };
    struct mscons_check_result result;
    char *text = NULL;
    size_t len = 0;

    snprintf(path, 1024, "%.*s", (int)strcspn(output, "\n"), output);
    ck_assert_uint_eq(strlen(output), strlen(path) + 1);
    ck_assert_int_eq(strncmp(path, folder, strlen(folder)), 0);
    ck_assert_int_eq(file_read(path, 1u << 20, &text, &len, NULL), EMT_OK);
    ck_assert_int_eq(mscons_check(text, len, strrchr(path, '/') + 1, &out, &result), EMT_OK);
    ck_assert_uint_eq(result.findings, 0);
    ck_assert_uint_gt(result.values, 0);
    free(text);
}

static void write_text(const char *name, const char *text)
{
    char path[256];

    ck_assert_int_eq(file_join(path, sizeof path, folder, name), EMT_OK);
    ck_assert_int_eq(file_write(path, text, strlen(text), 0600, NULL), EMT_OK);
}

START_TEST(every_way_to_the_database_writes_a_clean_file_of_its_own)
{
    char text[400];
    char path[3][1024];
    int32_t tenant = export_tenant_new(fixture, "ctl");
    struct export_bind b = { .place = MELO, .obis = "1-1:1.29.0", .from = "2025-01-01T00:00:00Z" };

    b.channel = export_channel(fixture, tenant, "EMT-12345678-01-02", "Wh");
    export_place(fixture, tenant, MELO, RECEIVER);
    export_bind(fixture, tenant, &b);
    export_readings(fixture, tenant, b.channel, "2026-01-13T23:00:00Z", 90);
    snprintf(text, sizeof text, "%s\n", pg_fixture_conninfo(fixture));
    write_text("conninfo", text);
    snprintf(text, sizeof text, "node:\n  name: a\ndatabase:\n  conninfo: \"%s\"\n",
             pg_fixture_conninfo(fixture));
    write_text("emtd.yaml", text);

    ck_assert_int_eq(run("mscons --tenant ctl --embedded @ --out @/a/b " DAYS), 0);
    check_file(path[0]);
    /* The rest of the day is missing. */
    ck_assert_ptr_nonnull(strstr(complaints, MELO ": 1-1:1.29.0: gap"));
    ck_assert_int_eq(run("mscons --tenant ctl --config @/emtd.yaml --out @/a/b --location " MELO
                         " --test " DAYS),
                     0);
    check_file(path[1]);
    ck_assert_str_ne(path[0], path[1]);
    ck_assert_int_eq(run("mscons --tenant ctl --embedded @ --hold-gaps --out @ " DAYS), 1);
    ck_assert_ptr_nonnull(strstr(complaints, "nothing to write"));
    ck_assert_str_eq(output, "");
    snprintf(text, sizeof text,
             "select count(*) from audit where tenant_id = %d and action = 'export.mscons'"
             " and actor like 'emtctl:%%'",
             (int)tenant);
    ck_assert_int_eq(pg_fixture_number(fixture, text), 2);
}
END_TEST

START_TEST(what_fails_is_1_and_says_why)
{
    static const struct {
        const char *words, *says;
    } cases[] = {
        { "mscons --tenant none --embedded @ --out @ " DAYS, "there is no tenant none" },
        { "mscons --tenant fails --embedded @/nowhere --out @ " DAYS, "nowhere" },
        { "mscons --tenant fails --config @/empty.yaml --out @ " DAYS, "database.conninfo" },
        { "mscons --tenant fails --conninfo host=/nowhere --out @ " DAYS, "database as" },
        { "mscons --tenant fails --embedded @ --out @/empty.yaml/a " DAYS, "empty.yaml" },
        { "mscons --tenant fails --embedded @ --out @ --location " MELO " " DAYS,
          "is not registered" },
    };
    char text[400];

    (void)export_tenant_new(fixture, "fails");
    snprintf(text, sizeof text, "%s\n", pg_fixture_conninfo(fixture));
    write_text("conninfo", text);
    write_text("empty.yaml", "node:\n  name: a\n");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_int_eq(run(cases[i].words), 1);
        ck_assert_msg(strstr(complaints, cases[i].says) != NULL, "%s: %s", cases[i].words,
                      complaints);
        ck_assert_str_eq(output, "");
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ctl_export");
    TCase *c = tcase_create("all");
    char command[64];

    fixture = pg_fixture_start();
    export_partitions(fixture);
    if (mkdtemp(folder) == NULL)
        return EXIT_FAILURE;
    tcase_set_timeout(c, 60);
    tcase_add_test(c, wrong_usage_is_2_and_says_what);
    tcase_add_test(c, every_way_to_the_database_writes_a_clean_file_of_its_own);
    tcase_add_test(c, what_fails_is_1_and_says_why);
    suite_add_tcase(suite, c);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0)
        failed++;
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
