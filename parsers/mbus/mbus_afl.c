#include "mbus_afl.h"

#include <string.h>

/* 90 AFLL FCL(2) then, where FCL says so: MCL(1) KI(2) MCR(4) MAC(n) ML(2)
 * FCL: 0-7 fragment id, 9 KI, 10 MAC, 11 MCR, 12 ML, 13 MCL, 14 more fragments
 * MCL: 0-3 authentication type, 4 KI, 5 MCR, 6 ML take part in the MAC */
#define FCL_FRAGMENT 0x00ffu
#define FCL_KI 0x0200u
#define FCL_MAC 0x0400u
#define FCL_MCR 0x0800u
#define FCL_ML 0x1000u
#define FCL_MCL 0x2000u
#define FCL_MORE 0x4000u
#define MCL_TYPE 0x0fu

/* MAC bytes of an authentication type (AES-128-CMAC); 0: none, or one that is not read. */
static size_t mac_len_of(uint8_t mcl)
{
    static const uint8_t len[16] = { [3] = 2, [4] = 4, [5] = 8, [6] = 12, [7] = 16 };

    return len[mcl & MCL_TYPE];
}

static enum frame_state read_fields(struct mbus_context *ctx, struct reader *in, uint16_t fcl)
{
    struct mbus_afl *afl = &ctx->afl;

    if (fcl & FCL_MCL)
        afl->mcl = reader_u8(in);
    if (fcl & FCL_KI)
        reader_skip(in, 2);
    if (fcl & FCL_MCR) {
        afl->has_mcr = true;
        reader_copy(in, afl->mcr, sizeof afl->mcr);
    }
    if (fcl & FCL_MAC) {
        afl->has_mac = true;
        afl->mac_len = mac_len_of(afl->mcl);
        if (afl->mac_len == 0)
            return mbus_fail(ctx, FRAME_UNSUPPORTED, "AFL authentication type %u",
                             (unsigned)(afl->mcl & MCL_TYPE));
        reader_copy(in, afl->mac, afl->mac_len);
    }
    if (fcl & FCL_ML) {
        afl->has_ml = true;
        reader_copy(in, afl->ml, sizeof afl->ml);
    }
    return FRAME_OK;
}

enum frame_state mbus_afl_read(struct mbus_context *ctx, struct reader *in)
{
    size_t from = in->pos;
    struct reader part;
    enum frame_state state;
    uint16_t fcl;

    reader_skip(in, 1);
    part = reader_sub(in, reader_u8(in));
    fcl = reader_u16le(&part);
    if (in->failed || part.failed)
        return mbus_fail(ctx, FRAME_MALFORMED, "ends inside the AFL");
    mbus_layer(ctx, "afl", MBUS_CI_AFL, from, in->pos);
    if ((fcl & FCL_MORE) || (fcl & FCL_FRAGMENT) > 1)
        return mbus_fail(ctx, FRAME_UNSUPPORTED, "fragment %u of a longer message",
                         (unsigned)(fcl & FCL_FRAGMENT));
    ctx->afl.present = true;
    state = read_fields(ctx, &part, fcl);
    if (part.failed)
        return mbus_fail(ctx, FRAME_MALFORMED, "ends inside the AFL");
    if (ctx->afl.has_mcr) {
        struct reader mcr = reader_of(ctx->afl.mcr, sizeof ctx->afl.mcr);

        ctx->out->has_counter = true;
        ctx->out->counter = reader_u32le(&mcr);
    }
    return state;
}
