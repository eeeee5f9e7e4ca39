/* What the files of the store core share; aggregates do not include this. */
#ifndef EMT_STORE_STORE_INTERNAL_H
#define EMT_STORE_STORE_INTERNAL_H

#include "base/map.h"
#include "store/store.h"

#include <libpq-fe.h>

#define STORE_PARAMS_MAX 64

/* What was queued; the server answers in this order. */
enum item_kind {
    ITEM_PREPARE, /* belongs to the statement behind it */
    ITEM_STATEMENT,
    ITEM_COMMIT,
    ITEM_SYNC
};
struct item {
    enum item_kind kind;
    bool own_prepare; /* the item before prepares this one's statement */
    const struct store_statement *st;
    unsigned generation; /* PREPARE: which name at the server */
    store_done *done;
    void *ctx;
};

/* A statement's name at the server is <name>_<generation>: a prepare that was skipped, because
 * something before it in the pipeline failed, is sent again under a new name, whatever later
 * segments believe meanwhile. */
struct prepared {
    unsigned generation;
    uint64_t segment; /* where the prepare was queued */
    bool confirmed;
};

/* store_ask(): the statement under way, or answered and not fetched yet. */
struct asked {
    const struct store_statement *st; /* NULL: none */
    bool settled;                     /* res and err are its answer */
    PGresult *res;
    enum emt_err err;
};

struct store {
    PGconn *conn;
    enum store_role role;
    bool async; /* opened with store_open_start */
    bool connecting;
    bool broken;
    bool stale; /* usable to the end of what is queued, then to be replaced */
    bool want_write;
    int patience_ms;    /* for one synchronous answer; 0: for ever */
    unsigned poll;      /* while connecting: bits of enum store_wait */
    bool commit_warned; /* a commit since the last answer was perhaps not replicated */
    bool unknown_commit;
    char error[400];
    char sqlstate[6];

    struct map *prepared; /* name → struct prepared, owned */
    unsigned generation;
    struct asked asked;

    /* pipeline: ring of items */
    struct item *items;
    size_t head, count, cap;
    bool pipeline;
    bool pumping;
    bool last_is_sync;
    uint64_t segment;           /* of what is sent next */
    PGresult *got;              /* answer of the head item, waiting for its end mark */
    enum emt_err prepare_error; /* of the item just before the head */
    bool dying;                 /* the server announced the end of the connection */
};

/* Text of what is sent as parameter values; points into params. */
struct wire_params {
    int n;
    const char *values[STORE_PARAMS_MAX];
    int lengths[STORE_PARAMS_MAX];
    int formats[STORE_PARAMS_MAX];
};
EMT_CHECKED enum emt_err wire_params_fill(struct wire_params *w, int n,
                                          const struct store_param *params);

struct store_result {
    PGresult *res;
};

/* Name at the server; buf holds 64 + 12. */
#define STORE_NAME_MAX 80
void prepared_name(char buf[STORE_NAME_MAX], const struct store_statement *st, unsigned generation);
/* NULL when not known. */
struct prepared *prepared_find(const struct store *s, const struct store_statement *st);
/* A fresh generation for it, entered as not confirmed. NULL when out of memory. */
struct prepared *prepared_add(struct store *s, const struct store_statement *st);
void prepared_forget(struct store *s, const struct store_statement *st);
void prepared_clear(struct store *s);
/* After an error of the statement: forgets it when the error says that the server's copy is of no
 * use any more. */
void prepared_check(struct store *s, const struct store_statement *st);

/* Judges an answer, keeps message and SQLSTATE. res NULL: the connection is gone. */
enum emt_err store_judge(struct store *s, const PGresult *res);
/* EMT_EDB when the commit behind the answer was perhaps not replicated. */
enum emt_err store_judge_replication(struct store *s);
/* The connection failed: keeps libpq's message. Returns EMT_EDB. */
enum emt_err store_break(struct store *s);
/* Leaves pipeline mode for a synchronous call. EMT_ESTATE while items are outstanding or on an
 * asynchronous store. */
EMT_CHECKED enum emt_err store_leave_pipeline(struct store *s);
void store_fail_outstanding(struct store *s);
/* migrate_run() for a program that knows migrations up to `newest`. */
EMT_CHECKED enum emt_err migrate_folder(struct store *s, const char *folder, int newest,
                                        unsigned *applied, struct emt_diag *diag);

#endif
