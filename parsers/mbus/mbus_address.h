/* The eight bytes that name a meter on M-Bus, as transmitted. */
#ifndef EMT_PARSERS_MBUS_ADDRESS_H
#define EMT_PARSERS_MBUS_ADDRESS_H

#include "base/reader.h"
#include "model/device_id.h"

#include <stdbool.h>
#include <stdint.h>

struct mbus_address {
    uint8_t m[2];  /* manufacturer, low byte first */
    uint8_t id[4]; /* BCD, low byte first */
    uint8_t version;
    uint8_t type;
};

/* Link layer order (EN 13757-4): M, ID, version, type. */
struct mbus_address mbus_address_read_link(struct reader *in);
/* Transport header order (EN 13757-7, long header): ID, M, version, type. */
struct mbus_address mbus_address_read_long(struct reader *in);
/* Older radio modules of Diehl (DME, HYD, EWT, SPL) with a body of their own (CI A0 to A7, B1 to
 * B3) send version and type before the ID; Sappel's (SAP) number everything behind the manufacturer
 * and are water meters. Puts such an address into the common order. */
void mbus_address_reorder(struct mbus_address *a, uint8_t ci);
/* ID and manufacturer came with the most significant byte first. */
void mbus_address_reverse(struct mbus_address *a);
bool mbus_address_equal(const struct mbus_address *a, const struct mbus_address *b);
void mbus_address_device(const struct mbus_address *a, struct device_id *out);
/* ID as printed: most significant digit first. */
void mbus_id_text(const uint8_t id[4], char out[9]);

#endif
