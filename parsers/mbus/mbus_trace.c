#include "mbus_trace.h"

#include "model/device_id.h"

#include <string.h>

#define FILLER 0x2f
#define LINK_A_FIRST 10

static void put_ci(struct trace *t, const uint8_t *p)
{
    trace_hex(t, "ci", p, 1);
}

/* p: eight bytes of an address; with `link` the manufacturer stands before the number. */
static void put_address(struct trace *t, const struct mbus_address *a, const uint8_t *p, bool link)
{
    struct device_id id;

    mbus_address_device(a, &id);
    if (link)
        trace_text(t, "manufacturer", id.manufacturer, p, 2);
    trace_text(t, "id_number", id.number, link ? p + 2 : p, 4);
    if (!link)
        trace_text(t, "manufacturer", id.manufacturer, p + 4, 2);
    trace_number(t, "version", a->version, p + 6, 1);
    trace_format(t, "device_type", p + 7, 1, "%02x %s", a->type, medium_name(a->type));
}

/* ---- link layers ---- */

static size_t radio_offset(const void *ctx, size_t at)
{
    return wmbus_link_offset((const struct wmbus_link *)ctx, at);
}

/* The CRCs stand in the frame, not in link->bytes. */
static void put_link_crcs(struct mbus_context *ctx, const struct wmbus_link *link)
{
    const struct decode_request *req = ctx->req;
    size_t end = req->len - link->trailing;

    if (link->format == FRAME_FORMAT_A_CRC) {
        for (size_t at = LINK_A_FIRST; at + 2 <= end; at += 16 + 2) {
            trace_hex(ctx->trace, "crc", req->frame + at, 2);
            if (end - at - 2 < 16 + 2 && at + 2 < end)
                at = end - 2 - (16 + 2);
        }
    } else if (link->format == FRAME_FORMAT_B_CRC) {
        if (end > 128)
            trace_hex(ctx->trace, "crc", req->frame + 126, 2);
        trace_hex(ctx->trace, "crc", req->frame + end - 2, 2);
    }
}

void mbus_trace_radio(struct mbus_context *ctx, const char *name, const struct wmbus_link *link)
{
    struct trace *t = ctx->trace;
    const uint8_t *p = link->bytes;

    trace_map(t, p, link->len, radio_offset, link);
    trace_layer(t, name, p, WMBUS_LINK_HEADER);
    trace_number(t, "l_field", ctx->req->frame[0], p, 1);
    trace_hex(t, "c_field", p + 1, 1);
    put_address(t, &link->address, p + 2, true);
    put_link_crcs(ctx, link);
    if (link->trailing)
        trace_hex(t, "trailing", ctx->req->frame + ctx->req->len - link->trailing, link->trailing);
}

void mbus_trace_wired(struct mbus_context *ctx, const struct mbus_wired *link, const uint8_t *p)
{
    struct trace *t = ctx->trace;
    bool is_long = link->kind == MBUS_WIRED_LONG;
    size_t head = is_long ? link->body_offset : 3;

    trace_layer(t, "link", p, head);
    trace_hex(t, "start", p, 1);
    if (is_long)
        trace_number(t, "l_field", p[1], p + 1, 2);
    trace_hex(t, "c_field", p + head - 2, 1);
    trace_number(t, "address", link->a, p + head - 1, 1);
    trace_hex(t, "checksum", p + head + link->body_len, 1);
    trace_hex(t, "stop", p + head + link->body_len + 1, 1);
}

/* ---- layers above ---- */

void mbus_trace_ell(struct mbus_context *ctx, const uint8_t *p, bool has_address, bool has_session)
{
    struct trace *t = ctx->trace;
    struct reader sn;
    uint32_t session;
    size_t at = 3;

    trace_layer(t, "ell", p, 3u + (has_address ? 8u : 0u) + (has_session ? 6u : 0u));
    put_ci(t, p);
    trace_hex(t, "communication_control", p + 1, 1);
    trace_number(t, "access_number", p[2], p + 2, 1);
    if (has_address) {
        put_address(t, &ctx->ell_receiver, p + at, true);
        at += 8;
    }
    if (!has_session)
        return;
    sn = reader_of(p + at, 4);
    session = reader_u32le(&sn);
    trace_format(t, "session_number", p + at, 4, "session %u, time %u, encryption %u",
                 (unsigned)(session & 0x0fu), (unsigned)(session >> 4 & 0x1ffffffu),
                 (unsigned)(session >> 29));
    trace_hex(t, "payload_crc", p + at + 4, 2);
}

void mbus_trace_nwl(struct mbus_context *ctx, const uint8_t *p, size_t n)
{
    trace_layer(ctx->trace, "nwl", p, n);
    put_ci(ctx->trace, p);
    trace_hex(ctx->trace, "control", p + 1, n - 1);
}

