/* Telegrams of public collections, where they lie beside the project (env EMT_CORPORA, else
 * ../shared/corpora): their states and plain texts, and that every damage to them is survived.
 * Values are compared by the scoring tool that comes with them. */
#include "base/hex.h"
#include "suites.h"
#include "support.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static FILE *open_corpus(void)
{
    const char *dir = getenv("EMT_CORPORA");
    char path[1024];
    FILE *f;

    (void)snprintf(path, sizeof path, "%s/dlms.jsonl", dir ? dir : "../shared/corpora");
    f = fopen(path, "r");
    if (!f)
        (void)fprintf(stderr, "skipped: no %s\n", path);
    return f;
}

static uint8_t read_part(json_t *keys, const char *name, uint8_t *out, size_t cap)
{
    const char *text = json_string_value(json_object_get(keys, name));

    return text ? (uint8_t)dlms_test_hex(text, out, cap) : 0;
}

static struct test_meter meter_of(json_t *row)
{
    json_t *keys = json_object_get(row, "keys");
    struct test_meter m = { .nkeys = json_is_object(keys) };
    struct device_key *key = &m.keys[0];

    ck_assert_int_eq(
        frame_format_parse(json_string_value(json_object_get(row, "framing")), &m.format), EMT_OK);
    key->len = read_part(keys, "ek", key->bytes, sizeof key->bytes);
    key->ak_len = read_part(keys, "ak", key->ak, sizeof key->ak);
    key->system_title_len =
        read_part(keys, "system_title", key->system_title, sizeof key->system_title);
    return m;
}

static void check_plain(json_t *row, const struct decode_result *r)
{
    static char hex[2 * DECODE_FRAME_MAX + 1];
    json_t *expected = json_object_get(row, "expected");
    const char *plain = json_string_value(json_object_get(expected, "apdu_plain"));

    if (plain && json_is_object(json_object_get(row, "keys")))
        ck_assert_str_eq(hex_encode(r->plain, r->plain_len, hex), plain);
}

static void check_row(json_t *row)
{
    static uint8_t frame[DECODE_FRAME_MAX];
    size_t n = dlms_test_hex(json_string_value(json_object_get(row, "bytes")), frame, sizeof frame);
    struct test_meter m = meter_of(row);
    struct decode_result r = dlms_test_decode(&m, frame, n);
    bool broken = json_is_string(json_object_get(row, "error"));
    bool closed = json_is_true(json_object_get(json_object_get(row, "expected"), "ciphered"));

    ck_assert_msg((r.state == FRAME_OK) == (!broken && !closed), "%s: %s (%s)",
                  json_string_value(json_object_get(row, "id")), frame_state_name(r.state),
                  r.reason);
    if (closed)
        ck_assert_int_eq(r.state, FRAME_KEY_NEEDED);
    if (r.state == FRAME_OK)
        check_plain(row, &r);
    for (size_t i = 0; i < n * 8; i += 29) {
        frame[i / 8] ^= (uint8_t)(1u << i % 8);
        (void)dlms_test_decode(&m, frame, n);
        frame[i / 8] ^= (uint8_t)(1u << i % 8);
    }
}

START_TEST(public_telegrams_end_in_their_states)
{
    FILE *f = open_corpus();
    char *line = NULL;
    size_t cap = 0;

    if (!f)
        return;
    while (getline(&line, &cap, f) > 0) {
        json_t *row = json_loads(line, JSON_ALLOW_NUL, NULL);

        ck_assert_ptr_nonnull(row);
        check_row(row);
        json_decref(row);
    }
    free(line);
    (void)fclose(f);
    dlms_test_release();
}
END_TEST

SUITE(dlms_public, public_telegrams_end_in_their_states)
