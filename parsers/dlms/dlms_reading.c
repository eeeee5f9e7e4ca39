#include "dlms_reading.h"

#include "base/hex.h"
#include "base/reader.h"
#include "common/obis_meaning.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SCALER_MOST 64
#define NUMBER_TEXT_MAX 32 /* of struct device_id */
#define BITS_MOST 63
#define DIN_NUMBER_LEN 14

static void add_mark(struct reading *r, const char *mark)
{
    size_t len = strlen(r->qualifier), n = strlen(mark);

    if (len + n + 2 > sizeof r->qualifier)
        return;
    if (len)
        r->qualifier[len++] = '+';
    memcpy(r->qualifier + len, mark, n + 1);
}

static void set_time(struct reading *r, const struct dlms_clock *c, enum time_source source)
{
    static_assert(sizeof r->time_text >= DLMS_CLOCK_TEXT_MAX, "a clock's text fits");

    (void)dlms_clock_text(c, r->time_text);
    r->time = dlms_clock_instant(c);
    r->time_source = source;
}

/* 14, 16 and 18 are units of gas converted to base conditions (IEC 62056-6-2). */
static void note_conversion(uint8_t unit, struct reading *r)
{
    if ((unit == 14 || unit == 16 || unit == 18) && r->qualifier[0] == 0)
        add_mark(r, "base-conditions");
}

static struct reading *add(struct dlms_context *ctx, const struct dlms_item *item, uint8_t unit)
{
    struct reading *r = decode_build_reading(&ctx->b);

    if (!r)
        return NULL;
    (void)obis_meaning_apply(item->obis, unit == DLMS_UNIT_NONE ? NULL : obis_unit_of_code(unit),
                             r);
    note_conversion(unit, r);
    if (item->mark)
        add_mark(r, item->mark);
    r->quality = quality_worse(r->quality, item->quality);
    if (item->clock)
        set_time(r, item->clock, item->profile ? TIME_SOURCE_PROFILE : TIME_SOURCE_METER);
    return r;
}

static void set_text(struct dlms_context *ctx, struct reading *r, const char *text, size_t n)
{
    r->kind = READING_TEXT;
    r->unit = NULL;
    r->text = decode_build_copy(&ctx->b, text, n);
}

/* ---- numbers ---- */

static void put_number(struct dlms_context *ctx, const struct dlms_item *item, int scaler,
                       uint8_t unit)
{
    const struct axdr_node *v = item->value;
    bool big = v->tag == AXDR_UINT64 && v->i < 0;
    struct reading *r = add(ctx, item, unit);
    char text[40];
    int n;

    if (!r)
        return;
    if (!big && scaler >= -SCALER_MOST && scaler <= SCALER_MOST) {
        if (r->quantity == QUANTITY_STATUS && !r->unit)
            r->kind = READING_STATE;
        r->value = decimal_of(v->i, scaler);
        return;
    }
    /* What a decimal cannot hold is printed. */
    n = big ? snprintf(text, sizeof text, "%" PRIu64, (uint64_t)v->i)
            : snprintf(text, sizeof text, "%" PRId64, v->i);
    if (scaler)
        n += snprintf(text + n, sizeof text - (size_t)n, "e%d", scaler);
    set_text(ctx, r, text, (size_t)n);
}

static void put_integer(struct dlms_context *ctx, const struct dlms_item *item)
{
    struct dlms_item sent = *item;

    put_number(ctx, item, item->scaler, item->unit);
    if (!item->assumed || item->scaler == 0)
        return;
    sent.mark = "unscaled";
    put_number(ctx, &sent, 0, DLMS_UNIT_NONE);
}

static void put_state(struct dlms_context *ctx, const struct dlms_item *item, int64_t value)
{
    struct reading *r = add(ctx, item, DLMS_UNIT_NONE);

    if (!r)
        return;
    r->kind = READING_STATE;
    r->value = decimal_of(value, 0);
}

static void put_raw(struct dlms_context *ctx, const struct dlms_item *item, const uint8_t *p,
                    size_t n)
{
    struct reading *r = add(ctx, item, DLMS_UNIT_NONE);

    if (!r)
        return;
    r->kind = READING_RAW;
    r->text = decode_build_copy_hex(&ctx->b, p, n);
}

static void put_float(struct dlms_context *ctx, const struct dlms_item *item)
{
    const struct axdr_node *v = item->value;
    struct reader in = reader_of(v->p, v->n);
    struct decimal value;
    enum emt_err err = v->tag == AXDR_FLOAT32 ? decimal_from_float32(reader_u32be(&in), &value)
                                              : decimal_from_float64(reader_be(&in, 8), &value);
    struct reading *r;

    if (err == EMT_OK && value.exponent + item->scaler >= -SCALER_MOST &&
        value.exponent + item->scaler <= SCALER_MOST) {
        r = add(ctx, item, item->unit);
        if (r)
            r->value = decimal_of(value.mantissa, value.exponent + item->scaler);
        return;
    }
    put_raw(ctx, item, v->p, v->n);
}

