/* Consumption of a day = mean * weekday * season * chance of the day; it is spread over the day's
 * 96 quarters by an hourly shape with chance of its own, and evenly within a quarter. All in
 * integers, thousandths of the unit that the meter counts, so that a register is the same from
 * wherever its sum begins. Shapes run in CET the whole year. */
#include "agent/sim_meter.h"

#include "base/cipher.h"
#include "base/hex.h"
#include "model/local_day.h"
#include "parsers/oms_encode.h"

#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define QUARTERS 96
#define QUARTER (15 * EMT_MINUTE)
#define RECORDS_MAX 200
#define DRIFT_PPM 200
#define PLAIN_EVERY 8  /* one meter in eight is not encrypted */
#define HEAT_MONTHS 6u /* in one telegram */

/* What is drawn from the chance of a meter; the number keeps the draws apart. */
enum draw {
    DRAW_START = 1,
    DRAW_DAILY,
    DRAW_PHASE,
    DRAW_DRIFT,
    DRAW_NUMBER,
    DRAW_EXPORT,
    DRAW_DAY,
    DRAW_QUARTER,
    DRAW_JITTER,
    DRAW_STATE,
    DRAW_OWN
};

struct kind_facts {
    uint8_t device_type; /* EN 13757-7 */
    uint8_t version;
    int64_t start_max;            /* units */
    int64_t daily_min, daily_max; /* thousandths of a unit */
    const uint8_t *shape;         /* weight of the 24 hours */
    const uint8_t *season;        /* percent by month */
    uint8_t weekend;              /* percent of a working day */
};

static const uint8_t shape_household[24] = { 40,  32,  28,  27,  28,  40,  75, 110,
                                             115, 100, 95,  105, 130, 115, 95, 90,
                                             100, 135, 175, 185, 165, 130, 90, 60 };
/* Behind a roof with photovoltaics little is drawn at noon. */
static const uint8_t shape_prosumer[24] = { 55, 45, 40, 38, 40, 55,  95,  105, 70,  35,  18,  10,
                                            8,  10, 18, 32, 60, 120, 195, 215, 200, 165, 115, 80 };
static const uint8_t shape_water[24] = { 10,  6,  4,  4,  8,  45,  170, 220, 150, 110, 90, 95,
                                         110, 95, 80, 80, 95, 130, 180, 190, 140, 90,  50, 22 };
static const uint8_t shape_heat[24] = { 70, 65, 65, 70, 85,  130, 160, 150, 130, 110, 100, 90,
                                        85, 85, 85, 90, 105, 120, 130, 125, 115, 100, 85,  75 };
static const uint8_t shape_sun[24] = { 0,   0,   0,   0,   0,  0,  5, 25, 70, 130, 190, 230,
                                       245, 230, 190, 135, 75, 30, 8, 0,  0,  0,   0,   0 };

static const uint8_t season_flat[12] = { 102, 100, 99, 98, 99, 101, 104, 103, 99, 98, 98, 99 };
static const uint8_t season_light[12] = { 125, 115, 105, 95, 88, 84, 82, 85, 92, 102, 114, 126 };
static const uint8_t season_heat[12] = { 235, 205, 165, 95, 45, 15, 8, 8, 35, 95, 160, 215 };
static const uint8_t season_sun[12] = { 25, 55, 100, 145, 175, 190, 185, 160, 115, 65, 30, 18 };

static const struct kind_facts facts[SIM_KINDS] = {
    [SIM_ELECTRICITY] = { 0x02, 0x10, 28000000, 4000000, 16000000, shape_household, season_light,
                          112 },
    [SIM_WATER] = { 0x07, 0x20, 900000, 120000, 420000, shape_water, season_flat, 108 },
    [SIM_WARM_WATER] = { 0x06, 0x20, 400000, 50000, 180000, shape_water, season_flat, 108 },
    [SIM_HEAT] = { 0x04, 0x30, 90000, 12000, 60000, shape_heat, season_heat, 106 },
    [SIM_GAS] = { 0x03, 0x40, 9000000, 1500000, 7000000, shape_heat, season_heat, 106 },
    [SIM_COST_ALLOCATOR] = { 0x08, 0x50, 900, 800, 6000, shape_heat, season_heat, 104 },
    [SIM_ROOM] = { 0x1b, 0x60, 0, 0, 0, shape_heat, season_flat, 100 },
};

