#include "api_condition.h"
#include "api_import.h"
#include "api_query.h"
#include "api_route.h"
#include "export/mscons_export.h"
#include "model/market_id.h"
#include "model/obis.h"
#include "store/device_store.h"
#include "store/export_store.h"
#include "store/location_store.h"

#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define BINDINGS_MAX 1000
/* Columns of binding_get(). */
#define BINDING_OBIS 3
#define BINDING_FROM 7
#define BINDING_USE_CASE 9

/* Numbers of enum location_kind. */
static const char *const location_kind_names[] = {
    "none", "melo", "malo", "nelo", "tranche", NULL
};
static const char *const new_kind_names[] = { "melo", "malo", "nelo", "tranche", NULL };

static const struct api_column location_columns[] = {
    { "code", COL_TEXT, NULL },       { "kind", COL_ENUM, location_kind_names },
    { "name", COL_TEXT, NULL },       { "receiver_mp_id", COL_TEXT, NULL },
    { "created_at", COL_TIME, NULL },
};
static const struct api_column binding_columns[] = {
    { "id", COL_INT, NULL },
    { "channel", COL_INT, NULL },
    { "obis", COL_TEXT, NULL },
    { "ratio", COL_DECIMAL, NULL },
    { "device_number", COL_TEXT, NULL },
    { "valid_from", COL_TIME, NULL },
    { "valid_to", COL_TIME, NULL },
    { "use_case", COL_TEXT, NULL },
    { "order_number", COL_TEXT, NULL },
    { "config_id", COL_TEXT, NULL },
    { "decimals", COL_INT, NULL },
    { "step_s", COL_INT, NULL },
    { "capacity", COL_DECIMAL, NULL },
    { "first_reading", COL_DECIMAL, NULL },
    { "last_reading", COL_DECIMAL, NULL },
};
#define N(a) (sizeof(a) / sizeof((a)[0]))

enum emt_err api_location_list(struct api_call *c)
{
    struct store_result *r = NULL;
    const char *q = NULL;
    struct api_page page;
    int kind = -1;

    if (!api_page_read(c, 1000, 100, false, &page) || !api_query_text(c, "q", API_Q_MAX, &q) ||
        !api_query_enum(c, "kind", new_kind_names, &kind))
        return EMT_OK;
    if (kind >= 0)
        kind += LOCATION_MELO;
    enum emt_err err = location_list(c->store, c->tenant, q, kind, page.cursor, page.limit + 1, &r);
    return err == EMT_OK
               ? api_page_answer(c, r, page.limit, location_columns, N(location_columns), NULL)
               : api_store_problem(c, err, "locations");
}

static enum emt_err answer_location(struct api_call *c, unsigned status, const char *code)
{
    struct store_result *r = NULL;
    enum emt_err err = location_get(c->store, c->tenant, code, &r);

    if (err != EMT_OK)
        return api_store_problem(c, err, "location");
    json_t *j = api_row(r, 0, 1, location_columns, N(location_columns));
    store_result_free(r);
    return api_resource(c, status, j, NULL);
}

enum emt_err api_location_get(struct api_call *c)
{
    return answer_location(c, 200, c->param[0]);
}

/* A tranche is numbered as a MaLo. */
enum emt_err location_code_check(int kind, const char *code, struct emt_diag *diag)
{
    switch ((enum location_kind)kind) {
    case LOCATION_MELO:
        return melo_check(code, diag);
    case LOCATION_NELO:
        return nelo_check(code, diag);
    case LOCATION_MALO:
    case LOCATION_TRANCHE:
        break;
    }
    return malo_check(code, diag);
}

enum emt_err api_location_create(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "code", FIELD_TEXT, true, false, 1, 33, NULL },
        { "kind", FIELD_ENUM, true, false, 0, 0, new_kind_names },
        { "name", FIELD_TEXT, false, false, 0, 200, NULL },
        { "receiver_mp_id", FIELD_TEXT, false, false, 13, 13, NULL },
    };
    struct emt_diag diag = { 0 };
    struct api_value v[4];
    json_t *body = NULL;
    int64_t id = 0;
    bool ok = false;

    api_body(c, fields, 4, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    enum location_kind kind = (enum location_kind)(LOCATION_MELO + v[1].number);
    enum emt_err err = location_code_check((int)kind, v[0].text, &diag);
    if (err != EMT_OK)
        err = api_problem(c, 400, "invalid", "code", "code: %s", diag.text);
    else if (v[3].present && mp_id_check(v[3].text, &diag) != EMT_OK)
        err = api_problem(c, 400, "invalid", "receiver_mp_id", "receiver_mp_id: %s", diag.text);
    if (c->status == 0)
        err = location_insert(c->store, c->tenant, (int)kind, v[0].text,
                              v[2].present ? v[2].text : "", v[3].text, &id);
    if (c->status == 0 && err == EMT_OK)
        err = api_audit(c, "location.create", v[0].text, "location %lld", (long long)id);
    if (c->status == 0)
        err = err == EMT_OK ? answer_location(c, 201, v[0].text)
                            : api_store_problem(c, err, "location");
    json_decref(body);
    return err;
}

