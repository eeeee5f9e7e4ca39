#include "fleet_dir.h"

#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

static int by_tenant(const void *a, const void *b)
{
    const struct fleet_member *x = a, *y = b;
    int order = strcmp(x->tenant, y->tenant);

    return order ? order : strcmp(x->path, y->path);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct fleet_member *)a)->path, ((const struct fleet_member *)b)->path);
}

/* A folder with an agent.yaml becomes a member. */
static enum emt_err consider(struct fleet_dir *d, const char *dir, const char *name)
{
    char path[GATEWAY_PATH_MAX], config[GATEWAY_PATH_MAX];

    if (name[0] == '.' || file_join(path, sizeof path, dir, name) != EMT_OK ||
        file_join(config, sizeof config, path, "agent.yaml") != EMT_OK || access(config, R_OK) != 0)
        return EMT_OK;
    struct fleet_member *grown = realloc(d->member, (d->n + 1) * sizeof *grown);
    if (!grown)
        return EMT_ENOMEM;
    d->member = grown;
    memset(&grown[d->n], 0, sizeof grown[d->n]);
    memcpy(grown[d->n].path, path, strlen(path) + 1);
    d->n++;
    return EMT_OK;
}

static enum emt_err read_tenants(struct fleet_dir *d, struct emt_diag *diag)
{
    for (size_t i = 0; i < d->n; i++) {
        struct gateway_config c;
        enum emt_err err = gateway_config_load(d->member[i].path, &c, diag);
        if (err != EMT_OK)
            return err;
        memcpy(d->member[i].tenant, c.tenant, sizeof c.tenant);
    }
    return EMT_OK;
}

enum emt_err fleet_dir_read(const char *dir, size_t most, struct fleet_dir *out,
                            struct emt_diag *diag)
{
    struct fleet_dir d = { 0 };
    DIR *stream = opendir(dir);
    enum emt_err err = EMT_OK;

    if (!stream)
        return emt_fail(diag, EMT_EIO, "%s: %s", dir, strerror(errno));
    for (struct dirent *e = readdir(stream); e && err == EMT_OK; e = readdir(stream))
        err = consider(&d, dir, e->d_name);
    closedir(stream);
    if (err == EMT_OK && d.n == 0)
        err = emt_fail(diag, EMT_ENOTFOUND, "%s: no folder of an enrolled gateway", dir);
    if (err == EMT_OK) {
        qsort(d.member, d.n, sizeof *d.member, by_path);
        if (most && d.n > most)
            d.n = most;
        err = read_tenants(&d, diag);
    }
    if (err != EMT_OK) {
        fleet_dir_release(&d);
        return err;
    }
    qsort(d.member, d.n, sizeof *d.member, by_tenant);
    *out = d;
    return EMT_OK;
}

void fleet_dir_release(struct fleet_dir *d)
{
    free(d->member);
    *d = (struct fleet_dir){ 0 };
}

size_t fleet_dir_neighbour(const struct fleet_dir *d, size_t which)
{
    const char *tenant = d->member[which].tenant;

    if (which + 1 < d->n && strcmp(d->member[which + 1].tenant, tenant) == 0)
        return which + 1;
    while (which > 0 && strcmp(d->member[which - 1].tenant, tenant) == 0)
        which--;
    return which;
}
