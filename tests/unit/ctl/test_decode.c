/* emtctl decode as a program: the contract of its lines, of its states and of its exit status. */
#include <check.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWERS_MAX 16

/* Telegrams of tests/corpus/mbus, written from the standards' layouts: an electricity meter plain
 * and in mode 5, a water meter's full frame and the compact frame after it. */
#define PLAIN                                                                                      \
    "3544b4157856341201027a2a000000046d338c7028040387d6120004833c59000000841003e8030000042b9411"   \
    "000002fdc8fc010109"
#define MODE_5                                                                                     \
    "3e44b4157856341201027a2a0030053b042bd6732ad155ae45d350f980e384f7b2213a29b7cdda643a2bdd31904b" \
    "6b976f8ca42ce88dec82e4693f3b0b59a9"
#define KEY "000102030405060708090a0b0c0d0e0f"
#define OTHER_KEY "00000000000000000000000000000000"
#define FULL "1a44b415313131310107780413e8030000426c9f2c0dfd11024241"
#define COMPACT "1744b41531313131010779ccccaa45e90300009f2c024241"

struct run {
    json_t *answer[ANSWERS_MAX];
    unsigned n;
    int status;
    char text[1024]; /* the first answer as it stands */
    char complaint[1024];
};

static void take_text(FILE *f, char *out, size_t cap)
{
    rewind(f);
    out[fread(out, 1, cap - 1, f)] = 0;
}

static void read_answers(FILE *f, bool is_json, struct run *r)
{
    char *line = NULL;
    size_t cap = 0;

    take_text(f, r->text, sizeof r->text);
    r->text[strcspn(r->text, "\n")] = 0;
    rewind(f);
    while (is_json && r->n < ANSWERS_MAX && getline(&line, &cap, f) > 0) {
        json_error_t error;

        r->answer[r->n] = json_loads(line, 0, &error);
        ck_assert_msg(r->answer[r->n] != NULL, "%s: %s", error.text, line);
        r->n++;
    }
    free(line);
}

/* Runs the program on `len` bytes of input. */
static struct run run_bytes(const char *input, size_t len, const char *argument)
{
    FILE *in = tmpfile(), *out = tmpfile(), *err = tmpfile();
    struct run r = { .n = 0 };
    pid_t pid;

    ck_assert(in && out && err);
    ck_assert_uint_eq(fwrite(input, 1, len, in), len);
    ck_assert_int_eq(fflush(in), 0);
    rewind(in);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        if (dup2(fileno(in), 0) < 0 || dup2(fileno(out), 1) < 0 || dup2(fileno(err), 2) < 0)
            _exit(99);
        (void)execl(EMTCTL, "emtctl", "decode", argument, (char *)NULL);
        _exit(98);
    }
    ck_assert_int_eq(waitpid(pid, &r.status, 0), pid);
    ck_assert(WIFEXITED(r.status));
    r.status = WEXITSTATUS(r.status);
    read_answers(out, !argument || strcmp(argument, "--explain=text") != 0, &r);
    take_text(err, r.complaint, sizeof r.complaint);
    (void)fclose(in);
    (void)fclose(out);
    (void)fclose(err);
    return r;
}

static struct run run_text(const char *input)
{
    return run_bytes(input, strlen(input), NULL);
}

static void run_release(struct run *r)
{
    for (unsigned i = 0; i < r->n; i++)
        json_decref(r->answer[i]);
}

static const char *state_of(const struct run *r, unsigned i)
{
    ck_assert_uint_lt(i, r->n);
    return json_string_value(json_object_get(r->answer[i], "state"));
}

static size_t readings_of(const struct run *r, unsigned i)
{
    json_t *list = json_object_get(r->answer[i], "readings");

    ck_assert(json_is_array(list));
    return json_array_size(list);
}

static const char *diag_of(const struct run *r, unsigned i)
{
    return json_string_value(json_object_get(r->answer[i], "diag"));
}

/* One line with the members given: its state. */
static void check_state(const char *members, const char *want)
{
    char line[4096];
    struct run r;

    (void)snprintf(line, sizeof line, "{\"id\":1,%s}\n", members);
    r = run_text(line);
    ck_assert_uint_eq(r.n, 1);
    ck_assert_msg(strcmp(state_of(&r, 0), want) == 0, "%s: %s, want %s", members, state_of(&r, 0),
                  want);
    ck_assert_int_eq(r.status, 0);
    if (strcmp(want, "ok") != 0)
        ck_assert_uint_eq(readings_of(&r, 0), 0);
    run_release(&r);
}

