/* Parts of the product that an operator agrees with a tenant one by one. What is no module is in
 * every agreement. Stored by name: new ones at the end, none is renamed. */
#ifndef EMT_MODEL_MODULE_H
#define EMT_MODEL_MODULE_H

#include <stdbool.h>

enum module {
    MODULE_EXPORT,      /* market messages, schedules, partners' answers */
    MODULE_REPORT,      /* reports by template */
    MODULE_DELIVERY,    /* targets, and what goes to them */
    MODULE_REPLAY,      /* decoding again */
    MODULE_CALCULATION, /* channels that are computed */
    MODULE_CONTROL,     /* switching, limits, tunnels (CLS) */
    MODULE_FIRMWARE,    /* firmware of gateways */
    MODULES
};
/* "export", …; closed by NULL. */
extern const char *const module_names[MODULES + 1];

#endif
