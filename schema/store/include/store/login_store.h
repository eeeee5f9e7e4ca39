/* How often somebody tried to log in, and from where users did. As STORE_ADMIN, each call a
 * transaction of its own: what was counted stays counted whatever becomes of the login. */
#ifndef EMT_STORE_LOGIN_STORE_H
#define EMT_STORE_LOGIN_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

enum login_kind { LOGIN_ADDRESS = 0, LOGIN_NAME = 1 };
/* After `free` attempts each further one has to wait 1, 2, 4 … seconds, at most `most_s`. What is
 * older than `window` is forgotten. */
struct login_rule {
    int32_t free;
    int32_t most_s;
    emt_time window;
};

/* Counts an attempt, if one is allowed now: *attempts is how many in a row. *wait_s is 0, or the
 * seconds until the next is allowed; then nothing was counted. */
EMT_CHECKED enum emt_err login_attempt(struct store *s, enum login_kind kind, const void *key,
                                       size_t len, const struct login_rule *rule, emt_time now,
                                       int32_t *attempts, int64_t *wait_s);
/* The attempt was right after all: it is taken back, or with `all` everything before it too. */
EMT_CHECKED enum emt_err login_settle(struct store *s, enum login_kind kind, const void *key,
                                      size_t len, bool all, emt_time now);
/* Whether this user has logged in from this address since then. */
EMT_CHECKED enum emt_err login_place_known(struct store *s, const char *name,
                                           const uint8_t address[16], emt_time since, bool *known);
EMT_CHECKED enum emt_err login_place_note(struct store *s, int64_t user, const uint8_t address[16],
                                          emt_time now);
/* Removes a bounded number of rows that are older than this. */
EMT_CHECKED enum emt_err login_forget(struct store *s, emt_time before);

/* For the test that prepares them all. */
struct store_statement;
const struct store_statement *login_store_statements(size_t *n);

#endif
