/* Users, memberships, sessions, the throttle of logins and API keys against a real database; and a
 * database of before that has data. */
#include "base/cipher.h"
#include "pg_fixture.h"
#include "store/api_key_store.h"
#include "store/directory_store.h"
#include "store/login_store.h"
#include "store/member_store.h"
#include "store/migrate.h"
#include "store/user_session_store.h"
#include "store/user_store.h"
#include "store_internal.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct pg_fixture *fixture;
static const emt_time now = INT64_C(1800000000) * EMT_SECOND;

static int64_t make_user(struct store *s, const char *name, enum platform_role role)
{
    int64_t id = 0;

    ck_assert_int_eq(user_create_named(s, name, "A name", "hash", true, role, &id), EMT_OK);
    return id;
}

static void digest(const char *text, uint8_t out[32])
{
    cipher_sha256(text, strlen(text), out);
}

/* --- the throttle --- */

static const struct login_rule rule = { .free = 3, .most_s = 60, .window = 15 * EMT_MINUTE };

/* What an attempt has to wait: 0, it counted. */
static int64_t attempt_at(struct store *s, const char *key, emt_time at)
{
    int32_t attempts = 0;
    int64_t wait_s = 0;

    ck_assert_int_eq(login_attempt(s, LOGIN_NAME, key, strlen(key), &rule, at, &attempts, &wait_s),
                     EMT_OK);
    ck_assert_int_eq(attempts > 0, wait_s == 0);
    return wait_s;
}

START_TEST(waiting_doubles_up_to_its_ceiling_and_is_forgotten)
{
    static const int64_t waits[] = { 1, 2, 4, 8, 16, 32, 60, 60, 60 };
    struct store *s = pg_fixture_store(fixture, STORE_ADMIN);
    emt_time at = now;

    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(attempt_at(s, "a", at), 0);
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        ck_assert_int_eq(attempt_at(s, "a", at), waits[i]);
        ck_assert_int_eq(attempt_at(s, "a", at), waits[i]); /* one that waits costs nothing */
        at += waits[i] * EMT_SECOND;
        ck_assert_int_eq(attempt_at(s, "a", at), 0);
    }
    ck_assert_int_eq(attempt_at(s, "b", at), 0); /* others do not wait */
    at += rule.window + EMT_SECOND;
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(attempt_at(s, "a", at), 0);
    ck_assert_int_eq(attempt_at(s, "a", at), 1);
    /* Right after all: one back, or all. */
    ck_assert_int_eq(login_settle(s, LOGIN_NAME, "a", 1, false, at), EMT_OK);
    ck_assert_int_eq(attempt_at(s, "a", at), 0);
    ck_assert_int_eq(attempt_at(s, "a", at), 1);
    ck_assert_int_eq(login_settle(s, LOGIN_NAME, "a", 1, true, at), EMT_OK);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(attempt_at(s, "a", at), 0);
    ck_assert_int_eq(login_settle(s, LOGIN_NAME, "never seen", 10, true, at), EMT_OK);
    ck_assert_int_eq(login_forget(s, at + 1), EMT_OK);
    ck_assert_int_eq(pg_fixture_number(fixture, "select count(*) from login_throttle"), 0);
    store_close(s);
}
END_TEST

static void *attempts_thread(void *arg)
{
    struct store *s = pg_fixture_store(fixture, STORE_ADMIN);
    intptr_t *allowed = arg;

    for (int i = 0; i < 5; i++)
        *allowed += attempt_at(s, "together", now) == 0;
    store_close(s);
    return NULL;
}

START_TEST(attempts_at_the_same_moment_all_count)
{
    pthread_t threads[4];
    intptr_t allowed[4] = { 0 };
    intptr_t sum = 0;

    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, attempts_thread, &allowed[i]), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        sum += allowed[i];
    }
    ck_assert_int_eq(sum, rule.free);
}
END_TEST

