/* The field channel: listeners, handshake pool, sessions of gateways.
 *
 * One loop per core, each with its own listener by SO_REUSEPORT, its sessions and its ingest
 * engine: no locks in the hot path. */
#ifndef EMT_FIELD_FIELD_H
#define EMT_FIELD_FIELD_H

#include "base/attr.h"
#include "base/error.h"
#include "base/seal.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct field;
struct metrics;
struct tls_context;
struct trust;

struct field_settings {
    const char *const *listen12; /* "0.0.0.0:7443", "[::]:7443"; port 0: any */
    size_t nlisten12;
    const char *const *listen13; /* 7444 */
    size_t nlisten13;
    const char *const *listen_logger; /* devices of others, 7445 */
    size_t nlisten_logger;
    struct tls_context *tls12, *tls13, *tls_logger;
    struct trust *trust;           /* of tls12 and tls13 */
    struct trust *trust_logger;    /* of tls_logger; NULL with it */
    const char *const *proxy_from; /* networks of balancers that send a PROXY header, version 2 */
    size_t nproxy_from;
    uint32_t drain_ms;          /* field_drain() sends sessions away over this time */
    unsigned loops;             /* default: cores */
    unsigned handshakes;        /* handshake threads, default: cores */
    unsigned handshake_queue;   /* connections waiting for or in handshake, default 512: beyond they
                                   are closed and counted */
    unsigned connections;       /* per loop, default 20000 */
    uint32_t hello_ms;          /* from TLS up to Hello, default 10 s */
    uint32_t handshake_ms;      /* default 10 s */
    uint32_t idle_ms;           /* silence, default 180 s */
    uint32_t session_age_ms;    /* default 47 h */
    size_t session_queue_bytes; /* bytes queued to one gateway, default 256 KiB */
    unsigned commands;          /* open per gateway, default 64 */
    int64_t leaf_lifetime_s;    /* certificates that renewal issues, default 365 days */
    int64_t certificate_grace_s; /* a replaced certificate stays good after the first use of the new
                                    one, 0: not at all */
    const char *conninfo;
    struct seal_key master;
    int64_t node_id;
    const char *state_dir; /* scratch files */
    size_t budget_bytes;   /* per loop */
    struct metrics *metrics;
};

EMT_CHECKED enum emt_err field_start(const struct field_settings *s, struct field **out,
                                     struct emt_diag *diag);
uint16_t field_port12(const struct field *f, size_t i);
uint16_t field_port13(const struct field *f, size_t i);
uint16_t field_port_logger(const struct field *f, size_t i);
/* NULL: that one stays. */
void field_set_tls(struct field *f, struct tls_context *tls12, struct tls_context *tls13);
void field_set_tls_logger(struct field *f, struct tls_context *tls);
/* From any thread: look for waiting commands of this node's gateways now, and whether a certificate
 * was revoked. */
void field_wake(struct field *f);
/* Before field_stop(), while the node's lease still holds: no new connections, and Bye to one
 * session after the other over drain_ms, so that they come up elsewhere one after the other. Waits;
 * at once back where drain_ms is 0. */
void field_drain(struct field *f);
/* Bye to all, commits what is collected, at most timeout_ms; then frees. */
void field_stop(struct field *f, int timeout_ms);
unsigned field_sessions(const struct field *f);

#endif
