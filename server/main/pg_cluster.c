#include "pg_cluster.h"

#include "base/cipher.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MADE_USER "emt-pg"
#define SOCKET_NAME "/.s.PGSQL.5432.lock"
#define SOCKET_PATH_MAX 100 /* sun_path holds 107 */
#define MAJOR_LEAST 15
#define ARGS_MAX 31

/* ---- who ---- */

static bool user_by_name(struct pg_cluster *c, const char *name)
{
    struct passwd *pw = getpwnam(name);

    if (!pw)
        return false;
    snprintf(c->user, sizeof c->user, "%s", pw->pw_name);
    c->uid = pw->pw_uid;
    c->gid = pw->pw_gid;
    return true;
}

static enum emt_err run_and_wait(const char *const *args)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        execvp(args[0], (char *const *)(uintptr_t)args);
        _exit(127);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? EMT_OK : EMT_EIO;
}

static enum emt_err choose_user(struct pg_cluster *c, struct emt_diag *diag)
{
    const char *const useradd[] = { "useradd",           "--system",     "--no-create-home",
                                    "--home-dir",        "/nonexistent", "--shell",
                                    "/usr/sbin/nologin", MADE_USER,      NULL };
    struct passwd *pw;

    c->uid = geteuid();
    c->gid = getegid();
    if (c->uid != 0) {
        pw = getpwuid(c->uid);
        if (!pw)
            return emt_fail(diag, EMT_ENOTFOUND, "user %u has no name", (unsigned)c->uid);
        snprintf(c->user, sizeof c->user, "%s", pw->pw_name);
        return EMT_OK;
    }
    c->switch_user = true;
    if (user_by_name(c, MADE_USER) || user_by_name(c, "postgres"))
        return EMT_OK;
    if (run_and_wait(useradd) == EMT_OK && user_by_name(c, MADE_USER))
        return EMT_OK;
    return emt_fail(diag, EMT_EIO, "root cannot run PostgreSQL, and making the user %s failed",
                    MADE_USER);
}

/* ---- which ---- */

static int major_of(const char *path)
{
    const char *at = strstr(path, "/postgresql/");

    return at ? (int)strtol(at + strlen("/postgresql/"), NULL, 10) : 0;
}

/* An existing cluster wants the version that made it; a new one takes the newest. */
static enum emt_err find_programs(struct pg_cluster *c, int wanted, struct emt_diag *diag)
{
    glob_t g;
    int best = 0;

    if (glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &g) == 0) {
        for (size_t i = 0; i < g.gl_pathc; i++) {
            int major = major_of(g.gl_pathv[i]);

            if (major < MAJOR_LEAST || major <= best || (wanted && major != wanted))
                continue;
            best = major;
            snprintf(c->bin, sizeof c->bin, "/usr/lib/postgresql/%d/bin", major);
        }
    }
    globfree(&g);
    if (best)
        return EMT_OK;
    if (wanted)
        return emt_fail(diag, EMT_ENOTFOUND,
                        "the cluster needs PostgreSQL %d, which is not installed", wanted);
    return emt_fail(diag, EMT_ENOTFOUND, "no PostgreSQL server (%d or newer) is installed",
                    MAJOR_LEAST);
}

static int version_of_data(const struct pg_cluster *c)
{
    char path[320];
    char *text;
    size_t len;
    int major;

    snprintf(path, sizeof path, "%s/PG_VERSION", c->data);
    if (file_read(path, 64, &text, &len, NULL) != EMT_OK)
        return 0;
    major = (int)strtol(text, NULL, 10);
    free(text);
    return major;
}

/* ---- where ---- */

/* In the child, as the server's user. Only what is safe after fork() beside threads. */
static bool become_user(const struct pg_cluster *c)
{
    return !c->switch_user ||
           (setgroups(0, NULL) == 0 && setgid(c->gid) == 0 && setuid(c->uid) == 0);
}

static bool user_reaches(const struct pg_cluster *c, const char *folder)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0)
        _exit(become_user(c) && chdir(folder) == 0 ? 0 : 1);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void short_hash(const char *dir, char out[9])
{
    uint8_t hash[32];

    cipher_sha256(dir, strlen(dir), hash);
    hex_encode(hash, 4, out);
}

static enum emt_err place_elsewhere(struct pg_cluster *c, const char *dir, const char *link,
                                    struct emt_diag *diag)
{
    char hash[9];
    enum emt_err err;

