#include "mbus_decode.h"

#include "base/cipher.h"
#include "mbus_afl.h"
#include "mbus_application.h"
#include "mbus_context.h"
#include "mbus_ell.h"
#include "mbus_fixed.h"
#include "mbus_security.h"
#include "mbus_tpl.h"
#include "mbus_trace.h"
#include "mbus_wired.h"
#include "parsers/mbus_readout.h"
#include "wmbus_link.h"

#include <string.h>

#define CI_ELL_VARIABLE 0x86
#define CI_NWL 0x81
#define NWL_LEN 2            /* CI and one control byte */
#define WIRED_TRAILER 2      /* checksum and stop byte */
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
    if (ctx->trace)
        mbus_trace_nwl(ctx, in->data + from, in->pos - from);
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

/* CI, ID, manufacturer, version and type: whose telegram it is. */
#define IDENTITY_LEN 9

static size_t frame_len(const struct mbus_wired *link)
{
    return link->body_offset + link->body_len + WIRED_TRAILER;
}

/* Telegrams of one meter behind each other are one readout (a gateway joins them so). Returns where
 * the last one ends; what is no such telegram trails and is never parsed. */
static size_t readout_end(const struct decode_request *req, const struct mbus_wired *first)
{
    size_t end = frame_len(first);
    struct mbus_wired link;

    for (unsigned n = 1; n < MBUS_READOUT_TELEGRAMS_MAX; n++) {
        if (mbus_wired_parse(req->frame + end, req->len - end, &link) != EMT_OK ||
            link.kind != MBUS_WIRED_LONG || (link.c & C_FROM_PRIMARY) ||
            link.body_len < IDENTITY_LEN || first->body_len < IDENTITY_LEN ||
            memcmp(link.body, first->body, IDENTITY_LEN) != 0)
            break;
        end += frame_len(&link);
    }
    return end;
}

/* The next telegram of the readout, behind one that ends with DIF 1F. */
static bool next_telegram(struct mbus_context *ctx, struct reader *records)
{
    const uint8_t *plain = ctx->out->plain;
    size_t plain_len = ctx->out->plain_len;
    size_t from = ctx->next;
    struct mbus_wired link;
    struct reader in;

    if (ctx->tpl.header != MBUS_HEADER_LONG ||
        mbus_wired_parse(ctx->req->frame + from, ctx->end - from, &link) != EMT_OK)
        return false;
    in = reader_of(ctx->req->frame, from + link.body_offset + link.body_len);
    reader_skip(&in, from + link.body_offset);
    ctx->next += frame_len(&link);
    ctx->telegrams++;
    ctx->tpl = (struct mbus_tpl){ 0 };
    mbus_layer(ctx, "link", 0, from, from + link.body_offset);
    if (ctx->trace)
        mbus_trace_wired(ctx, &link, ctx->req->frame + from);
    ctx->next_state = mbus_tpl_read(ctx, &in);
    if (ctx->next_state == FRAME_OK)
        ctx->next_state = mbus_security_open(ctx, &in, MBUS_APL_RECORDS);
    *records = reader_of(ctx->out->plain, ctx->out->plain_len);
    ctx->out->plain = plain; /* the first one's, for people */
    ctx->out->plain_len = plain_len;
    return ctx->next_state == FRAME_OK;
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
    if (ctx.trace)
        mbus_trace_wired(&ctx, &link, req->frame);
    if (link.kind == MBUS_WIRED_SHORT)
        return finish(&ctx, mbus_fail(&ctx, FRAME_UNSUPPORTED, "short frame, no data"));
    ctx.telegrams = 1;
    ctx.next = frame_len(&link);
    ctx.end = readout_end(req, &link);
    ctx.next_telegram = next_telegram;
    set_hash(out, link.body, ctx.end - WIRED_TRAILER - link.body_offset);
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
    memcpy(ctx.link_raw, link.bytes + 2, sizeof ctx.link_raw);
    if (link.len > WMBUS_LINK_HEADER)
        mbus_address_reorder(&link.address, link.bytes[WMBUS_LINK_HEADER]);
    ctx.link = link.address;
    ctx.guessed_len = link.corrected;
    ctx.offset_of = radio_offset;
    ctx.offset_ctx = &link;
    set_hash(out, link.bytes, link.len);
    mbus_set_meter(&ctx, &link.address);
    mbus_layer(&ctx, radio_layer_name(link.format), 0, 0, WMBUS_LINK_HEADER);
    mbus_field_number(&ctx, "c_field", link.c);
    if (ctx.trace)
        mbus_trace_radio(&ctx, radio_layer_name(link.format), &link);
    in = reader_of(link.bytes, link.len);
    reader_skip(&in, WMBUS_LINK_HEADER);
    return finish(&ctx, read_layers(&ctx, &in));
}

enum emt_err wmbus_decode(const struct decode_request *req, struct decode_result *out, bool peek)
{
    const struct trace_mark nothing = { 0 };
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
            trace_rewind(req->trace, nothing);
            err = decode_radio(req, out, peek, f);
        }
    }
    return err;
}