/* A street in small: what stands in a block of twenty meters. */
static const enum sim_kind street[] = {
    SIM_ELECTRICITY, SIM_WATER,       SIM_ELECTRICITY, SIM_HEAT,           SIM_COST_ALLOCATOR,
    SIM_WARM_WATER,  SIM_ROOM,        SIM_GAS,         SIM_ELECTRICITY,    SIM_WATER,
    SIM_ELECTRICITY, SIM_ELECTRICITY, SIM_WATER,       SIM_COST_ALLOCATOR, SIM_HEAT,
    SIM_WARM_WATER,  SIM_ELECTRICITY, SIM_GAS,         SIM_WATER,          SIM_ELECTRICITY,
};
#define STREET (sizeof street / sizeof street[0])
#define STREET_ROOF 2 /* has photovoltaics in every street; others by chance */

/* splitmix64: a number without pattern from one with. */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static uint64_t chance(const struct sim_meter *m, enum draw draw, uint64_t n)
{
    return mix(mix(mix(m->seed) ^ m->index) ^ mix((uint64_t)draw << 40 ^ n));
}

/* A number from low to high, both included. */
static int64_t between(uint64_t chance, int64_t low, int64_t high)
{
    return low + (int64_t)(chance % (uint64_t)(high - low + 1));
}

/* --- a meter's constants --- */

static enum emt_err derive_key(struct sim_meter *m)
{
    char key[48], what[48];
    uint8_t mac[32];

    snprintf(key, sizeof key, "emt-simulate:%llu", (unsigned long long)m->seed);
    snprintf(what, sizeof what, "meter-key:%u", m->index);
    enum emt_err err =
        cipher_hmac_sha256((const uint8_t *)key, strlen(key), what, strlen(what), mac);
    memcpy(m->key, mac, sizeof m->key);
    return err;
}

enum emt_err sim_meter_init(struct sim_meter *m, uint64_t seed, uint32_t index, uint32_t interval_s)
{
    int64_t interval = (int64_t)interval_s * EMT_SECOND;

    *m = (struct sim_meter){ .seed = seed, .index = index };
    m->kind = street[index % STREET];
    const struct kind_facts *f = &facts[m->kind];
    m->device.type = f->device_type;
    m->device.version = f->version;
    m->device.has_version = true;
    memcpy(m->device.manufacturer, "SIM", 4);
    /* 7919 is prime to 10^8: indices below that never share a number. */
    uint64_t number = ((uint64_t)index * 7919 + mix(seed) % 100000000) % 100000000;
    snprintf(m->device.number, sizeof m->device.number, "%08llu", (unsigned long long)number);
    m->encrypted = index % PLAIN_EVERY != PLAIN_EVERY - 1;
    m->exports = m->kind == SIM_ELECTRICITY &&
                 (index % STREET == STREET_ROOF || chance(m, DRAW_EXPORT, 0) % 8 == 0);
    m->start = between(chance(m, DRAW_START, 0), f->start_max / 50, f->start_max);
    m->daily_milli = between(chance(m, DRAW_DAILY, 0), f->daily_min, f->daily_max);
    m->phase_us = between(chance(m, DRAW_PHASE, 0), 0, interval - 1);
    m->period_us =
        interval + interval / 1000000 * between(chance(m, DRAW_DRIFT, 0), -DRIFT_PPM, DRIFT_PPM);
    m->jitter_us = interval / 20 < 10 * EMT_SECOND ? interval / 20 : 10 * EMT_SECOND;
    return derive_key(m);
}

emt_time sim_meter_time(const struct sim_meter *m, uint64_t k)
{
    return SIM_EPOCH + m->phase_us + (int64_t)k * m->period_us +
           between(chance(m, DRAW_JITTER, k), 0, m->jitter_us);
}

uint64_t sim_meter_first(const struct sim_meter *m, emt_time t)
{
    int64_t since = t - SIM_EPOCH - m->phase_us - m->jitter_us;
    uint64_t k = since > 0 ? (uint64_t)(since / m->period_us) : 0;

    while (sim_meter_time(m, k) < t)
        k++;
    return k;
}

/* --- amounts --- */

/* What distinguishes a consumption from an export of the same meter. */
struct flow {
    int64_t daily_milli;
    const uint8_t *shape, *season;
    uint8_t weekend;
    uint64_t salt;
};

