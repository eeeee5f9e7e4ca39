#include "store_internal.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const role_names[] = { [STORE_OWNER] = "emt_owner",
                                          [STORE_APP] = "emt_app",
                                          [STORE_INGEST] = "emt_ingest",
                                          [STORE_REPORT] = "emt_report",
                                          [STORE_ADMIN] = "emt_admin" };

const char *store_role_name(enum store_role role)
{
    return role_names[role];
}

/* ---- errors ---- */

/* Takes off a character of UTF-8 of which only the beginning is there. */
static void trim_character(char *text)
{
    size_t n = strlen(text), at = n;
    unsigned want;

    while (at > 0 && n - at < 3 && ((uint8_t)text[at - 1] & 0xc0u) == 0x80u)
        at--;
    if (at == 0 || (uint8_t)text[at - 1] < 0xc0u)
        return;
    want = (uint8_t)text[at - 1] >= 0xf0u ? 4 : (uint8_t)text[at - 1] >= 0xe0u ? 3 : 2;
    if (n - at + 1 < want)
        text[at - 1] = 0;
}

/* Cuts at the first line: the rest is context for people at a psql prompt. What fits is kept; it
 * may go into the database again, so it ends with a whole character. */
static void keep_error(struct store *s, const char *sqlstate, const char *text)
{
    size_t n = text ? strcspn(text, "\n") : 0;

    snprintf(s->sqlstate, sizeof s->sqlstate, "%s", sqlstate ? sqlstate : "");
    snprintf(s->error, sizeof s->error, "%.*s", (int)(n > INT16_MAX ? INT16_MAX : n),
             text ? text : "");
    if (n >= sizeof s->error)
        trim_character(s->error);
}

enum emt_err store_break(struct store *s)
{
    /* A message of the server (shutdown, no such role) says more than the broken socket behind it.
     */
    if (!s->broken && !s->dying)
        keep_error(s, "08006", s->conn ? PQerrorMessage(s->conn) : "out of memory");
    s->broken = true;
    s->connecting = false;
    return EMT_EDB;
}

static enum emt_err err_of_sqlstate(const char *st)
{
    if (strcmp(st, "23505") == 0 || strcmp(st, "23503") == 0)
        return EMT_ECONFLICT;
    if (strcmp(st, "23514") == 0)
        return EMT_ELIMIT;
    if (strncmp(st, "40", 2) == 0 || strcmp(st, "55P03") == 0)
        return EMT_EAGAIN;
    return EMT_EDB;
}

/* After these a new connection finds a server that can serve: another one after a failover, or the
 * same once it is up. */
static bool wants_reconnect(const struct store *s, const char *st)
{
    if (strcmp(st, "25006") == 0)
        return s->role != STORE_REPORT; /* which is read-only by intention */
    return strncmp(st, "08", 2) == 0 || strcmp(st, "57P01") == 0 || strcmp(st, "57P02") == 0 ||
           strcmp(st, "57P03") == 0;
}

enum emt_err store_judge_replication(struct store *s)
{
    if (!s->commit_warned)
        return EMT_OK;
    s->commit_warned = false;
    s->unknown_commit = true;
    keep_error(s, "01000", "waiting for the standby was cancelled: outcome of the commit unknown");
    return EMT_EDB;
}

enum emt_err store_judge(struct store *s, const PGresult *res)
{
    const char *state, *severity;

    if (!res)
        return store_break(s);
    switch (PQresultStatus(res)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_EMPTY_QUERY:
        return store_judge_replication(s);
    default:
        break;
    }
    state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
    if (!state)
        return store_break(s);
    keep_error(s, state, PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY));
    if (wants_reconnect(s, state))
        s->stale = true;
    severity = PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0))
        s->dying = s->stale = true;
    if (PQstatus(s->conn) == CONNECTION_BAD)
        s->broken = true;
    return err_of_sqlstate(state);
}

/* Synchronous replication given up on (an administrator cancelled the wait): the commit is answered
 * as if all were well. The text is translated by the server, the name of the function behind it is
 * not. */
