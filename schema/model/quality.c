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

int quality_stored_rank(int stored)
{
    return (stored & QUALITY_BY_HAND) ? quality_rank(QUALITY_CORRECTED)
                                      : quality_rank(quality_of_stored(stored));
}

enum quality quality_of_stored(int stored)
{
    return (enum quality)((unsigned)stored & 0xffu);
}

int quality_stored_source(int stored)
{
    return (int)((unsigned)stored >> 8 & 0x0fu);
}

enum quality quality_worse(enum quality a, enum quality b)
{
    static const int badness[QUALITIES] = {
        [QUALITY_MEASURED] = 0,   [QUALITY_CORRECTED] = 1, [QUALITY_PROVISIONAL] = 2,
        [QUALITY_SUBSTITUTE] = 3, [QUALITY_ESTIMATED] = 4, [QUALITY_INVALID] = 5,
    };

    if ((unsigned)a >= QUALITIES || (unsigned)b >= QUALITIES)
        return QUALITY_INVALID;
    return badness[a] >= badness[b] ? a : b;
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

enum emt_err quality_from_mscons(const char *qualifier, enum quality *out)
{
    static const struct {
        const char *qualifier;
        enum quality quality;
    } known[] = {
        { "220", QUALITY_MEASURED },
        { "67", QUALITY_SUBSTITUTE },
        { "201", QUALITY_SUBSTITUTE },
        { "Z18", QUALITY_PROVISIONAL },
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(known[i].qualifier, qualifier) == 0) {
            *out = known[i].quality;
            return EMT_OK;
        }
    }
    return EMT_ENOTFOUND;
}

enum quality quality_from_cosem(unsigned status)
{
    const unsigned critical = 0x01, clock_invalid = 0x02, data_invalid = 0x04;

    if (status & (critical | data_invalid))
        return QUALITY_INVALID;
    /* Measured, but not for sure at that time. */
    return (status & clock_invalid) ? QUALITY_PROVISIONAL : QUALITY_MEASURED;
}

enum quality quality_from_oms(unsigned status)
{
    const unsigned application = 0x03, permanent = 0x08, temporary = 0x10;

    if ((status & permanent) || (status & application) == 2) /* 2: any application error */
        return QUALITY_INVALID;
    return (status & temporary) ? QUALITY_PROVISIONAL : QUALITY_MEASURED;
}
