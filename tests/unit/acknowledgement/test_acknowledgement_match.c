#include "acknowledgement/acknowledgement_folder.h"
#include "acknowledgement/acknowledgement_match.h"
#include "pg_fixture.h"
#include "store/acknowledgement_store.h"

#include <check.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utime.h>

#define OURS "9900999000106"
#define PARTNER "9900999000205"
#define STRANGER "9900999000304"
#define NOW ((emt_time)INT64_C(1795219200000000)) /* 2026-11-21 */

static struct pg_fixture *fixture;
static struct store *app;
static int serial;

static void sql(const char *fmt, ...) EMT_PRINTF(1, 2);
static void sql(const char *fmt, ...)
{
    char text[2000];
    va_list ap;

    va_start(ap, fmt);
    ck_assert_int_lt(vsnprintf(text, sizeof text, fmt, ap), (int)sizeof text);
    va_end(ap);
    pg_fixture_sql(fixture, text);
}

static int64_t number(const char *fmt, ...) EMT_PRINTF(1, 2);
static int64_t number(const char *fmt, ...)
{
    char text[1000];
    va_list ap;

    va_start(ap, fmt);
    ck_assert_int_lt(vsnprintf(text, sizeof text, fmt, ap), (int)sizeof text);
    va_end(ap);
    return pg_fixture_number(fixture, text);
}

static int32_t new_tenant(void)
{
    char key[32];

    snprintf(key, sizeof key, "ack-%d", ++serial);
    return pg_fixture_tenant(fixture, key);
}

/* A delivered file with three messages D1 to D3. */
static int64_t new_file(int32_t tenant, const char *reference)
{
    sql("insert into export_file (tenant_id, kind, pid, sender, receiver, reference, file_name,"
        " period_from, period_to, created_at, messages, content, state, delivered_at)"
        " values (%d, 'mscons', '13018', '%s', '%s', '%s', '%s.txt', '2026-11-19', '2026-11-20',"
        " '2026-11-20', 3, 'x', 1, '2026-11-20T12:00:00Z')",
        tenant, OURS, PARTNER, reference, reference);
    int64_t file =
        number("select file_id from export_file where tenant_id = %d and reference = '%s'", tenant,
               reference);
    sql("insert into export_message (tenant_id, file_id, nth, number, use_case, receiver, location,"
        " obis, channels, period_from, period_to, version, digest, n_values, content_at,"
        " content_len, state) select %d, %" PRId64 ", i, 'D' || i, 13018, '%s', 'L' || i,"
        " '{1-1:1.29.0}', array[i], '2026-11-19', '2026-11-20', '2026-11-20', i, 96, 0, 1, 1"
        " from generate_series(1, 3) i",
        tenant, file, PARTNER);
    return file;
}

static int64_t file_state(int64_t file)
{
    return number("select state from export_file where file_id = %" PRId64, file);
}

static int64_t message_state(int64_t file, int nth)
{
    return number("select state from export_message where file_id = %" PRId64 " and nth = %d", file,
                  nth);
}

static int64_t events(int32_t tenant, const char *kind)
{
    return number("select count(*) from event where tenant_id = %d and kind = '%s'", tenant, kind);
}

static struct acknowledgement_outcome got;
static struct emt_diag diag;

static enum emt_err take(int32_t tenant, const char *text)
{
    struct acknowledgement_arrival a = { .tenant = tenant,
                                         .data = text,
                                         .len = strlen(text),
                                         .source = "rest",
                                         .file_name = "",
                                         .actor = "test",
                                         .now = NOW };
    memset(&diag, 0, sizeof diag);
    ck_assert_int_eq(store_begin(app, tenant), EMT_OK);
    enum emt_err err = acknowledgement_take(app, &a, &got, &diag);
    if (err == EMT_OK)
        ck_assert_int_eq(store_commit(app), EMT_OK);
    else
        store_rollback(app);
    return err;
}

