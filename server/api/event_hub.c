#include "event_hub.h"

#include "base/clock.h"
#include "base/json_text.h"
#include "base/log.h"
#include "base/writer.h"
#include "http/http_stream.h"
#include "loop/metrics.h"
#include "store/store.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum {
    QUEUE_BYTES = 64 << 10,
    POLL_MS = 1000,
    CHECK_MS = 3000,      /* and a second for the turn: within 5 s an ended session has no stream */
    UNCHECKED_MS = 30000, /* a database that cannot say who is good: nobody is, then */
    COMMENT_MS = 15000,
    STALL_MS = 60000, /* who takes nothing for as long is gone */
    CONNECT_MS = 5000,
    TOGETHER_MS = 50,
    RESUMES = 50, /* in one turn: many come back at once after a restart */
    HELLO_MAX = 512,
};

struct subscriber {
    struct subscriber *prev, *next;
    struct stream_asker asker;
    unsigned topics;
    struct http_stream *stream;
    bool resumes;
    struct event_mark mark;
    bool greeted;
    int64_t comment_ms;
    int64_t lost;
};

struct watched {
    struct watched *next;
    int32_t tenant;
    unsigned topics; /* that somebody wants */
    bool fresh;      /* somebody waits for his hello */
    struct event_watch *watch;
};

struct event_hub {
    struct event_hub_settings s;
    pthread_t thread;
    pthread_mutex_t lock; /* guards the list's links, fresh and stop; entries are removed by the
                             hub's thread alone */
    pthread_cond_t wake;
    struct subscriber all; /* circular */
    bool fresh, stop;

    /* the hub's thread only */
    struct watched *tenants;
    struct store *app, *admin;
    int64_t poll_ms, check_ms, checked_ms;
    int64_t worked_ms;
    unsigned resumed;
    struct metric *streams, *told, *lost, *ended, *failed, *refused_tenant, *refused_principal;
};

size_t event_hub_queue_bytes(void)
{
    return QUEUE_BYTES;
}

/* --- admission --- */

static bool same_asker(const struct stream_asker *a, const struct stream_asker *b)
{
    return a->kind == b->kind && a->id == b->id &&
           (a->kind != STREAM_TENANT_KEY || a->tenant == b->tenant);
}

enum emt_err event_hub_admit(struct event_hub *h, const struct stream_asker *asker,
                             const char **what)
{
    unsigned tenant = 0;
    unsigned principal = 0;

    pthread_mutex_lock(&h->lock);
    for (struct subscriber *s = h->all.next; s != &h->all; s = s->next) {
        bool ours = s->asker.tenant == asker->tenant;
        bool his = same_asker(&s->asker, asker);

        if ((ours || his) && http_stream_is_open(s->stream)) {
            tenant += ours;
            principal += his;
        }
    }
    pthread_mutex_unlock(&h->lock);
    if (principal >= h->s.principal_most) {
        metric_add(h->refused_principal, 1);
        *what = "this key or session";
        return EMT_ELIMIT;
    }
    if (tenant >= h->s.tenant_most) {
        metric_add(h->refused_tenant, 1);
        *what = "this tenant";
        return EMT_ELIMIT;
    }
    return EMT_OK;
}

enum emt_err event_hub_subscribe(struct event_hub *h, const struct stream_asker *asker,
                                 unsigned topics, const struct event_mark *mark,
                                 struct http_stream *stream)
{
    struct subscriber *s = calloc(1, sizeof *s);

    if (!s)
        return EMT_ENOMEM;
    s->asker = *asker;
    s->topics = topics;
    s->stream = stream;
    s->comment_ms = clock_mono_ms() + COMMENT_MS;
    if (mark) {
        s->resumes = true;
        s->mark = *mark;
    }
    pthread_mutex_lock(&h->lock);
    s->next = &h->all;
    s->prev = h->all.prev;
    s->prev->next = s;
    h->all.prev = s;
    h->fresh = true;
    pthread_cond_signal(&h->wake);
    pthread_mutex_unlock(&h->lock);
    metric_add(h->streams, 1);
    return EMT_OK;
}

static void drop(struct event_hub *h, struct subscriber *s)
{
    pthread_mutex_lock(&h->lock);
    s->prev->next = s->next;
    s->next->prev = s->prev;
    pthread_mutex_unlock(&h->lock);
    http_stream_unref(s->stream);
    free(s);
    metric_add(h->streams, -1);
}

/* Walks in the hub's thread: others only append. */
static struct subscriber *first(struct event_hub *h)
{
    pthread_mutex_lock(&h->lock);
    struct subscriber *s = h->all.next;
    pthread_mutex_unlock(&h->lock);
    return s == &h->all ? NULL : s;
}