static void on_notice(void *arg, const PGresult *res)
{
    struct store *s = arg;
    const char *where = PQresultErrorField(res, PG_DIAG_SOURCE_FUNCTION);

    if (where && strcmp(where, "SyncRepWaitForLSN") == 0)
        s->commit_warned = true;
}

bool store_take_unknown_commit(struct store *s)
{
    bool was = s->unknown_commit;

    s->unknown_commit = false;
    return was;
}

bool store_is_broken(const struct store *s)
{
    return s->broken || (s->stale && s->count == 0);
}

bool store_has_ended(struct store *s)
{
    /* The server's last words stand before the end, and notices may stand alone. */
    for (unsigned i = 0; i < 4 && !s->broken && !s->async; i++) {
        struct pollfd p = { store_fd(s), POLLIN, 0 };

        if (poll(&p, 1, 0) <= 0)
            break;
        if (!PQconsumeInput(s->conn) || PQstatus(s->conn) == CONNECTION_BAD)
            (void)store_break(s);
    }
    return store_is_broken(s);
}

const char *store_error(const struct store *s)
{
    return s->error;
}

const char *store_sqlstate(const struct store *s)
{
    return s->sqlstate[0] ? s->sqlstate : "00000";
}

/* ---- opening ---- */

enum emt_err store_conninfo_check(const char *conninfo, struct emt_diag *diag)
{
    char *text = NULL;
    PQconninfoOption *options = PQconninfoParse(conninfo, &text);
    enum emt_err err = options ? EMT_OK : text ? EMT_EMALFORMED : EMT_ENOMEM;

    if (err != EMT_OK)
        (void)emt_fail(diag, err, "%.*s", text ? (int)strcspn(text, "\n") : 13,
                       text ? text : "out of memory");
    PQfreemem(text);
    PQconninfoFree(options);
    return err;
}

/* A node that is cut off in the middle of a transaction leaves its locks behind, and nobody can
 * take its gateways over until the server notices: by its own defaults after two hours. Ingest
 * never rests between the statements of a transaction; the others may, for as long as a reader is
 * slow. */
#define OPTIONS                                                                                    \
    "-c TimeZone=UTC -c DateStyle=ISO -c tcp_keepalives_idle=3 -c tcp_keepalives_interval=1"       \
    " -c tcp_keepalives_count=3 -c tcp_user_timeout=60000"
#define OPTIONS_INGEST OPTIONS " -c idle_in_transaction_session_timeout=5000"

static struct store *new_store(const char *conninfo, enum store_role role, const char *user)
{
    /* What stands before dbname can be overruled by the connection string, what stands behind
     * cannot. The time-out for unanswered bytes also lets a dead host of several be given up within
     * seconds. */
    const char *keys[] = { "tcp_user_timeout",
                           "keepalives_idle",
                           "keepalives_interval",
                           "keepalives_count",
                           "options",
                           "application_name",
                           "target_session_attrs",
                           "dbname",
                           "user",
                           "client_encoding",
                           NULL };
    const char *values[] = { "5000",
                             "10",
                             "3",
                             "3",
                             role == STORE_INGEST ? OPTIONS_INGEST : OPTIONS,
                             "emt",
                             role == STORE_REPORT ? "any" : "read-write",
                             conninfo,
                             user,
                             "UTF8",
                             NULL };
    struct store *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->role = role;
    s->prepared = map_new();
    s->conn = s->prepared ? PQconnectStartParams(keys, values, 1) : NULL;
    if (!s->conn) {
        store_close(s);
        return NULL;
    }
    PQsetNoticeReceiver(s->conn, on_notice, s);
    s->connecting = true;
    s->poll = STORE_WAIT_WRITE;
    return s;
}

enum emt_err store_open_start(const char *conninfo, enum store_role role, struct store **out)
{
    struct store *s = new_store(conninfo, role, role_names[role]);

    if (!s)
        return EMT_ENOMEM;
    s->async = true;
    if (PQstatus(s->conn) == CONNECTION_BAD)
        (void)store_break(s); /* seen by the first store_connect_poll() */
    *out = s;
    return EMT_OK;
}

