#include "iec_reading.h"

#include "base/arena.h"
#include "common/obis_meaning.h"

#include <string.h>

#define EVENT_CODES_MAX 4

static const char *find_unit(struct iec_context *ctx, struct iec_span s)
{
    char text[24];
    const struct unit *u;
    const char *copy;

    if (s.n < sizeof text) {
        memcpy(text, s.p, s.n);
        text[s.n] = 0;
        u = unit_find(text);
        if (u)
            return u->name;
    }
    copy = iec_copy(&ctx->b, s); /* ISO 8859-1: m3 and degrees with their signs */
    u = unit_find(copy);
    return u ? u->name : copy;
}

static const char *unit_of(struct iec_context *ctx, struct iec_span s)
{
    if (s.n == 0)
        return NULL;
    if (s.n != ctx->unit_text.n || memcmp(s.p, ctx->unit_text.p, s.n) != 0) {
        ctx->unit = find_unit(ctx, s);
        ctx->unit_text = s;
    }
    return ctx->unit;
}

static bool is_measured(enum quantity q)
{
    return q != QUANTITY_NONE && q != QUANTITY_OTHER && q != QUANTITY_RAW &&
           q != QUANTITY_IDENTIFIER && q != QUANTITY_STATUS && q != QUANTITY_DATE_TIME;
}

void iec_channel_init(struct iec_context *ctx, struct iec_span text, const struct iec_code *code,
                      struct iec_span unit, struct iec_channel *out)
{
    const char *name = unit_of(ctx, unit);
    struct reading *r = &out->reading;

    memset(out, 0, sizeof *out);
    if (code) {
        bool fits = obis_meaning_apply(code->obis, name, r);

        /* A heat or gas head that prints no medium: 1-0 was the wrong guess. */
        if (!fits && !code->has_medium) {
            r->obis = (struct obis){ 0 };
            r->tariff = 0;
        }
    } else {
        r->quantity = obis_unit_quantity(name);
        if (r->quantity == QUANTITY_NONE)
            r->quantity = QUANTITY_OTHER;
        r->unit = name;
    }
    r->obis_text = iec_copy(&ctx->b, text);
    out->measured = name || is_measured(r->quantity);
}

static void set_value(struct iec_context *ctx, struct reading *r, bool measured,
                      struct iec_span value)
{
    if (measured && iec_decimal(value, &r->value)) {
        r->kind = READING_NUMBER;
        return;
    }
    if (r->unit) /* "-----*kWh": the meter has none */
        r->quality = QUALITY_INVALID;
    r->kind = READING_TEXT;
    r->unit = NULL;
    r->text = iec_copy(&ctx->b, value);
}

static void set_time(struct reading *r, const struct iec_time *t, enum time_source source)
{
    r->time = iec_time_instant(t);
    (void)iec_time_text(t, r->time_text);
    r->time_source = source;
}

struct reading *iec_reading_put(struct iec_context *ctx, const struct iec_channel *ch,
                                struct iec_span value, const struct iec_time *time,
                                enum time_source source)
{
    struct reading *r = decode_build_reading(&ctx->b);

    if (!r)
        return NULL;
    *r = ch->reading;
    r->time = EMT_TIME_NONE;
    if (time)
        set_time(r, time, source);
    set_value(ctx, r, ch->measured, value);
    return r;
}

/* nn: at most IEC_PERIODS - 1. */
static void note_period(struct iec_context *ctx, unsigned nn, const struct iec_time *t)
{
    if (!ctx->periods)
        ctx->periods =
            (struct iec_time *)arena_alloc(ctx->b.req->arena, IEC_PERIODS * sizeof *ctx->periods);
    if (ctx->periods)
        ctx->periods[nn] = *t;
    else
        ctx->b.no_memory = true;
}

void iec_set_note(struct iec_context *ctx, const struct iec_set *set)
{
    struct iec_span in = set->brackets, value = { 0 };
    const struct obis *o = &set->obis.obis;
    struct iec_time t;
    unsigned v;

    if (set->count != 1 || !set->is_obis || o->c > 1 || !iec_bracket_next(&in, &value))
        return;
    if (o->a == 0 && o->c == 1 && o->d == 0 && iec_time_parse(value, &t)) {
        ctx->clock = t;
        ctx->has_clock = true;
    } else if (o->a == 1 && o->b == 3 && o->c == 0 && o->d == 2 && o->e == 8 &&
               iec_digits(value, &v)) {
        ctx->p1_version = v;
    } else if (o->c == 0 && o->d == 9 && o->e == 1) {
        ctx->clock_time = value;
    } else if (o->c == 0 && o->d == 9 && o->e == 2) {
        ctx->clock_date = value;
    } else if (o->c == 0 && o->d == 1 && o->e == 2 && set->obis.has_previous &&
               iec_time_parse(value, &t)) {
        note_period(ctx, o->f, &t);
    }
}

