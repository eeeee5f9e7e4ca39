/* The portal's files over plain loopback HTTP, as emtd's API hands requests on to them. */
#define _GNU_SOURCE /* strcasestr() */
#include "api/portal_files.h"
#include "http/http_server.h"
#include "http_client.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define INDEX                                                                                      \
    "<!doctype html><meta name=csp-nonce content=\"__CSP_NONCE__\">"                               \
    "<style nonce=\"__CSP_NONCE__\"></style><script type=module src=/assets/index-DiwrgTda.js></script>"

static char dir[64];
static struct portal_files *portal;
static struct http_server *server;
static struct client client;
static struct answer answer;
static struct emt_diag diag;
static int worker;

/* --- a folder --- */

static void put_bytes(const char *name, const void *p, size_t n)
{
    char path[400];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(p, 1, n, f), n);
    fclose(f);
}

static void put(const char *name, const char *text)
{
    put_bytes(name, text, strlen(text));
}

static void folder(const char *name)
{
    char path[400];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    ck_assert_int_eq(mkdir(path, 0755), 0);
}

static const char *script(void)
{
    static char text[4001];

    for (size_t i = 0; i < 4000; i++)
        text[i] = "const a = 1;\n"[i % 13];
    return text;
}

static void build(void)
{
    put("index.html", INDEX);
    folder("assets");
    put("assets/index-DiwrgTda.js", script());
    put("assets/style-a_b-c9d0.css", "p{}");
    put("assets/logo.svg", "<svg/>");
    put("favicon.ico", "icon");
    put("robots.txt", "User-agent: *\nDisallow: /\n");
}

/* --- a server --- */

static void *worker_new(void *ctx)
{
    (void)ctx;
    return &worker;
}

static enum emt_err handle(void *ctx, void *w, const struct http_request *r,
                           struct http_response *out)
{
    unsigned status = 0;

    (void)ctx;
    (void)w;
    if (portal_files_takes(http_request_path(r)))
        return portal_files_answer(portal, r, out, &status);
    http_response_status(out, 418);
    return EMT_OK;
}

static void serve(void)
{
    static const char *const listen[] = { "127.0.0.1:0" };
    static const struct http_handler h = { .worker_new = worker_new, .handle = handle };
    const struct http_settings s = { .listen = listen, .nlisten = 1 };

    ck_assert_int_eq(portal_files_new(dir, &portal, &diag), EMT_OK);
    ck_assert_int_eq(http_server_start(&s, &h, &server, &diag), EMT_OK);
    client_open(&client, http_server_port(server, 0), NULL);
}

