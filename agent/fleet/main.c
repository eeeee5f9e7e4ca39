/* emt-fleet: thousands of simulated gateways against a real head-end. */
#include "agent/gateway_config.h"
#include "agent/simulate.h"
#include "agent/spool.h"
#include "base/hex.h"
#include "base/log.h"
#include "fleet.h"
#include "fleet_attack.h"
#include "fleet_enrol.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

static const char usage[] =
    "usage: emt-fleet [run|enrol|meters|attack] OPTIONS\n"
    "\n"
    "run      (may be left out) drive the gateways of DIR, print one JSON line per second\n"
    "  --dir DIR            one folder per gateway, as enrolment leaves it\n"
    "  --gateways N         the first N of them (0: all)\n"
    "  --meters M           simulated meters of each gateway (20)\n"
    "  --overlap PERCENT    of its meters that another gateway of the tenant hears too (10)\n"
    "  --seed S             which meters (1)\n"
    "  --interval SECONDS   mean time between two telegrams of a meter (900)\n"
    "  --backfill DAYS, --speed FACTOR   as emt-agent run\n"
    "  --seconds S          stop the telegrams after this time (0: at TERM)\n"
    "  --once               stop them when the past is sent\n"
    "  --drain SECONDS      then wait so long for acknowledgements (30)\n"
    "  --connect-rate N     first connection attempts per second (200)\n"
    "  --spool-size BYTES   of each gateway (1048576)\n"
    "  --sync               make frames durable as a real gateway does\n"
    "  --address HOST:PORT  dial this in the place of the configured addresses; several: each gateway\n"
    "                       begins with another one\n"
    "  --no-resume          full handshakes only\n"
    "  --orders             read lines from standard input: cut, flee, move, hush, speak\n"
    "  --log-level LEVEL    debug, info, notice, warn, error (error)\n"
    "\n"
    "enrol    enrol many gateways, each into DIR/<tenant>.<gateway>\n"
    "  --server URL, --pin HEX, --dir DIR, --tls 1.2|1.3   as emt-agent enrol\n"
    "  --tokens FILE        lines \"tenant gateway token\"; -: standard input\n"
    "  --parallel N         requests at a time (4)\n"
    "  --key KIND           P-256, P-384, brainpoolP256r1 or brainpoolP384r1 (P-256)\n"
    "\n"
    "meters   print the keys of the fleet's meters as CSV\n"
    "  --dir, --gateways, --meters, --seed as above, --tenant NAME only these\n"
    "\n"
    "attack   connections that mean no good; --dir, --address (one) as above\n"
    "  --mode MODE          half-open, slow-hello, garbage, no-hello, junk, oversized, slow-message, storm\n"
    "  --connections N      at a time (100)\n"
    "  --seconds S          for this time (10)\n"
    "\n"
    "Exit code: 0 everything submitted was acknowledged (enrol: all enrolled), 1 not everything,\n"
    "2 wrong usage or configuration.\n";

enum option_id {
    OPT_DIR = 1,
    OPT_GATEWAYS,
    OPT_METERS,
    OPT_OVERLAP,
    OPT_SEED,
    OPT_INTERVAL,
    OPT_BACKFILL,
    OPT_SPEED,
    OPT_SECONDS,
    OPT_ONCE,
    OPT_DRAIN,
    OPT_CONNECT_RATE,
    OPT_SPOOL_SIZE,
    OPT_SYNC,
    OPT_ADDRESS,
    OPT_NO_RESUME,
    OPT_ORDERS,
    OPT_LOG_LEVEL,
    OPT_SERVER,
    OPT_PIN,
    OPT_TLS,
    OPT_TOKENS,
    OPT_PARALLEL,
    OPT_KEY,
    OPT_MODE,
    OPT_CONNECTIONS,
    OPT_TENANT,
    OPT_HELP,
};

