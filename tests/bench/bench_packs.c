/* A day of 120-byte frames of ten gateways, encrypted and therefore noise, as rows and then packed:
 * bytes on disk with indexes and all, and what moving and listing them costs. */
#include "bench_packs.h"

#include "pg_fixture.h"
#include "store/frame_query_store.h"
#include "store/raw_pack_store.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define GATEWAYS 10
#define DAY INT64_C(1772323200000000) /* 2026-03-01 */

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void print(const char *name, double value, const char *unit)
{
    printf(
        "{\"bench\": \"packs\", \"name\": \"%s\", \"value\": %.2f, \"unit\": \"%s\", \"runs\": 1}\n",
        name, value, unit);
    fflush(stdout);
}

static void fill(struct pg_fixture *f, int32_t tenant, unsigned frames)
{
    char sql[2500];

    snprintf(
        sql, sizeof sql,
        "set client_min_messages = warning; set role emt_owner;"
        "create table raw_frame_20260301 partition of raw_frame"
        " for values from ('2026-03-01 00:00Z') to ('2026-03-02 00:00Z');"
        "reset role;"
        "insert into gateway (tenant_id, gateway_id, external_id, state)"
        " select %d, g, 'gw' || g, 1 from generate_series(1, %d) g;"
        "insert into raw_frame (tenant_id, protocol, format, gateway_id, seq, received_at, stored_at,"
        " device_id, counter, state, rssi_dbm, spool_id, hash, data)"
        " select %d, 1, 1, 1 + i %% %d, i / %d, t - interval '40 milliseconds' * (i %% 9), t,"
        " 1 + i %% 300, i / 300, 0, -50 - i %% 40, decode(md5((i %% %d)::text), 'hex'),"
        " decode(md5('h' || i), 'hex'), substr(sha512(i::text::bytea) || sha512((-i)::text::bytea), 1, 120)"
        " from (select i, '2026-03-01 00:00Z'::timestamptz + (i / 500) * interval '50 milliseconds' * %d as t"
        " from generate_series(0, %u - 1) i) x;"
        "vacuum analyze raw_frame",
        (int)tenant, GATEWAYS, (int)tenant, GATEWAYS, GATEWAYS, GATEWAYS, 20, frames);
    char *vacuum = strstr(sql, "vacuum analyze");
    char last[40];
    snprintf(last, sizeof last, "%s", vacuum);
    *vacuum = '\0';
    pg_fixture_sql(f, sql);
    pg_fixture_sql(f, last);
}

static double list_ms(struct pg_fixture *f, int32_t tenant)
{
    const struct frame_filter all = { .state = -1, .from = EMT_TIME_NONE, .to = EMT_TIME_NONE };
    struct store *s = pg_fixture_store(f, STORE_APP);
    struct store_result *r = NULL;
    double t0 = 0;

    for (int i = 0; i < 2; i++) { /* the first one prepares */
        t0 = seconds();
        if (store_begin(s, tenant) != EMT_OK ||
            frame_list(s, tenant, &all, EMT_TIME_NONE, 0, 0, 100, &r) != EMT_OK) {
            fprintf(stderr, "packs: %s\n", store_error(s));
            exit(1);
        }
        store_result_free(r);
        store_rollback(s);
    }
    store_close(s);
    return (seconds() - t0) * 1e3;
}

static bool pack(struct store *s, int32_t tenant, struct raw_pack_counts *c)
{
    for (int64_t g = 1; g <= GATEWAYS; g++) {
        int64_t after = INT64_MIN;
        bool done = false;

        while (!done) {
            if (raw_pack_move(s, tenant, g, DAY, &after, &done, c) != EMT_OK) {
                fprintf(stderr, "packs: %s\n", store_error(s));
                return false;
            }
        }
    }
    return true;
}

int bench_packs(int argc, char **argv)
{
    unsigned frames = 200000;
    struct raw_pack_counts c = { 0 };

    if (argc == 3 && strcmp(argv[1], "--frames") == 0)
        frames = (unsigned)strtoul(argv[2], NULL, 10);
    else if (argc != 1)
        frames = 0;
    if (frames < 1000 || frames > 10000000)
        return 2;
    struct pg_fixture *f = pg_fixture_start();
    int32_t tenant = pg_fixture_tenant(f, "bench");
    fill(f, tenant, frames);
    print("row-bytes-per-frame",
          (double)pg_fixture_number(f, "select pg_total_relation_size('raw_frame_20260301')") /
              frames,
          "bytes");
    print("row-list-100", list_ms(f, tenant), "ms");
    struct store *s = pg_fixture_store(f, STORE_ADMIN);
    double t0 = seconds();
    bool ok = pack(s, tenant, &c) && c.frames == (int64_t)frames;
    if (ok) {
        print("packing", (double)frames / (seconds() - t0), "frames/s");
        print("pack-data-bytes-per-frame", (double)c.bytes / frames, "bytes");
        print("pack-bytes-per-frame",
              (double)pg_fixture_number(f, "select pg_total_relation_size('raw_pack')") / frames,
              "bytes");
        print("pack-list-100", list_ms(f, tenant), "ms");
    }
    store_close(s);
    pg_fixture_stop(f);
    return ok ? 0 : 1;
}
