/* Channels that are computed from others. */
#include "api_route.h"
#include "model/formula.h"
#include "model/quantity.h"
#include "store/calculated_store.h"
#include "store/meaning_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define STEP_USUAL 900
#define DECIMALS_USUAL 6
/* Each shows its versions. */
#define PAGE_MOST 200

static const struct api_column columns[] = {
    { "channel", COL_INT, NULL },     { "name", COL_TEXT, NULL },
    { "device", COL_TEXT, NULL },     { "quantity", COL_TEXT, NULL },
    { "unit", COL_TEXT, NULL },       { "step_s", COL_INT, NULL },
    { "decimals", COL_INT, NULL },    { "created_at", COL_TIME, NULL },
    { "created_by", COL_TEXT, NULL },
};
static const struct api_column version_columns[] = {
    { "version", COL_INT, NULL },     { "valid_from", COL_TIME, NULL },
    { "formula", COL_TEXT, NULL },    { "created_at", COL_TIME, NULL },
    { "created_by", COL_TEXT, NULL },
};

/* ---- showing ---- */

static enum emt_err calculated_json(struct api_call *c, const struct store_result *r, int row,
                                    json_t **out)
{
    struct store_result *versions = NULL;
    json_t *list = json_array();
    enum emt_err err =
        calculated_versions(c->store, c->tenant, c_int(r, row, CALCULATED_CHANNEL), &versions);

    for (int i = 0; err == EMT_OK && i < store_rows(versions); i++)
        json_array_append_new(list, api_row(versions, i, 0, version_columns, N(version_columns)));
    store_result_free(versions);
    *out = err == EMT_OK ? api_row(r, row, CALCULATED_CHANNEL, columns, N(columns)) : NULL;
    if (*out == NULL || json_object_set(*out, "versions", list) != 0)
        err = err == EMT_OK ? EMT_ENOMEM : err;
    json_decref(list);
    return err;
}

enum emt_err api_calculated_list(struct api_call *c)
{
    struct store_result *r = NULL;
    struct api_page page;

    if (!api_page_read(c, PAGE_MOST, 100, true, &page))
        return EMT_OK;
    enum emt_err err = calculated_list(c->store, c->tenant, page.cursor_number, page.limit + 1, &r);
    if (err != EMT_OK)
        return api_store_problem(c, err, "calculated channels");
    int shown = store_rows(r) > page.limit ? page.limit : store_rows(r);
    json_t *items = json_array();
    for (int i = 0; err == EMT_OK && i < shown; i++) {
        json_t *j = NULL;

        err = calculated_json(c, r, i, &j);
        json_array_append_new(items, j);
    }
    json_t *body = json_pack("{s:o}", "items", items);
    if (shown < store_rows(r))
        json_object_set_new(body, "next", json_string(c_text(r, shown - 1, CALCULATED_CURSOR)));
    store_result_free(r);
    if (err == EMT_OK)
        return api_json(c, 200, body);
    json_decref(body);
    return api_store_problem(c, err, "calculated channels");
}

static enum emt_err answer(struct api_call *c, unsigned status, int64_t channel)
{
    struct store_result *r = NULL;
    json_t *j = NULL;
    enum emt_err err = calculated_get(c->store, c->tenant, channel, &r);

    if (err == EMT_OK)
        err = calculated_json(c, r, 0, &j);
    store_result_free(r);
    return err == EMT_OK ? api_json(c, status, j) : api_store_problem(c, err, "calculated channel");
}

enum emt_err api_calculated_get(struct api_call *c)
{
    int64_t channel = 0;

    return api_param_number(c, 0, "calculated channel", &channel) ? answer(c, 200, channel)
                                                                  : EMT_OK;
}

/* ---- making ---- */

/* What the inputs have in common. */
struct common {
    int64_t device; /* of the first */
    int quantity;   /* QUANTITY_OTHER: they differ */
    char unit[24];
    bool unit_differs;
};

/* Formula and inputs are good; false: the problem is answered, or *err. */
static bool check_formula(struct api_call *c, const char *text, struct formula *f,
                          struct common *common, enum emt_err *err)
{
    struct emt_diag diag = { 0 };
    struct store_result *r = NULL;

    *err = EMT_OK;
    if (formula_parse(text, f, &diag) != EMT_OK) {
        (void)api_problem(c, 400, "invalid", "formula", "formula: %s", diag.text);
        return false;
    }
    *err = calculated_inputs(c->store, c->tenant, f->inputs, f->ninputs, &r);
    if (*err != EMT_OK)
        return false;
    bool good = store_rows(r) == (int)f->ninputs;
    for (int i = 0; good && i < store_rows(r); i++) {
        if (i == 0) {
            common->device = c_int(r, 0, 1);
            common->quantity = (int)c_int(r, 0, 2);
            snprintf(common->unit, sizeof common->unit, "%s", c_text(r, 0, 3));
        }
        if (c_int(r, i, 2) != common->quantity)
            common->quantity = QUANTITY_OTHER;
        if (strcmp(c_text(r, i, 3), common->unit) != 0)
            common->unit_differs = true;
    }
    store_result_free(r);
    if (!good)
        (void)api_problem(c, 400, "invalid", "formula",
                          "formula: a channel does not exist, has no numbers, or is calculated");
    return good;
}

enum { NAME, FORMULA, UNIT, QUANTITY, STEP, DECIMALS, FIELDS };

