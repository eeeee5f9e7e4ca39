#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define FIRST_READ 4096

static enum emt_err fail_errno(struct emt_diag *diag, const char *path, const char *what)
{
    int e = errno;

    if (diag)
        (void)snprintf(diag->file, sizeof diag->file, "%s", path);
    return emt_fail(diag,
                    e == ENOENT   ? EMT_ENOTFOUND
                    : e == EEXIST ? EMT_ECONFLICT
                                  : EMT_EIO,
                    "cannot %s: %s", what, strerror(e));
}

/* The size is only a hint: pipes and files under /proc have none, and a file may grow meanwhile. */
static size_t size_hint(int fd, size_t limit)
{
    struct stat st;

    if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size <= 0)
        return FIRST_READ;
    return (uintmax_t)st.st_size > limit ? limit : (size_t)st.st_size;
}

static enum emt_err read_all(int fd, const char *path, size_t limit, char **out, size_t *len,
                             struct emt_diag *diag)
{
    size_t cap = size_hint(fd, limit) + 1; /* one more byte shows the end, or that there is more */
    size_t at = 0;
    char *buf = malloc(cap + 1);

    while (buf) {
        ssize_t n = read(fd, buf + at, cap - at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            free(buf);
            return fail_errno(diag, path, "read");
        }
        if (n == 0) {
            buf[at] = 0;
            *out = buf;
            *len = at;
            return EMT_OK;
        }
        at += (size_t)n;
        if (at > limit) {
            free(buf);
            if (diag)
                (void)snprintf(diag->file, sizeof diag->file, "%s", path);
            return emt_fail(diag, EMT_ELIMIT, "larger than %zu bytes", limit);
        }
        if (at == cap) {
            char *more = cap < SIZE_MAX / 2 - 1 ? realloc(buf, cap * 2 + 1) : NULL;

            if (!more)
                free(buf);
            buf = more;
            cap *= 2;
        }
    }
    return emt_fail(diag, EMT_ENOMEM, "out of memory");
}

enum emt_err file_read(const char *path, size_t limit, char **out, size_t *len,
                       struct emt_diag *diag)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum emt_err err;

    if (fd < 0)
        return fail_errno(diag, path, "open");
    if (limit > SIZE_MAX / 2)
        limit = SIZE_MAX / 2;
    err = read_all(fd, path, limit, out, len, diag);
    (void)close(fd);
    return err;
}

static int write_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t w = write(fd, p, n);

        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            return -1;
        p += w;
        n -= (size_t)w;
    }
    return 0;
}

/* A rename or link is on disk only when its folder is. */
static int sync_parent(const char *path)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int fd;
    int rc;

    if (!slash)
        (void)snprintf(dir, sizeof dir, ".");
    else
        (void)snprintf(dir, sizeof dir, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    rc = fsync(fd);
    (void)close(fd);
    return rc;
}

/* Content complete and on disk under a temporary name beside `path`; tmp holds PATH_MAX. */
static enum emt_err write_temporary(const char *path, char *tmp, const void *p, size_t n,
                                    mode_t mode, struct emt_diag *diag)
{
    int fd;
    int bad;

    if (snprintf(tmp, PATH_MAX, "%s.XXXXXX", path) >= PATH_MAX)
        return emt_fail(diag, EMT_ELIMIT, "path is too long");
    fd = mkstemp(tmp);
    if (fd < 0)
        return fail_errno(diag, path, "create a temporary file beside it");
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    bad = write_all(fd, p, n) || fchmod(fd, mode) || fsync(fd);
    if (bad) {
        enum emt_err err = fail_errno(diag, path, "write");

        (void)close(fd);
        (void)unlink(tmp);
        return err;
    }
    if (close(fd)) {
        enum emt_err err = fail_errno(diag, path, "write");

        (void)unlink(tmp);
        return err;
    }
    return EMT_OK;
}

enum emt_err file_write(const char *path, const void *p, size_t n, mode_t mode,
                        struct emt_diag *diag)
{
    char tmp[PATH_MAX];
    enum emt_err err = write_temporary(path, tmp, p, n, mode, diag);

    if (err)
        return err;
    if (rename(tmp, path)) {
        err = fail_errno(diag, path, "rename");
        (void)unlink(tmp);
        return err;
    }
    return sync_parent(path) ? fail_errno(diag, path, "sync the folder of") : EMT_OK;
}

enum emt_err file_create(const char *path, const void *p, size_t n, mode_t mode,
                         struct emt_diag *diag)
{
    char tmp[PATH_MAX];
    enum emt_err err = write_temporary(path, tmp, p, n, mode, diag);

    if (err)
        return err;
    /* link() refuses an existing name, which rename() would replace. */
    if (link(tmp, path))
        err = fail_errno(diag, path, "create");
    (void)unlink(tmp);
    if (!err && sync_parent(path))
        err = fail_errno(diag, path, "sync the folder of");
    return err;
}

static int is_dir(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

enum emt_err file_mkdirs(const char *path, mode_t mode, struct emt_diag *diag)
{
    char part[PATH_MAX];
    size_t n = strlen(path);

    if (n == 0 || n >= sizeof part)
        return emt_fail(diag, EMT_ELIMIT, "path is empty or too long");
    memcpy(part, path, n + 1);
    for (size_t i = 1; i <= n; i++) {
        if (part[i] != '/' && part[i] != 0)
            continue;
        part[i] = 0;
        if (mkdir(part, mode) && !is_dir(part)) {
            if (errno == EEXIST) /* there, and something else */
                errno = ENOTDIR;
            return fail_errno(diag, part, "make the folder");
        }
        part[i] = i < n ? '/' : 0;
    }
    return EMT_OK;
}

enum emt_err file_join(char *buf, size_t size, const char *dir, const char *name)
{
    size_t n = strlen(dir);
    int need = snprintf(buf, size, "%s%s%s", dir, n && dir[n - 1] == '/' ? "" : "/", name);

    return need < 0 || (size_t)need >= size ? EMT_ELIMIT : EMT_OK;
}
