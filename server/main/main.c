/* emtd: the head-end. See docs/operations.md. */
#include "base/cipher.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/log.h"
#include "config.h"
#include "embedded_pg.h"
#include "notify.h"
#include "server.h"

#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define EXIT_FAILED 1
#define EXIT_USAGE 2
#define STOP_MS 10000 /* after the drain */

struct options {
    const char *config;   /* NULL: the default path */
    const char *embedded; /* folder, NULL without */
    const char *migrations;
    long port;
    bool check, print;
};

static const char usage[] =
    "usage: emtd [--config FILE]\n"
    "       emtd --embedded DIR [--port N]\n"
    "       emtd --embedded DIR --print-config [--port N]\n"
    "\n"
    "  -c, --config FILE  configuration, default " CONFIG_DEFAULT_PATH "\n"
    "  --check-config     say whether the configuration is good, and end\n"
    "  --embedded DIR     bring a PostgreSQL, keys and a first operator of our own, in DIR;\n"
    "                     DIR/emtd.yaml is read where it exists\n"
    "  --port N           HTTPS port, default 8443; field on N-1000 and N-999, metrics on N+1000; 0: any\n"
    "  --print-config     print a configuration for another node on the database of DIR, and end\n"
    "  --migrations DIR   where the migrations are\n"
    "  --help, --version\n";

/* ---- arguments ---- */

static int parse_arguments(int argc, char **argv, struct options *o)
{
    enum { CHECK = 256, EMBEDDED, PORT, PRINT, MIGRATIONS, HELP, VERSION };
    static const struct option known[] = { { "config", required_argument, NULL, 'c' },
                                           { "check-config", no_argument, NULL, CHECK },
                                           { "embedded", required_argument, NULL, EMBEDDED },
                                           { "port", required_argument, NULL, PORT },
                                           { "print-config", no_argument, NULL, PRINT },
                                           { "migrations", required_argument, NULL, MIGRATIONS },
                                           { "help", no_argument, NULL, HELP },
                                           { "version", no_argument, NULL, VERSION },
                                           { NULL, 0, NULL, 0 } };
    char *end = NULL;
    int c;

    *o = (struct options){ .port = CONFIG_HTTPS_PORT };
    while ((c = getopt_long(argc, argv, "c:", known, NULL)) != -1) {
        switch (c) {
        case 'c':
            o->config = optarg;
            break;
        case CHECK:
            o->check = true;
            break;
        case EMBEDDED:
            o->embedded = optarg;
            break;
        case PORT:
            o->port = strtol(optarg, &end, 10);
            if (*end || !*optarg || (o->port != 0 && (o->port < 1001 || o->port > 64535))) {
                fprintf(stderr, "emtd: --port %s: 0 or a number from 1001 to 64535 is expected\n",
                        optarg);
                return EXIT_USAGE;
            }
            break;
        case PRINT:
            o->print = true;
            break;
        case MIGRATIONS:
            o->migrations = optarg;
            break;
        case HELP:
            fputs(usage, stdout);
            return 0;
        case VERSION:
            printf("emtd %s\n", EMT_VERSION);
            return 0;
        default:
            fputs(usage, stderr);
            return EXIT_USAGE;
        }
    }
    if (optind < argc || (o->config && o->embedded) || (o->print && !o->embedded)) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    return -1;
}

/* ---- configuration ---- */

static int complain(const struct emt_diag *diag, enum emt_err err)
{
    char text[800];

    fprintf(stderr, "emtd: %s\n",
            diag->text[0] ? emt_diag_format(diag, text, sizeof text) : emt_err_name(err));
    return err == EMT_EMALFORMED || err == EMT_ELIMIT ? EXIT_USAGE : EXIT_FAILED;
}

static const char *below(struct config *c, const char *dir, const char *name)
{
    char path[PATH_MAX];

    return file_join(path, sizeof path, dir, name) == EMT_OK ? config_text(c, path) : NULL;
}

/* The folder says where everything is; a file in it may say the rest. */
static enum emt_err load_embedded(const struct options *o, struct config *c, struct emt_diag *diag)
{
    const char *file = below(c, o->embedded, "emtd.yaml");
    char here[PATH_MAX] = "";
    const char *outbox = below(c, o->embedded, "outbox");

    /* Targets are told apart by where they are, not by where the program was started. */
    if (outbox && *outbox != '/' && getcwd(here, sizeof here))
        outbox = below(c, config_text(c, here), outbox);
    enum emt_err err = file && outbox ? EMT_OK : EMT_ENOMEM;

    /* One machine of its own: files may stay on it and go to its neighbours, unless the file says
     * otherwise. */
    if (err == EMT_OK) {
        c->delivery_root = outbox;
        c->private_networks = true;
    }
    if (err == EMT_OK && access(file, F_OK) == 0)
        err = config_load(c, file, diag);
    if (err != EMT_OK)
        return err;
    c->state_dir = config_text(c, o->embedded);
    c->master_key = below(c, o->embedded, "master.key");
    c->conninfo = "set when it runs";
    return c->state_dir && c->master_key ? config_check(c, file, diag) : EMT_ENOMEM;
}

