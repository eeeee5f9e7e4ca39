/* Values are written straight into the answer: a page may be a year. The next page is told in the
 * body of JSON and in a header of the others. */
#include "api_audit.h"
#include "api_rights.h"
#include "api_route.h"
#include "model/aggregate.h"
#include "model/block.h"
#include "model/quality.h"
#include "model/quantity.h"
#include "reading_text.h"
#include "store/device_store.h"
#include "store/frame_query_store.h"
#include "store/meaning_store.h"
#include "store/reading_query_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define CHANNEL_KIND 3
#define CHANNEL_QUANTITY 5
#define CHANNEL_UNIT 6
#define CHANNEL_FUNCTION 7
/* Values of a page of one channel, channels of a page of all. */
#define PAGE_VALUES 50000
#define PAGE_CHANNELS 1000
/* A page of all channels ends behind the lot that made it longer than this. */
#define PAGE_BYTES (8u << 20)
#define FIRST_LOT 8
/* How far behind the end the value is looked for that ends the last period. */
#define FOLLOWS (32 * EMT_DAY)

enum format { FORMAT_JSON, FORMAT_CSV, FORMAT_BLOCKS };

struct span {
    int64_t channel;
    emt_time from, to;
    int limit;
    enum format format;
};

static enum format format_of(const struct api_call *c)
{
    const char *accept = http_request_header(c->req, "Accept");

    if (accept != NULL && strstr(accept, "text/csv") != NULL)
        return FORMAT_CSV;
    return accept != NULL && strstr(accept, "application/octet-stream") != NULL ? FORMAT_BLOCKS
                                                                                : FORMAT_JSON;
}

/* ---- answers ---- */

/* The body stands; only its type and, where the body cannot say it, the next page are missing. */
static enum emt_err finish(struct api_call *c, enum format format, int64_t next)
{
    static const char *const types[] = { "application/json", "text/csv",
                                         "application/octet-stream" };
    char text[24];

    if (http_response_body(c->out)->failed)
        return EMT_ENOMEM;
    c->status = 200;
    c->content_type = types[format];
    http_response_status(c->out, 200);
    if (format == FORMAT_JSON || next == EMT_TIME_NONE)
        return EMT_OK;
    (void)snprintf(text, sizeof text, "%" PRId64, next);
    return http_response_header(c->out, "X-Next-Cursor", text);
}

/* Behind the items: unit, period and next page. The unit is text of ours, or none. */
static void close_items(struct writer *w, const char *unit, const char *versions,
                        const char *aggregate, emt_time next)
{
    json_t *text = unit != NULL ? json_string(unit) : json_null();
    char *quoted = text != NULL ? json_dumps(text, JSON_ENCODE_ANY) : NULL;

    writer_printf(w, "],\"unit\":%s", quoted != NULL ? quoted : "null");
    if (versions != NULL)
        writer_printf(w, ",\"versions\":%s", versions);
    if (aggregate != NULL)
        writer_printf(w, ",\"aggregate\":\"%s\"", aggregate);
    if (next != EMT_TIME_NONE)
        writer_printf(w, ",\"next\":\"%" PRId64 "\"", next);
    writer_text(w, "}");
    free(quoted);
    json_decref(text);
}

/* What the values of the period mean, where somebody said so; NULL: as the channel says. */
static enum emt_err versions_text(struct api_call *c, const struct span *s, char **out)
{
    static const struct api_column columns[] = {
        { "version", COL_INT, NULL },  { "valid_from", COL_TIME, NULL },
        { "unit", COL_TEXT, NULL },    { "quantity", COL_TEXT, NULL },
        { "meaning", COL_TEXT, NULL },
    };
    struct store_result *r = NULL;
    enum emt_err err = channel_versions(c->store, c->tenant, s->channel, s->from, s->to, &r);

    if (err != EMT_OK || store_rows(r) == 0) {
        store_result_free(r);
        return err;
    }
    json_t *list = json_array();
    for (int i = 0; i < store_rows(r); i++)
        json_array_append_new(list, api_row(r, i, 0, columns, sizeof columns / sizeof columns[0]));
    store_result_free(r);
    *out = json_dumps(list, JSON_COMPACT);
    json_decref(list);
    return *out != NULL ? EMT_OK : EMT_ENOMEM;
}

