#include "dlms_body.h"

#include "dlms_profile.h"
#include "dlms_reading.h"
#include "dlms_template.h"

#include <string.h>

#define ATTRIBUTE_VALUE 2
#define ATTRIBUTE_SCALE 3

/* A body while it is walked. */
struct walk {
    struct dlms_context *ctx;
    const struct axdr_tree *tree;
    const struct dlms_template *list; /* whose scales hold below it */
    uint32_t definitions;             /* the last list of object definitions; 0: none */
};

static void walk(struct walk *w, uint32_t at);

static const struct axdr_node *node_at(const struct walk *w, uint32_t at)
{
    return &w->tree->nodes[at];
}

/* ---- values with their codes ---- */

static void set_scale(const struct walk *w, uint32_t at, struct dlms_item *item)
{
    item->scaler = (int)node_at(w, at + 1)->i;
    item->unit = (uint8_t)node_at(w, at + 2)->i;
}

static void put_shape(struct walk *w, const struct dlms_shape *shape, const uint32_t *matched)
{
    struct dlms_item item = { .unit = DLMS_UNIT_NONE, .from = node_at(w, matched[0]) };
    struct dlms_clock clock;
    bool scaled = false;

    for (unsigned i = 0; shape->parts[i] != PART_END; i++) {
        const struct axdr_node *node = node_at(w, matched[i]);

        item.to = node;
        switch ((enum dlms_part)shape->parts[i]) {
        case PART_OBIS:
            item.obis = dlms_obis_of(node->p);
            break;
        case PART_VALUE:
            item.value = node;
            break;
        case PART_SCALE:
            set_scale(w, matched[i], &item);
            scaled = true;
            break;
        case PART_SCALER:
            item.scaler = (int)node->i;
            scaled = true;
            break;
        case PART_UNIT:
            item.unit = (uint8_t)node->i;
            break;
        case PART_CLOCK:
            if (dlms_clock_read(node->p, &clock))
                item.clock = &clock;
            break;
        case PART_NULL:
        case PART_CLASS:
        case PART_ATTRIBUTE:
        case PART_END:
            break;
        }
    }
    if (!scaled) {
        const struct dlms_scale *s = dlms_template_scale(w->list, item.obis);

        if (s) {
            item.scaler = s->scaler;
            item.unit = s->unit;
            item.assumed = true;
        }
    }
    if (item.value)
        dlms_reading_put(w->ctx, &item);
}

/* ---- values whose code stands elsewhere ---- */

static void put_positions(struct walk *w, uint32_t at, const struct dlms_template *t)
{
    for (unsigned i = 0; i < t->npositions; i++) {
        const struct dlms_position *p = &t->positions[i];
        uint32_t node = dlms_element(w->tree, at, p->at);
        struct dlms_item item = { .obis = p->obis, .scaler = p->scaler, .unit = p->unit };

        if (!node)
            continue;
        item.value = node_at(w, node);
        dlms_reading_put(w->ctx, &item);
    }
}

/* Scaler and unit of an object, where the same list pushes its attribute 3. */
static void find_scale(const struct walk *w, const struct dlms_columns *defs, uint32_t first,
                       unsigned of, struct dlms_item *item)
{
    for (unsigned i = 0; i < defs->n; i++, first = node_at(w, first)->next) {
        if (defs->list[i].attribute == ATTRIBUTE_SCALE &&
            obis_equal(defs->list[i].obis, defs->list[of].obis) && dlms_is_scale(w->tree, first))
            set_scale(w, first, item);
    }
}

/* Elements from `first` on are the attributes that the definitions name, in their order. */
static void put_defined(struct walk *w, const struct dlms_columns *defs, uint32_t first)
{
    uint32_t node = first;

    for (unsigned i = 0; i < defs->n; i++, node = node_at(w, node)->next) {
        const struct dlms_column *d = &defs->list[i];
        struct dlms_item item = { .obis = d->obis,
                                  .value = node_at(w, node),
                                  .unit = DLMS_UNIT_NONE };

        if (node == w->definitions)
            continue;
        if (dlms_is_scale(w->tree, node) && d->attribute == ATTRIBUTE_SCALE)
            continue;
        if (d->attribute == ATTRIBUTE_VALUE)
            find_scale(w, defs, first, i, &item);
        if (axdr_is_container(item.value))
            walk(w, node);
        else
            dlms_reading_put(w->ctx, &item);
    }
}

/* Which attribute of which object a list announces. */
static void put_definitions(struct walk *w, uint32_t at)
{
    uint32_t node = at + 1;

    w->definitions = at;
    for (; node < node_at(w, at)->next; node = node_at(w, node)->next)
        dlms_reading_put_attribute(w->ctx, dlms_obis_of(node_at(w, node + 2)->p),
                                   node_at(w, node + 3)->i, node);
}

/* A structure with a list of definitions for as many elements as it has itself (the list counts as
 * the first), or as follow the list. True when its elements were put. */
static bool walk_defined(struct walk *w, uint32_t at)
{
    const struct axdr_node *c = node_at(w, at);
    uint32_t node = at + 1, before = 0;
    struct dlms_columns defs;

    while (node < c->next && !dlms_is_definition_list(w->tree, node)) {
        node = node_at(w, node)->next;
        before++;
    }
    if (node == c->next || !dlms_columns_read(w->tree, node, &defs))
        return false;
    if (before + defs.n == c->n) {
        put_definitions(w, node);
        put_defined(w, &defs, node);
        return true;
    }
    if (before + 1 + defs.n != c->n)
        return false;
    put_definitions(w, node);
    put_defined(w, &defs, node_at(w, node)->next);
    return true;
}

