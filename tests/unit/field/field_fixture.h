/* The field channel of one node against a real PostgreSQL: TLS on loopback, gateways with
 * certificates, known to the database or not. Failures end the test.
 *
 * Use: field_fixture_case() once in main(), which starts the database that all tests of the program
 * share; then field_fixture_run(). */
#ifndef EMT_TESTS_FIELD_FIXTURE_H
#define EMT_TESTS_FIELD_FIXTURE_H

#include "base/attr.h"
#include "field/field.h"
#include "gateway_client.h"
#include "pg_fixture.h"
#include "pki_fixture.h"

#include <check.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>

struct metrics;

/* Of the test that runs. */
extern struct field_fixture {
    struct pg_fixture *pg;
    struct test_pki pki;
    struct test_leaf leaf; /* the server's certificate */
    struct tls_context *tls12, *tls13;
    struct metrics *metrics;
    struct field *field; /* stopped at the end where it is not NULL */
    char state_dir[64];
    int32_t alpha; /* the tenant */
} node;

TCase *field_fixture_case(const char *name);
/* Runs the case; the exit code of main(). */
int field_fixture_run(TCase *c);

/* What a database needs before gateways come: partitions and the node. */
void node_prepare(struct pg_fixture *pg);
/* Two loops on 127.0.0.1 (TLS 1.2, 1.3) and [::1] (TLS 1.2), any port; *s says the rest. */
void node_start(struct field_settings *s);
void scratch_remove(const char *dir);

/* A gateway with a certificate; known: to the database also, by id. */
struct gateway {
    int64_t id;
    struct test_leaf leaf;
    struct tls_context *ctx;
    char fingerprint[65];
};
void gateway_make(struct gateway *g, const char *name, bool known);
void gateway_release(struct gateway *g);
/* Connected with TLS 1.2; from: source address or NULL. */
void connect_from(struct gateway_client *c, const struct gateway *g, const char *from);
/* Connected and welcomed; welcome may be NULL. */
void join(struct gateway_client *c, const struct gateway *g, struct uplink_message *welcome);

/* Statements as superuser. number(): first column of the first row. */
void change(const char *fmt, ...) EMT_PRINTF(1, 2);
int64_t number(const char *fmt, ...) EMT_PRINTF(1, 2);
#define STORED "select count(*) from raw_frame where gateway_id = %" PRId64

/* labels: as in the metrics' text, or NULL. */
int64_t counter(const char *name, const char *labels);
/* Waits some seconds at most until it is n or more. */
void counter_await(const char *name, const char *labels, int64_t n);
void nap(void); /* 10 ms */

#define eventually(fmt, a, expected)                                                               \
    do {                                                                                           \
        for (int i_ = 0; i_ < 500 && number(fmt, a) != (expected); i_++)                           \
            nap();                                                                                 \
        ck_assert_int_eq(number(fmt, a), expected);                                                \
    } while (0)

#endif
