/* The chain of the audit: what was changed, removed, inserted or moved is found and named. */
#include "base/seal.h"
#include "jobs/audit_chain.h"
#include "pg_fixture.h"
#include "pki/signing_key.h"
#include "store/audit_store.h"
#include "store/secret_store.h"
#include "store/store.h"

#include <check.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct pg_fixture *fixture;
static struct seal_key master;

static void sql(const char *fmt, ...) EMT_PRINTF(1, 2);
static void sql(const char *fmt, ...)
{
    char text[2000];
    va_list ap;

    va_start(ap, fmt);
    ck_assert_int_lt(vsnprintf(text, sizeof text, fmt, ap), (int)sizeof text);
    va_end(ap);
    pg_fixture_sql(fixture, text);
}

static int64_t number(const char *fmt, ...) EMT_PRINTF(1, 2);
static int64_t number(const char *fmt, ...)
{
    char text[1000];
    va_list ap;

    va_start(ap, fmt);
    ck_assert_int_lt(vsnprintf(text, sizeof text, fmt, ap), (int)sizeof text);
    va_end(ap);
    return pg_fixture_number(fixture, text);
}

static void append(int32_t tenant, unsigned n)
{
    struct store *s = pg_fixture_store(fixture, STORE_APP);

    for (unsigned i = 0; i < n; i++) {
        char object[32];
        struct audit_entry e = { tenant,
                                 "key:1",
                                 "gateway.update",
                                 object,
                                 i % 2 ? "name, with \"quotes\"" : NULL,
                                 i % 3 ? "2001:db8::1" : NULL };

        snprintf(object, sizeof object, "g%u", i);
        ck_assert_int_eq(store_begin(s, tenant), EMT_OK);
        ck_assert_int_eq(audit_append(s, &e), EMT_OK);
        ck_assert_int_eq(store_commit(s), EMT_OK);
    }
    store_close(s);
}

static int64_t chain(void)
{
    struct store *s = pg_fixture_store(fixture, STORE_ADMIN);
    struct emt_diag diag = { 0 };
    int64_t n = 0;

    ck_assert_msg(audit_chain_step(s, &master, &n, &diag) == EMT_OK, "%s", diag.text);
    store_close(s);
    return n;
}

static struct audit_verdict verify(int32_t tenant)
{
    struct store *s = pg_fixture_store(fixture, STORE_ADMIN);
    struct audit_verdict v;

    ck_assert_int_eq(audit_chain_verify(s, s, tenant, &v), EMT_OK);
    store_close(s);
    return v;
}

/* The entry with this number of the chain. */
static int64_t entry(int32_t tenant, int64_t no)
{
    return number("select entry_id from audit where tenant_id = %d and chain_no = %" PRId64, tenant,
                  no);
}

static int32_t chained_tenant(const char *key, unsigned n)
{
    int32_t tenant = pg_fixture_tenant(fixture, key);

    append(tenant, n);
    chain();
    struct audit_verdict v = verify(tenant);
    ck_assert_msg(v.ok, "%s", v.reason);
    ck_assert_int_eq(v.chained, n);
    ck_assert_int_eq(v.anchors, 1);
    return tenant;
}

static void check_bad(int32_t tenant, int64_t at, const char *reason)
{
    struct audit_verdict v = verify(tenant);

    ck_assert(!v.ok);
    ck_assert_msg(v.bad_entry == at && strstr(v.reason, reason) != NULL, "entry %lld, not %lld: %s",
                  (long long)v.bad_entry, (long long)at, v.reason);
}

