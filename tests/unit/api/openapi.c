#include "openapi.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/yaml.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DOCUMENT "schema/api/openapi.yaml"
#define TEXT_MAX ((size_t)1 << 20)

struct openapi {
    struct yaml *yaml;
    char *text;
};

struct openapi *openapi_load(void)
{
    struct openapi *o = calloc(1, sizeof *o);
    struct emt_diag diag = { 0 };
    size_t n = 0;

    ck_assert_ptr_nonnull(o);
    ck_assert_msg(file_read(DOCUMENT, TEXT_MAX, &o->text, &n, &diag) == EMT_OK, "%s", diag.text);
    ck_assert_msg(yaml_load_text(DOCUMENT, o->text, n, &o->yaml, &diag) == EMT_OK, "%u: %s",
                  diag.line, diag.text);
    return o;
}

void openapi_free(struct openapi *o)
{
    yaml_free(o->yaml);
    free(o->text);
    free(o);
}

/* The tree of base/yaml.h answers questions and lists no keys; the document's paths stand two
 * characters in, their methods four. */
bool openapi_operation(const struct openapi *o, size_t i, char method[8], char path[128])
{
    static const char *const methods[] = { "get", "post", "put", "patch", "delete" };
    bool in_paths = false;

    for (const char *p = o->text; *p != '\0'; p += strcspn(p, "\n"), p += *p == '\n') {
        size_t n = strcspn(p, "\n");

        if (*p != ' ' && n > 0)
            in_paths = strncmp(p, "paths:", 6) == 0;
        if (in_paths && strncmp(p, "  /", 3) == 0)
            snprintf(path, 128, "%.*s", (int)(n - 3), p + 2);
        for (size_t m = 0; in_paths && m < sizeof methods / sizeof methods[0]; m++) {
            size_t len = strlen(methods[m]);

            if (strncmp(p, "    ", 4) != 0 || strncmp(p + 4, methods[m], len) != 0 ||
                p[4 + len] != ':')
                continue;
            if (i-- == 0) {
                snprintf(method, 8, "%s", methods[m]);
                return true;
            }
        }
    }
    return false;
}

/* --- schemas --- */

struct judge {
    const struct yaml *y;
    char *why;
    char at[200]; /* where in the answer */
};

static bool wrong(const struct judge *j, const char *what, const char *detail)
{
    snprintf(j->why, 400, "%s: %s%s", j->at[0] ? j->at : "body", what, detail);
    return false;
}

static const struct yaml_node *get(const struct judge *j, const struct yaml_node *map,
                                   const char *key)
{
    return yaml_get(j->y, map, key);
}

/* "#/components/schemas/Name" */
static const struct yaml_node *resolve(const struct judge *j, const struct yaml_node *node)
{
    const struct yaml_node *ref = get(j, node, "$ref");
    char text[128];

    if (ref == NULL)
        return node;
    snprintf(text, sizeof text, "%s", yaml_scalar(ref));
    ck_assert_int_eq(strncmp(text, "#/", 2), 0);
    node = yaml_root(j->y);
    for (char *p = text + 2, *next; p != NULL; p = next) {
        next = strchr(p, '/');
        if (next != NULL)
            *next++ = '\0';
        node = get(j, node, p);
    }
    ck_assert_ptr_nonnull(node);
    return node;
}

static bool has_type(const char *type, const json_t *v)
{
    if (strcmp(type, "object") == 0)
        return json_is_object(v);
    if (strcmp(type, "array") == 0)
        return json_is_array(v);
    if (strcmp(type, "string") == 0)
        return json_is_string(v);
    if (strcmp(type, "integer") == 0)
        return json_is_integer(v);
    if (strcmp(type, "boolean") == 0)
        return json_is_boolean(v);
    ck_assert_msg(strcmp(type, "null") == 0, "type %s", type);
    return json_is_null(v);
}

static bool judge_type(const struct judge *j, const struct yaml_node *schema, const json_t *v)
{
    const struct yaml_node *type = get(j, schema, "type");

    if (type == NULL || (yaml_scalar(type) != NULL && has_type(yaml_scalar(type), v)))
        return true;
    for (size_t i = 0; i < yaml_count(type); i++) {
        if (has_type(yaml_scalar(yaml_at(type, i)), v))
            return true;
    }
    return wrong(j, "wrong type", "");
}