    short_hash(dir, hash);
    snprintf(c->base, sizeof c->base, "/var/lib/emt/pg-%s", hash);
    err = file_mkdirs(c->base, 0755, diag);
    if (err != EMT_OK)
        return err;
    if (!user_reaches(c, c->base))
        return emt_fail(diag, EMT_EIO, "user %s reaches neither %s nor %s", c->user, link, c->base);
    (void)rmdir(link);
    (void)unlink(link);
    if (symlink(c->base, link) != 0)
        return emt_fail(diag, EMT_EIO, "%s: %s", link, strerror(errno));
    return EMT_OK;
}

/* Letting the server's user through the one folder that is ours to open; what stands above it is
 * not. */
static bool open_way(const struct pg_cluster *c, const char *dir, const char *pg)
{
    struct stat st;

    if (user_reaches(c, pg))
        return true;
    return stat(dir, &st) == 0 && st.st_uid == geteuid() &&
           chmod(dir, (st.st_mode & 07777) | S_IXGRP | S_IXOTH) == 0 && user_reaches(c, pg);
}

static enum emt_err choose_place(struct pg_cluster *c, const char *dir, struct emt_diag *diag)
{
    char real[PATH_MAX];
    char link[PATH_MAX];
    struct stat st;
    enum emt_err err = file_mkdirs(dir, 0755, diag); /* secrets in here are 0600 files */

    if (err == EMT_OK && !realpath(dir, real))
        err = emt_fail(diag, EMT_EIO, "%s: %s", dir, strerror(errno));
    if (err == EMT_OK && strpbrk(real, "'\"\\\n"))
        err = emt_fail(diag, EMT_EUNSUPPORTED, "%s: quotes and backslashes in the path", dir);
    if (err == EMT_OK)
        err = file_join(link, sizeof link, real, "pg");
    if (err != EMT_OK)
        return err;
    if (lstat(link, &st) == 0 && S_ISLNK(st.st_mode))
        return place_elsewhere(c, real, link, diag);
    err = file_mkdirs(link, 0755, diag);
    if (err != EMT_OK)
        return err;
    if (!open_way(c, real, link))
        return place_elsewhere(c, real, link, diag);
    if (strlen(link) >= sizeof c->base)
        return emt_fail(diag, EMT_ELIMIT, "%s: the path is too long", link);
    memcpy(c->base, link, strlen(link) + 1);
    return EMT_OK;
}

/* A folder that belongs to the server's user and to nobody else. */
static enum emt_err own_folder(const struct pg_cluster *c, const char *path, mode_t mode,
                               struct emt_diag *diag)
{
    struct stat st;

    if (mkdir(path, mode) != 0 && errno != EEXIST)
        return emt_fail(diag, EMT_EIO, "%s: %s", path, strerror(errno));
    if (lstat(path, &st) != 0 || !S_ISDIR(st.st_mode) ||
        (st.st_uid != c->uid && st.st_uid != geteuid()))
        return emt_fail(diag, EMT_EIO, "%s: exists and is not ours", path);
    if (chmod(path, mode) != 0 || (c->switch_user && lchown(path, c->uid, c->gid) != 0))
        return emt_fail(diag, EMT_EIO, "%s: %s", path, strerror(errno));
    return EMT_OK;
}

/* A socket's path has 107 bytes: deep folders get theirs in a short place. */
static enum emt_err choose_socket_dir(struct pg_cluster *c, struct emt_diag *diag)
{
    char hash[9];

    /* A comma would make it two folders, a blank would end it in a connection string. */
    if (strlen(c->base) + strlen("/socket" SOCKET_NAME) <= SOCKET_PATH_MAX &&
        !strpbrk(c->base, ", \t")) {
        snprintf(c->socket_dir, sizeof c->socket_dir, "%.90s/socket", c->base);
    } else {
        short_hash(c->base, hash);
        if (c->switch_user)
            snprintf(c->socket_dir, sizeof c->socket_dir, "/run/emt-%s", hash);
        else
            snprintf(c->socket_dir, sizeof c->socket_dir, "/tmp/emt-%u-%s", (unsigned)c->uid, hash);
    }
    return own_folder(c, c->socket_dir, 0755, diag);
}

/* ---- starting programs ---- */

