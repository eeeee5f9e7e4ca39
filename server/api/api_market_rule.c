/* Settings of market communication: what exports do about gaps, and what files partners take. */
#include "api_query.h"
#include "api_route.h"
#include "export/mscons_export.h"
#include "model/market_id.h"
#include "store/export_store.h"
#include "store/market_rule_store.h"

#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static const char *const gap_names[] = { "spans", "hold", "provisional", "substitute", NULL };
static const char *const method_names[] = { "Z92", "ZJ2", NULL };

static const struct api_column policy_columns[] = {
    { "use_case", COL_TEXT, NULL }, { "gap", COL_TEXT, NULL },        { "method", COL_TEXT, NULL },
    { "reason", COL_TEXT, NULL },   { "correction", COL_TEXT, NULL },
};
static const struct api_column partner_columns[] = {
    { "mp_id", COL_TEXT, NULL },
    { "name", COL_TEXT, NULL },
    { "role", COL_TEXT, NULL },
    { "file_bytes_max", COL_INT, NULL },
    { "file_messages_max", COL_INT, NULL },
};

/* --- policies --- */

enum emt_err api_market_policy_list(struct api_call *c)
{
    struct store_result *r = NULL;
    enum emt_err err = market_policy_list(c->store, c->tenant, &r);

    /* One of each use case at most. */
    return err == EMT_OK
               ? api_page_answer(c, r, store_rows(r), policy_columns, N(policy_columns), NULL)
               : api_store_problem(c, err, "export policies");
}

/* "default" is 0. False: answered. */
static bool use_case_of(struct api_call *c, unsigned *out)
{
    char text[16];

    *out = 0;
    if (strcmp(c->param[0], "default") == 0)
        return true;
    for (const unsigned *pid = mscons_export_pids(); *pid != 0; pid++) {
        (void)snprintf(text, sizeof text, "%u", *pid);
        if (strcmp(c->param[0], text) == 0) {
            *out = *pid;
            return true;
        }
    }
    (void)api_problem(c, 404, "not-found", NULL, "no such use case: as 13018, or default");
    return false;
}

/* A code of three characters, Z first; absent: the product's. False: answered. */
static bool read_code(struct api_call *c, const struct api_value *v, const char *name,
                      const char *usual, char out[8])
{
    const char *text = v->present ? v->text : usual;

    if (text[0] != 'Z' || strspn(text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 3 ||
        text[3] != '\0') {
        (void)api_problem(c, 400, "invalid", name, "%s: must be a code as %s", name, usual);
        return false;
    }
    (void)snprintf(out, 8, "%s", text);
    return true;
}

static enum emt_err keep_policy(struct api_call *c, unsigned use_case,
                                const struct export_policy *p)
{
    enum emt_err err = export_policy_set(c->store, c->tenant, use_case, p);

    if (err == EMT_OK)
        err = api_audit(c, "market.policy", c->param[0], "%s, %s, %s, %s", p->gap, p->method,
                        p->reason, p->correction);
    return err == EMT_OK ? api_json(c, 200,
                                    json_pack("{s:s, s:s, s:s, s:s, s:s}", "use_case", c->param[0],
                                              "gap", p->gap, "method", p->method, "reason",
                                              p->reason, "correction", p->correction))
                         : api_store_problem(c, err, "export policy");
}

enum emt_err api_market_policy_put(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "gap", FIELD_ENUM, true, false, 0, 0, gap_names },
        { "method", FIELD_ENUM, false, false, 0, 0, method_names },
        { "reason", FIELD_TEXT, false, false, 3, 3, NULL },
        { "correction", FIELD_TEXT, false, false, 3, 3, NULL },
    };
    struct export_policy p = { 0 };
    struct api_value v[4];
    json_t *body = NULL;
    unsigned use_case = 0;
    bool ok = false;

    if (!use_case_of(c, &use_case))
        return EMT_OK;
    api_body(c, fields, 4, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    (void)snprintf(p.gap, sizeof p.gap, "%s", gap_names[v[0].number]);
    (void)snprintf(p.method, sizeof p.method, "%s", method_names[v[1].present ? v[1].number : 0]);
    ok = read_code(c, &v[2], "reason", "Z75", p.reason) &&
         read_code(c, &v[3], "correction", "ZA7", p.correction);
    json_decref(body);
    return ok ? keep_policy(c, use_case, &p) : EMT_OK;
}

enum emt_err api_market_policy_delete(struct api_call *c)
{
    unsigned use_case = 0;

    if (!use_case_of(c, &use_case))
        return EMT_OK;
    enum emt_err err = market_policy_delete(c->store, c->tenant, use_case);
    if (err == EMT_OK)
        err = api_audit(c, "market.policy", c->param[0], "removed");
    return err == EMT_OK ? api_empty(c, 204) : api_store_problem(c, err, "export policy");
}

/* --- partners --- */

enum emt_err api_market_partner_list(struct api_call *c)
{
    struct store_result *r = NULL;
    struct api_page page;

    if (!api_page_read(c, 1000, 100, false, &page))
        return EMT_OK;
    enum emt_err err = market_partner_list(c->store, c->tenant, page.cursor, page.limit + 1, &r);
    return err == EMT_OK
               ? api_page_answer(c, r, page.limit, partner_columns, N(partner_columns), NULL)
               : api_store_problem(c, err, "partners");
}

static json_t *limit_json(int64_t n)
{
    return n > 0 ? json_integer(n) : json_null();
}

static enum emt_err keep_partner(struct api_call *c, const struct export_partner *p)
{
    enum emt_err err = export_partner_set(c->store, c->tenant, p);

    if (err == EMT_OK)
        err = api_audit(c, "market.partner", p->mp_id, "%lld bytes, %lld messages of a file",
                        (long long)p->file_bytes_max, (long long)p->file_messages_max);
    return err == EMT_OK ? api_json(c, 200,
                                    json_pack("{s:s, s:s, s:s, s:o, s:o}", "mp_id", p->mp_id,
                                              "name", p->name, "role", p->role, "file_bytes_max",
                                              limit_json(p->file_bytes_max), "file_messages_max",
                                              limit_json(p->file_messages_max)))
                         : api_store_problem(c, err, "partner");
}

enum emt_err api_market_partner_put(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "name", FIELD_TEXT, true, false, 0, 200, NULL },
        { "role", FIELD_TEXT, true, false, 0, 20, NULL },
        { "file_bytes_max", FIELD_INT, true, true, 10000, INT64_MAX, NULL },
        { "file_messages_max", FIELD_INT, true, true, 1, INT32_MAX, NULL },
    };
    struct emt_diag diag = { 0 };
    struct api_value v[4];
    json_t *body = NULL;
    bool ok = false;

    if (mp_id_check(c->param[0], &diag) != EMT_OK)
        return api_problem(c, 404, "not-found", NULL, "no such partner: %s", diag.text);
    api_body(c, fields, 4, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    struct export_partner p = {
        .mp_id = c->param[0],
        .name = v[0].text,
        .role = v[1].text,
        .file_bytes_max = !v[2].null ? v[2].number : 0,
        .file_messages_max = !v[3].null ? v[3].number : 0,
    };
    enum emt_err err = keep_partner(c, &p);
    json_decref(body);
    return err;
}

enum emt_err api_market_partner_delete(struct api_call *c)
{
    enum emt_err err = market_partner_delete(c->store, c->tenant, c->param[0]);

    if (err == EMT_OK)
        err = api_audit(c, "market.partner", c->param[0], "removed");
    return err == EMT_OK ? api_empty(c, 204) : api_store_problem(c, err, "partner");
}
