#include "dlms_link.h"

#include "base/arena.h"
#include "base/reader.h"
#include "dlms_hdlc.h"

#include <string.h>

#define WRAPPER_LEN 8
#define WRAPPER_VERSION 1
#define MBUS_START 0x68
#define MBUS_STOP 0x16
#define MBUS_HEAD 5 /* C, A, CI, STSAP, DTSAP */
#define MBUS_LAST 0x10
#define MBUS_CI_MOST 0x1f

/* Segments of one APDU on their way. */
struct assembly {
    uint8_t *data; /* NULL until a second segment comes */
    const uint8_t *only;
    size_t len;
    bool open;
};

bool dlms_link_add(struct dlms_context *ctx, const uint8_t *p, size_t n)
{
    if (ctx->nunits == DLMS_UNITS_MAX)
        return decode_build_fail(&ctx->b, "more than %d APDUs", DLMS_UNITS_MAX);
    ctx->units[ctx->nunits].p = p;
    ctx->units[ctx->nunits++].n = n;
    ctx->room += n;
    return true;
}

/* All segments of a frame fit into as many bytes as the frame has. */
static bool append(struct dlms_context *ctx, struct assembly *a, const uint8_t *p, size_t n)
{
    if (!a->open) {
        *a = (struct assembly){ .only = p, .len = n, .open = true };
        return true;
    }
    if (!a->data) {
        a->data = (uint8_t *)arena_alloc(ctx->b.req->arena, ctx->b.req->len);
        if (!a->data) {
            ctx->b.no_memory = true;
            return false;
        }
        if (a->len)
            memcpy(a->data, a->only, a->len);
        trace_copy(ctx->b.trace, a->data, a->len, a->only);
    }
    trace_copy(ctx->b.trace, a->data + a->len, n, p);
    if (n)
        memcpy(a->data + a->len, p, n);
    a->len += n;
    return true;
}

static bool finish(struct dlms_context *ctx, struct assembly *a)
{
    a->open = false;
    return a->len == 0 || dlms_link_add(ctx, a->data ? a->data : a->only, a->len);
}

/* ---- HDLC ---- */

/* E6 E6 00 to the meter, E6 E7 00 from it; the first segment only. */
static void skip_llc(const uint8_t **p, size_t *n)
{
    const uint8_t *q = *p;

    if (*n < HDLC_LLC_LEN || q[0] != 0xe6 || (q[1] != 0xe6 && q[1] != 0xe7) || q[2] != 0)
        return;
    *p += HDLC_LLC_LEN;
    *n -= HDLC_LLC_LEN;
}

static void trace_hdlc(struct trace *t, const struct hdlc_frame *f)
{
    size_t head = f->info ? (size_t)(f->info - f->start) : f->len - 2;

    trace_layer(t, "hdlc", f->start, head);
    trace_format(t, "format", f->start, 2, "%02x%02x%s", f->start[0], f->start[1],
                 f->segmented ? " segmented" : "");
    trace_format(t, "addresses", f->start + 2, head - (f->info ? 5 : 3), "to %u, from %u",
                 (unsigned)f->destination, (unsigned)f->source);
    trace_hex(t, "control", f->start + head - (f->info ? 3 : 1), 1);
    if (f->info)
        trace_hex(t, "hcs", f->info - 2, 2);
    trace_hex(t, "fcs", f->start + f->len - 2, 2);
}

static void put_hdlc(struct dlms_context *ctx, const struct hdlc_frame *f, size_t start, size_t end)
{
    if (ctx->b.trace)
        trace_hdlc(ctx->b.trace, f);
    if (!ctx->b.peek) {
        decode_build_layer(&ctx->b, "hdlc", start,
                           f->info ? (size_t)(f->info - ctx->b.req->frame) - start : end - start);
        if (ctx->b.out->nlayers > 1)
            return;
        decode_build_number(&ctx->b, "source", f->source);
        decode_build_number(&ctx->b, "destination", f->destination);
        decode_build_number(&ctx->b, "control", f->control);
    }
}