static const struct option options[] = {
    { "dir", required_argument, NULL, OPT_DIR },
    { "gateways", required_argument, NULL, OPT_GATEWAYS },
    { "meters", required_argument, NULL, OPT_METERS },
    { "overlap", required_argument, NULL, OPT_OVERLAP },
    { "seed", required_argument, NULL, OPT_SEED },
    { "interval", required_argument, NULL, OPT_INTERVAL },
    { "backfill", required_argument, NULL, OPT_BACKFILL },
    { "speed", required_argument, NULL, OPT_SPEED },
    { "seconds", required_argument, NULL, OPT_SECONDS },
    { "once", no_argument, NULL, OPT_ONCE },
    { "drain", required_argument, NULL, OPT_DRAIN },
    { "connect-rate", required_argument, NULL, OPT_CONNECT_RATE },
    { "spool-size", required_argument, NULL, OPT_SPOOL_SIZE },
    { "sync", no_argument, NULL, OPT_SYNC },
    { "address", required_argument, NULL, OPT_ADDRESS },
    { "no-resume", no_argument, NULL, OPT_NO_RESUME },
    { "orders", no_argument, NULL, OPT_ORDERS },
    { "log-level", required_argument, NULL, OPT_LOG_LEVEL },
    { "server", required_argument, NULL, OPT_SERVER },
    { "pin", required_argument, NULL, OPT_PIN },
    { "tls", required_argument, NULL, OPT_TLS },
    { "tokens", required_argument, NULL, OPT_TOKENS },
    { "parallel", required_argument, NULL, OPT_PARALLEL },
    { "key", required_argument, NULL, OPT_KEY },
    { "mode", required_argument, NULL, OPT_MODE },
    { "connections", required_argument, NULL, OPT_CONNECTIONS },
    { "tenant", required_argument, NULL, OPT_TENANT },
    { "help", no_argument, NULL, OPT_HELP },
    { NULL, 0, NULL, 0 },
};

struct arguments {
    struct fleet_options run;
    struct fleet_enrol_options enrol;
    struct attack_options attack;
    struct endpoint address[GATEWAY_ENDPOINTS_MAX];
    const char *tenant;
    bool has_pin, has_backfill, has_mode;
    enum log_level level;
};

static int wrong(const char *what, const char *value)
{
    fprintf(stderr, "emt-fleet: %s: \"%s\"\nTry emt-fleet --help.\n", what, value);
    return 2;
}

static bool number(const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
    char *end = NULL;

    if (text[0] < '0' || text[0] > '9' || strlen(text) > 18)
        return false;
    *out = strtoull(text, &end, 10);
    return *end == '\0' && *out >= least && *out <= most;
}

static bool number32(const char *text, uint32_t least, uint32_t most, uint32_t *out)
{
    uint64_t v = 0;

    if (!number(text, least, most, &v))
        return false;
    *out = (uint32_t)v;
    return true;
}

static bool take_number(struct fleet_options *r, int id, const char *value)
{
    switch (id) {
    case OPT_GATEWAYS:
        return number32(value, 0, 1000000, &r->gateways);
    case OPT_METERS:
        return number32(value, 1, SIMULATE_METERS_MAX, &r->meters);
    case OPT_OVERLAP:
        return number32(value, 0, 100, &r->overlap_percent);
    case OPT_SEED:
        return number(value, 0, UINT64_MAX, &r->seed);
    case OPT_INTERVAL:
        return number32(value, 1, 86400, &r->interval_s);
    case OPT_BACKFILL:
        return number32(value, 0, 3650, &r->backfill_days);
    case OPT_SPEED:
        return number32(value, 0, 1000000, &r->speed);
    case OPT_SECONDS:
        return number32(value, 0, 10000000, &r->seconds);
    case OPT_DRAIN:
        return number32(value, 1, 86400, &r->drain_s);
    case OPT_CONNECT_RATE:
        return number32(value, 1, 100000, &r->connect_rate);
    case OPT_SPOOL_SIZE:
        return number(value, SPOOL_SIZE_MIN, SPOOL_SIZE_MAX, &r->spool_size);
    default:
        return false;
    }
}

static bool take_enrol(struct arguments *a, int id, const char *value)
{
    size_t len = 0;

    switch (id) {
    case OPT_SERVER:
        a->enrol.server = value;
        return true;
    case OPT_PIN:
        a->has_pin =
            hex_decode(value, strlen(value), a->enrol.pin, 32, &len) == EMT_OK && len == 32;
        return a->has_pin;
    case OPT_TLS:
        a->enrol.tls = value;
        return strcmp(value, "1.2") == 0 || strcmp(value, "1.3") == 0;
    case OPT_TOKENS:
        a->enrol.tokens = value;
        return true;
    case OPT_PARALLEL:
        return number32(value, 1, FLEET_ENROL_PARALLEL_MAX, &a->enrol.parallel);
    case OPT_KEY:
        return key_kind_parse(value, &a->enrol.key) == EMT_OK;
    default:
        return take_number(&a->run, id, value);
    }
}

static bool take_address(struct arguments *a, const char *value)
{
    struct fleet_options *r = &a->run;

    r->address = a->attack.address = a->address;
    return r->naddresses < GATEWAY_ENDPOINTS_MAX &&
           endpoint_parse(value, &a->address[r->naddresses++]) == EMT_OK;
}

