/* Properties over random fleets: meters that are exchanged and roll over, readings that are missing
 * and come later, corrections, both changes of the clock. Whatever happens, the energies that the
 * receiver has add up to what the registers moved on, times their ratios, to the digit; they tile
 * the days without gap or overlap; no number is given twice. */
#include "export_taken.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLACES 6
#define DAYS 3
#define STEP (15 * EMT_MINUTE)
#define QUARTERS_MAX (DAYS * 100)
#define METERS 3
#define CAPACITY INT64_C(10000000)
#define NUMBERS_MAX 2000

static struct pg_fixture *fixture;
static struct store *store;

/* xorshift64: the same fleet for the same seed, everywhere. */
static uint64_t state;

static uint64_t draw(uint64_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % n;
}

/* --- the fleet --- */

struct meter {
    int64_t channel;
    emt_time from, to; /* to EMT_TIME_NONE: mounted still */
    int64_t ratio, first, last;
};
struct fleet_place {
    char code[40];
    struct meter meters[METERS];
    unsigned n_meters;
    int64_t energy_wh; /* what moved on in all the days, ratios applied */
    /* What the receiver has. */
    int64_t has[QUARTERS_MAX];
    bool there[QUARTERS_MAX];
};
struct fleet {
    int32_t tenant;
    emt_time from, to;
    struct local_date first_day;
    unsigned quarters;
    struct fleet_place places[PLACES];
    char numbers[NUMBERS_MAX][40];
    unsigned n_numbers;
};

static char sql[1 << 20];
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
static void mount(struct fleet *f, struct fleet_place *p, unsigned nth)
{
    static const int64_t ratios[] = { 1, 40, 2000 };
    emt_time at_ = f->from - 10 * EMT_DAY;
    char ident[40];

    p->n_meters = 1 + (unsigned)draw(METERS);
    for (unsigned i = 0; i < p->n_meters; i++) {
        struct meter *m = &p->meters[i];
        /* Whole minutes, anywhere in its share of the days; sometimes on the quarter hour. */
        emt_time end = f->from + (f->to - f->from) / METERS * (i + 1);

        end -= (emt_time)draw(12 * 60) * EMT_MINUTE + EMT_MINUTE;
        if (draw(3) == 0)
            end -= end % STEP;
        snprintf(ident, sizeof ident, "R-%d-%u-%u", (int)f->tenant, nth, i);
        *m = (struct meter){ .channel = export_channel(fixture, f->tenant, ident, "Wh"),
                             .from = at_,
                             .to = i + 1 < p->n_meters ? end : EMT_TIME_NONE,
                             .ratio = ratios[draw(3)],
                             .first = (int64_t)draw((uint64_t)CAPACITY) };
        at_ = end;
    }
}

/* Moves a register on; what it shows behind. */
static int64_t move(struct fleet_place *p, const struct meter *m, int64_t shown)
{
    int64_t by = (int64_t)draw(700);

    p->energy_wh += by * m->ratio;
    return (shown + by) % CAPACITY;
}

/* Readings at each quarter hour, some seconds off it; the protocol has what the meters showed at
 * their exchange. */
static void count(struct fleet *f, struct fleet_place *p)
{
    for (unsigned i = 0; i < p->n_meters; i++) {
        struct meter *m = &p->meters[i];
        int64_t shown = m->first;
        emt_time end = m->to == EMT_TIME_NONE ? f->to : m->to;

        for (emt_time t = f->from; t <= f->to; t += STEP) {
            emt_time off = (emt_time)draw(120) * EMT_SECOND - EMT_MINUTE;

            if (t < m->from || t > end)
                continue;
            if (t > f->from && t > m->from)
                shown = move(p, m, shown);
            /* What stands in the protocol is not read besides. */
            if (t == m->from || t == m->to)
                continue;
            if (t + off < m->from || t + off > end)
                off = 0;
            add_reading(f, m->channel, t + off, shown);
        }
        if (m->to != EMT_TIME_NONE && m->to % STEP != 0)
            shown = move(p, m, shown);
        m->last = shown;
    }
}

static void bind(const struct fleet *f, const struct fleet_place *p)
{
    for (unsigned i = 0; i < p->n_meters; i++) {
        const struct meter *m = &p->meters[i];
        char from[32];
        char to[32] = "";
        struct export_bind b = { .place = p->code,
                                 .obis = "1-1:1.29.0",
                                 .channel = m->channel,
                                 .ratio_mantissa = m->ratio };

        b.from = time_format(m->from, from);
        if (m->to != EMT_TIME_NONE)
            b.to = time_format(m->to, to);
        export_bind(fixture, f->tenant, &b);
        export_sql(fixture,
                   "update location_channel set capacity_mantissa = %" PRId64 ", first_mantissa ="
                   " %" PRId64 ", last_mantissa = %s%" PRId64 " where channel_id = %" PRId64,
                   CAPACITY, m->first, m->to != EMT_TIME_NONE ? "" : "null +", m->last, m->channel);
    }
}

