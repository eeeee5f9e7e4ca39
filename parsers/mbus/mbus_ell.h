/* Extended link layer of EN 13757-4: CI 8C to 8F, with AES-128-CTR and payload CRC (8D, 8F). */
#ifndef EMT_PARSERS_MBUS_ELL_H
#define EMT_PARSERS_MBUS_ELL_H

#include "mbus_context.h"

static inline bool mbus_is_ell(uint8_t ci)
{
    return ci >= 0x8c && ci <= 0x8f;
}

/* in: on the CI, over the whole telegram without link CRCs. Behind an encrypted layer *in becomes a
 * reader over the same telegram with the decrypted part in its place, so that offsets stay. */
enum frame_state mbus_ell_read(struct mbus_context *ctx, struct reader *in);

#endif
