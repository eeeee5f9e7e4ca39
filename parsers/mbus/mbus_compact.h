/* Compact frames (EN 13757-3, annex G): data without their DIB and VIB, which a full frame or a
 * format frame told before. */
#ifndef EMT_PARSERS_MBUS_COMPACT_H
#define EMT_PARSERS_MBUS_COMPACT_H

#include "mbus_context.h"

/* Rebuilds the record area that a compact frame stands for; *full in the arena. FRAME_FORMAT_NEEDED
 * no format is known whose full-frame CRC fits. */
enum frame_state mbus_compact_expand(struct mbus_context *ctx, const uint8_t *p, size_t n,
                                     const uint8_t **full, size_t *full_len);
/* Tells the format store what a full frame's records look like. */
void mbus_compact_learn(struct mbus_context *ctx, const uint8_t *p, size_t n, bool verified);
/* Reads a format frame. FRAME_MALFORMED its signature does not fit. */
enum frame_state mbus_compact_format(struct mbus_context *ctx, const uint8_t *p, size_t n,
                                     bool verified);

#endif
