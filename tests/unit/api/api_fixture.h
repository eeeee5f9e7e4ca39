/* The REST interface as a client sees it: api_handler() behind a real server on loopback, with a
 * platform in a throw-away database. Every answer is judged against the document; everything that
 * was answered or logged is kept, to be searched for secrets. Failures end the test. */
#ifndef EMT_TESTS_API_FIXTURE_H
#define EMT_TESTS_API_FIXTURE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/seal.h"
#include "pg_fixture.h"
#include "store/user_store.h"

#include <check.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct api;
struct http_server;
struct authority;

/* Made once in main(): database, platform root, an operator and an auditor with keys. */
struct platform {
    struct pg_fixture *pg;
    struct seal_key master;
    uint8_t pin[32];
    char *operator_key, *auditor_key;
};
extern struct platform platform;
void platform_start(void);
/* A user of the platform with this password. */
int64_t platform_user(const char *name, const char *password, bool one_time,
                      enum platform_role role);

/* Checked fixture of each test: server and judge. */
void api_start(void);
void api_stop(void);
/* The same with another database, for tests without one. */
void api_start_at(const char *conninfo);
unsigned api_woken(void); /* how often jobs and field were woken since the start */
uint16_t api_port(void);

/* One request; body NULL: none; key NULL: none; target with printf. Checks the status (0: any)
 * and judges the answer. The JSON of the answer (NULL without) lives until the next request. */
json_t *ask(unsigned status, const char *key, const char *method, const char *body,
            const char *target, ...) EMT_PRINTF(5, 6);
/* The same with any headers ("A: b\r\n…"), and bytes as body. */
json_t *ask_with(unsigned status, const char *headers, const char *method, const void *body,
                 size_t len, const char *target);
/* Of the last answer. */
unsigned last_status(void);
const char *last_header(const char *name); /* NULL when absent */
const char *last_body(size_t *len);
/* A member by path, "items.0.id": NULL when absent. text_at() and int_at() insist on the type. */
json_t *value_at(const char *path);
const char *text_at(const char *path);
int64_t int_at(const char *path);
size_t items(void);
/* The last answer is a problem of this type; field NULL: names none. */
void check_problem(const char *type, const char *field);
/* Everything answered and logged since the start of the program lacks this text. */
void check_told_nowhere(const char *secret);

/* A tenant made over REST; key is its administrator's. */
struct test_tenant {
    char name[40];
    int32_t id;
    char key[80];
};
void tenant_new(struct test_tenant *t, const char *name);
/* A key of a role of it. Returns buf. */
char *tenant_key(const struct test_tenant *t, const char *role, char buf[80]);
/* A device with a channel of kind and unit (NULL: none); the channel's number. */
int64_t channel_new(const struct test_tenant *t, const char *ident, int kind, const char *unit);

/* printf into the database, as superuser. */
void sql(const char *fmt, ...) EMT_PRINTF(1, 2);
int64_t sql_number(const char *fmt, ...) EMT_PRINTF(1, 2);
/* The same as somebody else's transaction: it was run when this returns, holds its locks for a
 * while and commits. Once per test; ends with meanwhile_over(). */
void meanwhile(const char *fmt, ...) EMT_PRINTF(1, 2);
void meanwhile_over(void);

/* The suites. */
TCase *platform_tests(void);
TCase *user_tests(void);
TCase *gateway_tests(void);
TCase *device_tests(void);
TCase *meter_key_tests(void);
TCase *reading_tests(void);
TCase *correction_tests(void);
TCase *market_tests(void);
TCase *request_tests(void);

#endif
