#include "api_call.h"

#include "api_text.h"
#include "base/cipher.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/seal.h"
#include "store/audit_store.h"
#include "store/secret_store.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define RETRY_AFTER_S 5
#define JSON_BODY_MAX (256 << 10)
#define JSON_DEPTH_MAX 16

const char *const api_role_names[ROLES + 1] = { "reader",       "field-technician",
                                                "data-manager", "certificate-manager",
                                                "tenant-admin", NULL };

/* --- answers --- */

static const char *status_title(unsigned status)
{
    switch (status) {
    case 400:
        return "The request is not valid";
    case 401:
        return "No valid key or session";
    case 403:
        return "Not allowed";
    case 404:
        return "Not found";
    case 405:
        return "Method not allowed";
    case 409:
        return "Conflict";
    case 410:
        return "Gone";
    case 412:
        return "Changed meanwhile";
    case 413:
        return "Too large";
    case 422:
        return "Not the same request";
    case 429:
        return "Too many requests";
    case 503:
        return "Not available now";
    default:
        return "The request failed";
    }
}

static int put_piece(const char *p, size_t n, void *writer)
{
    return writer_bytes(writer, p, n) ? 0 : -1;
}

/* Writes the document; what stood in the answer before is gone. */
static enum emt_err put_body(struct api_call *c, unsigned status, const char *type, json_t *body)
{
    struct writer *w = http_response_body(c->out);

    writer_clear(w);
    bool ok = body != NULL && json_dump_callback(body, put_piece, w, JSON_COMPACT) == 0;
    json_decref(body);
    if (!ok)
        return EMT_ENOMEM;
    c->status = status;
    c->content_type = type;
    c->disposition[0] = '\0';
    return EMT_OK;
}

enum emt_err api_json(struct api_call *c, unsigned status, json_t *body)
{
    return put_body(c, status, "application/json", body);
}

enum emt_err api_empty(struct api_call *c, unsigned status)
{
    writer_clear(http_response_body(c->out));
    c->status = status;
    c->content_type = NULL;
    return EMT_OK;
}

enum emt_err api_problem(struct api_call *c, unsigned status, const char *problem,
                         const char *field, const char *fmt, ...)
{
    char detail[400];
    char type[96];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(detail, sizeof detail, fmt, ap);
    va_end(ap);
    text_clean(detail);
    snprintf(type, sizeof type, "urn:emt:problem:%s", problem);
    json_t *body = json_pack("{s:s, s:s, s:i, s:s*, s:s*, s:s}", "type", type, "title",
                             status_title(status), "status", (int)status, "detail", detail, "field",
                             field, "request", http_request_id(c->req));
    return put_body(c, status, "application/problem+json", body);
}

/* What was read back breaks its own rules, such as a block of values: it exists, and somebody has
 * to look at it. */
static enum emt_err damaged(struct api_call *c, enum emt_err err, const char *what)
{
    LOG_ERROR("stored-damaged", LOG_S("what", what), LOG_I("tenant", c->tenant),
              LOG_S("path", http_request_path(c->req)), LOG_S("error", emt_err_name(err)),
              LOG_S("request", http_request_id(c->req)));
    return api_problem(c, 503, "damaged", NULL,
                       "%s: what is stored here is damaged; the server's log names the request",
                       what);
}

enum emt_err api_store_problem(struct api_call *c, enum emt_err err, const char *what)
{
    switch (emt_err_class(err)) {
    case EMT_CLASS_OK:
        return EMT_OK;
    case EMT_CLASS_RETRY:
        break;
    case EMT_CLASS_REJECT:
        if (err == EMT_ECONFLICT)
            return api_problem(c, 409, "conflict", NULL,
                               "%s: exists already, or something refers to it", what);
        if (err == EMT_ETRUNCATED || err == EMT_EMALFORMED)
            return damaged(c, err, what);
        return api_problem(c, 404, "not-found", NULL, "%s does not exist", what);
    case EMT_CLASS_REFUSE:
        if (err == EMT_ESTATE) /* a statement failed unseen, and the commit took all of it back */
            break;
        return api_problem(c, 400, "invalid", NULL, "%s: a value is not allowed", what);
    case EMT_CLASS_BROKEN:
        if (err == EMT_ENOMEM || err == EMT_EINTERNAL)
            return err;
        break;
    }
    LOG_WARN("api-database", LOG_S("what", what),
             LOG_S("sqlstate", c->store ? store_sqlstate(c->store) : NULL),
             LOG_S("reason", c->store ? store_error(c->store) : NULL),
             LOG_S("request", http_request_id(c->req)));
    c->retry_after_s = RETRY_AFTER_S;
    return api_problem(c, 503, "unavailable", NULL, "the database does not answer; try again");
}

/* --- bodies --- */

