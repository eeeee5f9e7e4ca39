/* Secrets, tenants, directory, users, nodes and audit against a real database. */
#include "pg_fixture.h"
#include "store/audit_store.h"
#include "store/directory_store.h"
#include "store/gateway_store.h"
#include "store/node_store.h"
#include "store/secret_store.h"
#include "store/tenant_store.h"
#include "store/user_store.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct pg_fixture *fixture;
static struct seal_key master;

static int32_t make_tenant(struct store *s, const char *key, struct seal_key *data_key)
{
    int32_t id = 0;

    ck_assert_int_eq(store_begin(s, 0), EMT_OK);
    ck_assert_int_eq(tenant_create(s, key, "A name", &master, &id, data_key), EMT_OK);
    ck_assert_int_eq(store_commit(s), EMT_OK);
    return id;
}

START_TEST(a_data_key_opens_with_its_master_key_only)
{
    struct store *s = pg_fixture_store(fixture, STORE_ADMIN);
    struct seal_key made, loaded, other;
    int32_t id = make_tenant(s, "keys", &made);

    ck_assert_int_eq(tenant_key_load(s, id, 0, &master, &loaded), EMT_OK);
    ck_assert_int_eq(loaded.version, 1);
    ck_assert_mem_eq(loaded.key, made.key, SEAL_KEY_LEN);
    ck_assert_int_eq(tenant_key_load(s, id, 1, &master, &loaded), EMT_OK);
    ck_assert_int_eq(tenant_key_load(s, id, 2, &master, &loaded), EMT_ENOTFOUND);
    ck_assert_int_eq(tenant_key_load(s, id + 1000, 0, &master, &loaded), EMT_ENOTFOUND);
    ck_assert_int_eq(tenant_key_create(s, id, &master, &loaded), EMT_ECONFLICT);
    ck_assert_int_eq(seal_key_make(&other, master.version), EMT_OK);
    ck_assert_int_eq(tenant_key_load(s, id, 0, &other, &loaded), EMT_EAUTH);
    other.version++;
    ck_assert_int_eq(tenant_key_load(s, id, 0, &other, &loaded), EMT_EAUTH);
    store_close(s);
}
END_TEST

START_TEST(a_key_moved_to_another_tenant_does_not_open)
{
    struct store *s = pg_fixture_store(fixture, STORE_ADMIN);
    struct seal_key a, b;
    int32_t first = make_tenant(s, "moved-a", &a), second = make_tenant(s, "moved-b", &b);
    char sql[200];

    snprintf(sql, sizeof sql,
             "update tenant_key set blob = (select blob from tenant_key where tenant_id = %d)"
             " where tenant_id = %d",
             first, second);
    pg_fixture_sql(fixture, sql);
    ck_assert_int_eq(tenant_key_load(s, second, 0, &master, &b), EMT_EAUTH);
    store_close(s);
}
END_TEST

START_TEST(the_ingest_role_loads_the_key_of_its_transaction_only)
{
    struct store *admin = pg_fixture_store(fixture, STORE_ADMIN);
    struct store *s = pg_fixture_store(fixture, STORE_INGEST);
    struct seal_key made, k;
    int32_t id = make_tenant(admin, "ingest", &made);

    ck_assert_int_eq(store_begin(s, id), EMT_OK);
    ck_assert_int_eq(tenant_key_load(s, id, 0, &master, &k), EMT_OK);
    store_rollback(s);
    ck_assert_int_eq(store_begin(s, id + 1), EMT_OK);
    ck_assert_int_eq(tenant_key_load(s, id, 0, &master, &k), EMT_ENOTFOUND);
    store_rollback(s);
    store_close(s);
    store_close(admin);
}
END_TEST

START_TEST(a_platform_secret_is_made_once)
{
    struct store *s = pg_fixture_store(fixture, STORE_ADMIN);
    struct writer secret, text;
    struct seal_key other;

    writer_init_heap(&secret, 1000);
    writer_init_heap(&text, 1000);
    ck_assert_int_eq(platform_secret_load(s, "root", &master, &secret, &text), EMT_ENOTFOUND);
    ck_assert_int_eq(platform_secret_create(s, "root", "k\0y", 3, "chain", &master), EMT_OK);
    ck_assert_int_eq(platform_secret_create(s, "root", "other", 5, "chain", &master),
                     EMT_ECONFLICT);
    ck_assert_int_eq(platform_secret_load(s, "root", &master, &secret, &text), EMT_OK);
    ck_assert_uint_eq(secret.len, 3);
    ck_assert_mem_eq(secret.data, "k\0y", 3);
    ck_assert_str_eq(writer_cstr(&text), "chain");
    ck_assert_int_eq(seal_key_make(&other, 1), EMT_OK);
    ck_assert_int_eq(platform_secret_load(s, "root", &other, &secret, NULL), EMT_EAUTH);
    writer_release(&secret);
    writer_release(&text);
    store_close(s);
}
END_TEST

