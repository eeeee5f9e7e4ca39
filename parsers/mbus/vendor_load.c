/* Manufacturer profiles from YAML. Every refusal names file, line and key. */
#include "vendor_load.h"

#include "base/arena.h"
#include "base/hex.h"
#include "vendor_builtin.h"

#include <stdlib.h>
#include <string.h>

#define PROFILES_MAX 1000
#define LAYOUTS_MAX 64
#define FIELDS_MAX 128
#define BLOCK_MAX 255
#define REPEAT_MAX 128
#define TAG_RULES_MAX 64
#define TAGS 256 /* one byte */
#define PLACES_MAX 9

struct vendor_profiles {
    struct arena *arena;
    struct vendor_profile *first;
    size_t count;
};

struct vendor_profiles *vendor_profiles_new(void)
{
    struct vendor_profiles *v = calloc(1, sizeof *v);

    if (!v)
        return NULL;
    v->arena = arena_new(0);
    if (!v->arena) {
        free(v);
        return NULL;
    }
    return v;
}

void vendor_profiles_free(struct vendor_profiles *v)
{
    if (!v)
        return;
    arena_free(v->arena);
    free(v);
}

size_t vendor_profiles_count(const struct vendor_profiles *v)
{
    return v->count;
}

const struct vendor_profile *vendor_profiles_first(const struct vendor_profiles *v)
{
    return v->first;
}

static enum emt_err no_memory(const struct vendor_loader *l)
{
    return emt_fail(l->diag, EMT_ENOMEM, "out of memory");
}

static enum emt_err read_int(const struct vendor_loader *l, const struct yaml_node *map,
                             const char *key, int64_t least, int64_t most, int64_t *out)
{
    return yaml_int(l->y, map, key, least, most, out, l->diag);
}

static enum emt_err read_hex(const struct vendor_loader *l, const struct yaml_node *n, uint8_t *out,
                             size_t cap, size_t *len)
{
    const char *text = yaml_scalar(n);

    *len = 0;
    if (!text || hex_decode(text, strlen(text), out, cap, len) != EMT_OK || *len == 0)
        return yaml_refuse(l->y, n, l->diag, "expected bytes in hex");
    return EMT_OK;
}

/* ---- fields ---- */

/* "u16", "i24be", "bcd8", "u8"; BCD counts digits. */
static bool parse_number(const char *text, struct vendor_term *t)
{
    static const struct {
        const char *name;
        enum vendor_number number;
        uint8_t len;
    } names[] = {
        { "u8", VENDOR_UNSIGNED, 1 },  { "u16", VENDOR_UNSIGNED, 2 }, { "u24", VENDOR_UNSIGNED, 3 },
        { "u32", VENDOR_UNSIGNED, 4 }, { "u48", VENDOR_UNSIGNED, 6 }, { "u64", VENDOR_UNSIGNED, 8 },
        { "i8", VENDOR_SIGNED, 1 },    { "i16", VENDOR_SIGNED, 2 },   { "i24", VENDOR_SIGNED, 3 },
        { "i32", VENDOR_SIGNED, 4 },   { "i48", VENDOR_SIGNED, 6 },   { "i64", VENDOR_SIGNED, 8 },
        { "bcd2", VENDOR_BCD, 1 },     { "bcd4", VENDOR_BCD, 2 },     { "bcd6", VENDOR_BCD, 3 },
        { "bcd8", VENDOR_BCD, 4 },     { "bcd12", VENDOR_BCD, 6 },
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t n = strlen(names[i].name);

        if (strncmp(text, names[i].name, n) != 0)
            continue;
        if (text[n] != 0 && strcmp(text + n, "be") != 0)
            continue;
        t->number = names[i].number;
        t->len = names[i].len;
        t->big_endian = text[n] != 0;
        return true;
    }
    return false;
}

static enum emt_err read_bits(const struct vendor_loader *l, const struct yaml_node *map,
                              struct vendor_term *t)
{
    const struct yaml_node *bits = yaml_get(l->y, map, "bits");
    int64_t first = 0, count = 0;
    enum emt_err err;

