/* What values mean: units and quantities of the tenant's own, versions of channels; and who tried
 * to read a device. */
#include "api_query.h"
#include "api_route.h"
#include "store/device_store.h"
#include "store/gateway_store.h"
#include "store/meaning_store.h"

#include <inttypes.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

/* Frees r; a list without pages. */
static enum emt_err answer_all(struct api_call *c, struct store_result *r,
                               const struct api_column *columns, size_t n)
{
    json_t *items = json_array();

    for (int i = 0; i < store_rows(r); i++)
        json_array_append_new(items, api_row(r, i, 0, columns, n));
    store_result_free(r);
    return api_json(c, 200, json_pack("{s:o}", "items", items));
}

/* --- units --- */

static const struct api_column unit_columns[] = {
    { "name", COL_TEXT, NULL },
    { "base", COL_TEXT, NULL },
    { "factor", COL_DECIMAL, NULL },
    { "own", COL_BOOL, NULL },
};

enum emt_err api_unit_list(struct api_call *c)
{
    struct store_result *r = NULL;
    enum emt_err err = units_list(c->store, c->tenant, &r);

    return err == EMT_OK ? answer_all(c, r, unit_columns, N(unit_columns))
                         : api_store_problem(c, err, "units");
}

/* Part of a path, too. */
static bool good_name(struct api_call *c, const char *name)
{
    if (strpbrk(name, "/?#% \t\r\n") == NULL)
        return true;
    (void)api_problem(c, 400, "invalid", "name", "name: no blanks and none of / ? # %%");
    return false;
}

static enum emt_err add_unit(struct api_call *c, const char *name, const char *base,
                             const char *factor)
{
    struct decimal d;

    if (!good_name(c, name))
        return EMT_OK;
    if (decimal_parse(factor, strlen(factor), &d) != EMT_OK || d.mantissa <= 0 ||
        d.exponent < -30 || d.exponent > 30)
        return api_problem(c, 400, "invalid", "factor", "factor: must be a decimal above 0");
    if (strcmp(name, base) == 0 && decimal_compare(d, decimal_of(1, 0)) != 0)
        return api_problem(c, 400, "invalid", "factor", "factor: of a base unit it is 1");
    enum emt_err err = unit_add(c->store, c->tenant, name, base, d);
    if (err == EMT_ENOTFOUND)
        return api_problem(c, 400, "invalid", "base", "base: %s is no base unit", base);
    if (err == EMT_ECONFLICT)
        return api_problem(c, 409, "conflict", "name", "name: %s exists", name);
    if (err == EMT_OK)
        err = api_audit(c, "unit.create", name, "%s %s", factor, base);
    if (err != EMT_OK)
        return api_store_problem(c, err, "unit");
    return api_json(c, 201,
                    json_pack("{s:s, s:s, s:o, s:b}", "name", name, "base", base, "factor",
                              api_decimal(d), "own", 1));
}

enum emt_err api_unit_create(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "name", FIELD_TEXT, true, false, 1, 20, NULL },
        { "base", FIELD_TEXT, true, false, 1, 20, NULL },
        { "factor", FIELD_TEXT, true, false, 1, 40, NULL },
    };
    struct api_value v[3];
    json_t *body = NULL;
    bool ok = false;

    api_body(c, fields, 3, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    enum emt_err err = add_unit(c, v[0].text, v[1].text, v[2].text);
    json_decref(body);
    return err;
}

static enum emt_err removed(struct api_call *c, enum emt_err err, const char *what)
{
    if (err == EMT_ECONFLICT)
        return api_problem(c, 409, "conflict", NULL, "%s %s is in use", what, c->param[0]);
    if (err == EMT_OK)
        err = api_audit(c, what[0] == 'u' ? "unit.delete" : "quantity.delete", c->param[0],
                        "removed");
    return err == EMT_OK ? api_empty(c, 204) : api_store_problem(c, err, what);
}

enum emt_err api_unit_delete(struct api_call *c)
{
    return removed(c, unit_remove(c->store, c->tenant, c->param[0]), "unit");
}

/* --- quantities --- */