START_TEST(tenants_are_found_listed_and_changed)
{
    struct store *s = pg_fixture_store(fixture, STORE_ADMIN);
    struct store *app = pg_fixture_store(fixture, STORE_APP);
    struct seal_key k;
    int32_t first = make_tenant(s, "change-a", &k), second = make_tenant(s, "change-b", &k);
    struct tenant t, list[2];
    size_t n = 2;
    char sql[100];

    ck_assert_int_eq(tenant_find(s, "change-a", &t), EMT_OK);
    ck_assert_int_eq(t.id, first);
    ck_assert_str_eq(t.name, "A name");
    ck_assert_int_eq(t.profile_tolerance_s, 120);
    ck_assert_str_eq(t.own_mp_id, "");
    ck_assert_int_eq(tenant_find(s, "nobody", &t), EMT_ENOTFOUND);
    ck_assert_int_eq(tenant_list(s, first - 1, list, &n), EMT_OK);
    ck_assert_uint_eq(n, 2);
    ck_assert_int_eq(list[0].id, first);
    ck_assert_int_eq(list[1].id, second);

    ck_assert_int_eq(tenant_get(s, first, &t), EMT_OK);
    t.device_policy = TENANT_ALLOW_LIST;
    snprintf(t.own_mp_id, sizeof t.own_mp_id, "9900123000008");
    ck_assert_int_eq(store_begin(app, first), EMT_OK);
    ck_assert_int_eq(tenant_update(app, &t), EMT_OK);
    t.id = second; /* not of this transaction */
    ck_assert_int_eq(tenant_update(app, &t), EMT_ENOTFOUND);
    ck_assert_int_eq(store_commit(app), EMT_OK);
    ck_assert_int_eq(tenant_get(s, first, &t), EMT_OK);
    ck_assert_int_eq(t.device_policy, TENANT_ALLOW_LIST);
    ck_assert_str_eq(t.own_mp_id, "9900123000008");
    snprintf(sql, sizeof sql, "select version from registry_version where tenant_id = %d", first);
    ck_assert_int_eq(pg_fixture_number(fixture, sql), 2);
    t.raw_retention_days = 0;
    ck_assert_int_eq(tenant_update(s, &t), EMT_ELIMIT);
    ck_assert_int_eq(tenant_set_state(s, second, TENANT_SUSPENDED), EMT_OK);
    ck_assert_int_eq(tenant_get(s, second, &t), EMT_OK);
    ck_assert_int_eq(t.state, TENANT_SUSPENDED);
    ck_assert_int_eq(tenant_set_state(s, 999999, TENANT_ACTIVE), EMT_ENOTFOUND);
    store_close(s);
    store_close(app);
}
END_TEST

START_TEST(a_bad_or_taken_tenant_key_is_refused)
{
    struct store *s = pg_fixture_store(fixture, STORE_ADMIN);
    struct seal_key k;
    int32_t id = make_tenant(s, "taken", &k);

    ck_assert_int_eq(store_begin(s, 0), EMT_OK);
    ck_assert_int_eq(tenant_create(s, "taken", "x", &master, &id, &k), EMT_ECONFLICT);
    store_rollback(s);
    ck_assert_int_eq(store_begin(s, 0), EMT_OK);
    ck_assert_int_eq(tenant_create(s, "No spaces!", "x", &master, &id, &k), EMT_ELIMIT);
    store_rollback(s);
    store_close(s);
}
END_TEST

