/* The list of meters that a gateway is told to keep: ordered as a command, which the gateway's
 * answer confirms. */
#include "api_heard.h"
#include "api_route.h"
#include "base/cipher.h"
#include "model/device_id.h"
#include "store/gateway_store.h"
#include "store/heard_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define COMMANDS_OPEN_MAX 64
#define PART_MOST 4000 /* characters of one argument; the channel takes 4096 */
#define SHOWN_STATE 6

static const char *const mode_names[] = { "off", "listed", "adopted", NULL };
static const char *const command_names[] = { "waiting", "sent", "done", "failed", "expired", NULL };

/* Idents of an order, and the arguments that carry them. */
struct order {
    struct store_array *idents;
    json_t *arguments;
    char part[PART_MOST + 1];
    size_t len;
    unsigned parts;
    int n;
};

static bool order_begin(struct order *o)
{
    *o = (struct order){ .idents = store_array_new(STORE_TEXT), .arguments = json_object() };
    return o->idents != NULL && o->arguments != NULL;
}

static void order_release(struct order *o)
{
    store_array_free(o->idents);
    json_decref(o->arguments);
}

static bool end_part(struct order *o)
{
    char name[16];

    if (o->len == 0)
        return true;
    snprintf(name, sizeof name, "%u", o->parts++);
    o->len = 0;
    return json_object_set_new(o->arguments, name, json_string(o->part)) == 0;
}

static bool order_add(struct order *o, const char *ident)
{
    size_t n = strlen(ident);

    if (o->len + n + 1 > PART_MOST && !end_part(o))
        return false;
    snprintf(o->part + o->len, sizeof o->part - o->len, "%s%s", o->len ? " " : "", ident);
    o->len += n + (o->len ? 1 : 0);
    o->n++;
    return store_array_text(o->idents, ident);
}

static enum emt_err add_adopted(struct api_call *c, struct order *o)
{
    struct store_result *r = NULL;
    enum emt_err err = allow_list_adopted(c->store, c->tenant, ALLOW_LIST_DEVICES_MAX + 1, &r);

    if (err != EMT_OK)
        return err;
    if (store_rows(r) > ALLOW_LIST_DEVICES_MAX)
        err = EMT_ELIMIT;
    for (int i = 0; i < store_rows(r) && err == EMT_OK; i++)
        err = order_add(o, c_text(r, i, 0)) ? EMT_OK : EMT_ENOMEM;
    store_result_free(r);
    return err;
}

/* The number of the next order: the time, and above the last one whatever the clock does. */
static enum emt_err next_version(struct api_call *c, int64_t gateway, int64_t *out)
{
    struct store_result *r = NULL;
    enum emt_err err = allow_list_get(c->store, c->tenant, gateway, &r);

    *out = c->now / 1000;
    if (err == EMT_ENOTFOUND)
        return EMT_OK;
    if (err != EMT_OK)
        return err;
    if (c_int(r, 0, 2) >= *out)
        *out = c_int(r, 0, 2) + 1;
    store_result_free(r);
    return EMT_OK;
}

static enum emt_err send_order(struct api_call *c, int64_t gateway, struct order *o,
                               enum allow_list_mode mode, int64_t version, int64_t *command)
{
    char number[24];
    uint8_t key[16];
    int failed = 0;

    snprintf(number, sizeof number, "%" PRId64, version);
    failed |= json_object_set_new(o->arguments, "mode",
                                  json_string(mode == ALLOW_LIST_OFF ? "off" : "list"));
    failed |= json_object_set_new(o->arguments, "version", json_string(number));
    char *arguments = failed || !end_part(o) ? NULL : json_dumps(o->arguments, JSON_COMPACT);
    if (arguments == NULL)
        return EMT_ENOMEM;
    enum emt_err err = cipher_random(key, sizeof key);
    if (err == EMT_OK)
        err = allow_list_withdraw(c->store, c->tenant, gateway, c->now);
    if (err == EMT_OK)
        err = command_insert(c->store, c->tenant, gateway, key, "allow-list", arguments,
                             EMT_TIME_NONE, COMMANDS_OPEN_MAX, command);
    free(arguments);
    return err;
}

static enum emt_err put(struct api_call *c, int64_t gateway, enum allow_list_mode mode,
                        struct order *o)
{
    struct allow_list_row row = {
        .gateway = gateway, .mode = mode, .devices = o->idents, .at = c->now, .by = c->who.actor
    };
    enum emt_err err = mode == ALLOW_LIST_ADOPTED ? add_adopted(c, o) : EMT_OK;

    if (err == EMT_OK)
        err = next_version(c, gateway, &row.version);
    if (err == EMT_OK)
        err = send_order(c, gateway, o, mode, row.version, &row.command);
    if (err == EMT_OK)
        err = allow_list_put(c->store, c->tenant, &row);
    c->wake = true;
    return err;
}

