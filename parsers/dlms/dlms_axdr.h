/* A-XDR data as DLMS sends it (IEC 62056-6-2, type Data; IEC 61334-6): a flat list of nodes in the
 * order of the bytes, containers before what they hold.
 *
 * Depth and number of nodes are bounded; a count from the wire is checked against the bytes that
 * are left before anything is made of it. */
#ifndef EMT_PARSERS_DLMS_AXDR_H
#define EMT_PARSERS_DLMS_AXDR_H

#include "base/attr.h"
#include "base/error.h"
#include "base/reader.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

#define AXDR_DEPTH_MAX 16
#define AXDR_NODES_MAX 32768

enum axdr_tag {
    AXDR_NULL = 0,
    AXDR_ARRAY = 1,
    AXDR_STRUCTURE = 2,
    AXDR_BOOLEAN = 3,
    AXDR_BIT_STRING = 4,
    AXDR_INT32 = 5,
    AXDR_UINT32 = 6,
    AXDR_OCTETS = 9,
    AXDR_VISIBLE = 10,
    AXDR_UTF8 = 12,
    AXDR_BCD = 13,
    AXDR_INT8 = 15,
    AXDR_INT16 = 16,
    AXDR_UINT8 = 17,
    AXDR_UINT16 = 18,
    AXDR_COMPACT = 19, /* read into an array: no node has this tag */
    AXDR_INT64 = 20,
    AXDR_UINT64 = 21,
    AXDR_ENUM = 22,
    AXDR_FLOAT32 = 23,
    AXDR_FLOAT64 = 24,
    AXDR_DATE_TIME = 25,
    AXDR_DATE = 26,
    AXDR_TIME = 27,
    AXDR_DONT_CARE = 255
};

struct axdr_node {
    uint8_t tag;
    uint32_t n;       /* elements of a container, bytes of a string, bits of a bit string */
    uint32_t next;    /* index of the node behind this one and everything below it */
    uint32_t from;    /* of its first byte, counted from the tree's */
    const uint8_t *p; /* content of strings, floats, dates; borrowed */
    int64_t i;        /* integers, enum, boolean; UINT64: its bits */
};

struct axdr_tree {
    const struct axdr_node *nodes; /* nodes[0] is the root */
    unsigned n;
    const uint8_t *start; /* first byte of the root; borrowed */
    size_t len;
};

/* Bytes of a node and everything below it. */
size_t axdr_node_len(const struct axdr_tree *tree, uint32_t at);
/* One data element with everything below it; nodes live in the arena.
 * swapped: 06 09 before six bytes that could be an OBIS code is read as 09 06 (a meter's defect).
 * EMT_ETRUNCATED the bytes end before; EMT_EMALFORMED unknown tag, odd length, too deep; EMT_ELIMIT
 * more than AXDR_NODES_MAX; EMT_ENOMEM. */
EMT_CHECKED enum emt_err axdr_read(struct reader *in, struct arena *arena, bool swapped,
                                   struct axdr_tree *out);

/* A length: one byte below 128, else 8n and n bytes, n = 1..4. Fails the reader otherwise. */
size_t axdr_length(struct reader *in);

bool axdr_is_container(const struct axdr_node *node);
/* Any integer, without enum and boolean. */
bool axdr_is_integer(const struct axdr_node *node);
/* An octet string of six bytes that can be the logical name of an object. */
bool axdr_is_obis(const struct axdr_node *node);
bool axdr_is_obis_bytes(const uint8_t *p);

#endif
