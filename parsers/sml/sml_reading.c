#include "sml_reading.h"

#include "common/obis_meaning.h"
#include "sml_server_id.h"
#include "sml_status.h"
#include "sml_tlv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define OBIS_LEN 6
#define SCALER_MOST 64
#define VALUE_IS_TIME 1 /* SML_Value as a list: a choice with a time in it */

static struct obis obis_of(const struct sml_entry *e)
{
    struct obis o = { 0 };

    if (e->name_len == OBIS_LEN)
        o = (struct obis){ e->name[0], e->name[1], e->name[2], e->name[3], e->name[4], e->name[5] };
    return o;
}

/* A reading of the entry's channel at the entry's time. */
static struct reading *add(struct sml_context *ctx, const struct sml_entry *e, const char *unit)
{
    struct reading *r = decode_build_reading(&ctx->b);

    if (!r)
        return NULL;
    (void)obis_meaning_apply(obis_of(e), unit, r);
    if (e->name_len != OBIS_LEN)
        r->obis_text = decode_build_copy_hex(&ctx->b, e->name, e->name_len);
    r->time = sml_time_instant(&e->time);
    if (r->time != EMT_TIME_NONE) {
        (void)sml_time_text(&e->time, r->time_text);
        r->time_source = e->source;
    }
    return r;
}

/* 14, 16 and 18 are the units of gas converted to base conditions (IEC 62056-6-2). */
static void note_conversion(uint64_t unit, struct reading *r)
{
    static const char base[] = "base-conditions";

    if ((unit == 14 || unit == 16 || unit == 18) && r->qualifier[0] == 0)
        memcpy(r->qualifier, base, sizeof base);
}

/* What a decimal cannot hold: printed with its exponent. */
static void put_big(struct sml_context *ctx, struct reading *r, const struct sml_entry *e)
{
    char text[40];
    int n = e->value.kind == SML_VALUE_UNSIGNED
                ? snprintf(text, sizeof text, "%" PRIu64 "e%" PRId64, e->value.u, e->scaler)
                : snprintf(text, sizeof text, "%" PRId64 "e%" PRId64, e->value.i, e->scaler);

    r->kind = READING_TEXT;
    r->unit = NULL;
    r->text = decode_build_copy(&ctx->b, text, (size_t)n);
}

static void put_number(struct sml_context *ctx, const struct sml_entry *e)
{
    struct reading *r = add(ctx, e, e->unit < 255 ? obis_unit_of_code((uint8_t)e->unit) : NULL);
    int64_t mantissa = e->value.i;
    bool fits = e->scaler >= -SCALER_MOST && e->scaler <= SCALER_MOST;

    if (!r)
        return;
    note_conversion(e->unit, r);
    if (e->value.kind == SML_VALUE_UNSIGNED) {
        fits = fits && e->value.u <= INT64_MAX;
        mantissa = (int64_t)(fits ? e->value.u : 0);
    } else if (sml_quirk_short_power(ctx->server, ctx->server_len, r->obis, &e->value)) {
        mantissa = (int64_t)e->value.u;
        ctx->quirks[SML_QUIRK_SHORT_POWER]++;
    }
    if (e->has_status && sml_status_of(e->status).fatal)
        r->quality = QUALITY_INVALID;
    if (fits)
        r->value = decimal_of(mantissa, (int)e->scaler);
    else
        put_big(ctx, r, e);
}

static bool is_printable(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] < ' ' || p[i] > '~')
            return false;
    return true;
}

/* Keys and checksums are bytes, whatever letters they happen to look like. */
static bool is_binary(struct obis o)
{
    return (o.c == 96 && o.d == 90) || (o.a == 129 && o.d == 130 && o.e == 5);
}

