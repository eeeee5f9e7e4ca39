#include "base/log.h"
#include "suites.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Lines written through a pipe; Check runs each test in a process of its own, so the sink is fresh.
 */
static int pipe_ends[2];

static void open_log(enum log_level least, enum log_format format)
{
    ck_assert_int_eq(pipe(pipe_ends), 0);
    log_open("emtd", least, format, pipe_ends[1]);
}

static const char *read_log(char *buf, size_t size)
{
    ssize_t n;

    close(pipe_ends[1]);
    n = read(pipe_ends[0], buf, size - 1);
    ck_assert_int_ge(n, 0);
    buf[n] = 0;
    close(pipe_ends[0]);
    return buf;
}

/* The line behind the point in time, whose form is checked. */
static const char *after_time(const char *line, const char *before)
{
    const char *p = line + strlen(before);
    int year;

    ck_assert_int_eq(strncmp(line, before, strlen(before)), 0);
    ck_assert_int_eq(sscanf(p, "%4d-", &year), 1);
    ck_assert_int_ge(year, 2024);
    ck_assert_int_eq(p[19], '.');
    ck_assert_int_eq(p[23], 'Z');
    return p + 24;
}

START_TEST(text_lines)
{
    char buf[5000];

    open_log(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    LOG_INFO("session-closed", LOG_S("gateway", "gw-1"), LOG_I("frames", -3),
             LOG_S("why", "peer \"gone\"\nnow"), LOG_S("none", NULL), LOG_S("empty", ""));
    ck_assert_str_eq(
        after_time(read_log(buf, sizeof buf), ""),
        " INFO session-closed gateway=gw-1 frames=-3 why=\"peer \\\"gone\\\"\\nnow\" empty=\"\"\n");
}
END_TEST

START_TEST(json_lines)
{
    char buf[5000];

    open_log(LOG_LEVEL_DEBUG, LOG_FORMAT_AUTO); /* a pipe is no terminal */
    LOG_WARN("x", LOG_S("key", "a\"b"), LOG_I("n", INT64_MIN));
    ck_assert_str_eq(
        after_time(read_log(buf, sizeof buf), "{\"ts\":\""),
        "\",\"level\":\"warn\",\"program\":\"emtd\",\"event\":\"x\",\"key\":\"a\\\"b\","
        "\"n\":-9223372036854775808}\n");
}
END_TEST

START_TEST(lower_levels_are_left_out)
{
    char buf[5000];

    open_log(LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
    LOG_NOTICE("quiet", LOG_I("n", 1));
    log_write(LOG_LEVEL_INFO, "quiet", NULL, 0);
    ck_assert(!log_wants(LOG_LEVEL_INFO));
    ck_assert_str_eq(read_log(buf, sizeof buf), "");
}
END_TEST

START_TEST(a_field_too_long_is_left_out_and_said)
{
    char value[6000];
    char buf[8000];

    memset(value, 'x', sizeof value - 1);
    value[sizeof value - 1] = 0;
    open_log(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    LOG_ERROR("big", LOG_S("a", "1"), LOG_S("text", value), LOG_S("b", "2"));
    ck_assert_str_eq(strstr(read_log(buf, sizeof buf), "\"event\""),
                     "\"event\":\"big\",\"a\":\"1\",\"b\":\"2\",\"cut\":true}\n");
}
END_TEST

START_TEST(levels_have_names)
{
    enum log_level level = LOG_LEVEL_ERROR;

    ck_assert(log_level_parse("notice", &level));
    ck_assert_int_eq(level, LOG_LEVEL_NOTICE);
    ck_assert(!log_level_parse("NOTICE", &level));
    ck_assert(!log_level_parse("", &level));
}
END_TEST

SUITE(log, text_lines, json_lines, lower_levels_are_left_out, a_field_too_long_is_left_out_and_said,
      levels_have_names)
