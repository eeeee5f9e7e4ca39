/* Texts from outside on their way into answers and into the database: both take UTF-8 and nothing
 * else. */
#ifndef EMT_API_API_TEXT_H
#define EMT_API_API_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Well-formed UTF-8 without a zero byte. */
bool text_is_utf8(const char *p, size_t n);
/* Characters of a well-formed text. */
size_t text_length(const char *text);
/* Bytes that are no part of a whole character become '?': for texts that were cut by a buffer. */
void text_clean(char *text);

#endif
