#include "dlms_ciphered.h"

#include "base/arena.h"
#include "base/cipher.h"
#include "base/hex.h"
#include "dlms_apdu.h"
#include "dlms_axdr.h"
#include "dlms_security.h"

#include <string.h>

#define KEY_IDENTIFIED 0 /* key-info: identified-key */

/* One attempt to open a text: everything that must be as before when it fails. */
struct attempt {
    struct dlms_context *ctx;
    const struct dlms_protected *m;
    uint8_t *scratch;
    bool tag_failed; /* a key was tried and its tag did not fit */
    bool tried;      /* a key could serve at all */
};

static enum frame_state odd(struct dlms_context *ctx, const char *what)
{
    (void)decode_build_fail(&ctx->b, "%s is odd or ends before it is complete", what);
    return FRAME_MALFORMED;
}

/* A system title names its meter: three letters of the maker and five bytes (IEC 62056-5-3). */
static bool put_device(struct dlms_context *ctx, const uint8_t *title)
{
    struct device_id id = { .number = "" };
    bool letters = true;

    for (unsigned i = 0; i < 3; i++)
        letters = letters && title[i] >= 'A' && title[i] <= 'Z';
    if (letters) {
        memcpy(id.manufacturer, title, 3);
        (void)hex_encode(title + 3, DLMS_TITLE_LEN - 3, id.number);
    } else {
        (void)hex_encode(title, DLMS_TITLE_LEN, id.number);
    }
    if (ctx->titled && !device_id_equal(&id, &ctx->b.out->device))
        return decode_build_fail(&ctx->b, "two system titles in one frame");
    ctx->b.out->device = id;
    ctx->b.out->has_device = true;
    ctx->titled = true;
    return true;
}

/* The text stands behind control (1) and counter (4). */
static void trace_fields(struct trace *t, const struct dlms_protected *m)
{
    if (m->title)
        trace_hex(t, "system_title", m->title, DLMS_TITLE_LEN);
    trace_format(t, "security_control", m->text - 5, 1, "%02x%s%s, suite %u", m->control,
                 m->control & DLMS_ENCRYPTED ? " encrypted" : "",
                 m->control & DLMS_AUTHENTICATED ? " authenticated" : "",
                 m->control & DLMS_SUITE_MASK);
    trace_number(t, "invocation_counter", m->counter, m->text - 4, 4);
    if (m->tag)
        trace_hex(t, "tag", m->tag, DLMS_TAG_LEN);
}

static bool put_fields(struct dlms_context *ctx, const struct dlms_protected *m)
{
    struct decode_result *out = ctx->b.out;

    out->encrypted = out->encrypted || (m->control & DLMS_ENCRYPTED) != 0;
    out->has_counter = true;
    out->counter = m->counter;
    if (m->title && !put_device(ctx, m->title))
        return false;
    if (ctx->b.peek)
        return true;
    if (m->title)
        decode_build_hex(&ctx->b, "system_title", m->title, DLMS_TITLE_LEN);
    decode_build_hex(&ctx->b, "security_control", &m->control, 1);
    decode_build_number(&ctx->b, "invocation_counter", m->counter);
    if (ctx->b.trace)
        trace_fields(ctx->b.trace, m);
    return true;
}

/* The text as an APDU. Without a tag only an APDU that reads to its end shows that the key fits. */
static enum frame_state read_plain(struct attempt *a, const uint8_t *plain, bool verified)
{
    struct dlms_context *ctx = a->ctx;
    struct dlms_context saved = *ctx;
    struct decode_result before = *ctx->b.out;
    struct trace_mark mark = trace_mark(ctx->b.trace);
    enum frame_state state;

