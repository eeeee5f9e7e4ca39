#include "base/password.h"

#include "base/cipher.h"

#include <argon2.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

/* OWASP's first choice for argon2id: memory for the attacker to pay, few enough for a login worker.
 */
#define PASSES 2
#define MEMORY_KIB 19456
#define LANES 1
#define SALT_LEN 16
#define HASH_LEN 32
/* A name of one or two letters is in every other password. */
#define NAME_MIN 3
#define DISTINCT_MIN 5

static enum emt_err err_of(int rc)
{
    switch (rc) {
    case ARGON2_OK:
        return EMT_OK;
    case ARGON2_VERIFY_MISMATCH:
        return EMT_EAUTH;
    case ARGON2_MEMORY_ALLOCATION_ERROR:
        return EMT_ENOMEM;
    case ARGON2_DECODING_FAIL:
    case ARGON2_DECODING_LENGTH_FAIL:
    case ARGON2_INCORRECT_TYPE:
        return EMT_EMALFORMED;
    default:
        return EMT_EINTERNAL;
    }
}

/* Characters of well-formed UTF-8: every byte that does not go on with one. */
static size_t characters(const char *text)
{
    size_t n = 0;

    for (; *text != '\0'; text++)
        n += ((unsigned char)*text & 0xc0u) != 0x80u;
    return n;
}

static size_t distinct(const char *text)
{
    bool seen[256] = { false };
    size_t n = 0;

    for (; *text != '\0'; text++) {
        n += !seen[(unsigned char)*text];
        seen[(unsigned char)*text] = true;
    }
    return n;
}

static bool contains(const char *text, const char *part)
{
    size_t n = strlen(part);

    for (; strlen(text) >= n; text++) {
        if (strncasecmp(text, part, n) == 0)
            return true;
    }
    return false;
}

enum emt_err password_policy(const char *name, const char *password, struct emt_diag *diag)
{
    if (characters(password) < PASSWORD_MIN)
        return emt_fail(diag, EMT_ELIMIT, "must have %d characters or more", PASSWORD_MIN);
    if (strlen(password) > PASSWORD_MAX)
        return emt_fail(diag, EMT_ELIMIT, "is longer than %d bytes", PASSWORD_MAX);
    if (strlen(name) >= NAME_MIN && contains(password, name))
        return emt_fail(diag, EMT_ELIMIT, "must not contain the user name");
    if (distinct(password) < DISTINCT_MIN)
        return emt_fail(diag, EMT_ELIMIT, "must have %d different characters or more",
                        DISTINCT_MIN);
    return EMT_OK;
}

enum emt_err password_hash(const char *password, char out[PASSWORD_HASH_MAX])
{
    uint8_t salt[SALT_LEN];
    size_t n = strlen(password);
    enum emt_err err;

    if (n > PASSWORD_MAX)
        return EMT_ELIMIT;
    err = cipher_random(salt, sizeof salt);
    if (err != EMT_OK)
        return err;
    return err_of(argon2id_hash_encoded(PASSES, MEMORY_KIB, LANES, password, n, salt, sizeof salt,
                                        HASH_LEN, out, PASSWORD_HASH_MAX));
}

enum emt_err password_verify(const char *encoded, const char *password)
{
    size_t n = strlen(password);

    if (strncmp(encoded, "$argon2id$", 10) != 0)
        return EMT_EMALFORMED;
    return n > PASSWORD_MAX ? EMT_EAUTH : err_of(argon2id_verify(encoded, password, n));
}

const char *password_hash_of_nobody(void)
{
    /* A hash of all zero bits: finding its password would break the function. */
    return "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
           "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
}

enum emt_err password_one_time(char out[PASSWORD_ONE_TIME_MAX])
{
    static const char letters[33] = "abcdefghijkmnpqrstuvwxyz23456789";
    uint8_t random[24];
    size_t n = 0;
    enum emt_err err = cipher_random(random, sizeof random);

    if (err != EMT_OK)
        return err;
    for (size_t i = 0; i < sizeof random; i++) {
        if (i && i % 6 == 0)
            out[n++] = '-';
        out[n++] = letters[random[i] & 31u];
    }
    out[n] = 0;
    cipher_wipe(random, sizeof random);
    return EMT_OK;
}
