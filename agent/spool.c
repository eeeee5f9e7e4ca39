/* Recovery looks at every multiple of 16 for a record whose checksum holds. The random spool id
 * goes into the checksum, so that a radio telegram which contains the bytes of a record is never
 * taken for one. Frames are sent only after they are durable; a number that a power loss takes back
 * has therefore never left the gateway and may be used again. The cursor is written without sync:
 * when it is lost, more is offered than owed, and the head-end's Welcome says what it has. */
#include "agent/spool.h"

#include "base/cipher.h"
#include "seq_index.h"
#include "spool_format.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

struct spool {
    int fd;
    bool sync;
    bool broken; /* a sync failed: what the kernel still holds is not known any more */
    char *path;
    uint8_t id[SPOOL_ID_LEN];
    uint32_t seed; /* checksum over the id */
    uint64_t size;
    struct seq_index index;
    uint64_t write_at; /* offset in the ring */
    uint64_t durable;
    uint64_t acked;
    uint64_t owed;
    uint64_t generation;
    uint64_t given_up;
    uint64_t damaged;
};

/* --- recovery --- */

static enum emt_err cursor_write(struct spool *s)
{
    struct spool_cursor c = { ++s->generation, s->acked, s->durable };
    uint8_t out[SPOOL_CURSOR_LEN];

    spool_cursor_put(s->seed, &c, out);
    return spool_write_at(s->fd, out, sizeof out,
                          SPOOL_CURSOR_AT + SPOOL_SECTOR * (c.generation & 1u));
}

static void cursor_read(struct spool *s, const uint8_t *file)
{
    for (size_t slot = 0; slot < 2; slot++) {
        struct spool_cursor c;
        if (spool_cursor_get(s->seed, file + SPOOL_CURSOR_AT + SPOOL_SECTOR * slot, &c) &&
            c.generation > s->generation) {
            s->generation = c.generation;
            s->acked = c.acked;
            s->durable = c.durable;
        }
    }
}

struct found {
    uint64_t seq;
    uint64_t at;
    uint64_t end;
};

struct found_list {
    struct found *item;
    size_t n, cap;
};

static enum emt_err found_add(struct found_list *l, struct found f)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 256;
        struct found *item = realloc(l->item, cap * sizeof *item);
        if (!item)
            return EMT_ENOMEM;
        l->item = item;
        l->cap = cap;
    }
    l->item[l->n++] = f;
    return EMT_OK;
}

static enum emt_err scan(const struct spool *s, const uint8_t *ring, struct found_list *out)
{
    for (uint64_t at = 0; at + SPOOL_RECORD_HEAD <= s->size;) {
        struct spool_frame f;
        if (!spool_record_get(s->seed, ring + at, (size_t)(s->size - at), &f)) {
            at += SPOOL_UNIT;
            continue;
        }
        struct found found = { f.seq, at, at + spool_record_size(f.len) };
        if (found_add(out, found) != EMT_OK)
            return EMT_ENOMEM;
        at = found.end;
    }
    return EMT_OK;
}

