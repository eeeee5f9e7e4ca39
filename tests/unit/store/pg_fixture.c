#include "pg_fixture.h"

#include "base/clock.h"
#include "base/file.h"
#include "pg_template.h"
#include "store/migrate.h"

#include <errno.h>
#include <glob.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_SKIPPED 77
#define START_MS 30000

struct pg_fixture {
    char dir[64];  /* /tmp/emt-pg-XXXXXX: socket here, data below */
    char bin[256]; /* folder of initdb and postgres */
    char conninfo[128];
    uid_t uid; /* the server's user; root cannot run one */
    gid_t gid;
    pid_t owner; /* who cleans up: not the forked children of a test runner */
    pid_t postmaster;
};

/* atexit() passes no argument. */
static struct pg_fixture *to_stop;

static void die(const char *what, const char *why)
{
    fprintf(stderr, "pg_fixture: %s: %s\n", what, why);
    exit(1);
}

static bool find_bin(struct pg_fixture *f)
{
    static const char *const patterns[] = { "/usr/lib/postgresql/*/bin/initdb",
                                            "/usr/pgsql-*/bin/initdb", "/usr/local/bin/initdb",
                                            "/usr/bin/initdb" };

    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        glob_t g;
        bool found = glob(patterns[i], 0, NULL, &g) == 0 && g.gl_pathc > 0;

        if (found) /* sorted: the last is the newest */
            snprintf(f->bin, sizeof f->bin, "%.*s",
                     (int)(strlen(g.gl_pathv[g.gl_pathc - 1]) - strlen("/initdb")),
                     g.gl_pathv[g.gl_pathc - 1]);
        globfree(&g);
        if (found)
            return true;
    }
    return false;
}

static void choose_user(struct pg_fixture *f)
{
    struct passwd *pw;

    f->uid = getuid();
    f->gid = getgid();
    if (f->uid != 0)
        return;
    pw = getpwnam("postgres");
    if (!pw)
        pw = getpwnam("nobody");
    if (!pw)
        die("user", "neither postgres nor nobody exists, and root cannot run a server");
    f->uid = pw->pw_uid;
    f->gid = pw->pw_gid;
}

/* In the child: the server's user, its own process group, its end with ours, output to a file. */
static void become_server(const struct pg_fixture *f)
{
    char log[80];

    if (getuid() == 0 && (setgid(f->gid) != 0 || setuid(f->uid) != 0))
        _exit(126);
    (void)setpgid(0, 0);
    snprintf(log, sizeof log, "%s/log", f->dir);
    if (!freopen(log, "a", stdout) || dup2(1, 2) < 0 || chdir(f->dir) != 0)
        _exit(126);
    for (int fd = 3; fd < 256; fd++)
        close(fd);
    /* Set after setuid(), which clears it: a test that is killed takes its server along. */
    prctl(PR_SET_PDEATHSIG, SIGQUIT);
}