static bool value_number(struct api_call *c, const struct api_field *f, const json_t *j,
                         struct api_value *v)
{
    if (!json_is_integer(j)) {
        api_problem(c, 400, "invalid", f->name, "%s: must be a whole number", f->name);
        return false;
    }
    v->number = json_integer_value(j);
    if (v->number < f->least || v->number > f->most) {
        api_problem(c, 400, "invalid", f->name, "%s: must be %lld to %lld", f->name,
                    (long long)f->least, (long long)f->most);
        return false;
    }
    return true;
}

static bool value_name(struct api_call *c, const struct api_field *f, struct api_value *v)
{
    char list[256] = "";
    size_t at = 0;

    for (int i = 0; f->names[i] != NULL; i++) {
        if (strcmp(f->names[i], v->text) == 0) {
            v->number = i;
            return true;
        }
        int n = snprintf(list + at, sizeof list - at, "%s%s", i ? ", " : "", f->names[i]);
        at += n > 0 && at + (size_t)n < sizeof list ? (size_t)n : 0;
    }
    api_problem(c, 400, "invalid", f->name, "%s: must be one of %s", f->name, list);
    return false;
}

static bool value_text(struct api_call *c, const struct api_field *f, const json_t *j,
                       struct api_value *v)
{
    if (!json_is_string(j)) {
        api_problem(c, 400, "invalid", f->name, "%s: must be a text", f->name);
        return false;
    }
    v->text = json_string_value(j); /* UTF-8 without zero bytes: jansson refuses others */
    if (f->kind == FIELD_ENUM)
        return value_name(c, f, v);
    if (f->kind == FIELD_TIME) {
        if (time_parse(v->text, &v->time) == EMT_OK)
            return true;
        api_problem(c, 400, "invalid", f->name, "%s: must be a time as in 2026-11-20T12:00:00Z",
                    f->name);
        return false;
    }
    size_t n = text_length(v->text);
    if (n >= (size_t)f->least && n <= (size_t)f->most)
        return true;
    api_problem(c, 400, "invalid", f->name, "%s: must have %lld to %lld characters", f->name,
                (long long)f->least, (long long)f->most);
    return false;
}

static bool value_read(struct api_call *c, const struct api_field *f, json_t *j,
                       struct api_value *v)
{
    v->present = true;
    v->time = EMT_TIME_NONE;
    if (json_is_null(j) && f->nullable) {
        v->null = true;
        return true;
    }
    switch (f->kind) {
    case FIELD_TEXT:
    case FIELD_TIME:
    case FIELD_ENUM:
        return value_text(c, f, j, v);
    case FIELD_INT:
        return value_number(c, f, j, v);
    case FIELD_BOOL:
        if (json_is_boolean(j)) {
            v->flag = json_is_true(j);
            return true;
        }
        api_problem(c, 400, "invalid", f->name, "%s: must be true or false", f->name);
        return false;
    case FIELD_OBJECT:
        if (json_is_object(j)) {
            v->object = j;
            return true;
        }
        api_problem(c, 400, "invalid", f->name, "%s: must be an object", f->name);
        return false;
    case FIELD_LIST:
        if (json_is_array(j) && json_array_size(j) >= (size_t)f->least &&
            json_array_size(j) <= (size_t)f->most) {
            v->object = j;
            return true;
        }
        api_problem(c, 400, "invalid", f->name, "%s: must be a list of %lld to %lld", f->name,
                    (long long)f->least, (long long)f->most);
        return false;
    }
    return false;
}

/* No request of ours nests deeper; a parser that goes along would pay for it with stack. */
static bool too_deep(const uint8_t *p, size_t n)
{
    bool text = false;
    int depth = 0;

    for (size_t i = 0; i < n; i++) {
        if (text && p[i] == '\\')
            i++;
        else if (p[i] == '"')
            text = !text;
        else if (!text && (p[i] == '{' || p[i] == '['))
            depth++;
        else if (!text && (p[i] == '}' || p[i] == ']'))
            depth--;
        if (depth > JSON_DEPTH_MAX)
            return true;
    }
    return false;
}

static json_t *body_object(struct api_call *c)
{
    json_error_t error;
    size_t len = 0;
    const uint8_t *p = http_request_body(c->req, &len);

    if (len == 0)
        return json_object();
    if (len > JSON_BODY_MAX) {
        api_problem(c, 413, "too-large", NULL, "body: more than %d KiB", JSON_BODY_MAX >> 10);
        return NULL;
    }
    if (too_deep(p, len)) {
        api_problem(c, 400, "invalid", NULL, "body: more than %d objects and lists in each other",
                    JSON_DEPTH_MAX);
        return NULL;
    }
    json_t *j = json_loadb((const char *)p, len, JSON_REJECT_DUPLICATES, &error);
    if (j == NULL) {
        /* The parser's own words quote the body, which may hold a key. */
        bool twice = json_error_code(&error) == json_error_duplicate_key;

        api_problem(c, 400, "invalid", NULL, "body: %s: line %d, column %d",
                    twice ? "a field is there twice" : "no JSON", error.line, error.column);
    } else if (!json_is_object(j)) {
        api_problem(c, 400, "invalid", NULL, "body: must be an object");
        json_decref(j);
        j = NULL;
    }
    return j;
}