static void setup(void)
{
    snprintf(dir, sizeof dir, "/tmp/emt-portal-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void setup_built(void)
{
    setup();
    build();
    serve();
}

static void teardown(void)
{
    char command[100];

    if (server) {
        client_close(&client);
        http_server_stop(server);
    }
    server = NULL;
    answer_release(&answer);
    portal_files_free(portal);
    portal = NULL;
    snprintf(command, sizeof command, "rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
}

static void ask_with(const char *method, const char *target, const char *headers, unsigned status)
{
    answer_release(&answer);
    answer = (struct answer){ 0 };
    client_ask(&client, method, target, headers, NULL, status, &answer);
}

static void get(const char *target, unsigned status)
{
    ask_with("GET", target, "", status);
}

static const char *header(const char *name)
{
    static char value[500];
    char line[100];

    snprintf(line, sizeof line, "\r\n%s: ", name);
    const char *at = strcasestr(answer.head, line);
    if (!at)
        return "";
    at += strlen(line);
    snprintf(value, sizeof value, "%.*s", (int)strcspn(at, "\r"), at);
    return value;
}

static bool is_index(void)
{
    return strncmp(answer.body, "<!doctype html>", 15) == 0;
}

/* --- what is served --- */

START_TEST(every_answer_has_a_nonce_of_its_own)
{
    char first[500], nonce[40];

    get("/", 200);
    ck_assert_str_eq(header("Content-Type"), "text/html; charset=utf-8");
    ck_assert_str_eq(header("Cache-Control"), "no-store");
    ck_assert_str_eq(header("ETag"), "");
    ck_assert_ptr_null(strstr(answer.body, "__CSP_NONCE__"));
    snprintf(first, sizeof first, "%s", header("Content-Security-Policy"));
    const char *at = strstr(first, "'nonce-");
    ck_assert_ptr_nonnull(at);
    snprintf(nonce, sizeof nonce, "\"%.32s\"", at + 7);
    /* in both places of the document */
    ck_assert_ptr_nonnull(strstr(answer.body, nonce));
    ck_assert_ptr_nonnull(strstr(strstr(answer.body, nonce) + 1, nonce));
    ck_assert_ptr_nonnull(strstr(first, "default-src 'none'; script-src 'self';"));
    ck_assert_ptr_nonnull(strstr(first, "frame-ancestors 'none'"));
    ck_assert_ptr_null(strstr(first, "unsafe"));
    get("/", 200);
    ck_assert_str_ne(header("Content-Security-Policy"), first);
}
END_TEST

START_TEST(hashed_files_are_kept_for_good_and_others_are_asked_for)
{
    get("/assets/index-DiwrgTda.js", 200);
    ck_assert_str_eq(header("Content-Type"), "text/javascript; charset=utf-8");
    ck_assert_str_eq(header("Cache-Control"), "public, max-age=31536000, immutable");
    ck_assert_str_eq(header("X-Content-Type-Options"), "nosniff");
    get("/assets/style-a_b-c9d0.css", 200);
    ck_assert_str_eq(header("Cache-Control"), "public, max-age=31536000, immutable");
    get("/assets/logo.svg", 200);
    ck_assert_str_eq(header("Cache-Control"), "public, no-cache");
    ck_assert_str_eq(header("Content-Type"), "image/svg+xml");
    ck_assert_str_eq(header("Content-Security-Policy"),
                     "default-src 'none'; frame-ancestors 'none'");
    get("/favicon.ico", 200);
    ck_assert_uint_eq(answer.body_len, 4);
}
END_TEST

START_TEST(a_known_tag_is_answered_without_the_file)
{
    static const char *const forms[] = { "If-None-Match: %s\r\n", "If-None-Match: W/%s\r\n",
                                         "If-None-Match: \"x\", %s\r\n", "If-None-Match: *\r\n" };
    char tag[100], line[200];

    get("/robots.txt", 200);
    snprintf(tag, sizeof tag, "%s", header("ETag"));
    ck_assert_uint_eq(strlen(tag), 34);
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(line, sizeof line, forms[i], tag);
#pragma GCC diagnostic pop
        ask_with("GET", "/robots.txt", line, 304);
        ck_assert_str_eq(header("ETag"), tag);
        ck_assert_uint_eq(answer.body_len, 0);
    }
    ask_with("GET", "/robots.txt", "If-None-Match: \"x\"\r\n", 200);
}
END_TEST

START_TEST(gzip_is_sent_to_those_who_take_it)
{
    static const struct {
        const char *accept;
        bool gzip;
    } cases[] = {
        { "gzip", true },        { "br, GZIP", true },  { "deflate;q=0.5,gzip;q=0.1", true },
        { "*", true },           { "gzip;q=0", false }, { "gzip; q=0.000", false },
        { "*;q=0", false },      { "identity", false }, { "gzip;q=0, *", false },
        { "*;q=0, gzip", true }, { "xgzip", false },    { "gzipx, ,,;=", false },
    };
    char line[100], plain[100];
    uint8_t out[5000];

    get("/assets/index-DiwrgTda.js", 200);
    ck_assert_str_eq(answer.body, script());
    ck_assert_str_eq(header("Vary"), "Accept-Encoding");
    snprintf(plain, sizeof plain, "%s", header("ETag"));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(line, sizeof line, "Accept-Encoding: %s\r\n", cases[i].accept);
        ask_with("GET", "/assets/index-DiwrgTda.js", line, 200);
        ck_assert_msg((strcmp(header("Content-Encoding"), "gzip") == 0) == cases[i].gzip, "%s",
                      cases[i].accept);
        ck_assert((strcmp(header("ETag"), plain) != 0) == cases[i].gzip);
    }
    ask_with("GET", "/assets/index-DiwrgTda.js", "Accept-Encoding: gzip\r\n", 200);
    ck_assert_uint_lt(answer.body_len, 400);
    z_stream z = { .next_in = (uint8_t *)answer.body,
                   .avail_in = (unsigned)answer.body_len,
                   .next_out = out,
                   .avail_out = sizeof out };
    ck_assert_int_eq(inflateInit2(&z, 15 + 16), Z_OK);
    ck_assert_int_eq(inflate(&z, Z_FINISH), Z_STREAM_END);
    ck_assert_uint_eq(z.total_out, 4000);
    ck_assert_mem_eq(out, script(), 4000);
    inflateEnd(&z);
    /* too small to gain anything */
    ask_with("GET", "/favicon.ico", "Accept-Encoding: gzip\r\n", 200);
    ck_assert_str_eq(header("Content-Encoding"), "");
    ck_assert_str_eq(header("Vary"), "");
}
END_TEST

START_TEST(head_is_get_without_a_body)
{
    get("/favicon.ico", 200);
    ask_with("HEAD", "/favicon.ico", "", 200);
    ck_assert_uint_eq(answer.body_len, 0);
    ck_assert_str_eq(header("Content-Length"), "4");
    ask_with("HEAD", "/login", "", 200);
    ck_assert_str_eq(header("Content-Type"), "text/html; charset=utf-8");
    ask_with("HEAD", "/none.js", "", 404);
}
END_TEST

START_TEST(routes_of_the_portal_get_its_document)
{
    static const char *const routes[] = { "/login",
                                          "/index.html",
                                          "/t/demo/devices/17",
                                          "/operator/tenants/new",
                                          "/t/demo/gateways/gw.east-1",
                                          "/t/a/frames/gw.1/00ff/12?from=x",
                                          "/apis",
                                          "/healthzz",
                                          "//",
                                          "/%c3%a4" };

    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        get(routes[i], 200);
        ck_assert_msg(is_index(), "%s", routes[i]);
    }
}
END_TEST

