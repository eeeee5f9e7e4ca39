/* Bytes of a spool file (layout in spool_format.c). Private to the agent. */
#ifndef EMT_AGENT_SPOOL_FORMAT_H
#define EMT_AGENT_SPOOL_FORMAT_H

#include "agent/spool.h"
#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPOOL_SECTOR ((size_t)512)
#define SPOOL_CURSOR_AT ((size_t)1024)
#define SPOOL_RING_AT ((size_t)4096)
#define SPOOL_UNIT ((size_t)16)
#define SPOOL_CURSOR_LEN ((size_t)28)
#define SPOOL_RECORD_HEAD ((size_t)40)
#define SPOOL_RECORD_MAX (SPOOL_RECORD_HEAD + SPOOL_FRAME_MAX + SPOOL_UNIT)

struct spool_cursor {
    uint64_t generation;
    uint64_t acked;
    uint64_t durable;
};

/* Checksum over the id, from which those of cursor and records go on. */
uint32_t spool_seed(const uint8_t id[SPOOL_ID_LEN]);

void spool_header_put(const uint8_t id[SPOOL_ID_LEN], uint64_t size, uint8_t out[SPOOL_SECTOR]);
bool spool_header_get(const uint8_t in[SPOOL_SECTOR], uint8_t id[SPOOL_ID_LEN], uint64_t *size);

void spool_cursor_put(uint32_t seed, const struct spool_cursor *c, uint8_t out[SPOOL_CURSOR_LEN]);
bool spool_cursor_get(uint32_t seed, const uint8_t in[SPOOL_CURSOR_LEN], struct spool_cursor *c);

/* Bytes that a frame of len takes in the ring. */
size_t spool_record_size(size_t len);
/* Returns that size. */
size_t spool_record_put(uint32_t seed, const struct spool_frame *f, uint64_t seq,
                        uint8_t out[SPOOL_RECORD_MAX]);
/* Fills *f (data borrowed from in) when a sound record begins at in. */
bool spool_record_get(uint32_t seed, const uint8_t *in, size_t left, struct spool_frame *f);

/* All n bytes or EMT_EIO. */
EMT_CHECKED enum emt_err spool_write_at(int fd, const uint8_t *p, size_t n, uint64_t at);
EMT_CHECKED enum emt_err spool_read_at(int fd, uint8_t *p, size_t n, uint64_t at);

#endif
