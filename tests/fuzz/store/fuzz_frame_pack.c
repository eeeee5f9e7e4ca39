/* Packed raw frames as a broken disk may give them. What unpacks can be packed again and comes back
 * the same. The body is tried without its compression, too: random bytes are no zlib stream. */
#include "base/writer.h"
#include "store/frame_pack.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same(const struct packed_frame *a, const struct packed_frame *b)
{
    return memcmp(a->spool_id, b->spool_id, 16) == 0 && a->seq == b->seq &&
           a->received_at == b->received_at && a->stored_at == b->stored_at &&
           a->device == b->device && a->counter == b->counter && a->has_counter == b->has_counter &&
           a->has_rssi == b->has_rssi && a->rssi_dbm == b->rssi_dbm && a->protocol == b->protocol &&
           a->format == b->format && a->state == b->state && !a->hash == !b->hash &&
           (!a->hash || memcmp(a->hash, b->hash, 16) == 0) && a->len == b->len &&
           memcmp(a->data, b->data, a->len) == 0 && a->reason_len == b->reason_len &&
           memcmp(a->reason, b->reason, a->reason_len) == 0;
}

static void check_again(const struct frame_pack *p)
{
    struct frame_pack again;
    struct writer w;

    writer_init_heap(&w, FRAME_PACK_BODY_MOST);
    if (frame_pack_encode(p->frames, p->n, &w) != EMT_OK ||
        frame_pack_decode(w.data, w.len, &again) != EMT_OK || again.n != p->n)
        abort();
    for (size_t i = 0; i < p->n; i++) {
        if (!same(&p->frames[i], &again.frames[i]))
            abort();
    }
    frame_pack_release(&again);
    writer_release(&w);
}

static void check(const uint8_t *data, size_t size)
{
    struct frame_pack p;

    if (frame_pack_decode(data, size, &p) == EMT_OK)
        check_again(&p);
    frame_pack_release(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *plain = malloc(size + 2);

    check(data, size);
    if (plain) {
        plain[0] = FRAME_PACK_VERSION;
        plain[1] = 0;
        if (size)
            memcpy(plain + 2, data, size);
        check(plain, size + 2);
    }
    free(plain);
    return 0;
}
