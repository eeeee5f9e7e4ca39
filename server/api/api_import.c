#include "api_import.h"

#include "api_route.h"
#include "api_text.h"
#include "model/device_id.h"
#include "store/device_key_store.h"
#include "store/device_store.h"
#include "store/entitlement_store.h"
#include "store/gateway_store.h"
#include "store/job_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define LINES_MAX 10001 /* with the head */
#define NAME_MAX_CHARS 200
#define N(a) (sizeof(a) / sizeof((a)[0]))

/* ---- results ---- */

void import_begin(struct import_result *r, struct api_call *c)
{
    *r = (struct import_result){ .call = c, .lines = json_array(), .rejected_lines = json_array() };
}

void import_release(struct import_result *r)
{
    json_decref(r->lines);
    json_decref(r->rejected_lines);
    r->lines = r->rejected_lines = NULL;
}

void import_accepted(struct import_result *r, unsigned line, const char *id)
{
    r->accepted++;
    if (json_array_size(r->lines) < IMPORT_LINES_TOLD)
        json_array_append_new(r->lines, json_pack("{s:i, s:s, s:s}", "line", (int)line, "result",
                                                  "accepted", "id", id));
}

void import_rejected(struct import_result *r, unsigned line, const char *reason)
{
    json_t *j =
        json_pack("{s:i, s:s, s:s}", "line", (int)line, "result", "rejected", "reason", reason);

    r->rejected++;
    if (json_array_size(r->lines) < IMPORT_LINES_TOLD)
        json_array_append(r->lines, j);
    if (json_array_size(r->rejected_lines) < IMPORT_LINES_TOLD)
        json_array_append(r->rejected_lines, j);
    json_decref(j);
}

enum emt_err import_answer(struct api_call *c, struct import_result *r)
{
    bool all = r->accepted + r->rejected <= IMPORT_LINES_TOLD;
    json_t *lines = json_incref(all ? r->lines : r->rejected_lines);
    json_int_t accepted = r->accepted;
    json_int_t rejected = r->rejected;

    import_release(r);
    return api_json(
        c, 200,
        json_pack("{s:I, s:I, s:o}", "accepted", accepted, "rejected", rejected, "lines", lines));
}

bool import_is_csv(const struct api_call *c)
{
    const char *type = http_request_header(c->req, "Content-Type");

    return type != NULL && strncasecmp(type, "text/csv", 8) == 0 && strchr("; \t", type[8]) != NULL;
}

/* ---- lines ---- */

static enum emt_err set_cell(void *ctx, int field, const char *text, struct emt_diag *diag)
{
    struct import_row *row = ctx;

    if (!text_is_utf8(text, strlen(text)))
        return emt_fail(diag, EMT_EMALFORMED, "a cell is not UTF-8");
    snprintf(row->cell[field], sizeof row->cell[field], "%s", text);
    return EMT_OK;
}

static const char *store_reason(enum emt_err err)
{
    return err == EMT_ECONFLICT   ? "exists already"
           : err == EMT_ENOTFOUND ? "something that it names does not exist"
                                  : "a value is not allowed";
}

/* A line that the database refuses is undone by itself: the others stay. */
static enum emt_err import_line(struct api_call *c, const struct import_kind *kind,
                                struct csv_line *line, const struct csv_head *head,
                                struct import_row *row, unsigned no, struct import_result *result)
{
    struct emt_diag diag = { 0 };
    char id[IMPORT_ID_MAX] = "";

    memset(row, 0, sizeof *row);
    enum emt_err err = csv_read_line(line, head, set_cell, row, &diag);
    if (err != EMT_OK) {
        import_rejected(result, no, diag.text);
        return EMT_OK;
    }
    err = store_script(c->store, "savepoint line", NULL);
    if (err != EMT_OK)
        return err;
    err = kind->keep(c, row, id, &diag);
    if (err == EMT_OK) {
        import_accepted(result, no, id);
        return store_script(c->store, "release savepoint line", NULL);
    }
    if (emt_err_class(err) != EMT_CLASS_REJECT && err != EMT_ELIMIT)
        return err;
    import_rejected(result, no, diag.text[0] ? diag.text : store_reason(err));
    return store_script(c->store, "rollback to savepoint line; release savepoint line", NULL);
}