    if (!bits)
        return EMT_OK;
    err = read_int(l, bits, "first", 0, 63, &first);
    if (err == EMT_OK)
        err = read_int(l, bits, "count", 1, 63, &count);
    if (err != EMT_OK)
        return err;
    if (count == 0 || first + count > 8 * t->len || t->number == VENDOR_BCD)
        return yaml_refuse(l->y, bits, l->diag, "these bits are not in the number");
    t->bit = (uint8_t)first;
    t->bits = (uint8_t)count;
    return EMT_OK;
}

static enum emt_err read_term(const struct vendor_loader *l, const struct yaml_node *map,
                              struct vendor_term *t)
{
    const struct yaml_node *as = yaml_get(l->y, map, "as");
    const char *text = yaml_scalar(as);
    int64_t at = -1;
    enum emt_err err = read_int(l, map, "at", 0, BLOCK_MAX, &at);

    t->times = 1;
    if (err == EMT_OK)
        err = read_int(l, map, "times", INT32_MIN, INT32_MAX, &t->times);
    if (err != EMT_OK)
        return err;
    if (at < 0 || !as)
        return yaml_refuse(l->y, map, l->diag, "needs \"at\" and \"as\"");
    t->at = (uint16_t)at;
    if (!text || !parse_number(text, t))
        return yaml_refuse(l->y, as, l->diag,
                           "expected u8 to u64, i8 to i64 or bcd2 to bcd12, with \"be\" behind it"
                           " for the most significant byte first");
    return read_bits(l, map, t);
}

static enum emt_err read_terms(const struct vendor_loader *l, const struct yaml_node *map,
                               struct vendor_field *f)
{
    const struct yaml_node *sum = yaml_get(l->y, map, "sum");

    if (!sum) {
        f->nterms = 1;
        return read_term(l, map, &f->terms[0]);
    }
    if (yaml_count(sum) == 0 || yaml_count(sum) > VENDOR_TERMS_MAX)
        return yaml_refuse(l->y, sum, l->diag, "expected a list of 1 to 4 numbers");
    for (; f->nterms < yaml_count(sum); f->nterms++) {
        enum emt_err err = read_term(l, yaml_at(sum, f->nterms), &f->terms[f->nterms]);

        if (err != EMT_OK)
            return err;
    }
    return EMT_OK;
}

/* "divide" for what no decimal factor says (thirds), rounded to "places". */
static enum emt_err read_divide(const struct vendor_loader *l, const struct yaml_node *map,
                                struct vendor_field *f)
{
    int64_t places = -1;
    enum emt_err err = read_int(l, map, "divide", 2, INT32_MAX, &f->divide);

    if (err == EMT_OK)
        err = read_int(l, map, "places", 0, PLACES_MAX, &places);
    if (err == EMT_OK && (f->divide != 0) != (places >= 0))
        return yaml_refuse(l->y, map, l->diag, "\"divide\" and \"places\" go together");
    f->places = (int)places;
    return err;
}

/* "power_of_two: N": the value is two to the number plus N. */
static enum emt_err read_power(const struct vendor_loader *l, const struct yaml_node *map,
                               struct vendor_field *f)
{
    int64_t plus = 0;
    enum emt_err err = read_int(l, map, "power_of_two", 0, 62, &plus);

    f->is_power = yaml_get(l->y, map, "power_of_two") != NULL;
    f->power_plus = (unsigned)plus;
    return err;
}

/* "lookup: [ … ]": the number is an index into these decimals. */
static enum emt_err read_lookup(const struct vendor_loader *l, const struct yaml_node *map,
                                struct vendor_field *f)
{
    const struct yaml_node *list = yaml_get(l->y, map, "lookup");
    size_t n = yaml_count(list);

    if (!list)
        return EMT_OK;
    if (n == 0 || n > VENDOR_LOOKUP_MAX || f->is_power)
        return yaml_refuse(l->y, list, l->diag, "expected 1 to 16 decimals, and no power_of_two");
    f->lookup = (struct decimal *)arena_alloc(l->arena, n * sizeof *f->lookup);
    if (!f->lookup)
        return no_memory(l);
    for (; f->nlookup < n; f->nlookup++) {
        const struct yaml_node *item = yaml_at(list, f->nlookup);
        const char *text = yaml_scalar(item);

        if (!text || decimal_parse(text, strlen(text), &f->lookup[f->nlookup]) != EMT_OK)
            return yaml_refuse(l->y, item, l->diag, "expected a decimal number");
    }
    return EMT_OK;
}

