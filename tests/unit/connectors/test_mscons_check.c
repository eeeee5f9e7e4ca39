#include "connectors/mscons_check.h"
#include "corpus.h"
#include "suites.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The codes found, joined by blanks. */
struct found {
    char codes[4096];
    unsigned n;
};

static void keep(void *ctx, const struct mscons_finding *f)
{
    struct found *found = ctx;
    size_t used = strlen(found->codes);

    found->n++;
    ck_assert_str_ne(f->code, "");
    ck_assert_str_ne(f->text, "");
    if (used + strlen(f->code) + 2 < sizeof(found->codes))
        snprintf(found->codes + used, sizeof(found->codes) - used, "%s ", f->code);
}

static struct mscons_check_result check(const char *data, size_t len, const char *name,
                                        struct found *found)
{
    struct mscons_findings out = { keep, found };
    struct mscons_check_result result;

    *found = (struct found){ 0 };
    ck_assert_int_eq(mscons_check(data, len, name, &out, &result), EMT_OK);
    return result;
}

static bool has_code(const struct found *found, const char *code)
{
    char padded[32];
    char list[sizeof(found->codes) + 1];

    snprintf(padded, sizeof(padded), " %s ", code);
    snprintf(list, sizeof(list), " %s", found->codes);
    return strstr(list, padded) != NULL;
}

static const char *const goldens[] = { "13018_half_hour.edi",    "13017_readings.edi",
                                       "13025_short_day.edi",    "13025_long_day.edi",
                                       "13018_version_2_4c.edi", "13002_gas.edi",
                                       "13019_energy.edi",       "13006_cancellation.edi",
                                       "13022_redispatch.edi" };

START_TEST(golden_files_are_clean)
{
    for (size_t i = 0; i < sizeof(goldens) / sizeof(goldens[0]); i++) {
        size_t len = 0;
        char *text = golden_read(goldens[i], &len);
        struct found found;

        ck_assert_uint_eq(check(text, len, NULL, &found).findings, 0);
        ck_assert_msg(found.n == 0, "%s: %s", goldens[i], found.codes);
        free(text);
    }
}
END_TEST

/* A golden file in which `from` is replaced once by `to` must be found with `code` and nothing
 * else. */
struct fault {
    const char *golden, *from, *to, *code;
};

