/* Which radio telegrams pass, what a list survives, and what is no list. */
#include "agent/allow_list.h"
#include "base/file.h"
#include "base/hex.h"
#include "model/protocol.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/emt-allow-list-XXXXXX";
static char path[64];
static uint8_t bytes[64];

/* SND-NR of EMT 12345678, version 01, water, plain. */
#define METER "1044b41578563412010778041301000000"
#define OTHER "1044b41579563412010778041301000000"
/* A radio converter (type 37) with the meter in the long header. */
#define BEHIND "1844b4157856341201377279563412b4150107000000000413010000"
/* The same with an encrypted link layer: whose it is cannot be told. */
#define HIDDEN                                                                                     \
    "1244b41578563412013"                                                                          \
    "78d2000112233440000"

static struct spool_frame frame(const char *hex)
{
    struct spool_frame f = { .protocol = PROTOCOL_WMBUS,
                             .format = FRAME_FORMAT_NO_LINK_CRC,
                             .data = bytes };

    ck_assert_int_eq(hex_decode(hex, strlen(hex), bytes, sizeof bytes, &f.len), EMT_OK);
    bytes[0] = (uint8_t)(f.len - 1);
    return f;
}

static bool passes(struct allow_list *a, const char *hex)
{
    struct spool_frame f = frame(hex);

    return allow_list_passes(a, &f);
}

static struct allow_list *open_list(void)
{
    struct allow_list *a = NULL;
    struct emt_diag diag = { 0 };

    ck_assert_msg(allow_list_open(path, &a, &diag) == EMT_OK, "%s", diag.text);
    return a;
}

static struct command_outcome order(struct allow_list *a, const char *mode, const char *version,
                                    const char *first, const char *second)
{
    const struct uplink_argument arguments[] = {
        { "0", first }, { "1", second }, { "mode", mode }, { "version", version }
    };
    const struct uplink_command cmd = { .name = "allow-list",
                                        .arguments = arguments,
                                        .narguments = 4 };
    struct command_outcome o = { .outcome = 9 };

    allow_list_command(a, &cmd, &o);
    return o;
}

START_TEST(without_an_order_everything_passes)
{
    struct allow_list *a = open_list();

    ck_assert(passes(a, METER));
    ck_assert(passes(a, "00"));
    ck_assert_uint_eq(allow_list_filtered(a), 0);
    allow_list_free(a);
}
END_TEST

START_TEST(only_listed_meters_pass)
{
    struct allow_list *a = open_list();
    struct spool_frame wired;

    ck_assert_uint_eq(order(a, "list", "1", "EMT-12345678-01-07 KAM-00000001-01-04", "").outcome,
                      0);
    ck_assert(passes(a, METER));
    ck_assert(!passes(a, OTHER));
    ck_assert(!passes(a, BEHIND));
    ck_assert(!passes(a, "0944")); /* nobody's */
    ck_assert(passes(a, HIDDEN));
    ck_assert_uint_eq(allow_list_filtered(a), 3);
    wired = frame("10");
    wired.protocol = PROTOCOL_MBUS;
    ck_assert(allow_list_passes(a, &wired));
    /* By the meter's address, behind a converter whose own is not listed; and by the converter's.
     */
    ck_assert_uint_eq(order(a, "list", "2", "EMT-12345679-01-07", "").outcome, 0);
    ck_assert(passes(a, BEHIND));
    ck_assert_uint_eq(order(a, "list", "3", "", "EMT-12345678-01-37").outcome, 0);
    ck_assert(passes(a, BEHIND));
    ck_assert_uint_eq(order(a, "off", "4", "", "").outcome, 0);
    ck_assert(passes(a, OTHER));
    allow_list_free(a);
}
END_TEST

START_TEST(a_list_survives_a_restart)
{
    struct allow_list *a = open_list();

    ck_assert_uint_eq(order(a, "list", "7", "EMT-12345678-01-07", "").outcome, 0);
    allow_list_free(a);
    a = open_list();
    ck_assert(passes(a, METER));
    ck_assert(!passes(a, OTHER));
    /* An order that was overtaken changes nothing. */
    ck_assert_uint_eq(order(a, "off", "7", "", "").outcome, 1);
    ck_assert_uint_eq(order(a, "off", "6", "", "").outcome, 1);
    ck_assert(!passes(a, OTHER));
    allow_list_free(a);
}
END_TEST

START_TEST(an_empty_list_lets_nobody_pass)
{
    struct allow_list *a = open_list();

    ck_assert_uint_eq(order(a, "list", "1", "", "").outcome, 0);
    ck_assert(!passes(a, METER));
    allow_list_free(a);
}
END_TEST

START_TEST(what_is_no_order_changes_nothing)
{
    static const char *const wrong[][4] = {
        { "some", "1", "", "" },
        { "list", "", "", "" },
        { "list", "-1", "", "" },
        { "list", "1x", "", "" },
        { "list", "99999999999999999999", "", "" },
        { "list", "1", "EMT", "" },
        { "list", "1", "EMT-12345678-01-07", "EMT-12345678-01-07-EMT-12345678-01-07-EMT-12345678" },
    };
    struct allow_list *a = open_list();
    char *many = malloc((ALLOW_LIST_MAX + 1) * 20);

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        ck_assert_uint_eq(order(a, wrong[i][0], wrong[i][1], wrong[i][2], wrong[i][3]).outcome, 1);
    many[0] = 0;
    for (size_t i = 0; i <= ALLOW_LIST_MAX; i++)
        memcpy(many + i * 19, "EMT-12345678-01-07 ", 20);
    ck_assert_uint_eq(order(a, "list", "1", many, "").outcome, 1);
    ck_assert(passes(a, OTHER));
    ck_assert_int_ne(access(path, F_OK), 0);
    free(many);
    allow_list_free(a);
}
END_TEST

START_TEST(a_file_that_is_no_list_is_refused)
{
    static const char *const wrong[] = { "",
                                         "allow-list",
                                         "allow-list 1",
                                         "allow-list x list\n",
                                         "allow-list 1 all\n",
                                         "allow-list 1 list",
                                         "allow-list 1 list\nEMT\n" };

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct allow_list *a = NULL;
        struct emt_diag diag = { 0 };

        ck_assert_int_eq(file_write(path, wrong[i], strlen(wrong[i]), 0600, &diag), EMT_OK);
        ck_assert_msg(allow_list_open(path, &a, &diag) != EMT_OK, "%s", wrong[i]);
        ck_assert_ptr_null(a);
    }
}
END_TEST

static void begin(void)
{
    memcpy(folder, "/tmp/emt-allow-list-XXXXXX", sizeof folder);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/allow-list", folder);
}

static void end(void)
{
    (void)unlink(path);
    (void)rmdir(folder);
}

int main(void)
{
    Suite *s = suite_create("agent_allow_list");
    TCase *t = tcase_create("allow_list");

    tcase_add_checked_fixture(t, begin, end);
    tcase_add_test(t, without_an_order_everything_passes);
    tcase_add_test(t, only_listed_meters_pass);
    tcase_add_test(t, a_list_survives_a_restart);
    tcase_add_test(t, an_empty_list_lets_nobody_pass);
    tcase_add_test(t, what_is_no_order_changes_nothing);
    tcase_add_test(t, a_file_that_is_no_list_is_refused);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
