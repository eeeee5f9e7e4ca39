/* emt-bench NAME [options]: runs one benchmark and prints JSON lines {"bench", "name", "value",
 * "unit", "runs", "baseline"?, "ratio"?}. Figures of one machine; docs/performance.md names the
 * line behind each statement. */
#include "bench_api.h"
#include "bench_blocks.h"
#include "bench_channel.h"
#include "bench_decode.h"
#include "bench_decode_dlms.h"
#include "bench_decode_obis.h"
#include "bench_ingest.h"
#include "bench_ingest_load.h"
#include "bench_mscons.h"
#include "bench_packs.h"
#include "bench_query.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Every family, one after the other. */
static int bench_decode_all(int argc, char **argv)
{
    int rc = argc == 1 ? bench_decode(argc, argv) : 2;

    if (rc == 0)
        rc = bench_decode_obis(argc, argv);
    return rc == 0 ? bench_decode_dlms(argc, argv) : rc;
}

static const struct {
    const char *name;
    int (*run)(int argc, char **argv); /* 2: wrong usage */
    const char *options;
    const char *what;
} benchmarks[] = {
    { "decode", bench_decode_all, "", "telegrams to readings, in memory" },
    { "ingest", bench_ingest,
      "[--frames N] [--tenants N] [--devices N] [--age MONTHS] [--batch-rows N]\n"
      "                        [--drop-index NAME] [--conninfo TEXT]\n"
      "       emt-bench ingest --gateways N [--tenants N] [--rate FRAMES/S] [--seconds N]",
      "frames of many tenants into PostgreSQL" },
    { "ingest-load", bench_ingest_load, "DIR PORT RATE SECONDS",
      "the gateways of ingest --gateways" },
    { "packs", bench_packs, "[--frames N]", "raw frames as rows and as packs" },
    { "blocks", bench_blocks, "[--runs N] [--channels N] [--days N]",
      "packed history, in memory and in PostgreSQL" },
    { "channel", bench_channel, "[--sessions N] [--handshakes N] [--messages N] [--full]",
      "gateways' sessions over TLS, beside a bare echo server" },
    { "api", bench_api, "[--rate N] [--seconds N] [--streams N]",
      "REST and event streams over TLS" },
    { "query", bench_query, "[--runs N] [--meters N]",
      "values by REST, from the database to the client" },
    { "mscons", bench_mscons, "[--runs N] [--places N]",
      "writing and checking MSCONS, in memory; --places: from PostgreSQL" },
};
#define BENCHMARKS (sizeof benchmarks / sizeof benchmarks[0])

static int usage(FILE *out)
{
    fprintf(out, "usage: emt-bench NAME [options]\n");
    for (size_t i = 0; i < BENCHMARKS; i++)
        fprintf(out, "  %-11s %s\n", benchmarks[i].name, benchmarks[i].what);
    fprintf(out, "emt-bench NAME --help tells its options.\n");
    return out == stdout ? 0 : 2;
}

static int usage_of(size_t i, FILE *out)
{
    fprintf(out, "usage: emt-bench %s %s\n%s\n", benchmarks[i].name, benchmarks[i].options,
            benchmarks[i].what);
    return out == stdout ? 0 : 2;
}

static bool wants_help(const char *arg)
{
    return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return usage(stderr);
    if (wants_help(argv[1]))
        return usage(stdout);
    for (size_t i = 0; i < BENCHMARKS; i++) {
        if (strcmp(argv[1], benchmarks[i].name) != 0)
            continue;
        if (argc == 3 && wants_help(argv[2]))
            return usage_of(i, stdout);
        int rc = benchmarks[i].run(argc - 1, argv + 1);
        return rc == 2 ? usage_of(i, stderr) : rc;
    }
    return usage(stderr);
}
