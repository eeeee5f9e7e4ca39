/* Events of a tenant: what a person should know. Asynchronous, inside a transaction of the tenant.
 */
#ifndef EMT_STORE_EVENT_STORE_H
#define EMT_STORE_EVENT_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "store/store.h"
#include "store/store_rows.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum event_severity { EVENT_INFORMATION = 0, EVENT_WARNING = 1, EVENT_ALARM = 2 };

struct event_row {
    emt_time at;
    enum event_severity severity;
    const char *kind;   /* "clock-ahead", "quarantined", … */
    int64_t gateway;    /* 0: none */
    int64_t device;     /* 0: none */
    const char *detail; /* UTF-8 */
};
bool event_rows_init(struct store_rows *r);
bool event_rows_add(struct store_rows *r, const struct event_row *e);
EMT_CHECKED enum emt_err event_rows_send(struct store *s, int32_t tenant, struct store_rows *r);

/* One event, synchronous, inside a transaction of the tenant. */
EMT_CHECKED enum emt_err event_store_add(struct store *s, int32_t tenant,
                                         const struct event_row *e);

/* Maintenance, as STORE_ADMIN: events of all tenants from before `past`, at most limit rows; *n
 * deleted. */
EMT_CHECKED enum emt_err event_expire(struct store *s, emt_time past, int32_t limit, int64_t *n);

const struct store_statement *event_store_statements(size_t *n);

#endif
