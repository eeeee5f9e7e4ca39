/* From a value to every file that carried it, with the answers to it; and from a message of a file
 * to its values. Nothing is kept per value: messages say place, period and channels. */
#include "api_acknowledgement.h"
#include "api_audit.h"
#include "api_frame.h"
#include "api_query.h"
#include "api_route.h"
#include "base/hex.h"
#include "model/frame_state.h"
#include "model/quality.h"
#include "model/reading.h"
#include "store/acknowledgement_store.h"
#include "store/delivery_store.h"
#include "store/export_store.h"
#include "store/frame_query_store.h"
#include "store/reading_query_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* Messages and frames that one trace names. */
#define TRACE_MESSAGES_MOST 100
#define TRACE_FRAMES_MOST 20
#define PACKED_MOST 500
/* A register is read near a quarter hour, and heard a little later than it was read. */
#define FRAME_BEFORE (5 * EMT_MINUTE)
#define FRAME_BEHIND (30 * EMT_MINUTE)

const char *const api_sent_state_names[] = { "written",  "delivered",         "accepted",
                                             "rejected", "application-error", "overdue",
                                             NULL };

static json_t *number_or_null(const struct store_result *r, int row, int col)
{
    return c_null(r, row, col) ? json_null() : json_integer(c_int(r, row, col));
}

static json_t *json_or_null(const char *text)
{
    json_t *j = json_loads(text, 0, NULL);

    return j != NULL ? j : json_null();
}

void api_sent_file(json_t *j, const struct store_result *r, int row)
{
    bool known = row >= 0;

    if (j == NULL)
        return;
    json_object_set_new(
        j, "state", json_string(api_sent_state_names[known ? c_int(r, row, SENT_FILE_STATE) : 0]));
    json_object_set_new(j, "state_at",
                        api_time(known ? c_time(r, row, SENT_FILE_STATE_AT) : EMT_TIME_NONE));
    json_object_set_new(j, "state_text",
                        json_string(known ? c_text(r, row, SENT_FILE_STATE_TEXT) : ""));
    json_object_set_new(j, "delivered_at",
                        api_time(known ? c_time(r, row, SENT_FILE_DELIVERED_AT) : EMT_TIME_NONE));
    json_object_set_new(j, "due_at",
                        api_time(known ? c_time(r, row, SENT_FILE_DUE_AT) : EMT_TIME_NONE));
    json_object_set_new(j, "replaces",
                        known ? number_or_null(r, row, SENT_FILE_REPLACES) : json_null());
    json_object_set_new(j, "replaced_by",
                        known ? number_or_null(r, row, SENT_FILE_REPLACED_BY) : json_null());
}

/* --- messages --- */

static json_t *message_json(const struct store_result *r, int row)
{
    static const struct api_column head[] = {
        { "id", COL_INT, NULL },      { "file", COL_INT, NULL },
        { "nth", COL_INT, NULL },     { "document", COL_TEXT, NULL },
        { "pid", COL_INT, NULL },     { "location", COL_TEXT, NULL },
        { "device", COL_TEXT, NULL }, { "config_id", COL_TEXT, NULL },
    };
    static const struct api_column tail[] = {
        { "from", COL_TIME, NULL },
        { "to", COL_TIME, NULL },
        { "version", COL_TIME, NULL },
        { "values", COL_INT, NULL },
        { "cancels", COL_INT, NULL },
        { "cancelled_by", COL_INT, NULL },
        { "state", COL_ENUM, api_sent_state_names },
        { "state_at", COL_TIME, NULL },
        { "state_text", COL_TEXT, NULL },
    };
    json_t *j = api_row(r, row, SENT_MESSAGE_SENT_ID, head, sizeof head / sizeof head[0]);
    json_t *t = api_row(r, row, SENT_MESSAGE_FROM, tail, sizeof tail / sizeof tail[0]);

    if (c_int(r, row, SENT_MESSAGE_USE_CASE) == 0) /* of a report */
        json_object_set_new(j, "pid", json_null());
    json_object_set_new(j, "obis", json_or_null(c_text(r, row, SENT_MESSAGE_OBIS)));
    json_object_set_new(j, "channels", json_or_null(c_text(r, row, SENT_MESSAGE_CHANNELS)));
    json_object_update(j, t);
    json_decref(t);
    return j;
}

enum emt_err api_export_message_list(struct api_call *c)
{
    struct store_result *r = NULL;
    struct api_page page;
    int64_t file = 0;