static enum emt_err read_scale(const struct vendor_loader *l, const struct yaml_node *map,
                               struct vendor_field *f)
{
    const struct yaml_node *n = yaml_get(l->y, map, "scale");
    const char *text = yaml_scalar(n);

    f->scale = decimal_of(1, 0);
    if (n && (!text || decimal_parse(text, strlen(text), &f->scale) != EMT_OK))
        return yaml_refuse(l->y, n, l->diag, "expected a decimal number");
    return read_divide(l, map, f);
}

/* What becomes of the number before it is a value. */
static enum emt_err read_number(const struct vendor_loader *l, const struct yaml_node *map,
                                struct vendor_field *f)
{
    enum emt_err err = read_power(l, map, f);

    if (err == EMT_OK)
        err = read_lookup(l, map, f);
    return err == EMT_OK ? read_scale(l, map, f) : err;
}

enum emt_err vendor_load_quantity(const struct vendor_loader *l, const struct yaml_node *map,
                                  struct reading *shape)
{
    const struct yaml_node *quantity = yaml_get(l->y, map, "quantity");
    const struct yaml_node *unit = yaml_get(l->y, map, "unit");
    const char *name = yaml_scalar(quantity), *spelling = yaml_scalar(unit);
    const struct unit *u;

    if (!name || quantity_parse(name, &shape->quantity) != EMT_OK)
        return yaml_refuse(l->y, quantity ? quantity : map, l->diag,
                           "expected \"vif\" or the name of a quantity");
    if (unit) {
        u = spelling ? unit_find(spelling) : NULL;
        if (!u)
            return yaml_refuse(l->y, unit, l->diag, "expected a unit");
        shape->unit = u->name;
    }
    return EMT_OK;
}

static enum emt_err read_unit(const struct vendor_loader *l, const struct yaml_node *map,
                              struct vendor_field *f)
{
    enum emt_err err = vendor_load_quantity(l, map, &f->shape);

    f->quantity = f->shape.quantity;
    f->unit = f->shape.unit;
    return err == EMT_OK ? read_number(l, map, f) : err;
}

static enum emt_err read_meaning(const struct vendor_loader *l, const struct yaml_node *map,
                                 struct vendor_field *f)
{
    int64_t vif = -1;
    enum emt_err err = read_int(l, map, "vif", 0, BLOCK_MAX, &vif);

    if (err != EMT_OK)
        return err;
    f->vif_at = (int)vif;
    return vif < 0 ? read_unit(l, map, f) : EMT_OK;
}

static enum emt_err read_none(const struct vendor_loader *l, const struct yaml_node *map,
                              struct vendor_field *f)
{
    f->has_none = yaml_get(l->y, map, "none") != NULL;
    return read_int(l, map, "none", INT64_MIN, INT64_MAX, &f->none);
}

static enum emt_err read_date(const struct vendor_loader *l, const struct yaml_node *map,
                              struct vendor_field *f)
{
    const struct yaml_node *date = yaml_get(l->y, map, "date");
    const struct yaml_node *as = date ? yaml_get(l->y, date, "as") : NULL;
    const char *text = yaml_scalar(as);
    int64_t at = 0;
    enum emt_err err;

    if (!date)
        return EMT_OK;
    err = read_int(l, date, "at", 0, BLOCK_MAX, &at);
    if (err != EMT_OK)
        return err;
    f->date_at = (uint16_t)at;
    if (text && strcmp(text, "g") == 0)
        f->date = VENDOR_DATE_G;
    else if (text && strcmp(text, "packed") == 0)
        f->date = VENDOR_DATE_PACKED;
    else
        return yaml_refuse(l->y, as ? as : date, l->diag, "expected \"as: g\" or \"as: packed\"");
    return EMT_OK;
}

