#include "connectors/connector.h"
#include "connectors/mscons_write.h"

#include <string.h>

static const unsigned mscons_kinds[] = { 13002, 13006, 13007, 13008, 13009, 13016,
                                         13017, 13018, 13019, 13025, 13027, 0 };

/* The one list: a connector is a line here and its module. */
static const struct connector connectors[] = {
    { "mscons", "MSCONS (EDI@Energy)", "application/edifact", mscons_kinds, mscons_file_name,
      mscons_write },
};

const struct connector *connector_at(size_t i)
{
    return i < sizeof(connectors) / sizeof(connectors[0]) ? &connectors[i] : NULL;
}

const struct connector *connector_find(const char *name)
{
    const struct connector *c;

    for (size_t i = 0; (c = connector_at(i)) != NULL; i++) {
        if (strcmp(c->name, name) == 0)
            return c;
    }
    return NULL;
}
