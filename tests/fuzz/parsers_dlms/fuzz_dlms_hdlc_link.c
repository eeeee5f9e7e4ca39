/* What a meter might send on an HDLC connection: the input in pieces, before and after the
 * connection stands. The first byte says how long the pieces are. */
#include "parsers/hdlc_link.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run(enum hdlc_link_state state, const uint8_t *p, size_t n, size_t piece)
{
    struct hdlc_link l;
    uint8_t storage[4096];
    struct writer out;

    writer_init_fixed(&out, storage, sizeof storage);
    if (hdlc_link_init(&l, 16, 1, 0) != EMT_OK || hdlc_link_connect(&l, &out) != EMT_OK)
        abort();
    l.state = state;
    if (state == HDLC_LINK_UP && hdlc_link_send(&l, p, 1, &out) != EMT_OK)
        abort();
    for (size_t at = 0; at < n && l.state != HDLC_LINK_CLOSED;) {
        enum hdlc_link_event event;
        size_t used, take = piece < n - at ? piece : n - at;
        enum emt_err err = hdlc_link_feed(&l, p + at, take, &used, &out, &event);

        if (used > take || (err != EMT_OK && l.state != HDLC_LINK_CLOSED) ||
            (err == EMT_OK && used == 0) || (event == HDLC_LINK_APDU && l.apdu.failed))
            abort();
        writer_clear(&out);
        at += used;
    }
    hdlc_link_release(&l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t piece;

    if (size < 2)
        return 0;
    piece = (data[0] & 0x7fu) + 1;
    run(HDLC_LINK_CONNECTING, data + 1, size - 1, piece);
    run(HDLC_LINK_UP, data + 1, size - 1, piece);
    return 0;
}
