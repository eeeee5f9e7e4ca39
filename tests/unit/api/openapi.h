/* The REST document as a judge: which paths it has, and whether an answer is what it promises.
 * Reads the part of JSON Schema that the document uses. */
#ifndef EMT_TESTS_OPENAPI_H
#define EMT_TESTS_OPENAPI_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct openapi;

/* Of schema/api/openapi.yaml; ends the test when it does not load. */
struct openapi *openapi_load(void);
void openapi_free(struct openapi *o);

/* Operation i as the document lists them ("get", "/api/v1/tenants"); false past the end. */
bool openapi_operation(const struct openapi *o, size_t i, char method[8], char path[128]);

/* Who may call the operation: its x-emt-access, x-emt-roles, x-emt-scope. "" where it does not say;
 * borrowed. */
struct openapi_access {
    const char *access, *scope;
    const char *roles[8];
    size_t nroles;
};
void openapi_access(const struct openapi *o, const char *method, const char *path,
                    struct openapi_access *out);

/* Whether the operation has a query parameter of this name, and how many it has. */
bool openapi_has_query(const struct openapi *o, const char *method, const char *path,
                       const char *name);
size_t openapi_queries(const struct openapi *o, const char *method, const char *path);

/* Whether this answer of the operation is documented and its body is of the schema; body NULL:
 * none. On false why says where. method in small letters. */
bool openapi_judge(const struct openapi *o, const char *method, const char *path, unsigned status,
                   const char *content_type, const json_t *body, char why[400]);
/* The same against a schema of components/schemas. */
bool openapi_is(const struct openapi *o, const char *schema, const json_t *value, char why[400]);

#endif