static enum emt_err import_lines(struct api_call *c, const struct import_kind *kind,
                                 struct csv *csv, const struct csv_head *head,
                                 struct import_result *result)
{
    struct import_row *row = malloc(sizeof *row);
    struct csv_line line;
    enum emt_err err = row != NULL ? EMT_OK : EMT_ENOMEM;

    while (err == EMT_OK && csv_next_line(csv, &line)) {
        if (!csv_is_blank(&line))
            err = import_line(c, kind, &line, head, row, csv->line, result);
    }
    free(row);
    return err;
}

static unsigned count_lines(const char *text, size_t n)
{
    unsigned lines = 0;

    for (const char *p = text; p != NULL && p < text + n; lines++) {
        p = memchr(p, '\n', (size_t)(text + n - p));
        p = p != NULL ? p + 1 : NULL;
    }
    return lines;
}

enum emt_err import_run(struct api_call *c, const struct import_kind *kind)
{
    struct import_result result;
    struct emt_diag diag = { 0 };
    struct csv_head head;
    struct csv csv;
    size_t len = 0;
    const uint8_t *text = http_request_body(c->req, &len);

    if (!import_is_csv(c))
        return api_problem(c, 400, "invalid", "Content-Type", "Content-Type: must be text/csv");
    if (count_lines((const char *)text, len) > LINES_MAX)
        return api_problem(c, 413, "too-large", NULL, "csv: more than %d lines", LINES_MAX);
    csv_init(&csv, (const char *)text, len);
    if (csv_read_head(&csv, kind->names, kind->nnames, kind->needed, &head, &diag) != EMT_OK)
        return api_problem(c, 400, "invalid", NULL, "csv: %s", diag.text);
    import_begin(&result, c);
    enum emt_err err = import_lines(c, kind, &csv, &head, &result);
    if (err == EMT_OK && result.accepted > 0 && kind->after != NULL)
        err = kind->after(c);
    if (err == EMT_OK)
        err = api_audit(c, kind->action, "csv", "%lld accepted, %lld rejected",
                        (long long)result.accepted, (long long)result.rejected);
    if (err == EMT_OK)
        return import_answer(c, &result);
    import_release(&result);
    return api_store_problem(c, err, "import");
}

enum emt_err import_check_length(const char *name, const char *text, struct emt_diag *diag)
{
    return text_length(text) <= NAME_MAX_CHARS
               ? EMT_OK
               : emt_fail(diag, EMT_EMALFORMED, "%s: longer than %d characters", name,
                          NAME_MAX_CHARS);
}

static const char *text_or_null(const char *text)
{
    return *text ? text : NULL;
}

/* ---- gateways ---- */

enum { GW_ID, GW_NAME, GW_PLACE };
static const struct csv_name gateway_names[] = {
    { "id", GW_ID },
    { "name", GW_NAME },
    { "place", GW_PLACE },
};

static enum emt_err keep_gateway(struct api_call *c, const struct import_row *row,
                                 char id[IMPORT_ID_MAX], struct emt_diag *diag)
{
    int64_t number = 0;
    enum emt_err err = import_check_length("name", row->cell[GW_NAME], diag);

    if (err == EMT_OK)
        err = import_check_length("place", row->cell[GW_PLACE], diag);
    if (err != EMT_OK)
        return err;
    err = gateway_insert(c->store, c->tenant, row->cell[GW_ID], row->cell[GW_NAME],
                         row->cell[GW_PLACE], &number);
    if (err == EMT_ELIMIT)
        return emt_fail(diag, err,
                        "id: letters, digits, '.', '_' and '-', beginning with a letter or digit, "
                        "at most 63");
    if (err == EMT_ECONFLICT)
        return emt_fail(diag, err, "id: a gateway of this id exists");
    snprintf(id, IMPORT_ID_MAX, "%.79s", row->cell[GW_ID]);
    return err;
}

