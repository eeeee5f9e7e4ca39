/* SML_Message: list of six. transactionId, groupNo, abortOnError, messageBody (list of tag and
 * body), crc16, endOfSmlMsg 00. The checksum covers the bytes from the list's own type-length field
 * to the body's last byte and is sent low byte first. */
#include "sml_file.h"

#include "common/crc16.h"
#include "sml_body.h"
#include "sml_tlv.h"

#include <string.h>

#define MESSAGE_ELEMENTS 6
#define BODY_ELEMENTS 2
#define END_OF_MESSAGE 0x00
#define FILL_MOST 3 /* zero bytes behind the last message */

struct message_kind {
    uint32_t tag;
    const char *layer;
    void (*read)(struct sml_context *ctx, struct reader *in); /* NULL: a request */
};

static const struct message_kind kinds[] = {
    { 0x0100, "open-request", NULL },          { 0x0101, "open", sml_open_read },
    { 0x0200, "close-request", NULL },         { 0x0201, "close", sml_close_read },
    { 0x0300, "profile-pack-request", NULL },  { 0x0301, "profile-pack", sml_profile_pack_read },
    { 0x0400, "profile-list-request", NULL },  { 0x0401, "profile-list", sml_profile_list_read },
    { 0x0500, "get-parameter-request", NULL }, { 0x0501, "get-parameter", sml_proc_parameter_read },
    { 0x0600, "set-parameter-request", NULL }, { 0x0700, "list-request", NULL },
    { 0x0701, "list", sml_get_list_read },     { 0xff01, "attention", sml_attention_read },
};

static const struct message_kind *find_kind(uint64_t tag)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (kinds[i].tag == tag)
            return &kinds[i];
    return NULL;
}

static uint16_t swapped(uint16_t v)
{
    return (uint16_t)((unsigned)v << 8 | v >> 8);
}

static bool checksum_fits(struct sml_context *ctx, const uint8_t *p, size_t n, uint16_t sent)
{
    if (swapped(crc16_x25(p, n)) == sent)
        return true;
    if (swapped(crc16_kermit(p, n)) != sent)
        return false;
    ctx->quirks[SML_QUIRK_KERMIT_CRC]++;
    return true;
}

static void read_body(struct sml_context *ctx, struct reader *in, const struct message_kind *kind)
{
    if (!kind) {
        ctx->unknown++;
        sml_skip(in, 1);
    } else if (!kind->read) {
        ctx->requests++;
        sml_skip(in, 1);
    } else {
        if (kind->tag != 0x0101 && kind->tag != 0x0201)
            ctx->responses++;
        kind->read(ctx, in);
    }
}

static size_t frame_offset(const struct sml_context *ctx, size_t at)
{
    return ctx->frame ? sml_transport_offset(ctx->frame, &ctx->where, at) : at;
}

static bool read_message(struct sml_context *ctx, struct reader *in, unsigned nth)
{
    size_t start = in->pos, len, end, group, abort_on_error, tag_at;
    const struct message_kind *kind;
    uint64_t tag;
    uint16_t crc;

    if (sml_read_list(in, MESSAGE_ELEMENTS) != MESSAGE_ELEMENTS)
        reader_fail(in);
    (void)sml_read_octets(in, &len);
    group = in->pos;
    (void)sml_read_unsigned(in, 255);
    abort_on_error = in->pos;
    (void)sml_read_unsigned(in, 255);
    tag_at = in->pos;
    if (sml_read_list(in, BODY_ELEMENTS) != BODY_ELEMENTS)
        reader_fail(in);
    tag = sml_read_unsigned(in, UINT32_MAX);
    if (in->failed)
        return decode_build_fail(&ctx->b, "message %u: no message head", nth);
    kind = find_kind(tag);
    if (ctx->b.trace) {
        const uint8_t *p = in->data;

        trace_layer(ctx->b.trace, kind ? kind->layer : "unknown", p + start, in->pos - start);
        trace_hex(ctx->b.trace, "transaction_id", p + group - len, len);
        trace_number(ctx->b.trace, "group_number", p[abort_on_error - 1], p + group,
                     abort_on_error - group);
        trace_hex(ctx->b.trace, "abort_on_error", p + tag_at - 1, 1);
        trace_format(ctx->b.trace, "message", p + tag_at + 1, in->pos - tag_at - 1, "%04x %s",
                     (unsigned)tag, kind ? kind->layer : "unknown");
    }
    read_body(ctx, in, kind);
    if (in->failed)
        return decode_build_fail(&ctx->b, "message %u (%s): broken body", nth,
                                 kind ? kind->layer : "unknown");
    end = in->pos;
    crc = (uint16_t)sml_read_unsigned(in, UINT16_MAX);
    if (in->failed || reader_left(in) == 0 || reader_u8(in) != END_OF_MESSAGE)
        return decode_build_fail(&ctx->b, "message %u: does not end as one", nth);
    if (!checksum_fits(ctx, in->data + start, end - start, crc))
        return decode_build_fail(&ctx->b, "message %u: wrong checksum", nth);
    if (ctx->b.trace) {
        trace_format(ctx->b.trace, "crc", in->data + end, in->pos - 1 - end, "%04x", crc);
        trace_close(ctx->b.trace, in->data + in->pos);
    }
    if (!ctx->b.peek)
        decode_build_layer(&ctx->b, kind ? kind->layer : "unknown", frame_offset(ctx, start),
                           in->pos - start);
    return true;
}

/* A file whose envelope was taken off may keep its padding. */
static bool is_fill(const struct reader *in)
{
    if (reader_left(in) > FILL_MOST)
        return false;
    for (size_t i = 0; i < reader_left(in); i++)
        if (reader_peek(in, i) != 0)
            return false;
    return true;
}

static bool read_messages(struct sml_context *ctx, struct reader *in)
{
    unsigned nth = 0;

    while (!is_fill(in))
        if (!read_message(ctx, in, ++nth))
            return false;
    if (nth == 0)
        return decode_build_fail(&ctx->b, "no message");
    if (ctx->frame && reader_left(in) > 0)
        ctx->quirks[SML_QUIRK_ZERO_FILL]++;
    return true;
}

bool sml_file_read(struct sml_context *ctx, const uint8_t *p, size_t n)
{
    struct reader in = reader_of(p, n);
    bool ok = read_messages(ctx, &in);

    if (!ok)
        ctx->b.out->has_application = false;
    return ok;
}