START_TEST(a_place_is_known_to_its_user_and_for_a_time)
{
    static const uint8_t here[16] = { 1 };
    static const uint8_t there[16] = { 2 };
    struct store *s = pg_fixture_store(fixture, STORE_ADMIN);
    int64_t user = make_user(s, "at-home", PLATFORM_NONE);
    bool known = true;

    ck_assert_int_eq(login_place_known(s, "at-home", here, 0, &known), EMT_OK);
    ck_assert(!known);
    ck_assert_int_eq(login_place_note(s, user, here, now), EMT_OK);
    ck_assert_int_eq(login_place_note(s, user, here, now + 1), EMT_OK);
    ck_assert_int_eq(login_place_known(s, "at-home", here, now, &known), EMT_OK);
    ck_assert(known);
    ck_assert_int_eq(login_place_known(s, "at-home", here, now + 1, &known), EMT_OK);
    ck_assert(!known);
    ck_assert_int_eq(login_place_known(s, "at-home", there, 0, &known), EMT_OK);
    ck_assert(!known);
    ck_assert_int_eq(login_place_known(s, "somebody", here, 0, &known), EMT_OK);
    ck_assert(!known);
    store_close(s);
}
END_TEST

/* --- sessions --- */

START_TEST(a_session_ends_by_time_by_idleness_and_with_its_user)
{
    struct store *s = pg_fixture_store(fixture, STORE_ADMIN);
    int64_t user = make_user(s, "sitting", PLATFORM_OPERATOR);
    emt_time idle = now - 30 * EMT_MINUTE;
    struct user_session found;
    uint8_t hash[32];
    uint8_t other[32];
    int64_t id = 0;
    int64_t second = 0;

    digest("one", hash);
    digest("two", other);
    ck_assert_int_eq(user_session_create(s, user, hash, now, now + EMT_HOUR, "::1", &id), EMT_OK);
    ck_assert_int_eq(user_session_create(s, user, hash, now, now + EMT_HOUR, "", &second),
                     EMT_ECONFLICT);
    ck_assert_int_eq(user_session_find(s, hash, now, idle, NULL, &found), EMT_OK);
    ck_assert_int_eq(found.id, id);
    ck_assert_int_eq(found.user_id, user);
    ck_assert_str_eq(found.user_name, "sitting");
    ck_assert_int_eq(found.platform_role, PLATFORM_OPERATOR);
    ck_assert_int_eq(found.expires_at, now + EMT_HOUR);
    ck_assert_int_eq(found.tenant, 0);
    ck_assert(!found.unnoted);
    ck_assert_int_eq(user_session_find(s, other, now, idle, NULL, &found), EMT_ENOTFOUND);
    /* Used for the last time 30 minutes ago. */
    ck_assert_int_eq(
        user_session_find(s, hash, now + 29 * EMT_MINUTE, idle + 29 * EMT_MINUTE, NULL, &found),
        EMT_OK);
    ck_assert(found.unnoted);
    ck_assert_int_eq(
        user_session_find(s, hash, now + 30 * EMT_MINUTE, idle + 30 * EMT_MINUTE, NULL, &found),
        EMT_ENOTFOUND);
    ck_assert_int_eq(user_session_seen(s, id, now + 29 * EMT_MINUTE), EMT_OK);
    ck_assert_int_eq(
        user_session_find(s, hash, now + 30 * EMT_MINUTE, idle + 30 * EMT_MINUTE, NULL, &found),
        EMT_OK);
    ck_assert_int_eq(user_session_seen(s, id, now), EMT_OK); /* a late note changes nothing */
    /* However often it is used. */
    ck_assert_int_eq(user_session_find(s, hash, now + EMT_HOUR, now, NULL, &found), EMT_ENOTFOUND);

    ck_assert_int_eq(user_session_create(s, user, other, now, now + EMT_HOUR, "", &second), EMT_OK);
    ck_assert_int_eq(user_session_end_all(s, user, second), EMT_OK);
    ck_assert_int_eq(user_session_find(s, hash, now, idle, NULL, &found), EMT_ENOTFOUND);
    ck_assert_int_eq(user_session_find(s, other, now, idle, NULL, &found), EMT_OK);
    ck_assert_int_eq(user_disable(s, user), EMT_OK);
    ck_assert_int_eq(user_session_find(s, other, now, idle, NULL, &found), EMT_ENOTFOUND);
    ck_assert_int_eq(user_session_end_hash(s, other), EMT_OK);
    ck_assert_int_eq(user_session_end_hash(s, other), EMT_OK);
    ck_assert_int_eq(user_session_end(s, second), EMT_OK);
    ck_assert_int_eq(pg_fixture_number(fixture, "select count(*) from user_session"), 0);
    store_close(s);
}
END_TEST

