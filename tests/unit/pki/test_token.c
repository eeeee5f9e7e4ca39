/* Keys in a token (SoftHSM): skipped where there is none. */
#include "foreign_fixture.h"
#include "pki/crl.h"
#include "tls_fixture.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MODULE "/usr/lib/softhsm/libsofthsm2.so"
#define SKIPPED 77

static char dir[] = "/tmp/emt-token-XXXXXX";

static void run(const char *command)
{
    int status = system(command);

    if (status != 0) {
        (void)fprintf(stderr, "%s: %d\n", command, WEXITSTATUS(status));
        exit(EXIT_FAILURE);
    }
}

static void write_file(const char *name, mode_t mode, const char *text, size_t n)
{
    char path[200];

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
    if (fd < 0 || fchmod(fd, mode) != 0 || write(fd, text, n) != (ssize_t)n)
        exit(EXIT_FAILURE);
    close(fd);
}

/* A key of this kind under this name. */
static void put_key(const char *name, const char *kind)
{
    char command[600];

    (void)snprintf(
        command, sizeof command,
        "cd %s && openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:%s -out k.pem "
        "2>/dev/null && softhsm2-util --import k.pem --token emt --label %s --id %s "
        "--pin 4711 >/dev/null 2>&1 && rm k.pem",
        dir, kind, name, strcmp(name, "root") == 0 ? "01" : "02");
    run(command);
}

static void make_token(void)
{
    char text[300];

    if (!mkdtemp(dir))
        exit(EXIT_FAILURE);
    int n = snprintf(text, sizeof text, "directories.tokendir = %s\nlog.level = ERROR\n", dir);
    write_file("softhsm2.conf", 0600, text, (size_t)n);
    (void)snprintf(text, sizeof text, "%s/softhsm2.conf", dir);
    setenv("SOFTHSM2_CONF", text, 1);
    run("softhsm2-util --init-token --free --label emt --so-pin 0815 --pin 4711 >/dev/null 2>&1");
    put_key("root", "P-256");
    put_key("server", "brainpoolP256r1");
    write_file("pin", 0600, "4711\n", 5);
    write_file("wrong", 0600, "1234\n", 5);
    write_file("open", 0644, "4711\n", 5);
}

static const char *uri_of(const char *object, const char *pin)
{
    static char uri[4][400];
    static unsigned at;
    char *out = uri[at++ % 4];

    (void)snprintf(out, sizeof uri[0],
                   "pkcs11:token=emt;object=%s;type=private?module-path=" MODULE
                   "&pin-source=file:%s/%s",
                   object, dir, pin);
    return out;
}

static enum emt_err new_root(const char *uri, struct authority **out, struct emt_diag *diag)
{
    *out = NULL;
    return authority_new_root_token(uri, clock_now(), 100 * EMT_DAY, out, diag);
}

START_TEST(a_root_in_a_token_signs_and_is_found_again)
{
    struct authority *root = NULL, *again = NULL, *servers = NULL, *tenant = NULL;
    struct emt_diag diag = { 0 };
    struct writer chain, key;
    struct test_leaf gw;

    ck_assert_msg(new_root(uri_of("root", "pin"), &root, &diag) == EMT_OK, "%s", diag.text);
    writer_init_heap(&chain, 65536);
    writer_init_heap(&key, 65536);
    ck_assert_int_eq(authority_chain_pem(root, &chain), EMT_OK);
    ck_assert_int_eq(authority_key_pem(root, &key), EMT_OK);
    ck_assert_str_eq(writer_cstr(&key), uri_of("root", "pin")); /* no key material */
    authority_free(root);
    ck_assert_msg(authority_load_platform(writer_cstr(&chain), chain.len, writer_cstr(&key),
                                          key.len, &again, &diag) == EMT_OK,
                  "%s", diag.text);

    /* Chain: root in the token, CA of the servers and a tenant's CA, one leaf each. */
    ck_assert_msg(authority_new_sub_token(again, uri_of("server", "pin"), NULL, "servers",
                                          clock_now(), EMT_DAY, &servers, &diag) == EMT_OK,
                  "%s", diag.text);
    ck_assert_int_eq(authority_new_sub(again, KEY_P256, "alpha", "EMT Tenant CA alpha", clock_now(),
                                       EMT_DAY, &tenant, &diag),
                     EMT_OK);
    test_leaf_gateway(&gw, tenant, KEY_P256, "alpha", "gw-1", clock_now(), EMT_HOUR);
    test_leaf_release(&gw);
    writer_release(&chain);
    writer_release(&key);
    authority_free(servers);
    authority_free(tenant);
    authority_free(again);
}
END_TEST

