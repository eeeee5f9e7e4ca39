#include "embedded_pg.h"

#include "base/backoff.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "pg_cluster.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WATCH_MS 200
#define STOP_MS 30000
#define ADOPT_MS 60000
/* Recovery after a crash replays up to max_wal_size: slow disks take minutes. */
#define START_MS 900000
/* Ran this long: the next failure starts counting anew. */
#define STEADY_MS 60000

struct embedded_pg {
    struct pg_cluster cluster;
    char conninfo[200];
    char superuser[200];
    int lock_fd;
    bool (*cancelled)(void);
    bool adopted;
    bool ours; /* our child: waitpid() works */
    _Atomic pid_t postmaster;
    atomic_uint restarts;
    atomic_bool stopping;
    bool watching;
    pthread_t watcher;
};

static void sleep_ms(int64_t ms)
{
    struct timespec t = { (time_t)(ms / 1000), (long)(ms % 1000) * 1000000 };

    (void)nanosleep(&t, NULL);
}

/* ---- the process ---- */

/* The number may belong to somebody else by now: a postmaster works in its data folder. */
static bool is_postmaster_of(pid_t pid, const struct pg_cluster *c)
{
    char link[64], cwd[320];
    ssize_t n;

    if (pid <= 1)
        return false;
    snprintf(link, sizeof link, "/proc/%d/cwd", (int)pid);
    n = readlink(link, cwd, sizeof cwd - 1);
    if (n <= 0)
        return false;
    cwd[n] = 0;
    return strcmp(cwd, c->data) == 0;
}

static bool is_alive(struct embedded_pg *e)
{
    pid_t pid = e->postmaster;

    if (pid <= 0)
        return false;
    if (!e->ours) /* nobody may wait for it: a zombie has no folder any more */
        return is_postmaster_of(pid, &e->cluster);
    /* The child stays a zombie until it is waited for, so its number is not given away meanwhile.
     */
    if (waitpid(pid, NULL, WNOHANG) == 0)
        return true;
    e->postmaster = 0;
    return false;
}

static enum emt_err launch(struct embedded_pg *e)
{
    char config[320];
    const char *const args[] = { "postgres", "-D", e->cluster.data, "-c", config, NULL };
    pid_t pid;
    enum emt_err err;

    snprintf(config, sizeof config, "config_file=%s/postgresql.conf", e->cluster.base);
    err = pg_cluster_spawn(&e->cluster, "postgres", args, &pid);
    if (err == EMT_OK) {
        e->ours = true;
        e->postmaster = pid;
    }
    return err;
}

static bool answers(const struct embedded_pg *e)
{
    struct store *s = NULL;
    bool up = store_open_user(e->superuser, "postgres", 2000, &s, NULL) == EMT_OK;

    store_close(s);
    return up;
}

/* Waits until it answers or is gone. */
static bool comes_up(struct embedded_pg *e, int64_t limit_ms)
{
    int64_t since = clock_mono_ms();
    int64_t told = since;

    while (is_alive(e)) {
        if (answers(e))
            return true;
        if (e->cancelled() || clock_mono_ms() - since > limit_ms)
            return false;
        if (clock_mono_ms() - told > 10000) {
            told = clock_mono_ms();
            LOG_NOTICE("embedded-pg-waiting", LOG_I("seconds", (told - since) / 1000));
        }
        sleep_ms(50);
    }
    return false;
}

static void signal_and_wait(struct embedded_pg *e, int sig, int64_t limit_ms)
{
    int64_t since = clock_mono_ms();

    if (e->postmaster > 0)
        (void)kill(e->postmaster, sig);
    while (is_alive(e) && clock_mono_ms() - since < limit_ms)
        sleep_ms(20);
}

/* ---- one that was left behind ---- */

/* Line 1: process number, line 5: folder of its socket. */
static pid_t read_pid_file(const struct pg_cluster *c, char *socket_dir, size_t size)
{
    char path[330];
    char *text, *at;
    size_t len;
    pid_t pid;

    snprintf(path, sizeof path, "%s/postmaster.pid", c->data);
    if (file_read(path, 4096, &text, &len, NULL) != EMT_OK)
        return 0;
    pid = (pid_t)strtol(text, NULL, 10);
    at = text;
    for (int line = 1; at && line < 5; line++) {
        at = strchr(at, '\n');
        at = at ? at + 1 : NULL;
    }
    snprintf(socket_dir, size, "%.*s", at ? (int)strcspn(at, "\n") : 0, at ? at : "");
    free(text);
    return pid;
}

static bool adopt(struct embedded_pg *e)
{
    char socket_dir[108];
    pid_t pid = read_pid_file(&e->cluster, socket_dir, sizeof socket_dir);

    if (!is_postmaster_of(pid, &e->cluster))
        return false;
    e->postmaster = pid;
    e->ours = false;
    if (strcmp(socket_dir, e->cluster.socket_dir) == 0 && comes_up(e, ADOPT_MS)) {
        (void)kill(pid, SIGHUP); /* the configuration was just written anew */
        LOG_NOTICE("embedded-pg-adopted", LOG_I("pid", pid));
        return true;
    }
    LOG_WARN("embedded-pg-stopped-stranger", LOG_I("pid", pid));
    signal_and_wait(e, SIGINT, STOP_MS);
    signal_and_wait(e, SIGQUIT, STOP_MS);
    e->postmaster = 0;
    return false;
}

