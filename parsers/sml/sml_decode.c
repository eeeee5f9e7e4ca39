#include "sml_decode.h"

#include "base/arena.h"
#include "base/cipher.h"
#include "sml_context.h"
#include "sml_file.h"
#include "sml_server_id.h"
#include "sml_status.h"

#include <stdio.h>
#include <string.h>

#define ESCAPE_FIRST 0x1b
#define HASH_LEN 8
#define SERVER_ID_SHOWN 32

static void put_quirks(struct sml_context *ctx)
{
    char text[128];
    size_t len = 0;

    for (unsigned i = 0; i < SML_QUIRKS; i++)
        if (ctx->quirks[i] && len < sizeof text)
            len += (size_t)snprintf(text + len, sizeof text - len, "%s%s:%u", len ? "," : "",
                                    sml_quirk_name((enum sml_quirk)i), ctx->quirks[i]);
    if (len)
        decode_build_text(&ctx->b, "quirk", text, len < sizeof text ? len : sizeof text - 1);
}

static void put_status(struct sml_context *ctx)
{
    struct sml_status s = sml_status_of(ctx->status);
    char text[160];
    const char *direction = s.exports ? "export" : "import";

    if (!ctx->has_status || !s.known)
        return;
    decode_build_text(&ctx->b, "direction", direction, strlen(direction));
    decode_build_text(&ctx->b, "status_flags", text,
                      strlen(sml_status_flags(ctx->status, text, sizeof text)));
}

static void put_device(struct sml_context *ctx)
{
    struct decode_result *out = ctx->b.out;
    const uint8_t *server = ctx->server;
    size_t len = ctx->server_len;

    if (len == 0) {
        server = ctx->opener;
        len = ctx->opener_len;
    }
    out->has_device = sml_server_id_device(server, len, &out->device);
    if (len && !ctx->b.peek)
        decode_build_hex(&ctx->b, "server_id", server,
                         len < SERVER_ID_SHOWN ? len : SERVER_ID_SHOWN);
}

/* The files of one frame that were well-formed. */
static enum frame_state judge(struct sml_context *ctx)
{
    put_device(ctx);
    if (!ctx->b.peek) {
        put_status(ctx);
        put_quirks(ctx);
    }
    if (ctx->responses == 0 && (ctx->requests || ctx->unknown)) {
        (void)decode_build_fail(&ctx->b, "%s, no data",
                                ctx->requests ? "requests to a meter" : "unknown messages");
        return FRAME_UNSUPPORTED;
    }
    if (ctx->foreign)
        (void)decode_build_fail(&ctx->b, "%u lists of other meters are left out", ctx->foreign);
    else if (ctx->timeless)
        (void)decode_build_fail(&ctx->b, "%u profile rows without wall clock time are left out",
                                ctx->timeless);
    return FRAME_OK;
}

/* data: one file with envelope, as sml_transport_look() found it. */
static size_t body_offset(const void *ctx, size_t at)
{
    const struct sml_context *sml = (const struct sml_context *)ctx;

    return (size_t)(sml->frame - sml->b.req->frame) +
           sml_transport_offset(sml->frame, &sml->where, at);
}

static void trace_envelope(struct sml_context *ctx, const uint8_t *body, size_t len)
{
    struct trace *t = ctx->b.trace;
    const uint8_t *start = ctx->frame, *end = start + ctx->where.len - SML_END_LEN;

    trace_map(t, body, len, body_offset, ctx);
    trace_layer(t, ctx->where.version == 2 ? "sml-transport-2" : "sml-transport", start,
                SML_START_LEN);
    trace_hex(t, "start", start, SML_START_LEN);
    trace_hex(t, "end", end, 5);
    trace_number(t, "padding", ctx->where.padding, end + 5, 1);
    trace_hex(t, "crc", end + 6, 2);
}

static enum frame_state read_framed(struct sml_context *ctx, const uint8_t *data,
                                    const struct sml_frame *f, size_t offset)
{
    size_t len = sml_transport_body_len(f);
    const uint8_t *body;
    uint8_t *storage = NULL;

    if (f->escapes) {
        storage = (uint8_t *)arena_alloc(ctx->b.req->arena, len);
        if (!storage) {
            ctx->b.no_memory = true;
            return FRAME_MALFORMED;
        }
    }
    ctx->frame = data;
    ctx->where = *f;
    if (!ctx->b.peek)
        decode_build_layer(&ctx->b, f->version == 2 ? "sml-transport-2" : "sml-transport", offset,
                           SML_START_LEN);
    body = sml_transport_body(data, f, storage);
    if (ctx->b.trace)
        trace_envelope(ctx, body, len);
    if (!sml_file_read(ctx, body, len))
        return FRAME_MALFORMED;
    return judge(ctx);
}

