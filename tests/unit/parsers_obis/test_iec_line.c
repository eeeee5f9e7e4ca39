/* Conversations after IEC 62056-21, 6.4 and 6.5, as scripts: what we send, what the meter says. */
#include "iec62056_21/iec_frame.h"
#include "parsers/iec_line.h"
#include "suites.h"
#include "support.h"

#include <stdio.h>
#include <string.h>

#define LOG_MAX 8192

/* Everything the machine asks for, as one text: "300 >/?!\r\n" … */
struct log {
    char text[LOG_MAX];
    size_t len;
    uint8_t message[LOG_MAX]; /* the last one */
    size_t message_len;
    unsigned messages;
};

static struct log out;
static struct iec_line line;
static uint8_t buf[4096];

static void on_send(void *ctx, const uint8_t *p, size_t n)
{
    struct log *l = ctx;

    l->text[l->len++] = '>';
    for (size_t i = 0; i < n; i++) {
        if (p[i] < 0x20)
            l->len += (size_t)snprintf(l->text + l->len, LOG_MAX - l->len, "<%02x>", p[i]);
        else
            l->text[l->len++] = (char)p[i];
    }
    l->text[l->len] = 0;
}

static void on_baud(void *ctx, unsigned baud)
{
    struct log *l = ctx;

    l->len += (size_t)snprintf(l->text + l->len, LOG_MAX - l->len, "[%u]", baud);
}

static void on_message(void *ctx, int command, const uint8_t *p, size_t n, bool more)
{
    struct log *l = ctx;

    l->len +=
        (size_t)snprintf(l->text + l->len, LOG_MAX - l->len, "{%d%s}", command, more ? "+" : "");
    memcpy(l->message, p, n);
    l->message_len = n;
    l->messages++;
}

static void start(const struct iec_line_plan *plan)
{
    const struct iec_line_port port = { on_send, on_baud, on_message, &out };

    memset(&out, 0, sizeof out);
    iec_line_start(&line, &port, plan, buf, sizeof buf);
}

/* What the machine did since the last call. */
static void expect(const char *text)
{
    ck_assert_str_eq(out.text, text);
    out.len = 0;
    out.text[0] = 0;
}

static void say(const char *text)
{
    iec_line_bytes(&line, (const uint8_t *)text, strlen(text));
}

/* A message with its check; wrong: with another one. */
static void say_block(const char *text, bool wrong)
{
    uint8_t bcc = iec_bcc((const uint8_t *)text + 1, strlen(text) - 1);

    say(text);
    bcc ^= wrong;
    iec_line_bytes(&line, &bcc, 1);
}

START_TEST(mode_c_reads_at_the_speed_that_both_can)
{
    struct iec_line_plan plan = { .address = "", .baud_most = '4' };
    struct decode_result r;

    start(&plan);
    expect("[300]>/?!<0d><0a>");
    ck_assert_uint_gt(iec_line_wait_ms(&line), 1500);
    say("/EMT5EXAMPLE\r");
    expect("");
    say("\n");
    expect("><06>040<0d><0a>[4800]");
    say_block("\x02"
              "0.0.0(12345678)\r\n1.8.0(1*kWh)\r\n!\r\n\x03",
              false);
    expect("{-1}[300]");
    ck_assert_int_eq(line.result, IEC_LINE_DONE);
    ck_assert_uint_eq(iec_line_wait_ms(&line), 0);
    /* The decoder reads what came, with its identification. */
    r = decode_bytes(PROTOCOL_IEC62056_21, out.message, out.message_len);
    ck_assert_int_eq(r.state, FRAME_OK);
    ck_assert_str_eq(r.device.manufacturer, "EMT");
    support_release();
}
END_TEST

START_TEST(mode_b_changes_speed_without_a_word)
{
    struct iec_line_plan plan = { .address = "12345678", .baud_most = '6' };

    start(&plan);
    expect("[300]>/?12345678!<0d><0a>");
    say("/EMTCEXAMPLE\r\n");
    expect("[2400]");
    say_block("\x02"
              "1.8.0(1*kWh)\r\n!\r\n\x03",
              false);
    expect("{-1}[300]");
    ck_assert_int_eq(line.result, IEC_LINE_DONE);
}
END_TEST