static void put_value(struct iec_context *ctx, struct iec_span text, const struct iec_code *code,
                      struct iec_span bracket, const struct iec_time *time, enum time_source source)
{
    struct iec_span value, unit;
    struct iec_channel ch;

    (void)iec_value_cut(bracket, &value, &unit);
    iec_channel_init(ctx, text, code, unit, &ch);
    (void)iec_reading_put(ctx, &ch, value, time, source);
}

static const struct iec_code *code_of(const struct iec_set *set)
{
    return set->is_obis ? &set->obis : NULL;
}

/* Everything between the brackets as one text: a list whose meaning we do not know. */
static void put_list(struct iec_context *ctx, const struct iec_set *set)
{
    struct iec_span none = { set->code.p, 0 };
    struct iec_channel ch;

    iec_channel_init(ctx, set->code, code_of(set), none, &ch);
    ch.measured = false;
    (void)iec_reading_put(ctx, &ch, set->brackets, NULL, TIME_SOURCE_NONE);
}

/* (n)(code)…, then n times a time and one value per code (DSMR P1: 99.97.0, 98.1.0). A value that
 * is a time dates the values behind it. */
struct events {
    unsigned n, codes;
    struct iec_span text[EVENT_CODES_MAX];
    struct iec_code code[EVENT_CODES_MAX];
    struct iec_span rest;
};

static bool read_events(const struct iec_set *set, struct events *e)
{
    struct iec_span in = set->brackets, s = { 0 };
    struct iec_code *c;

    memset(e, 0, sizeof *e);
    if (!iec_bracket_next(&in, &s) || !iec_digits(s, &e->n))
        return false;
    e->rest = in;
    while (e->codes < EVENT_CODES_MAX && iec_bracket_next(&in, &s)) {
        c = &e->code[e->codes];
        if (!iec_code_parse(s, c) || !c->has_medium)
            break;
        e->text[e->codes++] = iec_trim(s);
        e->rest = in;
    }
    return e->codes > 0 && set->count == 1 + e->codes + (size_t)e->n * (1 + e->codes);
}

static void put_events(struct iec_context *ctx, const struct events *e)
{
    struct iec_span in = e->rest, s = { 0 };

    for (unsigned i = 0; i < e->n; i++) {
        struct iec_time t, later;
        bool dated = iec_bracket_next(&in, &s) && iec_time_parse(s, &t);

        for (unsigned k = 0; k < e->codes && iec_bracket_next(&in, &s); k++) {
            if (iec_time_parse(s, &later)) {
                t = later;
                dated = true;
            } else if (dated && t.valid) {
                put_value(ctx, e->text[k], &e->code[k], s, &t, TIME_SOURCE_PROFILE);
            } else {
                ctx->timeless++;
            }
        }
    }
}

/* (time)(value) as DSMR prints M-Bus meters, (value)(time) as others print maxima. */
static bool put_dated(struct iec_context *ctx, const struct iec_set *set)
{
    struct iec_span in = set->brackets, first = { 0 }, second = { 0 };
    struct iec_time t;

    if (!iec_bracket_next(&in, &first) || !iec_bracket_next(&in, &second))
        return false;
    if (iec_time_parse(second, &t)) {
        put_value(ctx, set->code, code_of(set), first, &t, TIME_SOURCE_METER);
        return true;
    }
    if (!iec_time_parse(first, &t))
        return false;
    put_value(ctx, set->code, code_of(set), second, &t, TIME_SOURCE_METER);
    return true;
}

void iec_set_put(struct iec_context *ctx, const struct iec_set *set)
{
    struct iec_span in = set->brackets, first = { 0 };
    struct events events;

    if (set->count == 1) {
        (void)iec_bracket_next(&in, &first);
        put_value(ctx, set->code, code_of(set), first, NULL, TIME_SOURCE_NONE);
    } else if (set->count == 2 && put_dated(ctx, set)) {
        return;
    } else if (read_events(set, &events)) {
        put_events(ctx, &events);
    } else {
        put_list(ctx, set);
    }
}

void iec_readings_date(struct iec_context *ctx)
{
    struct reading now = { .time = EMT_TIME_NONE };

    if (!ctx->has_clock)
        ctx->has_clock = iec_time_of_clock(ctx->clock_time, ctx->clock_date, &ctx->clock);
    if (ctx->has_clock && ctx->clock.valid)
        set_time(&now, &ctx->clock, TIME_SOURCE_METER);
    for (unsigned i = 0; i < ctx->b.n; i++) {
        struct reading *r = &ctx->b.items[i];
        uint8_t f = r->obis.f;

        if (r->time_source != TIME_SOURCE_NONE || r->kind != READING_NUMBER)
            continue;
        if (r->storage == 0 && f != 0) {
            r->time = now.time;
            r->time_source = now.time_source;
            memcpy(r->time_text, now.time_text, sizeof r->time_text);
        } else if (ctx->periods && f < IEC_PERIODS && ctx->periods[f].valid) {
            set_time(r, &ctx->periods[f], TIME_SOURCE_METER);
        }
    }
}
