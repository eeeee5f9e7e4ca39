/* Transport layer headers of EN 13757-7: which CI carries which header, and the configuration
 * field. */
#ifndef EMT_PARSERS_MBUS_TPL_H
#define EMT_PARSERS_MBUS_TPL_H

#include "mbus_context.h"

#define MBUS_CI_FIXED 0x73
#define MBUS_CI_RECORDS_MSB 0x76
#define MBUS_CI_FIXED_MSB 0x77

/* What the bytes behind a transport header are. */
enum mbus_apl {
    MBUS_APL_UNKNOWN,      /* a CI that the standard does not define */
    MBUS_APL_RECORDS,      /* full data records */
    MBUS_APL_COMPACT,      /* compact frame */
    MBUS_APL_FORMAT,       /* format frame */
    MBUS_APL_FIXED,        /* fixed data structure (wired) */
    MBUS_APL_ERROR,        /* application error */
    MBUS_APL_ALARM,        /* alarm report */
    MBUS_APL_NOTHING,      /* transport layer only */
    MBUS_APL_COMMAND,      /* to the meter */
    MBUS_APL_FOREIGN,      /* another application (COSEM, OBIS, image transfer …) */
    MBUS_APL_MANUFACTURER, /* CI A0..B7 */
};

enum mbus_apl mbus_apl_of(uint8_t ci, bool wired);
/* Reads CI, header, configuration field and its extension into ctx->tpl; sets the meter's identity.
 */
enum frame_state mbus_tpl_read(struct mbus_context *ctx, struct reader *in);

/* Does the transport header at the front of these bytes announce encryption? *meter: its address
 * where the header is a long one, else left as it is. */
bool mbus_tpl_announces(const uint8_t *p, size_t n, bool wired, struct mbus_address *meter);

#endif
