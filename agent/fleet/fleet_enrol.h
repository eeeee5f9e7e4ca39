/* Enrols many gateways from a file of lines "tenant gateway token" into DIR/<tenant>.<gateway>. */
#ifndef EMT_FLEET_ENROL_H
#define EMT_FLEET_ENROL_H

#include "base/error.h"
#include "pki/authority.h"

#include <stdint.h>

#define FLEET_ENROL_PARALLEL_MAX 64

struct fleet_enrol_options {
    const char *server;
    const char *tokens; /* file; "-": standard input */
    const char *dir;
    const char *tls;
    enum key_kind key;
    unsigned parallel; /* requests at a time, 1 to FLEET_ENROL_PARALLEL_MAX */
    uint8_t pin[32];
};

/* Gateways whose folder is complete are passed over. Exit code: 0 all are enrolled, 1 some failed
 * (said on stderr), 2 the file cannot be read or has a line that is none. */
int fleet_enrol(const struct fleet_enrol_options *o);

#endif