    if (!api_param_number(c, 0, "export", &file) || !api_page_read(c, 1000, 100, true, &page))
        return EMT_OK;
    enum emt_err err = export_file_get(c->store, c->tenant, file, &r);
    store_result_free(r);
    if (err == EMT_OK)
        err = sent_message_list(c->store, c->tenant, file, page.cursor_number, page.limit + 1, &r);
    return err == EMT_OK ? api_page_answer(c, r, page.limit, NULL, 0, message_json)
                         : api_store_problem(c, err, "export");
}

/* --- what a message was made of --- */

/* The channel asked for, else the message's first one. False: answered. */
static bool channel_of(struct api_call *c, const struct store_result *r, int64_t *channel)
{
    json_t *list = json_or_null(c_text(r, 0, SENT_MESSAGE_CHANNELS));
    json_t *item;
    size_t i;
    bool found = false;

    if (!api_query_number(c, "channel", channel)) {
        json_decref(list);
        return false;
    }
    json_array_foreach(list, i, item)
    {
        if (*channel == 0)
            *channel = json_integer_value(item);
        found = found || json_integer_value(item) == *channel;
    }
    json_decref(list);
    if (!found)
        api_problem(c, 400, "invalid", "channel", "channel: is none of this message");
    return found;
}

static enum emt_err answer_values(struct api_call *c, int64_t channel,
                                  const struct stored_reading *v, size_t n, size_t most)
{
    json_t *items = json_array();
    json_t *body = json_pack("{s:I, s:o}", "channel", (json_int_t)channel, "items", items);

    for (size_t i = 0; i < n && i < most; i++)
        json_array_append_new(items, json_pack("{s:o, s:o, s:s}", "ts", api_time(v[i].ts), "value",
                                               api_decimal(v[i].value), "quality",
                                               quality_name(v[i].quality)));
    if (n > most)
        json_object_set_new(body, "next", json_sprintf("%lld", (long long)v[most - 1].ts));
    return api_json(c, 200, body);
}

/* As they stand now: of a register whose energies went out, the readings that they are between. */
enum emt_err api_export_value_list(struct api_call *c)
{
    struct store_result *r = NULL;
    struct stored_reading *v = NULL;
    struct api_page page;
    int64_t file = 0, nth = 0, channel = 0;
    size_t n = 0;

    if (!api_param_number(c, 0, "export", &file) || !api_param_number(c, 1, "message", &nth) ||
        !api_page_read(c, 1000, 100, true, &page))
        return EMT_OK;
    enum emt_err err = sent_message_list(c->store, c->tenant, file, nth - 1, 1, &r);
    if (err == EMT_OK && (store_rows(r) == 0 || c_int(r, 0, SENT_MESSAGE_NTH) != nth))
        err = EMT_ENOTFOUND;
    if (err != EMT_OK) {
        store_result_free(r);
        return api_store_problem(c, err, "message");
    }
    emt_time from = c_time(r, 0, SENT_MESSAGE_FROM);
    emt_time to = c_time(r, 0, SENT_MESSAGE_TO);
    bool good = channel_of(c, r, &channel);
    store_result_free(r);
    if (!good)
        return EMT_OK;
    if (page.cursor_number >= from)
        from = page.cursor_number + 1;
    if (from <= to)
        err = reading_range(c->store, c->tenant, channel, from, to + 1, (size_t)page.limit + 1, &v,
                            &n);
    if (err == EMT_OK)
        err = api_audit_read(c, channel, from, to + 1);
    if (err == EMT_OK)
        err = answer_values(c, channel, v, n, (size_t)page.limit);
    free(v);
    return err == EMT_OK ? EMT_OK : api_store_problem(c, err, "message");
}

/* --- one value --- */

struct trace {
    struct api_call *c;
    int64_t channel;
    emt_time at;
    bool has_value;
    struct decimal value;
    char key[CHANNEL_KEY_MAX];
    json_t *out;
};

/* What stands at this instant, or NULL: the value was erased, or never there. */
static enum emt_err trace_value(struct trace *t)
{
    struct stored_reading *v = NULL;
    size_t n = 0;
    enum emt_err err =
        reading_range(t->c->store, t->c->tenant, t->channel, t->at, t->at + 1, 1, &v, &n);

    if (err != EMT_OK)
        return err;
    json_object_set_new(t->out, "value",
                        n > 0
                            ? json_pack("{s:o, s:o, s:s}", "ts", api_time(v->ts), "value",
                                        api_decimal(v->value), "quality", quality_name(v->quality))
                            : json_null());
    t->has_value = n > 0;
    if (n > 0)
        t->value = v->value;
    free(v);
    return EMT_OK;
}

