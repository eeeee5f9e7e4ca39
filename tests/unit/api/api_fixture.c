#define _GNU_SOURCE /* strcasestr() */
#include "api_fixture.h"

#include "api/api.h"
#include "api_route.h"
#include "base/cipher.h"
#include "base/log.h"
#include "base/password.h"
#include "http/http_server.h"
#include "http_client.h"
#include "loop/metrics.h"
#include "openapi.h"
#include "pki/authority.h"
#include "store/secret_store.h"

#include <ctype.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

struct platform platform;

static struct metrics *metrics;
static struct api *api;
static struct http_server *server;
static struct openapi *document;
static struct client client;
static struct answer answer;
static json_t *json;
static atomic_uint woken;
/* Answers and log lines of the whole program, also of other tests' processes. */
static FILE *transcript;

/* --- the platform --- */

/* Outside of a test Check cannot report. */
static void must(bool ok)
{
    if (ok)
        return;
    fprintf(stderr, "the platform cannot be made\n");
    exit(1);
}

static char *operator_key_new(struct store *s, const char *name, enum platform_role role)
{
    uint8_t random[32];
    uint8_t hash[32];
    char text[64];
    char *key = malloc(80);
    int64_t user = 0;
    int64_t id = 0;

    must(cipher_random(random, sizeof random) == EMT_OK);
    for (size_t i = 0; i < 21; i++)
        snprintf(text + 2 * i, 3, "%02x", random[i]);
    snprintf(key, 80, "emt_op_%s", text);
    cipher_sha256(key, strlen(key), hash);
    must(user_create(s, name, "$argon2id$none", false, role, &user) == EMT_OK);
    must(platform_key_create(s, user, "test", hash, EMT_TIME_NONE, &id) == EMT_OK);
    return key;
}

static void root_new(struct store *s)
{
    struct authority *root = NULL;
    struct writer chain;
    struct writer key;

    writer_init_heap(&chain, 1u << 16);
    writer_init_heap(&key, 1u << 16);
    must(authority_new_root(KEY_P256, clock_now(), 3650 * EMT_DAY, &root, NULL) == EMT_OK);
    must(authority_chain_pem(root, &chain) == EMT_OK);
    must(authority_key_pem(root, &key) == EMT_OK);
    must(platform_secret_create(s, API_ROOT_SECRET, key.data, key.len, writer_cstr(&chain),
                                &platform.master) == EMT_OK);
    authority_fingerprint(root, platform.pin);
    authority_free(root);
    writer_release(&chain);
    writer_release(&key);
}

void platform_start(void)
{
    transcript = tmpfile();
    platform.pg = pg_fixture_start();
    log_open("api-test", LOG_LEVEL_DEBUG, LOG_FORMAT_JSON, fileno(transcript));
    must(seal_key_make(&platform.master, 1) == EMT_OK);
    struct store *s = pg_fixture_store(platform.pg, STORE_ADMIN);
    root_new(s);
    platform.operator_key = operator_key_new(s, "operator", PLATFORM_OPERATOR);
    platform.auditor_key = operator_key_new(s, "auditor", PLATFORM_AUDITOR);
    store_close(s);
}

int64_t platform_user(const char *name, const char *password, bool one_time,
                      enum platform_role role)
{
    struct store *s = pg_fixture_store(platform.pg, STORE_ADMIN);
    char hash[PASSWORD_HASH_MAX];
    int64_t id = 0;

    ck_assert_int_eq(password_hash(password, hash), EMT_OK);
    ck_assert_int_eq(user_create(s, name, hash, one_time, role, &id), EMT_OK);
    store_close(s);
    return id;
}

/* --- the server --- */

static void wake(void *ctx)
{
    (void)ctx;
    woken++;
}

unsigned api_woken(void)
{
    return woken;
}

uint16_t api_port(void)
{
    return http_server_port(server, 0);
}

void api_start_at(const char *conninfo)
{
    static const char *const listen[] = { "127.0.0.1:0" };
    static const char *const field12[] = { "emt.example:7443", "[2001:db8::1]:7443" };
    static const char *const field13[] = { "emt.example:7444" };
    struct http_settings http = { .listen = listen, .nlisten = 1 };
    struct api_settings s = { .conninfo = conninfo,
                              .master = platform.master,
                              .field12 = field12,
                              .nfield12 = 2,
                              .field13 = field13,
                              .nfield13 = 1,
                              .base_url = "https://emt.example:8443",
                              .wake = wake };
    struct emt_diag diag = { 0 };

    metrics = metrics_new();
    s.metrics = metrics;
    memcpy(s.server_pin, platform.pin, sizeof s.server_pin);
    ck_assert_int_eq(api_new(&s, &api, &diag), EMT_OK);
    ck_assert_msg(http_server_start(&http, api_handler(api), &server, &diag) == EMT_OK, "%s",
                  diag.text);
    document = openapi_load();
    client_open(&client, api_port(), NULL);
}

void api_start(void)
{
    /* All tests log in from the same address. */
    sql("truncate login_throttle, login_place");
    api_start_at(pg_fixture_conninfo(platform.pg));
}

