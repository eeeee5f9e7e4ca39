/* Telegrams of public collections, where they lie beside the project (env EMT_CORPORA, else
 * ../shared/corpora): their states, and that every damage to them is survived. Values are compared
 * by the scoring tool that comes with them. */
#include "base/hex.h"
#include "suites.h"
#include "support.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_MAX 16384

static FILE *open_corpus(const char *name)
{
    const char *dir = getenv("EMT_CORPORA");
    char path[1024];
    FILE *f;

    (void)snprintf(path, sizeof path, "%s/%s", dir ? dir : "../shared/corpora", name);
    f = fopen(path, "r");
    if (!f)
        (void)fprintf(stderr, "skipped: no %s\n", path);
    return f;
}

static size_t frame_of(enum protocol protocol, const char *text, size_t len, uint8_t *out)
{
    size_t n = 0;

    if (protocol != PROTOCOL_IEC62056_21) {
        ck_assert_int_eq(hex_decode(text, len, out, FRAME_MAX, &n), EMT_OK);
        return n;
    }
    for (size_t i = 0; i < len; i++, n++) { /* characters stand for bytes */
        out[n] = (uint8_t)text[i];
        if (out[n] >= 0x80)
            out[n] = (uint8_t)((out[n] & 3u) << 6 | ((unsigned char)text[++i] & 0x3fu));
    }
    return n;
}

static bool is_zero(json_t *v)
{
    return json_is_integer(v) && json_integer_value(v) == 0;
}

static void check_row(json_t *row, enum protocol protocol, const char *text, size_t len)
{
    uint8_t frame[FRAME_MAX];
    const char *check = json_string_value(json_object_get(row, "check"));
    bool broken = json_is_string(json_object_get(row, "error")) ||
                  (check && strcmp(check, "bcc-bad") == 0) ||
                  is_zero(json_object_get(row, "frames"));
    size_t n = frame_of(protocol, text, len, frame);
    struct decode_result r = decode_bytes(protocol, frame, n);

    ck_assert_msg((r.state == FRAME_OK) == !broken, "%s: %s (%s)",
                  json_string_value(json_object_get(row, "id")), frame_state_name(r.state),
                  r.reason);
    for (size_t i = 0; i < n * 8; i += 97) {
        frame[i / 8] ^= (uint8_t)(1u << i % 8);
        (void)decode_bytes(protocol, frame, n);
        frame[i / 8] ^= (uint8_t)(1u << i % 8);
    }
}

static void run_corpus(const char *name, enum protocol protocol, const char *member)
{
    FILE *f = open_corpus(name);
    char *line = NULL;
    size_t cap = 0;

    if (!f)
        return;
    while (getline(&line, &cap, f) > 0) {
        json_t *row = json_loads(line, JSON_ALLOW_NUL, NULL);
        json_t *v = json_object_get(row, member);

        if (json_is_string(v))
            check_row(row, protocol, json_string_value(v), json_string_length(v));
        json_decref(row);
    }
    free(line);
    (void)fclose(f);
    support_release();
}

START_TEST(sml_files_end_in_their_states)
{
    run_corpus("sml.jsonl", PROTOCOL_SML, "frame");
}
END_TEST

START_TEST(sml_lines_end_in_their_states)
{
    run_corpus("sml_streams.jsonl", PROTOCOL_SML_STREAM, "stream");
}
END_TEST

START_TEST(read_outs_end_in_their_states)
{
    run_corpus("iec62056_21.jsonl", PROTOCOL_IEC62056_21, "telegram");
}
END_TEST

SUITE(obis_public, sml_files_end_in_their_states, sml_lines_end_in_their_states,
      read_outs_end_in_their_states)
