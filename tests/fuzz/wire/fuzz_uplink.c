/* One message of the field channel, as a peer may send it. What decodes also encodes, and comes
 * back as the same kind. */
#include "base/arena.h"
#include "base/writer.h"
#include "wire/uplink.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Only frames longer than we send ourselves decode and do not encode. */
static bool may_refuse(const struct uplink_message *m)
{
    if (m->kind != UPLINK_FRAMES)
        return false;
    for (size_t i = 0; i < m->u.frames.nframes; i++) {
        if (m->u.frames.frames[i].len > UPLINK_FRAME_MAX)
            return true;
    }
    return false;
}

static void check_again(const struct uplink_message *m, struct arena *arena)
{
    struct writer w;
    struct uplink_message again;
    size_t len = 0;

    writer_init_heap(&w, UPLINK_MESSAGE_MAX + UPLINK_PREFIX_LEN);
    enum emt_err err = uplink_encode(m, &w);
    if (err != EMT_OK) {
        if (!may_refuse(m))
            abort();
    } else {
        if (uplink_prefix(w.data, &len) != EMT_OK || len + UPLINK_PREFIX_LEN != w.len)
            abort();
        if (uplink_decode(w.data + UPLINK_PREFIX_LEN, len, arena, &again) != EMT_OK ||
            again.kind != m->kind)
            abort();
    }
    writer_release(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(20u * UPLINK_MESSAGE_MAX);
    struct uplink_message m;
    size_t len;

    if (!arena)
        return 0;
    if (size >= UPLINK_PREFIX_LEN && uplink_prefix(data, &len) == EMT_OK &&
        len > UPLINK_MESSAGE_MAX)
        abort();
    if (uplink_decode(data, size, arena, &m) == EMT_OK)
        check_again(&m, arena);
    arena_free(arena);
    return 0;
}
