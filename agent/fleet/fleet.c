/* Meter number i belongs to gateway i / meters. One simulation makes every telegram once; a
 * telegram in the overlap goes, byte for byte, to the neighbour as well, with its own level and
 * some milliseconds later. */
#include "fleet.h"

#include "agent/gateway.h"
#include "agent/latency.h"
#include "agent/simulate.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "fleet_dir.h"
#include "model/protocol.h"

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define TICK_US 10000L
#define TICK_TELEGRAMS 5000u
#define PRESENT (60 * EMT_SECOND)
#define ORDER_MAX 64u
#define ARENA_MAX ((size_t)16 << 20)

struct fleet {
    const struct fleet_options *o;
    struct event_base *base;
    struct arena *arena;
    struct fleet_dir dir;
    struct gateway **gateway;
    struct simulation *simulation;
    struct sim_clock clock;
    emt_time started;
    int64_t started_ms;
    uint64_t submitted, shared;
    uint64_t acked_before; /* the run: sum of the spools' acknowledged numbers */
    struct latency second, total;
    bool caught_up, draining, hushed;
    char order[ORDER_MAX];
    size_t order_len;
    int code;
    struct event *tick, *report, *end, *drain, *term, *interrupt, *orders;
};

struct totals {
    uint64_t connected, acked, owed, given_up;
    struct uplink_client_counters c;
};

static void finish(struct fleet *f, int code)
{
    f->code = code;
    event_base_loopbreak(f->base);
}

/* --- telegrams --- */

static bool overlaps(const struct fleet *f, uint32_t meter)
{
    return meter * UINT32_C(2654435761) % 100 < f->o->overlap_percent;
}

static bool has_room(const struct gateway *g)
{
    struct spool_stats st;

    gateway_spool(g, &st);
    return st.owed_bytes <= st.size / 2;
}

static bool submit(struct fleet *f, size_t which, const struct sim_telegram *t, bool second)
{
    struct spool_frame frame = {
        .received_at = t->sent_at + (second ? 3000 + (int64_t)(t->meter % 40) * 1000 : 0),
        .protocol = PROTOCOL_WMBUS,
        .format = FRAME_FORMAT_NO_LINK_CRC,
        .rssi_dbm = t->rssi_dbm - (second ? 9 : 0),
        .data = t->data,
        .len = t->len
    };

    f->submitted++;
    f->shared += second;
    return gateway_submit(f->gateway[which], &frame) == EMT_OK;
}

/* The past waits while the next telegram's gateway has no room; the present does not wait. */
static void simulate_some(struct fleet *f)
{
    emt_time real = clock_now();
    emt_time now = sim_clock_now(&f->clock, real);
    struct sim_telegram t;

    for (unsigned i = 0; i < TICK_TELEGRAMS && simulation_due(f->simulation) <= now; i++) {
        size_t which = simulation_due_meter(f->simulation) / f->o->meters;
        size_t neighbour = fleet_dir_neighbour(&f->dir, which);
        if (simulation_due(f->simulation) < real - PRESENT &&
            (!has_room(f->gateway[which]) || !has_room(f->gateway[neighbour])))
            return;
        if (simulation_next(f->simulation, &t) != EMT_OK) {
            LOG_ERROR("simulation-failed", LOG_I("gateway", which));
            finish(f, 1);
            return;
        }
        bool fine = submit(f, which, &t, false);
        if (fine && neighbour != which && overlaps(f, t.meter))
            fine = submit(f, neighbour, &t, true);
        if (!fine)
            return; /* on_broken() ends the run */
    }
    f->caught_up = simulation_due(f->simulation) > f->started && now == real;
}

/* --- figures --- */

static void on_acked(void *ctx, int64_t after_ms)
{
    struct fleet *f = ctx;

    latency_add(&f->second, after_ms);
    latency_add(&f->total, after_ms);
}

static void add_up(const struct fleet *f, struct totals *t)
{
    *t = (struct totals){ 0 };
    for (size_t i = 0; i < f->dir.n; i++) {
        struct uplink_client *client = gateway_client(f->gateway[i]);
        struct uplink_client_counters c;
        struct spool_stats st;
        uplink_client_counters(client, &c);
        gateway_spool(f->gateway[i], &st);
        t->connected += uplink_client_ready(client);
        t->acked += st.acked_seq;
        t->owed += st.owed_frames;
        t->given_up += st.given_up;
        t->c.sessions += c.sessions;
        t->c.failures += c.failures;
        t->c.frames_sent += c.frames_sent;
        t->c.bytes_sent += c.bytes_sent;
        t->c.frames_rejected += c.frames_rejected;
        t->c.gaps += c.gaps;
        t->c.commands += c.commands;
    }
}

static unsigned long long number(uint64_t v)
{
    return (unsigned long long)v;
}

