/* control 1 | invocation counter 4 | text | tag 12 (authenticated only)
 *
 * Nonce: system title and counter. Associated data: control and authentication key; without
 * encryption the text follows them. A text whose authentication key nobody knows can still be
 * deciphered: GCM is counter mode, and its text begins with block number 2 (NIST SP 800-38D). */
#include "dlms_security.h"

#include "base/reader.h"

#include <string.h>

#define HEAD_LEN 5
#define SUITE_0_1_KEY 16
#define SUITE_2_KEY 32
#define SUITE_LAST 2

enum emt_err dlms_protected_read(const uint8_t *p, size_t n, struct dlms_protected *out)
{
    struct reader in = reader_of(p, n);

    memset(out, 0, sizeof *out);
    out->control = reader_u8(&in);
    out->counter = reader_u32be(&in);
    if (in.failed)
        return EMT_ETRUNCATED;
    out->text_len = reader_left(&in);
    if (out->control & DLMS_AUTHENTICATED) {
        if (out->text_len < DLMS_TAG_LEN)
            return EMT_ETRUNCATED;
        out->text_len -= DLMS_TAG_LEN;
    }
    out->text = reader_bytes(&in, out->text_len);
    if (out->control & DLMS_AUTHENTICATED)
        out->tag = reader_bytes(&in, DLMS_TAG_LEN);
    if ((out->control & DLMS_SUITE_MASK) > SUITE_LAST || (out->control & DLMS_COMPRESSED))
        return EMT_EUNSUPPORTED;
    return EMT_OK;
}

static size_t key_len_of(uint8_t control)
{
    return (control & DLMS_SUITE_MASK) == SUITE_LAST ? SUITE_2_KEY : SUITE_0_1_KEY;
}

static bool put_nonce(const struct device_key *key, const uint8_t *title, uint32_t counter,
                      uint8_t nonce[12])
{
    if (!title && key->system_title_len != DLMS_TITLE_LEN)
        return false;
    memcpy(nonce, title ? title : key->system_title, DLMS_TITLE_LEN);
    for (unsigned i = 0; i < 4; i++)
        nonce[DLMS_TITLE_LEN + i] = (uint8_t)(counter >> (24 - 8 * i));
    return true;
}

static size_t put_associated(const struct device_key *key, uint8_t control, const uint8_t *extra,
                             size_t extra_len, const uint8_t *text, size_t text_len, uint8_t *out)
{
    size_t n = 0;

    out[n++] = control;
    memcpy(out + n, key->ak, key->ak_len);
    n += key->ak_len;
    if (extra_len)
        memcpy(out + n, extra, extra_len);
    n += extra_len;
    if (!(control & DLMS_ENCRYPTED)) {
        if (text_len)
            memcpy(out + n, text, text_len);
        n += text_len;
    }
    return n;
}

/* GCM's text is counter mode from block 2 on. */
static enum emt_err open_unverified(struct cipher *c, const struct dlms_protected *m,
                                    const struct device_key *key, const uint8_t nonce[12],
                                    uint8_t *out)
{
    uint8_t iv[16] = { 0 };

    if (!(m->control & DLMS_ENCRYPTED)) {
        if (m->text_len)
            memcpy(out, m->text, m->text_len);
        return EMT_OK;
    }
    if (key->len != SUITE_0_1_KEY)
        return EMT_ENOTFOUND; /* no AES-256-CTR at hand: suite 2 needs its tag */
    memcpy(iv, nonce, 12);
    iv[15] = 2;
    return cipher_aes128_ctr(c, key->bytes, iv, m->text, m->text_len, out);
}

enum emt_err dlms_protected_open(struct cipher *c, const struct dlms_protected *m,
                                 const struct device_key *key, uint8_t *scratch, uint8_t *out,
                                 bool *verified)
{
    static const uint8_t nothing[1];
    bool encrypted = (m->control & DLMS_ENCRYPTED) != 0;
    uint8_t nonce[12];
    size_t aad_len;
    enum emt_err err;

    *verified = false;
    if (key->len != key_len_of(m->control) || m->extra_len > DLMS_EXTRA_MAX ||
        key->ak_len > sizeof key->ak || !put_nonce(key, m->title, m->counter, nonce))
        return EMT_ENOTFOUND;
    if (!m->tag || key->ak_len == 0)
        return open_unverified(c, m, key, nonce, out);
    aad_len =
        put_associated(key, m->control, m->extra, m->extra_len, m->text, m->text_len, scratch);
    err = cipher_aes_gcm_open(c, key->bytes, key->len, nonce, scratch, aad_len,
                              encrypted ? m->text : nothing, encrypted ? m->text_len : 0, m->tag,
                              DLMS_TAG_LEN, out);
    if (err != EMT_OK)
        return err;
    if (!encrypted && m->text_len)
        memcpy(out, m->text, m->text_len);
    *verified = true;
    return EMT_OK;
}

enum emt_err dlms_protected_seal(struct cipher *c, uint8_t control, uint32_t counter,
                                 const struct device_key *key, const uint8_t *text, size_t n,
                                 uint8_t *scratch, uint8_t *out, size_t *out_len)
{
    static const uint8_t nothing[1];
    bool encrypted = (control & DLMS_ENCRYPTED) != 0;
    uint8_t nonce[12], tag[DLMS_TAG_LEN];
    size_t aad_len;
    enum emt_err err;

    if (key->len != key_len_of(control) || !put_nonce(key, NULL, counter, nonce) ||
        key->ak_len > sizeof key->ak || (control & DLMS_SUITE_MASK) > SUITE_LAST)
        return EMT_ENOTFOUND;
    aad_len = put_associated(key, control, NULL, 0, text, n, scratch);
    if (!(control & DLMS_AUTHENTICATED))
        aad_len = 0;
    err = cipher_aes_gcm_seal(c, key->bytes, key->len, nonce, scratch, aad_len,
                              encrypted ? text : nothing, encrypted ? n : 0, out + HEAD_LEN, tag,
                              DLMS_TAG_LEN);
    if (err != EMT_OK)
        return err;
    out[0] = control;
    for (unsigned i = 0; i < 4; i++)
        out[1 + i] = (uint8_t)(counter >> (24 - 8 * i));
    if (!encrypted && n)
        memcpy(out + HEAD_LEN, text, n);
    *out_len = HEAD_LEN + n;
    if (control & DLMS_AUTHENTICATED) {
        memcpy(out + HEAD_LEN + n, tag, DLMS_TAG_LEN);
        *out_len += DLMS_TAG_LEN;
    }
    return EMT_OK;
}

const char *dlms_security_name(uint8_t control, bool verified)
{
    switch (control & (DLMS_AUTHENTICATED | DLMS_ENCRYPTED)) {
    case DLMS_AUTHENTICATED | DLMS_ENCRYPTED:
        return verified ? "AES-GCM encrypted and authenticated"
                        : "AES-GCM encrypted, tag unchecked";
    case DLMS_AUTHENTICATED:
        return verified ? "AES-GCM authenticated" : "AES-GCM tag unchecked";
    case DLMS_ENCRYPTED:
        return "AES-GCM encrypted";
    default:
        return "none";
    }
}
