#include "dlms_template.h"

#include "dlms_clock.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define NO_UNIT 255
#define UNIT_W 27
#define UNIT_VAR 29
#define UNIT_WH 30
#define UNIT_VARH 32
#define UNIT_A 33
#define UNIT_V 35
#define DEFINITION_PARTS 4

/* Longer ones first: the first that fits is taken. */
static const struct dlms_shape shapes[] = {
    { "class, code, attribute, value, scale",
      { PART_CLASS, PART_OBIS, PART_ATTRIBUTE, PART_VALUE, PART_SCALE } },
    { "class, code, attribute, value", { PART_CLASS, PART_OBIS, PART_ATTRIBUTE, PART_VALUE } },
    { "code, value, scale, time", { PART_OBIS, PART_VALUE, PART_SCALE, PART_CLOCK } },
    { "code, value, scale", { PART_OBIS, PART_VALUE, PART_SCALE } },
    { "code, scale, value", { PART_OBIS, PART_SCALE, PART_VALUE } },
    { "code, value, scaler, unit", { PART_OBIS, PART_VALUE, PART_SCALER, PART_UNIT } },
    { "code, value", { PART_OBIS, PART_VALUE } },
    { "code, nothing", { PART_OBIS, PART_NULL } },
};

/* clang-format off */
#define CODE(a, b, c, d, e) { a, b, c, d, e, 255 }

/* Norwegian and Swedish customer ports, Kaifa: lists 2 and 3, one and three phases. */
static const struct dlms_position kaifa_one[] = {
    { 0, CODE(1, 1, 0, 2, 129), 0, NO_UNIT }, { 1, CODE(0, 0, 96, 1, 0), 0, NO_UNIT },
    { 2, CODE(0, 0, 96, 1, 7), 0, NO_UNIT },
    { 3, CODE(1, 0, 1, 7, 0), 0, UNIT_W },    { 4, CODE(1, 0, 2, 7, 0), 0, UNIT_W },
    { 5, CODE(1, 0, 3, 7, 0), 0, UNIT_VAR },  { 6, CODE(1, 0, 4, 7, 0), 0, UNIT_VAR },
    { 7, CODE(1, 0, 31, 7, 0), -3, UNIT_A },  { 8, CODE(1, 0, 32, 7, 0), -1, UNIT_V },
    { 9, CODE(0, 0, 1, 0, 0), 0, NO_UNIT },
    { 10, CODE(1, 0, 1, 8, 0), 0, UNIT_WH },  { 11, CODE(1, 0, 2, 8, 0), 0, UNIT_WH },
    { 12, CODE(1, 0, 3, 8, 0), 0, UNIT_VARH }, { 13, CODE(1, 0, 4, 8, 0), 0, UNIT_VARH },
};
static const struct dlms_position kaifa_three[] = {
    { 0, CODE(1, 1, 0, 2, 129), 0, NO_UNIT }, { 1, CODE(0, 0, 96, 1, 0), 0, NO_UNIT },
    { 2, CODE(0, 0, 96, 1, 7), 0, NO_UNIT },
    { 3, CODE(1, 0, 1, 7, 0), 0, UNIT_W },    { 4, CODE(1, 0, 2, 7, 0), 0, UNIT_W },
    { 5, CODE(1, 0, 3, 7, 0), 0, UNIT_VAR },  { 6, CODE(1, 0, 4, 7, 0), 0, UNIT_VAR },
    { 7, CODE(1, 0, 31, 7, 0), -3, UNIT_A },  { 8, CODE(1, 0, 51, 7, 0), -3, UNIT_A },
    { 9, CODE(1, 0, 71, 7, 0), -3, UNIT_A },  { 10, CODE(1, 0, 32, 7, 0), -1, UNIT_V },
    { 11, CODE(1, 0, 52, 7, 0), -1, UNIT_V }, { 12, CODE(1, 0, 72, 7, 0), -1, UNIT_V },
    { 13, CODE(0, 0, 1, 0, 0), 0, NO_UNIT },
    { 14, CODE(1, 0, 1, 8, 0), 0, UNIT_WH },  { 15, CODE(1, 0, 2, 8, 0), 0, UNIT_WH },
    { 16, CODE(1, 0, 3, 8, 0), 0, UNIT_VARH }, { 17, CODE(1, 0, 4, 8, 0), 0, UNIT_VARH },
};

