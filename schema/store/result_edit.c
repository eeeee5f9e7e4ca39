#include "result_edit.h"

#include "store_internal.h"

#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

struct store_result *result_like(const struct store_result *r)
{
    struct store_result *made = calloc(1, sizeof *made);

    if (!made)
        return NULL;
    made->res = PQcopyResult(r->res, PG_COPYRES_ATTRS);
    if (made->res)
        return made;
    free(made);
    return NULL;
}

/* libpq copies the value and does not change it, though its prototype is not const. */
static bool put(struct store_result *r, int row, int col, const char *v, int len)
{
    char *value = NULL;

    memcpy(&value, &v, sizeof value);
    return PQsetvalue(r->res, row, col, value, len) != 0;
}

bool result_copy_row(struct store_result *r, const struct store_result *from, int row)
{
    int to = PQntuples(r->res), n = PQnfields(from->res);
    bool ok = true;

    for (int i = 0; ok && i < n; i++) {
        int len = PQgetisnull(from->res, row, i) ? -1 : PQgetlength(from->res, row, i);

        ok = put(r, to, i, len < 0 ? NULL : PQgetvalue(from->res, row, i), len);
    }
    return ok;
}

bool result_put_bytes(struct store_result *r, int row, int col, const void *v, size_t len)
{
    return put(r, row, col, len ? v : "", (int)len);
}

bool result_put_text(struct store_result *r, int row, int col, const char *v)
{
    return put(r, row, col, v, v ? (int)strlen(v) : -1);
}

bool result_put_null(struct store_result *r, int row, int col)
{
    return put(r, row, col, NULL, -1);
}

bool result_put_int(struct store_result *r, int row, int col, int64_t v, int width)
{
    char b[8];

    for (int i = 0; i < width; i++)
        b[i] = (char)((uint64_t)v >> (8 * (width - 1 - i)) & 0xffu);
    return put(r, row, col, b, width);
}

bool result_put_time(struct store_result *r, int row, int col, emt_time v)
{
    return result_put_int(r, row, col, v - EMT_PG_EPOCH, 8);
}
