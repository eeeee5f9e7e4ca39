/* Security modes of the transport layer (EN 13757-7) and the MAC of the AFL. */
#ifndef EMT_PARSERS_MBUS_SECURITY_H
#define EMT_PARSERS_MBUS_SECURITY_H

#include "mbus_context.h"
#include "mbus_tpl.h"

/* in: behind the transport header. On FRAME_OK out->plain holds the application bytes, borrowed or
 * in the arena.
 *
 * Modes 0, 2, 5, 7 and 10 are read. FRAME_KEY_NEEDED no key known; FRAME_MAC_WRONG the MAC fits
 * with no key; FRAME_KEY_WRONG no key gives the check bytes 2F 2F; FRAME_PLAINTEXT_REFUSED plain
 * although a key is known or encryption announced; FRAME_UNSUPPORTED another mode, which the reason
 * names. */
enum frame_state mbus_security_open(struct mbus_context *ctx, struct reader *in, enum mbus_apl apl);

#endif
