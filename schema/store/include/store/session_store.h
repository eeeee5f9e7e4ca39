/* Who owns a gateway's connection, and what travels over it besides frames: status, log, commands,
 * revocation.
 *
 * All functions queue statements on an asynchronous connection of role STORE_INGEST
 * (store/store.h). A piece of work is a segment: session_send_tenant(), the statements,
 * session_send_end_of_segment(). Without an explicit BEGIN the server commits a segment as a whole
 * at its end or not at all, and a failed one leaves nothing behind that the next would trip over.
 */
#ifndef EMT_STORE_SESSION_STORE_H
#define EMT_STORE_SESSION_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

const struct store_statement *session_store_statements(size_t *n);

/* Tenant of the segment. */
EMT_CHECKED enum emt_err session_send_tenant(struct store *s, int32_t tenant);
EMT_CHECKED enum emt_err session_send_end_of_segment(struct store *s, store_done *done, void *ctx);

/* --- ownership
 * ----------------------------------------------------------------------------------------------------
 */

/* The tenant and gateway of a certificate; in a segment without tenant. */
EMT_CHECKED enum emt_err session_send_find(struct store *s, const uint8_t fingerprint[32],
                                           store_done *done, void *ctx);
/* false: nobody's certificate. */
bool session_read_find(const struct store_result *r, int32_t *tenant, int64_t *gateway);

/* The same for a certificate that an imported CA vouches for, which becomes that of the gateway
 * with this common name when it is seen for the first time. Rows as session_send_find(). */
struct session_foreign {
    const uint8_t *fingerprint, *anchor; /* 32 each */
    const char *common_name, *serial;
    emt_time not_before, not_after;
};
EMT_CHECKED enum emt_err session_send_find_foreign(struct store *s, const struct session_foreign *f,
                                                   store_done *done, void *ctx);

/* Texts and byte strings are borrowed for the call. */
struct session_claim {
    int32_t tenant;
    int64_t gateway;
    const uint8_t *fingerprint; /* 32 */
    const char *organisation;   /* of the certificate: must be the tenant's key; NULL: it came by an
                                   import, where names say nothing */
    const char *external_id;    /* its common name: must be the gateway's */
    int64_t node;
    const char *peer; /* address without port */
    const char *tls;
    const uint8_t *spool_id; /* 16 */
    const char *software, *hardware, *serial;
};

/* Why a claim is refused. */
enum session_refusal {
    SESSION_REFUSAL_NONE,
    SESSION_REFUSAL_UNKNOWN, /* no such gateway or certificate any more */
    SESSION_REFUSAL_REVOKED, /* certificate or gateway */
    SESSION_REFUSAL_TENANT, /* the certificate names another tenant or gateway than the directory */
    SESSION_REFUSAL_SUSPENDED, /* the tenant is not active */
    SESSION_REFUSAL_CRL,       /* the list of its CA is stale, and the tenant wants none then */
    SESSION_REFUSAL_CLONE,     /* held: one identity at two addresses (decision 24) */
};

/* Before the claim in its segment: what a refusal would be for. */
EMT_CHECKED enum emt_err session_send_facts(struct store *s, const struct session_claim *c,
                                            store_done *done, void *ctx);
enum session_refusal session_read_facts(const struct store_result *r);
/* Raises the gateway's epoch, takes over all its cursors and makes one for this spool where there
 * is none; nothing of it when the claim is refused. The sixth turn between two addresses within ten
 * minutes holds the gateway for ten. */
EMT_CHECKED enum emt_err session_send_claim(struct store *s, const struct session_claim *c,
                                            store_done *done, void *ctx);
struct session_claimed {
    int64_t epoch;
    uint64_t last_seq; /* committed of this spool */
    bool held;         /* this very claim was one turn too many: refused, and the alarm is due */
};
/* false: refused, the facts say why. */
bool session_read_claimed(const struct store_result *r, struct session_claimed *out);

