/* The reading side of IEC 62056-21 on a line or through a tunnel: modes A to D, read-out and
 * programming mode. Bytes in, bytes out: no port, no clock.
 *
 * The owner passes on what arrives (iec_line_bytes), tells when nothing arrived for
 * iec_line_wait_ms() (iec_line_silence), and does what the port asks for. */
#ifndef EMT_PARSERS_IEC62056_21_IEC_LINE_H
#define EMT_PARSERS_IEC62056_21_IEC_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Times that one message is repeated before the reading is given up. */
#define IEC_LINE_RETRIES 2
#define IEC_LINE_ADDRESS_MAX 32
#define IEC_LINE_TEXT_MAX 128 /* of a command or password */

/* What the machine wants done, in the order of the calls. */
struct iec_line_port {
    void (*send)(void *ctx, const uint8_t *p, size_t n);
    /* From here on this speed; takes effect once everything given to send() is out. */
    void (*baud)(void *ctx, unsigned baud);
    /* A whole message of the meter with its framing, as the decoder reads it: the read-out with its
     * identification line (command = -1), or the reply to commands[command]. `more`: a part of the
     * reply, others follow. Borrowed for the call. */
    void (*message)(void *ctx, int command, const uint8_t *p, size_t n, bool more);
    void *ctx;
};

/* A command of programming mode: "R5" and "1.8.0()", "W5" and "0.9.1(120000)". */
struct iec_line_command {
    const char *kind; /* two characters */
    const char *text; /* at most IEC_LINE_TEXT_MAX */
};

/* Everything is borrowed for the life of the line. */
struct iec_line_plan {
    bool listen;         /* mode D: the meter sends by itself */
    bool echo;           /* the head repeats what is sent */
    bool program;        /* after the sign-on: password and commands */
    const char *address; /* device address in the request, "" for none */
    char baud_most;      /* '0'..'6': fastest speed to accept in mode C */
    char password_level; /* '1' or '2' */
    const char *password;
    const struct iec_line_command *commands;
    unsigned ncommands;
};

enum iec_line_state {
    IEC_LINE_CLOSED = 0,
    IEC_LINE_SIGN_ON,  /* request sent, identification expected */
    IEC_LINE_LISTEN,   /* mode D */
    IEC_LINE_READ_OUT, /* data message expected */
    IEC_LINE_PROMPT,   /* password request expected */
    IEC_LINE_PASSWORD, /* acknowledgement of the password expected */
    IEC_LINE_COMMAND,  /* reply to a command expected */
    IEC_LINE_STATES
};

enum iec_line_result {
    IEC_LINE_RUNNING = 0,
    IEC_LINE_DONE,
    IEC_LINE_NO_ANSWER,
    IEC_LINE_DAMAGED,  /* wrong block checks, more often than repeats are asked for */
    IEC_LINE_REFUSED,  /* password or command */
    IEC_LINE_TOO_LONG, /* a message longer than the buffer */
    IEC_LINE_ODD,      /* a message that does not belong here */
};

struct iec_line {
    struct iec_line_port port;
    struct iec_line_plan plan;
    uint8_t *buf; /* of the caller */
    size_t cap;
    size_t ident_len; /* identification line at the front of buf */
    size_t len;       /* with the message that is being received */
    enum iec_line_state state;
    enum iec_line_result result;
    unsigned command; /* which one is under way */
    unsigned tries;   /* of the message under way */
    size_t echo_left; /* sent bytes that have yet to come back */
    bool wants_bcc;   /* the next byte ends the message */
};

/* buf: for the longest message with its identification. Begins at once: opens at 300 baud and signs
 * on, or listens at 2400. */
void iec_line_start(struct iec_line *l, const struct iec_line_port *port,
                    const struct iec_line_plan *plan, uint8_t *buf, size_t cap);
void iec_line_bytes(struct iec_line *l, const uint8_t *p, size_t n);
/* Nothing arrived for iec_line_wait_ms(). */
void iec_line_silence(struct iec_line *l);
/* Milliseconds without a byte until iec_line_silence() is due; 0: none, the line is closed. */
unsigned iec_line_wait_ms(const struct iec_line *l);
/* For people: "no answer", …; static. */
const char *iec_line_result_text(enum iec_line_result r);

#endif
