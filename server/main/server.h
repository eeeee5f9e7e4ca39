/* All parts of one emtd, started in order and ended in the opposite one. */
#ifndef EMT_MAIN_SERVER_H
#define EMT_MAIN_SERVER_H

#include "base/attr.h"
#include "base/error.h"
#include "bootstrap.h"
#include "config.h"

#include <stdbool.h>
#include <stdint.h>

struct embedded_pg;
struct server;

struct server_settings {
    struct config *config;        /* texts are borrowed */
    struct embedded_pg *embedded; /* NULL without */
    const char *migrations;       /* folder */
    const char *portal;           /* folder of the built portal, NULL without */
    const char *version;
    bool (*cancelled)(void); /* asked while waiting for the database */
};

/* Waits for the database as long as it takes. EMT_ESTATE cancelled; otherwise the first failure,
 * with diag. */
EMT_CHECKED enum emt_err server_start(const struct server_settings *s, struct server **out,
                                      struct emt_diag *diag);
/* What the start made and where it listens. */
const struct first_login *server_first_login(const struct server *s);
const char *server_url(const struct server *s);
/* What gateways are told: "host:port" of the first field listener, "" without. */
const char *server_field12(const struct server *s);
const char *server_field13(const struct server *s);
/* Port of metrics and health, 0 without. */
unsigned server_status_port(const struct server *s);
const uint8_t *server_pin(const struct server *s);
/* Certificates anew (issued ones are issued again, files are read again), and the portal's files.
 * The old ones stay where that fails. */
void server_reload(struct server *s);
/* Once a second or so: renews the certificate in time. */
void server_tick(struct server *s);
/* Drains and ends. */
void server_stop(struct server *s);

#endif