static void print_figures(struct fleet *f, const struct latency *l, bool final)
{
    struct totals t;
    int64_t ms = clock_mono_ms() - f->started_ms;

    add_up(f, &t);
    printf(
        "{\"seconds\":%lld.%03lld,\"gateways\":%zu,\"connected\":%llu,\"submitted\":%llu,\"shared\":%llu,\"sent\":%llu,"
        "\"sent_bytes\":%llu,\"acknowledged\":%llu,\"owed\":%llu,",
        (long long)(ms / 1000), (long long)(ms % 1000), f->dir.n, number(t.connected),
        number(f->submitted), number(f->shared), number(t.c.frames_sent), number(t.c.bytes_sent),
        number(t.acked - f->acked_before), number(t.owed));
    printf(
        "\"rejected\":%llu,\"given_up\":%llu,\"gaps\":%llu,\"sessions\":%llu,\"failures\":%llu,\"commands\":%llu,"
        "\"p50_ms\":%lld,\"p99_ms\":%lld%s}\n",
        number(t.c.frames_rejected), number(t.given_up), number(t.c.gaps), number(t.c.sessions),
        number(t.c.failures), number(t.c.commands), (long long)latency_percentile(l, 50),
        (long long)latency_percentile(l, 99), final ? ",\"final\":true" : "");
    fflush(stdout);
}

static void on_report(evutil_socket_t fd, short what, void *arg)
{
    struct fleet *f = arg;

    (void)fd;
    (void)what;
    print_figures(f, &f->second, false);
    latency_clear(&f->second);
}

/* --- course of the run --- */

static bool all_idle(const struct fleet *f)
{
    for (size_t i = 0; i < f->dir.n; i++) {
        if (!gateway_idle(f->gateway[i]))
            return false;
    }
    return true;
}

static void start_draining(struct fleet *f)
{
    struct timeval limit = { (time_t)f->o->drain_s, 0 };

    f->draining = true;
    event_add(f->drain, &limit);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct fleet *f = arg;

    (void)fd;
    (void)what;
    if (!f->draining && !f->hushed)
        simulate_some(f);
    if (!f->draining && f->o->once && f->caught_up)
        start_draining(f);
    if (f->draining && all_idle(f))
        finish(f, 0);
}

static void on_end(evutil_socket_t fd, short what, void *arg)
{
    struct fleet *f = arg;

    (void)fd;
    (void)what;
    if (f->draining)
        finish(f, all_idle(f) ? 0 : 1); /* a second signal */
    else
        start_draining(f);
}

static void on_drained(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    LOG_ERROR("not-drained", LOG_S("text", "not everything was acknowledged in time"));
    finish(arg, 1);
}

static void on_broken(void *ctx)
{
    finish(ctx, 1);
}

/* --- orders --- */

static void obey(struct fleet *f, const char *order)
{
    void (*each)(struct uplink_client * c) = NULL;

    if (strcmp(order, "cut") == 0)
        each = uplink_client_cut;
    else if (strcmp(order, "move") == 0)
        each = uplink_client_move;
    else if (strcmp(order, "flee") == 0)
        each = uplink_client_flee;
    else if (strcmp(order, "hush") == 0 || strcmp(order, "speak") == 0)
        f->hushed = order[0] == 'h';
    else
        LOG_WARN("no-such-order", LOG_S("order", order));
    for (size_t i = 0; each && i < f->dir.n; i++)
        each(gateway_client(f->gateway[i]));
}

static void on_orders(evutil_socket_t fd, short what, void *arg)
{
    struct fleet *f = arg;
    char *end;

    (void)what;
    ssize_t n = read(fd, f->order + f->order_len, sizeof f->order - 1 - f->order_len);
    if (n <= 0) {
        event_del(f->orders);
        return;
    }
    f->order_len += (size_t)n;
    f->order[f->order_len] = '\0';
    while ((end = strchr(f->order, '\n'))) {
        *end = '\0';
        obey(f, f->order);
        f->order_len -= (size_t)(end + 1 - f->order);
        memmove(f->order, end + 1, f->order_len + 1);
    }
    if (f->order_len == sizeof f->order - 1)
        f->order_len = 0; /* no order is that long */
}

/* --- set-up --- */

void fleet_raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static enum emt_err open_gateways(struct fleet *f, struct emt_diag *diag)
{
    f->gateway = calloc(f->dir.n, sizeof(struct gateway *));
    if (!f->gateway)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    for (size_t i = 0; i < f->dir.n; i++) {
        struct gateway_options g = { .dir = f->dir.member[i].path,
                                     .endpoint = f->o->address,
                                     .nendpoints = f->o->naddresses,
                                     .first_endpoint = f->o->naddresses ? i : 0,
                                     .no_resume = f->o->no_resume,
                                     .spool_size = f->o->spool_size,
                                     .sync = f->o->sync,
                                     .base = f->base,
                                     .arena = f->arena,
                                     .events = { .acked = on_acked },
                                     .broken = on_broken,
                                     .ctx = f };
        enum emt_err err = gateway_open(&g, &f->gateway[i], diag);
        if (err != EMT_OK)
            return err;
        struct spool_stats st;
        gateway_spool(f->gateway[i], &st);
        f->acked_before += st.acked_seq;
    }
    return EMT_OK;
}

