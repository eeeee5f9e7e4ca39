/* IEC 62056-21, 6.4 (modes), 6.5 (programming mode). Messages of the meter:
 *
 * /XXXZ… CR LF           identification; Z: 0..9 mode C, A..F mode B, else mode A
 * STX … ETX BCC          data; EOT for ETX: another part follows after ACK
 * SOH P0 STX (…) ETX BCC password request
 * SOH B0 ETX BCC         break
 * ACK, NAK
 *
 * Bytes become messages first (assemble), messages events; a cell of the table that is left out
 * ends the reading. */
#include "parsers/iec_line.h"

#include "iec_frame.h"

#include <stdio.h>
#include <string.h>

#define SEVEN_BITS 0x7fu
#define BAUD_OPEN 300
#define BAUD_PUSH 2400
/* The standard gives the meter 1500 ms to answer; tunnels add their own delay. */
#define WAIT_MS 3000
#define WAIT_PUSH_MS 60000
#define MESSAGE_MAX (IEC_LINE_TEXT_MAX + 8)

enum event {
    EV_IDENT,
    EV_DATA,   /* STX … ETX, the check fits */
    EV_PART,   /* STX … EOT */
    EV_PROMPT, /* SOH P0 */
    EV_BREAK,  /* SOH B0 */
    EV_ACK,
    EV_NAK,
    EV_TELEGRAM, /* mode D: up to the line of the '!' */
    EV_DAMAGED,  /* wrong check */
    EV_SILENCE,
    EVENTS
};

struct step {
    void (*act)(struct iec_line *l);
};

static void send(struct iec_line *l, const void *p, size_t n)
{
    if (l->plan.echo)
        l->echo_left += n;
    l->port.send(l->port.ctx, (const uint8_t *)p, n);
}

static void send_byte(struct iec_line *l, uint8_t b)
{
    send(l, &b, 1);
}

/* SOH kind [STX text] ETX BCC */
static void send_command(struct iec_line *l, const char *kind, const char *text)
{
    uint8_t m[MESSAGE_MAX];
    size_t n = 0, len = text ? strlen(text) : 0;

    if (len > IEC_LINE_TEXT_MAX)
        len = IEC_LINE_TEXT_MAX;
    m[n++] = IEC_SOH;
    m[n++] = (uint8_t)kind[0];
    m[n++] = (uint8_t)kind[1];
    if (text) {
        m[n++] = IEC_STX;
        memcpy(m + n, text, len);
        n += len;
    }
    m[n++] = IEC_ETX;
    m[n] = iec_bcc(m + 1, n - 1);
    send(l, m, n + 1);
    explicit_bzero(m, sizeof m); /* it may be a password */
}

static void move(struct iec_line *l, enum iec_line_state next)
{
    l->state = next;
    l->tries = 0;
}

static void finish(struct iec_line *l, enum iec_line_result result)
{
    /* A meter in programming mode is sent away, so that others can read it. */
    if (l->state == IEC_LINE_PROMPT || l->state == IEC_LINE_PASSWORD ||
        l->state == IEC_LINE_COMMAND)
        send_command(l, "B0", NULL);
    if (!l->plan.listen)
        l->port.baud(l->port.ctx, BAUD_OPEN);
    l->state = IEC_LINE_CLOSED;
    l->result = result;
}

static void refused(struct iec_line *l)
{
    finish(l, IEC_LINE_REFUSED);
}

/* True while another try is allowed. */
static bool again(struct iec_line *l, enum iec_line_result otherwise)
{
    if (l->tries++ < IEC_LINE_RETRIES)
        return true;
    finish(l, otherwise);
    return false;
}

static void send_request(struct iec_line *l)
{
    char text[IEC_LINE_ADDRESS_MAX + 8];
    int n = snprintf(text, sizeof text, "/?%.*s!\r\n", IEC_LINE_ADDRESS_MAX,
                     l->plan.address ? l->plan.address : "");

    send(l, text, (size_t)n);
}

static void sign_on_again(struct iec_line *l)
{
    if (again(l, IEC_LINE_NO_ANSWER))
        send_request(l);
}

static void ask_to_repeat(struct iec_line *l)
{
    if (again(l, IEC_LINE_DAMAGED))
        send_byte(l, IEC_NAK);
}

static void no_answer(struct iec_line *l)
{
    finish(l, IEC_LINE_NO_ANSWER);
}

static unsigned baud_of(char z)
{
    static const unsigned bauds[] = { 300, 600, 1200, 2400, 4800, 9600, 19200 };

    if (z >= '0' && z <= '6')
        return bauds[z - '0'];
    return z >= 'A' && z <= 'F' ? bauds[z - 'A' + 1] : 0;
}

