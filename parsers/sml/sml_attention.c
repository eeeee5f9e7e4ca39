/* Attention: the answer to a request that was refused or acknowledged. */
#include "sml_body.h"
#include "sml_tlv.h"

#include <string.h>

#define ELEMENTS 4
#define NUMBER_LEN 6

/* 81 81 c7 c7 xx xx: the numbers of the standard; fd: done or accepted, fe: an error, e0 to fc:
 * application specific. */
static const char *text_of(uint16_t code)
{
    static const struct {
        uint16_t code;
        const char *text;
    } table[] = {
        { 0xfd00, "done" },
        { 0xfd01, "accepted, the result follows later" },
        { 0xfe00, "error of no other kind" },
        { 0xfe01, "unknown SML identifier" },
        { 0xfe02, "not permitted" },
        { 0xfe03, "unknown server" },
        { 0xfe04, "unknown file id" },
        { 0xfe05, "attribute cannot be written" },
        { 0xfe06, "attribute cannot be read" },
        { 0xfe07, "meter cannot be reached" },
        { 0xfe08, "raw data cannot be interpreted" },
        { 0xfe09, "value out of range" },
        { 0xfe0a, "request not carried out" },
        { 0xfe0b, "wrong checksum" },
        { 0xfe0c, "broadcast not supported" },
        { 0xfe0d, "unexpected message" },
        { 0xfe0e, "unknown object in the load profile" },
        { 0xfe0f, "data type not supported" },
        { 0xfe10, "optional element not supported" },
        { 0xfe11, "no entry in the profile" },
        { 0xfe12, "end before begin" },
        { 0xfe13, "no entry in the range" },
        { 0xfe14, "file without close" },
        { 0xfe15, "busy" },
    };

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].code == code)
            return table[i].text;
    return "attention";
}

/* serverId, attentionNo, attentionMsg, attentionDetails */
void sml_attention_read(struct sml_context *ctx, struct reader *in)
{
    static const uint8_t standard[] = { 0x81, 0x81, 0xc7, 0xc7 };
    size_t n = sml_read_list(in, ELEMENTS), server_len, number_len, text_len;
    const uint8_t *server = sml_read_octets(in, &server_len);
    const uint8_t *number = sml_read_octets(in, &number_len);
    const uint8_t *text = sml_read_octets(in, &text_len);
    struct decode_result *out = ctx->b.out;
    uint16_t code;

    sml_skip(in, in->failed ? 0 : n - (ELEMENTS - 1));
    if (in->failed)
        return;
    if (number_len != NUMBER_LEN || memcmp(number, standard, sizeof standard) != 0) {
        reader_fail(in);
        return;
    }
    trace_hex(ctx->b.trace, "server_id", server, server_len);
    trace_hex(ctx->b.trace, "attention_number", number, number_len);
    (void)sml_context_server(ctx, server, server_len);
    if (out->has_application || ctx->b.peek)
        return;
    code = (uint16_t)(number[4] << 8 | number[5]);
    out->has_application = true;
    out->application_code = code;
    out->application_text =
        text_len ? decode_build_copy(&ctx->b, (const char *)text, text_len) : text_of(code);
}
