/* Orders to decode stored frames again, and what that would change. */
#include "api_job.h"
#include "api_route.h"
#include "model/frame_state.h"
#include "store/device_store.h"
#include "store/job_store.h"
#include "store/replay_store.h"

#include <stdlib.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum { DEVICE, STATE, FROM, TO, DRY_RUN, FIELDS };

/* The state is known and worth a try; false: the problem is answered. */
static bool good_state(struct api_call *c, const struct api_value *v, bool compares)
{
    enum frame_state state;

    if (!v[STATE].present)
        return true;
    if (frame_state_parse(v[STATE].text, &state) == EMT_OK &&
        (compares || frame_state_retry(state) != FRAME_RETRY_NEVER))
        return true;
    (void)api_problem(c, 400, "invalid", "state", "state: %s is not tried again", v[STATE].text);
    return false;
}

/* False: the problem is answered. */
static bool good_order(struct api_call *c, const struct api_value *v)
{
    bool compares = v[DRY_RUN].present;

    if (!compares && v[DEVICE].present == v[STATE].present) {
        (void)api_problem(c, 400, "invalid", NULL, "body: name either a device or a state");
        return false;
    }
    if (!compares && (v[FROM].present || v[TO].present)) {
        (void)api_problem(c, 400, "invalid", "dry_run",
                          "dry_run: a period is compared, so say whether to apply it");
        return false;
    }
    if (v[FROM].present && v[TO].present && v[FROM].time >= v[TO].time) {
        (void)api_problem(c, 400, "invalid", "from", "from: must lie before to");
        return false;
    }
    return good_state(c, v, compares);
}

static json_t *payload_of(const struct api_value *v, int64_t device)
{
    json_t *j = json_object();

    if (device != 0)
        json_object_set_new(j, "device", json_integer(device));
    if (v[STATE].present)
        json_object_set_new(j, "state", json_string(v[STATE].text));
    if (v[FROM].present)
        json_object_set_new(j, "from", api_time(v[FROM].time));
    if (v[TO].present)
        json_object_set_new(j, "to", api_time(v[TO].time));
    return j;
}

static enum emt_err order(struct api_call *c, const struct api_value *v, int64_t *job)
{
    const char *kind = !v[DRY_RUN].present ? "replay"
                       : v[DRY_RUN].flag   ? "replay-difference"
                                           : "replay-apply";
    int64_t device = 0;
    enum emt_err err = EMT_OK;

    if (v[DEVICE].present)
        err = device_find(c->store, c->tenant, v[DEVICE].text, &device);
    if (err != EMT_OK)
        return err;
    json_t *j = payload_of(v, device);
    char *payload = j != NULL ? json_dumps(j, JSON_SORT_KEYS) : NULL;
    json_decref(j);
    if (payload == NULL)
        return EMT_ENOMEM;
    err = job_store_order(c->store, c->tenant, kind, payload, payload, EMT_TIME_NONE, c->who.actor,
                          job);
    if (err == EMT_OK)
        err = api_audit(c, "frames.replay", "frames", "%s %s", kind, payload);
    free(payload);
    return err;
}

enum emt_err api_replay_create(struct api_call *c)
{
    static const struct api_field fields[FIELDS] = {
        [DEVICE] = { "device", FIELD_TEXT, false, false, 1, 64, NULL },
        [STATE] = { "state", FIELD_TEXT, false, false, 1, 30, NULL },
        [FROM] = { "from", FIELD_TIME, false, false, 0, 0, NULL },
        [TO] = { "to", FIELD_TIME, false, false, 0, 0, NULL },
        [DRY_RUN] = { "dry_run", FIELD_BOOL, false, false, 0, 0, NULL },
    };
    struct api_value v[FIELDS];
    json_t *body = NULL;
    int64_t job = 0;
    bool ok = false;

    api_body(c, fields, FIELDS, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    enum emt_err err = good_order(c, v) ? order(c, v, &job) : EMT_OK;
    json_decref(body);
    if (err != EMT_OK)
        return api_store_problem(c, err, "device");
    if (c->status != 0)
        return EMT_OK;
    c->wake = true;
    return api_job_accepted(c, job);
}

enum emt_err api_replay_get(struct api_call *c)
{
    struct store_result *r = NULL;
    int64_t job = 0;

    if (!api_param_number(c, 0, "replay", &job))
        return EMT_OK;
    enum emt_err err = replay_difference_get(c->store, c->tenant, job, &r);
    if (err != EMT_OK)
        return api_store_problem(c, err, "difference");
    json_t *j = json_loads(c_text(r, 0, 0), 0, NULL);
    store_result_free(r);
    if (j != NULL)
        json_object_set_new(j, "job", json_integer(job));
    return api_json(c, 200, j);
}
