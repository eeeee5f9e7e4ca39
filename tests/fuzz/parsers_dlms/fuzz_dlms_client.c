/* What a meter might send to a client: the input in pieces, in each state of an association. The
 * first byte says how long the pieces are. */
#include "dlms/dlms_acse.h"
#include "fuzz_dlms_decoder.h"
#include "parsers/dlms_client.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void feed_all(struct dlms_client *c, struct writer *out, const uint8_t *p, size_t n,
                     size_t piece)
{
    static const struct dlms_client_get what = { .class_id = 3,
                                                 .obis = { 1, 0, 1, 8, 0, 255 },
                                                 .attribute = 2 };
    size_t at = 0;

    while (at < n && c->state != DLMS_CLIENT_CLOSED) {
        struct dlms_client_report report;
        size_t used, take = piece < n - at ? piece : n - at;
        enum emt_err err = dlms_client_feed(c, p + at, take, &used, out, &report);

        if (used > take || (err != EMT_OK && c->state != DLMS_CLIENT_CLOSED) ||
            (err == EMT_OK && used == 0))
            abort();
        writer_clear(out);
        if (c->state == DLMS_CLIENT_READY && dlms_client_get(c, &what, out) != EMT_OK)
            abort();
        at += used;
    }
}

static void run(uint8_t mechanism, bool ciphered, enum dlms_client_state state, const uint8_t *p,
                size_t n, size_t piece)
{
    struct dlms_client_config config = { .client = 16,
                                         .server = 1,
                                         .mechanism = mechanism,
                                         .secret = (const uint8_t *)"12345678",
                                         .secret_len = 8,
                                         .ciphered = ciphered,
                                         .key = fuzz_dlms_key(),
                                         .cipher = fuzz_dlms_cipher() };
    struct dlms_client c;
    uint8_t storage[1024];
    struct writer out;

    writer_init_fixed(&out, storage, sizeof storage);
    if (dlms_client_init(&c, &config) != EMT_OK || dlms_client_associate(&c, &out) != EMT_OK)
        abort();
    c.state = state;
    feed_all(&c, &out, p, n, piece);
    dlms_client_release(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t piece;

    if (size < 2)
        return 0;
    piece = (data[0] & 0x7fu) + 1;
    run(ACSE_MECHANISM_LOW, false, DLMS_CLIENT_ASSOCIATING, data + 1, size - 1, piece);
    run(ACSE_MECHANISM_LOW, false, DLMS_CLIENT_READING, data + 1, size - 1, piece);
    run(ACSE_MECHANISM_GMAC, true, DLMS_CLIENT_ASSOCIATING, data + 1, size - 1, piece);
    run(ACSE_MECHANISM_GMAC, true, DLMS_CLIENT_READING, data + 1, size - 1, piece);
    run(ACSE_MECHANISM_GMAC, false, DLMS_CLIENT_AUTHENTICATING, data + 1, size - 1, piece);
    return 0;
}