/* Columns of sent_trace_frames(), and where frame_list() has them. */
enum { FRAME_GATEWAY, FRAME_SPOOL, FRAME_SEQ, FRAME_RECEIVED, FRAME_STORED, FRAME_STATE };
static const int listed[] = { 1, 2, 3, 4, 5, 8 };

static enum emt_err ask_frame(struct trace *t, const struct store_result *r, int row,
                              const int *columns, bool *holds)
{
    const char *spool = c_text(r, row, columns[FRAME_SPOOL]);
    struct frame_value value = { t->key, t->at, t->value };
    struct frame_place place = { .gateway = c_text(r, row, columns[FRAME_GATEWAY]),
                                 .seq = c_int(r, row, columns[FRAME_SEQ]) };
    size_t n = 0;

    *holds = false;
    if (!t->has_value ||
        hex_decode(spool, strlen(spool), place.spool, sizeof place.spool, &n) != EMT_OK ||
        n != sizeof place.spool)
        return EMT_OK;
    return api_frame_holds(t->c, &place, &value, holds);
}

static enum emt_err put_frame(struct trace *t, json_t *frames, const struct store_result *r,
                              int row, const int *columns)
{
    emt_time received = c_time(r, row, columns[FRAME_RECEIVED]);
    bool holds = false;

    if (received < t->at - FRAME_BEFORE || received >= t->at + FRAME_BEHIND ||
        json_array_size(frames) == TRACE_FRAMES_MOST)
        return EMT_OK;
    enum emt_err err = ask_frame(t, r, row, columns, &holds);
    if (err != EMT_OK)
        return err;
    json_array_insert_new(
        frames, holds ? 0 : json_array_size(frames),
        json_pack("{s:s, s:s, s:I, s:o, s:o, s:s, s:b}", "gateway",
                  c_text(r, row, columns[FRAME_GATEWAY]), "spool",
                  c_text(r, row, columns[FRAME_SPOOL]), "seq",
                  (json_int_t)c_int(r, row, columns[FRAME_SEQ]), "received_at", api_time(received),
                  "stored_at", api_time(c_time(r, row, columns[FRAME_STORED])), "state",
                  frame_state_name((enum frame_state)c_int(r, row, columns[FRAME_STATE])),
                  "holds_value", holds));
    return EMT_OK;
}

/* What is packed by now: found by when it was stored. */
static enum emt_err packed_frames(struct trace *t, int64_t device, json_t *frames)
{
    struct frame_filter f = {
        .device = device, .state = -1, .from = t->at - FRAME_BEFORE, .to = t->at + FRAME_BEHIND
    };
    struct store_result *r = NULL;
    enum emt_err err =
        frame_list(t->c->store, t->c->tenant, &f, EMT_TIME_NONE, 0, 0, PACKED_MOST, &r);

    for (int i = err == EMT_OK ? store_rows(r) - 1 : -1; err == EMT_OK && i >= 0; i--)
        err = put_frame(t, frames, r, i, listed);
    store_result_free(r);
    return err;
}

static enum emt_err device_frames(struct trace *t, int64_t device, json_t *frames)
{
    static const int own[] = { 0, 1, 2, 3, 4, 5 };
    struct store_result *r = NULL;
    enum emt_err err = sent_trace_frames(t->c->store, t->c->tenant, device, t->at - FRAME_BEFORE,
                                         t->at + FRAME_BEHIND, t->at, TRACE_FRAMES_MOST, &r);

    for (int i = 0; err == EMT_OK && i < store_rows(r); i++)
        err = put_frame(t, frames, r, i, own);
    store_result_free(r);
    if (err == EMT_OK && json_array_size(frames) == 0)
        err = packed_frames(t, device, frames);
    return err;
}

/* Frames of the device around the instant: those that hold the value, then the nearest ones. */
static enum emt_err trace_frames(struct trace *t)
{
    struct store_result *r = NULL;
    json_t *frames = json_array();
    enum emt_err err = sent_trace_channel(t->c->store, t->c->tenant, t->channel, &r);

    if (err == EMT_OK)
        json_object_set_new(t->out, "device",
                            c_null(r, 0, 0) ? json_null() : json_string(c_text(r, 0, 0)));
    if (err == EMT_OK)
        snprintf(t->key, sizeof t->key, "%s", c_text(r, 0, 2));
    if (err == EMT_OK && !c_null(r, 0, 1))
        err = device_frames(t, c_int(r, 0, 1), frames);
    store_result_free(r);
    json_object_set_new(t->out, "frames", frames);
    return err;
}

