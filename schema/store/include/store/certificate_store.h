/* Certificates of others (imports), lists of revoked certificates, and the certificates of the
 * tenant as market participant. Gateways' own certificates: gateway_store.h. */
#ifndef EMT_STORE_CERTIFICATE_STORE_H
#define EMT_STORE_CERTIFICATE_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/seal.h"
#include "base/writer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;
struct store_result;

/* --- imports; inside a transaction of the tenant --- */

struct import_row {
    const char *purpose; /* "gateway", "logger" */
    bool pinned;
    const char *name;
    uint8_t fingerprint[32];
    const char *subject, *serial;
    emt_time not_before, not_after;
    const char *pem;
    int64_t gateway;     /* pinned */
    const char *crl_url; /* NULL: none */
    int crl_policy;      /* 0 none, 1 alarm, 2 refuse */
    bool proven;         /* pinned: the holder of its key signed that it is this tenant's */
};
/* A pinned one becomes a certificate of its gateway at once; a proven one is taken from a tenant
 * that pinned it without proof. EMT_ECONFLICT: it is imported for this purpose, or it is somebody's
 * certificate; EMT_ELIMIT: the tenant has 1,000. */
EMT_CHECKED enum emt_err import_insert(struct store *s, int32_t tenant, const struct import_row *in,
                                       int64_t *id);
enum import_column {
    IMPORT_CURSOR,
    IMPORT_ID,
    IMPORT_PURPOSE,
    IMPORT_PINNED,
    IMPORT_NAME,
    IMPORT_FINGERPRINT,
    IMPORT_SUBJECT,
    IMPORT_SERIAL,
    IMPORT_NOT_BEFORE,
    IMPORT_NOT_AFTER,
    IMPORT_GATEWAY, /* external id; NULL: a CA */
    IMPORT_CRL_URL,
    IMPORT_CRL_POLICY,
    IMPORT_CRL_NUMBER, /* NULL: no list */
    IMPORT_CRL_THIS_UPDATE,
    IMPORT_CRL_NEXT_UPDATE,
    IMPORT_CRL_ENTRIES,
    IMPORT_CRL_SOURCE,
    IMPORT_CRL_ERROR, /* of the last fetch, "" for none */
    IMPORT_CREATED_AT,
    IMPORT_PEM,
    IMPORT_PROVEN_AT,
    IMPORT_CERTIFICATES, /* gateways' certificates that count and came by it */
    IMPORT_SESSIONS,     /* that began with one of them */
    IMPORT_FIRST_USED,
    IMPORT_LAST_USED
};
EMT_CHECKED enum emt_err import_list(struct store *s, int32_t tenant, int64_t after, int limit,
                                     struct store_result **out);
EMT_CHECKED enum emt_err import_get(struct store *s, int32_t tenant, int64_t id,
                                    struct store_result **out);
/* NULL: as it is; "" takes the address away; policy below 0: as it is. EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err import_update(struct store *s, int32_t tenant, int64_t id,
                                       const char *name, const char *crl_url, int crl_policy);
/* With what came by it: gateways' certificates are revoked. EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err import_delete(struct store *s, int32_t tenant, int64_t id);

/* --- gateways' certificates, own and imported ones; inside a transaction of the tenant --- */

enum { GATEWAY_CERTIFICATE_ANY = -1 };
struct gateway_certificate_filter {
    const char *gateway;  /* external id; NULL: of all */
    int state;            /* 0 counts, 1 revoked, 2 over, or GATEWAY_CERTIFICATE_ANY */
    int ends_within_days; /* or GATEWAY_CERTIFICATE_ANY */
};
/* (cursor, fingerprint, gateway, serial, from, until, issued, first used, last used, sessions or
 * NULL for own ones, import or NULL, revoked, reason, state), what ends first first. */
EMT_CHECKED enum emt_err gateway_certificate_list(struct store *s, int32_t tenant,
                                                  const struct gateway_certificate_filter *f,
                                                  const char *cursor, int limit,
                                                  struct store_result **out);

/* --- lists of imported CAs --- */

struct crl_row {
    const char *number;
    emt_time this_update, next_update;
    int32_t entries;
    const void *der;
    size_t len;
    bool fetched;
};
EMT_CHECKED enum emt_err import_crl_put(struct store *s, int32_t tenant, int64_t id,
                                        const struct crl_row *in);
/* (fingerprint, serial) of gateways' certificates that count and came by this import. */
EMT_CHECKED enum emt_err import_leaves(struct store *s, int32_t tenant, int64_t id,
                                       struct store_result **out);
EMT_CHECKED enum emt_err certificate_revoke(struct store *s, int32_t tenant,
                                            const uint8_t fingerprint[32], const char *reason);
/* Over all tenants, as STORE_ADMIN: (tenant, import, address, tries) whose list is to be fetched
 * now. */
EMT_CHECKED enum emt_err import_crl_due(struct store *s, emt_time now, int limit,
                                        struct store_result **out);
