#include "pg_template.h"

#include "base/clock.h"
#include "base/file.h"

#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

/* EMT_PG_TEMPLATE: a folder of the build; data: the cluster, key: of what it was made. */
#define KEY_FILE EMT_PG_TEMPLATE "/key"
#define DATA EMT_PG_TEMPLATE "/data"
#define KEY_MAX 512
#define FNV_BASIS UINT64_C(14695981039346656037)
#define FNV_PRIME UINT64_C(1099511628211)

int pg_template_lock(void)
{
    int fd;

    if (file_mkdirs(EMT_PG_TEMPLATE, 0700, NULL) != EMT_OK)
        return -1;
    fd = open(EMT_PG_TEMPLATE "/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

void pg_template_unlock(int lock)
{
    if (lock >= 0)
        close(lock);
}

static uint64_t hash_file(uint64_t h, const char *path)
{
    char *text;
    size_t len;

    if (file_read(path, 1 << 22, &text, &len, NULL) != EMT_OK)
        return h;
    for (size_t i = 0; i < len; i++)
        h = (h ^ (uint8_t)text[i]) * FNV_PRIME;
    free(text);
    return h;
}

static void make_key(const char *bin, char key[KEY_MAX])
{
    uint64_t h = FNV_BASIS;
    char today[32];
    glob_t g;

    if (glob(EMT_MIGRATIONS "/*.sql", 0, NULL, &g) == 0) {
        for (size_t i = 0; i < g.gl_pathc; i++)
            h = hash_file(h, g.gl_pathv[i]);
    }
    globfree(&g);
    time_format(clock_now(), today);
    snprintf(key, KEY_MAX, "%s %016" PRIx64 " %.10s\n", bin, h, today);
}

static bool run(const char *const *argv)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static bool copy(const char *from, const char *to)
{
    return run((const char *const[]){ "cp", "-a", "--reflink=auto", from, to, NULL });
}

static bool remove_all(const char *path)
{
    return run((const char *const[]){ "rm", "-rf", "--", path, NULL });
}

bool pg_template_take(const char *bin, const char *data)
{
    char key[KEY_MAX];
    char *kept;
    size_t len;
    bool same;

    if (file_read(KEY_FILE, KEY_MAX, &kept, &len, NULL) != EMT_OK)
        return false;
    make_key(bin, key);
    same = strcmp(kept, key) == 0;
    free(kept);
    if (same && copy(DATA, data))
        return true;
    (void)remove_all(data);
    return false;
}

void pg_template_keep(const char *bin, const char *data)
{
    char key[KEY_MAX];

    /* The key comes last: without one there is no template. */
    make_key(bin, key);
    (void)unlink(KEY_FILE);
    if (!remove_all(DATA) || !copy(data, DATA) ||
        file_write(KEY_FILE, key, strlen(key), 0600, NULL) != EMT_OK)
        fprintf(stderr, "pg_template: the cluster is not kept for other tests\n");
}
