#include "random_fleet.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define GAS_SENDER "9800999000207"
#define GAS_RECEIVER "9800999000306"

/* xorshift64. */
static uint64_t state;

void fleet_seed(uint64_t seed)
{
    state = 0x9e3779b97f4a7c15u + seed * 7919u;
}

uint64_t fleet_draw(uint64_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % n;
}

static char sql[1 << 21];
static size_t sql_len;

static void add_reading(const struct fleet *f, int64_t channel, emt_time t, int64_t value)
{
    char when[32];

    if (sql_len == 0)
        sql_len = (size_t)snprintf(sql, sizeof sql,
                                   "insert into reading (tenant_id, channel_id, ts, mantissa,"
                                   " exponent, quality) values ");
    else
        sql[sql_len++] = ',';
    sql_len += (size_t)snprintf(sql + sql_len, sizeof sql - sql_len,
                                "(%d, %" PRId64 ", '%s', %" PRId64 ", 0, 256)", (int)f->tenant,
                                channel, time_format(t, when), value);
    ck_assert_uint_lt(sql_len, sizeof sql - 200);
}

/* The meters of a place, one behind the other. */
static void mount(struct fleet *f, struct pg_fixture *fixture, struct fleet_place *p, unsigned nth)
{
    static const int64_t ratios[] = { 1, 40, 2000 };
    emt_time begin = f->from - 10 * EMT_DAY;

    p->n_meters = 1 + (unsigned)fleet_draw(FLEET_METERS);
    for (unsigned i = 0; i < p->n_meters; i++) {
        struct fleet_meter *m = &p->meters[i];
        /* Whole minutes, anywhere in its share of the days; sometimes on the grid. */
        emt_time end = f->from + (f->to - f->from) / FLEET_METERS * (i + 1);

        end -= (emt_time)fleet_draw(12 * 60) * EMT_MINUTE + EMT_MINUTE;
        if (fleet_draw(3) == 0)
            end -= end % f->step;
        *m = (struct fleet_meter){ .from = begin,
                                   .to = i + 1 < p->n_meters ? end : EMT_TIME_NONE,
                                   .ratio = f->kind->gas ? 1 : ratios[fleet_draw(3)] };
        m->first = (int64_t)fleet_draw((uint64_t)(FLEET_CAPACITY / f->kind->by)) * f->kind->by;
        snprintf(m->number, sizeof m->number, "R%d-%u-%u", (int)f->tenant, nth, i);
        m->channel = export_channel(fixture, f->tenant, m->number, f->kind->unit);
        begin = end;
    }
}

/* Moves a register on; what it shows then. */
static int64_t move(struct fleet *f, struct fleet_place *p, const struct fleet_meter *m, emt_time t,
                    int64_t shown)
{
    int64_t by = (int64_t)fleet_draw(f->kind->by == 1 ? 700 : 7) * f->kind->by;

    p->moved += by * m->ratio;
    p->steps[(t - 1 - f->from) / f->step] += by * m->ratio;
    return (shown + by) % FLEET_CAPACITY;
}

/* Readings on the grid, some seconds off it; the protocol has what the meters showed at their
 * exchange. */
static void count(struct fleet *f, struct fleet_place *p)
{
    for (unsigned i = 0; i < p->n_meters; i++) {
        struct fleet_meter *m = &p->meters[i];
        int64_t shown = m->first;
        emt_time end = m->to == EMT_TIME_NONE ? f->to : m->to;

        for (emt_time t = f->from; t <= f->to; t += f->step) {
            emt_time off = (emt_time)fleet_draw(120) * EMT_SECOND - EMT_MINUTE;

            if (t < m->from || t > end)
                continue;
            if (t > f->from && t > m->from)
                shown = move(f, p, m, t, shown);
            /* What stands in the protocol is not read besides. */
            if (t == m->from || t == m->to)
                continue;
            if (t + off < m->from || t + off > end)
                off = 0;
            add_reading(f, m->channel, t + off, shown);
        }
        if (m->to != EMT_TIME_NONE && (m->to - f->from) % f->step != 0)
            shown = move(f, p, m, m->to, shown);
        m->last = shown;
    }
}

static void bind(const struct fleet *f, struct pg_fixture *fixture, const struct fleet_place *p)
{
    for (unsigned i = 0; i < p->n_meters; i++) {
        const struct fleet_meter *m = &p->meters[i];
        char from[32];
        char to[32] = "";
        struct export_bind b = { .place = p->code,
                                 .obis = f->kind->obis,
                                 .channel = m->channel,
                                 .device = m->number,
                                 .ratio_mantissa = m->ratio };

        b.from = time_format(m->from, from);
        if (m->to != EMT_TIME_NONE)
            b.to = time_format(m->to, to);
        export_bind(fixture, f->tenant, &b);
        export_sql(fixture,
                   "update location_channel set capacity_mantissa = %" PRId64 ", first_mantissa ="
                   " %" PRId64 ", last_mantissa = %s%" PRId64 " where channel_id = %" PRId64,
                   FLEET_CAPACITY, m->first, m->to != EMT_TIME_NONE ? "" : "null +", m->last,
                   m->channel);
    }
    if (f->kind->pid == 13027)
        export_sql(fixture,
                   "update location_channel set use_case = 13027, order_number = 'ORD-1'"
                   " where tenant_id = %d",
                   (int)f->tenant);
}