START_TEST(one_answer_per_line_in_order_with_its_id)
{
    struct run r = run_text("{\"id\":\"a\",\"protocol\":\"wmbus\",\"frame\":\"" PLAIN "\"}\n"
                            "{\"id\":2,\"protocol\":\"mbus\",\"frame\":\"e5\"}\n"
                            "{\"id\":{\"b\":[null]},\"protocol\":\"wmbus\",\"frame\":\"00\"}\n"
                            "{\"protocol\":\"wmbus\",\"frame\":\"" PLAIN "\"}\n"
                            "{\"id\":null,\"protocol\":\"mbus\",\"frame\":\"e5\"}"); /* no end */
    static const char *const ids[] = { "\"a\"", "2", "{\"b\":[null]}", "null", "null" };
    static const char *const states[] = { "ok", "unsupported", "malformed", "ok", "unsupported" };

    ck_assert_uint_eq(r.n, 5);
    for (unsigned i = 0; i < r.n; i++) {
        char *id = json_dumps(json_object_get(r.answer[i], "id"), JSON_ENCODE_ANY | JSON_COMPACT);

        ck_assert_str_eq(id, ids[i]);
        ck_assert_str_eq(state_of(&r, i), states[i]);
        free(id);
    }
    ck_assert_int_eq(r.status, 0);
    ck_assert_str_eq(r.complaint, "");
    run_release(&r);
}
END_TEST

static void check_member(json_t *object, const char *name, const char *want)
{
    char *text = json_dumps(json_object_get(object, name), JSON_ENCODE_ANY | JSON_COMPACT);

    ck_assert_msg(text && strcmp(text, want) == 0, "%s: %s, want %s", name, text, want);
    free(text);
}

START_TEST(a_result_has_the_shape_of_the_contract)
{
    struct run r =
        run_text("{\"id\":1,\"protocol\":\"wmbus\",\"format\":\"no-link-crc\",\"key\":\"" KEY
                 "\",\"frame\":\"" MODE_5 "\"}\n");
    json_t *reading, *device = json_object_get(r.answer[0], "device");

    check_member(r.answer[0], "state", "\"ok\"");
    check_member(device, "manufacturer", "\"EMT\"");
    check_member(device, "number", "\"12345678\"");
    check_member(device, "version", "1");
    check_member(device, "type", "2");
    check_member(json_object_get(r.answer[0], "link"), "security", "\"mode 5\"");
    check_member(json_array_get(json_object_get(r.answer[0], "layers"), 1), "ci", "\"7a\"");
    /* The transport payload, decrypted, in lower case. */
    ck_assert(strncmp(json_string_value(json_object_get(r.answer[0], "plain")), "2f2f046d338c7028",
                      16) == 0);
    ck_assert_uint_eq(readings_of(&r, 0), 6);
    reading = json_array_get(json_object_get(r.answer[0], "readings"), 3);
    check_member(reading, "obis", "\"1-0:1.8.1*255\"");
    check_member(reading, "quantity", "\"energy\"");
    check_member(reading, "value", "\"1000\"");
    check_member(reading, "unit", "\"Wh\"");
    check_member(reading, "time", "\"2019-08-16T12:51:00\"");
    check_member(reading, "tariff", "1");
    ck_assert_ptr_null(json_object_get(reading, "storage")); /* 0 is left out */
    ck_assert_ptr_null(diag_of(&r, 0));
    run_release(&r);
}
END_TEST

START_TEST(a_line_that_is_no_json_gets_the_shortest_answer)
{
    static const char *const lines[] = {
        "nonsense",          "",          "[]",           "7",
        "\"wmbus\"",         "{\"id\":1", "{\"id\":1}{}", "{\"id\":1,\"id\":2}",
        "{\"id\":\"\xff\"}",
    };

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        char text[64];
        struct run r;

        (void)snprintf(text, sizeof text, "%s\n", lines[i]);
        r = run_text(text);
        ck_assert_uint_eq(r.n, 1);
        ck_assert_str_eq(r.text, "{\"id\":null,\"state\":\"malformed\"}");
        ck_assert_int_eq(r.status, 0);
        ck_assert_msg(strstr(r.complaint, "line 1") != NULL, "%s: %s", lines[i], r.complaint);
        run_release(&r);
    }
}
END_TEST

