/* Open, close and the list: what meters push every few seconds. */
#include "sml_body.h"
#include "sml_reading.h"
#include "sml_tlv.h"

#include <string.h>

#define ENTRY_ELEMENTS 7
#define LIST_ELEMENTS 7
#define OPEN_ELEMENTS 6

bool sml_context_server(struct sml_context *ctx, const uint8_t *p, size_t n)
{
    if (!ctx->server) {
        ctx->server = p;
        ctx->server_len = n;
        return true;
    }
    if (ctx->server_len == n && (n == 0 || memcmp(ctx->server, p, n) == 0))
        return true;
    ctx->foreign++;
    return false;
}

void sml_context_time(struct sml_context *ctx, struct reader *in, struct sml_time *out)
{
    sml_time_read(in, out);
    if (!in->failed && out->bare)
        ctx->quirks[SML_QUIRK_BARE_TIME]++;
}

/* codepage, clientId, reqFileId, serverId, refTime, smlVersion */
void sml_open_read(struct sml_context *ctx, struct reader *in)
{
    size_t n = sml_read_list(in, OPEN_ELEMENTS), len;
    const uint8_t *request = NULL;
    struct sml_time ref;
    bool has_version;
    uint64_t version;

    for (unsigned i = 0; i < 3; i++)
        request = sml_read_octets(in, &len);
    trace_hex(ctx->b.trace, "request_file_id", request, len);
    ctx->opener = sml_read_octets(in, &ctx->opener_len);
    trace_hex(ctx->b.trace, "server_id", ctx->opener, ctx->opener_len);
    sml_context_time(ctx, in, &ref);
    version = sml_read_optional_unsigned(in, 255, &has_version);
    sml_skip(in, in->failed ? 0 : n - OPEN_ELEMENTS);
    if (!in->failed && has_version && !ctx->b.peek)
        decode_build_number(&ctx->b, "sml_version", version);
}

/* globalSignature */
void sml_close_read(struct sml_context *ctx, struct reader *in)
{
    size_t n = sml_read_list(in, 1), len;
    const uint8_t *signature = sml_read_octets(in, &len);

    sml_skip(in, in->failed ? 0 : n - 1);
    if (!in->failed && len && !ctx->b.peek)
        decode_build_hex(&ctx->b, "global_signature", signature, len);
}

/* objName, status, valTime, unit, scaler, value, valueSignature */
static void read_entry(struct sml_context *ctx, struct reader *in, const struct sml_time *act)
{
    struct sml_entry e = { 0 };
    const uint8_t *start = in->data + in->pos;
    unsigned first = ctx->b.n;
    size_t n = sml_read_list(in, ENTRY_ELEMENTS);

    e.name = sml_read_octets(in, &e.name_len);
    e.status = sml_read_optional_unsigned(in, UINT64_MAX, &e.has_status);
    sml_context_time(ctx, in, &e.time);
    sml_entry_scale(in, &e);
    sml_entry_value(ctx, in, &e);
    e.signature = sml_read_octets(in, &e.signature_len);
    sml_skip(in, in->failed ? 0 : n - ENTRY_ELEMENTS);
    if (in->failed)
        return;
    if (e.time.kind == SML_TIME_NONE)
        e.time = *act;
    e.source = TIME_SOURCE_METER;
    sml_reading_put(ctx, &e);
    sml_context_record(ctx, in, start, first, "list entry");
}

static void put_time_field(struct sml_context *ctx, const char *name, const struct sml_time *t)
{
    char text[SML_TIME_TEXT_MAX];

    if (t->kind != SML_TIME_NONE)
        decode_build_text(&ctx->b, name, text, strlen(sml_time_text(t, text)));
}

/* clientId, serverId, listName, actSensorTime, valList, listSignature, actGatewayTime */
void sml_get_list_read(struct sml_context *ctx, struct reader *in)
{
    size_t n = sml_read_list(in, LIST_ELEMENTS), len, entries;
    const uint8_t *server, *name, *signature;
    size_t server_len, name_len;
    struct sml_time act, gateway;
    bool ours;

    (void)sml_read_octets(in, &len);
    server = sml_read_octets(in, &server_len);
    trace_hex(ctx->b.trace, "server_id", server, server_len);
    name = sml_read_octets(in, &name_len);
    trace_hex(ctx->b.trace, "list_name", name, name_len);
    sml_context_time(ctx, in, &act);
    ours = !in->failed && sml_context_server(ctx, server, server_len);
    entries = sml_read_list(in, 0);
    for (size_t i = 0; i < entries && ours && !in->failed; i++)
        read_entry(ctx, in, &act);
    if (!ours)
        sml_skip(in, entries);
    signature = sml_read_octets(in, &len);
    trace_hex(ctx->b.trace, "list_signature", signature, len);
    sml_context_time(ctx, in, &gateway);
    sml_skip(in, in->failed ? 0 : n - LIST_ELEMENTS);
    if (in->failed || !ours || ctx->lists++ > 0 || ctx->b.peek)
        return;
    if (name_len)
        decode_build_hex(&ctx->b, "list_name", name, name_len);
    put_time_field(ctx, "act_sensor_time", &act);
    put_time_field(ctx, "act_gateway_time", &gateway);
    if (len)
        decode_build_hex(&ctx->b, "list_signature", signature, len);
}
