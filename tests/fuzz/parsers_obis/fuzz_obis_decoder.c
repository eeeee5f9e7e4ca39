#include "fuzz_obis_decoder.h"

#include "../common/fuzz_result.h"
#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_LIMIT (32u * 1024 * 1024)

void fuzz_obis_decode(enum protocol protocol, const uint8_t *data, size_t size)
{
    static struct arena *arena; /* one process, one thread */
    struct decode_request req = { .protocol = protocol, .frame = data, .len = size };
    struct decode_result decoded, explained, peeked;

    if (!arena)
        arena = arena_new(ARENA_LIMIT);
    req.arena = arena;
    arena_reset(arena);
    fuzz_must(decode_frame(&req, &decoded) == EMT_OK);
    fuzz_check_result(&decoded, size);
    fuzz_explain(&req, &explained);
    fuzz_must(explained.state == decoded.state && explained.nreadings == decoded.nreadings);
    fuzz_must(decode_peek(&req, &peeked) == EMT_OK);
    fuzz_must(peeked.nreadings == 0 && peeked.state == decoded.state);
    fuzz_must(peeked.has_device == decoded.has_device);
}
