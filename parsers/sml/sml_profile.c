/* Load profiles: as a table (profile pack) and as one row (profile list). */
#include "base/arena.h"
#include "sml_body.h"
#include "sml_reading.h"
#include "sml_tlv.h"

#define PACK_ELEMENTS 8
#define LIST_ELEMENTS 9
#define HEADER_ELEMENTS 3
#define ROW_ELEMENTS 4
#define CELL_ELEMENTS 2
#define PERIOD_ENTRY_ELEMENTS 5

/* What all rows of a profile share. */
struct profile {
    const uint8_t *name; /* first element of the tree path, an OBIS code like 1-0:99.1.0 */
    size_t name_len;
    struct sml_entry *columns;
    size_t ncolumns;
    bool ours;
};

static void skip_rest(struct reader *in, size_t n, size_t read)
{
    sml_skip(in, in->failed ? 0 : n - read);
}

/* serverId, actTime, regPeriod, parameterTreePath */
static void read_head(struct sml_context *ctx, struct reader *in, struct profile *p)
{
    const uint8_t *server, *name;
    size_t server_len, name_len, path;
    struct sml_time act;
    uint64_t period;

    server = sml_read_octets(in, &server_len);
    trace_hex(ctx->b.trace, "server_id", server, server_len);
    sml_context_time(ctx, in, &act);
    period = sml_read_unsigned(in, UINT32_MAX);
    path = sml_read_list(in, 0);
    for (size_t i = 0; i < path && !in->failed; i++) {
        name = sml_read_octets(in, &name_len);
        if (i == 0) {
            p->name = name;
            p->name_len = name_len;
        }
    }
    if (in->failed)
        return;
    p->ours = sml_context_server(ctx, server, server_len);
    if (p->ours && !ctx->b.peek)
        decode_build_number(&ctx->b, "period_s", period);
}

/* A row without wall clock time has no place in a series: counted, not kept. */
static bool has_place(struct sml_context *ctx, const struct sml_time *t)
{
    if (sml_time_instant(t) != EMT_TIME_NONE)
        return true;
    ctx->timeless++;
    return false;
}

static void put_row_status(struct sml_context *ctx, const struct profile *p,
                           const struct sml_time *t, uint64_t status)
{
    const struct sml_entry e = {
        .name = p->name,
        .name_len = p->name_len,
        .has_status = true,
        .status = status,
        .time = *t,
        .source = TIME_SOURCE_PROFILE,
    };

    sml_reading_put(ctx, &e);
}

/* objName, unit, scaler */
static void read_columns(struct sml_context *ctx, struct reader *in, struct profile *p)
{
    size_t n = sml_read_list(in, 0);

    p->columns = (struct sml_entry *)arena_alloc(ctx->b.req->arena, n * sizeof *p->columns);
    if (!p->columns) {
        ctx->b.no_memory = true;
        reader_fail(in);
        return;
    }
    p->ncolumns = n;
    for (size_t i = 0; i < n && !in->failed; i++) {
        struct sml_entry *c = &p->columns[i];
        size_t elements = sml_read_list(in, HEADER_ELEMENTS);

        c->name = sml_read_octets(in, &c->name_len);
        sml_entry_scale(in, c);
        c->source = TIME_SOURCE_PROFILE;
        skip_rest(in, elements, HEADER_ELEMENTS);
    }
}

/* value, valueSignature */
static void read_cell(struct sml_context *ctx, struct reader *in, const struct sml_entry *column,
                      const struct sml_time *t, bool keep)
{
    struct sml_entry e = *column;
    const uint8_t *start = in->data + in->pos;
    unsigned first = ctx->b.n;
    size_t n = sml_read_list(in, CELL_ELEMENTS);

    e.time = *t;
    sml_entry_value(ctx, in, &e);
    e.signature = sml_read_octets(in, &e.signature_len);
    skip_rest(in, n, CELL_ELEMENTS);
    if (!in->failed && keep)
        sml_reading_put(ctx, &e);
    sml_context_record(ctx, in, start, first, "profile value");
}

