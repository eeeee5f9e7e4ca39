/* A connection to PostgreSQL under one role, with its prepared statements; the ground of the
 * aggregates in this folder.
 *
 * Two ways to use it. Synchronous (worker threads): store_run() and the aggregates' functions.
 * Asynchronous (event loops): the caller watches store_fd() and drives store_send*() / store_pump()
 * in pipeline mode. One thread at a time.
 *
 * `$1` of every statement on tenant-owned tables is the tenant; besides, each transaction sets
 * app.tenant, so that row level security holds whatever a statement says. */
#ifndef EMT_STORE_STORE_H
#define EMT_STORE_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "model/decimal.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

enum store_role { STORE_OWNER, STORE_APP, STORE_INGEST, STORE_REPORT, STORE_ADMIN };
/* "emt_owner", …: the user name at the database. */
const char *store_role_name(enum store_role role);

/* Whether libpq can read this connection string; EMT_EMALFORMED with its words in diag. Asks no
 * server. */
EMT_CHECKED enum emt_err store_conninfo_check(const char *conninfo, struct emt_diag *diag);
/* conninfo: libpq connection string without user (several hosts allowed); the role's name is added
 * as user. Waits at most timeout_ms. EMT_EDB with the server's text in diag (no secrets). Free with
 * store_close(). */
EMT_CHECKED enum emt_err store_open(const char *conninfo, enum store_role role, int timeout_ms,
                                    struct store **out, struct emt_diag *diag);
/* As store_open(), as any other user: for the superuser of a private cluster, who makes roles and
 * database. */
EMT_CHECKED enum emt_err store_open_user(const char *conninfo, const char *user, int timeout_ms,
                                         struct store **out, struct emt_diag *diag);
/* The same without waiting: then watch store_fd() for store_wait() and call store_connect_poll()
 * until it says EMT_OK (up, in pipeline mode) or EMT_EDB. */
EMT_CHECKED enum emt_err store_open_start(const char *conninfo, enum store_role role,
                                          struct store **out);
EMT_CHECKED enum emt_err store_connect_poll(struct store *s);
void store_close(struct store *s); /* NULL is fine */

enum store_wait { STORE_WAIT_READ = 1, STORE_WAIT_WRITE = 2 };
int store_fd(const struct store *s);
unsigned store_wait(const struct store *s); /* bits of enum store_wait */
/* The connection is unusable: close it and open another. */
bool store_is_broken(const struct store *s);
/* Of a synchronous connection that was idle: also asks the socket, without waiting, whether the
 * server has ended it meanwhile. Between transactions only. */
bool store_has_ended(struct store *s);
/* Of the last error: server's message and SQLSTATE ("" and "00000" for none). Borrowed until the
 * next call. */
const char *store_error(const struct store *s);
const char *store_sqlstate(const struct store *s);

/* One statement of an aggregate, in a static table. Prepared on first use per connection under its
 * name. */
struct store_statement {
    const char *name; /* unique over all aggregates */
    int nparams;
    const char *sql;
};

/* A parameter. Made with the functions below, so that arrays of them may be copied; memory behind
 * texts, bytes and arrays is borrowed until the statement was sent. A zeroed one is NULL. Numbers,
 * times, bytes and arrays go in binary and must have the width that the statement gives the
 * parameter ($3::int8: p_int8). Texts go as text and suit every type: text, jsonb, inet, numeric,
 * date. */
enum store_param_kind {
    STORE_PARAM_NULL,
    STORE_PARAM_INLINE,
    STORE_PARAM_BORROWED,
    STORE_PARAM_TEXT,
    STORE_PARAM_BAD
};
struct store_param {
    const char *data; /* BORROWED and TEXT */
    int len;
    enum store_param_kind kind;
    char inline_[16]; /* INLINE: the bytes of a scalar */
};
void p_null(struct store_param *p);
void p_bool(struct store_param *p, bool v);
void p_int2(struct store_param *p, int16_t v);
void p_int4(struct store_param *p, int32_t v);
void p_int8(struct store_param *p, int64_t v);
void p_time(struct store_param *p, emt_time v);               /* timestamptz; EMT_TIME_NONE: NULL */
void p_text(struct store_param *p, const char *v);            /* borrowed; NULL: NULL */
void p_bytes(struct store_param *p, const void *v, size_t n); /* bytea, borrowed */

/* A one-dimensional array in binary for unnest(); kept and reused from batch to batch. */
struct store_array;
enum store_type {
    STORE_BOOL,
    STORE_INT2,
    STORE_INT4,
    STORE_INT8,
    STORE_TIME,
    STORE_TEXT,
    STORE_BYTES
};
struct store_array *store_array_new(enum store_type type);
void store_array_free(struct store_array *a);
void store_array_clear(struct store_array *a);
/* Values that do not fit the type are a programming error (assert). false: out of memory (sticky
 * until clear). */
bool store_array_int(struct store_array *a, int64_t v);      /* BOOL, INT2, INT4, INT8 */
bool store_array_time(struct store_array *a, emt_time v);    /* EMT_TIME_NONE: NULL element */
bool store_array_text(struct store_array *a, const char *v); /* NULL: NULL element */
bool store_array_bytes(struct store_array *a, const void *p, size_t n); /* NULL p: NULL element */
bool store_array_null(struct store_array *a);
size_t store_array_count(const struct store_array *a);
/* Borrowed until sent. An array that ran out of memory makes the statement fail with EMT_ENOMEM. */
void p_array(struct store_param *p, struct store_array *a);

/* Rows of one statement, in binary: a jsonb, inet, date or numeric column has to be selected as
 * ::text. */