START_TEST(the_newest_authority_of_a_tenant_is_loaded)
{
    struct store *s = pg_fixture_store(fixture, STORE_ADMIN);
    struct seal_key k, other;
    int32_t id = make_tenant(s, "authority", &k), generation = 0;
    struct writer chain, key;
    uint16_t version = 0;

    writer_init_heap(&chain, 1000);
    writer_init_heap(&key, 1000);
    ck_assert_int_eq(tenant_ca_load(s, id, &k, NULL, NULL, &chain, &key), EMT_ENOTFOUND);
    ck_assert_int_eq(tenant_ca_create(s, id, 1, "chain1", "key1", 4, &k), EMT_OK);
    ck_assert_int_eq(tenant_ca_create(s, id, 1, "chain1", "key1", 4, &k), EMT_ECONFLICT);
    ck_assert_int_eq(tenant_ca_create(s, id, 2, "chain2", "key2", 4, &k), EMT_OK);
    ck_assert_int_eq(seal_key_make(&other, 1), EMT_OK);
    ck_assert_int_eq(tenant_ca_load(s, id, &other, &generation, &version, &chain, &key), EMT_EAUTH);
    ck_assert_uint_eq(version, 1);
    ck_assert_int_eq(tenant_ca_load(s, id, &k, &generation, NULL, &chain, &key), EMT_OK);
    ck_assert_int_eq(generation, 2);
    ck_assert_str_eq(writer_cstr(&chain), "chain2");
    ck_assert_str_eq(writer_cstr(&key), "key2");
    writer_release(&chain);
    writer_release(&key);
    store_close(s);
}
END_TEST

START_TEST(an_identity_belongs_to_one_tenant)
{
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    int32_t a = pg_fixture_tenant(fixture, "dir-a"), b = pg_fixture_tenant(fixture, "dir-b"),
            tenant;
    const uint8_t key[32] = { 1, 2, 3 };
    int64_t row;

    ck_assert_int_eq(directory_find(s, DIRECTORY_API_KEY, key, &tenant, &row), EMT_ENOTFOUND);
    ck_assert_int_eq(store_begin(s, a), EMT_OK);
    ck_assert_int_eq(directory_add(s, DIRECTORY_API_KEY, key, 77), EMT_OK);
    ck_assert_int_eq(store_commit(s), EMT_OK);
    ck_assert_int_eq(directory_find(s, DIRECTORY_API_KEY, key, &tenant, &row), EMT_OK);
    ck_assert_int_eq(tenant, a);
    ck_assert_int_eq(row, 77);
    ck_assert_int_eq(directory_find(s, DIRECTORY_ENROLMENT, key, &tenant, &row), EMT_ENOTFOUND);
    ck_assert_int_eq(store_begin(s, b), EMT_OK);
    ck_assert_int_eq(directory_add(s, DIRECTORY_API_KEY, key, 1), EMT_ECONFLICT);
    ck_assert_int_eq(directory_remove(s, DIRECTORY_API_KEY, key), EMT_ENOTFOUND);
    ck_assert_int_eq(store_commit(s), EMT_OK);
    ck_assert_int_eq(store_begin(s, a), EMT_OK);
    ck_assert_int_eq(directory_remove(s, DIRECTORY_API_KEY, key), EMT_OK);
    ck_assert_int_eq(store_commit(s), EMT_OK);
    ck_assert_int_eq(directory_find(s, DIRECTORY_API_KEY, key, &tenant, &row), EMT_ENOTFOUND);
    store_close(s);
}
END_TEST

#define REVOKED(byte)                                                                              \
    "select count(*) from certificates_revoked() f where f = decode(repeat('" byte "', 32), 'hex')"

/* Somebody else's certificate, pinned and let go again, is not taken away from its owner; the own
 * one is revoked as ever. */
START_TEST(who_lets_go_of_a_certificate_takes_it_from_nobody_else)
{
    pg_fixture_sql(
        fixture,
        "insert into tenant (key, name) values ('pin-a', 'A'), ('pin-b', 'B');"
        "insert into gateway (tenant_id, external_id) select id, 'gw' from tenant"
        " where key in ('pin-a', 'pin-b');"
        "insert into gateway_certificate (tenant_id, fingerprint, gateway_id, serial, not_before,"
        " not_after, import_id, revoked_at)"
        " select g.tenant_id, decode(repeat(c.byte, 32), 'hex'), g.gateway_id, '1', now(),"
        " now() + interval '1 year', c.import, c.revoked from gateway g"
        " join tenant t on t.id = g.tenant_id join (values"
        " ('pin-a', 'c1', 1, now()), ('pin-b', 'c1', 1, null), ('pin-a', 'c2', 2, now()),"
        " ('pin-a', 'c3', null, now())) c (key, byte, import, revoked) on c.key = t.key");
    ck_assert_int_eq(pg_fixture_number(fixture, REVOKED("c1")), 0);
    ck_assert_int_eq(pg_fixture_number(fixture, REVOKED("c2")), 1);
    ck_assert_int_eq(pg_fixture_number(fixture, REVOKED("c3")), 1);
    pg_fixture_sql(fixture,
                   "update gateway_certificate set revoked_at = now() where import_id = 1");
    ck_assert_int_eq(pg_fixture_number(fixture, REVOKED("c1")), 1);
}
END_TEST

