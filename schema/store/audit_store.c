#include "store/audit_store.h"

#include "base/cipher.h"
#include "store/store.h"

#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* Texts have no limit in the table; what a request or a certificate brings has. */
#define ENTRY_MAX (1u << 20)

enum {
    APPEND,
    LIST,
    HEAD_READ,
    CHAINED,
    TOTALS,
    ANCHORS,
    TENANTS_UNCHAINED,
    TENANTS_UNANCHORED,
    HEAD_MAKE,
    HEAD_LOCK,
    UNCHAINED,
    LINK,
    HEAD_SET,
    ANCHOR_INSERT,
    PUBLIC_KEY,
    BASE,
    CUT
};

/* clang-format off */
#define CHAIN_SELECT \
    "select entry_id, at, actor, action, object, detail, host(peer), chain_no, chain_hash from audit"

static const struct store_statement statements[] = {
    [APPEND] = { "audit_append", 6,
        "insert into audit (tenant_id, actor, action, object, detail, peer)"
        " values ($1, $2, $3, $4, coalesce($5, ''), $6)" },
    [LIST] = { "audit_list", 7,
        "select entry_id::text, entry_id, at, actor, action, object, detail, host(peer), chain_no"
        " from audit where tenant_id = $1 and ($2::int8 = 0 or entry_id < $2)"
        " and ($4::text is null or starts_with(actor, $4))"
        " and ($5::text is null or starts_with(action, $5))"
        " and ($6::timestamptz is null or at >= $6) and ($7::timestamptz is null or at < $7)"
        " order by audit.entry_id desc limit $3" },
    [HEAD_READ] = { "audit_head_read", 1,
        "select chain_no, chain_hash from audit_head where tenant_id = $1" },
    [CHAINED] = { "audit_chained", 3,
        CHAIN_SELECT " where tenant_id = $1 and chain_no > $2 order by chain_no limit $3::int4" },
    [TOTALS] = { "audit_totals", 1,
        "select count(*), min(entry_id) filter (where chain_no > coalesce((select h.chain_no"
        " from audit_head h where h.tenant_id = $1), 0)) from audit where tenant_id = $1" },
    [ANCHORS] = { "audit_anchors", 1,
        "select day::text, chain_no, chain_hash, signature from audit_anchor"
        " where tenant_id = $1 order by chain_no" },
    [TENANTS_UNCHAINED] = { "audit_tenants_unchained", 0,
        "select distinct tenant_id from audit where chain_no is null" },
    [TENANTS_UNANCHORED] = { "audit_tenants_unanchored", 0,
        "select h.tenant_id, (now() at time zone 'UTC')::date::text from audit_head h"
        " where not exists (select from audit_anchor a where a.tenant_id = h.tenant_id"
        "  and (a.day >= (now() at time zone 'UTC')::date or a.chain_no >= h.chain_no))" },
    [HEAD_MAKE] = { "audit_head_make", 1,
        "insert into audit_head (tenant_id, chain_no, chain_hash)"
        " values ($1, 0, decode(repeat('00', 32), 'hex')) on conflict do nothing" },
    [HEAD_LOCK] = { "audit_head_lock", 1,
        "select chain_no, chain_hash from audit_head where tenant_id = $1 for update skip locked" },
    [UNCHAINED] = { "audit_unchained", 2,
        CHAIN_SELECT " where tenant_id = $1 and chain_no is null order by entry_id limit $2::int4" },
    [LINK] = { "audit_link", 4,
        "update audit a set chain_no = u.no, chain_hash = u.hash"
        " from unnest($2::int8[], $3::int8[], $4::bytea[]) u (id, no, hash)"
        " where a.tenant_id = $1 and a.entry_id = u.id and a.chain_no is null" },
    [HEAD_SET] = { "audit_head_set", 3,
        "update audit_head set chain_no = $2, chain_hash = $3 where tenant_id = $1" },
    [ANCHOR_INSERT] = { "audit_anchor_insert", 5,
        "insert into audit_anchor (tenant_id, day, chain_no, chain_hash, signature)"
        " values ($1, $2::text::date, $3, $4, $5) on conflict do nothing" },
    [BASE] = { "audit_base", 1,
        "select h.base_no, exists (select from audit a where a.tenant_id = $1 and a.action = 'audit.cut'"
        " and a.object = h.base_no::text) from audit_head h where h.tenant_id = $1" },
    [CUT] = { "audit_cut", 1, "select audit_cut($1::int4)" },
    [PUBLIC_KEY] = { "audit_public_key", 0,
        "select coalesce(public_text, '') from platform_secret where name = '" AUDIT_KEY_SECRET "'" },
};
/* clang-format on */

