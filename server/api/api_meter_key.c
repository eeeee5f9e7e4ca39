/* Keys of meters: added one by one or as CSV, wrapped before they reach the database, never given
 * out. */
#include "api_heard.h"
#include "api_import.h"
#include "api_route.h"
#include "base/cipher.h"
#include "base/hex.h"
#include "base/seal.h"
#include "meter_key_csv.h"
#include "model/frame_state.h"
#include "store/device_key_store.h"
#include "store/job_store.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

static const struct api_column columns[] = {
    { "id", COL_INT, NULL },
    { "number", COL_TEXT, NULL },
    { "manufacturer", COL_TEXT, NULL },
    { "version", COL_INT, NULL },
    { "type", COL_INT, NULL },
    { "label", COL_TEXT, NULL },
    { "created_at", COL_TIME, NULL },
    { "has_authentication_key", COL_BOOL, NULL },
    { "system_title", COL_TEXT, NULL },
};
#define COLUMNS (sizeof columns / sizeof columns[0])

enum emt_err api_meter_key_list(struct api_call *c)
{
    struct store_result *r = NULL;
    struct api_page page;

    if (!api_page_read(c, 1000, 100, true, &page))
        return EMT_OK;
    enum emt_err err = device_key_list(c->store, c->tenant, page.cursor_number, page.limit + 1, &r);
    return err == EMT_OK ? api_page_answer(c, r, page.limit, columns, COLUMNS, NULL)
                         : api_store_problem(c, err, "keys");
}

/* The second key and the title of a DLMS meter. */
static enum emt_err keep_dlms(struct api_call *c, const struct seal_key *data_key,
                              const struct meter_key *k, int64_t id, const char *row)
{
    struct seal_place place = { c->tenant, "device_key", row, "authentication-key" };
    uint8_t blob[sizeof k->authentication_key + SEAL_OVERHEAD];
    bool has_key = k->authentication_key_len > 0;
    size_t blob_len = 0;
    enum emt_err err = EMT_OK;

    if (!has_key && !k->has_system_title)
        return EMT_OK;
    if (has_key)
        err = seal_wrap(data_key, &place, k->authentication_key, k->authentication_key_len, blob,
                        &blob_len);
    if (err == EMT_OK)
        err = device_key_set_dlms(c->store, c->tenant, id, has_key ? blob : NULL, blob_len,
                                  k->has_system_title ? k->system_title : NULL);
    return err;
}

/* Wraps and keeps one key. */
static enum emt_err keep_key(struct api_call *c, const struct seal_key *data_key,
                             const struct meter_key *k, int64_t *id)
{
    uint8_t blob[sizeof k->key + SEAL_OVERHEAD];
    size_t blob_len = 0;
    char row[24];
    enum emt_err err = device_key_next(c->store, c->tenant, id);

    if (err != EMT_OK)
        return err;
    snprintf(row, sizeof row, "%lld", (long long)*id);
    struct seal_place place = { c->tenant, "device_key", row, "key" };
    err = seal_wrap(data_key, &place, k->key, k->key_len, blob, &blob_len);
    if (err == EMT_OK)
        err = device_key_insert(
            c->store, c->tenant, *id, k->manufacturer[0] ? k->manufacturer : NULL,
            k->number[0] ? k->number : NULL, k->version, k->type, k->label, blob, blob_len);
    if (err == EMT_OK)
        err = keep_dlms(c, data_key, k, *id, row);
    return err;
}

enum emt_err api_meter_key_keep(struct api_call *c, const struct meter_key *k, int64_t *id)
{
    struct seal_key data_key;
    enum emt_err err = api_data_key(c, &data_key);

    if (err != EMT_OK)
        return err;
    err = keep_key(c, &data_key, k, id);
    seal_key_wipe(&data_key);
    return err;
}

/* Frames that wait for a key of such a meter are decoded again; the state stands for all that a new
 * key may help. */
static enum emt_err wake_waiting(struct api_call *c, const struct meter_key *k)
{
    json_t *j = json_pack("{s:s}", "state", frame_state_name(FRAME_KEY_NEEDED));
    int failed = 0;

    if (k->number[0])
        failed |= json_object_set_new(j, "number", json_string(k->number));
    if (k->manufacturer[0])
        failed |= json_object_set_new(j, "manufacturer", json_string(k->manufacturer));
    if (k->version >= 0)
        failed |= json_object_set_new(j, "version", json_integer(k->version));
    if (k->type >= 0)
        failed |= json_object_set_new(j, "type", json_integer(k->type));
    char *payload = failed ? NULL : json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(j);
    if (payload == NULL)
        return EMT_ENOMEM;
    enum emt_err err =
        job_store_add(c->store, c->tenant, "replay", payload, payload, EMT_TIME_NONE);
    free(payload);
    return err;
}

