/* What became of one raw frame. Stored as int2: the numbers are for good. */
#ifndef EMT_MODEL_FRAME_STATE_H
#define EMT_MODEL_FRAME_STATE_H

#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>

enum frame_state {
    FRAME_OK = 0,
    FRAME_KEY_NEEDED = 1,        /* encrypted, and we have no key */
    FRAME_KEY_WRONG = 2,         /* encrypted, and no key of ours fits */
    FRAME_MAC_WRONG = 3,         /* authentication failed */
    FRAME_REPLAYED = 4,          /* counter not above the known one, received later */
    FRAME_DUPLICATE = 5,         /* the same telegram, already counted */
    FRAME_PLAINTEXT_REFUSED = 6, /* plaintext from a meter that has a key */
    FRAME_FORMAT_NEEDED = 7,     /* compact frame of a format not seen yet */
    FRAME_UNSUPPORTED = 8,
    FRAME_MALFORMED = 9,
    FRAME_CODEC_FAILED = 10, /* a tenant's payload script failed */
    FRAME_QUARANTINED = 11,  /* decoding it once ended the process */
    FRAME_STATES
};

/* "ok", "key-needed", …; never NULL. */
const char *frame_state_name(enum frame_state s);
EMT_CHECKED enum emt_err frame_state_parse(const char *name, enum frame_state *out);

/* The event that makes a frame in this state worth another decode. */
enum frame_retry {
    FRAME_RETRY_NEVER = 0,
    FRAME_RETRY_KEY,      /* a key of the device was added or changed */
    FRAME_RETRY_FORMAT,   /* a frame format of the device type was learnt */
    FRAME_RETRY_POLICY,   /* the device's plaintext policy changed */
    FRAME_RETRY_SOFTWARE, /* a new version or profile of the decoder */
    FRAME_RETRY_OPERATOR, /* a person orders it */
};
enum frame_retry frame_state_retry(enum frame_state s);

#endif