static enum emt_err read_function(const struct vendor_loader *l, const struct yaml_node *map,
                                  struct reading *shape)
{
    static const char *const names[] = { [READING_INSTANT] = "instantaneous",
                                         [READING_MAXIMUM] = "maximum",
                                         [READING_MINIMUM] = "minimum",
                                         [READING_ERROR] = "error" };
    const struct yaml_node *n = yaml_get(l->y, map, "function");
    const char *text = yaml_scalar(n);

    if (!n)
        return EMT_OK;
    for (unsigned i = 0; text && i < sizeof names / sizeof names[0]; i++)
        if (strcmp(text, names[i]) == 0) {
            shape->function = (enum reading_function)i;
            return EMT_OK;
        }
    return yaml_refuse(l->y, n, l->diag, "expected instantaneous, maximum, minimum or error");
}

enum emt_err vendor_load_shape(const struct vendor_loader *l, const struct yaml_node *map,
                               struct reading *shape)
{
    const struct yaml_node *n = yaml_get(l->y, map, "qualifier");
    const char *qualifier = yaml_scalar(n);
    int64_t storage = 0, tariff = 0, subunit = 0;
    enum emt_err err = read_int(l, map, "storage", 0, INT32_MAX, &storage);

    if (err == EMT_OK)
        err = read_int(l, map, "tariff", 0, 65535, &tariff);
    if (err == EMT_OK)
        err = read_int(l, map, "subunit", 0, 65535, &subunit);
    if (err != EMT_OK)
        return err;
    shape->storage = (uint64_t)storage;
    shape->tariff = (uint32_t)tariff;
    shape->subunit = (uint16_t)subunit;
    if (n &&
        (!qualifier || strlen(qualifier) >= sizeof shape->qualifier || strpbrk(qualifier, "| \n")))
        return yaml_refuse(l->y, n, l->diag, "expected a word of at most 47 letters");
    if (qualifier)
        memcpy(shape->qualifier, qualifier, strlen(qualifier) + 1);
    return read_function(l, map, shape);
}

static enum emt_err read_shape(const struct vendor_loader *l, const struct yaml_node *map,
                               struct vendor_field *f)
{
    return vendor_load_shape(l, map, &f->shape);
}

static enum emt_err read_tag(const struct vendor_loader *l, const struct yaml_node *map,
                             struct vendor_field *f)
{
    const struct yaml_node *n = yaml_get(l->y, map, "tag");
    size_t len;

    int64_t part = 0;
    enum emt_err err = read_int(l, map, "part", 0, 7, &part);

    f->has_tag = n != NULL;
    f->has_part = yaml_get(l->y, map, "part") != NULL;
    f->part = (uint8_t)part;
    return err == EMT_OK && n ? read_hex(l, n, &f->tag, 1, &len) : err;
}

static enum emt_err read_repeat(const struct vendor_loader *l, const struct yaml_node *map,
                                struct vendor_field *f)
{
    const struct yaml_node *n = yaml_get(l->y, map, "repeat");
    int64_t count = 1, step = 0, storage = 0;
    enum emt_err err = EMT_OK;

    if (n)
        err = read_int(l, n, "count", 1, REPEAT_MAX, &count);
    if (n && err == EMT_OK)
        err = read_int(l, n, "step", 1, BLOCK_MAX, &step);
    if (n && err == EMT_OK)
        err = read_int(l, n, "storage", -REPEAT_MAX, REPEAT_MAX, &storage);
    if (err != EMT_OK)
        return err;
    if ((int64_t)f->shape.storage + (count - 1) * storage < 0)
        return yaml_refuse(l->y, n, l->diag, "counts storage numbers below 0");
    f->count = (unsigned)count;
    f->step = (unsigned)step;
    f->storage_step = (int)storage;
    return EMT_OK;
}

static enum emt_err read_field(const struct vendor_loader *l, const struct yaml_node *map,
                               struct vendor_field *f)
{
    static enum emt_err (*const steps[])(const struct vendor_loader *, const struct yaml_node *,
                                         struct vendor_field *) = {
        read_terms, read_none, read_meaning, read_date, read_shape, read_tag, read_repeat,
    };

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        enum emt_err err = steps[i](l, map, f);

        if (err != EMT_OK)
            return err;
    }
    return EMT_OK;
}

