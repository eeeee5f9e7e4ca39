#include "store/tenant_removal.h"

#include "base/clock.h"
#include "store/audit_store.h"
#include "store/store.h"
#include "store/tenant_archive_store.h"
#include "store/tenant_store.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* Nodes see the state within a second; then connections end and jobs are cancelled. */
#define QUIET_MS 30000
#define LOOK_MS 500

struct removal {
    const char *key, *actor;
    struct store *s;
    struct tenant tenant;
    struct archive_catalogue catalogue;
    int64_t keys, rows;
    char said[TENANT_REMOVAL_TEXT];
};

static enum emt_err db_failed(const struct removal *x, enum emt_err err, struct emt_diag *diag)
{
    return err == EMT_OK ? err : emt_fail(diag, err, "%s", store_error(x->s));
}

/* In the platform's audit: the tenant's own goes with it. */
static enum emt_err certify(struct removal *x, const char *action, const char *detail)
{
    const struct audit_entry e = {
        .tenant = 0, .actor = x->actor, .action = action, .object = x->tenant.key, .detail = detail
    };

    return audit_append(x->s, &e);
}

static enum emt_err finish(struct removal *x, enum emt_err err, struct emt_diag *diag)
{
    if (err == EMT_OK)
        err = store_commit(x->s);
    if (err != EMT_OK) {
        (void)db_failed(x, err, diag);
        store_rollback(x->s);
    }
    return err;
}

/* From this commit on no API key, login or handshake of the tenant counts. */
static enum emt_err mark(struct removal *x, struct emt_diag *diag)
{
    enum emt_err err = store_begin(x->s, 0);

    if (err == EMT_OK)
        err = tenant_lock(x->s, x->tenant.id);
    if (err == EMT_OK && x->tenant.state != TENANT_DELETING) {
        err = tenant_set_state(x->s, x->tenant.id, TENANT_DELETING);
        if (err == EMT_OK)
            err = certify(x, "tenant.delete", "begun");
    }
    if (err == EMT_OK)
        err = archive_cancel_jobs(x->s, x->tenant.id);
    return finish(x, err, diag);
}

/* Rows are not removed under somebody who is still writing. */
static enum emt_err wait_quiet(struct removal *x, struct emt_diag *diag)
{
    int64_t end = clock_mono_ms() + QUIET_MS;
    int64_t busy = 1;
    enum emt_err err = EMT_OK;

    while (err == EMT_OK && busy > 0) {
        err = db_failed(x, archive_busy(x->s, x->tenant.id, &busy), diag);
        if (err == EMT_OK && busy > 0 && clock_mono_ms() > end)
            err = emt_fail(diag, EMT_EAGAIN,
                           "%lld connections or jobs go on; nothing was removed yet, try again",
                           (long long)busy);
        if (err == EMT_OK && busy > 0)
            (void)usleep(LOOK_MS * 1000);
    }
    return err;
}

/* First of all: from here on no secret of the tenant can be read, whatever happens to the rest. */
static enum emt_err destroy_keys(struct removal *x, struct emt_diag *diag)
{
    char detail[64];
    enum emt_err err = store_begin(x->s, 0);

    if (err == EMT_OK)
        err = archive_destroy_keys(x->s, x->tenant.id, &x->keys);
    (void)snprintf(detail, sizeof detail, "%lld data keys destroyed", (long long)x->keys);
    if (err == EMT_OK && x->keys > 0)
        err = certify(x, "tenant.delete", detail);
    return finish(x, err, diag);
}

static enum emt_err remove_rows(struct removal *x, struct emt_diag *diag)
{
    enum emt_err err = EMT_OK;

    /* Backwards: what refers goes before what it refers to. */
    for (size_t i = x->catalogue.n; err == EMT_OK && i-- > 0;) {
        int64_t n = 1;

        while (err == EMT_OK && n > 0) {
            err = archive_remove_some(x->s, &x->catalogue.tables[i], x->tenant.id, &n, diag);
            x->rows += err == EMT_OK ? n : 0;
        }
    }
    return err;
}

/* The count and the tenant's own row in one transaction, which says what it found. */
static enum emt_err remove_tenant(struct removal *x, struct emt_diag *diag)
{
    const char *table = "";
    char detail[160];
    int64_t left = 0;
    enum emt_err err = db_failed(x, store_begin(x->s, 0), diag);

    if (err == EMT_OK)
        err = archive_remaining(x->s, &x->catalogue, x->tenant.id, &left, &table, diag);
    if (err == EMT_OK && left > 0)
        err = emt_fail(diag, EMT_EAGAIN, "%lld rows are left in %s and others; try again",
                       (long long)left, table);
    if (err != EMT_OK) {
        store_rollback(x->s);
        return err;
    }
    (void)snprintf(detail, sizeof detail,
                   "number %d: %lld rows removed, none left in %zu tables, data keys destroyed",
                   (int)x->tenant.id, (long long)x->rows, x->catalogue.n - 1);
    err = archive_remove_tenant(x->s, x->tenant.id);
    if (err == EMT_OK)
        err = certify(x, "tenant.deleted", detail);
    err = finish(x, err, diag);
    if (err == EMT_OK)
        (void)snprintf(x->said, sizeof x->said, "%s", detail);
    return err;
}

static enum emt_err run(struct removal *x, struct emt_diag *diag)
{
    enum emt_err err = db_failed(x, tenant_find(x->s, x->key, &x->tenant), diag);

    if (err == EMT_ENOTFOUND)
        return emt_fail(diag, err, "there is no tenant %s", x->key);
    if (err == EMT_OK)
        err = archive_catalogue_load(x->s, &x->catalogue, diag);
    if (err == EMT_OK)
        err = mark(x, diag);
    if (err == EMT_OK)
        err = wait_quiet(x, diag);
    if (err == EMT_OK)
        err = destroy_keys(x, diag);
    if (err == EMT_OK)
        err = remove_rows(x, diag);
    return err == EMT_OK ? remove_tenant(x, diag) : err;
}

enum emt_err tenant_remove(struct store *owner, const char *key, const char *actor,
                           char said[TENANT_REMOVAL_TEXT], struct emt_diag *diag)
{
    struct removal x = { .s = owner, .key = key, .actor = actor };
    enum emt_err err = run(&x, diag);

    archive_catalogue_release(&x.catalogue);
    if (err == EMT_OK)
        memcpy(said, x.said, sizeof x.said);
    return err;
}