/* valTime, status, valueList, periodSignature */
static void read_row(struct sml_context *ctx, struct reader *in, const struct profile *p)
{
    const uint8_t *start = in->data + in->pos;
    unsigned first;
    size_t n = sml_read_list(in, ROW_ELEMENTS), cells, len;
    struct sml_time t;
    uint64_t status;
    bool has_status, keep;

    sml_context_time(ctx, in, &t);
    status = sml_read_optional_unsigned(in, UINT64_MAX, &has_status);
    cells = sml_read_list(in, 0);
    if (in->failed || cells > p->ncolumns) {
        reader_fail(in);
        return;
    }
    keep = p->ours && has_place(ctx, &t);
    for (size_t i = 0; i < cells && !in->failed; i++)
        read_cell(ctx, in, &p->columns[i], &t, keep);
    (void)sml_read_octets(in, &len);
    skip_rest(in, n, ROW_ELEMENTS);
    first = ctx->b.n;
    if (!in->failed && keep && has_status)
        put_row_status(ctx, p, &t, status);
    if (ctx->b.n > first)
        sml_context_record(ctx, in, start, first, "profile row");
}

/* serverId, actTime, regPeriod, parameterTreePath, headerList, periodList, rawdata,
 * profileSignature */
void sml_profile_pack_read(struct sml_context *ctx, struct reader *in)
{
    size_t n = sml_read_list(in, PACK_ELEMENTS), rows, len;
    struct profile p = { 0 };

    read_head(ctx, in, &p);
    if (in->failed)
        return;
    read_columns(ctx, in, &p);
    rows = sml_read_list(in, 0);
    for (size_t i = 0; i < rows && !in->failed; i++)
        read_row(ctx, in, &p);
    (void)sml_read_octets(in, &len);
    (void)sml_read_octets(in, &len);
    skip_rest(in, n, PACK_ELEMENTS);
}

/* objName, unit, scaler, value, valueSignature */
static void read_period_entry(struct sml_context *ctx, struct reader *in, const struct sml_time *t,
                              bool keep)
{
    struct sml_entry e = { .time = *t, .source = TIME_SOURCE_PROFILE };
    const uint8_t *start = in->data + in->pos;
    unsigned first = ctx->b.n;
    size_t n = sml_read_list(in, PERIOD_ENTRY_ELEMENTS);

    e.name = sml_read_octets(in, &e.name_len);
    sml_entry_scale(in, &e);
    sml_entry_value(ctx, in, &e);
    e.signature = sml_read_octets(in, &e.signature_len);
    skip_rest(in, n, PERIOD_ENTRY_ELEMENTS);
    if (!in->failed && keep)
        sml_reading_put(ctx, &e);
    sml_context_record(ctx, in, start, first, "profile value");
}

/* serverId, actTime, regPeriod, parameterTreePath, valTime, status, periodList, rawdata,
 * periodSignature */
void sml_profile_list_read(struct sml_context *ctx, struct reader *in)
{
    const uint8_t *start = in->data + in->pos;
    unsigned first;
    size_t n = sml_read_list(in, LIST_ELEMENTS), entries, len;
    struct profile p = { 0 };
    struct sml_time t;
    uint64_t status;
    bool has_status, keep;

    read_head(ctx, in, &p);
    sml_context_time(ctx, in, &t);
    status = sml_read_optional_unsigned(in, UINT64_MAX, &has_status);
    entries = sml_read_list(in, 0);
    if (in->failed)
        return;
    keep = p.ours && has_place(ctx, &t);
    for (size_t i = 0; i < entries && !in->failed; i++)
        read_period_entry(ctx, in, &t, keep);
    (void)sml_read_octets(in, &len);
    (void)sml_read_octets(in, &len);
    skip_rest(in, n, LIST_ELEMENTS);
    first = ctx->b.n;
    if (!in->failed && keep && has_status)
        put_row_status(ctx, &p, &t, status);
    if (ctx->b.n > first)
        sml_context_record(ctx, in, start, first, "profile row");
}
