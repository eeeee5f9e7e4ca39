/* The event stream of a tenant (text/event-stream, HTML Living Standard 9.2). The handler only
 * opens it; the hub writes it. */
#include "api_internal.h"
#include "api_route.h"
#include "event_hub.h"
#include "http/http_stream.h"

#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

static const struct {
    const char *name;
    enum api_area area;
} topics[EVENT_TOPICS] = {
    [TOPIC_GATEWAYS] = { "gateways", AREA_GATEWAYS },
    [TOPIC_FRAMES] = { "frames", AREA_FRAMES },
    [TOPIC_JOBS] = { "jobs", AREA_JOBS },
    [TOPIC_EVENTS] = { "events", AREA_TENANT },
};

static bool may_hear(const struct api_call *c, enum event_topic t)
{
    return c->who.scopes == 0 || (c->who.scopes & SCOPE_BIT(topics[t].area, false)) != 0;
}

/* EVENT_TOPICS: no topic is called so. */
static enum event_topic topic_of(const char *name, size_t n)
{
    enum event_topic t = TOPIC_GATEWAYS;

    while (t < EVENT_TOPICS &&
           (strlen(topics[t].name) != n || memcmp(topics[t].name, name, n) != 0))
        t++;
    return t;
}

/* Without the parameter all that the key may read. False: the problem is answered. */
static bool read_topics(struct api_call *c, unsigned *out)
{
    const char *text = http_request_query(c->req, "topics");

    *out = 0;
    for (enum event_topic t = TOPIC_GATEWAYS; text == NULL && t < EVENT_TOPICS; t++)
        *out |= may_hear(c, t) ? TOPIC_BIT(t) : 0u;
    while (text != NULL) {
        size_t n = strcspn(text, ",");
        enum event_topic t = topic_of(text, n);

        if (t == EVENT_TOPICS) {
            api_problem(c, 400, "invalid", "topics",
                        "topics: gateways, frames, jobs, events, with commas");
            return false;
        }
        if (!may_hear(c, t)) {
            api_problem(c, 403, "scope", "topics", "the key lacks the scope %s:read",
                        api_area_names[topics[t].area]);
            return false;
        }
        *out |= TOPIC_BIT(t);
        text = text[n] == ',' ? text + n + 1 : NULL;
    }
    if (*out == 0)
        api_problem(c, 403, "scope", NULL, "the key lacks a scope of every topic");
    return *out != 0;
}

static struct stream_asker asker_of(const struct api_call *c)
{
    const struct api_principal *who = &c->who;

    if (who->session_id != 0)
        return (struct stream_asker){ STREAM_SESSION, c->tenant, who->session_id };
    return (struct stream_asker){ who->user_id != 0 ? STREAM_PLATFORM_KEY : STREAM_TENANT_KEY,
                                  c->tenant, who->key_id };
}

static enum emt_err too_many(struct api_call *c, const char *what)
{
    c->retry_after_s = 10;
    return api_problem(c, 429, "too-many-streams", NULL, "%s has as many event streams as allowed",
                       what);
}

static enum emt_err open_stream(struct api_call *c, unsigned wanted)
{
    const char *last = http_request_header(c->req, "Last-Event-ID");
    const struct stream_asker asker = asker_of(c);
    struct http_stream *stream = NULL;
    struct event_hub *hub = c->api->hub;
    struct event_mark mark;
    const char *what = NULL;

    if (event_hub_admit(hub, &asker, &what) != EMT_OK)
        return too_many(c, what);
    enum emt_err err = http_response_stream(c->out, event_hub_queue_bytes(), &stream);
    if (err == EMT_ELIMIT)
        return too_many(c, "this server");
    if (err != EMT_OK)
        return err;
    bool back = last != NULL && event_mark_parse(last, &mark);
    err = event_hub_subscribe(hub, &asker, wanted, back ? &mark : NULL, stream);
    if (err != EMT_OK)
        http_stream_unref(stream);
    return err;
}

enum emt_err api_stream_open(struct api_call *c)
{
    unsigned wanted = 0;

    if (!read_topics(c, &wanted))
        return EMT_OK;
    if (http_request_method(c->req) != HTTP_HEAD) {
        enum emt_err err = open_stream(c, wanted);
        if (err != EMT_OK || c->status != 0)
            return err;
    }
    c->status = 200;
    c->content_type = "text/event-stream";
    /* Proxies that collect answers would hold events back. */
    return http_response_header(c->out, "X-Accel-Buffering", "no");
}