static enum emt_err connected(struct store *s)
{
    s->connecting = false;
    if (PQsetnonblocking(s->conn, 1) != 0)
        return store_break(s);
    if (s->async) {
        if (!PQenterPipelineMode(s->conn))
            return store_break(s);
        s->pipeline = true;
    }
    return EMT_OK;
}

enum emt_err store_connect_poll(struct store *s)
{
    if (s->broken)
        return EMT_EDB;
    if (!s->connecting)
        return EMT_OK;
    switch (PQconnectPoll(s->conn)) {
    case PGRES_POLLING_OK:
        return connected(s);
    case PGRES_POLLING_READING:
        s->poll = STORE_WAIT_READ;
        return EMT_EAGAIN;
    case PGRES_POLLING_WRITING:
        s->poll = STORE_WAIT_WRITE;
        return EMT_EAGAIN;
    default:
        return store_break(s);
    }
}

static short poll_events(unsigned wait)
{
    return (short)((wait & STORE_WAIT_READ ? POLLIN : 0) | (wait & STORE_WAIT_WRITE ? POLLOUT : 0));
}

static enum emt_err open_waiting(const char *conninfo, enum store_role role, const char *user,
                                 int timeout_ms, struct store **out, struct emt_diag *diag)
{
    struct store *s = new_store(conninfo, role, user);
    int64_t deadline = clock_mono_ms() + timeout_ms;
    enum emt_err err = EMT_EAGAIN;

    if (!s)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    if (PQstatus(s->conn) == CONNECTION_BAD)
        err = store_break(s);
    while (err == EMT_EAGAIN) {
        struct pollfd p = { store_fd(s), poll_events(s->poll), 0 };
        int64_t left = deadline - clock_mono_ms();
        int n = left > 0 ? poll(&p, 1, (int)left) : 0;

        if (n == 0) {
            keep_error(s, "08001", "no connection to the database in time");
            err = EMT_EDB;
        } else if (n > 0 || errno != EINTR) {
            err = store_connect_poll(s);
        }
    }
    if (err != EMT_OK) {
        (void)emt_fail(diag, err, "database as %s: %s", user, s->error);
        store_close(s);
        return err;
    }
    *out = s;
    return EMT_OK;
}

enum emt_err store_open(const char *conninfo, enum store_role role, int timeout_ms,
                        struct store **out, struct emt_diag *diag)
{
    return open_waiting(conninfo, role, role_names[role], timeout_ms, out, diag);
}

enum emt_err store_open_user(const char *conninfo, const char *user, int timeout_ms,
                             struct store **out, struct emt_diag *diag)
{
    return open_waiting(conninfo, STORE_OWNER, user, timeout_ms, out, diag);
}

void store_close(struct store *s)
{
    if (!s)
        return;
    /* PQfinish says goodbye and cancels nothing: a commit under way still happens. */
    PQclear(s->got);
    PQclear(s->asked.res);
    PQfinish(s->conn);
    if (s->prepared)
        prepared_clear(s);
    map_free(s->prepared);
    free(s->items);
    free(s);
}

int store_fd(const struct store *s)
{
    return PQsocket(s->conn);
}

unsigned store_wait(const struct store *s)
{
    if (s->connecting)
        return s->poll;
    return STORE_WAIT_READ | (s->want_write ? (unsigned)STORE_WAIT_WRITE : 0u);
}

/* ---- prepared statements ---- */

void prepared_name(char buf[STORE_NAME_MAX], const struct store_statement *st, unsigned generation)
{
    /* The server cuts names at 63 bytes. */
    snprintf(buf, STORE_NAME_MAX, "%.50s_%u", st->name, generation);
}

struct prepared *prepared_find(const struct store *s, const struct store_statement *st)
{
    return map_get(s->prepared, st->name, strlen(st->name));
}

struct prepared *prepared_add(struct store *s, const struct store_statement *st)
{
    struct prepared *p = prepared_find(s, st);