/* Mode C: option select, at 300 baud; then the speed that it names. */
static void select_option(struct iec_line *l, char z)
{
    char most = baud_of(l->plan.baud_most) ? l->plan.baud_most : '0';
    uint8_t m[] = { IEC_ACK, '0', 0, (uint8_t)(l->plan.program ? '1' : '0'), '\r', '\n' };

    m[2] = (uint8_t)(z < most ? z : most);
    send(l, m, sizeof m);
    l->port.baud(l->port.ctx, baud_of((char)m[2]));
    move(l, l->plan.program ? IEC_LINE_PROMPT : IEC_LINE_READ_OUT);
}

static void identified(struct iec_line *l)
{
    char z = l->ident_len > 4 ? (char)l->buf[4] : 0;

    if (z >= '0' && z <= '9') {
        select_option(l, z > '6' ? '6' : z);
        return;
    }
    if (z >= 'A' && z <= 'F')
        l->port.baud(l->port.ctx, baud_of(z)); /* mode B: without a word */
    move(l, IEC_LINE_READ_OUT);
}

static void send_password(struct iec_line *l)
{
    const char kind[] = { 'P', l->plan.password_level == '2' ? '2' : '1', 0 };
    char text[IEC_LINE_TEXT_MAX];

    (void)snprintf(text, sizeof text, "(%s)", l->plan.password ? l->plan.password : "");
    send_command(l, kind, text);
    explicit_bzero(text, sizeof text);
}

static void prompted(struct iec_line *l)
{
    send_password(l);
    move(l, IEC_LINE_PASSWORD);
}

static void password_again(struct iec_line *l)
{
    if (again(l, IEC_LINE_REFUSED))
        send_password(l);
}

static void send_current(struct iec_line *l)
{
    const struct iec_line_command *c = &l->plan.commands[l->command];

    send_command(l, c->kind, c->text);
}

static void next_command(struct iec_line *l)
{
    if (l->command == l->plan.ncommands) {
        finish(l, IEC_LINE_DONE);
        return;
    }
    move(l, IEC_LINE_COMMAND);
    send_current(l);
}

/* In modes A and B programming begins with the password, right after the read-out. */
static void read_out(struct iec_line *l)
{
    l->port.message(l->port.ctx, -1, l->buf, l->len, false);
    if (l->plan.program)
        prompted(l);
    else
        finish(l, IEC_LINE_DONE);
}

static void pass_reply(struct iec_line *l, bool more)
{
    l->port.message(l->port.ctx, (int)l->command, l->buf + l->ident_len, l->len - l->ident_len,
                    more);
}

static void replied(struct iec_line *l)
{
    pass_reply(l, false);
    l->command++;
    next_command(l);
}

static void part(struct iec_line *l)
{
    pass_reply(l, true);
    l->tries = 0;
    send_byte(l, IEC_ACK);
}

static void read_out_part(struct iec_line *l)
{
    l->port.message(l->port.ctx, -1, l->buf, l->len, true);
    l->tries = 0;
    send_byte(l, IEC_ACK);
}

static void command_again(struct iec_line *l)
{
    if (again(l, IEC_LINE_NO_ANSWER))
        send_current(l);
}

static void command_refused(struct iec_line *l)
{
    if (again(l, IEC_LINE_REFUSED))
        send_current(l);
}

static void pushed(struct iec_line *l)
{
    l->port.message(l->port.ctx, -1, l->buf, l->len, false);
    finish(l, IEC_LINE_DONE);
}

static const struct step table[IEC_LINE_STATES][EVENTS] = {
    [IEC_LINE_SIGN_ON] = { [EV_IDENT] = { identified },
                           [EV_NAK] = { sign_on_again },
                           [EV_SILENCE] = { sign_on_again } },
    [IEC_LINE_LISTEN] = { [EV_TELEGRAM] = { pushed }, [EV_SILENCE] = { no_answer } },
    [IEC_LINE_READ_OUT] = { [EV_DATA] = { read_out },
                            [EV_PART] = { read_out_part },
                            [EV_DAMAGED] = { ask_to_repeat },
                            [EV_SILENCE] = { no_answer } },
    [IEC_LINE_PROMPT] = { [EV_PROMPT] = { prompted },
                          [EV_DAMAGED] = { ask_to_repeat },
                          [EV_SILENCE] = { no_answer } },
    [IEC_LINE_PASSWORD] = { [EV_ACK] = { next_command },
                            [EV_NAK] = { password_again },
                            [EV_DATA] = { refused }, /* an error message */
                            [EV_BREAK] = { refused },
                            [EV_DAMAGED] = { ask_to_repeat },
                            [EV_SILENCE] = { password_again } },
    [IEC_LINE_COMMAND] = { [EV_DATA] = { replied },
                           [EV_PART] = { part },
                           [EV_ACK] = { replied },
                           [EV_NAK] = { command_refused },
                           [EV_BREAK] = { refused },
                           [EV_DAMAGED] = { ask_to_repeat },
                           [EV_SILENCE] = { command_again } },
};

