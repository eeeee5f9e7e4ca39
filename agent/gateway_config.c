#include "agent/gateway_config.h"

#include "agent/source_config.h"
#include "agent/spool.h"
#include "base/file.h"
#include "base/yaml.h"

#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

static enum emt_err copy_text(const struct yaml *y, const char *key, bool required, char *out,
                              size_t size, struct emt_diag *diag)
{
    const char *text = NULL;
    enum emt_err err = yaml_text(y, yaml_root(y), key, &text, diag);

    if (err != EMT_OK)
        return err;
    if (!text) {
        if (diag && required)
            snprintf(diag->key, sizeof diag->key, "%s", key);
        return required ? emt_fail(diag, EMT_EMALFORMED, "missing") : EMT_OK;
    }
    if (strlen(text) >= size) {
        if (diag)
            snprintf(diag->key, sizeof diag->key, "%s", key);
        return emt_fail(diag, EMT_EMALFORMED, "longer than %zu bytes", size - 1);
    }
    memcpy(out, text, strlen(text) + 1);
    return EMT_OK;
}

/* A path of the file, within dir unless absolute; name is the default. */
static enum emt_err copy_path(const struct yaml *y, const char *dir, const char *key,
                              const char *name, char *out, struct emt_diag *diag)
{
    const char *text = name;
    enum emt_err err = yaml_text(y, yaml_root(y), key, &text, diag);

    if (err != EMT_OK)
        return err;
    int n = text[0] == '/' ? snprintf(out, GATEWAY_PATH_MAX, "%s", text)
                           : snprintf(out, GATEWAY_PATH_MAX, "%s/%s", dir, text);
    return n < GATEWAY_PATH_MAX ? EMT_OK : emt_fail(diag, EMT_EMALFORMED, "%s: path too long", key);
}

static enum emt_err read_endpoints(const struct yaml *y, const char *key, struct gateway_config *c,
                                   struct emt_diag *diag)
{
    const struct yaml_node *list = yaml_get(y, yaml_root(y), key);
    size_t n = yaml_count(list);

    if (n == 0 || n > GATEWAY_ENDPOINTS_MAX) {
        if (diag)
            snprintf(diag->key, sizeof diag->key, "%s", key);
        return emt_fail(diag, EMT_EMALFORMED, "a list of 1 to %d addresses host:port is expected",
                        GATEWAY_ENDPOINTS_MAX);
    }
    for (size_t i = 0; i < n; i++) {
        const char *text = yaml_scalar(yaml_at(list, i));
        if (!text || endpoint_parse(text, &c->endpoints[i]) != EMT_OK) {
            if (diag)
                snprintf(diag->key, sizeof diag->key, "%s", key);
            return emt_fail(diag, EMT_EMALFORMED, "\"%.100s\" is no host:port", text ? text : "");
        }
    }
    c->nendpoints = n;
    return EMT_OK;
}

/* Both lists are known keys whichever is used. */
static enum emt_err read_tls(const struct yaml *y, struct gateway_config *c, struct emt_diag *diag)
{
    const char *version = "1.2";
    enum emt_err err = yaml_text(y, yaml_root(y), "tls", &version, diag);

    if (err != EMT_OK)
        return err;
    (void)yaml_get(y, yaml_root(y), "addresses");
    (void)yaml_get(y, yaml_root(y), "addresses_tls13");
    if (strcmp(version, "1.2") == 0)
        return read_endpoints(y, "addresses", c, diag);
    if (strcmp(version, "1.3") == 0)
        return read_endpoints(y, "addresses_tls13", c, diag);
    if (diag)
        snprintf(diag->key, sizeof diag->key, "tls");
    return emt_fail(diag, EMT_EMALFORMED, "\"1.2\" or \"1.3\" is expected");
}

static enum emt_err read_numbers(const struct yaml *y, struct gateway_config *c,
                                 struct emt_diag *diag)
{
    int64_t size = (int64_t)SPOOL_SIZE_DEFAULT, status = 60000, first = 1000, most = 300000;
    const struct yaml_node *root = yaml_root(y);
    enum emt_err err = yaml_size(y, root, "spool_size", (int64_t)SPOOL_SIZE_MIN,
                                 (int64_t)SPOOL_SIZE_MAX, &size, diag);

    if (err == EMT_OK)
        err = yaml_duration_ms(y, root, "status_interval", 0, 86400000, &status, diag);
    if (err == EMT_OK)
        err = yaml_duration_ms(y, root, "backoff_first", 10, 3600000, &first, diag);
    if (err == EMT_OK)
        err = yaml_duration_ms(y, root, "backoff_most", first, 86400000, &most, diag);
    c->spool_size = (uint64_t)size;
    c->status_interval_ms = status;
    c->backoff_first_ms = (uint32_t)first;
    c->backoff_most_ms = (uint32_t)most;
    return err;
}

/* Only checked here: run_agent() loads them. */
static enum emt_err check_sources(const struct yaml *y, const char *dir, struct emt_diag *diag)
{
    struct source_list list;
    enum emt_err err = source_list_read(y, dir, &list, diag);

    source_list_release(&list);
    return err;
}

static enum emt_err read_all(const struct yaml *y, const char *dir, struct gateway_config *c,
                             struct emt_diag *diag)
{
    enum emt_err err = copy_text(y, "gateway", true, c->gateway, sizeof c->gateway, diag);

    if (err == EMT_OK)
        err = copy_text(y, "tenant", false, c->tenant, sizeof c->tenant, diag);
    if (err == EMT_OK)
        err = copy_text(y, "serial", false, c->serial, sizeof c->serial, diag);
    if (err == EMT_OK)
        err = copy_text(y, "server_name", false, c->server_name, sizeof c->server_name, diag);
    if (err == EMT_OK)
        err = read_tls(y, c, diag);
    if (err == EMT_OK)
        err = copy_path(y, dir, "key", "gateway.key", c->key, diag);
    if (err == EMT_OK)
        err = copy_path(y, dir, "certificate", "gateway.pem", c->certificate, diag);
    if (err == EMT_OK)
        err = copy_path(y, dir, "ca", "ca.pem", c->ca, diag);
    if (err == EMT_OK)
        err = copy_path(y, dir, "spool", "spool", c->spool, diag);
    if (err == EMT_OK)
        err = copy_path(y, dir, "commands", "commands", c->commands, diag);
    if (err == EMT_OK)
        err = read_numbers(y, c, diag);
    if (err == EMT_OK)
        err = check_sources(y, dir, diag);
    return err == EMT_OK ? yaml_unknown(y, diag) : err;
}

enum emt_err gateway_config_load(const char *dir, struct gateway_config *out, struct emt_diag *diag)
{
    char path[GATEWAY_PATH_MAX];
    struct yaml *y = NULL;
    struct gateway_config c = { .nendpoints = 0 };
    enum emt_err err = file_join(path, sizeof path, dir, "agent.yaml");

    if (err != EMT_OK)
        return emt_fail(diag, err, "path too long");
    err = yaml_load_file(path, &y, diag);
    if (err != EMT_OK)
        return err;
    err = read_all(y, dir, &c, diag);
    if (err != EMT_OK && diag && !diag->file[0])
        snprintf(diag->file, sizeof diag->file, "%.255s", path);
    yaml_free(y);
    if (err == EMT_OK)
        *out = c;
    return err;
}
