/* Which channel is which register of a place, and everything that exports ask of it besides. */
#include "api_import.h"
#include "api_route.h"
#include "export/mscons_export.h"
#include "model/obis.h"
#include "store/device_store.h"
#include "store/location_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define BINDINGS_MAX 1000
#define N(a) (sizeof(a) / sizeof((a)[0]))

/* Columns of binding_get(). */
enum {
    ROW_ID = 1,
    ROW_CHANNEL,
    ROW_OBIS,
    ROW_RATIO,
    ROW_DEVICE_NUMBER = 6,
    ROW_FROM,
    ROW_TO,
    ROW_USE_CASE,
    ROW_ORDER,
    ROW_CONFIG,
    ROW_DECIMALS,
    ROW_STEP,
    ROW_CAPACITY,
    ROW_FIRST = 16,
    ROW_LAST = 18,
    ROW_MASTER_DATA = 20
};
static const struct api_column columns[] = {
    { "id", COL_INT, NULL },
    { "channel", COL_INT, NULL },
    { "obis", COL_TEXT, NULL },
    { "ratio", COL_DECIMAL, NULL },
    { "device_number", COL_TEXT, NULL },
    { "valid_from", COL_TIME, NULL },
    { "valid_to", COL_TIME, NULL },
    { "use_case", COL_TEXT, NULL },
    { "order_number", COL_TEXT, NULL },
    { "config_id", COL_TEXT, NULL },
    { "decimals", COL_INT, NULL },
    { "step_s", COL_INT, NULL },
    { "capacity", COL_DECIMAL, NULL },
    { "first_reading", COL_DECIMAL, NULL },
    { "last_reading", COL_DECIMAL, NULL },
    { "master_data_number", COL_TEXT, NULL },
};

enum emt_err api_binding_list(struct api_call *c)
{
    struct store_result *r = NULL;
    int64_t location = 0;
    enum emt_err err = location_find(c->store, c->tenant, c->param[0], &location);

    if (err == EMT_OK)
        err = binding_list(c->store, c->tenant, location, BINDINGS_MAX, &r);
    return err == EMT_OK ? api_page_answer(c, r, BINDINGS_MAX, columns, N(columns), NULL)
                         : api_store_problem(c, err, "location");
}

static enum emt_err answer(struct api_call *c, unsigned status, int64_t location, int64_t id)
{
    struct store_result *r = NULL;
    enum emt_err err = binding_get(c->store, c->tenant, location, id, &r);

    if (err != EMT_OK)
        return api_store_problem(c, err, "binding");
    json_t *j = api_row(r, 0, 1, columns, N(columns));
    store_result_free(r);
    return api_json(c, status, j);
}

/* --- what a binding says --- */

/* Members of a body. */
enum member {
    CHANNEL,
    OBIS,
    RATIO,
    DEVICE_NUMBER,
    FROM,
    TO,
    USE_CASE,
    ORDER,
    CONFIG,
    DECIMALS,
    STEP,
    CAPACITY,
    FIRST,
    LAST,
    MASTER_DATA,
    MEMBERS
};
static const char *const pids[] = { "13002", "13006", "13007", "13008", "13009", "13016",
                                    "13017", "13018", "13019", "13025", "13027", NULL };
