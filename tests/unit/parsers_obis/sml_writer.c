#include "sml_writer.h"

#include "base/hex.h"
#include "common/crc16.h"

#include <check.h>
#include <string.h>

void sml_writer_init(struct sml_writer *w)
{
    memset(w, 0, sizeof *w);
    writer_init_fixed(&w->body, w->storage, sizeof w->storage);
}

static void put_tl(struct sml_writer *w, unsigned type, size_t len)
{
    if (len < 16) {
        writer_u8(&w->body, (uint8_t)(type << 4 | len));
        return;
    }
    ck_assert_uint_lt(len, 256);
    writer_u8(&w->body, (uint8_t)(0x80u | type << 4 | len >> 4));
    writer_u8(&w->body, (uint8_t)(len & 0x0fu));
}

void sml_list(struct sml_writer *w, unsigned n)
{
    put_tl(w, 7, n);
}

void sml_none(struct sml_writer *w)
{
    writer_u8(&w->body, 0x01);
}

void sml_octets(struct sml_writer *w, const void *p, size_t n)
{
    put_tl(w, 0, n + (n < 15 ? 1 : 2));
    writer_bytes(&w->body, p, n);
}

void sml_hex(struct sml_writer *w, const char *hex)
{
    uint8_t bytes[128];
    size_t n = 0;

    ck_assert_int_eq(hex_decode(hex, strlen(hex), bytes, sizeof bytes, &n), EMT_OK);
    sml_octets(w, bytes, n);
}

void sml_raw(struct sml_writer *w, const char *hex)
{
    uint8_t bytes[512];
    size_t n = 0;

    ck_assert_int_eq(hex_decode(hex, strlen(hex), bytes, sizeof bytes, &n), EMT_OK);
    writer_bytes(&w->body, bytes, n);
}

void sml_unsigned(struct sml_writer *w, unsigned bytes, uint64_t v)
{
    put_tl(w, 6, bytes + 1);
    writer_be(&w->body, v, bytes);
}

void sml_integer(struct sml_writer *w, unsigned bytes, int64_t v)
{
    put_tl(w, 5, bytes + 1);
    for (unsigned i = bytes; i > 0; i--)
        writer_u8(&w->body, (uint8_t)((uint64_t)v >> (8 * (i - 1))));
}

void sml_timestamp(struct sml_writer *w, uint32_t seconds)
{
    sml_list(w, 2);
    sml_unsigned(w, 1, 2);
    sml_unsigned(w, 4, seconds);
}

void sml_message(struct sml_writer *w, uint32_t tag)
{
    w->start = w->body.len;
    sml_list(w, 6);
    sml_hex(w, "00010203");
    sml_unsigned(w, 1, 0);
    sml_unsigned(w, 1, 0);
    sml_list(w, 2);
    sml_unsigned(w, 2, tag);
}

void sml_message_end(struct sml_writer *w)
{
    const uint8_t *p = w->body.data + w->start;
    size_t n = w->body.len - w->start;
    uint16_t crc = w->kermit ? crc16_kermit(p, n) : crc16_x25(p, n);

    sml_unsigned(w, 2, (uint16_t)((unsigned)crc << 8 | crc >> 8));
    writer_u8(&w->body, 0x00);
}

void sml_open(struct sml_writer *w, const char *server)
{
    sml_message(w, 0x0101);
    sml_list(w, 6);
    sml_none(w);
    sml_none(w);
    sml_hex(w, "0001");
    sml_hex(w, server);
    sml_none(w);
    sml_none(w);
    sml_message_end(w);
}

void sml_close(struct sml_writer *w)
{
    sml_message(w, 0x0201);
    sml_list(w, 1);
    sml_none(w);
    sml_message_end(w);
}

void sml_get_list(struct sml_writer *w, const char *server, unsigned n)
{
    sml_message(w, 0x0701);
    sml_list(w, 7);
    sml_none(w);
    sml_hex(w, server);
    sml_hex(w, "0100620affff");
    sml_none(w);
    sml_list(w, n);
}

void sml_get_list_end(struct sml_writer *w)
{
    sml_none(w);
    sml_none(w);
    sml_message_end(w);
}

void sml_entry(struct sml_writer *w, const char *obis, unsigned unit, int scaler, int64_t value)
{
    sml_list(w, 7);
    sml_hex(w, obis);
    sml_none(w);
    sml_none(w);
    sml_unsigned(w, 1, unit);
    sml_integer(w, 1, scaler);
    sml_integer(w, 4, value);
    sml_none(w);
}

size_t sml_envelope(const struct sml_writer *w, unsigned version, uint8_t *out)
{
    static const uint8_t escape[] = { 0x1b, 0x1b, 0x1b, 0x1b };
    unsigned padding = (4 - (unsigned)w->body.len % 4) % 4;
    uint8_t body[4100] = { 0 };
    struct writer o;

    ck_assert(!w->body.failed);
    memcpy(body, w->body.data, w->body.len);
    writer_init_fixed(&o, out, 8192);
    writer_bytes(&o, escape, 4);
    for (unsigned i = 0; i < 4; i++)
        writer_u8(&o, (uint8_t)version);
    for (size_t i = 0; i < w->body.len + padding; i += 4) {
        if (memcmp(body + i, escape, 4) == 0)
            writer_bytes(&o, escape, 4);
        writer_bytes(&o, body + i, 4);
    }
    writer_bytes(&o, escape, 4);
    writer_u8(&o, 0x1a);
    writer_u8(&o, (uint8_t)padding);
    writer_le(&o, crc16_x25(out, o.len), 2);
    ck_assert(!o.failed);
    return o.len;
}
