/* Locations with their bindings, as CSV: a line makes a location, binds a channel to one, or both;
 * and all of them in the same shape. */
#include "api_import.h"
#include "api_route.h"
#include "export/mapping_csv.h"
#include "model/market_id.h"
#include "model/obis.h"
#include "store/device_store.h"
#include "store/export_store.h"
#include "store/location_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum {
    LOC_CODE,
    LOC_KIND,
    LOC_NAME,
    LOC_RECEIVER,
    LOC_CHANNEL,
    LOC_DEVICE,
    LOC_REGISTER,
    LOC_OBIS,
    LOC_RATIO,
    LOC_DEVICE_NUMBER,
    LOC_FROM,
    LOC_TO,
    LOC_USE_CASE,
    LOC_ORDER,
    LOC_CONFIG,
    LOC_DECIMALS,
    LOC_STEP,
    LOC_CAPACITY,
    LOC_FIRST,
    LOC_LAST,
    LOC_MASTER_DATA
};
static const struct csv_name names[] = {
    { "code", LOC_CODE },
    { "kind", LOC_KIND },
    { "name", LOC_NAME },
    { "receiver_mp_id", LOC_RECEIVER },
    { "channel", LOC_CHANNEL },
    { "device", LOC_DEVICE },
    { "register", LOC_REGISTER },
    { "obis", LOC_OBIS },
    { "ratio", LOC_RATIO },
    { "device_number", LOC_DEVICE_NUMBER },
    { "valid_from", LOC_FROM },
    { "valid_to", LOC_TO },
    { "use_case", LOC_USE_CASE },
    { "order_number", LOC_ORDER },
    { "config_id", LOC_CONFIG },
    { "decimals", LOC_DECIMALS },
    { "step_s", LOC_STEP },
    { "capacity", LOC_CAPACITY },
    { "first_reading", LOC_FIRST },
    { "last_reading", LOC_LAST },
    { "master_data_number", LOC_MASTER_DATA },
};

/* ---- the location ---- */

/* As said, or as the code's own check says. */
static enum emt_err find_kind(const struct import_row *row, enum location_kind *out,
                              struct emt_diag *diag)
{
    const char *kind = row->cell[LOC_KIND];
    const char *code = row->cell[LOC_CODE];

    if (strcasecmp(kind, "nelo") == 0 || (*kind == '\0' && nelo_check(code, NULL) == EMT_OK))
        *out = LOCATION_NELO;
    else if (strcasecmp(kind, "tranche") == 0)
        *out = LOCATION_TRANCHE;
    else if (strcasecmp(kind, "melo") == 0 || (*kind == '\0' && melo_check(code, NULL) == EMT_OK))
        *out = LOCATION_MELO;
    else if (strcasecmp(kind, "malo") == 0 || (*kind == '\0' && malo_check(code, NULL) == EMT_OK))
        *out = LOCATION_MALO;
    else
        return emt_fail(diag, EMT_EMALFORMED,
                        *kind ? "kind: must be melo, malo, nelo or tranche"
                              : "code: neither a MeLo nor a MaLo nor a NeLo");
    struct emt_diag why = { 0 };
    enum emt_err err = location_code_check((int)*out, code, &why);
    return err == EMT_OK ? EMT_OK : emt_fail(diag, err, "code: %s", why.text);
}

static enum emt_err make_location(struct api_call *c, const struct import_row *row, int64_t *id,
                                  struct emt_diag *diag)
{
    const char *receiver = row->cell[LOC_RECEIVER];
    struct emt_diag why = { 0 };
    enum location_kind kind = LOCATION_MELO;
    enum emt_err err = find_kind(row, &kind, diag);

    if (err == EMT_OK)
        err = import_check_length("name", row->cell[LOC_NAME], diag);
    if (err != EMT_OK)
        return err;
    if (*receiver && mp_id_check(receiver, &why) != EMT_OK)
        return emt_fail(diag, EMT_EMALFORMED, "receiver_mp_id: %s", why.text);
    return location_insert(c->store, c->tenant, (int)kind, row->cell[LOC_CODE], row->cell[LOC_NAME],
                           *receiver ? receiver : NULL, id);
}

/* ---- its binding ---- */

struct binding {
    int64_t channel;
    char obis[OBIS_TEXT_MAX];
    struct decimal ratio;
    emt_time from, to;
    struct binding_market market;
    struct decimal capacity, first, last;
};

static enum emt_err find_channel(struct api_call *c, const struct import_row *row, int64_t *out,
                                 struct emt_diag *diag)
{
    struct store_result *r = NULL;
    const char *text = row->cell[LOC_CHANNEL];
    char *end = NULL;

