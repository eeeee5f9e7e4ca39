/* What holds for the explanation of every frame, whatever the protocol. */
#ifndef EMT_TESTS_UNIT_PARSERS_EXPLAIN_CHECK_H
#define EMT_TESTS_UNIT_PARSERS_EXPLAIN_CHECK_H

#include "parsers/explain.h"

/* Explains the frame and holds it against what decoding said: same state, each reading in one row
 * and in order, every place within its bytes, no key of `keys` printed. The result of decoding
 * stays good. */
void explain_check(const struct decode_request *req, const struct decode_result *decoded,
                   const struct device_key *keys, unsigned nkeys);

#endif
