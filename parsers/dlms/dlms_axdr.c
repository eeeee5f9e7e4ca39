/* Each element: tag, then its content. Strings and containers carry a length or count first.
 *
 * compact-array (13): the description of one element (a tag; 02 count descriptions; 01 u16 count
 * and one description), then the number of content bytes, then the elements without their tags. */
#include "dlms_axdr.h"

#include "base/arena.h"

#include <string.h>

#define FIRST_NODES 64
#define TYPES_MAX 64 /* parts of the description of a compact array */
#define OBIS_LEN 6

struct builder {
    struct reader *in;
    struct arena *arena;
    struct axdr_node *nodes;
    unsigned n, cap;
    bool swapped;
    const uint8_t *start;
    enum emt_err err; /* why it stopped, where the reader did not fail */
};

/* How the content of a scalar is laid out. */
enum layout { LAYOUT_NONE = 0, LAYOUT_EMPTY, LAYOUT_SIGNED, LAYOUT_UNSIGNED, LAYOUT_FIXED };

static const struct {
    uint8_t layout, len;
} scalars[] = {
    [AXDR_NULL] = { LAYOUT_EMPTY, 0 },       [AXDR_BOOLEAN] = { LAYOUT_UNSIGNED, 1 },
    [AXDR_INT32] = { LAYOUT_SIGNED, 4 },     [AXDR_UINT32] = { LAYOUT_UNSIGNED, 4 },
    [AXDR_BCD] = { LAYOUT_FIXED, 1 },        [AXDR_INT8] = { LAYOUT_SIGNED, 1 },
    [AXDR_INT16] = { LAYOUT_SIGNED, 2 },     [AXDR_UINT8] = { LAYOUT_UNSIGNED, 1 },
    [AXDR_UINT16] = { LAYOUT_UNSIGNED, 2 },  [AXDR_INT64] = { LAYOUT_SIGNED, 8 },
    [AXDR_UINT64] = { LAYOUT_UNSIGNED, 8 },  [AXDR_ENUM] = { LAYOUT_UNSIGNED, 1 },
    [AXDR_FLOAT32] = { LAYOUT_FIXED, 4 },    [AXDR_FLOAT64] = { LAYOUT_FIXED, 8 },
    [AXDR_DATE_TIME] = { LAYOUT_FIXED, 12 }, [AXDR_DATE] = { LAYOUT_FIXED, 5 },
    [AXDR_TIME] = { LAYOUT_FIXED, 4 },
};

size_t axdr_length(struct reader *in)
{
    uint8_t first = reader_u8(in);
    unsigned n = first & 0x7fu;

    if (!(first & 0x80u))
        return first;
    if (n < 1 || n > 4) {
        reader_fail(in);
        return 0;
    }
    return (size_t)reader_be(in, n);
}

bool axdr_is_container(const struct axdr_node *node)
{
    return node->tag == AXDR_ARRAY || node->tag == AXDR_STRUCTURE;
}

bool axdr_is_integer(const struct axdr_node *node)
{
    switch (node->tag) {
    case AXDR_INT8:
    case AXDR_INT16:
    case AXDR_INT32:
    case AXDR_INT64:
    case AXDR_UINT8:
    case AXDR_UINT16:
    case AXDR_UINT32:
    case AXDR_UINT64:
        return true;
    default:
        return false;
    }
}

/* IEC 62056-6-1: A is a medium (0..15) or manufacturer specific (128..199), F a billing period, its
 * relative number (101..126) or 255. Digits of a serial number have neither. */
bool axdr_is_obis_bytes(const uint8_t *p)
{
    return (p[0] <= 15 || (p[0] >= 128 && p[0] <= 199)) && (p[5] <= 126 || p[5] == 255);
}

bool axdr_is_obis(const struct axdr_node *node)
{
    return node->tag == AXDR_OCTETS && node->n == OBIS_LEN && axdr_is_obis_bytes(node->p);
}

static bool stop(struct builder *b, enum emt_err err)
{
    if (b->err == EMT_OK)
        b->err = err;
    return false;
}