START_TEST(mode_a_stays_at_300)
{
    struct iec_line_plan plan = { .baud_most = '6' };

    start(&plan);
    say("/EMT@EXAMPLE\r\n");
    say_block("\x02"
              "1.8.0(1*kWh)\r\n!\r\n\x03",
              false);
    expect("[300]>/?!<0d><0a>{-1}[300]");
}
END_TEST

START_TEST(mode_d_listens)
{
    struct iec_line_plan plan = { .listen = true };

    start(&plan);
    expect("[2400]");
    say("*kWh)\r\n/EMT3EXAMPLE\r\n\r\n1.8.0(1*kWh)\r\n");
    expect("");
    say("!\r\n");
    expect("{-1}");
    ck_assert_int_eq(line.result, IEC_LINE_DONE);
    ck_assert_int_eq(decode_bytes(PROTOCOL_IEC62056_21, out.message, out.message_len).state,
                     FRAME_OK);
    support_release();
}
END_TEST

static const struct iec_line_command commands[] = { { "R5", "1.8.0()" },
                                                    { "R6", "P.01(;)" },
                                                    { "W5", "0.9.1(120000)" } };
static const struct iec_line_plan programming = { .baud_most = '5',
                                                  .program = true,
                                                  .password_level = '1',
                                                  .password = "00000000",
                                                  .commands = commands,
                                                  .ncommands = 3 };

static void enter_programming(void)
{
    start(&programming);
    say("/EMT5EXAMPLE\r\n");
    expect("[300]>/?!<0d><0a>><06>051<0d><0a>[9600]");
    say_block("\x01P0\x02(1234)\x03", false);
    expect("><01>P1<02>(00000000)<03>a");
}

START_TEST(programming_mode_reads_and_writes)
{
    enter_programming();
    say("\x06");
    expect("><01>R5<02>1.8.0()<03>^");
    say_block("\x02(12*kWh)\x03", false);
    expect("{0}><01>R6<02>P.01(;)<03> ");
    say_block("\x02P.01(0210114223000)(00)(15)(1)(1.5)(kW)\r\n\x04", false);
    expect("{1+}><06>");
    say_block("\x02(0.1)\r\n\x03", false);
    expect("{1}><01>W5<02>0.9.1(120000)<03>Y");
    say("\x06");
    expect("{2}><01>B0<03>q[300]");
    ck_assert_int_eq(line.result, IEC_LINE_DONE);
    ck_assert_uint_eq(out.message_len, 0);
}
END_TEST

START_TEST(a_refused_password_ends_with_a_break)
{
    enter_programming();
    for (unsigned i = 0; i < IEC_LINE_RETRIES; i++) {
        say("\x15");
        expect("><01>P1<02>(00000000)<03>a");
    }
    say("\x15");
    expect("><01>B0<03>q[300]");
    ck_assert_int_eq(line.result, IEC_LINE_REFUSED);
    enter_programming();
    say_block("\x02(ER01)\x03", false);
    ck_assert_int_eq(line.result, IEC_LINE_REFUSED);
    enter_programming();
    say_block("\x01"
              "B0\x03",
              false);
    ck_assert_int_eq(line.result, IEC_LINE_REFUSED);
}
END_TEST

START_TEST(damaged_messages_are_asked_for_again)
{
    struct iec_line_plan plan = { .baud_most = '5' };

    start(&plan);
    say("/EMT5EXAMPLE\r\n");
    out.len = 0;
    for (unsigned i = 0; i < IEC_LINE_RETRIES; i++) {
        say_block("\x02"
                  "1.8.0(1*kWh)\r\n!\r\n\x03",
                  true);
        expect("><15>");
    }
    say_block("\x02"
              "1.8.0(1*kWh)\r\n!\r\n\x03",
              true);
    expect("[300]");
    ck_assert_int_eq(line.result, IEC_LINE_DAMAGED);
    ck_assert_uint_eq(out.messages, 0);
}
END_TEST