static bool is_known(const struct api_field *fields, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(fields[i].name, name) == 0)
            return true;
    }
    return false;
}

void api_body(struct api_call *c, const struct api_field *fields, size_t n,
              struct api_value *values, json_t **body, bool *ok)
{
    const char *name;
    json_t *member;

    *ok = false;
    *body = body_object(c);
    for (size_t i = 0; i < n; i++)
        values[i] = (struct api_value){ 0 };
    if (*body == NULL)
        return;
    *ok = true;
    json_object_foreach(*body, name, member)
    {
        if (*ok && !is_known(fields, n, name)) {
            api_problem(c, 400, "invalid", NULL, "body: no field is called %.60s", name);
            *ok = false;
        }
    }
    for (size_t i = 0; i < n && *ok; i++) {
        member = json_object_get(*body, fields[i].name);
        if (member != NULL) {
            *ok = value_read(c, &fields[i], member, &values[i]);
        } else if (fields[i].required) {
            api_problem(c, 400, "invalid", fields[i].name, "%s: is missing", fields[i].name);
            *ok = false;
        }
    }
    if (!*ok) {
        api_body_wipe(*body);
        *body = NULL;
    }
}

void api_body_wipe(json_t *body)
{
    const char *name;
    json_t *member;

    json_object_foreach(body, name, member)
    {
        if (json_is_string(member))
            cipher_wipe((char *)json_string_value(member), json_string_length(member));
    }
    json_decref(body);
}

/* --- query parameters --- */

static bool parse_number(const char *text, int64_t least, int64_t most, int64_t *out)
{
    char *end = NULL;

    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || v < least || v > most)
        return false;
    *out = v;
    return true;
}

bool api_page_read(struct api_call *c, int most, int usual, bool numeric, struct api_page *out)
{
    const char *limit = http_request_query(c->req, "limit");
    const char *cursor = http_request_query(c->req, "cursor");
    int64_t n = usual;

    if (limit != NULL && !parse_number(limit, 1, most, &n)) {
        api_problem(c, 400, "invalid", "limit", "limit: must be 1 to %d", most);
        return false;
    }
    out->limit = (int)n;
    out->cursor = cursor != NULL ? cursor : "";
    out->cursor_number = 0;
    if (numeric && *out->cursor && !parse_number(out->cursor, 0, INT64_MAX, &out->cursor_number)) {
        api_problem(c, 400, "invalid", "cursor", "cursor: not one of this list");
        return false;
    }
    return true;
}

bool api_query_time(struct api_call *c, const char *name, emt_time *out)
{
    const char *text = http_request_query(c->req, name);

    if (text == NULL || time_parse(text, out) == EMT_OK)
        return true;
    api_problem(c, 400, "invalid", name, "%s: must be a time as in 2026-11-20T12:00:00Z", name);
    return false;
}

bool api_param_number(struct api_call *c, unsigned i, const char *what, int64_t *out)
{
    if (parse_number(c->param[i], 0, INT64_MAX, out))
        return true;
    api_problem(c, 404, "not-found", NULL, "%s %.60s does not exist", what, c->param[i]);
    return false;
}

/* --- rows to JSON --- */

json_t *api_time(emt_time t)
{
    char text[32];

    return t == EMT_TIME_NONE ? json_null() : json_string(time_format(t, text));
}

json_t *api_decimal(struct decimal d)
{
    char text[DECIMAL_TEXT_MAX];

    return json_string(decimal_format(d, text));
}

static json_t *hex_string(const uint8_t *p, size_t n)
{
    char *text = malloc(2 * n + 1);
    json_t *j = text != NULL ? json_string(hex_encode(p, n, text)) : NULL;

    free(text);
    return j;
}

static json_t *column_enum(const struct api_column *col, int64_t v)
{
    for (int64_t i = 0; col->names[i] != NULL; i++) {
        if (i == v)
            return json_string(col->names[i]);
    }
    return json_null();
}

