/* One frame, explained: decoded again with the tenant's keys, which never leave this file. */
#include "api_frame.h"
#include "api_route.h"
#include "base/arena.h"
#include "base/cipher.h"
#include "base/hex.h"
#include "parsers/explain.h"
#include "parsers/vendor_profiles.h"
#include "store/frame_detail_store.h"
#include "store/registry_store.h"
#include "store/secret_store.h"

#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define ARENA_LIMIT ((size_t)64 << 20)
#define TEXT_LIMIT ((size_t)16 << 20)
#define FRAME_RECEIVED 4
#define FRAME_DATA 11
#define FRAME_PROTOCOL 7
#define SPOOL_LEN 16
#define DATA_KEYS_MAX 8

/* What one explanation holds on to. */
struct detail {
    struct api_call *c;
    struct arena *arena;
    struct cipher *cipher;
    struct vendor_profiles *vendors;
    struct writer text;
    struct seal_key data_keys[DATA_KEYS_MAX];
    unsigned ndata_keys;
    struct device_id device; /* whose keys these are */
    bool looked_up;
    struct device_key keys[DECODE_KEYS_MAX];
    unsigned nkeys;
    enum emt_err err; /* of the database */
};

static bool detail_init(struct detail *d, struct api_call *c)
{
    memset(d, 0, sizeof *d);
    d->c = c;
    d->arena = arena_new(ARENA_LIMIT);
    d->cipher = cipher_new();
    d->vendors = vendor_profiles_new();
    writer_init_heap(&d->text, TEXT_LIMIT);
    return d->arena && d->cipher && d->vendors &&
           vendor_profiles_add_builtin(d->vendors, NULL) == EMT_OK;
}

static void detail_release(struct detail *d)
{
    cipher_wipe(d->keys, sizeof d->keys);
    cipher_wipe(d->data_keys, sizeof d->data_keys);
    writer_release(&d->text);
    vendor_profiles_free(d->vendors);
    cipher_free(d->cipher);
    if (d->arena)
        arena_free(d->arena);
}

/* ---- keys ---- */

/* The data key of this version among those loaded, or from the database. */
static bool need_data_key(struct detail *d, uint16_t version)
{
    for (unsigned i = 0; i < d->ndata_keys; i++)
        if (d->data_keys[i].version == version)
            return true;
    if (d->ndata_keys == DATA_KEYS_MAX || version == 0 ||
        tenant_key_load(d->c->store, d->c->tenant, version, &d->c->settings->master,
                        &d->data_keys[d->ndata_keys]) != EMT_OK)
        return false;
    d->ndata_keys++;
    return true;
}

/* A key that does not open is passed over, as on the way in. */
static void take_key(struct detail *d, const struct store_result *r, int row)
{
    struct device_key *k = &d->keys[d->nkeys];
    int32_t tenant = d->c->tenant;
    const uint8_t *blob, *title;
    size_t blob_len, len;

    for (int column = 2; column <= 3; column++) {
        blob = c_bytes(r, row, column, &blob_len);
        if (blob_len > 0)
            (void)need_data_key(d, seal_version(blob, blob_len));
    }
    memset(k, 0, sizeof *k);
    if (device_key_open(r, row, tenant, d->data_keys, d->ndata_keys, k->bytes, &len) != EMT_OK)
        return;
    k->len = (uint8_t)len;
    if (device_key_open_authentication(r, row, tenant, d->data_keys, d->ndata_keys, k->ak, &len) ==
        EMT_OK)
        k->ak_len = (uint8_t)len;
    title = device_key_title(r, row);
    if (title) {
        memcpy(k->system_title, title, sizeof k->system_title);
        k->system_title_len = sizeof k->system_title;
    }
    d->nkeys++;
}

static void look_up(struct detail *d, const struct device_id *device)
{
    struct store_result *r = NULL;
    enum emt_err err = frame_detail_keys(d->c->store, d->c->tenant, device, &r);

    d->device = *device;
    d->looked_up = true;
    d->nkeys = 0;
    if (err != EMT_OK && d->err == EMT_OK)
        d->err = err;
    for (int i = 0; err == EMT_OK && i < store_rows(r) && d->nkeys < DECODE_KEYS_MAX; i++)
        take_key(d, r, i);
    store_result_free(r);
}

static unsigned find_keys(void *ctx, const struct device_id *device, struct device_key *keys)
{
    struct detail *d = (struct detail *)ctx;

    if (!d->looked_up || !device_id_equal(&d->device, device))
        look_up(d, device);
    memcpy(keys, d->keys, d->nkeys * sizeof keys[0]);
    return d->nkeys;
}

static bool find_format(void *ctx, const struct device_id *device, uint16_t signature,
                        bool (*use)(void *use_ctx, const uint8_t *header, size_t len),
                        void *use_ctx)
{
    struct detail *d = (struct detail *)ctx;
    struct store_result *r = NULL;
    enum emt_err err = frame_detail_formats(d->c->store, d->c->tenant, device, signature, &r);
    bool used = false;

    if (err != EMT_OK && d->err == EMT_OK)
        d->err = err;
    for (int i = 0; err == EMT_OK && i < store_rows(r) && !used; i++) {
        size_t len;
        const uint8_t *header = c_bytes(r, i, 0, &len);

        used = use(use_ctx, header, len);
    }
    store_result_free(r);
    return used;
}

/* ---- the explanation ---- */

/* A meter that the tenant has not adopted is somebody else's: who sent the frame may be seen, what
 * was measured may not. */