static enum frame_state hdlc_fail(struct dlms_context *ctx, enum emt_err err, unsigned nth)
{
    const char *why = err == EMT_EAUTH        ? "check sequence is wrong"
                      : err == EMT_ETRUNCATED ? "ends before its length"
                                              : "flag, format or address is wrong";

    (void)decode_build_fail(&ctx->b, "HDLC frame %u: %s", nth, why);
    return FRAME_MALFORMED;
}

/* The closing flag was left for the next frame to open with. */
static bool only_flags_left(struct reader in)
{
    while (reader_left(&in))
        if (reader_u8(&in) != HDLC_FLAG)
            return false;
    return true;
}

static enum frame_state open_hdlc(struct dlms_context *ctx)
{
    struct reader in = reader_of(ctx->b.req->frame, ctx->b.req->len);
    struct assembly a = { .open = false };
    unsigned nth = 0;

    do {
        struct hdlc_frame f;
        size_t start = in.pos;
        enum emt_err err = hdlc_frame_read(&in, &f);

        nth++;
        if (err != EMT_OK)
            return hdlc_fail(ctx, err, nth);
        put_hdlc(ctx, &f, start, in.pos);
        if (!hdlc_carries_data(f.control) || !f.info)
            continue;
        if (!a.open)
            skip_llc(&f.info, &f.info_len);
        if (!append(ctx, &a, f.info, f.info_len) || (!f.segmented && !finish(ctx, &a)))
            return FRAME_MALFORMED;
    } while (!only_flags_left(in));
    if (a.open) {
        (void)decode_build_fail(&ctx->b, "the last HDLC segment is missing");
        return FRAME_MALFORMED;
    }
    if (ctx->nunits)
        return FRAME_OK;
    (void)decode_build_fail(&ctx->b, "HDLC frame without APDU");
    return FRAME_UNSUPPORTED;
}

/* ---- wrapper ---- */

static enum frame_state open_wrapper(struct dlms_context *ctx)
{
    struct reader in = reader_of(ctx->b.req->frame, ctx->b.req->len);

    do {
        size_t start = in.pos;
        unsigned version = reader_u16be(&in), source = reader_u16be(&in);
        unsigned destination = reader_u16be(&in);
        size_t len = reader_u16be(&in);
        const uint8_t *p = reader_bytes(&in, len);

        if (!p || version != WRAPPER_VERSION || len == 0) {
            (void)decode_build_fail(&ctx->b, in.failed ? "wrapper: ends before its length"
                                                       : "wrapper: version or length is wrong");
            return FRAME_MALFORMED;
        }
        if (!ctx->b.peek && ctx->nunits == 0) {
            decode_build_number(&ctx->b, "version", version);
            decode_build_number(&ctx->b, "source_wport", source);
            decode_build_number(&ctx->b, "destination_wport", destination);
            decode_build_number(&ctx->b, "length", len);
        }
        decode_build_layer(&ctx->b, "wrapper", start, WRAPPER_LEN);
        if (ctx->b.trace) {
            const uint8_t *head = ctx->b.req->frame + start;

            trace_layer(ctx->b.trace, "wrapper", head, WRAPPER_LEN);
            trace_number(ctx->b.trace, "version", version, head, 2);
            trace_number(ctx->b.trace, "source_wport", source, head + 2, 2);
            trace_number(ctx->b.trace, "destination_wport", destination, head + 4, 2);
            trace_number(ctx->b.trace, "length", len, head + 6, 2);
        }
        if (!dlms_link_add(ctx, p, len))
            return FRAME_MALFORMED;
    } while (reader_left(&in));
    return FRAME_OK;
}

/* ---- M-Bus ---- */

static bool mbus_frame_read(struct reader *in, uint8_t *ci, struct reader *body)
{
    uint8_t start = reader_u8(in), l = reader_u8(in), again = reader_u8(in);
    uint8_t second = reader_u8(in), sum = 0, check;
    struct reader part;

    if (in->failed || start != MBUS_START || second != MBUS_START || l != again || l < MBUS_HEAD)
        return false;
    part = reader_sub(in, l);
    for (size_t i = 0; i < reader_left(&part); i++)
        sum = (uint8_t)(sum + reader_peek(&part, i));
    check = reader_u8(in);
    if (reader_u8(in) != MBUS_STOP || check != sum || in->failed)
        return false;
    reader_skip(&part, 2);
    *ci = reader_u8(&part);
    reader_skip(&part, 2);
    *body = part;
    return true;
}

