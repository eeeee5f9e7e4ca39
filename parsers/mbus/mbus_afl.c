#include "mbus_afl.h"

#include "base/arena.h"
#include "base/cipher.h"
#include "common/trace.h"
#include "mbus_tpl.h"

#include <string.h>

/* 90 AFLL FCL(2) then, where FCL says so: MCL(1) KI(2) MCR(4) MAC(n) ML(2)
 * FCL: 0-7 fragment id, 9 KI, 10 MAC, 11 MCR, 12 ML, 13 MCL, 14 more fragments
 * MCL: 0-3 authentication type, 4 KI, 5 MCR, 6 ML take part in the MAC
 *
 * Fragments of one message count from 1. The first one says how the whole is authenticated (MCL,
 * MCR, ML), the last one carries the MAC; what follows the AFL of each is a piece of one transport
 * layer, whose CI stands in the first. */
#define FCL_FRAGMENT 0x00ffu
#define FCL_KI 0x0200u
#define FCL_MAC 0x0400u
#define FCL_MCR 0x0800u
#define FCL_ML 0x1000u
#define FCL_MCL 0x2000u
#define FCL_MORE 0x4000u
#define MCL_TYPE 0x0fu
#define TYPE_GMAC 8 /* its nonce is told nowhere in public */
#define FIRST 1
#define LAST_MOST 255
#define ML_LEN 2
/* A message of many pieces is no longer than the longest frame. */
#define MESSAGE_MAX DECODE_FRAME_MAX

/* One telegram's AFL and what follows it. */
struct part {
    struct mbus_afl afl;
    bool has_mcl;
    bool more;
    uint8_t id;
    const uint8_t *payload;
    size_t payload_len;
};

/* MAC bytes of an authentication type (AES-128-CMAC); 0: none, or one that is not read. */
static size_t mac_len_of(uint8_t mcl)
{
    static const uint8_t len[16] = { [3] = 2, [4] = 4, [5] = 8, [6] = 12, [7] = 16 };

    return len[mcl & MCL_TYPE];
}

/* A field of the header that is about to be read. */
static void note(struct trace *t, const char *name, const struct reader *in, size_t n)
{
    if (t && reader_left(in) >= n)
        trace_hex(t, name, in->data + in->pos, n);
}

/* The type of a MAC may stand in another fragment: it is as long as the AFL leaves room for. */
static void read_mac(struct part *p, struct reader *in, uint16_t fcl, struct trace *t)
{
    size_t behind = fcl & FCL_ML ? ML_LEN : 0;
    size_t left = reader_left(in);
    size_t n = left > behind ? left - behind : 0;

    if (p->has_mcl && mac_len_of(p->afl.mcl) != 0)
        n = mac_len_of(p->afl.mcl);
    if (n > MBUS_MAC_MAX)
        n = MBUS_MAC_MAX;
    p->afl.has_mac = true;
    p->afl.mac_len = n;
    note(t, "mac", in, n);
    reader_copy(in, p->afl.mac, n);
}

/* t: NULL for fragments that came before. False: the bytes end inside the AFL. */
static bool read_part(struct reader *in, struct part *p, struct trace *t)
{
    const uint8_t *start = in->data + in->pos;
    struct reader head;
    uint16_t fcl;

    memset(p, 0, sizeof *p);
    p->afl.present = true;
    reader_skip(in, 1);
    head = reader_sub(in, reader_u8(in));
    if (t && !in->failed) {
        trace_layer(t, "afl", start, 2 + head.len);
        trace_hex(t, "ci", start, 1);
        trace_number(t, "length", start[1], start + 1, 1);
    }
    note(t, "fragmentation_control", &head, 2);
    fcl = reader_u16le(&head);
    p->id = (uint8_t)(fcl & FCL_FRAGMENT);
    p->more = fcl & FCL_MORE;
    if (fcl & FCL_MCL) {
        p->has_mcl = true;
        note(t, "message_control", &head, 1);
        p->afl.mcl = reader_u8(&head);
    }
    if (fcl & FCL_KI) {
        note(t, "key_information", &head, 2);
        reader_skip(&head, 2);
    }
    if (fcl & FCL_MCR) {
        p->afl.has_mcr = true;
        note(t, "message_counter", &head, 4);
        reader_copy(&head, p->afl.mcr, sizeof p->afl.mcr);
    }
    if (fcl & FCL_MAC)
        read_mac(p, &head, fcl, t);
    if (fcl & FCL_ML) {
        p->afl.has_ml = true;
        note(t, "message_length", &head, 2);
        reader_copy(&head, p->afl.ml, sizeof p->afl.ml);
    }
    p->payload = in->data + in->pos;
    p->payload_len = reader_left(in);
    return !in->failed && !head.failed;
}

