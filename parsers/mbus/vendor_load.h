/* What the parts of the loader of manufacturer profiles share. */
#ifndef EMT_PARSERS_VENDOR_LOAD_H
#define EMT_PARSERS_VENDOR_LOAD_H

#include "base/attr.h"
#include "base/error.h"
#include "base/yaml.h"
#include "mbus_vendor.h"

struct arena;

struct vendor_loader {
    const struct yaml *y;
    struct arena *arena;
    struct emt_diag *diag;
};

/* function, storage, tariff, subunit and qualifier of a field or an operand. EMT_EMALFORMED with
 * file, line and key. */
EMT_CHECKED enum emt_err vendor_load_shape(const struct vendor_loader *l,
                                           const struct yaml_node *map, struct reading *shape);
/* "quantity" (required) and "unit" (NULL without one). */
EMT_CHECKED enum emt_err vendor_load_quantity(const struct vendor_loader *l,
                                              const struct yaml_node *map, struct reading *shape);
/* The list "calculated" of a profile, where there is one. */
EMT_CHECKED enum emt_err vendor_load_calculated(const struct vendor_loader *l,
                                                const struct yaml_node *map,
                                                struct vendor_profile *p);

#endif
