/* Telegrams of public test suites, where they lie beside the project (env EMT_CORPORA, else
 * ../shared/corpora): their states, and that every damage to them is survived. Values are compared
 * by the scoring tool that comes with them. */
#include "suites.h"
#include "support.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static const char *text_at(json_t *row, const char *name)
{
    return json_string_value(json_object_get(row, name));
}

/* What the corpus' own flags say about the state; FRAME_STATES: nothing for sure. */
static enum frame_state state_of(json_t *row)
{
    json_t *mac = json_object_get(row, "mac_ok");

    if (json_is_true(json_object_get(row, "key_missing")))
        return FRAME_KEY_NEEDED;
    if (mac && json_is_false(mac))
        return FRAME_MAC_WRONG;
    if (json_is_true(mac))
        return FRAME_OK;
    return FRAME_STATES;
}

static void check_row(struct decoder *d, json_t *row, enum protocol protocol, const char *hex)
{
    uint8_t frame[1024];
    size_t len = bytes_of(hex, frame, sizeof frame);
    struct decode_request req = decoder_request(d, protocol, frame, len);
    enum frame_state want = state_of(row);
    struct decode_result r;

    d->nkeys = 0;
    if (text_at(row, "key"))
        decoder_add_key(d, text_at(row, "key"));
    req.accept_plaintext = json_is_true(json_object_get(row, "already_decrypted"));
    arena_reset(d->arena);
    ck_assert_int_eq(decode_frame(&req, &r), EMT_OK);
    ck_assert_msg(want == FRAME_STATES || r.state == want, "%s: %s (%s)", text_at(row, "id"),
                  frame_state_name(r.state), r.reason);
    for (size_t i = 0; i < len * 8; i += 13) {
        frame[i / 8] ^= (uint8_t)(1u << i % 8);
        arena_reset(d->arena);
        ck_assert_int_eq(decode_frame(&req, &r), EMT_OK);
        frame[i / 8] ^= (uint8_t)(1u << i % 8);
    }
}

static void run_corpus(const char *name, enum protocol protocol, const char *member)
{
    FILE *f = open_corpus(name);
    struct decoder d;
    char *line = NULL;
    size_t cap = 0;

    if (!f)
        return;
    decoder_open(&d);
    while (getline(&line, &cap, f) > 0) {
        json_t *row = json_loads(line, JSON_ALLOW_NUL, NULL);

        if (row && text_at(row, member)) /* rows with NaN are no JSON */
            check_row(&d, row, protocol, text_at(row, member));
        json_decref(row);
    }
    decoder_close(&d);
    free(line);
    (void)fclose(f);
}

START_TEST(radio_telegrams_end_in_their_states)
{
    run_corpus("wmbus.jsonl", PROTOCOL_WMBUS, "telegram");
}
END_TEST

START_TEST(wired_frames_are_survived)
{
    run_corpus("mbus.jsonl", PROTOCOL_MBUS, "frame");
    run_corpus("mbus-bad.jsonl", PROTOCOL_MBUS, "frame");
}
END_TEST

SUITE(public_corpora, radio_telegrams_end_in_their_states, wired_frames_are_survived)
