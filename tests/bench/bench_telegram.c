#include "bench_telegram.h"

#include "base/cipher.h"
#include "parsers/oms_encode.h"

#include <stdio.h>
#include <string.h>

bool bench_telegram_make(struct cipher *c, unsigned device, unsigned step, emt_time start,
                         const uint8_t key[16], struct bench_telegram *out)
{
    static const uint8_t import[] = { 0x03 }, export[] = { 0x83, 0x3c }, power[] = { 0x2b },
                         seconds[] = { 0x20 };
    struct oms_telegram t = {
        .device = { .manufacturer = "EMT", .version = 1, .type = 2, .has_version = true },
        .access_number = (uint8_t)step,
        .encrypted = true
    };
    struct civil at;
    uint8_t records[100];
    struct writer w, frame;
    bool ok;

    snprintf(t.device.number, sizeof t.device.number, "%08u", 10000000 + device);
    memcpy(t.key, key, sizeof t.key);
    time_to_civil(start + (int64_t)(step * 15ul + device % 1440) * EMT_MINUTE, &at);
    writer_init_fixed(&w, records, sizeof records);
    ok = oms_put_record(&w, 0x04, import, 1, 100000 + (int64_t)step * 250) == EMT_OK &&
         oms_put_record(&w, 0x04, export, 2, 500 + step) == EMT_OK &&
         oms_put_record(&w, 0x02, power, 1, 1000 + (device + step) % 500) == EMT_OK &&
         oms_put_record(&w, 0x04, seconds, 1, (int64_t)900 * step) == EMT_OK &&
         oms_put_datetime(&w, 0x04, at.year, at.month, at.day, at.hour, at.minute, false) == EMT_OK;
    t.records = records;
    t.records_len = w.len;
    writer_init_fixed(&frame, out->data, sizeof out->data);
    ok = ok && oms_encode(c, &t, &frame) == EMT_OK;
    out->len = (uint8_t)frame.len;
    return ok;
}
