#include "dlms_decode.h"

#include "dlms_apdu.h"
#include "dlms_context.h"
#include "dlms_link.h"

/* A meter with a key that sends plaintext is an injection until somebody says otherwise. */
static enum frame_state check_plaintext(struct dlms_context *ctx)
{
    const struct decode_request *req = ctx->b.req;
    struct device_key keys[DECODE_KEYS_MAX] = { 0 };

    if (ctx->b.peek || req->accept_plaintext || !req->keys.find || !ctx->plain_body ||
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

/* What protected one APDU says nothing about the next. */
static enum frame_state read_unit(struct dlms_context *ctx, const struct dlms_unit *unit)
{
    ctx->secured = false;
    ctx->service = 0;
    return dlms_apdu_read(ctx, unit->p, unit->n);
}

static enum frame_state read_all(struct dlms_context *ctx)
{
    enum frame_state state = dlms_link_open(ctx);

    for (unsigned i = 0; state == FRAME_OK && i < ctx->nunits; i++)
        state = read_unit(ctx, &ctx->units[i]);
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

/* Of a frame that is refused nothing stays that its body said. */
static void forget(struct dlms_context *ctx, enum frame_state state)
{
    struct decode_result *out = ctx->b.out;

    out->has_application = false;
    out->has_counter = false; /* nobody vouches for it */
    out->more_follows = false;
    if (state != FRAME_PLAINTEXT_REFUSED && !ctx->titled)
        out->has_device = false; /* a system title stands outside of what is refused */
}

enum emt_err dlms_decode(const struct decode_request *req, struct decode_result *out, bool peek)
{
    struct dlms_context ctx = { .nunits = 0 };
    enum frame_state state;
    enum emt_err err = decode_build_init(&ctx.b, req, out, peek);

    if (err != EMT_OK)
        return err;
    state = read_all(&ctx);
    if (state != FRAME_OK)
        forget(&ctx, state);
    return decode_build_finish(&ctx.b, state);
}
