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

#include <stdio.h>
#include <string.h>

/* Every family, one after the other. */
static int bench_decode_all(int argc, char **argv)
{
    int rc = bench_decode(argc, argv);

    if (rc == 0)
        rc = bench_decode_obis(argc, argv);
    return rc == 0 ? bench_decode_dlms(argc, argv) : rc;
}

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *what;
} benchmarks[] = {
    { "decode", bench_decode_all, "telegrams to readings, in memory" },
    { "ingest", bench_ingest, "frames of many tenants into PostgreSQL" },
    { "ingest-load", bench_ingest_load, "the gateways of ingest --gateways" },
    { "packs", bench_packs, "raw frames as rows and as packs" },
    { "blocks", bench_blocks, "packed history, in memory and in PostgreSQL" },
    { "channel", bench_channel, "gateways' sessions over TLS, beside a bare echo server" },
    { "api", bench_api, "REST and event streams over TLS" },
    { "query", bench_query, "values by REST, from the database to the client" },
    { "mscons", bench_mscons, "writing and checking MSCONS, in memory; --places: from PostgreSQL" },
};

static int usage(void)
{
    fprintf(stderr, "usage: emt-bench NAME [options]\n");
    for (size_t i = 0; i < sizeof benchmarks / sizeof benchmarks[0]; i++)
        fprintf(stderr, "  %-11s %s\n", benchmarks[i].name, benchmarks[i].what);
    return 2;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return usage();
    for (size_t i = 0; i < sizeof benchmarks / sizeof benchmarks[0]; i++) {
        if (strcmp(argv[1], benchmarks[i].name) == 0)
            return benchmarks[i].run(argc - 1, argv + 1);
    }
    return usage();
}
