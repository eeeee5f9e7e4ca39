#include "dlms_service.h"

#include "base/arena.h"
#include "dlms_apdu.h"
#include "dlms_body.h"
#include "dlms_reading.h"
#include "dlms_template.h"

#include <string.h>

#define LIST_MAX 256     /* entries of a list of results or requests */
#define DESCRIPTOR_LEN 9 /* class 2, logical name 6, attribute or method 1 */

enum block_choice { BLOCK_RAW = 0, BLOCK_RESULT = 1 };

static enum frame_state odd(struct dlms_context *ctx, const struct reader *in, const char *what)
{
    (void)decode_build_fail(&ctx->b, in->failed ? "%s ends before it is complete" : "%s is odd",
                            what);
    return FRAME_MALFORMED;
}

const char *dlms_access_result_text(uint8_t code)
{
    static const char *const names[] = { [0] = "success",
                                         [1] = "hardware-fault",
                                         [2] = "temporary-failure",
                                         [3] = "read-write-denied",
                                         [4] = "object-undefined",
                                         [9] = "object-class-inconsistent",
                                         [11] = "object-unavailable",
                                         [12] = "type-unmatched",
                                         [13] = "scope-of-access-violated",
                                         [14] = "data-block-unavailable",
                                         [15] = "long-get-aborted",
                                         [16] = "no-long-get-in-progress",
                                         [17] = "long-set-aborted",
                                         [18] = "no-long-set-in-progress",
                                         [19] = "data-block-number-invalid" };

    if (code < sizeof names / sizeof names[0] && names[code])
        return names[code];
    return code == 250 ? "other-reason" : "unknown";
}

void dlms_put_access_result(struct dlms_context *ctx, uint8_t code)
{
    struct decode_result *out = ctx->b.out;

    if (!ctx->b.peek)
        decode_build_number(&ctx->b, "data_access_result", code);
    if (code == 0 || out->has_application)
        return;
    out->has_application = true;
    out->application_code = code;
    out->application_text = dlms_access_result_text(code);
}

/* in: behind type and invoke-id-and-priority. */
static void put_invoke_id(struct dlms_context *ctx, const struct reader *in, uint8_t id)
{
    if (!ctx->b.peek)
        decode_build_number(&ctx->b, "invoke_id", id & 0x0fu);
    if (ctx->b.trace && !in->failed) {
        trace_hex(ctx->b.trace, "type", in->data + in->pos - 2, 1);
        trace_number(ctx->b.trace, "invoke_id", id & 0x0fu, in->data + in->pos - 1, 1);
    }
}

static void put_type(struct dlms_context *ctx, const char *type)
{
    if (!ctx->b.peek)
        decode_build_text(&ctx->b, "type", type, strlen(type));
}

bool dlms_blocks_add(struct dlms_context *ctx, struct dlms_blocks *blocks, uint32_t number,
                     const uint8_t *p, size_t n)
{
    if (blocks->next == 0)
        blocks->next = number; /* a frame may begin in the middle of a transfer */
    if (number != blocks->next)
        return decode_build_fail(&ctx->b, "block %u, %u was expected", (unsigned)number,
                                 (unsigned)blocks->next);
    blocks->next = number + 1;
    if (!blocks->data) {
        blocks->data = (uint8_t *)arena_alloc(ctx->b.req->arena, ctx->room);
        if (!blocks->data) {
            ctx->b.no_memory = true;
            return false;
        }
    }
    if (n > ctx->room - blocks->len)
        return decode_build_fail(&ctx->b, "more block data than the frame has");
    if (n)
        memcpy(blocks->data + blocks->len, p, n);
    trace_copy(ctx->b.trace, blocks->data + blocks->len, n, p);
    blocks->len += n;
    return true;
}

/* ---- notifications ---- */

/* An octet string of 0 or 12 bytes; some meters put the tag of an octet string before it. */
static bool read_time(struct dlms_context *ctx, struct reader *in)
{
    uint8_t len = reader_u8(in);
    const uint8_t *p;

    if (len == AXDR_OCTETS && reader_peek(in, 0) == DLMS_CLOCK_LEN)
        len = reader_u8(in);
    if (len == 0)
        return !in->failed;
    p = len == DLMS_CLOCK_LEN ? reader_bytes(in, len) : NULL;
    if (!p)
        return false;
    ctx->has_clock = dlms_clock_read(p, &ctx->clock);
    if (ctx->has_clock && !ctx->b.peek) {
        char text[DLMS_CLOCK_TEXT_MAX];

        (void)dlms_clock_text(&ctx->clock, text);
        decode_build_text(&ctx->b, "date_time", text, strlen(text));
        trace_text(ctx->b.trace, "date_time", text, p, len);
    }
    return true;
}