    if (!p) {
        p = calloc(1, sizeof *p);
        if (!p || map_put(s->prepared, st->name, strlen(st->name), p, NULL) != EMT_OK) {
            free(p);
            return NULL;
        }
    }
    *p = (struct prepared){ ++s->generation, s->segment, false };
    return p;
}

void prepared_forget(struct store *s, const struct store_statement *st)
{
    free(map_del(s->prepared, st->name, strlen(st->name)));
}

void prepared_check(struct store *s, const struct store_statement *st)
{
    /* Deallocated behind our back, or a migration changed what its columns are. */
    if (strcmp(s->sqlstate, "26000") == 0 || strcmp(s->sqlstate, "0A000") == 0)
        prepared_forget(s, st);
}

void prepared_clear(struct store *s)
{
    size_t at = 0;
    void *p;

    while (map_next(s->prepared, &at, NULL, NULL, &p))
        free(p);
    map_clear(s->prepared);
}

/* ---- synchronous ---- */

void store_set_patience(struct store *s, int ms)
{
    s->patience_ms = ms;
}

/* Sends what is left and waits until an answer can be taken without waiting. False: it did not come
 * in time, or the connection failed. */
static bool await_answer(struct store *s)
{
    int64_t deadline = clock_mono_ms() + s->patience_ms;

    for (;;) {
        int flushed = PQflush(s->conn);
        if (flushed < 0 || !PQconsumeInput(s->conn))
            return false;
        if (flushed == 0 && !PQisBusy(s->conn))
            return true;
        struct pollfd p = { store_fd(s), POLLIN, 0 };
        int64_t left = deadline - clock_mono_ms();
        if (flushed > 0)
            p.events |= POLLOUT;
        if (left <= 0) {
            keep_error(s, "57014", "no answer from the database in time");
            s->broken = true;
            return false;
        }
        if (poll(&p, 1, (int)left) < 0 && errno != EINTR)
            return false;
    }
}

/* The answer to what was just sent; NULL: there is none. As PQexec(), which has no end. */
static PGresult *take_answer(struct store *s, int sent)
{
    PGresult *last = NULL;
    PGresult *res;

    if (!sent)
        return NULL;
    for (;;) {
        if (s->patience_ms > 0 && !await_answer(s)) {
            PQclear(last);
            return NULL;
        }
        res = PQgetResult(s->conn);
        if (!res)
            return last;
        PQclear(last);
        last = res;
        if (PQstatus(s->conn) == CONNECTION_BAD)
            return last;
    }
}

/* Waits for the answer to what was asked, so that the connection is free. What went wrong with it
 * is told to the first who needs the connection, and again to who asked. */
static enum emt_err settle(struct store *s)
{
    if (s->asked.st == NULL || s->asked.settled)
        return EMT_OK;
    s->asked.settled = true;
    s->asked.res = take_answer(s, 1);
    s->asked.err = store_judge(s, s->asked.res);
    return s->asked.err;
}

static enum emt_err ready_for_sync(struct store *s)
{
    if (s->broken)
        return EMT_EDB;
    if (s->connecting || s->async)
        return EMT_ESTATE;
    enum emt_err err = settle(s);
    return err == EMT_OK ? store_leave_pipeline(s) : err;
}

static enum emt_err prepare_now(struct store *s, const struct store_statement *st, char *name)
{
    struct prepared *p = prepared_find(s, st);
    enum emt_err err = EMT_OK;

    if (!p || !p->confirmed) {
        PGresult *res;

        p = prepared_add(s, st);
        if (!p)
            return EMT_ENOMEM;
        prepared_name(name, st, p->generation);
        res = take_answer(s, PQsendPrepare(s->conn, name, st->sql, 0, NULL));
        err = store_judge(s, res);
        PQclear(res);
        p->confirmed = true;
        if (err != EMT_OK)
            prepared_forget(s, st);
        return err;
    }
    prepared_name(name, st, p->generation);
    return err;
}

