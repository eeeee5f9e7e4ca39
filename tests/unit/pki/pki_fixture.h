/* A small PKI for tests: root, server CA, two tenants. Failures end the test. */
#ifndef EMT_TESTS_PKI_FIXTURE_H
#define EMT_TESTS_PKI_FIXTURE_H

#include "base/clock.h"
#include "base/writer.h"
#include "pki/authority.h"
#include "pki/trust.h"

struct test_pki {
    struct authority *root, *servers, *alpha, *beta;
    struct trust *trust; /* the root */
};

void test_pki_init(struct test_pki *p);
void test_pki_release(struct test_pki *p);

/* A certificate with its key. */
struct test_leaf {
    struct writer chain, key;
    struct leaf_info info;
};

void test_leaf_gateway(struct test_leaf *l, struct authority *ca, enum key_kind kind,
                       const char *organisation, const char *name, emt_time now, int64_t lifetime);
void test_leaf_server(struct test_leaf *l, struct authority *ca, enum key_kind kind,
                      const char *names);
void test_leaf_release(struct test_leaf *l);

#endif
