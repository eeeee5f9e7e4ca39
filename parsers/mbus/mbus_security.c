#include "mbus_security.h"

#include "base/arena.h"
#include "base/cipher.h"
#include "common/trace.h"
#include "mbus_record.h"

#include <string.h>

#define MODE_NONE 0
#define MODE_DES_CBC 2
#define MODE_AES_CBC_IV 5
#define MODE_AES_CBC_DERIVED 7
#define MODE_AES_CCM 10
#define MODE_TLS 13
/* Modes from here on are not defined; on the wire they are the "signature" of meters older than the
 * security modes. */
#define MODE_RESERVED 14

#define BLOCK 16
#define DES_BLOCK 8
#define CHECK 0x2f
#define CCM_TAG 8
#define CCM_NONCE 13
#define CCM_TO_THE_END 0xff
#define CCM_TAG_CODE_8 1
#define KDF(cfe) ((cfe) >> 4 & 3u)
#define KDF_NONE 0 /* the key itself */
#define KDF_CMAC 1
#define DERIVE_ENC 0x00
#define DERIVE_MAC 0x01

static const char *const mode_names[MBUS_MODES] = {
    "none",    "mode 1",  "mode 2",  "mode 3",  "mode 4",  "mode 5",  "mode 6",  "mode 7",
    "mode 8",  "mode 9",  "mode 10", "mode 11", "mode 12", "mode 13", "mode 14", "mode 15",
    "mode 16", "mode 17", "mode 18", "mode 19", "mode 20", "mode 21", "mode 22", "mode 23",
    "mode 24", "mode 25", "mode 26", "mode 27", "mode 28", "mode 29", "mode 30", "mode 31",
};

/* EN 13757-7, table 19: what the modes that are not read stand for. */
static const char *const algorithms[MBUS_MODES] = {
    [1] = " (of the manufacturer)", [3] = " (DES-CBC, its IV holds the meter's date)",
    [8] = " (AES-CTR with CMAC)",   [9] = " (AES-GCM)",
    [13] = " (TLS session)",
};

/* How far one attempt came. Higher is better. */
enum attempt { ATTEMPT_FAILED, ATTEMPT_CHECKED /* 2F 2F */, ATTEMPT_PARSED, ATTEMPT_AUTHENTIC };

struct opening {
    struct mbus_context *ctx;
    enum mbus_apl apl;
    const uint8_t *body;
    size_t len;
    size_t encrypted; /* bytes at the front of body that are ciphertext */
    uint8_t *out;     /* len bytes in the arena */
    bool mac_fitted;
};

static bool application_parses(enum mbus_apl apl, const uint8_t *p, size_t n)
{
    unsigned count;

    return apl != MBUS_APL_RECORDS || mbus_records_check(p, n, &count) == EMT_OK;
}

static bool has_check_bytes(const uint8_t *p, size_t n)
{
    return n >= 2 && p[0] == CHECK && p[1] == CHECK;
}

static void mode5_iv(const struct mbus_context *ctx, uint8_t iv[BLOCK])
{
    memcpy(iv, ctx->meter.m, 2);
    memcpy(iv + 2, ctx->meter.id, 4);
    iv[6] = ctx->meter.version;
    iv[7] = ctx->meter.type;
    memset(iv + 8, ctx->tpl.access_number, 8);
}

/* Key derivation of EN 13757-7. Selection 0: the key itself; 1: CMAC over a constant, the message
 * counter, the meter's number, padding. */
static bool derive(const struct mbus_context *ctx, const uint8_t key[16], uint8_t constant,
                   const uint8_t mcr[4], uint8_t out[16])
{
    uint8_t input[BLOCK];
    struct cipher_part part = { input, sizeof input };

    if (ctx->tpl.cfe_len > 0 && KDF(ctx->tpl.cfe[0]) == KDF_NONE) {
        memcpy(out, key, 16);
        return true;
    }
    memset(input, 0x07, sizeof input);
    input[0] = constant;
    memcpy(input + 1, mcr, 4);
    memcpy(input + 5, ctx->meter.id, 4);
    return cipher_aes128_cmac(ctx->req->cipher, key, &part, 1, out) == EMT_OK;
}

