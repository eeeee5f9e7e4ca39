#include "bench_ingest_bare.h"

#include "store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Rows of one transaction: as many readings, and the frames that brought them. */
#define LOT_READINGS 2000
#define LOT_FRAMES 500
#define COLUMNS_MAX 15
#define CURSOR_ROWS 1000000

enum { PID, CURSOR, STATEMENTS };
static const struct store_statement statements[STATEMENTS] = {
    [PID] = { "bench_pid", 0, "select pg_backend_pid()" },
    [CURSOR] = { "bench_cursor", 2,
                 "update bench_bare_cursor set last_seq = last_seq + 1, frames = frames + 1,"
                 " updated_at = now() where tenant_id = $1 and last_seq < $2::int8" },
};

/* A table that is read and written again: what is read, and both forms of the insert. */
struct table {
    int lot;
    unsigned columns;
    enum store_type types[COLUMNS_MAX];
    struct store_statement read, insert, unrolled;
};

#define READING_COLUMNS "channel_id, ts, mantissa, exponent, quality"
#define FRAME_COLUMNS                                                                              \
    "gateway_id, spool_id, seq, protocol, format, received_at, device_id, counter, state, "        \
    "rssi_dbm, hash, data, reason, stored_at"
#define TELEGRAM_COLUMNS "device_id, hash, slot, received_at"

static const struct table readings = {
    LOT_READINGS,
    5,
    { STORE_INT8, STORE_TIME, STORE_INT8, STORE_INT2, STORE_INT2 },
    { "bench_readings", 3,
      "select " READING_COLUMNS " from reading where tenant_id = $1 and channel_id < 1000000000"
      " order by ctid, tableoid offset $2::int8 limit $3::int4" },
    { "bench_reading_insert", 6,
      "insert into bench_bare (tenant_id, " READING_COLUMNS ") select $1, * from"
      " unnest($2::int8[], $3::timestamptz[], $4::int8[], $5::int2[], $6::int2[])"
      " on conflict (tenant_id, channel_id, ts) do nothing" },
    { "bench_reading_unrolled", 6,
      "insert into bench_bare (tenant_id, " READING_COLUMNS ") select $1, unnest($2::int8[]),"
      " unnest($3::timestamptz[]), unnest($4::int8[]), unnest($5::int2[]), unnest($6::int2[])"
      " on conflict (tenant_id, channel_id, ts) do nothing" },
};
static const struct table frames = {
    LOT_FRAMES,
    14,
    { STORE_INT8, STORE_BYTES, STORE_INT8, STORE_INT2, STORE_INT2, STORE_TIME, STORE_INT8,
      STORE_INT8, STORE_INT2, STORE_INT2, STORE_BYTES, STORE_BYTES, STORE_TEXT, STORE_TIME },
    { "bench_frames", 3,
      "select " FRAME_COLUMNS " from raw_frame where tenant_id = $1"
      " order by ctid, tableoid offset $2::int8 limit $3::int4" },
    { "bench_frame_insert", 15,
      "insert into bench_bare_frame (tenant_id, " FRAME_COLUMNS ") select $1, * from"
      " unnest($2::int8[], $3::bytea[], $4::int8[], $5::int2[], $6::int2[], $7::timestamptz[],"
      " $8::int8[], $9::int8[], $10::int2[], $11::int2[], $12::bytea[], $13::bytea[],"
      " $14::text[], $15::timestamptz[]) on conflict do nothing" },
    { "bench_frame_unrolled", 15,
      "insert into bench_bare_frame (tenant_id, " FRAME_COLUMNS ") select $1,"
      " unnest($2::int8[]), unnest($3::bytea[]), unnest($4::int8[]), unnest($5::int2[]),"
      " unnest($6::int2[]), unnest($7::timestamptz[]), unnest($8::int8[]), unnest($9::int8[]),"
      " unnest($10::int2[]), unnest($11::int2[]), unnest($12::bytea[]), unnest($13::bytea[]),"
      " unnest($14::text[]), unnest($15::timestamptz[]) on conflict do nothing" },
};
static const struct table telegrams = {
    LOT_FRAMES,
    4,
    { STORE_INT8, STORE_BYTES, STORE_INT8, STORE_TIME },
    { "bench_telegrams", 3,
      "select " TELEGRAM_COLUMNS " from telegram where tenant_id = $1 and device_id < 1000000000"
      " order by ctid offset $2::int8 limit $3::int4" },
    { "bench_telegram_insert", 5,
      "insert into bench_bare_telegram (tenant_id, " TELEGRAM_COLUMNS ") select $1, * from"
      " unnest($2::int8[], $3::bytea[], $4::int8[], $5::timestamptz[])"
      " on conflict (tenant_id, device_id, slot, hash) do nothing" },
    { "bench_telegram_unrolled", 5,
      "insert into bench_bare_telegram (tenant_id, " TELEGRAM_COLUMNS ") select $1,"
      " unnest($2::int8[]), unnest($3::bytea[]), unnest($4::int8[]), unnest($5::timestamptz[])"
      " on conflict (tenant_id, device_id, slot, hash) do nothing" },
};

