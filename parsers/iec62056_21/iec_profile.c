#include "iec_profile.h"

#include "base/arena.h"
#include "iec_reading.h"

#include <string.h>

#define FIXED 4 /* brackets in front of the columns */
/* Status word, low byte: 7 power was down, 5 clock adjusted, 3 summer time, 2 data not valid, 1
 * clock not valid, 0 the meter failed. */
#define STATUS_INVALID 0x05u

struct profile {
    struct iec_time time;
    struct iec_span status;
    unsigned period_min; /* 0: rows come with events */
    unsigned z;
    struct iec_channel *columns;
    enum quality first; /* quality of the first row: the status belongs to it */
};

static bool is_log_or_profile(struct iec_span code)
{
    const char *colon = (const char *)memchr(code.p, ':', code.n);
    size_t from = colon ? (size_t)(colon - code.p) + 1 : 0;

    return code.n >= from + 2 && code.p[from] == 'P' && code.p[from + 1] == '.';
}

/* The brackets in front of the columns. */
static bool read_fixed(const struct iec_set *set, struct iec_span *in, struct profile *p)
{
    struct iec_span time = { 0 }, period = { 0 }, z = { 0 };
    bool named = is_log_or_profile(set->code);

    if (!named && set->count == FIXED)
        return false;
    (void)iec_bracket_next(in, &time);
    (void)iec_bracket_next(in, &p->status);
    (void)iec_bracket_next(in, &period);
    (void)iec_bracket_next(in, &z);
    if (!iec_time_parse(time, &p->time) || !iec_digits(z, &p->z) || p->z > IEC_COLUMNS_MAX)
        return false;
    if (iec_trim(period).n && !iec_digits(period, &p->period_min))
        return false;
    return (named || p->z > 0) && set->count - FIXED >= 2 * (size_t)p->z;
}

static void read_columns(struct iec_context *ctx, struct iec_span *in, struct profile *p)
{
    for (unsigned i = 0; i < p->z; i++) {
        struct iec_span text = { 0 }, unit = { 0 };
        struct iec_code code;

        (void)iec_bracket_next(in, &text);
        (void)iec_bracket_next(in, &unit);
        text = iec_trim(text);
        iec_channel_init(ctx, text, iec_code_parse(text, &code) ? &code : NULL, iec_trim(unit),
                         &p->columns[i]);
    }
}

/* The status as a reading of the profile itself. */
static void put_status(struct iec_context *ctx, const struct iec_set *set, struct profile *p)
{
    static const char name[] = "status";
    struct iec_span none = { set->code.p, 0 };
    struct iec_channel ch;
    struct reading *r;
    uint64_t word;

    if (p->status.n == 0)
        return;
    iec_channel_init(ctx, set->code, set->is_obis ? &set->obis : NULL, none, &ch);
    ch.measured = false;
    ch.reading.quantity = QUANTITY_STATUS;
    memcpy(ch.reading.qualifier, name, sizeof name);
    r = iec_reading_put(ctx, &ch, p->status, &p->time, TIME_SOURCE_PROFILE);
    if (!r || !iec_hex(p->status, &word) || word > INT64_MAX)
        return;
    r->kind = READING_STATE;
    r->value = decimal_of((int64_t)word, 0);
    if (word & STATUS_INVALID)
        p->first = QUALITY_INVALID;
}

/* A cell may repeat its unit. */
static void put_cell(struct iec_context *ctx, const struct profile *p, unsigned column,
                     unsigned row, struct iec_span bracket, const struct iec_time *t)
{
    struct iec_span value, unit;
    unsigned first = ctx->b.n;
    struct reading *r;

    if (iec_trim(bracket).n == 0)
        return; /* no value in this period */
    (void)iec_value_cut(bracket, &value, &unit);
    r = iec_reading_put(ctx, &p->columns[column], value, t, TIME_SOURCE_PROFILE);
    if (r && row == 0 && p->first != QUALITY_MEASURED)
        r->quality = p->first;
    if (ctx->b.trace)
        decode_build_record(&ctx->b, (const uint8_t *)bracket.p, bracket.n, first, "profile value");
}

static void note_cut(struct iec_context *ctx, const struct iec_time *t)
{
    ctx->damaged_rows = true;
    (void)iec_time_text(t, ctx->cut_at);
}

static void put_rows(struct iec_context *ctx, struct iec_span in, size_t cells, struct profile *p)
{
    size_t rows = p->z ? cells / p->z : 0;

    for (unsigned row = 0; row < rows; row++) {
        struct iec_time t = iec_time_later(&p->time, (int64_t)row * p->period_min);
        struct iec_span bracket = { 0 };

        for (unsigned i = 0; i < p->z && iec_bracket_next(&in, &bracket); i++) {
            if (!t.valid || (row > 0 && p->period_min == 0))
                ctx->timeless++;
            else
                put_cell(ctx, p, i, row, bracket, &t);
        }
    }
    if (p->z && cells % p->z) {
        struct iec_time t = iec_time_later(&p->time, (int64_t)rows * p->period_min);

        note_cut(ctx, &t);
    }
}

bool iec_profile_put(struct iec_context *ctx, const struct iec_set *set)
{
    struct profile p = { .z = 0 };
    struct iec_span in = set->brackets;
    unsigned first = ctx->b.n;

    if (set->count < FIXED || !read_fixed(set, &in, &p))
        return false;
    p.columns = (struct iec_channel *)arena_alloc(ctx->b.req->arena, p.z * sizeof *p.columns);
    if (!p.columns) {
        ctx->b.no_memory = true;
        return true;
    }
    read_columns(ctx, &in, &p);
    put_status(ctx, set, &p);
    if (ctx->b.trace)
        decode_build_record(&ctx->b, (const uint8_t *)set->code.p, (size_t)(in.p - set->code.p),
                            first, "profile header");
    put_rows(ctx, in, set->count - FIXED - 2 * (size_t)p.z, &p);
    return true;
}