static enum emt_err read_fields(const struct vendor_loader *l, const struct yaml_node *map,
                                struct vendor_layout *layout)
{
    const struct yaml_node *fields = yaml_get(l->y, map, "fields");
    size_t n = yaml_count(fields);

    if (n == 0 || n > FIELDS_MAX)
        return yaml_refuse(l->y, fields ? fields : map, l->diag,
                           "expected \"fields\", 1 to 128 of them");
    layout->fields = (struct vendor_field *)arena_alloc(l->arena, n * sizeof *layout->fields);
    if (!layout->fields)
        return no_memory(l);
    for (; layout->nfields < n; layout->nfields++) {
        enum emt_err err =
            read_field(l, yaml_at(fields, layout->nfields), &layout->fields[layout->nfields]);

        if (err != EMT_OK)
            return err;
        if (layout->fields[layout->nfields].has_tag && !layout->tag_len)
            return yaml_refuse(l->y, yaml_at(fields, layout->nfields), l->diag,
                               "\"tag\" needs \"tags\" of the layout");
        if (layout->fields[layout->nfields].has_part && layout->nparts == 0)
            return yaml_refuse(l->y, yaml_at(fields, layout->nfields), l->diag,
                               "\"part\" needs \"parts\" of the layout");
    }
    return EMT_OK;
}

/* ---- layouts ---- */

static enum emt_err read_place(const struct vendor_loader *l, const struct yaml_node *map,
                               struct vendor_layout *layout)
{
    const struct yaml_node *record = yaml_get(l->y, map, "record");
    const struct yaml_node *body = yaml_get(l->y, map, "body");
    bool tail = false;
    enum emt_err err = yaml_bool(l->y, map, "tail", &tail, l->diag);
    size_t n = 0;

    if (err != EMT_OK)
        return err;
    if ((record != NULL) + (body != NULL) + tail != 1)
        return yaml_refuse(l->y, map, l->diag,
                           "needs one of \"record\", \"body\" and \"tail: true\"");
    if (record) {
        layout->place = VENDOR_RECORD;
        return read_hex(l, record, layout->header, sizeof layout->header, &layout->header_len);
    }
    layout->place = tail ? VENDOR_TAIL : VENDOR_BODY;
    if (body)
        err = read_hex(l, body, layout->cis, sizeof layout->cis, &n);
    layout->ncis = (unsigned)n;
    return err;
}

/* "prios: [key, …]": the body is scrambled (mbus_prios.h). */
static enum emt_err read_prios(const struct vendor_loader *l, const struct yaml_node *map,
                               struct vendor_layout *layout)
{
    const struct yaml_node *keys = yaml_get(l->y, map, "prios");

    if (!keys)
        return EMT_OK;
    if (layout->place != VENDOR_BODY || yaml_count(keys) == 0 ||
        yaml_count(keys) > VENDOR_PRIOS_KEYS_MAX)
        return yaml_refuse(l->y, keys, l->diag, "expected 1 to 4 keys, and a body");
    for (; layout->nprios_keys < yaml_count(keys); layout->nprios_keys++) {
        const struct yaml_node *n = yaml_at(keys, layout->nprios_keys);
        size_t len;
        enum emt_err err =
            read_hex(l, n, layout->prios_keys[layout->nprios_keys], MBUS_PRIOS_KEY, &len);

        if (err == EMT_OK && len != MBUS_PRIOS_KEY)
            err = yaml_refuse(l->y, n, l->diag, "expected eight bytes in hex");
        if (err != EMT_OK)
            return err;
    }
    return EMT_OK;
}

/* "skip: { at, plus }": fields count from the byte there, and so many more. */
static enum emt_err read_skip(const struct vendor_loader *l, const struct yaml_node *map,
                              struct vendor_layout *layout)
{
    const struct yaml_node *skip = yaml_get(l->y, map, "skip");
    int64_t at = 0, plus = 0;
    enum emt_err err;

    if (!skip)
        return EMT_OK;
    err = read_int(l, skip, "at", 0, BLOCK_MAX, &at);
    if (err == EMT_OK)
        err = read_int(l, skip, "plus", 0, BLOCK_MAX, &plus);
    layout->has_skip = true;
    layout->skip_at = (uint16_t)at;
    layout->skip_plus = (uint16_t)plus;
    return err;
}

