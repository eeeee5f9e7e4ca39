#include "event_watch.h"

#include "api_call.h"
#include "base/log.h"
#include "base/map.h"
#include "base/writer.h"
#include "model/frame_state.h"
#include "model/protocol.h"
#include "store/stream_store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum {
    WINDOW_S = 30,       /* longer than a transaction of ours lasts */
    FRAME_WINDOW_S = 10, /* ingest gives up on a lock after 2 s; clocks of nodes differ a little */
    FRAMES_TOLD = 50,    /* in one answer: nobody reads more in a second */
    FRAMES_ASKED = 120,  /* so that some late ones are found among the newest */
    FRAMES_COUNTED = 9999, /* no further: then it is "many" */
    ROWS = 500,            /* gateways, events */
    JOBS = 100,
    ANSWER_MS = 5000,
    TEXT_MAX = 1 << 20,
};

struct event_watch {
    int32_t tenant;
    unsigned based; /* bits: topics of which it is known what was there */
    /* What was seen in this span of WINDOW_S and in the one before it. */
    struct map *seen, *before;
    int64_t turn_ms;
    int64_t event_low;  /* numbers up to here are settled */
    int64_t event_next; /* the highest one seen when the span began */
    int64_t event_high;
    emt_time frames_at;   /* when frames were last asked for */
    emt_time frame_floor; /* the earliest one of a full answer: before it some were left out */
    emt_time asked_at;
    struct writer text;

    /* of the question under way */
    const struct event_sink *sink;
    bool base, resume;
    bool failed;
};

/* Identifies a row together with what may change of it. */
struct seen_key {
    int64_t topic, a, b, c;
};

static const char *const session_names[] = { "connected", "ended", "lost", NULL };
static const char *const severity_names[] = { "information", "warning", "alarm", NULL };
static const char *const job_names[] = {
    "waiting", "running", "failed", "done", "cancelled", NULL
};

static const struct api_column gateway_columns[] = {
    { "gateway", COL_TEXT, NULL }, { "state", COL_ENUM, session_names },
    { "since", COL_TIME, NULL },   { "peer", COL_TEXT, NULL },
    { "node", COL_INT, NULL },
};
static const struct api_column event_columns[] = {
    { "id", COL_INT, NULL },
    { "at", COL_TIME, NULL },
    { "severity", COL_ENUM, severity_names },
    { "kind", COL_TEXT, NULL },
    { "gateway", COL_TEXT, NULL },
    { "device", COL_TEXT, NULL },
    { "detail", COL_TEXT, NULL },
};
static const struct api_column frame_columns[] = {
    { "gateway", COL_TEXT, NULL },   { "spool", COL_TEXT, NULL },
    { "seq", COL_INT, NULL },        { "received_at", COL_TIME, NULL },
    { "stored_at", COL_TIME, NULL }, { "device", COL_TEXT, NULL },
    { "protocol", COL_SKIP, NULL },  { "state", COL_SKIP, NULL },
    { "reason", COL_TEXT, NULL },    { "rssi_dbm", COL_INT, NULL },
    { "data", COL_HEX, NULL },
};
static const struct api_column job_columns[] = {
    { "id", COL_INT, NULL },          { "kind", COL_TEXT, NULL },
    { "state", COL_ENUM, job_names }, { "done", COL_SKIP, NULL },
    { "total", COL_SKIP, NULL },      { "created_at", COL_TIME, NULL },
    { "started_at", COL_TIME, NULL }, { "ended_at", COL_TIME, NULL },
    { "run_at", COL_TIME, NULL },     { "attempts", COL_INT, NULL },
    { "error", COL_TEXT, NULL },      { "result", COL_JSON, NULL },
    { "created_by", COL_TEXT, NULL },
};
#define N(a) (sizeof(a) / sizeof((a)[0]))

/* --- marks --- */

bool event_mark_parse(const char *text, struct event_mark *out)
{
    char *end = NULL;

    errno = 0;
    if (*text < '0' || *text > '9')
        return false;
    out->event_id = strtoll(text, &end, 10);
    if (*end != '.' || end[1] < '0' || end[1] > '9')
        return false;
    out->at = strtoll(end + 1, &end, 10);
    /* The database knows no times much later. */
    return *end == '\0' && errno == 0 && out->at < INT64_C(100000) * 365 * EMT_DAY;
}

