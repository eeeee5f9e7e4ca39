/* The mirror image of reader: bytes out, first failure sticks.
 *
 * A fixed writer fills storage of the caller; a growing one owns heap memory up to a limit. After a
 * failure nothing more is written and `failed` stays set; the length then says nothing. */
#ifndef EMT_BASE_WRITER_H
#define EMT_BASE_WRITER_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct writer {
    uint8_t *data;
    size_t len;
    size_t cap;
    size_t limit; /* growing: most bytes ever; fixed: 0 */
    bool failed;
};

void writer_init_fixed(struct writer *w, void *storage, size_t size);
/* Allocates on first use; free with writer_release(). limit in bytes. */
void writer_init_heap(struct writer *w, size_t limit);
/* Frees the memory of a growing writer; harmless on a fixed one. Leaves an empty writer. */
void writer_release(struct writer *w);
/* Empty, ready for reuse; keeps the memory, clears the failure. */
void writer_clear(struct writer *w);

/* Room for n more bytes at the end, zeroed and counted as written; NULL (failed) when there is
 * none. The pointer lives until the next write. */
uint8_t *writer_reserve(struct writer *w, size_t n);
bool writer_bytes(struct writer *w, const void *p, size_t n);
bool writer_u8(struct writer *w, uint8_t v);
bool writer_le(struct writer *w, uint64_t v, unsigned n); /* n = 1..8 bytes, little endian */
bool writer_be(struct writer *w, uint64_t v, unsigned n); /* n = 1..8 bytes, big endian */
bool writer_text(struct writer *w, const char *s);        /* without the closing 0 */
bool writer_printf(struct writer *w, const char *fmt, ...) EMT_PRINTF(2, 3);
/* Writes the closing 0 without counting it and returns the text; "" once the writer failed. */
const char *writer_cstr(struct writer *w);

#endif
