/* A meter that says anything: the machine ends or goes on, in bounds, and sends no more than its
 * retries allow. */
#include "parsers/iec_line.h"

#include <stdlib.h>

#define BUF_LEN 512
#define SILENCE 0xff /* top bit and all: no byte of a meter with seven data bits */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void on_send(void *ctx, const uint8_t *p, size_t n)
{
    size_t *messages = ctx;

    must(p != NULL && n > 0 && n <= IEC_LINE_TEXT_MAX + 8);
    ++*messages;
}

static void on_baud(void *ctx, unsigned baud)
{
    (void)ctx;
    must(baud >= 300 && baud <= 19200);
}

static void on_message(void *ctx, int command, const uint8_t *p, size_t n, bool more)
{
    (void)ctx;
    (void)more;
    must(command >= -1 && command < 3 && p != NULL && n <= BUF_LEN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct iec_line_command commands[] = { { "R5", "1.8.0()" },
                                                        { "R6", "P.01(;)" },
                                                        { "W5", "0.9.1(120000)" } };
    size_t sent = 0;
    const struct iec_line_port port = { on_send, on_baud, on_message, &sent };
    struct iec_line_plan plan = { .address = "1",
                                  .baud_most = '5',
                                  .password_level = '1',
                                  .password = "0",
                                  .commands = commands,
                                  .ncommands = 3 };
    struct iec_line line;
    uint8_t *buf;

    if (size == 0 || !(buf = malloc(BUF_LEN)))
        return 0;
    plan.listen = data[0] & 1;
    plan.program = data[0] & 2;
    plan.echo = data[0] & 4;
    iec_line_start(&line, &port, &plan, buf, BUF_LEN);
    for (size_t i = 1; i < size; i++) {
        size_t before = sent;

        if (data[i] == SILENCE)
            iec_line_silence(&line);
        else
            iec_line_bytes(&line, data + i, 1);
        must(line.len <= BUF_LEN && line.ident_len <= line.len && sent - before <= 2);
        must((line.state == IEC_LINE_CLOSED) == (line.result != IEC_LINE_RUNNING));
    }
    free(buf);
    return 0;
}