static enum emt_err read_tag_rule(const struct vendor_loader *l, const struct yaml_node *rule,
                                  struct vendor_layout *layout)
{
    const struct yaml_node *tags = yaml_get(l->y, rule, "of");
    uint8_t bytes[32];
    size_t n = 0;
    int64_t length = -1;
    enum emt_err err = read_int(l, rule, "length", 0, VENDOR_NO_TAG - 1, &length);

    if (err == EMT_OK)
        err = length < 0 || !tags ? yaml_refuse(l->y, rule, l->diag, "needs \"of\" and \"length\"")
                                  : read_hex(l, tags, bytes, sizeof bytes, &n);
    for (size_t i = 0; err == EMT_OK && i < n; i++)
        layout->tag_len[bytes[i]] = (uint8_t)length;
    return err;
}

/* "tags: { from, lengths: [{ of, length }] }": from there on a tag of one byte and its data, again
 * and again; a tag without a length ends it. */
static enum emt_err read_tags(const struct vendor_loader *l, const struct yaml_node *map,
                              struct vendor_layout *layout)
{
    const struct yaml_node *tags = yaml_get(l->y, map, "tags");
    const struct yaml_node *lengths = tags ? yaml_get(l->y, tags, "lengths") : NULL;
    int64_t from = 0;
    enum emt_err err;

    if (!tags)
        return EMT_OK;
    err = read_int(l, tags, "from", 0, BLOCK_MAX, &from);
    if (err == EMT_OK && (yaml_count(lengths) == 0 || yaml_count(lengths) > TAG_RULES_MAX))
        err = yaml_refuse(l->y, tags, l->diag, "needs \"lengths\", a list of 1 to 64");
    if (err != EMT_OK)
        return err;
    layout->tags_from = (uint16_t)from;
    layout->tag_len = (uint8_t *)arena_alloc(l->arena, TAGS);
    if (!layout->tag_len)
        return no_memory(l);
    memset(layout->tag_len, VENDOR_NO_TAG, TAGS);
    for (size_t i = 0; err == EMT_OK && i < yaml_count(lengths); i++)
        err = read_tag_rule(l, yaml_at(lengths, i), layout);
    return err;
}

static enum emt_err read_length(const struct vendor_loader *l, const struct yaml_node *map,
                                struct vendor_layout *layout)
{
    int64_t exact = -1, least = 0;
    enum emt_err err = read_int(l, map, "length", 1, BLOCK_MAX, &exact);

    if (err == EMT_OK)
        err = read_int(l, map, "least", 1, BLOCK_MAX, &least);
    if (err != EMT_OK)
        return err;
    layout->least = (size_t)(exact >= 0 ? exact : least);
    layout->most = exact >= 0 ? (size_t)exact : SIZE_MAX;
    return EMT_OK;
}

static enum emt_err read_conditions(const struct vendor_loader *l, const struct yaml_node *map,
                                    struct vendor_layout *layout)
{
    const struct yaml_node *when = yaml_get(l->y, map, "when");

    if (!when)
        return EMT_OK;
    if (yaml_count(when) == 0 || yaml_count(when) > VENDOR_CONDITIONS_MAX)
        return yaml_refuse(l->y, when, l->diag, "expected a list of 1 to 4 conditions");
    for (; layout->nconditions < yaml_count(when); layout->nconditions++) {
        struct vendor_condition *c = &layout->conditions[layout->nconditions];
        const struct yaml_node *n = yaml_at(when, layout->nconditions);
        const struct yaml_node *is = yaml_get(l->y, n, "is");
        int64_t at = 0;
        size_t len = 0;
        enum emt_err err = read_int(l, n, "at", 0, BLOCK_MAX, &at);

        if (err == EMT_OK)
            err = is ? read_hex(l, is, c->is, sizeof c->is, &len)
                     : yaml_refuse(l->y, n, l->diag, "needs \"at\" and \"is\"");
        if (err != EMT_OK)
            return err;
        c->at = (uint16_t)at;
        c->len = (uint8_t)len;
    }
    return EMT_OK;
}

/* "parts: { flags, from, list: [{ bit, length }] }": from there on the parts whose bit is set in
 * the byte at flags, in the order of the list. */
