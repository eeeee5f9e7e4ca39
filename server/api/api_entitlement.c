#include "api_entitlement.h"

#include "api_query.h"
#include "api_route.h"
#include "store/entitlement_store.h"
#include "store/tenant_store.h"

#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define T "/api/v1/tenants/{tenant}"

/* By the first part of the path behind the tenant. */
static const struct {
    const char *part;
    enum module module;
} parts[] = {
    { "/exports", MODULE_EXPORT },
    { "/schedules", MODULE_EXPORT },
    { "/export-policies", MODULE_EXPORT },
    { "/market-partners", MODULE_EXPORT },
    { "/acknowledgements", MODULE_EXPORT },
    { "/acknowledgement-rules", MODULE_EXPORT },
    { "/report-templates", MODULE_REPORT },
    { "/ready-reports", MODULE_REPORT },
    { "/report-preview", MODULE_REPORT },
    { "/targets", MODULE_DELIVERY },
    { "/deliveries", MODULE_DELIVERY },
    { "/replays", MODULE_REPLAY },
    { "/calculated-channels", MODULE_CALCULATION },
};

static bool find_module(const char *pattern, enum module *m)
{
    if (strncmp(pattern, T, strlen(T)) != 0)
        return false;
    pattern += strlen(T);
    for (size_t i = 0; i < N(parts); i++) {
        size_t n = strlen(parts[i].part);

        if (strncmp(pattern, parts[i].part, n) == 0 && (pattern[n] == '\0' || pattern[n] == '/')) {
            *m = parts[i].module;
            return true;
        }
    }
    return false;
}

const char *api_module_of(const char *pattern)
{
    enum module m;

    return find_module(pattern, &m) ? module_names[m] : NULL;
}

bool api_is_entitled(struct api_call *c, const struct api_route *route, enum emt_err *err)
{
    enum module m;
    bool has = false;

    *err = EMT_OK;
    if (!find_module(route->pattern, &m))
        return true;
    *err = store_begin(c->store, c->tenant);
    if (*err == EMT_OK)
        *err = entitlement_has(c->store, c->tenant, m, &has);
    store_rollback(c->store);
    if (*err != EMT_OK)
        *err = api_store_problem(c, *err, "entitlements");
    else if (!has)
        *err = api_problem(c, 403, "module", NULL,
                           "the module %s is not agreed with the tenant: ask the operator",
                           module_names[m]);
    return has;
}

static json_t *entitlements_json(const struct entitlements *e)
{
    json_t *modules = e->all_modules ? json_null() : json_array();

    for (unsigned m = 0; !e->all_modules && m < MODULES; m++) {
        if ((e->modules & 1u << m) != 0)
            json_array_append_new(modules, json_string(module_names[m]));
    }
    return json_pack("{s:o, s:o, s:I}", "modules", modules, "meters_max",
                     e->meters_max < 0 ? json_null() : json_integer(e->meters_max), "meters",
                     (json_int_t)e->meters);
}

enum emt_err api_entitlement_get(struct api_call *c)
{
    struct entitlements e;
    enum emt_err err = entitlements_get(c->store, c->tenant, &e);

    return err == EMT_OK ? api_json(c, 200, entitlements_json(&e))
                         : api_store_problem(c, err, "tenant");
}

/* --- for operators --- */

/* NULL or a list of names; false: the problem is answered. */
static bool read_modules(struct api_call *c, const struct api_value *v, struct entitlements *e)
{
    size_t i;
    json_t *item;

    e->all_modules = v->null;
    json_array_foreach(v->null ? NULL : v->object, i, item)
    {
        unsigned m = 0;

        while (m < MODULES &&
               (!json_is_string(item) || strcmp(json_string_value(item), module_names[m]) != 0))
            m++;
        if (m == MODULES) {
            (void)api_problem(c, 400, "invalid", "modules", "modules: item %zu is no module",
                              i + 1);
            return false;
        }
        e->modules |= 1u << m;
    }
    return true;
}