static enum emt_err load_config(const struct options *o, struct config *c, struct emt_diag *diag)
{
    const char *file = o->config ? o->config : CONFIG_DEFAULT_PATH;
    enum emt_err err = config_init(c, (unsigned)o->port);

    if (err != EMT_OK)
        return err;
    if (o->embedded)
        return load_embedded(o, c, diag);
    err = config_load(c, file, diag);
    if (err == EMT_EIO || err == EMT_ENOTFOUND) {
        if (diag->text[0] == 0)
            (void)emt_fail(diag, err, "%s: cannot be read", file);
        return EMT_EMALFORMED;
    }
    return err == EMT_OK ? config_check(c, file, diag) : err;
}

/* A folder with this file in it, at one of the places seen from where the program lies; NULL when
 * there is none. */
static const char *find_beside(struct config *c, const char *const *places, const char *file)
{
    char program[PATH_MAX], path[PATH_MAX + 64], probe[PATH_MAX + 96];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);

    program[n > 0 ? n : 0] = 0;
    if (strrchr(program, '/'))
        *strrchr(program, '/') = 0;
    for (; *places; places++) {
        snprintf(path, sizeof path, "%s/%s", program, *places);
        snprintf(probe, sizeof probe, "%s/%s", path, file);
        if (access(probe, R_OK) == 0)
            return config_text(c, path);
    }
    return NULL;
}

/* Beside the program when it runs from where it was built or installed. Built somewhere else: the
 * tree it was built from, then where it would be installed. */
static const char *find_migrations(const struct options *o, struct config *c)
{
    static const char *const places[] = { "../share/emt/migrations", "migrations",
                                          "../../migrations", NULL };
    const char *found = o->migrations ? o->migrations : c->migrations;

    if (!found)
        found = find_beside(c, places, "roles.sql");
    if (!found && access(EMT_SOURCE_DIR "/migrations/roles.sql", R_OK) == 0)
        found = EMT_SOURCE_DIR "/migrations";
    return found ? found : EMT_SHARE_DIR "/migrations";
}

/* As above; a portal that is built later is found there with a HUP. */
static const char *find_portal(struct config *c)
{
    static const char *const places[] = { "../share/emt/portal", "../../admin-ui/dist", NULL };
    const char *found = c->portal;

    if (found)
        return *found ? found : NULL;
    found = find_beside(c, places, "index.html");
    if (!found && access(EMT_SOURCE_DIR "/admin-ui/package.json", R_OK) == 0)
        found = EMT_SOURCE_DIR "/admin-ui/dist";
    return found ? found : EMT_SHARE_DIR "/portal";
}

static int print_config(const struct options *o)
{
    char path[PATH_MAX], dir[PATH_MAX];
    char *conninfo = NULL;
    struct emt_diag diag = { .line = 0 };
    struct options at = *o;
    struct config c;
    size_t len;
    long p = o->port;

    if (!realpath(o->embedded, dir) || file_join(path, sizeof path, dir, "conninfo") != EMT_OK ||
        file_read(path, 4096, &conninfo, &len, &diag) != EMT_OK) {
        fprintf(stderr, "emtd: %s: no embedded database was started here\n", o->embedded);
        return EXIT_FAILED;
    }
    conninfo[strcspn(conninfo, "\n")] = 0;
    at.embedded = dir;
    enum emt_err err = load_config(&at, &c, &diag);
    if (err != EMT_OK) {
        config_release(&c);
        free(conninfo);
        return complain(&diag, err);
    }
    printf("# Another node on the database of %s\n"
           "state_dir: \"%s/node-%ld\"\n"
           "master_key: \"%s/master.key\"\n"
           "database:\n  conninfo: \"%s\"\n"
           "field:\n  listen12: [\"0.0.0.0:%ld\"]\n  listen13: [\"0.0.0.0:%ld\"]\n"
           "api:\n  listen: [\"0.0.0.0:%ld\"]\n"
           "metrics:\n  listen: \"127.0.0.1:%ld\"\n"
           "delivery:\n  root: \"%s\"\n  private_networks: %s\n",
           dir, dir, p, dir, conninfo, p ? p - 1000 : 0, p ? p - 999 : 0, p, p ? p + 1000 : 0,
           c.delivery_root, c.private_networks ? "true" : "false");
    config_release(&c);
    free(conninfo);
    return 0;
}

/* ---- running ---- */

/* Asked while something waits: the signals are blocked and collected in run_until_asked(). */
static bool asked_to_end(void)
{
    sigset_t pending;

    sigpending(&pending);
    return sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1;
}

static void block_signals(sigset_t *set)
{
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, set, NULL);
}