enum emt_err pg_cluster_spawn(const struct pg_cluster *c, const char *program,
                              const char *const *args, pid_t *pid)
{
    /* Nothing of ours: libpq variables and a locale would change what the server does. */
    static const char *const env[] = { "PATH=/usr/bin:/bin", "LANG=C.UTF-8", "LC_ALL=C.UTF-8",
                                       NULL };
    const char *argv[ARGS_MAX + 1];
    char path[300], log[300];
    sigset_t none;
    size_t n = 1;
    int fd;

    snprintf(path, sizeof path, "%s/%s", c->bin, program);
    /* These programs look for each other beside their own path. */
    argv[0] = path;
    for (; args[n] && n < ARGS_MAX; n++)
        argv[n] = args[n];
    argv[n] = NULL;
    snprintf(log, sizeof log, "%s/start.log", c->base);
    fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return EMT_EIO;
    sigemptyset(&none);
    *pid = fork();
    if (*pid == 0) {
        /* A session of its own: the terminal's Ctrl-C is for us, who then stop the server in order.
         */
        (void)setsid();
        for (int sig = 1; sig < 32; sig++)
            signal(sig, SIG_DFL);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        (void)umask(077);
        if (dup2(fd, 1) < 0 || dup2(fd, 2) < 0 || dup2(open("/dev/null", O_RDONLY), 0) < 0)
            _exit(126);
        if (syscall(SYS_close_range, 3u, ~0u, 0u) != 0)
            for (int i = 3; i < 4096; i++)
                close(i);
        if (!become_user(c) || chdir(c->base) != 0)
            _exit(126);
        execve(path, (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)env);
        _exit(127);
    }
    close(fd);
    return *pid > 0 ? EMT_OK : EMT_EIO;
}

const char *pg_cluster_last_words(const struct pg_cluster *c, char *buf, size_t size)
{
    char path[300];
    char *text, *line;
    size_t len;

    snprintf(path, sizeof path, "%s/start.log", c->base);
    buf[0] = 0;
    if (file_read(path, 1 << 20, &text, &len, NULL) != EMT_OK)
        return buf;
    while (len && text[len - 1] == '\n')
        text[--len] = 0;
    line = strrchr(text, '\n');
    snprintf(buf, size, "%s", line ? line + 1 : text);
    free(text);
    return buf;
}

/* ---- making ---- */

static enum emt_err remove_tree(const char *path)
{
    const char *const args[] = { "rm", "-rf", "--", path, NULL };

    return run_and_wait(args);
}

static enum emt_err run_initdb(const struct pg_cluster *c, const char *data, struct emt_diag *diag)
{
    const char *const args[] = { "initdb",
                                 "-D",
                                 data,
                                 "-U",
                                 "postgres",
                                 "--auth-local=peer",
                                 "--auth-host=reject",
                                 "-E",
                                 "UTF8",
                                 "--locale=C.UTF-8",
                                 "--data-checksums",
                                 "--no-instructions",
                                 NULL };
    char words[200];
    int status = -1;
    pid_t pid;

    if (pg_cluster_spawn(c, "initdb", args, &pid) != EMT_OK)
        return emt_fail(diag, EMT_EINTERNAL, "initdb does not start");
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return EMT_OK;
    return emt_fail(diag, EMT_EINTERNAL, "initdb failed: %s",
                    pg_cluster_last_words(c, words, sizeof words));
}

/* Under another name first, so that an interrupted start leaves no half cluster behind. */
static enum emt_err make_data(const struct pg_cluster *c, struct emt_diag *diag)
{
    char fresh[320];
    enum emt_err err;

    snprintf(fresh, sizeof fresh, "%s/data.new", c->base);
    err = remove_tree(fresh);
    if (err == EMT_OK)
        err = own_folder(c, fresh, 0700, diag);
    if (err == EMT_OK)
        err = run_initdb(c, fresh, diag);
    if (err == EMT_OK && rename(fresh, c->data) != 0)
        err = emt_fail(diag, EMT_EIO, "%s: %s", c->data, strerror(errno));
    return err;
}

/* Who may come in as whom: the roles have no passwords, the kernel says who asks. */
static enum emt_err write_ident(const struct pg_cluster *c, struct emt_diag *diag)
{
    static const char *const roles[] = { "postgres",   "emt_owner", "emt_app",   "emt_ingest",
                                         "emt_report", "emt_admin", "emt_backup" };
    struct passwd *me = getpwuid(geteuid());
    const char *users[] = { "root", c->user, me ? me->pw_name : "root" };
    char path[300];
    struct writer w;
    enum emt_err err;

