/* 0f | long-invoke-id 4 | 00 (no time) | structure 2 { structure 2 { code, identity }, body }.
 * body of values: array { structure { code, value[, structure { scaler, unit }] } }; of a profile:
 * structure { array of object definitions, buffer }. A definition is { class, code, attribute, data
 * index } and, where known, the scale of the column or (of the clock) the capture period. */
#include "source_dlms_frame.h"

#include "base/reader.h"

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define DATA_NOTIFICATION 0x0f
#define ARRAY 0x01
#define STRUCTURE 0x02
#define UINT32 0x06
#define OCTETS 0x09
#define INT8 0x0f
#define UINT16 0x12
#define ENUM 0x16
#define CLASS_CLOCK 8

/* ---- what the meter says ---- */

/* structure { long-unsigned, octet-string of 6, integer, long-unsigned, … }; what follows (a
 * restriction, columns) belongs to array columns of newer meters, which are not read. */
static bool read_captured(struct reader *in, struct dlms_captured *c)
{
    if (reader_u8(in) != STRUCTURE || reader_u8(in) != 4 || reader_u8(in) != UINT16)
        return false;
    c->class_id = reader_u16be(in);
    if (reader_u8(in) != OCTETS || reader_u8(in) != 6)
        return false;
    uint64_t code = (uint64_t)reader_u16be(in) << 32;
    c->obis = obis_unpack(code | reader_u32be(in));
    if (reader_u8(in) != INT8)
        return false;
    c->attribute = (int8_t)reader_u8(in);
    if (reader_u8(in) != UINT16)
        return false;
    c->index = reader_u16be(in);
    c->scale = (struct dlms_scale_unit){ 0 };
    return !in->failed;
}

enum emt_err dlms_captured_read(const uint8_t *p, size_t n, struct dlms_captured *list,
                                unsigned *count)
{
    struct reader in = reader_of(p, n);
    uint8_t tag = reader_u8(&in), elements = reader_u8(&in);

    *count = 0;
    if (tag != ARRAY || elements == 0)
        return EMT_EMALFORMED;
    if (elements > DLMS_FRAME_COLUMNS_MAX)
        return EMT_ELIMIT;
    for (unsigned i = 0; i < elements; i++) {
        if (!read_captured(&in, &list[i]))
            return EMT_EMALFORMED;
    }
    if (!reader_at_end(&in))
        return EMT_EMALFORMED;
    *count = elements;
    return EMT_OK;
}

enum emt_err dlms_scale_unit_read(const uint8_t *p, size_t n, struct dlms_scale_unit *out)
{
    struct reader in = reader_of(p, n);

    if (reader_u8(&in) != STRUCTURE || reader_u8(&in) != 2 || reader_u8(&in) != INT8)
        return EMT_EMALFORMED;
    out->scaler = (int8_t)reader_u8(&in);
    if (reader_u8(&in) != ENUM)
        return EMT_EMALFORMED;
    out->unit = reader_u8(&in);
    out->known = !in.failed && reader_at_end(&in);
    return out->known ? EMT_OK : EMT_EMALFORMED;
}

enum emt_err dlms_period_read(const uint8_t *p, size_t n, uint32_t *out)
{
    struct reader in = reader_of(p, n);
    uint8_t tag = reader_u8(&in);
    uint32_t v = reader_u32be(&in);

    if (tag != UINT32 || in.failed || !reader_at_end(&in))
        return EMT_EMALFORMED;
    *out = v;
    return EMT_OK;
}

/* ---- what we send on ---- */

static void put_code(struct writer *w, struct obis obis)
{
    writer_u8(w, OCTETS);
    writer_u8(w, 6);
    writer_be(w, obis_pack(obis), 6);
}

static void put_scale(struct writer *w, const struct dlms_scale_unit *scale)
{
    writer_u8(w, STRUCTURE);
    writer_u8(w, 2);
    writer_u8(w, INT8);
    writer_u8(w, (uint8_t)scale->scaler);
    writer_u8(w, ENUM);
    writer_u8(w, scale->unit);
}

static void put_head(struct writer *w, const struct dlms_identity *id)
{
    writer_u8(w, DATA_NOTIFICATION);
    writer_be(w, 0, 4);
    writer_u8(w, 0);
    writer_u8(w, STRUCTURE);
    writer_u8(w, 2);
    writer_u8(w, STRUCTURE);
    writer_u8(w, 2);
    put_code(w, id->obis);
    writer_bytes(w, id->value, id->len);
}

void dlms_frame_value(struct writer *w, struct obis obis, const uint8_t *value, size_t n,
                      const struct dlms_scale_unit *scale)
{
    writer_u8(w, STRUCTURE);
    writer_u8(w, scale->known ? 3 : 2);
    put_code(w, obis);
    writer_bytes(w, value, n);
    if (scale->known)
        put_scale(w, scale);
}

void dlms_frame_values(struct writer *w, const struct dlms_identity *id, const uint8_t *elements,
                       size_t n, unsigned count)
{
    put_head(w, id);
    writer_u8(w, ARRAY);
    writer_u8(w, (uint8_t)count); /* at most 64: one byte of length */
    writer_bytes(w, elements, n);
}

static void put_definition(struct writer *w, const struct dlms_captured *c, uint32_t period_s)
{
    bool clock = c->class_id == CLASS_CLOCK && period_s > 0;

    writer_u8(w, STRUCTURE);
    writer_u8(w, c->scale.known || clock ? 5 : 4);
    writer_u8(w, UINT16);
    writer_be(w, c->class_id, 2);
    put_code(w, c->obis);
    writer_u8(w, INT8);
    writer_u8(w, (uint8_t)c->attribute);
    writer_u8(w, UINT16);
    writer_be(w, c->index, 2);
    if (c->scale.known) {
        put_scale(w, &c->scale);
    } else if (clock) {
        writer_u8(w, UINT32);
        writer_be(w, period_s, 4);
    }
}

void dlms_frame_buffer(struct writer *w, const struct dlms_identity *id,
                       const struct dlms_captured *list, unsigned count, uint32_t period_s,
                       const uint8_t *buffer, size_t n)
{
    put_head(w, id);
    writer_u8(w, STRUCTURE);
    writer_u8(w, 2);
    writer_u8(w, ARRAY);
    writer_u8(w, (uint8_t)count);
    for (unsigned i = 0; i < count; i++)
        put_definition(w, &list[i], period_s);
    writer_bytes(w, buffer, n);
}
