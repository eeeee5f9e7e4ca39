/* The layouts of push bodies as data: shapes of neighbouring elements that make a value, and lists
 * whose elements have a meaning by their place or a scale by their code.
 *
 * A new meter with a layout of its own is a row here, no code. */
#ifndef EMT_PARSERS_DLMS_TEMPLATE_H
#define EMT_PARSERS_DLMS_TEMPLATE_H

#include "dlms_axdr.h"
#include "model/obis.h"

#include <stdbool.h>
#include <stdint.h>

#define DLMS_SHAPE_PARTS 6

/* One element of a shape. */
enum dlms_part {
    PART_END = 0,
    PART_OBIS,      /* octet string of six bytes, a logical name */
    PART_VALUE,     /* anything simple that is not null and no logical name */
    PART_NULL,      /* nothing, or "do not care" */
    PART_SCALE,     /* structure { integer scaler, enum unit } */
    PART_SCALER,    /* integer */
    PART_UNIT,      /* enum */
    PART_CLOCK,     /* date-time, also as octet string of 12 bytes */
    PART_CLASS,     /* long-unsigned */
    PART_ATTRIBUTE, /* integer */
};

struct dlms_shape {
    const char *name;
    uint8_t parts[DLMS_SHAPE_PARTS + 1];
};

/* What stands where in a list without codes. */
struct dlms_position {
    int8_t at; /* from 0; negative: from the end, -1 the last */
    struct obis obis;
    int8_t scaler;
    uint8_t unit; /* 255: none */
};

/* Scale of values whose code is sent without one; any of 0 in e, f of the code matches C and D. */
struct dlms_scale {
    uint8_t c, d;
    int8_t scaler;
    uint8_t unit;
};

struct dlms_template {
    const char *name;
    const char *list; /* text of the first element; NULL: any */
    uint16_t count;   /* elements; 0: any number */
    bool clock_first; /* the first element is a date-time */
    bool text_last;   /* the last element is a text under no code */
    const struct dlms_position *positions;
    uint8_t npositions;
    const struct dlms_scale *scales;
    uint8_t nscales;
};

/* The longest shape that fits the elements of a container from `at` on (a node index) up to `end`.
 * nodes[i] are the matched elements' indexes. NULL: none. */
const struct dlms_shape *dlms_shape_find(const struct axdr_tree *tree, uint32_t at, uint32_t end,
                                         uint32_t matched[DLMS_SHAPE_PARTS]);
/* The list that this container is; NULL: none that we know. */
const struct dlms_template *dlms_template_find(const struct axdr_tree *tree, uint32_t container);
/* NULL: the list says nothing about this code. */
const struct dlms_scale *dlms_template_scale(const struct dlms_template *t, struct obis o);
/* Index of element `at` of a container (negative: from the end); 0: there is none. */
uint32_t dlms_element(const struct axdr_tree *tree, uint32_t container, int at);

/* structure { long-unsigned class, octet-string logical name, integer attribute, long-unsigned data
 * index, … }: an object definition (IEC 62056-6-2, capture_objects, push_object_list). */
bool dlms_is_definition(const struct axdr_tree *tree, uint32_t at);
/* An array of nothing but these, not empty. */
bool dlms_is_definition_list(const struct axdr_tree *tree, uint32_t at);
bool dlms_is_clock(const struct axdr_node *node);
bool dlms_is_scale(const struct axdr_tree *tree, uint32_t at);
struct obis dlms_obis_of(const uint8_t p[6]);

#endif