const char *event_watch_mark(const struct event_watch *w, char buf[48])
{
    snprintf(buf, 48, "%" PRId64 ".%" PRId64, w->event_low, w->asked_at);
    return buf;
}

/* --- what was seen --- */

static bool key_put(struct event_watch *w, const struct seen_key *k)
{
    static char there;

    if (map_put(w->seen, k, sizeof *k, &there, NULL) == EMT_OK)
        return true;
    w->failed = true;
    return false;
}

/* True when it is news. What is seen again stays known for another span. */
static bool is_new(struct event_watch *w, enum event_topic topic, int64_t a, int64_t b, int64_t c)
{
    const struct seen_key k = { (int64_t)topic, a, b, c };

    if (map_get(w->seen, &k, sizeof k))
        return false;
    bool known = map_get(w->before, &k, sizeof k) != NULL;
    return key_put(w, &k) && !known;
}

/* A new span: what was not seen for WINDOW_S is forgotten. */
static void turn(struct event_watch *w, int64_t now_ms)
{
    struct map *old = w->before;

    if (w->turn_ms && now_ms - w->turn_ms < WINDOW_S * 1000)
        return;
    w->before = w->seen;
    w->seen = old;
    map_clear(w->seen);
    w->turn_ms = now_ms;
    w->event_low = w->event_next;
    w->event_next = w->event_high;
}

/* --- rows to text --- */

static const char *const block_names[EVENT_TOPICS] = { "gateway", "frame", "job", "event" };

/* Takes j. */
static void tell(struct event_watch *w, enum event_topic topic, json_t *j)
{
    char *json = j ? json_dumps(j, JSON_COMPACT) : NULL;
    char mark[48];

    json_decref(j);
    writer_clear(&w->text);
    if (topic != TOPIC_FRAMES)
        writer_printf(&w->text, "id: %s\n", event_watch_mark(w, mark));
    writer_printf(&w->text, "event: %s\ndata: ", block_names[topic]);
    if (!json || !writer_text(&w->text, json) || !writer_text(&w->text, "\n\n"))
        w->failed = true;
    else
        w->sink->tell(w->sink->ctx, topic, (const char *)w->text.data, w->text.len);
    free(json);
}

static json_t *frame_json(const struct store_result *r, int row)
{
    json_t *j = api_row(r, row, STREAM_FRAME_SHOWN, frame_columns, N(frame_columns));
    int64_t protocol = c_int(r, row, STREAM_FRAME_SHOWN + 6);
    int64_t state = c_int(r, row, STREAM_FRAME_SHOWN + 7);

    json_object_set_new(
        j, "protocol",
        json_string(protocol < PROTOCOLS ? protocol_name((enum protocol)protocol) : "none"));
    json_object_set_new(j, "state",
                        json_string(frame_state_name(state < FRAME_STATES ? (enum frame_state)state
                                                                          : FRAME_MALFORMED)));
    return j;
}

static json_t *job_json(const struct store_result *r, int row)
{
    json_t *j = api_row(r, row, STREAM_JOB_SHOWN, job_columns, N(job_columns));
    int total = STREAM_JOB_SHOWN + 4;
    json_t *all = c_null(r, row, total) ? json_null() : json_integer(c_int(r, row, total));

    json_object_set_new(
        j, "progress",
        json_pack("{s:I, s:o}", "done", (json_int_t)c_int(r, row, total - 1), "total", all));
    return j;
}

/* --- answers: newest first, told oldest first --- */

/* More than were asked for may have changed, and the oldest of them was not known. */
static void note_rest(struct event_watch *w, enum event_topic topic, int rows, int most,
                      bool oldest_is_new)
{
    if (rows == most && oldest_is_new && !w->base)
        w->sink->lost(w->sink->ctx, topic, 1);
}