/* One pass over the rows: from one connection to another. */
struct pass {
    struct store *from, *to;
    const int32_t *tenants;
    unsigned ntenants;
    bool all; /* frames, telegrams and cursors as well */
    bool unrolled;
    double slices[BARE_SLICES];
};

void bare_tables_make(struct pg_fixture *f)
{
    pg_fixture_sql(
        f,
        "create table bench_bare (like reading, primary key (tenant_id, channel_id, ts))"
        " partition by range (ts);"
        "do $$ declare p record; begin"
        " for p in select c.relname, pg_get_expr(c.relpartbound, c.oid) as bound from pg_inherits i"
        "  join pg_class c on c.oid = i.inhrelid where i.inhparent = 'reading'::regclass loop"
        "  execute format('create table %I partition of bench_bare %s', 'bare_' || p.relname, p.bound);"
        " end loop; end $$;"
        "create table bench_bare_frame (like raw_frame);"
        "create table bench_bare_telegram (like telegram,"
        " primary key (tenant_id, device_id, slot, hash));"
        "create table bench_bare_cursor (like gateway_cursor,"
        " primary key (tenant_id, gateway_id, spool_id));"
        "grant all on bench_bare, bench_bare_frame, bench_bare_telegram, bench_bare_cursor"
        " to emt_admin");
}

