/* OpenSSL's errors in our words. Internal to pki/. */
#ifndef EMT_PKI_TLS_FAULT_H
#define EMT_PKI_TLS_FAULT_H

#include "base/error.h"

#include <stdbool.h>

struct tls_fault {
    enum emt_err err;
    const char *text; /* static */
    bool from_peer;   /* an alert that the peer sent: it refuses us */
};

/* Looks at this thread's OpenSSL error queue and empties it. hello_seen: the peer got as far as a
 * ClientHello (clients: true). */
struct tls_fault tls_fault_take(bool hello_seen);

#endif
