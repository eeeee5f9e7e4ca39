/* Who failed to log in too often waits: counted per address (IPv6: per /64) and per user name, in
 * the database, so that it holds on every node and over restarts. Waiting grows to a ceiling and
 * nobody is ever locked out; from where a user has logged in before, strangers who guess at the
 * name slow down nobody but themselves. */
#ifndef EMT_API_LOGIN_GUARD_H
#define EMT_API_LOGIN_GUARD_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct store;

/* Failures in a row before the waiting begins, and the longest wait: docs/limits.md. */
#define LOGIN_ADDRESS_FREE 10
#define LOGIN_ADDRESS_WAIT_S 60
#define LOGIN_NAME_FREE 5
#define LOGIN_NAME_WAIT_S 30
/* After this long without an attempt all is forgotten. */
#define LOGIN_WINDOW (15 * EMT_MINUTE)
/* How long a user's address counts as known. */
#define LOGIN_PLACE_AGE (60 * EMT_DAY)

/* One attempt. */
struct login_guard {
    uint8_t address[16]; /* IPv4 as ::ffff:a.b.c.d; IPv6 without its lower half */
    uint8_t name[32];    /* SHA-256 */
    bool name_counted;   /* not where the user is known */
    int32_t attempts;    /* of the address, in a row, with this one */
};

/* Counts an attempt before its password is looked at. *wait_s 0: go on; otherwise refuse it unread
 * and say Retry-After. As STORE_ADMIN, outside of any transaction. The same work for every name. */
EMT_CHECKED enum emt_err login_guard_enter(struct login_guard *g, struct store *admin,
                                           const char *peer, const char *name, emt_time now,
                                           int64_t *wait_s);
/* The password was right: the attempt is taken back, and so is what strangers did to the name. */
EMT_CHECKED enum emt_err login_guard_passed(const struct login_guard *g, struct store *admin,
                                            int64_t user, emt_time now);
/* peer as text to the 16 bytes that are counted; one that is no address counts as all others of
 * that kind. */
void login_guard_address(const char *peer, uint8_t out[16]);

#endif