static bool read_one(struct api_call *c, struct meter_key *k)
{
    static const struct api_field fields[] = {
        { "key", FIELD_TEXT, true, false, 16, 64, NULL },
        { "number", FIELD_TEXT, false, false, 1, 32, NULL },
        { "manufacturer", FIELD_TEXT, false, false, 3, 3, NULL },
        { "version", FIELD_INT, false, false, 0, 255, NULL },
        { "type", FIELD_INT, false, false, 0, 255, NULL },
        { "label", FIELD_TEXT, false, false, 0, METER_KEY_LABEL_MAX, NULL },
        { "authentication_key", FIELD_TEXT, false, false, 32, 64, NULL },
        { "system_title", FIELD_TEXT, false, false, 16, 16, NULL },
    };
    enum { N = sizeof fields / sizeof fields[0] };
    struct api_value v[N];
    struct emt_diag diag = { 0 };
    json_t *body = NULL;
    bool ok = false;

    api_body(c, fields, N, v, &body, &ok);
    meter_key_init(k);
    if (!ok)
        return false;
    for (size_t i = 0; i < N && ok; i++) {
        char number[8];

        if (!v[i].present)
            continue;
        snprintf(number, sizeof number, "%d", (int)v[i].number);
        ok = meter_key_set(k, fields[i].name, v[i].text != NULL ? v[i].text : number, &diag) ==
             EMT_OK;
        if (!ok)
            api_problem(c, 400, "invalid", fields[i].name, "%s", diag.text);
    }
    api_body_wipe(body);
    return ok;
}

static enum emt_err answer_key(struct api_call *c, int64_t id)
{
    struct store_result *r = NULL;
    enum emt_err err = device_key_get(c->store, c->tenant, id, &r);

    if (err != EMT_OK)
        return api_store_problem(c, err, "key");
    json_t *j = api_row(r, 0, 1, columns, COLUMNS);
    store_result_free(r);
    return api_json(c, 201, j);
}

static enum emt_err create_one(struct api_call *c)
{
    struct seal_key data_key;
    struct meter_key k;
    int64_t id = 0;

    if (!read_one(c, &k)) {
        meter_key_wipe(&k);
        return EMT_OK;
    }
    enum emt_err err = api_data_key(c, &data_key);
    if (err == EMT_OK) {
        err = keep_key(c, &data_key, &k, &id);
        seal_key_wipe(&data_key);
    }
    if (err == EMT_OK)
        err = registry_touch(c->store, c->tenant);
    if (err == EMT_OK)
        err = wake_waiting(c, &k);
    if (err == EMT_OK)
        err = api_audit(c, "meter-key.create", k.number[0] ? k.number : "any", "key %lld",
                        (long long)id);
    meter_key_wipe(&k);
    c->wake = true;
    return err == EMT_OK ? answer_key(c, id) : api_store_problem(c, err, "key");
}

/* --- CSV --- */

struct keys_import {
    struct api_call *call;
    struct seal_key data_key;
    struct import_result result;
    enum emt_err err;
};

static void import_line(void *ctx, unsigned line, const struct meter_key *k, const char *reason)
{
    struct keys_import *in = ctx;
    char text[24];
    int64_t id = 0;

    if (in->err != EMT_OK)
        return;
    if (k == NULL) {
        import_rejected(&in->result, line, reason);
        return;
    }
    in->err = keep_key(in->call, &in->data_key, k, &id);
    snprintf(text, sizeof text, "%lld", (long long)id);
    import_accepted(&in->result, line, text);
}

static enum emt_err create_many(struct api_call *c)
{
    struct keys_import in = { .call = c };
    struct emt_diag diag = { 0 };
    struct meter_key any;
    size_t len = 0;
    const uint8_t *text = http_request_body(c->req, &len);
    enum emt_err err = api_data_key(c, &in.data_key);

    meter_key_init(&any);
    import_begin(&in.result, c);
    if (err == EMT_OK) {
        err = meter_key_csv_read((const char *)text, len, import_line, &in, &diag);
        seal_key_wipe(&in.data_key);
        if (err != EMT_OK) {
            import_release(&in.result);
            return api_problem(c, 400, "invalid", NULL, "csv: %s", diag.text);
        }
        err = in.err;
    }
    if (err == EMT_OK && in.result.accepted > 0)
        err = registry_touch(c->store, c->tenant);
    if (err == EMT_OK && in.result.accepted > 0)
        err = wake_waiting(c, &any);
    if (err == EMT_OK)
        err = api_audit(c, "meter-key.import", "csv", "%lld keys, %lld lines rejected",
                        (long long)in.result.accepted, (long long)in.result.rejected);
    if (err != EMT_OK) {
        import_release(&in.result);
        return api_store_problem(c, err, "keys");
    }
    c->wake = true;
    return import_answer(c, &in.result);
}

enum emt_err api_meter_key_create(struct api_call *c)
{
    return import_is_csv(c) ? create_many(c) : create_one(c);
}

enum emt_err api_meter_key_delete(struct api_call *c)
{
    int64_t id = 0;

    if (!api_param_number(c, 0, "key", &id))
        return EMT_OK;
    enum emt_err err = device_key_delete(c->store, c->tenant, id);
    if (err == EMT_OK)
        err = registry_touch(c->store, c->tenant);
    if (err == EMT_OK)
        err = api_audit(c, "meter-key.delete", c->param[0], "key %lld", (long long)id);
    return err == EMT_OK ? api_empty(c, 204) : api_store_problem(c, err, "key");
}
