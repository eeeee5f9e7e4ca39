#include "config.h"

#include "base/yaml.h"
#include "store/store.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TEXT_BYTES ((size_t)256 << 10)
#define MS_PER_DAY INT64_C(86400000)
#define LIST_MAX 32

const char *config_text(struct config *c, const char *s)
{
    return arena_text(c->memory, s, strlen(s));
}

enum emt_err config_parse_address(const char *text, char *host, size_t size, unsigned *port)
{
    const char *colon = strrchr(text, ':');
    const char *from = text, *to = colon;
    unsigned char raw[16];
    char *end;
    long n;

    if (!colon || colon == text)
        return EMT_EMALFORMED;
    n = strtol(colon + 1, &end, 10);
    if (colon[1] < '0' || colon[1] > '9' || *end || n > 65535)
        return EMT_EMALFORMED;
    if (*text == '[') {
        from++;
        to--;
        if (*to != ']' || to <= from)
            return EMT_EMALFORMED;
    }
    if ((size_t)(to - from) >= size)
        return EMT_EMALFORMED;
    memcpy(host, from, (size_t)(to - from));
    host[to - from] = 0;
    /* Listeners take addresses: a name could mean anything tomorrow. */
    if (inet_pton(*text == '[' ? AF_INET6 : AF_INET, host, raw) != 1)
        return EMT_EMALFORMED;
    *port = (unsigned)n;
    return EMT_OK;
}

const char *config_address(struct config *c, const char *host, unsigned port)
{
    char text[320];

    snprintf(text, sizeof text, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
    return config_text(c, text);
}

const char *config_first_name(struct config *c)
{
    return arena_text(c->memory, c->names, strcspn(c->names, ", "));
}

/* ---- defaults ---- */

static bool has_ipv6(void)
{
    struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_addr = in6addr_any };
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool has = fd >= 0 && bind(fd, (struct sockaddr *)&any, sizeof any) == 0;

    if (fd >= 0)
        close(fd);
    return has;
}

/* Every IPv4 and IPv6 address at this port. */
static bool listen_everywhere(struct config *c, struct config_list *list, unsigned port)
{
    list->items = arena_alloc(c->memory, 2 * sizeof *list->items);
    if (!list->items)
        return false;
    list->n = 0;
    list->items[list->n++] = config_address(c, "0.0.0.0", port);
    if (has_ipv6())
        list->items[list->n++] = config_address(c, "::", port);
    return list->items[0] && list->items[list->n - 1];
}

/* The name that goes to the outside first: our own where anybody can look it up. */
static bool resolves(const char *host)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;
    bool ok = getaddrinfo(host, NULL, &hints, &found) == 0;

    if (ok)
        freeaddrinfo(found);
    return ok;
}

static bool default_names(struct config *c)
{
    char host[200] = "localhost";
    char names[300];

    if (gethostname(host, sizeof host - 1) != 0 || !host[0])
        snprintf(host, sizeof host, "localhost");
    c->node = config_text(c, host);
    if (strcmp(host, "localhost") == 0)
        snprintf(names, sizeof names, "localhost,127.0.0.1,::1");
    else
        snprintf(names, sizeof names,
                 resolves(host) ? "%s,localhost,127.0.0.1,::1" : "localhost,%s,127.0.0.1,::1",
                 host);
    c->names = config_text(c, names);
    return c->node && c->names;
}

enum emt_err config_init(struct config *c, unsigned https_port)
{
    unsigned p = https_port;

    *c = (struct config){
        .memory = arena_new(TEXT_BYTES),
        .roles = CONFIG_FIELD | CONFIG_API | CONFIG_WORKER,
        .migrate = true,
        .log_level = LOG_LEVEL_INFO,
        .log_format = LOG_FORMAT_AUTO,
        .leaf_lifetime_ms = 365 * MS_PER_DAY,
        .worker_jobs = 1,
        .worker_hot_days = 92,
        .delivery_root = "",
        .field = { .handshake_queue = 512,
                   .connections = 20000,
                   .commands = 64,
                   .hello_ms = 10000,
                   .handshake_ms = 10000,
                   .idle_ms = 180000,
                   .session_age_ms = INT64_C(47) * 3600000,
                   .certificate_grace_ms = MS_PER_DAY,
                   .session_queue_bytes = (int64_t)256 << 10,
                   .budget_bytes = (int64_t)64 << 20 },
        .api = { .threads = 1,
                 .workers = 4,
                 .queue = 256,
                 .tenant_share = 2,
                 .connections = 1024,
                 .peer_connections = 128,
                 .request_s = 60,
                 .streams = 8192,
                 .tenant_streams = 1024,
                 .principal_streams = 32,
                 .idle_s = 60,
                 .handshake_s = 10,
                 .body_bytes = (int64_t)8 << 20,
                 .session_idle_minutes = 30,
                 .session_hours = 12 },
    };
    if (!c->memory || !default_names(c) ||
        !listen_everywhere(c, &c->field.listen12, p ? p - 1000 : 0) ||
        !listen_everywhere(c, &c->field.listen13, p ? p - 999 : 0) ||
        !listen_everywhere(c, &c->api.listen, p))
        return EMT_ENOMEM;
    c->metrics_listen = config_address(c, "127.0.0.1", p ? p + 1000 : 0);
    return c->metrics_listen ? EMT_OK : EMT_ENOMEM;
}