static struct flow consumption(const struct sim_meter *m)
{
    const struct kind_facts *f = &facts[m->kind];
    struct flow flow = { m->daily_milli, m->exports ? shape_prosumer : f->shape, f->season,
                         f->weekend, 0 };

    return flow;
}

static struct flow sunshine(const struct sim_meter *m)
{
    struct flow flow = { m->daily_milli * 2, shape_sun, season_sun, 100, UINT64_C(1) << 36 };

    return flow;
}

static int64_t day_amount(const struct sim_meter *m, const struct flow *f, int64_t day)
{
    unsigned month = (unsigned)(day * 4 % 1461 / 4) * 12 / 366;
    bool weekend = day % 7 == 5 || day % 7 == 6; /* the epoch was a Monday */
    int64_t percent = between(chance(m, DRAW_DAY, f->salt + (uint64_t)day), 60, 140);

    return f->daily_milli * f->season[month] / 100 * (weekend ? f->weekend : 100) / 100 * percent /
           100;
}

/* Weight of each quarter of a day; returns the sum. */
static int64_t day_weights(const struct sim_meter *m, const struct flow *f, int64_t day,
                           int64_t weight[QUARTERS])
{
    int64_t sum = 0;

    for (int q = 0; q < QUARTERS; q++) {
        uint64_t n = f->salt + (uint64_t)day * QUARTERS + (uint64_t)q;
        weight[q] = f->shape[q / 4] * between(chance(m, DRAW_QUARTER, n), 50, 150);
        sum += weight[q];
    }
    return sum;
}

/* Thousandths of the unit from the epoch to t. */
static int64_t amount_until(const struct sim_meter *m, const struct flow *f, struct sim_sum *sum,
                            emt_time t)
{
    int64_t weight[QUARTERS];
    int64_t day = t <= SIM_EPOCH ? 0 : (t - SIM_EPOCH) / EMT_DAY;
    int64_t into = t <= SIM_EPOCH ? 0 : (t - SIM_EPOCH) % EMT_DAY;

    if (day < sum->day)
        *sum = (struct sim_sum){ 0 };
    for (; sum->day < day; sum->day++)
        sum->amount += day_amount(m, f, sum->day);
    int64_t all = day_weights(m, f, day, weight);
    int64_t quarter = into / QUARTER, before = 0;
    for (int64_t q = 0; q < quarter; q++)
        before += weight[q] * 1000;
    before += weight[quarter] * (into % QUARTER / (QUARTER / 1000));
    /* all * 1000 stays below 10^9 and a day's amount below 10^8 */
    return sum->amount + day_amount(m, f, day) * before / (all * 1000);
}

int64_t sim_meter_register(struct sim_meter *m, emt_time t)
{
    struct flow f = consumption(m);

    return m->start + amount_until(m, &f, &m->sum, t) / 1000;
}

/* Thousandths of the unit per hour, over the last quarter of an hour. */
static int64_t rate(struct sim_meter *m, emt_time t)
{
    struct flow f = consumption(m);
    int64_t now = amount_until(m, &f, &m->sum, t);
    struct sim_sum before =
        m->sum.day > 0 && (t - SIM_EPOCH) % EMT_DAY < QUARTER ? (struct sim_sum){ 0 } : m->sum;

    return (now - amount_until(m, &f, &before, t - QUARTER)) * 4;
}

/* --- telegrams --- */

struct records {
    struct writer w;
    enum emt_err err;
};

static void put(struct records *r, uint8_t dif, uint8_t vif, int64_t value)
{
    if (r->err == EMT_OK)
        r->err = oms_put_record(&r->w, dif, &vif, 1, value);
}

static void put2(struct records *r, uint8_t dif, uint8_t vif, uint8_t vife, int64_t value)
{
    uint8_t vib[2] = { vif, vife };

    if (r->err == EMT_OK)
        r->err = oms_put_record(&r->w, dif, vib, sizeof vib, value);
}

static void put_time(struct records *r, emt_time t)
{
    struct civil c;
    int offset = local_offset_s(t);

    time_to_civil(t + offset * EMT_SECOND, &c);
    if (r->err == EMT_OK)
        r->err =
            oms_put_datetime(&r->w, 0x04, c.year, c.month, c.day, c.hour, c.minute, offset == 7200);
}

/* --- what meters keep of the past --- */

static struct local_date first_of_month(int64_t month)
{
    return (struct local_date){ (int)(month / 12), (int)(month % 12) + 1, 1 };
}

