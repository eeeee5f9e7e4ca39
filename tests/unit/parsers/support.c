#include "support.h"

#include "base/hex.h"

#include <check.h>
#include <string.h>

void decoder_open(struct decoder *d)
{
    memset(d, 0, sizeof *d);
    d->arena = arena_new(4u * 1024 * 1024);
    d->cipher = cipher_new();
    ck_assert_ptr_nonnull(d->arena);
    ck_assert_ptr_nonnull(d->cipher);
    d->vendors = vendor_profiles_new();
    ck_assert_int_eq(vendor_profiles_add_builtin(d->vendors, NULL), EMT_OK);
}

void decoder_close(struct decoder *d)
{
    vendor_profiles_free(d->vendors);
    cipher_free(d->cipher);
    arena_free(d->arena);
}

size_t bytes_of(const char *hex, uint8_t *out, size_t cap)
{
    size_t len = 0;

    ck_assert_int_eq(hex_decode(hex, strlen(hex), out, cap, &len), EMT_OK);
    return len;
}

void decoder_add_key(struct decoder *d, const char *hex)
{
    struct device_key *key = &d->keys[d->nkeys++];

    key->len = (uint8_t)bytes_of(hex, key->bytes, sizeof key->bytes);
}

static unsigned find_key(void *ctx, const struct device_id *device, struct device_key *keys)
{
    struct decoder *d = ctx;

    d->key_asked++;
    d->asked_for = *device;
    memcpy(keys, d->keys, d->nkeys * sizeof *keys);
    return d->nkeys;
}

static bool find_format(void *ctx, const struct device_id *device, uint16_t signature,
                        bool (*use)(void *use_ctx, const uint8_t *header, size_t len),
                        void *use_ctx)
{
    struct decoder *d = ctx;

    for (unsigned i = 0; i < d->nformats; i++)
        if (d->formats[i].signature == signature &&
            device_id_equal(&d->formats[i].device, device) &&
            use(use_ctx, d->formats[i].header, d->formats[i].len))
            return true;
    return false;
}

static void learn_format(void *ctx, const struct device_id *device, uint16_t signature,
                         const uint8_t *header, size_t len, bool verified)
{
    struct decoder *d = ctx;
    struct bench_format *f = &d->formats[d->nformats];

    if (d->nformats == FORMATS_MAX || len > FORMAT_LEN)
        return;
    f->device = *device;
    f->signature = signature;
    f->len = len;
    f->verified = verified;
    memcpy(f->header, header, len);
    d->nformats++;
}

struct decode_request decoder_request(struct decoder *d, enum protocol protocol,
                                      const uint8_t *frame, size_t len)
{
    struct decode_request req = { .protocol = protocol, .frame = frame, .len = len };

    req.keys = (struct key_lookup){ find_key, d };
    req.formats = (struct format_store){ find_format, learn_format, d };
    req.vendors = d->vendors;
    req.cipher = d->cipher;
    req.arena = d->arena;
    return req;
}

struct decode_result decoder_run(struct decoder *d, enum protocol protocol, const char *hex)
{
    struct decode_result result;
    uint8_t *frame;
    size_t len;
    struct decode_request req;

    arena_reset(d->arena);
    frame = arena_alloc(d->arena, strlen(hex) / 2 + 1);
    ck_assert_ptr_nonnull(frame);
    len = bytes_of(hex, frame, strlen(hex) / 2 + 1);
    req = decoder_request(d, protocol, frame, len);
    ck_assert_int_eq(decode_frame(&req, &result), EMT_OK);
    return result;
}
