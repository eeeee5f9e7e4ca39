/* Telegrams of our own with the expected decoding beside them (tests/corpus/sml and
 * tests/corpus/iec62056_21).
 *
 *   telegram NAME             begins an entry; "end" ends it
 *   protocol sml|iec62056-21
 *   frame HEX | bytes HEX     appended to the telegram
 *   line TEXT                 the same with CR LF behind it
 *   state NAME
 *   device ID | quirk TEXT | direction TEXT | application CODE TEXT
 *   reading CODE QUANTITY VALUE UNIT TIME [s=STORAGE] [t=TARIFF] [q=QUALIFIER] [n=NTH]
 *           [f=FUNCTION] [quality=NAME]
 *                             "-" where there is nothing; all readings in order */
#include "base/file.h"
#include "base/hex.h"
#include "suites.h"
#include "support.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_LEN 512
#define FRAME_MAX 4096
#define EXPECTED_MAX 64

struct entry {
    char name[LINE_LEN];
    enum protocol protocol;
    uint8_t frame[FRAME_MAX];
    size_t len;
    char expected[EXPECTED_MAX][LINE_LEN];
    unsigned n;
};

static void append(struct entry *e, const void *p, size_t n)
{
    ck_assert_uint_le(e->len + n, FRAME_MAX);
    memcpy(e->frame + e->len, p, n);
    e->len += n;
}

static void add_line(struct entry *e, const char *word, const char *value)
{
    uint8_t bytes[LINE_LEN];
    size_t n = 0;

    if (strcmp(word, "telegram") == 0) {
        (void)snprintf(e->name, sizeof e->name, "%s", value);
    } else if (strcmp(word, "protocol") == 0) {
        ck_assert_int_eq(protocol_parse(value, &e->protocol), EMT_OK);
    } else if (strcmp(word, "line") == 0) {
        append(e, value, strlen(value));
        append(e, "\r\n", 2);
    } else if (strcmp(word, "frame") == 0 || strcmp(word, "bytes") == 0) {
        ck_assert_int_eq(hex_decode(value, strlen(value), bytes, sizeof bytes, &n), EMT_OK);
        append(e, bytes, n);
    } else {
        ck_assert_uint_lt(e->n, EXPECTED_MAX);
        (void)snprintf(e->expected[e->n++], LINE_LEN, "%s %s", word, value);
    }
}

/* A reading as the corpus spells it. */
static void print_reading(const struct reading *r, char *out)
{
    static const char *const functions[] = { "", " f=maximum", " f=minimum", " f=error" };
    char code[OBIS_TEXT_MAX], number[DECIMAL_TEXT_MAX];
    bool is_number = r->kind == READING_NUMBER || r->kind == READING_STATE;
    const char *value = is_number ? decimal_format(r->value, number) : r->text;
    int n = snprintf(out, LINE_LEN, "reading %s %s %s %s %s",
                     r->obis_text ? r->obis_text : obis_format(r->obis, code),
                     quantity_name(r->quantity), value[0] ? value : "-", r->unit ? r->unit : "-",
                     r->time_text[0] ? r->time_text : "-");

    if (r->storage)
        n += snprintf(out + n, LINE_LEN - (size_t)n, " s=%" PRIu64, r->storage);
    if (r->tariff)
        n += snprintf(out + n, LINE_LEN - (size_t)n, " t=%" PRIu32, r->tariff);
    if (r->qualifier[0])
        n += snprintf(out + n, LINE_LEN - (size_t)n, " q=%s", r->qualifier);
    if (r->nth)
        n += snprintf(out + n, LINE_LEN - (size_t)n, " n=%u", r->nth);
    n += snprintf(out + n, LINE_LEN - (size_t)n, "%s", functions[r->function]);
    if (r->quality != QUALITY_MEASURED)
        (void)snprintf(out + n, LINE_LEN - (size_t)n, " quality=%s", quality_name(r->quality));
}

static void expect(const struct entry *e, unsigned *at, const char *is)
{
    ck_assert_msg(*at < e->n, "%s: not expected: %s", e->name, is);
    ck_assert_msg(strcmp(is, e->expected[*at]) == 0, "%s:\n  is   %s\n  want %s", e->name, is,
                  e->expected[*at]);
    ++*at;
}

static void run_entry(const struct entry *e)
{
    static const char *const shown[] = { "quirk", "direction" };
    struct decode_result r = decode_bytes(e->protocol, e->frame, e->len);
    char text[LINE_LEN], id[DEVICE_ID_TEXT_MAX];
    unsigned at = 0;

    (void)snprintf(text, sizeof text, "state %s", frame_state_name(r.state));
    expect(e, &at, text);
    if (r.has_device) {
        (void)snprintf(text, sizeof text, "device %s", device_id_format(&r.device, id));
        expect(e, &at, text);
    }
    for (unsigned i = 0; i < sizeof shown / sizeof shown[0]; i++) {
        const char *value = link_of(&r, shown[i]);

        if (!value)
            continue;
        (void)snprintf(text, sizeof text, "%s %s", shown[i], value);
        expect(e, &at, text);
    }
    if (r.has_application) {
        (void)snprintf(text, sizeof text, "application %" PRIu32 " %s", r.application_code,
                       r.application_text);
        expect(e, &at, text);
    }
    for (unsigned i = 0; i < r.nreadings; i++) {
        print_reading(&r.readings[i], text);
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
    support_release();
    return entries;
}

START_TEST(sml_files)
{
    ck_assert_uint_eq(run_file("tests/corpus/sml/files.txt"), 15);
}
END_TEST

START_TEST(broken_sml_files)
{
    ck_assert_uint_eq(run_file("tests/corpus/sml/broken.txt"), 9);
}
END_TEST

START_TEST(read_outs)
{
    ck_assert_uint_eq(run_file("tests/corpus/iec62056_21/readouts.txt"), 11);
}
END_TEST

START_TEST(broken_read_outs)
{
    ck_assert_uint_eq(run_file("tests/corpus/iec62056_21/broken.txt"), 8);
}
END_TEST

SUITE(obis_corpus, sml_files, broken_sml_files, read_outs, broken_read_outs)
