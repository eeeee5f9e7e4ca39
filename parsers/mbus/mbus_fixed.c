#include "mbus_fixed.h"

#include "mbus_obis.h"
#include "mbus_readings.h"
#include "mbus_trace.h"
#include "mbus_value.h"

#include <stdio.h>
#include <string.h>

/* off size
 *   0    4  ID, BCD
 *   4    1  access number
 *   5    1  status: bit 0 counters binary (1) or BCD (0), bit 1 counters of a fixed date
 *   6    1  unit of counter 1 (bits 0-5), medium bits 0-1 (bits 6-7)
 *   7    1  unit of counter 2, medium bits 2-3
 *   8    4  counter 1
 *  12    4  counter 2 */
#define STATUS_BINARY 0x01u
#define STATUS_FIXED_DATE 0x02u
#define UNIT_SAME_HISTORIC 0x3e
#define COUNTER_LEN 4

struct fixed_unit {
    uint8_t first, last;
    enum quantity quantity;
    const char *unit;
    int8_t exponent; /* of the first code, one more for each */
};

static const struct fixed_unit units[] = {
    { 0x02, 0x0a, QUANTITY_ENERGY, "Wh", 0 },       { 0x0b, 0x13, QUANTITY_ENERGY, "J", 3 },
    { 0x14, 0x1c, QUANTITY_POWER, "W", 0 },         { 0x1d, 0x25, QUANTITY_POWER, "J/h", 3 },
    { 0x26, 0x2e, QUANTITY_VOLUME, "l", -3 },       { 0x2f, 0x37, QUANTITY_VOLUME_FLOW, "l/h", -3 },
    { 0x38, 0x38, QUANTITY_TEMPERATURE, "°C", -3 }, { 0x39, 0x39, QUANTITY_HCA, "HCA", 0 },
};

static enum frame_state put_counter(struct mbus_context *ctx, struct mbus_reading_list *list,
                                    const uint8_t *p, uint8_t status, uint8_t unit,
                                    const char *qualifier)
{
    struct reading *r = mbus_reading_add(list);
    int64_t number;
    int exponent = 0;

    if (!r)
        return mbus_no_memory(ctx);
    r->quantity = QUANTITY_OTHER;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (unit >= units[i].first && unit <= units[i].last) {
            r->quantity = units[i].quantity;
            r->unit = units[i].unit;
            exponent = units[i].exponent + (unit - units[i].first);
        }
    (void)snprintf(r->qualifier, sizeof r->qualifier, "%s", qualifier);
    if (status & STATUS_BINARY) {
        number = mbus_binary(p, COUNTER_LEN, true);
    } else if (!mbus_bcd(p, COUNTER_LEN, &number)) {
        number = 0;
        r->quality = QUALITY_INVALID;
    }
    r->value = decimal_of(number, exponent);
    r->obis = mbus_obis_of(ctx->out->device.type, r);
    return FRAME_OK;
}

/* A field of four bytes with the least significant one first. */
static void read_four(const struct mbus_context *ctx, struct reader *in, uint8_t out[4])
{
    uint8_t sent[4];

    reader_copy(in, sent, sizeof sent);
    for (size_t i = 0; i < sizeof sent; i++)
        out[i] = ctx->msb_first ? sent[3 - i] : sent[i];
}

/* p: of the ID. */
static void put_trace(struct mbus_context *ctx, const uint8_t *p)
{
    struct trace *t = ctx->trace;

    trace_layer(t, "fixed", p, 8);
    trace_text(t, "id_number", ctx->out->device.number, p, 4);
    trace_number(t, "access_number", p[4], p + 4, 1);
    trace_hex(t, "status", p + 5, 1);
    trace_hex(t, "units_and_medium", p + 6, 2);
    mbus_trace_counter(ctx, p + 8, p + 6, 0);
    mbus_trace_counter(ctx, p + 8 + COUNTER_LEN, p + 7, 1);
}

enum frame_state mbus_fixed_read(struct mbus_context *ctx, struct reader *in)
{
    struct mbus_reading_list list = { .arena = ctx->req->arena };
    const char *stored = "", *second = "";
    const uint8_t *p = in->data + in->pos;
    uint8_t id[4], counter1[COUNTER_LEN], counter2[COUNTER_LEN], access, status, unit1, unit2;
    enum frame_state state;
    char number[9];

    read_four(ctx, in, id);
    access = reader_u8(in);
    status = reader_u8(in);
    unit1 = reader_u8(in);
    unit2 = reader_u8(in);
    read_four(ctx, in, counter1);
    read_four(ctx, in, counter2);
    if (in->failed)
        return mbus_fail(ctx, FRAME_MALFORMED, "ends inside the fixed data structure");
    mbus_id_text(id, number);
    memcpy(ctx->out->device.number, number, sizeof number);
    ctx->out->device.type = (uint8_t)(unit1 >> 6 | (unit2 >> 6) << 2);
    ctx->out->has_device = true;
    ctx->out->access_number = access;
    ctx->out->has_access_number = true;
    ctx->out->status = status;
    ctx->out->security = "none";
    mbus_field_number(ctx, "access_number", access);
    mbus_field_number(ctx, "status", status);
    unit1 &= 0x3f;
    unit2 &= 0x3f;
    if (status & STATUS_FIXED_DATE)
        stored = second = "historic";
    if (unit2 == UNIT_SAME_HISTORIC) {
        unit2 = unit1;
        second = "historic";
    }
    if (ctx->peek)
        return FRAME_OK;
    state = put_counter(ctx, &list, counter1, status, unit1, stored);
    if (state == FRAME_OK)
        state = put_counter(ctx, &list, counter2, status, unit2, second);
    mbus_readings_finish(ctx, &list);
    if (ctx->trace)
        put_trace(ctx, p);
    return state;
}