void config_release(struct config *c)
{
    arena_free(c->memory);
    c->memory = NULL;
}

/* ---- reading ---- */

/* One mapping of the file under way, with the first error. */
struct section {
    struct config *c;
    const struct yaml *y;
    const struct yaml_node *map;
    struct emt_diag *diag;
    enum emt_err err;
};

static void fail_at(struct section *s, const char *key, const char *text)
{
    int64_t none = 0;

    if (s->err != EMT_OK)
        return;
    /* A range without numbers refuses every value: that fills in file, line and key. */
    s->err = yaml_int(s->y, s->map, key, 1, 0, &none, s->diag);
    s->err = emt_fail(s->diag, EMT_EMALFORMED, "%s", text);
}

static void get_text(struct section *s, const char *key, const char **out)
{
    const char *text = NULL;

    if (s->err == EMT_OK)
        s->err = yaml_text(s->y, s->map, key, &text, s->diag);
    if (s->err != EMT_OK || !text)
        return;
    text = config_text(s->c, text);
    if (!text)
        s->err = emt_fail(s->diag, EMT_ENOMEM, "too much text");
    else
        *out = text;
}

static void get_int(struct section *s, const char *key, int64_t least, int64_t most, int64_t *out)
{
    if (s->err == EMT_OK)
        s->err = yaml_int(s->y, s->map, key, least, most, out, s->diag);
}

static void get_ms(struct section *s, const char *key, int64_t least, int64_t most, int64_t *out)
{
    if (s->err == EMT_OK)
        s->err = yaml_duration_ms(s->y, s->map, key, least, most, out, s->diag);
}

static void get_size(struct section *s, const char *key, int64_t least, int64_t most, int64_t *out)
{
    if (s->err == EMT_OK)
        s->err = yaml_size(s->y, s->map, key, least, most, out, s->diag);
}

/* One text or a list of texts. */
static void get_list(struct section *s, const char *key, struct config_list *out)
{
    const struct yaml_node *node = s->err == EMT_OK ? yaml_get(s->y, s->map, key) : NULL;
    struct config_list list = { NULL, 1 };

    if (!node)
        return;
    if (!yaml_scalar(node))
        list.n = yaml_count(node);
    list.items = arena_alloc(s->c->memory, (list.n + 1) * sizeof *list.items);
    if (!list.items || list.n > LIST_MAX) {
        fail_at(s, key, "too many elements");
        return;
    }
    for (size_t i = 0; i < list.n; i++) {
        const char *text = yaml_scalar(yaml_scalar(node) ? node : yaml_at(node, i));

        list.items[i] = text && *text ? config_text(s->c, text) : NULL;
        if (!list.items[i]) {
            fail_at(s, key, "a text or a list of texts is expected");
            return;
        }
    }
    *out = list;
}

static void get_addresses(struct section *s, const char *key, struct config_list *out)
{
    char host[64];
    unsigned port;

    get_list(s, key, out);
    for (size_t i = 0; s->err == EMT_OK && i < out->n; i++)
        if (config_parse_address(out->items[i], host, sizeof host, &port) != EMT_OK)
            fail_at(s, key, "an address with port is expected: 0.0.0.0:7443 or [::]:7443");
}

static struct section child(struct section *s, const char *key)
{
    struct section sub = *s;

    sub.map = s->err == EMT_OK ? yaml_get(s->y, s->map, key) : NULL;
    if (sub.map && yaml_scalar(sub.map) && *yaml_scalar(sub.map)) {
        fail_at(s, key, "a mapping is expected");
        sub.map = NULL;
    }
    sub.err = s->err;
    return sub;
}

static void join_names(struct section *s, const struct config_list *list)
{
    char text[1000] = "";
    size_t at = 0;

    for (size_t i = 0; i < list->n; i++) {
        int n = snprintf(text + at, sizeof text - at, "%s%s", i ? "," : "", list->items[i]);

        at += (size_t)n;
        if (at >= sizeof text) {
            fail_at(s, "names", "too long");
            return;
        }
    }
    s->c->names = config_text(s->c, text);
}

