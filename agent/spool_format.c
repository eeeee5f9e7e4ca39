/* File layout, little endian:
 *
 *   off  size
 *     0   512  header, and again at 512: one copy survives a torn sector
 *                0  8 "EMTSPOOL"   8  4 version   12  4 CRC-32C of bytes 16..39
 *               16 16 spool id    32  8 size of the ring in bytes
 *  1024   512  cursor, and again at 1536, written in turn: the higher generation counts
 *                0  8 generation   8  8 acknowledged up to   16  8 durable up to
 *               24  4 CRC-32C of spool id and bytes 0..23
 *  4096     n  the ring: records at multiples of 16, never across the end
 *
 *   off  size  record
 *     0     4  "EMTR"
 *     4     4  CRC-32C of spool id and bytes 8 .. 40+n
 *     8     8  sequence number
 *    16     8  received, microseconds UTC
 *    24     4  n, bytes of data
 *    28     2  protocol
 *    30     2  format
 *    32     4  rssi, dBm
 *    36     4  0
 *    40     n  data, then zeros up to a multiple of 16 */
#include "spool_format.h"

#include "agent/crc32c.h"
#include "base/reader.h"
#include "base/writer.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define MAGIC "EMTSPOOL"
#define VERSION 1u
#define HEADER_LEN 40u
#define RECORD_MAGIC 0x52544d45u /* "EMTR" */

uint32_t spool_seed(const uint8_t id[SPOOL_ID_LEN])
{
    return crc32c(0, id, SPOOL_ID_LEN);
}

enum emt_err spool_write_at(int fd, const uint8_t *p, size_t n, uint64_t at)
{
    while (n > 0) {
        ssize_t done = pwrite(fd, p, n, (off_t)at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return EMT_EIO;
        p += done;
        n -= (size_t)done;
        at += (uint64_t)done;
    }
    return EMT_OK;
}

enum emt_err spool_read_at(int fd, uint8_t *p, size_t n, uint64_t at)
{
    while (n > 0) {
        ssize_t done = pread(fd, p, n, (off_t)at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return EMT_EIO;
        p += done;
        n -= (size_t)done;
        at += (uint64_t)done;
    }
    return EMT_OK;
}

size_t spool_record_size(size_t len)
{
    return (SPOOL_RECORD_HEAD + len + SPOOL_UNIT - 1) / SPOOL_UNIT * SPOOL_UNIT;
}

void spool_header_put(const uint8_t id[SPOOL_ID_LEN], uint64_t size, uint8_t out[SPOOL_SECTOR])
{
    struct writer w;

    memset(out, 0, SPOOL_SECTOR);
    writer_init_fixed(&w, out, SPOOL_SECTOR);
    writer_text(&w, MAGIC);
    writer_le(&w, VERSION, 4);
    writer_le(&w, 0, 4);
    writer_bytes(&w, id, SPOOL_ID_LEN);
    writer_le(&w, size, 8);
    uint32_t crc = crc32c(0, out + 16, HEADER_LEN - 16);
    writer_init_fixed(&w, out + 12, 4);
    writer_le(&w, crc, 4);
}

bool spool_header_get(const uint8_t in[SPOOL_SECTOR], uint8_t id[SPOOL_ID_LEN], uint64_t *size)
{
    struct reader r = reader_of(in, HEADER_LEN);
    const uint8_t *magic = reader_bytes(&r, 8);
    uint32_t version = reader_u32le(&r);
    uint32_t crc = reader_u32le(&r);

    if (memcmp(magic, MAGIC, 8) != 0 || version != VERSION ||
        crc != crc32c(0, in + 16, HEADER_LEN - 16))
        return false;
    reader_copy(&r, id, SPOOL_ID_LEN);
    *size = reader_le(&r, 8);
    return *size >= SPOOL_SIZE_MIN && *size <= SPOOL_SIZE_MAX && *size % SPOOL_UNIT == 0;
}

void spool_cursor_put(uint32_t seed, const struct spool_cursor *c, uint8_t out[SPOOL_CURSOR_LEN])
{
    struct writer w;

    writer_init_fixed(&w, out, SPOOL_CURSOR_LEN);
    writer_le(&w, c->generation, 8);
    writer_le(&w, c->acked, 8);
    writer_le(&w, c->durable, 8);
    writer_le(&w, crc32c(seed, out, 24), 4);
}

bool spool_cursor_get(uint32_t seed, const uint8_t in[SPOOL_CURSOR_LEN], struct spool_cursor *c)
{
    struct reader r = reader_of(in, SPOOL_CURSOR_LEN);

    c->generation = reader_le(&r, 8);
    c->acked = reader_le(&r, 8);
    c->durable = reader_le(&r, 8);
    return reader_u32le(&r) == crc32c(seed, in, 24) && c->acked <= c->durable;
}

size_t spool_record_put(uint32_t seed, const struct spool_frame *f, uint64_t seq,
                        uint8_t out[SPOOL_RECORD_MAX])
{
    size_t size = spool_record_size(f->len);
    struct writer w;

    memset(out, 0, size);
    writer_init_fixed(&w, out, size);
    writer_le(&w, RECORD_MAGIC, 4);
    writer_le(&w, 0, 4);
    writer_le(&w, seq, 8);
    writer_le(&w, (uint64_t)f->received_at, 8);
    writer_le(&w, f->len, 4);
    writer_le(&w, f->protocol, 2);
    writer_le(&w, f->format, 2);
    writer_le(&w, (uint32_t)f->rssi_dbm, 4);
    writer_le(&w, 0, 4);
    writer_bytes(&w, f->data, f->len);
    uint32_t crc = crc32c(seed, out + 8, SPOOL_RECORD_HEAD - 8 + f->len);
    writer_init_fixed(&w, out + 4, 4);
    writer_le(&w, crc, 4);
    return size;
}

bool spool_record_get(uint32_t seed, const uint8_t *in, size_t left, struct spool_frame *f)
{
    struct reader r = reader_of(in, left);
    uint32_t magic = reader_u32le(&r);

    if (magic != RECORD_MAGIC)
        return false;
    uint32_t crc = reader_u32le(&r);
    f->seq = reader_le(&r, 8);
    f->received_at = (emt_time)reader_le(&r, 8);
    f->len = reader_u32le(&r);
    f->protocol = reader_u16le(&r);
    f->format = reader_u16le(&r);
    f->rssi_dbm = (int32_t)reader_u32le(&r);
    reader_skip(&r, 4);
    if (f->len == 0 || f->len > SPOOL_FRAME_MAX || f->seq == 0)
        return false;
    f->data = reader_bytes(&r, f->len);
    return !r.failed && crc == crc32c(seed, in + 8, SPOOL_RECORD_HEAD - 8 + f->len);
}