static const struct fault faults[] = {
    /* Interchange. */
    { "13018_half_hour.edi", "UNA:+.?", "UNA:+,?", "UNA" },
    { "13018_half_hour.edi", "UNA:+.? '", "", "UNA" },
    { "13018_half_hour.edi", "UNOC:3", "UNOA:3", "UNB" },
    { "13018_half_hour.edi", "261118:0312", "261318:0312", "UNB" },
    { "13018_half_hour.edi", "+GOLDEN1++TL", "+GOLDEN1++TL+1", "UNB" },
    { "13018_half_hour.edi", "+GOLDEN1++TL", "+GOLDEN1++EM", "APP" },
    { "13018_half_hour.edi", "UNZ+1+", "UNZ+2+", "UNZ" },
    { "13018_half_hour.edi", "UNZ+1+GOLDEN1", "UNZ+1+GOLDEN2", "UNZ" },
    { "13018_half_hour.edi", "UNZ+1+GOLDEN1'", "", "UNZ" },
    { "13018_half_hour.edi", "UNZ+1+GOLDEN1'", "UNZ+1+GOLDEN1", "SYNTAX" },
    { "13018_half_hour.edi", "UNZ+1+GOLDEN1'", "UNZ+1+GOLDEN1'\r\n", "LFEND" },
    { "13018_half_hour.edi", "BGM+", "\nBGM+", "LF" },
    { "13018_half_hour.edi", "G-1", "G\t1", "CHAR" },
    /* Envelope of a message. */
    { "13018_half_hour.edi", "UNT+22+1", "UNT+21+1", "UNT" },
    { "13018_half_hour.edi", "UNT+22+1", "UNT+22+2", "UNT" },
    { "13018_half_hour.edi", ":UN:2.5", ":UN:2.4c", "UNH" },
    { "13018_version_2_4c.edi", ":UN:2.4c", ":UN:2.5", "UNH" },
    { "13017_readings.edi", "UNH+2", "UNH+1", "UNH" },
    { "13017_readings.edi", "+G-3+", "+G-2+", "BGM" },
    { "13018_half_hour.edi", "UNH+1+MSCONS", "UNH+1+UTILMD", "UNH" },
    /* Head. */
    { "13018_half_hour.edi", "BGM+7", "BGM+Z48", "BGM" },
    { "13018_half_hour.edi", "+G-1+9", "+G-1+1", "BGM" },
    { "13018_half_hour.edi", "DTM+137:202611180312", "DTM+137:202611180313", "FUTURE" },
    { "13018_half_hour.edi", "Z13:13018", "Z13:13999", "PID" },
    { "13018_half_hour.edi", "NAD+MS+9900999000106", "NAD+MS+9900999000205", "NAD" },
    { "13018_half_hour.edi", "NAD+MS+9900999000106::293", "NAD+MS+9900999000106::9", "NAD" },
    { "13018_half_hour.edi", "RFF+Z13", "RFF+Z30:X'RFF+Z13", "RFF" },
    { "13018_version_2_4c.edi", "messdaten@", "messdaten", "COM" },
    { "13018_version_2_4c.edi", "CTA+IC", "CTA+XX", "CTA" },
    { "13018_version_2_4c.edi", ":EM", ":XX", "COM" },
    { "13018_half_hour.edi", "UNS+D", "UNS+S", "UNS" },
    { "13006_cancellation.edi", "RFF+ACW:G-2'", "", "RFF" },
    /* Place. */
    { "13018_half_hour.edi", "NAD+DP", "NAD+DED", "NAD" },
    { "13018_half_hour.edi", "LOC+172", "LOC+237", "LOC" },
    { "13025_long_day.edi", "LOC+172+51234567895", "LOC+172+51234567896", "LOCID" },
    { "13025_long_day.edi", "LOC+172+51234567895", "LOC+172", "LOCID" },
    { "13017_readings.edi", "RFF+MG:1EMH0012345678'", "", "RFF" },
    { "13017_readings.edi", "'RFF+AGK:CFG00000000000000000000000000000001", "", "LOCID" },
    { "13018_half_hour.edi", "DTM+163:202611170800?+00", "DTM+163:202611170900?+01", "DTM" },
    { "13018_half_hour.edi", "LIN+1", "LIN+2", "LIN" },
    /* Register. */
    { "13018_half_hour.edi", "1-1?:1.29.0", "1-1?:1.8.0", "OBIS" },
    { "13018_half_hour.edi", "1-1?:1.29.0", "1-1?:1.29.0*255", "OBIS" },
    { "13018_half_hour.edi", "1-1?:1.29.0", "1.29.0", "OBIS" },
    { "13018_half_hour.edi", ":SRW", ":Z08", "PIA" },
    { "13022_redispatch.edi", "PIA+5+AUA", "PIA+5+SOL", "PIA" },
    /* Value. */
    { "13018_half_hour.edi", "QTY+220:0.25", "QTY+220:0,25", "NUM" },
    { "13018_half_hour.edi", "QTY+220:0.25", "QTY+220:.25", "NUM" },
    { "13018_half_hour.edi", "QTY+220:0.25", "QTY+220:25.", "NUM" },
    { "13018_half_hour.edi", "QTY+220:0.25", "QTY+220:1e3", "NUM" },
    { "13018_half_hour.edi", "QTY+220:0.25", "QTY+220:0.2505", "NUM" },
    { "13018_half_hour.edi", "QTY+220:0.25", "QTY+220:-0.25", "NUM" },
    { "13018_half_hour.edi", "QTY+220:0.25", "QTY+220:0.25:KWH", "UNIT" },
    { "13022_redispatch.edi", ":KWH", ":KWT", "UNIT" },
    { "13018_half_hour.edi", "QTY+220", "QTY+79", "QTY" },
    { "13017_readings.edi", "QTY+220:0.4", "QTY+Z18:0.4", "QTY" },
    { "13018_half_hour.edi", "'STS+Z32++Z92", "", "STS" },
    { "13018_half_hour.edi", "'STS+Z40++Z75", "", "STS" },
    { "13018_half_hour.edi", "Z40++Z75", "Z40++ZS9", "STS" },
    { "13018_half_hour.edi", "QTY+67", "QTY+220", "STS" },
    { "13019_energy.edi", "'STS+10+Z37", "", "STS" },
    { "13019_energy.edi", "STS+10+Z37", "STS+10+Z38", "STS" },
    /* Times. */
    { "13025_long_day.edi",
      "QTY+220:0.006'DTM+163:202610242215?+00:303'DTM+164:202610242230?+00:303'", "", "GAP" },
    { "13025_long_day.edi", "DTM+164:202610242230", "DTM+164:202610242245", "GAP" },
    { "13025_long_day.edi", "DTM+164:202610252300?+00:303'LIN+1",
      "DTM+164:202610252200?+00:303'LIN+1", "GAP" },
    { "13018_half_hour.edi", "DTM+137:202611180312", "DTM+137:202611170829", "FUTURE" },
    { "13017_readings.edi", "DTM+7:202611082300", "DTM+7:202611082200", "DAYLINE" },
    { "13002_gas.edi", "DTM+7:202611010500", "DTM+7:202611010400", "DAYLINE" },
    { "13017_readings.edi", "DTM+60:202611090915", "DTM+60:202611092300", "USEDATE" },
    { "13017_readings.edi", "DTM+9:20261031", "DTM+9:20261030", "USEDATE" },
    { "13017_readings.edi", "DTM+7:202611082300?+00:303'", "", "DTM" },
    { "13018_half_hour.edi", "DTM+163:202611170815?+00", "DTM+163:202611170815+00", "DTM" },
    /* Order. */
    { "13018_half_hour.edi", "NAD+DP'", "NAD+DP'UNS+D'", "ORDER" },
    { "13018_half_hour.edi", "LIN+1'", "LIN+1'FTX+ABO'", "SEG" },
    { "13017_readings.edi", "DTM+9:20261031:102'DTM+7:202610312300?+00:303'",
      "DTM+7:202610312300?+00:303'DTM+9:20261031:102'", "ORDER" },
};