/* A CONTRL of `from` to us; `body` stands behind UNH and counts `n` segments. */
static const char *contrl(const char *from, const char *reference, int n, const char *body)
{
    static char text[2000];

    snprintf(text, sizeof text,
             "UNB+UNOC:3+%s:500+" OURS ":500+261121:0320+%s'UNH+1+CONTRL:D:3:UN:2.0b'%s"
             "UNT+%d+1'UNZ+1+%s'",
             from, reference, body, n + 2, reference);
    return text;
}

static const char *aperak(const char *reference, int n, const char *body)
{
    static char text[2000];

    snprintf(text, sizeof text,
             "UNB+UNOC:3+" PARTNER ":500+" OURS ":500+261121:0320+%s'UNH+1+APERAK:D:07B:UN:2.2'%s"
             "UNT+%d+1'UNZ+1+%s'",
             reference, body, n + 2, reference);
    return text;
}

#define UCI(reference, action) "UCI+" reference "+" OURS ":500+" PARTNER ":500+" action "'"

START_TEST(contrl_accepts_a_file_and_its_messages_and_a_duplicate_changes_nothing)
{
    int32_t tenant = new_tenant();
    int64_t file = new_file(tenant, "A1");

    ck_assert_int_eq(take(tenant, contrl(PARTNER, "C1", 1, UCI("A1", "7"))), EMT_OK);
    ck_assert(!got.repeated);
    ck_assert_uint_eq(got.matched, 1);
    ck_assert_uint_eq(got.changed, 1);
    ck_assert_int_eq(file_state(file), EXPORT_ACCEPTED);
    ck_assert_int_eq(message_state(file, 3), EXPORT_ACCEPTED);
    int64_t first = got.id;
    sql("update export_file set state_text = 'untouched' where file_id = %" PRId64, file);
    ck_assert_int_eq(take(tenant, contrl(PARTNER, "C1", 1, UCI("A1", "7"))), EMT_OK);
    ck_assert(got.repeated);
    ck_assert_int_eq(got.id, first);
    /* The same said once more under another number. */
    ck_assert_int_eq(take(tenant, contrl(PARTNER, "C2", 1, UCI("A1", "7"))), EMT_OK);
    ck_assert(!got.repeated);
    ck_assert_uint_eq(got.changed, 0);
    ck_assert_int_eq(number("select count(*) from export_file where tenant_id = %d and state_text ="
                            " 'untouched'",
                            tenant),
                     1);
    ck_assert_int_eq(
        number("select repeats from acknowledgement where acknowledgement_id = %" PRId64, first),
        1);
    ck_assert_int_eq(number("select count(*) from audit where tenant_id = %d", tenant), 2);
    ck_assert_int_eq(events(tenant, "export-rejected"), 0);
}
END_TEST

START_TEST(contrl_rejects_a_file_with_an_alarm_that_says_why)
{
    int32_t tenant = new_tenant();
    int64_t file = new_file(tenant, "A1");

    ck_assert_int_eq(take(tenant, contrl(PARTNER, "C1", 1, UCI("A1", "4+28+UNZ+2"))), EMT_OK);
    ck_assert_int_eq(file_state(file), EXPORT_REJECTED);
    ck_assert_int_eq(message_state(file, 2), EXPORT_REJECTED);
    ck_assert_int_eq(
        number("select count(*) from event where tenant_id = %d and severity = 2 and kind"
               " = 'export-rejected' and detail = 'A1 to " PARTNER ": CONTRL C1: 28,"
               " segment UNZ, element 2'",
               tenant),
        1);
    /* What is rejected stays so. */
    ck_assert_int_eq(take(tenant, contrl(PARTNER, "C2", 1, UCI("A1", "7"))), EMT_OK);
    ck_assert_int_eq(file_state(file), EXPORT_REJECTED);
}
END_TEST

