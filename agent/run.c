/* Sources hand frames to the gateway on a short tick. A replayed file and simulated telegrams of
 * the past wait while half of the spool is owed; telegrams of the present do not wait, as radio
 * does not. */
#include "agent/run.h"

#include "agent/gateway.h"
#include "agent/replay.h"
#include "agent/simulate.h"
#include "agent/source.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "model/protocol.h"

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define TICK_US 10000L
#define TICK_FRAMES 1000u         /* most frames of a source in one tick */
#define DRAIN_S 5                 /* how long TERM waits for acknowledgements */
#define PRESENT (60 * EMT_SECOND) /* younger telegrams do not wait for space */
#define ARENA_MAX ((size_t)16 << 20)

struct run {
    const struct run_options *o;
    struct emt_diag *diag;
    struct event_base *base;
    struct arena *arena;
    struct gateway *gateway;
    struct replay *replay; /* NULL once read to its end */
    struct simulation *simulation;
    struct source_list configured;
    struct source *sources[SOURCES_MAX]; /* meters that this gateway reads */
    size_t nsources;
    struct sim_clock clock;
    emt_time started; /* real */
    int64_t started_ms;
    uint64_t replayed;
    bool caught_up; /* the simulation has reached the present */
    bool stopping;
    int code;
    struct event *tick, *term, *interrupt, *drain, *timeout;
};

static void finish(struct run *r, int code)
{
    r->code = code;
    event_base_loopbreak(r->base);
}

static bool room(const struct run *r)
{
    struct spool_stats st;

    gateway_spool(r->gateway, &st);
    return st.owed_bytes <= st.size / 2;
}

static bool submit(struct run *r, const struct spool_frame *f)
{
    enum emt_err err = gateway_submit(r->gateway, f);

    if (err == EMT_ELIMIT) {
        LOG_WARN("frame-refused", LOG_I("bytes", f->len));
        return true;
    }
    return err == EMT_OK;
}

/* --- sources --- */

static void replay_some(struct run *r)
{
    uint64_t allowed = TICK_FRAMES;
    struct spool_frame f;

    if (r->o->rate) {
        uint64_t due = (uint64_t)(clock_mono_ms() - r->started_ms) * r->o->rate / 1000;
        allowed = due > r->replayed ? due - r->replayed : 0;
    }
    for (uint64_t i = 0; r->replay && i < allowed && i < TICK_FRAMES && room(r); i++) {
        enum emt_err err = replay_next(r->replay, &f, r->diag);
        if (err == EMT_ENOTFOUND) {
            replay_close(r->replay);
            r->replay = NULL;
            return;
        }
        if (err != EMT_OK) {
            finish(r, 2);
            return;
        }
        if (f.received_at == EMT_TIME_NONE)
            f.received_at = clock_now();
        if (!submit(r, &f))
            return;
        r->replayed++;
    }
}

static void simulate_some(struct run *r)
{
    emt_time real = clock_now();
    emt_time now = sim_clock_now(&r->clock, real);
    struct sim_telegram t;

    for (unsigned i = 0; i < TICK_FRAMES && simulation_due(r->simulation) <= now; i++) {
        if (simulation_due(r->simulation) < real - PRESENT && !room(r))
            return;
        if (simulation_next(r->simulation, &t) != EMT_OK) {
            LOG_ERROR("simulation-failed", LOG_I("meter", t.meter));
            finish(r, 1);
            return;
        }
        struct spool_frame f = { .received_at = t.sent_at,
                                 .protocol = PROTOCOL_WMBUS,
                                 .format = FRAME_FORMAT_NO_LINK_CRC,
                                 .rssi_dbm = t.rssi_dbm,
                                 .data = t.data,
                                 .len = t.len };
        if (!submit(r, &f))
            return;
    }
    r->caught_up = simulation_due(r->simulation) > r->started && now == real;
}

/* Meters that are read do not wait for space either: the spool gives up its oldest frames. */
static void on_source_frame(void *ctx, enum protocol protocol, enum frame_format format,
                            const uint8_t *p, size_t n)
{
    struct run *r = ctx;
    struct spool_frame f = { .received_at = clock_now(),
                             .protocol = (uint16_t)protocol,
                             .format = (uint16_t)format,
                             .data = p,
                             .len = n };

    if (!r->stopping)
        (void)submit(r, &f); /* a broken spool has told the program */
}

static unsigned read_now(void *ctx)
{
    struct run *r = ctx;
    unsigned n = 0;

    for (size_t i = 0; i < r->nsources; i++)
        n += source_read_now(r->sources[i]);
    return n;
}

static void close_sources(struct run *r)
{
    for (size_t i = 0; i < r->nsources; i++)
        source_free(r->sources[i]);
    r->nsources = 0;
}

static enum emt_err start_sources(struct run *r)
{
    struct source_sink sink = { on_source_frame, r };
    enum emt_err err = source_list_load(r->o->dir, &r->configured, r->diag);

    while (err == EMT_OK && r->nsources < r->configured.n) {
        err = source_open(&r->configured.list[r->nsources], r->base, &sink,
                          &r->sources[r->nsources], r->diag);
        r->nsources += err == EMT_OK;
    }
    return err;
}

static bool exhausted(const struct run *r)
{
    return !r->replay && (!r->simulation || r->caught_up);
}

static void finish_if_done(struct run *r)
{
    if ((r->o->once || r->stopping) && (r->stopping || exhausted(r)) && gateway_idle(r->gateway))
        finish(r, 0);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct run *r = arg;

    (void)fd;
    (void)what;
    if (!r->stopping) {
        if (r->replay)
            replay_some(r);
        if (r->simulation && !(r->o->once && r->caught_up))
            simulate_some(r);
    }
    finish_if_done(r);
}