enum frame_state dlms_data_notification(struct dlms_context *ctx, struct reader *in)
{
    const uint8_t *id = reader_bytes(in, 4); /* long-invoke-id-and-priority */

    if (!id || !read_time(ctx, in))
        return odd(ctx, in, "data-notification");
    if (!ctx->b.peek)
        decode_build_hex(&ctx->b, "long_invoke_id", id, 4);
    trace_hex(ctx->b.trace, "long_invoke_id", id, 4);
    enum frame_state state = dlms_body_read(ctx, in);

    if (state != FRAME_OK)
        return state;
    dlms_reading_stamp(ctx);
    /* Some transports fill up with zeros; a deciphered text without tag must end where it ends. */
    while (!ctx->unverified && reader_left(in) && reader_peek(in, 0) == 0)
        reader_skip(in, 1);
    return FRAME_OK;
}

static bool read_descriptor(struct reader *in, struct obis *obis)
{
    const uint8_t *p = reader_bytes(in, DESCRIPTOR_LEN);

    if (p)
        *obis = dlms_obis_of(p + 2);
    return p != NULL;
}

enum frame_state dlms_event_notification(struct dlms_context *ctx, struct reader *in)
{
    uint8_t present = reader_u8(in);
    struct obis obis;
    enum frame_state state;

    if (present > 1 || (present && !read_time(ctx, in)) || !read_descriptor(in, &obis))
        return odd(ctx, in, "event-notification");
    state = dlms_body_read_named(ctx, in, obis);
    dlms_reading_stamp(ctx);
    return state;
}

/* ---- responses ---- */

/* Get-Data-Result: 00 data, or 01 data-access-result. */
static enum frame_state read_result(struct dlms_context *ctx, struct reader *in)
{
    uint8_t choice = reader_u8(in), code;

    if (choice == 0 && !in->failed)
        return dlms_body_read(ctx, in);
    code = reader_u8(in);
    if (choice != 1 || in->failed)
        return odd(ctx, in, "result");
    dlms_put_access_result(ctx, code);
    return FRAME_OK;
}

/* The data of all blocks. A transfer that began before this frame, or goes on behind it, has no
 * readings. */
static enum frame_state read_blocks(struct dlms_context *ctx, const struct dlms_blocks *blocks)
{
    struct reader in = reader_of(blocks->data, blocks->len);
    struct dlms_context saved = *ctx;
    struct trace_mark mark = trace_mark(ctx->b.trace);

    if (blocks->len == 0)
        return FRAME_OK;
    if (dlms_body_read(ctx, &in) == FRAME_OK && reader_at_end(&in))
        return FRAME_OK;
    if (ctx->b.no_memory)
        return FRAME_MALFORMED;
    saved.b.items = ctx->b.items;
    saved.b.cap = ctx->b.cap;
    *ctx = saved;
    trace_rewind(ctx->b.trace, mark);
    ctx->b.out->reason[0] = 0;
    (void)decode_build_fail(&ctx->b, "the blocks of this frame are not the whole data");
    return FRAME_OK;
}

static enum frame_state read_get_block(struct dlms_context *ctx, struct reader *in)
{
    uint8_t last = reader_u8(in);
    uint32_t number = reader_u32be(in);
    uint8_t choice = reader_u8(in);
    size_t n;
    const uint8_t *p;

    if (in->failed || last > 1 || choice > BLOCK_RESULT)
        return odd(ctx, in, "block");
    if (!ctx->b.peek)
        decode_build_number(&ctx->b, "block_number", number);
    ctx->b.out->more_follows = !last;
    if (choice == BLOCK_RESULT) {
        uint8_t code = reader_u8(in);

        dlms_put_access_result(ctx, code);
        return in->failed ? odd(ctx, in, "block") : FRAME_OK;
    }
    n = axdr_length(in);
    p = reader_bytes(in, n);
    if (!p)
        return odd(ctx, in, "block");
    ctx->plain_body = ctx->plain_body || !ctx->secured;
    if (!dlms_blocks_add(ctx, &ctx->response, number, p, n))
        return FRAME_MALFORMED;
    return last ? read_blocks(ctx, &ctx->response) : FRAME_OK;
}

static enum frame_state read_get_list(struct dlms_context *ctx, struct reader *in)
{
    size_t n = axdr_length(in);

