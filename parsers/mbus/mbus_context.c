#include "mbus_context.h"

#include "base/arena.h"
#include "base/hex.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum frame_state mbus_fail(struct mbus_context *ctx, enum frame_state state, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(ctx->out->reason, sizeof ctx->out->reason, fmt, ap);
    va_end(ap);
    return state;
}

enum frame_state mbus_no_memory(struct mbus_context *ctx)
{
    ctx->no_memory = true;
    return FRAME_MALFORMED;
}

enum emt_err mbus_context_init(struct mbus_context *ctx, const struct decode_request *req,
                               struct decode_result *out, bool peek)
{
    memset(ctx, 0, sizeof *ctx);
    ctx->req = req;
    ctx->out = out;
    ctx->peek = peek;
    ctx->trace = peek ? NULL : req->trace;
    ctx->layers =
        (struct decode_layer *)arena_alloc(req->arena, MBUS_LAYERS_MAX * sizeof *ctx->layers);
    ctx->fields =
        (struct decode_field *)arena_alloc(req->arena, MBUS_FIELDS_MAX * sizeof *ctx->fields);
    if (!ctx->layers || !ctx->fields)
        return EMT_ENOMEM;
    out->layers = ctx->layers;
    out->link = ctx->fields;
    return EMT_OK;
}

void mbus_layer(struct mbus_context *ctx, const char *name, uint8_t ci, size_t from, size_t to)
{
    struct decode_layer *l;
    size_t start = from;

    if (ctx->out->nlayers == MBUS_LAYERS_MAX)
        return;
    if (ctx->offset_of && !ctx->joined)
        start = ctx->offset_of(ctx->offset_ctx, from);
    l = &ctx->layers[ctx->out->nlayers++];
    l->name = name;
    l->ci = ci;
    l->offset = (uint32_t)start;
    l->len = (uint32_t)(to - from);
}

static void put_field(struct mbus_context *ctx, const char *name, const char *text, size_t len,
                      bool is_number)
{
    struct decode_field *f;

    if (ctx->out->nlink == MBUS_FIELDS_MAX || ctx->telegrams > 1)
        return; /* the header of a readout is its first telegram's */
    f = &ctx->fields[ctx->out->nlink];
    f->text = arena_text(ctx->req->arena, text, len);
    if (!f->text) {
        ctx->no_memory = true;
        return;
    }
    f->name = name;
    f->is_number = is_number;
    ctx->out->nlink++;
}

void mbus_field_number(struct mbus_context *ctx, const char *name, uint64_t value)
{
    char text[20]; /* digits of 2^64 */
    size_t at = sizeof text;

    do
        text[--at] = (char)('0' + value % 10);
    while ((value /= 10) != 0);
    put_field(ctx, name, text + at, sizeof text - at, true);
}

void mbus_field_text(struct mbus_context *ctx, const char *name, const char *text)
{
    put_field(ctx, name, text, strlen(text), false);
}

void mbus_field_hex(struct mbus_context *ctx, const char *name, const uint8_t *p, size_t n)
{
    char text[2 * MBUS_FIELD_BYTES_MAX + 1];

    n = n < MBUS_FIELD_BYTES_MAX ? n : MBUS_FIELD_BYTES_MAX;
    put_field(ctx, name, hex_encode(p, n, text), 2 * n, false);
}

void mbus_set_meter(struct mbus_context *ctx, const struct mbus_address *a)
{
    ctx->meter = *a;
    ctx->has_meter = true;
    mbus_address_device(a, &ctx->out->device);
    ctx->out->has_device = true;
    ctx->out->has_adapter = ctx->has_link && !mbus_address_equal(a, &ctx->link);
    if (ctx->out->has_adapter)
        mbus_address_device(&ctx->link, &ctx->out->adapter);
}

unsigned mbus_keys(struct mbus_context *ctx, const struct mbus_address *a, struct device_key *keys)
{
    struct device_id id;
    unsigned n;

    if (!ctx->req->keys.find)
        return 0;
    mbus_address_device(a, &id);
    n = ctx->req->keys.find(ctx->req->keys.ctx, &id, keys);
    return n < DECODE_KEYS_MAX ? n : DECODE_KEYS_MAX;
}