/* Rows under the definitions that stand before them. */
static bool walk_buffer(struct walk *w, uint32_t at)
{
    struct dlms_columns columns;

    if (!w->definitions || !dlms_columns_read(w->tree, w->definitions, &columns) ||
        node_at(w, at)->n == 0 || !dlms_is_buffer(w->tree, at, &columns))
        return false;
    dlms_profile_put(w->ctx, w->tree, at, &columns);
    return true;
}

/* ---- the walk ---- */

static void note_unnamed(struct walk *w, const struct axdr_node *node)
{
    struct dlms_clock c;

    if (node->tag == AXDR_NULL || node->tag == AXDR_DONT_CARE)
        return;
    dlms_reading_pass(w->ctx, node, dlms_is_clock(node) ? "clock" : "element without a code");
    if (!dlms_is_clock(node)) {
        w->ctx->unnamed++;
        return;
    }
    if (!w->ctx->clock_from_body && dlms_clock_read(node->p, &c)) {
        w->ctx->clock = c;
        w->ctx->has_clock = w->ctx->clock_from_body = true;
    }
}

static void walk_elements(struct walk *w, uint32_t at)
{
    uint32_t node = at + 1, end = node_at(w, at)->next;

    while (node < end) {
        uint32_t matched[DLMS_SHAPE_PARTS];
        const struct dlms_shape *shape = dlms_shape_find(w->tree, node, end, matched);
        unsigned last = 0;

        if (shape) {
            put_shape(w, shape, matched);
            while (shape->parts[last + 1] != PART_END)
                last++;
            node = matched[last];
        } else if (axdr_is_container(node_at(w, node))) {
            walk(w, node);
        } else {
            note_unnamed(w, node_at(w, node));
        }
        node = node_at(w, node)->next;
    }
}

/* The depth of the tree is bounded (AXDR_DEPTH_MAX). */
static void walk(struct walk *w, uint32_t at)
{
    const struct dlms_template *outer = w->list, *t;
    uint32_t unnamed = w->ctx->unnamed;

    if (dlms_is_definition_list(w->tree, at)) {
        put_definitions(w, at);
        return;
    }
    if (walk_buffer(w, at) || walk_defined(w, at))
        return;
    t = dlms_template_find(w->tree, at);
    if (t && t->nscales)
        w->list = t;
    if (!t || !t->positions || t->clock_first)
        walk_elements(w, at);
    if (t && t->positions)
        put_positions(w, at, t);
    if (t && !t->positions == !t->clock_first && w->ctx->unnamed > unnamed)
        w->ctx->unnamed--; /* the list's own name, or the one that the template gives a code */
    w->list = outer;
}

/* ---- data elements ---- */

static enum frame_state read_tree(struct dlms_context *ctx, struct reader *in,
                                  struct axdr_tree *tree)
{
    struct reader again = *in;
    enum emt_err err = axdr_read(in, ctx->b.req->arena, false, tree);

    if (err != EMT_OK && err != EMT_ENOMEM && !ctx->unverified) {
        /* Landis+Gyr ZMF100: names come as 06 09. */
        if (axdr_read(&again, ctx->b.req->arena, true, tree) == EMT_OK) {
            *in = again;
            ctx->quirks++;
            return FRAME_OK;
        }
    }
    if (err == EMT_OK)
        return FRAME_OK;
    ctx->b.no_memory = ctx->b.no_memory || err == EMT_ENOMEM;
    (void)decode_build_fail(&ctx->b, "data: %s at byte %zu", emt_err_name(err), in->pos);
    return FRAME_MALFORMED;
}

enum frame_state dlms_body_read(struct dlms_context *ctx, struct reader *in)
{
    struct axdr_tree tree;
    struct walk w = { .ctx = ctx, .tree = &tree };
    enum frame_state state = read_tree(ctx, in, &tree);

    if (state != FRAME_OK)
        return state;
    ctx->plain_body = ctx->plain_body || !ctx->secured;
    ctx->tree = &tree;
    if (axdr_is_container(&tree.nodes[0]))
        walk(&w, 0);
    else
        note_unnamed(&w, &tree.nodes[0]);
    ctx->tree = NULL;
    return FRAME_OK;
}

enum frame_state dlms_body_read_named(struct dlms_context *ctx, struct reader *in, struct obis obis)
{
    struct axdr_tree tree;
    struct walk w = { .ctx = ctx, .tree = &tree };
    struct dlms_item item = { .obis = obis, .unit = DLMS_UNIT_NONE };
    enum frame_state state = read_tree(ctx, in, &tree);

    if (state != FRAME_OK)
        return state;
    ctx->plain_body = ctx->plain_body || !ctx->secured;
    item.value = &tree.nodes[0];
    ctx->tree = &tree;
    if (axdr_is_container(item.value))
        walk(&w, 0);
    else
        dlms_reading_put(ctx, &item);
    ctx->tree = NULL;
    return FRAME_OK;
}

enum frame_state dlms_body_skip(struct dlms_context *ctx, struct reader *in)
{
    struct axdr_tree tree;

    return read_tree(ctx, in, &tree);
}