static enum emt_err open_simulation(struct fleet *f, struct emt_diag *diag)
{
    uint64_t meters = (uint64_t)f->dir.n * f->o->meters;

    if (meters > SIMULATE_METERS_MAX)
        return emt_fail(diag, EMT_ELIMIT, "more than %u meters", SIMULATE_METERS_MAX);
    f->clock = sim_clock_of(f->started, f->o->backfill_days, f->o->speed);
    struct simulation_config config = { .seed = f->o->seed,
                                        .meters = (uint32_t)meters,
                                        .interval_s = f->o->interval_s,
                                        .from = f->clock.start };
    enum emt_err err = simulation_new(&config, &f->simulation);
    return err == EMT_OK ? err : emt_fail(diag, err, "cannot simulate %u meters", (unsigned)meters);
}

static bool make_events(struct fleet *f)
{
    struct timeval tick = { 0, TICK_US }, second = { 1, 0 }, end = { (time_t)f->o->seconds, 0 };

    f->tick = event_new(f->base, -1, EV_PERSIST, on_tick, f);
    f->report = event_new(f->base, -1, EV_PERSIST, on_report, f);
    f->end = evtimer_new(f->base, on_end, f);
    f->drain = evtimer_new(f->base, on_drained, f);
    f->term = evsignal_new(f->base, SIGTERM, on_end, f);
    f->interrupt = evsignal_new(f->base, SIGINT, on_end, f);
    f->orders = event_new(f->base, STDIN_FILENO, EV_READ | EV_PERSIST, on_orders, f);
    if (!f->tick || !f->report || !f->end || !f->drain || !f->term || !f->interrupt || !f->orders)
        return false;
    if (f->o->orders)
        event_add(f->orders, NULL);
    event_add(f->tick, &tick);
    event_add(f->report, &second);
    event_add(f->term, NULL);
    event_add(f->interrupt, NULL);
    if (f->o->seconds)
        event_add(f->end, &end);
    return true;
}

static void release(struct fleet *f)
{
    struct event *events[] = { f->tick, f->report,    f->end,   f->drain,
                               f->term, f->interrupt, f->orders };

    for (size_t i = 0; f->gateway && i < f->dir.n; i++)
        gateway_close(f->gateway[i]);
    free(f->gateway);
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        if (events[i])
            event_free(events[i]);
    }
    simulation_free(f->simulation);
    fleet_dir_release(&f->dir);
    arena_free(f->arena);
    if (f->base)
        event_base_free(f->base);
    free(f);
}

static enum emt_err set_up(struct fleet *f, struct emt_diag *diag)
{
    f->base = event_base_new();
    f->arena = arena_new(ARENA_MAX);
    if (!f->base || !f->arena)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    enum emt_err err = fleet_dir_read(f->o->dir, f->o->gateways, &f->dir, diag);
    if (err == EMT_OK && f->o->gateways > f->dir.n)
        err = emt_fail(diag, EMT_ENOTFOUND, "%s: holds %zu gateways, not %u", f->o->dir, f->dir.n,
                       f->o->gateways);
    if (err == EMT_OK)
        err = open_gateways(f, diag);
    if (err == EMT_OK)
        err = open_simulation(f, diag);
    if (err == EMT_OK && !make_events(f))
        err = emt_fail(diag, EMT_ENOMEM, "out of memory");
    return err;
}

int fleet_run(const struct fleet_options *o, struct emt_diag *diag)
{
    struct fleet *f = calloc(1, sizeof *f);
    int code = 2;

    if (!f)
        return 1;
    fleet_raise_descriptors();
    f->o = o;
    f->code = 1;
    f->started = clock_now();
    f->started_ms = clock_mono_ms();
    enum emt_err err = set_up(f, diag);
    if (err == EMT_OK) {
        for (size_t i = 0; i < f->dir.n; i++)
            gateway_start(f->gateway[i], (uint32_t)(i * 1000 / o->connect_rate));
        event_base_dispatch(f->base);
        print_figures(f, &f->total, true);
        code = f->code;
    }
    release(f);
    return code;
}

int fleet_meters(const struct fleet_options *o, const char *tenant, struct emt_diag *diag)
{
    char line[SIM_METER_CSV_MAX];
    struct fleet_dir d;
    int code = 0;

    if (fleet_dir_read(o->dir, o->gateways, &d, diag) != EMT_OK)
        return 2;
    printf("%s\n", SIM_METER_CSV_HEAD);
    for (size_t i = 0; code == 0 && i < d.n * o->meters; i++) {
        struct sim_meter m;
        if (tenant && strcmp(d.member[i / o->meters].tenant, tenant) != 0)
            continue;
        if (sim_meter_init(&m, o->seed, (uint32_t)i, o->interval_s) != EMT_OK)
            code = 1;
        else if (m.encrypted)
            printf("%s\n", sim_meter_csv(&m, line));
    }
    fleet_dir_release(&d);
    return fflush(stdout) == 0 ? code : 1;
}
