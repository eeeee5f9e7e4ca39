#include "parsers/fragment_buffer.h"

#include "base/map.h"

#include <stdlib.h>
#include <string.h>

/* A piece of n bytes costs this much of the limits: a flood of tiny ones is bounded, too. */
#define COST(n) ((n) + sizeof(struct piece) + sizeof(struct message))

struct piece {
    struct piece *next;
    size_t len;
    uint8_t id;
    uint8_t bytes[];
};

/* The pieces of one meter. Meters form a list, the one heard last at its end. */
struct message {
    struct message *before, *after;
    struct piece *pieces;
    size_t bytes;
    emt_time heard;
    char device[DEVICE_ID_TEXT_MAX];
};

struct fragment_buffer {
    struct map *map; /* text of the device to its message */
    struct message *oldest, *newest;
    size_t bytes;
    emt_time now;
};

struct fragment_buffer *fragment_buffer_new(void)
{
    struct fragment_buffer *b = calloc(1, sizeof *b);

    if (!b)
        return NULL;
    b->map = map_new();
    if (!b->map) {
        free(b);
        return NULL;
    }
    return b;
}

static void unlink_message(struct fragment_buffer *b, struct message *m)
{
    if (m->before)
        m->before->after = m->after;
    else
        b->oldest = m->after;
    if (m->after)
        m->after->before = m->before;
    else
        b->newest = m->before;
    m->before = m->after = NULL;
}

static void append_message(struct fragment_buffer *b, struct message *m)
{
    m->before = b->newest;
    if (b->newest)
        b->newest->after = m;
    else
        b->oldest = m;
    b->newest = m;
}

static void remove_message(struct fragment_buffer *b, struct message *m)
{
    struct piece *p = m->pieces;

    while (p) {
        struct piece *next = p->next;

        free(p);
        p = next;
    }
    b->bytes -= m->bytes;
    unlink_message(b, m);
    (void)map_del(b->map, m->device, strlen(m->device));
    free(m);
}

void fragment_buffer_free(struct fragment_buffer *b)
{
    if (!b)
        return;
    while (b->oldest)
        remove_message(b, b->oldest);
    map_free(b->map);
    free(b);
}

static struct message *find_message(const struct fragment_buffer *b, const struct device_id *device)
{
    char text[DEVICE_ID_TEXT_MAX];

    (void)device_id_format(device, text);
    return map_get(b->map, text, strlen(text));
}

static struct message *add_message(struct fragment_buffer *b, const struct device_id *device)
{
    struct message *m = calloc(1, sizeof *m);

    if (!m)
        return NULL;
    (void)device_id_format(device, m->device);
    if (map_put(b->map, m->device, strlen(m->device), m, NULL) != EMT_OK) {
        free(m);
        return NULL;
    }
    append_message(b, m);
    return m;
}

static void remove_piece(struct fragment_buffer *b, struct message *m, uint8_t id)
{
    for (struct piece **at = &m->pieces; *at; at = &(*at)->next)
        if ((*at)->id == id) {
            struct piece *p = *at;

            *at = p->next;
            m->bytes -= COST(p->len);
            b->bytes -= COST(p->len);
            free(p);
            return;
        }
}

/* The message goes to the end of the list, so that making room for it does not take it. */
static void touch(struct fragment_buffer *b, struct message *m)
{
    unlink_message(b, m);
    append_message(b, m);
    m->heard = b->now;
}

static void put(void *ctx, const struct device_id *device, uint8_t id, const uint8_t *p, size_t n)
{
    struct fragment_buffer *b = ctx;
    struct message *m = find_message(b, device);
    struct piece *piece;

    if (!m)
        m = add_message(b, device);
    if (!m)
        return;
    remove_piece(b, m, id);
    touch(b, m);
    if (COST(n) > FRAGMENT_METER_BYTES - m->bytes) {
        remove_message(b, m); /* it can never be complete */
        return;
    }
    while (b->oldest != m && COST(n) > FRAGMENT_BUFFER_BYTES - b->bytes)
        remove_message(b, b->oldest);
    piece = malloc(sizeof *piece + n);
    if (!piece)
        return;
    piece->next = m->pieces;
    piece->len = n;
    piece->id = id;
    memcpy(piece->bytes, p, n);
    m->pieces = piece;
    m->bytes += COST(n);
    b->bytes += COST(n);
}

static const uint8_t *get(void *ctx, const struct device_id *device, uint8_t id, size_t *n)
{
    const struct message *m = find_message(ctx, device);

    for (const struct piece *p = m ? m->pieces : NULL; p; p = p->next)
        if (p->id == id) {
            *n = p->len;
            return p->bytes;
        }
    return NULL;
}

static void drop(void *ctx, const struct device_id *device)
{
    struct message *m = find_message(ctx, device);

    if (m)
        remove_message(ctx, m);
}

struct fragment_store fragment_buffer_store(struct fragment_buffer *b)
{
    return (struct fragment_store){ put, get, drop, b };
}

void fragment_buffer_expire(struct fragment_buffer *b, emt_time now, emt_time age)
{
    b->now = now;
    while (b->oldest && now - b->oldest->heard > age)
        remove_message(b, b->oldest);
}

size_t fragment_buffer_count(const struct fragment_buffer *b)
{
    return map_count(b->map);
}
