/* Results with rows that no statement gave: where stored rows and unpacked ones are one list.
 * Internal to this folder. */
#ifndef EMT_STORE_RESULT_EDIT_H
#define EMT_STORE_RESULT_EDIT_H

#include "store/store.h"

/* Empty, with the columns of r; free with store_result_free(). NULL: out of memory. */
struct store_result *result_like(const struct store_result *r);
/* The next row begins with its column 0. The functions say false when out of memory. */
bool result_copy_row(struct store_result *r, const struct store_result *from, int row);
bool result_put_bytes(struct store_result *r, int row, int col, const void *v, size_t len);
bool result_put_text(struct store_result *r, int row, int col, const char *v); /* NULL: NULL */
bool result_put_null(struct store_result *r, int row, int col);
/* width: 1, 2, 4 or 8 bytes, as the column's type has them. */
bool result_put_int(struct store_result *r, int row, int col, int64_t v, int width);
bool result_put_time(struct store_result *r, int row, int col, emt_time v);

#endif
