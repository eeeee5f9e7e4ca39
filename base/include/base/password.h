/* Passwords of users: argon2id hashes in their encoded form, and one-time passwords. */
#ifndef EMT_BASE_PASSWORD_H
#define EMT_BASE_PASSWORD_H

#include "base/attr.h"
#include "base/error.h"

#define PASSWORD_HASH_MAX 160
#define PASSWORD_MAX 200 /* longest password that is looked at, in bytes */
#define PASSWORD_MIN 12  /* characters of one that somebody chooses */
#define PASSWORD_ONE_TIME_MAX 32

/* About 20 ms and 19 MiB: call it on a worker. EMT_ELIMIT the password is longer than PASSWORD_MAX;
 * EMT_ENOMEM; EMT_EINTERNAL no random bytes. */
EMT_CHECKED enum emt_err password_hash(const char *password, char out[PASSWORD_HASH_MAX]);
/* EMT_EAUTH when it does not fit; EMT_EMALFORMED no hash of ours. Give any hash
 * (password_hash_of_nobody()) for an unknown user, so that names cannot be told from the time an
 * answer takes. */
EMT_CHECKED enum emt_err password_verify(const char *encoded, const char *password);
/* Whether a user of this name may choose it; EMT_ELIMIT: diag says why not. */
EMT_CHECKED enum emt_err password_policy(const char *name, const char *password,
                                         struct emt_diag *diag);
/* A valid hash that no password fits. */
const char *password_hash_of_nobody(void);
/* 24 characters, 120 bits, without look-alikes, in groups: "k7m2-…". Wipe it. */
EMT_CHECKED enum emt_err password_one_time(char out[PASSWORD_ONE_TIME_MAX]);

#endif