/* The MAC covers MCL, MCR, ML where present, and everything from the transport CI on, as sent. */
static bool mac_fits(const struct mbus_context *ctx, const uint8_t key[16])
{
    const struct mbus_afl *afl = &ctx->afl;
    uint8_t kmac[16], mac[16];
    struct cipher_part parts[4] = { { &afl->mcl, 1 }, { afl->mcr, sizeof afl->mcr } };
    size_t n = 2;
    bool fits;

    if (afl->has_ml)
        parts[n++] = (struct cipher_part){ afl->ml, sizeof afl->ml };
    parts[n++] = (struct cipher_part){ ctx->tpl.start, ctx->tpl.start_len };
    fits = derive(ctx, key, DERIVE_MAC, afl->mcr, kmac) &&
           cipher_aes128_cmac(ctx->req->cipher, kmac, parts, n, mac) == EMT_OK &&
           cipher_equal(mac, afl->mac, afl->mac_len);
    cipher_wipe(kmac, sizeof kmac);
    return fits;
}

/* Decrypts the front of the body; the rest is copied as it is. */
static bool decrypt_front(const struct opening *o, const struct device_key *key)
{
    static const uint8_t zero[BLOCK];
    struct mbus_context *ctx = o->ctx;
    struct cipher *c = ctx->req->cipher;
    uint8_t iv[BLOCK], kenc[16];
    bool ok;

    memcpy(o->out, o->body, o->len);
    if (ctx->tpl.mode == MODE_DES_CBC)
        return key->len == 8 &&
               cipher_des_cbc_decrypt(c, key->bytes, zero, o->body, o->encrypted, o->out) == EMT_OK;
    if (key->len != 16)
        return false;
    if (ctx->tpl.mode == MODE_AES_CBC_IV) {
        mode5_iv(ctx, iv);
        return cipher_aes128_cbc_decrypt(c, key->bytes, iv, o->body, o->encrypted, o->out) ==
               EMT_OK;
    }
    ok = derive(ctx, key->bytes, DERIVE_ENC, ctx->afl.mcr, kenc) &&
         cipher_aes128_cbc_decrypt(c, kenc, zero, o->body, o->encrypted, o->out) == EMT_OK;
    cipher_wipe(kenc, sizeof kenc);
    return ok;
}

static enum attempt try_block_key(struct opening *o, const struct device_key *key)
{
    struct mbus_context *ctx = o->ctx;
    bool mac = false;

    if (ctx->afl.has_mac) {
        mac = key->len == 16 && mac_fits(ctx, key->bytes);
        if (!mac)
            return ATTEMPT_FAILED; /* verified before anything is decrypted */
        o->mac_fitted = true;
    }
    if (!decrypt_front(o, key) || !has_check_bytes(o->out, o->encrypted))
        return ATTEMPT_FAILED;
    if (!application_parses(o->apl, o->out, o->len))
        return mac ? ATTEMPT_AUTHENTIC : ATTEMPT_CHECKED;
    return mac ? ATTEMPT_AUTHENTIC : ATTEMPT_PARSED;
}

static enum frame_state opened(struct mbus_context *ctx, const uint8_t *plain, size_t len)
{
    ctx->out->plain = plain;
    ctx->out->plain_len = len;
    return FRAME_OK;
}

static enum frame_state not_opened(struct opening *o, unsigned nkeys)
{
    struct mbus_context *ctx = o->ctx;
    const char *mode = mode_names[ctx->tpl.mode];

    if (has_check_bytes(o->body, o->len) && application_parses(o->apl, o->body, o->len)) {
        ctx->plain_announced = true;
        if (ctx->req->accept_plaintext)
            return opened(ctx, o->body, o->len);
        if (nkeys > 0)
            return mbus_fail(ctx, FRAME_PLAINTEXT_REFUSED, "announces %s, but is plain", mode);
    }
    ctx->out->encrypted = true;
    if (nkeys == 0)
        return mbus_fail(ctx, FRAME_KEY_NEEDED, "encrypted (%s), no key known", mode);
    if (ctx->afl.has_mac && !o->mac_fitted)
        return mbus_fail(ctx, FRAME_MAC_WRONG, "MAC fits with no key (%u tried)", nkeys);
    return mbus_fail(ctx, FRAME_KEY_WRONG, "no key opens %s (%u tried)", mode, nkeys);
}

