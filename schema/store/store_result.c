#include "store_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void store_result_free(struct store_result *r)
{
    if (!r)
        return;
    PQclear(r->res);
    free(r);
}

int store_rows(const struct store_result *r)
{
    return PQntuples(r->res);
}

int64_t store_affected(const struct store_result *r)
{
    return strtoll(PQcmdTuples(r->res), NULL, 10);
}

bool c_null(const struct store_result *r, int row, int col)
{
    return PQgetisnull(r->res, row, col) != 0;
}

static uint64_t get_be(const char *v, int n)
{
    uint64_t x = 0;

    for (int i = 0; i < n; i++)
        x = x << 8 | (uint8_t)v[i];
    return x;
}

bool c_bool(const struct store_result *r, int row, int col)
{
    return PQgetlength(r->res, row, col) == 1 && PQgetvalue(r->res, row, col)[0] != 0;
}

int64_t c_int(const struct store_result *r, int row, int col)
{
    int n = PQgetlength(r->res, row, col);
    const char *v = PQgetvalue(r->res, row, col);

    /* Another width is a column of another type: a mistake in the statement. */
    assert(n == 0 || n == 2 || n == 4 || n == 8);
    if (n == 2)
        return (int16_t)get_be(v, 2);
    if (n == 4)
        return (int32_t)get_be(v, 4);
    return n == 8 ? (int64_t)get_be(v, 8) : 0;
}

emt_time c_time(const struct store_result *r, int row, int col)
{
    emt_time t;
    int64_t pg;

    if (c_null(r, row, col))
        return EMT_TIME_NONE;
    pg = c_int(r, row, col);
    /* The server's infinities are the ends of its type; EMT_TIME_NONE is taken. */
    if (pg == INT64_MIN)
        return INT64_MIN + 1;
    return __builtin_add_overflow(pg, EMT_PG_EPOCH, &t) ? INT64_MAX : t;
}

const char *c_text(const struct store_result *r, int row, int col)
{
    return PQgetvalue(r->res, row, col); /* libpq closes every value with a 0 */
}

const uint8_t *c_bytes(const struct store_result *r, int row, int col, size_t *n)
{
    *n = (size_t)PQgetlength(r->res, row, col);
    return (const uint8_t *)PQgetvalue(r->res, row, col);
}
