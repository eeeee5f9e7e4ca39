#include "mbus_decode.h"

#include "base/cipher.h"
#include "mbus_afl.h"
#include "mbus_application.h"
#include "mbus_context.h"
#include "mbus_ell.h"
#include "mbus_fixed.h"
#include "mbus_security.h"
#include "mbus_tpl.h"
#include "mbus_wired.h"
#include "wmbus_link.h"

#include <string.h>

#define CI_ELL_VARIABLE 0x86
#define CI_NWL 0x81
#define NWL_LEN 2            /* CI and one control byte */
#define C_FROM_PRIMARY 0x40u /* EN 13757-2: set in what a master sends */

static void set_hash(struct decode_result *out, const uint8_t *p, size_t n)
{
    uint8_t hash[32];

    cipher_sha256(p, n, hash);
    memcpy(out->telegram_hash, hash, sizeof out->telegram_hash);
}

static enum frame_state read_nwl(struct mbus_context *ctx, struct reader *in)
{
    size_t from = in->pos;

    reader_skip(in, NWL_LEN);
    if (in->failed)
        return mbus_fail(ctx, FRAME_MALFORMED, "ends inside the network layer");
    mbus_layer(ctx, "nwl", CI_NWL, from, in->pos);
    return FRAME_OK;
}

/* Layers stand in this order, each at most once (EN 13757-7): ELL, NWL, AFL, then the transport
 * layer. */
static enum frame_state read_lower_layers(struct mbus_context *ctx, struct reader *in)
{
    enum frame_state state = FRAME_OK;

    if (reader_peek(in, 0) == CI_ELL_VARIABLE)
        return mbus_fail(ctx, FRAME_UNSUPPORTED, "extended link layer 86 is not read");
    if (mbus_is_ell(reader_peek(in, 0)))
        state = mbus_ell_read(ctx, in);
    if (state == FRAME_OK && reader_peek(in, 0) == CI_NWL)
        state = read_nwl(ctx, in);
    if (state == FRAME_OK && reader_peek(in, 0) == MBUS_CI_AFL)
        state = mbus_afl_read(ctx, in);
    return state;
}

static void keep_body(struct mbus_context *ctx, const struct reader *in)
{
    ctx->out->plain = in->data + in->pos;
    ctx->out->plain_len = reader_left(in);
}

static bool is_readable(enum mbus_apl apl)
{
    return apl != MBUS_APL_MANUFACTURER && apl != MBUS_APL_UNKNOWN && apl != MBUS_APL_FOREIGN &&
           apl != MBUS_APL_COMMAND;
}

static enum frame_state read_layers(struct mbus_context *ctx, struct reader *in)
{
    enum frame_state state = read_lower_layers(ctx, in);
    enum mbus_apl apl;

    /* What a peek finds behind an encrypted link layer is ciphertext. */
    if (state != FRAME_OK || ctx->fragment_waits ||
        (ctx->peek && ctx->out->has_counter && !ctx->afl.present))
        return state;
    state = mbus_tpl_read(ctx, in);
    if (state != FRAME_OK)
        return state;
    apl = mbus_apl_of(ctx->tpl.ci, ctx->wired);
    if (apl == MBUS_APL_FIXED)
        return mbus_fixed_read(ctx, in);
    if (ctx->peek)
        return FRAME_OK;
    if (is_readable(apl))
        state = mbus_security_open(ctx, in, apl);
    else
        keep_body(ctx, in);
    return state == FRAME_OK ? mbus_application_read(ctx, apl) : state;
}

static enum emt_err finish(struct mbus_context *ctx, enum frame_state state)
{
    ctx->out->state = state;
    if (ctx->out->security)
        mbus_field_text(ctx, "security", ctx->out->security);
    return ctx->no_memory ? EMT_ENOMEM : EMT_OK;
}

static enum frame_state link_failed(struct mbus_context *ctx, enum emt_err err)
{
    return mbus_fail(ctx, FRAME_MALFORMED, "link layer: %s",
                     err == EMT_ETRUNCATED ? "the frame is not complete"
                                           : "no frame of this format");
}