static enum emt_err trace_deliveries(struct trace *t, int64_t file, json_t *out)
{
    static const char *const states[] = { "waiting", "sending", "delivered", "failed", "unknown" };
    struct store_result *r = NULL;
    json_t *list = json_array();
    enum emt_err err =
        delivery_list(t->c->store, t->c->tenant, file, -1, 0, TRACE_MESSAGES_MOST, &r);

    for (int i = 0; err == EMT_OK && i < store_rows(r); i++)
        json_array_append_new(list, json_pack("{s:I, s:s, s:s, s:o}", "id",
                                              (json_int_t)c_int(r, i, DELIVERY_ID), "target_name",
                                              c_text(r, i, DELIVERY_TARGET_NAME), "state",
                                              states[c_int(r, i, DELIVERY_STATE)], "ended_at",
                                              api_time(c_time(r, i, DELIVERY_ENDED_AT))));
    store_result_free(r);
    json_object_set_new(out, "deliveries", list);
    return err;
}

/* Answers about the message, or about its file as a whole. */
static enum emt_err trace_answers(struct trace *t, int64_t file, int64_t message, json_t *out)
{
    struct store_result *r = NULL;
    json_t *list = NULL;
    json_t *kept = json_array();
    json_t *note;
    size_t i;
    enum emt_err err = acknowledgement_note_list(t->c->store, t->c->tenant, 0, file, &r);

    if (err == EMT_OK)
        list = api_acknowledgement_notes(r);
    json_array_foreach(list, i, note)
    {
        const json_t *sent = json_object_get(note, "sent_message");

        if (json_is_null(sent) || json_integer_value(sent) == message)
            json_array_append(kept, note);
    }
    json_decref(list);
    store_result_free(r);
    json_object_set_new(out, "acknowledgements", kept);
    return err;
}

static json_t *file_json(const struct store_result *r, int row)
{
    static const struct api_column file[] = {
        { "reference", COL_TEXT, NULL },
        { "file_name", COL_TEXT, NULL },
        { "receiver", COL_TEXT, NULL },
        { "created_at", COL_TIME, NULL },
        { "state", COL_ENUM, api_sent_state_names },
    };
    json_t *j = api_row(r, row, SENT_TRACE_REFERENCE, file, sizeof file / sizeof file[0]);

    json_object_set_new(j, "id", json_integer(c_int(r, row, SENT_MESSAGE_FILE)));
    return j;
}

static enum emt_err trace_messages(struct trace *t)
{
    struct store_result *r = NULL;
    json_t *list = json_array();
    enum emt_err err =
        sent_trace(t->c->store, t->c->tenant, t->channel, t->at, TRACE_MESSAGES_MOST + 1, &r);
    int rows = err == EMT_OK ? store_rows(r) : 0;

    for (int i = 0; err == EMT_OK && i < rows && i < TRACE_MESSAGES_MOST; i++) {
        int64_t file = c_int(r, i, SENT_MESSAGE_FILE);
        json_t *item =
            json_pack("{s:o, s:o}", "message", message_json(r, i), "file", file_json(r, i));

        err = trace_deliveries(t, file, item);
        if (err == EMT_OK)
            err = trace_answers(t, file, c_int(r, i, SENT_MESSAGE_SENT_ID), item);
        json_array_append_new(list, item);
    }
    store_result_free(r);
    json_object_set_new(t->out, "sent", list);
    json_object_set_new(t->out, "more", json_boolean(rows > TRACE_MESSAGES_MOST));
    return err;
}

enum emt_err api_channel_trace(struct api_call *c)
{
    struct trace t = { .c = c, .at = EMT_TIME_NONE };

    struct store_result *r = NULL;

    if (!api_param_number(c, 0, "channel", &t.channel) || !api_query_time(c, "at", &t.at))
        return EMT_OK;
    enum emt_err err = sent_trace_channel(c->store, c->tenant, t.channel, &r);
    store_result_free(r);
    if (err != EMT_OK)
        return api_store_problem(c, err, "channel");
    if (t.at == EMT_TIME_NONE)
        return api_problem(c, 400, "invalid", "at", "at: the value's time is needed");
    t.out = json_pack("{s:I, s:o}", "channel", (json_int_t)t.channel, "at", api_time(t.at));
    err = trace_value(&t);
    if (err == EMT_OK)
        err = trace_frames(&t);
    if (err == EMT_OK)
        err = trace_messages(&t);
    if (err == EMT_OK)
        err = api_audit_read(c, t.channel, t.at, t.at + 1);
    if (err == EMT_OK)
        return api_json(c, 200, t.out);
    json_decref(t.out);
    return api_store_problem(c, err, "channel");
}
