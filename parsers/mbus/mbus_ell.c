#include "mbus_ell.h"

#include "base/arena.h"
#include "base/cipher.h"
#include "mbus_crc.h"
#include "mbus_trace.h"

#include <string.h>

/*        CI CC ACC [M(2) A(6)] [SN(4) PayloadCRC(2)]
 * 8C     x  x  x
 * 8D     x  x  x               x
 * 8E     x  x  x    x
 * 8F     x  x  x    x          x
 * M and A name the receiver (EN 13757-4, tables 46 and 47): the sender is that of the link layer.
 * SN: bits 0-3 session, 4-28 time, 29-31 encryption (0 none, 1 AES-128-CTR). The encrypted part
 * begins at the CRC. */
#define SN_COUNTER 0x1fffffffu
#define SN_ENCRYPTION(sn) ((sn) >> 29)
#define ELL_NONE 0
#define ELL_CTR 1
#define CRC_LEN 2
/* Not part of the counter block: a repeater changes them on the way (EN 13757-4, CC field: hop
 * count, repeated access). */
#define CC_CHANGING 0x12u

struct ell {
    uint8_t ci;
    uint8_t cc;
    uint8_t access_number;
    uint8_t sn[4];
    uint32_t sn_value;
};

static bool has_address(uint8_t ci)
{
    return ci == 0x8e || ci == 0x8f;
}

static bool has_session(uint8_t ci)
{
    return ci == 0x8d || ci == 0x8f;
}

/* p: CRC (low byte first) and the rest of the telegram. */
static bool payload_crc_fits(const uint8_t *p, size_t n)
{
    return n >= CRC_LEN && (uint16_t)(p[0] | p[1] << 8) == mbus_crc16(p + CRC_LEN, n - CRC_LEN);
}

static void counter_block(const struct mbus_context *ctx, const struct ell *ell, uint8_t iv[16])
{
    memset(iv, 0, 16); /* frame number and block counter start at 0 */
    memcpy(iv, ctx->link.m, 2);
    memcpy(iv + 2, ctx->link.id, 4);
    iv[6] = ctx->link.version;
    iv[7] = ctx->link.type;
    iv[8] = (uint8_t)(ell->cc & ~CC_CHANGING);
    memcpy(iv + 9, ell->sn, 4);
}

/* Tries the keys on n bytes at p; the plain bytes go to out. */
static bool open_with_keys(struct mbus_context *ctx, const struct ell *ell,
                           const struct device_key *keys, unsigned nkeys, const uint8_t *p,
                           size_t n, uint8_t *out)
{
    uint8_t iv[16];

    counter_block(ctx, ell, iv);
    for (unsigned i = 0; i < nkeys; i++)
        if (keys[i].len == 16 &&
            cipher_aes128_ctr(ctx->req->cipher, keys[i].bytes, iv, p, n, out) == EMT_OK &&
            payload_crc_fits(out, n))
            return true;
    return false;
}

/* The telegram with its part from `from` on replaced by what the keys open. */
static enum frame_state decrypt(struct mbus_context *ctx, const struct ell *ell, struct reader *in,
                                const struct device_key *keys, unsigned nkeys)
{
    size_t from = in->pos;
    const uint8_t *p = in->data + from;
    size_t n = in->len - from;
    uint8_t *whole;

    if (nkeys == 0 && !ctx->req->accept_plaintext)
        return mbus_fail(ctx, FRAME_KEY_NEEDED, "encrypted (ELL), no key known");
    whole = (uint8_t *)arena_copy(ctx->req->arena, in->data, in->len);
    if (!whole)
        return mbus_no_memory(ctx);
    if (open_with_keys(ctx, ell, keys, nkeys, p, n, whole + from)) {
        ctx->decrypted = true;
        ctx->out->encrypted = true;
        trace_copy(ctx->trace, whole, in->len, in->data);
        trace_plain(ctx->trace, whole + from + CRC_LEN, in->len - from - CRC_LEN, NULL);
        *in = reader_of(whole, in->len);
        reader_skip(in, from);
        return FRAME_OK;
    }
    if (payload_crc_fits(p, n)) {
        ctx->plain_announced = true;
        if (ctx->req->accept_plaintext)
            return FRAME_OK;
        return mbus_fail(ctx, FRAME_PLAINTEXT_REFUSED, "announces ELL encryption, but is plain");
    }
    ctx->out->encrypted = true;
    if (nkeys == 0)
        return mbus_fail(ctx, FRAME_KEY_NEEDED, "encrypted (ELL), no key known");
    return mbus_fail(ctx, FRAME_KEY_WRONG, "no key opens the ELL payload (%u tried)", nkeys);
}