START_TEST(a_server_with_its_key_in_a_token_is_believed)
{
    struct authority *root = NULL, *tenant = NULL;
    struct emt_diag diag = { 0 };
    struct writer chain, pem;
    struct leaf_info info;
    struct trust *trust = trust_new();
    struct tls_context *listener = NULL, *agent;
    struct test_leaf gw;
    struct tls_pair p;
    const char *uri = uri_of("server", "pin");

    ck_assert_int_eq(new_root(uri_of("root", "pin"), &root, &diag), EMT_OK);
    ck_assert_int_eq(authority_new_sub(root, KEY_P256, "alpha", "EMT Tenant CA alpha", clock_now(),
                                       EMT_DAY, &tenant, &diag),
                     EMT_OK);
    writer_init_heap(&chain, 65536);
    writer_init_heap(&pem, 65536);
    ck_assert_msg(authority_issue_server_token(root, uri, "a.example", clock_now(), EMT_HOUR,
                                               &chain, &info, &diag) == EMT_OK,
                  "%s", diag.text);
    ck_assert_int_eq(authority_chain_pem(root, &pem), EMT_OK);
    ck_assert_int_eq(trust_add_pem(trust, writer_cstr(&pem), pem.len, &diag), EMT_OK);

    struct tls_settings s = { .profile = TLS_PROFILE_FIELD_12,
                              .chain_pem = writer_cstr(&chain),
                              .chain_len = chain.len,
                              .key_pem = uri,
                              .key_len = strlen(uri),
                              .trust = trust };
    ck_assert_msg(tls_context_new(&s, &listener, &diag) == EMT_OK, "%s", diag.text);
    test_leaf_gateway(&gw, tenant, KEY_P256, "alpha", "gw-1", clock_now(), EMT_HOUR);
    agent = test_context(TLS_PROFILE_AGENT, &gw, trust);
    tls_pair_open(&p, agent, listener, "a.example");
    ck_assert_msg(p.server_err == EMT_OK, "%s", tls_conn_reason(p.server));
    ck_assert_msg(p.client_err == EMT_OK, "%s", tls_conn_reason(p.client));
    tls_pair_talk(&p, 1000);
    tls_pair_close(&p);
    tls_context_unref(listener);
    tls_context_unref(agent);
    test_leaf_release(&gw);
    trust_unref(trust);
    writer_release(&chain);
    writer_release(&pem);
    authority_free(root);
    authority_free(tenant);
}
END_TEST

START_TEST(a_ca_in_a_token_signs_lists)
{
    struct authority *root = NULL;
    struct emt_diag diag = { 0 };
    struct writer der, pem;
    struct crl *c = NULL;

    ck_assert_int_eq(new_root(uri_of("root", "pin"), &root, &diag), EMT_OK);
    writer_init_heap(&der, 65536);
    writer_init_heap(&pem, 65536);
    ck_assert_int_eq(authority_chain_pem(root, &pem), EMT_OK);
    ck_assert_msg(crl_issue(root, NULL, 0, 1, clock_now(), EMT_DAY, &der, &diag) == EMT_OK, "%s",
                  diag.text);
    ck_assert_int_eq(crl_read(der.data, der.len, &c, &diag), EMT_OK);
    ck_assert_int_eq(crl_verify(c, writer_cstr(&pem), pem.len, clock_now(), &diag), EMT_OK);
    crl_free(c);
    writer_release(&der);
    writer_release(&pem);
    authority_free(root);
}
END_TEST

