/* Where a decoder read what, for parsers/explain.h.
 *
 * Decoders work on copies: without link CRCs, deciphered, joined. They tell the trace about each
 * copy, and otherwise hand in pointers as they hold them; the trace finds the place in the frame.
 * Every function may be called with NULL, which is the usual case and does nothing. */
#ifndef EMT_PARSERS_TRACE_H
#define EMT_PARSERS_TRACE_H

#include "base/attr.h"
#include "base/error.h"
#include "parsers/explain.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct trace;

/* NULL when the arena is exhausted. */
struct trace *trace_new(struct arena *arena, const uint8_t *frame, size_t len);
/* Rows and slices in their final form. False: out of memory. */
EMT_CHECKED bool trace_finish(struct trace *t, const struct decode_result *out,
                              struct explanation *ex);

/* State of a trace, to go back to when an attempt fails. */
struct trace_mark {
    unsigned layers, fields, records, spaces, parts;
};
struct trace_mark trace_mark(const struct trace *t);
void trace_rewind(struct trace *t, struct trace_mark mark);

/* n bytes at p are those at src: copied, or deciphered byte by byte. */
void trace_copy(struct trace *t, const uint8_t *p, size_t n, const uint8_t *src);
/* n bytes at p stand in the frame where offset_of says; ctx lives until the next rewind, or the
 * end. */
void trace_map(struct trace *t, const uint8_t *p, size_t n,
               size_t (*offset_of)(const void *ctx, size_t at), const void *ctx);
/* n bytes at p are shown as plain bytes; src as above, NULL: what is known of their place stays.
 * What was shown as plain there before is not any more. */
void trace_plain(struct trace *t, const uint8_t *p, size_t n, const uint8_t *src);

/* A layer; fields that follow are its. */
void trace_layer(struct trace *t, const char *name, const uint8_t *p, size_t n);
/* The last layer goes on to the byte before p. */
void trace_close(struct trace *t, const uint8_t *p);
void trace_text(struct trace *t, const char *name, const char *text, const uint8_t *p, size_t n);
void trace_format(struct trace *t, const char *name, const uint8_t *p, size_t n, const char *fmt,
                  ...) EMT_PRINTF(5, 6);
void trace_put_hex(struct trace *t, const char *name, const uint8_t *p, size_t n);
static inline void trace_hex(struct trace *t, const char *name, const uint8_t *p, size_t n)
{
    if (t)
        trace_put_hex(t, name, p, n);
}
void trace_number(struct trace *t, const char *name, uint64_t value, const uint8_t *p, size_t n);

struct trace_record {
    const uint8_t *at;
    size_t len;
    const uint8_t *dif, *vif; /* M-Bus; NULL elsewhere */
    size_t dif_len, vif_len;
    const char *text;      /* static: what it is where it has no reading */
    unsigned first, count; /* readings of the result */
};
/* A number for trace_readings(), 0: none. */
unsigned trace_record(struct trace *t, const struct trace_record *r);
/* The readings of a record, which are known later. */
void trace_readings(struct trace *t, unsigned record, unsigned first, unsigned count);
/* Can the byte at p be found in the frame or the plain bytes? */
bool trace_knows(const struct trace *t, const uint8_t *p);

#endif
