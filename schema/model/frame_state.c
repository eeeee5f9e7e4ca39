#include "model/frame_state.h"

#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* One row per state: its name, and the event after which the frame is decoded again. */
static const struct {
    const char *name;
    enum frame_retry retry;
} states[FRAME_STATES] = {
    [FRAME_OK] = { "ok", FRAME_RETRY_NEVER },
    [FRAME_KEY_NEEDED] = { "key-needed", FRAME_RETRY_KEY },
    [FRAME_KEY_WRONG] = { "key-wrong", FRAME_RETRY_KEY },
    [FRAME_MAC_WRONG] = { "mac-wrong", FRAME_RETRY_KEY },
    [FRAME_REPLAYED] = { "replayed", FRAME_RETRY_NEVER },
    [FRAME_DUPLICATE] = { "duplicate", FRAME_RETRY_NEVER },
    [FRAME_PLAINTEXT_REFUSED] = { "plaintext-refused", FRAME_RETRY_POLICY },
    [FRAME_FORMAT_NEEDED] = { "format-needed", FRAME_RETRY_FORMAT },
    [FRAME_UNSUPPORTED] = { "unsupported", FRAME_RETRY_SOFTWARE },
    [FRAME_MALFORMED] = { "malformed", FRAME_RETRY_SOFTWARE },
    [FRAME_CODEC_FAILED] = { "codec-failed", FRAME_RETRY_SOFTWARE },
    [FRAME_QUARANTINED] = { "quarantined", FRAME_RETRY_OPERATOR },
};

const char *frame_state_name(enum frame_state s)
{
    return (unsigned)s < FRAME_STATES ? states[s].name : "unknown";
}

enum emt_err frame_state_parse(const char *name, enum frame_state *out)
{
    for (unsigned i = 0; i < FRAME_STATES; i++) {
        if (strcmp(name, states[i].name) == 0) {
            *out = (enum frame_state)i;
            return EMT_OK;
        }
    }
    return EMT_ENOTFOUND;
}

enum frame_retry frame_state_retry(enum frame_state s)
{
    return (unsigned)s < FRAME_STATES ? states[s].retry : FRAME_RETRY_NEVER;
}
