/* What the tests of the DLMS decoder share. */
#ifndef EMT_TESTS_UNIT_PARSERS_DLMS_SUPPORT_H
#define EMT_TESTS_UNIT_PARSERS_DLMS_SUPPORT_H

#include "base/arena.h"
#include "parsers/decode.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEST_LINE_MAX 512

/* What a test knows of a meter. */
struct test_meter {
    enum frame_format format;
    struct device_key keys[DECODE_KEYS_MAX];
    unsigned nkeys;
    bool accept_plaintext;
};

/* Decodes bytes; the result lives until the next call. Asserts EMT_OK, and that a peek finds the
 * same device without a key and without readings. */
struct decode_result dlms_test_decode(const struct test_meter *meter, const void *p, size_t n);
/* Hex text into a buffer of the caller; returns its length. */
size_t dlms_test_hex(const char *text, uint8_t *out, size_t cap);
/* The meter of tests/corpus/dlms/security.txt. */
struct test_meter dlms_test_meter(void);
struct arena *dlms_test_arena(void);
void dlms_test_release(void);

/* One reading as the corpus spells it. */
void dlms_test_print(const struct reading *r, char out[TEST_LINE_MAX]);
const char *dlms_test_link(const struct decode_result *r, const char *name);
/* Value of the first reading with this code and qualifier; NULL: none. */
const char *dlms_test_value(const struct decode_result *r, const char *code, const char *qualifier);

#endif