static void handle(struct iec_line *l, enum event ev)
{
    const struct step *step = &table[l->state][ev];

    if (l->state == IEC_LINE_CLOSED)
        return;
    if (step->act)
        step->act(l);
    else
        finish(l, IEC_LINE_ODD);
    l->len = l->ident_len;
}

/* ---- bytes to messages ---- */

static bool begins_message(const struct iec_line *l, uint8_t b)
{
    if (l->state == IEC_LINE_SIGN_ON || l->state == IEC_LINE_LISTEN)
        return b == '/';
    return b == IEC_STX || b == IEC_SOH;
}

static enum event event_of_block(const struct iec_line *l)
{
    const uint8_t *m = l->buf + l->ident_len;
    size_t n = l->len - l->ident_len;

    if (iec_bcc(m + 1, n - 2) != m[n - 1])
        return EV_DAMAGED;
    if (m[0] == IEC_STX)
        return m[n - 2] == IEC_EOT ? EV_PART : EV_DATA;
    return n > 3 && m[1] == 'P' ? EV_PROMPT : EV_BREAK;
}

static void end_block(struct iec_line *l)
{
    enum event ev = event_of_block(l);

    l->wants_bcc = false;
    handle(l, ev);
}

/* The line of the '!' ends a pushed telegram. */
static bool ends_telegram(const struct iec_line *l)
{
    const uint8_t *mark = (const uint8_t *)memchr(l->buf, '!', l->len);

    return mark != NULL;
}

static void end_line(struct iec_line *l)
{
    if (l->state == IEC_LINE_SIGN_ON && l->len > 1 && l->buf[1] == '?') {
        l->len = 0; /* our own request, come back */
    } else if (l->state == IEC_LINE_SIGN_ON) {
        l->ident_len = l->len;
        handle(l, EV_IDENT);
    } else if (ends_telegram(l)) {
        handle(l, EV_TELEGRAM);
    }
}

static void single_byte(struct iec_line *l, uint8_t b)
{
    if (b == IEC_ACK)
        handle(l, EV_ACK);
    else if (b == IEC_NAK)
        handle(l, EV_NAK);
    /* Anything else between messages is noise on the line. */
}

static void assemble(struct iec_line *l, uint8_t b)
{
    bool by_lines = l->state == IEC_LINE_SIGN_ON || l->state == IEC_LINE_LISTEN;

    if (l->len == l->ident_len && !begins_message(l, b)) {
        single_byte(l, b);
        return;
    }
    if (l->len == l->cap) {
        finish(l, IEC_LINE_TOO_LONG);
        return;
    }
    l->buf[l->len++] = b;
    if (by_lines) {
        if (b == '\n')
            end_line(l);
    } else if (l->wants_bcc) {
        end_block(l);
    } else {
        l->wants_bcc = b == IEC_ETX || b == IEC_EOT;
    }
}

void iec_line_start(struct iec_line *l, const struct iec_line_port *port,
                    const struct iec_line_plan *plan, uint8_t *buf, size_t cap)
{
    memset(l, 0, sizeof *l);
    l->port = *port;
    l->plan = *plan;
    l->buf = buf;
    l->cap = cap;
    if (plan->listen) {
        l->port.baud(l->port.ctx, BAUD_PUSH);
        move(l, IEC_LINE_LISTEN);
        return;
    }
    l->port.baud(l->port.ctx, BAUD_OPEN);
    move(l, IEC_LINE_SIGN_ON);
    send_request(l);
}

void iec_line_bytes(struct iec_line *l, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n && l->state != IEC_LINE_CLOSED; i++) {
        if (l->echo_left > 0)
            l->echo_left--;
        else
            assemble(l, p[i] & SEVEN_BITS);
    }
}

void iec_line_silence(struct iec_line *l)
{
    l->echo_left = 0;
    l->wants_bcc = false;
    l->len = l->ident_len; /* a message that was broken off */
    handle(l, EV_SILENCE);
}

unsigned iec_line_wait_ms(const struct iec_line *l)
{
    if (l->state == IEC_LINE_CLOSED)
        return 0;
    return l->state == IEC_LINE_LISTEN ? WAIT_PUSH_MS : WAIT_MS;
}

const char *iec_line_result_text(enum iec_line_result r)
{
    switch (r) {
    case IEC_LINE_RUNNING:
        return "running";
    case IEC_LINE_DONE:
        return "done";
    case IEC_LINE_NO_ANSWER:
        return "no answer";
    case IEC_LINE_DAMAGED:
        return "damaged messages";
    case IEC_LINE_REFUSED:
        return "refused by the meter";
    case IEC_LINE_TOO_LONG:
        return "message too long";
    case IEC_LINE_ODD:
        return "unexpected message";
    }
    return "unknown";
}
