/* The part "calculated" of a manufacturer profile. */
#include "base/arena.h"
#include "vendor_load.h"

#include <stdio.h>
#include <string.h>

#define CALCULATED_MAX 32
#define PLACES_MAX 9
#define MARK "calculated"

static enum emt_err read_operation(const struct vendor_loader *l, const struct yaml_node *map,
                                   struct vendor_calculated *c)
{
    static const char *const names[] = {
        [VENDOR_SUM] = "sum", [VENDOR_DIFFERENCE] = "difference", [VENDOR_HYPOTENUSE] = "hypotenuse"
    };
    const struct yaml_node *n = yaml_get(l->y, map, "operation");
    const char *text = yaml_scalar(n);

    if (!n)
        return EMT_OK; /* the sum of one */
    for (unsigned i = 0; text && i < sizeof names / sizeof names[0]; i++)
        if (strcmp(text, names[i]) == 0) {
            c->operation = (enum vendor_operation)i;
            return EMT_OK;
        }
    return yaml_refuse(l->y, n, l->diag, "expected sum, difference or hypotenuse");
}

static enum emt_err read_operands(const struct vendor_loader *l, const struct yaml_node *map,
                                  struct vendor_calculated *c)
{
    const struct yaml_node *of = yaml_get(l->y, map, "of");
    size_t n = yaml_count(of);
    bool one = yaml_get(l->y, map, "operation") == NULL;

    if (n == 0 || n > VENDOR_TERMS_MAX || (one && n != 1) ||
        (c->operation == VENDOR_HYPOTENUSE && n != 2))
        return yaml_refuse(l->y, of ? of : map, l->diag,
                           "expected \"of\": one reading without an operation, two for hypotenuse,"
                           " at most 4");
    for (; c->nof < n; c->nof++) {
        const struct yaml_node *operand = yaml_at(of, c->nof);
        enum emt_err err = vendor_load_quantity(l, operand, &c->of[c->nof]);

        if (err == EMT_OK)
            err = vendor_load_shape(l, operand, &c->of[c->nof]);
        if (err != EMT_OK)
            return err;
    }
    return EMT_OK;
}

static enum emt_err read_result(const struct vendor_loader *l, const struct yaml_node *map,
                                struct vendor_calculated *c)
{
    const struct yaml_node *divide = yaml_get(l->y, map, "divide");
    const char *text = yaml_scalar(divide);
    int64_t places = -1;
    enum emt_err err = yaml_int(l->y, map, "places", 0, PLACES_MAX, &places, l->diag);

    if (err != EMT_OK)
        return err;
    if (places < 0)
        return yaml_refuse(l->y, map, l->diag, "needs \"places\" to round to");
    c->places = (int)places;
    if (divide && (!text || decimal_parse(text, strlen(text), &c->divide) != EMT_OK ||
                   c->divide.mantissa == 0 || c->operation == VENDOR_HYPOTENUSE))
        return yaml_refuse(l->y, divide, l->diag,
                           "expected a decimal number other than 0, and no hypotenuse");
    return EMT_OK;
}

/* Marked in the qualifier, too, so that it is a channel of its own. */
static enum emt_err mark(const struct vendor_loader *l, const struct yaml_node *map,
                         struct reading *r)
{
    char text[READING_QUALIFIER_MAX];

    if (strlen(r->qualifier) + sizeof MARK >= sizeof text)
        return yaml_refuse(l->y, map, l->diag, "the qualifier has no room for \"" MARK "\"");
    (void)snprintf(text, sizeof text, MARK "%s%.*s", r->qualifier[0] ? "+" : "",
                   (int)(sizeof text - sizeof MARK - 1), r->qualifier);
    memcpy(r->qualifier, text, sizeof text);
    r->calculated = true;
    r->time = EMT_TIME_NONE;
    return EMT_OK;
}

static enum emt_err read_one(const struct vendor_loader *l, const struct yaml_node *map,
                             struct vendor_calculated *c)
{
    enum emt_err err = read_operation(l, map, c);

    if (err == EMT_OK)
        err = read_operands(l, map, c);
    if (err == EMT_OK)
        err = read_result(l, map, c);
    if (err == EMT_OK)
        err = vendor_load_quantity(l, map, &c->shape);
    if (err == EMT_OK)
        err = vendor_load_shape(l, map, &c->shape);
    return err == EMT_OK ? mark(l, map, &c->shape) : err;
}

enum emt_err vendor_load_calculated(const struct vendor_loader *l, const struct yaml_node *map,
                                    struct vendor_profile *p)
{
    const struct yaml_node *list = yaml_get(l->y, map, "calculated");
    size_t n = yaml_count(list);

    if (!list)
        return EMT_OK;
    if (n == 0 || n > CALCULATED_MAX)
        return yaml_refuse(l->y, list, l->diag, "expected a list of 1 to 32 readings");
    p->calculated = (struct vendor_calculated *)arena_alloc(l->arena, n * sizeof *p->calculated);
    if (!p->calculated)
        return emt_fail(l->diag, EMT_ENOMEM, "out of memory");
    for (; p->ncalculated < n; p->ncalculated++) {
        enum emt_err err =
            read_one(l, yaml_at(list, p->ncalculated), &p->calculated[p->ncalculated]);

        if (err != EMT_OK)
            return err;
    }
    return EMT_OK;
}
