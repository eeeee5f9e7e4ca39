#include "store/tenant_store.h"

#include "base/cipher.h"
#include "store/secret_store.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    INSERT,
    REGISTRY,
    FIND,
    GET,
    LOCK,
    LIST,
    UPDATE,
    SET_STATE,
    SET_METERS,
    ORDER_REMOVAL,
    REMOVALS,
    CA_INSERT,
    CA_NEWEST,
    CA_OF
};

#define COLUMNS                                                                                    \
    "id, key, name, state, device_policy, profile_tolerance_s, raw_retention_days,"                \
    " reading_retention_days, coalesce(own_mp_id, ''), created_at, compact_after_days,"            \
    " daily_retention_days, raw_pack_after_days, mandates_required, audit_retention_days"

static const struct store_statement statements[] = {
    [INSERT] = { "tenant_insert", 2,
                 "insert into tenant (key, name) values ($1, $2) returning id" },
    [REGISTRY] = { "tenant_registry", 1, "insert into registry_version (tenant_id) values ($1)" },
    [FIND] = { "tenant_find", 1, "select " COLUMNS " from tenant where key = $1" },
    [GET] = { "tenant_get", 1, "select " COLUMNS " from tenant where id = $1" },
    [LOCK] = { "tenant_lock", 1, "select id from tenant where id = $1 for update" },
    [LIST] = { "tenant_list", 2,
               "select " COLUMNS " from tenant where id > $1 order by id limit $2::int8" },
    [UPDATE] = { "tenant_update", 12,
                 "with t as (update tenant set name = $2, device_policy = $3,"
                 " profile_tolerance_s = $4, raw_retention_days = $5, reading_retention_days = $6,"
                 " own_mp_id = nullif($7, ''), compact_after_days = $8,"
                 " daily_retention_days = $9, raw_pack_after_days = $10,"
                 " mandates_required = $11, audit_retention_days = $12 where id = $1 returning id)"
                 " update registry_version r set version = r.version + 1 from t"
                 " where r.tenant_id = t.id and r.tenant_id = $1" },
    [SET_STATE] = { "tenant_set_state", 2,
                    "with t as (update tenant set state = $2 where id = $1 returning id)"
                    " update registry_version r set version = r.version + 1 from t"
                    " where r.tenant_id = t.id and r.tenant_id = $1" },
    [ORDER_REMOVAL] = { "tenant_order_removal", 3,
                        "update tenant set state = 2, delete_ordered_by = $2, delete_reason = $3"
                        " where id = $1" },
    [REMOVALS] = { "tenant_removals", 0,
                   "select key, delete_ordered_by from tenant"
                   " where state = 2 and delete_ordered_by is not null order by id" },
    [SET_METERS] = { "tenant_set_meters", 2, "update tenant set meters_max = $2 where id = $1" },
    [CA_INSERT] = { "tenant_ca_insert", 4,
                    "insert into tenant_ca (tenant_id, generation, chain_pem, key_blob)"
                    " values ($1, $2, $3, $4)" },
    [CA_NEWEST] = { "tenant_ca_load", 1,
                    "select generation, chain_pem, key_blob from tenant_ca where tenant_id = $1"
                    " order by generation desc limit 1" },
    [CA_OF] = { "tenant_ca_of", 2,
                "select generation, chain_pem, key_blob from tenant_ca where tenant_id = $1"
                " and generation = $2" },
};

const struct store_statement *tenant_store_statements(size_t *n)
{
    *n = sizeof statements / sizeof statements[0];
    return statements;
}

static void row_to_tenant(const struct store_result *r, int row, struct tenant *t)
{
    *t = (struct tenant){ .id = (int32_t)c_int(r, row, 0),
                          .state = (enum tenant_state)c_int(r, row, 3),
                          .device_policy = (enum tenant_device_policy)c_int(r, row, 4),
                          .profile_tolerance_s = (int32_t)c_int(r, row, 5),
                          .raw_retention_days = (int32_t)c_int(r, row, 6),
                          .reading_retention_days = (int32_t)c_int(r, row, 7),
                          .created_at = c_time(r, row, 9),
                          .compact_after_days = (int32_t)c_int(r, row, 10),
                          .daily_retention_days = (int32_t)c_int(r, row, 11),
                          .raw_pack_after_days = (int32_t)c_int(r, row, 12),
                          .mandates_required = c_bool(r, row, 13),
                          .audit_retention_days = (int32_t)c_int(r, row, 14) };
    snprintf(t->key, sizeof t->key, "%s", c_text(r, row, 1));
    snprintf(t->name, sizeof t->name, "%s", c_text(r, row, 2));
    snprintf(t->own_mp_id, sizeof t->own_mp_id, "%s", c_text(r, row, 8));
}