START_TEST(a_one_time_password_is_exchanged_once)
{
    struct store *s = pg_fixture_store(fixture, STORE_ADMIN);
    struct platform_user u;
    int64_t id, n;

    ck_assert_int_eq(user_create(s, "admin", "hash1", true, PLATFORM_OPERATOR, &id), EMT_OK);
    ck_assert_int_eq(user_create(s, "admin", "hash1", true, PLATFORM_OPERATOR, &id), EMT_ECONFLICT);
    ck_assert_int_eq(user_count(s, &n), EMT_OK);
    ck_assert_int_eq(n, 1);
    ck_assert_int_eq(user_find(s, "nobody", &u), EMT_ENOTFOUND);
    ck_assert_int_eq(user_find(s, "admin", &u), EMT_OK);
    ck_assert(u.one_time && !u.disabled);
    ck_assert_int_eq(user_set_password(s, u.id, u.password_hash, "hash2"), EMT_OK);
    ck_assert_int_eq(user_set_password(s, u.id, u.password_hash, "hash3"), EMT_ECONFLICT);
    ck_assert_int_eq(user_find(s, "admin", &u), EMT_OK);
    ck_assert(!u.one_time);
    ck_assert_str_eq(u.password_hash, "hash2");
    ck_assert_int_eq(user_disable(s, u.id), EMT_OK);
    ck_assert_int_eq(user_set_password(s, u.id, "hash2", "hash3"), EMT_ECONFLICT);
    ck_assert_int_eq(user_disable(s, 4711), EMT_ENOTFOUND);
    store_close(s);
}
END_TEST

START_TEST(a_platform_key_ends_by_time_revocation_or_its_user)
{
    struct store *s = pg_fixture_store(fixture, STORE_ADMIN);
    const uint8_t a[32] = { 1 }, b[32] = { 2 };
    const emt_time now = INT64_C(1800000000000000);
    struct platform_key k, list[5];
    int64_t user, ida, idb;
    size_t n = 5;

    ck_assert_int_eq(user_create(s, "op", "h", false, PLATFORM_AUDITOR, &user), EMT_OK);
    ck_assert_int_eq(platform_key_create(s, user, "a", a, now + EMT_HOUR, &ida), EMT_OK);
    ck_assert_int_eq(platform_key_create(s, user, "b", b, EMT_TIME_NONE, &idb), EMT_OK);
    ck_assert_int_eq(platform_key_create(s, user, "c", b, EMT_TIME_NONE, &idb), EMT_ECONFLICT);
    ck_assert_int_eq(platform_key_find(s, a, now, &k), EMT_OK);
    ck_assert_int_eq(k.role, PLATFORM_AUDITOR);
    ck_assert_str_eq(k.user_name, "op");
    ck_assert_int_eq(platform_key_find(s, a, now + 2 * EMT_HOUR, &k), EMT_ENOTFOUND);
    ck_assert_int_eq(platform_key_used(s, ida, now), EMT_OK);
    ck_assert_int_eq(platform_key_used(s, ida, now + EMT_SECOND), EMT_OK);
    ck_assert_int_eq(platform_key_revoke(s, ida, now), EMT_OK);
    ck_assert_int_eq(platform_key_revoke(s, ida, now), EMT_ENOTFOUND);
    ck_assert_int_eq(platform_key_find(s, a, now, &k), EMT_ENOTFOUND);
    ck_assert_int_eq(platform_key_list(s, 0, list, &n), EMT_OK);
    ck_assert_uint_eq(n, 2);
    ck_assert(list[0].last_used_at == now && list[0].revoked_at == now);
    ck_assert(list[1].expires_at == EMT_TIME_NONE && list[1].last_used_at == EMT_TIME_NONE);
    ck_assert_int_eq(platform_key_find(s, b, now, &k), EMT_OK);
    ck_assert_int_eq(user_disable(s, user), EMT_OK);
    ck_assert_int_eq(platform_key_find(s, b, now, &k), EMT_ENOTFOUND);
    store_close(s);
}
END_TEST

