/* The front door of all protocols: bytes of one frame in, device, state and readings out.
 *
 * A decoder is a function of its bytes, a key lookup and a store of compact-frame formats: no
 * socket, no clock, no log, no database. It never fails on hostile input: whatever arrives gets a
 * state (model/frame_state.h). */
#ifndef EMT_PARSERS_DECODE_H
#define EMT_PARSERS_DECODE_H

#include "base/attr.h"
#include "base/error.h"
#include "model/device_id.h"
#include "model/frame_state.h"
#include "model/protocol.h"
#include "model/reading.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct cipher;
struct trace;
struct vendor_profiles;

/* Longest frame that is looked at. */
#define DECODE_FRAME_MAX 16384
/* Most keys tried for one frame. */
#define DECODE_KEYS_MAX 8

/* Keys of a meter, asked for when a frame is encrypted or could be. */
struct device_key {
    uint8_t bytes[32];
    uint8_t len; /* 16 (AES-128), 8 (DES) or 32 */
    /* DLMS only, all optional: the decoder zeroes keys before it asks. */
    uint8_t ak[32];           /* authentication key */
    uint8_t ak_len;           /* 0, 16 or 32 */
    uint8_t system_title[8];  /* of the sender, where its frames do not carry it */
    uint8_t system_title_len; /* 0 or 8 */
};
struct key_lookup {
    /* Fills keys (at most DECODE_KEYS_MAX, best first), returns their number; 0: none known. */
    unsigned (*find)(void *ctx, const struct device_id *device, struct device_key *keys);
    void *ctx;
};

/* Formats of compact frames (EN 13757-3 annex: CI 69..6B, 73, 79, 7B), scoped by whoever implements
 * it. */
struct format_store {
    /* Calls use(use_ctx, header, len) for each known DIB/VIB sequence with this signature for this
     * kind of device until it returns true (the full-frame CRC fits). Returns whether one did. */
    bool (*find)(void *ctx, const struct device_id *device, uint16_t signature,
                 bool (*use)(void *use_ctx, const uint8_t *header, size_t len), void *use_ctx);
    /* A full frame taught this format; `verified`: the frame was authenticated or decrypted, or was
     * plaintext of a meter without key. */
    void (*learn)(void *ctx, const struct device_id *device, uint16_t signature,
                  const uint8_t *header, size_t len, bool verified);
    void *ctx;
};

/* Pieces of messages that are longer than a telegram (AFL of EN 13757-7), kept from one telegram to
 * the next by whoever implements it, who bounds them and gives them up after a while
 * (parsers/fragment_buffer.h does). All three functions or none. */
struct fragment_store {
    /* Keeps piece `id` (1 to 255) of the device's message in the place of one with this id; copies
     * the bytes. May keep nothing where there is no room. */
    void (*put)(void *ctx, const struct device_id *device, uint8_t id, const uint8_t *p, size_t n);
    /* The piece as it was put, until the next put or drop; NULL: not there. */
    const uint8_t *(*get)(void *ctx, const struct device_id *device, uint8_t id, size_t *n);
    /* Another message begins: the pieces of this device are of no use. */
    void (*drop)(void *ctx, const struct device_id *device);
    void *ctx;
};

struct decode_request {
    enum protocol protocol;
    enum frame_format format;
    const uint8_t *frame; /* borrowed until the result is done with */
    size_t len;
    struct key_lookup keys;      /* find may be NULL: no keys */
    struct format_store formats; /* find may be NULL: none */
    bool accept_plaintext; /* a body that announces encryption may be plain; plaintext from a meter
                              with a key may pass */
    struct cipher *cipher; /* the thread's own */
    struct arena *arena;   /* everything in the result lives here */
    const struct vendor_profiles *vendors; /* layouts of manufacturers (parsers/vendor_profiles.h);
                                              NULL: none */
    struct fragment_store fragments; /* zero: fragments are unsupported. With it they are ok without
                                        readings until the message is complete */
    struct trace *trace;             /* NULL, but for explain_frame() (parsers/explain.h) */
};

/* One protocol layer met on the way, outermost first. */
struct decode_layer {
    const char *name; /* "link-a", "ell", "nwl", "afl", "tpl", "apl", … static */
    uint8_t ci;       /* the CI byte for the M-Bus family, 0 otherwise */
    uint32_t offset;  /* of its first byte in the frame as sent */
    uint32_t len;     /* bytes of the header of this layer */
};

/* A header field for people and tests, named as in the corpora: "c_field", "access_number",
 * "status", "security", … */
struct decode_field {
    const char *name; /* static */
    const char *text; /* in the arena; numbers are printed plainly */
    bool is_number;
};

struct decode_result {
    enum frame_state state;
    char reason[96]; /* for people: why the state is not ok; "" otherwise */
    bool has_device;
    struct device_id device; /* the meter: long-header address where there is one */
    bool has_adapter;
    struct device_id adapter; /* link address, where the meter sits behind a radio adapter */
    const char *security;     /* "none", "mode 5", "ELL-CTR", …; static; NULL where unknown */
    bool encrypted;           /* the bytes really were ciphertext */
    bool has_counter;
    uint64_t counter; /* message counter (AFL MCR, ELL session) where one exists: only ever rises */
    uint8_t access_number;
    bool has_access_number;
    uint8_t status;            /* M-Bus status byte */
    bool more_follows;         /* DIF 1F: the readout goes on in another telegram */
    uint8_t telegram_hash[16]; /* SHA-256, cut, over the link payload without link CRCs: the radio
                                  telegram's identity */
    const struct decode_layer *layers;
    unsigned nlayers;
    const struct decode_field *link;
    unsigned nlink;
    const uint8_t *plain; /* decrypted application bytes, NULL when there are none */
    size_t plain_len;
    const struct reading *readings; /* in the order of the records; none unless the state is ok */
    unsigned nreadings;
    bool has_application; /* application error or alarm: readings are absent, state is ok */
    uint32_t application_code;
    const char *application_text;
    /* sml-stream: first 8 bytes of the SHA-256 of each intact frame. */
    const uint8_t (*frames)[8];
    unsigned nframes;
};

/* Decodes one frame. Returns EMT_OK with a state for every input; EMT_ENOMEM when the arena is
 * exhausted (our limit, not the frame's fault; state malformed then). */
EMT_CHECKED enum emt_err decode_frame(const struct decode_request *req, struct decode_result *out);

/* Only who sent it: device (and adapter, telegram hash) without touching the body; readings stay
 * empty. For ingest, which fetches keys and registry rows before it decodes. State ok, malformed or
 * unsupported. */
EMT_CHECKED enum emt_err decode_peek(const struct decode_request *req, struct decode_result *out);

#endif