START_TEST(what_is_wrong_is_named)
{
    struct emt_diag diag = { 0 };
    struct authority *root = NULL;
    char text[400];

    ck_assert_int_eq(new_root("pkcs11:token=emt;object=root", &root, &diag), EMT_EMALFORMED);
    ck_assert_ptr_nonnull(strstr(diag.text, "module-path"));
    (void)snprintf(text, sizeof text, "%s&pin-value=4711", uri_of("root", "pin"));
    ck_assert_int_eq(new_root(text, &root, &diag), EMT_EMALFORMED);
    ck_assert_int_eq(new_root("pkcs11:a?module-path=%2&pin-source=/x", &root, &diag),
                     EMT_EMALFORMED);
    ck_assert_int_eq(new_root("pkcs11:a?module-path=/x&pin-source=x", &root, &diag),
                     EMT_EMALFORMED);
    ck_assert_int_eq(new_root(uri_of("root", "none"), &root, &diag), EMT_EIO);
    ck_assert_ptr_nonnull(strstr(diag.text, "/none: "));
    ck_assert_int_eq(new_root(uri_of("root", "open"), &root, &diag), EMT_EAUTH);
    ck_assert_ptr_nonnull(strstr(diag.text, "only its owner"));
    ck_assert_int_eq(new_root(uri_of("root", "wrong"), &root, &diag), EMT_ENOTFOUND);
    ck_assert_ptr_nonnull(strstr(diag.text, "PIN"));
    ck_assert_ptr_null(strstr(diag.text, "1234"));
    ck_assert_int_eq(new_root(uri_of("nobody", "pin"), &root, &diag), EMT_ENOTFOUND);
    ck_assert_ptr_null(root);
}
END_TEST

START_TEST(a_module_that_is_none)
{
    struct emt_diag diag = { 0 };
    struct authority *root = NULL;
    char text[400];

    (void)snprintf(text, sizeof text,
                   "pkcs11:token=emt;object=root?module-path=/nowhere.so&pin-source=file:%s/pin",
                   dir);
    ck_assert_int_eq(new_root(text, &root, &diag), EMT_EIO);
    ck_assert_ptr_nonnull(strstr(diag.text, "/nowhere.so"));
}
END_TEST

/* What came from a tenant is never a way to the platform's token. */
START_TEST(a_tenants_text_does_not_reach_the_token)
{
    const char *uri = uri_of("root", "pin");
    struct emt_diag diag = { 0 };
    struct authority *root = NULL, *again = NULL;
    struct writer chain;

    ck_assert_int_eq(new_root(uri, &root, &diag), EMT_OK);
    writer_init_heap(&chain, 65536);
    ck_assert_int_eq(authority_chain_pem(root, &chain), EMT_OK);
    ck_assert_int_eq(
        authority_load(writer_cstr(&chain), chain.len, uri, strlen(uri), &again, &diag),
        EMT_EMALFORMED);
    writer_release(&chain);
    authority_free(root);
}
END_TEST

int main(void)
{
    if (access(MODULE, R_OK) != 0 || system("command -v softhsm2-util >/dev/null 2>&1") != 0 ||
        system("openssl engine pkcs11 >/dev/null 2>&1") != 0) {
        (void)puts("skipped: softhsm2 and libengine-pkcs11-openssl are not installed");
        return SKIPPED;
    }
    make_token();
    Suite *s = suite_create("token");
    TCase *tc = tcase_create("token");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_root_in_a_token_signs_and_is_found_again);
    tcase_add_test(tc, a_server_with_its_key_in_a_token_is_believed);
    tcase_add_test(tc, a_ca_in_a_token_signs_lists);
    tcase_add_test(tc, what_is_wrong_is_named);
    tcase_add_test(tc, a_module_that_is_none);
    tcase_add_test(tc, a_tenants_text_does_not_reach_the_token);
    suite_add_tcase(s, tc);

    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    char command[100];
    (void)snprintf(command, sizeof command, "rm -rf %s", dir);
    run(command);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