/* ---- blocks as they are kept: channel (8, little endian), length (4), block ---- */

struct block_out {
    struct writer *out;
    struct block_value *values;
    size_t n, cap;
    int64_t channel;
};

static enum emt_err block_flush(struct block_out *b)
{
    size_t at = b->out->len;

    if (b->n == 0)
        return EMT_OK;
    writer_le(b->out, (uint64_t)b->channel, 8);
    writer_le(b->out, 0, 4);
    enum emt_err err = block_encode(b->values, b->n, b->out);
    if (err != EMT_OK || b->out->failed)
        return err != EMT_OK ? err : EMT_ENOMEM;
    struct writer length;
    writer_init_fixed(&length, b->out->data + at + 8, 4);
    writer_le(&length, b->out->len - at - 12, 4);
    b->n = 0;
    return EMT_OK;
}

static enum emt_err block_add(struct block_out *b, int64_t channel, const struct stored_reading *v)
{
    enum emt_err err = channel != b->channel ? block_flush(b) : EMT_OK;

    b->channel = channel;
    if (err == EMT_OK && b->n == b->cap) {
        size_t cap = b->cap ? b->cap * 2 : 1024;
        struct block_value *p = reallocarray(b->values, cap, sizeof *p);

        if (p == NULL)
            return EMT_ENOMEM;
        b->values = p;
        b->cap = cap;
    }
    if (err == EMT_OK)
        b->values[b->n++] =
            (struct block_value){ v->ts, v->value.mantissa, v->value.exponent,
                                  (int16_t)((unsigned)v->quality | (unsigned)v->time_source << 8) };
    return err;
}

/* ---- one channel ---- */

static enum emt_err answer_numbers(struct api_call *c, const struct span *s, const char *unit)
{
    struct writer *w = http_response_body(c->out);
    struct stored_reading *list = NULL;
    struct block_out blocks = { .out = w };
    struct reading_text text;
    char *versions = NULL;
    size_t n = 0;
    enum emt_err err = reading_range(c->store, c->tenant, s->channel, s->from, s->to,
                                     (size_t)s->limit + 1, &list, &n);

    if (err == EMT_OK && s->format == FORMAT_JSON)
        err = versions_text(c, s, &versions);

    if (err != EMT_OK)
        return api_store_problem(c, err, "readings");
    size_t shown = n > (size_t)s->limit ? (size_t)s->limit : n;
    emt_time next = n > shown ? list[shown - 1].ts + 1 : EMT_TIME_NONE;
    reading_text_init(&text, w);
    if (s->format == FORMAT_JSON)
        writer_text(w, "{\"items\":[");
    else if (s->format == FORMAT_CSV)
        writer_text(w, "ts,value,quality,time_source\r\n");
    for (size_t i = 0; err == EMT_OK && i < shown; i++) {
        if (s->format == FORMAT_JSON)
            reading_text_json(&text, &list[i]);
        else if (s->format == FORMAT_CSV)
            reading_text_csv(&text, 0, &list[i]);
        else
            err = block_add(&blocks, s->channel, &list[i]);
    }
    if (err == EMT_OK)
        err = block_flush(&blocks);
    if (s->format == FORMAT_JSON)
        close_items(w, unit, versions, NULL, next);
    free(versions);
    free(blocks.values);
    free(list);
    return err == EMT_OK ? finish(c, s->format, next) : err;
}

/* The page; next is the time behind the last shown one. */
static enum emt_err answer_page(struct api_call *c, json_t *items, const char *unit, emt_time next)
{
    json_t *body = json_pack("{s:o, s:s?}", "items", items, "unit", unit);

    if (body != NULL && next != EMT_TIME_NONE)
        json_object_set_new(body, "next", json_sprintf("%lld", (long long)next));
    return api_json(c, 200, body);
}

/* RFC 4180: in quotes, those in the text doubled. */
static void csv_text(struct writer *w, const char *text)
{
    writer_u8(w, '"');
    for (; *text; text++) {
        if (*text == '"')
            writer_u8(w, '"');
        writer_u8(w, (uint8_t)*text);
    }
    writer_u8(w, '"');
}