#define TABLE(needed, clears)                                                                      \
    {                                                                                              \
        [CHANNEL] = { "channel", FIELD_INT, needed, false, 1, INT64_MAX, NULL },                   \
        [OBIS] = { "obis", FIELD_TEXT, needed, false, 1, 27, NULL }, [RATIO] = { "ratio",          \
                                                                                 FIELD_TEXT,       \
                                                                                 false,            \
                                                                                 false,            \
                                                                                 1,                \
                                                                                 20,               \
                                                                                 NULL },           \
        [DEVICE_NUMBER] = { "device_number", FIELD_TEXT, false, false, 0, 35, NULL },              \
        [FROM] = { "valid_from", FIELD_TIME, needed, false, 0, 0, NULL },                          \
        [TO] = { "valid_to", FIELD_TIME, false, clears, 0, 0, NULL }, [USE_CASE] = { "use_case",   \
                                                                                     FIELD_ENUM,   \
                                                                                     false,        \
                                                                                     clears,       \
                                                                                     0,            \
                                                                                     0,            \
                                                                                     pids },       \
        [ORDER] = { "order_number", FIELD_TEXT, false, false, 0, 70, NULL },                       \
        [CONFIG] = { "config_id", FIELD_TEXT, false, false, 0, 70, NULL },                         \
        [DECIMALS] = { "decimals", FIELD_INT, false, clears, 0, 5, NULL }, [STEP] = { "step_s",    \
                                                                                      FIELD_INT,   \
                                                                                      false,       \
                                                                                      clears,      \
                                                                                      900,         \
                                                                                      3600,        \
                                                                                      NULL },      \
        [CAPACITY] = { "capacity", FIELD_TEXT, false, clears, 1, 20, NULL },                       \
        [FIRST] = { "first_reading", FIELD_TEXT, false, clears, 1, 20, NULL },                     \
        [LAST] = { "last_reading", FIELD_TEXT, false, clears, 1, 20, NULL },                       \
        [MASTER_DATA] = { "master_data_number", FIELD_TEXT, false, false, 0, 70, NULL },           \
    }
static const struct api_field new_fields[MEMBERS] = TABLE(true, false);
static const struct api_field changed_fields[MEMBERS] = TABLE(false, true);

struct binding {
    struct binding_row row;
    char obis[OBIS_TEXT_MAX];
    struct decimal capacity, first, last; /* where the row has them */
};

static const struct decimal *decimal_at(const struct store_result *r, int column,
                                        struct decimal *value)
{
    if (c_null(r, 0, column))
        return NULL;
    *value = decimal_of(c_int(r, 0, column), (int)c_int(r, 0, column + 1));
    return value;
}

/* What stands; texts borrowed from r. */
static void binding_of(struct binding *b, const struct store_result *r)
{
    struct binding_row *row = &b->row;

    snprintf(b->obis, sizeof b->obis, "%s", c_text(r, 0, ROW_OBIS));
    row->channel_id = c_int(r, 0, ROW_CHANNEL);
    row->ratio = decimal_of(c_int(r, 0, ROW_RATIO), (int)c_int(r, 0, ROW_RATIO + 1));
    row->device_number = c_text(r, 0, ROW_DEVICE_NUMBER);
    row->valid_from = c_time(r, 0, ROW_FROM);
    row->valid_to = c_null(r, 0, ROW_TO) ? EMT_TIME_NONE : c_time(r, 0, ROW_TO);
    row->market = (struct binding_market){
        .use_case = (unsigned)strtoul(c_text(r, 0, ROW_USE_CASE), NULL, 10),
        .order_number = c_text(r, 0, ROW_ORDER),
        .config_id = c_text(r, 0, ROW_CONFIG),
        .decimals = c_null(r, 0, ROW_DECIMALS) ? -1 : (int)c_int(r, 0, ROW_DECIMALS),
        .step_s = c_null(r, 0, ROW_STEP) ? 0 : (int32_t)c_int(r, 0, ROW_STEP),
        .capacity = decimal_at(r, ROW_CAPACITY, &b->capacity),
        .first_reading = decimal_at(r, ROW_FIRST, &b->first),
        .last_reading = decimal_at(r, ROW_LAST, &b->last),
        .master_data_number = c_text(r, 0, ROW_MASTER_DATA),
    };
}

bool location_ratio(const char *text, struct decimal *out)
{
    return decimal_parse(text, strlen(text), out) == EMT_OK &&
           decimal_compare(*out, decimal_of(1, -6)) >= 0 &&
           decimal_compare(*out, decimal_of(1, 6)) <= 0;
}

static bool wrong(struct api_call *c, enum member m, const char *reason)
{
    const char *name = new_fields[m].name;

    api_problem(c, 400, "invalid", name, "%s: %s", name, reason);
    return false;
}

/* A register reading or capacity. */
static bool take_decimal(struct api_call *c, const struct api_value *v, enum member m,
                         struct decimal *value, const struct decimal **out)
{
    const char *text = v[m].text;

    if (!v[m].present)
        return true;
    *out = NULL;
    if (v[m].null)
        return true;
    if (decimal_parse(text, strlen(text), value) != EMT_OK || value->mantissa < 0)
        return wrong(c, m, "must be a decimal, 0 or more, as \"45210.5\"");
    *out = value;
    return true;
}