START_TEST(paths_of_the_api_are_not_the_portals)
{
    static const char *const paths[] = {
        "/api",         "/api/",    "/api/v1/tenants", "/api/index.html",
        "/api/v2/x.js", "/healthz", "/healthz/x"
    };

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        get(paths[i], 418);
}
END_TEST

START_TEST(nothing_but_what_was_read_can_be_named)
{
    static const char *const paths[] = { "/.env",
                                         "/.git/config",
                                         "/t/.hidden",
                                         "/assets/index-DiwrgTda.js/",
                                         "/assets/index-DiwrgTda.js.map",
                                         "/ASSETS/index-DiwrgTda.js",
                                         "/wp-login.php",
                                         "//favicon.ico",
                                         "/favicon.ico%20" };

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        get(paths[i], 404);
        ck_assert_str_eq(header("Content-Type"), "text/plain; charset=utf-8");
    }
}
END_TEST

/* The server refuses such paths before anybody looks them up; were one to come through, the table
 * would not hold it. */
START_TEST(paths_that_lead_elsewhere_do_not_arrive)
{
    static const char *const paths[] = { "/../etc/passwd",           "/%2e%2e/etc/passwd",
                                         "/assets/../index.html",    "/assets/%2e%2e/favicon.ico",
                                         "/t/demo/../../etc/passwd", "/assets%2findex-DiwrgTda.js",
                                         "/favicon.ico%00.js" };

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        get(paths[i], 400);
        client_close(&client);
        client_open(&client, http_server_port(server, 0), NULL);
    }
}
END_TEST

START_TEST(other_methods_are_refused)
{
    ask_with("POST", "/", "", 405);
    ck_assert_str_eq(header("Allow"), "GET, HEAD");
    ask_with("DELETE", "/favicon.ico", "", 405);
    ask_with("BREW", "/login", "", 405);
    ask_with("POST", "/none.js", "", 404);
}
END_TEST

/* --- what is read --- */

START_TEST(without_a_portal_the_first_page_says_how_to_build_it)
{
    ck_assert_int_eq(rmdir(dir), 0);
    serve();
    ck_assert_uint_eq(portal_files_count(portal), 0);
    get("/", 404);
    ck_assert_str_eq(header("Content-Type"), "text/plain; charset=utf-8");
    ck_assert_ptr_nonnull(strstr(answer.body, "--target portal"));
    get("/login", 404);
    /* built meanwhile */
    ck_assert_int_eq(mkdir(dir, 0755), 0);
    build();
    ck_assert_int_eq(portal_files_reload(portal, &diag), EMT_OK);
    ck_assert_uint_eq(portal_files_count(portal), 6);
    get("/", 200);
    ck_assert(is_index());
}
END_TEST

START_TEST(a_reload_that_fails_leaves_what_was_read)
{
    char path[100];

    put("favicon.ico", "other");
    snprintf(path, sizeof path, "%s/index.html", dir);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(portal_files_reload(portal, &diag), EMT_EMALFORMED);
    get("/", 200);
    get("/favicon.ico", 200);
    ck_assert_str_eq(answer.body, "icon");
    put("index.html", INDEX);
    ck_assert_int_eq(portal_files_reload(portal, &diag), EMT_OK);
    get("/favicon.ico", 200);
    ck_assert_str_eq(answer.body, "other");
}
END_TEST