START_TEST(entries_are_linked_in_lots_and_the_day_is_signed_once)
{
    int32_t tenant = pg_fixture_tenant(fixture, "lots");
    struct audit_verdict v = verify(tenant);

    ck_assert(v.ok);
    ck_assert_int_eq(v.entries, 0);
    append(tenant, 5);
    v = verify(tenant);
    ck_assert(v.ok);
    ck_assert_int_eq(v.entries, 5);
    ck_assert_int_eq(v.chained, 0);
    sql("insert into audit (tenant_id, actor, action, object) select %d, 'a', 'b', i::text from"
        " generate_series(1, 2100) i",
        tenant);
    ck_assert_int_ge(chain(), 2105);
    ck_assert_int_eq(chain(), 0);
    append(tenant, 1);
    ck_assert_int_eq(chain(), 1);
    v = verify(tenant);
    ck_assert_msg(v.ok, "%s", v.reason);
    ck_assert_int_eq(v.chained, 2106);
    ck_assert_int_eq(v.anchors, 1);
    /* The next day. */
    sql("update audit_anchor set day = day - 1 where tenant_id = %d", tenant);
    chain();
    ck_assert_int_eq(number("select count(*) from audit_anchor where tenant_id = %d", tenant), 2);
    ck_assert_int_eq(number("select max(chain_no) from audit_anchor where tenant_id = %d", tenant),
                     2106);
}
END_TEST

START_TEST(a_changed_entry_is_named)
{
    static const char *const changes[] = {
        "actor = 'key:2'",
        "action = 'x'",
        "object = object || ' '",
        "detail = 'none'",
        "peer = null",
        "peer = '2001:db8::2'",
        "at = at + interval '1 us'",
        /* Moves a letter from one member to the next. */
        "actor = 'key:', action = '1gateway.update'",
    };
    int32_t tenant = chained_tenant("changed", 9);
    int64_t bad = entry(tenant, 5);

    sql("create table kept as select * from audit where entry_id = %" PRId64, bad);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        sql("update audit set %s where entry_id = %" PRId64, changes[i], bad);
        check_bad(tenant, bad, "its hash does not fit");
        sql("update audit a set actor = k.actor, action = k.action, object = k.object, detail ="
            " k.detail, peer = k.peer, at = k.at from kept k where a.entry_id = k.entry_id");
        ck_assert(verify(tenant).ok);
    }
    sql("drop table kept");
}
END_TEST

START_TEST(a_removed_entry_is_missed)
{
    int32_t tenant = chained_tenant("removed", 9);
    int64_t behind = entry(tenant, 6);

    sql("delete from audit where tenant_id = %d and chain_no = 5", tenant);
    check_bad(tenant, behind, "before it 1 entries are missing");
    /* Closing the gap does not help. */
    sql("update audit set chain_no = -chain_no where tenant_id = %d and chain_no > 5", tenant);
    sql("update audit set chain_no = -chain_no - 1 where tenant_id = %d and chain_no < 0", tenant);
    sql("update audit_head set chain_no = 8 where tenant_id = %d", tenant);
    check_bad(tenant, behind, "its hash does not fit");
}
END_TEST

START_TEST(the_first_and_the_last_entry_are_missed)
{
    int32_t first = chained_tenant("first", 4);
    int32_t last = chained_tenant("last", 4);
    int32_t all = chained_tenant("all", 4);

    sql("delete from audit where tenant_id = %d and chain_no = 1", first);
    check_bad(first, entry(first, 2), "1 entries are missing");
    sql("delete from audit where tenant_id = %d and chain_no = 4", last);
    check_bad(last, 0, "the last 1 entries are gone");
    /* With the head set back, the signature remembers. */
    sql("update audit_head h set chain_no = 3, chain_hash = (select chain_hash from audit a where"
        " a.tenant_id = h.tenant_id and a.chain_no = 3) where tenant_id = %d",
        last);
    check_bad(last, 0, "was longer");
    sql("delete from audit where tenant_id = %d", all);
    check_bad(all, 0, "the last 4 entries are gone");
    sql("delete from audit_head where tenant_id = %d", all);
    check_bad(all, 0, "was longer");
}
END_TEST

START_TEST(an_inserted_entry_is_named)
{
    int32_t tenant = chained_tenant("inserted", 6);

    /* In the place of another one that moves back. */
    sql("update audit set chain_no = -chain_no where tenant_id = %d and chain_no > 3", tenant);
    sql("update audit set chain_no = -chain_no + 1 where tenant_id = %d and chain_no < 0", tenant);
    sql("insert into audit (tenant_id, actor, action, object, chain_no, chain_hash) select"
        " tenant_id, actor, action, object, 4, chain_hash from audit where tenant_id = %d and"
        " chain_no = 3",
        tenant);
    sql("update audit_head set chain_no = 7 where tenant_id = %d", tenant);
    check_bad(tenant, entry(tenant, 4), "inserted");

    int32_t end = chained_tenant("inserted-end", 3);
    sql("insert into audit (tenant_id, actor, action, object, chain_no, chain_hash)"
        " values (%d, 'a', 'b', 'c', 4, decode(repeat('00', 32), 'hex'))",
        end);
    check_bad(end, entry(end, 4), "never gave");
}
END_TEST