static int64_t month_of(emt_time t)
{
    struct local_date d = local_date_of(t);

    return (int64_t)d.year * 12 + d.month - 1;
}

/* Oldest first, since a sum only walks forward. */
static const struct sim_months *months(struct sim_meter *m, emt_time t)
{
    struct flow f = consumption(m);
    struct sim_sum sum = { 0 };
    int64_t month = month_of(t);

    if (m->months.month == month)
        return &m->months;
    for (int i = SIM_MONTHS - 1; i >= 0; i--) {
        emt_time at = local_day_start(first_of_month(month - i));
        m->months.value[i] = m->start + amount_until(m, &f, &sum, at) / 1000;
    }
    m->months.month = month;
    return &m->months;
}

/* One record of a storage number below 32: a DIFE carries all of it but its lowest bit. */
static void put_stored(struct records *r, unsigned storage, uint8_t coding, uint8_t vif,
                       int64_t value)
{
    uint8_t dif = (uint8_t)(coding | (storage & 1u) << 6);

    if (storage < 2)
        put(r, dif, vif, value);
    else
        put2(r, dif | 0x80, (uint8_t)(storage >> 1), vif, value);
}

/* The register at the first of a month, some months back, and that date (type G, EN 13757-3). */
static void put_month(struct records *r, struct sim_meter *m, emt_time t, unsigned storage,
                      unsigned back, uint8_t coding, uint8_t vif, int64_t divisor)
{
    const struct sim_months *past = months(m, t);
    struct local_date d = first_of_month(past->month - back);
    unsigned year = (unsigned)d.year % 100;

    put_stored(r, storage, coding, vif, past->value[back] / divisor);
    put_stored(
        r, storage, 0x02, 0x6c,
        (int16_t)((unsigned)d.day | (year & 7u) << 5 | (unsigned)d.month << 8 | (year >> 3) << 12));
}

/* Storage 1: the due date, here the first of this month. */
static void put_due(struct records *r, struct sim_meter *m, emt_time t, uint8_t coding, uint8_t vif,
                    int64_t divisor)
{
    put_month(r, m, t, 1, 0, coding, vif, divisor);
}

/* Billing of heat goes by the year: storage 1 is the first of January. */
static void put_yearly_due(struct records *r, struct sim_meter *m, emt_time t, uint8_t coding,
                           uint8_t vif)
{
    put_month(r, m, t, 1, (unsigned)(month_of(t) % 12), coding, vif, 1);
}

/* Months first to first + n - 1 back, in the storage numbers from 2 + first. */
static void put_months(struct records *r, struct sim_meter *m, emt_time t, unsigned first,
                       unsigned n, uint8_t coding, uint8_t vif)
{
    for (unsigned i = first; i < first + n; i++)
        put_month(r, m, t, 2 + i, i, coding, vif, 1);
}

/* --- what goes up and down --- */

/* Warmest in the late afternoon and in July; the amplitudes may be negative. */
struct course {
    int64_t base, day, season; /* amplitudes around the base */
    int64_t own, noise;        /* how far meters, and hours of one meter, lie apart */
};

#define WARMEST_MINUTE (16 * 60)
#define WARMEST_DAY 196 /* of the year */

/* A triangle: period / 4 at the peak, its negative on the opposite side. */
static int64_t wave(int64_t x, int64_t peak, int64_t period)
{
    int64_t d = (x - peak + period) % period - period / 2;

    return (d < 0 ? -d : d) - period / 4;
}

static int64_t course_at(const struct sim_meter *m, emt_time t, uint64_t what,
                         const struct course *c)
{
    int64_t minute = (t - SIM_EPOCH) % EMT_DAY / EMT_MINUTE;
    int64_t day = (t - SIM_EPOCH) / EMT_DAY;
    uint64_t hour = what << 32 ^ (uint64_t)((t - SIM_EPOCH) / EMT_HOUR);
    int64_t from = between(chance(m, DRAW_STATE, hour), -c->noise, c->noise);
    int64_t to = between(chance(m, DRAW_STATE, hour + 1), -c->noise, c->noise);

    return c->base + c->day * wave(minute, WARMEST_MINUTE, 1440) / 360 +
           c->season * wave(day % 365, WARMEST_DAY, 365) / 91 +
           between(chance(m, DRAW_OWN, what), -c->own, c->own) + from +
           (to - from) * (minute % 60) / 60;
}

