/* A folder of this machine: temporary file, fsync, final name, fsync of the folder. A file that
 * stands there under the name is never replaced. */
#include "delivery_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* What the operator can do something about, and what time may heal. */
static void say_errno(struct delivery_result *out, const char *what, const char *path, int e)
{
    bool later = e == ENOSPC || e == EDQUOT || e == EIO || e == EMFILE || e == ENFILE ||
                 e == ENOMEM || e == ESTALE || e == EINTR;

    delivery_say(out, later ? DELIVERY_RETRY : DELIVERY_REFUSED, "%s %.180s: %s", what, path,
                 strerror(e));
}

static bool write_all(int fd, const uint8_t *p, size_t n)
{
    while (n > 0) {
        ssize_t w = write(fd, p, n);

        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0)
            return false;
        p += w;
        n -= (size_t)w;
    }
    return true;
}

static bool copy(int fd, const struct delivery_target *t, const struct delivery_file *file,
                 struct delivery_result *out)
{
    uint8_t buf[65536];

    for (;;) {
        size_t got = 0;

        if (file->read(file->ctx, buf, sizeof buf, &got) != EMT_OK) {
            delivery_say(out, DELIVERY_RETRY, "the file cannot be read");
            return false;
        }
        if (got == 0)
            break;
        if (!write_all(fd, buf, got)) {
            say_errno(out, "cannot write in", t->path, errno);
            return false;
        }
        out->bytes += got;
    }
    if (out->bytes != file->size) {
        delivery_say(out, DELIVERY_RETRY, "the file ended after %llu of %llu bytes",
                     (unsigned long long)out->bytes, (unsigned long long)file->size);
        return false;
    }
    if (fsync(fd) != 0) {
        say_errno(out, "cannot write in", t->path, errno);
        return false;
    }
    return true;
}

/* The name is taken: by this very file, when its size says so. */
static void name_is_taken(int dir, const struct delivery_target *t,
                          const struct delivery_file *file, struct delivery_result *out)
{
    struct stat st;

    if (file->may_be_there && fstatat(dir, file->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISREG(st.st_mode) && (uint64_t)st.st_size == file->size)
        delivery_say(out, DELIVERY_THERE, "%s was there already", file->name);
    else
        delivery_say(out, DELIVERY_REFUSED, "%s exists in %.180s and is another file", file->name,
                     t->path);
}

/* As rename(), but EEXIST in the place of replacing. Network shares know one of the two ways. */
static bool give_name(int dir, const char *part, const char *name)
{
    if (linkat(dir, part, dir, name, 0) == 0)
        return true;
    if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS && errno != EMLINK)
        return false;
    return syscall(SYS_renameat2, dir, part, dir, name, RENAME_NOREPLACE) == 0;
}

static void put(int dir, const char *part, const struct delivery_target *t,
                const struct delivery_file *file, struct delivery_result *out)
{
    /* What a try that was cut off has left. */
    (void)unlinkat(dir, part, 0);
    int fd = openat(dir, part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);

    if (fd < 0) {
        say_errno(out, "cannot write in", t->path, errno);
        return;
    }
    bool good = copy(fd, t, file, out);
    close(fd);
    if (good && !give_name(dir, part, file->name)) {
        good = false;
        if (errno == EEXIST)
            name_is_taken(dir, t, file, out);
        else
            say_errno(out, "cannot name the file in", t->path, errno);
    }
    (void)unlinkat(dir, part, 0);
    if (good && fsync(dir) != 0)
        say_errno(out, "cannot keep the name in", t->path, errno);
    else if (good)
        delivery_say(out, DELIVERY_DONE, "%s in %.180s", file->name, t->path);
}

void delivery_local(const struct delivery_target *t, const struct delivery_file *file,
                    struct delivery_result *out)
{
    int dir = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char part[DELIVERY_NAME_MAX + 8];

    if (dir < 0) {
        say_errno(out, "cannot open", t->path, errno);
        return;
    }
    snprintf(part, sizeof part, ".%s.part", file->name);
    if (file->may_be_there && faccessat(dir, file->name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        name_is_taken(dir, t, file, out);
    else
        put(dir, part, t, file, out);
    close(dir);
}
