/* The folders of a fleet: DIR holds one folder per gateway, each as enrolment leaves it. */
#ifndef EMT_FLEET_DIR_H
#define EMT_FLEET_DIR_H

#include "agent/gateway_config.h"
#include "base/attr.h"
#include "base/error.h"

#include <stddef.h>

struct fleet_member {
    char path[GATEWAY_PATH_MAX];
    char tenant[GATEWAY_NAME_MAX];
};

struct fleet_dir {
    struct fleet_member *member; /* sorted by tenant, then by path */
    size_t n;
};

/* At most `most` gateways (0: all), in the order of their folder names. EMT_ENOTFOUND there is
 * none; others with diag. */
EMT_CHECKED enum emt_err fleet_dir_read(const char *dir, size_t most, struct fleet_dir *out,
                                        struct emt_diag *diag);
void fleet_dir_release(struct fleet_dir *d);
/* The next gateway of the same tenant, in a ring; `which` itself when it is the only one. */
size_t fleet_dir_neighbour(const struct fleet_dir *d, size_t which);

#endif
