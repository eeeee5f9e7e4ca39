/* A packed span as a broken disk may give it. What unpacks ascends in time, packs again and comes
 * back the same. */
#include "base/writer.h"
#include "model/block.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define VALUES 8192

static void check_again(const struct block_value *v, size_t n)
{
    struct block_value *again = calloc(n, sizeof *again);
    struct writer w;
    size_t got = 0;

    writer_init_heap(&w, BLOCK_BYTES_MAX);
    if (!again || block_encode(v, n, &w) != EMT_OK ||
        block_decode(w.data, w.len, again, n, &got) != EMT_OK || got != n)
        abort();
    for (size_t i = 0; i < n; i++) {
        if (again[i].ts != v[i].ts || again[i].mantissa != v[i].mantissa ||
            again[i].exponent != v[i].exponent || again[i].quality != v[i].quality)
            abort();
    }
    writer_release(&w);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct block_value *v = calloc(VALUES, sizeof *v);
    size_t n;

    if (v && block_decode(data, size, v, VALUES, &n) == EMT_OK) {
        for (size_t i = 1; i < n; i++) {
            if (v[i].ts <= v[i - 1].ts)
                abort();
        }
        check_again(v, n);
    }
    free(v);
    return 0;
}