START_TEST(sessions_that_are_over_are_removed)
{
    struct store *s = pg_fixture_store(fixture, STORE_ADMIN);
    int64_t user = make_user(s, "purged", PLATFORM_NONE);
    struct user_session found;
    uint8_t hash[32];
    int64_t id = 0;

    for (int i = 0; i < 3; i++) {
        digest(i == 0 ? "over" : i == 1 ? "idle" : "good", hash);
        ck_assert_int_eq(user_session_create(s, user, hash, i == 1 ? now - EMT_HOUR : now,
                                             i == 0 ? now - 1 : now + EMT_HOUR, "", &id),
                         EMT_OK);
    }
    ck_assert_int_eq(user_session_purge(s, now, now - 30 * EMT_MINUTE), EMT_OK);
    ck_assert_int_eq(pg_fixture_number(fixture, "select count(*) from user_session"), 1);
    ck_assert_int_eq(user_session_find(s, hash, now, now - EMT_MINUTE, NULL, &found), EMT_OK);
    ck_assert_int_eq(user_session_end_all(s, user, 0), EMT_OK);
    store_close(s);
}
END_TEST

/* --- memberships --- */

START_TEST(a_session_knows_the_membership_of_one_tenant)
{
    struct store *s = pg_fixture_store(fixture, STORE_ADMIN);
    int32_t first = pg_fixture_tenant(fixture, "m-first");
    int32_t second = pg_fixture_tenant(fixture, "m-second");
    int64_t user = make_user(s, "member", PLATFORM_NONE);
    struct user_session found;
    struct member m;
    uint8_t hash[32];
    int64_t id = 0;

    digest("member", hash);
    ck_assert_int_eq(user_session_create(s, user, hash, now, now + EMT_HOUR, "", &id), EMT_OK);
    ck_assert_int_eq(member_set(s, first, user, 2), EMT_OK);
    ck_assert_int_eq(member_set(s, first, user, 4), EMT_OK); /* another role */
    ck_assert_int_eq(member_set(s, first, user, 5), EMT_ELIMIT);
    ck_assert_int_eq(member_set_by_key(s, "m-second", user, 0), EMT_OK);
    ck_assert_int_eq(member_set_by_key(s, "m-third", user, 0), EMT_ENOTFOUND);
    ck_assert_int_eq(member_set(s, 4711, user, 0), EMT_ECONFLICT);
    ck_assert_int_eq(user_session_find(s, hash, now, now - 1, "m-first", &found), EMT_OK);
    ck_assert_int_eq(found.tenant, first);
    ck_assert_int_eq(found.tenant_role, 4);
    ck_assert_int_eq(user_session_find(s, hash, now, now - 1, "m-second", &found), EMT_OK);
    ck_assert_int_eq(found.tenant, second);
    ck_assert_int_eq(found.tenant_role, 0);
    ck_assert_int_eq(user_session_find(s, hash, now, now - 1, "m-third", &found), EMT_OK);
    ck_assert_int_eq(found.tenant, 0);
    ck_assert_int_eq(member_find(s, first, user, &m), EMT_OK);
    ck_assert_int_eq(m.role, 4);
    ck_assert_int_eq(m.others, 1);
    ck_assert_int_eq(m.platform_role, PLATFORM_NONE);
    /* A tenant that is not active opens nothing. */
    pg_fixture_sql(fixture, "update tenant set state = 1 where key = 'm-first'");
    ck_assert_int_eq(user_session_find(s, hash, now, now - 1, "m-first", &found), EMT_OK);
    ck_assert_int_eq(found.tenant, 0);
    ck_assert_int_eq(member_remove(s, first, user), EMT_OK);
    ck_assert_int_eq(member_remove(s, first, user), EMT_ENOTFOUND);
    ck_assert_int_eq(member_find(s, first, user, &m), EMT_ENOTFOUND);
    ck_assert_int_eq(member_remove_all(s, user), EMT_OK);
    ck_assert_int_eq(member_find(s, second, user, &m), EMT_ENOTFOUND);
    ck_assert_int_eq(user_session_end_all(s, user, 0), EMT_OK);
    store_close(s);
}
END_TEST

