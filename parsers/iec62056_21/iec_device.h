/* Who sent a read-out: maker from the identification line, number from the codes that carry it. */
#ifndef EMT_PARSERS_IEC62056_21_IEC_DEVICE_H
#define EMT_PARSERS_IEC62056_21_IEC_DEVICE_H

#include "iec_context.h"
#include "iec_set.h"

/* The best number seen so far. */
struct iec_identity {
    char number[33];
    unsigned rank; /* 0: none */
    bool din;      /* a whole meter number of DIN 43863-5 */
};

/* Looks whether the set is a number of the device. */
void iec_identity_note(struct iec_identity *id, const struct iec_set *set);
/* False when no number was seen. */
bool iec_identity_device(const struct iec_identity *id, struct iec_span ident,
                         struct device_id *out);

#endif