static enum emt_err answer_texts_csv(struct api_call *c, const struct store_result *r, int shown,
                                     emt_time next)
{
    struct writer *w = http_response_body(c->out);

    writer_text(w, "ts,value,quality\r\n");
    for (int i = 0; i < shown; i++) {
        char ts[32];

        writer_printf(w, "%s,", time_format(c_time(r, i, 0), ts));
        csv_text(w, c_text(r, i, 1));
        writer_printf(w, ",%s\r\n", quality_name((enum quality)(c_int(r, i, 2) & 0xff)));
    }
    return finish(c, FORMAT_CSV, next);
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
    emt_time next = n > shown ? c_time(r, shown - 1, 0) + 1 : EMT_TIME_NONE;
    if (s->format == FORMAT_CSV) {
        err = answer_texts_csv(c, r, shown, next);
        store_result_free(r);
        return err;
    }
    json_t *items = json_array();
    for (int i = 0; i < shown; i++) {
        enum quality q = (enum quality)(c_int(r, i, 2) & 0xff);

        json_array_append_new(items,
                              json_pack("{s:o, s:s, s:s}", "ts", api_time(c_time(r, i, 0)), "value",
                                        c_text(r, i, 1), "quality", quality_name(q)));
    }
    err = answer_page(c, items, NULL, next);
    store_result_free(r);
    return err;
}

/* ---- by hour, day, month ---- */

/* Registers, whose differences mean something. */
static bool is_counter(const struct store_result *channel)
{
    enum quantity q;

    if (c_int(channel, 0, CHANNEL_KIND) != READING_NUMBER ||
        c_int(channel, 0, CHANNEL_FUNCTION) != READING_INSTANT ||
        quantity_parse(c_text(channel, 0, CHANNEL_QUANTITY), &q) != EMT_OK)
        return false;
    return q == QUANTITY_ENERGY || q == QUANTITY_REACTIVE_ENERGY || q == QUANTITY_APPARENT_ENERGY ||
           q == QUANTITY_VOLUME || q == QUANTITY_MASS || q == QUANTITY_HCA ||
           q == QUANTITY_ON_TIME || q == QUANTITY_OPERATING_TIME || q == QUANTITY_COUNTER;
}

struct folding {
    struct aggregator a;
    struct reading_text text;
    enum format format;
    int left; /* items of the page */
    bool counter;
    emt_time next;
};

static void put_aggregate(struct folding *f, const struct aggregate *a)
{
    if (f->format == FORMAT_CSV)
        aggregate_text_csv(&f->text, a, f->counter);
    else
        aggregate_text_json(&f->text, a, f->counter);
    f->left--;
}

/* What the meter itself calls invalid is no value to reckon with. EMT_EAGAIN: the page is full. */
static enum emt_err fold(void *ctx, int64_t channel, const struct stored_reading *v)
{
    struct folding *f = ctx;
    struct aggregate done;

    (void)channel;
    if (v->quality == QUALITY_INVALID || !aggregator_add(&f->a, v->ts, v->value, &done))
        return EMT_OK;
    put_aggregate(f, &done);
    if (f->left > 0)
        return EMT_OK;
    f->next = v->ts;
    return EMT_EAGAIN;
}

/* The first valid value behind the period. EMT_EAGAIN: there it is. */
static enum emt_err follow(void *ctx, int64_t channel, const struct stored_reading *v)
{
    struct decimal *next = ctx;

    (void)channel;
    if (v->quality == QUALITY_INVALID)
        return EMT_OK;
    *next = v->value;
    return EMT_EAGAIN;
}

static enum emt_err fold_last(struct api_call *c, const struct span *s, struct folding *f)
{
    struct decimal next;
    const struct reading_visitor visitor = { follow, &next };
    struct aggregate done;
    emt_time until = s->to;
    enum emt_err err = api_readable_until(c, s->channel, s->to, s->to + FOLLOWS, &until);

    if (err == EMT_OK && until > s->to)
        err = reading_walk(c->store, c->tenant, s->channel, s->to, until, &visitor);
    if (err != EMT_OK && err != EMT_EAGAIN)
        return err;
    if (aggregator_end(&f->a, err == EMT_EAGAIN ? &next : NULL, &done))
        put_aggregate(f, &done);
    return EMT_OK;
}