/* What the AFLs of a message say together. False: a second MAC, so that each fragment has its own,
 * whose extent is not known here. */
static bool merge(struct part *whole, const struct part *p)
{
    if (p->afl.has_mac && whole->afl.has_mac)
        return false;
    whole->afl.present = true;
    if (p->has_mcl && !whole->has_mcl) {
        whole->has_mcl = true;
        whole->afl.mcl = p->afl.mcl;
    }
    if (p->afl.has_mcr && !whole->afl.has_mcr) {
        whole->afl.has_mcr = true;
        memcpy(whole->afl.mcr, p->afl.mcr, sizeof p->afl.mcr);
    }
    if (p->afl.has_ml && !whole->afl.has_ml) {
        whole->afl.has_ml = true;
        memcpy(whole->afl.ml, p->afl.ml, sizeof p->afl.ml);
    }
    if (p->afl.has_mac) {
        whole->afl.has_mac = true;
        whole->afl.mac_len = p->afl.mac_len;
        memcpy(whole->afl.mac, p->afl.mac, sizeof p->afl.mac);
    }
    return true;
}

/* The AFL of a complete message. */
static enum frame_state take(struct mbus_context *ctx, const struct part *p)
{
    ctx->afl = p->afl;
    if (p->afl.has_mcr) {
        struct reader mcr = reader_of(p->afl.mcr, sizeof p->afl.mcr);

        ctx->out->has_counter = true;
        ctx->out->counter = reader_u32le(&mcr);
    }
    if (!p->afl.has_mac)
        return FRAME_OK;
    if (mac_len_of(p->afl.mcl) == 0)
        return mbus_fail(ctx, FRAME_UNSUPPORTED, "AFL authentication type %u%s is not read",
                         (unsigned)(p->afl.mcl & MCL_TYPE),
                         (p->afl.mcl & MCL_TYPE) == TYPE_GMAC ? " (AES-GMAC)" : "");
    if (mac_len_of(p->afl.mcl) != p->afl.mac_len)
        return mbus_fail(ctx, FRAME_MALFORMED, "MAC of %zu bytes, the AFL announces %zu",
                         p->afl.mac_len, mac_len_of(p->afl.mcl));
    return FRAME_OK;
}

/* Fragment `id`, the current telegram's or one kept. False: it is not there. */
static bool find_part(const struct mbus_context *ctx, const struct part *current, unsigned id,
                      struct part *out)
{
    const struct fragment_store *store = &ctx->req->fragments;
    struct reader in;
    const uint8_t *bytes;
    size_t n = 0;

    if (id == current->id) {
        *out = *current;
        return true;
    }
    bytes = store->get(store->ctx, &ctx->out->device, (uint8_t)id, &n);
    if (!bytes)
        return false;
    in = reader_of(bytes, n);
    return read_part(&in, out, NULL) && out->id == id;
}

static enum frame_state wait_for_more(struct mbus_context *ctx, const struct part *p, unsigned next)
{
    ctx->fragment_waits = true;
    return mbus_fail(ctx, FRAME_OK, "fragment %u of a longer message is kept, %u is to come",
                     (unsigned)p->id, next);
}

/* Walks the fragments from the first on; with `to` their payloads are put there. FRAME_OK and
 * fragment_waits: one is missing. */
static enum frame_state walk(struct mbus_context *ctx, const struct part *current,
                             struct part *whole, uint8_t *to)
{
    size_t len = 0;