static void forget_answer(void)
{
    answer_release(&answer);
    answer = (struct answer){ 0 };
    json_decref(json);
    json = NULL;
}

void api_stop(void)
{
    forget_answer();
    client_close(&client);
    http_server_stop(server);
    api_free(api);
    metrics_free(metrics);
    openapi_free(document);
}

/* --- requests --- */

const char *last_header(const char *name)
{
    static char value[400];
    size_t n = strlen(name);

    for (const char *p = answer.head; (p = strstr(p, "\r\n")) != NULL;) {
        p += 2;
        if (strncasecmp(p, name, n) != 0 || p[n] != ':')
            continue;
        p += n + 1 + strspn(p + n + 1, " ");
        snprintf(value, sizeof value, "%.*s", (int)strcspn(p, "\r"), p);
        return value;
    }
    return NULL;
}

/* What every answer has, once. */
static void check_headers(void)
{
    static const char *const names[] = { "Cache-Control", "X-Content-Type-Options", "X-Request-Id",
                                         "Content-Security-Policy", "Content-Type" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char text[64];
        bool may_lack = i == 4 && (answer.status == 204 || answer.status == 304);

        ck_assert_msg(may_lack || last_header(names[i]) != NULL, "%s: %s", names[i], answer.head);
        snprintf(text, sizeof text, "\r\n%s:", names[i]);
        const char *first = strcasestr(answer.head, text);
        ck_assert_msg(first == NULL || strcasestr(first + 2, text) == NULL, "twice: %s",
                      answer.head);
    }
}

static const char *pattern_of(const char *method, const char *path)
{
    static struct api_call scratch;
    bool known;

    for (int m = HTTP_GET; m <= HTTP_HEAD; m++) {
        if (strcmp(http_method_name((enum http_method)m), method) == 0) {
            const struct api_route *r = api_route_find((enum http_method)m, path, &scratch, &known);

            return r != NULL ? r->pattern : NULL;
        }
    }
    return NULL;
}

/* Answers of no operation, and those that any may give, are problems. */
static void judge(const char *method, const char *target)
{
    char path[600];
    char small[8];
    char why[400] = "";
    const char *type = last_header("Content-Type");
    bool ok;

    snprintf(path, sizeof path, "%.*s", (int)strcspn(target, "?"), target);
    const char *pattern = pattern_of(method, path);
    if (strcmp(method, "HEAD") == 0)
        method = "GET";
    for (size_t i = 0; i < sizeof small; i++)
        small[i] = (char)tolower((unsigned char)method[i < strlen(method) ? i : strlen(method)]);
    if (pattern == NULL || answer.status == 405 || answer.status == 503)
        ok = json == NULL || openapi_is(document, "Problem", json, why);
    else
        ok = openapi_judge(document, small, pattern, answer.status, type, json, why);
    ck_assert_msg(ok, "%s %s: %u: %s\n%s", method, target, answer.status, why, answer.body);
    if (answer.status >= 400 && answer.body_len > 0) {
        ck_assert_str_eq(type, "application/problem+json");
        ck_assert_int_eq(int_at("status"), answer.status);
        ck_assert_str_eq(text_at("request"), last_header("X-Request-Id"));
    }
}

json_t *ask_with(unsigned status, const char *headers, const char *method, const void *body,
                 size_t len, const char *target)
{
    char text[4000];

    forget_answer();
    int n = snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: localhost\r\n%s", method, target,
                     headers);
    if (body != NULL)
        n += snprintf(text + n, sizeof text - (size_t)n, "Content-Length: %zu\r\n", len);
    ck_assert_int_lt(n, (int)sizeof text - 2);
    client_text(&client, text);
    client_text(&client, "\r\n");
    if (body != NULL)
        client_send(&client, body, len);
    ck_assert_msg(client_read(&client, strcmp(method, "HEAD") == 0, &answer), "%s %s: no answer",
                  method, target);
    fprintf(transcript, "%s %s\n%s%s\n", method, target, answer.head, answer.body);
    fflush(transcript);
    ck_assert_msg(status == 0 || answer.status == status, "%s %s: expected %u\n%s%s", method,
                  target, status, answer.head, answer.body);
    const char *type = last_header("Content-Type");
    if (type != NULL && strstr(type, "json") != NULL && answer.body_len > 0) {
        json = json_loadb(answer.body, answer.body_len, 0, NULL);
        ck_assert_ptr_nonnull(json);
    }
    check_headers();
    judge(method, target);
    return json;
}

json_t *ask(unsigned status, const char *key, const char *method, const char *body,
            const char *target, ...)
{
    char headers[300] = "";
    char path[1500];
    va_list ap;

    va_start(ap, target);
    int n = vsnprintf(path, sizeof path, target, ap);
    va_end(ap);
    ck_assert_int_lt(n, (int)sizeof path);
    if (key != NULL)
        snprintf(headers, sizeof headers, "Authorization: Bearer %s\r\n", key);
    return ask_with(status, headers, method, body, body != NULL ? strlen(body) : 0, path);
}

unsigned last_status(void)
{
    return answer.status;
}

