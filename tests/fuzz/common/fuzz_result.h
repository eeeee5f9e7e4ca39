/* What holds for the result of every decoder, whatever it was fed with. */
#ifndef EMT_TESTS_FUZZ_RESULT_H
#define EMT_TESTS_FUZZ_RESULT_H

#include "parsers/decode.h"

#include <stdbool.h>
#include <stddef.h>

/* Ends the process when the claim does not hold: a finding. */
void fuzz_must(bool holds);
/* size: bytes of the frame that layers lie in; SIZE_MAX where they may lie in a joined one. */
void fuzz_check_result(const struct decode_result *r, size_t size);
/* Explains the frame; every place lies where it says, and both forms can be printed. out: as
 * decode_frame() would have it. */
void fuzz_explain(const struct decode_request *req, struct decode_result *out);

#endif