static bool judge_text(const struct judge *j, const struct yaml_node *schema, const json_t *v)
{
    const struct yaml_node *list = get(j, schema, "enum");
    const struct yaml_node *constant = get(j, schema, "const");
    const struct yaml_node *format = get(j, schema, "format");
    const char *text = json_string_value(v);
    emt_time t;

    if (constant != NULL && (text == NULL || strcmp(text, yaml_scalar(constant)) != 0))
        return wrong(j, "not the constant ", yaml_scalar(constant));
    if (list != NULL) {
        bool found = false;

        for (size_t i = 0; i < yaml_count(list); i++) {
            const char *member = yaml_scalar(yaml_at(list, i)); /* NULL: null */

            found = found ||
                    (member == NULL ? json_is_null(v) : text != NULL && strcmp(text, member) == 0);
        }
        if (!found)
            return wrong(j, "none of the enum: ", text != NULL ? text : "(no text)");
    }
    if (format != NULL && text != NULL && strcmp(yaml_scalar(format), "date-time") == 0 &&
        (time_parse(text, &t) != EMT_OK || text[strlen(text) - 1] != 'Z'))
        return wrong(j, "no UTC time: ", text);
    return true;
}

static bool judge_number(const struct judge *j, const struct yaml_node *schema, const json_t *v)
{
    const struct yaml_node *least = get(j, schema, "minimum");
    const struct yaml_node *most = get(j, schema, "maximum");

    if (!json_is_integer(v))
        return true;
    if (least != NULL && json_integer_value(v) < strtoll(yaml_scalar(least), NULL, 10))
        return wrong(j, "below the minimum", "");
    if (most != NULL && json_integer_value(v) > strtoll(yaml_scalar(most), NULL, 10))
        return wrong(j, "above the maximum", "");
    return true;
}

static bool judge_value(struct judge *j, const struct yaml_node *schema, const json_t *v);

static bool judge_below(struct judge *j, const struct yaml_node *schema, const json_t *v,
                        const char *name, size_t index)
{
    size_t n = strlen(j->at);

    if (name != NULL)
        snprintf(j->at + n, sizeof j->at - n, ".%s", name);
    else
        snprintf(j->at + n, sizeof j->at - n, "[%zu]", index);
    bool ok = judge_value(j, schema, v);
    j->at[n] = '\0';
    return ok;
}

static bool judge_object(struct judge *j, const struct yaml_node *schema, json_t *v)
{
    const struct yaml_node *required = get(j, schema, "required");
    const struct yaml_node *properties = get(j, schema, "properties");
    const struct yaml_node *additional = get(j, schema, "additionalProperties");
    const char *name;
    json_t *member;

    for (size_t i = 0; i < yaml_count(required); i++) {
        if (json_object_get(v, yaml_scalar(yaml_at(required, i))) == NULL)
            return wrong(j, "is missing: ", yaml_scalar(yaml_at(required, i)));
    }
    json_object_foreach(v, name, member)
    {
        const struct yaml_node *known = get(j, properties, name);

        if (known == NULL && additional != NULL && yaml_scalar(additional) != NULL)
            return wrong(j, "is not foreseen: ", name);
        if (known == NULL)
            known = additional;
        if (known != NULL && !judge_below(j, known, member, name, 0))
            return false;
    }
    return true;
}

/* Exactly one of the alternatives. */
static bool judge_one_of(struct judge *j, const struct yaml_node *list, const json_t *v)
{
    size_t fits = 0;

    for (size_t i = 0; i < yaml_count(list); i++)
        fits += judge_value(j, yaml_at(list, i), v);
    if (fits > 1)
        return wrong(j, "several alternatives fit", "");
    return fits == 1; /* else the last one's words stand */
}

