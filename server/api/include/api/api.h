/* REST under /api/v1 (schema/api/openapi.yaml). */
#ifndef EMT_API_API_H
#define EMT_API_API_H

#include "base/attr.h"
#include "base/error.h"
#include "base/seal.h"

#include <stddef.h>
#include <stdint.h>

struct api;
struct http_handler;
struct metrics;
struct portal_files;

struct api_settings {
    const char *conninfo;
    struct seal_key master;
    const char *const *field12; /* "host:7443" told to enrolling gateways */
    size_t nfield12;
    const char *const *field13;
    size_t nfield13;
    const char *base_url;    /* "https://host:8443", for enrolment commands */
    uint8_t server_pin[32];  /* SHA-256 of the platform root: what an agent pins when it enrols */
    int64_t session_idle_s;  /* portal sessions end unused after it, default 30 minutes */
    int64_t session_s;       /* and in any case after it, default 12 hours */
    const char *node;        /* what event streams call this process */
    unsigned tenant_streams; /* event streams of one tenant, default 1024 */
    unsigned principal_streams; /* and of one key or session, default 32 */
    int64_t leaf_lifetime_s;    /* gateways' certificates, default 365 days */
    void (*wake)(void *ctx);    /* something changed that jobs and field should look at: a key, a
                                   command, a revocation; may be NULL */
    void *wake_ctx;
    struct metrics *metrics;
    struct portal_files *portal; /* borrowed; NULL: paths outside of the API are not found */
};

EMT_CHECKED enum emt_err api_new(const struct api_settings *s, struct api **out,
                                 struct emt_diag *diag);
void api_free(struct api *a);
/* For http_server_start(): points into a. */
const struct http_handler *api_handler(struct api *a);

#endif
