/* Formats of compact frames, learnt from full ones (docs/decisions, formats of compact frames). */
#ifndef EMT_STORE_FORMAT_STORE_H
#define EMT_STORE_FORMAT_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "model/device_id.h"
#include "store/store.h"
#include "store/store_rows.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct format_row {
    const char *manufacturer;
    uint8_t version, type;
    uint16_t signature;
    const uint8_t *header;
    size_t header_len;
    bool verified;
};
/* Most formats of one tenant that are loaded. */
#define FORMAT_LOAD_MAX 4096

/* Rows (manufacturer, version, type, signature, header, verified) of the tenant. Asynchronous, in
 * its transaction. */
EMT_CHECKED enum emt_err format_load_send(struct store *s, int32_t tenant, store_done *done,
                                          void *ctx);
void format_row_of(const struct store_result *r, int row,
                   struct format_row *out); /* borrowed from r */

bool format_rows_init(struct store_rows *r);
bool format_rows_add(struct store_rows *r, const struct format_row *f);
/* Adds what is new; only then the tenant's registry version rises and a replay of the waiting
 * frames is ordered, all in one statement. */
EMT_CHECKED enum emt_err format_rows_send(struct store *s, int32_t tenant, struct store_rows *r,
                                          emt_time now);

const struct store_statement *format_store_statements(size_t *n);

#endif