enum emt_err api_gateway_import(struct api_call *c)
{
    static const struct import_kind kind = { "gateway.import", gateway_names, N(gateway_names),
                                             1u << GW_ID,      keep_gateway,  NULL };

    return import_run(c, &kind);
}

/* ---- devices ---- */

enum { DEV_ID, DEV_NAME, DEV_PLACE, DEV_ACTIVE, DEV_ASSIGNMENT };
#define DEV_ADOPTED 1 /* the place of its name, which is the column's number */
static const struct csv_name device_names[] = {
    { "id", DEV_ID },
    { "name", DEV_NAME },
    { "place", DEV_PLACE },
    { "active", DEV_ACTIVE },
    { "assignment", DEV_ASSIGNMENT },
};

/* -1 for an empty cell. */
static enum emt_err read_name(const char *field, const char *text, const char *const *names,
                              int *out, struct emt_diag *diag)
{
    *out = -1;
    if (*text == '\0')
        return EMT_OK;
    for (int i = 0; names[i] != NULL; i++) {
        if (strcasecmp(names[i], text) == 0) {
            *out = i;
            return EMT_OK;
        }
    }
    return emt_fail(diag, EMT_EMALFORMED, "%s: is not one of its values", field);
}

static enum emt_err keep_device(struct api_call *c, const struct import_row *row,
                                char id[IMPORT_ID_MAX], struct emt_diag *diag)
{
    static const char *const flags[] = { "false", "true", NULL };
    static const char *const assignments[] = { "heard", "adopted", "ignored", NULL };
    struct device_row d = { .name = text_or_null(row->cell[DEV_NAME]),
                            .place = text_or_null(row->cell[DEV_PLACE]) };
    struct device_id ident;
    char canonical[DEVICE_ID_TEXT_MAX];
    int64_t number = 0;
    bool room = true;

    if (device_id_parse(row->cell[DEV_ID], &ident) != EMT_OK)
        return emt_fail(diag, EMT_EMALFORMED, "id: must be an ident as KAM-60723506-19-0c");
    enum emt_err err = import_check_length("name", row->cell[DEV_NAME], diag);
    if (err == EMT_OK)
        err = import_check_length("place", row->cell[DEV_PLACE], diag);
    if (err == EMT_OK)
        err = read_name("active", row->cell[DEV_ACTIVE], flags, &d.active, diag);
    if (err == EMT_OK)
        err = read_name("assignment", row->cell[DEV_ASSIGNMENT], assignments, &d.assignment, diag);
    if (err != EMT_OK)
        return err;
    d.ident = device_id_format(&ident, canonical);
    d.manufacturer = ident.manufacturer;
    d.number = ident.number;
    d.version = ident.has_version ? ident.version : -1;
    d.type = ident.has_version ? ident.type : -1;
    snprintf(id, IMPORT_ID_MAX, "%.79s", canonical);
    if (d.active != 0 && (d.assignment == -1 || d.assignment == DEV_ADOPTED))
        err = entitlement_has_room(c->store, c->tenant, d.ident, d.assignment != -1, d.active == 1,
                                   &room);
    if (err == EMT_OK && !room)
        return emt_fail(diag, EMT_ELIMIT,
                        "active: as many meters are active as are agreed with the tenant");
    return err == EMT_OK ? device_upsert(c->store, c->tenant, &d, &number) : err;
}

/* Frames of meters that were only heard wait; now some are adopted. */
static enum emt_err after_devices(struct api_call *c)
{
    enum emt_err err = registry_touch(c->store, c->tenant);

    c->wake = true;
    return err == EMT_OK ? job_store_add(c->store, c->tenant, "replay", "all", "{}", EMT_TIME_NONE)
                         : err;
}

enum emt_err api_device_import(struct api_call *c)
{
    static const struct import_kind kind = { "device.import", device_names, N(device_names),
                                             1u << DEV_ID,    keep_device,  after_devices };

    return import_run(c, &kind);
}
