/* Defects of known meters that are tolerated, each by name. What has no row here is refused. */
#ifndef EMT_PARSERS_SML_QUIRK_H
#define EMT_PARSERS_SML_QUIRK_H

#include "model/obis.h"
#include "sml_tlv.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sml_quirk {
    SML_QUIRK_KERMIT_CRC, /* message checksum without start value and inversion */
    SML_QUIRK_ZERO_FILL,  /* zero bytes behind the last message that the padding count leaves out */
    SML_QUIRK_BARE_TIME,  /* a time without its choice: operating seconds */
    SML_QUIRK_SHORT_POWER, /* positive power cut to a negative number */
    SML_QUIRKS
};

/* "kermit-message-crc", …; static. */
const char *sml_quirk_name(enum sml_quirk q);

/* DZG DVS74: 1-0:16.7.0 as a signed number of one or two bytes, meant without sign. The maker names
 * meter numbers 4200 0000 to 4899 9999 and 5500 0000 to 5899 9999. */
bool sml_quirk_short_power(const uint8_t *server, size_t len, struct obis o,
                           const struct sml_value *v);

#endif
