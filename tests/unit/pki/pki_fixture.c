#include "pki_fixture.h"

#include <check.h>
#include <stddef.h>

enum { PEM_LIMIT = 65536 };

static struct authority *sub(struct authority *root, const char *organisation, const char *name)
{
    struct authority *a = NULL;
    emt_time then = clock_now() - 400 * EMT_DAY;

    ck_assert_int_eq(
        authority_new_sub(root, KEY_P256, organisation, name, then, 800 * EMT_DAY, &a, NULL),
        EMT_OK);
    return a;
}

void test_pki_init(struct test_pki *p)
{
    struct writer pem;
    emt_time then = clock_now() - 400 * EMT_DAY;

    ck_assert_int_eq(authority_new_root(KEY_P256, then, 3650 * EMT_DAY, &p->root, NULL), EMT_OK);
    p->servers = sub(p->root, NULL, "EMT Platform Server CA");
    p->alpha = sub(p->root, "alpha", "EMT Tenant CA alpha");
    p->beta = sub(p->root, "beta", "EMT Tenant CA beta");
    p->trust = trust_new();
    ck_assert_ptr_nonnull(p->trust);

    writer_init_heap(&pem, PEM_LIMIT);
    ck_assert_int_eq(authority_chain_pem(p->root, &pem), EMT_OK);
    ck_assert_int_eq(trust_add_pem(p->trust, (const char *)pem.data, pem.len, NULL), EMT_OK);
    writer_release(&pem);
}

void test_pki_release(struct test_pki *p)
{
    authority_free(p->root);
    authority_free(p->servers);
    authority_free(p->alpha);
    authority_free(p->beta);
    trust_unref(p->trust);
}

static void leaf_init(struct test_leaf *l)
{
    writer_init_heap(&l->chain, PEM_LIMIT);
    writer_init_heap(&l->key, PEM_LIMIT);
}

void test_leaf_gateway(struct test_leaf *l, struct authority *ca, enum key_kind kind,
                       const char *organisation, const char *name, emt_time now, int64_t lifetime)
{
    struct writer csr;

    leaf_init(l);
    writer_init_heap(&csr, PEM_LIMIT);
    ck_assert_int_eq(csr_new(kind, "anything", &l->key, &csr, NULL), EMT_OK);
    ck_assert_int_eq(authority_issue_gateway(ca, (const char *)csr.data, csr.len, organisation,
                                             name, now, lifetime, &l->chain, &l->info, NULL),
                     EMT_OK);
    writer_release(&csr);
}

void test_leaf_server(struct test_leaf *l, struct authority *ca, enum key_kind kind,
                      const char *names)
{
    leaf_init(l);
    ck_assert_int_eq(authority_issue_server(ca, kind, names, clock_now(), 90 * EMT_DAY, &l->chain,
                                            &l->key, &l->info, NULL),
                     EMT_OK);
}

void test_leaf_release(struct test_leaf *l)
{
    writer_release(&l->chain);
    writer_release(&l->key);
}
