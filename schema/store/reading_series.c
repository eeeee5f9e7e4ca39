#include "reading_series.h"

#include "block_merge.h"
#include "model/quality.h"

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum { CHANNEL, PLACE, TS, MANTISSA, EXPONENT, QUALITY, DATA };

/* The next value of the blocks that is not before `from`, at lot[at]; n = 0 behind the last. */
static enum emt_err fill(struct reading_series *s)
{
    enum emt_err err = EMT_OK;

    while (err == EMT_OK) {
        while (s->at < s->n && s->lot[s->at].ts < s->from)
            s->at++;
        if (s->at < s->n)
            break;
        s->at = s->n = 0;
        if (s->cursor.left == 0) {
            size_t len;

            if (s->blocks.row == s->blocks.end)
                break;
            const uint8_t *data = c_bytes(s->r, s->blocks.row++, DATA, &len);
            err = block_open(&s->cursor, data, len);
        }
        if (err == EMT_OK)
            err = block_next(&s->cursor, s->lot, &s->n);
    }
    return err;
}

enum emt_err reading_series_open(struct reading_series *s, const struct store_result *r, int row,
                                 emt_time from, emt_time to, int *next)
{
    struct series_rows *const parts[] = { &s->blocks, &s->rows, &s->late };
    int64_t channel = c_int(r, row, CHANNEL);
    int n = store_rows(r);

    s->r = r;
    s->from = from;
    s->to = to;
    s->cursor.left = 0;
    s->at = s->n = 0;
    for (int place = PLACE_BLOCK; place <= PLACE_LATE; place++) {
        parts[place]->row = row;
        while (row < n && c_int(r, row, CHANNEL) == channel && c_int(r, row, PLACE) == place)
            row++;
        parts[place]->end = row;
    }
    *next = row;
    return fill(s);
}

static void row_value(const struct store_result *r, int row, struct block_value *out)
{
    *out =
        (struct block_value){ c_time(r, row, TS), c_int(r, row, MANTISSA),
                              (int16_t)c_int(r, row, EXPONENT), (int16_t)c_int(r, row, QUALITY) };
}

static int rank_of(const struct block_value *v)
{
    return quality_stored_rank(v->quality);
}

/* The row's value against the best so far: earlier, or of higher rank at the same time. */
static void offer(const struct store_result *r, const struct series_rows *part,
                  struct block_value *best, bool *any)
{
    struct block_value v;

    if (part->row == part->end)
        return;
    row_value(r, part->row, &v);
    if (!*any || v.ts < best->ts || (v.ts == best->ts && rank_of(&v) > rank_of(best)))
        *best = v;
    *any = true;
}

static void pass(const struct store_result *r, struct series_rows *part, emt_time ts)
{
    if (part->row < part->end && c_time(r, part->row, TS) == ts)
        part->row++;
}

enum emt_err reading_series_next(struct reading_series *s, struct block_value *out, bool *got)
{
    bool from_block = s->at < s->n, any = from_block;

    if (from_block)
        *out = s->lot[s->at];
    if (s->rows.row < s->rows.end || s->late.row < s->late.end) {
        offer(s->r, &s->rows, out, &any);
        offer(s->r, &s->late, out, &any);
        pass(s->r, &s->rows, any ? out->ts : 0);
        pass(s->r, &s->late, any ? out->ts : 0);
    }
    *got = any && out->ts < s->to;
    if (from_block && s->lot[s->at].ts == out->ts && ++s->at == s->n)
        return fill(s);
    return EMT_OK;
}
