#include "store/entitlement_store.h"

#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum { GET, HAS, ROOM, SET, ENFORCE, STATEMENTS };

/* clang-format off */
static const struct store_statement statements[STATEMENTS] = {
    [GET] = { "entitlements_get", 1,
        "SELECT array_to_string(t.modules, ','), t.meters_max,"
        " (SELECT count(*) FROM device d WHERE d.tenant_id = $1 AND d.active AND d.assignment = 1)"
        " FROM tenant t WHERE t.id = $1" },
    [HAS] = { "entitlement_has", 2,
        "SELECT coalesce($2 = ANY (modules), true) FROM tenant WHERE id = $1" },
    /* Counted are devices that are active and adopted: whoever stays one or the other short of it needs no room. */
    [ROOM] = { "entitlement_room", 4,
        "SELECT t.meters_max IS NULL"
        " OR EXISTS (SELECT FROM device d WHERE d.tenant_id = $1 AND d.ident = $2 AND (d.active AND d.assignment = 1"
        "  OR NOT d.active AND NOT $4::bool OR d.assignment <> 1 AND NOT $3::bool))"
        " OR (SELECT count(*) FROM device d WHERE d.tenant_id = $1 AND d.active AND d.assignment = 1) < t.meters_max"
        " FROM tenant t WHERE t.id = $1" },
    [SET] = { "entitlements_set", 3,
        "UPDATE tenant SET modules = string_to_array($2, ','), meters_max = $3 WHERE id = $1" },
    [ENFORCE] = { "entitlements_enforce", 1,
        "WITH over AS (SELECT d.device_id FROM device d WHERE d.tenant_id = $1 AND d.active AND d.assignment = 1"
        "  ORDER BY d.device_id OFFSET (SELECT coalesce(t.meters_max, 2147483647) FROM tenant t WHERE t.id = $1)"
        "), passive AS (UPDATE device d SET active = false FROM over o"
        "  WHERE d.tenant_id = $1 AND d.device_id = o.device_id RETURNING d.device_id, d.ident"
        ") INSERT INTO event (tenant_id, at, severity, kind, device_id, detail)"
        " SELECT $1, now(), 1, 'meters-exceeded', p.device_id, p.ident FROM passive p" },
};
/* clang-format on */

const struct store_statement *entitlement_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

/* Names between commas; those that this program does not know are none of its business. */
static unsigned modules_of(const char *text)
{
    unsigned bits = 0;

    while (*text != '\0') {
        size_t n = strcspn(text, ",");

        for (unsigned m = 0; m < MODULES; m++) {
            if (strlen(module_names[m]) == n && strncmp(module_names[m], text, n) == 0)
                bits |= 1u << m;
        }
        text += n + (text[n] == ',');
    }
    return bits;
}

enum emt_err entitlements_get(struct store *s, int32_t tenant, struct entitlements *out)
{
    struct store_result *r = NULL;
    struct store_param p;

    p_int4(&p, tenant);
    enum emt_err err = store_run_row(s, &statements[GET], &p, &r);
    if (err != EMT_OK)
        return err;
    *out = (struct entitlements){ .modules = modules_of(c_text(r, 0, 0)),
                                  .all_modules = c_null(r, 0, 0),
                                  .meters_max = c_null(r, 0, 1) ? -1 : (int32_t)c_int(r, 0, 1),
                                  .meters = c_int(r, 0, 2) };
    store_result_free(r);
    if (out->all_modules)
        out->modules = (1u << MODULES) - 1;
    return EMT_OK;
}

static enum emt_err ask(struct store *s, unsigned statement, const struct store_param *p, bool *yes)
{
    struct store_result *r = NULL;
    enum emt_err err = store_run_row(s, &statements[statement], p, &r);

    if (err != EMT_OK)
        return err;
    *yes = c_bool(r, 0, 0);
    store_result_free(r);
    return EMT_OK;
}

enum emt_err entitlement_has(struct store *s, int32_t tenant, enum module m, bool *has)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_text(&p[1], module_names[m]);
    return ask(s, HAS, p, has);
}

enum emt_err entitlement_has_room(struct store *s, int32_t tenant, const char *ident, bool adopts,
                                  bool activates, bool *room)
{
    struct store_param p[4];

    p_int4(&p[0], tenant);
    p_text(&p[1], ident);
    p_bool(&p[2], adopts);
    p_bool(&p[3], activates);
    return ask(s, ROOM, p, room);
}

enum emt_err entitlements_set(struct store *s, int32_t tenant, const struct entitlements *e)
{
    struct store_param p[3];
    char text[256] = "";
    size_t at = 0;

    for (unsigned m = 0; m < MODULES; m++) {
        size_t n = strlen(module_names[m]);

        if ((e->modules & 1u << m) == 0)
            continue;
        if (at > 0)
            text[at++] = ',';
        memcpy(text + at, module_names[m], n + 1);
        at += n;
    }
    p_int4(&p[0], tenant);
    p_text(&p[1], e->all_modules ? NULL : text);
    p_int4(&p[2], e->meters_max);
    if (e->meters_max < 0)
        p_null(&p[2]);
    return store_run_touch(s, &statements[SET], p);
}

enum emt_err entitlements_enforce(struct store *s, int32_t tenant, int64_t *passive)
{
    struct store_result *r = NULL;
    struct store_param p;

    p_int4(&p, tenant);
    enum emt_err err = store_run(s, &statements[ENFORCE], &p, &r);
    *passive = err == EMT_OK ? store_affected(r) : 0;
    store_result_free(r);
    return err;
}
