#include "iec_decode.h"

#include "base/arena.h"
#include "iec_device.h"
#include "iec_frame.h"
#include "iec_profile.h"
#include "iec_reading.h"

#include <string.h>

#define GENERAL_GLO_CIPHERING 0xdb /* encrypted P1: a DLMS APDU around the whole text */
#define VALUE_LEN 20               /* a usual line */
#define P1_WITH_CRC 40             /* DSMR 4.0: from here on the checksum is mandatory */

static void put_fields(struct iec_context *ctx)
{
    static const char *const checks[] = {
        [IEC_CHECK_NONE] = "none", [IEC_CHECK_BCC] = "bcc", [IEC_CHECK_CRC16] = "crc16"
    };
    const struct iec_frame *f = &ctx->frame;
    const char *ident;

    if (f->ident.n) {
        ident = iec_copy(&ctx->b, f->ident);
        decode_build_text(&ctx->b, "ident", ident, strlen(ident));
        decode_build_layer(&ctx->b, "ident", f->ident_offset, f->ident.n + 1);
    }
    decode_build_text(&ctx->b, "check", checks[f->check], strlen(checks[f->check]));
    if (f->short_crc)
        decode_build_text(&ctx->b, "quirk", "short-crc:1", 11);
    decode_build_layer(&ctx->b, "data", f->data_offset, f->data.n);
}

/* p: the frame, with seven bits per byte. */
static void put_trace(struct iec_context *ctx, const uint8_t *p)
{
    const struct iec_frame *f = &ctx->frame;
    struct trace *t = ctx->b.trace;

    if (f->ident.n) {
        trace_layer(t, "ident", p + f->ident_offset, f->ident.n + 1);
        trace_text(t, "identification", iec_copy(&ctx->b, f->ident), p + f->ident_offset + 1,
                   f->ident.n);
    }
    trace_layer(t, "data", p + f->data_offset, f->data.n);
    if (f->check != IEC_CHECK_NONE)
        trace_hex(t, f->check == IEC_CHECK_BCC ? "bcc" : "crc", p + f->check_offset, f->check_len);
}

static void iec_record(struct iec_context *ctx, const struct iec_set *set, unsigned first)
{
    size_t n = (size_t)(set->brackets.p + set->brackets.n - set->code.p);

    decode_build_record(&ctx->b, (const uint8_t *)set->code.p, n, first, "data set");
}

static bool read_sets(struct iec_context *ctx, struct iec_identity *id)
{
    struct iec_span in = ctx->frame.data;
    struct iec_set set;
    unsigned n = 0, first;
    enum emt_err err;

    while ((err = iec_set_next(&in, &set)) == EMT_OK) {
        n++;
        if (set.code.n == 0)
            return decode_build_fail(&ctx->b, "data set %u: no code", n);
        iec_identity_note(id, &set);
        iec_set_note(ctx, &set);
        if (ctx->b.peek)
            continue;
        first = ctx->b.n;
        if (iec_profile_put(ctx, &set))
            continue;
        iec_set_put(ctx, &set);
        if (ctx->b.trace)
            iec_record(ctx, &set, first);
    }
    if (err != EMT_ENOTFOUND)
        return decode_build_fail(&ctx->b, "data set %u: no data set", n + 1);
    return true;
}

static void note_losses(struct iec_context *ctx)
{
    if (ctx->damaged_rows)
        (void)decode_build_fail(&ctx->b, "a profile row cut short at %s is left out", ctx->cut_at);
    else if (ctx->timeless)
        (void)decode_build_fail(&ctx->b, "%u profile values without date are left out",
                                ctx->timeless);
}

static enum frame_state read_frame(struct iec_context *ctx, const uint8_t *p, size_t n)
{
    struct iec_identity id = { .number = "" };
    const char *why = iec_frame_parse(p, n, &ctx->frame);
    struct decode_result *out = ctx->b.out;

    if (why) {
        (void)decode_build_fail(&ctx->b, "%s", why);
        return FRAME_MALFORMED;
    }
    if (!ctx->b.peek)
        put_fields(ctx);
    if (ctx->b.trace)
        put_trace(ctx, p);
    ctx->b.first = (unsigned)(ctx->frame.data.n / VALUE_LEN) + 1;
    if (!read_sets(ctx, &id))
        return FRAME_MALFORMED;
    if (ctx->p1_version >= P1_WITH_CRC && ctx->frame.check == IEC_CHECK_NONE) {
        (void)decode_build_fail(&ctx->b, "a P1 telegram of version %u without checksum",
                                ctx->p1_version);
        return FRAME_MALFORMED;
    }
    out->has_device = iec_identity_device(&id, ctx->frame.ident, &out->device);
    out->more_follows = ctx->frame.partial;
    iec_readings_date(ctx);
    note_losses(ctx);
    return FRAME_OK;
}

/* The frame with seven bits per byte. */
static const uint8_t *strip_parity(struct iec_context *ctx, const uint8_t *p, size_t n)
{
    uint8_t *copy = (uint8_t *)arena_copy(ctx->b.req->arena, p, n);

    for (size_t i = 0; copy && i < n; i++)
        copy[i] &= 0x7fu;
    return copy;
}

enum emt_err iec_decode(const struct decode_request *req, struct decode_result *out, bool peek)
{
    struct iec_context ctx = { .p1_version = 0 };
    enum emt_err err = decode_build_init(&ctx.b, req, out, peek);
    const uint8_t *p = req->frame;

    if (err != EMT_OK)
        return err;
    if (p[0] == GENERAL_GLO_CIPHERING) {
        (void)decode_build_fail(&ctx.b, "ciphered: a DLMS frame");
        return decode_build_finish(&ctx.b, FRAME_UNSUPPORTED);
    }
    if (iec_has_parity(p, req->len)) {
        p = strip_parity(&ctx, p, req->len);
        if (!p)
            return EMT_ENOMEM;
        trace_copy(ctx.b.trace, p, req->len, req->frame);
        if (!peek)
            decode_build_text(&ctx.b, "parity", "even", 4);
    }
    return decode_build_finish(&ctx.b, read_frame(&ctx, p, req->len));
}