/* Counts of UNT are put right where the fault changes the number of segments. */
static void set_counts(char *text)
{
    char *unh = text;

    while ((unh = strstr(unh, "'UNH+")) != NULL) {
        char *unt = strstr(unh, "'UNT+");
        unsigned n = 0;
        char digits[8];

        if (!unt)
            return;
        for (char *p = unh + 1; p <= unt; p++)
            n += *p == '\'' && p[-1] != '?';
        snprintf(digits, sizeof(digits), "%u", n + 1);
        if (strspn(unt + 5, "0123456789") == strlen(digits))
            memcpy(unt + 5, digits, strlen(digits));
        unh = unt;
    }
}

static char *broken(const struct fault *f, size_t *len)
{
    char *golden = golden_read(f->golden, len);
    char *at = strstr(golden, f->from);
    size_t from = strlen(f->from);
    size_t to = strlen(f->to);
    char *text;

    if (!at) {
        free(golden);
        return NULL;
    }
    text = calloc(1, *len + to + 1);
    memcpy(text, golden, (size_t)(at - golden));
    memcpy(text + (at - golden), f->to, to);
    memcpy(text + (at - golden) + to, at + from, *len - (size_t)(at - golden) - from);
    *len = *len + to - from;
    if (strcmp(f->code, "UNT") != 0)
        set_counts(text);
    free(golden);
    return text;
}

START_TEST(one_fault_is_found_under_its_code)
{
    const struct fault *f = &faults[_i];
    size_t len = 0;
    char *text = broken(f, &len);
    struct found found;

    ck_assert_msg(text != NULL, "%s has no '%s'", f->golden, f->from);
    check(text, len, NULL, &found);
    ck_assert_msg(has_code(&found, f->code), "%s '%s' -> '%s': found '%s', not %s", f->golden,
                  f->from, f->to, found.codes, f->code);
    free(text);
}
END_TEST

START_TEST(the_file_name_is_judged_on_demand)
{
    size_t len = 0;
    char *text = golden_read("13018_half_hour.edi", &len);
    struct found found;

    check(text, len, "MSCONS_TL_9900999000106_9900999000205_20261118_GOLDEN1.txt", &found);
    ck_assert_uint_eq(found.n, 0);
    check(text, len, "MSCONS_TL_9900999000106_9900999000205_20261119_GOLDEN1.txt", &found);
    ck_assert_str_eq(found.codes, "NAME ");
    free(text);
}
END_TEST

START_TEST(an_inferred_check_digit_only_warns)
{
    struct fault f = { "13018_half_hour.edi", "+9900999000106:500", "+9900999000107:500", "" };
    size_t len = 0;
    char *text = broken(&f, &len);
    char *nad = strstr(text, "NAD+MS+9900999000106");
    struct mscons_check_result result;
    struct found found;

    nad[19] = '7';
    result = check(text, len, NULL, &found);
    ck_assert_uint_eq(result.findings, 0);
    ck_assert_uint_eq(result.warnings, 1);
    free(text);
}
END_TEST

