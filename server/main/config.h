/* Configuration of emtd: /etc/emt/emtd.yaml (docs/operations.md). Unknown keys are errors; every
 * error names file, line and key. */
#ifndef EMT_MAIN_CONFIG_H
#define EMT_MAIN_CONFIG_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/error.h"
#include "base/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_DEFAULT_PATH "/etc/emt/emtd.yaml"
#define CONFIG_HTTPS_PORT 8443

enum config_role { CONFIG_FIELD = 1, CONFIG_API = 2, CONFIG_WORKER = 4 };

struct config_list {
    const char **items;
    size_t n;
};

struct config_field {
    struct config_list listen12, listen13; /* "0.0.0.0:7443" */
    struct config_list listen_logger;      /* devices of others; none unless named */
    struct config_list public12,
        public13;              /* what enrolling gateways are told; empty: first name and port */
    int64_t loops, handshakes; /* 0: one per core */
    int64_t handshake_queue, connections, commands;
    int64_t hello_ms, handshake_ms, idle_ms, session_age_ms;
    int64_t session_queue_bytes, budget_bytes;
    int64_t certificate_grace_ms;  /* of a replaced certificate */
    struct config_list proxy_from; /* networks of balancers */
    int64_t drain_ms;
};

/* Keys in a token, as "pkcs11:" URIs (pki/authority.h); NULL: in the database, or in memory. */
struct config_pki {
    const char *root_key, *server_ca_key;
    const char *server_key; /* of the certificate of the listeners */
};

struct config_api {
    struct config_list listen;
    const char *url;         /* NULL: first name and port */
    const char *certificate; /* PEM files of the operator's own; NULL: issued by the platform */
    const char *key;
    int64_t threads, workers, queue, tenant_share, connections, peer_connections, idle_s,
        handshake_s;
    int64_t request_s;
    int64_t streams, tenant_streams, principal_streams;
    int64_t body_bytes;
    int64_t session_idle_minutes, session_hours; /* of people at the portal */
};

struct config {
    struct arena *memory;
    unsigned roles;    /* bits of enum config_role */
    const char *node;  /* for people */
    const char *names; /* DNS names and addresses of the server certificate, comma separated */
    const char *state_dir;
    const char *master_key;
    const char *conninfo;
    bool migrate;
    const char *migrations; /* NULL: where the program finds them */
    const char *portal; /* folder of the built portal; NULL: where the program finds it; "": none */
    enum log_level log_level;
    enum log_format log_format;
    const char *metrics_listen; /* "" for none */
    int64_t leaf_lifetime_ms;
    int64_t worker_jobs, worker_hot_days;
    const char *delivery_root; /* local targets stand below it; "": there are none */
    bool private_networks;     /* delivery may go there */
    struct config_field field;
    struct config_api api;
    struct config_pki pki;
};

/* Defaults; ports follow from the HTTPS port (8443: field 7443 and 7444, metrics 9443; 0: any free
 * port everywhere). NULL fields stay to be set. EMT_ENOMEM. Release with config_release(). */
EMT_CHECKED enum emt_err config_init(struct config *c, unsigned https_port);
/* Reads a file over what stands. EMT_EMALFORMED, EMT_EIO with diag. */
EMT_CHECKED enum emt_err config_load(struct config *c, const char *path, struct emt_diag *diag);
/* What must be set is set and fits together. file: for messages. */
EMT_CHECKED enum emt_err config_check(const struct config *c, const char *file,
                                      struct emt_diag *diag);
void config_release(struct config *c);

/* A copy that lives as long as c; NULL when out of memory. */
const char *config_text(struct config *c, const char *s);
/* The first of the names, alone. */
const char *config_first_name(struct config *c);
/* "host:port" as text; an IPv6 host in brackets. NULL when out of memory. */
const char *config_address(struct config *c, const char *host, unsigned port);
/* host and port of "0.0.0.0:7443", "[::1]:0". EMT_EMALFORMED. */
EMT_CHECKED enum emt_err config_parse_address(const char *text, char *host, size_t size,
                                              unsigned *port);

#endif
