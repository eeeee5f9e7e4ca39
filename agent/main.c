/* emt-agent: the gateway management client. */
#include "agent/enrol.h"
#include "agent/gateway_config.h"
#include "agent/run.h"
#include "agent/simulate.h"
#include "agent/spool.h"
#include "base/hex.h"
#include "base/log.h"

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

static const char usage[] =
    "usage: emt-agent COMMAND [OPTIONS]\n"
    "\n"
    "enrol    make a key, have it certified against a one-time token, write DIR/agent.yaml\n"
    "  --server URL        https://HOST:PORT of the head-end (port 443 when left out)\n"
    "  --token TOKEN       from the operator; works once\n"
    "  --pin HEX           SHA-256 of a certificate in the server's chain, 64 hex digits\n"
    "  --dir DIR           made when missing; holds key, certificates, configuration, spool\n"
    "  --serial TEXT       serial number of this gateway, told to the head-end\n"
    "  --tls 1.2|1.3       version of the field channel (1.2)\n"
    "  --key KIND          of the key: P-256 (as without), P-384, brainpoolP256r1 or\n"
    "                      brainpoolP384r1, which go with TLS 1.2 only\n"
    "\n"
    "run      keep the session with the head-end, send what the spool owes\n"
    "  --dir DIR           as filled by enrol\n"
    "  --address HOST:PORT dial this in the place of the configured addresses\n"
    "  --replay FILE       send telegrams from a file: one per line, \"[wmbus|mbus|...] HEX\n"
    "                      [format=...] [rssi=...] [time=...]\", # starts a comment\n"
    "  --rate N            replayed telegrams per second (0: as fast as they are taken)\n"
    "  --simulate N        send the telegrams of N simulated OMS meters\n"
    "  --seed S            which meters (1)\n"
    "  --interval SECONDS  mean time between two telegrams of a meter (900)\n"
    "  --backfill DAYS     begin so many days ago (0)\n"
    "  --speed FACTOR      run through the past so much faster than the clock (0: at once; begins\n"
    "                      7 days ago without --backfill)\n"
    "  --once              end when the sources are exhausted and everything is acknowledged\n"
    "  --timeout SECONDS   with --once: fail after this time (0: never)\n"
    "  --log-level LEVEL   debug, info, notice, warn, error (info)\n"
    "\n"
    "meters   print the keys of the simulated meters as CSV\n"
    "  --simulate N, --seed S as above\n"
    "  --all               also the meters that send without encryption and have no key\n"
    "\n"
    "spool    print what the spool of a gateway that does not run holds and owes\n"
    "  --dir DIR           as filled by enrol\n"
    "\n"
    "TERM and INT end `run` cleanly: what is accepted stays in the spool until it is acknowledged.\n"
    "Exit code: 0 done, 1 failed, 2 wrong usage or configuration.\n";

enum option_id {
    OPT_SERVER = 1,
    OPT_TOKEN,
    OPT_PIN,
    OPT_DIR,
    OPT_SERIAL,
    OPT_TLS,
    OPT_KEY,
    OPT_ADDRESS,
    OPT_REPLAY,
    OPT_RATE,
    OPT_SIMULATE,
    OPT_SEED,
    OPT_INTERVAL,
    OPT_BACKFILL,
    OPT_SPEED,
    OPT_ONCE,
    OPT_TIMEOUT,
    OPT_LOG_LEVEL,
    OPT_ALL,
    OPT_HELP,
};

static const struct option options[] = {
    { "server", required_argument, NULL, OPT_SERVER },
    { "token", required_argument, NULL, OPT_TOKEN },
    { "pin", required_argument, NULL, OPT_PIN },
    { "dir", required_argument, NULL, OPT_DIR },
    { "serial", required_argument, NULL, OPT_SERIAL },
    { "tls", required_argument, NULL, OPT_TLS },
    { "key", required_argument, NULL, OPT_KEY },
    { "address", required_argument, NULL, OPT_ADDRESS },
    { "replay", required_argument, NULL, OPT_REPLAY },
    { "rate", required_argument, NULL, OPT_RATE },
    { "simulate", required_argument, NULL, OPT_SIMULATE },
    { "seed", required_argument, NULL, OPT_SEED },
    { "interval", required_argument, NULL, OPT_INTERVAL },
    { "backfill", required_argument, NULL, OPT_BACKFILL },
    { "speed", required_argument, NULL, OPT_SPEED },
    { "once", no_argument, NULL, OPT_ONCE },
    { "timeout", required_argument, NULL, OPT_TIMEOUT },
    { "log-level", required_argument, NULL, OPT_LOG_LEVEL },
    { "all", no_argument, NULL, OPT_ALL },
    { "help", no_argument, NULL, OPT_HELP },
    { NULL, 0, NULL, 0 },
};

