#include "jobs/audit_chain.h"

#include "base/cipher.h"
#include "base/seal.h"
#include "base/writer.h"
#include "pki/signing_key.h"
#include "store/audit_store.h"
#include "store/secret_store.h"
#include "store/store.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define LOT 1000
#define PEM_MAX (16u << 10)
#define ANCHOR_TEXT_MAX 256

/* ---- linking ---- */

struct lot {
    struct store_array *ids, *numbers, *hashes;
};

static bool lot_new(struct lot *l)
{
    l->ids = store_array_new(STORE_INT8);
    l->numbers = store_array_new(STORE_INT8);
    l->hashes = store_array_new(STORE_BYTES);
    return l->ids && l->numbers && l->hashes;
}

static void lot_free(struct lot *l)
{
    store_array_free(l->ids);
    store_array_free(l->numbers);
    store_array_free(l->hashes);
}

static enum emt_err lot_fill(struct lot *l, int32_t tenant, const struct store_result *rows,
                             struct audit_head *head)
{
    for (int i = 0; i < store_rows(rows); i++) {
        uint8_t hash[AUDIT_HASH_LEN];

        if (!audit_entry_hash(head->hash, tenant, rows, i, hash))
            return EMT_ENOMEM;
        memcpy(head->hash, hash, sizeof hash);
        head->no++;
        if (!store_array_int(l->ids, c_int(rows, i, AUDIT_ID)) ||
            !store_array_int(l->numbers, head->no) ||
            !store_array_bytes(l->hashes, hash, sizeof hash))
            return EMT_ENOMEM;
    }
    return EMT_OK;
}

/* The head's lock makes this node the only one; *n entries were linked. */
static enum emt_err link_locked(struct store *s, int32_t tenant, int *n)
{
    struct store_result *rows = NULL;
    struct lot lot = { 0 };
    struct audit_head head;
    bool got = false;
    enum emt_err err = audit_head_lock(s, tenant, &head, &got);

    *n = 0;
    if (err == EMT_OK && got)
        err = audit_unchained(s, tenant, LOT, &rows);
    if (err == EMT_OK && got && store_rows(rows) > 0) {
        err = lot_new(&lot) ? lot_fill(&lot, tenant, rows, &head) : EMT_ENOMEM;
        if (err == EMT_OK)
            err = audit_link(s, tenant, lot.ids, lot.numbers, lot.hashes, &head);
        *n = store_rows(rows);
        lot_free(&lot);
    }
    store_result_free(rows);
    return err;
}

static enum emt_err link_tenant(struct store *s, int32_t tenant, int64_t *linked,
                                struct emt_diag *diag)
{
    enum emt_err err = EMT_OK;
    int n = LOT;

    while (err == EMT_OK && n == LOT) {
        err = store_begin(s, 0);
        if (err == EMT_OK)
            err = link_locked(s, tenant, &n);
        if (err == EMT_OK)
            err = store_commit(s);
        if (err == EMT_OK)
            *linked += n;
        else
            (void)emt_fail(diag, err, "audit of tenant %d: %s", (int)tenant, store_error(s));
        if (err != EMT_OK)
            store_rollback(s);
    }
    return err;
}

/* A tenant that cannot be linked does not hold up the others; the first failure is told. */
static enum emt_err link_all(struct store *s, int64_t *linked, struct emt_diag *diag)
{
    struct store_result *tenants = NULL;
    enum emt_err first = EMT_OK;
    enum emt_err err = audit_tenants_unchained(s, &tenants);

    if (err != EMT_OK)
        return emt_fail(diag, err, "audit: %s", store_error(s));
    for (int i = 0; i < store_rows(tenants) && !store_is_broken(s); i++) {
        struct emt_diag why = { 0 };

        err = link_tenant(s, (int32_t)c_int(tenants, i, 0), linked, &why);
        if (err != EMT_OK && first == EMT_OK) {
            first = err;
            (void)emt_fail(diag, err, "%s", why.text);
        }
    }
    store_result_free(tenants);
    return first;
}

/* ---- anchors ---- */

/* The platform's key, made when it is first needed. Wipe the writer. */
static enum emt_err load_key(struct store *s, const struct seal_key *master, struct writer *secret,
                             struct emt_diag *diag)
{
    struct writer text;
    enum emt_err err;

    writer_init_heap(&text, PEM_MAX);
    err = platform_secret_load(s, AUDIT_KEY_SECRET, master, secret, &text);
    if (err == EMT_ENOTFOUND) {
        writer_clear(&text);
        err = signing_key_new(secret, &text, diag);
        if (err == EMT_OK)
            err = platform_secret_create(s, AUDIT_KEY_SECRET, secret->data, secret->len,
                                         writer_cstr(&text), master);
        cipher_wipe(secret->data, secret->len);
        writer_clear(secret);
        writer_clear(&text);
        /* Another node may have been first: its key counts. */
        if (err == EMT_OK || err == EMT_ECONFLICT)
            err = platform_secret_load(s, AUDIT_KEY_SECRET, master, secret, &text);
    }
    writer_release(&text);
    return err == EMT_OK ? EMT_OK : emt_fail(diag, err, "the key of the audit's anchors");
}