enum emt_err store_run(struct store *s, const struct store_statement *st,
                       const struct store_param *params, struct store_result **out)
{
    char name[STORE_NAME_MAX];
    struct wire_params w;
    struct store_result *r;
    PGresult *res;
    enum emt_err err = ready_for_sync(s);

    if (err == EMT_OK)
        err = wire_params_fill(&w, st->nparams, params);
    if (err == EMT_OK)
        err = prepare_now(s, st, name);
    if (err != EMT_OK)
        return err;
    res =
        take_answer(s, PQsendQueryPrepared(s->conn, name, w.n, w.values, w.lengths, w.formats, 1));
    err = store_judge(s, res);
    if (err == EMT_EDB)
        prepared_check(s, st);
    r = err == EMT_OK && out ? malloc(sizeof *r) : NULL;
    if (err == EMT_OK && out && !r)
        err = EMT_ENOMEM;
    if (!r) {
        PQclear(res);
        return err;
    }
    r->res = res;
    *out = r;
    return EMT_OK;
}

enum emt_err store_ask(struct store *s, const struct store_statement *st,
                       const struct store_param *params)
{
    struct wire_params w;
    enum emt_err err = ready_for_sync(s);

    if (err == EMT_OK && s->asked.st != NULL)
        err = EMT_ESTATE;
    if (err == EMT_OK)
        err = wire_params_fill(&w, st->nparams, params);
    if (err != EMT_OK)
        return err;
    if (!PQsendQueryParams(s->conn, st->sql, w.n, NULL, w.values, w.lengths, w.formats, 1))
        return store_break(s);
    s->asked = (struct asked){ .st = st };
    store_listen_in(s);
    return EMT_OK;
}

void store_listen_in(struct store *s)
{
    /* What fails here fails again in settle(). */
    if (s->asked.st != NULL && !s->asked.settled && !s->broken && PQflush(s->conn) >= 0 &&
        PQconsumeInput(s->conn))
        (void)PQisBusy(s->conn); /* takes the rows out of the buffer */
}

enum emt_err store_answer(struct store *s, struct store_result **out)
{
    if (s->asked.st == NULL)
        return EMT_ESTATE;
    (void)settle(s);
    struct asked a = s->asked;
    struct store_result *r = a.err == EMT_OK && out ? malloc(sizeof *r) : NULL;

    s->asked = (struct asked){ 0 };
    if (a.err == EMT_OK && out && !r)
        a.err = EMT_ENOMEM;
    if (!r) {
        PQclear(a.res);
        return a.err;
    }
    r->res = a.res;
    *out = r;
    return EMT_OK;
}

static enum emt_err run_plain(struct store *s, const char *sql, const char *expected_tag)
{
    PGresult *res = take_answer(s, PQsendQuery(s->conn, sql));
    enum emt_err err = store_judge(s, res);

    if (err == EMT_OK && expected_tag && strcmp(PQcmdStatus(res), expected_tag) != 0)
        err = EMT_ESTATE;
    PQclear(res);
    return err;
}

enum emt_err store_run_row(struct store *s, const struct store_statement *st,
                           const struct store_param *params, struct store_result **out)
{
    struct store_result *r = NULL;
    enum emt_err err = store_run(s, st, params, &r);

    if (err != EMT_OK)
        return err;
    if (store_rows(r) == 0) {
        store_result_free(r);
        return EMT_ENOTFOUND;
    }
    *out = r;
    return EMT_OK;
}

enum emt_err store_run_number(struct store *s, const struct store_statement *st,
                              const struct store_param *params, int64_t *out)
{
    struct store_result *r = NULL;
    enum emt_err err = store_run_row(s, st, params, &r);

    if (err != EMT_OK)
        return err;
    *out = c_int(r, 0, 0);
    store_result_free(r);
    return EMT_OK;
}

enum emt_err store_run_touch(struct store *s, const struct store_statement *st,
                             const struct store_param *params)
{
    struct store_result *r = NULL;
    enum emt_err err = store_run(s, st, params, &r);

    if (err != EMT_OK)
        return err;
    err = store_affected(r) > 0 ? EMT_OK : EMT_ENOTFOUND;
    store_result_free(r);
    return err;
}

enum emt_err store_begin(struct store *s, int32_t tenant)
{
    char sql[80];
    enum emt_err err = ready_for_sync(s);

