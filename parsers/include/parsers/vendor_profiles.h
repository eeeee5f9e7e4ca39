/* Layouts of manufacturers as data: what stands in their own blocks of M-Bus telegrams, described
 * in YAML (docs/protocols/mbus.md, "Manufacturer profiles") and read without a rebuild. */
#ifndef EMT_PARSERS_VENDOR_PROFILES_H
#define EMT_PARSERS_VENDOR_PROFILES_H

#include "base/attr.h"
#include "base/error.h"

#include <stddef.h>

/* Read-only once loaded: one set may serve many threads. */
struct vendor_profiles;

struct vendor_profiles *vendor_profiles_new(void); /* NULL when out of memory */
void vendor_profiles_free(struct vendor_profiles *v);
/* Adds the profiles of one file in front of those that are there: the first that fits is used, so a
 * tenant's own goes before ours. EMT_EIO, EMT_EMALFORMED with file, line and key, EMT_ENOMEM; then
 * nothing of the file is added. */
EMT_CHECKED enum emt_err vendor_profiles_add_file(struct vendor_profiles *v, const char *path,
                                                  struct emt_diag *diag);
EMT_CHECKED enum emt_err vendor_profiles_add_text(struct vendor_profiles *v, const char *name,
                                                  const char *text, size_t n,
                                                  struct emt_diag *diag);
/* Those that come with the program (parsers/mbus/profiles/). */
EMT_CHECKED enum emt_err vendor_profiles_add_builtin(struct vendor_profiles *v,
                                                     struct emt_diag *diag);
size_t vendor_profiles_count(const struct vendor_profiles *v);

#endif
