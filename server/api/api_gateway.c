#include "api_condition.h"
#include "api_query.h"
#include "api_route.h"
#include "base/cipher.h"
#include "store/gateway_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define COMMANDS_OPEN_MAX 64

static const char *const state_names[] = { "announced", "enrolled", "revoked", NULL };
static const char *const session_names[] = { "connected", "ended", "lost", NULL };
static const char *const command_names[] = { "waiting", "sent", "done", "failed", "expired", NULL };

static const struct api_column gateway_columns[] = {
    { "id", COL_TEXT, NULL },       { "name", COL_TEXT, NULL },
    { "place", COL_TEXT, NULL },    { "state", COL_ENUM, state_names },
    { "software", COL_TEXT, NULL }, { "hardware", COL_TEXT, NULL },
    { "serial", COL_TEXT, NULL },   { "created_at", COL_TIME, NULL },
};
static const struct api_column session_columns[] = {
    { "state", COL_ENUM, session_names },
    { "since", COL_TIME, NULL },
    { "ended_at", COL_TIME, NULL },
    { "peer", COL_TEXT, NULL },
    { "tls", COL_TEXT, NULL },
    { "epoch", COL_INT, NULL },
    { "node", COL_INT, NULL },
    { "reason", COL_TEXT, NULL },
};
static const struct api_column status_columns[] = {
    { "at", COL_TIME, NULL },          { "uptime_s", COL_INT, NULL },
    { "spool_bytes", COL_INT, NULL },  { "spool_frames", COL_INT, NULL },
    { "frames_heard", COL_INT, NULL }, { "metrics", COL_JSON, NULL },
};
static const struct api_column command_columns[] = {
    { "id", COL_INT, NULL },          { "name", COL_TEXT, NULL },
    { "arguments", COL_JSON, NULL },  { "state", COL_ENUM, command_names },
    { "created_at", COL_TIME, NULL }, { "sent_at", COL_TIME, NULL },
    { "ended_at", COL_TIME, NULL },   { "result", COL_TEXT, NULL },
};
#define N(a) (sizeof(a) / sizeof((a)[0]))

static json_t *gateway_json(const struct store_result *r, int row)
{
    json_t *j = api_row(r, row, GATEWAY_EXTERNAL_ID, gateway_columns, N(gateway_columns));
    json_t *session =
        c_null(r, row, GATEWAY_SESSION_STATE)
            ? json_null()
            : api_row(r, row, GATEWAY_SESSION_STATE, session_columns, N(session_columns));
    json_t *status = c_null(r, row, GATEWAY_STATUS_AT)
                         ? json_null()
                         : api_row(r, row, GATEWAY_STATUS_AT, status_columns, N(status_columns));

    json_object_set_new(j, "connection", session);
    json_object_set_new(j, "status", status);
    json_object_set_new(j, "spools", json_loads(c_text(r, row, GATEWAY_SPOOLS_JSON), 0, NULL));
    return j;
}

/* They change with every connection; nobody's change is lost by them. */
static const char *const gateway_lively[] = { "connection", "spools", "status", "software",
                                              "hardware",   "serial", NULL };

/* False: answered, or *err. */
static bool gateway_unchanged(struct api_call *c, enum emt_err *err)
{
    struct store_result *r = NULL;
    int64_t id = 0;

    *err = EMT_OK;
    if (!api_has_if_match(c))
        return true;
    *err = gateway_lock(c->store, c->tenant, c->param[0], &id);
    if (*err == EMT_OK)
        *err = gateway_get(c->store, c->tenant, c->param[0], &r);
    if (*err != EMT_OK)
        return false;
    json_t *j = gateway_json(r, 0);
    store_result_free(r);
    return api_if_match(c, j, gateway_lively);
}

static enum emt_err answer_gateway(struct api_call *c, unsigned status, const char *id)
{
    struct store_result *r = NULL;
    enum emt_err err = gateway_get(c->store, c->tenant, id, &r);

    if (err != EMT_OK)
        return api_store_problem(c, err, "gateway");
    json_t *j = gateway_json(r, 0);
    store_result_free(r);
    return api_resource(c, status, j, gateway_lively);
}

enum emt_err api_gateway_list(struct api_call *c)
{
    /* As the statement counts: sessions' states, and none at all. */
    static const char *const connection_names[] = { "connected", "ended", "lost", "never", NULL };
    struct gateway_filter f = { NULL, -1, -1 };
    struct store_result *r = NULL;
    struct api_page page;

    if (!api_page_read(c, 1000, 100, false, &page) || !api_query_text(c, "q", API_Q_MAX, &f.q) ||
        !api_query_enum(c, "state", state_names, &f.state) ||
        !api_query_enum(c, "connection", connection_names, &f.connection))
        return EMT_OK;
    enum emt_err err = gateway_list(c->store, c->tenant, &f, page.cursor, page.limit + 1, &r);
    return err == EMT_OK ? api_page_answer(c, r, page.limit, NULL, 0, gateway_json)
                         : api_store_problem(c, err, "gateways");
}

enum emt_err api_gateway_get(struct api_call *c)
{
    return answer_gateway(c, 200, c->param[0]);
}