    ctx->b.out->security = dlms_security_name(a->m->control, verified);
    ctx->b.out->plain = plain;
    ctx->b.out->plain_len = a->m->text_len;
    ctx->secured = true;
    ctx->unverified = !verified;
    trace_plain(ctx->b.trace, plain, a->m->text_len, a->m->text);
    state = dlms_apdu_read(ctx, plain, a->m->text_len);
    if (verified || state == FRAME_OK || ctx->b.no_memory) {
        ctx->unverified = saved.unverified;
        if (state == FRAME_OK && !verified && a->m->tag)
            (void)decode_build_fail(&ctx->b, "the tag is unchecked: no authentication key");
        return state;
    }
    saved.b.items = ctx->b.items;
    saved.b.cap = ctx->b.cap;
    *ctx = saved;
    *ctx->b.out = before;
    trace_rewind(ctx->b.trace, mark);
    return FRAME_KEY_WRONG;
}

static enum frame_state try_key(struct attempt *a, const struct device_key *key)
{
    struct dlms_context *ctx = a->ctx;
    uint8_t *plain = (uint8_t *)arena_alloc(ctx->b.req->arena, a->m->text_len);
    bool verified;
    enum emt_err err;

    if (!plain) {
        ctx->b.no_memory = true;
        return FRAME_MALFORMED;
    }
    err = dlms_protected_open(ctx->b.req->cipher, a->m, key, a->scratch, plain, &verified);
    if (err == EMT_ENOTFOUND)
        return FRAME_KEY_WRONG;
    a->tried = true;
    if (err != EMT_OK) {
        a->tag_failed = true;
        return FRAME_MAC_WRONG;
    }
    return read_plain(a, plain, verified);
}

static enum frame_state try_keys(struct attempt *a)
{
    struct dlms_context *ctx = a->ctx;
    const struct key_lookup *lookup = &ctx->b.req->keys;
    struct device_key keys[DECODE_KEYS_MAX] = { 0 };
    unsigned n = 0;
    enum frame_state state = FRAME_KEY_WRONG;

    if (lookup->find && ctx->b.req->cipher)
        n = lookup->find(lookup->ctx, &ctx->b.out->device, keys);
    n = n < DECODE_KEYS_MAX ? n : DECODE_KEYS_MAX;
    for (unsigned i = 0; i < n; i++) {
        state = try_key(a, &keys[i]);
        if (state != FRAME_KEY_WRONG && state != FRAME_MAC_WRONG)
            break;
    }
    cipher_wipe(keys, n * sizeof keys[0]);
    if (state != FRAME_KEY_WRONG && state != FRAME_MAC_WRONG)
        return state;
    if (!a->tried) {
        (void)decode_build_fail(&ctx->b, n ? "no key of the right length and with a system title"
                                           : "ciphered, and no key is known");
        return FRAME_KEY_NEEDED;
    }
    (void)decode_build_fail(&ctx->b,
                            a->tag_failed ? "the tag fits with no key (%u tried)"
                                          : "plain text is no APDU with any key (%u tried)",
                            n);
    return a->tag_failed ? FRAME_MAC_WRONG : FRAME_KEY_WRONG;
}

static enum frame_state open_text(struct dlms_context *ctx, const struct dlms_protected *m)
{
    struct attempt a = { .ctx = ctx, .m = m };
    size_t more = m->control & DLMS_ENCRYPTED ? 0 : m->text_len;

    if (!put_fields(ctx, m))
        return FRAME_MALFORMED;
    if (ctx->b.peek)
        return FRAME_OK;
    if (!(m->control & (DLMS_AUTHENTICATED | DLMS_ENCRYPTED)))
        return dlms_apdu_read(ctx, m->text, m->text_len); /* a header, and no protection */
    a.scratch = (uint8_t *)arena_alloc(ctx->b.req->arena, DLMS_EXTRA_MAX + 33 + more);
    if (!a.scratch) {
        ctx->b.no_memory = true;
        return FRAME_MALFORMED;
    }
    return try_keys(&a);
}