/* Units of the records: 0.01 and 0.1 degree C, 0.1 %. */
static const struct course room_temperature = { 2100, 60, 190, 130, 20 };
static const struct course room_humidity = { 470, -15, 70, 45, 12 };
static const struct course warm_water = { 520, 12, -15, 40, 25 };
static const struct course heat_flow = { 560, -15, -110, 30, 18 };
static const struct course heat_return = { 370, -8, -60, 25, 10 };

/* k: heat meters send their months in two halves, in turn. */
static void put_values(struct records *r, struct sim_meter *m, emt_time t, uint64_t k)
{
    int64_t value = sim_meter_register(m, t);
    struct flow sun = sunshine(m);

    switch (m->kind) {
    case SIM_ELECTRICITY: /* Wh, W */
        put(r, 0x04, 0x03, value);
        if (m->exports)
            put2(r, 0x04, 0x83, 0x3c, amount_until(m, &sun, &m->export_sum, t) / 1000);
        put(r, 0x04, 0x2b, rate(m, t) / 1000);
        put_due(r, m, t, 0x04, 0x03, 1);
        break;
    case SIM_WATER: /* l, l/h */
    case SIM_WARM_WATER:
        put(r, 0x04, 0x13, value);
        put(r, 0x02, 0x3b, rate(m, t) / 1000);
        if (m->kind == SIM_WARM_WATER)
            put(r, 0x02, 0x5a, course_at(m, t, 1, &warm_water));
        put_due(r, m, t, 0x04, 0x13, 1);
        break;
    case SIM_HEAT: /* kWh, 10 l, 100 W, 0.1 degree C */
        put(r, 0x04, 0x06, value);
        put(r, 0x04, 0x14, value * 43 / 10);
        put(r, 0x02, 0x2d, rate(m, t) / 100);
        put(r, 0x02, 0x5a, course_at(m, t, 1, &heat_flow));
        put(r, 0x02, 0x5e, course_at(m, t, 2, &heat_return));
        put_yearly_due(r, m, t, 0x04, 0x06);
        put_months(r, m, t, k % 2 ? HEAT_MONTHS : 0, HEAT_MONTHS, 0x04, 0x06);
        break;
    case SIM_GAS: /* 10 l, BCD */
        put(r, 0x0c, 0x14, value / 10);
        put_due(r, m, t, 0x0c, 0x14, 10);
        break;
    case SIM_COST_ALLOCATOR:
        put(r, 0x04, 0x6e, value);
        put(r, 0x02, 0x65, course_at(m, t, 1, &room_temperature));
        put_yearly_due(r, m, t, 0x02, 0x6e);
        put_months(r, m, t, 0, SIM_MONTHS, 0x02, 0x6e);
        break;
    case SIM_ROOM:
        put(r, 0x02, 0x65, course_at(m, t, 1, &room_temperature));
        put2(r, 0x02, 0xfb, 0x1a, course_at(m, t, 2, &room_humidity));
        break;
    case SIM_KINDS:
        break;
    }
}

enum emt_err sim_meter_telegram(struct sim_meter *m, uint64_t k, struct cipher *c,
                                struct writer *out)
{
    uint8_t bytes[RECORDS_MAX];
    struct records r = { .err = EMT_OK };
    emt_time t = sim_meter_time(m, k);

    t -= t % EMT_MINUTE;
    writer_init_fixed(&r.w, bytes, sizeof bytes);
    put_time(&r, t);
    put_values(&r, m, t, k);
    if (r.err != EMT_OK)
        return r.err;
    struct oms_telegram telegram = { .device = m->device,
                                     .access_number = (uint8_t)k,
                                     .encrypted = m->encrypted,
                                     .records = bytes,
                                     .records_len = r.w.len };
    memcpy(telegram.key, m->key, sizeof telegram.key);
    return oms_encode(c, &telegram, out);
}

char *sim_meter_csv(const struct sim_meter *m, char buf[SIM_METER_CSV_MAX])
{
    char key[2 * sizeof m->key + 1] = "";

    if (m->encrypted)
        hex_encode(m->key, sizeof m->key, key);
    snprintf(buf, SIM_METER_CSV_MAX, "%.8s,%s,%.3s,%u,%u", m->device.number, key,
             m->device.manufacturer, m->device.type, m->device.version);
    return buf;
}
