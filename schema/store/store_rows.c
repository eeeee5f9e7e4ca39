#include "store/store_rows.h"

#include <assert.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

bool store_rows_init(struct store_rows *r, const enum store_type *types, unsigned n)
{
    bool ok = true;

    assert(n <= STORE_ROWS_COLUMNS);
    memset(r, 0, sizeof *r);
    r->n = n;
    for (unsigned i = 0; i < n; i++) {
        r->column[i] = store_array_new(types[i]);
        ok = ok && r->column[i];
    }
    return ok;
}

void store_rows_release(struct store_rows *r)
{
    for (unsigned i = 0; i < r->n; i++)
        store_array_free(r->column[i]);
    memset(r, 0, sizeof *r);
}

void store_rows_clear(struct store_rows *r)
{
    for (unsigned i = 0; i < r->n; i++)
        store_array_clear(r->column[i]);
}

size_t store_rows_count(const struct store_rows *r)
{
    return r->n ? store_array_count(r->column[0]) : 0;
}

enum emt_err store_rows_send(struct store *s, const struct store_statement *st, int32_t tenant,
                             struct store_rows *r, emt_time at, store_done *done, void *ctx)
{
    struct store_param p[STORE_ROWS_COLUMNS + 2];
    unsigned n = 0;

    p_int4(&p[n++], tenant);
    for (unsigned i = 0; i < r->n; i++)
        p_array(&p[n++], r->column[i]);
    if ((unsigned)st->nparams > n)
        p_time(&p[n++], at);
    assert((unsigned)st->nparams == n);
    return store_send(s, st, p, done, ctx);
}