enum emt_err api_quantity_list(struct api_call *c)
{
    static const struct api_column columns[] = {
        { "name", COL_TEXT, NULL },
        { "description", COL_TEXT, NULL },
        { "own", COL_BOOL, NULL },
    };
    struct store_result *r = NULL;
    enum emt_err err = quantities_list(c->store, c->tenant, &r);

    return err == EMT_OK ? answer_all(c, r, columns, N(columns))
                         : api_store_problem(c, err, "quantities");
}

static enum emt_err add_quantity(struct api_call *c, const char *name, const char *description)
{
    enum emt_err err = quantity_add(c->store, c->tenant, name, description);

    if (err == EMT_ECONFLICT)
        return api_problem(c, 409, "conflict", "name", "name: %s exists", name);
    if (err == EMT_ELIMIT)
        return api_problem(c, 400, "invalid", "name",
                           "name: small letters, digits and -, beginning with a letter");
    if (err == EMT_OK)
        err = api_audit(c, "quantity.create", name, "%s", description);
    if (err != EMT_OK)
        return api_store_problem(c, err, "quantity");
    return api_json(
        c, 201, json_pack("{s:s, s:s, s:b}", "name", name, "description", description, "own", 1));
}

enum emt_err api_quantity_create(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "name", FIELD_TEXT, true, false, 1, 40, NULL },
        { "description", FIELD_TEXT, false, false, 0, 200, NULL },
    };
    struct api_value v[2];
    json_t *body = NULL;
    bool ok = false;

    api_body(c, fields, 2, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    enum emt_err err = add_quantity(c, v[0].text, v[1].present ? v[1].text : "");
    json_decref(body);
    return err;
}

enum emt_err api_quantity_delete(struct api_call *c)
{
    return removed(c, quantity_remove(c->store, c->tenant, c->param[0]), "quantity");
}

/* --- versions of a channel --- */

static const struct api_column version_columns[] = {
    { "version", COL_INT, NULL },     { "valid_from", COL_TIME, NULL },
    { "unit", COL_TEXT, NULL },       { "quantity", COL_TEXT, NULL },
    { "meaning", COL_TEXT, NULL },    { "reason", COL_TEXT, NULL },
    { "created_at", COL_TIME, NULL }, { "created_by", COL_TEXT, NULL },
};

/* The channel of the path exists; false: the problem is answered. */
static bool find_channel(struct api_call *c, int64_t *id)
{
    struct store_result *r = NULL;

    if (!api_param_number(c, 0, "channel", id))
        return false;
    enum emt_err err = channel_get(c->store, c->tenant, *id, &r);
    store_result_free(r);
    if (err != EMT_OK)
        (void)api_store_problem(c, err, "channel");
    return err == EMT_OK;
}

static enum emt_err answer_versions(struct api_call *c, unsigned status, int64_t channel)
{
    struct store_result *r = NULL;
    enum emt_err err =
        channel_versions(c->store, c->tenant, channel, EMT_TIME_NONE, EMT_TIME_NONE, &r);

    if (err != EMT_OK)
        return api_store_problem(c, err, "versions");
    err = answer_all(c, r, version_columns, N(version_columns));
    c->status = err == EMT_OK ? status : c->status;
    return err;
}

enum emt_err api_version_list(struct api_call *c)
{
    int64_t channel = 0;

    return find_channel(c, &channel) ? answer_versions(c, 200, channel) : EMT_OK;
}

static enum emt_err add_version(struct api_call *c, const struct channel_version_new *v)
{
    if (v->unit != NULL && unit_known(c->store, c->tenant, v->unit) != EMT_OK)
        return api_problem(c, 400, "invalid", "unit", "unit: %s is neither known nor an own one",
                           v->unit);
    if (v->quantity != NULL && quantity_known(c->store, c->tenant, v->quantity) != EMT_OK)
        return api_problem(c, 400, "invalid", "quantity",
                           "quantity: %s is neither known nor an own one", v->quantity);
    enum emt_err err = channel_version_add(c->store, c->tenant, v);
    if (err == EMT_ELIMIT)
        return api_problem(c, 400, "invalid", "valid_from",
                           "valid_from: must lie behind that of the last version");
    if (err == EMT_OK)
        err = api_audit(c, "channel.version", c->param[0], "unit %s, quantity %s: %s",
                        v->unit != NULL ? v->unit : "as before",
                        v->quantity != NULL ? v->quantity : "as before", v->reason);
    return err == EMT_OK ? answer_versions(c, 201, v->channel)
                         : api_store_problem(c, err, "channel");
}