static void run_until_asked(struct server *server, const sigset_t *set)
{
    const struct timespec second = { 1, 0 };

    for (;;) {
        int sig = sigtimedwait(set, NULL, &second);

        if (sig == SIGTERM || sig == SIGINT)
            return;
        if (sig == SIGHUP)
            server_reload(server);
        server_tick(server);
    }
}

static void print_start(const struct options *o, const struct server *server)
{
    const struct first_login *login = server_first_login(server);
    char pin[65];

    printf("emtd %s is running\n", EMT_VERSION);
    printf("  REST              %s\n", server_url(server));
    printf("  gateways          %s (TLS 1.2), %s (TLS 1.3)\n", server_field12(server),
           server_field13(server));
    if (server_status_port(server))
        printf("  metrics, health   port %u, /metrics /healthz /readyz\n",
               server_status_port(server));
    printf("  platform root     %s (SHA-256)\n", hex_encode(server_pin(server), 32, pin));
    if (login->created) {
        printf("  first login       user admin, one-time password %s\n", login->password);
        printf("                    kept in %s/first-login\n", o->embedded);
    }
    fflush(stdout);
}

/* Whatever hangs must not hold the machine's shutdown. */
struct guard {
    int pipe[2]; /* closed at our end: ended in time */
    struct embedded_pg *pg;
    int ms;
};

static void *enforce_end(void *arg)
{
    struct guard *g = arg;
    struct pollfd p = { g->pipe[0], POLLIN, 0 };

    if (poll(&p, 1, g->ms) != 0)
        return NULL;
    LOG_ERROR("end-enforced", LOG_I("after_ms", g->ms));
    embedded_pg_abandon(g->pg);
    _exit(EXIT_FAILED);
}

static void stop_in_time(struct server *server, struct embedded_pg *pg, int64_t drain_ms)
{
    struct guard g = { { -1, -1 }, pg, (int)drain_ms + STOP_MS };
    pthread_t thread;
    bool guarded = pipe(g.pipe) == 0 && pthread_create(&thread, NULL, enforce_end, &g) == 0;

    server_stop(server);
    if (g.pipe[1] >= 0)
        close(g.pipe[1]);
    if (guarded)
        (void)pthread_join(thread, NULL);
    if (g.pipe[0] >= 0)
        close(g.pipe[0]);
}

static int run_server(const struct options *o, struct config *c, struct embedded_pg *pg,
                      const char *migrations, const sigset_t *set)
{
    const struct server_settings s = {
        c, pg, migrations, find_portal(c), EMT_VERSION, asked_to_end
    };
    struct emt_diag diag = { .line = 0 };
    struct server *server = NULL;
    enum emt_err err = server_start(&s, &server, &diag);

    if (err == EMT_ESTATE && asked_to_end())
        return 0;
    if (err != EMT_OK)
        return complain(&diag, err);
    if (o->embedded)
        print_start(o, server);
    LOG_NOTICE("ready", LOG_S("version", EMT_VERSION), LOG_S("url", server_url(server)));
    notify_manager("READY=1");
    run_until_asked(server, set);
    notify_manager("STOPPING=1");
    LOG_NOTICE("ending", LOG_S("reason", "signal"));
    stop_in_time(server, pg, c->field.drain_ms);
    return 0;
}

static int run(const struct options *o, struct config *c)
{
    const char *migrations = find_migrations(o, c);
    struct embedded_pg *pg = NULL;
    struct emt_diag diag = { .line = 0 };
    sigset_t set;
    enum emt_err err = migrations ? EMT_OK : EMT_ENOMEM;
    int rc;

    block_signals(&set);
    log_open("emtd", c->log_level, c->log_format, STDERR_FILENO);
    if (err == EMT_OK && o->embedded) {
        err = embedded_pg_start(o->embedded, asked_to_end, &pg, &diag);
        if (err == EMT_OK)
            c->conninfo = embedded_pg_conninfo(pg);
    }
    if (err != EMT_OK)
        return asked_to_end() ? 0 : (complain(&diag, err), EXIT_FAILED);
    rc = run_server(o, c, pg, migrations, &set);
    embedded_pg_stop(pg);
    LOG_NOTICE("ended", LOG_I("status", rc));
    return rc;
}

/* Connections and streams are descriptors, and shells start programs with few. */
static void raise_descriptors(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return;
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
}

int main(int argc, char **argv)
{
    struct emt_diag diag = { .line = 0 };
    struct options o;
    struct config c = { .memory = NULL };
    enum emt_err err;
    int rc = parse_arguments(argc, argv, &o);

    if (rc >= 0)
        return rc;
    /* Every file here states its mode; a stricter mask of the caller would lock the database's user
     * out of its folder. */
    umask(022);
    raise_descriptors();
    if (o.print)
        return print_config(&o);
    err = load_config(&o, &c, &diag);
    if (err != EMT_OK) {
        rc = complain(&diag, err);
    } else if (o.check) {
        puts("the configuration is good");
        rc = 0;
    } else {
        rc = run(&o, &c);
    }
    config_release(&c);
    return rc;
}