const struct store_statement *audit_store_statements(size_t *n)
{
    *n = sizeof statements / sizeof statements[0];
    return statements;
}

enum emt_err audit_append(struct store *s, const struct audit_entry *e)
{
    struct store_param p[6];

    p_int4(&p[0], e->tenant);
    p_text(&p[1], e->actor);
    p_text(&p[2], e->action);
    p_text(&p[3], e->object);
    p_text(&p[4], e->detail);
    p_text(&p[5], e->peer);
    return store_run(s, &statements[APPEND], p, NULL);
}

enum emt_err audit_list(struct store *s, int32_t tenant, const struct audit_filter *f,
                        int64_t before, int limit, struct store_result **out)
{
    struct store_param p[7];

    p_int4(&p[0], tenant);
    p_int8(&p[1], before);
    p_int8(&p[2], limit);
    p_text(&p[3], f->actor);
    p_text(&p[4], f->action);
    p_time(&p[5], f->from);
    p_time(&p[6], f->to);
    return store_run(s, &statements[LIST], p, out);
}

/* ---- the chain ---- */

static enum emt_err row_to_head(const struct store_result *r, int row, int col,
                                struct audit_head *out)
{
    size_t n = 0;
    const uint8_t *hash = c_bytes(r, row, col + 1, &n);

    if (n != AUDIT_HASH_LEN)
        return EMT_EMALFORMED;
    out->no = c_int(r, row, col);
    memcpy(out->hash, hash, n);
    return EMT_OK;
}

enum emt_err audit_head_read(struct store *s, int32_t tenant, struct audit_head *out)
{
    struct store_result *r = NULL;
    struct store_param p;

    memset(out, 0, sizeof *out);
    p_int4(&p, tenant);
    enum emt_err err = store_run(s, &statements[HEAD_READ], &p, &r);
    if (err == EMT_OK && store_rows(r) > 0)
        err = row_to_head(r, 0, 0, out);
    store_result_free(r);
    return err;
}

static void put_text(struct writer *w, const struct store_result *r, int row, int col)
{
    const char *text = c_text(r, row, col);
    size_t n = strlen(text);

    if (c_null(r, row, col)) {
        writer_be(w, UINT32_MAX, 4);
        return;
    }
    writer_be(w, n, 4);
    writer_bytes(w, text, n);
}

bool audit_entry_hash(const uint8_t before[AUDIT_HASH_LEN], int32_t tenant,
                      const struct store_result *r, int row, uint8_t out[AUDIT_HASH_LEN])
{
    struct writer w;

    writer_init_heap(&w, ENTRY_MAX);
    writer_bytes(&w, before, AUDIT_HASH_LEN);
    writer_be(&w, (uint32_t)tenant, 4);
    writer_be(&w, (uint64_t)c_int(r, row, AUDIT_ID), 8);
    writer_be(&w, (uint64_t)c_time(r, row, AUDIT_AT), 8);
    for (int col = AUDIT_ACTOR; col <= AUDIT_PEER; col++)
        put_text(&w, r, row, col);
    bool ok = !w.failed;
    if (ok)
        cipher_sha256(w.data, w.len, out);
    writer_release(&w);
    return ok;
}

enum emt_err audit_chained(struct store *s, int32_t tenant, int64_t after, int32_t limit,
                           struct store_result **out)
{
    struct store_param p[3];

    p_int4(&p[0], tenant);
    p_int8(&p[1], after);
    p_int4(&p[2], limit);
    return store_run(s, &statements[CHAINED], p, out);
}

enum emt_err audit_totals(struct store *s, int32_t tenant, struct store_result **out)
{
    struct store_param p;

    p_int4(&p, tenant);
    return store_run_row(s, &statements[TOTALS], &p, out);
}

enum emt_err audit_anchors(struct store *s, int32_t tenant, struct store_result **out)
{
    struct store_param p;