static enum emt_err insert_row(struct store *s, const char *key, const char *name, int32_t *id)
{
    struct store_result *r = NULL;
    struct store_param p[2];
    enum emt_err err;

    p_text(&p[0], key);
    p_text(&p[1], name);
    err = store_run(s, &statements[INSERT], p, &r);
    if (err == EMT_OK)
        *id = (int32_t)c_int(r, 0, 0);
    store_result_free(r);
    return err;
}

enum emt_err tenant_create(struct store *s, const char *key, const char *name,
                           const struct seal_key *master, int32_t *id, struct seal_key *data_key)
{
    struct store_param p;
    enum emt_err err = insert_row(s, key, name, id);

    if (err != EMT_OK)
        return err;
    p_int4(&p, *id);
    err = store_run(s, &statements[REGISTRY], &p, NULL);
    return err == EMT_OK ? tenant_key_create(s, *id, master, data_key) : err;
}

static enum emt_err get_one(struct store *s, const struct store_statement *st,
                            const struct store_param *p, struct tenant *out)
{
    struct store_result *r = NULL;
    enum emt_err err = store_run(s, st, p, &r);

    if (err == EMT_OK && store_rows(r) == 0)
        err = EMT_ENOTFOUND;
    if (err == EMT_OK)
        row_to_tenant(r, 0, out);
    store_result_free(r);
    return err;
}

enum emt_err tenant_find(struct store *s, const char *key, struct tenant *out)
{
    struct store_param p;

    p_text(&p, key);
    return get_one(s, &statements[FIND], &p, out);
}

enum emt_err tenant_get(struct store *s, int32_t id, struct tenant *out)
{
    struct store_param p;

    p_int4(&p, id);
    return get_one(s, &statements[GET], &p, out);
}

enum emt_err tenant_lock(struct store *s, int32_t id)
{
    struct store_result *r = NULL;
    struct store_param p;

    p_int4(&p, id);
    enum emt_err err = store_run_row(s, &statements[LOCK], &p, &r);
    if (err == EMT_OK)
        store_result_free(r);
    return err;
}

enum emt_err tenant_list(struct store *s, int32_t after, struct tenant *out, size_t *n)
{
    struct store_result *r = NULL;
    struct store_param p[2];
    enum emt_err err;

    p_int4(&p[0], after);
    p_int8(&p[1], (int64_t)*n);
    *n = 0;
    err = store_run(s, &statements[LIST], p, &r);
    if (err == EMT_OK) {
        *n = (size_t)store_rows(r);
        for (int i = 0; i < store_rows(r); i++)
            row_to_tenant(r, i, &out[i]);
    }
    store_result_free(r);
    return err;
}

/* One registry row is raised where one tenant was found. */
static enum emt_err change_one(struct store *s, const struct store_statement *st,
                               const struct store_param *p)
{
    struct store_result *r = NULL;
    enum emt_err err = store_run(s, st, p, &r);

    if (err == EMT_OK && store_affected(r) != 1)
        err = EMT_ENOTFOUND;
    store_result_free(r);
    return err;
}

enum emt_err tenant_update(struct store *s, const struct tenant *t)
{
    struct store_param p[12];

    p_int4(&p[0], t->id);
    p_text(&p[1], t->name);
    p_int2(&p[2], (int16_t)t->device_policy);
    p_int4(&p[3], t->profile_tolerance_s);
    p_int4(&p[4], t->raw_retention_days);
    p_int4(&p[5], t->reading_retention_days);
    p_text(&p[6], t->own_mp_id);
    p_int4(&p[7], t->compact_after_days);
    p_int4(&p[8], t->daily_retention_days);
    p_int4(&p[9], t->raw_pack_after_days);
    p_bool(&p[10], t->mandates_required);
    p_int4(&p[11], t->audit_retention_days);
    return change_one(s, &statements[UPDATE], p);
}

enum emt_err tenant_set_state(struct store *s, int32_t id, enum tenant_state state)
{
    struct store_param p[2];

    p_int4(&p[0], id);
    p_int2(&p[1], (int16_t)state);
    return change_one(s, &statements[SET_STATE], p);
}