/* --- ends --- */

static void on_signal(evutil_socket_t sig, short what, void *arg)
{
    struct run *r = arg;
    struct timeval limit = { DRAIN_S, 0 };

    (void)what;
    LOG_NOTICE("stopping", LOG_I("signal", sig));
    if (r->stopping || gateway_sync(r->gateway) != EMT_OK) {
        finish(r, r->stopping ? 0 : 1);
        return;
    }
    r->stopping = true;
    close_sources(r);
    event_add(r->drain, &limit);
    finish_if_done(r);
}

/* What is still owed stays in the spool: that is a clean end. */
static void on_drain(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    finish(arg, 0);
}

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    LOG_ERROR("timeout", LOG_S("text", "not everything is acknowledged"));
    finish(arg, 1);
}

static void on_broken(void *ctx)
{
    finish(ctx, 1);
}

static void print_summary(struct run *r)
{
    struct uplink_client_counters c;
    struct spool_stats st;

    uplink_client_counters(gateway_client(r->gateway), &c);
    gateway_spool(r->gateway, &st);
    printf(
        "{\"submitted\":%llu,\"sent\":%llu,\"acknowledged_up_to\":%llu,\"owed\":%llu,\"rejected\":%llu,\"gaps\":%llu,"
        "\"given_up\":%llu,\"damaged\":%llu,\"sessions\":%llu}\n",
        (unsigned long long)gateway_submitted(r->gateway), (unsigned long long)c.frames_sent,
        (unsigned long long)st.acked_seq, (unsigned long long)st.owed_frames,
        (unsigned long long)c.frames_rejected, (unsigned long long)c.gaps,
        (unsigned long long)st.given_up, (unsigned long long)st.damaged,
        (unsigned long long)c.sessions);
    fflush(stdout);
}

/* --- set-up --- */

static enum emt_err open_sources(struct run *r)
{
    const struct run_options *o = r->o;
    enum emt_err err = EMT_OK;

    if (o->replay)
        err = replay_open(o->replay, &r->replay, r->diag);
    if (err != EMT_OK || !o->meters)
        return err;
    r->clock = sim_clock_of(r->started, o->backfill_days, o->speed);
    struct simulation_config config = {
        .seed = o->seed, .meters = o->meters, .interval_s = o->interval_s, .from = r->clock.start
    };
    err = simulation_new(&config, &r->simulation);
    return err == EMT_OK ? err
                         : emt_fail(r->diag, err, "cannot simulate %u meters: %s", o->meters,
                                    emt_err_name(err));
}

static enum emt_err open_gateway(struct run *r)
{
    struct endpoint override;
    struct gateway_options g = { .dir = r->o->dir,
                                 .sync = true,
                                 .base = r->base,
                                 .arena = r->arena,
                                 .broken = on_broken,
                                 .read_now = read_now,
                                 .ctx = r };

    if (r->o->address) {
        if (endpoint_parse(r->o->address, &override) != EMT_OK)
            return emt_fail(r->diag, EMT_EMALFORMED, "\"%.100s\" is no host:port", r->o->address);
        g.endpoint = &override;
    }
    return gateway_open(&g, &r->gateway, r->diag);
}

static bool make_events(struct run *r)
{
    struct timeval tick = { 0, TICK_US };
    struct timeval limit = { (time_t)r->o->timeout_s, 0 };

    r->tick = event_new(r->base, -1, EV_PERSIST, on_tick, r);
    r->term = evsignal_new(r->base, SIGTERM, on_signal, r);
    r->interrupt = evsignal_new(r->base, SIGINT, on_signal, r);
    r->drain = evtimer_new(r->base, on_drain, r);
    r->timeout = evtimer_new(r->base, on_timeout, r);
    if (!r->tick || !r->term || !r->interrupt || !r->drain || !r->timeout)
        return false;
    event_add(r->tick, &tick);
    event_add(r->term, NULL);
    event_add(r->interrupt, NULL);
    if (r->o->once && r->o->timeout_s)
        event_add(r->timeout, &limit);
    return true;
}

static void release(struct run *r)
{
    struct event *events[] = { r->tick, r->term, r->interrupt, r->drain, r->timeout };

    close_sources(r);
    source_list_release(&r->configured);
    gateway_close(r->gateway);
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        if (events[i])
            event_free(events[i]);
    }
    simulation_free(r->simulation);
    replay_close(r->replay);
    arena_free(r->arena);
    if (r->base)
        event_base_free(r->base);
}

int run_agent(const struct run_options *o, struct emt_diag *diag)
{
    struct run r = {
        .o = o, .diag = diag, .started = clock_now(), .started_ms = clock_mono_ms(), .code = 1
    };

    r.base = event_base_new();
    r.arena = arena_new(ARENA_MAX);
    enum emt_err err =
        r.base && r.arena ? open_sources(&r) : emt_fail(diag, EMT_ENOMEM, "out of memory");
    if (err == EMT_OK)
        err = open_gateway(&r);
    if (err == EMT_OK && !make_events(&r))
        err = emt_fail(diag, EMT_ENOMEM, "out of memory");
    if (err == EMT_OK)
        err = start_sources(&r);
    if (err == EMT_OK) {
        gateway_start(r.gateway, 0);
        event_base_dispatch(r.base);
        print_summary(&r);
    } else {
        r.code = diag->file[0] || (emt_err_class(err) == EMT_CLASS_REJECT && err != EMT_ECONFLICT)
                     ? 2
                     : 1;
    }
    release(&r);
    return r.code;
}
