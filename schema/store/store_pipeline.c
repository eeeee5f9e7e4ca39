/* The pipeline: what was queued is remembered in a ring, and the server's answers are dealt out in
 * the same order.
 *
 * For libpq each statement's answer is one result and an end mark (NULL); a sync is one result
 * without a mark. After a failure the server skips to the next sync, and libpq gives
 * PGRES_PIPELINE_ABORTED for what was skipped. */
#include "store_internal.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ITEMS 64

/* ---- the ring ---- */

static bool ring_room(struct store *s, size_t n)
{
    size_t cap = s->cap ? s->cap : FIRST_ITEMS;
    struct item *items;

    if (s->count + n <= s->cap)
        return true;
    while (cap < s->count + n)
        cap *= 2;
    items = malloc(cap * sizeof *items);
    if (!items)
        return false;
    for (size_t i = 0; i < s->count; i++)
        items[i] = s->items[(s->head + i) % s->cap];
    free(s->items);
    s->items = items;
    s->head = 0;
    s->cap = cap;
    return true;
}

static void ring_push(struct store *s, const struct item *it)
{
    s->items[(s->head + s->count++) % s->cap] = *it;
    s->last_is_sync = it->kind == ITEM_SYNC;
    s->want_write = true;
}

static struct item ring_pop(struct store *s)
{
    struct item it = s->items[s->head];

    s->head = (s->head + 1) % s->cap;
    s->count--;
    return it;
}

/* ---- sending ---- */

/* Room for the item and its prepare, and pipeline mode on. */
static enum emt_err ready_to_send(struct store *s)
{
    if (s->broken)
        return EMT_EDB;
    if (s->connecting)
        return EMT_ESTATE;
    if (!s->pipeline) {
        if (!PQenterPipelineMode(s->conn))
            return EMT_ESTATE;
        s->pipeline = true;
    }
    return ring_room(s, 2) ? EMT_OK : EMT_ENOMEM;
}

static bool is_usable(const struct store *s, const struct prepared *p)
{
    return p && (p->confirmed || p->segment == s->segment);
}

static enum emt_err send_prepare(struct store *s, const struct store_statement *st)
{
    char name[STORE_NAME_MAX];
    struct prepared *p = prepared_add(s, st);
    struct item it = { .kind = ITEM_PREPARE, .st = st };

    if (!p)
        return EMT_ENOMEM;
    it.generation = p->generation;
    prepared_name(name, st, p->generation);
    if (!PQsendPrepare(s->conn, name, st->sql, 0, NULL))
        return store_break(s);
    ring_push(s, &it);
    return EMT_OK;
}

enum emt_err store_send(struct store *s, const struct store_statement *st,
                        const struct store_param *params, store_done *done, void *ctx)
{
    struct item it = { .kind = ITEM_STATEMENT, .st = st, .done = done, .ctx = ctx };
    char name[STORE_NAME_MAX];
    struct wire_params w;
    enum emt_err err = ready_to_send(s);

    if (err == EMT_OK)
        err = wire_params_fill(&w, st->nparams, params);
    if (err == EMT_OK && !is_usable(s, prepared_find(s, st))) {
        err = send_prepare(s, st);
        it.own_prepare = true;
    }
    if (err != EMT_OK)
        return err;
    prepared_name(name, st, prepared_find(s, st)->generation);
    if (!PQsendQueryPrepared(s->conn, name, w.n, w.values, w.lengths, w.formats, 1))
        return store_break(s);
    ring_push(s, &it);
    return EMT_OK;
}

static enum emt_err send_plain(struct store *s, const char *sql, const struct item *it)
{
    enum emt_err err = ready_to_send(s);

    if (err != EMT_OK)
        return err;
    if (!PQsendQueryParams(s->conn, sql, 0, NULL, NULL, NULL, NULL, 1))
        return store_break(s);
    ring_push(s, it);
    return EMT_OK;
}

enum emt_err store_send_begin(struct store *s)
{
    return send_plain(s, "BEGIN", &(struct item){ .kind = ITEM_STATEMENT });
}

enum emt_err store_send_tenant(struct store *s, int32_t tenant)
{
    char sql[64];

    /* SET takes no parameter: the number is ours, printed from an integer. */
    snprintf(sql, sizeof sql, "SET LOCAL app.tenant = '%" PRId32 "'", tenant);
    return send_plain(s, sql, &(struct item){ .kind = ITEM_STATEMENT });
}

enum emt_err store_send_commit(struct store *s, store_done *done, void *ctx)
{
    return send_plain(s, "COMMIT", &(struct item){ .kind = ITEM_COMMIT, .done = done, .ctx = ctx });
}

enum emt_err store_send_rollback(struct store *s)
{
    return send_plain(s, "ROLLBACK", &(struct item){ .kind = ITEM_STATEMENT });
}

enum emt_err store_send_sync(struct store *s, store_done *done, void *ctx)
{
    struct item it = { .kind = ITEM_SYNC, .done = done, .ctx = ctx };
    enum emt_err err = ready_to_send(s);

    if (err != EMT_OK)
        return err;
    if (!PQpipelineSync(s->conn))
        return store_break(s);
    ring_push(s, &it);
    s->segment++;
    return EMT_OK;
}