/* ---- watching ---- */

static void wait_unless_stopping(struct embedded_pg *e, int64_t ms)
{
    int64_t until = clock_mono_ms() + ms;

    while (!e->stopping && clock_mono_ms() < until)
        sleep_ms(WATCH_MS);
}

static void *watch(void *arg)
{
    struct embedded_pg *e = arg;
    struct backoff back = { 200, 30000, 0 };
    int64_t started = clock_mono_ms();
    char words[200];

    while (!e->stopping) {
        if (is_alive(e)) {
            sleep_ms(WATCH_MS);
            continue;
        }
        if (clock_mono_ms() - started > STEADY_MS)
            backoff_reset(&back);
        LOG_ERROR("embedded-pg-died", LOG_I("restarts", e->restarts),
                  LOG_S("last", pg_cluster_last_words(&e->cluster, words, sizeof words)));
        wait_unless_stopping(e, backoff_next(&back));
        if (e->stopping)
            break;
        started = clock_mono_ms();
        e->restarts++;
        if (launch(e) != EMT_OK)
            LOG_ERROR("embedded-pg-does-not-start", LOG_S("error", strerror(errno)));
    }
    return NULL;
}

/* ---- life ---- */

static enum emt_err take_lock(struct embedded_pg *e, const char *dir, struct emt_diag *diag)
{
    char path[320];
    enum emt_err err = file_mkdirs(dir, 0755, diag);

    if (err == EMT_OK)
        err = file_join(path, sizeof path, dir, "lock");
    if (err != EMT_OK)
        return err;
    e->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (e->lock_fd < 0)
        return emt_fail(diag, EMT_EIO, "%s: %s", path, strerror(errno));
    if (flock(e->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return emt_fail(diag, EMT_ESTATE, "%s: another emtd runs here", dir);
    return EMT_OK;
}

static enum emt_err start_new(struct embedded_pg *e, struct emt_diag *diag)
{
    struct backoff back = { 200, 2000, 0 };
    char words[200];

    /* Backends that a killed postmaster left behind hold its shared memory for a moment. */
    for (int attempt = 0; attempt < 10 && !e->cancelled(); attempt++) {
        if (launch(e) == EMT_OK && comes_up(e, START_MS))
            return EMT_OK;
        sleep_ms(backoff_next(&back));
    }
    return emt_fail(diag, EMT_EINTERNAL, "PostgreSQL does not start: %s",
                    pg_cluster_last_words(&e->cluster, words, sizeof words));
}

static enum emt_err keep_conninfo(const struct embedded_pg *e, const char *dir,
                                  struct emt_diag *diag)
{
    char path[320], line[220];
    enum emt_err err = file_join(path, sizeof path, dir, "conninfo");

    snprintf(line, sizeof line, "%s\n", e->conninfo);
    return err == EMT_OK ? file_write(path, line, strlen(line), 0644, diag) : err;
}

enum emt_err embedded_pg_start(const char *dir, bool (*cancelled)(void), struct embedded_pg **out,
                               struct emt_diag *diag)
{
    struct embedded_pg *e = calloc(1, sizeof *e);
    enum emt_err err;

    if (!e)
        return EMT_ENOMEM;
    e->lock_fd = -1;
    e->cancelled = cancelled;
    err = take_lock(e, dir, diag);
    if (err == EMT_OK)
        err = pg_cluster_prepare(&e->cluster, dir, diag);
    if (err == EMT_OK) {
        snprintf(e->conninfo, sizeof e->conninfo, "host=%s dbname=emt", e->cluster.socket_dir);
        snprintf(e->superuser, sizeof e->superuser, "host=%s dbname=postgres",
                 e->cluster.socket_dir);
        err = keep_conninfo(e, dir, diag);
    }
    if (err == EMT_OK) {
        e->adopted = adopt(e);
        if (!e->adopted)
            err = start_new(e, diag);
    }
    if (err == EMT_OK) {
        e->watching = pthread_create(&e->watcher, NULL, watch, e) == 0;
        if (!e->watching)
            err = emt_fail(diag, EMT_ENOMEM, "no thread");
    }
    if (err != EMT_OK) {
        embedded_pg_stop(e);
        return err;
    }
    *out = e;
    return EMT_OK;
}

const char *embedded_pg_conninfo(const struct embedded_pg *e)
{
    return e->conninfo;
}

const char *embedded_pg_superuser_conninfo(const struct embedded_pg *e)
{
    return e->superuser;
}

bool embedded_pg_was_adopted(const struct embedded_pg *e)
{
    return e->adopted;
}

unsigned embedded_pg_restarts(const struct embedded_pg *e)
{
    return e->restarts;
}

void embedded_pg_stop(struct embedded_pg *e)
{
    if (!e)
        return;
    e->stopping = true;
    if (e->watching)
        pthread_join(e->watcher, NULL);
    signal_and_wait(e, SIGINT, STOP_MS);
    signal_and_wait(e, SIGQUIT, STOP_MS);
    if (e->cluster.socket_dir[0])
        (void)rmdir(e->cluster.socket_dir); /* made at each start, and empty by now */
    if (e->lock_fd >= 0)
        close(e->lock_fd);
    free(e);
}

void embedded_pg_abandon(struct embedded_pg *e)
{
    if (e && e->postmaster > 0)
        (void)kill(e->postmaster, SIGINT);
}