static enum emt_err note_both(struct api_call *c, struct store *admin, int32_t tenant,
                              const char *action, const char *key, const char *detail)
{
    enum emt_err err = api_audit_on(c, admin, tenant, action, key, "%s", detail);

    return err == EMT_OK ? api_audit_on(c, admin, 0, action, key, "%s", detail) : err;
}

static enum emt_err agree(struct api_call *c, struct store *admin, const struct tenant *t,
                          struct entitlements *e)
{
    int64_t passive = 0;
    enum emt_err err = store_begin(admin, 0);

    if (err == EMT_OK)
        err = entitlements_set(admin, t->id, e);
    if (err == EMT_OK)
        err = entitlements_enforce(admin, t->id, &passive);
    if (err == EMT_OK)
        err = entitlements_get(admin, t->id, e);
    json_t *j = err == EMT_OK ? entitlements_json(e) : NULL;
    char *text = j != NULL ? json_dumps(j, JSON_COMPACT) : NULL;
    if (err == EMT_OK)
        err =
            text != NULL ? note_both(c, admin, t->id, "tenant.entitle", t->key, text) : EMT_ENOMEM;
    free(text);
    if (err == EMT_OK)
        err = store_commit(admin);
    if (err == EMT_OK)
        return api_json(c, 200, j);
    json_decref(j);
    store_rollback(admin);
    return api_store_problem(c, err, "tenant");
}

enum emt_err api_entitlement_put(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "modules", FIELD_LIST, true, true, 0, MODULES, NULL },
        { "meters_max", FIELD_INT, true, true, 0, INT32_MAX, NULL },
    };
    struct store *admin = api_admin(c);
    struct entitlements e = { 0 };
    struct api_value v[2];
    struct tenant t;
    json_t *body = NULL;
    bool ok = false;
    enum emt_err err = admin != NULL ? tenant_find(admin, c->param[0], &t) : EMT_EDB;

    if (err != EMT_OK)
        return api_store_problem(c, err, "tenant");
    api_body(c, fields, 2, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    e.meters_max = v[1].null ? -1 : (int32_t)v[1].number;
    err = read_modules(c, &v[0], &e) ? agree(c, admin, &t, &e) : EMT_OK;
    json_decref(body);
    return err;
}

static enum emt_err order_removal(struct api_call *c, struct store *admin, const struct tenant *t,
                                  const char *reason)
{
    enum emt_err err = store_begin(admin, 0);

    if (err == EMT_OK)
        err = tenant_lock(admin, t->id);
    if (err == EMT_OK)
        err = tenant_set_state(admin, t->id, TENANT_DELETING); /* nodes look again */
    if (err == EMT_OK)
        err = tenant_order_removal(admin, t->id, c->who.actor, reason);
    if (err == EMT_OK)
        err = api_audit_on(c, admin, 0, "tenant.delete", t->key, "ordered: %s", reason);
    if (err == EMT_OK)
        err = store_commit(admin);
    if (err == EMT_OK) {
        c->wake = true;
        return api_empty(c, 202);
    }
    store_rollback(admin);
    return api_store_problem(c, err, "tenant");
}

enum emt_err api_tenant_remove(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "confirm", FIELD_TEXT, true, false, 1, 63, NULL },
        { "reason", FIELD_TEXT, true, false, 1, 500, NULL },
    };
    struct store *admin = api_admin(c);
    struct api_value v[2];
    struct tenant t;
    json_t *body = NULL;
    bool ok = false;
    enum emt_err err = admin != NULL ? tenant_find(admin, c->param[0], &t) : EMT_EDB;

    if (err != EMT_OK)
        return api_store_problem(c, err, "tenant");
    api_body(c, fields, 2, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    if (strcmp(v[0].text, t.key) != 0)
        err = api_problem(c, 400, "invalid", "confirm", "confirm: must be the key of the tenant");
    else
        err = order_removal(c, admin, &t, v[1].text);
    json_decref(body);
    return err;
}
