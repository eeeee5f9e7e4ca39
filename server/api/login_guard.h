/* Who failed to log in too often: counted per address (IPv6: per /64), so that whoever guesses
 * locks out nobody but himself. */
#ifndef EMT_API_LOGIN_GUARD_H
#define EMT_API_LOGIN_GUARD_H

#include "base/attr.h"
#include "base/clock.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Failed logins of an address within LOGIN_WINDOW before further ones are refused unread. */
#define LOGIN_FAILURES_MAX 10
#define LOGIN_WINDOW (5 * EMT_MINUTE)
/* Addresses remembered; beyond that the one whose window began first is forgotten. */
#define LOGIN_PEERS_MAX 1024

struct login_peer {
    uint8_t address[16]; /* IPv4 as ::ffff:a.b.c.d; IPv6 without its lower half */
    emt_time since;      /* of the first failure in the window; 0: unused */
    uint32_t failures;
};

/* Storage of the caller; thread safe after init. */
struct login_guard {
    pthread_mutex_t mutex;
    struct login_peer peers[LOGIN_PEERS_MAX];
};

/* False: no mutex to be had. */
EMT_CHECKED bool login_guard_init(struct login_guard *g);
void login_guard_release(struct login_guard *g);
/* peer as text; one that is no address counts as all others of that kind. */
bool login_guard_allows(struct login_guard *g, const char *peer, emt_time now);
void login_guard_failed(struct login_guard *g, const char *peer, emt_time now);

#endif