/* Kamstrup's customer port: codes with values, the scale is in its data sheet. */
static const struct dlms_scale kamstrup[] = {
    { 1, 7, 0, UNIT_W },     { 2, 7, 0, UNIT_W },    { 3, 7, 0, UNIT_VAR },  { 4, 7, 0, UNIT_VAR },
    { 31, 7, -2, UNIT_A },   { 51, 7, -2, UNIT_A },  { 71, 7, -2, UNIT_A },
    { 32, 7, 0, UNIT_V },    { 52, 7, 0, UNIT_V },   { 72, 7, 0, UNIT_V },
    { 1, 8, 1, UNIT_WH },    { 2, 8, 1, UNIT_WH },   { 3, 8, 1, UNIT_VARH }, { 4, 8, 1, UNIT_VARH },
};

/* Austrian customer port: time, values with codes, then the meter's number without one. */
static const struct dlms_position number_last[] = {
    { -1, CODE(0, 0, 96, 1, 0), 0, NO_UNIT },
};

static const struct dlms_template templates[] = {
    { "kaifa-list-2-one-phase", "KFM_001", 9, false, false, kaifa_one, 9, NULL, 0 },
    { "kaifa-list-2", "KFM_001", 13, false, false, kaifa_three, 13, NULL, 0 },
    { "kaifa-list-3-one-phase", "KFM_001", 14, false, false, kaifa_one, 14, NULL, 0 },
    { "kaifa-list-3", "KFM_001", 18, false, false, kaifa_three, 18, NULL, 0 },
    { "kamstrup-list", "Kamstrup_V0001", 0, false, false, NULL, 0, kamstrup, COUNT(kamstrup) },
    { "austria-customer-port", NULL, 0, true, true, number_last, 1, NULL, 0 },
};
/* clang-format on */

struct obis dlms_obis_of(const uint8_t p[6])
{
    return (struct obis){ p[0], p[1], p[2], p[3], p[4], p[5] };
}

bool dlms_is_clock(const struct axdr_node *node)
{
    struct dlms_clock c;

    return (node->tag == AXDR_DATE_TIME || node->tag == AXDR_OCTETS) && node->n == DLMS_CLOCK_LEN &&
           dlms_clock_read(node->p, &c);
}

bool dlms_is_scale(const struct axdr_tree *tree, uint32_t at)
{
    return tree->nodes[at].tag == AXDR_STRUCTURE && tree->nodes[at].n == 2 &&
           tree->nodes[at + 1].tag == AXDR_INT8 && tree->nodes[at + 2].tag == AXDR_ENUM;
}

static bool is_value(const struct axdr_node *node)
{
    return !axdr_is_container(node) && node->tag != AXDR_NULL && node->tag != AXDR_DONT_CARE &&
           !axdr_is_obis(node);
}

static bool fits_part(const struct axdr_tree *tree, uint32_t at, enum dlms_part part)
{
    const struct axdr_node *node = &tree->nodes[at];

    switch (part) {
    case PART_OBIS:
        return axdr_is_obis(node);
    case PART_VALUE:
        return is_value(node);
    case PART_NULL:
        return node->tag == AXDR_NULL || node->tag == AXDR_DONT_CARE;
    case PART_SCALE:
        return dlms_is_scale(tree, at);
    case PART_SCALER:
    case PART_ATTRIBUTE:
        return node->tag == AXDR_INT8;
    case PART_UNIT:
        return node->tag == AXDR_ENUM;
    case PART_CLOCK:
        return dlms_is_clock(node);
    case PART_CLASS:
        return node->tag == AXDR_UINT16;
    case PART_END:
        break;
    }
    return false;
}