static enum emt_err sign_anchor(struct store *s, const struct writer *secret, int32_t tenant,
                                const char *day, struct emt_diag *diag)
{
    unsigned char signature[SIGNATURE_MAX];
    uint8_t storage[ANCHOR_TEXT_MAX];
    struct audit_head head;
    struct writer text;
    size_t n = 0;
    enum emt_err err = audit_head_read(s, tenant, &head);

    writer_init_fixed(&text, storage, sizeof storage);
    if (err == EMT_OK)
        err = audit_anchor_text(&text, tenant, day, &head);
    if (err == EMT_OK)
        err = signing_key_sign((const char *)secret->data, secret->len, text.data, text.len,
                               signature, &n, diag);
    if (err == EMT_OK)
        err = audit_anchor_insert(s, tenant, day, &head, signature, n);
    return err;
}

static enum emt_err anchor_all(struct store *s, const struct seal_key *master,
                               struct emt_diag *diag)
{
    struct store_result *due = NULL;
    struct writer secret;
    enum emt_err err = audit_tenants_unanchored(s, &due);

    if (err != EMT_OK)
        return emt_fail(diag, err, "audit: %s", store_error(s));
    writer_init_heap(&secret, PEM_MAX);
    if (store_rows(due) > 0)
        err = load_key(s, master, &secret, diag);
    for (int i = 0; err == EMT_OK && i < store_rows(due); i++)
        err = sign_anchor(s, &secret, (int32_t)c_int(due, i, 0), c_text(due, i, 1), diag);
    cipher_wipe(secret.data, secret.len);
    writer_release(&secret);
    store_result_free(due);
    return err;
}

enum emt_err audit_chain_step(struct store *admin, const struct seal_key *master, int64_t *linked,
                              struct emt_diag *diag)
{
    enum emt_err err;

    *linked = 0;
    err = link_all(admin, linked, diag);
    return err == EMT_OK ? anchor_all(admin, master, diag) : err;
}

/* ---- verification ---- */

struct check {
    struct store *s, *keys;
    int32_t tenant;
    struct audit_verdict *v;
    struct audit_head end;        /* what the head says */
    struct audit_head at;         /* as recomputed so far */
    int64_t last_entry;           /* entry_id of at.no */
    struct store_result *anchors; /* by number */
    int anchor;                   /* next one to come by */
    struct writer key;
};

static void bad(struct check *k, int64_t entry, const char *fmt, ...) EMT_PRINTF(3, 4);
static void bad(struct check *k, int64_t entry, const char *fmt, ...)
{
    va_list ap;

    if (!k->v->ok)
        return; /* the first one is named */
    k->v->ok = false;
    k->v->bad_entry = entry;
    va_start(ap, fmt);
    (void)vsnprintf(k->v->reason, sizeof k->v->reason, fmt, ap);
    va_end(ap);
}

/* The anchor at the place just reached. */
static enum emt_err check_anchor(struct check *k)
{
    const char *day = c_text(k->anchors, k->anchor, 0);
    struct audit_head head = { .no = k->at.no };
    uint8_t storage[ANCHOR_TEXT_MAX];
    struct writer text;
    size_t n = 0, len = 0;
    const uint8_t *hash = c_bytes(k->anchors, k->anchor, 2, &n);
    const uint8_t *signature = c_bytes(k->anchors, k->anchor, 3, &len);

    if (n != AUDIT_HASH_LEN || memcmp(hash, k->at.hash, n) != 0) {
        bad(k, k->last_entry, "the chain up to it is not the one signed on %s", day);
        return EMT_OK;
    }
    memcpy(head.hash, hash, n);
    writer_init_fixed(&text, storage, sizeof storage);
    enum emt_err err = audit_anchor_text(&text, k->tenant, day, &head);
    if (err != EMT_OK)
        return err;
    if (signing_key_verify((const char *)k->key.data, k->key.len, text.data, text.len, signature,
                           len, NULL) != EMT_OK)
        bad(k, k->last_entry, "the signature of %s is not the platform's", day);
    k->v->anchors++;
    return EMT_OK;
}

static enum emt_err check_entry(struct check *k, const struct store_result *r, int row)
{
    int64_t entry = c_int(r, row, AUDIT_ID);
    int64_t no = c_int(r, row, AUDIT_NO);
    uint8_t hash[AUDIT_HASH_LEN];
    size_t n = 0;
    const uint8_t *kept = c_bytes(r, row, AUDIT_HASH, &n);

