/* Meters that a gateway hears, and what becomes of them: adopted, with a key where one is given, or
 * ignored. */
#include "api_heard.h"

#include "api_query.h"
#include "api_route.h"
#include "model/device_id.h"
#include "model/frame_state.h"
#include "store/device_key_store.h"
#include "store/device_store.h"
#include "store/entitlement_store.h"
#include "store/gateway_store.h"
#include "store/heard_store.h"
#include "store/job_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define HEARD_WINDOW (3 * EMT_DAY)
#define PAGE_MOST 500
/* Places in the list, which are the column's numbers. */
#define ADOPTED 1
#define IGNORED 2

static const char *const assignment_names[] = { "heard", "adopted", "ignored", NULL };

static const struct api_column columns[] = {
    { "device", COL_TEXT, NULL },       { "manufacturer", COL_TEXT, NULL },
    { "number", COL_TEXT, NULL },       { "version", COL_INT, NULL },
    { "type", COL_INT, NULL },          { "assignment", COL_ENUM, assignment_names },
    { "frames", COL_INT, NULL },        { "rssi_dbm", COL_INT, NULL },
    { "rssi_best_dbm", COL_INT, NULL }, { "first_at", COL_TIME, NULL },
    { "last_at", COL_TIME, NULL },
};
#define COLUMNS (sizeof columns / sizeof columns[0])

/* What the last frame says about the key. Frames of a meter that is only heard are never opened,
 * so a key that was added since counts as known. */
static const char *key_of(enum frame_state state, bool has_key)
{
    if (state == FRAME_KEY_WRONG || state == FRAME_MAC_WRONG)
        return "wrong";
    if (has_key)
        return "known";
    if (state == FRAME_KEY_NEEDED)
        return "needed";
    return state == FRAME_OK || state == FRAME_PLAINTEXT_REFUSED || state == FRAME_DUPLICATE
               ? "not-needed"
               : "unknown";
}

static json_t *heard_json(const struct store_result *r, int row)
{
    json_t *j = api_row(r, row, HEARD_IDENT, columns, COLUMNS);
    enum frame_state state = (enum frame_state)c_int(r, row, HEARD_STATE);

    json_object_set_new(j, "state", json_string(frame_state_name(state)));
    json_object_set_new(j, "key", json_string(key_of(state, c_bool(r, row, HEARD_HAS_KEY))));
    return j;
}

enum emt_err api_heard_list(struct api_call *c)
{
    struct store_result *r = NULL;
    struct api_page page;
    int assignment = -1;
    int64_t gateway = 0;

    if (!api_page_read(c, PAGE_MOST, 100, false, &page) ||
        !api_query_enum(c, "assignment", assignment_names, &assignment))
        return EMT_OK;
    enum emt_err err = gateway_find(c->store, c->tenant, c->param[0], &gateway);
    if (err == EMT_OK)
        err = heard_list(c->store, c->tenant, gateway, c->now - HEARD_WINDOW, assignment,
                         page.cursor, page.limit + 1, &r);
    return err == EMT_OK ? api_page_answer(c, r, page.limit, columns, COLUMNS, heard_json)
                         : api_store_problem(c, err, "gateway");
}

/* --- decisions --- */

struct decision {
    struct device_id id;
    char ident[DEVICE_ID_TEXT_MAX];
    const char *name, *place; /* NULL: as it is */
    bool adopts, has_key;
    struct meter_key key; /* wiped by the caller */
};

/* False: the problem is answered. */
static bool read_decision(struct api_call *c, const struct api_value *v, struct decision *d)
{
    struct emt_diag diag = { 0 };

    meter_key_init(&d->key);
    if (device_id_parse(v[0].text, &d->id) != EMT_OK) {
        api_problem(c, 400, "invalid", "device", "device: must be an ident as KAM-60723506-19-0c");
        return false;
    }
    device_id_format(&d->id, d->ident);
    d->adopts = v[1].number == 0;
    d->has_key = v[2].present;
    d->name = v[3].text;
    d->place = v[4].text;
    if (!d->has_key)
        return true;
    if (!d->adopts) {
        api_problem(c, 400, "invalid", "key", "key: an ignored meter needs none");
        return false;
    }
    /* A key of an API key's holder who may not add keys. */
    if (c->who.scopes != 0 && (c->who.scopes & SCOPE_BIT(AREA_KEYS, true)) == 0) {
        api_problem(c, 403, "scope", "key", "the key lacks the scope keys:write");
        return false;
    }
    if (meter_key_set(&d->key, "key", v[2].text, &diag) != EMT_OK) {
        api_problem(c, 400, "invalid", "key", "%s", diag.text);
        return false;
    }
    memcpy(d->key.manufacturer, d->id.manufacturer, sizeof d->key.manufacturer);
    snprintf(d->key.number, sizeof d->key.number, "%.32s", d->id.number);
    if (d->id.has_version) {
        d->key.version = d->id.version;
        d->key.type = d->id.type;
    }
    return true;
}