static bool may_read(const struct store_result *r)
{
    return c_null(r, 0, FRAME_DETAIL_ASSIGNMENT) ||
           c_int(r, 0, FRAME_DETAIL_ASSIGNMENT) == DEVICE_ADOPTED;
}

static enum emt_err explain(struct detail *d, const struct store_result *r, json_t **out)
{
    bool open = may_read(r);
    struct decode_request req = { .protocol = (enum protocol)c_int(r, 0, FRAME_PROTOCOL),
                                  .format = (enum frame_format)c_int(r, 0, FRAME_DETAIL_FORMAT),
                                  .cipher = d->cipher,
                                  .arena = d->arena,
                                  .vendors = d->vendors };
    struct decode_result result;
    struct explanation ex;
    enum emt_err err;

    req.frame = c_bytes(r, 0, FRAME_DATA, &req.len);
    if (open) {
        req.keys = (struct key_lookup){ find_keys, d };
        req.formats = (struct format_store){ .find = find_format, .ctx = d };
        req.accept_plaintext = c_bool(r, 0, FRAME_DETAIL_PLAINTEXT);
    }
    err = explain_frame(&req, &result, &ex);
    if (d->err != EMT_OK)
        return d->err;
    if (err != EMT_OK) {
        memset(&ex, 0, sizeof ex);
        ex.note = "more memory than a frame may take";
    }
    if (!open) {
        ex.plain = NULL;
        ex.nrecords = 0;
        ex.note = "the device is heard only, not adopted";
    }
    explain_put_json(&d->text, &ex);
    if (d->text.failed)
        return EMT_ENOMEM;
    *out = json_loadb((const char *)d->text.data, d->text.len, JSON_ALLOW_NUL, NULL);
    return *out ? EMT_OK : EMT_ENOMEM;
}

/* --- one value --- */

static bool is_value(const struct reading *r, const struct frame_value *v, emt_time received)
{
    bool own = r->time != EMT_TIME_NONE && r->time_source != TIME_SOURCE_NONE;
    char key[CHANNEL_KEY_MAX];
    struct decimal base;

    return (own ? r->time : received) == v->at &&
           strcmp(reading_channel_key(r, key), v->key) == 0 &&
           reading_base_value(r, &base) == EMT_OK && decimal_compare(base, v->value) == 0;
}

static enum emt_err look_for(struct detail *d, const struct store_result *r,
                             const struct frame_value *v, bool *holds)
{
    struct decode_request req = { .protocol = (enum protocol)c_int(r, 0, FRAME_PROTOCOL),
                                  .format = (enum frame_format)c_int(r, 0, FRAME_DETAIL_FORMAT),
                                  .keys = { find_keys, d },
                                  .formats = { .find = find_format, .ctx = d },
                                  .accept_plaintext = c_bool(r, 0, FRAME_DETAIL_PLAINTEXT),
                                  .cipher = d->cipher,
                                  .arena = d->arena,
                                  .vendors = d->vendors };
    struct decode_result result;

    req.frame = c_bytes(r, 0, FRAME_DATA, &req.len);
    enum emt_err err = decode_frame(&req, &result);
    if (d->err != EMT_OK)
        return d->err;
    for (unsigned i = 0; err == EMT_OK && !*holds && i < result.nreadings; i++)
        *holds = is_value(&result.readings[i], v, c_time(r, 0, FRAME_RECEIVED));
    return EMT_OK; /* what does not decode holds no value */
}

enum emt_err api_frame_holds(struct api_call *c, const struct frame_place *place,
                             const struct frame_value *value, bool *holds)
{
    struct store_result *r = NULL;
    struct detail *d;
    enum emt_err err =
        frame_detail(c->store, c->tenant, place->gateway, place->spool, place->seq, &r);

    *holds = false;
    if (err != EMT_OK)
        return err == EMT_ENOTFOUND ? EMT_OK : err;
    d = malloc(sizeof *d);
    err = d != NULL && detail_init(d, c) ? EMT_OK : EMT_ENOMEM;
    if (err == EMT_OK && may_read(r))
        err = look_for(d, r, value, holds);
    if (d != NULL)
        detail_release(d);
    free(d);
    store_result_free(r);
    return err;
}

static bool read_place(struct api_call *c, uint8_t spool[SPOOL_LEN], int64_t *seq)
{
    size_t n = 0;

    if (hex_decode(c->param[1], strlen(c->param[1]), spool, SPOOL_LEN, &n) != EMT_OK ||
        n != SPOOL_LEN) {
        api_problem(c, 404, "not-found", NULL, "no such frame");
        return false;
    }
    return api_param_number(c, 2, "frame", seq);
}

enum emt_err api_frame_get(struct api_call *c)
{
    struct store_result *r = NULL;
    json_t *frame = NULL, *explanation = NULL;
    uint8_t spool[SPOOL_LEN];
    struct detail *d;
    int64_t seq = 0;
    enum emt_err err;

    if (!read_place(c, spool, &seq))
        return EMT_OK;
    err = frame_detail(c->store, c->tenant, c->param[0], spool, seq, &r);
    if (err != EMT_OK)
        return api_store_problem(c, err, "frame");
    d = malloc(sizeof *d);
    err = d && detail_init(d, c) ? explain(d, r, &explanation) : EMT_ENOMEM;
    if (d)
        detail_release(d);
    free(d);
    if (err == EMT_OK) {
        frame = api_frame_json(r, 0);
        json_object_set_new(frame, "explain", explanation);
    }
    store_result_free(r);
    return err == EMT_OK ? api_json(c, 200, frame) : api_store_problem(c, err, "frame");
}
