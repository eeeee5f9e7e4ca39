/* Who did what, and whether anybody touched the record of it. */
#include "api_audit.h"

#include "api_internal.h"
#include "api_query.h"
#include "api_route.h"
#include "jobs/audit_chain.h"
#include "store/audit_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

static const struct api_column columns[] = {
    { "id", COL_INT, NULL },      { "at", COL_TIME, NULL },      { "actor", COL_TEXT, NULL },
    { "action", COL_TEXT, NULL }, { "object", COL_TEXT, NULL },  { "detail", COL_TEXT, NULL },
    { "peer", COL_TEXT, NULL },   { "chain_no", COL_INT, NULL },
};

static enum emt_err list(struct api_call *c, struct store *s)
{
    struct audit_filter f = { NULL, NULL, EMT_TIME_NONE, EMT_TIME_NONE };
    struct store_result *r = NULL;
    struct api_page page;

    if (!api_page_read(c, 1000, 100, true, &page) || !api_query_text(c, "actor", 128, &f.actor) ||
        !api_query_text(c, "action", 64, &f.action) || !api_query_time(c, "from", &f.from) ||
        !api_query_time(c, "to", &f.to))
        return EMT_OK;
    enum emt_err err =
        s != NULL ? audit_list(s, c->tenant, &f, page.cursor_number, page.limit + 1, &r) : EMT_EDB;
    return err == EMT_OK ? api_page_answer(c, r, page.limit, columns,
                                           sizeof columns / sizeof columns[0], NULL)
                         : api_store_problem(c, err, "audit");
}

enum emt_err api_audit_list(struct api_call *c)
{
    return list(c, c->store);
}

enum emt_err api_platform_audit_list(struct api_call *c)
{
    return list(c, api_admin(c));
}

static enum emt_err verify(struct api_call *c, struct store *s)
{
    struct audit_verdict v;
    struct store *keys = api_admin(c);
    enum emt_err err =
        s != NULL && keys != NULL ? audit_chain_verify(s, keys, c->tenant, &v) : EMT_EDB;

    if (err != EMT_OK)
        return api_store_problem(c, err, "audit");
    json_t *bad =
        v.ok ? json_null()
             : json_pack("{s:I, s:s}", "entry_id", (json_int_t)v.bad_entry, "reason", v.reason);
    return api_json(c, 200,
                    json_pack("{s:I, s:I, s:I, s:I, s:b, s:o, s:o}", "entries",
                              (json_int_t)v.entries, "chained", (json_int_t)v.chained, "anchors",
                              (json_int_t)v.anchors, "cut_up_to", (json_int_t)v.base, "ok", v.ok,
                              "first_bad", bad, "checked_at", api_time(v.checked_at)));
}

enum emt_err api_audit_verify(struct api_call *c)
{
    return verify(c, c->store);
}

enum emt_err api_platform_audit_verify(struct api_call *c)
{
    return verify(c, api_admin(c));
}

/* --- reads of load profiles --- */

void read_log_init(struct read_log *l)
{
    pthread_mutex_init(&l->mutex, NULL);
    memset(l->seen, 0, sizeof l->seen);
}

void read_log_release(struct read_log *l)
{
    pthread_mutex_destroy(&l->mutex);
}

/* FNV-1a */
static uint64_t mix(uint64_t h, const void *p, size_t n)
{
    const uint8_t *b = p;

    for (size_t i = 0; i < n; i++)
        h = (h ^ b[i]) * UINT64_C(1099511628211);
    return h;
}

uint64_t read_log_mark(struct read_log *l, int32_t tenant, const char *actor, int64_t channel,
                       emt_time now)
{
    int64_t slot = now / READ_LOG_SLOT;
    uint64_t h = UINT64_C(14695981039346656037);

    h = mix(h, &tenant, sizeof tenant);
    h = mix(h, actor, strlen(actor));
    h = mix(h, &channel, sizeof channel);
    h = mix(h, &slot, sizeof slot);
    h |= 1; /* never 0 */
    pthread_mutex_lock(&l->mutex);
    bool seen = l->seen[h / 2 % READ_LOG_PLACES] == h;
    pthread_mutex_unlock(&l->mutex);
    return seen ? 0 : h;
}

void read_log_keep(struct read_log *l, uint64_t mark)
{
    if (mark == 0)
        return;
    pthread_mutex_lock(&l->mutex);
    l->seen[mark / 2 % READ_LOG_PLACES] = mark;
    pthread_mutex_unlock(&l->mutex);
}

enum emt_err api_audit_read(struct api_call *c, int64_t channel, emt_time from, emt_time to)
{
    char object[40];
    char begin[32];
    char end[32];

    c->read_mark = read_log_mark(&c->api->reads, c->tenant, c->who.actor, channel, c->now);
    if (c->read_mark == 0)
        return EMT_OK;
    if (channel != 0)
        snprintf(object, sizeof object, "channel %" PRId64, channel);
    else
        snprintf(object, sizeof object, "all channels");
    return api_audit(c, "readings.read", object, "%s to %s, and what else within ten minutes",
                     time_format(from, begin), time_format(to, end));
}
