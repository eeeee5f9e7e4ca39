#include "agent/gateway.h"

#include "agent/allow_list.h"
#include "agent/command_memory.h"
#include "agent/gateway_config.h"
#include "agent/host.h"
#include "base/file.h"
#include "base/log.h"
#include "pki/tls_context.h"
#include "renewal.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define SOFTWARE "emt-agent 0.1.0"
#define GROUP_US 50000L /* longest wait of a frame for the common sync */
#define GROUP_BYTES ((size_t)256 << 10)

struct gateway {
    struct gateway_options options;
    struct gateway_config config;
    char hardware[96];
    struct spool *spool;
    struct command_memory *commands;
    struct allow_list *allow_list;
    struct uplink_metric metrics[1];
    struct uplink_client *client;
    struct renewal *renewal;
    struct event *group; /* the common sync */
    size_t group_bytes;
    uint64_t submitted;
    bool broken;
};

/* --- spool --- */

static enum emt_err open_spool(struct gateway *g, struct emt_diag *diag)
{
    struct spool_options o = { .size = g->options.spool_size ? g->options.spool_size
                                                             : g->config.spool_size,
                               .sync = g->options.sync };
    char aside[GATEWAY_PATH_MAX + 16];
    enum emt_err err = spool_open(g->config.spool, &o, &g->spool, diag);

    if (err != EMT_EMALFORMED)
        return err;
    /* A gateway in a cellar must come up again: the damaged file is kept for people, and a new
     * spool begun. */
    snprintf(aside, sizeof aside, "%s.damaged", g->config.spool);
    LOG_ERROR("spool-damaged", LOG_S("gateway", g->config.gateway), LOG_S("moved_to", aside));
    if (rename(g->config.spool, aside) != 0)
        return emt_fail(diag, EMT_EIO, "%s: %s", aside, strerror(errno));
    return spool_open(g->config.spool, &o, &g->spool, diag);
}

static void give_up(struct gateway *g)
{
    if (g->broken)
        return;
    g->broken = true;
    LOG_ERROR("spool-broken", LOG_S("gateway", g->config.gateway));
    if (g->options.broken)
        g->options.broken(g->options.ctx);
}

enum emt_err gateway_sync(struct gateway *g)
{
    event_del(g->group);
    g->group_bytes = 0;
    enum emt_err err = spool_sync(g->spool);
    if (err != EMT_OK) {
        give_up(g);
        return err;
    }
    uplink_client_kick(g->client);
    return EMT_OK;
}

static void on_group(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    if (gateway_sync(arg) != EMT_OK)
        return; /* give_up() has told the program */
}

enum emt_err gateway_submit(struct gateway *g, const struct spool_frame *f)
{
    struct timeval tv = { 0, GROUP_US };
    uint64_t seq = 0;
    enum emt_err err;

    if (!allow_list_passes(g->allow_list, f))
        return EMT_OK; /* heard, and not wanted: no byte of it is kept */
    err = spool_append(g->spool, f, &seq);
    if (err != EMT_OK) {
        if (emt_err_class(err) == EMT_CLASS_BROKEN)
            give_up(g);
        return err;
    }
    g->submitted++;
    g->group_bytes += f->len;
    if (g->group_bytes >= GROUP_BYTES)
        return gateway_sync(g);
    if (!event_pending(g->group, EV_TIMEOUT, NULL))
        event_add(g->group, &tv);
    return EMT_OK;
}

/* --- life --- */

static void on_up(void *ctx)
{
    struct gateway *g = ctx;

    if (g->renewal)
        renewal_look(g->renewal);
    if (g->options.events.up)
        g->options.events.up(g->options.ctx);
}

static void on_down(void *ctx, const char *reason, uint32_t wait_ms)
{
    struct gateway *g = ctx;

    if (g->options.events.down)
        g->options.events.down(g->options.ctx, reason, wait_ms);
}

static void on_acked(void *ctx, int64_t after_ms)
{
    struct gateway *g = ctx;

    if (g->options.events.acked)
        g->options.events.acked(g->options.ctx, after_ms);
}

static void on_progress(void *ctx)
{
    struct gateway *g = ctx;

    if (g->options.events.progress)
        g->options.events.progress(g->options.ctx);
}

static void on_fill_status(void *ctx, struct uplink_status *status)
{
    struct gateway *g = ctx;

    status->frames_heard = g->submitted + allow_list_filtered(g->allow_list);
    g->metrics[0] =
        (struct uplink_metric){ "frames_filtered", (int64_t)allow_list_filtered(g->allow_list) };
    status->metrics = g->metrics;
    status->nmetrics = 1;
}

