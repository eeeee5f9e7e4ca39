#include "sml_time.h"

#include "sml_tlv.h"

#include <stdio.h>
#include <string.h>

#define OFFSET_MOST 1440 /* minutes of a day */

static void read_local(struct reader *in, struct sml_time *t)
{
    size_t n = sml_read_list(in, 3);
    bool has_zone, has_season;
    int64_t zone, season;

    t->seconds = (uint32_t)sml_read_unsigned(in, UINT32_MAX);
    zone = sml_read_optional_integer(in, 2, &has_zone);
    season = sml_read_optional_integer(in, 2, &has_season);
    if (in->failed || zone + season < -OFFSET_MOST || zone + season > OFFSET_MOST) {
        reader_fail(in);
        return;
    }
    t->offset_min = (int32_t)(zone + season);
    sml_skip(in, n - 3);
}

static void read_choice(struct reader *in, struct sml_time *t)
{
    uint64_t kind = sml_read_unsigned(in, 255);

    if (kind < SML_TIME_INDEX || kind > SML_TIME_LOCAL_TIMESTAMP) {
        reader_fail(in);
        return;
    }
    t->kind = (enum sml_time_kind)kind;
    if (t->kind == SML_TIME_LOCAL_TIMESTAMP)
        read_local(in, t);
    else
        t->seconds = (uint32_t)sml_read_unsigned(in, UINT32_MAX);
}

void sml_time_read(struct reader *in, struct sml_time *out)
{
    struct sml_value v = sml_read(in);

    memset(out, 0, sizeof *out);
    if (v.kind == SML_VALUE_NONE)
        return;
    if (v.kind == SML_VALUE_UNSIGNED && v.u <= UINT32_MAX) {
        out->kind = SML_TIME_INDEX;
        out->seconds = (uint32_t)v.u;
        out->bare = true;
    } else if (v.kind == SML_VALUE_LIST && v.n == 2) {
        read_choice(in, out);
    } else {
        reader_fail(in);
    }
}

emt_time sml_time_instant(const struct sml_time *t)
{
    if (t->kind != SML_TIME_TIMESTAMP && t->kind != SML_TIME_LOCAL_TIMESTAMP)
        return EMT_TIME_NONE;
    return (emt_time)t->seconds * EMT_SECOND;
}

static char *put_index(uint32_t v, char *buf)
{
    static const char word[] = "index ";
    char digits[10];
    size_t n = 0, at = sizeof word - 1;

    memcpy(buf, word, sizeof word);
    do
        digits[n++] = (char)('0' + v % 10);
    while ((v /= 10) != 0);
    while (n)
        buf[at++] = digits[--n];
    buf[at] = 0;
    return buf;
}

char *sml_time_text(const struct sml_time *t, char buf[SML_TIME_TEXT_MAX])
{
    emt_time at = sml_time_instant(t);
    struct civil c;
    int offset = t->offset_min < 0 ? -t->offset_min : t->offset_min;

    buf[0] = 0;
    if (t->kind == SML_TIME_INDEX) {
        return put_index(t->seconds, buf);
    }
    if (t->kind == SML_TIME_TIMESTAMP)
        return time_format(at, buf);
    if (t->kind != SML_TIME_LOCAL_TIMESTAMP)
        return buf;
    time_to_civil(at + t->offset_min * EMT_MINUTE, &c);
    (void)snprintf(buf, SML_TIME_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02d%c%02d:%02d",
                   c.year % 10000, c.month % 100, c.day % 100, c.hour % 100, c.minute % 100,
                   c.second % 100, t->offset_min < 0 ? '-' : '+', offset / 60 % 100, offset % 60);
    return buf;
}
