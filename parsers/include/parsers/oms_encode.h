/* Writing OMS telegrams as a meter sends them: for simulators and tests, never on the way in.
 *
 * Wireless M-Bus SND-NR (C = 44), short transport header (CI 7A), mode 5 or plaintext, records
 * built by the caller. */
#ifndef EMT_PARSERS_OMS_ENCODE_H
#define EMT_PARSERS_OMS_ENCODE_H

#include "base/attr.h"
#include "base/error.h"
#include "base/writer.h"
#include "model/device_id.h"

#include <stdbool.h>
#include <stdint.h>

struct cipher;

struct oms_telegram {
    struct device_id device;
    uint8_t access_number;
    uint8_t status;
    bool encrypted; /* mode 5 with key; else mode 0 */
    uint8_t key[16];
    const uint8_t *records; /* DIF/VIF records, without 2F 2F */
    size_t records_len;     /* at most 200 */
};

/* The telegram without link CRCs (format no-link-crc), L field first. EMT_ELIMIT too long;
 * EMT_EMALFORMED bad device id. */
EMT_CHECKED enum emt_err oms_encode(struct cipher *c, const struct oms_telegram *t,
                                    struct writer *out);
/* The same bytes with the CRCs of frame format A (EN 13757-4). */
EMT_CHECKED enum emt_err oms_add_crc_a(const uint8_t *frame, size_t len, struct writer *out);
/* One record: DIF/VIF with an integer of 2, 4 or 8 bytes (dif low nibble 2, 4, 7) or BCD (A, C, E).
 * vib: VIF and VIFEs. */
EMT_CHECKED enum emt_err oms_put_record(struct writer *out, uint8_t dif, const uint8_t *vib,
                                        size_t vib_len, int64_t value);
/* Date and time, type F (VIF 6D), local time as meters send it. */
EMT_CHECKED enum emt_err oms_put_datetime(struct writer *out, uint8_t dif, int year, int month,
                                          int day, int hour, int minute, bool summer);

#endif