static enum emt_err answer_aggregates(struct api_call *c, const struct span *s, const char *unit,
                                      bool counter, enum aggregate_period period)
{
    struct writer *w = http_response_body(c->out);
    struct folding f = { .format = s->format == FORMAT_CSV ? FORMAT_CSV : FORMAT_JSON,
                         .left = s->limit,
                         .counter = counter,
                         .next = EMT_TIME_NONE };
    const struct reading_visitor visitor = { fold, &f };

    aggregator_init(&f.a, period);
    reading_text_init(&f.text, w);
    writer_text(w,
                f.format == FORMAT_CSV ? "ts,first,last,min,max,count,delta\r\n" : "{\"items\":[");
    enum emt_err err = reading_walk(c->store, c->tenant, s->channel, s->from, s->to, &visitor);
    if (err == EMT_OK && f.a.open)
        err = fold_last(c, s, &f);
    if (err != EMT_OK && f.next == EMT_TIME_NONE) {
        writer_clear(w);
        return api_store_problem(c, err, "readings");
    }
    if (f.format == FORMAT_JSON)
        close_items(w, unit, NULL, aggregate_period_name(period), f.next);
    return finish(c, f.format, f.next);
}

/* ---- the request ---- */

/* `from` and `to`; false: the problem is answered. */
static bool read_times(struct api_call *c, struct span *s)
{
    s->from = EMT_TIME_NONE;
    if (!api_query_time(c, "to", &s->to) || !api_query_time(c, "from", &s->from))
        return false;
    if (s->from == EMT_TIME_NONE)
        s->from = (s->to > c->now ? c->now : s->to) - EMT_DAY;
    if (s->from < s->to)
        return true;
    api_problem(c, 400, "invalid", "from", "from: must lie before to");
    return false;
}

/* Channel, period and page of the request; false: the problem is answered. */
static bool read_span(struct api_call *c, struct span *s)
{
    struct api_page page;

    s->to = c->now + 2 * EMT_DAY;
    if (!api_param_number(c, 0, "channel", &s->channel) ||
        !api_page_read(c, PAGE_VALUES, 1000, true, &page) || !read_times(c, s))
        return false;
    if (*page.cursor && page.cursor_number > s->from)
        s->from = page.cursor_number;
    s->limit = page.limit;
    s->format = format_of(c);
    return true;
}

static enum emt_err answer_channel(struct api_call *c, struct span *s,
                                   const struct store_result *channel)
{
    enum reading_kind kind = (enum reading_kind)c_int(channel, 0, CHANNEL_KIND);
    const char *unit = c_null(channel, 0, CHANNEL_UNIT) ? NULL : c_text(channel, 0, CHANNEL_UNIT);
    const char *aggregate = http_request_query(c->req, "aggregate");
    bool text = kind == READING_TEXT || kind == READING_RAW;
    enum aggregate_period period = AGGREGATE_HOUR;

    if (aggregate != NULL && aggregate_period_parse(aggregate, &period) != EMT_OK)
        return api_problem(c, 400, "invalid", "aggregate", "aggregate: must be hour, day or month");
    if (aggregate != NULL && text)
        return api_problem(c, 400, "invalid", "aggregate", "aggregate: the channel is of texts");
    if (s->from >= s->to) /* a cursor behind the end */
        s->from = s->to;
    if (text)
        return answer_texts(c, s);
    return aggregate != NULL ? answer_aggregates(c, s, unit, is_counter(channel), period)
                             : answer_numbers(c, s, unit);
}

enum emt_err api_reading_list(struct api_call *c)
{
    struct store_result *channel = NULL;
    struct span s;

    enum emt_err err = EMT_OK;
    if (!read_span(c, &s) || !api_may_read(c, s.channel, s.from, s.to, &err))
        return err;
    err = channel_get(c->store, c->tenant, s.channel, &channel);
    if (err != EMT_OK)
        return api_store_problem(c, err, "channel");
    err = api_audit_read(c, s.channel, s.from, s.to);
    err = err == EMT_OK ? answer_channel(c, &s, channel) : api_store_problem(c, err, "audit");
    store_result_free(channel);
    return err;
}