static enum emt_err read_parts(const struct vendor_loader *l, const struct yaml_node *map,
                               struct vendor_layout *layout)
{
    const struct yaml_node *parts = yaml_get(l->y, map, "parts");
    const struct yaml_node *list = parts ? yaml_get(l->y, parts, "list") : NULL;
    int64_t flags = 0, from = 0;
    enum emt_err err;

    if (!parts)
        return EMT_OK;
    err = read_int(l, parts, "flags", 0, BLOCK_MAX, &flags);
    if (err == EMT_OK)
        err = read_int(l, parts, "from", 0, BLOCK_MAX, &from);
    if (err == EMT_OK && (yaml_count(list) == 0 || yaml_count(list) > VENDOR_PARTS_MAX))
        err = yaml_refuse(l->y, parts, l->diag, "needs \"list\", 1 to 8 parts");
    layout->part_flags = (uint16_t)flags;
    layout->parts_from = (uint16_t)from;
    for (; err == EMT_OK && layout->nparts < yaml_count(list); layout->nparts++) {
        const struct yaml_node *part = yaml_at(list, layout->nparts);
        int64_t bit = -1, len = 0;

        err = read_int(l, part, "bit", 0, 7, &bit);
        if (err == EMT_OK)
            err = read_int(l, part, "length", 1, BLOCK_MAX, &len);
        if (err == EMT_OK && (bit < 0 || len == 0))
            err = yaml_refuse(l->y, part, l->diag, "needs \"bit\" and \"length\"");
        layout->parts[layout->nparts] = (struct vendor_part){ (uint8_t)bit, (uint8_t)len };
    }
    return err;
}

static enum emt_err read_instead(const struct vendor_loader *l, const struct yaml_node *map,
                                 struct vendor_layout *layout)
{
    enum emt_err err = yaml_bool(l->y, map, "instead", &layout->instead, l->diag);

    if (err == EMT_OK && layout->instead && layout->place != VENDOR_RECORD)
        return yaml_refuse(l->y, map, l->diag, "\"instead\" is for records");
    return err;
}

static enum emt_err read_layout(const struct vendor_loader *l, const struct yaml_node *map,
                                struct vendor_layout *layout)
{
    static enum emt_err (*const steps[])(const struct vendor_loader *, const struct yaml_node *,
                                         struct vendor_layout *) = {
        read_place, read_length, read_conditions, read_prios,  read_skip,
        read_tags,  read_parts,  read_instead,    read_fields,
    };

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        enum emt_err err = steps[i](l, map, layout);

        if (err != EMT_OK)
            return err;
    }
    return EMT_OK;
}

static enum emt_err read_layouts(const struct vendor_loader *l, const struct yaml_node *map,
                                 struct vendor_profile *p)
{
    const struct yaml_node *list = yaml_get(l->y, map, "layouts");
    struct vendor_layout **end = &p->layouts;

    if (!list && p->ncalculated > 0)
        return EMT_OK;
    if (yaml_count(list) == 0 || yaml_count(list) > LAYOUTS_MAX)
        return yaml_refuse(l->y, list ? list : map, l->diag,
                           "expected \"layouts\" or \"calculated\", 1 to 64 layouts");
    for (size_t i = 0; i < yaml_count(list); i++) {
        struct vendor_layout *layout =
            (struct vendor_layout *)arena_alloc(l->arena, sizeof *layout);
        enum emt_err err = layout ? read_layout(l, yaml_at(list, i), layout) : no_memory(l);

        if (err != EMT_OK)
            return err;
        *end = layout;
        end = &layout->next;
    }
    return EMT_OK;
}

/* ---- profiles ---- */

static enum emt_err read_manufacturers(const struct vendor_loader *l, const struct yaml_node *map,
                                       struct vendor_profile *p)
{
    const struct yaml_node *list = yaml_get(l->y, map, "manufacturer");
    uint16_t code;

