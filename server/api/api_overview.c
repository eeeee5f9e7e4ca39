/* What the start pages show: the tenant in figures, the platform's nodes, the version. */
#include "api_route.h"
#include "store/migrate.h"
#include "store/overview_store.h"

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#ifndef EMT_VERSION
#define EMT_VERSION "unknown"
#endif

enum emt_err api_version(struct api_call *c)
{
    return api_json(c, 200,
                    json_pack("{s:s, s:s, s:i}", "name", "EMT Platform", "version", EMT_VERSION,
                              "schema", STORE_SCHEMA_VERSION));
}

enum emt_err api_node_list(struct api_call *c)
{
    static const struct api_column columns[] = {
        { "id", COL_INT, NULL },           { "name", COL_TEXT, NULL },
        { "version", COL_TEXT, NULL },     { "started_at", COL_TIME, NULL },
        { "lease_until", COL_TIME, NULL }, { "alive", COL_BOOL, NULL },
        { "gateways", COL_INT, NULL },
    };
    struct store_result *r = NULL;
    struct store *admin = api_admin(c);
    enum emt_err err = admin != NULL ? node_list(admin, &r) : EMT_EDB;

    if (err != EMT_OK)
        return api_store_problem(c, err, "nodes");
    json_t *items = json_array();
    for (int i = 0; i < store_rows(r); i++)
        json_array_append_new(items, api_row(r, i, 0, columns, sizeof columns / sizeof columns[0]));
    store_result_free(r);
    return api_json(c, 200, json_pack("{s:o}", "items", items));
}

static json_t *overview_json(const struct overview *o)
{
    return json_pack(
        "{s:{s:I, s:I, s:I}, s:{s:I, s:I, s:I}, s:{s:I, s:I, s:I}, s:I, s:I, s:{s:I, s:I},"
        " s:{s:o, s:I}, s:{s:I, s:I}}",
        "gateways", "total", (json_int_t)o->gateways, "connected", (json_int_t)o->connected,
        "revoked", (json_int_t)o->revoked, "devices", "total", (json_int_t)o->devices, "active",
        (json_int_t)o->active, "heard", (json_int_t)o->heard, "frames", "last_24h",
        (json_int_t)o->frames_24h, "not_ok_24h", (json_int_t)o->not_ok_24h, "key_needed",
        (json_int_t)o->key_needed, "readings_24h", (json_int_t)o->readings_24h, "conflicts",
        (json_int_t)o->conflicts, "events", "alarms_7d", (json_int_t)o->alarms_7d, "warnings_7d",
        (json_int_t)o->warnings_7d, "exports", "last_at", api_time(o->export_at), "count_7d",
        (json_int_t)o->exports_7d, "jobs", "running", (json_int_t)o->jobs_running, "failed",
        (json_int_t)o->jobs_failed);
}

enum emt_err api_overview(struct api_call *c)
{
    struct overview o;
    enum emt_err err = overview_read(c->store, c->tenant, c->now, &o);

    return err == EMT_OK ? api_json(c, 200, overview_json(&o))
                         : api_store_problem(c, err, "overview");
}
