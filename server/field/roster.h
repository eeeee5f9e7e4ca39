/* Which loop of this node serves which gateway: so that a gateway that connects twice is met at
 * once, whichever loops the kernel gives its connections to. */
#ifndef EMT_FIELD_ROSTER_H
#define EMT_FIELD_ROSTER_H

#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct roster;

/* Key of a gateway in the maps of this folder. */
struct gateway_key {
    uint8_t bytes[12];
};
struct gateway_key gateway_key(int32_t tenant, int64_t gateway);

struct roster *roster_new(void); /* NULL when out of memory */
void roster_free(struct roster *r);
/* The gateway is served by `loop` (opaque) under this epoch. *before: the loop that served it under
 * an older one, NULL for none. EMT_ESTATE: a younger epoch stands there already, nothing was
 * changed; EMT_ENOMEM. From any thread. */
EMT_CHECKED enum emt_err roster_put(struct roster *r, int32_t tenant, int64_t gateway,
                                    int64_t epoch, void *loop, void **before);
/* Nothing when another epoch stands there. */
void roster_remove(struct roster *r, int32_t tenant, int64_t gateway, int64_t epoch);

#endif
