/* SML files from a line that delivers bytes in pieces: with garbage between, cut, one after the
 * other. Only files whose envelope and checksum hold come out. */
#ifndef EMT_PARSERS_SML_STREAM_H
#define EMT_PARSERS_SML_STREAM_H

#include "base/attr.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/* Longest file looked for on the line of a meter, and at a gateway. */
#define SML_FILE_METER_MAX 8192
#define SML_FILE_GATEWAY_MAX 65536

/* A line that delivers bytes in pieces. */
struct sml_stream {
    uint8_t *buf; /* max bytes, of the caller */
    size_t max;   /* longest file */
    size_t len;
    unsigned long files;
    unsigned long damaged; /* starts without an intact file */
};

void sml_stream_init(struct sml_stream *s, uint8_t *buf, size_t max);
/* Takes n bytes and calls put for every intact file, with its envelope; the bytes live for the
 * call. Stops with the first error of put. */
EMT_CHECKED enum emt_err
sml_stream_push(struct sml_stream *s, const uint8_t *p, size_t n,
                enum emt_err (*put)(void *ctx, const uint8_t *file, size_t len), void *ctx);
/* The line fell silent or ended: what waits for its end is damaged, and searched for files. */
EMT_CHECKED enum emt_err
sml_stream_flush(struct sml_stream *s,
                 enum emt_err (*put)(void *ctx, const uint8_t *file, size_t len), void *ctx);

#endif
