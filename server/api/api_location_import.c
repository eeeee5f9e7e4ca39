/* Locations with their bindings, as CSV: a line makes a location, binds a channel to one, or both.
 */
#include "api_import.h"
#include "api_route.h"
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
    LOC_TO
};
static const struct csv_name names[] = {
    { "code", LOC_CODE },         { "kind", LOC_KIND },
    { "name", LOC_NAME },         { "receiver_mp_id", LOC_RECEIVER },
    { "channel", LOC_CHANNEL },   { "device", LOC_DEVICE },
    { "register", LOC_REGISTER }, { "obis", LOC_OBIS },
    { "ratio", LOC_RATIO },       { "device_number", LOC_DEVICE_NUMBER },
    { "valid_from", LOC_FROM },   { "valid_to", LOC_TO },
};

/* ---- the location ---- */

/* As said, or as the code's own check says. */
static enum emt_err find_kind(const struct import_row *row, enum location_kind *out,
                              struct emt_diag *diag)
{
    const char *kind = row->cell[LOC_KIND];
    const char *code = row->cell[LOC_CODE];

    if (strcasecmp(kind, "melo") == 0 || (*kind == '\0' && melo_check(code, NULL) == EMT_OK))
        *out = LOCATION_MELO;
    else if (strcasecmp(kind, "malo") == 0 || (*kind == '\0' && malo_check(code, NULL) == EMT_OK))
        *out = LOCATION_MALO;
    else
        return emt_fail(diag, EMT_EMALFORMED,
                        *kind ? "kind: must be melo or malo" : "code: neither a MeLo nor a MaLo");
    struct emt_diag why = { 0 };
    enum emt_err err = *out == LOCATION_MELO ? melo_check(code, &why) : malo_check(code, &why);
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
        err = binding_overlap(c->store, c->tenant, location, b.obis, b.from, b.to, 0, &overlapping);
    if (err == EMT_OK && overlapping > 0)
        return emt_fail(diag, EMT_ECONFLICT, "valid_from: %s is bound in this period already",
                        b.obis);
    if (err != EMT_OK)
        return err;
    return binding_insert(c->store, c->tenant, location, b.channel, b.obis, b.ratio.mantissa,
                          b.ratio.exponent, row->cell[LOC_DEVICE_NUMBER], b.from, b.to, &id);
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