/* A connected session of this node. */
static void add_session(int32_t tenant, int64_t node)
{
    char sql[500];

    snprintf(sql, sizeof sql,
             "with g as (insert into gateway (tenant_id, external_id) values (%d, 'gw')"
             " returning gateway_id)"
             " insert into gateway_session (tenant_id, gateway_id, node_id, epoch, state, since)"
             " select %d, gateway_id, %lld, 1, 0, now() from g",
             tenant, tenant, (long long)node);
    pg_fixture_sql(fixture, sql);
}

static const char count_lost[] = "select count(*) from gateway_session where state = 2";

START_TEST(sessions_of_an_expired_node_are_lost_until_it_comes_back)
{
    struct store *s = pg_fixture_store(fixture, STORE_ADMIN);
    int64_t id, other, n;
    bool lapsed;

    ck_assert_int_eq(node_register(s, "one", "0.1", &id), EMT_OK);
    ck_assert_int_eq(node_register(s, "two", "0.1", &other), EMT_OK);
    ck_assert_int_eq(node_count(s, &n), EMT_OK);
    ck_assert_int_eq(n, 2);
    add_session(pg_fixture_tenant(fixture, "node-a"), id);
    add_session(pg_fixture_tenant(fixture, "node-b"), other);
    ck_assert_int_eq(node_expire(s, &n), EMT_OK);
    ck_assert_int_eq(n, 0);
    ck_assert_int_eq(node_renew(s, id, &lapsed), EMT_OK);
    ck_assert(!lapsed);
    pg_fixture_sql(fixture, "update node set lease_until = now() - interval '1 second'"
                            " where name = 'one'");
    ck_assert_int_eq(node_expire(s, &n), EMT_OK);
    ck_assert_int_eq(n, 1);
    ck_assert_int_eq(pg_fixture_number(fixture, count_lost), 1);
    ck_assert_int_eq(node_renew(s, id, &lapsed), EMT_OK);
    ck_assert(lapsed);
    ck_assert_int_eq(pg_fixture_number(fixture, count_lost), 0);
    ck_assert_int_eq(node_end(s, id), EMT_OK);
    ck_assert_int_eq(node_expire(s, &n), EMT_OK);
    ck_assert_int_eq(n, 1);
    pg_fixture_sql(fixture, "update node set lease_until = now() - interval '2 days'"
                            " where name = 'one'");
    ck_assert_int_eq(node_expire(s, &n), EMT_OK);
    ck_assert_int_eq(node_renew(s, id, &lapsed), EMT_ENOTFOUND);
    store_close(s);
}
END_TEST

START_TEST(audit_entries_are_added_and_never_changed)
{
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    struct store *admin = pg_fixture_store(fixture, STORE_ADMIN);
    int32_t tenant = pg_fixture_tenant(fixture, "audit");
    struct audit_entry e = { tenant, "key:1", "gateway.enrol", "gateway/7", NULL, "2001:db8::1" };

    ck_assert_int_eq(store_begin(s, tenant), EMT_OK);
    ck_assert_int_eq(audit_append(s, &e), EMT_OK);
    e.peer = NULL;
    e.detail = "more";
    ck_assert_int_eq(audit_append(s, &e), EMT_OK);
    ck_assert_int_eq(store_commit(s), EMT_OK);
    e.tenant = 0; /* the platform's are the platform's */
    ck_assert_int_eq(audit_append(s, &e), EMT_EDB);
    ck_assert_int_eq(audit_append(admin, &e), EMT_OK);
    ck_assert_int_eq(store_script(admin, "update audit set actor = 'x'", NULL), EMT_EDB);
    ck_assert_int_eq(store_script(admin, "delete from audit", NULL), EMT_EDB);
    ck_assert_int_eq(store_script(s, "delete from audit", NULL), EMT_EDB);
    ck_assert_int_eq(pg_fixture_number(fixture, "select count(*) from audit"), 3);
    store_close(s);
    store_close(admin);
}
END_TEST