START_TEST(one_message_is_rejected_with_its_segment_and_the_others_are_accepted)
{
    int32_t tenant = new_tenant();
    int64_t file = new_file(tenant, "A1");

    ck_assert_int_eq(take(tenant, contrl(PARTNER, "C1", 4,
                                         UCI("A1", "7") "UCM+2+MSCONS:D:04B:UN:2.5+4'UCS+14'"
                                                        "UCD+12+2:2'")),
                     EMT_OK);
    ck_assert_int_eq(message_state(file, 1), EXPORT_ACCEPTED);
    ck_assert_int_eq(message_state(file, 2), EXPORT_REJECTED);
    ck_assert_int_eq(message_state(file, 3), EXPORT_ACCEPTED);
    ck_assert_int_eq(file_state(file), EXPORT_REJECTED);
    ck_assert_int_eq(number("select count(*) from export_message where file_id = %" PRId64
                            " and state_text = 'CONTRL C1: 12, segment 14, element 2.2'",
                            file),
                     1);
    ck_assert_int_eq(number("select count(*) from acknowledgement_note n join export_message m on"
                            " m.message_id = n.message_id and m.nth = 2 where n.tenant_id = %d",
                            tenant),
                     2);
}
END_TEST

START_TEST(aperak_refuses_by_document_and_by_message_and_whole_files)
{
    int32_t tenant = new_tenant();
    int64_t file = new_file(tenant, "A1");
    int64_t other = new_file(tenant, "A2");

    ck_assert_int_eq(take(tenant, aperak("P1", 6,
                                         "BGM+313+P'RFF+ACE:A1'ERC+Z20'FTX+ABO+++1-1?:1.29.0'"
                                         "RFF+ACW:D2'RFF+AGO:2'")),
                     EMT_OK);
    ck_assert_int_eq(message_state(file, 2), EXPORT_REFUSED);
    ck_assert_int_eq(message_state(file, 1), EXPORT_DELIVERED);
    ck_assert_int_eq(file_state(file), EXPORT_REFUSED);
    ck_assert_int_eq(events(tenant, "export-refused"), 1);
    /* The CONTRL that was slower takes nothing back. */
    ck_assert_int_eq(take(tenant, contrl(PARTNER, "C1", 1, UCI("A1", "7"))), EMT_OK);
    ck_assert_int_eq(message_state(file, 1), EXPORT_ACCEPTED);
    ck_assert_int_eq(message_state(file, 2), EXPORT_REFUSED);
    ck_assert_int_eq(file_state(file), EXPORT_REFUSED);
    ck_assert_int_eq(take(tenant, aperak("P2", 3, "BGM+313+P'RFF+ACE:A2'ERC+Z10'")), EMT_OK);
    ck_assert_int_eq(message_state(other, 3), EXPORT_REFUSED);
    ck_assert_int_eq(file_state(other), EXPORT_REFUSED);
    ck_assert_int_eq(take(tenant, aperak("P3", 3, "BGM+312+P'RFF+ACE:A1'RFF+ACW:D1'")), EMT_OK);
    ck_assert_int_eq(message_state(file, 1), EXPORT_ACCEPTED);
}
END_TEST

START_TEST(unknown_references_are_kept_with_a_warning)
{
    int32_t tenant = new_tenant();
    int64_t file = new_file(tenant, "A1");

    ck_assert_int_eq(take(tenant, contrl(PARTNER, "C1", 1, UCI("A9", "4+28"))), EMT_OK);
    ck_assert_uint_eq(got.unmatched, 1);
    ck_assert_uint_eq(got.matched, 0);
    ck_assert_int_eq(file_state(file), EXPORT_DELIVERED);
    ck_assert_int_eq(events(tenant, "acknowledgement-unmatched"), 1);
    ck_assert_int_eq(number("select count(*) from acknowledgement_note where tenant_id = %d and"
                            " file_id is null and interchange = 'A9'",
                            tenant),
                     1);
}
END_TEST

START_TEST(nobody_answers_for_another_partner_or_another_tenant)
{
    int32_t tenant = new_tenant();
    int32_t other = new_tenant();
    int64_t file = new_file(tenant, "A1");

    ck_assert_int_eq(take(tenant, contrl(STRANGER, "C1", 1, UCI("A1", "4+28"))), EMT_OK);
    ck_assert_uint_eq(got.unmatched, 1);
    /* Who says himself that it was another one's file. */
    ck_assert_int_eq(
        take(tenant, contrl(PARTNER, "C2", 1, "UCI+A1+" OURS ":500+" STRANGER ":500+4+28'")),
        EMT_OK);
    ck_assert_uint_eq(got.unmatched, 1);
    ck_assert_int_eq(take(other, contrl(PARTNER, "C3", 1, UCI("A1", "4+28"))), EMT_OK);
    ck_assert_uint_eq(got.unmatched, 1);
    ck_assert_int_eq(file_state(file), EXPORT_DELIVERED);
    ck_assert_int_eq(events(other, "acknowledgement-unmatched"), 1);
}
END_TEST