static void on_gateways(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct event_watch *w = ctx;
    int rows = err == EMT_OK ? store_rows(r) : 0;

    w->failed |= err != EMT_OK;
    for (int i = rows; i-- > 0;) {
        bool news = w->resume ||
                    is_new(w, TOPIC_GATEWAYS, c_int(r, i, STREAM_GATEWAY_ID),
                           c_int(r, i, STREAM_GATEWAY_EPOCH), c_int(r, i, STREAM_GATEWAY_STATE));
        if (i == rows - 1)
            note_rest(w, TOPIC_GATEWAYS, rows, ROWS, news);
        if (news && !w->base)
            tell(w, TOPIC_GATEWAYS,
                 api_row(r, i, STREAM_GATEWAY_SHOWN, gateway_columns, N(gateway_columns)));
    }
}

static void on_events(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct event_watch *w = ctx;
    int rows = err == EMT_OK ? store_rows(r) : 0;

    w->failed |= err != EMT_OK;
    for (int i = rows; i-- > 0;) {
        int64_t id = c_int(r, i, STREAM_EVENT_ID);
        bool news = w->resume || is_new(w, TOPIC_EVENTS, id, 0, 0);

        if (i == rows - 1)
            note_rest(w, TOPIC_EVENTS, rows, ROWS, news);
        if (id > w->event_high && !w->resume)
            w->event_high = id;
        if (news && !w->base)
            tell(w, TOPIC_EVENTS,
                 api_row(r, i, STREAM_EVENT_SHOWN, event_columns, N(event_columns)));
    }
    /* The first answer: older numbers than these are taken for settled. */
    if (w->base && rows > 0)
        w->event_low = w->event_next = rows == ROWS ? c_int(r, rows - 1, STREAM_EVENT_ID) : 0;
}

static void on_jobs(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct event_watch *w = ctx;
    int rows = err == EMT_OK ? store_rows(r) : 0;

    w->failed |= err != EMT_OK;
    for (int i = rows; i-- > 0;) {
        bool news = w->resume ? c_bool(r, i, STREAM_JOB_FRESH)
                              : is_new(w, TOPIC_JOBS, c_int(r, i, STREAM_JOB_ID),
                                       c_int(r, i, STREAM_JOB_PRINT), 0);
        if (news && !w->base)
            tell(w, TOPIC_JOBS, job_json(r, i));
    }
}

static void on_frames(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct event_watch *w = ctx;
    int rows = err == EMT_OK ? store_rows(r) : 0;
    bool news[FRAMES_ASKED] = { false };
    int found = 0;

    w->failed |= err != EMT_OK;
    for (int i = 0; i < rows; i++) {
        news[i] = is_new(w, TOPIC_FRAMES, c_int(r, i, STREAM_FRAME_GATEWAY),
                         c_int(r, i, STREAM_FRAME_SEQ), c_int(r, i, STREAM_FRAME_STORED));
        found += news[i];
    }
    if (rows == FRAMES_ASKED && news[rows - 1])
        w->frame_floor = c_int(r, rows - 1, STREAM_FRAME_STORED);
    for (int i = rows; i-- > 0 && !w->base;) {
        if (news[i] && found-- <= FRAMES_TOLD)
            tell(w, TOPIC_FRAMES, frame_json(r, i));
        else if (news[i])
            w->sink->lost(w->sink->ctx, TOPIC_FRAMES, 1);
    }
}

static void on_frame_count(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct event_watch *w = ctx;

    w->failed |= err != EMT_OK;
    if (err == EMT_OK && c_int(r, 0, 0) > 0)
        w->sink->lost(w->sink->ctx, TOPIC_FRAMES, c_int(r, 0, 0));
}

/* --- questions --- */

static enum emt_err ask_topic(struct event_watch *w, struct store *s, enum event_topic topic,
                              emt_time since, int64_t above)
{
    switch (topic) {
    case TOPIC_GATEWAYS:
        return stream_send_gateways(s, w->tenant, since, ROWS, on_gateways, w);
    case TOPIC_FRAMES:
        return stream_send_frames(s, w->tenant, w->asked_at - FRAME_WINDOW_S * EMT_SECOND,
                                  FRAMES_ASKED, on_frames, w);
    case TOPIC_JOBS:
        return stream_send_jobs(s, w->tenant, since, JOBS, on_jobs, w);
    case TOPIC_EVENTS:
        return stream_send_events(s, w->tenant, above, ROWS, on_events, w);
    case EVENT_TOPICS:
        break;
    }
    return EMT_EINTERNAL;
}