/* How a fetch ended: error "" for well; the next one at next. */
EMT_CHECKED enum emt_err import_crl_tried(struct store *s, int32_t tenant, int64_t id,
                                          const char *error, emt_time next);
/* Over all tenants, as STORE_ADMIN: an event for each list that is missing or stale though the
 * tenant expects one, once until it is good again. *stale: how many are so now. */
EMT_CHECKED enum emt_err import_crl_stale(struct store *s, int64_t *told, int64_t *stale);

/* --- our own lists; as STORE_ADMIN --- */

/* (tenant, generation, chain) of CAs whose certificate was not looked at yet. */
EMT_CHECKED enum emt_err authority_unread(struct store *s, struct store_result **out);
EMT_CHECKED enum emt_err authority_note(struct store *s, int32_t tenant, int32_t generation,
                                        const uint8_t fingerprint[32], const char *serial,
                                        emt_time not_after);
/* (tenant, generation, number of the next list, fingerprint) of CAs whose list is missing, is to be
 * renewed by the time before, or does not have all revocations. */
EMT_CHECKED enum emt_err authority_crl_due(struct store *s, emt_time renew_before,
                                           struct store_result **out);
/* (serial, since) of what a tenant's CAs revoked and is not over. */
EMT_CHECKED enum emt_err authority_revoked(struct store *s, int32_t tenant,
                                           struct store_result **out);
/* The same for the platform's root: CAs of tenants. */
EMT_CHECKED enum emt_err root_revoked(struct store *s, struct store_result **out);
struct own_crl {
    uint8_t authority[32];
    const char *name; /* of a CA of the platform */
    int64_t number;
    emt_time this_update, next_update;
    int32_t entries;
    const void *der;
    size_t len;
};
EMT_CHECKED enum emt_err tenant_crl_put(struct store *s, int32_t tenant, const struct own_crl *in);
EMT_CHECKED enum emt_err platform_crl_put(struct store *s, const struct own_crl *in);
/* Number of the next list of a CA of the platform; 0: the one that stands is good: it is renewed
 * after the time before, and has as many entries. */
EMT_CHECKED enum emt_err platform_crl_due(struct store *s, const char *name, emt_time renew_before,
                                          int32_t entries, int64_t *number);
/* (list, made, next) of any of our CAs; any role but ingest. EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err crl_published(struct store *s, const uint8_t authority[32],
                                       struct store_result **out);
/* (cursor, generation, fingerprint, serial, ends, revoked, made, number, this update, next update,
 * entries, certificate chain). */
EMT_CHECKED enum emt_err authority_list(struct store *s, int32_t tenant, struct store_result **out);
/* The CA and all that it issued. EMT_ENOTFOUND: none, or revoked before. */
EMT_CHECKED enum emt_err authority_revoke(struct store *s, int32_t tenant, int32_t generation);
/* The organisation in certificates of this tenant. EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err tenant_certificate_name(struct store *s, int32_t tenant, char out[65]);
/* Over all tenants, outside of a transaction: events for imports, CAs and EMT certificates that end
 * within 90, 30 or 7 days; *n of them. */
EMT_CHECKED enum emt_err other_certificates_warn(struct store *s, int64_t *n);

/* Field channel and others look again. */
EMT_CHECKED enum emt_err trust_changed(struct store *s);

/* --- certificates of the market participant; inside a transaction of the tenant --- */

EMT_CHECKED enum emt_err emt_triple_insert(struct store *s, int32_t tenant, const char *name,
                                           int64_t *id);
struct emt_certificate_row {
    const char *use; /* "sig", "enc", "tls" */
    const char *chain_pem;
    const void *key_pem;
    size_t key_len;
    uint8_t fingerprint[32];
    const char *subject, *serial;
    emt_time not_before, not_after;
};
EMT_CHECKED enum emt_err emt_certificate_insert(struct store *s, int32_t tenant, int64_t triple,
                                                const struct emt_certificate_row *in,
                                                const struct seal_key *data_key);
/* (cursor, id, name, made, use, subject, serial, fingerprint, from, until, in use, chain), a row
 * for each certificate, youngest triple first. */
EMT_CHECKED enum emt_err emt_triple_list(struct store *s, int32_t tenant, int64_t id,
                                         struct store_result **out);
EMT_CHECKED enum emt_err emt_triple_delete(struct store *s, int32_t tenant, int64_t id);
/* The one to use now: the youngest that is valid. Appends chain and key (wipe it). EMT_ENOTFOUND
 * none; EMT_EAUTH the data key does not fit. */
EMT_CHECKED enum emt_err emt_certificate_current(struct store *s, int32_t tenant, const char *use,
                                                 emt_time now, const struct seal_key *data_key,
                                                 struct writer *chain_pem, struct writer *key_pem);

/* For the test that prepares them all. */
struct store_statement;
const struct store_statement *certificate_store_statements(size_t *n);

#endif
