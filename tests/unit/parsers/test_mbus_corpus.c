/* Telegrams of our own with the expected decoding beside them (tests/corpus/mbus, one file per
 * subject).
 *
 *   telegram NAME             begins an entry; "end" ends it
 *   protocol wmbus|mbus
 *   format NAME               optional, as in the request
 *   key HEX                   optional
 *   accept-plaintext          optional
 *   frame HEX                 may repeat: the parts follow each other
 *   state NAME
 *   device ID | adapter ID | security NAME | counter N | more-follows | application CODE TEXT
 * optional reading OBIS QUANTITY VALUE UNIT TIME [s=STORAGE] [t=TARIFF] [u=SUBUNIT] [q=QUALIFIER]
 * [n=NTH] [quality=NAME]
 *                             "-" where there is nothing; all readings in order, or none are
 * compared
 *
 * The entries of one file share a format store, in order. Each entry becomes a named test of a
 * loop. */
#include "base/file.h"
#include "explain_check.h"
#include "suites.h"
#include "support.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CORPUS "tests/corpus/mbus/"
#define LINE_LEN 512
#define FRAME_MAX 512
#define READINGS_MAX 64

struct expected {
    char name[LINE_LEN];
    enum protocol protocol;
    enum frame_format format;
    bool accept_plaintext;
    char key[LINE_LEN];
    uint8_t frame[FRAME_MAX];
    size_t len;
    char state[LINE_LEN], device[LINE_LEN], adapter[LINE_LEN], security[LINE_LEN];
    char application[LINE_LEN], counter[LINE_LEN];
    bool more_follows;
    char readings[READINGS_MAX][LINE_LEN];
    unsigned nreadings;
};

static const char *const files[] = {
    CORPUS "wmbus.txt", CORPUS "security.txt", CORPUS "records.txt",
    CORPUS "wired.txt", CORPUS "compact.txt",  CORPUS "vendor.txt",
};

static void set_text(char *out, const char *value)
{
    (void)snprintf(out, LINE_LEN, "%s", value);
}

static void add_line(struct expected *e, const char *word, const char *value)
{
    if (strcmp(word, "telegram") == 0)
        set_text(e->name, value);
    else if (strcmp(word, "protocol") == 0)
        ck_assert_int_eq(protocol_parse(value, &e->protocol), EMT_OK);
    else if (strcmp(word, "format") == 0)
        ck_assert_int_eq(frame_format_parse(value, &e->format), EMT_OK);
    else if (strcmp(word, "key") == 0)
        set_text(e->key, value);
    else if (strcmp(word, "accept-plaintext") == 0)
        e->accept_plaintext = true;
    else if (strcmp(word, "frame") == 0)
        e->len += bytes_of(value, e->frame + e->len, FRAME_MAX - e->len);
    else if (strcmp(word, "state") == 0)
        set_text(e->state, value);
    else if (strcmp(word, "device") == 0)
        set_text(e->device, value);
    else if (strcmp(word, "adapter") == 0)
        set_text(e->adapter, value);
    else if (strcmp(word, "security") == 0)
        set_text(e->security, value);
    else if (strcmp(word, "counter") == 0)
        set_text(e->counter, value);
    else if (strcmp(word, "application") == 0)
        set_text(e->application, value);
    else if (strcmp(word, "more-follows") == 0)
        e->more_follows = true;
    else if (strcmp(word, "reading") == 0 && e->nreadings < READINGS_MAX)
        set_text(e->readings[e->nreadings++], value);
    else
        ck_abort_msg("%s: no such word: %s", e->name, word);
}

/* A reading as the corpus spells it. */
static void print_reading(const struct reading *r, char *out)
{
    char obis[OBIS_TEXT_MAX], number[DECIMAL_TEXT_MAX];
    bool is_number = r->kind == READING_NUMBER || r->kind == READING_STATE;
    const char *value = is_number ? decimal_format(r->value, number) : r->text;
    int n = snprintf(out, LINE_LEN, "%s %s %s %s %s",
                     obis_is_none(r->obis) ? "-" : obis_format(r->obis, obis),
                     quantity_name(r->quantity), value[0] ? value : "-", r->unit ? r->unit : "-",
                     r->time_text[0] ? r->time_text : "-");

    if (r->storage)
        n += snprintf(out + n, LINE_LEN - (size_t)n, " s=%" PRIu64, r->storage);
    if (r->tariff)
        n += snprintf(out + n, LINE_LEN - (size_t)n, " t=%" PRIu32, r->tariff);
    if (r->subunit)
        n += snprintf(out + n, LINE_LEN - (size_t)n, " u=%u", r->subunit);
    if (r->qualifier[0])
        n += snprintf(out + n, LINE_LEN - (size_t)n, " q=%s", r->qualifier);
    if (r->nth)
        n += snprintf(out + n, LINE_LEN - (size_t)n, " n=%u", r->nth);
    if (r->quality != QUALITY_MEASURED)
        (void)snprintf(out + n, LINE_LEN - (size_t)n, " quality=%s", quality_name(r->quality));
}

