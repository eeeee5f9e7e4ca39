#include "model/module.h"

#include <stddef.h>

const char *const module_names[MODULES + 1] = { "export",      "report",  "delivery", "replay",
                                                "calculation", "control", "firmware", NULL };