static struct subscriber *following(struct event_hub *h, const struct subscriber *s)
{
    pthread_mutex_lock(&h->lock);
    struct subscriber *next = s->next;
    pthread_mutex_unlock(&h->lock);
    return next == &h->all ? NULL : next;
}

/* --- telling --- */

/* What was lost is told before anything else. */
static bool tell_lost(struct subscriber *s)
{
    char text[64];
    int n;

    if (s->lost == 0)
        return true;
    n = snprintf(text, sizeof text, "event: lost\ndata: {\"count\":%" PRId64 "}\n\n", s->lost);
    if (!http_stream_write(s->stream, text, (size_t)n))
        return false;
    s->lost = 0;
    return true;
}

static void lose(struct event_hub *h, struct subscriber *s, int64_t count)
{
    s->lost += count;
    metric_add(h->lost, count);
}

static void tell_one(struct event_hub *h, struct subscriber *s, const char *text, size_t n)
{
    if (tell_lost(s) && http_stream_write(s->stream, text, n))
        metric_add(h->told, 1);
    else
        lose(h, s, 1);
}

/* To whom a question's answers go: all greeted of a tenant, or the one who resumes. */
struct audience {
    struct event_hub *hub;
    int32_t tenant;
    struct subscriber *one;
};

static bool hears(const struct audience *a, const struct subscriber *s, enum event_topic topic)
{
    return s->greeted && s->asker.tenant == a->tenant && (s->topics & TOPIC_BIT(topic));
}

static void on_tell(void *ctx, enum event_topic topic, const char *text, size_t n)
{
    struct audience *a = ctx;

    if (a->one) {
        tell_one(a->hub, a->one, text, n);
        return;
    }
    for (struct subscriber *s = first(a->hub); s; s = following(a->hub, s)) {
        if (hears(a, s, topic))
            tell_one(a->hub, s, text, n);
    }
}

static void on_lost(void *ctx, enum event_topic topic, int64_t count)
{
    struct audience *a = ctx;

    if (a->one) {
        lose(a->hub, a->one, count);
        return;
    }
    for (struct subscriber *s = first(a->hub); s; s = following(a->hub, s)) {
        if (hears(a, s, topic))
            lose(a->hub, s, count);
    }
}

static void hello(struct event_hub *h, struct subscriber *s, const struct event_watch *w)
{
    char mark[48];
    char at[32];
    struct writer text;

    writer_init_heap(&text, HELLO_MAX);
    writer_printf(&text, "id: %s\nevent: hello\ndata: {\"node\":", event_watch_mark(w, mark));
    json_put_cstr(&text, h->s.node);
    writer_printf(&text, ",\"at\":\"%s\"}\n\n", time_format(clock_now(), at));
    if (!text.failed)
        (void)http_stream_write(s->stream, text.data, text.len);
    writer_release(&text);
}

/* --- the database --- */

static struct store *connection(struct event_hub *h, struct store **s, enum store_role role)
{
    struct emt_diag diag = { 0 };

    if (*s && store_is_broken(*s)) {
        store_close(*s);
        *s = NULL;
    }
    if (!*s && store_open(h->s.conninfo, role, CONNECT_MS, s, &diag) != EMT_OK) {
        LOG_WARN("event-hub-database", LOG_S("reason", diag.text));
        *s = NULL;
    }
    return *s;
}

/* What is under way on a connection that does not answer comes to nobody any more. */
static void give_up(struct event_hub *h, struct store **s, const char *what)
{
    LOG_WARN("event-hub-failed", LOG_S("what", what),
             LOG_S("reason", *s ? store_error(*s) : "no connection"));
    metric_add(h->failed, 1);
    store_close(*s);
    *s = NULL;
}

static struct watched *watched_of(struct event_hub *h, int32_t tenant)
{
    struct watched *w = h->tenants;

    while (w && w->tenant != tenant)
        w = w->next;
    if (w)
        return w;
    w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->tenant = tenant;
    w->watch = event_watch_new(tenant);
    if (!w->watch) {
        free(w);
        return NULL;
    }
    w->next = h->tenants;
    h->tenants = w;
    return w;
}

/* Who is there, what they want; tenants without anybody are forgotten. */
static void survey(struct event_hub *h)
{
    struct watched **at = &h->tenants;

    for (struct watched *w = h->tenants; w; w = w->next) {
        w->topics = 0;
        w->fresh = false;
    }
    for (struct subscriber *s = first(h); s; s = following(h, s)) {
        struct watched *w = watched_of(h, s->asker.tenant);
        if (w) {
            w->topics |= s->topics;
            w->fresh |= !s->greeted;
        }
    }
    while (*at) {
        struct watched *w = *at;
        if (w->topics) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        event_watch_free(w->watch);
        free(w);
    }
}

