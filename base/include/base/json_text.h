/* Writing JSON as text where a document model would be too much: log lines, metrics, decode output.
 */
#ifndef EMT_BASE_JSON_TEXT_H
#define EMT_BASE_JSON_TEXT_H

#include "base/writer.h"

#include <stddef.h>

/* A quoted JSON string of n bytes of UTF-8; control characters and quotes escaped; bytes that are
 * not valid UTF-8 become U+FFFD. */
void json_put_string(struct writer *w, const char *s, size_t n);
/* The same up to the closing 0; NULL gives null. */
void json_put_cstr(struct writer *w, const char *s);

#endif
