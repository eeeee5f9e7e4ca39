/* One REST request on its worker: who asks, for which tenant, what the answer is. Shared by all
 * handlers of this folder. */
#ifndef EMT_API_API_CALL_H
#define EMT_API_API_CALL_H

#include "api/api.h"
#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "http/http_server.h"
#include "model/decimal.h"
#include "store/store.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define API_PARAMS_MAX 3
/* Longest wait for one answer of the database: a server that is stopped holds no worker for ever.
 */
#define API_DATABASE_MS 30000
#define API_ETAG_MAX 40
/* Names of the platform's secrets (secret_store.h), as the bootstrap makes them. */
#define API_ROOT_SECRET "pki-root"

enum api_role {
    ROLE_READER = 0,
    ROLE_FIELD_TECHNICIAN = 1,
    ROLE_DATA_MANAGER = 2,
    ROLE_CERTIFICATE_MANAGER = 3,
    ROLE_TENANT_ADMIN = 4,
    ROLES
};
extern const char *const api_role_names[ROLES + 1];

/* Database connections of one pool thread, opened when first needed and again after they broke. */
struct api_worker {
    struct api *api;
    struct store *app;
    struct store *admin;
};

struct api_principal {
    bool is_operator;   /* of the platform: every tenant, every role */
    bool auditor;       /* operator who only reads */
    int64_t user_id;    /* of a user or an operator's key; 0: a tenant's key */
    int64_t session_id; /* 0: no portal session */
    int64_t key_id;     /* 0: no key */
    uint32_t scopes;    /* of a tenant's key, SCOPE_BIT(); 0: all that the role allows */
    int32_t tenant;     /* of the key, or of the path when the user is a member; 0: none */
    char tenant_key[64];
    enum api_role role;
    char recipient[401]; /* of a key that the tenant gave to somebody outside; "": none */
    char purpose[801];
    char actor[128]; /* for the audit: "key:3 nightly export", "user:admin" */
};

struct api_call {
    struct api *api;
    const struct api_settings *settings;
    struct api_worker *worker;
    const struct http_request *req;
    struct http_response *out;
    struct api_principal who;
    emt_time now;
    int32_t tenant;                    /* of the path; 0 on platform routes */
    const char *tenant_key;            /* NULL on platform routes */
    char csrf[48];                     /* token of the session; "" without */
    emt_time session_expires;          /* of the session */
    const char *param[API_PARAMS_MAX]; /* path parameters behind {tenant}, in order */
    struct store *store;      /* emt_app, inside a transaction of the tenant on tenant routes */
    unsigned status;          /* of the answer so far, 0: none yet */
    const char *content_type; /* static text; NULL: no body */
    char disposition[160];    /* Content-Disposition; "" for none */
    unsigned retry_after_s;   /* 0: not said */
    unsigned cached_s;        /* anybody may keep the answer so long; 0: nobody */
    char etag[API_ETAG_MAX];  /* of the resource shown, quoted; "" for none */
    char location[200];       /* where what was made is found; "" for none */
    bool shown_once;          /* the answer holds a secret: it is not kept to be repeated */
    bool replayed;            /* the answer is that of an earlier request */
    uint64_t read_mark;       /* a read to be remembered once it is committed; 0: none */
    bool wake;                /* tell jobs and field after the commit */
    char buf[4][512];         /* where path parameters live */
};

/* --- answers: each returns EMT_OK, so that a handler may `return api_problem(…)` --- */

/* problem: last part of the type ("invalid"); field may be NULL. */
enum emt_err api_problem(struct api_call *c, unsigned status, const char *problem,
                         const char *field, const char *fmt, ...) EMT_PRINTF(5, 6);
/* Steals body; NULL body is out of memory. */
enum emt_err api_json(struct api_call *c, unsigned status, json_t *body);
enum emt_err api_empty(struct api_call *c, unsigned status); /* 204 or 202 */
/* What an error of a store call means to the client: 404 for EMT_ENOTFOUND (naming `what`), 409,
 * 400, 503. Returns EMT_OK. */
