/* Which database a command works on: --embedded DIR, --config FILE or --conninfo TEXT. */
#ifndef EMT_CTL_CTL_DATABASE_H
#define EMT_CTL_CTL_DATABASE_H

#include "base/attr.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

#define CTL_CONNECT_MS 10000
#define CTL_CONFIG_DEFAULT "/etc/emt/emtd.yaml"

/* At most one of the three is given; none: the default configuration. *out: free(). */
EMT_CHECKED enum emt_err ctl_conninfo(const char *embedded, const char *config,
                                      const char *conninfo, char **out, struct emt_diag *diag);
/* Where the master key is: DIR/master.key, what the configuration says, or master (may be NULL). */
EMT_CHECKED enum emt_err ctl_master_path(const char *embedded, const char *config,
                                         const char *conninfo, const char *master, char *path,
                                         size_t size, struct emt_diag *diag);
/* The number of a tenant. EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err ctl_tenant(const char *conninfo, const char *key, int32_t *id,
                                    struct emt_diag *diag);

#endif
