#include "fuzz_decoder.h"

#include "../common/fuzz_result.h"
#include "base/arena.h"
#include "base/cipher.h"
#include "parsers/fragment_buffer.h"
#include "parsers/vendor_profiles.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_LIMIT (16u * 1024 * 1024)
#define HEADER_MAX 512

/* The last full frame's format: compact frames of the same signature find it. */
struct memory {
    struct arena *arena;
    struct cipher *cipher;
    unsigned keys;
    uint16_t signature;
    uint8_t header[HEADER_MAX];
    size_t len;
    struct fragment_buffer *fragments;
    struct vendor_profiles *vendors;
};

static unsigned find_key(void *ctx, const struct device_id *device, struct device_key *keys)
{
    const struct memory *m = ctx;

    (void)device;
    for (unsigned i = 0; i < m->keys && i < DECODE_KEYS_MAX; i++) {
        keys[i].len = i == 2 ? 8 : 16;
        for (uint8_t k = 0; k < 16; k++) /* the first one is 000102…0f, as in the corpora */
            keys[i].bytes[k] = (uint8_t)(k + i);
    }
    return m->keys;
}

static bool find_format(void *ctx, const struct device_id *device, uint16_t signature,
                        bool (*use)(void *use_ctx, const uint8_t *header, size_t len),
                        void *use_ctx)
{
    const struct memory *m = ctx;

    (void)device;
    return m->len > 0 && m->signature == signature && use(use_ctx, m->header, m->len);
}

static void learn_format(void *ctx, const struct device_id *device, uint16_t signature,
                         const uint8_t *header, size_t len, bool verified)
{
    struct memory *m = ctx;

    (void)device;
    (void)verified;
    if (len > HEADER_MAX)
        return;
    m->signature = signature;
    memcpy(m->header, header, len);
    m->len = len;
}

void fuzz_decode(enum protocol protocol, enum frame_format format, bool accept_plaintext,
                 unsigned keys, const uint8_t *data, size_t size)
{
    static struct memory m; /* one process, one thread */
    struct decode_request req = { .protocol = protocol,
                                  .format = format,
                                  .frame = data,
                                  .len = size,
                                  .accept_plaintext = accept_plaintext };
    struct decode_result r;

    if (!m.arena) {
        m.arena = arena_new(ARENA_LIMIT);
        m.cipher = cipher_new();
        m.fragments = fragment_buffer_new();
        m.vendors = vendor_profiles_new();
        fuzz_must(vendor_profiles_add_builtin(m.vendors, NULL) == EMT_OK);
    }
    m.keys = keys;
    req.keys = (struct key_lookup){ find_key, &m };
    req.formats = (struct format_store){ find_format, learn_format, &m };
    req.fragments = fragment_buffer_store(m.fragments);
    req.vendors = m.vendors;
    req.cipher = m.cipher;
    req.arena = m.arena;
    arena_reset(m.arena);
    fuzz_must(decode_frame(&req, &r) == EMT_OK);
    fuzz_check_result(&r, SIZE_MAX);
    fuzz_explain(&req, &r);
    fuzz_must(decode_peek(&req, &r) == EMT_OK);
    fuzz_must(r.nreadings == 0);
}
