#include "api_route.h"
#include "store/device_store.h"
#include "store/disclosure_store.h"
#include "store/raw_pack_store.h"

#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* Later than anything: for bindings without an end. */
#define OPEN_END INT64_C(7258118400000000) /* 2200-01-01 */

static emt_time time_of(const json_t *binding, const char *name, emt_time otherwise)
{
    const char *text = json_string_value(json_object_get(binding, name));
    emt_time t = otherwise;

    return text != NULL && time_parse(text, &t) == EMT_OK ? t : otherwise;
}

/* What the database cannot count: frames within packs. */
static enum emt_err count_packed(struct api_call *c, json_t *binding)
{
    const char *ident = json_string_value(json_object_get(binding, "device"));
    struct raw_pack_span span;
    int64_t device = 0;
    enum emt_err err = device_find(c->store, c->tenant, ident != NULL ? ident : "", &device);

    if (err == EMT_OK)
        err = raw_pack_count(c->store, c->tenant, device, time_of(binding, "valid_from", 0),
                             time_of(binding, "valid_to", OPEN_END), &span);
    if (err != EMT_OK)
        return err;
    return json_object_set_new(binding, "packed_frames",
                               json_pack("{s:I, s:o, s:o}", "count", (json_int_t)span.frames,
                                         "first", api_time(span.first), "last",
                                         api_time(span.last))) == 0
               ? EMT_OK
               : EMT_ENOMEM;
}

static enum emt_err add_papers(struct api_call *c, json_t *document)
{
    struct store_result *r = NULL;
    enum emt_err err = disclosure_papers(c->store, c->tenant, c->param[0], &r);

    if (err != EMT_OK)
        return err;
    json_t *papers = json_loads(c_text(r, 0, 0), 0, NULL);
    store_result_free(r);
    err = json_object_update(document, papers) == 0 ? EMT_OK : EMT_ENOMEM;
    json_decref(papers);
    return err;
}

/* Everything that is stored about a place (GDPR, article 15). Who asked stands in the audit. */
enum emt_err api_location_disclosure(struct api_call *c)
{
    struct store_result *r = NULL;
    json_t *document, *binding;
    size_t i;
    enum emt_err err = disclosure_get(c->store, c->tenant, c->param[0], &r);

    if (err == EMT_OK)
        err = api_audit(c, "location.disclose", c->param[0], "what is stored about it");
    if (err != EMT_OK) {
        store_result_free(r);
        return api_store_problem(c, err, "location");
    }
    document = json_loads(c_text(r, 0, 0), 0, NULL);
    store_result_free(r);
    err = add_papers(c, document);
    json_array_foreach(json_object_get(document, "bindings"), i, binding)
    {
        if (err == EMT_OK)
            err = count_packed(c, binding);
    }
    if (err == EMT_OK)
        return document != NULL ? api_json(c, 200, document) : EMT_ENOMEM;
    json_decref(document);
    return api_store_problem(c, err, "disclosure");
}