    memset(whole, 0, sizeof *whole);
    for (unsigned id = FIRST; id <= LAST_MOST; id++) {
        struct part p;

        if (!find_part(ctx, current, id, &p))
            return wait_for_more(ctx, current, id);
        if (p.payload_len > MESSAGE_MAX - len)
            return mbus_fail(ctx, FRAME_UNSUPPORTED, "message of more than %d bytes", MESSAGE_MAX);
        if (to) {
            memcpy(to + len, p.payload, p.payload_len);
            if (id == current->id)
                trace_copy(ctx->trace, to + len, p.payload_len, p.payload);
        }
        len += p.payload_len;
        if (!merge(whole, &p))
            return mbus_fail(ctx, FRAME_UNSUPPORTED, "a MAC in more than one fragment");
        if (!p.more) {
            whole->payload = to;
            whole->payload_len = len;
            return FRAME_OK;
        }
    }
    return mbus_fail(ctx, FRAME_MALFORMED, "no fragment is the last one");
}

/* The whole message in the place of this telegram's piece. */
static enum frame_state join(struct mbus_context *ctx, const struct part *current,
                             struct reader *in)
{
    struct part whole;
    enum frame_state state = walk(ctx, current, &whole, NULL);
    size_t len = whole.payload_len;
    uint8_t *to;

    if (state != FRAME_OK || ctx->fragment_waits)
        return state;
    if (whole.afl.has_ml && (size_t)(whole.afl.ml[0] | whole.afl.ml[1] << 8) != len)
        return mbus_fail(ctx, FRAME_MALFORMED, "%zu bytes in all fragments, the AFL announces %d",
                         len, whole.afl.ml[0] | whole.afl.ml[1] << 8);
    to = (uint8_t *)arena_alloc(ctx->req->arena, len);
    if (!to)
        return mbus_no_memory(ctx);
    state = walk(ctx, current, &whole, to);
    if (state != FRAME_OK)
        return state;
    trace_plain(ctx->trace, to, len, NULL);
    *in = reader_of(to, len);
    ctx->joined = true;
    return take(ctx, &whole);
}

/* A piece of an encrypted message is of no use without the key: it waits as its last one does, so
 * that all of them are decoded again, in their order, when the key comes. */
static enum frame_state judge_piece(struct mbus_context *ctx, const struct part *current)
{
    struct device_key keys[DECODE_KEYS_MAX];
    struct mbus_address meter = ctx->meter;
    struct part first;
    unsigned nkeys;

    if (!find_part(ctx, current, FIRST, &first) ||
        !mbus_tpl_announces(first.payload, first.payload_len, ctx->wired, &meter))
        return FRAME_OK;
    nkeys = mbus_keys(ctx, &meter, keys);
    cipher_wipe(keys, sizeof keys);
    if (nkeys > 0)
        return FRAME_OK;
    ctx->out->encrypted = true;
    return mbus_fail(ctx, FRAME_KEY_NEEDED, "fragment %u of an encrypted message, no key known",
                     (unsigned)current->id);
}

/* Keeps the telegram's piece. Another piece of the same number begins another message. */
static void keep(struct mbus_context *ctx, const struct part *p, const uint8_t *bytes, size_t n)
{
    const struct fragment_store *store = &ctx->req->fragments;
    const struct device_id *device = &ctx->out->device;
    size_t before_len = 0;
    const uint8_t *before = store->get(store->ctx, device, p->id, &before_len);

    if (before && before_len == n && memcmp(before, bytes, n) == 0)
        return; /* heard twice */
    if (before)
        store->drop(store->ctx, device);
    store->put(store->ctx, device, p->id, bytes, n);
}

enum frame_state mbus_afl_read(struct mbus_context *ctx, struct reader *in)
{
    const struct fragment_store *store = &ctx->req->fragments;
    size_t from = in->pos;
    enum frame_state state;
    struct part p;

    if (!read_part(in, &p, ctx->trace))
        return mbus_fail(ctx, FRAME_MALFORMED, "ends inside the AFL");
    mbus_layer(ctx, "afl", MBUS_CI_AFL, from, in->pos);
    if (!p.more && p.id <= FIRST)
        return take(ctx, &p);
    if (p.id < FIRST)
        return mbus_fail(ctx, FRAME_MALFORMED, "fragment without a number");
    if (!store->get || !store->put || !store->drop || !ctx->has_meter)
        return mbus_fail(ctx, FRAME_UNSUPPORTED, "fragment %u of a longer message", (unsigned)p.id);
    if (!ctx->peek)
        keep(ctx, &p, in->data + from, in->len - from);
    state = join(ctx, &p, in);
    return state == FRAME_OK && ctx->fragment_waits && !ctx->peek ? judge_piece(ctx, &p) : state;
}
