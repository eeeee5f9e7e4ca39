/* What the tests of the decoder share: a decoder with keys and formats of its own. */
#ifndef EMT_TESTS_UNIT_PARSERS_SUPPORT_H
#define EMT_TESTS_UNIT_PARSERS_SUPPORT_H

#include "base/arena.h"
#include "base/cipher.h"
#include "parsers/decode.h"
#include "parsers/vendor_profiles.h"

#define FORMATS_MAX 16
#define FORMAT_LEN 256

struct bench_format {
    struct device_id device;
    uint16_t signature;
    uint8_t header[FORMAT_LEN];
    size_t len;
    bool verified;
};

struct decoder {
    struct arena *arena;
    struct cipher *cipher;
    struct device_key keys[DECODE_KEYS_MAX]; /* given for every device */
    unsigned nkeys;
    unsigned key_asked; /* times a key was asked for */
    struct device_id asked_for;
    struct bench_format formats[FORMATS_MAX];
    unsigned nformats;
    struct vendor_profiles *vendors; /* those that come with the program */
};

void decoder_open(struct decoder *d);
void decoder_close(struct decoder *d);
/* Adds a key given as hex. */
void decoder_add_key(struct decoder *d, const char *hex);
struct decode_request decoder_request(struct decoder *d, enum protocol protocol,
                                      const uint8_t *frame, size_t len);
/* Decodes hex text; the result lives until the next call. Asserts EMT_OK. */
struct decode_result decoder_run(struct decoder *d, enum protocol protocol, const char *hex);
/* Hex text to bytes; asserts that it is hex. */
size_t bytes_of(const char *hex, uint8_t *out, size_t cap);

#endif