static json_t *column_value(const struct api_column *col, const struct store_result *r, int row,
                            int at)
{
    size_t n = 0;

    if (c_null(r, row, at))
        return json_null();
    switch (col->kind) {
    case COL_TEXT:
        return json_string(c_text(r, row, at));
    case COL_INT:
        return json_integer(c_int(r, row, at));
    case COL_BOOL:
        return json_boolean(c_bool(r, row, at));
    case COL_TIME:
        return api_time(c_time(r, row, at));
    case COL_ENUM:
        return column_enum(col, c_int(r, row, at));
    case COL_HEX: {
        const uint8_t *p = c_bytes(r, row, at, &n);
        return hex_string(p, n);
    }
    case COL_DECIMAL:
        return api_decimal(decimal_of(c_int(r, row, at), (int)c_int(r, row, at + 1)));
    case COL_JSON:
        return json_loads(c_text(r, row, at), 0, NULL);
    case COL_SKIP:
        break;
    }
    return json_null();
}

json_t *api_row(const struct store_result *r, int row, int first, const struct api_column *cols,
                size_t n)
{
    json_t *j = json_object();
    int at = first;

    for (size_t i = 0; i < n && j != NULL; i++) {
        if (cols[i].kind != COL_SKIP &&
            json_object_set_new(j, cols[i].name, column_value(&cols[i], r, row, at)) != 0) {
            json_decref(j);
            return NULL;
        }
        at += cols[i].kind == COL_DECIMAL ? 2 : 1;
    }
    return j;
}

enum emt_err api_page_answer(struct api_call *c, struct store_result *r, int limit,
                             const struct api_column *cols, size_t n,
                             json_t *(*row_of)(const struct store_result *r, int row))
{
    int rows = store_rows(r);
    int shown = rows > limit ? limit : rows;
    json_t *items = json_array();
    bool ok = items != NULL;

    for (int i = 0; i < shown && ok; i++)
        ok = json_array_append_new(items, row_of ? row_of(r, i) : api_row(r, i, 1, cols, n)) == 0;
    json_t *page = ok ? json_object() : NULL;
    if (page != NULL && rows > limit)
        ok = json_object_set_new(page, "next", json_string(c_text(r, shown - 1, 0))) == 0;
    if (json_object_set(page, "items", items) != 0)
        ok = false;
    json_decref(items);
    store_result_free(r);
    if (!ok) {
        json_decref(page);
        return EMT_ENOMEM;
    }
    return api_json(c, 200, page);
}

/* --- others --- */

static enum emt_err audit_put(struct api_call *c, struct store *s, int32_t tenant,
                              const char *action, const char *object, const char *fmt, va_list ap)
    EMT_PRINTF(6, 0);
static enum emt_err audit_put(struct api_call *c, struct store *s, int32_t tenant,
                              const char *action, const char *object, const char *fmt, va_list ap)
{
    char detail[512];

    vsnprintf(detail, sizeof detail, fmt, ap);
    text_clean(detail);
    struct audit_entry entry = { .tenant = tenant,
                                 .actor = c->who.actor,
                                 .action = action,
                                 .object = object,
                                 .detail = detail,
                                 .peer = http_request_peer(c->req) };
    return audit_append(s, &entry);
}

enum emt_err api_audit(struct api_call *c, const char *action, const char *object, const char *fmt,
                       ...)
{
    va_list ap;

    va_start(ap, fmt);
    enum emt_err err = audit_put(c, c->tenant != 0 ? c->store : c->worker->admin, c->tenant, action,
                                 object, fmt, ap);
    va_end(ap);
    return err;
}

enum emt_err api_audit_on(struct api_call *c, struct store *s, int32_t tenant, const char *action,
                          const char *object, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    enum emt_err err = audit_put(c, s, tenant, action, object, fmt, ap);
    va_end(ap);
    return err;
}

struct store *api_admin(struct api_call *c)
{
    struct emt_diag diag = { 0 };
    struct api_worker *w = c->worker;

    if (w->admin != NULL && store_is_broken(w->admin)) {
        store_close(w->admin);
        w->admin = NULL;
    }
    if (w->admin == NULL &&
        store_open(c->settings->conninfo, STORE_ADMIN, 5000, &w->admin, &diag) != EMT_OK)
        w->admin = NULL;
    if (w->admin != NULL)
        store_set_patience(w->admin, API_DATABASE_MS);
    return w->admin;
}

enum emt_err api_secret(const char *prefix, char out[128], uint8_t hash[32])
{
    uint8_t random[32];
    char text[48];
    enum emt_err err = cipher_random(random, sizeof random);

    if (err != EMT_OK)
        return err;
    snprintf(out, 128, "%s%s", prefix, base64url_encode(random, sizeof random, text));
    cipher_sha256(out, strlen(out), hash);
    cipher_wipe(random, sizeof random);
    cipher_wipe(text, sizeof text);
    return EMT_OK;
}

enum emt_err api_data_key(struct api_call *c, struct seal_key *out)
{
    return tenant_key_load(c->store, c->tenant, 0, &c->settings->master, out);
}
