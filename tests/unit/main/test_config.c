#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/emt-config-XXXXXX";
static struct config c;
static struct emt_diag diag;

static void set_up(void)
{
    ck_assert_int_eq(config_init(&c, CONFIG_HTTPS_PORT), EMT_OK);
    memset(&diag, 0, sizeof diag);
}

static void tear_down(void)
{
    config_release(&c);
}

static enum emt_err load(const char *text)
{
    FILE *f = fopen(path, "w");

    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
    return config_load(&c, path, &diag);
}

START_TEST(defaults_are_the_documented_ones)
{
    ck_assert_str_eq(c.field.listen12.items[0], "0.0.0.0:7443");
    ck_assert_str_eq(c.field.listen13.items[0], "0.0.0.0:7444");
    ck_assert_str_eq(c.api.listen.items[0], "0.0.0.0:8443");
    ck_assert_str_eq(c.metrics_listen, "127.0.0.1:9443");
    ck_assert_uint_eq(c.roles, CONFIG_FIELD | CONFIG_API | CONFIG_WORKER);
    ck_assert(c.migrate);
    ck_assert_int_eq(c.worker_hot_days, 92);
    ck_assert_int_eq(config_check(&c, "f", &diag), EMT_EMALFORMED);
    ck_assert_str_eq(diag.key, "database.conninfo");
}
END_TEST

START_TEST(a_full_file_is_read)
{
    ck_assert_int_eq(load("node: n1\n"
                          "roles: [field, worker]\n"
                          "names: [head.example, 203.0.113.5, \"2001:db8::5\"]\n"
                          "state_dir: /var/lib/emt\n"
                          "master_key: /etc/emt/master.key\n"
                          "portal: /srv/portal\n"
                          "database:\n"
                          "  conninfo: host=a,b dbname=emt\n"
                          "  migrate: false\n"
                          "log: {level: debug, format: json}\n"
                          "metrics: {listen: \"[::1]:9000\"}\n"
                          "field:\n"
                          "  listen12: \"[::]:7443\"\n"
                          "  public12: [a.example:443]\n"
                          "  idle: 2m\n"
                          "  session_queue: 1MiB\n"
                          "  loops: 3\n"
                          "api: {url: \"https://portal.example\", body: 1MiB}\n"
                          "worker: {jobs: 2}\n"),
                     EMT_OK);
    ck_assert_int_eq(config_check(&c, path, &diag), EMT_OK);
    ck_assert_uint_eq(c.roles, CONFIG_FIELD | CONFIG_WORKER);
    ck_assert_str_eq(c.names, "head.example,203.0.113.5,2001:db8::5");
    ck_assert_str_eq(config_first_name(&c), "head.example");
    ck_assert_str_eq(c.conninfo, "host=a,b dbname=emt");
    ck_assert_str_eq(c.portal, "/srv/portal");
    ck_assert(!c.migrate);
    ck_assert_int_eq(c.log_level, LOG_LEVEL_DEBUG);
    ck_assert_int_eq(c.log_format, LOG_FORMAT_JSON);
    ck_assert_uint_eq(c.field.listen12.n, 1);
    ck_assert_str_eq(c.field.listen12.items[0], "[::]:7443");
    ck_assert_str_eq(c.field.public12.items[0], "a.example:443");
    ck_assert_int_eq(c.field.idle_ms, 120000);
    ck_assert_int_eq(c.field.session_queue_bytes, 1 << 20);
    ck_assert_int_eq(c.worker_jobs, 2);
    ck_assert_str_eq(c.field.listen13.items[0], "0.0.0.0:7444"); /* untouched */
}
END_TEST

static const struct {
    const char *text;
    unsigned line;
    const char *key;
} bad[] = {
    { "nonsense: 1\n", 1, "nonsense" },
    { "field:\n  listen14: 1.2.3.4:5\n", 2, "field.listen14" },
    { "roles: [field, gardener]\n", 1, "roles" },
    { "field:\n  loops: many\n", 2, "field.loops" },
    { "field:\n  loops: 1000\n", 2, "field.loops" },
    { "field:\n  listen12: localhost:7443\n", 2, "field.listen12" },
    { "field:\n  listen12: [0.0.0.0]\n", 2, "field.listen12" },
    { "\nfield:\n  session_age: 49h\n", 3, "field.session_age" },
    { "log: {level: loud}\n", 1, "log.level" },
    { "log: {format: xml}\n", 1, "log.format" },
    { "metrics: {listen: \"*:9443\"}\n", 1, "metrics.listen" },
    { "api: {url: \"http://plain\"}\n", 1, "api.url" },
    { "api: {certificate: /x}\n", 1, "api.certificate" },
    { "database: yes\n", 1, "database" },
    { "database:\n  conninfo: \"host=a frob=1\"\n", 2, "database.conninfo" },
    { "roles: []\n", 1, "roles" },
    { "database:\n  migrate: maybe\n", 2, "database.migrate" },
    { "names: [{a: b}]\n", 1, "names" },
};

START_TEST(mistakes_name_file_line_and_key)
{
    char text[700];

    ck_assert_int_eq(load(bad[_i].text), EMT_EMALFORMED);
    ck_assert_str_eq(diag.file, path);
    ck_assert_msg(diag.line == bad[_i].line && strcmp(diag.key, bad[_i].key) == 0, "%s",
                  emt_diag_format(&diag, text, sizeof text));
    ck_assert_int_gt((int)strlen(diag.text), 0);
}
END_TEST

START_TEST(addresses_are_numbers_with_a_port)
{
    static const struct {
        const char *text, *host;
        unsigned port;
    } good[] = { { "0.0.0.0:7443", "0.0.0.0", 7443 },
                 { "[::]:0", "::", 0 },
                 { "[2001:db8::1]:65535", "2001:db8::1", 65535 } };
    static const char *const wrong[] = {
        "",       ":1",      "1.2.3.4", "1.2.3.4:",     "1.2.3.4:x", "1.2.3.4:-1", "1.2.3.4:65536",
        "::1:80", "[::1:80", "[]:80",   "[1.2.3.4]:80", "host:80",   "1.2.3.4: 80"
    };
    char host[64];
    unsigned port;

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        ck_assert_int_eq(config_parse_address(good[i].text, host, sizeof host, &port), EMT_OK);
        ck_assert_str_eq(host, good[i].host);
        ck_assert_uint_eq(port, good[i].port);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        ck_assert_msg(config_parse_address(wrong[i], host, sizeof host, &port) == EMT_EMALFORMED,
                      "%s", wrong[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("main_config");
    TCase *t = tcase_create("config");
    SRunner *sr;
    int failed, fd = mkstemp(path);

    if (fd < 0)
        return EXIT_FAILURE;
    close(fd);
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, defaults_are_the_documented_ones);
    tcase_add_test(t, a_full_file_is_read);
    tcase_add_loop_test(t, mistakes_name_file_line_and_key, 0, sizeof bad / sizeof bad[0]);
    tcase_add_test(t, addresses_are_numbers_with_a_port);
    suite_add_tcase(suite, t);
    sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    unlink(path);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
