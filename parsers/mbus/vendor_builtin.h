/* The profiles in parsers/mbus/profiles/ as bytes, written by the build. */
#ifndef EMT_PARSERS_VENDOR_BUILTIN_H
#define EMT_PARSERS_VENDOR_BUILTIN_H

#include <stddef.h>
#include <stdint.h>

struct vendor_builtin {
    const char *name; /* of the file; NULL ends the list */
    const uint8_t *text;
    size_t len;
};

extern const struct vendor_builtin vendor_builtins[];

#endif
