/* A value can stand in a month partition and, arrived late for a closed span, in reading_late. Both
 * parts are read in one statement, so that a compaction between two statements can neither hide nor
 * double a value. */
#include "store/reading_query_store.h"

#include <stdlib.h>

enum { RANGE, TEXT_RANGE, STATEMENTS };

/* clang-format off */
static const struct store_statement statements[STATEMENTS] = {
    [RANGE] = { "reading_range", 5,
        "SELECT DISTINCT ON (ts) ts, mantissa, exponent, quality FROM ("
        " SELECT ts, mantissa, exponent, quality FROM reading"
        "  WHERE tenant_id = $1 AND channel_id = $2 AND ts >= $3 AND ts < $4"
        " UNION ALL"
        " SELECT ts, mantissa, exponent, quality FROM reading_late"
        "  WHERE tenant_id = $1 AND channel_id = $2 AND ts >= $3 AND ts < $4) v"
        " ORDER BY ts, CASE quality & 255 WHEN 5 THEN 2 WHEN 0 THEN 1 ELSE 0 END DESC"
        " LIMIT $5" },
    [TEXT_RANGE] = { "reading_text_range", 5,
        "SELECT ts, text, quality FROM reading_text"
        " WHERE tenant_id = $1 AND channel_id = $2 AND ts >= $3 AND ts < $4"
        " ORDER BY ts LIMIT $5" },
};
/* clang-format on */

const struct store_statement *reading_query_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

static enum emt_err run_range(struct store *s, const struct store_statement *st, int32_t tenant,
                              int64_t channel, emt_time from, emt_time to, size_t limit,
                              struct store_result **out)
{
    struct store_param p[5];

    if (limit == 0 || limit > READING_RANGE_MAX)
        return EMT_ELIMIT;
    p_int4(&p[0], tenant);
    p_int8(&p[1], channel);
    p_time(&p[2], from);
    p_time(&p[3], to);
    p_int8(&p[4], (int64_t)limit);
    return store_run(s, st, p, out);
}

static void row_to_reading(const struct store_result *r, int row, struct stored_reading *out)
{
    unsigned quality = (unsigned)c_int(r, row, 3);

    out->ts = c_time(r, row, 0);
    out->value = decimal_of(c_int(r, row, 1), (int)c_int(r, row, 2));
    out->quality = (enum quality)(quality & 0xffu);
    out->time_source = (enum time_source)(quality >> 8 & 0xffu);
}

enum emt_err reading_range(struct store *s, int32_t tenant, int64_t channel, emt_time from,
                           emt_time to, size_t limit, struct stored_reading **out, size_t *n)
{
    struct store_result *r = NULL;
    enum emt_err err = run_range(s, &statements[RANGE], tenant, channel, from, to, limit, &r);

    if (err != EMT_OK)
        return err;
    int rows = store_rows(r);
    struct stored_reading *list = rows > 0 ? calloc((size_t)rows, sizeof *list) : NULL;
    if (rows > 0 && list == NULL) {
        store_result_free(r);
        return EMT_ENOMEM;
    }
    for (int i = 0; i < rows; i++)
        row_to_reading(r, i, &list[i]);
    store_result_free(r);
    *out = list;
    *n = (size_t)rows;
    return EMT_OK;
}

enum emt_err reading_text_range(struct store *s, int32_t tenant, int64_t channel, emt_time from,
                                emt_time to, size_t limit, struct store_result **out)
{
    return run_range(s, &statements[TEXT_RANGE], tenant, channel, from, to, limit, out);
}
