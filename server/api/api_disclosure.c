#include "api_route.h"
#include "store/disclosure_store.h"

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* Everything that is stored about a place (GDPR, article 15). Who asked stands in the audit. */
enum emt_err api_location_disclosure(struct api_call *c)
{
    struct store_result *r = NULL;
    json_t *document;
    enum emt_err err = disclosure_get(c->store, c->tenant, c->param[0], &r);

    if (err == EMT_OK)
        err = api_audit(c, "location.disclose", c->param[0], "what is stored about it");
    if (err != EMT_OK) {
        store_result_free(r);
        return api_store_problem(c, err, "location");
    }
    document = json_loads(c_text(r, 0, 0), 0, NULL);
    store_result_free(r);
    return document != NULL ? api_json(c, 200, document) : EMT_ENOMEM;
}