static void build(struct fleet *f, const char *key, struct local_date first_day)
{
    memset(f, 0, sizeof *f);
    f->tenant = export_tenant_new(fixture, key);
    f->first_day = first_day;
    f->from = local_day_start(first_day);
    f->to = local_day_start(local_date_add(first_day, DAYS));
    f->quarters = (unsigned)((f->to - f->from) / STEP);
    export_sql(fixture,
               "insert into export_policy (tenant_id, gap) values (%d, 'substitute');"
               "insert into market_partner (tenant_id, mp_id, file_bytes_max) values (%d,"
               " '" RECEIVER "', 60000)",
               (int)f->tenant, (int)f->tenant);
    sql_len = 0;
    for (unsigned i = 0; i < PLACES; i++) {
        struct fleet_place *p = &f->places[i];

        snprintf(p->code, sizeof p->code, "DE00099910115%020d", (int)f->tenant * 100 + (int)i);
        export_place(fixture, f->tenant, p->code, RECEIVER);
        mount(f, p, i);
        count(f, p);
        bind(f, p);
    }
    pg_fixture_sql(fixture, sql);
}

/* --- what is missing, and what changes --- */

/* Readings of up to six hours go, at some places; never those of the first and last instant. */
static void lose_readings(const struct fleet *f)
{
    char from[32];
    char to[32];
    emt_time a = f->from + STEP + (emt_time)draw((uint64_t)(f->to - f->from - EMT_DAY));
    emt_time b = a + (emt_time)draw(6 * 3600) * EMT_SECOND;

    export_sql(fixture,
               "set client_min_messages = warning; create table if not exists lost (like reading);"
               "with gone as (delete from reading where tenant_id = %d and channel_id %% 3 = %d and"
               " ts between '%s' and '%s' returning *) insert into lost select * from gone",
               (int)f->tenant, (int)draw(3), time_format(a, from), time_format(b, to));
}

static void find_readings(const struct fleet *f)
{
    export_sql(fixture,
               "with back as (delete from lost where tenant_id = %d and extract(hour from ts) < %d"
               " returning *) insert into reading select * from back",
               (int)f->tenant, (int)draw(24));
}

/* A register is corrected by a few Wh at one instant: the sum stays. It is never set behind what it
 * showed before, nor over what it shows next. */
static void correct_readings(const struct fleet *f)
{
    export_sql(
        fixture,
        "update reading r set mantissa = r.mantissa - 1, quality = 261 from (select channel_id,"
        " ts, mantissa - lag(mantissa) over w as up, lead(mantissa) over w - mantissa as down"
        " from reading where tenant_id = %d window w as (partition by channel_id order by ts)) n"
        " where r.tenant_id = %d and r.channel_id = n.channel_id and r.ts = n.ts and n.up > 1"
        " and n.down > 1 and extract(epoch from r.ts)::int8 / 900 %% 37 = %d",
        (int)f->tenant, (int)f->tenant, (int)draw(37));
}

/* --- what the receiver has --- */

static void take_number(struct fleet *f, const char *p, size_t n)
{
    char *number = f->numbers[f->n_numbers];

    ck_assert_uint_lt(f->n_numbers, NUMBERS_MAX);
    snprintf(number, sizeof f->numbers[0], "%.*s", (int)n, p);
    for (unsigned i = 0; i < f->n_numbers; i++)
        ck_assert_str_ne(f->numbers[i], number);
    f->n_numbers++;
}

static emt_time utc(const char *p)
{
    struct civil c = { 0 };

    ck_assert_int_eq(sscanf(p, "%4d%2d%2d%2d%2d", &c.year, &c.month, &c.day, &c.hour, &c.minute),
                     5);
    return civil_to_time(&c);
}

/* kWh with up to three decimals, as Wh. */
static int64_t wh(const char *p)
{
    struct decimal d;

    ck_assert_int_eq(decimal_parse(p, strcspn(p, "'"), &d), EMT_OK);
    ck_assert_int_eq(decimal_rescale(d, -3, &d), EMT_OK);
    return d.mantissa;
}

