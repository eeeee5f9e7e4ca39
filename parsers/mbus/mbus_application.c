#include "mbus_application.h"

#include "base/cipher.h"
#include "mbus_compact.h"
#include "mbus_readings.h"
#include "mbus_trace.h"
#include "mbus_vendor.h"

#define FILLER 0x2f

/* EN 13757-3, application error codes. */
static const char *const errors[] = {
    [0] = "unspecified error",  [1] = "unimplemented CI",        [2] = "buffer too long, truncated",
    [3] = "too many records",   [4] = "premature end of record", [5] = "more than 10 DIFEs",
    [6] = "more than 10 VIFEs", [8] = "application busy",        [9] = "too many readouts",
};

static uint32_t read_code(struct mbus_context *ctx)
{
    struct reader in = reader_of(ctx->out->plain, ctx->out->plain_len);

    if (ctx->decrypted)
        while (reader_peek(&in, 0) == FILLER)
            reader_skip(&in, 1);
    return reader_u8(&in); /* no byte at all is the unspecified error */
}

static enum frame_state read_error(struct mbus_context *ctx)
{
    uint32_t code = read_code(ctx);
    const char *text = code < sizeof errors / sizeof errors[0] ? errors[code] : NULL;

    ctx->out->has_application = true;
    ctx->out->application_code = code;
    ctx->out->application_text = text ? text : "application error";
    if (ctx->trace)
        mbus_trace_block(ctx, ctx->out->plain, ctx->out->plain_len, ctx->out->application_text);
    return FRAME_OK;
}

static enum frame_state read_alarm(struct mbus_context *ctx)
{
    ctx->out->has_application = true;
    ctx->out->application_code = read_code(ctx);
    ctx->out->application_text = "alarm";
    if (ctx->trace)
        mbus_trace_block(ctx, ctx->out->plain, ctx->out->plain_len, ctx->out->application_text);
    return FRAME_OK;
}

/* Formats of an encrypted meter come from verified frames only (compact frames would else be
 * steered by a stranger). */
static bool is_verified(const struct mbus_context *ctx)
{
    if (ctx->decrypted || ctx->authenticated)
        return true;
    return !ctx->plain_announced && ctx->has_meter && !ctx->has_key;
}

static enum frame_state read_records(struct mbus_context *ctx)
{
    enum frame_state state = mbus_readings_read(ctx, ctx->out->plain, ctx->out->plain_len);

    if (state == FRAME_OK && ctx->has_meter && !ctx->msb_first && ctx->req->formats.learn)
        mbus_compact_learn(ctx, ctx->out->plain, ctx->out->plain_len, is_verified(ctx));
    return state;
}

static enum frame_state read_compact(struct mbus_context *ctx)
{
    const uint8_t *full = NULL;
    size_t len = 0;
    enum frame_state state =
        mbus_compact_expand(ctx, ctx->out->plain, ctx->out->plain_len, &full, &len);

    if (ctx->trace && state != FRAME_OK)
        mbus_trace_block(ctx, ctx->out->plain, ctx->out->plain_len, "compact frame");
    return state == FRAME_OK ? mbus_readings_read(ctx, full, len) : state;
}

/* A body that a manufacturer's profile knows, be it announced as records or not. False: it knows
 * none. */
static bool read_vendor(struct mbus_context *ctx, enum mbus_apl apl, enum frame_state *state)
{
    struct device_key keys[DECODE_KEYS_MAX];
    struct mbus_reading_list list = { .arena = ctx->req->arena };
    const struct vendor_block block = {
        .place = VENDOR_BODY, .ci = ctx->tpl.ci, .p = ctx->out->plain, .n = ctx->out->plain_len
    };
    const struct vendor_profile *first = ctx->has_meter ? vendor_first(ctx) : NULL;
    const struct vendor_layout *layout = first ? vendor_find(ctx, first, &block) : NULL;
    bool opened = false;

    if (!layout)
        return false;
    /* Bodies of CI A0 to B7 have no security of their own to tell. */
    if (apl == MBUS_APL_MANUFACTURER && !ctx->decrypted && !ctx->req->accept_plaintext &&
        mbus_keys(ctx, &ctx->meter, keys) > 0) {
        cipher_wipe(keys, sizeof keys);
        *state = mbus_fail(ctx, FRAME_PLAINTEXT_REFUSED, "plain, although a key is known");
        return true;
    }
    if (vendor_put(ctx, layout, &block, &list, &opened) != EMT_OK ||
        vendor_calculate(ctx, first, &list) != EMT_OK) {
        *state = mbus_no_memory(ctx);
        return true;
    }
    if (!opened)
        return false;
    *state = FRAME_OK;
    mbus_readings_finish(ctx, &list);
    if (ctx->trace)
        mbus_trace_vendor(ctx, block.p, block.n, list.n);
    return true;
}

enum frame_state mbus_application_read(struct mbus_context *ctx, enum mbus_apl apl)
{
    enum frame_state state;

    if ((apl == MBUS_APL_RECORDS || apl == MBUS_APL_MANUFACTURER) && read_vendor(ctx, apl, &state))
        return state;
    if (ctx->trace && (apl == MBUS_APL_COMMAND || apl == MBUS_APL_MANUFACTURER ||
                       apl == MBUS_APL_FOREIGN || apl == MBUS_APL_UNKNOWN))
        mbus_trace_block(ctx, ctx->out->plain, ctx->out->plain_len, "not read");
    switch (apl) {
    case MBUS_APL_RECORDS:
        return read_records(ctx);
    case MBUS_APL_COMPACT:
        return read_compact(ctx);
    case MBUS_APL_FORMAT:
        if (ctx->trace)
            mbus_trace_block(ctx, ctx->out->plain, ctx->out->plain_len, "format frame");
        return mbus_compact_format(ctx, ctx->out->plain, ctx->out->plain_len, is_verified(ctx));
    case MBUS_APL_ERROR:
        return read_error(ctx);
    case MBUS_APL_ALARM:
        return read_alarm(ctx);
    case MBUS_APL_NOTHING:
        return FRAME_OK;
    case MBUS_APL_COMMAND:
        return mbus_fail(ctx, FRAME_UNSUPPORTED, "CI %02x: a command to the meter", ctx->tpl.ci);
    case MBUS_APL_MANUFACTURER:
        return mbus_fail(ctx, FRAME_UNSUPPORTED, "CI %02x: layout of the manufacturer",
                         ctx->tpl.ci);
    case MBUS_APL_FIXED:
    case MBUS_APL_FOREIGN:
    case MBUS_APL_UNKNOWN:
        break;
    }
    return mbus_fail(ctx, FRAME_UNSUPPORTED, "CI %02x is not read", ctx->tpl.ci);
}