static void get_roles(struct section *s)
{
    static const struct {
        const char *name;
        enum config_role role;
    } roles[] = { { "field", CONFIG_FIELD }, { "api", CONFIG_API }, { "worker", CONFIG_WORKER } };
    struct config_list list = { NULL, 0 };
    unsigned bits = 0;

    get_list(s, "roles", &list);
    if (list.items && list.n == 0)
        fail_at(s, "roles", "at least one of field, api and worker is expected");
    for (size_t i = 0; i < list.n; i++) {
        unsigned bit = 0;

        for (size_t k = 0; k < sizeof roles / sizeof roles[0]; k++)
            if (strcmp(list.items[i], roles[k].name) == 0)
                bit = roles[k].role;
        if (!bit)
            fail_at(s, "roles", "field, api and worker are the roles");
        bits |= bit;
    }
    if (bits)
        s->c->roles = bits;
}

static void read_top(struct section *s)
{
    struct config *c = s->c;
    struct config_list names = { NULL, 0 };

    get_text(s, "node", &c->node);
    get_roles(s);
    get_text(s, "state_dir", &c->state_dir);
    get_text(s, "master_key", &c->master_key);
    get_text(s, "portal", &c->portal);
    get_list(s, "names", &names);
    if (names.n)
        join_names(s, &names);
}

static void read_database(struct section *s)
{
    struct config *c = s->c;
    struct emt_diag why = { .text = "" };

    get_text(s, "conninfo", &c->conninfo);
    if (s->err == EMT_OK && c->conninfo && store_conninfo_check(c->conninfo, &why) != EMT_OK)
        fail_at(s, "conninfo", why.text);
    get_text(s, "migrations", &c->migrations);
    if (s->err == EMT_OK)
        s->err = yaml_bool(s->y, s->map, "migrate", &c->migrate, s->diag);
}

static void read_log(struct section *s)
{
    static const char *const formats[] = {
        [LOG_FORMAT_AUTO] = "auto", [LOG_FORMAT_TEXT] = "text", [LOG_FORMAT_JSON] = "json"
    };
    const char *level = NULL, *format = NULL;
    bool known = false;

    get_text(s, "level", &level);
    get_text(s, "format", &format);
    if (level && !log_level_parse(level, &s->c->log_level))
        fail_at(s, "level", "debug, info, notice, warn or error is expected");
    for (int i = LOG_FORMAT_AUTO; format && i <= LOG_FORMAT_JSON; i++) {
        if (strcmp(format, formats[i]) == 0) {
            s->c->log_format = (enum log_format)i;
            known = true;
        }
    }
    if (format && !known)
        fail_at(s, "format", "auto, text or json is expected");
}

static void read_metrics(struct section *s)
{
    char host[64];
    unsigned port;

    get_text(s, "listen", &s->c->metrics_listen);
    if (s->err == EMT_OK && *s->c->metrics_listen &&
        config_parse_address(s->c->metrics_listen, host, sizeof host, &port) != EMT_OK)
        fail_at(s, "listen", "an address with port is expected: 127.0.0.1:9443");
}

static void read_field(struct section *s)
{
    struct config_field *f = &s->c->field;

    get_addresses(s, "listen12", &f->listen12);
    get_addresses(s, "listen13", &f->listen13);
    get_addresses(s, "listen_logger", &f->listen_logger);
    get_list(s, "public12", &f->public12);
    get_list(s, "public13", &f->public13);
    get_int(s, "loops", 0, 256, &f->loops);
    get_int(s, "handshakes", 0, 256, &f->handshakes);
    get_int(s, "handshake_queue", 1, 65536, &f->handshake_queue);
    get_int(s, "connections", 1, 1000000, &f->connections);
    get_int(s, "commands", 1, 1000, &f->commands);
    get_ms(s, "hello", 100, 600000, &f->hello_ms);
    get_ms(s, "handshake", 100, 600000, &f->handshake_ms);
    get_ms(s, "idle", 1000, MS_PER_DAY, &f->idle_ms);
    /* BSI TR-03116-3: no TLS session lives longer than 48 h. Seconds are for tests. */
    get_ms(s, "session_age", 1000, 2 * MS_PER_DAY, &f->session_age_ms);
    get_size(s, "session_queue", 4096, (int64_t)64 << 20, &f->session_queue_bytes);
    get_size(s, "budget", (int64_t)1 << 20, (int64_t)64 << 30, &f->budget_bytes);
    get_list(s, "proxy_from", &f->proxy_from);
    get_ms(s, "drain", 0, 3600000, &f->drain_ms);
    get_ms(s, "certificate_grace", 0, 30 * MS_PER_DAY, &f->certificate_grace_ms);
    /* Short lives are for tests of renewal. */
    get_ms(s, "leaf_lifetime", 20000, 3650 * MS_PER_DAY, &s->c->leaf_lifetime_ms);
}