enum emt_err api_version_create(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "valid_from", FIELD_TIME, true, false, 0, 0, NULL },
        { "unit", FIELD_TEXT, false, false, 1, 20, NULL },
        { "quantity", FIELD_TEXT, false, false, 1, 40, NULL },
        { "meaning", FIELD_TEXT, false, false, 0, 200, NULL },
        { "reason", FIELD_TEXT, true, false, 1, 500, NULL },
    };
    struct channel_version_new new = { .created_by = c->who.actor };
    struct api_value v[5];
    json_t *body = NULL;
    bool ok = false;

    if (!find_channel(c, &new.channel))
        return EMT_OK;
    api_body(c, fields, 5, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    new.from = v[0].time;
    new.unit = v[1].text;
    new.quantity = v[2].text;
    new.meaning = v[3].present ? v[3].text : "";
    new.reason = v[4].text;
    enum emt_err err = add_version(c, &new);
    json_decref(body);
    return err;
}

/* --- reads of a device --- */

static const char *const results[] = { "ok",        "no-answer", "refused", "wrong-key",
                                       "bad-frame", "error",     NULL };

enum emt_err api_read_attempt_list(struct api_call *c)
{
    static const struct api_column columns[] = {
        { "id", COL_INT, NULL },      { "at", COL_TIME, NULL },     { "method", COL_TEXT, NULL },
        { "result", COL_TEXT, NULL }, { "detail", COL_TEXT, NULL }, { "gateway", COL_TEXT, NULL },
        { "by", COL_TEXT, NULL },
    };
    struct store_result *r = NULL;
    struct api_page page;
    int64_t device = 0;

    if (!api_page_read(c, 1000, 100, true, &page))
        return EMT_OK;
    enum emt_err err = device_find(c->store, c->tenant, c->param[0], &device);
    if (err == EMT_OK)
        err =
            read_attempt_list(c->store, c->tenant, device, page.cursor_number, page.limit + 1, &r);
    return err == EMT_OK ? api_page_answer(c, r, page.limit, columns, N(columns), NULL)
                         : api_store_problem(c, err, "device");
}

enum emt_err api_read_attempt_create(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "method", FIELD_TEXT, true, false, 1, 60, NULL },
        { "result", FIELD_ENUM, true, false, 0, 0, results },
        { "at", FIELD_TIME, false, false, 0, 0, NULL },
        { "gateway", FIELD_TEXT, false, false, 1, 63, NULL },
        { "detail", FIELD_TEXT, false, false, 0, 500, NULL },
    };
    struct read_attempt_new a = { .made_by = c->who.actor };
    struct api_value v[5];
    json_t *body = NULL;
    int64_t id = 0;
    bool ok = false;
    enum emt_err err = device_find(c->store, c->tenant, c->param[0], &a.device);

    if (err != EMT_OK)
        return api_store_problem(c, err, "device");
    api_body(c, fields, 5, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    a.method = v[0].text;
    a.result = results[v[1].number];
    a.at = v[2].present ? v[2].time : c->now;
    a.detail = v[4].present ? v[4].text : "";
    if (v[3].present && gateway_find(c->store, c->tenant, v[3].text, &a.gateway) != EMT_OK)
        err = api_problem(c, 400, "invalid", "gateway", "gateway: does not exist");
    else if (a.at > c->now)
        err = api_problem(c, 400, "invalid", "at", "at: lies in the future");
    else
        err = read_attempt_add(c->store, c->tenant, &a, &id);
    json_decref(body);
    if (c->status != 0)
        return EMT_OK;
    return err == EMT_OK ? api_json(c, 201, json_pack("{s:I}", "id", (json_int_t)id))
                         : api_store_problem(c, err, "read attempt");
}
