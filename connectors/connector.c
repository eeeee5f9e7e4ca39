#include "connectors/connector.h"

static enum emt_err put_writer(void *ctx, const void *p, size_t n)
{
    return writer_bytes(ctx, p, n) ? EMT_OK : EMT_ELIMIT;
}

struct sink sink_to_writer(struct writer *w)
{
    return (struct sink){ put_writer, w };
}

struct export_value export_value_of(emt_time from, emt_time to, struct decimal value,
                                    enum quality quality)
{
    return (struct export_value){
        .from = from,
        .to = to,
        .value = value,
        .quality = quality,
        .read_at = EMT_TIME_NONE,
        .exchange_at = EMT_TIME_NONE,
    };
}

static enum emt_err next_of_array(void *ctx, struct export_value *out, bool *more)
{
    struct export_values *a = ctx;

    *more = a->pos < a->count;
    if (*more)
        *out = a->values[a->pos++];
    return EMT_OK;
}

struct reading_cursor reading_cursor_of(struct export_values *array)
{
    return (struct reading_cursor){ next_of_array, array };
}