static pid_t start(const struct pg_fixture *f, const char *program, const char *const *args)
{
    const char *argv[40] = { NULL };
    char path[300];
    pid_t pid;

    snprintf(path, sizeof path, "%s/%s", f->bin, program);
    /* initdb looks for its companions beside the path it was called by. */
    argv[0] = path;
    for (size_t i = 1; args[i] && i < sizeof argv / sizeof argv[0] - 1; i++)
        argv[i] = args[i];
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        become_server(f);
        execv(path, (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    if (pid < 0)
        die("fork", strerror(errno));
    return pid;
}

static void show_log(const struct pg_fixture *f)
{
    char path[80];
    char *text;
    size_t len;

    snprintf(path, sizeof path, "%s/log", f->dir);
    if (file_read(path, 1 << 20, &text, &len, NULL) == EMT_OK) {
        fprintf(stderr, "%s\n", text);
        free(text);
    }
}

static void init_cluster(struct pg_fixture *f)
{
    char data[80];
    const char *const args[] = { "initdb",    "-D",
                                 data,        "-A",
                                 "trust",     "-U",
                                 "postgres",  "-E",
                                 "UTF8",      "--locale=C.UTF-8",
                                 "--no-sync", "--no-instructions",
                                 NULL };
    int status;

    snprintf(data, sizeof data, "%s/data", f->dir);
    if (waitpid(start(f, "initdb", args), &status, 0) < 0 || status != 0) {
        show_log(f);
        die("initdb", "failed");
    }
}

static PGconn *superuser(const struct pg_fixture *f, const char *database)
{
    const char *keys[] = { "host", "user", "dbname", NULL };
    const char *values[] = { f->dir, "postgres", database, NULL };

    return PQconnectdbParams(keys, values, 0);
}

static void start_server(struct pg_fixture *f)
{
    char data[80];
    const char *const args[] = { "postgres",
                                 "-D",
                                 data,
                                 "-k",
                                 f->dir,
                                 "-c",
                                 "listen_addresses=",
                                 "-c",
                                 "fsync=off",
                                 "-c",
                                 "synchronous_commit=off",
                                 "-c",
                                 "full_page_writes=off",
                                 "-c",
                                 "max_connections=60",
                                 "-c",
                                 "shared_buffers=32MB",
                                 "-c",
                                 "timezone=UTC",
                                 "-c",
                                 "autovacuum=off",
                                 "-c",
                                 "restart_after_crash=off",
                                 NULL };
    int64_t deadline = clock_mono_ms() + START_MS;

    snprintf(data, sizeof data, "%s/data", f->dir);
    f->postmaster = start(f, "postgres", args);
    for (;;) {
        PGconn *c = superuser(f, "postgres");
        bool up = PQstatus(c) == CONNECTION_OK;

        PQfinish(c);
        if (up)
            return;
        if (clock_mono_ms() > deadline) {
            show_log(f);
            die("postgres", "does not start");
        }
        usleep(20000);
        /* After a crash the kernel may still hold the old shared memory for a moment. */
        if (waitpid(f->postmaster, NULL, WNOHANG) != 0)
            f->postmaster = start(f, "postgres", args);
    }
}

static void stop_server(struct pg_fixture *f, int how)
{
    if (f->postmaster > 0) {
        kill(f->postmaster, how);
        (void)waitpid(f->postmaster, NULL, 0);
    }
    f->postmaster = 0;
}

static void run_sql(const struct pg_fixture *f, const char *database, const char *sql)
{
    PGconn *c = superuser(f, database);
    PGresult *r = PQexec(c, sql);

    if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
        die(sql, PQerrorMessage(c));
    PQclear(r);
    PQfinish(c);
}

void pg_fixture_sql(struct pg_fixture *f, const char *sql)
{
    run_sql(f, "emt", sql);
}

int64_t pg_fixture_number(struct pg_fixture *f, const char *sql)
{
    PGconn *c = superuser(f, "emt");
    PGresult *r = PQexec(c, sql);
    int64_t n = -1;

    if (PQresultStatus(r) != PGRES_TUPLES_OK)
        die(sql, PQerrorMessage(c));
    if (PQntuples(r) > 0 && !PQgetisnull(r, 0, 0))
        n = strtoll(PQgetvalue(r, 0, 0), NULL, 10);
    PQclear(r);
    PQfinish(c);
    return n;
}

int32_t pg_fixture_tenant(struct pg_fixture *f, const char *key)
{
    char sql[300];

    snprintf(sql, sizeof sql,
             "with t as (insert into tenant (key, name) values ('%s', '%s') returning id)"
             " insert into registry_version (tenant_id) select id from t returning tenant_id",
             key, key);
    return (int32_t)pg_fixture_number(f, sql);
}

struct store *pg_fixture_store(struct pg_fixture *f, enum store_role role)
{
    struct store *s = NULL;
    struct emt_diag diag = { 0 };

    if (store_open(f->conninfo, role, 10000, &s, &diag) != EMT_OK)
        die("store_open", diag.text);
    return s;
}

static void apply_roles(struct pg_fixture *f)
{
    char *sql;
    size_t len;
    struct emt_diag diag = { 0 };

    if (file_read(EMT_MIGRATIONS "/roles.sql", 1 << 20, &sql, &len, &diag) != EMT_OK)
        die("roles.sql", diag.text);
    run_sql(f, "postgres", sql);
    free(sql);
    run_sql(f, "postgres", "create database emt owner emt_owner");
}

static void apply_migrations(struct pg_fixture *f)
{
    struct emt_diag diag = { 0 };
    struct store *s = pg_fixture_store(f, STORE_OWNER);
    char text[600];

    if (migrate_run(s, EMT_MIGRATIONS, NULL, &diag) != EMT_OK)
        die("migrations", emt_diag_format(&diag, text, sizeof text));
    store_close(s);
    pg_fixture_sql(f, "select partitions_ensure(now(), 92)");
}

/* Roles, database and migrations of their own, or as another test program made them. */
static void fill_cluster(struct pg_fixture *f)
{
    int lock = pg_template_lock();
    char data[80];

    snprintf(data, sizeof data, "%s/data", f->dir);
    if (lock < 0 || !pg_template_take(f->bin, data)) {
        init_cluster(f);
        start_server(f);
        apply_roles(f);
        apply_migrations(f);
        if (lock >= 0) {
            stop_server(f, SIGINT);
            pg_template_keep(f->bin, data);
        }
    }
    pg_template_unlock(lock);
    if (f->postmaster == 0)
        start_server(f);
}

static void stop_at_exit(void)
{
    pg_fixture_stop(to_stop);
}

static struct pg_fixture *make_folder(void)
{
    struct pg_fixture *f = calloc(1, sizeof *f);

    if (!f)
        die("memory", "none");
    if (!find_bin(f)) {
        printf("skipped: no PostgreSQL server (initdb) is installed here\n");
        exit(EXIT_SKIPPED);
    }
    choose_user(f);
    snprintf(f->dir, sizeof f->dir, "/tmp/emt-pg-XXXXXX");
    if (!mkdtemp(f->dir) || (getuid() == 0 && chown(f->dir, f->uid, f->gid) != 0))
        die(f->dir, strerror(errno));
    snprintf(f->conninfo, sizeof f->conninfo, "host=%s dbname=emt", f->dir);
    f->owner = getpid();
    to_stop = f;
    atexit(stop_at_exit);
    return f;
}

struct pg_fixture *pg_fixture_start(void)
{
    struct pg_fixture *f = make_folder();

    fill_cluster(f);
    return f;
}

struct pg_fixture *pg_fixture_start_empty(void)
{
    struct pg_fixture *f = make_folder();

    init_cluster(f);
    start_server(f);
    run_sql(f, "postgres", "create database emt");
    return f;
}

const char *pg_fixture_conninfo(const struct pg_fixture *f)
{
    return f->conninfo;
}

static void remove_folder(const char *dir)
{
    pid_t pid = fork();

    if (pid == 0) {
        execlp("rm", "rm", "-rf", "--", dir, (char *)NULL);
        _exit(127);
    }
    if (pid > 0)
        (void)waitpid(pid, NULL, 0);
}

void pg_fixture_stop(struct pg_fixture *f)
{
    if (!f || f->owner != getpid())
        return;
    to_stop = NULL;
    stop_server(f, SIGQUIT); /* nothing here is worth a checkpoint */
    remove_folder(f->dir);
    free(f);
}

/* Backends would notice the loss of their postmaster by themselves, but not at once. */
static size_t children_of(pid_t parent, pid_t *out, size_t cap)
{
    char path[80];
    char *text, *at;
    size_t len, n = 0;

    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)parent, (int)parent);
    if (file_read(path, 1 << 16, &text, &len, NULL) != EMT_OK)
        return 0;
    at = text;
    for (long pid = strtol(at, &at, 10); pid > 0 && n < cap; pid = strtol(at, &at, 10))
        out[n++] = (pid_t)pid;
    free(text);
    return n;
}

void pg_fixture_crash(struct pg_fixture *f)
{
    pid_t children[256];
    size_t n = children_of(f->postmaster, children, 256);

    kill(f->postmaster, SIGKILL);
    for (size_t i = 0; i < n; i++)
        kill(children[i], SIGKILL);
    (void)waitpid(f->postmaster, NULL, 0);
    f->postmaster = 0;
}

void pg_fixture_restart(struct pg_fixture *f)
{
    stop_server(f, SIGINT);
    start_server(f);
}
