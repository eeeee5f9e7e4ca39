/* Formats of compact frames that are the same in every meter of a make, so that the first compact
 * frame heard can be read before a full frame came by (one in eight telegrams). */
#ifndef EMT_PARSERS_MBUS_KNOWN_FORMATS_H
#define EMT_PARSERS_MBUS_KNOWN_FORMATS_H

#include "model/device_id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As format_store.find: calls use for each known format with this signature until it returns true.
 */
bool mbus_known_formats_find(const struct device_id *device, uint16_t signature,
                             bool (*use)(void *use_ctx, const uint8_t *header, size_t len),
                             void *use_ctx);

#endif