/* False: answered, or *err. */
static bool location_unchanged(struct api_call *c, enum emt_err *err)
{
    struct store_result *r = NULL;
    int64_t id = 0;

    *err = EMT_OK;
    if (!api_has_if_match(c))
        return true;
    *err = location_lock(c->store, c->tenant, c->param[0], &id);
    if (*err == EMT_OK)
        *err = location_get(c->store, c->tenant, c->param[0], &r);
    if (*err != EMT_OK)
        return false;
    json_t *j = api_row(r, 0, 1, location_columns, N(location_columns));
    store_result_free(r);
    return api_if_match(c, j, NULL);
}

enum emt_err api_location_delete(struct api_call *c)
{
    enum emt_err err;

    if (!location_unchanged(c, &err))
        return err == EMT_OK ? EMT_OK : api_store_problem(c, err, "location");
    err = location_delete(c->store, c->tenant, c->param[0]);
    if (err == EMT_OK)
        err = api_audit(c, "location.delete", c->param[0], "removed");
    if (err == EMT_ECONFLICT)
        return api_problem(c, 409, "conflict", NULL,
                           "location %s: channels are or were bound to it, or a mandate is",
                           c->param[0]);
    return err == EMT_OK ? api_empty(c, 204) : api_store_problem(c, err, "location");
}

/* --- bindings --- */

enum emt_err api_binding_list(struct api_call *c)
{
    struct store_result *r = NULL;
    int64_t location = 0;
    enum emt_err err = location_find(c->store, c->tenant, c->param[0], &location);

    if (err == EMT_OK)
        err = binding_list(c->store, c->tenant, location, BINDINGS_MAX, &r);
    return err == EMT_OK
               ? api_page_answer(c, r, BINDINGS_MAX, binding_columns, N(binding_columns), NULL)
               : api_store_problem(c, err, "location");
}

static enum emt_err answer_binding(struct api_call *c, unsigned status, int64_t location,
                                   int64_t id)
{
    struct store_result *r = NULL;
    enum emt_err err = binding_get(c->store, c->tenant, location, id, &r);

    if (err != EMT_OK)
        return api_store_problem(c, err, "binding");
    json_t *j = api_row(r, 0, 1, binding_columns, N(binding_columns));
    store_result_free(r);
    return api_json(c, status, j);
}

struct new_binding {
    int64_t location, channel;
    char obis[OBIS_TEXT_MAX];
    struct decimal ratio;
    const char *device_number;
    emt_time from, to;
    struct binding_market market;
    struct decimal capacity, first, last;
};
/* Members of a new binding. */
enum {
    NEW_CHANNEL,
    NEW_OBIS,
    NEW_RATIO,
    NEW_DEVICE_NUMBER,
    NEW_FROM,
    NEW_TO,
    NEW_USE_CASE,
    NEW_ORDER,
    NEW_CONFIG,
    NEW_DECIMALS,
    NEW_STEP,
    NEW_CAPACITY,
    NEW_FIRST,
    NEW_LAST,
    NEW_MEMBERS
};

bool location_ratio(const char *text, struct decimal *out)
{
    return decimal_parse(text, strlen(text), out) == EMT_OK &&
           decimal_compare(*out, decimal_of(1, -6)) >= 0 &&
           decimal_compare(*out, decimal_of(1, 6)) <= 0;
}

/* A register reading or capacity; absent: *out stays NULL. */
static bool read_register_value(struct api_call *c, const struct api_value *v, const char *name,
                                struct decimal *value, const struct decimal **out)
{
    if (!v->present)
        return true;
    if (decimal_parse(v->text, strlen(v->text), value) != EMT_OK || value->mantissa < 0) {
        api_problem(c, 400, "invalid", name, "%s: must be a decimal, 0 or more, as \"45210.5\"",
                    name);
        return false;
    }
    *out = value;
    return true;
}