static enum frame_state open_mbus(struct dlms_context *ctx)
{
    struct reader in = reader_of(ctx->b.req->frame, ctx->b.req->len);
    struct assembly a = { .open = false };
    unsigned segment = 0, nth = 0;

    do {
        size_t start = in.pos, n;
        struct reader body;
        uint8_t ci;

        nth++;
        if (!mbus_frame_read(&in, &ci, &body)) {
            (void)decode_build_fail(&ctx->b, "M-Bus frame %u: length or checksum is wrong", nth);
            return FRAME_MALFORMED;
        }
        if (ci > MBUS_CI_MOST || (ci & 0x0fu) != (segment & 0x0fu)) {
            (void)decode_build_fail(&ctx->b, "M-Bus frame %u: CI %02x, segment %u was expected",
                                    nth, ci, segment);
            return ci > MBUS_CI_MOST ? FRAME_UNSUPPORTED : FRAME_MALFORMED;
        }
        decode_build_layer(&ctx->b, "mbus-transport", start, 4 + MBUS_HEAD);
        n = reader_left(&body);
        if (ctx->b.trace) {
            const uint8_t *head = ctx->b.req->frame + start;

            trace_layer(ctx->b.trace, "mbus-transport", head, 4 + MBUS_HEAD);
            trace_number(ctx->b.trace, "l_field", head[1], head + 1, 2);
            trace_hex(ctx->b.trace, "c_field", head + 4, 1);
            trace_hex(ctx->b.trace, "address", head + 5, 1);
            trace_hex(ctx->b.trace, "ci", head + 6, 1);
            trace_hex(ctx->b.trace, "stsap_dtsap", head + 7, 2);
            trace_hex(ctx->b.trace, "checksum", head + 4 + MBUS_HEAD + n, 1);
        }
        if (!append(ctx, &a, reader_bytes(&body, n), n) || ((ci & MBUS_LAST) && !finish(ctx, &a)))
            return FRAME_MALFORMED;
        segment = a.open ? segment + 1 : 0;
    } while (reader_left(&in));
    if (!a.open && ctx->nunits)
        return FRAME_OK;
    (void)decode_build_fail(&ctx->b, a.open ? "the last M-Bus segment is missing"
                                            : "M-Bus frame without APDU");
    return FRAME_MALFORMED;
}

/* ---- which one ---- */

static enum frame_format guess(const uint8_t *p, size_t n)
{
    if (p[0] == HDLC_FLAG)
        return FRAME_FORMAT_HDLC;
    if (n > 4 && p[0] == MBUS_START && p[3] == MBUS_START && p[1] == p[2])
        return FRAME_FORMAT_MBUS;
    if (n > WRAPPER_LEN && p[0] == 0 && p[1] == WRAPPER_VERSION &&
        (size_t)(p[6] << 8 | p[7]) <= n - WRAPPER_LEN)
        return FRAME_FORMAT_WRAPPER;
    return FRAME_FORMAT_NONE;
}

enum frame_state dlms_link_open(struct dlms_context *ctx)
{
    const struct decode_request *req = ctx->b.req;
    enum frame_format format = req->format;

    if (format == FRAME_FORMAT_AUTO)
        format = guess(req->frame, req->len);
    if (format == FRAME_FORMAT_HDLC)
        return open_hdlc(ctx);
    if (format == FRAME_FORMAT_WRAPPER)
        return open_wrapper(ctx);
    if (format == FRAME_FORMAT_MBUS)
        return open_mbus(ctx);
    if (format != FRAME_FORMAT_NONE) {
        (void)decode_build_fail(&ctx->b, "format %s is none of DLMS", frame_format_name(format));
        return FRAME_UNSUPPORTED;
    }
    ctx->bare = true;
    return dlms_link_add(ctx, req->frame, req->len) ? FRAME_OK : FRAME_MALFORMED;
}