enum emt_err tenant_set_meters_max(struct store *s, int32_t id, int32_t most)
{
    struct store_param p[2];

    p_int4(&p[0], id);
    if (most < 0)
        p_null(&p[1]);
    else
        p_int4(&p[1], most);
    return store_run_touch(s, &statements[SET_METERS], p);
}

/* row: storage for the text of the generation. */
static struct seal_place ca_place(int32_t tenant, int32_t generation, char row[16])
{
    snprintf(row, 16, "%d", (int)generation);
    return (struct seal_place){ tenant, "tenant_ca", row, "private-key" };
}

enum emt_err tenant_ca_create(struct store *s, int32_t tenant, int32_t generation,
                              const char *chain_pem, const void *key_pem, size_t key_len,
                              const struct seal_key *data_key)
{
    char row[16];
    struct seal_place place = ca_place(tenant, generation, row);
    uint8_t *blob = malloc(key_len + SEAL_OVERHEAD);
    struct store_param p[4];
    size_t n;
    enum emt_err err;

    if (!blob)
        return EMT_ENOMEM;
    err = seal_wrap(data_key, &place, key_pem, key_len, blob, &n);
    if (err == EMT_OK) {
        p_int4(&p[0], tenant);
        p_int4(&p[1], generation);
        p_text(&p[2], chain_pem);
        p_bytes(&p[3], blob, n);
        err = store_run(s, &statements[CA_INSERT], p, NULL);
    }
    free(blob);
    return err;
}

static enum emt_err open_ca(const struct store_result *r, int32_t tenant,
                            const struct seal_key *data_key, int32_t *generation,
                            uint16_t *key_version, struct writer *chain_pem, struct writer *key_pem)
{
    struct seal_place place;
    const uint8_t *blob;
    uint8_t *plain;
    size_t n, len;
    char row[16];
    enum emt_err err;

    if (store_rows(r) == 0)
        return EMT_ENOTFOUND;
    blob = c_bytes(r, 0, 2, &n);
    place = ca_place(tenant, (int32_t)c_int(r, 0, 0), row);
    if (generation)
        *generation = (int32_t)c_int(r, 0, 0);
    if (key_version)
        *key_version = seal_version(blob, n);
    plain = malloc(n + 1);
    if (!plain)
        return EMT_ENOMEM;
    err = seal_unwrap(data_key, &place, blob, n, plain, &len);
    if (err == EMT_ENOTFOUND || err == EMT_EMALFORMED)
        err = EMT_EAUTH;
    if (err == EMT_OK &&
        (!writer_bytes(key_pem, plain, len) || !writer_text(chain_pem, c_text(r, 0, 1))))
        err = EMT_ENOMEM;
    cipher_wipe(plain, n);
    free(plain);
    return err;
}

enum emt_err tenant_ca_load(struct store *s, int32_t tenant, const struct seal_key *data_key,
                            int32_t *generation, uint16_t *key_version, struct writer *chain_pem,
                            struct writer *key_pem)
{
    struct store_result *r = NULL;
    struct store_param p;
    enum emt_err err;

    p_int4(&p, tenant);
    err = store_run(s, &statements[CA_NEWEST], &p, &r);
    if (err == EMT_OK)
        err = open_ca(r, tenant, data_key, generation, key_version, chain_pem, key_pem);
    store_result_free(r);
    return err;
}

enum emt_err tenant_ca_load_generation(struct store *s, int32_t tenant, int32_t generation,
                                       const struct seal_key *data_key, struct writer *chain_pem,
                                       struct writer *key_pem)
{
    struct store_result *r = NULL;
    struct store_param p[2];
    enum emt_err err;

    p_int4(&p[0], tenant);
    p_int4(&p[1], generation);
    err = store_run(s, &statements[CA_OF], p, &r);
    if (err == EMT_OK)
        err = open_ca(r, tenant, data_key, NULL, NULL, chain_pem, key_pem);
    store_result_free(r);
    return err;
}

enum emt_err tenant_order_removal(struct store *s, int32_t id, const char *by, const char *reason)
{
    struct store_param p[3];

    p_int4(&p[0], id);
    p_text(&p[1], by);
    p_text(&p[2], reason);
    return store_run_touch(s, &statements[ORDER_REMOVAL], p);
}

enum emt_err tenant_removals(struct store *s, struct store_result **out)
{
    return store_run(s, &statements[REMOVALS], NULL, out);
}
