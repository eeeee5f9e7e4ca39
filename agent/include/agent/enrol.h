/* A gateway's first contact: makes its key, has it certified against a one-time token, fills the
 * folder that gateway_open() reads. */
#ifndef EMT_AGENT_ENROL_H
#define EMT_AGENT_ENROL_H

#include "base/attr.h"
#include "base/error.h"
#include "pki/authority.h"

#include <stdint.h>

struct enrol_request {
    const char *server; /* "https://host:8443" */
    const char *token;
    uint8_t pin[32];    /* SHA-256 of a certificate in the server's chain */
    const char *dir;    /* made when missing; must not hold an agent.yaml */
    const char *serial; /* NULL: none */
    const char *tls;    /* "1.2" or "1.3" */
    enum key_kind key;  /* of the gateway's key; 0: P-256 */
};

/* EMT_EAUTH, EMT_EIO no trusted connection; EMT_ESTATE the head-end refuses, diag->text carries
 * title and detail of its answer; EMT_ECONFLICT the folder is in use; EMT_EMALFORMED an answer that
 * is none. The private key never leaves the folder. */
EMT_CHECKED enum emt_err enrol(const struct enrol_request *r, struct emt_diag *diag);

#endif