static void put_octets(struct sml_context *ctx, const struct sml_entry *e)
{
    struct reading *r = add(ctx, e, NULL);
    const uint8_t *p = e->value.p;
    char number[SML_SERVER_ID_TEXT_MAX];

    if (!r)
        return;
    r->kind = READING_TEXT;
    if (r->quantity == QUANTITY_IDENTIFIER && sml_server_id_number(p, e->value.n, number)) {
        r->text = decode_build_copy(&ctx->b, number, strlen(number));
    } else if (!is_binary(r->obis) && is_printable(p, e->value.n)) {
        r->text = decode_build_copy(&ctx->b, (const char *)p, e->value.n);
    } else {
        r->kind = READING_RAW;
        r->text = decode_build_copy_hex(&ctx->b, p, e->value.n);
    }
}

static void put_time(struct sml_context *ctx, const struct sml_entry *e)
{
    struct reading *r = add(ctx, e, NULL);
    char text[SML_TIME_TEXT_MAX];

    if (!r)
        return;
    r->kind = READING_TEXT;
    r->quantity = QUANTITY_DATE_TIME;
    (void)sml_time_text(&e->value_time, text);
    r->text = decode_build_copy(&ctx->b, text, strlen(text));
}

static void put_boolean(struct sml_context *ctx, const struct sml_entry *e)
{
    struct reading *r = add(ctx, e, NULL);

    if (!r)
        return;
    r->kind = READING_STATE;
    r->value = decimal_of(e->value.i, 0);
}

static void put_status(struct sml_context *ctx, const struct sml_entry *e)
{
    static const char name[] = "status";
    struct reading *r = add(ctx, e, NULL);
    uint8_t bytes[8];

    if (!ctx->has_status) {
        ctx->has_status = true;
        ctx->status = e->status;
    }
    if (!r)
        return;
    r->quantity = QUANTITY_STATUS;
    r->function = READING_INSTANT;
    memcpy(r->qualifier, name, sizeof name);
    if (e->status <= INT64_MAX) {
        r->kind = READING_STATE;
        r->value = decimal_of((int64_t)e->status, 0);
        return;
    }
    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(e->status >> (56 - 8 * i));
    r->kind = READING_RAW;
    r->text = decode_build_copy_hex(&ctx->b, bytes, sizeof bytes);
}

static void put_signature(struct sml_context *ctx, const struct sml_entry *e)
{
    static const char name[] = "signature";
    struct reading *r = add(ctx, e, NULL);

    if (!r)
        return;
    r->kind = READING_RAW;
    r->quantity = QUANTITY_RAW;
    r->function = READING_INSTANT;
    memcpy(r->qualifier, name, sizeof name);
    r->text = decode_build_copy_hex(&ctx->b, e->signature, e->signature_len);
}

void sml_reading_put(struct sml_context *ctx, const struct sml_entry *e)
{
    switch (e->value.kind) {
    case SML_VALUE_INTEGER:
    case SML_VALUE_UNSIGNED:
        put_number(ctx, e);
        break;
    case SML_VALUE_OCTETS:
        put_octets(ctx, e);
        break;
    case SML_VALUE_BOOLEAN:
        put_boolean(ctx, e);
        break;
    case SML_VALUE_LIST:
        if (e->value_time.kind != SML_TIME_NONE)
            put_time(ctx, e);
        break;
    case SML_VALUE_NONE:
        break;
    }
    if (e->has_status)
        put_status(ctx, e);
    if (e->signature_len)
        put_signature(ctx, e);
}

void sml_entry_value(struct sml_context *ctx, struct reader *in, struct sml_entry *e)
{
    struct sml_value choice;

    e->value = sml_read(in);
    if (e->value.kind != SML_VALUE_LIST)
        return;
    if (e->value.n != 2) {
        sml_skip(in, e->value.n);
        return;
    }
    choice = sml_read(in);
    if (choice.kind == SML_VALUE_UNSIGNED && choice.u == VALUE_IS_TIME)
        sml_context_time(ctx, in, &e->value_time);
    else
        sml_skip(in, 1 + (choice.kind == SML_VALUE_LIST ? choice.n : 0));
}

void sml_entry_scale(struct reader *in, struct sml_entry *e)
{
    bool present;

    e->unit = sml_read_optional_unsigned(in, 255, &present);
    e->scaler = sml_read_optional_integer(in, 1, &present);
}