START_TEST(links_and_hidden_files_are_left_out)
{
    char path[100];

    build();
    put(".env", "secret");
    folder(".git");
    put(".git/config", "secret");
    snprintf(path, sizeof path, "%s/passwd", dir);
    ck_assert_int_eq(symlink("/etc/passwd", path), 0);
    snprintf(path, sizeof path, "%s/etc", dir);
    ck_assert_int_eq(symlink("/etc", path), 0);
    snprintf(path, sizeof path, "%s/pipe", dir);
    ck_assert_int_eq(mkfifo(path, 0644), 0);
    serve();
    ck_assert_uint_eq(portal_files_count(portal), 6);
    get("/.env", 404);
    get("/passwd", 200); /* a route of the portal, if anything */
    ck_assert(is_index());
}
END_TEST

START_TEST(too_much_is_refused)
{
    char name[200] = "";

    put("index.html", INDEX);
    for (unsigned i = 0; i <= PORTAL_DEPTH_MAX; i++) {
        snprintf(name + strlen(name), sizeof name - strlen(name), i ? "/d" : "d");
        folder(name);
    }
    ck_assert_int_eq(portal_files_new(dir, &portal, &diag), EMT_ELIMIT);
    snprintf(name, sizeof name, "rm -r %s/d", dir);
    ck_assert_int_eq(system(name), 0);

    char *big = calloc(1, PORTAL_FILE_BYTES_MAX + 1);
    ck_assert_ptr_nonnull(big);
    put_bytes("big.bin", big, PORTAL_FILE_BYTES_MAX + 1);
    ck_assert_int_eq(portal_files_new(dir, &portal, &diag), EMT_ELIMIT);
    for (unsigned i = 0; i < 9; i++) {
        snprintf(name, sizeof name, "big%u.bin", i);
        put_bytes(name, big, PORTAL_FILE_BYTES_MAX - 1);
    }
    put("big.bin", "");
    ck_assert_int_eq(portal_files_new(dir, &portal, &diag), EMT_ELIMIT);
    free(big);
}
END_TEST

START_TEST(a_folder_without_a_document_is_an_error)
{
    put("favicon.ico", "icon");
    ck_assert_int_eq(portal_files_new(dir, &portal, &diag), EMT_EMALFORMED);
    ck_assert_ptr_nonnull(strstr(diag.text, "index.html"));
    ck_assert_int_eq(portal_files_new("/dev/null", &portal, &diag), EMT_EIO);
    ck_assert_int_eq(portal_files_new(NULL, &portal, &diag), EMT_OK);
}
END_TEST

static atomic_bool reloaded;

static void *reload_often(void *arg)
{
    struct emt_diag d = { 0 };

    for (int i = 0; i < 200; i++)
        ck_assert_int_eq(portal_files_reload(arg, &d), EMT_OK);
    reloaded = true;
    return NULL;
}

START_TEST(answers_and_reloads_do_not_disturb_each_other)
{
    pthread_t thread;

    reloaded = false;
    ck_assert_int_eq(pthread_create(&thread, NULL, reload_often, portal), 0);
    do {
        get("/assets/index-DiwrgTda.js", 200);
        ck_assert_uint_eq(answer.body_len, 4000);
    } while (!reloaded);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("portal_files");
    TCase *built = tcase_create("built");
    TCase *folders = tcase_create("folders");

    tcase_add_checked_fixture(built, setup_built, teardown);
    tcase_set_timeout(built, 60);
    tcase_add_test(built, every_answer_has_a_nonce_of_its_own);
    tcase_add_test(built, hashed_files_are_kept_for_good_and_others_are_asked_for);
    tcase_add_test(built, a_known_tag_is_answered_without_the_file);
    tcase_add_test(built, gzip_is_sent_to_those_who_take_it);
    tcase_add_test(built, head_is_get_without_a_body);
    tcase_add_test(built, routes_of_the_portal_get_its_document);
    tcase_add_test(built, paths_of_the_api_are_not_the_portals);
    tcase_add_test(built, nothing_but_what_was_read_can_be_named);
    tcase_add_test(built, paths_that_lead_elsewhere_do_not_arrive);
    tcase_add_test(built, other_methods_are_refused);
    tcase_add_test(built, a_reload_that_fails_leaves_what_was_read);
    tcase_add_test(built, answers_and_reloads_do_not_disturb_each_other);
    tcase_add_checked_fixture(folders, setup, teardown);
    tcase_set_timeout(folders, 60);
    tcase_add_test(folders, without_a_portal_the_first_page_says_how_to_build_it);
    tcase_add_test(folders, links_and_hidden_files_are_left_out);
    tcase_add_test(folders, too_much_is_refused);
    tcase_add_test(folders, a_folder_without_a_document_is_an_error);
    suite_add_tcase(suite, built);
    suite_add_tcase(suite, folders);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
