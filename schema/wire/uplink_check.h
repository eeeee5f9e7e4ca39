/* What encoder and decoder demand alike of the parts of a message. Private to this folder. */
#ifndef EMT_WIRE_UPLINK_CHECK_H
#define EMT_WIRE_UPLINK_CHECK_H

#include "base/attr.h"
#include "base/error.h"

#include <stddef.h>

/* NULL is "". EMT_ELIMIT longer than UPLINK_TEXT_MAX; EMT_EMALFORMED no UTF-8, which proto3 demands
 * of a string. */
EMT_CHECKED enum emt_err uplink_check_text(const char *text);
/* EMT_ELIMIT more than most entries. */
EMT_CHECKED enum emt_err uplink_check_count(size_t n, size_t most);

#endif
