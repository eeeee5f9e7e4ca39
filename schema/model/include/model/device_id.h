/* Who measured: the identity of a meter or sensor, independent of the gateway that heard it. */
#ifndef EMT_MODEL_DEVICE_ID_H
#define EMT_MODEL_DEVICE_ID_H

#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEVICE_ID_TEXT_MAX 64

/* M-Bus family: manufacturer, 8 digit number, version, type. Others: scheme "din43863", "deveui" …
 * and `number` as text. */
struct device_id {
    char manufacturer[4]; /* "KAM"; "" where the scheme has none */
    char number[33];      /* "60723506" */
    uint8_t version;
    uint8_t type;     /* EN 13757-7 device type */
    bool has_version; /* version and type are part of the identity */
};

/* Canonical text, unique per identity: "KAM-60723506-19-0c" (version and type in hex), or
 * "-<number>". Used as the key in the database and in the API. buf holds DEVICE_ID_TEXT_MAX.
 * Returns buf. */
char *device_id_format(const struct device_id *id, char buf[DEVICE_ID_TEXT_MAX]);
EMT_CHECKED enum emt_err device_id_parse(const char *text, struct device_id *out);
bool device_id_equal(const struct device_id *a, const struct device_id *b);

/* EN 13757-3: three letters in 5 bits each. Bit 15 is passed over. out holds 4. */
void manufacturer_from_code(uint16_t code, char out[4]);
/* EMT_EMALFORMED when not three capital letters. */
EMT_CHECKED enum emt_err manufacturer_to_code(const char *letters, uint16_t *out);

/* Name of an EN 13757-7 device type ("electricity", "heat", "warm-water", …), "unknown" otherwise.
 */
const char *medium_name(uint8_t type);

#endif