static void read_api(struct section *s)
{
    struct config_api *a = &s->c->api;

    get_addresses(s, "listen", &a->listen);
    get_text(s, "url", &a->url);
    get_text(s, "certificate", &a->certificate);
    get_text(s, "key", &a->key);
    get_int(s, "threads", 1, 64, &a->threads);
    get_int(s, "workers", 1, 256, &a->workers);
    get_int(s, "queue", 1, 65536, &a->queue);
    get_int(s, "tenant_share", 1, 256, &a->tenant_share);
    get_int(s, "connections", 1, 100000, &a->connections);
    get_int(s, "peer_connections", 1, 100000, &a->peer_connections);
    get_int(s, "request", 1, 3600, &a->request_s);
    get_int(s, "streams", 1, 100000, &a->streams);
    get_int(s, "tenant_streams", 1, 100000, &a->tenant_streams);
    get_int(s, "principal_streams", 1, 100000, &a->principal_streams);
    get_int(s, "idle", 1, 3600, &a->idle_s);
    get_int(s, "handshake", 1, 600, &a->handshake_s);
    get_size(s, "body", 1024, (int64_t)1 << 30, &a->body_bytes);
    get_int(s, "session_idle_minutes", 1, 1440, &a->session_idle_minutes);
    get_int(s, "session_hours", 1, 168, &a->session_hours);
    if (a->url && strncmp(a->url, "https://", 8) != 0)
        fail_at(s, "url", "https://host:port is expected");
    if (s->err == EMT_OK && !a->certificate != !a->key)
        fail_at(s, a->key ? "key" : "certificate", "certificate and key belong together");
}

static void get_token(struct section *s, const char *key, const char **out)
{
    get_text(s, key, out);
    if (s->err == EMT_OK && *out && strncmp(*out, "pkcs11:", 7) != 0)
        fail_at(s, key, "pkcs11:token=…;object=…?module-path=/…&pin-source=file:/… is expected");
}

static void read_pki(struct section *s)
{
    get_token(s, "root_key", &s->c->pki.root_key);
    get_token(s, "server_ca_key", &s->c->pki.server_ca_key);
    get_token(s, "server_key", &s->c->pki.server_key);
}

static void read_worker(struct section *s)
{
    get_int(s, "jobs", 1, 64, &s->c->worker_jobs);
    get_int(s, "hot_days", 1, 3650, &s->c->worker_hot_days);
}

static void read_delivery(struct section *s)
{
    get_text(s, "root", &s->c->delivery_root);
    if (s->err == EMT_OK)
        s->err = yaml_bool(s->y, s->map, "private_networks", &s->c->private_networks, s->diag);
    if (s->err == EMT_OK && *s->c->delivery_root && s->c->delivery_root[0] != '/')
        fail_at(s, "root", "must begin with /");
}

enum emt_err config_load(struct config *c, const char *path, struct emt_diag *diag)
{
    static const struct {
        const char *key;
        void (*read)(struct section *s);
    } sections[] = { { "database", read_database }, { "log", read_log },
                     { "metrics", read_metrics },   { "field", read_field },
                     { "api", read_api },           { "worker", read_worker },
                     { "delivery", read_delivery }, { "pki", read_pki } };
    struct yaml *y = NULL;
    struct section top = { c, NULL, NULL, diag, EMT_OK };

    top.err = yaml_load_file(path, &y, diag);
    if (top.err != EMT_OK)
        return top.err;
    top.y = y;
    top.map = yaml_root(y);
    read_top(&top);
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        struct section s = child(&top, sections[i].key);

        if (s.err == EMT_OK && s.map)
            sections[i].read(&s);
        top.err = s.err;
    }
    if (top.err == EMT_OK)
        top.err = yaml_unknown(y, diag);
    yaml_free(y);
    return top.err;
}

static enum emt_err missing(const char *file, const char *key, struct emt_diag *diag)
{
    if (diag) {
        snprintf(diag->file, sizeof diag->file, "%s", file);
        snprintf(diag->key, sizeof diag->key, "%s", key);
        diag->line = 0;
    }
    return emt_fail(diag, EMT_EMALFORMED, "must be set");
}

enum emt_err config_check(const struct config *c, const char *file, struct emt_diag *diag)
{
    if (!c->conninfo || !*c->conninfo)
        return missing(file, "database.conninfo", diag);
    if (!c->master_key || !*c->master_key)
        return missing(file, "master_key", diag);
    if (!c->state_dir || !*c->state_dir)
        return missing(file, "state_dir", diag);
    if (!*c->names)
        return missing(file, "names", diag);
    if ((c->roles & CONFIG_API) && c->api.listen.n == 0)
        return missing(file, "api.listen", diag);
    if ((c->roles & CONFIG_FIELD) && c->field.listen12.n + c->field.listen13.n == 0)
        return missing(file, "field.listen12", diag);
    return EMT_OK;
}
