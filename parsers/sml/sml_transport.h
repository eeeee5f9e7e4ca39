/* The SML transport protocol (BSI TR-03109-1 annex IV part b, chapter "SML transport protocol"):
 * what finds files in a stream of bytes and takes their envelope off.
 *
 * 1b1b1b1b 01010101 | body, padded to 4 bytes | 1b1b1b1b 1a PP CC CC. Version 2 starts with
 * 02020202 and may set properties on the way (1b1b1b1b 03/04 xx xx xx: timeout, block size). */
#ifndef EMT_PARSERS_SML_TRANSPORT_H
#define EMT_PARSERS_SML_TRANSPORT_H

#include "base/attr.h"
#include "base/error.h"
#include "parsers/sml_stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SML_START_LEN 8
#define SML_END_LEN 8

enum sml_envelope {
    SML_ENVELOPE_INTACT,
    SML_ENVELOPE_INCOMPLETE,  /* no end yet */
    SML_ENVELOPE_NO_START,    /* does not begin with a start sequence */
    SML_ENVELOPE_BAD_ESCAPE,  /* an escape that means nothing here, or the next start */
    SML_ENVELOPE_BAD_PADDING, /* more than 3 bytes, or not zero */
    SML_ENVELOPE_BAD_CRC,
    SML_ENVELOPE_TOO_LONG,
};

/* For people: "ends before its end sequence", …; static. */
const char *sml_envelope_text(enum sml_envelope e);

struct sml_frame {
    size_t offset; /* of the start sequence, in the bytes searched */
    size_t len;    /* with envelope; for BAD_ESCAPE up to that escape */
    unsigned version;
    unsigned padding;
    unsigned escapes; /* groups of four bytes in the body that are not payload */
};

/* Looks at one file whose start sequence stands at data[0]; at most max bytes of it. */
enum sml_envelope sml_transport_look(const uint8_t *data, size_t len, size_t max,
                                     struct sml_frame *out);

/* Payload bytes of an intact frame. */
size_t sml_transport_body_len(const struct sml_frame *f);
/* The payload: borrowed from the frame where nothing was escaped, else written to `storage`
 * (sml_transport_body_len() bytes). `frame` points to the start sequence. */
const uint8_t *sml_transport_body(const uint8_t *frame, const struct sml_frame *f,
                                  uint8_t *storage);
/* Where payload byte `at` stands, counted from the start sequence. */
size_t sml_transport_offset(const uint8_t *frame, const struct sml_frame *f, size_t at);

/* Finds the next intact file at or behind *at. A start that leads to none is passed over, and the
 * search goes on right behind it, at every byte: bytes get lost on serial lines.
 * EMT_OK: *out, and *at stands behind the file.
 * EMT_EAGAIN: a file begins at *at and goes on behind len; never with `last`.
 * EMT_ENOTFOUND: none; bytes before *at will not be needed again.
 * *damaged counts starts that were passed over. */
EMT_CHECKED enum emt_err sml_transport_find(const uint8_t *data, size_t len, size_t max, bool last,
                                            size_t *at, struct sml_frame *out,
                                            unsigned long *damaged);

#endif