START_TEST(a_user_changes_and_an_operators_key_ends_with_the_role)
{
    struct store *s = pg_fixture_store(fixture, STORE_ADMIN);
    int64_t user = make_user(s, "changing", PLATFORM_OPERATOR);
    struct platform_user u;
    struct platform_key k;
    uint8_t hash[32];
    int64_t key = 0;
    int64_t before = 0;
    int64_t after = 0;

    digest("operator's", hash);
    ck_assert_int_eq(platform_key_create(s, user, "k", hash, EMT_TIME_NONE, &key), EMT_OK);
    ck_assert_int_eq(platform_key_find(s, hash, now, &k), EMT_OK);
    ck_assert_int_eq(user_operators(s, &before), EMT_OK);
    ck_assert_int_eq(store_begin(s, 0), EMT_OK);
    ck_assert_int_eq(user_lock(s, user, &u), EMT_OK);
    ck_assert_str_eq(u.display_name, "A name");
    u.role = PLATFORM_NONE;
    snprintf(u.display_name, sizeof u.display_name, "Another");
    ck_assert_int_eq(user_update(s, &u), EMT_OK);
    ck_assert_int_eq(store_commit(s), EMT_OK);
    ck_assert_int_eq(user_operators(s, &after), EMT_OK);
    ck_assert_int_eq(after, before - 1);
    ck_assert_int_eq(platform_key_find(s, hash, now, &k), EMT_ENOTFOUND);
    u.role = PLATFORM_AUDITOR;
    ck_assert_int_eq(user_update(s, &u), EMT_OK);
    ck_assert_int_eq(platform_key_find(s, hash, now, &k), EMT_OK);
    ck_assert_int_eq(platform_key_revoke_all(s, user, now), EMT_OK);
    ck_assert_int_eq(platform_key_find(s, hash, now, &k), EMT_ENOTFOUND);
    ck_assert_int_eq(user_set_password(s, user, "hash", "hash2"), EMT_OK);
    ck_assert_int_eq(user_reset(s, user, "hash3"), EMT_OK);
    ck_assert_int_eq(user_logged_in(s, user, now), EMT_OK);
    ck_assert_int_eq(user_find(s, "changing", &u), EMT_OK);
    ck_assert(u.one_time);
    ck_assert_str_eq(u.password_hash, "hash3");
    ck_assert_str_eq(u.display_name, "Another");
    u.id = 4711;
    ck_assert_int_eq(user_update(s, &u), EMT_ENOTFOUND);
    ck_assert_int_eq(user_reset(s, 4711, "h"), EMT_ENOTFOUND);
    ck_assert_int_eq(user_lock(s, 4711, &u), EMT_ENOTFOUND);
    store_close(s);
}
END_TEST

/* --- keys of a tenant --- */

