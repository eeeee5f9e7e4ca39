/* Values that a receiver has already, against those that he is to get. */
#ifndef EMT_EXPORT_EXPORT_SENT_H
#define EMT_EXPORT_EXPORT_SENT_H

#include "base/attr.h"
#include "base/error.h"
#include "export_document.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Equal for documents that say the same: registers, times, values and qualifiers. Neither how a
 * substitute was formed nor a correction reason counts. */
int64_t sent_digest(const struct export_lines *lines);

/* Beside each value of the lines: what was sent in its place. */
struct sent_value {
    struct decimal value;
    char qualifier[4];
    bool there;
};
struct sent_values {
    struct sent_value *list; /* of all lines, one behind the other */
    size_t n;
};
EMT_CHECKED enum emt_err sent_values_init(struct sent_values *s, const struct export_lines *lines);
void sent_values_release(struct sent_values *s);
/* Takes over from a message as it was sent; later ones replace earlier ones. EMT_EMALFORMED: it
 * cannot be read. */
EMT_CHECKED enum emt_err sent_values_take(struct sent_values *s, const struct export_lines *lines,
                                          const void *message, size_t len);
/* Marks each value that takes the place of another one, as far as the use case marks it (STS+Z34).
 * True: something differs, or is new. */
bool sent_values_mark(const struct sent_values *s, struct export_lines *lines, unsigned use_case,
                      const char *location, const char *code);

#endif