    if (no != k->at.no + 1) {
        bad(k, entry, "before it %lld entries are missing", (long long)(no - k->at.no - 1));
        return EMT_OK;
    }
    if (!audit_entry_hash(k->at.hash, k->tenant, r, row, hash))
        return EMT_ENOMEM;
    if (n != sizeof hash || memcmp(hash, kept, n) != 0) {
        bad(k, entry, "it was changed, moved or inserted: its hash does not fit");
        return EMT_OK;
    }
    memcpy(k->at.hash, hash, sizeof hash);
    k->at.no = no;
    k->last_entry = entry;
    k->v->chained++;
    enum emt_err err = EMT_OK;
    while (err == EMT_OK && k->anchor < store_rows(k->anchors) &&
           c_int(k->anchors, k->anchor, 1) == no) {
        err = check_anchor(k);
        k->anchor++;
    }
    return err;
}

/* Where the oldest part is cut, an anchor says what stood before it, and the audit that it was cut.
 */
static enum emt_err check_base(struct check *k)
{
    bool noted = false;
    size_t n = 0;
    enum emt_err err = audit_base_read(k->s, k->tenant, &k->v->base, &noted);

    if (err != EMT_OK || k->v->base == 0)
        return err;
    if (!noted)
        bad(k, 0, "entries up to %lld were cut, and nothing says so", (long long)k->v->base);
    if (store_rows(k->anchors) == 0 || c_int(k->anchors, 0, 1) != k->v->base) {
        bad(k, 0, "the signature where it was cut (%lld) is gone", (long long)k->v->base);
        return EMT_OK;
    }
    const uint8_t *hash = c_bytes(k->anchors, 0, 2, &n);
    if (n == AUDIT_HASH_LEN)
        memcpy(k->at.hash, hash, n);
    k->at.no = k->v->base;
    err = check_anchor(k);
    k->anchor = 1;
    return err;
}

static enum emt_err check_chain(struct check *k)
{
    enum emt_err err = EMT_OK;

    while (err == EMT_OK && k->v->ok && k->at.no < k->end.no) {
        struct store_result *r = NULL;

        err = audit_chained(k->s, k->tenant, k->at.no, LOT, &r);
        if (err == EMT_OK && store_rows(r) == 0)
            bad(k, 0, "the last %lld entries are gone", (long long)(k->end.no - k->at.no));
        for (int i = 0; err == EMT_OK && k->v->ok && i < store_rows(r); i++) {
            /* What is linked while we look is looked at the next time. */
            if (c_int(r, i, AUDIT_NO) > k->end.no && k->at.no == k->end.no)
                break;
            err = check_entry(k, r, i);
        }
        store_result_free(r);
    }
    return err;
}

/* The chain is what it says; now whether that is all. */
static enum emt_err check_end(struct check *k)
{
    struct store_result *r = NULL;
    enum emt_err err = audit_totals(k->s, k->tenant, &r);

    if (err != EMT_OK)
        return err;
    k->v->entries = c_int(r, 0, 0);
    if (memcmp(k->at.hash, k->end.hash, AUDIT_HASH_LEN) != 0)
        bad(k, k->last_entry, "the end of the chain is another one");
    if (!c_null(r, 0, 1))
        bad(k, c_int(r, 0, 1), "it has a number that the chain never gave");
    if (k->anchor < store_rows(k->anchors) && c_int(k->anchors, k->anchor, 1) > k->end.no)
        bad(k, 0, "the chain signed on %s was longer", c_text(k->anchors, k->anchor, 0));
    store_result_free(r);
    return EMT_OK;
}

enum emt_err audit_chain_verify(struct store *s, struct store *keys, int32_t tenant,
                                struct audit_verdict *out)
{
    struct check k = { .s = s, .keys = keys, .tenant = tenant, .v = out };

    memset(out, 0, sizeof *out);
    out->ok = true;
    out->checked_at = clock_now();
    writer_init_heap(&k.key, PEM_MAX);
    /* Anchors before the head: one that is signed meanwhile is not missing. */
    enum emt_err err = audit_anchors(s, tenant, &k.anchors);
    if (err == EMT_OK)
        err = audit_head_read(s, tenant, &k.end);
    if (err == EMT_OK && store_rows(k.anchors) > 0) {
        err = audit_public_key(keys, &k.key);
        if (err == EMT_ENOTFOUND) {
            bad(&k, 0, "the key of the anchors is gone");
            err = EMT_OK;
        }
    }
    if (err == EMT_OK)
        err = check_base(&k);
    if (err == EMT_OK)
        err = check_chain(&k);
    if (err == EMT_OK)
        err = check_end(&k);
    writer_release(&k.key);
    store_result_free(k.anchors);
    return err;
}