struct store_result;
int store_rows(const struct store_result *r);
int64_t store_affected(const struct store_result *r); /* rows inserted, updated or deleted */
bool c_null(const struct store_result *r, int row, int col);
bool c_bool(const struct store_result *r, int row, int col);
int64_t c_int(const struct store_result *r, int row, int col);   /* int2, int4, int8 */
emt_time c_time(const struct store_result *r, int row, int col); /* NULL: EMT_TIME_NONE */
const char *c_text(const struct store_result *r, int row,
                   int col); /* text, with closing 0; "" for NULL; borrowed */
const uint8_t *c_bytes(const struct store_result *r, int row, int col,
                       size_t *n); /* bytea; borrowed */

/* --- synchronous
 * --------------------------------------------------------------------------------------------------
 */

/* From here on a synchronous call waits at most this long for the server's answer (0: for ever, as
 * at first); then it is EMT_EDB and the connection is broken. A statement that is only slow goes on
 * at the server. */
void store_set_patience(struct store *s, int ms);
/* Runs one statement outside or inside of a transaction. *out (may be NULL) is freed with
 * store_result_free(). EMT_EDB; EMT_ECONFLICT unique or foreign key violated (23505, 23503);
 * EMT_ELIMIT check violated (23514); EMT_EAGAIN serialisation, deadlock or lock time-out (class 40,
 * 55P03): repeat. */
EMT_CHECKED enum emt_err store_run(struct store *s, const struct store_statement *st,
                                   const struct store_param *params, struct store_result **out);
/* As store_run(), for the three commonest answers. EMT_ENOTFOUND: no row came back, or none was
 * touched. */
EMT_CHECKED enum emt_err store_run_row(struct store *s, const struct store_statement *st,
                                       const struct store_param *params, struct store_result **out);
EMT_CHECKED enum emt_err store_run_number(struct store *s, const struct store_statement *st,
                                          const struct store_param *params, int64_t *out);
EMT_CHECKED enum emt_err store_run_touch(struct store *s, const struct store_statement *st,
                                         const struct store_param *params);
void store_result_free(struct store_result *r);
/* Sends a statement and returns at once; store_answer() waits for what the server makes of it
 * meanwhile. One at a time (EMT_ESTATE). Other calls may come in between: the first of them waits
 * for the answer and keeps it, or fails with its error. Parameters are copied. It is not prepared
 * but planned for its parameters: long lists and spans have another best plan than short ones. */
EMT_CHECKED enum emt_err store_ask(struct store *s, const struct store_statement *st,
                                   const struct store_param *params);
/* Takes in what came of the answer, without waiting: a server whose answer nobody reads stops. */
void store_listen_in(struct store *s);
/* Errors as store_run(); EMT_ESTATE: nothing was asked. *out may be NULL: the answer is dropped. */
EMT_CHECKED enum emt_err store_answer(struct store *s, struct store_result **out);
/* BEGIN, and SET LOCAL app.tenant when tenant is not 0. */
EMT_CHECKED enum emt_err store_begin(struct store *s, int32_t tenant);
/* EMT_ESTATE: the server rolled back, because a statement of the transaction had failed. EMT_EDB
 * also when the outcome is unknown. */
EMT_CHECKED enum emt_err store_commit(struct store *s);
/* Never fails: a connection that cannot roll back is broken. */
void store_rollback(struct store *s);
/* Plain SQL text without parameters, several statements allowed; for migrations and tests. */
EMT_CHECKED enum emt_err store_script(struct store *s, const char *sql, struct emt_diag *diag);

/* --- asynchronous pipeline
 * ---------------------------------------------------------------------------------------- */

/* Called once per sent item in order. r is NULL when err is not EMT_OK (codes as store_run();
 * EMT_ESTATE: an earlier item of the same sync failed and this one was skipped). r is borrowed for
 * the call. */
typedef void store_done(void *ctx, enum emt_err err, const struct store_result *r);

/* Queue one statement. EMT_EDB the connection is broken; EMT_ENOMEM. done may be NULL. */
EMT_CHECKED enum emt_err store_send(struct store *s, const struct store_statement *st,
                                    const struct store_param *params, store_done *done, void *ctx);
EMT_CHECKED enum emt_err store_send_begin(struct store *s);
EMT_CHECKED enum emt_err store_send_tenant(struct store *s,
                                           int32_t tenant); /* SET LOCAL app.tenant */
EMT_CHECKED enum emt_err store_send_commit(struct store *s, store_done *done, void *ctx);
EMT_CHECKED enum emt_err store_send_rollback(struct store *s);
/* Ends the segment: after an error the items up to here are skipped. done is called when the server
 * answered all of it. */
EMT_CHECKED enum emt_err store_send_sync(struct store *s, store_done *done, void *ctx);
/* Reads and writes what is possible without waiting and calls the callbacks. EMT_EDB: broken; all
 * outstanding callbacks were called with EMT_EDB (for a commit: unknown outcome). */
EMT_CHECKED enum emt_err store_pump(struct store *s);
/* Waits until all outstanding callbacks were called or timeout; for worker threads that use the
 * pipeline. */
EMT_CHECKED enum emt_err store_drain(struct store *s, int timeout_ms);
/* A commit that was answered with a warning of cancelled synchronous replication: unknown outcome.
 * Its callback gets EMT_EDB, as with a broken connection; this tells the two apart. Cleared by
 * reading. */
bool store_take_unknown_commit(struct store *s);

/* --- notifications
 * -------------------------------------------------------------------------------------------------
 */
/* On a synchronous connection of its own: LISTEN channel (an identifier), then wait. true: one
 * came. */
EMT_CHECKED enum emt_err store_listen(struct store *s, const char *channel);
EMT_CHECKED enum emt_err store_wait_notify(struct store *s, int timeout_ms, bool *came);

#endif