/* One UNH..UNT: its values take the place of what was there. */
static void take_message(struct fleet *f, const char *p, const char *end)
{
    struct fleet_place *place = NULL;
    emt_time expected = EMT_TIME_NONE;
    int64_t value = 0;

    for (; p < end; p = strchr(p, '\'') + 1) {
        if (strncmp(p, "BGM+", 4) == 0) {
            const char *number = strchr(p + 4, '+') + 1;

            take_number(f, number, strcspn(number, "+"));
        } else if (strncmp(p, "LOC+172+", 8) == 0) {
            for (unsigned i = 0; i < PLACES; i++) {
                if (strncmp(p + 8, f->places[i].code, 33) == 0)
                    place = &f->places[i];
            }
            ck_assert_ptr_nonnull(place);
        } else if (strncmp(p, "QTY+", 4) == 0) {
            value = wh(strchr(p, ':') + 1);
        } else if (strncmp(p, "DTM+163:", 8) == 0) {
            emt_time t = utc(p + 8);

            /* The first is the message's period. */
            ck_assert(expected == EMT_TIME_NONE || t == expected);
            expected = t;
        } else if (strncmp(p, "DTM+164:", 8) == 0 && strncmp(p + 29, "LIN", 3) != 0) {
            unsigned at_ = (unsigned)((expected - f->from) / STEP);

            ck_assert_int_eq(utc(p + 8), expected + STEP);
            ck_assert_uint_lt(at_, f->quarters);
            place->has[at_] = value;
            place->there[at_] = true;
            expected += STEP;
        }
    }
}

static unsigned export_all(struct fleet *f, emt_time now)
{
    struct mscons_export_request req = { .tenant = f->tenant,
                                         .pid = 13018,
                                         .from = f->first_day,
                                         .to = local_date_add(f->first_day, DAYS),
                                         .now = now,
                                         .only_changes = true };
    struct taken t = { 0 };
    unsigned messages = 0;

    taken_run(store, &req, &t);
    ck_assert_msg(t.err == EMT_OK, "%s: %s", emt_err_name(t.err), t.diag.text);
    ck_assert_msg(t.notes[0] == '\0', "%s", t.notes);
    for (unsigned i = 0; i < t.files; i++) {
        const char *p = t.content[i];
        const char *name = strrchr(t.name[i], '_') + 1;

        json_decref(taken_judged(fixture, &t, i));
        take_number(f, name, strcspn(name, "."));
        while ((p = strstr(p, "'UNH+")) != NULL) {
            const char *end = strstr(p, "'UNT+") + 1;

            take_message(f, p + 1, end);
            p = end;
            messages++;
        }
    }
    taken_drop(&t);
    return messages;
}

static void adds_up(const struct fleet *f)
{
    for (unsigned i = 0; i < PLACES; i++) {
        const struct fleet_place *p = &f->places[i];
        int64_t sum = 0;

        for (unsigned k = 0; k < f->quarters; k++) {
            ck_assert_msg(p->there[k], "%s: quarter hour %u is missing", p->code, k);
            sum += p->has[k];
        }
        ck_assert_msg(sum == p->energy_wh, "%s: %" PRId64 " Wh, registers %" PRId64, p->code, sum,
                      p->energy_wh);
    }
}

START_TEST(energies_add_up_whatever_happens)
{
    static const struct local_date days[] = { { 2026, 3, 28 }, { 2025, 10, 25 }, { 2026, 11, 16 } };
    struct fleet *f = calloc(1, sizeof *f);
    char key[40];

    state = 0x9e3779b97f4a7c15u + (uint64_t)_i * 7919u;
    snprintf(key, sizeof key, "random-%d", _i);
    build(f, key, days[_i % 3]);
    emt_time now = f->to + 2 * EMT_DAY;

    for (int round = 0; round < 4; round++) {
        if (round == 0)
            lose_readings(f);
        if (round == 1)
            find_readings(f);
        if (round >= 2)
            correct_readings(f);
        unsigned messages = export_all(f, now + round * EMT_MINUTE);
        if (round == 0)
            ck_assert_uint_eq(messages, PLACES * DAYS);
        adds_up(f);
        /* Nothing changed: nothing goes out. */
        ck_assert_uint_eq(export_all(f, now + round * EMT_MINUTE + EMT_SECOND), 0);
    }
    free(f);
}
END_TEST

static void setup(void)
{
    store = pg_fixture_store(fixture, STORE_APP);
}

static void teardown(void)
{
    store_close(store);
}

int main(void)
{
    const char *runs = getenv("EMT_RANDOM_RUNS"); /* more of them by hand */
    Suite *suite = suite_create("export_random");
    TCase *c = tcase_create("all");

    fixture = pg_fixture_start();
    export_partitions(fixture);
    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, energies_add_up_whatever_happens, 0,
                        runs != NULL ? (int)strtol(runs, NULL, 10) : 9);
    suite_add_tcase(suite, c);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
