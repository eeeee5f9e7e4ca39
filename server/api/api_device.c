#include "api_condition.h"
#include "api_query.h"
#include "api_route.h"
#include "model/device_id.h"
#include "model/quality.h"
#include "store/device_key_store.h"
#include "store/device_store.h"
#include "store/entitlement_store.h"
#include "store/job_store.h"
#include "store/reading_query_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

static const char *const assignment_names[] = { "heard", "adopted", "ignored", NULL };
#define DEVICE_ADOPTED_NAME 1 /* its place in the list, which is the column's number */
static const char *const kind_names[] = { "number", "text", "state", "raw", NULL };
static const char *const function_names[] = { "instantaneous", "maximum", "minimum", "error",
                                              NULL };

static const struct api_column device_columns[] = {
    { "id", COL_TEXT, NULL },
    { "manufacturer", COL_TEXT, NULL },
    { "number", COL_TEXT, NULL },
    { "version", COL_INT, NULL },
    { "type", COL_INT, NULL },
    { "name", COL_TEXT, NULL },
    { "place", COL_TEXT, NULL },
    { "active", COL_BOOL, NULL },
    { "assignment", COL_ENUM, assignment_names },
    { "accept_plaintext", COL_BOOL, NULL },
    { "created_at", COL_TIME, NULL },
    { "last_seen_at", COL_TIME, NULL },
};
static const struct api_column channel_columns[] = {
    { "id", COL_INT, NULL },
    { "device", COL_TEXT, NULL },
    { "kind", COL_ENUM, kind_names },
    { "obis", COL_TEXT, NULL },
    { "quantity", COL_TEXT, NULL },
    { "unit", COL_TEXT, NULL },
    { "function", COL_ENUM, function_names },
    { "storage", COL_INT, NULL },
    { "tariff", COL_INT, NULL },
    { "subunit", COL_INT, NULL },
    { "qualifier", COL_TEXT, NULL },
    { "nth", COL_INT, NULL },
};
#define N(a) (sizeof(a) / sizeof((a)[0]))
#define DEVICE_TYPE 5
#define MEDIUM_TYPES_MAX (UINT8_MAX + 2)
/* Columns of channel_list() behind those of the channel. */
enum {
    CHANNEL_KIND = 3,
    CHANNEL_LAST_TS = 13,
    CHANNEL_LAST_QUALITY,
    CHANNEL_LAST_MANTISSA,
    CHANNEL_LAST_EXPONENT,
    CHANNEL_LAST_TEXT
};

static json_t *device_json(const struct store_result *r, int row)
{
    json_t *j = api_row(r, row, 1, device_columns, N(device_columns));
    const char *medium =
        c_null(r, row, DEVICE_TYPE) ? "unknown" : medium_name((uint8_t)c_int(r, row, DEVICE_TYPE));

    json_object_set_new(j, "medium", json_string(medium));
    return j;
}

/* The types of EN 13757-7 that have this name; devices without a type are unknown, too. */
static bool read_medium(struct api_call *c, struct device_filter *f, int types[MEDIUM_TYPES_MAX])
{
    const char *medium = NULL;

    if (!api_query_text(c, "medium", 40, &medium))
        return false;
    if (medium == NULL)
        return true;
    for (int type = 0; type <= UINT8_MAX; type++) {
        if (strcmp(medium_name((uint8_t)type), medium) == 0)
            types[f->ntypes++] = type;
    }
    if (f->ntypes == 0) {
        api_problem(c, 400, "invalid", "medium", "medium: there is none of this name");
        return false;
    }
    if (strcmp(medium, "unknown") == 0)
        types[f->ntypes++] = -1;
    f->types = types;
    return true;
}

enum emt_err api_device_list(struct api_call *c)
{
    struct device_filter f = { .active = -1, .assignment = -1 };
    struct store_result *r = NULL;
    struct api_page page;
    int types[MEDIUM_TYPES_MAX];

    if (!api_page_read(c, 1000, 100, false, &page) || !api_query_text(c, "q", API_Q_MAX, &f.q) ||
        !api_query_text(c, "number", 32, &f.number) ||
        !api_query_text(c, "gateway", 63, &f.gateway) || !api_query_flag(c, "active", &f.active) ||
        !api_query_enum(c, "assignment", assignment_names, &f.assignment) ||
        !read_medium(c, &f, types))
        return EMT_OK;
    enum emt_err err = device_list(c->store, c->tenant, &f, page.cursor, page.limit + 1, &r);
    return err == EMT_OK ? api_page_answer(c, r, page.limit, NULL, 0, device_json)
                         : api_store_problem(c, err, "devices");
}

