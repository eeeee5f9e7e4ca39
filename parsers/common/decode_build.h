/* A decode_result in the making: layers, header fields and readings in the request's arena.
 *
 * Out of memory is remembered and ends the decoding; with `peek` readings go to a scratch place and
 * are not kept. */
#ifndef EMT_PARSERS_DECODE_BUILD_H
#define EMT_PARSERS_DECODE_BUILD_H

#include "base/attr.h"
#include "common/trace.h"
#include "parsers/decode.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DECODE_LAYERS_MAX 16
#define DECODE_FIELDS_MAX 16

struct decode_build {
    const struct decode_request *req;
    struct decode_result *out;
    bool peek;
    bool no_memory;
    struct decode_layer *layers; /* DECODE_LAYERS_MAX of them */
    struct decode_field *fields; /* DECODE_FIELDS_MAX of them */
    struct reading *items;       /* readings so far */
    unsigned n, cap;
    unsigned first; /* room made for readings at first; 0: a usual number */
    struct reading scratch;
    struct trace *trace; /* NULL: nobody asks where things stand */
};

EMT_CHECKED enum emt_err decode_build_init(struct decode_build *b, const struct decode_request *req,
                                           struct decode_result *out, bool peek);
/* Sets reason and returns false, so that `return decode_build_fail(…)` reads well. The first reason
 * stays. */
bool decode_build_fail(struct decode_build *b, const char *fmt, ...) EMT_PRINTF(2, 3);
/* More than DECODE_LAYERS_MAX or DECODE_FIELDS_MAX are passed over. */
void decode_build_layer(struct decode_build *b, const char *name, size_t offset, size_t len);
void decode_build_text(struct decode_build *b, const char *name, const char *text, size_t len);
void decode_build_hex(struct decode_build *b, const char *name, const uint8_t *p, size_t n);
void decode_build_number(struct decode_build *b, const char *name, uint64_t value);
/* A zeroed reading without time at the end of the list; NULL out of memory (remembered). The
 * pointer lives until the next call. */
struct reading *decode_build_reading(struct decode_build *b);
/* A text in the arena for a reading; "" out of memory (remembered). */
const char *decode_build_copy(struct decode_build *b, const char *text, size_t len);
const char *decode_build_copy_hex(struct decode_build *b, const uint8_t *p, size_t n);
/* Tells the trace, where there is one, that the readings from number `first` on stand in n bytes at
 * p; text: what it is where that are none. */
void decode_build_record(struct decode_build *b, const uint8_t *p, size_t n, unsigned first,
                         const char *text);
/* Hands over the readings when the state is ok, with `nth` set where one channel has several values
 * for one time; otherwise none. */
EMT_CHECKED enum emt_err decode_build_finish(struct decode_build *b, enum frame_state state);

#endif