    writer_init_heap(&w, 65536);
    writer_text(&w, "# Written by emtd at each start.\n");
    for (size_t u = 0; u < 3; u++) {
        bool before = false;

        for (size_t k = 0; k < u; k++)
            before |= strcmp(users[k], users[u]) == 0;
        for (size_t r = 0; !before && r < sizeof roles / sizeof roles[0]; r++)
            writer_printf(&w, "emt \"%s\" %s\n", users[u], roles[r]);
    }
    snprintf(path, sizeof path, "%s/pg_ident.conf", c->base);
    err = w.failed ? EMT_ENOMEM : file_write(path, w.data, w.len, 0644, diag);
    writer_release(&w);
    return err;
}

static enum emt_err write_text(const struct pg_cluster *c, const char *name, const char *text,
                               struct emt_diag *diag)
{
    char path[320];

    snprintf(path, sizeof path, "%s/%s", c->base, name);
    return file_write(path, text, strlen(text), 0644, diag);
}

static enum emt_err write_settings(const struct pg_cluster *c, struct emt_diag *diag)
{
    struct writer w;
    enum emt_err err;

    writer_init_heap(&w, 65536);
    writer_printf(
        &w,
        "# Written by emtd at each start. Settings of your own go to local.conf beside this file.\n"
        "listen_addresses = ''\n"
        "unix_socket_directories = '%s'\n"
        "unix_socket_permissions = 0777\n"
        "hba_file = '%s/pg_hba.conf'\n"
        "ident_file = '%s/pg_ident.conf'\n"
        "max_connections = 200\n"
        "shared_buffers = 256MB\n"
        "max_wal_size = 2GB\n"
        "checkpoint_timeout = 15min\n"
        "wal_compression = on\n"
        "timezone = 'UTC'\n"
        "log_timezone = 'UTC'\n"
        "lc_messages = 'C.UTF-8'\n"
        "logging_collector = on\n"
        "log_directory = '%s/log'\n"
        "log_filename = 'postgresql-%%a.log'\n"
        "log_truncate_on_rotation = on\n"
        "log_rotation_age = 1d\n"
        "log_line_prefix = '%%m [%%p] %%u '\n"
        "include_if_exists = '%s/local.conf'\n",
        c->socket_dir, c->base, c->base, c->base, c->base);
    err = w.failed ? EMT_ENOMEM : EMT_OK;
    if (err == EMT_OK)
        err = write_text(c, "postgresql.conf", writer_cstr(&w), diag);
    writer_release(&w);
    return err;
}

static enum emt_err write_configuration(const struct pg_cluster *c, struct emt_diag *diag)
{
    char log[300];
    enum emt_err err;

    snprintf(log, sizeof log, "%s/log", c->base);
    err = own_folder(c, log, 0700, diag);
    if (err == EMT_OK)
        err = write_text(
            c, "pg_hba.conf",
            "# Written by emtd at each start. The socket only, by system user (pg_ident.conf).\n"
            "local all all peer map=emt\n"
            "local replication emt_backup peer map=emt\n",
            diag);
    if (err == EMT_OK)
        err = write_ident(c, diag);
    return err == EMT_OK ? write_settings(c, diag) : err;
}

enum emt_err pg_cluster_prepare(struct pg_cluster *c, const char *dir, struct emt_diag *diag)
{
    char log[300];
    enum emt_err err;

    *c = (struct pg_cluster){ .switch_user = false };
    err = choose_user(c, diag);
    if (err == EMT_OK)
        err = choose_place(c, dir, diag);
    if (err != EMT_OK)
        return err;
    snprintf(c->data, sizeof c->data, "%s/data", c->base);
    snprintf(log, sizeof log, "%s/start.log", c->base);
    (void)unlink(log); /* one start's words */
    err = find_programs(c, version_of_data(c), diag);
    if (err == EMT_OK)
        err = choose_socket_dir(c, diag);
    if (err == EMT_OK && access(c->data, F_OK) != 0)
        err = make_data(c, diag);
    return err == EMT_OK ? write_configuration(c, diag) : err;
}
