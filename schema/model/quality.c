#include "model/quality.h"

#include <stddef.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

static const char *const names[QUALITIES] = {
    [QUALITY_MEASURED] = "measured",   [QUALITY_SUBSTITUTE] = "substitute",
    [QUALITY_ESTIMATED] = "estimated", [QUALITY_PROVISIONAL] = "provisional",
    [QUALITY_INVALID] = "invalid",     [QUALITY_CORRECTED] = "corrected",
};

int quality_rank(enum quality q)
{
    switch (q) {
    case QUALITY_SUBSTITUTE:
    case QUALITY_ESTIMATED:
    case QUALITY_PROVISIONAL:
    case QUALITY_INVALID:
    case QUALITIES:
        return 0;
    case QUALITY_MEASURED:
        return 1;
    case QUALITY_CORRECTED:
        return 2;
    }
    return 0;
}

const char *quality_name(enum quality q)
{
    return (unsigned)q < QUALITIES ? names[q] : "unknown";
}

enum emt_err quality_parse(const char *name, enum quality *out)
{
    for (unsigned i = 0; i < QUALITIES; i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (enum quality)i;
            return EMT_OK;
        }
    }
    return EMT_ENOTFOUND;
}

const char *quality_mscons(enum quality q)
{
    switch (q) {
    case QUALITY_MEASURED:
    case QUALITY_CORRECTED: /* a person vouches for it; the correction reason goes into STS+Z34 */
        return "220";
    case QUALITY_SUBSTITUTE:
        return "67";
    case QUALITY_PROVISIONAL:
        return "Z18";
    case QUALITY_ESTIMATED: /* 67 needs method and reason, which a bare estimate does not have */
    case QUALITY_INVALID:
    case QUALITIES:
        return NULL;
    }
    return NULL;
}
