#include "api_route.h"
#include "model/quality.h"
#include "store/device_store.h"
#include "store/frame_query_store.h"
#include "store/reading_query_store.h"

#include <stdio.h>
#include <stdlib.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define CHANNEL_KIND 3
#define CHANNEL_UNIT 6

static const char *const source_names[] = { "none", "meter", "profile", "gateway" };

struct span {
    int64_t channel;
    emt_time from, to;
    int limit;
};

static json_t *reading_json(const struct stored_reading *v)
{
    const char *source =
        v->time_source <= TIME_SOURCE_GATEWAY ? source_names[v->time_source] : "none";

    return json_pack("{s:o, s:o, s:s, s:s}", "ts", api_time(v->ts), "value", api_decimal(v->value),
                     "quality", quality_name(v->quality), "time_source", source);
}

/* The page; next is the time behind the last shown one. */
static enum emt_err answer_page(struct api_call *c, json_t *items, const char *unit, emt_time next)
{
    json_t *body = json_pack("{s:o, s:s?}", "items", items, "unit", unit);

    if (body != NULL && next != EMT_TIME_NONE)
        json_object_set_new(body, "next", json_sprintf("%lld", (long long)next));
    return api_json(c, 200, body);
}

static enum emt_err answer_numbers(struct api_call *c, const struct span *s, const char *unit)
{
    struct stored_reading *list = NULL;
    size_t n = 0;
    enum emt_err err = reading_range(c->store, c->tenant, s->channel, s->from, s->to,
                                     (size_t)s->limit + 1, &list, &n);

    if (err != EMT_OK)
        return api_store_problem(c, err, "readings");
    size_t shown = n > (size_t)s->limit ? (size_t)s->limit : n;
    json_t *items = json_array();
    for (size_t i = 0; i < shown; i++)
        json_array_append_new(items, reading_json(&list[i]));
    err = answer_page(c, items, unit, n > shown ? list[shown - 1].ts + 1 : EMT_TIME_NONE);
    free(list);
    return err;
}

static enum emt_err answer_texts(struct api_call *c, const struct span *s)
{
    struct store_result *r = NULL;
    enum emt_err err = reading_text_range(c->store, c->tenant, s->channel, s->from, s->to,
                                          (size_t)s->limit + 1, &r);

    if (err != EMT_OK)
        return api_store_problem(c, err, "readings");
    int n = store_rows(r);
    int shown = n > s->limit ? s->limit : n;
    json_t *items = json_array();
    for (int i = 0; i < shown; i++) {
        enum quality q = (enum quality)(c_int(r, i, 2) & 0xff);

        json_array_append_new(items,
                              json_pack("{s:o, s:s, s:s}", "ts", api_time(c_time(r, i, 0)), "value",
                                        c_text(r, i, 1), "quality", quality_name(q)));
    }
    err = answer_page(c, items, NULL, n > shown ? c_time(r, shown - 1, 0) + 1 : EMT_TIME_NONE);
    store_result_free(r);
    return err;
}

/* Channel, period and page of the request; false: the problem is answered. */
static bool read_span(struct api_call *c, struct span *s)
{
    struct api_page page;

    if (!api_param_number(c, 0, "channel", &s->channel) ||
        !api_page_read(c, 10000, 1000, true, &page))
        return false;
    s->to = c->now + 2 * EMT_DAY;
    s->from = EMT_TIME_NONE;
    if (!api_query_time(c, "to", &s->to) || !api_query_time(c, "from", &s->from))
        return false;
    if (s->from == EMT_TIME_NONE)
        s->from = (s->to > c->now ? c->now : s->to) - EMT_DAY;
    if (s->from >= s->to) {
        api_problem(c, 400, "invalid", "from", "from: must lie before to");
        return false;
    }
    if (*page.cursor && page.cursor_number > s->from)
        s->from = page.cursor_number;
    s->limit = page.limit;
    return true;
}

enum emt_err api_reading_list(struct api_call *c)
{
    struct store_result *channel = NULL;
    struct span s;

    if (!read_span(c, &s))
        return EMT_OK;
    enum emt_err err = channel_get(c->store, c->tenant, s.channel, &channel);
    if (err != EMT_OK)
        return api_store_problem(c, err, "channel");
    enum reading_kind kind = (enum reading_kind)c_int(channel, 0, CHANNEL_KIND);
    if (s.from >= s.to) /* a cursor behind the end */
        err =
            answer_page(c, json_array(),
                        c_null(channel, 0, CHANNEL_UNIT) ? NULL : c_text(channel, 0, CHANNEL_UNIT),
                        EMT_TIME_NONE);
    else if (kind == READING_TEXT || kind == READING_RAW)
        err = answer_texts(c, &s);
    else
        err = answer_numbers(
            c, &s, c_null(channel, 0, CHANNEL_UNIT) ? NULL : c_text(channel, 0, CHANNEL_UNIT));
    store_result_free(channel);
    return err;
}

enum emt_err api_conflict_list(struct api_call *c)
{
    static const struct api_column columns[] = {
        { "channel", COL_INT, NULL },   { "ts", COL_TIME, NULL },
        { "value", COL_DECIMAL, NULL }, { "kept", COL_DECIMAL, NULL },
        { "seen_at", COL_TIME, NULL },
    };
    struct store_result *r = NULL;
    struct api_page page;

    if (!api_page_read(c, 1000, 100, true, &page))
        return EMT_OK;
    enum emt_err err = conflict_list(c->store, c->tenant, page.cursor_number, page.limit + 1, &r);
    return err == EMT_OK ? api_page_answer(c, r, page.limit, columns,
                                           sizeof columns / sizeof columns[0], NULL)
                         : api_store_problem(c, err, "conflicts");
}
