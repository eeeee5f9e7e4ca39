#include "ctl_database.h"

#include "base/file.h"
#include "base/yaml.h"
#include "store/store.h"
#include "store/tenant_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define CONNINFO_MAX 4096

static enum emt_err embedded_conninfo(const char *dir, char **out, struct emt_diag *diag)
{
    char path[1024];
    size_t n = 0;
    enum emt_err err = file_join(path, sizeof path, dir, "conninfo");

    if (err != EMT_OK)
        return emt_fail(diag, err, "%s: the path is too long", dir);
    err = file_read(path, CONNINFO_MAX, out, &n, diag);
    if (err == EMT_OK)
        (*out)[strcspn(*out, "\r\n")] = '\0';
    return err;
}

static enum emt_err config_conninfo(const char *path, char **out, struct emt_diag *diag)
{
    struct yaml *y = NULL;
    const char *text = NULL;
    enum emt_err err = yaml_load_file(path, &y, diag);

    if (err != EMT_OK)
        return err;
    err = yaml_text(y, yaml_get(y, yaml_root(y), "database"), "conninfo", &text, diag);
    if (err == EMT_OK && text == NULL)
        err = emt_fail(diag, EMT_ENOTFOUND, "%s: database.conninfo is missing", path);
    if (err == EMT_OK) {
        *out = strdup(text);
        err = *out != NULL ? EMT_OK : emt_fail(diag, EMT_ENOMEM, "out of memory");
    }
    yaml_free(y);
    return err;
}

enum emt_err ctl_conninfo(const char *embedded, const char *config, const char *conninfo,
                          char **out, struct emt_diag *diag)
{
    if (embedded != NULL)
        return embedded_conninfo(embedded, out, diag);
    if (conninfo == NULL)
        return config_conninfo(config != NULL ? config : CTL_CONFIG_DEFAULT, out, diag);
    *out = strdup(conninfo);
    return *out != NULL ? EMT_OK : emt_fail(diag, EMT_ENOMEM, "out of memory");
}

enum emt_err ctl_master_path(const char *embedded, const char *config, const char *conninfo,
                             const char *master, char *path, size_t size, struct emt_diag *diag)
{
    const char *text = master;
    struct yaml *y = NULL;
    enum emt_err err = EMT_OK;

    if (text == NULL && embedded != NULL)
        return file_join(path, size, embedded, "master.key");
    if (text == NULL && conninfo != NULL)
        return emt_fail(diag, EMT_ENOTFOUND, "--conninfo needs --master-key");
    if (config == NULL)
        config = CTL_CONFIG_DEFAULT;
    if (text == NULL) {
        err = yaml_load_file(config, &y, diag);
        if (err == EMT_OK)
            err = yaml_text(y, yaml_root(y), "master_key", &text, diag);
    }
    if (err == EMT_OK && text == NULL)
        err = emt_fail(diag, EMT_ENOTFOUND, "%s: master_key is missing", config);
    if (err == EMT_OK && (size_t)snprintf(path, size, "%s", text) >= size)
        err = emt_fail(diag, EMT_ELIMIT, "the path of the master key is too long");
    yaml_free(y);
    return err;
}

/* Only the platform's administrator knows tenants by their key. */
enum emt_err ctl_tenant(const char *conninfo, const char *key, int32_t *id, struct emt_diag *diag)
{
    struct store *admin = NULL;
    struct tenant t;
    enum emt_err err = store_open(conninfo, STORE_ADMIN, CTL_CONNECT_MS, &admin, diag);

    if (err != EMT_OK)
        return err;
    err = tenant_find(admin, key, &t);
    if (err == EMT_ENOTFOUND)
        (void)emt_fail(diag, err, "there is no tenant %s", key);
    else if (err != EMT_OK)
        (void)emt_fail(diag, err, "%s", store_error(admin));
    else
        *id = t.id;
    store_close(admin);
    return err;
}