/* False: the problem is answered. */
static bool check_meaning(struct api_call *c, const struct api_value *v,
                          const struct common *common, struct calculated_new *out)
{
    const struct unit *unit = NULL;
    enum quantity q = QUANTITY_OTHER;

    if (!v[UNIT].present && common->unit_differs) {
        (void)api_problem(c, 400, "invalid", "unit", "unit: the inputs differ, so say which");
        return false;
    }
    if (v[UNIT].present) {
        unit = unit_find(v[UNIT].text);
        bool own = unit == NULL && unit_known(c->store, c->tenant, v[UNIT].text) == EMT_OK;
        if (!own && (unit == NULL || strcmp(unit->name, unit->base) != 0)) {
            (void)api_problem(c, 400, "invalid", "unit",
                              "unit: must be a base unit, as Wh or m3, or an own one");
            return false;
        }
    }
    if (v[QUANTITY].present && quantity_parse(v[QUANTITY].text, &q) != EMT_OK) {
        (void)api_problem(c, 400, "invalid", "quantity", "quantity: is not known");
        return false;
    }
    if (v[UNIT].present)
        out->unit = unit != NULL ? unit->name : v[UNIT].text;
    else
        out->unit = *common->unit ? common->unit : NULL;
    out->quantity = v[QUANTITY].present ? (int)q : common->quantity;
    return true;
}

static enum emt_err create(struct api_call *c, const struct api_value *v)
{
    struct calculated_new new = { .name = v[NAME].text,
                                  .step_s = v[STEP].present ? (int32_t)v[STEP].number : STEP_USUAL,
                                  .decimals = v[DECIMALS].present ? (int)v[DECIMALS].number
                                                                  : DECIMALS_USUAL,
                                  .formula = v[FORMULA].text,
                                  .created_by = c->who.actor,
                                  .now = c->now };
    struct common common = { 0 };
    struct formula f;
    int64_t channel = 0;
    enum emt_err err;

    if (!check_formula(c, v[FORMULA].text, &f, &common, &err) ||
        !check_meaning(c, v, &common, &new))
        return err == EMT_OK ? EMT_OK : api_store_problem(c, err, "formula");
    new.device = common.device;
    new.inputs = f.inputs;
    new.ninputs = f.ninputs;
    err = calculated_insert(c->store, c->tenant, &new, &channel);
    if (err == EMT_ECONFLICT)
        return api_problem(c, 409, "conflict", "name", "name: a calculated channel has it already");
    if (err == EMT_OK)
        err = calculation_order(c->store, c->tenant, channel, EMT_TIME_NONE, EMT_TIME_NONE);
    if (err == EMT_OK)
        err = api_audit(c, "channel.calculate", new.name, "channel %" PRId64 ": %s", channel,
                        new.formula);
    c->wake = true;
    return err == EMT_OK ? answer(c, 201, channel) : api_store_problem(c, err, "channel");
}

enum emt_err api_calculated_create(struct api_call *c)
{
    static const struct api_field fields[FIELDS] = {
        [NAME] = { "name", FIELD_TEXT, true, false, 1, 60, NULL },
        [FORMULA] = { "formula", FIELD_TEXT, true, false, 1, FORMULA_TEXT_MAX, NULL },
        [UNIT] = { "unit", FIELD_TEXT, false, false, 1, 20, NULL },
        [QUANTITY] = { "quantity", FIELD_TEXT, false, false, 1, 40, NULL },
        [STEP] = { "step_s", FIELD_INT, false, false, 0, 86400, NULL },
        [DECIMALS] = { "decimals", FIELD_INT, false, false, 0, 12, NULL },
    };
    struct api_value v[FIELDS];
    json_t *body = NULL;
    bool ok = false;

    api_body(c, fields, FIELDS, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    enum emt_err err = create(c, v);
    json_decref(body);
    return err;
}

static enum emt_err add_version(struct api_call *c, int64_t channel, const char *text,
                                emt_time valid_from)
{
    struct calculated_new new = { .formula = text, .created_by = c->who.actor, .now = c->now };
    struct store_result *r = NULL;
    struct common common = { 0 };
    struct formula f;
    enum emt_err err = calculated_get(c->store, c->tenant, channel, &r);

    if (err != EMT_OK)
        return api_store_problem(c, err, "calculated channel");
    store_result_free(r);
    if (!check_formula(c, text, &f, &common, &err))
        return err == EMT_OK ? EMT_OK : api_store_problem(c, err, "formula");
    new.inputs = f.inputs;
    new.ninputs = f.ninputs;
    err = calculated_version_add(c->store, c->tenant, channel, &new, valid_from);
    if (err == EMT_OK)
        err = calculation_order(c->store, c->tenant, channel, EMT_TIME_NONE, EMT_TIME_NONE);
    if (err == EMT_OK)
        err = api_audit(c, "channel.calculate", c->param[0], "%s", text);
    c->wake = true;
    return err == EMT_OK ? answer(c, 201, channel)
                         : api_store_problem(c, err, "calculated channel");
}

enum emt_err api_calculated_version(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "formula", FIELD_TEXT, true, false, 1, FORMULA_TEXT_MAX, NULL },
        { "valid_from", FIELD_TIME, true, false, 0, 0, NULL },
    };
    struct api_value v[2];
    json_t *body = NULL;
    int64_t channel = 0;
    bool ok = false;

    if (!api_param_number(c, 0, "calculated channel", &channel))
        return EMT_OK;
    api_body(c, fields, 2, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    enum emt_err err = add_version(c, channel, v[0].text, v[1].time);
    json_decref(body);
    return err;
}
