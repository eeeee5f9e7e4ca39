#include "dlms_apdu.h"

#include "base/reader.h"
#include "dlms_acse.h"
#include "dlms_axdr.h"
#include "dlms_body.h"
#include "dlms_ciphered.h"
#include "dlms_reading.h"
#include "dlms_security.h"
#include "dlms_service.h"

#include <string.h>

/* general-block-transfer, ciphering, signing: each may stand around another, not without end. */
#define NESTING_MAX 4

#define TRANSFER_TAG 0xe0
#define TRANSFER_LAST 0x80u
#define EXCEPTION_TAG 0xd8

struct apdu {
    uint8_t tag;
    uint8_t inside; /* tag of what a glo or ded service must hold; 0: no such service */
    const char *name;
    enum frame_state (*read)(struct dlms_context *ctx, struct reader *in);
};

static enum frame_state read_transfer(struct dlms_context *ctx, struct reader *in);
static enum frame_state read_acse(struct dlms_context *ctx, struct reader *in);
static enum frame_state read_initiate(struct dlms_context *ctx, struct reader *in);

/* IEC 62056-5-3, tags of the xDLMS APDUs. */
static const struct apdu apdus[] = {
    { 0x0f, 0, "data-notification", dlms_data_notification },
    { 0x60, 0, "aarq", read_acse },
    { 0x61, 0, "aare", read_acse },
    { 0x62, 0, "rlrq", read_acse },
    { 0x63, 0, "rlre", read_acse },
    { 0xc0, 0, "get-request", dlms_get_request },
    { 0xc1, 0, "set-request", dlms_set_request },
    { 0xc2, 0, "event-notification", dlms_event_notification },
    { 0xc3, 0, "action-request", dlms_action_request },
    { 0xc4, 0, "get-response", dlms_get_response },
    { 0xc5, 0, "set-response", dlms_set_response },
    { 0xc7, 0, "action-response", dlms_action_response },
    { EXCEPTION_TAG, 0, "exception-response", dlms_exception_response },
    { 0xda, 0, "access-response", dlms_access_response },
    { 0xdb, 0, "general-glo-ciphering", dlms_general_ciphered },
    { 0xdc, 0, "general-ded-ciphering", dlms_general_ciphered },
    { 0xdd, 0, "general-ciphering", dlms_general_ciphering },
    { 0xdf, 0, "general-signing", dlms_general_signing },
    { TRANSFER_TAG, 0, "general-block-transfer", read_transfer },
    { 0x21, 0x01, "glo-initiate-request", dlms_service_ciphered },
    { 0x28, 0x08, "glo-initiate-response", dlms_service_ciphered },
    { 0xc8, 0xc0, "glo-get-request", dlms_service_ciphered },
    { 0xc9, 0xc1, "glo-set-request", dlms_service_ciphered },
    { 0xca, 0xc2, "glo-event-notification", dlms_service_ciphered },
    { 0xcb, 0xc3, "glo-action-request", dlms_service_ciphered },
    { 0xcc, 0xc4, "glo-get-response", dlms_service_ciphered },
    { 0xcd, 0xc5, "glo-set-response", dlms_service_ciphered },
    { 0xcf, 0xc7, "glo-action-response", dlms_service_ciphered },
    { 0xd0, 0xc0, "ded-get-request", dlms_service_ciphered },
    { 0xd1, 0xc1, "ded-set-request", dlms_service_ciphered },
    { 0xd2, 0xc2, "ded-event-notification", dlms_service_ciphered },
    { 0xd3, 0xc3, "ded-action-request", dlms_service_ciphered },
    { 0xd4, 0xc4, "ded-get-response", dlms_service_ciphered },
    { 0xd5, 0xc5, "ded-set-response", dlms_service_ciphered },
    { 0xd7, 0xc7, "ded-action-response", dlms_service_ciphered },
};

/* What a glo-initiate holds; the tags mean other things outside of it. */
static const struct apdu initiates[] = {
    { 0x01, 0, "initiate-request", read_initiate },
    { 0x08, 0, "initiate-response", read_initiate },
};

static const struct apdu *find(uint8_t tag)
{
    for (size_t i = 0; i < sizeof apdus / sizeof apdus[0]; i++)
        if (apdus[i].tag == tag)
            return &apdus[i];
    return NULL;
}

static const struct apdu *find_inside(const struct dlms_context *ctx, uint8_t tag)
{
    const struct apdu *around = ctx->service ? find(ctx->service) : NULL;

    for (size_t i = 0; around && i < sizeof initiates / sizeof initiates[0]; i++)
        if (initiates[i].tag == tag && around->inside == tag)
            return &initiates[i];
    return find(tag);
}

const char *dlms_apdu_name(uint8_t tag)
{
    const struct apdu *a = find(tag);

    return a ? a->name : NULL;
}

/* ---- association ---- */

static enum frame_state read_initiate(struct dlms_context *ctx, struct reader *in)
{
    (void)ctx;
    reader_skip(in, reader_left(in)); /* what was negotiated is the client's concern */
    return FRAME_OK;
}

