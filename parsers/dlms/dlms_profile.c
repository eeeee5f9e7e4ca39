#include "dlms_profile.h"

#include "dlms_reading.h"
#include "dlms_template.h"

#define CLASS_CLOCK 8
#define DEFINITION_PARTS 4
/* The standard's bits of a load profile's status; above them are the manufacturer's. */
#define STATUS_BITS 0xff

/* One row while it is read; above: the last value of each column that was not null. */
struct row {
    const struct axdr_node *above[DLMS_COLUMNS_MAX];
    struct dlms_clock clock;
    bool has_clock;
};

/* What may stand behind the four parts of a definition: the column's scale, or, of the clock, the
 * capture period in seconds. Reading gateways write it (docs/protocols/dlms.md). */
static void read_extra(const struct axdr_tree *tree, uint32_t at, struct dlms_columns *out,
                       struct dlms_column *c)
{
    if (dlms_is_scale(tree, at)) {
        c->has_scale = true;
        c->scaler = (int8_t)tree->nodes[at + 1].i;
        c->unit = (uint8_t)tree->nodes[at + 2].i;
    } else if (tree->nodes[at].tag == AXDR_UINT32) {
        out->period_s = (uint32_t)tree->nodes[at].i;
    }
}

bool dlms_columns_read(const struct axdr_tree *tree, uint32_t at, struct dlms_columns *out)
{
    uint32_t node = at + 1;

    out->n = 0;
    out->period_s = 0;
    if (!dlms_is_definition_list(tree, at) || tree->nodes[at].n > DLMS_COLUMNS_MAX)
        return false;
    for (; node < tree->nodes[at].next; node = tree->nodes[node].next) {
        struct dlms_column *c = &out->list[out->n++];

        *c = (struct dlms_column){ .class_id = (uint16_t)tree->nodes[node + 1].i,
                                   .obis = dlms_obis_of(tree->nodes[node + 2].p),
                                   .attribute = (int8_t)tree->nodes[node + 3].i,
                                   .unit = DLMS_UNIT_NONE };
        if (tree->nodes[node].n > DEFINITION_PARTS)
            read_extra(tree, node + DEFINITION_PARTS + 1, out, c);
    }
    return true;
}

bool dlms_is_buffer(const struct axdr_tree *tree, uint32_t at, const struct dlms_columns *columns)
{
    uint32_t node = at + 1;

    if (tree->nodes[at].tag != AXDR_ARRAY || columns->n == 0)
        return false;
    for (; node < tree->nodes[at].next; node = tree->nodes[node].next)
        if (tree->nodes[node].tag != AXDR_STRUCTURE || tree->nodes[node].n != columns->n)
            return false;
    return true;
}

static bool is_clock_column(const struct dlms_column *c)
{
    return c->class_id == CLASS_CLOCK && c->attribute == 2;
}

/* 0-b:96.10.e: the status of the profile's period (IEC 62056-6-1, profile status). */
static bool is_status_column(const struct dlms_column *c)
{
    return c->obis.a == 0 && c->obis.c == 96 && c->obis.d == 10;
}

static void read_clock(struct row *row, const struct axdr_node *value, uint32_t period_s)
{
    if (value->tag == AXDR_NULL) {
        row->has_clock = row->has_clock && period_s > 0;
        if (row->has_clock)
            dlms_clock_add(&row->clock, period_s);
        return;
    }
    row->has_clock = dlms_is_clock(value) && dlms_clock_read(value->p, &row->clock);
}

/* First the clock and the status, which belong to all values of the row. */
static enum quality read_head(struct row *row, const struct axdr_tree *tree, uint32_t at,
                              const struct dlms_columns *columns)
{
    uint32_t node = at + 1;
    enum quality quality = QUALITY_MEASURED;
    bool has_column = false;

    for (unsigned i = 0; i < columns->n; i++, node = tree->nodes[node].next) {
        const struct axdr_node *value = &tree->nodes[node];

        if (value->tag != AXDR_NULL)
            row->above[i] = value;
        if (is_clock_column(&columns->list[i]) && !has_column) {
            has_column = true;
            read_clock(row, value, columns->period_s);
        }
        if (is_status_column(&columns->list[i]) && row->above[i] && axdr_is_integer(row->above[i]))
            quality = quality_worse(quality,
                                    quality_from_cosem((unsigned)(row->above[i]->i & STATUS_BITS)));
    }
    row->has_clock = row->has_clock && has_column;
    return quality;
}

static void put_row(struct dlms_context *ctx, const struct row *row, enum quality quality,
                    const struct dlms_columns *columns)
{
    for (unsigned i = 0; i < columns->n; i++) {
        const struct dlms_column *c = &columns->list[i];
        struct dlms_item item = { .obis = c->obis,
                                  .value = row->above[i],
                                  .scaler = c->has_scale ? c->scaler : 0,
                                  .unit = c->has_scale ? c->unit : DLMS_UNIT_NONE,
                                  .quality = is_status_column(c) ? QUALITY_MEASURED : quality,
                                  .clock = &row->clock,
                                  .profile = true };

        if (item.value && !is_clock_column(c))
            dlms_reading_put(ctx, &item);
    }
}

void dlms_profile_put(struct dlms_context *ctx, const struct axdr_tree *tree, uint32_t at,
                      const struct dlms_columns *columns)
{
    struct row row = { .has_clock = false };
    uint32_t node = at + 1;

    for (; node < tree->nodes[at].next; node = tree->nodes[node].next) {
        enum quality quality = read_head(&row, tree, node, columns);

        if (row.has_clock)
            put_row(ctx, &row, quality, columns);
        else
            ctx->timeless++;
    }
}
