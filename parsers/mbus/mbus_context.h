/* What the layers of one M-Bus telegram tell each other while it is decoded. */
#ifndef EMT_PARSERS_MBUS_CONTEXT_H
#define EMT_PARSERS_MBUS_CONTEXT_H

#include "base/attr.h"
#include "base/reader.h"
#include "mbus_address.h"
#include "parsers/decode.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MBUS_LAYERS_MAX 8
#define MBUS_FIELDS_MAX 16
#define MBUS_MAC_MAX 16
/* Security modes have five bits (EN 13757-7, configuration field). */
#define MBUS_MODES 32

/* Authentication and fragmentation layer (EN 13757-7, CI 90) as met on the way. */
struct mbus_afl {
    bool present;
    bool has_mac;
    bool has_mcr;
    bool has_ml;
    uint8_t mcl;
    uint8_t mcr[4]; /* as transmitted */
    uint8_t ml[2];
    uint8_t mac[MBUS_MAC_MAX];
    size_t mac_len;
};

enum mbus_header { MBUS_HEADER_NONE, MBUS_HEADER_SHORT, MBUS_HEADER_LONG };

/* Transport layer (EN 13757-7). */
struct mbus_tpl {
    uint8_t ci;
    enum mbus_header header;
    struct mbus_address address; /* long header only */
    uint8_t access_number;
    uint8_t status;
    uint16_t cfg;
    uint8_t mode;
    size_t cfe_len;
    uint8_t cfe[2];       /* configuration field extension, modes 7 (1 byte) and 10 (2 bytes) */
    uint8_t mcr[4];       /* mode 10, as transmitted */
    const uint8_t *start; /* the CI: what a MAC covers begins here */
    size_t start_len;     /* to the end of the telegram */
    size_t aad_len;       /* CI to the end of CFGE */
};

struct mbus_context {
    const struct decode_request *req;
    struct decode_result *out;
    bool peek;
    struct trace *trace; /* NULL: nobody asks where things stand */
    bool wired;
    bool guessed_len; /* of the radio frame: the bytes decide where it ends, not its L */
    bool msb_first;   /* CI 76, 77: values have their most significant byte first */
    bool no_memory;

    bool has_link;
    struct mbus_address link;         /* address of the radio link layer */
    uint8_t link_raw[8];              /* the same as transmitted, with the manufacturer */
    struct mbus_address ell_receiver; /* 8E, 8F: for whom the telegram is */
    struct mbus_address meter;        /* whom keys and identity belong to */
    bool has_meter;

    struct mbus_afl afl;
    struct mbus_tpl tpl;
    /* A readout in several telegrams (wired): opens the next one, whose records follow. False:
     * there is none; next_state says whether that is in order. */
    bool (*next_telegram)(struct mbus_context *ctx, struct reader *records);
    size_t next, end; /* where it stands in the frame, and where the last one ends */
    enum frame_state next_state;
    unsigned telegrams; /* opened so far */

    bool fragment_waits;  /* a piece of a message that is not complete: nothing more to read */
    bool joined;          /* what is read now stood in several telegrams */
    bool payload_checked; /* the payload CRC of the ELL fits: nothing was damaged on the way */
    bool has_key;         /* a key of the meter is known */
    bool decrypted;       /* some layer opened with a key */
    bool authenticated;   /* a MAC fitted */
    bool plain_announced; /* a layer announced encryption, and the body is plain */

    struct decode_layer *layers;                     /* MBUS_LAYERS_MAX of them */
    struct decode_field *fields;                     /* MBUS_FIELDS_MAX of them */
    size_t (*offset_of)(const void *ctx, size_t at); /* into the frame as sent */
    const void *offset_ctx;
};

/* Sets reason and returns state. */
enum frame_state mbus_fail(struct mbus_context *ctx, enum frame_state state, const char *fmt, ...)
    EMT_PRINTF(3, 4);
/* Out of the arena: remembered, ends the decoding. */
enum frame_state mbus_no_memory(struct mbus_context *ctx);
EMT_CHECKED enum emt_err mbus_context_init(struct mbus_context *ctx,
                                           const struct decode_request *req,
                                           struct decode_result *out, bool peek);
/* A layer whose header is bytes from..to of the telegram without link CRCs, or of the message where
 * fragments were joined. */
void mbus_layer(struct mbus_context *ctx, const char *name, uint8_t ci, size_t from, size_t to);
void mbus_field_number(struct mbus_context *ctx, const char *name, uint64_t value);
#define MBUS_FIELD_BYTES_MAX 16 /* of a field in hex; more are cut */
void mbus_field_hex(struct mbus_context *ctx, const char *name, const uint8_t *p, size_t n);
void mbus_field_text(struct mbus_context *ctx, const char *name, const char *text);
/* The identity of the meter; adapter when the link address is another. */
void mbus_set_meter(struct mbus_context *ctx, const struct mbus_address *a);
/* The keys of a device, at most DECODE_KEYS_MAX. */
unsigned mbus_keys(struct mbus_context *ctx, const struct mbus_address *a, struct device_key *keys);

#endif