START_TEST(what_cannot_be_read_leaves_nothing)
{
    int32_t tenant = new_tenant();
    int64_t file = new_file(tenant, "A1");

    /* UNT counts wrong: the rejection in front of it is not believed. */
    ck_assert_int_eq(take(tenant, contrl(PARTNER, "C1", 2, UCI("A1", "4+28"))), EMT_EMALFORMED);
    ck_assert(diag.text[0] != '\0');
    ck_assert_int_eq(file_state(file), EXPORT_DELIVERED);
    ck_assert_int_eq(number("select count(*) from acknowledgement where tenant_id = %d", tenant),
                     0);
}
END_TEST

START_TEST(received_alone_says_nothing_and_names_that_are_not_there_no_message)
{
    int32_t tenant = new_tenant();
    int64_t file = new_file(tenant, "A1");

    ck_assert_int_eq(take(tenant, contrl(PARTNER, "C1", 1, UCI("A1", "8"))), EMT_OK);
    ck_assert_int_eq(file_state(file), EXPORT_DELIVERED);
    ck_assert_int_eq(
        take(tenant, contrl(PARTNER, "C2", 2, UCI("A1", "7") "UCM+9+MSCONS:D:04B:UN:2.5+4+13'")),
        EMT_OK);
    ck_assert_int_eq(message_state(file, 1), EXPORT_ACCEPTED);
    ck_assert_int_eq(file_state(file), EXPORT_REJECTED);
}
END_TEST

START_TEST(without_answer_in_time_a_file_is_overdue_by_its_partners_rule)
{
    int32_t tenant = new_tenant();
    int64_t file = new_file(tenant, "A1");
    int64_t patient = new_file(tenant, "A2");
    struct store *admin = pg_fixture_store(fixture, STORE_ADMIN);
    int64_t n = 0;

    sql("update export_file set delivered_at = now() - interval '2 hours' where file_id = %" PRId64,
        file);
    sql("update export_file set delivered_at = now() - interval '2 hours', receiver = '%s'"
        " where file_id = %" PRId64,
        STRANGER, patient);
    sql("insert into acknowledgement_rule values (%d, '', 3600), (%d, '%s', 0)", tenant, tenant,
        STRANGER);
    /* Files of other tests have other times. */
    sql("update export_file set delivered_at = null where tenant_id <> %d", tenant);
    ck_assert_int_eq(acknowledgement_overdue_step(admin, clock_now(), &n), EMT_OK);
    ck_assert_int_eq(n, 1);
    ck_assert_int_eq(file_state(file), EXPORT_OVERDUE);
    ck_assert_int_eq(message_state(file, 1), EXPORT_OVERDUE);
    ck_assert_int_eq(file_state(patient), EXPORT_DELIVERED);
    ck_assert_int_eq(events(tenant, "export-overdue"), 1);
    ck_assert_int_eq(acknowledgement_overdue_step(admin, clock_now(), &n), EMT_OK);
    ck_assert_int_eq(n, 0);
    /* Late is better than never. */
    ck_assert_int_eq(take(tenant, contrl(PARTNER, "C1", 1, UCI("A1", "7"))), EMT_OK);
    ck_assert_int_eq(file_state(file), EXPORT_ACCEPTED);
    store_close(admin);
}
END_TEST