    p_int4(&p, tenant);
    return store_run(s, &statements[ANCHORS], &p, out);
}

/* ---- linking ---- */

enum emt_err audit_tenants_unchained(struct store *s, struct store_result **out)
{
    return store_run(s, &statements[TENANTS_UNCHAINED], NULL, out);
}

enum emt_err audit_tenants_unanchored(struct store *s, struct store_result **out)
{
    return store_run(s, &statements[TENANTS_UNANCHORED], NULL, out);
}

enum emt_err audit_head_lock(struct store *s, int32_t tenant, struct audit_head *out, bool *got)
{
    struct store_result *r = NULL;
    struct store_param p;

    p_int4(&p, tenant);
    enum emt_err err = store_run(s, &statements[HEAD_MAKE], &p, NULL);
    if (err == EMT_OK)
        err = store_run(s, &statements[HEAD_LOCK], &p, &r);
    if (err != EMT_OK)
        return err;
    *got = store_rows(r) > 0;
    if (*got)
        err = row_to_head(r, 0, 0, out);
    store_result_free(r);
    return err;
}

enum emt_err audit_unchained(struct store *s, int32_t tenant, int32_t limit,
                             struct store_result **out)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_int4(&p[1], limit);
    return store_run(s, &statements[UNCHAINED], p, out);
}

enum emt_err audit_link(struct store *s, int32_t tenant, struct store_array *ids,
                        struct store_array *numbers, struct store_array *hashes,
                        const struct audit_head *head)
{
    struct store_result *r = NULL;
    struct store_param p[4];

    p_int4(&p[0], tenant);
    p_array(&p[1], ids);
    p_array(&p[2], numbers);
    p_array(&p[3], hashes);
    enum emt_err err = store_run(s, &statements[LINK], p, &r);
    if (err == EMT_OK && store_affected(r) != (int64_t)store_array_count(ids))
        err = EMT_ECONFLICT;
    store_result_free(r);
    if (err != EMT_OK)
        return err;
    p_int8(&p[1], head->no);
    p_bytes(&p[2], head->hash, sizeof head->hash);
    return store_run_touch(s, &statements[HEAD_SET], p);
}

enum emt_err audit_anchor_text(struct writer *out, int32_t tenant, const char *day,
                               const struct audit_head *head)
{
    writer_text(out, "EMT audit anchor 1\n");
    writer_be(out, (uint32_t)tenant, 4);
    writer_text(out, day);
    writer_be(out, (uint64_t)head->no, 8);
    writer_bytes(out, head->hash, sizeof head->hash);
    return out->failed ? EMT_ENOMEM : EMT_OK;
}

enum emt_err audit_anchor_insert(struct store *s, int32_t tenant, const char *day,
                                 const struct audit_head *head, const void *signature, size_t len)
{
    struct store_param p[5];

    p_int4(&p[0], tenant);
    p_text(&p[1], day);
    p_int8(&p[2], head->no);
    p_bytes(&p[3], head->hash, sizeof head->hash);
    p_bytes(&p[4], signature, len);
    return store_run(s, &statements[ANCHOR_INSERT], p, NULL);
}

enum emt_err audit_public_key(struct store *s, struct writer *out)
{
    struct store_result *r = NULL;
    enum emt_err err = store_run_row(s, &statements[PUBLIC_KEY], NULL, &r);

    if (err != EMT_OK)
        return err;
    err = writer_text(out, c_text(r, 0, 0)) ? EMT_OK : EMT_ENOMEM;
    store_result_free(r);
    return err;
}

enum emt_err audit_base_read(struct store *s, int32_t tenant, int64_t *base, bool *noted)
{
    struct store_result *r = NULL;
    struct store_param p;

    *base = 0;
    *noted = false;
    p_int4(&p, tenant);
    enum emt_err err = store_run(s, &statements[BASE], &p, &r);
    if (err == EMT_OK && store_rows(r) > 0) {
        *base = c_int(r, 0, 0);
        *noted = c_bool(r, 0, 1);
    }
    store_result_free(r);
    return err;
}

enum emt_err audit_cut(struct store *s, int32_t tenant, int64_t *entries)
{
    struct store_param p;

    p_int4(&p, tenant);
    return store_run_number(s, &statements[CUT], &p, entries);
}
