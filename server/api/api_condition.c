#include "api_condition.h"

#include "base/cipher.h"
#include "base/hex.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define ETAG_BYTES 16

/* Quoted, as it stands in the header. "" when memory ran out. */
static void make_etag(const json_t *body, const char *const *lively, char out[API_ETAG_MAX])
{
    json_t *stable = json_copy((json_t *)(uintptr_t)body);
    uint8_t hash[32];
    char hex[2 * ETAG_BYTES + 1];

    out[0] = '\0';
    for (size_t i = 0; stable != NULL && lively != NULL && lively[i] != NULL; i++)
        json_object_del(stable, lively[i]);
    char *text = stable != NULL ? json_dumps(stable, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(stable);
    if (text == NULL)
        return;
    cipher_sha256(text, strlen(text), hash);
    free(text);
    snprintf(out, API_ETAG_MAX, "\"%s\"", hex_encode(hash, ETAG_BYTES, hex));
}

/* A list of ETags, or '*'. Weak ones never fit a change (strong comparison) but fit a question. */
static bool names(const char *list, const char *etag, bool weak_fits)
{
    size_t n = strlen(etag);

    if (strcmp(list, "*") == 0)
        return true;
    for (const char *p = list; *p != '\0';) {
        p += strspn(p, " \t,");
        bool weak = strncmp(p, "W/", 2) == 0;

        p += weak ? 2 : 0;
        if (n > 0 && strncmp(p, etag, n) == 0 && (!weak || weak_fits))
            return true;
        if (*p == '"')
            p += 1 + strcspn(p + 1, "\"");
        p += strcspn(p, ",");
    }
    return false;
}

enum emt_err api_resource(struct api_call *c, unsigned status, json_t *body,
                          const char *const *lively)
{
    const char *none_match = http_request_header(c->req, "If-None-Match");

    if (body == NULL)
        return EMT_ENOMEM;
    make_etag(body, lively, c->etag);
    if (none_match != NULL && http_request_method(c->req) == HTTP_GET &&
        names(none_match, c->etag, true)) {
        json_decref(body);
        return api_empty(c, 304);
    }
    return api_json(c, status, body);
}

bool api_has_if_match(const struct api_call *c)
{
    return http_request_header(c->req, "If-Match") != NULL;
}

bool api_if_match(struct api_call *c, json_t *current, const char *const *lively)
{
    const char *match = http_request_header(c->req, "If-Match");
    char etag[API_ETAG_MAX] = "";

    if (current != NULL)
        make_etag(current, lively, etag);
    json_decref(current);
    if (match == NULL || names(match, etag, false))
        return true;
    api_problem(c, 412, "precondition", "If-Match", "If-Match: it was changed meanwhile; it is %s",
                etag);
    return false;
}