START_TEST(a_line_that_is_too_long_does_not_end_the_run)
{
    static const char tail[] = "{\"id\":2,\"protocol\":\"wmbus\",\"frame\":\"" PLAIN "\"}\n";
    size_t len = 1024 * 1024 + 1;
    char *text = malloc(len + 1 + sizeof tail);
    struct run r;

    ck_assert_ptr_nonnull(text);
    memset(text, ' ', len);
    text[0] = '{';
    text[len - 1] = '}'; /* JSON, were it not for its length */
    text[len] = '\n';
    memcpy(text + len + 1, tail, sizeof tail);
    r = run_bytes(text, len + 1 + strlen(tail), NULL);
    ck_assert_uint_eq(r.n, 2);
    ck_assert_str_eq(r.text, "{\"id\":null,\"state\":\"malformed\"}");
    ck_assert_str_eq(state_of(&r, 1), "ok");
    ck_assert_int_eq(r.status, 0);
    run_release(&r);
    free(text);
}
END_TEST

START_TEST(null_means_absent)
{
    check_state("\"protocol\":\"wmbus\",\"frame\":\"" PLAIN "\",\"text\":null,\"format\":null,"
                "\"key\":null,\"keys\":null,\"context\":null,\"accept_plaintext\":null",
                "ok");
    check_state("\"protocol\":\"wmbus\",\"frame\":null", "malformed");
    check_state("\"protocol\":null,\"frame\":\"" PLAIN "\"", "malformed");
}
END_TEST