START_TEST(a_delivery_raises_what_was_only_written)
{
    int32_t tenant = new_tenant();
    int64_t file = new_file(tenant, "A1");

    sql("update export_file set state = 0, delivered_at = null where file_id = %" PRId64, file);
    sql("update export_message set state = case nth when 2 then 3 else 0 end where file_id = %" PRId64,
        file);
    ck_assert_int_eq(store_begin(app, tenant), EMT_OK);
    ck_assert_int_eq(sent_file_delivered(app, tenant, file, NOW), EMT_OK);
    ck_assert_int_eq(sent_file_delivered(app, tenant, file, NOW + EMT_HOUR), EMT_OK);
    ck_assert_int_eq(store_commit(app), EMT_OK);
    ck_assert_int_eq(file_state(file), EXPORT_DELIVERED);
    ck_assert_int_eq(message_state(file, 1), EXPORT_DELIVERED);
    ck_assert_int_eq(message_state(file, 2), EXPORT_REJECTED);
    ck_assert_int_eq(number("select extract(epoch from delivered_at)::int8 from export_file where"
                            " file_id = %" PRId64,
                            file),
                     NOW / EMT_SECOND);
}
END_TEST

START_TEST(a_value_is_traced_to_the_messages_that_carried_it)
{
    int32_t tenant = new_tenant();
    int64_t file = new_file(tenant, "A1");
    struct store_result *r = NULL;
    emt_time noon = NOW - 48 * EMT_HOUR + 12 * EMT_HOUR; /* 19 November */

    ck_assert_int_eq(store_begin(app, tenant), EMT_OK);
    ck_assert_int_eq(sent_trace(app, tenant, 2, noon, 10, &r), EMT_OK);
    ck_assert_int_eq(store_rows(r), 1);
    ck_assert_int_eq(c_int(r, 0, SENT_MESSAGE_FILE), file);
    ck_assert_int_eq(c_int(r, 0, SENT_MESSAGE_NTH), 2);
    ck_assert_str_eq(c_text(r, 0, SENT_TRACE_REFERENCE), "A1");
    store_result_free(r);
    /* Begin and end of the period: the value of an interval stands at its end. */
    ck_assert_int_eq(sent_trace(app, tenant, 2, noon - 12 * EMT_HOUR, 10, &r), EMT_OK);
    ck_assert_int_eq(store_rows(r), 0);
    store_result_free(r);
    ck_assert_int_eq(sent_trace(app, tenant, 2, noon + 12 * EMT_HOUR, 10, &r), EMT_OK);
    ck_assert_int_eq(store_rows(r), 1);
    store_result_free(r);
    ck_assert_int_eq(sent_trace(app, tenant, 9, noon, 10, &r), EMT_OK);
    ck_assert_int_eq(store_rows(r), 0);
    store_result_free(r);
    store_rollback(app);
}
END_TEST

/* --- the folder --- */

static char root[] = "/tmp/emt-acks-XXXXXX";