static bool on_command(void *ctx, const struct uplink_command *cmd, struct command_outcome *out)
{
    struct gateway *g = ctx;

    if (strcmp(cmd->name, "read") == 0 && g->options.read_now != NULL) {
        unsigned n = g->options.read_now(g->options.ctx);

        snprintf(out->text, sizeof out->text, "%u meters asked", n);
        return true;
    }
    if (strcmp(cmd->name, "allow-list") != 0)
        return false;
    allow_list_command(g->allow_list, cmd, out);
    return true;
}

static bool on_certificate(void *ctx, const struct uplink_certificate_issued *issued)
{
    struct gateway *g = ctx;

    return g->renewal && renewal_answer(g->renewal, issued);
}

static enum emt_err make_client(struct gateway *g, struct tls_context *tls)
{
    struct gateway_config *c = &g->config;
    struct uplink_client_config config = {
        .base = g->options.base,
        .arena = g->options.arena,
        .spool = g->spool,
        .commands = g->commands,
        .tls = tls,
        .endpoints = c->endpoints,
        .nendpoints = c->nendpoints,
        .first_endpoint = g->options.first_endpoint % c->nendpoints,
        .server_name = c->server_name[0] ? c->server_name : NULL,
        .software = SOFTWARE,
        .hardware = g->hardware,
        .serial = c->serial,
        .gateway = c->gateway,
        .disk = g->options.dir,
        .backoff_first_ms = c->backoff_first_ms,
        .backoff_most_ms = c->backoff_most_ms,
        .status_interval_ms = c->status_interval_ms,
        .events = { on_up, on_down, on_acked, on_progress, on_fill_status, on_certificate,
                    on_command },
        .ctx = g,
    };

    return uplink_client_new(&config, &g->client);
}

static enum emt_err open_allow_list(struct gateway *g, struct emt_diag *diag)
{
    char path[GATEWAY_PATH_MAX];
    enum emt_err err = file_join(path, sizeof path, g->options.dir, "allow-list");

    return err == EMT_OK ? allow_list_open(path, &g->allow_list, diag)
                         : emt_fail(diag, err, "%s: too long", g->options.dir);
}

static enum emt_err build(struct gateway *g, struct emt_diag *diag)
{
    struct tls_context *tls = NULL;
    enum emt_err err = gateway_config_load(g->options.dir, &g->config, diag);

    if (err != EMT_OK)
        return err;
    if (g->options.endpoint) {
        size_t n = g->options.nendpoints ? g->options.nendpoints : 1;
        memcpy(g->config.endpoints, g->options.endpoint, n * sizeof *g->options.endpoint);
        g->config.nendpoints = n;
    }
    host_hardware(g->hardware, sizeof g->hardware);
    g->config.no_resume = g->options.no_resume;
    err = renewal_load_tls(&g->config, &tls, diag);
    if (err == EMT_OK)
        err = open_spool(g, diag);
    if (err == EMT_OK)
        err = command_memory_open(g->config.commands, &g->commands, diag);
    if (err == EMT_OK)
        err = open_allow_list(g, diag);
    if (err == EMT_OK)
        err = make_client(g, tls);
    tls_context_unref(tls); /* NULL is fine */
    if (err == EMT_OK)
        err = renewal_new(&g->config, g->options.base, g->client, &g->renewal, diag);
    if (err != EMT_OK)
        return err;
    g->group = evtimer_new(g->options.base, on_group, g);
    return g->group ? EMT_OK : EMT_ENOMEM;
}

enum emt_err gateway_open(const struct gateway_options *options, struct gateway **out,
                          struct emt_diag *diag)
{
    struct gateway *g = calloc(1, sizeof *g);

    if (!g)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    g->options = *options;
    enum emt_err err = build(g, diag);
    if (err != EMT_OK) {
        gateway_close(g);
        return err;
    }
    *out = g;
    return EMT_OK;
}

void gateway_close(struct gateway *g)
{
    if (!g)
        return;
    /* The last chance for what was submitted in the last 50 ms. */
    if (g->spool && !g->broken && spool_sync(g->spool) != EMT_OK)
        give_up(g);
    if (g->group)
        event_free(g->group);
    renewal_free(g->renewal);
    uplink_client_free(g->client);
    command_memory_free(g->commands);
    allow_list_free(g->allow_list);
    spool_close(g->spool);
    free(g);
}

void gateway_start(struct gateway *g, uint32_t delay_ms)
{
    uplink_client_start(g->client, delay_ms);
}

bool gateway_idle(const struct gateway *g)
{
    return !event_pending(g->group, EV_TIMEOUT, NULL) && uplink_client_idle(g->client);
}

void gateway_spool(const struct gateway *g, struct spool_stats *out)
{
    spool_stats(g->spool, out);
}

struct uplink_client *gateway_client(struct gateway *g)
{
    return g->client;
}

const char *gateway_name(const struct gateway *g)
{
    return g->config.gateway;
}

const char *gateway_tenant(const struct gateway *g)
{
    return g->config.tenant;
}

uint64_t gateway_submitted(const struct gateway *g)
{
    return g->submitted;
}