static enum frame_state read_acse(struct dlms_context *ctx, struct reader *in)
{
    struct acse_apdu a;
    struct decode_result *out = ctx->b.out;

    if (acse_read(in->data, in->len, &a) != EMT_OK) {
        (void)decode_build_fail(&ctx->b, "association APDU is malformed");
        return FRAME_MALFORMED;
    }
    reader_skip(in, reader_left(in));
    if (a.title && !ctx->b.peek)
        decode_build_hex(&ctx->b, "system_title", a.title, DLMS_SYSTEM_TITLE_LEN);
    if (a.title)
        trace_hex(ctx->b.trace, "system_title", a.title, DLMS_SYSTEM_TITLE_LEN);
    if (a.has_result && a.result != 0) {
        out->has_application = true;
        out->application_code = (uint32_t)a.result << 8 | a.diagnostic;
        out->application_text = "association refused";
    }
    return FRAME_OK;
}

/* ---- general block transfer ---- */

/* E0 | control 1 | block number 2 | number acknowledged 2 | length | data. Control: bit 7 last
 * block, bit 6 streaming, 6 bits window. */
static enum frame_state read_transfer(struct dlms_context *ctx, struct reader *in)
{
    for (;;) {
        uint8_t control = reader_u8(in);
        uint16_t number = reader_u16be(in);
        const uint8_t *p;
        size_t n;

        reader_skip(in, 2);
        n = axdr_length(in);
        p = reader_bytes(in, n);
        if (!p) {
            (void)decode_build_fail(&ctx->b, "general-block-transfer ends before it is complete");
            return FRAME_MALFORMED;
        }
        if (!dlms_blocks_add(ctx, &ctx->transfer, number, p, n))
            return FRAME_MALFORMED;
        if (control & TRANSFER_LAST)
            break;
        if (reader_at_end(in))
            return FRAME_OK; /* the next APDU goes on */
        if (reader_u8(in) != TRANSFER_TAG) {
            (void)decode_build_fail(&ctx->b, "bytes behind a block");
            return FRAME_MALFORMED;
        }
    }
    const struct dlms_blocks whole = ctx->transfer;

    memset(&ctx->transfer, 0, sizeof ctx->transfer);
    return dlms_apdu_read(ctx, whole.data, whole.len);
}

/* ---- one APDU ---- */

static void put_layer(struct dlms_context *ctx, const struct apdu *a, const uint8_t *p, size_t n)
{
    const struct decode_request *req = ctx->b.req;
    uintptr_t at = (uintptr_t)p, frame = (uintptr_t)req->frame;

    if (ctx->b.peek)
        return;
    trace_layer(ctx->b.trace, a->name, p, n);
    trace_hex(ctx->b.trace, "tag", p, 1);
    decode_build_layer(&ctx->b, a->name, at >= frame && at < frame + req->len ? at - frame : 0, 1);
}

/* Data without APDU, as profiles are handed over in files. */
static enum frame_state read_bare(struct dlms_context *ctx, struct reader *in)
{
    enum frame_state state = dlms_body_read(ctx, in);

    dlms_reading_stamp(ctx);
    return state;
}

static enum frame_state read_tagged(struct dlms_context *ctx, const struct apdu *a,
                                    struct reader *in)
{
    uint8_t tag = reader_u8(in);
    const struct apdu *around = ctx->service ? find(ctx->service) : NULL;

    /* A ciphered service holds its own kind, or an exception. */
    if (around && tag != around->inside && tag != EXCEPTION_TAG) {
        (void)decode_build_fail(&ctx->b, "%s inside of %s", a->name, around->name);
        return FRAME_MALFORMED;
    }
    ctx->service = 0;
    return a->read(ctx, in);
}

enum frame_state dlms_apdu_read(struct dlms_context *ctx, const uint8_t *p, size_t n)
{
    struct reader in = reader_of(p, n);
    const struct apdu *a = n ? find_inside(ctx, p[0]) : NULL;
    enum frame_state state;

    if (ctx->nesting == NESTING_MAX) {
        (void)decode_build_fail(&ctx->b, "more than %d APDUs inside each other", NESTING_MAX);
        return FRAME_MALFORMED;
    }
    if (!a && (!ctx->bare || ctx->nesting > 0 || n == 0)) {
        (void)decode_build_fail(&ctx->b, n ? "APDU %02x is not read" : "empty APDU", n ? p[0] : 0u);
        return FRAME_UNSUPPORTED;
    }
    if (a)
        put_layer(ctx, a, p, n);
    ctx->nesting++;
    state = a ? read_tagged(ctx, a, &in) : read_bare(ctx, &in);
    ctx->nesting--;
    if (state != FRAME_OK || reader_at_end(&in))
        return state;
    (void)decode_build_fail(&ctx->b, "%zu bytes behind the APDU", reader_left(&in));
    return FRAME_MALFORMED;
}
