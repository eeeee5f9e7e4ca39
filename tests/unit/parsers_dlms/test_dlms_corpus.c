/* Telegrams of our own with the expected decoding beside them (tests/corpus/dlms).
 *
 *   telegram NAME             begins an entry; "end" ends it
 *   format NAME               left out: found by the decoder
 *   ek HEX | ak HEX | title HEX   the meter's key
 *   frame HEX                 appended to the telegram
 *   state NAME
 *   device ID | security TEXT | counter NUMBER | application CODE TEXT | more-follows | reason TEXT
 *   reading CODE QUANTITY VALUE UNIT TIME [s=STORAGE] [t=TARIFF] [q=QUALIFIER] [n=NTH]
 *           [f=FUNCTION] [quality=NAME]
 *                             "-" where there is nothing; all of these in this order */
#include "base/file.h"
#include "suites.h"
#include "support.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_MAX 4096
#define EXPECTED_MAX 64

struct entry {
    char name[TEST_LINE_MAX];
    struct test_meter meter;
    uint8_t frame[FRAME_MAX];
    size_t len;
    char expected[EXPECTED_MAX][TEST_LINE_MAX];
    unsigned n;
};

static void add_line(struct entry *e, const char *word, const char *value)
{
    struct device_key *key = &e->meter.keys[0];

    if (strcmp(word, "telegram") == 0) {
        (void)snprintf(e->name, sizeof e->name, "%s", value);
    } else if (strcmp(word, "format") == 0) {
        ck_assert_int_eq(frame_format_parse(value, &e->meter.format), EMT_OK);
    } else if (strcmp(word, "ek") == 0) {
        key->len = (uint8_t)dlms_test_hex(value, key->bytes, sizeof key->bytes);
        e->meter.nkeys = 1;
    } else if (strcmp(word, "ak") == 0) {
        key->ak_len = (uint8_t)dlms_test_hex(value, key->ak, sizeof key->ak);
    } else if (strcmp(word, "title") == 0) {
        key->system_title_len =
            (uint8_t)dlms_test_hex(value, key->system_title, sizeof key->system_title);
    } else if (strcmp(word, "frame") == 0) {
        e->len += dlms_test_hex(value, e->frame + e->len, FRAME_MAX - e->len);
    } else {
        ck_assert_uint_lt(e->n, EXPECTED_MAX);
        (void)snprintf(e->expected[e->n++], TEST_LINE_MAX, "%s%s%s", word, value[0] ? " " : "",
                       value);
    }
}

static void expect(const struct entry *e, unsigned *at, const char *is)
{
    ck_assert_msg(*at < e->n, "%s: not expected: %s", e->name, is);
    ck_assert_msg(strcmp(is, e->expected[*at]) == 0, "%s:\n  is   %s\n  want %s", e->name, is,
                  e->expected[*at]);
    ++*at;
}

static void expect_head(const struct entry *e, unsigned *at, const struct decode_result *r)
{
    char text[TEST_LINE_MAX], id[DEVICE_ID_TEXT_MAX];

    (void)snprintf(text, sizeof text, "state %s", frame_state_name(r->state));
    expect(e, at, text);
    if (r->has_device) {
        (void)snprintf(text, sizeof text, "device %s", device_id_format(&r->device, id));
        expect(e, at, text);
    }
    if (r->state == FRAME_OK && r->has_counter) {
        (void)snprintf(text, sizeof text, "security %s", r->security);
        expect(e, at, text);
        (void)snprintf(text, sizeof text, "counter %" PRIu64, r->counter);
        expect(e, at, text);
    }
    if (r->has_application) {
        (void)snprintf(text, sizeof text, "application %" PRIu32 " %s", r->application_code,
                       r->application_text);
        expect(e, at, text);
    }
    if (r->more_follows)
        expect(e, at, "more-follows");
    if (r->reason[0]) {
        (void)snprintf(text, sizeof text, "reason %s", r->reason);
        expect(e, at, text);
    }
}

static void run_entry(const struct entry *e)
{
    struct decode_result r = dlms_test_decode(&e->meter, e->frame, e->len);
    char text[TEST_LINE_MAX];
    unsigned at = 0;

    expect_head(e, &at, &r);
    for (unsigned i = 0; i < r.nreadings; i++) {
        dlms_test_print(&r.readings[i], text);
        expect(e, &at, text);
    }
    ck_assert_msg(at == e->n, "%s: missing: %s", e->name, at < e->n ? e->expected[at] : "");
}

static unsigned run_file(const char *path)
{
    static struct entry e; /* one test per process */
    struct emt_diag diag = { 0 };
    unsigned entries = 0;
    char *text, *rest, *line;
    size_t len;

    memset(&e, 0, sizeof e);
    ck_assert_msg(file_read(path, 1024 * 1024, &text, &len, &diag) == EMT_OK, "%s: %s", path,
                  diag.text);
    for (rest = text; (line = strsep(&rest, "\n"));) {
        char *value = line;
        const char *word = strsep(&value, " ");

        if (word[0] == 0 || word[0] == '#')
            continue;
        if (strcmp(word, "end") == 0) {
            run_entry(&e);
            memset(&e, 0, sizeof e);
            entries++;
        } else {
            add_line(&e, word, value ? value : "");
        }
    }
    free(text);
    dlms_test_release();
    return entries;
}

START_TEST(links)
{
    ck_assert_uint_eq(run_file("tests/corpus/dlms/links.txt"), 13);
}
END_TEST

START_TEST(bodies)
{
    ck_assert_uint_eq(run_file("tests/corpus/dlms/bodies.txt"), 13);
}
END_TEST

START_TEST(security)
{
    ck_assert_uint_eq(run_file("tests/corpus/dlms/security.txt"), 31);
}
END_TEST

START_TEST(responses)
{
    ck_assert_uint_eq(run_file("tests/corpus/dlms/responses.txt"), 20);
}
END_TEST

START_TEST(broken)
{
    ck_assert_uint_eq(run_file("tests/corpus/dlms/broken.txt"), 27);
}
END_TEST

SUITE(dlms_corpus, links, bodies, security, responses, broken)