static const char *const device_lively[] = { "last_seen_at", NULL };

/* False: answered, or *err. */
static bool device_unchanged(struct api_call *c, enum emt_err *err)
{
    struct store_result *r = NULL;
    int64_t id = 0;

    *err = EMT_OK;
    if (!api_has_if_match(c))
        return true;
    *err = device_lock(c->store, c->tenant, c->param[0], &id);
    if (*err == EMT_OK)
        *err = device_get(c->store, c->tenant, c->param[0], &r);
    if (*err != EMT_OK)
        return false;
    json_t *j = device_json(r, 0);
    store_result_free(r);
    return api_if_match(c, j, device_lively);
}

enum emt_err api_device_get(struct api_call *c)
{
    struct store_result *r = NULL;
    enum emt_err err = device_get(c->store, c->tenant, c->param[0], &r);

    if (err != EMT_OK)
        return api_store_problem(c, err, "device");
    json_t *j = device_json(r, 0);
    store_result_free(r);
    return api_resource(c, 200, j, device_lively);
}

/* Waiting frames of the meter are decoded again. */
static enum emt_err replay_device(struct api_call *c)
{
    char payload[64];
    char dedupe[64];
    int64_t id = 0;
    enum emt_err err = device_find(c->store, c->tenant, c->param[0], &id);

    if (err != EMT_OK)
        return err;
    snprintf(payload, sizeof payload, "{\"device\": %lld}", (long long)id);
    snprintf(dedupe, sizeof dedupe, "device %lld", (long long)id);
    return job_store_add(c->store, c->tenant, "replay", dedupe, payload, EMT_TIME_NONE);
}

enum emt_err api_device_update(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "name", FIELD_TEXT, false, false, 0, 200, NULL },
        { "place", FIELD_TEXT, false, false, 0, 200, NULL },
        { "active", FIELD_BOOL, false, false, 0, 0, NULL },
        { "assignment", FIELD_ENUM, false, false, 0, 0, assignment_names },
        { "accept_plaintext", FIELD_BOOL, false, false, 0, 0, NULL },
    };
    struct api_value v[5];
    json_t *body = NULL;
    bool ok = false;

    api_body(c, fields, 5, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    /* Frames of a meter that was only heard, or refused for its plaintext, wait undecoded. */
    bool adopts = v[3].present && v[3].number == DEVICE_ADOPTED_NAME;
    bool allows = v[4].present && v[4].flag;
    enum emt_err err;
    bool room = true;
    bool activates = v[2].present && v[2].flag;
    if ((activates || adopts) && (entitlement_has_room(c->store, c->tenant, c->param[0], adopts,
                                                       activates, &room) != EMT_OK ||
                                  !room)) {
        json_decref(body);
        return api_problem(c, 403, "meters", activates ? "active" : "assignment",
                           "as many meters are active as are agreed with the tenant");
    }
    if (device_unchanged(c, &err))
        err = device_update(c->store, c->tenant, c->param[0], v[0].text, v[1].text,
                            v[2].present ? v[2].flag : -1, v[3].present ? (int)v[3].number : -1,
                            v[4].present ? v[4].flag : -1);
    json_decref(body);
    if (c->status != 0)
        return EMT_OK;
    if (err == EMT_OK)
        err = registry_touch(c->store, c->tenant);
    if (err == EMT_OK && (allows || adopts))
        err = replay_device(c);
    if (err == EMT_OK)
        err = api_audit(c, "device.update", c->param[0], "%s%s", allows ? "accepts plaintext " : "",
                        adopts ? "adopted" : "");
    c->wake = allows || adopts;
    return err == EMT_OK ? api_device_get(c) : api_store_problem(c, err, "device");
}

