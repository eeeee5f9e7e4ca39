#include "login_guard.h"

#include "base/cipher.h"
#include "store/login_store.h"

#include <arpa/inet.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* Throttle rows are kept this long for nothing but the next cleaning. */
#define FORGET_AFTER EMT_DAY

static const struct login_rule address_rule = { LOGIN_ADDRESS_FREE, LOGIN_ADDRESS_WAIT_S,
                                                LOGIN_WINDOW };
static const struct login_rule name_rule = { LOGIN_NAME_FREE, LOGIN_NAME_WAIT_S, LOGIN_WINDOW };

void login_guard_address(const char *peer, uint8_t out[16])
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

    memset(out, 0, 16);
    if (inet_pton(AF_INET, peer, out + 12) == 1) {
        memcpy(out, mapped, sizeof mapped);
    } else if (inet_pton(AF_INET6, peer, out) == 1) {
        /* A subscriber has a /64: its lower half is free to choose. A mapped IPv4 address is one.
         */
        if (memcmp(out, mapped, sizeof mapped) != 0)
            memset(out + 8, 0, 8);
    }
}

static enum emt_err enter_name(struct login_guard *g, struct store *admin, const char *name,
                               emt_time now, int64_t *wait_s)
{
    int32_t attempts;
    bool known = false;
    enum emt_err err = login_place_known(admin, name, g->address, now - LOGIN_PLACE_AGE, &known);

    if (err != EMT_OK || known)
        return err;
    err = login_attempt(admin, LOGIN_NAME, g->name, sizeof g->name, &name_rule, now, &attempts,
                        wait_s);
    g->name_counted = err == EMT_OK && *wait_s == 0;
    return err;
}

enum emt_err login_guard_enter(struct login_guard *g, struct store *admin, const char *peer,
                               const char *name, emt_time now, int64_t *wait_s)
{
    memset(g, 0, sizeof *g);
    login_guard_address(peer, g->address);
    cipher_sha256(name, strlen(name), g->name);
    enum emt_err err = login_attempt(admin, LOGIN_ADDRESS, g->address, sizeof g->address,
                                     &address_rule, now, &g->attempts, wait_s);
    if (err != EMT_OK || *wait_s != 0)
        return err;
    err = enter_name(g, admin, name, now, wait_s);
    /* Whoever waits for a name that strangers guess at has done nothing wrong. */
    if (err == EMT_OK && *wait_s != 0)
        err = login_settle(admin, LOGIN_ADDRESS, g->address, sizeof g->address, false, now);
    return err;
}

enum emt_err login_guard_passed(const struct login_guard *g, struct store *admin, int64_t user,
                                emt_time now)
{
    /* The address keeps its failures: one good account must not pay for guessing at others. */
    enum emt_err err =
        login_settle(admin, LOGIN_ADDRESS, g->address, sizeof g->address, false, now);

    if (err == EMT_OK && g->name_counted)
        err = login_settle(admin, LOGIN_NAME, g->name, sizeof g->name, true, now);
    if (err == EMT_OK)
        err = login_place_note(admin, user, g->address, now);
    return err == EMT_OK ? login_forget(admin, now - FORGET_AFTER) : err;
}
