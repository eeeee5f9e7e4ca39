/* Any bytes as an interchange. What reads as segments writes again, and reads back as the same
 * text. */
#include "connectors/edi_reader.h"
#include "connectors/edi_writer.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ISO 8859-1 as UTF-8; false for what the writer refuses. */
static bool to_utf8(const char *in, char *out)
{
    for (; *in; in++) {
        unsigned char c = (unsigned char)*in;

        if (c < 0x20 || (c >= 0x7f && c < 0xa0))
            return false;
        if (c >= 0x80) {
            *out++ = (char)(0xc0u | (c >> 6));
            c = (unsigned char)(0x80u | (c & 0x3fu));
        }
        *out++ = (char)c;
    }
    *out = '\0';
    return true;
}

/* Elements and components of seg through the writer; false when a character is not UNOC. */
static bool write_segment(struct edi_writer *w, const struct edi_segment *seg)
{
    char text[2 * EDI_SEGMENT_MAX + 1];

    edi_segment(w, edi_value(seg, 0, 1));
    for (unsigned e = 1; e <= seg->n_elements; e++) {
        for (unsigned k = 1; k <= edi_components(seg, e); k++) {
            if (!to_utf8(edi_value(seg, e, k), text))
                return false;
            if (k == 1)
                edi_element(w, text);
            else
                edi_component(w, text);
        }
    }
    edi_end(w);
    return true;
}

static void same(const struct edi_segment *a, const struct edi_segment *b)
{
    for (unsigned e = 0; e <= a->n_elements; e++) {
        for (unsigned k = 1; k <= edi_components(a, e); k++) {
            if (strcmp(edi_value(a, e, k), edi_value(b, e, k)) != 0)
                abort();
        }
    }
}

/* A segment alone is no interchange: UNB in front makes the reader take it. */
static void check_again(const struct edi_segment *seg)
{
    static struct edi_segment again;
    struct edi_reader r;
    struct edi_writer w;
    struct writer bytes;
    struct sink sink = sink_to_writer(&bytes);

    writer_init_heap(&bytes, 1u << 16);
    edi_init(&w, &sink, 1u << 16);
    edi_segment(&w, "UNB");
    edi_end(&w);
    if (write_segment(&w, seg)) {
        if (edi_flush(&w) != EMT_OK || edi_reader_init(&r, bytes.data, bytes.len) != EMT_OK ||
            edi_reader_next(&r, &again) != EMT_OK || edi_reader_next(&r, &again) != EMT_OK)
            abort();
        same(seg, &again);
    }
    edi_release(&w);
    writer_release(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct edi_segment seg;
    struct edi_reader r;

    if (edi_reader_init(&r, data, size) != EMT_OK)
        return 0;
    for (unsigned n = 0; edi_reader_next(&r, &seg) == EMT_OK; n++) {
        if (seg.position != n + 1)
            abort();
        if (n < 64)
            check_again(&seg);
    }
    return 0;
}
