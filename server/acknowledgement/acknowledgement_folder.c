#include "acknowledgement/acknowledgement_folder.h"

#include "acknowledgement/acknowledgement_match.h"
#include "connectors/acknowledgement.h"
#include "store/event_store.h"
#include "store/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* Of one tenant in one look: the others wait no longer than for these. */
#define FILES_MOST 100
#define NAME_MOST 200

struct folder {
    struct store *app;
    int32_t tenant;
    int fd;
    emt_time now;
    uint8_t *buf; /* ACKNOWLEDGEMENT_BYTES_MAX + 1 */
    struct acknowledgement_folder_result *out;
};

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name);
    size_t k = strlen(end);

    return n >= k && strcmp(name + n - k, end) == 0;
}

static bool is_candidate(const char *name)
{
    return name[0] != '.' && strlen(name) <= NAME_MOST && !ends_with(name, ".part") &&
           !ends_with(name, ".tmp");
}

/* Under its name, or under one with a number where that is taken: nothing is replaced. */
static void move_to(const struct folder *f, const char *name, const char *where)
{
    char to[NAME_MOST + 64];

    if (mkdirat(f->fd, where, 0750) != 0 && errno != EEXIST)
        return;
    for (unsigned i = 0; i < 1000; i++) {
        if (i == 0)
            snprintf(to, sizeof to, "%s/%s", where, name);
        else
            snprintf(to, sizeof to, "%s/%s.%u", where, name, i);
        if (linkat(f->fd, name, f->fd, to, 0) == 0) {
            (void)unlinkat(f->fd, name, 0);
            return;
        }
        if (errno != EEXIST)
            return;
    }
}

static enum emt_err warn(struct folder *f, const char *name, const char *why)
{
    char detail[600];
    char shown[NAME_MOST + 1];
    struct event_row e = {
        .at = f->now, .severity = EVENT_WARNING, .kind = "acknowledgement-refused", .detail = detail
    };
    size_t n = 0;

    /* A name is any bytes; the database takes text. */
    for (; name[n] != '\0' && n < NAME_MOST; n++)
        shown[n] = (unsigned char)name[n] < 0x20 || (unsigned char)name[n] >= 0x7f ? '?' : name[n];
    shown[n] = '\0';
    snprintf(detail, sizeof detail, "%s: %s", shown, why);
    enum emt_err err = store_begin(f->app, f->tenant);
    if (err == EMT_OK)
        err = event_store_add(f->app, f->tenant, &e);
    if (err == EMT_OK)
        return store_commit(f->app);
    store_rollback(f->app);
    return err;
}

/* false: not a plain file, or gone. */
static bool read_whole(struct folder *f, const char *name, size_t *len, time_t *changed)
{
    int fd = openat(f->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    bool ok = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    ssize_t got = 1;

    *len = 0;
    while (ok && got > 0 && *len <= ACKNOWLEDGEMENT_BYTES_MAX) {
        got = read(fd, f->buf + *len, ACKNOWLEDGEMENT_BYTES_MAX + 1 - *len);
        ok = got >= 0;
        *len += got > 0 ? (size_t)got : 0;
    }
    if (ok)
        *changed = st.st_mtime;
    if (fd >= 0)
        (void)close(fd);
    return ok;
}

static enum emt_err take(struct folder *f, const char *name, size_t len,
                         struct acknowledgement_outcome *got, struct emt_diag *diag)
{
    char shown[NAME_MOST + 1];
    size_t n = 0;

    for (; name[n] != '\0' && n < NAME_MOST; n++)
        shown[n] = (unsigned char)name[n] < 0x20 || (unsigned char)name[n] >= 0x7f ? '?' : name[n];
    shown[n] = '\0';
    struct acknowledgement_arrival a = { .tenant = f->tenant,
                                         .data = f->buf,
                                         .len = len,
                                         .source = "folder",
                                         .file_name = shown,
                                         .actor = "folder",
                                         .now = f->now };
    enum emt_err err = store_begin(f->app, f->tenant);

    if (err == EMT_OK)
        err = acknowledgement_take(f->app, &a, got, diag);
    if (err == EMT_OK)
        return store_commit(f->app);
    store_rollback(f->app);
    return err;
}

/* Moved only once what it says is committed: a crash in between takes it a second time, which
 * changes nothing. */
static enum emt_err look_at(struct folder *f, const char *name)
{
    struct acknowledgement_outcome got = { 0 };
    struct emt_diag diag = { 0 };
    time_t changed = 0;
    size_t len = 0;

    if (!read_whole(f, name, &len, &changed))
        return EMT_OK;
    enum emt_err err = take(f, name, len, &got, &diag);
    if (err == EMT_OK) {
        move_to(f, name, "done");
        f->out->taken += !got.repeated;
        f->out->repeated += got.repeated;
        return EMT_OK;
    }
    bool unfinished = (err == EMT_ETRUNCATED || len == 0) &&
                      f->now / EMT_SECOND - (int64_t)changed < ACKNOWLEDGEMENT_UNFINISHED_S;
    if (unfinished)
        return EMT_OK;
    /* A conflict is the database's: there is no such tenant. */
    if (err == EMT_ELIMIT || (emt_err_class(err) == EMT_CLASS_REJECT && err != EMT_ECONFLICT)) {
        f->out->refused++;
        err = warn(f, name, diag.text);
        if (err == EMT_OK)
            move_to(f, name, "refused");
    }
    return err;
}

static enum emt_err look_through(struct folder *f)
{
    int fd = dup(f->fd);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *e;
    unsigned n = 0;
    enum emt_err err = EMT_OK;

    if (d == NULL) {
        if (fd >= 0)
            (void)close(fd);
        return EMT_OK;
    }
    while (err == EMT_OK && n < FILES_MOST && (e = readdir(d)) != NULL) {
        if (!is_candidate(e->d_name))
            continue;
        n++;
        err = look_at(f, e->d_name);
    }
    (void)closedir(d);
    return err;
}

/* A folder whose name is no tenant's number is somebody else's; one of a tenant that does not exist
 * any more stays as it is. */
static enum emt_err look_at_tenant(struct folder *f, int root, const char *name)
{
    char path[64];
    char *end = NULL;
    long tenant = strtol(name, &end, 10);

    if (*end != '\0' || name[0] < '1' || name[0] > '9' || strlen(name) > 9)
        return EMT_OK;
    snprintf(path, sizeof path, "%ld/" ACKNOWLEDGEMENT_FOLDER, tenant);
    f->tenant = (int32_t)tenant;
    f->fd = openat(root, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (f->fd < 0)
        return EMT_OK;
    enum emt_err err = look_through(f);
    (void)close(f->fd);
    return err == EMT_ECONFLICT ? EMT_OK : err;
}

enum emt_err acknowledgement_folder_step(struct store *app, const char *root, emt_time now,
                                         struct acknowledgement_folder_result *out)
{
    struct folder f = { .app = app, .now = now, .out = out };
    DIR *d = opendir(root);
    struct dirent *e;
    enum emt_err err = EMT_OK;

    *out = (struct acknowledgement_folder_result){ 0 };
    if (d == NULL)
        return errno == ENOENT ? EMT_OK : EMT_EIO;
    f.buf = malloc(ACKNOWLEDGEMENT_BYTES_MAX + 1);
    if (f.buf == NULL)
        err = EMT_ENOMEM;
    while (err == EMT_OK && (e = readdir(d)) != NULL)
        err = look_at_tenant(&f, dirfd(d), e->d_name);
    free(f.buf);
    (void)closedir(d);
    return err;
}