static enum frame_state open_payload(struct mbus_context *ctx, const struct ell *ell,
                                     struct reader *in)
{
    struct device_key keys[DECODE_KEYS_MAX];
    uint32_t encryption = SN_ENCRYPTION(ell->sn_value);
    enum frame_state state = FRAME_OK;
    unsigned nkeys;

    if (reader_left(in) < CRC_LEN)
        return mbus_fail(ctx, FRAME_MALFORMED, "ends inside the extended link layer");
    if (encryption == ELL_NONE) {
        ctx->out->security = "none";
        if (!payload_crc_fits(in->data + in->pos, reader_left(in)))
            state = mbus_fail(ctx, FRAME_MALFORMED, "ELL payload CRC does not fit");
    } else {
        nkeys = mbus_keys(ctx, &ctx->link, keys);
        ctx->out->security = encryption == ELL_CTR ? "ELL-CTR" : "ELL-reserved";
        if (encryption == ELL_CTR)
            state = decrypt(ctx, ell, in, keys, nkeys);
        else
            state =
                mbus_fail(ctx, FRAME_UNSUPPORTED, "ELL encryption mode %u", (unsigned)encryption);
        cipher_wipe(keys, sizeof keys);
    }
    if (state == FRAME_OK) {
        ctx->payload_checked = true;
        reader_skip(in, CRC_LEN);
    }
    return state;
}

static void put_receiver(struct mbus_context *ctx)
{
    char text[DEVICE_ID_TEXT_MAX];
    struct device_id id;

    mbus_address_device(&ctx->ell_receiver, &id);
    mbus_field_text(ctx, "receiver", device_id_format(&id, text));
}

enum frame_state mbus_ell_read(struct mbus_context *ctx, struct reader *in)
{
    size_t from = in->pos;
    struct ell ell = { 0 };
    size_t crc = 0;

    ell.ci = reader_u8(in);
    ell.cc = reader_u8(in);
    ell.access_number = reader_u8(in);
    if (has_address(ell.ci)) {
        ctx->ell_receiver = mbus_address_read_link(in);
    }
    if (has_session(ell.ci)) {
        reader_copy(in, ell.sn, sizeof ell.sn);
        ell.sn_value = (uint32_t)ell.sn[0] | (uint32_t)ell.sn[1] << 8 | (uint32_t)ell.sn[2] << 16 |
                       (uint32_t)ell.sn[3] << 24;
        crc = CRC_LEN;
    }
    if (in->failed)
        return mbus_fail(ctx, FRAME_MALFORMED, "ends inside the extended link layer");
    mbus_layer(ctx, "ell", ell.ci, from, in->pos + crc);
    if (ctx->trace && reader_left(in) >= crc)
        mbus_trace_ell(ctx, in->data + from, has_address(ell.ci), has_session(ell.ci));
    ctx->out->access_number = ell.access_number;
    ctx->out->has_access_number = true;
    if (has_address(ell.ci))
        put_receiver(ctx);
    if (!has_session(ell.ci))
        return FRAME_OK;
    ctx->out->has_counter = true;
    ctx->out->counter = ell.sn_value & SN_COUNTER;
    if (ctx->peek && SN_ENCRYPTION(ell.sn_value) != ELL_NONE)
        return FRAME_OK; /* the caller stops here: what follows is ciphertext */
    return open_payload(ctx, &ell, in);
}