/* What exports ask besides; false: the problem is answered. */
static bool check_market(struct api_call *c, const struct api_value *v, struct new_binding *b)
{
    struct binding_market *m = &b->market;

    m->use_case = v[NEW_USE_CASE].present ? mscons_export_pids()[v[NEW_USE_CASE].number] : 0;
    m->order_number = v[NEW_ORDER].text;
    m->config_id = v[NEW_CONFIG].text;
    m->decimals = v[NEW_DECIMALS].present ? (int)v[NEW_DECIMALS].number : -1;
    m->step_s = v[NEW_STEP].present ? (int32_t)v[NEW_STEP].number : 0;
    if (m->step_s != 0 && m->step_s != 900 && m->step_s != 3600) {
        api_problem(c, 400, "invalid", "step_s", "step_s: must be 900 or 3600");
        return false;
    }
    if (v[NEW_LAST].present && b->to == EMT_TIME_NONE) {
        api_problem(c, 400, "invalid", "last_reading", "last_reading: needs valid_to");
        return false;
    }
    if (!read_register_value(c, &v[NEW_CAPACITY], "capacity", &b->capacity, &m->capacity) ||
        !read_register_value(c, &v[NEW_FIRST], "first_reading", &b->first, &m->first_reading) ||
        !read_register_value(c, &v[NEW_LAST], "last_reading", &b->last, &m->last_reading))
        return false;
    if (m->capacity != NULL && m->capacity->mantissa == 0) {
        api_problem(c, 400, "invalid", "capacity", "capacity: must be above 0");
        return false;
    }
    return true;
}

/* False: the problem is answered. */
static bool check_binding(struct api_call *c, const struct api_value *v, struct new_binding *b)
{
    struct obis obis;

    b->channel = v[0].number;
    b->ratio = decimal_of(1, 0);
    b->device_number = v[3].present ? v[3].text : "";
    b->from = v[4].time;
    b->to = v[5].present ? v[5].time : EMT_TIME_NONE;
    if (obis_parse(v[1].text, &obis) != EMT_OK) {
        api_problem(c, 400, "invalid", "obis", "obis: must be a code as 1-1:1.29.0");
        return false;
    }
    obis_format_short(obis, b->obis);
    if (v[2].present && !location_ratio(v[2].text, &b->ratio)) {
        api_problem(c, 400, "invalid", "ratio",
                    "ratio: must be a decimal above 0, as \"40\" or \"0.01\", at most a million");
        return false;
    }
    if (b->to != EMT_TIME_NONE && b->to <= b->from) {
        api_problem(c, 400, "invalid", "valid_to", "valid_to: must lie behind valid_from");
        return false;
    }
    return check_market(c, v, b);
}

static enum emt_err insert_binding(struct api_call *c, struct new_binding *b, int64_t *id)
{
    struct store_result *channel = NULL;
    int64_t overlapping = 0;
    enum emt_err err = location_lock(c->store, c->tenant, c->param[0], &b->location);

    if (err != EMT_OK)
        return api_store_problem(c, err, "location");
    err = channel_get(c->store, c->tenant, b->channel, &channel);
    if (err == EMT_ENOTFOUND)
        return api_problem(c, 400, "invalid", "channel", "channel: %lld does not exist",
                           (long long)b->channel);
    if (err == EMT_OK) {
        store_result_free(channel);
        err = binding_overlap(c->store, c->tenant, b->location, b->obis, b->from, b->to, 0,
                              b->market.use_case == 13027, &overlapping);
    }
    if (err == EMT_OK && overlapping > 0)
        return api_problem(c, 409, "conflict", "valid_from",
                           "valid_from: %s has %s bound in this period already", c->param[0],
                           b->obis);
    if (err == EMT_OK)
        err =
            binding_insert(c->store, c->tenant, b->location, b->channel, b->obis, b->ratio.mantissa,
                           b->ratio.exponent, b->device_number, b->from, b->to, id);
    if (err == EMT_OK)
        err = binding_market_set(c->store, c->tenant, b->location, *id, &b->market);
    if (err == EMT_OK)
        err = api_audit(c, "location.bind", c->param[0], "channel %lld as %s",
                        (long long)b->channel, b->obis);
    return err == EMT_OK ? answer_binding(c, 201, b->location, *id)
                         : api_store_problem(c, err, "binding");
}

