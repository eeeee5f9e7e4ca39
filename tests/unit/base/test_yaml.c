#include "base/yaml.h"
#include "suites.h"

#include <stdio.h>
#include <string.h>

static struct yaml *load(const char *text)
{
    struct yaml *y = NULL;
    struct emt_diag diag = { .file = "" };

    ck_assert_msg(yaml_load_text("t.yaml", text, strlen(text), &y, &diag) == EMT_OK, "%s",
                  diag.text);
    return y;
}

static void assert_refused(const char *text, enum emt_err expected, const char *message)
{
    struct yaml *y = NULL;
    struct emt_diag diag = { .file = "" };
    char line[700];

    ck_assert_int_eq(yaml_load_text("t.yaml", text, strlen(text), &y, &diag), expected);
    ck_assert_ptr_null(y);
    (void)emt_diag_format(&diag, line, sizeof line);
    ck_assert_msg(strncmp(line, message, strlen(message)) == 0, "%s", line);
}

START_TEST(typed_reads)
{
    struct yaml *y =
        load("name: emtd\nlisten:\n  port: 7443\n  idle: 5m\n  buffer: 8MiB\n  on: true\n");
    const struct yaml_node *root = yaml_root(y);
    const struct yaml_node *listen = yaml_get(y, root, "listen");
    const char *name = NULL;
    int64_t port = 0;
    int64_t idle = 0;
    int64_t buffer = 0;
    int64_t absent = 42;
    bool on = false;

    ck_assert_int_eq(yaml_text(y, root, "name", &name, NULL), EMT_OK);
    ck_assert_str_eq(name, "emtd");
    ck_assert_int_eq(yaml_int(y, listen, "port", 1, 65535, &port, NULL), EMT_OK);
    ck_assert_int_eq(port, 7443);
    ck_assert_int_eq(yaml_duration_ms(y, listen, "idle", 0, INT64_MAX, &idle, NULL), EMT_OK);
    ck_assert_int_eq(idle, 300000);
    ck_assert_int_eq(yaml_size(y, listen, "buffer", 0, INT64_MAX, &buffer, NULL), EMT_OK);
    ck_assert_int_eq(buffer, 8388608);
    ck_assert_int_eq(yaml_bool(y, listen, "on", &on, NULL), EMT_OK);
    ck_assert(on);
    ck_assert_int_eq(yaml_int(y, listen, "absent", 0, 1, &absent, NULL), EMT_OK);
    ck_assert_int_eq(yaml_int(y, NULL, "absent", 0, 1, &absent, NULL), EMT_OK);
    ck_assert_int_eq(absent, 42);
    ck_assert_int_eq(yaml_unknown(y, NULL), EMT_OK);
    yaml_free(y);
    yaml_free(NULL);
}
END_TEST

START_TEST(sequences)
{
    struct yaml *y = load("list: [a, \"b\", {c: 1}]\ntext: x\n");
    const struct yaml_node *list = yaml_get(y, yaml_root(y), "list");

    ck_assert_uint_eq(yaml_count(list), 3);
    ck_assert_str_eq(yaml_scalar(yaml_at(list, 1)), "b");
    ck_assert_ptr_null(yaml_scalar(yaml_at(list, 2)));
    ck_assert_ptr_null(yaml_at(list, 3));
    ck_assert_uint_eq(yaml_count(yaml_get(y, yaml_root(y), "text")), 0);
    ck_assert_uint_eq(yaml_count(NULL), 0);
    yaml_free(y);
}
END_TEST

START_TEST(an_empty_file_is_an_empty_mapping)
{
    static const char *const texts[] = { "", "# only words\n", "---\n", "~\n" };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct yaml *y = load(texts[i]);

        ck_assert_ptr_nonnull(yaml_root(y));
        ck_assert_ptr_null(yaml_get(y, yaml_root(y), "a"));
        ck_assert_int_eq(yaml_unknown(y, NULL), EMT_OK);
        yaml_free(y);
    }
}
END_TEST

static void assert_wrong(const char *text,
                         enum emt_err (*read)(const struct yaml *, struct emt_diag *),
                         const char *message)
{
    struct yaml *y = load(text);
    struct emt_diag diag = { .file = "" };
    char line[700];

    ck_assert_int_eq(read(y, &diag), EMT_EMALFORMED);
    ck_assert_str_eq(emt_diag_format(&diag, line, sizeof line), message);
    yaml_free(y);
}

static enum emt_err read_port(const struct yaml *y, struct emt_diag *diag)
{
    int64_t v;

    return yaml_int(y, yaml_get(y, yaml_root(y), "a"), "port", 1, 65535, &v, diag);
}

static enum emt_err read_idle(const struct yaml *y, struct emt_diag *diag)
{
    int64_t v;

    return yaml_duration_ms(y, yaml_root(y), "idle", 1000, 60000, &v, diag);
}

static enum emt_err read_flag(const struct yaml *y, struct emt_diag *diag)
{
    bool v;

    return yaml_bool(y, yaml_root(y), "flag", &v, diag);
}

static enum emt_err read_text(const struct yaml *y, struct emt_diag *diag)
{
    const char *v;

    return yaml_text(y, yaml_root(y), "text", &v, diag);
}