    if (*text != '\0') {
        *out = strtoll(text, &end, 10);
        if (*text < '0' || *text > '9' || *end != '\0' || *out <= 0)
            return emt_fail(diag, EMT_EMALFORMED, "channel: must be a number");
        enum emt_err err = channel_get(c->store, c->tenant, *out, &r);

        store_result_free(r);
        return err == EMT_ENOTFOUND ? emt_fail(diag, err, "channel: does not exist") : err;
    }
    if (row->cell[LOC_DEVICE][0] == '\0')
        return emt_fail(diag, EMT_EMALFORMED, "channel: is missing, or device and register");
    const char *reg = row->cell[row->cell[LOC_REGISTER][0] ? LOC_REGISTER : LOC_OBIS];
    enum emt_err err = channel_find(c->store, c->tenant, row->cell[LOC_DEVICE], reg, out);
    if (err == EMT_ENOTFOUND)
        return emt_fail(diag, err, "device: has no register of this code");
    return err == EMT_ECONFLICT ? emt_fail(diag, err, "device: has several such registers") : err;
}

static enum emt_err read_period(const struct import_row *row, struct binding *b,
                                struct emt_diag *diag)
{
    b->to = EMT_TIME_NONE;
    if (time_parse(row->cell[LOC_FROM], &b->from) != EMT_OK)
        return emt_fail(diag, EMT_EMALFORMED, "valid_from: must be a time as 2026-11-20T00:00:00Z");
    if (row->cell[LOC_TO][0] && time_parse(row->cell[LOC_TO], &b->to) != EMT_OK)
        return emt_fail(diag, EMT_EMALFORMED, "valid_to: must be a time as 2026-11-20T00:00:00Z");
    if (b->to != EMT_TIME_NONE && b->to <= b->from)
        return emt_fail(diag, EMT_EMALFORMED, "valid_to: must lie behind valid_from");
    return EMT_OK;
}

static enum emt_err read_value(const struct import_row *row, int column, const char *name,
                               struct decimal *value, const struct decimal **out,
                               struct emt_diag *diag)
{
    const char *text = row->cell[column];

    *out = NULL;
    if (*text == '\0')
        return EMT_OK;
    if (decimal_parse(text, strlen(text), value) != EMT_OK || value->mantissa < 0)
        return emt_fail(diag, EMT_EMALFORMED, "%s: must be a decimal, 0 or more", name);
    *out = value;
    return EMT_OK;
}

/* A small number, or `none` for an empty cell. */
static enum emt_err read_number(const struct import_row *row, int column, const char *name,
                                int none, int *out, struct emt_diag *diag)
{
    const char *text = row->cell[column];
    char *end = NULL;
    long n = strtol(text, &end, 10);

    *out = none;
    if (*text == '\0')
        return EMT_OK;
    if (*text < '0' || *text > '9' || *end != '\0' || n > 99999)
        return emt_fail(diag, EMT_EMALFORMED, "%s: must be a number", name);
    *out = (int)n;
    return EMT_OK;
}

static enum emt_err read_market(const struct import_row *row, struct binding *b,
                                struct emt_diag *diag)
{
    struct binding_market *m = &b->market;
    int use_case = 0;
    int step = 0;

    *m = (struct binding_market){ .order_number = row->cell[LOC_ORDER],
                                  .config_id = row->cell[LOC_CONFIG],
                                  .master_data_number = row->cell[LOC_MASTER_DATA] };
    enum emt_err err = read_number(row, LOC_USE_CASE, "use_case", 0, &use_case, diag);
    if (err == EMT_OK)
        err = read_number(row, LOC_DECIMALS, "decimals", -1, &m->decimals, diag);
    if (err == EMT_OK)
        err = read_number(row, LOC_STEP, "step_s", 0, &step, diag);
    if (err == EMT_OK)
        err = read_value(row, LOC_CAPACITY, "capacity", &b->capacity, &m->capacity, diag);
    if (err == EMT_OK)
        err = read_value(row, LOC_FIRST, "first_reading", &b->first, &m->first_reading, diag);
    if (err == EMT_OK)
        err = read_value(row, LOC_LAST, "last_reading", &b->last, &m->last_reading, diag);
    m->use_case = (unsigned)use_case;
    m->step_s = step;
    if (err == EMT_OK && (m->decimals > 5 || (step != 0 && step != 900 && step != 3600)))
        err = emt_fail(diag, EMT_EMALFORMED, "decimals: 0 to 5; step_s: 900 or 3600");
    if (err == EMT_OK && m->capacity != NULL && m->capacity->mantissa == 0)
        err = emt_fail(diag, EMT_EMALFORMED, "capacity: must be above 0");
    if (err == EMT_OK && (strlen(m->order_number) > 70 || strlen(m->config_id) > 70 ||
                          strlen(m->master_data_number) > 70))
        err = emt_fail(diag, EMT_EMALFORMED,
                       "order_number, config_id, master_data_number: longer than 70 characters");
    return err;
}