const struct dlms_shape *dlms_shape_find(const struct axdr_tree *tree, uint32_t at, uint32_t end,
                                         uint32_t matched[DLMS_SHAPE_PARTS])
{
    uint8_t tag = tree->nodes[at].tag;

    if (tag != AXDR_OCTETS && tag != AXDR_UINT16) /* what all of them begin with */
        return NULL;
    for (size_t i = 0; i < COUNT(shapes); i++) {
        const uint8_t *part = shapes[i].parts;
        uint32_t node = at;
        unsigned n = 0;

        while (*part != PART_END && node < end && fits_part(tree, node, (enum dlms_part) * part)) {
            matched[n++] = node;
            node = tree->nodes[node].next;
            part++;
        }
        if (*part == PART_END)
            return &shapes[i];
    }
    return NULL;
}

uint32_t dlms_element(const struct axdr_tree *tree, uint32_t container, int at)
{
    const struct axdr_node *c = &tree->nodes[container];
    uint32_t node = container + 1;

    if (at < 0)
        at += (int)c->n;
    if (at < 0 || (uint32_t)at >= c->n)
        return 0;
    while (at-- > 0)
        node = tree->nodes[node].next;
    return node;
}

static bool is_text(const struct axdr_node *node)
{
    return (node->tag == AXDR_OCTETS || node->tag == AXDR_VISIBLE || node->tag == AXDR_UTF8) &&
           !axdr_is_obis(node) && !dlms_is_clock(node);
}

static bool says(const struct axdr_node *node, const char *text)
{
    return is_text(node) && strlen(text) == node->n && memcmp(node->p, text, node->n) == 0;
}

static bool fits_template(const struct axdr_tree *tree, uint32_t container,
                          const struct dlms_template *t)
{
    const struct axdr_node *first = &tree->nodes[container + 1];
    uint32_t last, before;

    if ((t->count && tree->nodes[container].n != t->count) || (t->list && !says(first, t->list)) ||
        (t->clock_first && !dlms_is_clock(first)))
        return false;
    if (!t->text_last)
        return true;
    last = dlms_element(tree, container, -1);
    before = dlms_element(tree, container, -2); /* a code there would claim the text */
    return last && before && is_text(&tree->nodes[last]) && !axdr_is_obis(&tree->nodes[before]);
}

const struct dlms_template *dlms_template_find(const struct axdr_tree *tree, uint32_t container)
{
    if (tree->nodes[container].tag != AXDR_STRUCTURE || tree->nodes[container].n == 0)
        return NULL;
    for (size_t i = 0; i < COUNT(templates); i++)
        if (fits_template(tree, container, &templates[i]))
            return &templates[i];
    return NULL;
}

const struct dlms_scale *dlms_template_scale(const struct dlms_template *t, struct obis o)
{
    for (unsigned i = 0; t && o.a == 1 && i < t->nscales; i++)
        if (t->scales[i].c == o.c && t->scales[i].d == o.d)
            return &t->scales[i];
    return NULL;
}

bool dlms_is_definition(const struct axdr_tree *tree, uint32_t at)
{
    uint32_t name;

    if (tree->nodes[at].tag != AXDR_STRUCTURE || tree->nodes[at].n < DEFINITION_PARTS)
        return false;
    name = at + 2; /* the parts before are simple: their indexes follow each other */
    return tree->nodes[at + 1].tag == AXDR_UINT16 && axdr_is_obis(&tree->nodes[name]) &&
           tree->nodes[name + 1].tag == AXDR_INT8 && tree->nodes[name + 2].tag == AXDR_UINT16;
}

bool dlms_is_definition_list(const struct axdr_tree *tree, uint32_t at)
{
    uint32_t node = at + 1;

    if (tree->nodes[at].tag != AXDR_ARRAY || tree->nodes[at].n == 0)
        return false;
    for (; node < tree->nodes[at].next; node = tree->nodes[node].next)
        if (!dlms_is_definition(tree, node))
            return false;
    return true;
}