enum emt_err api_store_problem(struct api_call *c, enum emt_err err, const char *what);

/* --- bodies --- */

enum api_field_kind {
    FIELD_TEXT,
    FIELD_INT,
    FIELD_BOOL,
    FIELD_TIME,
    FIELD_ENUM,
    FIELD_OBJECT,
    FIELD_LIST
};
struct api_field {
    const char *name;
    enum api_field_kind kind;
    bool required;
    bool nullable;
    int64_t least, most;      /* characters of a text, range of a number, items of a list */
    const char *const *names; /* ENUM, closed by NULL */
};
struct api_value {
    bool present; /* also when null */
    bool null;
    const char *text;
    int64_t number; /* INT, ENUM */
    bool flag;
    emt_time time;
    json_t *object; /* OBJECT, LIST; borrowed */
};
/* Reads the body as an object with exactly these fields, n of them. An empty body is {} when
 * nothing is required. On failure the problem is answered and *ok is false. *body keeps texts
 * alive: json_decref() it after use (NULL on failure). */
void api_body(struct api_call *c, const struct api_field *fields, size_t n,
              struct api_value *values, json_t **body, bool *ok);
/* For bodies with a secret: wipes the texts, then json_decref(). NULL is fine. */
void api_body_wipe(json_t *body);

/* --- query parameters --- */

struct api_page {
    int limit;
    const char *cursor; /* "" for the first page */
    int64_t cursor_number;
};
/* limit and cursor; a problem is answered and false returned when they are wrong. numeric: the
 * cursor is a number. */
bool api_page_read(struct api_call *c, int most, int usual, bool numeric, struct api_page *out);
/* An RFC 3339 time; absent: *out stays. False: problem answered. */
bool api_query_time(struct api_call *c, const char *name, emt_time *out);
bool api_param_number(struct api_call *c, unsigned i, const char *what,
                      int64_t *out); /* path parameter; 404 otherwise */

/* --- rows to JSON --- */

enum api_column_kind {
    COL_SKIP,
    COL_TEXT,
    COL_INT,
    COL_BOOL,
    COL_TIME,
    COL_ENUM,
    COL_HEX,
    COL_DECIMAL /* two columns */,
    COL_JSON
};
struct api_column {
    const char *name;
    enum api_column_kind kind;
    const char *const *names; /* ENUM, closed by NULL */
};
/* Columns first… of the row as an object; SQL NULL gives null. NULL: out of memory. */
json_t *api_row(const struct store_result *r, int row, int first, const struct api_column *cols,
                size_t n);
/* {"items": […], "next"?}: rows were asked for with limit + 1; column 0 is the cursor. row_of may
 * be NULL: api_row() with cols from column 1. Frees r. */
enum emt_err api_page_answer(struct api_call *c, struct store_result *r, int limit,
                             const struct api_column *cols, size_t n,
                             json_t *(*row_of)(const struct store_result *r, int row));
json_t *api_time(emt_time t); /* null for EMT_TIME_NONE */
json_t *api_decimal(struct decimal d);

/* --- others --- */

/* Notes the change in the tenant's audit, in the transaction of the call (tenant 0: the platform,
 * on the admin connection). */
EMT_CHECKED enum emt_err api_audit(struct api_call *c, const char *action, const char *object,
                                   const char *fmt, ...) EMT_PRINTF(4, 5);
/* The same on another connection, about any tenant or the platform (0). */
struct store;
EMT_CHECKED enum emt_err api_audit_on(struct api_call *c, struct store *s, int32_t tenant,
                                      const char *action, const char *object, const char *fmt, ...)
    EMT_PRINTF(6, 7);
/* Connections of the worker; NULL: database not reachable. */
struct store *api_admin(struct api_call *c);
/* A random secret "<prefix><43 characters>" and its SHA-256. out holds 128. */
EMT_CHECKED enum emt_err api_secret(const char *prefix, char out[128], uint8_t hash[32]);
/* Newest data key of the tenant; wipe it. */
struct seal_key;
EMT_CHECKED enum emt_err api_data_key(struct api_call *c, struct seal_key *out);

#endif