static enum frame_state open_blocks(struct opening *o, const struct device_key *keys,
                                    unsigned nkeys)
{
    struct mbus_context *ctx = o->ctx;
    enum attempt best = ATTEMPT_FAILED;
    unsigned which = 0;

    for (unsigned i = 0; i < nkeys && best < ATTEMPT_PARSED; i++) {
        enum attempt a = try_block_key(o, &keys[i]);

        if (a > best) {
            best = a;
            which = i;
        }
    }
    if (best == ATTEMPT_FAILED)
        return not_opened(o, nkeys);
    /* A later key may have overwritten the buffer. */
    if (best == ATTEMPT_CHECKED && !decrypt_front(o, &keys[which]))
        return mbus_fail(ctx, FRAME_KEY_WRONG, "no key opens it");
    ctx->decrypted = true;
    ctx->out->encrypted = true;
    ctx->authenticated = best == ATTEMPT_AUTHENTIC;
    trace_plain(ctx->trace, o->out, o->len, o->body);
    return opened(ctx, o->out, o->len);
}

/* How many bytes at the front are ciphertext. Mode 2 counts bytes, 5 and 7 blocks of 16; none means
 * all that is there. */
static enum frame_state encrypted_length(struct opening *o)
{
    struct mbus_context *ctx = o->ctx;
    size_t block = ctx->tpl.mode == MODE_DES_CBC ? DES_BLOCK : BLOCK;
    size_t n = ctx->tpl.mode == MODE_DES_CBC ? ctx->tpl.cfg & 0xffu
                                             : (size_t)(ctx->tpl.cfg >> 4 & 0x0fu) * BLOCK;

    if (n == 0)
        n = o->len / block * block;
    if (n % block != 0 || n == 0)
        return mbus_fail(ctx, FRAME_MALFORMED, "%zu encrypted bytes are no blocks", n);
    if (n > o->len)
        return mbus_fail(ctx, FRAME_MALFORMED, "%zu encrypted bytes announced, %zu are there", n,
                         o->len);
    o->encrypted = n;
    return FRAME_OK;
}

static enum frame_state check_derivation(struct mbus_context *ctx)
{
    const struct mbus_tpl *tpl = &ctx->tpl;
    bool ccm = tpl->mode == MODE_AES_CCM;
    bool none = KDF(tpl->cfe[0]) == KDF_NONE;

    /* Which key a MAC has where none is derived is not told in public. */
    if ((!none && KDF(tpl->cfe[0]) != KDF_CMAC) || (none && ctx->afl.has_mac))
        return mbus_fail(ctx, FRAME_UNSUPPORTED, "%s with key derivation %u%s",
                         mode_names[tpl->mode], (unsigned)KDF(tpl->cfe[0]),
                         none ? " and a MAC" : "");
    if (!ccm && !none && !ctx->afl.has_mcr)
        return mbus_fail(ctx, FRAME_UNSUPPORTED, "%s without a message counter",
                         mode_names[tpl->mode]);
    if (ccm && tpl->cfe[1] != CCM_TAG_CODE_8)
        return mbus_fail(ctx, FRAME_UNSUPPORTED, "mode 10 with configuration extension %02x%02x",
                         tpl->cfe[0], tpl->cfe[1]);
    return FRAME_OK;
}

/* OMS security profile D. */
static bool ccm_opens(struct opening *o, const struct device_key *key)
{
    struct mbus_context *ctx = o->ctx;
    const struct mbus_tpl *tpl = &ctx->tpl;
    uint8_t nonce[CCM_NONCE], kenc[16];
    bool ok;

    if (key->len != 16 || !derive(ctx, key->bytes, DERIVE_ENC, tpl->mcr, kenc))
        return false;
    memcpy(nonce, ctx->meter.m, 2);
    memcpy(nonce + 2, ctx->meter.id, 4);
    nonce[6] = ctx->meter.version;
    nonce[7] = ctx->meter.type;
    nonce[8] = 0;
    for (unsigned i = 0; i < 4; i++)
        nonce[9 + i] = tpl->mcr[3 - i];
    ok = cipher_aes128_ccm_open(ctx->req->cipher, kenc, nonce, sizeof nonce, tpl->start,
                                tpl->aad_len, o->body, o->encrypted, o->body + o->encrypted,
                                CCM_TAG, o->out) == EMT_OK;
    cipher_wipe(kenc, sizeof kenc);
    return ok;
}

static enum frame_state open_ccm(struct opening *o, const struct device_key *keys, unsigned nkeys)
{
    struct mbus_context *ctx = o->ctx;
    size_t n = ctx->tpl.cfg & 0xffu;
    struct reader mcr = reader_of(ctx->tpl.mcr, sizeof ctx->tpl.mcr);