/* Eleven digits with their check digit: odd places and twice the even ones. */
static void malo_code(char out[40], bool gas, unsigned n)
{
    unsigned sum = 0;

    snprintf(out, 40, "%c%09u", gas ? '1' : '5', n);
    for (unsigned i = 0; i < 10; i++)
        sum += (unsigned)(out[i] - '0') * (i % 2 == 0 ? 1u : 2u);
    snprintf(out + 10, 30, "%u", (10 - sum % 10) % 10);
}

static const char *receiver(const struct fleet *f)
{
    return f->kind->gas ? GAS_RECEIVER : RECEIVER;
}

void fleet_build(struct fleet *f, struct pg_fixture *fixture, const struct fleet_kind *kind,
                 const char *key, struct local_date first_day)
{
    struct local_date end = local_date_add(first_day, (int)kind->days);

    memset(f, 0, sizeof *f);
    f->kind = kind;
    f->step = kind->gas ? EMT_HOUR : 15 * EMT_MINUTE;
    f->tenant = export_tenant_new(fixture, key);
    f->first_day = first_day;
    f->from = kind->gas ? gas_day_start(first_day) : local_day_start(first_day);
    f->to = kind->gas ? gas_day_start(end) : local_day_start(end);
    f->n_steps = (unsigned)((f->to - f->from) / f->step);
    ck_assert_uint_le(f->n_steps, FLEET_STEPS_MAX);
    export_sql(fixture,
               "update tenant set own_mp_id = '%s' where id = %d;"
               "insert into export_policy (tenant_id, gap) values (%d, 'substitute');"
               "update export_policy set method = 'Z92', reason = 'Z75' where tenant_id = %d;"
               "insert into market_partner (tenant_id, mp_id, file_bytes_max) values (%d, '%s',"
               " 60000)",
               kind->gas ? GAS_SENDER : SENDER, (int)f->tenant, (int)f->tenant, (int)f->tenant,
               (int)f->tenant, receiver(f));
    sql_len = 0;
    for (unsigned i = 0; i < kind->places; i++) {
        struct fleet_place *p = &f->places[i];
        unsigned n = (unsigned)f->tenant * 100 + i;

        if (kind->malo)
            malo_code(p->code, kind->gas, n);
        else
            snprintf(p->code, sizeof p->code, "DE00099910115%020u", n);
        export_place(fixture, f->tenant, p->code, receiver(f));
        mount(f, fixture, p, i);
        count(f, p);
        bind(f, fixture, p);
    }
    pg_fixture_sql(fixture, sql);
}

void fleet_lose(const struct fleet *f, struct pg_fixture *fixture)
{
    char from[32];
    char to[32];
    emt_time a = f->from + f->step + (emt_time)fleet_draw((uint64_t)(f->to - f->from - EMT_DAY));
    emt_time b = a + (emt_time)fleet_draw(6 * 3600) * EMT_SECOND;

    export_sql(fixture,
               "set client_min_messages = warning; create table if not exists lost (like reading);"
               "with gone as (delete from reading where tenant_id = %d and channel_id %% 3 = %d and"
               " ts between '%s' and '%s' returning *) insert into lost select * from gone",
               (int)f->tenant, (int)fleet_draw(3), time_format(a, from), time_format(b, to));
}

void fleet_find(const struct fleet *f, struct pg_fixture *fixture)
{
    export_sql(fixture,
               "with back as (delete from lost where tenant_id = %d and extract(hour from ts) < %d"
               " returning *) insert into reading select * from back",
               (int)f->tenant, (int)fleet_draw(24));
}

void fleet_correct(const struct fleet *f, struct pg_fixture *fixture)
{
    export_sql(
        fixture,
        "update reading r set mantissa = r.mantissa - 1, quality = 261 from (select channel_id,"
        " ts, mantissa - lag(mantissa) over w as up, lead(mantissa) over w - mantissa as down"
        " from reading where tenant_id = %d window w as (partition by channel_id order by ts)) n"
        " where r.tenant_id = %d and r.channel_id = n.channel_id and r.ts = n.ts and n.up > 1"
        " and n.down > 1 and extract(epoch from r.ts)::int8 / 900 %% 37 = %d",
        (int)f->tenant, (int)f->tenant, (int)fleet_draw(37));
}

struct fleet_place *fleet_place_of(struct fleet *f, const char *code)
{
    for (unsigned i = 0; i < f->kind->places; i++) {
        size_t n = strlen(f->places[i].code);

        if (strncmp(code, f->places[i].code, n) == 0 && (code[n] == '\'' || code[n] == '\0'))
            return &f->places[i];
    }
    return NULL;
}
