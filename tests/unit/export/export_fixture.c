#include "export_fixture.h"

#include <check.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

emt_time at(const char *rfc3339)
{
    emt_time t = EMT_TIME_NONE;

    ck_assert_msg(time_parse(rfc3339, &t) == EMT_OK, "%s", rfc3339);
    return t;
}

void export_sql(struct pg_fixture *f, const char *fmt, ...)
{
    char sql[2000];
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(sql, sizeof sql, fmt, ap);
    va_end(ap);
    ck_assert_int_lt(n, (int)sizeof sql);
    pg_fixture_sql(f, sql);
}

void export_partitions(struct pg_fixture *f)
{
    pg_fixture_sql(f, "set client_min_messages = warning;"
                      " select partitions_ensure('2026-11-20T00:00:00Z', 430)");
}

int32_t export_tenant_new(struct pg_fixture *f, const char *key)
{
    int32_t id = pg_fixture_tenant(f, key);

    export_sql(f, "update tenant set own_mp_id = '%s' where id = %d", SENDER, (int)id);
    return id;
}

int64_t export_channel(struct pg_fixture *f, int32_t tenant, const char *ident, const char *unit)
{
    char sql[400];

    export_sql(f,
               "with d as (insert into device (tenant_id, ident, manufacturer, number)"
               " values (%d, '%s', 'EMT', '%s') returning device_id)"
               " insert into channel (tenant_id, device_id, key, kind, obis, quantity, unit)"
               " select %d, device_id, 'a', 0, '1-0:1.8.0*255', 1, '%s' from d",
               (int)tenant, ident, ident, (int)tenant, unit);
    snprintf(sql, sizeof sql,
             "select channel_id from channel c join device d using (tenant_id, device_id)"
             " where c.tenant_id = %d and d.ident = '%s'",
             (int)tenant, ident);
    return pg_fixture_number(f, sql);
}

void export_place(struct pg_fixture *f, int32_t tenant, const char *code, const char *receiver)
{
    export_sql(f,
               "insert into location (tenant_id, kind, code, receiver_mp_id)"
               " values (%d, %d, '%s', nullif('%s', ''))",
               (int)tenant, strlen(code) == 33 ? 1 : 2, code, receiver != NULL ? receiver : "");
}

void export_bind(struct pg_fixture *f, int32_t tenant, const struct export_bind *b)
{
    export_sql(f,
               "insert into location_channel (tenant_id, location_id, channel_id, obis,"
               " ratio_mantissa, ratio_exponent, device_number, valid_from, valid_to)"
               " select %d, location_id, %" PRId64 ", '%s', %" PRId64 ", %d, '%s', '%s',"
               " nullif('%s', '')::timestamptz"
               " from location where tenant_id = %d and code = '%s'",
               (int)tenant, b->channel, b->obis, b->ratio_mantissa ? b->ratio_mantissa : 1,
               b->ratio_exponent, b->device != NULL ? b->device : "", b->from,
               b->to != NULL ? b->to : "", (int)tenant, b->place);
}

int64_t register_at(int64_t i)
{
    return 4711000 + i * 250 + i * i % 97;
}

void export_readings(struct pg_fixture *f, int32_t tenant, int64_t channel, const char *from, int n)
{
    /* The same formula as register_at(). */
    export_sql(f,
               "insert into reading (channel_id, ts, mantissa, tenant_id, exponent, quality)"
               " select %" PRId64 ", '%s'::timestamptz + i * interval '15 minutes'"
               "   + (i * 37 %% 119 - 59) * interval '1 second',"
               "  4711000 + i * 250 + i * i %% 97, %d, 0, 256"
               " from generate_series(0, %d) i",
               channel, from, (int)tenant, n);
}