    if (err != EMT_OK)
        return err;
    if (PQtransactionStatus(s->conn) != PQTRANS_IDLE)
        return EMT_ESTATE;
    /* SET takes no parameter: the number is ours, printed from an integer. */
    if (tenant)
        snprintf(sql, sizeof sql, "BEGIN; SET LOCAL app.tenant = '%" PRId32 "'", tenant);
    else
        snprintf(sql, sizeof sql, "BEGIN");
    return run_plain(s, sql, NULL);
}

enum emt_err store_commit(struct store *s)
{
    enum emt_err err = ready_for_sync(s);

    if (err != EMT_OK)
        return err;
    /* A transaction in which something failed answers COMMIT with "ROLLBACK" and no error. */
    return run_plain(s, "COMMIT", "COMMIT");
}

void store_rollback(struct store *s)
{
    char error[sizeof s->error];
    char sqlstate[sizeof s->sqlstate];

    memcpy(error, s->error, sizeof error); /* the cause stays readable */
    memcpy(sqlstate, s->sqlstate, sizeof sqlstate);
    (void)settle(s);
    if (ready_for_sync(s) != EMT_OK || PQtransactionStatus(s->conn) == PQTRANS_IDLE)
        return;
    if (run_plain(s, "ROLLBACK", NULL) != EMT_OK)
        s->broken = true;
    memcpy(s->error, error, sizeof error);
    memcpy(s->sqlstate, sqlstate, sizeof sqlstate);
}

static unsigned line_of(const char *sql, const PGresult *res)
{
    const char *position = PQresultErrorField(res, PG_DIAG_STATEMENT_POSITION);
    long n = position ? strtol(position, NULL, 10) : 0; /* in characters, from 1 */
    unsigned line = 1;

    if (n <= 0)
        return 0;
    for (; *sql && n > 1; sql++) {
        line += *sql == '\n';
        n -= ((uint8_t)*sql & 0xc0u) != 0x80u; /* not a later byte of a UTF-8 character */
    }
    return line;
}

enum emt_err store_script(struct store *s, const char *sql, struct emt_diag *diag)
{
    enum emt_err err = ready_for_sync(s);
    PGresult *res;

    if (err != EMT_OK)
        return emt_fail(diag, err, "the connection cannot be used now");
    res = take_answer(s, PQsendQuery(s->conn, sql));
    err = store_judge(s, res);
    if (err != EMT_OK && diag) {
        diag->line = line_of(sql, res);
        (void)emt_fail(diag, err, "%s (%s)", s->error, store_sqlstate(s));
    }
    PQclear(res);
    return err;
}

/* ---- notifications ---- */

enum emt_err store_listen(struct store *s, const char *channel)
{
    char sql[160];
    enum emt_err err = ready_for_sync(s);
    char *quoted;

    if (err != EMT_OK)
        return err;
    quoted = PQescapeIdentifier(s->conn, channel, strlen(channel));
    if (!quoted)
        return EMT_ENOMEM;
    if (snprintf(sql, sizeof sql, "LISTEN %s", quoted) >= (int)sizeof sql)
        err = EMT_ELIMIT;
    else
        err = run_plain(s, sql, NULL);
    PQfreemem(quoted);
    return err;
}

static bool take_notifies(struct store *s)
{
    PGnotify *n;
    bool came = false;

    while ((n = PQnotifies(s->conn)) != NULL) {
        PQfreemem(n);
        came = true;
    }
    return came;
}

enum emt_err store_wait_notify(struct store *s, int timeout_ms, bool *came)
{
    int64_t deadline = clock_mono_ms() + timeout_ms;
    enum emt_err err = ready_for_sync(s);

    *came = false;
    while (err == EMT_OK && !(*came = take_notifies(s))) {
        struct pollfd p = { store_fd(s), POLLIN, 0 };
        int64_t left = deadline - clock_mono_ms();

        if (left <= 0 || poll(&p, 1, (int)left) == 0)
            break;
        if (!PQconsumeInput(s->conn))
            err = store_break(s);
    }
    return err;
}
