/* Raw frames, events, and the order to decode frames again. */
#include "api_frame.h"

#include "api_query.h"
#include "api_route.h"
#include "model/frame_state.h"
#include "model/protocol.h"
#include "store/device_store.h"
#include "store/frame_query_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

static const char *const severity_names[] = { "information", "warning", "alarm", NULL };

static const struct api_column before_protocol[] = {
    { "gateway", COL_TEXT, NULL },   { "spool", COL_TEXT, NULL },
    { "seq", COL_INT, NULL },        { "received_at", COL_TIME, NULL },
    { "stored_at", COL_TIME, NULL }, { "device", COL_TEXT, NULL },
};
static const struct api_column behind_state[] = {
    { "reason", COL_TEXT, NULL },
    { "rssi_dbm", COL_INT, NULL },
    { "data", COL_HEX, NULL },
};
#define N(a) (sizeof(a) / sizeof((a)[0]))
#define NO_DEVICE (-1)
#define FRAME_PROTOCOL 7
#define FRAME_STATE 8
#define FRAME_REASON 9
#define CURSOR_TIME_MAX                                                                            \
    (INT64_C(100000) * 365 * EMT_DAY) /* the database knows later times, nobody else */

json_t *api_frame_json(const struct store_result *r, int row)
{
    json_t *j = api_row(r, row, 1, before_protocol, N(before_protocol));
    json_t *rest = api_row(r, row, FRAME_REASON, behind_state, N(behind_state));
    int64_t protocol = c_int(r, row, FRAME_PROTOCOL);
    int64_t state = c_int(r, row, FRAME_STATE);

    json_object_set_new(
        j, "protocol",
        json_string(protocol < PROTOCOLS ? protocol_name((enum protocol)protocol) : "none"));
    json_object_set_new(j, "state",
                        json_string(frame_state_name(state < FRAME_STATES ? (enum frame_state)state
                                                                          : FRAME_MALFORMED)));
    json_object_update(j, rest);
    json_decref(rest);
    return j;
}

/* "<microseconds>.<gateway>.<seq>" */
static bool read_cursor(struct api_call *c, const char *text, emt_time *at, int64_t *gateway,
                        int64_t *seq)
{
    int64_t part[3] = { EMT_TIME_NONE, 0, 0 };
    const char *p = text;
    char *end = NULL;

    errno = 0;
    for (int i = 0; i < 3 && *text != '\0'; i++) {
        bool digit = *p >= '0' && *p <= '9';

        part[i] = digit ? strtoll(p, &end, 10) : 0;
        if (!digit || errno != 0 || *end != (i < 2 ? '.' : '\0') || part[0] > CURSOR_TIME_MAX) {
            api_problem(c, 400, "invalid", "cursor", "cursor: not one of this list");
            return false;
        }
        p = end + 1;
    }
    *at = part[0];
    *gateway = part[1];
    *seq = part[2];
    return true;
}

/* False: the problem is answered. A device that does not exist has no frames. */
static bool read_filter(struct api_call *c, struct frame_filter *f, enum emt_err *err)
{
    const char *device = NULL;
    const char *state_text = http_request_query(c->req, "state");
    enum frame_state state = FRAME_OK;

    *err = EMT_OK;
    if (!api_query_text(c, "device", 64, &device) ||
        !api_query_text(c, "gateway", 63, &f->gateway) || !api_query_time(c, "from", &f->from) ||
        !api_query_time(c, "to", &f->to))
        return false;
    if (state_text != NULL && frame_state_parse(state_text, &state) != EMT_OK) {
        api_problem(c, 400, "invalid", "state", "state: no such state");
        return false;
    }
    if (state_text != NULL)
        f->state = (int)state;
    if (device != NULL)
        *err = device_find(c->store, c->tenant, device, &f->device);
    if (*err == EMT_ENOTFOUND) {
        f->device = NO_DEVICE;
        *err = EMT_OK;
    }
    return true;
}

enum emt_err api_frame_list(struct api_call *c)
{
    struct frame_filter f = { .state = -1, .from = EMT_TIME_NONE, .to = EMT_TIME_NONE };
    struct store_result *r = NULL;
    struct api_page page;
    int64_t gateway;
    int64_t seq;
    emt_time at;
    enum emt_err err;

    if (!api_page_read(c, 1000, 100, false, &page) ||
        !read_cursor(c, page.cursor, &at, &gateway, &seq) || !read_filter(c, &f, &err))
        return EMT_OK;
    if (err == EMT_OK)
        err = frame_list(c->store, c->tenant, &f, at, gateway, seq, page.limit + 1, &r);
    return err == EMT_OK ? api_page_answer(c, r, page.limit, NULL, 0, api_frame_json)
                         : api_store_problem(c, err, "frames");
}

enum emt_err api_event_list(struct api_call *c)
{
    static const struct api_column columns[] = {
        { "id", COL_INT, NULL },
        { "at", COL_TIME, NULL },
        { "severity", COL_ENUM, severity_names },
        { "kind", COL_TEXT, NULL },
        { "gateway", COL_TEXT, NULL },
        { "device", COL_TEXT, NULL },
        { "detail", COL_TEXT, NULL },
    };
    struct event_filter f = { -1, NULL, EMT_TIME_NONE, EMT_TIME_NONE };
    struct store_result *r = NULL;
    struct api_page page;

    if (!api_page_read(c, 1000, 100, true, &page) ||
        !api_query_enum(c, "severity", severity_names, &f.severity) ||
        !api_query_text(c, "kind", 64, &f.kind) || !api_query_time(c, "from", &f.from) ||
        !api_query_time(c, "to", &f.to))
        return EMT_OK;
    enum emt_err err = event_list(c->store, c->tenant, &f, page.cursor_number, page.limit + 1, &r);
    return err == EMT_OK ? api_page_answer(c, r, page.limit, columns, N(columns), NULL)
                         : api_store_problem(c, err, "events");
}