static json_t *last_json(const struct store_result *r, int row)
{
    if (c_null(r, row, CHANNEL_LAST_TS))
        return json_null();
    json_t *value = c_null(r, row, CHANNEL_LAST_MANTISSA)
                        ? json_string(c_text(r, row, CHANNEL_LAST_TEXT))
                        : api_decimal(decimal_of(c_int(r, row, CHANNEL_LAST_MANTISSA),
                                                 (int)c_int(r, row, CHANNEL_LAST_EXPONENT)));
    enum quality q = (enum quality)(c_int(r, row, CHANNEL_LAST_QUALITY) & 0xff);

    return json_pack("{s:o, s:o, s:s}", "ts", api_time(c_time(r, row, CHANNEL_LAST_TS)), "value",
                     value, "quality", quality_name(q));
}

static json_t *channel_json(const struct store_result *r, int row)
{
    json_t *j = api_row(r, row, 1, channel_columns, N(channel_columns));

    json_object_set_new(j, "last", last_json(r, row));
    return j;
}

/* Rows hold the last value of a channel that is heard; of the others it may lie in a block. */
static bool is_quiet(const struct api_call *c, const struct store_result *r, int row)
{
    int64_t kind = c_int(r, row, CHANNEL_KIND);

    return (kind == READING_NUMBER || kind == READING_STATE) &&
           (c_null(r, row, CHANNEL_LAST_TS) || c_time(r, row, CHANNEL_LAST_TS) < c->now - EMT_DAY);
}

static json_t *stored_json(const struct stored_reading *v)
{
    return json_pack("{s:o, s:o, s:s}", "ts", api_time(v->ts), "value", api_decimal(v->value),
                     "quality", quality_name(v->quality));
}

static enum emt_err find_last(struct api_call *c, const struct store_result *r, int shown,
                              json_t *items)
{
    size_t most = shown > 0 ? (size_t)shown : 1, n = 0;
    int64_t *ids = calloc(most, sizeof *ids);
    struct stored_reading *last = calloc(most, sizeof *last);
    size_t *at = calloc(most, sizeof *at);
    enum emt_err err = ids && last && at ? EMT_OK : EMT_ENOMEM;

    for (int i = 0; err == EMT_OK && i < shown; i++) {
        if (!is_quiet(c, r, i))
            continue;
        ids[n] = c_int(r, i, 1);
        at[n++] = (size_t)i;
    }
    if (err == EMT_OK && n > 0)
        err = reading_last(c->store, c->tenant, ids, n, last);
    for (size_t i = 0; err == EMT_OK && i < n; i++) {
        if (last[i].ts != EMT_TIME_NONE)
            json_object_set_new(json_array_get(items, at[i]), "last", stored_json(&last[i]));
    }
    free(ids);
    free(last);
    free(at);
    return err;
}

/* Frees r, of limit + 1 rows. */
static enum emt_err answer_channels(struct api_call *c, struct store_result *r, int limit)
{
    int shown = store_rows(r) > limit ? limit : store_rows(r);
    json_t *items = json_array();

    for (int i = 0; i < shown; i++)
        json_array_append_new(items, channel_json(r, i));
    enum emt_err err = find_last(c, r, shown, items);
    json_t *body = json_pack("{s:o}", "items", items);
    if (body != NULL && store_rows(r) > limit)
        json_object_set_new(body, "next", json_string(c_text(r, shown - 1, 0)));
    store_result_free(r);
    if (err == EMT_OK)
        return api_json(c, 200, body);
    json_decref(body);
    return api_store_problem(c, err, "channels");
}

enum emt_err api_channel_list(struct api_call *c)
{
    struct store_result *r = NULL;
    struct api_page page;
    int64_t device = 0;

    if (!api_page_read(c, 1000, 200, true, &page))
        return EMT_OK;
    enum emt_err err = device_find(c->store, c->tenant, c->param[0], &device);
    if (err == EMT_OK)
        err = channel_list(c->store, c->tenant, device, page.cursor_number, page.limit + 1, &r);
    return err == EMT_OK ? answer_channels(c, r, page.limit) : api_store_problem(c, err, "device");
}

enum emt_err api_channel_get(struct api_call *c)
{
    struct store_result *r = NULL;
    int64_t id = 0;

    if (!api_param_number(c, 0, "channel", &id))
        return EMT_OK;
    enum emt_err err = channel_get(c->store, c->tenant, id, &r);
    if (err != EMT_OK)
        return api_store_problem(c, err, "channel");
    json_t *j = api_row(r, 0, 1, channel_columns, N(channel_columns));
    store_result_free(r);
    return api_resource(c, 200, j, NULL);
}