START_TEST(silence_repeats_and_gives_up)
{
    struct iec_line_plan plan = { .baud_most = '5' };

    start(&plan);
    for (unsigned i = 0; i < IEC_LINE_RETRIES; i++)
        iec_line_silence(&line);
    expect("[300]>/?!<0d><0a>>/?!<0d><0a>>/?!<0d><0a>");
    iec_line_silence(&line);
    expect("[300]");
    ck_assert_int_eq(line.result, IEC_LINE_NO_ANSWER);
    iec_line_silence(&line); /* closed: nothing happens */
    say("/EMT5EXAMPLE\r\n");
    expect("");
    enter_programming();
    iec_line_silence(&line);
    expect("><01>P1<02>(00000000)<03>a");
    say("\x06");
    for (unsigned i = 0; i < IEC_LINE_RETRIES; i++)
        iec_line_silence(&line);
    out.len = 0;
    say("\x02(12"); /* broken off */
    iec_line_silence(&line);
    expect("><01>B0<03>q[300]");
    ck_assert_int_eq(line.result, IEC_LINE_NO_ANSWER);
}
END_TEST

START_TEST(an_echo_is_passed_over)
{
    struct iec_line_plan plan = { .baud_most = '5', .echo = true };

    start(&plan);
    say("/?!\r\n/EMT5EXAMPLE\r\n");
    expect("[300]>/?!<0d><0a>><06>050<0d><0a>[9600]");
    say("\x06"
        "050\r\n");
    say_block("\x02"
              "1.8.0(1*kWh)\r\n!\r\n\x03",
              false);
    ck_assert_int_eq(line.result, IEC_LINE_DONE);
    /* One that nobody told us of. */
    plan.echo = false;
    start(&plan);
    say("/?!\r\n/EMT5EXAMPLE\r\n");
    expect("[300]>/?!<0d><0a>><06>050<0d><0a>[9600]");
}
END_TEST

START_TEST(messages_longer_than_the_buffer_end_the_reading)
{
    struct iec_line_plan plan = { .baud_most = '5' };
    const struct iec_line_port port = { on_send, on_baud, on_message, &out };

    memset(&out, 0, sizeof out);
    iec_line_start(&line, &port, &plan, buf, 32);
    say("/EMT5EXAMPLE\r\n\x02");
    for (unsigned i = 0; i < 20; i++)
        say("1.8.0(1*kWh)\r\n");
    ck_assert_int_eq(line.result, IEC_LINE_TOO_LONG);
}
END_TEST

START_TEST(any_bytes_are_survived)
{
    uint32_t x = 12345;

    for (unsigned run = 0; run < 2000; run++) {
        struct iec_line_plan plan = programming;

        plan.listen = run % 7 == 0;
        plan.program = run % 2;
        start(&plan);
        say("/EMT5EXAMPLE\r\n");
        for (unsigned i = 0; i < 300; i++) {
            static const uint8_t likely[] = { 1, 2, 3, 4, 6, 0x15, '/', '!', 'P', '0', '\n', '(' };
            uint8_t b;

            x = x * 1664525 + 1013904223;
            b = x >> 31 ? (uint8_t)(x >> 20) : likely[(x >> 16) % sizeof likely];
            out.len = 0;
            if ((x >> 8) % 97 == 0)
                iec_line_silence(&line);
            iec_line_bytes(&line, &b, 1);
            ck_assert_uint_le(line.len, sizeof buf);
        }
    }
}
END_TEST

SUITE(iec_line, mode_c_reads_at_the_speed_that_both_can, mode_b_changes_speed_without_a_word,
      mode_a_stays_at_300, mode_d_listens, programming_mode_reads_and_writes,
      a_refused_password_ends_with_a_break, damaged_messages_are_asked_for_again,
      silence_repeats_and_gives_up, an_echo_is_passed_over,
      messages_longer_than_the_buffer_end_the_reading, any_bytes_are_survived)
