/* One input line of `emtctl decode` as a decode request. */
#ifndef EMT_CTL_DECODE_LINE_H
#define EMT_CTL_DECODE_LINE_H

#include "base/attr.h"
#include "base/error.h"
#include "parsers/decode.h"

#include <jansson.h>

#define DECODE_LINE_MAX ((size_t)1024 * 1024)

/* The answer's id and what to decode. Everything is borrowed from `json` and `frame`. */
struct decode_line {
    json_t *json; /* NULL: the line is no JSON object; free with decode_line_release() */
    json_t *id;   /* borrowed; NULL: none */
    struct decode_request req; /* protocol NONE: one we have no name for */
    struct device_key key;     /* len 0: none */
    uint8_t *frame;            /* DECODE_FRAME_MAX bytes of the caller */
};

/* EMT_EUNSUPPORTED the protocol has no name here; EMT_EMALFORMED or EMT_ELIMIT a field is missing
 * or odd, diag names it. */
EMT_CHECKED enum emt_err decode_line_parse(const char *text, size_t len, struct decode_line *out,
                                           struct emt_diag *diag);
void decode_line_release(struct decode_line *line);

#endif