static int by_seq(const void *a, const void *b)
{
    const struct found *x = a, *y = b;

    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* Going back from the newest record, the others stand ever further behind it, within one lap and
 * without a number twice. What stands otherwise is left over from an earlier lap; returns the
 * number of leading records to pass over. */
static size_t leftover(const struct spool *s, const struct found_list *l)
{
    const struct found *newest = &l->item[l->n - 1];
    uint64_t behind = 0;

    for (size_t i = l->n; i-- > 0;) {
        const struct found *f = &l->item[i];
        uint64_t back = (newest->end + s->size - f->at) % s->size;

        back = back == 0 ? s->size : back;
        if (back <= behind || newest->seq - f->seq >= s->size / SPOOL_UNIT)
            return i + 1;
        if (i + 1 < l->n && f->seq == l->item[i + 1].seq)
            return i + 1;
        behind = back;
    }
    return 0;
}

static enum emt_err index_fill(struct spool *s, const struct found_list *l)
{
    struct seq_index *x = &s->index;
    size_t from = l->n ? leftover(s, l) : 0;

    x->base = l->n ? l->item[from].seq : s->durable + 1;
    for (size_t i = from; i < l->n; i++) {
        while (seq_index_end(x) < l->item[i].seq) {
            if (seq_index_push(x, HOLE) != EMT_OK)
                return EMT_ENOMEM;
        }
        if (seq_index_push(x, (uint32_t)(l->item[i].at / SPOOL_UNIT)) != EMT_OK)
            return EMT_ENOMEM;
    }
    if (l->n)
        s->write_at = l->item[l->n - 1].end % s->size;
    /* Numbers that were durable once are never given again, even when their frames are damaged. */
    if (s->durable + 1 > seq_index_end(x) + s->size / SPOOL_UNIT) {
        x->count = 0;
        x->base = s->durable + 1;
    }
    while (seq_index_end(x) <= s->durable) {
        if (seq_index_push(x, HOLE) != EMT_OK)
            return EMT_ENOMEM;
    }
    return EMT_OK;
}

static void count_owed(struct spool *s)
{
    uint64_t from = s->acked + 1 > s->index.base ? s->acked + 1 : s->index.base;

    s->owed = 0;
    for (uint64_t seq = from; seq < seq_index_end(&s->index); seq++) {
        if (seq_index_get(&s->index, seq) != HOLE)
            s->owed++;
        else
            s->damaged++;
    }
}

static enum emt_err recover(struct spool *s, const uint8_t *file)
{
    struct found_list l = { 0 };

    s->seed = spool_seed(s->id);
    cursor_read(s, file);
    enum emt_err err = scan(s, file + SPOOL_RING_AT, &l);
    if (err == EMT_OK) {
        if (l.n)
            qsort(l.item, l.n, sizeof *l.item, by_seq);
        err = index_fill(s, &l);
    }
    free(l.item);
    if (err == EMT_OK)
        count_owed(s);
    return err;
}

/* --- opening --- */

static enum emt_err sync_folder(const char *path)
{
    char copy[PATH_MAX];

    if (snprintf(copy, sizeof copy, "%s", path) >= (int)sizeof copy)
        return EMT_ELIMIT;
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return EMT_EIO;
    int rc = fsync(fd);
    close(fd);
    return rc == 0 ? EMT_OK : EMT_EIO;
}

static enum emt_err fill_new_file(int fd, uint64_t size)
{
    uint8_t id[SPOOL_ID_LEN];
    uint8_t header[SPOOL_SECTOR];
    enum emt_err err = cipher_random(id, sizeof id);

    if (err != EMT_OK)
        return err;
    if (posix_fallocate(fd, 0, (off_t)(SPOOL_RING_AT + size)) != 0)
        return EMT_EIO; /* a full disk shows now and not in the middle of the night */
    spool_header_put(id, size, header);
    err = spool_write_at(fd, header, SPOOL_SECTOR, 0);
    if (err == EMT_OK)
        err = spool_write_at(fd, header, SPOOL_SECTOR, SPOOL_SECTOR);
    if (err == EMT_OK && fsync(fd) != 0)
        err = EMT_EIO;
    return err;
}

/* A new, complete spool under a temporary name; the caller renames it. */
static enum emt_err create_file(const char *path, uint64_t size, char temporary[PATH_MAX], int *out,
                                struct emt_diag *diag)
{
    if (size < SPOOL_SIZE_MIN || size > SPOOL_SIZE_MAX)
        return emt_fail(diag, EMT_ELIMIT, "spool size must be between 64 KiB and 16 GiB");
    size -= size % 4096;
    if (snprintf(temporary, PATH_MAX, "%s.new", path) >= PATH_MAX)
        return emt_fail(diag, EMT_ELIMIT, "path too long");
    int fd = open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return emt_fail(diag, EMT_EIO, "%s: %s", temporary, strerror(errno));
    enum emt_err err = fill_new_file(fd, size);
    if (err != EMT_OK) {
        close(fd);
        unlink(temporary);
        return emt_fail(diag, err, "%s: cannot make a spool of %llu bytes", temporary,
                        (unsigned long long)size);
    }
    *out = fd;
    return EMT_OK;
}

static enum emt_err open_file(const char *path, const struct spool_options *options, int *out,
                              struct emt_diag *diag)
{
    char temporary[PATH_MAX];
    int fd = open(path, O_RDWR | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT) {
        enum emt_err err = create_file(path, options->size, temporary, &fd, diag);
        if (err != EMT_OK)
            return err;
        /* link() instead of rename(): of two programs that start at once, only one makes the file.
         */
        if (link(temporary, path) != 0 || sync_folder(path) != EMT_OK) {
            close(fd);
            unlink(temporary);
            return emt_fail(diag, errno == EEXIST ? EMT_ECONFLICT : EMT_EIO, "%s: %s", path,
                            strerror(errno));
        }
        unlink(temporary);
    }
    if (fd < 0)
        return emt_fail(diag, EMT_EIO, "%s: %s", path, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        return emt_fail(diag, EMT_ECONFLICT, "%s: in use by another process", path);
    }
    *out = fd;
    return EMT_OK;
}

static enum emt_err read_header(struct spool *s)
{
    uint8_t header[SPOOL_SECTOR];

    for (uint64_t copy = 0; copy < 2; copy++) {
        if (spool_read_at(s->fd, header, SPOOL_SECTOR, copy * SPOOL_SECTOR) == EMT_OK &&
            spool_header_get(header, s->id, &s->size))
            return EMT_OK;
    }
    return EMT_EMALFORMED;
}

/* Writes both copies again (one may be damaged) and gives a truncated file its size back. */
static enum emt_err repair_file(struct spool *s)
{
    uint8_t header[SPOOL_SECTOR];
    struct stat st;

    if (fstat(s->fd, &st) != 0)
        return EMT_EIO;
    if ((uint64_t)st.st_size < SPOOL_RING_AT + s->size &&
        posix_fallocate(s->fd, 0, (off_t)(SPOOL_RING_AT + s->size)) != 0)
        return EMT_EIO;
    spool_header_put(s->id, s->size, header);
    enum emt_err err = spool_write_at(s->fd, header, SPOOL_SECTOR, 0);
    if (err == EMT_OK)
        err = spool_write_at(s->fd, header, SPOOL_SECTOR, SPOOL_SECTOR);
    return err;
}

static enum emt_err load(struct spool *s, struct emt_diag *diag)
{
    if (read_header(s) != EMT_OK)
        return emt_fail(diag, EMT_EMALFORMED, "%s: no spool, or its header is damaged", s->path);
    if (repair_file(s) != EMT_OK)
        return emt_fail(diag, EMT_EIO, "%s: %s", s->path, strerror(errno));
    size_t length = (size_t)(SPOOL_RING_AT + s->size);
    uint8_t *file = mmap(NULL, length, PROT_READ, MAP_SHARED, s->fd, 0);
    if (file == MAP_FAILED)
        return emt_fail(diag, EMT_EIO, "%s: %s", s->path, strerror(errno));
    enum emt_err err = recover(s, file);
    munmap(file, length);
    if (err == EMT_OK)
        err = spool_sync(
            s); /* what a killed process left in the page cache becomes durable before it is sent */
    if (err != EMT_OK)
        return emt_fail(diag, err, "%s: recovery failed", s->path);
    return EMT_OK;
}

static struct spool *spool_new(int fd, const char *path, bool sync)
{
    struct spool *s = calloc(1, sizeof *s);

    if (s)
        s->path = strdup(path);
    if (!s || !s->path) {
        free(s);
        return NULL;
    }
    s->fd = fd;
    s->sync = sync;
    return s;
}

enum emt_err spool_open(const char *path, const struct spool_options *options, struct spool **out,
                        struct emt_diag *diag)
{
    int fd = -1;
    enum emt_err err = open_file(path, options, &fd, diag);

    if (err != EMT_OK)
        return err;
    struct spool *s = spool_new(fd, path, options->sync);
    if (!s) {
        close(fd);
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    }
    err = load(s, diag);
    if (err != EMT_OK) {
        spool_close(s);
        return err;
    }
    *out = s;
    return EMT_OK;
}

void spool_close(struct spool *s)
{
    if (!s)
        return;
    close(s->fd);
    free(s->path);
    seq_index_release(&s->index);
    free(s);
}

/* --- use --- */

const uint8_t *spool_id(const struct spool *s)
{
    return s->id;
}

static uint64_t first_present(const struct spool *s, uint64_t from)
{
    for (uint64_t seq = from > s->index.base ? from : s->index.base; seq < seq_index_end(&s->index);
         seq++) {
        if (seq_index_get(&s->index, seq) != HOLE)
            return seq;
    }
    return 0;
}

void spool_stats(const struct spool *s, struct spool_stats *out)
{
    uint64_t oldest = first_present(s, 0);
    uint64_t owed = first_present(s, s->acked + 1);

    *out = (struct spool_stats){ .size = s->size,
                                 .next_seq = seq_index_end(&s->index),
                                 .oldest_seq = oldest ? oldest : seq_index_end(&s->index),
                                 .durable_seq = s->durable,
                                 .acked_seq = s->acked,
                                 .owed_frames = s->owed,
                                 .given_up = s->given_up,
                                 .damaged = s->damaged };
    if (owed) {
        uint64_t at = (uint64_t)seq_index_get(&s->index, owed) * SPOOL_UNIT;
        uint64_t used = (s->write_at + s->size - at) % s->size;
        out->owed_bytes = used ? used : s->size;
    }
}

/* Gives the frames that stand in from .. to-1 of the ring away; they are the oldest ones. */
static void make_room(struct spool *s, uint64_t from, uint64_t to)
{
    struct seq_index *x = &s->index;

    while (x->count > 0) {
        uint32_t unit = seq_index_get(x, x->base);
        uint64_t at = (uint64_t)unit * SPOOL_UNIT;

        if (unit != HOLE && (at < from || at >= to))
            return;
        if (unit != HOLE && x->base > s->acked) {
            s->given_up++;
            s->owed--;
        }
        seq_index_drop_oldest(x);
    }
}

enum emt_err spool_append(struct spool *s, const struct spool_frame *frame, uint64_t *seq)
{
    uint8_t record[SPOOL_RECORD_MAX];

    if (s->broken)
        return EMT_EIO;
    if (frame->len == 0 || frame->len > SPOOL_FRAME_MAX)
        return EMT_ELIMIT;
    uint64_t next = seq_index_end(&s->index);
    size_t size = spool_record_put(s->seed, frame, next, record);

    if (s->write_at + size > s->size) {
        make_room(s, s->write_at, s->size);
        s->write_at = 0;
    }
    make_room(s, s->write_at, s->write_at + size);
    enum emt_err err = spool_write_at(s->fd, record, size, SPOOL_RING_AT + s->write_at);
    if (err != EMT_OK)
        return err;
    err = seq_index_push(&s->index, (uint32_t)(s->write_at / SPOOL_UNIT));
    if (err != EMT_OK)
        return err; /* the bytes are overwritten by the next frame */
    s->write_at = (s->write_at + size) % s->size;
    s->owed++;
    *seq = next;
    return EMT_OK;
}

enum emt_err spool_sync(struct spool *s)
{
    if (s->broken)
        return EMT_EIO;
    /* After a failed fdatasync the kernel may have dropped the pages and call the next one a
     * success: no second try. */
    if (s->sync && fdatasync(s->fd) != 0) {
        s->broken = true;
        return EMT_EIO;
    }
    s->durable = seq_index_end(&s->index) - 1;
    return EMT_OK;
}

enum emt_err spool_ack(struct spool *s, uint64_t up_to)
{
    if (up_to > s->durable)
        up_to = s->durable;
    if (up_to <= s->acked)
        return EMT_OK;
    uint64_t from = s->acked + 1 > s->index.base ? s->acked + 1 : s->index.base;
    for (uint64_t seq = from; seq <= up_to; seq++) {
        if (seq_index_get(&s->index, seq) != HOLE)
            s->owed--;
    }
    s->acked = up_to;
    return cursor_write(s);
}

uint64_t spool_next(const struct spool *s, uint64_t from)
{
    uint64_t seq = first_present(s, from);

    return seq <= s->durable ? seq : 0;
}

enum emt_err spool_read(struct spool *s, uint64_t seq, uint8_t *buf, struct spool_frame *out)
{
    uint32_t unit = seq_index_get(&s->index, seq);
    uint8_t record[SPOOL_RECORD_MAX];
    struct spool_frame f;

    if (unit == HOLE)
        return EMT_ENOTFOUND;
    uint64_t at = (uint64_t)unit * SPOOL_UNIT;
    size_t left = s->size - at < SPOOL_RECORD_MAX ? (size_t)(s->size - at) : SPOOL_RECORD_MAX;
    enum emt_err err = spool_read_at(s->fd, record, left, SPOOL_RING_AT + at);
    if (err != EMT_OK || !spool_record_get(s->seed, record, left, &f) || f.seq != seq) {
        seq_index_set(&s->index, seq, HOLE);
        s->damaged++;
        if (seq > s->acked)
            s->owed--;
        return EMT_EMALFORMED;
    }
    memcpy(buf, f.data, f.len);
    f.data = buf;
    *out = f;
    return EMT_OK;
}

/* --- a new identity --- */

static enum emt_err carry_over(struct spool *from, struct spool *to)
{
    uint8_t *buf = malloc(SPOOL_FRAME_MAX);
    enum emt_err err = buf ? EMT_OK : EMT_ENOMEM;
    uint64_t seq = spool_next(from, from->acked + 1);

    while (err == EMT_OK && seq != 0) {
        struct spool_frame f;
        uint64_t unused;
        err = spool_read(from, seq, buf, &f);
        if (err == EMT_OK)
            err = spool_append(to, &f, &unused);
        else if (err == EMT_EMALFORMED)
            err = EMT_OK; /* counted as damaged */
        seq = spool_next(from, seq + 1);
    }
    free(buf);
    return err == EMT_OK ? spool_sync(to) : err;
}

enum emt_err spool_renew(struct spool *s, struct emt_diag *diag)
{
    char temporary[PATH_MAX];
    int fd = -1;
    enum emt_err err = spool_sync(s);

    if (err == EMT_OK)
        err = create_file(s->path, s->size, temporary, &fd, diag);
    if (err != EMT_OK)
        return err;
    struct spool *n = spool_new(fd, s->path, s->sync);
    if (!n) {
        close(fd);
        unlink(temporary);
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    }
    err = flock(fd, LOCK_EX | LOCK_NB) == 0 ? load(n, diag) : EMT_EIO;
    if (err == EMT_OK)
        err = carry_over(s, n);
    if (err == EMT_OK && (rename(temporary, s->path) != 0 || sync_folder(s->path) != EMT_OK))
        err = emt_fail(diag, EMT_EIO, "%s: %s", s->path, strerror(errno));
    if (err != EMT_OK) {
        unlink(temporary);
        spool_close(n);
        return err;
    }
    n->given_up += s->given_up;
    n->damaged += s->damaged;
    struct spool old = *s;
    *s = *n;
    *n = old;
    spool_close(n);
    return EMT_OK;
}
