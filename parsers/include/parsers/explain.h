/* What every byte of one frame says: its layers with their fields, the bytes after decryption, and
 * the records with their places.
 *
 * It is the walk of decode_frame() itself: the decoders tell a trace (parsers/common/trace.h) where
 * they read what; without one they are as fast as ever. Keys are never part of it. */
#ifndef EMT_PARSERS_EXPLAIN_H
#define EMT_PARSERS_EXPLAIN_H

#include "base/attr.h"
#include "base/error.h"
#include "base/writer.h"
#include "parsers/decode.h"

#include <stddef.h>
#include <stdint.h>

/* More of these are left out, and the note says so. */
#define EXPLAIN_LAYERS_MAX 128
#define EXPLAIN_FIELDS_MAX 1024 /* of all layers */
#define EXPLAIN_RECORDS_MAX 4096
/* Bytes of a field that are printed. */
#define EXPLAIN_FIELD_BYTES 64

/* Where offsets count: in the frame as sent, or in the plain bytes. Places are what is on the
 * wire: a field that a link CRC cuts in two is longer by the CRC, an encrypted one stands where its
 * ciphertext does. Length 0: not in this frame (an earlier fragment). */
enum explain_where { EXPLAIN_FRAME, EXPLAIN_PLAIN };

struct explain_field {
    const char *name;     /* static */
    const char *value;    /* in the arena */
    uint32_t offset, len; /* in the frame */
};

struct explain_layer {
    const char *name;     /* static */
    uint32_t offset, len; /* in the frame; a header, or a whole message (SML) */
    const struct explain_field *fields;
    unsigned nfields;
};

struct explain_record {
    uint32_t offset, len;
    enum explain_where where;
    const char *dif, *vif; /* M-Bus: DIF with DIFEs, VIF with VIFEs, in hex; NULL elsewhere */
    const char *text;      /* for people, never NULL */
    const struct reading *reading; /* NULL: a filler, a record without value, or a frame that is not
                                      ok */
};

struct explanation {
    const struct explain_layer *layers;
    unsigned nlayers;
    const uint8_t *plain; /* deciphered, or joined from fragments; NULL: all stands in the frame */
    size_t plain_len;
    /* In the order sent. A record with several values (a load profile) has a row for each. */
    const struct explain_record *records;
    unsigned nrecords;
    const char *note; /* why something is not explained; NULL: nothing to add */
};

/* As decode_frame(), and tells how. Both live in req->arena. */
EMT_CHECKED enum emt_err explain_frame(const struct decode_request *req, struct decode_result *out,
                                       struct explanation *ex);

/* {"layers":[…],"plain":hex|null,"records":[…],"note":text|null}, as the REST API's FrameDetail has
 * it. */
void explain_put_json(struct writer *w, const struct explanation *ex);
/* The same as lines for people. */
void explain_put_text(struct writer *w, const struct explanation *ex);

#endif
