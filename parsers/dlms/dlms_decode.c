#include "dlms_decode.h"

#include "dlms_apdu.h"
#include "dlms_context.h"
#include "dlms_link.h"

/* A meter with a key that sends plaintext is an injection until somebody says otherwise. */
static enum frame_state check_plaintext(struct dlms_context *ctx)
{
    const struct decode_request *req = ctx->b.req;
    struct device_key keys[DECODE_KEYS_MAX] = { 0 };

    if (ctx->b.peek || ctx->secured || req->accept_plaintext || !req->keys.find || !ctx->has_body ||
        req->keys.find(req->keys.ctx, &ctx->b.out->device, keys) == 0)
        return FRAME_OK;
    (void)decode_build_fail(&ctx->b, "plain, although a key is known");
    return FRAME_PLAINTEXT_REFUSED;
}

static void put_remarks(struct dlms_context *ctx)
{
    if (ctx->b.peek)
        return;
    if (ctx->quirks)
        decode_build_text(&ctx->b, "quirk", "swapped-name", sizeof "swapped-name" - 1);
    if (ctx->timeless)
        (void)decode_build_fail(&ctx->b, "%u profile rows without a time are left out",
                                ctx->timeless);
    else if (ctx->unnamed)
        (void)decode_build_fail(&ctx->b, "%u values without a code are left out", ctx->unnamed);
}

static enum frame_state read_all(struct dlms_context *ctx)
{
    enum frame_state state = dlms_link_open(ctx);

    for (unsigned i = 0; state == FRAME_OK && i < ctx->nunits; i++)
        state = dlms_apdu_read(ctx, ctx->units[i].p, ctx->units[i].n);
    if (state == FRAME_OK && ctx->transfer.next) {
        (void)decode_build_fail(&ctx->b, "the last block of a transfer is missing");
        state = FRAME_MALFORMED;
    }
    if (state != FRAME_OK)
        return state;
    if (!ctx->b.out->security)
        ctx->b.out->security = "none";
    state = check_plaintext(ctx);
    if (state == FRAME_OK)
        put_remarks(ctx);
    return state;
}

enum emt_err dlms_decode(const struct decode_request *req, struct decode_result *out, bool peek)
{
    struct dlms_context ctx = { .nunits = 0 };
    enum emt_err err = decode_build_init(&ctx.b, req, out, peek);

    if (err != EMT_OK)
        return err;
    return decode_build_finish(&ctx.b, read_all(&ctx));
}
