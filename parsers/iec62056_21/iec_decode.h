/* IEC 62056-21 read-outs behind the front door (parsers/decode.h): data messages with STX and BCC,
 * pushed read-outs, DSMR P1 telegrams. */
#ifndef EMT_PARSERS_IEC62056_21_IEC_DECODE_H
#define EMT_PARSERS_IEC62056_21_IEC_DECODE_H

#include "parsers/decode.h"

enum emt_err iec_decode(const struct decode_request *req, struct decode_result *out, bool peek);

#endif