START_TEST(findings_of_one_kind_are_summed_up)
{
    char *text = malloc(1u << 16);
    size_t n = (size_t)snprintf(text, 64, "UNA:+.? 'UNB+UNOC:3+1:500+2:500+261118:0312+A++TL'");
    struct mscons_check_result result;
    struct found found;

    for (int i = 0; i < 1000; i++)
        n += (size_t)snprintf(text + n, 16, "LIN+1'");
    n += (size_t)snprintf(text + n, 16, "UNZ+0+A'");
    result = check(text, n, NULL, &found);
    ck_assert_uint_ge(result.findings, 1000);
    ck_assert_uint_le(found.n, MSCONS_FINDINGS_PER_CODE + 10);
    free(text);
}
END_TEST

START_TEST(what_is_no_edifact_is_unreadable)
{
    struct found found = { 0 };
    struct mscons_findings out = { keep, &found };
    struct mscons_check_result result;

    ck_assert_int_eq(mscons_check("", 0, NULL, &out, &result), EMT_EUNSUPPORTED);
    ck_assert_int_eq(mscons_check("%PDF-1.7", 8, NULL, &out, &result), EMT_EUNSUPPORTED);
    ck_assert_uint_eq(found.n, 0);
}
END_TEST

/* Every prefix, every byte flipped and every segment doubled: judged, never crashed, and never
 * clean. */
START_TEST(hostile_variants_are_judged)
{
    size_t len = 0;
    char *text = golden_read("13018_half_hour.edi", &len);
    struct mscons_findings out = { keep, NULL };
    struct mscons_check_result result;
    struct found found;
    char *copy = malloc(2 * len);

    out.ctx = &found;
    for (size_t i = 3; i < len; i++) {
        char *exact = malloc(i); /* a read behind the end is seen by the sanitizer */

        memcpy(exact, text, i);
        found = (struct found){ 0 };
        ck_assert_int_eq(mscons_check(exact, i, NULL, &out, &result), EMT_OK);
        ck_assert_uint_gt(result.findings, 0);
        free(exact);
    }
    for (size_t i = 0; i < len * 8; i++) {
        memcpy(copy, text, len);
        copy[i / 8] = (char)((unsigned char)copy[i / 8] ^ (1u << i % 8));
        found = (struct found){ 0 };
        (void)!mscons_check(copy, len, NULL, &out, &result);
    }
    free(copy);
    free(text);
}
END_TEST

static void judge_sample(const char *name)
{
    char json_name[256];
    char *json = NULL;
    char *text = NULL;
    size_t json_len = 0;
    size_t len = 0;
    json_t *expected;
    struct mscons_check_result result;
    struct found found;
    const char *code;

    snprintf(json_name, sizeof(json_name), "%.*s.expected.json", (int)(strlen(name) - 4), name);
    if (!sample_read(name, &text, &len) || !sample_read(json_name, &json, &json_len)) {
        free(text);
        return;
    }
    expected = json_loadb(json, json_len, 0, NULL);
    result = check(text, len, NULL, &found);
    code = json_string_value(json_object_get(expected, "finding"));
    if (json_is_false(json_object_get(expected, "clean")))
        ck_assert_msg(result.findings > 0, "%s: nothing found", name);
    else
        ck_assert_msg(found.n == 0, "%s: %s", name, found.codes);
    ck_assert_msg(!code || has_code(&found, code), "%s: %s, not %s", name, found.codes, code);
    json_decref(expected);
    free(json);
    free(text);
}

START_TEST(samples_are_judged_as_expected)
{
    samples_walk(".edi", judge_sample);
}
END_TEST

Suite *mscons_check_suite(void)
{
    Suite *s = suite_create("mscons_check");
    TCase *t = tcase_create("mscons_check");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, golden_files_are_clean);
    tcase_add_loop_test(t, one_fault_is_found_under_its_code, 0,
                        (int)(sizeof(faults) / sizeof(faults[0])));
    tcase_add_test(t, the_file_name_is_judged_on_demand);
    tcase_add_test(t, an_inferred_check_digit_only_warns);
    tcase_add_test(t, findings_of_one_kind_are_summed_up);
    tcase_add_test(t, what_is_no_edifact_is_unreadable);
    tcase_add_test(t, hostile_variants_are_judged);
    tcase_add_test(t, samples_are_judged_as_expected);
    suite_add_tcase(s, t);
    return s;
}
