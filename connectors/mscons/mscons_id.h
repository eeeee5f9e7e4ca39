/* Identifiers of places as MSCONS carries them in LOC, told apart by form. */
#ifndef EMT_CONNECTORS_MSCONS_ID_H
#define EMT_CONNECTORS_MSCONS_ID_H

#include "base/attr.h"
#include "base/error.h"

enum mscons_place {
    PLACE_MALO = 1 << 0,  /* 11 digits with check digit: market location or tranche */
    PLACE_MELO = 1 << 1,  /* 33 characters: metering location, coupling point, settlement point */
    PLACE_NELO = 1 << 2,  /* 11 characters, E first */
    PLACE_TR = 1 << 3,    /* 11 characters, D first */
    PLACE_EIC = 1 << 4,   /* 16 characters */
    PLACE_NAME = 1 << 5,  /* name of a profile, 1 to 3 characters */
    PLACE_EMPTY = 1 << 6, /* none: a configuration id stands in its place */
};

/* Whether id is a valid identifier of one of the kinds in the mask. EMT_EMALFORMED with the reason.
 */
EMT_CHECKED enum emt_err mscons_place_check(const char *id, unsigned mask, struct emt_diag *diag);
/* 1..14 of 0-9 A-Z (DE0020). */
EMT_CHECKED enum emt_err mscons_reference_check(const char *text, struct emt_diag *diag);

#endif
