/* Message bodies behind right checksums: the input is cut where message ends may be, and envelope
 * and checksums are put around it, so that the readers of the bodies are reached. */
#include "base/writer.h"
#include "common/crc16.h"
#include "fuzz_obis_decoder.h"
#include "sml/sml_tlv.h"

#include <stdlib.h>
#include <string.h>

#define BODY_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A message head, then one element of the input, checksum and end. */
static void put_message(struct writer *w, struct reader *in, uint16_t tag)
{
    static const uint8_t head[] = { 0x76, 0x02, 0x00, 0x62, 0x00, 0x62, 0x00, 0x72, 0x63 };
    size_t start = w->len, from = in->pos;

    writer_bytes(w, head, sizeof head);
    writer_be(w, tag, 2);
    sml_skip(in, 1);
    if (in->failed) /* broken: all that is left */
        writer_bytes(w, in->data + from, in->len - from);
    else
        writer_bytes(w, in->data + from, in->pos - from);
    if (!writer_u8(w, 0x63))
        return;
    writer_le(w, crc16_x25(w->data + start, w->len - 1 - start), 2);
    writer_u8(w, 0x00);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint16_t tags[] = {
        0x0101, 0x0201, 0x0301, 0x0401, 0x0501, 0x0701, 0xff01, 0x0999
    };
    uint8_t storage[BODY_MAX + 512];
    struct reader in = reader_of(data, size);
    struct writer w;
    uint8_t *frame;

    if (size == 0 || size > BODY_MAX)
        return 0;
    fuzz_obis_decode(PROTOCOL_SML, data, size);
    writer_init_fixed(&w, storage, sizeof storage);
    while (!in.failed && reader_left(&in) > 0 && !w.failed)
        put_message(&w, &in, tags[reader_u8(&in) % 8]);
    if (w.failed)
        return 0;
    frame = malloc(w.len); /* of its exact size, for the sanitizer */
    if (!frame)
        return 0;
    memcpy(frame, w.data, w.len);
    fuzz_obis_decode(PROTOCOL_SML, frame, w.len);
    free(frame);
    return 0;
}