    ctx->out->has_counter = true;
    ctx->out->counter = reader_u32le(&mcr);
    if (o->len < CCM_TAG || (n != CCM_TO_THE_END && n != o->len - CCM_TAG))
        return mbus_fail(ctx, FRAME_MALFORMED, "%zu encrypted bytes announced, %zu are there", n,
                         o->len);
    o->encrypted = o->len - CCM_TAG;
    ctx->out->encrypted = true;
    if (nkeys == 0)
        return mbus_fail(ctx, FRAME_KEY_NEEDED, "encrypted (mode 10), no key known");
    for (unsigned i = 0; i < nkeys; i++)
        if (ccm_opens(o, &keys[i])) {
            ctx->decrypted = true;
            ctx->authenticated = true;
            trace_plain(ctx->trace, o->out, o->encrypted, o->body);
            return opened(ctx, o->out, o->encrypted);
        }
    return mbus_fail(ctx, FRAME_MAC_WRONG, "tag fits with no key (%u tried)", nkeys);
}

static enum frame_state open_plain(struct opening *o, const struct device_key *keys, unsigned nkeys)
{
    struct mbus_context *ctx = o->ctx;

    if (ctx->afl.has_mac && nkeys > 0) {
        for (unsigned i = 0; i < nkeys && !ctx->authenticated; i++)
            ctx->authenticated = keys[i].len == 16 && mac_fits(ctx, keys[i].bytes);
        if (!ctx->authenticated && !ctx->req->accept_plaintext)
            return mbus_fail(ctx, FRAME_MAC_WRONG, "MAC fits with no key (%u tried)", nkeys);
    }
    /* A meter with a key that sends plaintext is an injection until somebody says otherwise. */
    if (nkeys > 0 && !ctx->decrypted && !ctx->authenticated && !ctx->req->accept_plaintext)
        return mbus_fail(ctx, FRAME_PLAINTEXT_REFUSED, "plain, although a key is known");
    return opened(ctx, o->body, o->len);
}

static enum frame_state open_mode(struct opening *o, const struct device_key *keys, unsigned nkeys)
{
    struct mbus_context *ctx = o->ctx;
    uint8_t mode = ctx->tpl.mode;
    bool derived = mode == MODE_AES_CBC_DERIVED || mode == MODE_AES_CCM;
    enum frame_state state;

    if (mode == MODE_NONE)
        return open_plain(o, keys, nkeys);
    if (ctx->wired && mode >= MODE_RESERVED && application_parses(o->apl, o->body, o->len)) {
        ctx->out->security = mode_names[MODE_NONE];
        return open_plain(o, keys, nkeys);
    }
    if (mode == MODE_TLS) {
        ctx->out->encrypted = true; /* no key of ours is in a TLS session */
        return mbus_fail(ctx, FRAME_UNSUPPORTED, "security %s%s is not read", mode_names[mode],
                         algorithms[mode]);
    }
    if (mode != MODE_DES_CBC && mode != MODE_AES_CBC_IV && !derived) {
        ctx->out->encrypted = true;
        return mbus_fail(ctx, nkeys > 0 ? FRAME_UNSUPPORTED : FRAME_KEY_NEEDED,
                         "security %s%s is not read%s", mode_names[mode],
                         algorithms[mode] ? algorithms[mode] : "",
                         nkeys > 0 ? "" : ", and no key is known");
    }
    state = derived ? check_derivation(ctx) : FRAME_OK;
    if (state != FRAME_OK)
        return state;
    o->out = (uint8_t *)arena_alloc(ctx->req->arena, o->len);
    if (!o->out)
        return mbus_no_memory(ctx);
    if (mode == MODE_AES_CCM)
        return open_ccm(o, keys, nkeys);
    state = encrypted_length(o);
    return state == FRAME_OK ? open_blocks(o, keys, nkeys) : state;
}

enum frame_state mbus_security_open(struct mbus_context *ctx, struct reader *in, enum mbus_apl apl)
{
    struct opening o = { .ctx = ctx, .apl = apl, .len = reader_left(in) };
    struct device_key keys[DECODE_KEYS_MAX];
    enum frame_state state;
    unsigned nkeys = 0;

    o.body = in->data + in->pos;
    if (ctx->has_meter)
        nkeys = mbus_keys(ctx, &ctx->meter, keys);
    ctx->has_key = nkeys > 0;
    if (ctx->tpl.mode != MODE_NONE || !ctx->out->security)
        ctx->out->security = mode_names[ctx->tpl.mode];
    state = open_mode(&o, keys, nkeys);
    cipher_wipe(keys, sizeof keys);
    return state;
}