/* Which options a command takes, by number. */
#define BIT(id) (UINT32_C(1) << (id))

struct arguments {
    struct enrol_request enrol;
    struct run_options run;
    bool has_pin, has_backfill, all;
    enum log_level level;
};

static int wrong(const char *what, const char *value)
{
    fprintf(stderr, "emt-agent: %s: \"%s\"\nTry emt-agent --help.\n", what, value);
    return 2;
}

static bool number(const char *text, uint64_t most, uint64_t *out)
{
    char *end = NULL;

    if (text[0] < '0' || text[0] > '9' || strlen(text) > 18)
        return false;
    *out = strtoull(text, &end, 10);
    return *end == '\0' && *out <= most;
}

static bool number32(const char *text, uint32_t most, uint32_t *out)
{
    uint64_t v = 0;

    if (!number(text, most, &v))
        return false;
    *out = (uint32_t)v;
    return true;
}

static bool pin_of(const char *text, uint8_t pin[32])
{
    size_t len = 0;

    return hex_decode(text, strlen(text), pin, 32, &len) == EMT_OK && len == 32;
}

static bool take_number(struct run_options *r, enum option_id id, const char *value)
{
    switch ((int)id) {
    case OPT_RATE:
        return number32(value, 1000000, &r->rate);
    case OPT_SIMULATE:
        return number32(value, SIMULATE_METERS_MAX, &r->meters);
    case OPT_SEED:
        return number(value, UINT64_MAX, &r->seed);
    case OPT_INTERVAL:
        return number32(value, 86400, &r->interval_s) && r->interval_s > 0;
    case OPT_BACKFILL:
        return number32(value, 3650, &r->backfill_days);
    case OPT_SPEED:
        return number32(value, 1000000, &r->speed);
    case OPT_TIMEOUT:
        return number32(value, 86400, &r->timeout_s);
    default:
        return false;
    }
}

/* Takes one option; false when its value is none. */
static bool take(struct arguments *a, enum option_id id, const char *value)
{
    switch (id) {
    case OPT_SERVER:
        a->enrol.server = value;
        return true;
    case OPT_TOKEN:
        a->enrol.token = value;
        return true;
    case OPT_PIN:
        a->has_pin = pin_of(value, a->enrol.pin);
        return a->has_pin;
    case OPT_DIR:
        a->enrol.dir = a->run.dir = value;
        return true;
    case OPT_SERIAL:
        a->enrol.serial = value;
        return strlen(value) <= 64;
    case OPT_TLS:
        a->enrol.tls = value;
        return strcmp(value, "1.2") == 0 || strcmp(value, "1.3") == 0;
    case OPT_KEY:
        return key_kind_parse(value, &a->enrol.key) == EMT_OK;
    case OPT_ADDRESS:
        a->run.address = value;
        return true;
    case OPT_REPLAY:
        a->run.replay = value;
        return true;
    case OPT_ONCE:
        a->run.once = true;
        return true;
    case OPT_ALL:
        a->all = true;
        return true;
    case OPT_LOG_LEVEL:
        return log_level_parse(value, &a->level);
    case OPT_BACKFILL:
        a->has_backfill = true;
        return take_number(&a->run, id, value);
    case OPT_RATE:
    case OPT_SIMULATE:
    case OPT_SEED:
    case OPT_INTERVAL:
    case OPT_SPEED:
    case OPT_TIMEOUT:
        return take_number(&a->run, id, value);
    case OPT_HELP:
        break;
    }
    return false;
}

/* 0 and the arguments, or -1 with the exit code. */
static int parse(int argc, char **argv, uint32_t allowed, struct arguments *a, int *code)
{
    int id, at = 0;

    while ((id = getopt_long(argc, argv, "", options, &at)) != -1) {
        if (id == OPT_HELP) {
            fputs(usage, stdout);
            *code = 0;
            return -1;
        }
        if (id == '?') {
            *code = 2; /* getopt has said why */
            return -1;
        }
        if (!(allowed & BIT((unsigned)id))) {
            *code = wrong("option of another command", options[at].name);
            return -1;
        }
        if (!take(a, (enum option_id)id, optarg)) {
            *code = wrong(options[at].name, optarg ? optarg : "");
            return -1;
        }
    }
    if (optind < argc) {
        *code = wrong("unexpected argument", argv[optind]);
        return -1;
    }
    return 0;
}

static int fail(const struct emt_diag *diag, int code)
{
    char text[1024];

    fprintf(stderr, "emt-agent: %s\n", emt_diag_format(diag, text, sizeof text));
    return code;
}