enum emt_err mbus_decode(const struct decode_request *req, struct decode_result *out, bool peek)
{
    struct mbus_context ctx;
    struct mbus_wired link;
    struct reader in;
    enum emt_err err = mbus_context_init(&ctx, req, out, peek);

    if (err != EMT_OK)
        return err;
    ctx.wired = true;
    err = mbus_wired_parse(req->frame, req->len, &link);
    if (err != EMT_OK)
        return finish(&ctx, link_failed(&ctx, err));
    if (link.kind == MBUS_WIRED_ACK)
        return finish(&ctx, mbus_fail(&ctx, FRAME_UNSUPPORTED, "acknowledgement, no data"));
    mbus_layer(&ctx, "link", 0, 0, link.kind == MBUS_WIRED_LONG ? link.body_offset : 3);
    mbus_field_number(&ctx, "c_field", link.c);
    mbus_field_number(&ctx, "address", link.a);
    if (link.kind == MBUS_WIRED_SHORT)
        return finish(&ctx, mbus_fail(&ctx, FRAME_UNSUPPORTED, "short frame, no data"));
    set_hash(out, link.body, link.body_len);
    if (link.c & C_FROM_PRIMARY)
        return finish(&ctx, mbus_fail(&ctx, FRAME_UNSUPPORTED, "sent by a master to a meter"));
    /* Offsets count from the start byte. */
    in = reader_of(req->frame, link.body_offset + link.body_len);
    reader_skip(&in, link.body_offset);
    return finish(&ctx, read_layers(&ctx, &in));
}

static size_t radio_offset(const void *ctx, size_t at)
{
    return wmbus_link_offset((const struct wmbus_link *)ctx, at);
}

static const char *radio_layer_name(enum frame_format format)
{
    if (format == FRAME_FORMAT_A_CRC)
        return "link-a";
    return format == FRAME_FORMAT_B_CRC ? "link-b" : "link";
}

static enum emt_err decode_radio(const struct decode_request *req, struct decode_result *out,
                                 bool peek, enum frame_format format)
{
    struct mbus_context ctx;
    struct wmbus_link link;
    struct reader in;
    enum emt_err err = mbus_context_init(&ctx, req, out, peek);

    if (err != EMT_OK)
        return err;
    err = wmbus_link_parse(req->arena, req->frame, req->len, format, &link);
    if (err == EMT_ENOMEM)
        return err;
    if (err != EMT_OK)
        return finish(&ctx, link_failed(&ctx, err));
    ctx.has_link = true;
    ctx.link = link.address;
    ctx.offset_of = radio_offset;
    ctx.offset_ctx = &link;
    set_hash(out, link.bytes, link.len);
    mbus_set_meter(&ctx, &link.address);
    mbus_layer(&ctx, radio_layer_name(link.format), 0, 0, WMBUS_LINK_HEADER);
    mbus_field_number(&ctx, "c_field", link.c);
    in = reader_of(link.bytes, link.len);
    reader_skip(&in, WMBUS_LINK_HEADER);
    return finish(&ctx, read_layers(&ctx, &in));
}

enum emt_err wmbus_decode(const struct decode_request *req, struct decode_result *out, bool peek)
{
    enum emt_err err = decode_radio(req, out, peek, req->format);

    /* A receiver that says "no CRCs" but leaves them in: what cannot be read as it is and fits with
     * CRCs, has CRCs. */
    for (enum frame_format f = FRAME_FORMAT_A_CRC;
         err == EMT_OK && out->state == FRAME_MALFORMED && f <= FRAME_FORMAT_B_CRC &&
         req->format == FRAME_FORMAT_NO_LINK_CRC;
         f++) {
        struct wmbus_link link;

        if (wmbus_link_parse(req->arena, req->frame, req->len, f, &link) == EMT_OK) {
            memset(out, 0, sizeof *out);
            err = decode_radio(req, out, peek, f);
        }
    }
    return err;
}
