/* The steps of a first start, each harmless on a later one: roles and database, migrations, master
 * key, first operator. */
#ifndef EMT_MAIN_BOOTSTRAP_H
#define EMT_MAIN_BOOTSTRAP_H

#include "base/attr.h"
#include "base/error.h"
#include "base/seal.h"

#include <stdbool.h>
#include <stdint.h>

struct store;

/* As superuser of a private cluster: roles.sql of the folder, database emt. */
EMT_CHECKED enum emt_err bootstrap_cluster(const char *superuser_conninfo, const char *migrations,
                                           struct emt_diag *diag);
/* As emt_owner: what is missing from the folder. EMT_EDB unreachable or failed; EMT_ECONFLICT the
 * database does not fit this program. */
EMT_CHECKED enum emt_err bootstrap_migrate(const char *conninfo, const char *migrations,
                                           struct emt_diag *diag);
/* Reads the key file; makes one only while the database holds no secret, so that a lost or
 * forgotten file is noticed. */
EMT_CHECKED enum emt_err bootstrap_master_key(struct store *admin, const char *path,
                                              struct seal_key *out, struct emt_diag *diag);

/* What a person needs for the first login; kept in <folder>/first-login, mode 0600, as lines "url:
 * …", "user: …", "password: …", "pin: …". */
struct first_login {
    bool created; /* with this start */
    char password[32];
};
/* Makes the operator "admin" when there is no operator at all. The file is written before anything
 * is committed, so that the password is never lost. */
EMT_CHECKED enum emt_err bootstrap_operator(struct store *admin, const char *folder,
                                            const char *url, const uint8_t pin[32],
                                            struct first_login *out, struct emt_diag *diag);
/* Brings url in the file up to date, where there is a file. */
EMT_CHECKED enum emt_err first_login_set_url(const char *folder, const char *url,
                                             struct emt_diag *diag);

#endif
