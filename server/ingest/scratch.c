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
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
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
};

static bool listed(const struct note_file *f, const uint8_t *hash)
{
    for (uint32_t i = 0; i < f->count; i++) {
        if (memcmp(f->list[i], hash, HASH_LEN) == 0)
            return true;
    }
    return false;
}

/* A file that is none of ours, or damaged, starts anew: losing a note costs one more crash, not a
 * frame. */
static void adopt(struct note_file *f)
{
    if (memcmp(f->magic, magic, sizeof magic) != 0 || f->count > LIST_MAX || f->next >= LIST_MAX) {
        memset(f, 0, FILE_SIZE);
        memcpy(f->magic, magic, sizeof magic);
        return;
    }
    if (f->busy && !listed(f, f->now)) {
        memcpy(f->list[f->next], f->now, HASH_LEN);
        f->next = (f->next + 1) % LIST_MAX;
        if (f->count < LIST_MAX)
            f->count++;
    }
    f->busy = 0;
}

enum emt_err scratch_open(const char *path, struct scratch **out, struct emt_diag *diag)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct scratch *s;
    void *p = MAP_FAILED;

    if (fd < 0)
        return emt_fail(diag, EMT_EIO, "%s: %s", path, strerror(errno));
    /* A hole in a mapped file is a signal when the disk is full: the pages are taken now. */
    errno = posix_fallocate(fd, 0, FILE_SIZE);
    if (errno == 0)
        p = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) {
        enum emt_err err = emt_fail(diag, EMT_EIO, "%s: %s", path, strerror(errno));

        close(fd);
        return err;
    }
    close(fd);
    s = malloc(sizeof *s);
    if (!s) {
        munmap(p, FILE_SIZE);
        return EMT_ENOMEM;
    }
    s->file = p;
    adopt(s->file);
    *out = s;
    return EMT_OK;
}

void scratch_close(struct scratch *s)
{
    if (!s)
        return;
    munmap(s->file, FILE_SIZE);
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
