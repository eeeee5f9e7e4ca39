/* One frame with all that is needed to explain it. Inside a transaction of the tenant. */
#ifndef EMT_STORE_FRAME_DETAIL_STORE_H
#define EMT_STORE_FRAME_DETAIL_STORE_H

#include "base/attr.h"
#include "base/error.h"
#include "model/device_id.h"
#include "store/store.h"

#include <stddef.h>
#include <stdint.h>

/* Columns behind those of frame_list() (frame_query_store.h). */
enum {
    FRAME_DETAIL_FORMAT = 12,
    FRAME_DETAIL_ASSIGNMENT, /* enum device_assignment; NULL: no device */
    FRAME_DETAIL_PLAINTEXT,  /* plaintext is accepted from it */
};

/* gateway: its external id; spool: 16 bytes. EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err frame_detail(struct store *s, int32_t tenant, const char *gateway,
                                      const uint8_t spool[16], int64_t seq,
                                      struct store_result **out);
/* The keys that fit the device, best first, at most 8: rows for device_key_open(). */
EMT_CHECKED enum emt_err frame_detail_keys(struct store *s, int32_t tenant,
                                           const struct device_id *id, struct store_result **out);
/* Formats of compact frames of the device's kind with this signature, verified ones first: rows
 * (header). */
EMT_CHECKED enum emt_err frame_detail_formats(struct store *s, int32_t tenant,
                                              const struct device_id *id, uint16_t signature,
                                              struct store_result **out);

const struct store_statement *frame_detail_store_statements(size_t *n);

#endif