START_TEST(a_key_is_found_by_its_hash_alone)
{
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    int32_t tenant = pg_fixture_tenant(fixture, "k-tenant");
    int32_t other = pg_fixture_tenant(fixture, "k-other");
    struct api_key key;
    uint8_t hash[32];
    int64_t id = 0;

    digest("a key", hash);
    const struct api_key_new made = { .name = "nightly",
                                      .hash = hash,
                                      .role = 2,
                                      .scopes = 5,
                                      .expires_at = now + EMT_HOUR,
                                      .created_by = "user:anna" };
    ck_assert_int_eq(store_begin(s, tenant), EMT_OK);
    ck_assert_int_eq(api_key_insert(s, tenant, &made, &id), EMT_OK);
    ck_assert_int_eq(directory_add(s, DIRECTORY_API_KEY, hash, id), EMT_OK);
    ck_assert_int_eq(store_commit(s), EMT_OK);
    ck_assert_int_eq(api_key_find(s, hash, now, &key), EMT_OK);
    ck_assert_int_eq(key.tenant, tenant);
    ck_assert_int_eq(key.id, id);
    ck_assert_int_eq(key.role, 2);
    ck_assert_uint_eq(key.scopes, 5);
    ck_assert_str_eq(key.name, "nightly");
    ck_assert_str_eq(key.tenant_key, "k-tenant");
    ck_assert(key.unnoted);
    ck_assert_int_eq(api_key_find(s, hash, now + EMT_HOUR, &key), EMT_ENOTFOUND);
    hash[0] ^= 1;
    ck_assert_int_eq(api_key_find(s, hash, now, &key), EMT_ENOTFOUND);
    hash[0] ^= 1;

    ck_assert_int_eq(store_begin(s, tenant), EMT_OK);
    ck_assert_int_eq(api_key_used(s, tenant, id, now), EMT_OK);
    ck_assert_int_eq(store_commit(s), EMT_OK);
    ck_assert_int_eq(api_key_find(s, hash, now + EMT_MINUTE, &key), EMT_OK);
    ck_assert(!key.unnoted);
    ck_assert_int_eq(api_key_find(s, hash, now + EMT_MINUTE + 1, &key), EMT_OK);
    ck_assert(key.unnoted);

    /* As another tenant one sees, notes and revokes nothing. */
    ck_assert_int_eq(store_begin(s, other), EMT_OK);
    ck_assert_int_eq(api_key_used(s, tenant, id, now + EMT_HOUR), EMT_OK);
    ck_assert_int_eq(api_key_revoke(s, tenant, id, now), EMT_ENOTFOUND);
    ck_assert_int_eq(store_commit(s), EMT_OK);
    ck_assert_int_eq(store_begin(s, tenant), EMT_OK);
    ck_assert_int_eq(api_key_revoke(s, tenant, id, now), EMT_OK);
    ck_assert_int_eq(api_key_revoke(s, tenant, id, now), EMT_ENOTFOUND);
    ck_assert_int_eq(store_commit(s), EMT_OK);
    ck_assert_int_eq(api_key_find(s, hash, now, &key), EMT_ENOTFOUND);
    store_close(s);
}
END_TEST

/* Also one that was made while its maker was removed, which no revocation saw. */
START_TEST(a_key_ends_with_its_makers_administration)
{
    struct store *s = pg_fixture_store(fixture, STORE_APP);
    struct store *admin = pg_fixture_store(fixture, STORE_ADMIN);
    int32_t tenant = pg_fixture_tenant(fixture, "k-maker");
    int64_t user = make_user(admin, "maker", PLATFORM_NONE);
    struct platform_user u;
    struct api_key key;
    uint8_t hash[32];
    int64_t id = 0;

    digest("the maker's key", hash);
    const struct api_key_new made = { .name = "nightly",
                                      .hash = hash,
                                      .role = 4,
                                      .created_by = "user:maker",
                                      .expires_at = EMT_TIME_NONE,
                                      .user_id = user };
    ck_assert_int_eq(member_set(admin, tenant, user, 4), EMT_OK);
    ck_assert_int_eq(store_begin(s, tenant), EMT_OK);
    ck_assert_int_eq(api_key_insert(s, tenant, &made, &id), EMT_OK);
    ck_assert_int_eq(directory_add(s, DIRECTORY_API_KEY, hash, id), EMT_OK);
    ck_assert_int_eq(store_commit(s), EMT_OK);
    ck_assert_int_eq(api_key_find(s, hash, now, &key), EMT_OK);
    ck_assert_int_eq(member_set(admin, tenant, user, 3), EMT_OK);
    ck_assert_int_eq(api_key_find(s, hash, now, &key), EMT_ENOTFOUND);
    ck_assert_int_eq(member_set(admin, tenant, user, 4), EMT_OK);
    ck_assert_int_eq(api_key_find(s, hash, now, &key), EMT_OK);
    ck_assert_int_eq(user_find(admin, "maker", &u), EMT_OK);
    u.disabled = true;
    ck_assert_int_eq(user_update(admin, &u), EMT_OK);
    ck_assert_int_eq(api_key_find(s, hash, now, &key), EMT_ENOTFOUND);
    u.disabled = false;
    ck_assert_int_eq(user_update(admin, &u), EMT_OK);
    ck_assert_int_eq(member_remove(admin, tenant, user), EMT_OK);
    ck_assert_int_eq(api_key_find(s, hash, now, &key), EMT_ENOTFOUND);
    store_close(admin);
    store_close(s);
}
END_TEST

