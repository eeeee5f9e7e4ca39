#include "seq_index.h"

#include <stdlib.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

void seq_index_release(struct seq_index *x)
{
    free(x->unit);
    *x = (struct seq_index){ 0 };
}

uint64_t seq_index_end(const struct seq_index *x)
{
    return x->base + x->count;
}

uint32_t seq_index_get(const struct seq_index *x, uint64_t seq)
{
    if (seq < x->base || seq - x->base >= x->count)
        return HOLE;
    return x->unit[(x->head + (size_t)(seq - x->base)) & (x->cap - 1)];
}

void seq_index_set(struct seq_index *x, uint64_t seq, uint32_t unit)
{
    x->unit[(x->head + (size_t)(seq - x->base)) & (x->cap - 1)] = unit;
}

static enum emt_err grow(struct seq_index *x)
{
    size_t cap = x->cap ? x->cap * 2 : 64;
    uint32_t *unit = calloc(cap, sizeof *unit);

    if (!unit)
        return EMT_ENOMEM;
    for (size_t i = 0; i < x->count; i++)
        unit[i] = x->unit[(x->head + i) & (x->cap - 1)];
    free(x->unit);
    x->unit = unit;
    x->cap = cap;
    x->head = 0;
    return EMT_OK;
}

enum emt_err seq_index_push(struct seq_index *x, uint32_t unit)
{
    if (x->count == x->cap && grow(x) != EMT_OK)
        return EMT_ENOMEM;
    x->unit[(x->head + x->count) & (x->cap - 1)] = unit;
    x->count++;
    return EMT_OK;
}

void seq_index_drop_oldest(struct seq_index *x)
{
    x->head = (x->head + 1) & (x->cap - 1);
    x->base++;
    x->count--;
}