    if (in->failed || n > LIST_MAX)
        return odd(ctx, in, "list");
    for (size_t i = 0; i < n; i++) {
        enum frame_state state = read_result(ctx, in);

        if (state != FRAME_OK)
            return state;
    }
    return FRAME_OK;
}

enum frame_state dlms_get_response(struct dlms_context *ctx, struct reader *in)
{
    uint8_t type = reader_u8(in), id = reader_u8(in);
    enum frame_state state;

    put_invoke_id(ctx, in, id);
    switch (in->failed ? 0 : type) {
    case 1:
        put_type(ctx, "normal");
        state = read_result(ctx, in);
        break;
    case 2:
        put_type(ctx, "with-datablock");
        state = read_get_block(ctx, in);
        break;
    case 3:
        put_type(ctx, "with-list");
        state = read_get_list(ctx, in);
        break;
    default:
        return odd(ctx, in, "get-response");
    }
    dlms_reading_stamp(ctx);
    return state;
}

static enum frame_state read_result_codes(struct dlms_context *ctx, struct reader *in, size_t n)
{
    if (in->failed || n > LIST_MAX)
        return odd(ctx, in, "list");
    for (size_t i = 0; i < n; i++) {
        uint8_t code = reader_u8(in);

        if (in->failed)
            return odd(ctx, in, "list");
        dlms_put_access_result(ctx, code);
    }
    return FRAME_OK;
}

enum frame_state dlms_set_response(struct dlms_context *ctx, struct reader *in)
{
    uint8_t type = reader_u8(in), id = reader_u8(in);
    enum frame_state state = FRAME_OK;

    put_invoke_id(ctx, in, id);
    if (type == 1 || type == 3)
        state = read_result_codes(ctx, in, 1);
    else if (type == 4 || type == 5)
        state = read_result_codes(ctx, in, axdr_length(in));
    else if (type != 2)
        return odd(ctx, in, "set-response");
    if (state == FRAME_OK && type >= 2 && type <= 4)
        (void)reader_u32be(in); /* block number */
    return in->failed ? odd(ctx, in, "set-response") : state;
}

static enum frame_state read_action_result(struct dlms_context *ctx, struct reader *in)
{
    uint8_t code = reader_u8(in), present = reader_u8(in);

    if (in->failed || present > 1)
        return odd(ctx, in, "action-response");
    dlms_put_access_result(ctx, code);
    return present ? read_result(ctx, in) : FRAME_OK;
}

/* Action-Response-With-Pblock: last-block, number, octet string. */
static enum frame_state read_action_block(struct dlms_context *ctx, struct reader *in)
{
    uint8_t last = reader_u8(in);
    uint32_t number = reader_u32be(in);
    size_t n = axdr_length(in);
    const uint8_t *p = reader_bytes(in, n);

    if (!p || last > 1)
        return odd(ctx, in, "block");
    ctx->b.out->more_follows = !last;
    ctx->plain_body = ctx->plain_body || !ctx->secured;
    if (!dlms_blocks_add(ctx, &ctx->response, number, p, n))
        return FRAME_MALFORMED;
    return last ? read_blocks(ctx, &ctx->response) : FRAME_OK;
}

enum frame_state dlms_action_response(struct dlms_context *ctx, struct reader *in)
{
    uint8_t type = reader_u8(in), id = reader_u8(in);
    enum frame_state state = FRAME_OK;
    size_t n;

    put_invoke_id(ctx, in, id);
    switch (in->failed ? 0 : type) {
    case 1:
        state = read_action_result(ctx, in);
        break;
    case 2:
        state = read_action_block(ctx, in);
        break;
    case 3:
        n = axdr_length(in);
        if (n > LIST_MAX)
            return odd(ctx, in, "list");
        for (size_t i = 0; state == FRAME_OK && i < n; i++)
            state = read_action_result(ctx, in);
        break;
    case 4:
        (void)reader_u32be(in);
        break;
    default:
        return odd(ctx, in, "action-response");
    }
    dlms_reading_stamp(ctx);
    return in->failed ? odd(ctx, in, "action-response") : state;
}

enum frame_state dlms_exception_response(struct dlms_context *ctx, struct reader *in)
{
    uint8_t state_error = reader_u8(in), service_error = reader_u8(in);
    struct decode_result *out = ctx->b.out;

    if (service_error == 6) /* invocation-counter-error carries the counter */
        (void)reader_u32be(in);
    if (in->failed)
        return odd(ctx, in, "exception-response");
    out->has_application = true;
    out->application_code = (uint32_t)state_error << 8 | service_error;
    out->application_text = "exception";
    return FRAME_OK;
}

