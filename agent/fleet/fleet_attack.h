/* Clients that mean no good, or have a network that is none: many at once, each way of being bad by
 * itself, again and again. What must be refused is refused and counted by the head-end, and other
 * gateways do not notice. */
#ifndef EMT_FLEET_ATTACK_H
#define EMT_FLEET_ATTACK_H

#include "agent/endpoint.h"
#include "base/attr.h"
#include "base/error.h"

#include <stdint.h>

enum attack_mode {
    ATTACK_HALF_OPEN,    /* connects and says nothing */
    ATTACK_SLOW_HELLO,   /* a ClientHello, one byte after the other */
    ATTACK_GARBAGE,      /* bytes that are no TLS */
    ATTACK_NO_HELLO,     /* TLS, and then nothing */
    ATTACK_JUNK,         /* TLS, and then bytes that are no message */
    ATTACK_OVERSIZED,    /* TLS, and then the announcement of a message of 2 GiB */
    ATTACK_SLOW_MESSAGE, /* TLS, and then a message of 16 KiB, one byte after the other */
    ATTACK_STORM,        /* full handshakes that are dropped when TLS stands */
    ATTACK_MODES
};
/* "half-open", …; EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err attack_mode_parse(const char *name, enum attack_mode *out);

struct attack_options {
    const char *dir; /* the first enrolled gateway of it lends its certificate */
    const struct endpoint *address;
    enum attack_mode mode;
    uint32_t connections; /* at a time: who is sent away comes back at once */
    uint32_t seconds;
};

/* One JSON line per second on stdout, the last one with "final":true: opened, refused (no
 * connection), closed (by the head-end), open. Exit code: 0 the time is over, 1 a failure, 2 wrong
 * configuration (diag says what). */
int fleet_attack(const struct attack_options *o, struct emt_diag *diag);

#endif
