/* /metrics, /healthz and /readyz over plain HTTP, for the machine itself and its monitoring. */
#ifndef EMT_MAIN_STATUS_HTTP_H
#define EMT_MAIN_STATUS_HTTP_H

#include "base/attr.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct metrics;
struct status_http;

struct status_settings {
    const char *listen;
    const char *conninfo;
    struct metrics *metrics;
    /* Why this node is not ready, NULL when it is; asked on another thread, before the database is
     * looked at. Static text. */
    const char *(*not_ready)(void *ctx);
    /* Brings gauges up to date before they are written; may be NULL. */
    void (*refresh)(void *ctx);
    void *ctx;
};

/* Texts are borrowed. */
EMT_CHECKED enum emt_err status_http_start(const struct status_settings *s,
                                           struct status_http **out, struct emt_diag *diag);
uint16_t status_http_port(const struct status_http *h);
void status_http_stop(struct status_http *h); /* NULL is fine */

#endif
