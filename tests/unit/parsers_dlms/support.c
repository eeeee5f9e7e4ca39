#include "support.h"

#include "../parsers/explain_check.h"
#include "base/cipher.h"
#include "base/hex.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct arena *arena; /* one process per test */
static struct cipher *cipher;

static unsigned find_key(void *ctx, const struct device_id *device, struct device_key *keys)
{
    const struct test_meter *m = ctx;

    (void)device;
    for (unsigned i = 0; i < m->nkeys; i++)
        keys[i] = m->keys[i];
    return m->nkeys;
}

static unsigned no_key_please(void *ctx, const struct device_id *device, struct device_key *keys)
{
    (void)ctx;
    (void)device;
    (void)keys;
    ck_abort_msg("a peek asks for keys");
    return 0;
}

struct arena *dlms_test_arena(void)
{
    if (!arena)
        arena = arena_new(32u * 1024 * 1024);
    ck_assert_ptr_nonnull(arena);
    return arena;
}

struct decode_result dlms_test_decode(const struct test_meter *meter, const void *p, size_t n)
{
    struct test_meter m = *meter;
    struct decode_request req = { .protocol = PROTOCOL_DLMS,
                                  .format = m.format,
                                  .frame = (const uint8_t *)p,
                                  .len = n,
                                  .accept_plaintext = m.accept_plaintext };
    struct decode_result result, peeked;

    if (!cipher)
        cipher = cipher_new();
    req.arena = dlms_test_arena();
    req.cipher = cipher;
    arena_reset(arena);
    req.keys = (struct key_lookup){ no_key_please, NULL };
    ck_assert_int_eq(decode_peek(&req, &peeked), EMT_OK);
    ck_assert_uint_eq(peeked.nreadings, 0);
    req.keys = (struct key_lookup){ find_key, &m };
    ck_assert_int_eq(decode_frame(&req, &result), EMT_OK);
    if (peeked.has_device && result.has_device)
        ck_assert(device_id_equal(&peeked.device, &result.device));
    ck_assert(peeked.state == FRAME_OK || peeked.state == result.state);
    ck_assert(result.state == FRAME_OK || (result.reason[0] && result.nreadings == 0));
    explain_check(&req, &result, m.keys, m.nkeys);
    return result;
}

size_t dlms_test_hex(const char *text, uint8_t *out, size_t cap)
{
    size_t n = 0;

    ck_assert_int_eq(hex_decode(text, strlen(text), out, cap, &n), EMT_OK);
    return n;
}

struct test_meter dlms_test_meter(void)
{
    struct test_meter m = { .nkeys = 1 };
    struct device_key *key = &m.keys[0];

    key->len = (uint8_t)dlms_test_hex("000102030405060708090a0b0c0d0e0f", key->bytes, 16);
    key->ak_len = (uint8_t)dlms_test_hex("d0d1d2d3d4d5d6d7d8d9dadbdcdddedf", key->ak, 16);
    return m;
}

void dlms_test_release(void)
{
    arena_free(arena);
    cipher_free(cipher);
    arena = NULL;
    cipher = NULL;
}

void dlms_test_print(const struct reading *r, char out[TEST_LINE_MAX])
{
    static const char *const functions[] = { "", " f=maximum", " f=minimum", " f=error" };
    char code[OBIS_TEXT_MAX], number[DECIMAL_TEXT_MAX];
    bool is_number = r->kind == READING_NUMBER || r->kind == READING_STATE;
    const char *value = is_number ? decimal_format(r->value, number) : r->text;
    int n = snprintf(out, TEST_LINE_MAX, "reading %s %s %s %s %s", obis_format(r->obis, code),
                     quantity_name(r->quantity), value[0] ? value : "-", r->unit ? r->unit : "-",
                     r->time_text[0] ? r->time_text : "-");

    if (r->storage)
        n += snprintf(out + n, TEST_LINE_MAX - (size_t)n, " s=%" PRIu64, r->storage);
    if (r->tariff)
        n += snprintf(out + n, TEST_LINE_MAX - (size_t)n, " t=%" PRIu32, r->tariff);
    if (r->qualifier[0])
        n += snprintf(out + n, TEST_LINE_MAX - (size_t)n, " q=%s", r->qualifier);
    if (r->nth)
        n += snprintf(out + n, TEST_LINE_MAX - (size_t)n, " n=%u", r->nth);
    n += snprintf(out + n, TEST_LINE_MAX - (size_t)n, "%s", functions[r->function]);
    if (r->quality != QUALITY_MEASURED)
        (void)snprintf(out + n, TEST_LINE_MAX - (size_t)n, " quality=%s", quality_name(r->quality));
}

const char *dlms_test_link(const struct decode_result *r, const char *name)
{
    for (unsigned i = 0; i < r->nlink; i++)
        if (strcmp(r->link[i].name, name) == 0)
            return r->link[i].text;
    return NULL;
}

const char *dlms_test_value(const struct decode_result *r, const char *code, const char *qualifier)
{
    static char text[DECIMAL_TEXT_MAX];
    char printed[OBIS_TEXT_MAX];

    for (unsigned i = 0; i < r->nreadings; i++) {
        const struct reading *x = &r->readings[i];

        if (strcmp(obis_format(x->obis, printed), code) != 0 ||
            strcmp(x->qualifier, qualifier) != 0)
            continue;
        if (x->kind == READING_TEXT || x->kind == READING_RAW)
            return x->text;
        return decimal_format(x->value, text);
    }
    return NULL;
}
