/* OBIS codes of M-Bus records, as OMS volume 2 assigns them to device types (IEC 62056-6-1, EN
 * 13757-1). */
#ifndef EMT_PARSERS_MBUS_OBIS_H
#define EMT_PARSERS_MBUS_OBIS_H

#include "model/reading.h"

#include <stdint.h>

/* type: EN 13757-7 device type. All zero where the standards name no code for the record: F is 255
 * for the current value and the storage number for a historic one. */
struct obis mbus_obis_of(uint8_t type, const struct reading *r);

#endif