    if (yaml_count(list) == 0 || yaml_count(list) > VENDOR_MANUFACTURERS_MAX)
        return yaml_refuse(l->y, list ? list : map, l->diag,
                           "expected \"manufacturer\", a list of 1 to 8");
    for (; p->nmanufacturers < yaml_count(list); p->nmanufacturers++) {
        const struct yaml_node *n = yaml_at(list, p->nmanufacturers);
        const char *text = yaml_scalar(n);

        if (!text || manufacturer_to_code(text, &code) != EMT_OK)
            return yaml_refuse(l->y, n, l->diag, "expected three capital letters");
        memcpy(p->manufacturers[p->nmanufacturers], text, 4);
    }
    return EMT_OK;
}

/* A list of bytes in hex; none: any. */
static enum emt_err read_set(const struct vendor_loader *l, const struct yaml_node *map,
                             const char *key, uint8_t set[32], bool *any)
{
    const struct yaml_node *list = yaml_get(l->y, map, key);

    *any = list == NULL;
    if (list && yaml_count(list) == 0)
        return yaml_refuse(l->y, list, l->diag, "expected a list of bytes in hex");
    for (size_t i = 0; i < yaml_count(list); i++) {
        uint8_t byte = 0;
        size_t n;
        enum emt_err err = read_hex(l, yaml_at(list, i), &byte, 1, &n);

        if (err != EMT_OK)
            return err;
        set[byte / 8] = (uint8_t)(set[byte / 8] | 1u << byte % 8);
    }
    return EMT_OK;
}

static enum emt_err read_profile(const struct vendor_loader *l, const struct yaml_node *map,
                                 struct vendor_profile *p)
{
    enum emt_err err = read_manufacturers(l, map, p);

    if (err == EMT_OK)
        err = read_set(l, map, "version", p->versions, &p->any_version);
    if (err == EMT_OK)
        err = read_set(l, map, "type", p->types, &p->any_type);
    if (err == EMT_OK)
        err = vendor_load_calculated(l, map, p);
    return err == EMT_OK ? read_layouts(l, map, p) : err;
}

static enum emt_err read_file(const struct vendor_loader *l, struct vendor_profiles *v)
{
    const struct yaml_node *list = yaml_get(l->y, yaml_root(l->y), "profiles");
    struct vendor_profile *first = NULL, **end = &first;
    size_t n = yaml_count(list);
    enum emt_err err;

    if (n == 0 || n > PROFILES_MAX - v->count)
        return yaml_refuse(l->y, list ? list : yaml_root(l->y), l->diag,
                           "expected \"profiles\", at least one and 1000 in all");
    for (size_t i = 0; i < n; i++) {
        struct vendor_profile *p = (struct vendor_profile *)arena_alloc(l->arena, sizeof *p);

        err = p ? read_profile(l, yaml_at(list, i), p) : no_memory(l);
        if (err != EMT_OK)
            return err;
        *end = p;
        end = &p->next;
    }
    err = yaml_unknown(l->y, l->diag);
    if (err != EMT_OK)
        return err;
    *end = v->first;
    v->first = first;
    v->count += n;
    return EMT_OK;
}

static enum emt_err add_loaded(struct vendor_profiles *v, struct yaml *y, struct emt_diag *diag)
{
    struct vendor_loader l = { y, v->arena, diag };
    enum emt_err err = read_file(&l, v);

    yaml_free(y);
    return err;
}

enum emt_err vendor_profiles_add_file(struct vendor_profiles *v, const char *path,
                                      struct emt_diag *diag)
{
    struct yaml *y = NULL;
    enum emt_err err = yaml_load_file(path, &y, diag);

    return err == EMT_OK ? add_loaded(v, y, diag) : err;
}

enum emt_err vendor_profiles_add_text(struct vendor_profiles *v, const char *name, const char *text,
                                      size_t n, struct emt_diag *diag)
{
    struct yaml *y = NULL;
    enum emt_err err = yaml_load_text(name, text, n, &y, diag);

    return err == EMT_OK ? add_loaded(v, y, diag) : err;
}

enum emt_err vendor_profiles_add_builtin(struct vendor_profiles *v, struct emt_diag *diag)
{
    for (const struct vendor_builtin *b = vendor_builtins; b->name; b++) {
        enum emt_err err =
            vendor_profiles_add_text(v, b->name, (const char *)b->text, b->len, diag);

        if (err != EMT_OK)
            return err;
    }
    return EMT_OK;
}