START_TEST(a_wrong_value_names_file_line_key_and_what_was_expected)
{
    assert_wrong("a:\n  port: x\n", read_port,
                 "t.yaml:2: a.port: expected a whole number, found \"x\"");
    assert_wrong("a:\n  port: '1'\n", read_port,
                 "t.yaml:2: a.port: expected a whole number, found \"1\"");
    assert_wrong("a:\n  port: 0\n", read_port, "t.yaml:2: a.port: 0 is out of range: 1 to 65535");
    assert_wrong("a:\n  port: 99999999999999999999\n", read_port,
                 "t.yaml:2: a.port: expected a whole number, found \"99999999999999999999\"");
    assert_wrong("a:\n\n  port: [1]\n", read_port, "t.yaml:3: a.port: expected a whole number");
    assert_wrong("a:\n  port:\n", read_port, "t.yaml:2: a.port: expected a whole number");
    assert_wrong("a: 7443\n", read_port, "t.yaml:1: a: expected a mapping with \"port\"");
    assert_wrong("idle: 61s\n", read_idle, "t.yaml:1: idle: 61s is out of range: 1000 to 60000 ms");
    assert_wrong(
        "idle: 30\n", read_idle,
        "t.yaml:1: idle: expected a duration such as 500ms, 30s, 5m, 48h or 30d, found \"30\"");
    assert_wrong("idle: 9223372036854775807d\n", read_idle,
                 "t.yaml:1: idle: expected a duration such as 500ms, 30s, 5m, 48h or 30d, found "
                 "\"9223372036854775807d\"");
    assert_wrong("flag: yes\n", read_flag, "t.yaml:1: flag: expected true or false, found \"yes\"");
    assert_wrong("text: {}\n", read_text, "t.yaml:1: text: expected a text");
}
END_TEST

START_TEST(keys_nobody_asked_for_are_found)
{
    struct yaml *y = load("a:\n  b: 1\n  list:\n  - x: 1\n    y: 2\n");
    struct emt_diag diag = { .file = "" };
    const struct yaml_node *a;
    char line[700];

    ck_assert_int_eq(yaml_unknown(y, &diag), EMT_EMALFORMED);
    ck_assert_str_eq(emt_diag_format(&diag, line, sizeof line), "t.yaml:1: a: unknown key");
    a = yaml_get(y, yaml_root(y), "a");
    ck_assert_int_eq(yaml_unknown(y, &diag), EMT_EMALFORMED);
    ck_assert_str_eq(diag.key, "a.b");
    (void)yaml_get(y, a, "b");
    (void)yaml_get(y, yaml_at(yaml_get(y, a, "list"), 0), "x");
    ck_assert_int_eq(yaml_unknown(y, &diag), EMT_EMALFORMED);
    ck_assert_str_eq(emt_diag_format(&diag, line, sizeof line),
                     "t.yaml:5: a.list[0].y: unknown key");
    (void)yaml_get(y, yaml_at(yaml_get(y, a, "list"), 0), "y");
    ck_assert_int_eq(yaml_unknown(y, &diag), EMT_OK);
    yaml_free(y);
}
END_TEST

START_TEST(what_configuration_does_not_need_is_refused)
{
    assert_refused("a: 1\na: 2\n", EMT_EMALFORMED, "t.yaml:2: a: the key stands there twice");
    assert_refused("a: &x 1\n", EMT_EMALFORMED, "t.yaml:1: a: anchors and tags");
    assert_refused("a: 1\nb: *x\n", EMT_EMALFORMED, "t.yaml:2: b: aliases");
    assert_refused("a: !!str 1\n", EMT_EMALFORMED, "t.yaml:1: a: anchors and tags");
    assert_refused("a: !!map {}\n", EMT_EMALFORMED, "t.yaml:1: a: anchors and tags");
    assert_refused("a: 1\n---\nb: 1\n", EMT_EMALFORMED, "t.yaml:2: more than one document");
    assert_refused("- a\n", EMT_EMALFORMED, "t.yaml:1: expected a mapping at the top");
    assert_refused("text\n", EMT_EMALFORMED, "t.yaml:1: expected a mapping at the top");
    assert_refused("? [a]\n: 1\n", EMT_EMALFORMED, "t.yaml:1: a key must be a text");
    assert_refused("a: \"x\\0y\"\n", EMT_EMALFORMED, "t.yaml:1: a: a text with a zero character");
    assert_refused("a:\n\t- b\n", EMT_EMALFORMED, "t.yaml:2: ");
    assert_refused("a: \xff\n", EMT_EMALFORMED, "t.yaml:");
    assert_refused("a: [", EMT_EMALFORMED, "t.yaml:");
}
END_TEST

START_TEST(limits_hold)
{
    static char text[1100000];
    struct yaml *y = NULL;
    size_t n = 0;

    memset(text, '#', sizeof text);
    ck_assert_int_eq(yaml_load_text("t", text, sizeof text, &y, NULL), EMT_ELIMIT);
    assert_refused("a: [[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]\n", EMT_ELIMIT, "t.yaml:1: ");
    for (unsigned i = 0; i < 20000; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "k%u: 1\n", i);
    ck_assert_int_eq(yaml_load_text("t", text, n, &y, NULL), EMT_ELIMIT);
    ck_assert_ptr_null(y);
}
END_TEST

START_TEST(a_file_that_is_not_there)
{
    struct yaml *y = NULL;
    struct emt_diag diag = { .file = "" };

    ck_assert_int_eq(yaml_load_file("/nowhere/emtd.yaml", &y, &diag), EMT_EIO);
    ck_assert_str_eq(diag.file, "/nowhere/emtd.yaml");
}
END_TEST

SUITE(yaml, typed_reads, sequences, an_empty_file_is_an_empty_mapping,
      a_wrong_value_names_file_line_key_and_what_was_expected, keys_nobody_asked_for_are_found,
      what_configuration_does_not_need_is_refused, limits_hold, a_file_that_is_not_there)
