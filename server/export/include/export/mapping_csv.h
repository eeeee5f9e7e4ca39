/* The mapping of a tenant (places of the market and the channels bound to them) as CSV: what the
 * import of the API reads makes the same mapping again. One line for each binding, one for each
 * place without any. */
#ifndef EMT_EXPORT_MAPPING_CSV_H
#define EMT_EXPORT_MAPPING_CSV_H

#include "base/attr.h"
#include "base/error.h"
#include "base/writer.h"

#include <stdint.h>

struct store;

/* Characters of a place's code, and the closing 0. */
#define MAPPING_CODE_MAX 40

void mapping_csv_head(struct writer *w);
/* Lines of up to `places` places behind the code `after` ("": from the first); next: the code to go
 * on behind, "" when these were the last. Inside a transaction of the tenant. EMT_EDB, EMT_ENOMEM;
 * EMT_ELIMIT w is full. */
EMT_CHECKED enum emt_err mapping_csv_lines(struct store *s, int32_t tenant, const char *after,
                                           int places, struct writer *w,
                                           char next[MAPPING_CODE_MAX]);

#endif