/* Bit 0 stands in the highest bit of the first byte and is the highest of the number. */
static void put_bits(struct dlms_context *ctx, const struct dlms_item *item)
{
    const struct axdr_node *v = item->value;
    int64_t bits = 0;

    if (v->n == 0 || v->n > BITS_MOST) {
        put_raw(ctx, item, v->p, v->n / 8 + (v->n % 8 != 0));
        return;
    }
    for (unsigned i = 0; i < v->n; i++)
        bits = bits << 1 | (v->p[i / 8] >> (7 - i % 8) & 1);
    put_state(ctx, item, bits);
}

/* ---- texts ---- */

static bool is_printable(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] < ' ' || p[i] > '~')
            return false;
    return true;
}

/* Bytes of the sequence at p that is well-formed UTF-8 (Unicode, table 3-7) and no control; 0:
 * none. */
static size_t utf8_step(const uint8_t *p, size_t n)
{
    uint8_t b = p[0], low = 0x80, high = 0xbf;
    size_t len = b >= 0xf0 ? 4 : b >= 0xe0 ? 3 : 2;

    if (b < 0x80)
        return b >= ' ' && b != 0x7f;
    if (b < 0xc2 || b > 0xf4 || len > n)
        return 0;
    if (b == 0xe0)
        low = 0xa0;
    else if (b == 0xed)
        high = 0x9f;
    else if (b == 0xf0)
        low = 0x90;
    else if (b == 0xf4)
        high = 0x8f;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if (p[i] < 0x80 || p[i] > 0xbf)
            return 0;
    return len;
}

static bool is_utf8(const uint8_t *p, size_t n)
{
    size_t at = 0, step = 1;

    while (at < n && (step = utf8_step(p + at, n - at)) > 0)
        at += step;
    return at == n;
}

/* How well a code names the device: its identification number, the meter's number, its logical
 * device name, any other identifier of the device (IEC 62056-6-1, 6-2). */
static unsigned rank_of(struct obis o)
{
    if (o.c == 96 && o.d == 1 && o.e == 0)
        return o.a == 0 ? 5 : 4;
    if (o.c == 0 && o.d == 0)
        return 3;
    if (o.a == 0 && o.c == 42 && o.d == 0)
        return 2;
    return o.c == 96 && o.d == 1 ? 1 : 0;
}

static uint8_t medium_type(char medium)
{
    static const uint8_t types[] = {
        [1] = 0x02, [4] = 0x08, [5] = 0x0a, [6] = 0x04, [7] = 0x03, [8] = 0x16, [9] = 0x06
    };

    return medium >= '0' && medium <= '9' ? types[medium - '0'] : 0;
}

static void note_device(struct dlms_context *ctx, struct obis o, const uint8_t *p, size_t n)
{
    struct decode_result *out = ctx->b.out;
    unsigned rank = rank_of(o);

    while (n > 0 && p[n - 1] == ' ')
        n--;
    while (n > 0 && p[0] == ' ') {
        p++;
        n--;
    }
    if (rank <= ctx->rank || n == 0 || n > NUMBER_TEXT_MAX || ctx->titled)
        return;
    ctx->rank = rank;
    memset(&out->device, 0, sizeof out->device);
    memcpy(out->device.number, p, n);
    if (n == DIN_NUMBER_LEN && p[1] >= 'A' && p[1] <= 'Z')
        out->device.type = medium_type((char)p[0]);
    out->has_device = true;
}

static void put_text(struct dlms_context *ctx, const struct dlms_item *item, size_t n)
{
    struct dlms_item sent = *item;
    struct reading *r = add(ctx, item, DLMS_UNIT_NONE);

    if (!r)
        return;
    set_text(ctx, r, (const char *)item->value->p, n);
    if (is_printable(item->value->p, n))
        note_device(ctx, item->obis, item->value->p, n);
    sent.mark = "octets";
    put_raw(ctx, &sent, item->value->p, item->value->n);
}

static bool put_clock(struct dlms_context *ctx, const struct dlms_item *item)
{
    struct dlms_clock c;
    char text[DLMS_CLOCK_TEXT_MAX];
    struct reading *r;

    if (item->value->n != DLMS_CLOCK_LEN || !dlms_clock_read(item->value->p, &c))
        return false;
    r = add(ctx, item, DLMS_UNIT_NONE);
    if (!r)
        return true;
    r->quantity = QUANTITY_DATE_TIME;
    (void)dlms_clock_text(&c, text);
    set_text(ctx, r, text, strlen(text));
    if (item->obis.a == 0 && item->obis.c == 1 && item->obis.d == 0 && !ctx->clock_from_body) {
        ctx->clock = c;
        ctx->has_clock = ctx->clock_from_body = true;
    }
    return true;
}