/* Takes one option; false when its value is none. */
static bool take(struct arguments *a, int id, const char *value)
{
    switch (id) {
    case OPT_DIR:
        a->run.dir = a->enrol.dir = value;
        return true;
    case OPT_ONCE:
        a->run.once = true;
        return true;
    case OPT_SYNC:
        a->run.sync = true;
        return true;
    case OPT_ADDRESS:
        return take_address(a, value);
    case OPT_NO_RESUME:
        a->run.no_resume = true;
        return true;
    case OPT_ORDERS:
        a->run.orders = true;
        return true;
    case OPT_MODE:
        a->has_mode = true;
        return attack_mode_parse(value, &a->attack.mode) == EMT_OK;
    case OPT_CONNECTIONS:
        return number32(value, 1, 100000, &a->attack.connections);
    case OPT_LOG_LEVEL:
        return log_level_parse(value, &a->level);
    case OPT_TENANT:
        a->tenant = value;
        return true;
    case OPT_BACKFILL:
        a->has_backfill = true;
        return take_number(&a->run, id, value);
    default:
        return take_enrol(a, id, value);
    }
}

/* 0, or -1 with the exit code. */
static int parse(int argc, char **argv, struct arguments *a, int *code)
{
    int id, at = 0;

    while ((id = getopt_long(argc, argv, "", options, &at)) != -1) {
        if (id == OPT_HELP) {
            fputs(usage, stdout);
            *code = 0;
            return -1;
        }
        *code = 2;
        if (id == '?')
            return -1; /* getopt has said why */
        if (!take(a, id, optarg)) {
            *code = wrong(options[at].name, optarg ? optarg : "");
            return -1;
        }
    }
    if (optind < argc) {
        *code = wrong("unexpected argument", argv[optind]);
        return -1;
    }
    if (!a->run.dir) {
        *code = wrong("--dir is needed", "");
        return -1;
    }
    return 0;
}

static int report(const struct emt_diag *diag, int code)
{
    char text[1024];

    if (code != 0 && diag->text[0])
        fprintf(stderr, "emt-fleet: %s\n", emt_diag_format(diag, text, sizeof text));
    return code;
}

static int command_run(struct arguments *a)
{
    struct emt_diag diag = { 0 };

    if (a->run.speed && !a->has_backfill)
        a->run.backfill_days = 7;
    log_open("emt-fleet", a->level, LOG_FORMAT_AUTO, STDERR_FILENO);
    return report(&diag, fleet_run(&a->run, &diag));
}

static int command_enrol(struct arguments *a)
{
    if (!a->enrol.server || !a->enrol.tokens || !a->has_pin)
        return wrong("enrol needs --server, --pin, --tokens and --dir", "");
    return fleet_enrol(&a->enrol);
}

static int command_attack(struct arguments *a)
{
    struct emt_diag diag = { 0 };

    if (!a->has_mode || a->run.naddresses != 1)
        return wrong("attack needs --mode, --dir and one --address", "");
    a->attack.dir = a->run.dir;
    a->attack.seconds = a->run.seconds ? a->run.seconds : 10;
    return report(&diag, fleet_attack(&a->attack, &diag));
}

static int command_meters(struct arguments *a)
{
    struct emt_diag diag = { 0 };

    return report(&diag, fleet_meters(&a->run, a->tenant, &diag));
}

static const struct {
    const char *name;
    int (*run)(struct arguments *a);
} commands[] = {
    { "run", command_run },
    { "enrol", command_enrol },
    { "meters", command_meters },
    { "attack", command_attack },
};

int main(int argc, char **argv)
{
    struct arguments a = { .run = { .meters = 20,
                                    .overlap_percent = 10,
                                    .seed = 1,
                                    .interval_s = 900,
                                    .drain_s = 30,
                                    .connect_rate = 200,
                                    .spool_size = 1048576 },
                           .enrol = { .tls = "1.2", .parallel = 4 },
                           .attack = { .connections = 100 },
                           .level = LOG_LEVEL_ERROR };
    const char *command = "run";
    int code = 2;

    signal(SIGPIPE, SIG_IGN);
    if (argc > 1 && argv[1][0] != '-') {
        command = argv[1];
        argc--;
        argv++;
    }
    if (parse(argc, argv, &a, &code) != 0)
        return code;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(command, commands[i].name) == 0)
            return commands[i].run(&a);
    }
    return wrong("unknown command", command);
}
