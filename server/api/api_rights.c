#include "api_rights.h"

#include "api_audit.h"
#include "api_internal.h"
#include "api_query.h"
#include "api_route.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
/* Refusals are noted once per key, channel and ten minutes; reads of the same channel have the
 * number itself. */
#define REFUSAL(channel) (-1 - (channel))

static const struct {
    enum emt_err (*handle)(struct api_call *c);
} outside[] = {
    { api_reading_list },
    { api_reading_bulk },
    { api_permission_list },
    { api_export_content },
};

bool api_is_outside(const struct api_call *c)
{
    return c->who.recipient[0] != '\0';
}

struct mandate_asker api_asker(const struct api_call *c)
{
    return (struct mandate_asker){ c->who.recipient, c->who.purpose };
}

bool api_outside_route(const struct api_route *route)
{
    for (size_t i = 0; i < N(outside); i++)
        if (outside[i].handle == route->handle)
            return true;
    return false;
}

enum emt_err api_outside_refused(struct api_call *c)
{
    return api_problem(c, 403, "mandate", NULL,
                       "the key is of %s, outside of the tenant: it reads values under a mandate, "
                       "see /permissions",
                       c->who.recipient);
}

/* The refusal is answered with a rollback, so its note has a transaction of its own. */
static enum emt_err note(struct api_call *c, int64_t subject, const char *object, const char *text)
{
    struct read_log *log = &c->api->reads;
    uint64_t mark = read_log_mark(log, c->tenant, c->who.actor, REFUSAL(subject), c->now);

    if (mark == 0)
        return EMT_OK;
    store_rollback(c->store);
    enum emt_err err = store_begin(c->store, c->tenant);
    if (err == EMT_OK)
        err = api_audit(c, "mandate.refuse", object, "%s", text);
    if (err == EMT_OK)
        err = store_commit(c->store);
    if (err != EMT_OK) {
        store_rollback(c->store);
        return err;
    }
    read_log_keep(log, mark);
    return EMT_OK;
}

/* Which location a channel belongs to is told in the audit; to the asker only where it has or had
 * a mandate for it. */
static enum emt_err refuse(struct api_call *c, int64_t channel, const struct store_result *gap)
{
    char from[32], to[32], object[40], text[600];
    const char *code = c_null(gap, 0, 0) ? "no location" : c_text(gap, 0, 0);
    bool known = !c_null(gap, 0, 0) && c_bool(gap, 0, 3);

    time_format(c_time(gap, 0, 1), from);
    time_format(c_time(gap, 0, 2), to);
    snprintf(object, sizeof object, "channel %" PRId64, channel);
    snprintf(text, sizeof text, "%.100s, %.200s: %.40s from %s to %s", c->who.recipient,
             c->who.purpose, code, from, to);
    enum emt_err err = note(c, channel, object, text);
    if (err != EMT_OK)
        return api_store_problem(c, err, "audit");
    return api_problem(c, 403, "mandate", NULL,
                       "no mandate for %.100s (%.200s): %s%.40s from %s to %s", c->who.recipient,
                       c->who.purpose, known ? "location " : "", known ? code : object, from, to);
}

bool api_may_read(struct api_call *c, int64_t channel, emt_time from, emt_time to,
                  enum emt_err *err)
{
    const struct mandate_asker who = api_asker(c);
    struct store_result *gap = NULL;

    *err = EMT_OK;
    if (!api_is_outside(c) || from >= to)
        return true;
    *err = mandate_missing(c->store, c->tenant, &who, channel, from, to, &gap);
    if (*err == EMT_ENOTFOUND) {
        *err = EMT_OK;
        return true;
    }
    *err = *err == EMT_OK ? refuse(c, channel, gap) : api_store_problem(c, *err, "mandates");
    store_result_free(gap);
    return false;
}

enum emt_err api_readable_until(struct api_call *c, int64_t channel, emt_time at, emt_time most,
                                emt_time *until)
{
    const struct mandate_asker who = api_asker(c);
    struct store_result *r = NULL;

    *until = most;
    if (!api_is_outside(c))
        return EMT_OK;
    enum emt_err err = mandate_stretches(c->store, c->tenant, &who, channel, 0, 1, at, most, &r);
    if (err != EMT_OK)
        return err;
    *until = store_rows(r) > 0 && !c_null(r, 0, 1) && c_time(r, 0, 1) == at ? c_time(r, 0, 2) : at;
    store_result_free(r);
    return EMT_OK;
}

bool api_may_read_file(struct api_call *c, int64_t file, const char *kind, const char *receiver,
                       enum emt_err *err)
{
    struct store_result *gap = NULL;
    char from[32], to[32], object[40], text[300];

    *err = EMT_OK;
    if (!api_is_outside(c))
        return true;
    if (strcmp(receiver, c->who.recipient) != 0) {
        *err = api_problem(c, 404, "not-found", NULL, "export does not exist");
        return false;
    }
    /* Of other files nobody can say whose values they show. */
    if (strcmp(kind, "mscons") != 0) {
        *err = api_problem(c, 403, "mandate", NULL, "a %s is handed out by the tenant only", kind);
        return false;
    }
    *err = mandate_file_missing(c->store, c->tenant, file, c->who.purpose, &gap);
    if (*err == EMT_ENOTFOUND) {
        *err = EMT_OK;
        return true;
    }
    if (*err != EMT_OK) {
        *err = api_store_problem(c, *err, "mandates");
        return false;
    }
    snprintf(object, sizeof object, "export %" PRId64, file);
    snprintf(text, sizeof text, "%.100s: location %.40s from %s to %s", receiver, c_text(gap, 0, 0),
             time_format(c_time(gap, 0, 1), from), time_format(c_time(gap, 0, 2), to));
    store_result_free(gap);
    *err = note(c, INT64_C(1) << 62 | file, object, text);
    *err = *err == EMT_OK ? api_problem(c, 403, "mandate", NULL, "no mandate for %s", text)
                          : api_store_problem(c, *err, "audit");
    return false;
}

enum emt_err api_permission_list(struct api_call *c)
{
    static const struct api_column columns[] = {
        { "channel", COL_INT, NULL }, { "location", COL_TEXT, NULL }, { "obis", COL_TEXT, NULL },
        { "unit", COL_TEXT, NULL },   { "quantity", COL_TEXT, NULL }, { "from", COL_TIME, NULL },
        { "to", COL_TIME, NULL },
    };
    struct mandate_asker who = api_asker(c);
    struct store_result *r = NULL;
    struct api_page page;

    if (!api_page_read(c, 1000, 100, true, &page))
        return EMT_OK;
    /* Somebody inside asks for what a party outside sees. */
    if (!api_is_outside(c) && (!api_query_text(c, "recipient", 100, &who.recipient) ||
                               !api_query_text(c, "purpose", 200, &who.purpose)))
        return EMT_OK;
    enum emt_err err =
        mandate_permissions(c->store, c->tenant, &who, page.cursor_number, page.limit + 1, &r);
    return err == EMT_OK ? api_page_answer(c, r, page.limit, columns, N(columns), NULL)
                         : api_store_problem(c, err, "permissions");
}