int64_t bench_process_cpu_us(int64_t pid)
{
    char path[64];
    int64_t ns = 0;
    FILE *f;

    /* Nanoseconds on a CPU, waited for one, slices. */
    snprintf(path, sizeof path, "/proc/%" PRId64 "/schedstat", pid);
    f = fopen(path, "r");
    if (!f || fscanf(f, "%" SCNd64, &ns) != 1)
        ns = 0;
    if (f)
        fclose(f);
    return ns / 1000;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double bench_median(double *values, unsigned n)
{
    qsort(values, n, sizeof *values, compare_doubles);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static bool copy_cell(struct store_array *a, enum store_type type, const struct store_result *r,
                      int row, int col)
{
    const uint8_t *p;
    size_t n;

    if (c_null(r, row, col))
        return store_array_null(a);
    switch (type) {
    case STORE_TIME:
        return store_array_time(a, c_time(r, row, col));
    case STORE_TEXT:
        return store_array_text(a, c_text(r, row, col));
    case STORE_BYTES:
        p = c_bytes(r, row, col, &n);
        return store_array_bytes(a, p, n);
    case STORE_BOOL:
    case STORE_INT2:
    case STORE_INT4:
    case STORE_INT8:
        break;
    }
    return store_array_int(a, c_int(r, row, col));
}

/* Inserts the rows from `at` on; how many there were. */
static bool insert_lot(const struct pass *w, const struct table *t, int32_t tenant, int64_t at,
                       int *n)
{
    struct store_array *a[COLUMNS_MAX] = { NULL };
    struct store_param p[COLUMNS_MAX + 1];
    struct store_result *r = NULL;
    bool ok;

    p_int4(&p[0], tenant);
    p_int8(&p[1], at);
    p_int4(&p[2], t->lot);
    ok = store_run(w->from, &t->read, p, &r) == EMT_OK;
    *n = ok ? store_rows(r) : 0;
    for (unsigned c = 0; ok && c < t->columns; c++) {
        a[c] = store_array_new(t->types[c]);
        ok = a[c];
        for (int i = 0; ok && i < *n; i++)
            ok = copy_cell(a[c], t->types[c], r, i, (int)c);
        if (ok)
            p_array(&p[1 + c], a[c]);
    }
    if (ok && *n > 0)
        ok = store_run(w->to, w->unrolled ? &t->unrolled : &t->insert, p, NULL) == EMT_OK;
    for (unsigned c = 0; c < t->columns; c++)
        store_array_free(a[c]);
    if (r)
        store_result_free(r);
    return ok;
}

static bool move_cursor(const struct pass *w, int32_t tenant)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_int8(&p[1], CURSOR_ROWS);
    return store_run(w->to, &statements[CURSOR], p, NULL) == EMT_OK;
}

/* One transaction: a lot of readings, and what came with it. */
static bool insert_lots(const struct pass *w, int32_t tenant, int64_t lot, int *values)
{
    int n;
    bool ok = store_begin(w->to, tenant) == EMT_OK &&
              insert_lot(w, &readings, tenant, lot * readings.lot, values);

    if (ok && w->all)
        ok = insert_lot(w, &frames, tenant, lot * frames.lot, &n) &&
             insert_lot(w, &telegrams, tenant, lot * telegrams.lot, &n) && move_cursor(w, tenant);
    return ok && store_commit(w->to) == EMT_OK;
}

static bool clear_tables(struct pass *w)
{
    struct emt_diag diag = { 0 };
    bool ok = store_begin(w->to, 0) == EMT_OK &&
              store_script(w->to,
                           "truncate bench_bare, bench_bare_frame, bench_bare_telegram,"
                           " bench_bare_cursor;"
                           "insert into bench_bare_cursor select * from gateway_cursor;"
                           "update bench_bare_cursor set last_seq = 0",
                           &diag) == EMT_OK &&
              store_commit(w->to) == EMT_OK;

    if (!ok)
        fprintf(stderr, "ingest: bare: %s\n", diag.text);
    return ok;
}

/* Lots that all tenants have in full, dealt to the slices in turn: tables fill as the days go. */
static bool run_pass(struct pass *w, int64_t lots, double *us)
{
    int64_t pid, rows[BARE_SLICES] = { 0 };
    bool ok = clear_tables(w) && store_run_number(w->to, &statements[PID], NULL, &pid) == EMT_OK;

    memset(w->slices, 0, sizeof w->slices);
    for (int64_t lot = 0; ok && lot < lots; lot++) {
        int64_t slice = lot * BARE_SLICES / lots, start = bench_process_cpu_us(pid);

        for (unsigned i = 0; ok && i < w->ntenants; i++) {
            int n = 0;

            ok = insert_lots(w, w->tenants[i], lot, &n);
            rows[slice] += n;
        }
        w->slices[slice] += (double)(bench_process_cpu_us(pid) - start);
    }
    for (unsigned i = 0; ok && i < BARE_SLICES; i++)
        w->slices[i] /= rows[i] ? (double)rows[i] : 1;
    *us = bench_median(w->slices, BARE_SLICES);
    return ok;
}

bool bare_measure(struct pg_fixture *f, const int32_t *tenants, unsigned n,
                  struct bare_figures *out)
{
    struct pass w = { .from = pg_fixture_store(f, STORE_ADMIN),
                      .to = pg_fixture_store(f, STORE_ADMIN),
                      .tenants = tenants,
                      .ntenants = n };
    double *figures[] = { &out->readings, &out->readings_unrolled, &out->same_rows,
                          &out->same_rows_unrolled };
    char sql[120];
    int64_t lots;
    bool ok = true;

    memset(out, 0, sizeof *out);
    snprintf(sql, sizeof sql,
             "select (count(*) / %d)::int8 from reading where tenant_id = %" PRId32
             " and channel_id < 1000000000",
             LOT_READINGS, tenants[0]);
    lots = pg_fixture_number(f, sql);
    for (unsigned i = 0; ok && lots >= BARE_SLICES && i < 4; i++) {
        w.all = i >= 2;
        w.unrolled = i % 2;
        ok = run_pass(&w, lots, figures[i]);
    }
    if (!ok)
        fprintf(stderr, "ingest: bare: %s %s\n", store_error(w.from), store_error(w.to));
    if (lots < BARE_SLICES)
        fprintf(stderr, "ingest: too few frames of each tenant for the bare inserts\n");
    store_close(w.from);
    store_close(w.to);
    return ok;
}
