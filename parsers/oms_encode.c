#include "parsers/oms_encode.h"

#include "base/cipher.h"
#include "mbus/mbus_crc.h"
#include "mbus/mbus_record.h"

#include <string.h>

/* L C M(2) A(6) CI ACC STS CFG(2) then the records, for mode 5 behind 2F 2F and filled with 2F to
 * blocks of 16 */
#define C_SND_NR 0x44
#define CI_SHORT_HEADER 0x7a
#define HEADER_LEN 15
#define RECORDS_MAX 200
#define BLOCK 16
#define FILLER 0x2f
#define CHECK_LEN 2
#define MODE_5 0x0500u
#define FIRST_BLOCK 10

/* "60723506" as BCD, low byte first. */
static enum emt_err put_number(struct writer *out, const char *number)
{
    uint8_t id[4] = { 0 };

    if (strlen(number) != 2 * sizeof id)
        return EMT_EMALFORMED;
    for (size_t i = 0; i < 2 * sizeof id; i++) {
        if (number[i] < '0' || number[i] > '9')
            return EMT_EMALFORMED;
        id[sizeof id - 1 - i / 2] = (uint8_t)(id[sizeof id - 1 - i / 2] << 4 | (number[i] - '0'));
    }
    writer_bytes(out, id, sizeof id);
    return EMT_OK;
}

static enum emt_err put_address(struct writer *out, const struct device_id *id)
{
    uint16_t manufacturer;
    enum emt_err err = manufacturer_to_code(id->manufacturer, &manufacturer);

    if (err != EMT_OK)
        return err;
    writer_le(out, manufacturer, 2);
    err = put_number(out, id->number);
    if (err != EMT_OK)
        return err;
    writer_u8(out, id->version);
    writer_u8(out, id->type);
    return EMT_OK;
}

/* The initialisation vector of mode 5: the address, then the access number eight times. */
static enum emt_err encrypt(struct cipher *c, const struct oms_telegram *t, uint8_t *body,
                            size_t len)
{
    uint8_t iv[BLOCK];
    struct writer w;
    enum emt_err err;

    writer_init_fixed(&w, iv, sizeof iv);
    err = put_address(&w, &t->device);
    memset(iv + 8, t->access_number, 8);
    if (err == EMT_OK)
        err = cipher_aes128_cbc_encrypt(c, t->key, iv, body, len, body);
    return err;
}

static size_t body_length(const struct oms_telegram *t)
{
    if (!t->encrypted)
        return t->records_len;
    return (t->records_len + CHECK_LEN + BLOCK - 1) / BLOCK * BLOCK;
}

enum emt_err oms_encode(struct cipher *c, const struct oms_telegram *t, struct writer *out)
{
    size_t len = body_length(t);
    size_t before = t->encrypted ? CHECK_LEN : 0;
    enum emt_err err;
    uint8_t *body;

    if (t->records_len > RECORDS_MAX)
        return EMT_ELIMIT;
    writer_u8(out, (uint8_t)(HEADER_LEN - 1 + len));
    writer_u8(out, C_SND_NR);
    err = put_address(out, &t->device);
    if (err != EMT_OK)
        return err;
    writer_u8(out, CI_SHORT_HEADER);
    writer_u8(out, t->access_number);
    writer_u8(out, t->status);
    writer_le(out, t->encrypted ? MODE_5 | (unsigned)(len / BLOCK) << 4 : 0, 2);
    if (len == 0)
        return out->failed ? EMT_ELIMIT : EMT_OK;
    body = writer_reserve(out, len);
    if (!body)
        return EMT_ELIMIT;
    memset(body, FILLER, len);
    if (t->records_len)
        memcpy(body + before, t->records, t->records_len);
    return t->encrypted ? encrypt(c, t, body, len) : EMT_OK;
}

enum emt_err oms_add_crc_a(const uint8_t *frame, size_t len, struct writer *out)
{
    if (len < FIRST_BLOCK || (size_t)frame[0] + 1 != len)
        return EMT_EMALFORMED;
    for (size_t at = 0; at < len;) {
        size_t most = at == 0 ? FIRST_BLOCK : BLOCK;
        size_t part = len - at < most ? len - at : most;

        writer_bytes(out, frame + at, part);
        writer_be(out, mbus_crc16(frame + at, part), 2);
        at += part;
    }
    return out->failed ? EMT_ELIMIT : EMT_OK;
}

/* Digits of a BCD field; a negative number has F in the highest nibble. */
static enum emt_err put_bcd(struct writer *out, size_t len, int64_t value)
{
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    uint8_t bytes[8] = { 0 };

    for (size_t i = 0; i < 2 * len; i++) {
        bytes[i / 2] = (uint8_t)(bytes[i / 2] | (rest % 10) << (i % 2 ? 4 : 0));
        rest /= 10;
    }
    if (rest != 0 || (value < 0 && bytes[len - 1] >> 4 != 0))
        return EMT_ELIMIT;
    if (value < 0)
        bytes[len - 1] |= 0xf0;
    writer_bytes(out, bytes, len);
    return EMT_OK;
}

static enum emt_err put_binary(struct writer *out, unsigned len, int64_t value)
{
    int64_t most = len < 8 ? (INT64_C(1) << (8 * len - 1)) - 1 : INT64_MAX;

    if (value > most || value < -most - 1)
        return EMT_ELIMIT;
    writer_le(out, (uint64_t)value, len);
    return EMT_OK;
}

enum emt_err oms_put_record(struct writer *out, uint8_t dif, const uint8_t *vib, size_t vib_len,
                            int64_t value)
{
    enum emt_err err;

    if (vib_len == 0 || vib_len > MBUS_VIB_MAX)
        return EMT_EMALFORMED;
    /* Storage and function stand in the DIF; DIFEs are the caller's who writes them before the VIF.
     */
    writer_u8(out, dif);
    writer_bytes(out, vib, vib_len);
    switch (dif & 0x0fu) {
    case MBUS_INT16:
        err = put_binary(out, 2, value);
        break;
    case MBUS_INT32:
        err = put_binary(out, 4, value);
        break;
    case MBUS_INT64:
        err = put_binary(out, 8, value);
        break;
    case MBUS_BCD4:
        err = put_bcd(out, 2, value);
        break;
    case MBUS_BCD8:
        err = put_bcd(out, 4, value);
        break;
    case MBUS_BCD12:
        err = put_bcd(out, 6, value);
        break;
    default:
        return EMT_EUNSUPPORTED;
    }
    return err != EMT_OK ? err : out->failed ? EMT_ELIMIT : EMT_OK;
}

enum emt_err oms_put_datetime(struct writer *out, uint8_t dif, int year, int month, int day,
                              int hour, int minute, bool summer)
{
    unsigned y = (unsigned)(year - 2000);

    if (year < 2000 || year > 2080 || month < 1 || month > 12 || day < 1 || day > 31 || hour < 0 ||
        hour > 23 || minute < 0 || minute > 59 || (dif & 0x0fu) != MBUS_INT32)
        return EMT_EMALFORMED;
    writer_u8(out, dif);
    writer_u8(out, 0x6d);
    writer_u8(out, (uint8_t)minute);
    writer_u8(out, (uint8_t)((unsigned)hour | (summer ? 0x80u : 0)));
    writer_u8(out, (uint8_t)((unsigned)day | (y & 7u) << 5));
    writer_u8(out, (uint8_t)((unsigned)month | (y >> 3) << 4));
    return out->failed ? EMT_ELIMIT : EMT_OK;
}