/* What exports ask besides. */
static bool take_market(struct api_call *c, const struct api_value *v, struct binding *b)
{
    struct binding_market *m = &b->row.market;

    if (v[USE_CASE].present)
        m->use_case = v[USE_CASE].null ? 0 : mscons_export_pids()[v[USE_CASE].number];
    if (v[ORDER].present)
        m->order_number = v[ORDER].text;
    if (v[CONFIG].present)
        m->config_id = v[CONFIG].text;
    if (v[MASTER_DATA].present)
        m->master_data_number = v[MASTER_DATA].text;
    if (v[DECIMALS].present)
        m->decimals = v[DECIMALS].null ? -1 : (int)v[DECIMALS].number;
    if (v[STEP].present)
        m->step_s = v[STEP].null ? 0 : (int32_t)v[STEP].number;
    if (m->step_s != 0 && m->step_s != 900 && m->step_s != 3600)
        return wrong(c, STEP, "must be 900 or 3600");
    if (!take_decimal(c, v, CAPACITY, &b->capacity, &m->capacity) ||
        !take_decimal(c, v, FIRST, &b->first, &m->first_reading) ||
        !take_decimal(c, v, LAST, &b->last, &m->last_reading))
        return false;
    if (m->capacity != NULL && m->capacity->mantissa == 0)
        return wrong(c, CAPACITY, "must be above 0");
    return m->last_reading == NULL || b->row.valid_to != EMT_TIME_NONE ||
           wrong(c, LAST, "needs valid_to");
}

/* The body over what stands; false: the problem is answered. */
static bool take(struct api_call *c, const struct api_value *v, struct binding *b)
{
    struct binding_row *row = &b->row;
    struct obis obis;

    if (v[CHANNEL].present)
        row->channel_id = v[CHANNEL].number;
    if (v[OBIS].present) {
        if (obis_parse(v[OBIS].text, &obis) != EMT_OK)
            return wrong(c, OBIS, "must be a code as 1-1:1.29.0");
        obis_format_short(obis, b->obis);
    }
    row->obis = b->obis;
    if (v[RATIO].present && !location_ratio(v[RATIO].text, &row->ratio))
        return wrong(c, RATIO,
                     "must be a decimal above 0, as \"40\" or \"0.01\", at most a million");
    if (v[DEVICE_NUMBER].present)
        row->device_number = v[DEVICE_NUMBER].text;
    if (v[FROM].present)
        row->valid_from = v[FROM].time;
    if (v[TO].present)
        row->valid_to = v[TO].null ? EMT_TIME_NONE : v[TO].time;
    if (row->valid_to != EMT_TIME_NONE && row->valid_to <= row->valid_from)
        return wrong(c, TO, "must lie behind valid_from");
    return take_market(c, v, b);
}

/* One register at a time, and channels that there are. The place is locked; field: the end of the
 * period that is asked for. False: answered, or *err. */
static bool is_free(struct api_call *c, int64_t location, int64_t id, const struct binding *b,
                    const char *field, enum emt_err *err)
{
    const struct binding_row *row = &b->row;
    struct store_result *channel = NULL;
    int64_t overlapping = 0;

    *err = channel_get(c->store, c->tenant, row->channel_id, &channel);
    if (*err == EMT_ENOTFOUND) {
        *err = api_problem(c, 400, "invalid", "channel", "channel: %lld does not exist",
                           (long long)row->channel_id);
        return false;
    }
    store_result_free(channel);
    if (*err == EMT_OK)
        *err = binding_overlap(c->store, c->tenant, location, b->obis, row->valid_from,
                               row->valid_to, id, row->market.use_case == 13027, &overlapping);
    if (*err == EMT_OK && overlapping > 0)
        *err = api_problem(c, 409, "conflict", field, "%s: %s has %s bound in this period already",
                           field, c->param[0], b->obis);
    return *err == EMT_OK && c->status == 0;
}

/* --- making, changing, removing --- */

static enum emt_err insert(struct api_call *c, const struct binding *b)
{
    const struct binding_row *row = &b->row;
    int64_t location = 0;
    int64_t id = 0;
    enum emt_err err = location_lock(c->store, c->tenant, c->param[0], &location);