static void check_readings(const struct expected *e, const struct decode_result *r)
{
    char text[LINE_LEN], want[LINE_LEN + 4];

    for (unsigned i = 0; i < e->nreadings && i < r->nreadings; i++) {
        print_reading(&r->readings[i], text);
        /* The time may be left out at the end of a line without more. */
        (void)snprintf(want, sizeof want, "%s", e->readings[i]);
        ck_assert_msg(strcmp(text, want) == 0, "%s, reading %u:\n  is   %s\n  want %s", e->name,
                      i + 1, text, want);
    }
    ck_assert_msg(e->nreadings == r->nreadings, "%s: %u readings, want %u", e->name, r->nreadings,
                  e->nreadings);
}

static void check_result(const struct expected *e, const struct decode_result *r)
{
    char text[LINE_LEN];

    ck_assert_msg(strcmp(frame_state_name(r->state), e->state) == 0, "%s: %s (%s), want %s",
                  e->name, frame_state_name(r->state), r->reason, e->state);
    if (e->device[0])
        ck_assert_str_eq(device_id_format(&r->device, text), e->device);
    if (e->adapter[0])
        ck_assert_str_eq(device_id_format(&r->adapter, text), e->adapter);
    ck_assert_msg(r->has_adapter == (e->adapter[0] != 0), "%s: adapter", e->name);
    if (e->security[0])
        ck_assert_str_eq(r->security, e->security);
    if (e->counter[0]) {
        (void)snprintf(text, sizeof text, "%" PRIu64, r->counter);
        ck_assert_str_eq(text, e->counter);
    }
    if (e->application[0]) {
        (void)snprintf(text, sizeof text, "%" PRIu32 " %s", r->application_code,
                       r->application_text);
        ck_assert_str_eq(text, e->application);
    }
    ck_assert_msg(r->more_follows == e->more_follows, "%s: more-follows", e->name);
    check_readings(e, r);
}

static void run_entry(struct decoder *d, const struct expected *e)
{
    struct decode_request req = decoder_request(d, e->protocol, e->frame, e->len);
    struct decode_result result;

    d->nkeys = 0;
    if (e->key[0])
        decoder_add_key(d, e->key);
    req.format = e->format;
    req.accept_plaintext = e->accept_plaintext;
    arena_reset(d->arena);
    ck_assert_int_eq(decode_frame(&req, &result), EMT_OK);
    check_result(e, &result);
    explain_check(&req, &result, d->keys, d->nkeys);
}

static unsigned run_file(const char *path)
{
    struct expected e = { 0 };
    struct decoder d;
    struct emt_diag diag = { 0 };
    unsigned entries = 0;
    char *text, *rest, *line;
    size_t len;

    decoder_open(&d);
    ck_assert_msg(file_read(path, 1024 * 1024, &text, &len, &diag) == EMT_OK, "%s: %s", path,
                  diag.text);
    for (rest = text; (line = strsep(&rest, "\n"));) {
        char *value = line;
        const char *word = strsep(&value, " ");

        if (word[0] == 0 || word[0] == '#')
            continue;
        if (strcmp(word, "end") == 0) {
            run_entry(&d, &e);
            memset(&e, 0, sizeof e);
            entries++;
        } else {
            add_line(&e, word, value ? value : "");
        }
    }
    free(text);
    decoder_close(&d);
    return entries;
}

START_TEST(every_telegram_decodes_as_stated)
{
    ck_assert_uint_gt(run_file(files[_i]), 0);
}
END_TEST

Suite *mbus_corpus_suite(void)
{
    Suite *s = suite_create("mbus_corpus");
    TCase *c = tcase_create("mbus_corpus");

    tcase_set_timeout(c, 60);
    tcase_add_loop_test(c, every_telegram_decodes_as_stated, 0,
                        (int)(sizeof files / sizeof files[0]));
    suite_add_tcase(s, c);
    return s;
}
