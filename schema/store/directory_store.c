#include "store/directory_store.h"

#include "store/store.h"

enum { FIND, ADD, REMOVE };

static const struct store_statement statements[] = {
    [FIND] = { "directory_find", 2, "select tenant_id, row_id from directory_find($1, $2)" },
    [ADD] = { "directory_add", 3, "select directory_add($1, $2, $3)" },
    [REMOVE] = { "directory_remove", 2, "select directory_remove($1, $2)" },
};

const struct store_statement *directory_store_statements(size_t *n)
{
    *n = sizeof statements / sizeof statements[0];
    return statements;
}

enum emt_err directory_find(struct store *s, enum directory_kind kind, const uint8_t key[32],
                            int32_t *tenant, int64_t *row)
{
    struct store_result *r = NULL;
    struct store_param p[2];
    enum emt_err err;

    p_int2(&p[0], (int16_t)kind);
    p_bytes(&p[1], key, 32);
    err = store_run(s, &statements[FIND], p, &r);
    /* A function with out parameters answers a row of NULLs. */
    if (err == EMT_OK && (store_rows(r) == 0 || c_null(r, 0, 0)))
        err = EMT_ENOTFOUND;
    if (err == EMT_OK) {
        *tenant = (int32_t)c_int(r, 0, 0);
        *row = c_int(r, 0, 1);
    }
    store_result_free(r);
    return err;
}

static enum emt_err yes_or(struct store *s, const struct store_statement *st,
                           const struct store_param *p, enum emt_err no)
{
    struct store_result *r = NULL;
    enum emt_err err = store_run(s, st, p, &r);

    if (err == EMT_OK && !c_bool(r, 0, 0))
        err = no;
    store_result_free(r);
    return err;
}

enum emt_err directory_add(struct store *s, enum directory_kind kind, const uint8_t key[32],
                           int64_t row)
{
    struct store_param p[3];

    p_int2(&p[0], (int16_t)kind);
    p_bytes(&p[1], key, 32);
    p_int8(&p[2], row);
    return yes_or(s, &statements[ADD], p, EMT_ECONFLICT);
}

enum emt_err directory_remove(struct store *s, enum directory_kind kind, const uint8_t key[32])
{
    struct store_param p[2];

    p_int2(&p[0], (int16_t)kind);
    p_bytes(&p[1], key, 32);
    return yes_or(s, &statements[REMOVE], p, EMT_ENOTFOUND);
}
