/* A line in pieces finds what the whole line holds. */
#include "fuzz_obis_decoder.h"
#include "sml/sml_transport.h"

#include <stdlib.h>

#define FILE_MAX 1024

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum emt_err count(void *ctx, const uint8_t *file, size_t len)
{
    struct sml_frame f;
    size_t *bytes = ctx;

    if (sml_transport_look(file, len, FILE_MAX, &f) != SML_ENVELOPE_INTACT || f.len != len)
        abort();
    *bytes += len;
    return EMT_OK;
}

static size_t feed(const uint8_t *data, size_t size, size_t step)
{
    uint8_t *buf = malloc(FILE_MAX);
    struct sml_stream s;
    size_t bytes = 0;

    if (!buf)
        return 0;
    sml_stream_init(&s, buf, FILE_MAX);
    for (size_t at = 0; at < size; at += step)
        if (sml_stream_push(&s, data + at, size - at < step ? size - at : step, count, &bytes) !=
            EMT_OK)
            abort();
    if (sml_stream_flush(&s, count, &bytes) != EMT_OK || s.len > FILE_MAX)
        abort();
    free(buf);
    return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t whole = feed(data, size, size ? size : 1);

    if (feed(data, size, 1) != whole || feed(data, size, 37) != whole)
        abort();
    fuzz_obis_decode(PROTOCOL_SML_STREAM, data, size);
    return 0;
}