static enum emt_err replay_waiting(struct api_call *c, int64_t device)
{
    char payload[64];
    char dedupe[64];

    snprintf(payload, sizeof payload, "{\"device\": %lld}", (long long)device);
    snprintf(dedupe, sizeof dedupe, "device %lld", (long long)device);
    return job_store_add(c->store, c->tenant, "replay", dedupe, payload, EMT_TIME_NONE);
}

static enum emt_err decide(struct api_call *c, const struct decision *d, int64_t gateway)
{
    const struct device_row row = { .ident = d->ident,
                                    .manufacturer = d->id.manufacturer,
                                    .number = d->id.number,
                                    .version = d->id.has_version ? d->id.version : -1,
                                    .type = d->id.has_version ? d->id.type : -1,
                                    .name = d->name,
                                    .place = d->place,
                                    .active = -1,
                                    .assignment = d->adopts ? ADOPTED : IGNORED };
    int64_t device = 0, key = 0;
    bool room = true;
    enum emt_err err = EMT_OK;

    if (d->adopts)
        err = entitlement_has_room(c->store, c->tenant, d->ident, true, false, &room);
    if (err == EMT_OK && !room)
        return api_problem(c, 403, "meters", "decision",
                           "as many meters are active as are agreed with the tenant");
    if (err == EMT_OK)
        err = device_upsert(c->store, c->tenant, &row, &device);
    if (err == EMT_OK && d->has_key)
        err = api_meter_key_keep(c, &d->key, &key);
    if (err == EMT_OK)
        err = registry_touch(c->store, c->tenant);
    if (err == EMT_OK && d->adopts)
        err = replay_waiting(c, device);
    if (err == EMT_OK)
        err = api_audit(c, d->adopts ? "device.adopt" : "device.ignore", d->ident,
                        d->has_key ? "heard by %s, key %lld" : "heard by %s", c->param[0],
                        (long long)key);
    return err == EMT_OK ? api_allow_list_refresh(c, gateway) : err;
}

enum emt_err api_heard_decide(struct api_call *c)
{
    static const char *const decisions[] = { "adopt", "ignore", NULL };
    static const struct api_field fields[] = {
        { "device", FIELD_TEXT, true, false, 1, 80, NULL },
        { "decision", FIELD_ENUM, true, false, 0, 0, decisions },
        { "key", FIELD_TEXT, false, false, 16, 64, NULL },
        { "name", FIELD_TEXT, false, false, 0, 200, NULL },
        { "place", FIELD_TEXT, false, false, 0, 200, NULL },
    };
    struct api_value v[5];
    struct decision d;
    json_t *body = NULL;
    int64_t gateway = 0;
    bool ok = false;
    enum emt_err err = EMT_OK;

    api_body(c, fields, 5, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    ok = read_decision(c, v, &d);
    if (ok) {
        err = gateway_find(c->store, c->tenant, c->param[0], &gateway);
        if (err == EMT_OK)
            err = decide(c, &d, gateway);
    }
    meter_key_wipe(&d.key);
    api_body_wipe(body);
    if (!ok || c->status != 0)
        return err;
    if (err == EMT_ELIMIT)
        return api_problem(c, 409, "conflict", NULL,
                           "the gateway's list of meters cannot be ordered again now");
    if (err != EMT_OK)
        return api_store_problem(c, err, "gateway");
    c->wake = true;
    return api_json(c, 200,
                    json_pack("{s:s, s:s}", "device", d.ident, "assignment",
                              assignment_names[d.adopts ? ADOPTED : IGNORED]));
}