    if (err != EMT_OK)
        return api_store_problem(c, err, "location");
    if (is_free(c, location, 0, b, "valid_from", &err)) {
        err = binding_insert(c->store, c->tenant, location, row->channel_id, b->obis,
                             row->ratio.mantissa, row->ratio.exponent, row->device_number,
                             row->valid_from, row->valid_to, &id);
        if (err == EMT_OK)
            err = binding_market_set(c->store, c->tenant, location, id, &row->market);
        if (err == EMT_OK)
            err = api_audit(c, "location.bind", c->param[0], "channel %lld as %s",
                            (long long)row->channel_id, b->obis);
        if (err == EMT_OK)
            return answer(c, 201, location, id);
    }
    return err == EMT_OK ? EMT_OK : api_store_problem(c, err, "binding");
}

enum emt_err api_binding_create(struct api_call *c)
{
    struct binding b = { .row = { .ratio = { 1, 0 },
                                  .device_number = "",
                                  .valid_to = EMT_TIME_NONE,
                                  .market = { .decimals = -1 } } };
    struct api_value v[MEMBERS];
    json_t *body = NULL;
    bool ok = false;

    api_body(c, new_fields, MEMBERS, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    enum emt_err err = take(c, v, &b) ? insert(c, &b) : EMT_OK;
    json_decref(body);
    return err;
}

/* The audit says what was and what is: files were made by it. */
static enum emt_err note_change(struct api_call *c, int64_t id, const struct store_result *was,
                                const struct binding *b)
{
    char from[2][32];

    return api_audit(c, "location.rebind", c->param[0],
                     "binding %lld: channel %lld as %s, meter %s, from %s; was channel %lld as %s, "
                     "meter %s, from %s",
                     (long long)id, (long long)b->row.channel_id, b->obis, b->row.device_number,
                     time_format(b->row.valid_from, from[0]), (long long)c_int(was, 0, ROW_CHANNEL),
                     c_text(was, 0, ROW_OBIS), c_text(was, 0, ROW_DEVICE_NUMBER),
                     time_format(c_time(was, 0, ROW_FROM), from[1]));
}

static enum emt_err change(struct api_call *c, int64_t id, const struct api_value *v)
{
    struct store_result *r = NULL;
    struct binding b;
    int64_t location = 0;
    enum emt_err err = location_lock(c->store, c->tenant, c->param[0], &location);

    if (err != EMT_OK)
        return api_store_problem(c, err, "location");
    err = binding_get(c->store, c->tenant, location, id, &r);
    if (err != EMT_OK)
        return api_store_problem(c, err, "binding");
    binding_of(&b, r);
    const char *field = v[TO].present && !v[FROM].present ? "valid_to" : "valid_from";
    if (take(c, v, &b) && is_free(c, location, id, &b, field, &err)) {
        err = binding_update(c->store, c->tenant, location, id, &b.row);
        if (err == EMT_OK)
            err = note_change(c, id, r, &b);
        if (err == EMT_OK)
            err = answer(c, 200, location, id);
    }
    store_result_free(r);
    return err == EMT_OK ? EMT_OK : api_store_problem(c, err, "binding");
}

enum emt_err api_binding_update(struct api_call *c)
{
    struct api_value v[MEMBERS];
    json_t *body = NULL;
    int64_t id = 0;
    bool ok = false;

    if (!api_param_number(c, 1, "binding", &id))
        return EMT_OK;
    api_body(c, changed_fields, MEMBERS, v, &body, &ok);
    enum emt_err err = ok ? change(c, id, v) : EMT_OK;
    json_decref(body);
    return err;
}

enum emt_err api_binding_delete(struct api_call *c)
{
    int64_t location = 0;
    int64_t id = 0;

    if (!api_param_number(c, 1, "binding", &id))
        return EMT_OK;
    enum emt_err err = location_lock(c->store, c->tenant, c->param[0], &location);
    if (err != EMT_OK)
        return api_store_problem(c, err, "location");
    err = binding_delete(c->store, c->tenant, location, id);
    if (err == EMT_OK)
        err = api_audit(c, "location.unbind", c->param[0], "binding %lld removed", (long long)id);
    return err == EMT_OK ? api_empty(c, 204) : api_store_problem(c, err, "binding");
}