/* ---- answers ---- */

static void finish_prepare(struct store *s, const struct item *it, enum emt_err err)
{
    struct prepared *p = prepared_find(s, it->st);

    s->prepare_error = err;
    if (!p || p->generation != it->generation)
        return; /* sent again meanwhile */
    if (err == EMT_OK)
        p->confirmed = true;
    else
        prepared_forget(s, it->st);
}

/* it is already off the ring: the callback may queue more. */
static void finish(struct store *s, const struct item *it, enum emt_err err, PGresult *res)
{
    enum emt_err prepare_error = s->prepare_error;

    s->prepare_error = EMT_OK;
    if (it->kind == ITEM_PREPARE) {
        finish_prepare(s, it, err);
    } else {
        struct store_result r = { res };

        if (err == EMT_ESTATE && it->own_prepare && prepare_error != EMT_OK)
            err = prepare_error;
        if (err == EMT_EDB && it->st)
            prepared_check(s, it->st);
        if (it->done)
            it->done(it->ctx, err, err == EMT_OK && it->kind != ITEM_SYNC ? &r : NULL);
    }
    PQclear(res);
}

static enum emt_err judge_item(struct store *s, const struct item *it, PGresult *res)
{
    enum emt_err err;

    if (PQresultStatus(res) == PGRES_PIPELINE_ABORTED)
        return s->dying ? EMT_EDB : EMT_ESTATE;
    err = store_judge(s, res);
    if (err != EMT_OK || it->kind != ITEM_COMMIT)
        return err;
    /* A transaction that failed in an earlier segment answers COMMIT with "ROLLBACK" and no error.
     */
    return strcmp(PQcmdStatus(res), "COMMIT") == 0 ? EMT_OK : EMT_ESTATE;
}

void store_fail_outstanding(struct store *s)
{
    PQclear(s->got);
    s->got = NULL;
    while (s->count) {
        struct item it = ring_pop(s);

        finish(s, &it, EMT_EDB, NULL);
    }
}

/* One result of libpq. false: nothing more to take now. */
static bool take(struct store *s)
{
    PGresult *res;
    struct item it;
    enum emt_err err;

    if (s->count == 0 || PQisBusy(s->conn))
        return false;
    res = PQgetResult(s->conn);
    if (res && PQresultStatus(res) != PGRES_PIPELINE_SYNC) {
        PQclear(s->got); /* one statement has one result */
        s->got = res;
        return true;
    }
    if (!res && !s->got) /* no answer is due: the connection is in a state that we do not know */
        return false;
    if (res && s->items[s->head].kind != ITEM_SYNC) {
        PQclear(res);
        (void)store_break(s);
        return false;
    }
    it = ring_pop(s);
    if (res) {
        /* A segment without BEGIN is committed by its sync. */
        err = store_judge_replication(s);
        finish(s, &it, s->dying ? EMT_EDB : err, res);
        return true;
    }
    res = s->got;
    s->got = NULL;
    err = judge_item(s, &it, res);
    if (s->broken && err == EMT_ESTATE)
        err = EMT_EDB;
    finish(s, &it, err, res);
    return true;
}

enum emt_err store_pump(struct store *s)
{
    if (s->pumping) /* from a callback */
        return s->broken ? EMT_EDB : EMT_OK;
    if (s->connecting)
        return EMT_ESTATE;
    s->pumping = true;
    if (!s->broken && s->pipeline) {
        int flushed = PQflush(s->conn);

        /* Reading comes after a failed write, too: the server may have said why. */
        if (!PQconsumeInput(s->conn) && PQstatus(s->conn) != CONNECTION_BAD)
            flushed = -1;
        while (!s->broken && take(s))
            continue;
        if (PQstatus(s->conn) == CONNECTION_BAD || flushed < 0)
            (void)store_break(s);
        else
            s->want_write = PQflush(s->conn) == 1;
    }
    if (s->broken)
        store_fail_outstanding(s);
    s->pumping = false;
    return s->broken ? EMT_EDB : EMT_OK;
}

enum emt_err store_drain(struct store *s, int timeout_ms)
{
    int64_t deadline = clock_mono_ms() + timeout_ms;

    for (;;) {
        struct pollfd p;
        int64_t left;
        enum emt_err err = EMT_OK;

        if (s->count && !s->last_is_sync && !s->broken)
            err = store_send_sync(s, NULL, NULL);
        if (err != EMT_ENOMEM)
            err = store_pump(s);
        if (err != EMT_OK || s->count == 0)
            return err;
        p = (struct pollfd){ store_fd(s), POLLIN, 0 };
        if (s->want_write)
            p.events |= POLLOUT;
        left = deadline - clock_mono_ms();
        if (left <= 0 || (poll(&p, 1, (int)left) < 0 && errno != EINTR))
            return EMT_EAGAIN;
    }
}

enum emt_err store_leave_pipeline(struct store *s)
{
    if (!s->pipeline)
        return EMT_OK;
    if (s->count || !PQexitPipelineMode(s->conn))
        return EMT_ESTATE;
    s->pipeline = false;
    return EMT_OK;
}
