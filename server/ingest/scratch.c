/* Layout of the file, in host order (it never leaves the machine):
 *
 *  off  size  field
 *    0     8  "EMTNOTE1"
 *    8     4  1 while a frame is being decoded
 *   12     4  hashes in the list
 *   16     4  where the next one goes
 *   32    16  hash of the frame being decoded
 *   64  1600  the list, 100 hashes
 */
#include "ingest/scratch.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define FILE_SIZE 4096
#define LIST_MAX 100u
#define HASH_LEN 16
static const char magic[8] = { 'E', 'M', 'T', 'N', 'O', 'T', 'E', '1' };

struct note_file {
    char magic[8];
    uint32_t busy;
    uint32_t count;
    uint32_t next;
    uint8_t unused[12];
    uint8_t now[HASH_LEN];
    uint8_t unused2[16];
    uint8_t list[LIST_MAX][HASH_LEN];
};
static_assert(offsetof(struct note_file, list) == 64 && sizeof(struct note_file) <= FILE_SIZE,
              "the layout above");

struct scratch {
    struct note_file *file;
    int fd; /* locked: whoever looks at the file sees that its note is of a living process */
};

static bool listed(const struct note_file *f, const uint8_t *hash)
{
    for (uint32_t i = 0; i < f->count; i++) {
        if (memcmp(f->list[i], hash, HASH_LEN) == 0)
            return true;
    }
    return false;
}

static void list_add(struct note_file *f, const uint8_t *hash)
{
    if (listed(f, hash))
        return;
    memcpy(f->list[f->next], hash, HASH_LEN);
    f->next = (f->next + 1) % LIST_MAX;
    if (f->count < LIST_MAX)
        f->count++;
}

static bool is_sound(const struct note_file *f)
{
    return memcmp(f->magic, magic, sizeof magic) == 0 && f->count <= LIST_MAX && f->next < LIST_MAX;
}

/* A file that is none of ours, or damaged, starts anew: losing a note costs one more crash, not a
 * frame. */
static void adopt(struct note_file *f)
{
    if (!is_sound(f)) {
        memset(f, 0, FILE_SIZE);
        memcpy(f->magic, magic, sizeof magic);
        return;
    }
    if (f->busy)
        list_add(f, f->now);
    f->busy = 0;
}

static void adopt_file(struct note_file *f, const char *path)
{
    struct note_file other;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return;
    bool in_use = flock(fd, LOCK_SH | LOCK_NB) != 0;
    bool whole = read(fd, &other, sizeof other) == (ssize_t)sizeof other;
    close(fd);
    if (!whole || !is_sound(&other))
        return;
    for (uint32_t i = 0; i < other.count; i++)
        list_add(f, other.list[i]);
    if (other.busy && !in_use)
        list_add(f, other.now);
}

/* After a crash the gateway may dial another loop: what one of them noted, all of them know. Files
 * beside ours whose name holds "scratch" are theirs, those not yet opened included. */
static void adopt_siblings(struct note_file *f, const char *path)
{
    const char *slash = strrchr(path, '/');
    char pattern[PATH_MAX];
    glob_t found;

    int n = snprintf(pattern, sizeof pattern, "%.*s*scratch*", slash ? (int)(slash + 1 - path) : 0,
                     path);
    if (n < 0 || (size_t)n >= sizeof pattern || glob(pattern, GLOB_NOSORT, NULL, &found) != 0)
        return;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        if (strcmp(found.gl_pathv[i], path) != 0)
            adopt_file(f, found.gl_pathv[i]);
    }
    globfree(&found);
}

enum emt_err scratch_open(const char *path, struct scratch **out, struct emt_diag *diag)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct scratch *s;
    void *p = MAP_FAILED;

    if (fd < 0)
        return emt_fail(diag, EMT_EIO, "%s: %s", path, strerror(errno));
    /* A hole in a mapped file is a signal when the disk is full: the pages are taken now. */
    errno = flock(fd, LOCK_EX | LOCK_NB) == 0 ? posix_fallocate(fd, 0, FILE_SIZE) : EBUSY;
    if (errno == 0)
        p = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) {
        enum emt_err err = emt_fail(diag, EMT_EIO, "%s: %s", path, strerror(errno));

        close(fd);
        return err;
    }
    s = malloc(sizeof *s);
    if (!s) {
        munmap(p, FILE_SIZE);
        close(fd);
        return EMT_ENOMEM;
    }
    s->file = p;
    s->fd = fd;
    adopt(s->file);
    adopt_siblings(s->file, path);
    *out = s;
    return EMT_OK;
}

void scratch_close(struct scratch *s)
{
    if (!s)
        return;
    munmap(s->file, FILE_SIZE);
    close(s->fd);
    free(s);
}

/* The fences keep the compiler from moving the note behind the decoder; the processor's order does
 * not matter, since only this process's own death is looked at afterwards. */
void scratch_enter(struct scratch *s, const uint8_t hash[16])
{
    memcpy(s->file->now, hash, HASH_LEN);
    atomic_signal_fence(memory_order_seq_cst);
    s->file->busy = 1;
    atomic_signal_fence(memory_order_seq_cst);
}

void scratch_leave(struct scratch *s)
{
    atomic_signal_fence(memory_order_seq_cst);
    s->file->busy = 0;
    atomic_signal_fence(memory_order_seq_cst);
}

bool scratch_is_poisoned(const struct scratch *s, const uint8_t hash[16])
{
    return listed(s->file, hash);
}

size_t scratch_poisoned(const struct scratch *s)
{
    return s->file->count;
}