enum emt_err api_gateway_create(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "id", FIELD_TEXT, true, false, 1, 63, NULL },
        { "name", FIELD_TEXT, false, false, 0, 200, NULL },
        { "place", FIELD_TEXT, false, false, 0, 200, NULL },
    };
    struct api_value v[3];
    json_t *body = NULL;
    int64_t id = 0;
    bool ok = false;

    api_body(c, fields, 3, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    enum emt_err err = gateway_insert(c->store, c->tenant, v[0].text, v[1].present ? v[1].text : "",
                                      v[2].present ? v[2].text : "", &id);
    if (err == EMT_ELIMIT)
        err =
            api_problem(c, 400, "invalid", "id",
                        "id: letters, digits, '.', '_' and '-', beginning with a letter or digit");
    else if (err == EMT_ECONFLICT)
        err = api_problem(c, 409, "conflict", "id", "id: a gateway %s exists", v[0].text);
    else if (err == EMT_OK)
        err = api_audit(c, "gateway.create", v[0].text, "gateway %lld", (long long)id);
    if (c->status == 0)
        err = err == EMT_OK ? answer_gateway(c, 201, v[0].text)
                            : api_store_problem(c, err, "gateway");
    json_decref(body);
    return err;
}

enum emt_err api_gateway_update(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "name", FIELD_TEXT, false, false, 0, 200, NULL },
        { "place", FIELD_TEXT, false, false, 0, 200, NULL },
    };
    struct api_value v[2];
    json_t *body = NULL;
    bool ok = false;

    api_body(c, fields, 2, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    enum emt_err err;
    if (gateway_unchanged(c, &err))
        err = gateway_update(c->store, c->tenant, c->param[0], v[0].text, v[1].text);
    json_decref(body);
    if (c->status != 0)
        return EMT_OK;
    if (err == EMT_OK)
        err = api_audit(c, "gateway.update", c->param[0], "name or place");
    return err == EMT_OK ? answer_gateway(c, 200, c->param[0])
                         : api_store_problem(c, err, "gateway");
}

enum emt_err api_gateway_revoke(struct api_call *c)
{
    static const struct api_field fields[] = { { "reason", FIELD_TEXT, false, false, 0, 200,
                                                 NULL } };
    struct api_value v[1];
    json_t *body = NULL;
    int64_t id = 0;
    bool ok = false;

    api_body(c, fields, 1, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    const char *reason = v[0].present ? v[0].text : "";
    enum emt_err err = gateway_find(c->store, c->tenant, c->param[0], &id);
    if (err == EMT_OK)
        err = gateway_revoke(c->store, c->tenant, id, c->now, reason);
    if (err == EMT_OK)
        err = api_audit(c, "gateway.revoke", c->param[0], "%s", reason);
    json_decref(body);
    c->wake = true;
    return err == EMT_OK ? api_empty(c, 204) : api_store_problem(c, err, "gateway");
}

/* --- commands --- */

enum emt_err api_command_list(struct api_call *c)
{
    struct store_result *r = NULL;
    struct api_page page;
    int64_t id = 0;

    if (!api_page_read(c, 1000, 100, true, &page))
        return EMT_OK;
    enum emt_err err = gateway_find(c->store, c->tenant, c->param[0], &id);
    if (err == EMT_OK)
        err = command_list(c->store, c->tenant, id, page.cursor_number, page.limit + 1, &r);
    return err == EMT_OK
               ? api_page_answer(c, r, page.limit, command_columns, N(command_columns), NULL)
               : api_store_problem(c, err, "gateway");
}

/* Arguments are texts; false: the problem is answered. */
static bool good_arguments(struct api_call *c, json_t *arguments)
{
    const char *name;
    json_t *value;

    json_object_foreach(arguments, name, value)
    {
        if (!json_is_string(value) || strlen(name) > 64 || json_string_length(value) > 1024) {
            api_problem(c, 400, "invalid", "arguments",
                        "arguments.%.60s: must be a text of at most 1024 characters", name);
            return false;
        }
    }
    if (json_object_size(arguments) > 16) {
        api_problem(c, 400, "invalid", "arguments", "arguments: more than 16");
        return false;
    }
    return true;
}

static enum emt_err insert_command(struct api_call *c, const struct api_value *v, int64_t *id)
{
    uint8_t key[16];
    int64_t gateway = 0;
    char *arguments = v[1].present ? json_dumps(v[1].object, JSON_COMPACT) : NULL;
    enum emt_err err = cipher_random(key, sizeof key);

    if (err == EMT_OK)
        err = gateway_find(c->store, c->tenant, c->param[0], &gateway);
    if (err == EMT_OK) {
        err = command_insert(c->store, c->tenant, gateway, key, v[0].text,
                             arguments != NULL ? arguments : "{}",
                             v[2].present ? v[2].time : EMT_TIME_NONE, COMMANDS_OPEN_MAX, id);
    }
    free(arguments);
    return err;
}

enum emt_err api_command_create(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "name", FIELD_TEXT, true, false, 1, 64, NULL },
        { "arguments", FIELD_OBJECT, false, false, 0, 0, NULL },
        { "expires_at", FIELD_TIME, false, false, 0, 0, NULL },
    };
    struct api_value v[3];
    struct store_result *r = NULL;
    json_t *body = NULL;
    int64_t id = 0;
    bool ok = false;

    api_body(c, fields, 3, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    if (v[1].present && !good_arguments(c, v[1].object)) {
        json_decref(body);
        return EMT_OK;
    }
    enum emt_err err = insert_command(c, v, &id);
    if (err == EMT_OK)
        err = api_audit(c, "gateway.command", c->param[0], "%s, command %lld", v[0].text,
                        (long long)id);
    json_decref(body);
    if (err == EMT_ELIMIT)
        return api_problem(c, 409, "conflict", NULL, "the gateway has %d open commands",
                           COMMANDS_OPEN_MAX);
    if (err == EMT_OK)
        err = command_get(c->store, c->tenant, id, &r);
    if (err != EMT_OK)
        return api_store_problem(c, err, "gateway");
    c->wake = true;
    json_t *j = api_row(r, 0, 1, command_columns, N(command_columns));
    store_result_free(r);
    return api_json(c, 202, j);
}