/* Some meters fill the place of a text with zeros. */
static size_t without_padding(const uint8_t *p, size_t n)
{
    while (n > 0 && p[n - 1] == 0)
        n--;
    return n;
}

static void put_octets(struct dlms_context *ctx, const struct dlms_item *item)
{
    const struct axdr_node *v = item->value;
    size_t n = without_padding(v->p, v->n);

    if (put_clock(ctx, item))
        return;
    if (n > 0 && is_printable(v->p, n))
        put_text(ctx, item, n);
    else
        put_raw(ctx, item, v->p, v->n);
}

static void put_item(struct dlms_context *ctx, const struct dlms_item *item)
{
    const struct axdr_node *v = item->value;

    switch (v->tag) {
    case AXDR_INT8:
    case AXDR_INT16:
    case AXDR_INT32:
    case AXDR_INT64:
    case AXDR_UINT8:
    case AXDR_UINT16:
    case AXDR_UINT32:
    case AXDR_UINT64:
        put_integer(ctx, item);
        break;
    case AXDR_BOOLEAN:
    case AXDR_ENUM:
        put_state(ctx, item, v->i);
        break;
    case AXDR_BIT_STRING:
        put_bits(ctx, item);
        break;
    case AXDR_FLOAT32:
    case AXDR_FLOAT64:
        put_float(ctx, item);
        break;
    case AXDR_OCTETS:
        put_octets(ctx, item);
        break;
    case AXDR_VISIBLE:
    case AXDR_UTF8:
        if (is_utf8(v->p, without_padding(v->p, v->n)))
            put_text(ctx, item, without_padding(v->p, v->n));
        else
            put_raw(ctx, item, v->p, v->n);
        break;
    case AXDR_DATE_TIME:
        if (put_clock(ctx, item))
            break;
        put_raw(ctx, item, v->p, v->n);
        break;
    case AXDR_BCD:
    case AXDR_DATE:
    case AXDR_TIME:
        put_raw(ctx, item, v->p, v->n);
        break;
    default: /* null, and containers, which are the walker's */
        break;
    }
}

/* From the first of two nodes to the end of the other. */
static void trace_nodes(struct dlms_context *ctx, const struct axdr_node *from,
                        const struct axdr_node *to, unsigned first, const char *text)
{
    const struct axdr_tree *tree = ctx->tree;
    size_t end;

    if (!ctx->b.trace || !tree)
        return;
    end = to->from + axdr_node_len(tree, (uint32_t)(to - tree->nodes));
    decode_build_record(&ctx->b, tree->start + from->from, end - from->from, first, text);
}

void dlms_reading_pass(struct dlms_context *ctx, const struct axdr_node *node, const char *text)
{
    trace_nodes(ctx, node, node, ctx->b.n, text);
}

void dlms_reading_put(struct dlms_context *ctx, const struct dlms_item *item)
{
    unsigned first = ctx->b.n;

    put_item(ctx, item);
    trace_nodes(ctx, item->from ? item->from : item->value, item->to ? item->to : item->value,
                first, "data element");
}

void dlms_reading_put_attribute(struct dlms_context *ctx, struct obis obis, int64_t attribute,
                                uint32_t definition)
{
    const struct dlms_item item = { .obis = obis, .mark = NULL };
    struct reading *r = add(ctx, &item, DLMS_UNIT_NONE);

    if (!r)
        return;
    r->kind = READING_STATE;
    r->quantity = QUANTITY_OTHER;
    r->function = READING_INSTANT;
    r->qualifier[0] = 0;
    add_mark(r, "attribute");
    r->value = decimal_of(attribute, 0);
    if (ctx->tree)
        trace_nodes(ctx, &ctx->tree->nodes[definition], &ctx->tree->nodes[definition], ctx->b.n - 1,
                    "object definition");
}

void dlms_reading_stamp(struct dlms_context *ctx)
{
    struct reading stamp = { .time = EMT_TIME_NONE };

    if (ctx->has_clock && !ctx->b.peek && ctx->first < ctx->b.n) {
        set_time(&stamp, &ctx->clock, TIME_SOURCE_METER);
        for (unsigned i = ctx->first; i < ctx->b.n; i++) {
            struct reading *r = &ctx->b.items[i];

            if (r->time_source != TIME_SOURCE_NONE)
                continue;
            memcpy(r->time_text, stamp.time_text, sizeof r->time_text);
            r->time = stamp.time;
            r->time_source = stamp.time_source;
        }
    }
    ctx->first = ctx->b.n;
}