static bool grow(struct builder *b)
{
    unsigned cap = b->cap ? 2 * b->cap : FIRST_NODES;
    struct axdr_node *nodes;

    if (b->n >= AXDR_NODES_MAX)
        return stop(b, EMT_ELIMIT);
    nodes = (struct axdr_node *)arena_alloc(b->arena, cap * sizeof *nodes);
    if (!nodes)
        return stop(b, EMT_ENOMEM);
    if (b->n)
        memcpy(nodes, b->nodes, b->n * sizeof *nodes);
    b->nodes = nodes;
    b->cap = cap;
    return true;
}

/* The new node's index is b->n - 1; NULL stops. */
static struct axdr_node *add(struct builder *b, uint8_t tag)
{
    struct axdr_node *node;

    if (b->n == b->cap && !grow(b))
        return NULL;
    node = &b->nodes[b->n++];
    node->tag = tag;
    node->next = b->n;
    node->from = (uint32_t)(b->in->data + b->in->pos - b->start);
    return node;
}

static int64_t sign_extend(uint64_t v, unsigned bytes)
{
    unsigned bits = 64 - 8 * bytes;

    return (int64_t)(v << bits) >> bits;
}

static bool read_string(struct builder *b, struct axdr_node *node)
{
    size_t n = axdr_length(b->in);
    size_t bytes = node->tag == AXDR_BIT_STRING ? n / 8 + (n % 8 != 0) : n;

    node->n = (uint32_t)n;
    node->p = reader_bytes(b->in, bytes);
    return !b->in->failed;
}

static bool read_scalar(struct builder *b, struct axdr_node *node)
{
    unsigned len;

    if (node->tag == AXDR_DONT_CARE)
        return true;
    if (node->tag == AXDR_OCTETS || node->tag == AXDR_VISIBLE || node->tag == AXDR_UTF8 ||
        node->tag == AXDR_BIT_STRING)
        return read_string(b, node);
    if (node->tag >= sizeof scalars / sizeof scalars[0] || scalars[node->tag].layout == LAYOUT_NONE)
        return stop(b, EMT_EMALFORMED);
    len = scalars[node->tag].len;
    switch ((enum layout)scalars[node->tag].layout) {
    case LAYOUT_SIGNED:
        node->i = sign_extend(reader_be(b->in, len), len);
        break;
    case LAYOUT_UNSIGNED:
        node->i = (int64_t)reader_be(b->in, len);
        break;
    case LAYOUT_FIXED:
        node->n = len;
        node->p = reader_bytes(b->in, len);
        break;
    case LAYOUT_EMPTY:
    case LAYOUT_NONE:
        break;
    }
    return !b->in->failed;
}

/* ---- compact arrays ---- */

struct type {
    uint8_t tag;
    uint16_t count; /* elements of an array, parts of a structure */
    uint16_t next;  /* index of the type behind this one */
};

struct description {
    struct type types[TYPES_MAX];
    unsigned n;
};

static bool read_type(struct builder *b, struct description *d, unsigned depth)
{
    unsigned at = d->n, parts = 0;
    struct type *t;

    if (depth == AXDR_DEPTH_MAX || d->n == TYPES_MAX)
        return stop(b, EMT_EMALFORMED);
    d->n++;
    t = &d->types[at];
    t->tag = reader_u8(b->in);
    t->count = 0;
    if (t->tag == AXDR_STRUCTURE) {
        t->count = (uint16_t)axdr_length(b->in);
        parts = t->count;
    } else if (t->tag == AXDR_ARRAY) {
        t->count = reader_u16be(b->in);
        parts = 1;
    } else if (t->tag == AXDR_COMPACT) {
        return stop(b, EMT_EMALFORMED);
    }
    if (b->in->failed || parts > TYPES_MAX)
        return stop(b, EMT_EMALFORMED);
    for (unsigned i = 0; i < parts; i++)
        if (!read_type(b, d, depth + 1))
            return false;
    d->types[at].next = (uint16_t)d->n;
    return true;
}

/* One element of the type at `at`. The recursion follows the description, whose depth is bounded;
 * the number of nodes bounds arrays of nothing. */
static bool read_typed(struct builder *b, const struct description *d, unsigned at)
{
    const struct type *t = &d->types[at];
    struct axdr_node *node = add(b, t->tag);
    unsigned index = b->n - 1, part = at + 1;

    if (!node)
        return false;
    if (t->tag != AXDR_STRUCTURE && t->tag != AXDR_ARRAY)
        return read_scalar(b, node);
    node->n = t->count;
    for (unsigned i = 0; i < t->count; i++) {
        if (!read_typed(b, d, part))
            return false;
        if (t->tag == AXDR_STRUCTURE)
            part = d->types[part].next;
    }
    b->nodes[index].next = b->n;
    return true;
}