static int command_enrol(const struct arguments *a)
{
    struct emt_diag diag = { 0 };

    if (!a->enrol.server || !a->enrol.token || !a->has_pin || !a->enrol.dir)
        return wrong("enrol needs --server, --token, --pin and --dir", "");
    /* OpenSSL 3.0 knows no brainpool in TLS 1.3. */
    if (strcmp(a->enrol.tls, "1.3") == 0 && a->enrol.key != KEY_P256 && a->enrol.key != KEY_P384)
        return wrong("a brainpool key goes with --tls 1.2 only", "");
    enum emt_err err = enrol(&a->enrol, &diag);
    if (err != EMT_OK)
        return fail(&diag, 1);
    printf("enrolled: %s/agent.yaml\n", a->enrol.dir);
    return 0;
}

static int command_run(struct arguments *a)
{
    struct emt_diag diag = { 0 };

    if (!a->run.dir)
        return wrong("run needs --dir", "");
    if (a->run.speed && !a->has_backfill)
        a->run.backfill_days = 7;
    log_open("emt-agent", a->level, LOG_FORMAT_AUTO, STDERR_FILENO);
    int code = run_agent(&a->run, &diag);
    return diag.text[0] ? fail(&diag, code) : code;
}

static int command_meters(const struct arguments *a)
{
    char line[SIM_METER_CSV_MAX];

    if (!a->run.meters)
        return wrong("meters needs --simulate", "");
    printf("%s\n", SIM_METER_CSV_HEAD);
    for (uint32_t i = 0; i < a->run.meters; i++) {
        struct sim_meter m;
        if (sim_meter_init(&m, a->run.seed, i, a->run.interval_s) != EMT_OK)
            return 1;
        if (m.encrypted || a->all)
            printf("%s\n", sim_meter_csv(&m, line));
    }
    return fflush(stdout) == 0 ? 0 : 1;
}

static int command_spool(const struct arguments *a)
{
    struct emt_diag diag = { 0 };
    struct gateway_config config;
    struct spool *spool = NULL;
    struct spool_stats st;
    char id[2 * SPOOL_ID_LEN + 1];

    if (!a->run.dir)
        return wrong("spool needs --dir", "");
    enum emt_err err = gateway_config_load(a->run.dir, &config, &diag);
    if (err == EMT_OK && access(config.spool, F_OK) != 0)
        err = emt_fail(&diag, EMT_ENOTFOUND, "%s: there is no spool yet", config.spool);
    if (err == EMT_OK) {
        const struct spool_options how = { .size = config.spool_size, .sync = true };

        err = spool_open(config.spool, &how, &spool, &diag);
    }
    if (err != EMT_OK)
        return fail(&diag, 1);
    spool_stats(spool, &st);
    printf("spool: %s\nnext: %" PRIu64 "\nacknowledged: %" PRIu64 "\nowed: %" PRIu64 "\n",
           hex_encode(spool_id(spool), SPOOL_ID_LEN, id), st.next_seq, st.acked_seq,
           st.owed_frames);
    spool_close(spool);
    return fflush(stdout) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    static const uint32_t enrol_options = BIT(OPT_SERVER) | BIT(OPT_TOKEN) | BIT(OPT_PIN) |
                                          BIT(OPT_DIR) | BIT(OPT_SERIAL) | BIT(OPT_TLS) |
                                          BIT(OPT_KEY);
    static const uint32_t run_options_allowed =
        BIT(OPT_DIR) | BIT(OPT_ADDRESS) | BIT(OPT_REPLAY) | BIT(OPT_RATE) | BIT(OPT_SIMULATE) |
        BIT(OPT_SEED) | BIT(OPT_INTERVAL) | BIT(OPT_BACKFILL) | BIT(OPT_SPEED) | BIT(OPT_ONCE) |
        BIT(OPT_TIMEOUT) | BIT(OPT_LOG_LEVEL);
    static const uint32_t meters_options = BIT(OPT_SIMULATE) | BIT(OPT_SEED) | BIT(OPT_ALL);
    struct arguments a = { .enrol = { .tls = "1.2" },
                           .run = { .seed = 1, .interval_s = 900 },
                           .level = LOG_LEVEL_INFO };
    int code = 2;

    signal(SIGPIPE, SIG_IGN);
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        fputs(usage, argc < 2 ? stderr : stdout);
        return argc < 2 ? 2 : 0;
    }
    const char *command = argv[1];
    argc--;
    argv++;
    if (strcmp(command, "enrol") == 0)
        return parse(argc, argv, enrol_options, &a, &code) == 0 ? command_enrol(&a) : code;
    if (strcmp(command, "run") == 0)
        return parse(argc, argv, run_options_allowed, &a, &code) == 0 ? command_run(&a) : code;
    if (strcmp(command, "meters") == 0)
        return parse(argc, argv, meters_options, &a, &code) == 0 ? command_meters(&a) : code;
    if (strcmp(command, "spool") == 0)
        return parse(argc, argv, BIT(OPT_DIR), &a, &code) == 0 ? command_spool(&a) : code;
    return wrong("unknown command", command);
}