/* --- a database of before --- */

static void copy_migration(const char *folder, const char *name)
{
    char command[600];

    snprintf(command, sizeof command, "cp %s/%s %s/", EMT_MIGRATIONS, name, folder);
    ck_assert_int_eq(system(command), 0);
}

START_TEST(a_database_with_data_takes_the_new_tables)
{
    static const struct store_statement count = {
        "u_count", 0,
        "select count(*) from api_key k, platform_user u, platform_api_key p where k.scopes = 0"
        " and k.created_by = '' and u.display_name = '' and u.role = 1 and p.user_id = u.id"
    };
    char folder[] = "/tmp/emt-migrate-XXXXXX";
    char conninfo[200];
    struct emt_diag diag = { 0 };
    struct store_result *r = NULL;
    struct store *s;
    unsigned n = 0;

    ck_assert_ptr_nonnull(mkdtemp(folder));
    pg_fixture_sql(fixture, "create database filled owner emt_owner");
    snprintf(conninfo, sizeof conninfo, "%s dbname=filled", pg_fixture_conninfo(fixture));
    ck_assert_int_eq(store_open(conninfo, STORE_OWNER, 5000, &s, NULL), EMT_OK);
    copy_migration(folder, "0001_generic_schema.sql");
    ck_assert_msg(migrate_folder(s, folder, 2, &n, &diag) == EMT_OK, "%s", diag.text);
    ck_assert_int_eq(
        store_script(s,
                     "insert into tenant (key, name) values ('old', 'Old');"
                     "insert into api_key (tenant_id, name, hash, role)"
                     " select id, 'k', sha256('k'), 3 from tenant;"
                     "insert into platform_user (name, password_hash, role) values ('a', 'h', 1);"
                     "insert into platform_api_key (user_id, name, hash)"
                     " select id, 'k', sha256('p') from platform_user",
                     &diag),
        EMT_OK);
    copy_migration(folder, "0002_users_and_sessions.sql");
    ck_assert_msg(migrate_folder(s, folder, 2, &n, &diag) == EMT_OK, "%s", diag.text);
    ck_assert_uint_eq(n, 1);
    ck_assert_int_eq(store_run(s, &count, NULL, &r), EMT_OK);
    ck_assert_int_eq(c_int(r, 0, 0), 1);
    store_result_free(r);
    store_close(s);
    snprintf(conninfo, sizeof conninfo, "rm -r %s", folder);
    ck_assert_int_eq(system(conninfo), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("user_stores");
    TCase *t = tcase_create("all");

    fixture = pg_fixture_start();
    tcase_set_timeout(t, 30);
    tcase_add_test(t, waiting_doubles_up_to_its_ceiling_and_is_forgotten);
    tcase_add_test(t, attempts_at_the_same_moment_all_count);
    tcase_add_test(t, a_place_is_known_to_its_user_and_for_a_time);
    tcase_add_test(t, a_session_ends_by_time_by_idleness_and_with_its_user);
    tcase_add_test(t, sessions_that_are_over_are_removed);
    tcase_add_test(t, a_session_knows_the_membership_of_one_tenant);
    tcase_add_test(t, a_user_changes_and_an_operators_key_ends_with_the_role);
    tcase_add_test(t, a_key_is_found_by_its_hash_alone);
    tcase_add_test(t, a_key_ends_with_its_makers_administration);
    tcase_add_test(t, a_database_with_data_takes_the_new_tables);
    suite_add_tcase(suite, t);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