/* Greets who is new: from here on the polls are his. Who comes back hears first what he missed. */
static enum emt_err greet(struct event_hub *h, struct watched *w)
{
    for (struct subscriber *s = first(h); s; s = following(h, s)) {
        struct audience one = { h, w->tenant, s };
        const struct event_sink sink = { &one, on_tell, on_lost };
        enum emt_err err = EMT_OK;

        if (s->greeted || s->asker.tenant != w->tenant)
            continue;
        if (s->resumes && h->resumed >= RESUMES)
            continue; /* the next turn: it asks from his mark on, so nothing is missed */
        hello(h, s, w->watch);
        if (s->resumes) {
            h->resumed++;
            err = event_watch_resume(w->watch, h->app, s->topics, &s->mark, &sink);
        }
        if (err != EMT_OK)
            return err;
        s->greeted = true;
    }
    return EMT_OK;
}

static void poll_tenant(struct event_hub *h, struct watched *w, int64_t now)
{
    struct audience all = { h, w->tenant, NULL };
    const struct event_sink sink = { &all, on_tell, on_lost };
    enum emt_err err = EMT_EDB;

    if (connection(h, &h->app, STORE_APP))
        err = event_watch_poll(w->watch, h->app, w->topics, now, &sink);
    if (err == EMT_OK && w->fresh)
        err = greet(h, w);
    if (err != EMT_OK)
        give_up(h, &h->app, "poll");
}

/* --- streams that end --- */

static void tend(struct event_hub *h, int64_t now)
{
    for (struct subscriber *s = first(h), *next; s; s = next) {
        next = following(h, s);
        if (http_stream_stalled_ms(s->stream, now) > STALL_MS)
            http_stream_abort(s->stream);
        if (!http_stream_is_open(s->stream)) {
            drop(h, s);
            continue;
        }
        (void)tell_lost(s);
        if (now >= s->comment_ms) {
            (void)http_stream_write(s->stream, ":\n\n", 3);
            s->comment_ms = now + COMMENT_MS;
        }
    }
}

static void end_stream(struct event_hub *h, struct subscriber *s)
{
    metric_add(h->ended, 1);
    http_stream_end(s->stream);
}

/* Askers without repetition, in the order of the list: one key may have many streams. */
static size_t collect(struct event_hub *h, struct stream_asker *askers, size_t cap)
{
    size_t n = 0;

    for (struct subscriber *s = first(h); s && n < cap; s = following(h, s))
        askers[n++] = s->asker;
    return n;
}

static int compare_askers(const void *a, const void *b)
{
    const struct stream_asker *x = a;
    const struct stream_asker *y = b;

    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    if (x->tenant != y->tenant)
        return x->tenant < y->tenant ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

static size_t unique(struct stream_asker *askers, size_t n)
{
    size_t kept = 0;

    qsort(askers, n, sizeof *askers, compare_askers);
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || compare_askers(&askers[kept - 1], &askers[i]) != 0)
            askers[kept++] = askers[i];
    }
    return kept;
}

static bool ask_who_is_good(struct event_hub *h, const struct stream_asker *askers, size_t n,
                            bool *good)
{
    emt_time now = clock_now();

    if (connection(h, &h->admin, STORE_ADMIN) &&
        stream_askers_good(h->admin, askers, n, now, now - h->s.session_idle_s * EMT_SECOND,
                           good) == EMT_OK)
        return true;
    give_up(h, &h->admin, "check");
    return false;
}

static void end_those_not_good(struct event_hub *h, const struct stream_asker *askers, size_t n,
                               const bool *good)
{
    for (struct subscriber *s = first(h); s; s = following(h, s)) {
        const struct stream_asker *a =
            bsearch(&s->asker, askers, n, sizeof *askers, compare_askers);
        if (a && !good[a - askers])
            end_stream(h, s);
    }
}

static void check_askers(struct event_hub *h, int64_t now)
{
    size_t cap = (size_t)metric_get(h->streams);
    struct stream_asker *askers = calloc(cap + 1, sizeof *askers);
    bool *good = calloc(cap + 1, sizeof *good);
    size_t n = askers && good ? unique(askers, collect(h, askers, cap)) : 0;

    if (askers && good && (n == 0 || ask_who_is_good(h, askers, n, good))) {
        end_those_not_good(h, askers, n, good);
        h->checked_ms = now;
    } else if (now - h->checked_ms > UNCHECKED_MS) {
        for (struct subscriber *s = first(h); s; s = following(h, s))
            end_stream(h, s);
    }
    free(askers);
    free(good);
}

/* --- the thread --- */