START_TEST(entries_that_changed_places_are_named)
{
    int32_t tenant = chained_tenant("moved", 6);
    int64_t third = entry(tenant, 3), fourth = entry(tenant, 4);

    sql("update audit set chain_no = -chain_no where entry_id in (%" PRId64 ", %" PRId64 ")", third,
        fourth);
    sql("update audit set chain_no = 7 + chain_no where entry_id in (%" PRId64 ", %" PRId64 ")",
        third, fourth);
    check_bad(tenant, fourth, "moved");
}
END_TEST

START_TEST(a_chain_made_anew_does_not_fit_its_signature)
{
    int32_t tenant = chained_tenant("anew", 5);

    sql("update audit set detail = 'forged' where tenant_id = %d and chain_no = 2", tenant);
    sql("update audit set chain_no = null, chain_hash = null where tenant_id = %d", tenant);
    sql("delete from audit_head where tenant_id = %d", tenant);
    chain();
    ck_assert_int_eq(number("select max(chain_no) from audit where tenant_id = %d", tenant), 5);
    check_bad(tenant, entry(tenant, 5), "not the one signed");
    /* A signature of one's own is none of the platform's. */
    sql("update audit_anchor a set chain_hash = h.chain_hash from audit_head h where h.tenant_id ="
        " a.tenant_id and a.tenant_id = %d",
        tenant);
    check_bad(tenant, entry(tenant, 5), "signature");
}
END_TEST

START_TEST(a_signature_of_another_tenant_is_no_good)
{
    int32_t a = chained_tenant("sig-a", 3);
    int32_t b = chained_tenant("sig-b", 3);

    sql("update audit_anchor x set signature = y.signature from audit_anchor y"
        " where x.tenant_id = %d and y.tenant_id = %d",
        a, b);
    check_bad(a, entry(a, 3), "signature");
    sql("update audit_anchor set signature = 'x' where tenant_id = %d", b);
    check_bad(b, entry(b, 3), "signature");
}
END_TEST

/* ---- who may what ---- */

static void refused(enum store_role role, int32_t tenant, const char *text)
{
    struct store *s = pg_fixture_store(fixture, role);
    struct emt_diag diag = { 0 };

    ck_assert_int_eq(store_begin(s, tenant), EMT_OK);
    ck_assert_msg(store_script(s, text, &diag) != EMT_OK, "%s may: %s", store_role_name(role),
                  text);
    ck_assert_msg(strstr(diag.text, "permission denied") != NULL, "%s", diag.text);
    store_rollback(s);
    store_close(s);
}

START_TEST(nobody_but_the_chainer_numbers_entries)
{
    static const char *const for_all[] = {
        "update audit set detail = ''",
        "delete from audit",
        "insert into audit (tenant_id, actor, action, object, chain_no) values (1, '', '', '', 1)",
        "insert into audit (tenant_id, actor, action, object, at) values (1, '', '', '', now())",
        "update audit_anchor set signature = ''",
        "delete from audit_anchor",
        "delete from audit_head",
    };
    int32_t tenant = chained_tenant("rights", 3);

    for (size_t i = 0; i < sizeof for_all / sizeof for_all[0]; i++) {
        refused(STORE_APP, tenant, for_all[i]);
        refused(STORE_INGEST, tenant, for_all[i]);
        refused(STORE_ADMIN, tenant, for_all[i]);
    }
    refused(STORE_APP, tenant, "update audit set chain_no = null");
    refused(STORE_INGEST, tenant, "update audit set chain_hash = ''");
    refused(STORE_APP, tenant, "update audit_head set chain_no = 0");
    refused(STORE_APP, tenant, "insert into audit_anchor values (1, now(), 1, '', '')");
    ck_assert(verify(tenant).ok);
}
END_TEST

