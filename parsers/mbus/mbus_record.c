#include "mbus_record.h"

#include <string.h>

/* DIF  7 DIFE follows, 6 storage bit 0, 5-4 function, 3-0 coding
 * DIFE 7 more, 6 sub-unit, 5-4 tariff, 3-0 storage; up to 10
 * VIF  7 VIFE follows; 7C/FC: unit as text (length, characters last first) stands before the VIFEs
 * VIFE 7 more; up to 10
 * data by coding; MBUS_VARIABLE begins with a length byte LVAR */
#define MORE 0x80u
#define DIF_MANUFACTURER 0x0f
#define DIF_MORE_FOLLOWS 0x1f
#define DIF_FILLER 0x2f
#define VIF_TEXT 0x7cu

static enum emt_err read_difes(struct reader *in, uint8_t dif, struct mbus_record *rec)
{
    uint8_t b = dif;

    for (unsigned i = 0; b & MORE; i++) {
        if (i == MBUS_EXTENSIONS_MAX)
            return EMT_EMALFORMED;
        b = reader_u8(in); /* 0 past the end, so the loop stops */
        rec->storage |= (uint64_t)(b & 0x0fu) << (1 + 4 * i);
        rec->tariff |= (uint32_t)(b >> 4 & 0x03u) << (2 * i);
        rec->subunit = (uint16_t)(rec->subunit | (b >> 6 & 0x01u) << i);
    }
    return EMT_OK;
}

static enum emt_err read_vib(struct reader *in, struct mbus_record *rec)
{
    uint8_t b = reader_u8(in);

    rec->vif[rec->vif_len++] = b;
    if ((b & ~MORE) == VIF_TEXT) {
        rec->unit_len = reader_u8(in);
        rec->unit = reader_bytes(in, rec->unit_len);
    }
    while (b & MORE) {
        if (rec->vif_len == MBUS_VIB_MAX)
            return EMT_EMALFORMED;
        b = reader_u8(in);
        rec->vif[rec->vif_len++] = b;
    }
    return EMT_OK;
}

/* Written in place: this runs for every record of every telegram, and a copy costs more than the
 * reading does. */
enum emt_err mbus_record_header(struct reader *in, struct mbus_record *out)
{
    size_t from = in->pos;
    uint8_t dif = reader_u8(in);
    enum emt_err err;

    memset(out, 0, sizeof *out);
    out->coding = dif & 0x0fu;
    out->function = (enum reading_function)(dif >> 4 & 0x03u);
    out->storage = dif >> 6 & 0x01u;
    if (dif == DIF_MANUFACTURER || dif == DIF_MORE_FOLLOWS) {
        out->tail = true;
        out->more_follows = dif == DIF_MORE_FOLLOWS;
    } else if (out->coding == MBUS_SPECIAL) {
        return EMT_EMALFORMED; /* reserved, or a request that no meter sends */
    } else {
        err = read_difes(in, dif, out);
        if (err == EMT_OK)
            err = read_vib(in, out);
        if (err != EMT_OK)
            return err;
    }
    if (in->failed)
        return EMT_ETRUNCATED;
    out->header = in->data + from;
    out->header_len = in->pos - from;
    return EMT_OK;
}

/* Bytes behind LVAR (EN 13757-3, variable length). C0..C9 and D0..D9 count bytes of two BCD digits.
 */
static enum emt_err variable_length(uint8_t lvar, size_t *len)
{
    if (lvar <= 0xbf)
        *len = lvar;
    else if ((lvar >= 0xc0 && lvar <= 0xc9) || (lvar >= 0xd0 && lvar <= 0xd9) ||
             (lvar >= 0xe0 && lvar <= 0xef))
        *len = lvar & 0x0fu;
    else if (lvar >= 0xf0 && lvar <= 0xf4)
        *len = (size_t)(lvar - 0xec) * 4;
    else if (lvar == 0xf5)
        *len = 48;
    else if (lvar == 0xf6)
        *len = 64;
    else
        return EMT_EMALFORMED;
    return EMT_OK;
}

enum emt_err mbus_record_data(struct reader *in, struct mbus_record *rec)
{
    static const uint8_t lengths[16] = {
        [MBUS_INT8] = 1,    [MBUS_INT16] = 2, [MBUS_INT24] = 3, [MBUS_INT32] = 4,
        [MBUS_FLOAT32] = 4, [MBUS_INT48] = 6, [MBUS_INT64] = 8, [MBUS_BCD2] = 1,
        [MBUS_BCD4] = 2,    [MBUS_BCD6] = 3,  [MBUS_BCD8] = 4,  [MBUS_BCD12] = 6,
    };
    size_t len = lengths[rec->coding];
    enum emt_err err;

    if (rec->tail) {
        len = reader_left(in);
    } else if (rec->coding == MBUS_VARIABLE) {
        rec->lvar = reader_u8(in);
        err = variable_length(rec->lvar, &len);
        if (err != EMT_OK)
            return err;
    }
    rec->value = reader_bytes(in, len);
    rec->value_len = len;
    return in->failed ? EMT_ETRUNCATED : EMT_OK;
}

enum emt_err mbus_record_decode(struct reader *in, struct mbus_record *out)
{
    enum emt_err err;

    while (reader_left(in) > 0 && reader_peek(in, 0) == DIF_FILLER)
        reader_skip(in, 1);
    if (reader_at_end(in))
        return EMT_ENOTFOUND;
    err = mbus_record_header(in, out);
    return err == EMT_OK ? mbus_record_data(in, out) : err;
}

enum emt_err mbus_records_check(const uint8_t *p, size_t n, unsigned *count)
{
    struct reader in = reader_of(p, n);
    struct mbus_record rec;
    enum emt_err err = EMT_OK;

    *count = 0;
    while ((err = mbus_record_decode(&in, &rec)) == EMT_OK)
        ++*count;
    return err == EMT_ENOTFOUND ? EMT_OK : err;
}
