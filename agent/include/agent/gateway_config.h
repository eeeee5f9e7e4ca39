/* agent.yaml: what one gateway needs to know. Written by enrolment, edited by people; unknown keys
 * are errors. */
#ifndef EMT_AGENT_GATEWAY_CONFIG_H
#define EMT_AGENT_GATEWAY_CONFIG_H

#include "agent/endpoint.h"
#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GATEWAY_ENDPOINTS_MAX 8
#define GATEWAY_NAME_MAX 65
#define GATEWAY_PATH_MAX 512

struct gateway_config {
    char gateway[GATEWAY_NAME_MAX];
    char tenant[GATEWAY_NAME_MAX];
    char serial[GATEWAY_NAME_MAX];
    struct endpoint endpoints[GATEWAY_ENDPOINTS_MAX]; /* those of the chosen TLS version */
    size_t nendpoints;
    char server_name[ENDPOINT_HOST_MAX]; /* "": the endpoint's host */
    char key[GATEWAY_PATH_MAX], certificate[GATEWAY_PATH_MAX], ca[GATEWAY_PATH_MAX];
    char spool[GATEWAY_PATH_MAX], commands[GATEWAY_PATH_MAX];
    uint64_t spool_size;
    int64_t status_interval_ms;
    uint32_t backoff_first_ms, backoff_most_ms;
    bool no_resume; /* not of the file: every handshake a full one (emt-fleet) */
};

/* Reads DIR/agent.yaml; relative paths in it are within DIR. Errors name file, line and key. */
EMT_CHECKED enum emt_err gateway_config_load(const char *dir, struct gateway_config *out,
                                             struct emt_diag *diag);

#endif