/* The session of this epoch is over; nothing happens when a newer one stands. */
EMT_CHECKED enum emt_err session_send_end(struct store *s, int32_t tenant, int64_t gateway,
                                          int64_t epoch, emt_time at, const char *reason,
                                          store_done *done, void *ctx);
/* An alarm of the gateway. */
EMT_CHECKED enum emt_err session_send_alarm(struct store *s, int32_t tenant, int64_t gateway,
                                            emt_time at, const char *kind, const char *detail,
                                            store_done *done, void *ctx);

/* --- status and log
 * ------------------------------------------------------------------------------------------------
 */

struct session_status {
    int32_t tenant;
    int64_t gateway;
    emt_time at;
    int64_t uptime_s, spool_bytes, spool_frames, frames_heard, memory_free, disk_free;
    int32_t load_permille;
    const char *metrics; /* a JSON object */
};
EMT_CHECKED enum emt_err session_send_status(struct store *s, const struct session_status *st,
                                             store_done *done, void *ctx);
EMT_CHECKED enum emt_err session_send_log(struct store *s, int32_t tenant, int64_t gateway,
                                          emt_time at, int level, const char *text,
                                          store_done *done, void *ctx);

/* --- commands
 * ------------------------------------------------------------------------------------------------------
 */

/* Gateways connected to this node for which a command waits; in a segment without tenant. */
EMT_CHECKED enum emt_err session_send_commands_open(struct store *s, int64_t node, store_done *done,
                                                    void *ctx);
void session_read_commands_open(const struct store_result *r, int row, int32_t *tenant,
                                int64_t *gateway, int64_t *epoch);

/* Marks up to `most` commands sent that wait for this gateway or were sent in an earlier session,
 * and lists them; commands past their time are marked expired. Nothing when another epoch owns the
 * gateway. */
EMT_CHECKED enum emt_err session_send_command_take(struct store *s, int32_t tenant, int64_t gateway,
                                                   int64_t epoch, int most, store_done *done,
                                                   void *ctx);
/* One row per argument, rows of one command one after the other; a command without arguments has
 * one row with a NULL name. */
struct session_command_row {
    int64_t command;
    const uint8_t *idempotency_key; /* 16; NULL when the row's key has another length */
    const char *name;
    emt_time expires_at;
    const char *argument; /* NULL: none */
    const char *value;
};
void session_read_command(const struct store_result *r, int row, struct session_command_row *out);
/* outcome as CommandResult has it. Idempotent: the first result stays. */
EMT_CHECKED enum emt_err session_send_command_result(struct store *s, int32_t tenant,
                                                     int64_t gateway,
                                                     const uint8_t idempotency_key[16],
                                                     uint32_t outcome, const char *text,
                                                     emt_time at, store_done *done, void *ctx);

/* --- revocation
 * -----------------------------------------------------------------------------------------------------
 */

/* Fingerprints of all certificates that count no more; in a segment without tenant. One row each.
 */
EMT_CHECKED enum emt_err session_send_revoked(struct store *s, store_done *done, void *ctx);
/* PEM of the authorities that came with their tenant from another installation, in the same
 * segment. One row each, column 0. */
EMT_CHECKED enum emt_err session_send_foreign(struct store *s, store_done *done, void *ctx);
/* Number that rises with each change of the imported certificates and their lists; in the same
 * segment. */
EMT_CHECKED enum emt_err session_send_trust_version(struct store *s, store_done *done, void *ctx);
/* All imported certificates; in a segment without tenant. */
EMT_CHECKED enum emt_err session_send_imports(struct store *s, store_done *done, void *ctx);
struct session_import {
    bool logger; /* for the loggers' listener; else the gateways' */
    bool pinned;
    const char *pem;    /* borrowed from the row */
    const uint8_t *crl; /* NULL: none */
    size_t crl_len;
};
void session_read_import(const struct store_result *r, int row, struct session_import *out);
/* false: no fingerprint. */
bool session_read_revoked(const struct store_result *r, int row, uint8_t fingerprint[32]);

#endif