enum emt_err api_allow_list_refresh(struct api_call *c, int64_t gateway)
{
    struct store_result *r = NULL;
    struct order o;
    enum emt_err err = allow_list_get(c->store, c->tenant, gateway, &r);
    bool adopted;

    if (err == EMT_ENOTFOUND)
        return EMT_OK;
    if (err != EMT_OK)
        return err;
    adopted = c_int(r, 0, 0) == ALLOW_LIST_ADOPTED;
    store_result_free(r);
    if (!adopted)
        return EMT_OK;
    err = order_begin(&o) ? put(c, gateway, ALLOW_LIST_ADOPTED, &o) : EMT_ENOMEM;
    order_release(&o);
    return err;
}

/* Idents of the body; false: the problem is answered. */
static bool add_listed(struct api_call *c, const json_t *list, struct order *o)
{
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        char ident[DEVICE_ID_TEXT_MAX];
        struct device_id id;

        if (!json_is_string(item) || device_id_parse(json_string_value(item), &id) != EMT_OK) {
            api_problem(c, 400, "invalid", "devices",
                        "devices[%zu]: must be an ident as KAM-60723506-19-0c", i);
            return false;
        }
        if (!order_add(o, device_id_format(&id, ident))) {
            api_store_problem(c, EMT_ENOMEM, "devices");
            return false;
        }
    }
    return true;
}

static json_t *devices_json(struct api_call *c, int64_t gateway)
{
    struct store_result *r = NULL;
    json_t *list = json_array();

    if (allow_list_devices(c->store, c->tenant, gateway, &r) != EMT_OK) {
        json_decref(list);
        return NULL;
    }
    for (int i = 0; i < store_rows(r); i++)
        json_array_append_new(list, json_string(c_text(r, i, 0)));
    store_result_free(r);
    return list;
}

static enum emt_err show(struct api_call *c, int64_t gateway)
{
    struct store_result *r = NULL;
    enum emt_err err = allow_list_get(c->store, c->tenant, gateway, &r);
    json_t *devices, *j;

    if (err == EMT_ENOTFOUND)
        return api_json(c, 200,
                        json_pack("{s:s, s:[], s:n, s:n, s:n, s:n}", "mode", "off", "devices",
                                  "updated_at", "updated_by", "state", "result"));
    if (err != EMT_OK)
        return api_store_problem(c, err, "gateway");
    devices = devices_json(c, gateway);
    j = json_pack("{s:s, s:o, s:o, s:s, s:s?, s:s?}", "mode", mode_names[c_int(r, 0, 0)], "devices",
                  devices, "updated_at", api_time(c_time(r, 0, 3)), "updated_by", c_text(r, 0, 4),
                  "state",
                  c_null(r, 0, SHOWN_STATE) ? NULL : command_names[c_int(r, 0, SHOWN_STATE)],
                  "result", c_null(r, 0, SHOWN_STATE + 1) ? NULL : c_text(r, 0, SHOWN_STATE + 1));
    store_result_free(r);
    return api_json(c, 200, j);
}

enum emt_err api_allow_list_get(struct api_call *c)
{
    int64_t gateway = 0;
    enum emt_err err = gateway_find(c->store, c->tenant, c->param[0], &gateway);

    return err == EMT_OK ? show(c, gateway) : api_store_problem(c, err, "gateway");
}

enum emt_err api_allow_list_put(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "mode", FIELD_ENUM, true, false, 0, 0, mode_names },
        { "devices", FIELD_LIST, false, false, 0, ALLOW_LIST_DEVICES_MAX, NULL },
    };
    struct api_value v[2];
    struct order o;
    json_t *body = NULL;
    int64_t gateway = 0;
    bool ok = false;
    enum emt_err err;

    api_body(c, fields, 2, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    if (v[1].present != (v[0].number == ALLOW_LIST_LISTED)) {
        json_decref(body);
        return api_problem(c, 400, "invalid", "devices", "devices: go with mode listed");
    }
    err = order_begin(&o) ? EMT_OK : EMT_ENOMEM;
    ok = err == EMT_OK && (!v[1].present || add_listed(c, v[1].object, &o));
    if (ok)
        err = gateway_lock(c->store, c->tenant, c->param[0], &gateway);
    if (ok && err == EMT_OK)
        err = put(c, gateway, (enum allow_list_mode)v[0].number, &o);
    if (ok && err == EMT_OK)
        err = api_audit(c, "gateway.allow-list", c->param[0], "%s, %d meters",
                        mode_names[v[0].number], o.n);
    order_release(&o);
    json_decref(body);
    if (c->status != 0)
        return EMT_OK;
    if (err == EMT_ELIMIT)
        return api_problem(c, 409, "conflict", NULL,
                           "more than %d meters, or %d open commands of the gateway",
                           ALLOW_LIST_DEVICES_MAX, COMMANDS_OPEN_MAX);
    return err == EMT_OK ? show(c, gateway) : api_store_problem(c, err, "gateway");
}