/* ---- access-response ---- */

/* What an access-request specification names: 9 bytes each. Returns how many; names of the first
 * LIST_MAX. */
static bool read_specification(struct reader *in, struct obis *names, size_t *n)
{
    size_t count = axdr_length(in);

    if (count > LIST_MAX)
        reader_fail(in);
    for (size_t i = 0; i < count && !in->failed; i++) {
        uint8_t choice = reader_u8(in);

        if (choice < 1 || choice > 3) /* get, set, action; selective access is not read */
            return false;
        (void)read_descriptor(in, &names[i]);
    }
    *n = count;
    return !in->failed;
}

enum frame_state dlms_access_response(struct dlms_context *ctx, struct reader *in)
{
    struct obis names[LIST_MAX];
    size_t named = 0, n;
    uint8_t present;

    reader_skip(in, 4); /* long-invoke-id-and-priority */
    if (in->failed || !read_time(ctx, in))
        return odd(ctx, in, "access-response");
    present = reader_u8(in);
    if (present > 1 || (present && !read_specification(in, names, &named)))
        return odd(ctx, in, "access-response");
    n = axdr_length(in);
    if (in->failed || n > LIST_MAX)
        return odd(ctx, in, "access-response");
    for (size_t i = 0; i < n; i++) {
        enum frame_state state =
            i < named ? dlms_body_read_named(ctx, in, names[i]) : dlms_body_read(ctx, in);

        if (state != FRAME_OK)
            return state;
    }
    n = axdr_length(in);
    for (size_t i = 0; i < n && i < LIST_MAX && !in->failed; i++) {
        reader_skip(in, 1); /* which service */
        dlms_put_access_result(ctx, reader_u8(in));
    }
    dlms_reading_stamp(ctx);
    return in->failed || n > LIST_MAX ? odd(ctx, in, "access-response") : FRAME_OK;
}

/* ---- requests: read to know that they are whole, they carry no readings ---- */

static bool read_attribute_request(struct dlms_context *ctx, struct reader *in)
{
    struct obis obis;
    uint8_t selective;

    if (!read_descriptor(in, &obis))
        return false;
    selective = reader_u8(in);
    if (in->failed || selective > 1)
        return false;
    if (!selective)
        return true;
    reader_skip(in, 1); /* access selector */
    return dlms_body_skip(ctx, in) == FRAME_OK;
}

enum frame_state dlms_get_request(struct dlms_context *ctx, struct reader *in)
{
    uint8_t type = reader_u8(in), id = reader_u8(in);
    size_t n = 1;

    put_invoke_id(ctx, in, id);
    if (type == 2) {
        (void)reader_u32be(in);
        return in->failed ? odd(ctx, in, "get-request") : FRAME_OK;
    }
    if (type == 3)
        n = axdr_length(in);
    if (in->failed || type < 1 || type > 3 || n > LIST_MAX)
        return odd(ctx, in, "get-request");
    for (size_t i = 0; i < n; i++)
        if (!read_attribute_request(ctx, in))
            return odd(ctx, in, "get-request");
    return FRAME_OK;
}

enum frame_state dlms_set_request(struct dlms_context *ctx, struct reader *in)
{
    uint8_t type = reader_u8(in), id = reader_u8(in);

    put_invoke_id(ctx, in, id);
    if (in->failed || type != 1) {
        (void)decode_build_fail(&ctx->b, "set-request of type %u", type);
        return in->failed || type == 0 || type > 5 ? FRAME_MALFORMED : FRAME_UNSUPPORTED;
    }
    return read_attribute_request(ctx, in) ? dlms_body_skip(ctx, in) : odd(ctx, in, "set-request");
}

enum frame_state dlms_action_request(struct dlms_context *ctx, struct reader *in)
{
    uint8_t type = reader_u8(in), id = reader_u8(in), present;
    struct obis obis;

    put_invoke_id(ctx, in, id);
    if (in->failed || type != 1) {
        (void)decode_build_fail(&ctx->b, "action-request of type %u", type);
        return in->failed || type == 0 || type > 6 ? FRAME_MALFORMED : FRAME_UNSUPPORTED;
    }
    if (!read_descriptor(in, &obis))
        return odd(ctx, in, "action-request");
    present = reader_u8(in);
    if (in->failed || present > 1)
        return odd(ctx, in, "action-request");
    return present ? dlms_body_skip(ctx, in) : FRAME_OK;
}