const char *last_body(size_t *len)
{
    *len = answer.body_len;
    return answer.body;
}

json_t *value_at(const char *path)
{
    json_t *at = json;

    while (at != NULL && *path != '\0') {
        char name[64];
        size_t n = strcspn(path, ".");

        snprintf(name, sizeof name, "%.*s", (int)n, path);
        at = json_is_array(at) ? json_array_get(at, strtoul(name, NULL, 10))
                               : json_object_get(at, name);
        path += n + (path[n] == '.');
    }
    return at;
}

const char *text_at(const char *path)
{
    const char *text = json_string_value(value_at(path));

    ck_assert_msg(text != NULL, "%s: %s", path, answer.body);
    return text;
}

int64_t int_at(const char *path)
{
    ck_assert_msg(json_is_integer(value_at(path)), "%s: %s", path, answer.body);
    return json_integer_value(value_at(path));
}

size_t items(void)
{
    ck_assert(json_is_array(value_at("items")));
    return json_array_size(value_at("items"));
}

void check_problem(const char *type, const char *field)
{
    char expected[80];

    snprintf(expected, sizeof expected, "urn:emt:problem:%s", type);
    ck_assert_str_eq(text_at("type"), expected);
    if (field != NULL)
        ck_assert_msg(value_at("field") != NULL && strcmp(text_at("field"), field) == 0, "%s",
                      answer.body);
    else
        ck_assert_msg(value_at("field") == NULL, "%s", answer.body);
}

void check_told_nowhere(const char *secret)
{
    off_t end = lseek(fileno(transcript), 0, SEEK_END);
    ck_assert_int_gt(end, 0);
    char *all = malloc((size_t)end + 1);

    ck_assert_int_eq(pread(fileno(transcript), all, (size_t)end, 0), end);
    all[end] = '\0';
    for (off_t i = 0; i < end; i++) {
        if (all[i] == '\0')
            all[i] = ' ';
    }
    const char *found = strcasestr(all, secret);
    ck_assert_msg(found == NULL, "told: %.200s", found - (found - all > 60 ? 60 : found - all));
    free(all);
}

/* --- tenants --- */

void tenant_new(struct test_tenant *t, const char *name)
{
    char body[200];

    snprintf(t->name, sizeof t->name, "%s", name);
    snprintf(body, sizeof body, "{\"key\":\"%s\",\"name\":\"The %s\"}", name, name);
    ask(201, platform.operator_key, "POST", body, "/api/v1/tenants");
    snprintf(t->key, sizeof t->key, "%s", text_at("api_key"));
    t->id = (int32_t)sql_number("select id from tenant where key = '%s'", name);
}

char *tenant_key(const struct test_tenant *t, const char *role, char buf[80])
{
    char body[200];

    snprintf(body, sizeof body, "{\"name\":\"a %s\",\"role\":\"%s\"}", role, role);
    ask(201, t->key, "POST", body, "/api/v1/tenants/%s/api-keys", t->name);
    snprintf(buf, 80, "%s", text_at("api_key"));
    return buf;
}

int64_t channel_new(const struct test_tenant *t, const char *ident, int kind, const char *unit)
{
    sql("with d as (insert into device (tenant_id, ident, manufacturer, number, version, type)"
        " values (%d, '%s', 'EMT', split_part('%s', '-', 2), 1, 2)"
        " on conflict (tenant_id, ident) do update set version = 1 returning device_id)"
        " insert into channel (tenant_id, device_id, key, kind, obis, quantity, unit)"
        " select %d, device_id, 'kind %d', %d, '1-0:1.8.0*255', 1, nullif('%s', '') from d",
        (int)t->id, ident, ident, (int)t->id, kind, kind, unit != NULL ? unit : "");
    return sql_number("select channel_id from channel c join device d using (tenant_id, device_id)"
                      " where c.tenant_id = %d and d.ident = '%s' and kind = %d",
                      (int)t->id, ident, kind);
}

void sql(const char *fmt, ...)
{
    char text[3000];
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    ck_assert_int_lt(n, (int)sizeof text);
    pg_fixture_sql(platform.pg, text);
}

int64_t sql_number(const char *fmt, ...)
{
    char text[1000];
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    ck_assert_int_lt(n, (int)sizeof text);
    return pg_fixture_number(platform.pg, text);
}

static struct {
    pthread_t thread;
    char text[1000];
} other;

static void *run_other(void *arg)
{
    pg_fixture_sql(platform.pg, arg);
    return NULL;
}

void meanwhile(const char *fmt, ...)
{
    char text[900];
    va_list ap;

    va_start(ap, fmt);
    ck_assert_int_lt(vsnprintf(text, sizeof text, fmt, ap), (int)sizeof text);
    va_end(ap);
    snprintf(other.text, sizeof other.text, "begin; %s; select pg_sleep(2); commit", text);
    ck_assert_int_eq(pthread_create(&other.thread, NULL, run_other, other.text), 0);
    while (sql_number("select count(*) from pg_stat_activity where wait_event = 'PgSleep'") == 0)
        ;
}

void meanwhile_over(void)
{
    pthread_join(other.thread, NULL);
}
