/* Readings that a profile forms from others of the same telegram: a sum, a difference, the length
 * of two sides at a right angle, divided and rounded as the profile says. */
#include "mbus_vendor.h"

#include <stdio.h>
#include <string.h>

__extension__ typedef unsigned __int128 wide;

#define DIGITS_MOST 36 /* of a power of ten below 2^126 */

static bool same_identity(const struct reading *want, const struct reading *r)
{
    return r->quantity == want->quantity && r->function == want->function &&
           r->storage == want->storage && r->tariff == want->tariff &&
           r->subunit == want->subunit && strcmp(r->qualifier, want->qualifier) == 0;
}

/* The first good number of that identity among the n readings that were sent. */
static const struct reading *find(const struct mbus_reading_list *list, unsigned n,
                                  const struct reading *want)
{
    for (unsigned i = 0; i < n; i++) {
        const struct reading *r = &list->items[i];

        if ((r->kind == READING_NUMBER || r->kind == READING_STATE) &&
            r->quality != QUALITY_INVALID && same_identity(want, r))
            return r;
    }
    return NULL;
}

static bool power_of_ten(int n, wide *out)
{
    if (n < 0 || n > DIGITS_MOST)
        return false;
    for (*out = 1; n > 0; n--)
        *out *= 10;
    return true;
}

static wide root(wide v)
{
    wide r = 0;

    for (int bit = 62; bit >= 0; bit--) {
        wide t = r | (wide)1 << bit;

        if (t * t <= v)
            r = t;
    }
    return r;
}

/* sqrt(a² + b²), rounded half up to `places`; false: more digits than fit. */
static bool hypotenuse(struct decimal a, struct decimal b, int places, struct decimal *out)
{
    int exponent = a.exponent < b.exponent ? a.exponent : b.exponent;
    int shift = 2 * (places + exponent);
    wide x, y, sum, up = 1, down = 1, r, edge;

    if (decimal_rescale(a, exponent, &a) != EMT_OK || decimal_rescale(b, exponent, &b) != EMT_OK ||
        a.mantissa == INT64_MIN || b.mantissa == INT64_MIN)
        return false;
    x = (wide)(a.mantissa < 0 ? -a.mantissa : a.mantissa);
    y = (wide)(b.mantissa < 0 ? -b.mantissa : b.mantissa);
    if (x >> 62 || y >> 62 || !power_of_ten(shift > 0 ? shift : 0, &up) ||
        !power_of_ten(shift < 0 ? -shift : 0, &down) ||
        __builtin_mul_overflow(x * x + y * y, up, &sum) || sum >> 124)
        return false;
    r = root(sum / down);
    /* Up where the true root is at least r + 1/2: sum/down >= (r + 1/2)², all times 4. */
    if (!__builtin_mul_overflow((2 * r + 1) * (2 * r + 1), down, &edge) && 4 * sum >= edge)
        r++;
    if (r >> 63)
        return false;
    *out = decimal_of((int64_t)r, -places);
    return true;
}

static bool operate(const struct vendor_calculated *c, const struct decimal *v, struct decimal *out)
{
    enum emt_err err = EMT_OK;

    *out = v[0];
    if (c->operation == VENDOR_HYPOTENUSE)
        return hypotenuse(v[0], v[1], c->places, out);
    for (unsigned i = 1; i < c->nof && err == EMT_OK; i++)
        err = c->operation == VENDOR_SUM ? decimal_add(*out, v[i], out)
                                         : decimal_sub(*out, v[i], out);
    if (err == EMT_OK)
        err = c->divide.mantissa ? decimal_div(*out, c->divide, c->places, out)
                                 : decimal_round(*out, c->places, out);
    return err == EMT_OK;
}

/* False: an operand is missing or has more digits than fit. */
static bool form(const struct vendor_calculated *c, const struct mbus_reading_list *list,
                 unsigned sent, struct reading *out)
{
    struct decimal v[VENDOR_TERMS_MAX];

    *out = c->shape;
    for (unsigned i = 0; i < c->nof; i++) {
        const struct reading *r = find(list, sent, &c->of[i]);

        if (!r || reading_base_value(r, &v[i]) != EMT_OK)
            return false;
        if (i == 0) {
            out->time = r->time;
            out->time_source = r->time_source;
            memcpy(out->time_text, r->time_text, sizeof out->time_text);
        }
    }
    return operate(c, v, &out->value);
}

enum emt_err vendor_calculate(const struct mbus_context *ctx, const struct vendor_profile *first,
                              struct mbus_reading_list *list)
{
    const struct vendor_profile *p = first;
    unsigned sent = list->n;

    while (p && (p->ncalculated == 0 || !vendor_is_for(p, &ctx->out->device)))
        p = p->next;
    for (unsigned i = 0; p && i < p->ncalculated; i++) {
        struct reading r, *to;

        if (!form(&p->calculated[i], list, sent, &r))
            continue;
        to = mbus_reading_add(list);
        if (!to)
            return EMT_ENOMEM;
        *to = r;
    }
    return EMT_OK;
}
