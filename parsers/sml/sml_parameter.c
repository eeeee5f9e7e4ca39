/* Parameter trees: name, value, children, each level in the one above it. */
#include "sml_body.h"
#include "sml_reading.h"
#include "sml_tlv.h"

#define RESPONSE_ELEMENTS 3
#define TREE_ELEMENTS 3
#define PERIOD_ENTRY_ELEMENTS 5
#define LIST_ENTRY_ELEMENTS 7
/* Every level of a tree takes two lists. */
#define TREE_DEPTH_MAX (SML_DEPTH_MAX / 2)

/* SML_ProcParValue, a choice. */
enum par_value {
    PAR_VALUE = 1,
    PAR_PERIOD_ENTRY = 2,
    PAR_TUPEL_ENTRY = 3,
    PAR_TIME = 4,
    PAR_LIST_ENTRY = 5,
};

/* objName, [status, valTime,] unit, scaler, value, valueSignature */
static void read_entry(struct sml_context *ctx, struct reader *in, struct sml_entry *e,
                       bool is_list_entry)
{
    size_t least = is_list_entry ? LIST_ENTRY_ELEMENTS : PERIOD_ENTRY_ELEMENTS;
    size_t n = sml_read_list(in, least);

    e->name = sml_read_octets(in, &e->name_len);
    if (is_list_entry) {
        e->status = sml_read_optional_unsigned(in, UINT64_MAX, &e->has_status);
        sml_context_time(ctx, in, &e->time);
    }
    sml_entry_scale(in, e);
    sml_entry_value(ctx, in, e);
    e->signature = sml_read_octets(in, &e->signature_len);
    sml_skip(in, in->failed ? 0 : n - least);
}

static void read_value(struct sml_context *ctx, struct reader *in, struct sml_entry *e)
{
    size_t n = sml_read_list(in, 2);
    uint64_t tag = sml_read_unsigned(in, 255);

    if (n != 2)
        reader_fail(in);
    if (in->failed)
        return;
    switch (tag) {
    case PAR_VALUE:
        sml_entry_value(ctx, in, e);
        break;
    case PAR_PERIOD_ENTRY:
    case PAR_LIST_ENTRY:
        read_entry(ctx, in, e, tag == PAR_LIST_ENTRY);
        break;
    case PAR_TIME:
        e->value.kind = SML_VALUE_LIST;
        sml_context_time(ctx, in, &e->value_time);
        break;
    default: /* PAR_TUPEL_ENTRY: 23 elements of signed meter values, for their verification only */
        sml_skip(in, 1);
        break;
    }
}

/* parameterName, parameterValue, child_List */
static void read_tree(struct sml_context *ctx, struct reader *in, unsigned depth, bool keep)
{
    struct sml_entry e = { .source = TIME_SOURCE_METER };
    const uint8_t *start = in->data + in->pos;
    unsigned first = ctx->b.n;
    size_t n, children;

    if (depth == TREE_DEPTH_MAX) {
        reader_fail(in);
        return;
    }
    n = sml_read_list(in, TREE_ELEMENTS);
    e.name = sml_read_octets(in, &e.name_len);
    if (reader_peek(in, 0) == 0x01)
        reader_skip(in, 1); /* no value */
    else
        read_value(ctx, in, &e);
    if (!in->failed && keep)
        sml_reading_put(ctx, &e);
    sml_context_record(ctx, in, start, first, "parameter");
    children = sml_read_optional_list(in, NULL);
    for (size_t i = 0; i < children && !in->failed; i++)
        read_tree(ctx, in, depth + 1, keep);
    sml_skip(in, in->failed ? 0 : n - TREE_ELEMENTS);
}

/* serverId, parameterTreePath, parameterTree */
void sml_proc_parameter_read(struct sml_context *ctx, struct reader *in)
{
    size_t n = sml_read_list(in, RESPONSE_ELEMENTS), path, len, server_len;
    const uint8_t *server = sml_read_octets(in, &server_len);
    bool keep = !in->failed && sml_context_server(ctx, server, server_len);

    trace_hex(ctx->b.trace, "server_id", server, server_len);
    path = sml_read_list(in, 0);
    for (size_t i = 0; i < path && !in->failed; i++)
        (void)sml_read_octets(in, &len);
    if (!in->failed)
        read_tree(ctx, in, 0, keep);
    sml_skip(in, in->failed ? 0 : n - RESPONSE_ELEMENTS);
}
