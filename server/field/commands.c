#include "commands.h"

#include "field_metrics.h"
#include "journal.h"
#include "loop/metrics.h"
#include "store/session_store.h"

#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* Gateways looked after in one poll; the others have their turn in the next. */
#define TAKES_MAX 256
/* Of CommandResult, when we answer in the gateway's stead. */
#define OUTCOME_FAILED 1

struct take {
    struct take *next, **slot;
    struct commands *commands;
    int32_t tenant;
    int64_t gateway, epoch;
    unsigned calls;
    bool behind; /* a poll passed it by while it was under way */
};

struct commands {
    struct commands_settings settings;
    struct store *store; /* of the poll under way */
    unsigned calls;      /* of the poll: 0 when none is under way */
    bool again;          /* somebody asked for a look while one was under way */
    struct take *takes;
    unsigned ntakes;
};

struct commands *commands_new(const struct commands_settings *s)
{
    struct commands *c = calloc(1, sizeof *c);

    if (c)
        c->settings = *s;
    return c;
}

static void take_free(struct take *t)
{
    *t->slot = t->next;
    if (t->next)
        t->next->slot = t->slot;
    t->commands->ntakes--;
    free(t);
}

void commands_free(struct commands *c)
{
    if (!c)
        return;
    while (c->takes)
        take_free(c->takes);
    free(c);
}

/* What was ordered after its statement began is not in it: looked at once more. */
static void take_settle(struct take *t, enum emt_err err)
{
    struct commands *c = t->commands;
    bool behind = t->behind;

    if (--t->calls > 0)
        return;
    take_free(t);
    if (behind && err == EMT_OK)
        commands_poll(c, c->store);
}

/* ---- one gateway's commands ---- */

static void command_send(struct take *t, const struct session_command_row *row,
                         const struct uplink_argument *arguments, size_t n)
{
    struct commands *c = t->commands;
    struct session *s = c->settings.find(c->settings.ctx, t->tenant, t->gateway);
    struct uplink_message m = { .kind = UPLINK_COMMAND };

    if (!s || s->owned.epoch != t->epoch || !row->idempotency_key)
        return; /* a later session takes it up */
    memcpy(m.u.command.idempotency_key, row->idempotency_key, UPLINK_KEY_LEN);
    m.u.command.name = row->name;
    m.u.command.arguments = arguments;
    m.u.command.narguments = n;
    m.u.command.expires_at = row->expires_at;
    if (n > UPLINK_LIST_MAX || !c->settings.can_send(c->settings.ctx, &m)) {
        journal_result(c->settings.journal, t->tenant, t->gateway, row->idempotency_key,
                       OUTCOME_FAILED, "too large for the field channel");
        return;
    }
    metric_add(c->settings.metrics->commands_sent, 1);
    session_handle(s, EV_COMMAND, &(struct session_input){ .message = &m });
}

/* Rows of one command follow each other, one per argument. */
static void on_taken(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct take *t = ctx;
    int rows = err == EMT_OK ? store_rows(r) : 0;

    for (int i = 0, next; i < rows; i = next) {
        struct uplink_argument arguments[UPLINK_LIST_MAX];
        struct session_command_row head, row;
        size_t n = 0;

        session_read_command(r, i, &head);
        for (next = i; next < rows; next++) {
            session_read_command(r, next, &row);
            if (row.command != head.command)
                break;
            if (row.argument && n < UPLINK_LIST_MAX)
                arguments[n] = (struct uplink_argument){ row.argument, row.value };
            n += row.argument != NULL;
        }
        command_send(t, &head, arguments, n);
    }
    take_settle(t, err);
}

static void on_take_segment(void *ctx, enum emt_err err, const struct store_result *r)
{
    (void)r;
    take_settle(ctx, err);
}

static struct take *find_take(const struct commands *c, int32_t tenant, int64_t gateway)
{
    struct take *t = c->takes;

    while (t && (t->tenant != tenant || t->gateway != gateway))
        t = t->next;
    return t;
}

static void take_start(struct commands *c, const struct session *s)
{
    struct take *t = calloc(1, sizeof *t);
    int most = (int)(s->limits->commands - s->open_commands);

    if (!t)
        return;
    *t = (struct take){ .next = c->takes,
                        .slot = &c->takes,
                        .commands = c,
                        .tenant = s->owned.tenant,
                        .gateway = s->owned.gateway,
                        .epoch = s->owned.epoch,
                        .calls = 1 };
    if (t->next)
        t->next->slot = &t->next;
    c->takes = t;
    c->ntakes++;
    if (session_send_tenant(c->store, t->tenant) == EMT_OK &&
        session_send_command_take(c->store, t->tenant, t->gateway, t->epoch, most, on_taken, t) ==
            EMT_OK)
        t->calls++;
    if (session_send_end_of_segment(c->store, on_take_segment, t) == EMT_OK)
        t->calls++;
    take_settle(t, EMT_EDB);
}

/* ---- the poll ---- */

static void poll_settle(struct commands *c, enum emt_err err)
{
    if (--c->calls == 0 && c->again && err == EMT_OK)
        commands_poll(c, c->store);
}

static void on_open(void *ctx, enum emt_err err, const struct store_result *r)
{
    struct commands *c = ctx;
    int rows = err == EMT_OK ? store_rows(r) : 0;

    for (int i = 0; i < rows && c->ntakes < TAKES_MAX; i++) {
        int32_t tenant;
        int64_t gateway, epoch;
        struct session *s;
        struct take *under_way;

        session_read_commands_open(r, i, &tenant, &gateway, &epoch);
        s = c->settings.find(c->settings.ctx, tenant, gateway);
        if (!s || s->owned.epoch != epoch || !s->wants_commands)
            continue;
        under_way = find_take(c, tenant, gateway);
        if (under_way) {
            under_way->behind = true;
            continue;
        }
        if (s->open_commands >= s->limits->commands)
            metric_add(c->settings.metrics->limits[LIMIT_COMMANDS], 1);
        else
            take_start(c, s);
    }
    poll_settle(c, err);
    if (c->ntakes > 0)
        c->settings.queued(c->settings.ctx);
}

static void on_open_segment(void *ctx, enum emt_err err, const struct store_result *r)
{
    (void)r;
    poll_settle(ctx, err);
}

void commands_poll(struct commands *c, struct store *s)
{
    if (!s)
        return;
    c->again = c->calls > 0;
    if (c->again)
        return;
    c->store = s;
    if (session_send_commands_open(s, c->settings.node, on_open, c) == EMT_OK)
        c->calls++;
    if (session_send_end_of_segment(s, on_open_segment, c) == EMT_OK)
        c->calls++;
    c->settings.queued(c->settings.ctx);
}