START_TEST(a_field_of_the_wrong_type_is_named)
{
    static const struct {
        const char *members, *field;
    } cases[] = {
        { "\"protocol\":7,\"frame\":\"00\"", "protocol" },
        { "\"frame\":\"00\"", "protocol" },
        { "\"protocol\":\"wmbus\"", "frame" },
        { "\"protocol\":\"wmbus\",\"frame\":[1]", "frame" },
        { "\"protocol\":\"wmbus\",\"frame\":\"0\"", "frame" },
        { "\"protocol\":\"wmbus\",\"frame\":\"0x\"", "frame" },
        { "\"protocol\":\"wmbus\",\"frame\":\"00\",\"text\":\"a\"", "text" },
        { "\"protocol\":\"iec62056-21\",\"text\":1", "text" },
        { "\"protocol\":\"wmbus\",\"frame\":\"00\",\"format\":1", "format" },
        { "\"protocol\":\"wmbus\",\"frame\":\"00\",\"format\":\"frame-c\"", "format" },
        { "\"protocol\":\"wmbus\",\"frame\":\"00\",\"key\":1", "key" },
        { "\"protocol\":\"wmbus\",\"frame\":\"00\",\"key\":\"00\"", "key" },
        { "\"protocol\":\"wmbus\",\"frame\":\"00\",\"key\":\"" KEY "0\"", "key" },
        { "\"protocol\":\"wmbus\",\"frame\":\"00\",\"keys\":\"" KEY "\"", "keys" },
        { "\"protocol\":\"wmbus\",\"frame\":\"00\",\"context\":[]", "context" },
        { "\"protocol\":\"wmbus\",\"frame\":\"00\",\"accept_plaintext\":1", "accept_plaintext" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char line[512];
        struct run r;

        (void)snprintf(line, sizeof line, "{\"id\":1,%s}\n", cases[i].members);
        r = run_text(line);
        ck_assert_msg(strcmp(state_of(&r, 0), "malformed") == 0, "%s", cases[i].members);
        ck_assert_int_eq((int)json_integer_value(json_object_get(r.answer[0], "id")), 1);
        ck_assert_uint_eq(readings_of(&r, 0), 0);
        ck_assert_msg(strncmp(diag_of(&r, 0), cases[i].field, strlen(cases[i].field)) == 0,
                      "%s: %s", cases[i].members, diag_of(&r, 0));
        ck_assert_int_eq(r.status, 0);
        run_release(&r);
    }
}
END_TEST

START_TEST(a_frame_longer_than_the_limit_is_malformed)
{
    size_t len = 2 * (16384 + 1);
    char *line = malloc(len + 128);
    struct run r;
    int at;

    ck_assert_ptr_nonnull(line);
    at = snprintf(line, 64, "{\"id\":1,\"protocol\":\"mbus\",\"frame\":\"");
    memset(line + at, '0', len);
    (void)snprintf(line + at + len, 64, "\"}\n");
    r = run_text(line);
    ck_assert_str_eq(state_of(&r, 0), "malformed");
    run_release(&r);
    free(line);
}
END_TEST

START_TEST(a_protocol_that_is_not_known_is_unsupported)
{
    check_state("\"protocol\":\"zigbee\",\"frame\":\"00\"", "unsupported");
    check_state("\"protocol\":\"cms\",\"frame\":\"00\"", "unsupported");
}
END_TEST

START_TEST(a_key_decides_over_the_state)
{
    check_state("\"protocol\":\"wmbus\",\"frame\":\"" MODE_5 "\"", "key-needed");
    check_state("\"protocol\":\"wmbus\",\"frame\":\"" MODE_5 "\",\"key\":\"" KEY "\"", "ok");
    check_state("\"protocol\":\"wmbus\",\"frame\":\"" MODE_5 "\",\"key\":\"" OTHER_KEY "\"",
                "key-wrong");
}
END_TEST

START_TEST(plaintext_of_a_meter_with_a_key_needs_permission)
{
    check_state("\"protocol\":\"wmbus\",\"frame\":\"" PLAIN "\",\"key\":\"" KEY "\"",
                "plaintext-refused");
    check_state("\"protocol\":\"wmbus\",\"frame\":\"" PLAIN "\",\"key\":\"" KEY
                "\",\"accept_plaintext\":false",
                "plaintext-refused");
    check_state("\"protocol\":\"wmbus\",\"frame\":\"" PLAIN "\",\"key\":\"" KEY
                "\",\"accept_plaintext\":true",
                "ok");
}
END_TEST

/* Compact frames are read with what earlier lines of the run have taught. */
START_TEST(lines_of_one_meter_build_on_earlier_ones)
{
    static const char accept[] = ",\"key\":\"" KEY "\",\"accept_plaintext\":true";
    char text[2048];
    struct run r;

    r = run_text("{\"protocol\":\"wmbus\",\"frame\":\"" COMPACT "\"}\n"
                 "{\"protocol\":\"wmbus\",\"frame\":\"" FULL "\"}\n"
                 "{\"protocol\":\"wmbus\",\"frame\":\"" COMPACT "\"}\n");
    ck_assert_str_eq(state_of(&r, 0), "format-needed");
    ck_assert_uint_eq(readings_of(&r, 0), 0);
    ck_assert_str_eq(state_of(&r, 1), "ok");
    ck_assert_str_eq(state_of(&r, 2), "ok");
    ck_assert_uint_eq(readings_of(&r, 2), 3);
    run_release(&r);

    /* Accepted plaintext teaches, refused plaintext does not. */
    (void)snprintf(text, sizeof text,
                   "{\"protocol\":\"wmbus\",\"frame\":\"" FULL "\"%s}\n"
                   "{\"protocol\":\"wmbus\",\"frame\":\"" COMPACT "\"%s}\n",
                   accept, accept);
    r = run_text(text);
    ck_assert_str_eq(state_of(&r, 1), "ok");
    run_release(&r);
    r = run_text("{\"protocol\":\"wmbus\",\"frame\":\"" FULL "\",\"key\":\"" KEY "\"}\n"
                 "{\"protocol\":\"wmbus\",\"frame\":\"" COMPACT "\"}\n");
    ck_assert_str_eq(state_of(&r, 0), "plaintext-refused");
    ck_assert_str_eq(state_of(&r, 1), "format-needed");
    run_release(&r);
}
END_TEST

/* A message of mode 7 in two telegrams, the MAC over the whole in the second. */
START_TEST(fragments_are_joined_over_the_lines)
{
    struct run r = run_text(
        "{\"protocol\":\"wmbus\",\"key\":\"" KEY "\",\"frame\":"
        "\"4744b4153322110005049009017865ea03000066007aea00600710fe1a8ae5054f83005583a113d1e5181f0aa4"
        "4f068e4abfce15a1c1d67f28f79470e5191739ba52d7beb0a8ba26\"}\n"
        "{\"protocol\":\"wmbus\",\"key\":\"" KEY "\",\"frame\":"
        "\"4844b415332211000504900a0204a41b2f6046ea7e104b43760a929d8b8a0d3a6cff81e0637893ba3f0bbcb55f"
        "2bed31e357de358471e32ae1af73629e530a0f98c0e9f99422936434\"}\n");

    ck_assert_str_eq(state_of(&r, 0), "ok");
    ck_assert_uint_eq(readings_of(&r, 0), 0);
    ck_assert_ptr_nonnull(strstr(diag_of(&r, 0), "fragment 1"));
    ck_assert_str_eq(state_of(&r, 1), "ok");
    ck_assert_uint_eq(readings_of(&r, 1), 12);
    run_release(&r);
}
END_TEST

/* What stood complete before the error is no measurement: a reserved DIF behind a good record. */
START_TEST(what_is_not_ok_has_no_readings)
{
    struct run r = run_text("{\"protocol\":\"wmbus\",\"frame\":"
                            "\"1344b415313131310107780413e80300003f0102\"}\n");

    ck_assert_str_eq(state_of(&r, 0), "malformed");
    ck_assert_uint_eq(readings_of(&r, 0), 0);
    ck_assert_ptr_nonnull(diag_of(&r, 0));
    run_release(&r);
}
END_TEST

/* Meters cut a telegram that is too long for the radio: what stands before is good, and said so. */
START_TEST(a_telegram_cut_in_its_last_record_says_so)
{
    struct run r = run_text("{\"protocol\":\"wmbus\",\"frame\":"
                            "\"1344b415313131310107780413e803000004132f\"}\n");

    ck_assert_str_eq(state_of(&r, 0), "ok");
    ck_assert_uint_eq(readings_of(&r, 0), 1);
    ck_assert_ptr_nonnull(diag_of(&r, 0));
    run_release(&r);
}
END_TEST

START_TEST(an_explanation_stands_beside_the_answer)
{
    static const char line[] = "{\"id\":7,\"protocol\":\"wmbus\",\"frame\":\"" FULL "\"}\n"
                               "{\"id\":8,\"protocol\":\"wmbus\",\"frame\":\"zz\"}\n";
    struct run r = run_bytes(line, sizeof line - 1, "--explain");
    json_t *ex, *records;

    ck_assert_int_eq(r.status, 0);
    ck_assert_uint_eq(r.n, 2);
    ck_assert_str_eq(state_of(&r, 0), "ok");
    ex = json_object_get(r.answer[0], "explain");
    records = json_object_get(ex, "records");
    ck_assert_uint_eq(json_array_size(records), 3);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(records, 0), "dif")), "04");
    ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(records, 0), "offset")), 11);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(records, 0), "in")), "frame");
    ck_assert(json_is_null(json_object_get(ex, "plain")));
    ck_assert_str_eq(state_of(&r, 1), "malformed");
    ck_assert_ptr_null(json_object_get(r.answer[1], "explain"));
    run_release(&r);
}
END_TEST