static bool read_compact(struct builder *b, unsigned index, unsigned depth)
{
    struct description d = { .n = 0 };
    struct reader *whole = b->in;
    struct reader content;
    bool ok = read_type(b, &d, depth);

    if (!ok)
        return false;
    content = reader_sub(whole, axdr_length(whole));
    if (whole->failed)
        return false;
    b->in = &content;
    while (ok && reader_left(&content) > 0) {
        size_t before = reader_left(&content);

        ok = read_typed(b, &d, 0);
        if (ok && reader_left(&content) == before)
            ok = stop(b, EMT_EMALFORMED); /* elements of no bytes never end */
        b->nodes[index].n++;
    }
    if (content.failed)
        ok = stop(b, EMT_EMALFORMED);
    b->in = whole;
    b->nodes[index].next = b->n;
    return ok;
}

/* ---- elements with their tags ---- */

static bool is_swapped_name(const struct builder *b, uint8_t tag)
{
    uint8_t name[OBIS_LEN];

    if (!b->swapped || tag != OBIS_LEN || reader_peek(b->in, 0) != AXDR_OCTETS)
        return false;
    for (unsigned i = 0; i < OBIS_LEN; i++)
        name[i] = reader_peek(b->in, 1 + i);
    return reader_left(b->in) > OBIS_LEN && axdr_is_obis_bytes(name) && name[OBIS_LEN - 1] == 255;
}

/* Reads one element; of a container the head only. */
static bool read_element(struct builder *b, unsigned depth)
{
    uint8_t tag = reader_u8(b->in);
    struct axdr_node *node = b->in->failed ? NULL : add(b, tag);

    if (!node)
        return false;
    node->from--; /* the tag */
    if (tag == AXDR_COMPACT) {
        node->tag = AXDR_ARRAY;
        return read_compact(b, b->n - 1, depth);
    }
    if (is_swapped_name(b, tag)) {
        node->tag = AXDR_OCTETS;
        node->n = OBIS_LEN;
        reader_skip(b->in, 1);
        node->p = reader_bytes(b->in, OBIS_LEN);
        return true;
    }
    if (!axdr_is_container(node))
        return read_scalar(b, node);
    node->n = (uint32_t)axdr_length(b->in);
    if (node->n > reader_left(b->in)) /* each element takes a byte at least */
        return stop(b, b->in->failed ? EMT_ETRUNCATED : EMT_EMALFORMED);
    return !b->in->failed;
}

static bool read_all(struct builder *b)
{
    struct {
        unsigned index, left;
    } open[AXDR_DEPTH_MAX];
    unsigned depth = 0;

    do {
        unsigned index = b->n;

        if (!read_element(b, depth))
            return false;
        if (axdr_is_container(&b->nodes[index]) && b->nodes[index].next == index + 1 &&
            b->n == index + 1 && b->nodes[index].n > 0) {
            if (depth == AXDR_DEPTH_MAX)
                return stop(b, EMT_EMALFORMED);
            open[depth].index = index;
            open[depth++].left = b->nodes[index].n;
            continue;
        }
        while (depth > 0 && --open[depth - 1].left == 0)
            b->nodes[open[--depth].index].next = b->n;
    } while (depth > 0);
    return true;
}

enum emt_err axdr_read(struct reader *in, struct arena *arena, bool swapped, struct axdr_tree *out)
{
    struct builder b = {
        .in = in, .arena = arena, .swapped = swapped, .start = in->data + in->pos
    };

    if (!read_all(&b))
        return b.err != EMT_OK ? b.err : EMT_ETRUNCATED;
    out->nodes = b.nodes;
    out->n = b.n;
    out->start = b.start;
    out->len = (size_t)(in->data + in->pos - b.start);
    return EMT_OK;
}

size_t axdr_node_len(const struct axdr_tree *tree, uint32_t at)
{
    uint32_t next = tree->nodes[at].next;

    return (next < tree->n ? tree->nodes[next].from : tree->len) - tree->nodes[at].from;
}