struct revocation {
    int32_t tenant;
    int64_t gateway;
    enum emt_err err;
};

static void *revoke(void *arg)
{
    struct revocation *r = arg;
    struct store *s = pg_fixture_store(fixture, STORE_APP);

    r->err = store_begin(s, r->tenant);
    if (r->err == EMT_OK)
        r->err = gateway_revoke(s, r->tenant, r->gateway, clock_now(), "stolen");
    if (r->err == EMT_OK)
        r->err = store_commit(s);
    store_close(s);
    return NULL;
}

static void wait_until_blocked(void)
{
    for (int i = 0; i < 2000; i++) {
        if (pg_fixture_number(fixture, "select count(*) from pg_stat_activity"
                                       " where wait_event_type = 'Lock'") > 0)
            return;
    }
    ck_abort_msg("nobody waits");
}

START_TEST(a_revocation_catches_the_certificate_of_an_enrolment_under_way)
{
    struct store *admin = pg_fixture_store(fixture, STORE_ADMIN);
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    const uint8_t token[32] = { 1 }, certificate[32] = { 2 };
    struct store_result *row = NULL;
    struct revocation r = { .err = EMT_OK };
    emt_time now = clock_now();
    struct seal_key k;
    pthread_t thread;
    int64_t id = 0;

    r.tenant = make_tenant(admin, "race", &k);
    ck_assert_int_eq(store_begin(s, r.tenant), EMT_OK);
    ck_assert_int_eq(gateway_insert(s, r.tenant, "gw", "", "", &r.gateway), EMT_OK);
    ck_assert_int_eq(enrolment_insert(s, r.tenant, r.gateway, token, now + EMT_HOUR, &id), EMT_OK);
    ck_assert_int_eq(store_commit(s), EMT_OK);

    ck_assert_int_eq(store_begin(s, r.tenant), EMT_OK);
    ck_assert_int_eq(enrolment_lock(s, r.tenant, id, token, now, &row), EMT_OK);
    store_result_free(row);
    ck_assert_int_eq(
        certificate_insert(s, r.tenant, certificate, r.gateway, "01", now, now + EMT_DAY), EMT_OK);
    ck_assert_int_eq(pthread_create(&thread, NULL, revoke, &r), 0);
    wait_until_blocked();
    ck_assert_int_eq(enrolment_use(s, r.tenant, id, r.gateway, now), EMT_OK);
    ck_assert_int_eq(store_commit(s), EMT_OK);
    pthread_join(thread, NULL);
    ck_assert_int_eq(r.err, EMT_OK);
    ck_assert_int_eq(pg_fixture_number(fixture, "select count(*) from gateway where state = 2"), 1);
    ck_assert_int_eq(pg_fixture_number(fixture, "select count(*) from gateway_certificate"
                                                " where revoked_at is null"),
                     0);
    store_close(s);
    store_close(admin);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("platform_stores");
    TCase *t = tcase_create("all");
    SRunner *sr;
    int failed;

    fixture = pg_fixture_start();
    if (seal_key_make(&master, 1) != EMT_OK)
        return EXIT_FAILURE;
    tcase_set_timeout(t, 30);
    tcase_add_test(t, a_data_key_opens_with_its_master_key_only);
    tcase_add_test(t, a_key_moved_to_another_tenant_does_not_open);
    tcase_add_test(t, the_ingest_role_loads_the_key_of_its_transaction_only);
    tcase_add_test(t, a_platform_secret_is_made_once);
    tcase_add_test(t, tenants_are_found_listed_and_changed);
    tcase_add_test(t, a_bad_or_taken_tenant_key_is_refused);
    tcase_add_test(t, the_newest_authority_of_a_tenant_is_loaded);
    tcase_add_test(t, an_identity_belongs_to_one_tenant);
    tcase_add_test(t, a_revocation_catches_the_certificate_of_an_enrolment_under_way);
    tcase_add_test(t, who_lets_go_of_a_certificate_takes_it_from_nobody_else);
    tcase_add_test(t, a_one_time_password_is_exchanged_once);
    tcase_add_test(t, a_platform_key_ends_by_time_revocation_or_its_user);
    tcase_add_test(t, sessions_of_an_expired_node_are_lost_until_it_comes_back);
    tcase_add_test(t, audit_entries_are_added_and_never_changed);
    suite_add_tcase(suite, t);
    sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