static bool judge_value(struct judge *j, const struct yaml_node *schema, const json_t *v)
{
    schema = resolve(j, schema);
    const struct yaml_node *items = get(j, schema, "items");
    const struct yaml_node *one_of = get(j, schema, "oneOf");

    if (one_of != NULL && !judge_one_of(j, one_of, v))
        return false;

    if (!judge_type(j, schema, v) || !judge_text(j, schema, v) || !judge_number(j, schema, v))
        return false;
    if (json_is_object(v))
        return judge_object(j, schema, (json_t *)(uintptr_t)v);
    for (size_t i = 0; items != NULL && i < json_array_size(v); i++) {
        if (!judge_below(j, items, json_array_get(v, i), NULL, i))
            return false;
    }
    return true;
}

static const char *text_of(const struct judge *j, const struct yaml_node *map, const char *key)
{
    const struct yaml_node *node = get(j, map, key);

    return node != NULL && yaml_scalar(node) != NULL ? yaml_scalar(node) : "";
}

void openapi_access(const struct openapi *o, const char *method, const char *path,
                    struct openapi_access *out)
{
    struct judge j = { .y = o->yaml };
    const struct yaml_node *operation =
        get(&j, get(&j, get(&j, yaml_root(o->yaml), "paths"), path), method);
    const struct yaml_node *roles = get(&j, operation, "x-emt-roles");

    *out = (struct openapi_access){ .access = text_of(&j, operation, "x-emt-access"),
                                    .scope = text_of(&j, operation, "x-emt-scope"),
                                    .nroles = yaml_count(roles) };
    ck_assert_uint_le(out->nroles, 8);
    for (size_t i = 0; i < out->nroles; i++)
        out->roles[i] = yaml_scalar(yaml_at(roles, i));
}

bool openapi_is(const struct openapi *o, const char *schema, const json_t *value, char why[400])
{
    struct judge j = { .y = o->yaml, .why = why };
    const struct yaml_node *schemas = get(&j, get(&j, yaml_root(o->yaml), "components"), "schemas");
    const struct yaml_node *node = get(&j, schemas, schema);

    if (node == NULL)
        return wrong(&j, "no such schema: ", schema);
    return judge_value(&j, node, value);
}

bool openapi_judge(const struct openapi *o, const char *method, const char *path, unsigned status,
                   const char *content_type, const json_t *body, char why[400])
{
    struct judge j = { .y = o->yaml, .why = why };
    const struct yaml_node *operation =
        get(&j, get(&j, get(&j, yaml_root(o->yaml), "paths"), path), method);
    char number[8];

    snprintf(number, sizeof number, "%u", status);
    if (operation == NULL)
        return wrong(&j, "no such operation: ", path);
    const struct yaml_node *response = get(&j, get(&j, operation, "responses"), number);
    if (response == NULL)
        return wrong(&j, "no such answer: ", number);
    const struct yaml_node *content = get(&j, resolve(&j, response), "content");
    if (content == NULL)
        return body == NULL ? true : wrong(&j, "a body where none is foreseen", "");
    const struct yaml_node *media = get(&j, content, content_type);
    if (media == NULL)
        return wrong(&j, "no such type: ", content_type);
    return body == NULL ? true : judge_value(&j, get(&j, media, "schema"), body);
}

/* Calls for each query parameter of the operation; counts those of the name, NULL: all. */
static size_t count_queries(const struct openapi *o, const char *method, const char *path,
                            const char *name)
{
    char why[400];
    struct judge j = { .y = o->yaml, .why = why };
    const struct yaml_node *list =
        get(&j, get(&j, get(&j, get(&j, yaml_root(o->yaml), "paths"), path), method), "parameters");
    size_t n = 0;

    for (size_t i = 0; i < yaml_count(list); i++) {
        const struct yaml_node *p = resolve(&j, yaml_at(list, i));

        n += strcmp(yaml_scalar(get(&j, p, "in")), "query") == 0 &&
             (name == NULL || strcmp(yaml_scalar(get(&j, p, "name")), name) == 0);
    }
    return n;
}

bool openapi_has_query(const struct openapi *o, const char *method, const char *path,
                       const char *name)
{
    return count_queries(o, method, path, name) == 1;
}

size_t openapi_queries(const struct openapi *o, const char *method, const char *path)
{
    return count_queries(o, method, path, NULL);
}