/* ---- together ---- */

static atomic_bool ended;

static void *chain_on(void *arg)
{
    int64_t *linked = arg;

    while (!ended) {
        struct store *s = pg_fixture_store(fixture, STORE_ADMIN);
        int64_t n = 0;

        if (audit_chain_step(s, &master, &n, NULL) != EMT_OK)
            abort();
        *linked += n;
        store_close(s);
    }
    return NULL;
}

START_TEST(a_verification_holds_while_two_nodes_link)
{
    int32_t tenant = pg_fixture_tenant(fixture, "busy");
    int64_t linked[2] = { 0 };
    pthread_t nodes[2];

    ended = false;
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&nodes[i], NULL, chain_on, &linked[i]), 0);
    for (int i = 0; i < 30; i++) {
        append(tenant, 20);
        struct audit_verdict v = verify(tenant);
        ck_assert_msg(v.ok, "%s", v.reason);
    }
    ended = true;
    for (int i = 0; i < 2; i++)
        pthread_join(nodes[i], NULL);
    chain();
    struct audit_verdict v = verify(tenant);
    ck_assert_msg(v.ok, "%s", v.reason);
    ck_assert_int_eq(v.chained, 600);
}
END_TEST

/* ---- the key ---- */

START_TEST(a_signature_is_of_its_text_and_its_key)
{
    unsigned char signature[SIGNATURE_MAX];
    struct writer secret, pub, other;
    size_t n = 0;

    writer_init_heap(&secret, 1u << 14);
    writer_init_heap(&pub, 1u << 14);
    writer_init_heap(&other, 1u << 14);
    ck_assert_int_eq(signing_key_new(&secret, &other, NULL), EMT_OK);
    writer_clear(&secret);
    ck_assert_int_eq(signing_key_new(&secret, &pub, NULL), EMT_OK);
    ck_assert_int_eq(
        signing_key_sign((const char *)secret.data, secret.len, "text", 4, signature, &n, NULL),
        EMT_OK);
    const char *key = (const char *)pub.data;
    ck_assert_int_eq(signing_key_verify(key, pub.len, "text", 4, signature, n, NULL), EMT_OK);
    ck_assert_int_eq(signing_key_verify(key, pub.len, "texT", 4, signature, n, NULL), EMT_EAUTH);
    ck_assert_int_eq(
        signing_key_verify((const char *)other.data, other.len, "text", 4, signature, n, NULL),
        EMT_EAUTH);
    for (size_t i = 0; i < n; i++)
        ck_assert_int_eq(signing_key_verify(key, pub.len, "text", 4, signature, i, NULL),
                         EMT_EAUTH);
    ck_assert_int_eq(signing_key_verify("no key", 6, "text", 4, signature, n, NULL),
                     EMT_EMALFORMED);
    ck_assert_int_eq(signing_key_sign("no key", 6, "text", 4, signature, &n, NULL), EMT_EMALFORMED);
    writer_release(&secret);
    writer_release(&pub);
    writer_release(&other);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("audit_chain");
    TCase *c = tcase_create("all");

    fixture = pg_fixture_start();
    if (seal_key_make(&master, 1) != EMT_OK)
        return EXIT_FAILURE;
    tcase_set_timeout(c, 120);
    tcase_add_test(c, entries_are_linked_in_lots_and_the_day_is_signed_once);
    tcase_add_test(c, a_changed_entry_is_named);
    tcase_add_test(c, a_removed_entry_is_missed);
    tcase_add_test(c, the_first_and_the_last_entry_are_missed);
    tcase_add_test(c, an_inserted_entry_is_named);
    tcase_add_test(c, entries_that_changed_places_are_named);
    tcase_add_test(c, a_chain_made_anew_does_not_fit_its_signature);
    tcase_add_test(c, a_signature_of_another_tenant_is_no_good);
    tcase_add_test(c, nobody_but_the_chainer_numbers_entries);
    tcase_add_test(c, a_verification_holds_while_two_nodes_link);
    tcase_add_test(c, a_signature_is_of_its_text_and_its_key);
    suite_add_tcase(suite, c);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