/* extra: header fields that are authenticated too. */
static enum frame_state open_bytes(struct dlms_context *ctx, const uint8_t *p, size_t n,
                                   const uint8_t *title, const uint8_t *extra, size_t extra_len)
{
    struct dlms_protected m;
    enum emt_err err = dlms_protected_read(p, n, &m);

    if (err == EMT_EUNSUPPORTED) {
        (void)decode_build_fail(&ctx->b, "security control %02x is not read", m.control);
        return FRAME_UNSUPPORTED;
    }
    if (err != EMT_OK)
        return odd(ctx, "ciphered text");
    m.title = title;
    m.extra = extra;
    m.extra_len = extra_len;
    return open_text(ctx, &m);
}

/* length of the text, then the text, and nothing behind it. */
static enum frame_state open_rest(struct dlms_context *ctx, struct reader *in, const uint8_t *title,
                                  const uint8_t *extra, size_t extra_len)
{
    size_t n = axdr_length(in);
    const uint8_t *p = reader_bytes(in, n);

    if (!p || !reader_at_end(in))
        return odd(ctx, "ciphered text");
    return open_bytes(ctx, p, n, title, extra, extra_len);
}

enum frame_state dlms_general_ciphered(struct dlms_context *ctx, struct reader *in)
{
    size_t n = axdr_length(in);
    const uint8_t *title = reader_bytes(in, n);

    if (!title || (n != 0 && n != DLMS_TITLE_LEN))
        return odd(ctx, "system title");
    return open_rest(ctx, in, n ? title : NULL, NULL, 0);
}

enum frame_state dlms_service_ciphered(struct dlms_context *ctx, struct reader *in)
{
    ctx->service = in->data[0];
    return open_rest(ctx, in, NULL, NULL, 0);
}

static const uint8_t *read_octets(struct reader *in, size_t *n)
{
    *n = axdr_length(in);
    return reader_bytes(in, *n);
}

/* The five header fields that general-ciphering and general-signing share: transaction-id,
 * originator, recipient, date-time, other-information. The originator's system title, or NULL. */
static const uint8_t *read_general_header(struct reader *in)
{
    const uint8_t *title = NULL;

    for (unsigned i = 0; i < 5; i++) {
        size_t n;
        const uint8_t *p = read_octets(in, &n);

        if (i == 1 && p && n == DLMS_TITLE_LEN)
            title = p;
    }
    return in->failed ? NULL : title;
}

enum frame_state dlms_general_ciphering(struct dlms_context *ctx, struct reader *in)
{
    size_t start = in->pos, end;
    const uint8_t *title = read_general_header(in);
    uint8_t present;

    end = in->pos;
    present = reader_u8(in);
    if (in->failed || present > 1 || end - start > DLMS_EXTRA_MAX)
        return odd(ctx, "general-ciphering");
    if (present) {
        uint8_t choice = reader_u8(in);

        if (choice != KEY_IDENTIFIED) {
            (void)decode_build_fail(&ctx->b, "wrapped and agreed keys are not read");
            return in->failed ? FRAME_MALFORMED : FRAME_UNSUPPORTED;
        }
        reader_skip(in, 1); /* which key: all known ones are tried */
    }
    return open_rest(ctx, in, title, in->data + start, end - start);
}

enum frame_state dlms_general_signing(struct dlms_context *ctx, struct reader *in)
{
    size_t n, signature_len;
    const uint8_t *content, *title = read_general_header(in);
    const uint8_t *signature;
    enum frame_state state;

    content = read_octets(in, &n);
    signature = read_octets(in, &signature_len);
    if (!content || !signature || !reader_at_end(in))
        return odd(ctx, "general-signing");
    if (title && !put_device(ctx, title))
        return FRAME_MALFORMED;
    state = dlms_apdu_read(ctx, content, n);
    if (state == FRAME_OK)
        (void)decode_build_fail(&ctx->b, "the signature is not checked");
    return state;
}