static enum emt_err read_binding(struct api_call *c, const struct import_row *row,
                                 struct binding *b, struct emt_diag *diag)
{
    struct obis obis;

    if (obis_parse(row->cell[LOC_OBIS], &obis) != EMT_OK)
        return emt_fail(diag, EMT_EMALFORMED, "obis: must be a code as 1-1:1.29.0");
    obis_format_short(obis, b->obis);
    b->ratio = decimal_of(1, 0);
    if (row->cell[LOC_RATIO][0] && !location_ratio(row->cell[LOC_RATIO], &b->ratio))
        return emt_fail(diag, EMT_EMALFORMED,
                        "ratio: must be a decimal above 0, at most a million");
    if (strlen(row->cell[LOC_DEVICE_NUMBER]) > 35)
        return emt_fail(diag, EMT_EMALFORMED, "device_number: longer than 35 characters");
    enum emt_err err = read_period(row, b, diag);
    if (err == EMT_OK)
        err = read_market(row, b, diag);
    return err == EMT_OK ? find_channel(c, row, &b->channel, diag) : err;
}

static enum emt_err bind(struct api_call *c, const struct import_row *row, int64_t location,
                         struct emt_diag *diag)
{
    struct binding b;
    int64_t overlapping = 0;
    int64_t id = 0;
    enum emt_err err = read_binding(c, row, &b, diag);

    if (err == EMT_OK)
        err = binding_overlap(c->store, c->tenant, location, b.obis, b.from, b.to, 0,
                              b.market.use_case == 13027, &overlapping);
    if (err == EMT_OK && overlapping > 0)
        return emt_fail(diag, EMT_ECONFLICT, "valid_from: %s is bound in this period already",
                        b.obis);
    if (err != EMT_OK)
        return err;
    err = binding_insert(c->store, c->tenant, location, b.channel, b.obis, b.ratio.mantissa,
                         b.ratio.exponent, row->cell[LOC_DEVICE_NUMBER], b.from, b.to, &id);
    return err == EMT_OK ? binding_market_set(c->store, c->tenant, location, id, &b.market) : err;
}

static enum emt_err keep_location(struct api_call *c, const struct import_row *row,
                                  char id[IMPORT_ID_MAX], struct emt_diag *diag)
{
    bool binds = row->cell[LOC_CHANNEL][0] || row->cell[LOC_DEVICE][0] || row->cell[LOC_OBIS][0];
    int64_t location = 0;
    enum emt_err err = location_lock(c->store, c->tenant, row->cell[LOC_CODE], &location);

    if (err == EMT_OK && !binds)
        return emt_fail(diag, EMT_ECONFLICT, "code: this location exists");
    if (err == EMT_ENOTFOUND)
        err = make_location(c, row, &location, diag);
    if (err == EMT_OK && binds)
        err = bind(c, row, location, diag);
    if (err == EMT_OK)
        snprintf(id, IMPORT_ID_MAX, "%.79s", row->cell[LOC_CODE]);
    return err;
}

enum emt_err api_location_import(struct api_call *c)
{
    static const struct import_kind kind = {
        "location.import", names,         sizeof names / sizeof names[0],
        1u << LOC_CODE,    keep_location, NULL
    };

    return import_run(c, &kind);
}

/* Whole places to a page; as many lines as one import takes where a place has up to ten registers.
 */
enum emt_err api_location_export(struct api_call *c)
{
    struct writer *w = http_response_body(c->out);
    char next[MAPPING_CODE_MAX];
    struct api_page page;

    if (!api_page_read(c, 1000, 1000, false, &page))
        return EMT_OK;
    mapping_csv_head(w);
    enum emt_err err = mapping_csv_lines(c->store, c->tenant, page.cursor, page.limit, w, next);
    if (err == EMT_ELIMIT) {
        writer_clear(w);
        return api_problem(c, 413, "too-large", "limit", "limit: fewer places are one answer");
    }
    if (err != EMT_OK)
        return api_store_problem(c, err, "locations");
    if (next[0] != '\0')
        err = http_response_header(c->out, "X-Next-Cursor", next);
    c->status = 200;
    c->content_type = "text/csv";
    return err;
}