enum emt_err api_binding_create(struct api_call *c)
{
    static const char *const pids[] = { "13002", "13006", "13007", "13008", "13009", "13016",
                                        "13017", "13018", "13019", "13025", "13027", NULL };
    static const struct api_field fields[NEW_MEMBERS] = {
        [NEW_CHANNEL] = { "channel", FIELD_INT, true, false, 1, INT64_MAX, NULL },
        [NEW_OBIS] = { "obis", FIELD_TEXT, true, false, 1, 27, NULL },
        [NEW_RATIO] = { "ratio", FIELD_TEXT, false, false, 1, 20, NULL },
        [NEW_DEVICE_NUMBER] = { "device_number", FIELD_TEXT, false, false, 0, 35, NULL },
        [NEW_FROM] = { "valid_from", FIELD_TIME, true, false, 0, 0, NULL },
        [NEW_TO] = { "valid_to", FIELD_TIME, false, false, 0, 0, NULL },
        [NEW_USE_CASE] = { "use_case", FIELD_ENUM, false, false, 0, 0, pids },
        [NEW_ORDER] = { "order_number", FIELD_TEXT, false, false, 0, 70, NULL },
        [NEW_CONFIG] = { "config_id", FIELD_TEXT, false, false, 0, 70, NULL },
        [NEW_DECIMALS] = { "decimals", FIELD_INT, false, false, 0, 5, NULL },
        [NEW_STEP] = { "step_s", FIELD_INT, false, false, 900, 3600, NULL },
        [NEW_CAPACITY] = { "capacity", FIELD_TEXT, false, false, 1, 20, NULL },
        [NEW_FIRST] = { "first_reading", FIELD_TEXT, false, false, 1, 20, NULL },
        [NEW_LAST] = { "last_reading", FIELD_TEXT, false, false, 1, 20, NULL },
    };
    struct new_binding b = { 0 };
    struct api_value v[NEW_MEMBERS];
    json_t *body = NULL;
    int64_t id = 0;
    bool ok = false;

    api_body(c, fields, NEW_MEMBERS, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    enum emt_err err = check_binding(c, v, &b) ? insert_binding(c, &b, &id) : EMT_OK;
    json_decref(body);
    return err;
}

/* No later binding of the same register may begin before the new end. */
static enum emt_err end_binding(struct api_call *c, int64_t id, emt_time to,
                                const struct decimal *last)
{
    struct store_result *r = NULL;
    int64_t overlapping = 0;
    int64_t location = 0;
    enum emt_err err = location_lock(c->store, c->tenant, c->param[0], &location);

    if (err != EMT_OK)
        return api_store_problem(c, err, "location");
    err = binding_get(c->store, c->tenant, location, id, &r);
    if (err != EMT_OK)
        return api_store_problem(c, err, "binding");
    emt_time from = c_time(r, 0, BINDING_FROM);
    if (to <= from)
        err = api_problem(c, 400, "invalid", "valid_to", "valid_to: must lie behind valid_from");
    else
        err =
            binding_overlap(c->store, c->tenant, location, c_text(r, 0, BINDING_OBIS), from, to, id,
                            strcmp(c_text(r, 0, BINDING_USE_CASE), "13027") == 0, &overlapping);
    store_result_free(r);
    if (c->status != 0)
        return err;
    if (err == EMT_OK && overlapping > 0)
        return api_problem(c, 409, "conflict", "valid_to",
                           "valid_to: another binding of this register begins before it");
    if (err == EMT_OK)
        err = binding_end(c->store, c->tenant, location, id, to, last);
    if (err == EMT_OK)
        err = api_audit(c, "location.unbind", c->param[0], "binding %lld", (long long)id);
    return err == EMT_OK ? answer_binding(c, 200, location, id)
                         : api_store_problem(c, err, "binding");
}

enum emt_err api_binding_update(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "valid_to", FIELD_TIME, true, false, 0, 0, NULL },
        { "last_reading", FIELD_TEXT, false, false, 1, 20, NULL },
    };
    const struct decimal *last = NULL;
    struct decimal value;
    struct api_value v[2];
    json_t *body = NULL;
    int64_t id = 0;
    bool ok = false;

    if (!api_param_number(c, 1, "binding", &id))
        return EMT_OK;
    api_body(c, fields, 2, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    emt_time to = v[0].time;
    ok = read_register_value(c, &v[1], "last_reading", &value, &last);
    json_decref(body);
    return ok ? end_binding(c, id, to, last) : EMT_OK;
}