/* One round trip: all questions in one transaction. */
static enum emt_err ask(struct event_watch *w, struct store *s, unsigned topics, bool base,
                        emt_time since, int64_t above)
{
    enum emt_err err = store_send_begin(s);

    w->base = base;
    w->failed = false;
    w->asked_at = clock_now();
    if (err == EMT_OK)
        err = store_send_tenant(s, w->tenant);
    for (enum event_topic t = TOPIC_GATEWAYS; t < EVENT_TOPICS && err == EMT_OK; t++) {
        if (topics & TOPIC_BIT(t))
            err = ask_topic(w, s, t, since, above);
    }
    if (err == EMT_OK)
        err = store_send_commit(s, NULL, NULL);
    if (err == EMT_OK)
        err = store_drain(s, ANSWER_MS);
    return err == EMT_OK && w->failed ? EMT_EDB : err;
}

/* Frames that did not even stand in the answer are counted. */
static enum emt_err count_frames(struct event_watch *w, struct store *s, emt_time from)
{
    enum emt_err err;

    if (w->frame_floor == EMT_TIME_NONE || w->frame_floor <= from)
        return EMT_OK;
    err = store_send_begin(s);
    if (err == EMT_OK)
        err = store_send_tenant(s, w->tenant);
    if (err == EMT_OK)
        err = stream_send_frame_count(s, w->tenant, from, w->frame_floor, FRAMES_COUNTED,
                                      on_frame_count, w);
    if (err == EMT_OK)
        err = store_send_commit(s, NULL, NULL);
    return err == EMT_OK ? store_drain(s, ANSWER_MS) : err;
}

/* Asks for topics that are either all known or all new. */
static enum emt_err poll_some(struct event_watch *w, struct store *s, unsigned topics, bool base)
{
    emt_time from = w->frames_at;

    if (topics == 0)
        return EMT_OK;
    w->resume = false;
    w->frame_floor = EMT_TIME_NONE;
    enum emt_err err =
        ask(w, s, topics, base, clock_now() - WINDOW_S * EMT_SECOND, base ? 0 : w->event_low);
    if (err == EMT_OK && !base && (topics & TOPIC_BIT(TOPIC_FRAMES)))
        err = count_frames(w, s, from);
    if (err == EMT_OK && (topics & TOPIC_BIT(TOPIC_FRAMES)))
        w->frames_at = w->asked_at;
    return err;
}

enum emt_err event_watch_poll(struct event_watch *w, struct store *s, unsigned topics,
                              int64_t now_ms, const struct event_sink *sink)
{
    enum emt_err err;

    turn(w, now_ms);
    w->sink = sink;
    w->based &= topics; /* who was not asked for may have missed something */
    err = poll_some(w, s, topics & ~w->based, true);
    if (err == EMT_OK)
        err = poll_some(w, s, topics & w->based, false);
    if (err == EMT_OK)
        w->based |= topics;
    return err;
}

enum emt_err event_watch_resume(struct event_watch *w, struct store *s, unsigned topics,
                                const struct event_mark *mark, const struct event_sink *sink)
{
    w->sink = sink;
    w->resume = true;
    enum emt_err err = ask(w, s, topics & ~TOPIC_BIT(TOPIC_FRAMES), false,
                           mark->at - WINDOW_S * EMT_SECOND, mark->event_id);
    w->resume = false;
    return err;
}

struct event_watch *event_watch_new(int32_t tenant)
{
    struct event_watch *w = calloc(1, sizeof *w);

    if (!w)
        return NULL;
    w->tenant = tenant;
    w->seen = map_new();
    w->before = map_new();
    w->frame_floor = EMT_TIME_NONE;
    writer_init_heap(&w->text, TEXT_MAX);
    if (w->seen && w->before)
        return w;
    event_watch_free(w);
    return NULL;
}

void event_watch_free(struct event_watch *w)
{
    if (!w)
        return;
    map_free(w->seen);
    map_free(w->before);
    writer_release(&w->text);
    free(w);
}