static enum frame_state read_one(struct sml_context *ctx, const uint8_t *data, size_t len)
{
    struct sml_frame f;
    enum sml_envelope e;

    if (data[0] != ESCAPE_FIRST)
        return sml_file_read(ctx, data, len) ? judge(ctx) : FRAME_MALFORMED;
    e = sml_transport_look(data, len, SML_FILE_GATEWAY_MAX, &f);
    if (e == SML_ENVELOPE_INTACT && f.len != len)
        (void)decode_build_fail(&ctx->b, "%zu bytes behind the end", len - f.len);
    else if (e != SML_ENVELOPE_INTACT)
        (void)decode_build_fail(&ctx->b, "envelope: %s", sml_envelope_text(e));
    else
        return read_framed(ctx, data, &f, 0);
    return FRAME_MALFORMED;
}

enum emt_err sml_decode(const struct decode_request *req, struct decode_result *out, bool peek)
{
    struct sml_context ctx = { 0 };
    enum emt_err err = decode_build_init(&ctx.b, req, out, peek);

    if (err != EMT_OK)
        return err;
    return decode_build_finish(&ctx.b, read_one(&ctx, req->frame, req->len));
}

/* Intact files of the piece, in order. NULL out of memory. */
static struct sml_frame *find_all(const struct decode_request *req, unsigned *n,
                                  unsigned long *damaged)
{
    size_t most = req->len / (SML_START_LEN + SML_END_LEN) + 1, at = 0;
    struct sml_frame *list =
        (struct sml_frame *)arena_alloc(req->arena, most * sizeof(struct sml_frame));

    *n = 0;
    while (list && *n < most &&
           sml_transport_find(req->frame, req->len, SML_FILE_GATEWAY_MAX, true, &at, &list[*n],
                              damaged) == EMT_OK)
        ++*n;
    return list;
}

static bool put_hashes(struct decode_build *b, const struct sml_frame *list, unsigned n)
{
    uint8_t(*hashes)[HASH_LEN] =
        (uint8_t(*)[HASH_LEN])arena_alloc(b->req->arena, (size_t)n * HASH_LEN);

    if (!hashes)
        return false;
    for (unsigned i = 0; i < n; i++) {
        uint8_t whole[32];

        cipher_sha256(b->req->frame + list[i].offset, list[i].len, whole);
        memcpy(hashes[i], whole, HASH_LEN);
    }
    b->out->frames = (const uint8_t(*)[HASH_LEN])hashes;
    b->out->nframes = n;
    return true;
}

/* The last of the files that can be read; a reader of the earlier ones leaves nothing behind. */
static enum emt_err read_last(const struct decode_request *req, struct decode_result *out,
                              bool peek, const struct sml_frame *list, unsigned n)
{
    const struct decode_result kept = *out;
    const struct trace_mark nothing = { 0 };

    for (unsigned i = n; i > 0; i--) {
        const struct sml_frame *f = &list[i - 1];
        struct sml_context ctx = { 0 };
        enum emt_err err;

        *out = kept;
        trace_rewind(req->trace, nothing);
        err = decode_build_init(&ctx.b, req, out, peek);
        if (err == EMT_OK)
            err = decode_build_finish(&ctx.b,
                                      read_framed(&ctx, req->frame + f->offset, f, f->offset));
        if (err != EMT_OK || out->state == FRAME_OK)
            return err;
    }
    return EMT_OK;
}

enum emt_err sml_stream_decode(const struct decode_request *req, struct decode_result *out,
                               bool peek)
{
    struct decode_build b;
    struct sml_frame *list;
    unsigned long damaged = 0;
    unsigned n;
    enum emt_err err = decode_build_init(&b, req, out, peek);

    if (err != EMT_OK)
        return err;
    list = find_all(req, &n, &damaged);
    if (!list || (!peek && !put_hashes(&b, list, n)))
        return EMT_ENOMEM;
    if (n == 0) {
        (void)decode_build_fail(&b, "no intact file, %lu starts", damaged);
        return decode_build_finish(&b, FRAME_MALFORMED);
    }
    return read_last(req, out, peek, list, n);
}