/* False: the time has come. */
static bool wait_until(struct event_hub *h, int64_t ms)
{
    struct timespec until = { .tv_sec = (time_t)(ms / 1000),
                              .tv_nsec = (long)(ms % 1000) * 1000000 };

    return pthread_cond_timedwait(&h->wake, &h->lock, &until) == 0;
}

/* Until the next turn, or somebody new; false at the end. */
static bool rest(struct event_hub *h)
{
    pthread_mutex_lock(&h->lock);
    while (!h->stop && !h->fresh && h->all.next == &h->all)
        pthread_cond_wait(&h->wake, &h->lock);
    while (!h->stop && !h->fresh && wait_until(h, h->poll_ms))
        ;
    /* Many who come at once are greeted together. */
    while (!h->stop && wait_until(h, h->worked_ms + TOGETHER_MS))
        ;
    bool go_on = !h->stop;
    h->fresh = false;
    pthread_mutex_unlock(&h->lock);
    return go_on;
}

/* A turn of all tenants each second; in between those whose first reader waits. */
static void work(struct event_hub *h)
{
    int64_t now = clock_mono_ms();
    bool due = now >= h->poll_ms;

    survey(h);
    if (due) {
        h->poll_ms = now + POLL_MS;
        h->resumed = 0;
    }
    for (struct watched *w = h->tenants; w; w = w->next) {
        if (due || w->fresh)
            poll_tenant(h, w, now);
    }
    if (!due)
        return;
    if (now >= h->check_ms) {
        h->check_ms = now + CHECK_MS;
        check_askers(h, now);
    }
    tend(h, clock_mono_ms());
}

static void *hub_main(void *arg)
{
    struct event_hub *h = arg;

    while (rest(h)) {
        work(h);
        h->worked_ms = clock_mono_ms();
    }
    return NULL;
}

static void register_metrics(struct event_hub *h)
{
    struct metrics *m = h->s.metrics;
    static const char refused[] = "emt_api_streams_refused_total";
    static const char refused_help[] = "Event streams refused by limit";

    h->streams = metrics_gauge(m, "emt_api_streams", NULL, "Event streams that are open");
    h->told = metrics_counter(m, "emt_api_stream_events_total", NULL, "Events told to streams");
    h->lost = metrics_counter(m, "emt_api_stream_lost_total", NULL,
                              "Events that streams were told of as lost");
    h->ended = metrics_counter(m, "emt_api_streams_ended_total", NULL,
                               "Event streams ended because their key or session was over");
    h->failed = metrics_counter(m, "emt_api_stream_polls_failed_total", NULL,
                                "Questions of the event streams that the database did not answer");
    h->refused_tenant = metrics_counter(m, refused, "limit=\"tenant\"", refused_help);
    h->refused_principal = metrics_counter(m, refused, "limit=\"principal\"", refused_help);
}

static bool start_thread(struct event_hub *h)
{
    sigset_t all;
    sigset_t old;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    bool ok = pthread_create(&h->thread, NULL, hub_main, h) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return ok;
}

enum emt_err event_hub_new(const struct event_hub_settings *s, struct event_hub **out,
                           struct emt_diag *diag)
{
    struct event_hub *h = calloc(1, sizeof *h);
    pthread_condattr_t attr;

    if (!h)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    h->s = *s;
    if (h->s.tenant_most == 0)
        h->s.tenant_most = 1024;
    if (h->s.principal_most == 0)
        h->s.principal_most = 32;
    if (h->s.session_idle_s == 0)
        h->s.session_idle_s = 1800;
    if (!h->s.node)
        h->s.node = "";
    h->all.prev = h->all.next = &h->all;
    h->checked_ms = clock_mono_ms();
    register_metrics(h);
    pthread_mutex_init(&h->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&h->wake, &attr);
    pthread_condattr_destroy(&attr);
    if (!start_thread(h)) {
        pthread_cond_destroy(&h->wake);
        pthread_mutex_destroy(&h->lock);
        free(h);
        return emt_fail(diag, EMT_ENOMEM, "the thread of the event streams does not start");
    }
    *out = h;
    return EMT_OK;
}

void event_hub_free(struct event_hub *h)
{
    if (!h)
        return;
    pthread_mutex_lock(&h->lock);
    h->stop = true;
    pthread_cond_signal(&h->wake);
    pthread_mutex_unlock(&h->lock);
    pthread_join(h->thread, NULL);
    for (struct subscriber *s = first(h), *next; s; s = next) {
        next = following(h, s);
        http_stream_end(s->stream);
        drop(h, s);
    }
    while (h->tenants) {
        struct watched *w = h->tenants;
        h->tenants = w->next;
        event_watch_free(w->watch);
        free(w);
    }
    store_close(h->app);
    store_close(h->admin);
    pthread_cond_destroy(&h->wake);
    pthread_mutex_destroy(&h->lock);
    free(h);
}