static void put(int32_t tenant, const char *name, const char *text)
{
    char path[300];
    FILE *f;

    snprintf(path, sizeof path, "%s/%d", root, (int)tenant);
    (void)mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/%d/" ACKNOWLEDGEMENT_FOLDER, root, (int)tenant);
    (void)mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/%d/" ACKNOWLEDGEMENT_FOLDER "/%s", root, (int)tenant, name);
    f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

static bool there(int32_t tenant, const char *name)
{
    char path[300];
    struct stat st;

    snprintf(path, sizeof path, "%s/%d/" ACKNOWLEDGEMENT_FOLDER "/%s", root, (int)tenant, name);
    return lstat(path, &st) == 0;
}

static void age(int32_t tenant, const char *name)
{
    char path[300];
    struct utimbuf old = { 1000, 1000 };

    snprintf(path, sizeof path, "%s/%d/" ACKNOWLEDGEMENT_FOLDER "/%s", root, (int)tenant, name);
    ck_assert_int_eq(utime(path, &old), 0);
}

START_TEST(a_folder_is_looked_through)
{
    int32_t tenant = new_tenant();
    int64_t file = new_file(tenant, "A1");
    struct acknowledgement_folder_result res;
    char link[300];
    char half[100];

    put(tenant, "c1.edi", contrl(PARTNER, "C1", 1, UCI("A1", "7")));
    put(tenant, "again.edi", contrl(PARTNER, "C1", 1, UCI("A1", "7")));
    put(tenant, "words.txt", "no EDIFACT");
    put(tenant, "c2.edi.part", contrl(PARTNER, "C2", 1, UCI("A1", "4+28")));
    put(tenant, ".c3.edi", contrl(PARTNER, "C3", 1, UCI("A1", "4+28")));
    snprintf(half, sizeof half, "%.80s", contrl(PARTNER, "C4", 1, UCI("A1", "4+28")));
    put(tenant, "half.edi", half);
    snprintf(link, sizeof link, "%s/%d/" ACKNOWLEDGEMENT_FOLDER "/link.edi", root, (int)tenant);
    ck_assert_int_eq(symlink("/etc/hostname", link), 0);
    put(999999, "c1.edi", contrl(PARTNER, "C1", 1, UCI("A1", "7"))); /* no such tenant */
    ck_assert_int_eq(acknowledgement_folder_step(app, root, clock_now(), &res), EMT_OK);
    ck_assert_uint_eq(res.taken, 1);
    ck_assert_uint_eq(res.repeated, 1);
    ck_assert_uint_eq(res.refused, 1);
    ck_assert_int_eq(file_state(file), EXPORT_ACCEPTED);
    ck_assert(there(tenant, "done/c1.edi") && there(tenant, "done/again.edi"));
    ck_assert(there(tenant, "refused/words.txt") && !there(tenant, "words.txt"));
    ck_assert(there(tenant, "c2.edi.part") && there(tenant, ".c3.edi") &&
              there(tenant, "link.edi"));
    ck_assert(there(tenant, "half.edi") && there(999999, "c1.edi"));
    ck_assert_int_eq(events(tenant, "acknowledgement-refused"), 1);
    /* A name that is taken is not replaced; what stays half is refused in the end. */
    put(tenant, "words.txt", "no EDIFACT either");
    age(tenant, "half.edi");
    ck_assert_int_eq(acknowledgement_folder_step(app, root, clock_now(), &res), EMT_OK);
    ck_assert_uint_eq(res.refused, 2);
    ck_assert(there(tenant, "refused/words.txt.1") && there(tenant, "refused/half.edi"));
    ck_assert_int_eq(acknowledgement_folder_step(app, "/tmp/emt-acks-none", clock_now(), &res),
                     EMT_OK);
}
END_TEST

static void open_app(void)
{
    app = pg_fixture_store(fixture, STORE_APP);
}

static void close_app(void)
{
    store_close(app);
}

static Suite *suite(void)
{
    Suite *s = suite_create("acknowledgement_match");
    TCase *c = tcase_create("acknowledgement_match");

    tcase_set_timeout(c, 60);
    tcase_add_unchecked_fixture(c, open_app, close_app);
    tcase_add_test(c, contrl_accepts_a_file_and_its_messages_and_a_duplicate_changes_nothing);
    tcase_add_test(c, contrl_rejects_a_file_with_an_alarm_that_says_why);
    tcase_add_test(c, one_message_is_rejected_with_its_segment_and_the_others_are_accepted);
    tcase_add_test(c, aperak_refuses_by_document_and_by_message_and_whole_files);
    tcase_add_test(c, unknown_references_are_kept_with_a_warning);
    tcase_add_test(c, nobody_answers_for_another_partner_or_another_tenant);
    tcase_add_test(c, what_cannot_be_read_leaves_nothing);
    tcase_add_test(c, received_alone_says_nothing_and_names_that_are_not_there_no_message);
    tcase_add_test(c, without_answer_in_time_a_file_is_overdue_by_its_partners_rule);
    tcase_add_test(c, a_delivery_raises_what_was_only_written);
    tcase_add_test(c, a_value_is_traced_to_the_messages_that_carried_it);
    tcase_add_test(c, a_folder_is_looked_through);
    suite_add_tcase(s, c);
    return s;
}

int main(void)
{
    SRunner *runner = srunner_create(suite());
    char remove[100];

    fixture = pg_fixture_start();
    if (mkdtemp(root) == NULL)
        return EXIT_FAILURE;
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    snprintf(remove, sizeof remove, "rm -rf %s", root);
    if (system(remove) != 0)
        failed++;
    pg_fixture_stop(fixture);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