/* ---- all channels ---- */

struct bulk {
    struct reading_text text;
    struct block_out blocks;
    enum format format;
    size_t values;
};

static enum emt_err put_bulk(void *ctx, int64_t channel, const struct stored_reading *v)
{
    struct bulk *b = ctx;

    b->values++;
    if (b->format == FORMAT_BLOCKS)
        return block_add(&b->blocks, channel, v);
    reading_text_csv(&b->text, channel, v);
    return EMT_OK;
}

/* As many channels as the page takes, in lots that grow as long as they stay small. */
static enum emt_err bulk_page(struct api_call *c, const struct span *s, int64_t after,
                              struct bulk *b, int64_t *next)
{
    const struct reading_visitor visitor = { put_bulk, b };
    const struct writer *w = http_response_body(c->out);
    enum emt_err err = EMT_OK;
    int width = FIRST_LOT;

    for (int left = s->limit; err == EMT_OK && left > 0 && w->len < PAGE_BYTES; left -= width) {
        int64_t last = 0;

        width = width < left ? width : left;
        b->values = 0;
        err = reading_walk_lot(c->store, c->tenant, after, width, s->from, s->to, &visitor, &last);
        if (err == EMT_OK)
            err = block_flush(&b->blocks);
        *next = last ? last : EMT_TIME_NONE;
        if (!last)
            break;
        after = last;
        if (b->values < 20000 && width * 4 <= READING_LOT_CHANNELS)
            width *= 4;
    }
    return err;
}

/* The same for somebody outside: what mandates give, stretch by stretch. */
static enum emt_err mandated_page(struct api_call *c, const struct span *s, int64_t after,
                                  struct bulk *b, int64_t *next)
{
    const struct reading_visitor visitor = { put_bulk, b };
    const struct writer *w = http_response_body(c->out);
    const struct mandate_asker who = api_asker(c);
    struct store_result *r = NULL;
    int64_t channel = 0;
    int channels = 0;
    enum emt_err err =
        mandate_stretches(c->store, c->tenant, &who, 0, after, s->limit, s->from, s->to, &r);

    for (int i = 0; err == EMT_OK && i < store_rows(r); i++) {
        if (c_int(r, i, 0) != channel) {
            if (w->len >= PAGE_BYTES) {
                channels = s->limit; /* there is more */
                break;
            }
            channels++;
        }
        channel = c_int(r, i, 0);
        if (!c_null(r, i, 1))
            err = reading_walk(c->store, c->tenant, channel, c_time(r, i, 1), c_time(r, i, 2),
                               &visitor);
    }
    *next = channels == s->limit ? channel : EMT_TIME_NONE;
    store_result_free(r);
    return err == EMT_OK ? block_flush(&b->blocks) : err;
}

enum emt_err api_reading_bulk(struct api_call *c)
{
    struct writer *w = http_response_body(c->out);
    struct bulk b = { .blocks.out = w };
    struct api_page page;
    struct span s = { .to = c->now };
    int64_t next = EMT_TIME_NONE;

    if (!api_page_read(c, PAGE_CHANNELS, 250, true, &page) || !read_times(c, &s))
        return EMT_OK;
    if (s.to - s.from > EMT_DAY + EMT_HOUR)
        return api_problem(c, 400, "invalid", "to", "to: a day behind from at most (25 hours)");
    s.limit = page.limit;
    b.format = format_of(c) == FORMAT_BLOCKS ? FORMAT_BLOCKS : FORMAT_CSV;
    reading_text_init(&b.text, w);
    if (b.format == FORMAT_CSV)
        writer_text(w, "channel,ts,value,quality,time_source\r\n");
    enum emt_err err = api_audit_read(c, 0, s.from, s.to);
    if (err == EMT_OK)
        err = (api_is_outside(c) ? mandated_page : bulk_page)(c, &s, page.cursor_number, &b, &next);
    free(b.blocks.values);
    if (err != EMT_OK) {
        writer_clear(w);
        return api_store_problem(c, err, "readings");
    }
    return finish(c, b.format, next);
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