START_TEST(an_explanation_can_be_read)
{
    static const char line[] = "{\"id\":7,\"protocol\":\"wmbus\",\"frame\":\"" FULL "\"}\n";
    struct run r = run_bytes(line, sizeof line - 1, "--explain=text");

    ck_assert_int_eq(r.status, 0);
    ck_assert_str_eq(r.text, "frame 7: ok, device EMT-31313131-01-07");
    run_release(&r);
}
END_TEST

START_TEST(an_argument_is_wrong_usage)
{
    struct run r = run_bytes("", 0, "frame");

    ck_assert_int_eq(r.status, 2);
    ck_assert_uint_eq(r.n, 0);
    ck_assert_ptr_nonnull(strstr(r.complaint, "frame"));
    run_release(&r);
    r = run_bytes("", 0, NULL); /* nothing to do is done */
    ck_assert_int_eq(r.status, 0);
    ck_assert_uint_eq(r.n, 0);
    run_release(&r);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        one_answer_per_line_in_order_with_its_id,
        a_result_has_the_shape_of_the_contract,
        a_line_that_is_no_json_gets_the_shortest_answer,
        a_line_that_is_too_long_does_not_end_the_run,
        null_means_absent,
        a_field_of_the_wrong_type_is_named,
        a_frame_longer_than_the_limit_is_malformed,
        a_protocol_that_is_not_known_is_unsupported,
        a_key_decides_over_the_state,
        plaintext_of_a_meter_with_a_key_needs_permission,
        lines_of_one_meter_build_on_earlier_ones,
        fragments_are_joined_over_the_lines,
        what_is_not_ok_has_no_readings,
        a_telegram_cut_in_its_last_record_says_so,
        an_explanation_stands_beside_the_answer,
        an_explanation_can_be_read,
        an_argument_is_wrong_usage,
    };
    Suite *s = suite_create("ctl_decode");
    TCase *c = tcase_create("ctl_decode");
    SRunner *runner = srunner_create(s);
    int failed;

    tcase_set_timeout(c, 30);
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        tcase_add_test(c, tests[i]);
    suite_add_tcase(s, c);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
