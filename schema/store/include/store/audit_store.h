/* The audit log: entries are written in the transaction that they describe, not linked; the chainer
 * (jobs/audit_chain.h) links them each second. Nobody changes or deletes them but audit_cut(). */
#ifndef EMT_STORE_AUDIT_STORE_H
#define EMT_STORE_AUDIT_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/writer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;
struct store_array;
struct store_result;

/* Texts are borrowed; no secrets in them. */
struct audit_entry {
    int32_t tenant;     /* 0: the platform; then as STORE_ADMIN */
    const char *actor;  /* "key:12", "user:admin", "emtd" */
    const char *action; /* "gateway.enrol" */
    const char *object; /* "gateway/7" */
    const char *detail; /* NULL: none */
    const char *peer;   /* address as text; NULL: none */
};

/* EMT_EDB also for a peer that is no address. */
EMT_CHECKED enum emt_err audit_append(struct store *s, const struct audit_entry *e);

/* --- reading; inside a transaction of the tenant, of the platform (0) as STORE_ADMIN --- */

struct audit_filter {
    const char *actor, *action; /* what it begins with; NULL: any */
    emt_time from, to;          /* EMT_TIME_NONE: any */
};
/* (cursor, entry_id, at, actor, action, object, detail, peer, chain_no), newest first; before: 0
 * from the newest. */
EMT_CHECKED enum emt_err audit_list(struct store *s, int32_t tenant, const struct audit_filter *f,
                                    int64_t before, int limit, struct store_result **out);

/* --- the chain --- */

#define AUDIT_HASH_LEN 32

/* The end of a tenant's chain; no 0 and a hash of zeros where there is none. */
struct audit_head {
    int64_t no;
    uint8_t hash[AUDIT_HASH_LEN];
};
EMT_CHECKED enum emt_err audit_head_read(struct store *s, int32_t tenant, struct audit_head *out);

/* The number behind which the chain begins, because what was older is cut; 0: it is whole. *noted:
 * the audit itself says so. */
EMT_CHECKED enum emt_err audit_base_read(struct store *s, int32_t tenant, int64_t *base,
                                         bool *noted);
/* Cuts what is older than the tenant's audit_retention_days, up to a signed anchor; how many
 * entries went. As STORE_ADMIN. */
EMT_CHECKED enum emt_err audit_cut(struct store *s, int32_t tenant, int64_t *entries);

/* Columns of audit_unchained() and audit_chained(). */
enum audit_column {
    AUDIT_ID,
    AUDIT_AT,
    AUDIT_ACTOR,
    AUDIT_ACTION,
    AUDIT_OBJECT,
    AUDIT_DETAIL,
    AUDIT_PEER,
    AUDIT_NO,
    AUDIT_HASH
};
/* SHA-256 of the hash before and of the entry: tenant, entry_id and microseconds since 1970 (4, 8,
 * 8 bytes, big endian), then actor, action, object, detail, peer as length (4 bytes) and UTF-8; a
 * peer that is not there has the length 2^32 - 1. False: out of memory. */
bool audit_entry_hash(const uint8_t before[AUDIT_HASH_LEN], int32_t tenant,
                      const struct store_result *r, int row, uint8_t out[AUDIT_HASH_LEN]);
/* Linked entries with a number above `after`, ascending, at most limit. */
EMT_CHECKED enum emt_err audit_chained(struct store *s, int32_t tenant, int64_t after,
                                       int32_t limit, struct store_result **out);
/* (entries, entry that has a number above the head's or NULL), in one look. */
EMT_CHECKED enum emt_err audit_totals(struct store *s, int32_t tenant, struct store_result **out);
/* (day text, chain_no, chain_hash, signature), by day. */
EMT_CHECKED enum emt_err audit_anchors(struct store *s, int32_t tenant, struct store_result **out);

/* --- linking, as STORE_ADMIN --- */

/* (tenant_id) of those that have something to link, (tenant_id, day text) of those whose chain grew
 * since its last anchor and has none of today (UTC). */
EMT_CHECKED enum emt_err audit_tenants_unchained(struct store *s, struct store_result **out);
EMT_CHECKED enum emt_err audit_tenants_unanchored(struct store *s, struct store_result **out);
/* Inside a transaction: the head, locked until its end. *got is false when somebody else links. */
EMT_CHECKED enum emt_err audit_head_lock(struct store *s, int32_t tenant, struct audit_head *out,
                                         bool *got);
EMT_CHECKED enum emt_err audit_unchained(struct store *s, int32_t tenant, int32_t limit,
                                         struct store_result **out);
/* The same number of each: entry_id int8[], chain_no int8[], chain_hash bytea[]; and the new head.
 * EMT_ECONFLICT: one of them has a number already, or a number is taken. */
EMT_CHECKED enum emt_err audit_link(struct store *s, int32_t tenant, struct store_array *ids,
                                    struct store_array *numbers, struct store_array *hashes,
                                    const struct audit_head *head);
/* What an anchor signs. */
EMT_CHECKED enum emt_err audit_anchor_text(struct writer *out, int32_t tenant, const char *day,
                                           const struct audit_head *head);
EMT_CHECKED enum emt_err audit_anchor_insert(struct store *s, int32_t tenant, const char *day,
                                             const struct audit_head *head, const void *signature,
                                             size_t len);
/* The public half of the key that signs anchors (PEM). EMT_ENOTFOUND: nothing was signed yet. */
#define AUDIT_KEY_SECRET "audit-anchor"
EMT_CHECKED enum emt_err audit_public_key(struct store *s, struct writer *out);

/* For the test that prepares them all. */
struct store_statement;
const struct store_statement *audit_store_statements(size_t *n);

#endif
