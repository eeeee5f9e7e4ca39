#include "mbus_compact.h"

#include "base/arena.h"
#include "base/writer.h"
#include "common/trace.h"
#include "mbus_crc.h"
#include "mbus_known_formats.h"
#include "mbus_record.h"

#include <string.h>

/* compact: format signature(2) full-frame CRC(2) data…
 * format:  length(1) format signature(2) DIB VIB DIB VIB …
 * signature: CRC-16 over DIBs and VIBs; full-frame CRC: CRC-16 over the complete records */
#define SIGNATURE_LEN 2
#define CRC_LEN 2
#define HEAD_LEN (SIGNATURE_LEN + CRC_LEN)
#define FULL_MAX 2048

struct expansion {
    struct mbus_context *ctx;
    const uint8_t *data;
    size_t data_len;
    uint16_t crc;
    uint8_t *full; /* FULL_MAX bytes in the arena */
    size_t full_len;
    uint8_t *
        other; /* what a format gave whose CRC does not fit, but whose lengths do; FULL_MAX bytes */
    size_t other_len;
    unsigned others;
};

static bool expand_record(struct reader *headers, struct reader *data, struct writer *w)
{
    struct mbus_record rec;
    size_t from;

    if (mbus_record_header(headers, &rec) != EMT_OK || rec.tail)
        return false;
    from = data->pos;
    if (mbus_record_data(data, &rec) != EMT_OK)
        return false;
    writer_bytes(w, rec.header, rec.header_len);
    writer_bytes(w, data->data + from, data->pos - from);
    return !w->failed;
}

static bool try_format(void *ctx, const uint8_t *header, size_t len)
{
    struct expansion *e = (struct expansion *)ctx;
    struct reader headers = reader_of(header, len);
    struct reader data = reader_of(e->data, e->data_len);
    struct writer w;

    writer_init_fixed(&w, e->full, FULL_MAX);
    while (reader_left(&headers) > 0)
        if (!expand_record(&headers, &data, &w))
            return false;
    if (w.len == 0)
        return false;
    if (mbus_crc16(w.data, w.len) == e->crc) {
        e->full_len = w.len;
        return true;
    }
    if (reader_left(&data) == 0) {
        memcpy(e->other, w.data, w.len);
        e->other_len = w.len;
        e->others++;
    }
    return false;
}

/* The full-frame CRC picks the format. Where it fits none, while the telegram arrived undamaged
 * (payload CRC of the ELL) and exactly one format has this signature and uses up the data to the
 * last byte, that format is meant. */
static bool find_format(struct mbus_context *ctx, struct expansion *e, uint16_t signature)
{
    const struct format_store *store = &ctx->req->formats;
    const struct device_id *device = &ctx->out->device;

    if (store->find && store->find(store->ctx, device, signature, try_format, e))
        return true;
    if (e->others == 0 && mbus_known_formats_find(device, signature, try_format, e))
        return true;
    if (!ctx->payload_checked || e->others != 1)
        return false;
    e->full = e->other;
    e->full_len = e->other_len;
    (void)mbus_fail(ctx, FRAME_OK, "full-frame CRC does not fit, the only format %04x does",
                    signature);
    return true;
}

/* Which bytes of the rebuilt records stand in the compact frame: their data, one behind the other.
 */
static void trace_data(const struct expansion *e)
{
    struct reader in = reader_of(e->full, e->full_len);
    const uint8_t *from = e->data;
    struct mbus_record rec;

    while (mbus_record_decode(&in, &rec) == EMT_OK) {
        size_t lvar = rec.coding == MBUS_VARIABLE ? 1 : 0;

        trace_copy(e->ctx->trace, rec.value - lvar, lvar + rec.value_len, from);
        from += lvar + rec.value_len;
    }
}

enum frame_state mbus_compact_expand(struct mbus_context *ctx, const uint8_t *p, size_t n,
                                     const uint8_t **full, size_t *full_len)
{
    struct reader in = reader_of(p, n);
    struct expansion e = { .ctx = ctx };
    uint16_t signature;

    /* Fillers stand before the signature when the frame is encrypted: they are the check bytes. */
    if (ctx->tpl.mode != 0 && reader_peek(&in, 0) == 0x2f && reader_peek(&in, 1) == 0x2f)
        reader_skip(&in, 2);
    signature = reader_u16le(&in);
    e.crc = reader_u16le(&in);
    if (in.failed)
        return mbus_fail(ctx, FRAME_MALFORMED, "ends inside the compact frame's header");
    trace_layer(ctx->trace, "compact", in.data + in.pos - HEAD_LEN, HEAD_LEN);
    trace_hex(ctx->trace, "format_signature", in.data + in.pos - HEAD_LEN, SIGNATURE_LEN);
    trace_hex(ctx->trace, "full_frame_crc", in.data + in.pos - CRC_LEN, CRC_LEN);
    e.data = in.data + in.pos;
    e.data_len = reader_left(&in);
    e.full = (uint8_t *)arena_alloc(ctx->req->arena, FULL_MAX);
    e.other = (uint8_t *)arena_alloc(ctx->req->arena, FULL_MAX);
    if (!e.full || !e.other)
        return mbus_no_memory(ctx);
    if (!find_format(ctx, &e, signature))
        return mbus_fail(ctx, FRAME_FORMAT_NEEDED, "compact frame of format %04x, not seen yet",
                         signature);
    if (ctx->trace)
        trace_data(&e);
    *full = e.full;
    *full_len = e.full_len;
    return FRAME_OK;
}

void mbus_compact_learn(struct mbus_context *ctx, const uint8_t *p, size_t n, bool verified)
{
    const struct format_store *store = &ctx->req->formats;
    struct reader in = reader_of(p, n);
    struct mbus_record rec;
    struct writer w;
    uint8_t *headers;
    enum emt_err err;

    if (!store->learn || n == 0)
        return;
    headers = (uint8_t *)arena_alloc(ctx->req->arena, n);
    if (!headers)
        return; /* a format missed is asked for again */
    writer_init_fixed(&w, headers, n);
    while ((err = mbus_record_decode(&in, &rec)) == EMT_OK) {
        if (rec.tail)
            return; /* its length is in no header */
        writer_bytes(&w, rec.header, rec.header_len);
    }
    if (err == EMT_ENOTFOUND && !w.failed && w.len > 0)
        store->learn(store->ctx, &ctx->out->device, mbus_crc16(w.data, w.len), w.data, w.len,
                     verified);
}

enum frame_state mbus_compact_format(struct mbus_context *ctx, const uint8_t *p, size_t n,
                                     bool verified)
{
    const struct format_store *store = &ctx->req->formats;
    struct reader in = reader_of(p, n);
    uint16_t signature;
    size_t left;

    while (reader_left(&in) > 0 && reader_peek(&in, 0) == 0x2f)
        reader_skip(&in, 1);
    reader_skip(&in, 1);
    signature = reader_u16le(&in);
    left = reader_left(&in);
    if (in.failed || left == 0)
        return mbus_fail(ctx, FRAME_MALFORMED, "ends inside the format frame");
    /* Fillers may follow: the signature tells where the format ends. */
    for (size_t len = left; len > 0; len--)
        if (mbus_crc16(in.data + in.pos, len) == signature) {
            if (store->learn)
                store->learn(store->ctx, &ctx->out->device, signature, in.data + in.pos, len,
                             verified);
            return FRAME_OK;
        }
    return mbus_fail(ctx, FRAME_MALFORMED, "signature of the format frame does not fit");
}