/* EN 13757-7, status byte. */
static void put_status(struct trace *t, uint8_t status, const uint8_t *p)
{
    static const char *const application[] = { "", " busy", " error", " alarm" };

    trace_format(t, "status", p, 1, "%02x%s%s%s%s", status, application[status & 3u],
                 status & 4u ? " power-low" : "", status & 8u ? " permanent-error" : "",
                 status & 16u ? " temporary-error" : "");
}

static void put_configuration(struct trace *t, const struct mbus_tpl *tpl, const uint8_t *p)
{
    trace_format(t, "configuration", p, 2, "%04x mode %u%s%s%s", tpl->cfg, tpl->mode,
                 tpl->cfg & 0x8000u ? " bidirectional" : "",
                 tpl->cfg & 0x4000u ? " accessible" : "", tpl->cfg & 0x2000u ? " synchronous" : "");
}

void mbus_trace_tpl(struct mbus_context *ctx, const uint8_t *p, size_t n)
{
    const struct mbus_tpl *tpl = &ctx->tpl;
    struct trace *t = ctx->trace;
    size_t at = 1;

    trace_layer(t, "tpl", p, n);
    put_ci(t, p);
    if (tpl->header == MBUS_HEADER_LONG) {
        put_address(t, &tpl->address, p + at, false);
        at += 8;
    }
    if (tpl->header == MBUS_HEADER_NONE)
        return;
    trace_number(t, "access_number", tpl->access_number, p + at, 1);
    put_status(t, tpl->status, p + at + 1);
    put_configuration(t, tpl, p + at + 2);
    at += 4;
    if (tpl->cfe_len)
        trace_hex(t, "configuration_extension", p + at, tpl->cfe_len);
    at += tpl->cfe_len;
    if (at < n)
        trace_hex(t, "message_counter", p + at, n - at);
}

/* ---- records ---- */

static void put_fillers(struct mbus_context *ctx, const uint8_t *from, const uint8_t *to)
{
    const struct trace_record r = { .at = from,
                                    .len = (size_t)((uintptr_t)to - (uintptr_t)from),
                                    .dif = from,
                                    .dif_len = 1,
                                    .text = "filler" };

    (void)trace_record(ctx->trace, &r);
}

/* EN 13757-3: DIF and DIFEs end with the first byte without extension bit. */
static size_t dib_len(const struct mbus_record *rec)
{
    size_t n = 1;

    while (!rec->tail && n < rec->header_len && (rec->header[n - 1] & 0x80u))
        n++;
    return n;
}

unsigned mbus_trace_record(struct mbus_context *ctx, const struct mbus_record *rec,
                           const uint8_t *from)
{
    size_t lvar = rec->coding == MBUS_VARIABLE && !rec->tail ? 1 : 0;
    size_t dif = dib_len(rec);
    struct trace_record r = { .at = rec->header,
                              .len = rec->header_len + lvar + rec->value_len,
                              .dif = rec->header,
                              .dif_len = dif,
                              .vif = rec->header + dif,
                              .vif_len = rec->header_len - dif,
                              .text = rec->tail ? "manufacturer specific" : "data record" };

    if (from != rec->header)
        put_fillers(ctx, from, rec->header);
    if (!trace_knows(ctx->trace, rec->header)) {
        /* A compact frame sends the data only. */
        r.at = rec->value - lvar;
        r.len = lvar + rec->value_len;
    }
    return trace_record(ctx->trace, &r);
}

void mbus_trace_rest(struct mbus_context *ctx, const uint8_t *p, size_t n, const char *text)
{
    struct trace_record r = { .at = p, .len = n, .text = text };

    if (n == 0)
        return;
    if (p[0] == FILLER)
        put_fillers(ctx, p, p + n);
    else
        (void)trace_record(ctx->trace, &r);
}

void mbus_trace_block(struct mbus_context *ctx, const uint8_t *p, size_t n, const char *text)
{
    const struct trace_record r = { .at = p, .len = n, .text = text };

    if (n > 0)
        (void)trace_record(ctx->trace, &r);
}

void mbus_trace_vendor(struct mbus_context *ctx, const uint8_t *p, size_t n, unsigned count)
{
    const struct trace_record r = {
        .at = p, .len = n, .text = "layout of the manufacturer", .count = count
    };

    if (n > 0)
        (void)trace_record(ctx->trace, &r);
}

void mbus_trace_counter(struct mbus_context *ctx, const uint8_t *p, const uint8_t *unit,
                        unsigned nth)
{
    const struct trace_record r = {
        .at = p, .len = 4, .vif = unit, .vif_len = 1, .text = "counter", .first = nth, .count = 1
    };

    (void)trace_record(ctx->trace, &r);
}
