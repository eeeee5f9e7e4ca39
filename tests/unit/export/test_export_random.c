/* Properties over random fleets: meters that are exchanged and roll over, readings that are missing
 * and come later, corrections, both changes of the clock. Whatever happens, what the receiver has
 * adds up to what the registers moved on, times their ratios, to the digit; it tiles the days
 * without gap or overlap; no number is given twice. */
#include "export_taken.h"
#include "random_fleet.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBERS_MAX 4000
#define SENT_MAX 4000

static struct pg_fixture *fixture;
static struct store *store;

/* clang-format off */
static const struct fleet_kind profiles[] = {
    { "13018", 13018, "1-1:1.29.0", "Wh", 1, 1, false, false, 3, FLEET_PLACES },
    { "13025", 13025, "1-1:1.29.0", "Wh", 1, 1, true, false, 3, FLEET_PLACES },
    { "13008", 13008, "7-20:99.33.17", "Wh", 1, 1, true, true, 3, FLEET_PLACES },
    { "13008 volume", 13008, "7-1:99.21.0", "m3", 1000, 1, false, true, 3, FLEET_PLACES },
    { "13027", 13027, "1-1:1.29.0", "Wh", 1, 1, false, false, 3, FLEET_PLACES },
};
static const struct fleet_kind energies[] = {
    { "13019", 13019, "1-1:1.9.0", "Wh", 1, 1, true, false, 4, FLEET_PLACES },
    { "13009", 13009, "7-0:33.86.0", "Wh", 1, 1000, true, true, 4, FLEET_PLACES },
    { "13009 volume", 13009, "7-1:3.21.0", "m3", 1000, 1, false, true, 4, FLEET_PLACES },
};
static const struct fleet_kind months[] = {
    { "13016", 13016, "1-1:1.9.0", "Wh", 1, 1, true, false, 31, 2 },
};
static const struct fleet_kind readings[] = {
    { "13017", 13017, "1-1:1.8.0", "Wh", 1, 1, false, false, 4, FLEET_PLACES },
    { "13002", 13002, "7-1:3.0.0", "m3", 1000, 1, false, true, 4, FLEET_PLACES },
};
/* clang-format on */
#define N(a) ((int)(sizeof(a) / sizeof((a)[0])))

static struct fleet *fleet;
static struct receiver *receiver;
static char notes[20000];

/* --- what the receiver has --- */

/* One value as it stands in a message. */
struct sent {
    char document[40], device[40];
    struct fleet_place *place;
    emt_time from, to; /* of a reading: to is its time of use, from that of the exchange, or none */
    int64_t value;     /* thousandths */
    bool maximum, gone;
};
struct receiver {
    struct fleet *fleet;
    char numbers[NUMBERS_MAX][40];
    unsigned n_numbers;
    struct sent sent[SENT_MAX];
    unsigned n_sent;
    /* Profiles by interval: a later one takes the place of the one before. */
    int64_t has[FLEET_PLACES][FLEET_STEPS_MAX];
    bool there[FLEET_PLACES][FLEET_STEPS_MAX];
};

static void take_number(struct receiver *r, const char *p, size_t n)
{
    char *number = r->numbers[r->n_numbers];

    ck_assert_uint_lt(r->n_numbers, NUMBERS_MAX);
    snprintf(number, sizeof r->numbers[0], "%.*s", (int)n, p);
    for (unsigned i = 0; i < r->n_numbers; i++)
        ck_assert_str_ne(r->numbers[i], number);
    r->n_numbers++;
}

static emt_time utc(const char *p)
{
    struct civil c = { 0 };

    ck_assert_int_eq(sscanf(p, "%4d%2d%2d%2d%2d", &c.year, &c.month, &c.day, &c.hour, &c.minute),
                     5);
    return civil_to_time(&c);
}

/* In thousandths. */
static int64_t value_of(const char *p)
{
    struct decimal d;

    ck_assert_int_eq(decimal_parse(p, strcspn(p, "'"), &d), EMT_OK);
    ck_assert_int_eq(decimal_rescale(d, -3, &d), EMT_OK);
    return d.mantissa;
}

/* As many thousandths of the market's unit. */
static int64_t moved(const struct fleet_place *p)
{
    return p->moved * fleet->kind->milli;
}

static void take_back(struct receiver *r, const char *document)
{
    unsigned n = 0;

    for (unsigned i = 0; i < r->n_sent; i++) {
        size_t len = strlen(r->sent[i].document);

        if (strncmp(r->sent[i].document, document, len) == 0 && document[len] == '\'') {
            ck_assert_msg(!r->sent[i].gone, "%s is taken back twice", r->sent[i].document);
            r->sent[i].gone = true;
            n++;
        }
    }
    ck_assert_msg(n > 0, "nobody has %.20s", document);
}

static void keep_value(struct receiver *r, const struct sent *s)
{
    ck_assert_ptr_nonnull(s->place);
    ck_assert_uint_lt(r->n_sent, SENT_MAX);
    r->sent[r->n_sent++] = *s;
}

/* One UNH..UNT. */
static void take_message(struct receiver *r, const char *p, const char *end)
{
    struct sent s = { .from = EMT_TIME_NONE, .to = EMT_TIME_NONE };
    bool open = false;

    for (; p < end; p = strchr(p, '\'') + 1) {
        if (open && strncmp(p, "DTM+", 4) != 0 && strncmp(p, "STS+", 4) != 0) {
            keep_value(r, &s);
            open = false;
        }
        if (strncmp(p, "BGM+", 4) == 0) {
            const char *number = strchr(p + 4, '+') + 1;

            take_number(r, number, strcspn(number, "+"));
            snprintf(s.document, sizeof s.document, "%.*s", (int)strcspn(number, "+"), number);
        } else if (strncmp(p, "RFF+ACW:", 8) == 0) {
            take_back(r, p + 8);
        } else if (strncmp(p, "RFF+MG:", 7) == 0) {
            snprintf(s.device, sizeof s.device, "%.*s", (int)strcspn(p + 7, "'"), p + 7);
        } else if (strncmp(p, "LOC+172+", 8) == 0) {
            s.place = fleet_place_of(r->fleet, p + 8);
        } else if (strncmp(p, "QTY+", 4) == 0) {
            s.value = value_of(strchr(p, ':') + 1);
            s.from = s.to = EMT_TIME_NONE;
            s.maximum = false;
            open = true;
        } else if (open && (strncmp(p, "DTM+163:", 8) == 0 || strncmp(p, "DTM+60:", 7) == 0)) {
            s.from = utc(strchr(p, ':') + 1);
        } else if (open && (strncmp(p, "DTM+164:", 8) == 0 || strncmp(p, "DTM+7:", 6) == 0)) {
            s.to = utc(strchr(p, ':') + 1);
        } else if (open && strncmp(p, "DTM+306:", 8) == 0) {
            s.maximum = true;
        }
    }
    if (open)
        keep_value(r, &s);
}

/* Files of the days [from, from + days); what was noted stands in notes. */
static unsigned export_days(struct receiver *r, struct local_date from, int days, emt_time now)
{
    struct mscons_export_request req = { .tenant = r->fleet->tenant,
                                         .pid = r->fleet->kind->pid,
                                         .from = from,
                                         .to = local_date_add(from, days),
                                         .now = now,
                                         .only_changes = true };
    struct taken t = { 0 };
    unsigned messages = 0;

    taken_run(store, &req, &t);
    ck_assert_msg(t.err == EMT_OK, "%s: %s", emt_err_name(t.err), t.diag.text);
    snprintf(notes, sizeof notes, "%s", t.notes);
    for (unsigned i = 0; i < t.files; i++) {
        const char *p = t.content[i];
        const char *name = strrchr(t.name[i], '_') + 1;

        json_decref(taken_judged(fixture, &t, i));
        take_number(r, name, strcspn(name, "."));
        while ((p = strstr(p, "'UNH+")) != NULL) {
            const char *end = strstr(p, "'UNT+") + 1;

            take_message(r, p + 1, end);
            p = end;
            messages++;
        }
    }
    taken_drop(&t);
    return messages;
}

/* --- one fleet --- */

/* Days that both changes of the clock and neither lie in. */
static void begin(const struct fleet_kind *kind, int i)
{
    static const struct local_date days[] = { { 2026, 3, 28 }, { 2025, 10, 25 }, { 2026, 11, 12 } };
    static const struct local_date firsts[] = { { 2026, 3, 1 }, { 2025, 10, 1 }, { 2026, 10, 1 } };
    char key[60];

    fleet_seed((uint64_t)i);
    snprintf(key, sizeof key, "random-%.5s-%s-%d", kind->name, kind->gas ? "gas" : "power",
             i + (kind->unit[0] == 'm' ? 1000 : 0));
    fleet_build(fleet, fixture, kind, key, kind->days > 20 ? firsts[i % 3] : days[i % 3]);
    memset(receiver, 0, sizeof *receiver);
    receiver->fleet = fleet;
}

static void change(int round)
{
    if (round == 0)
        fleet_lose(fleet, fixture);
    else if (round == 1)
        fleet_find(fleet, fixture);
    else
        fleet_correct(fleet, fixture);
}

/* --- profiles --- */

static void overwrite(void)
{
    for (unsigned i = 0; i < receiver->n_sent; i++) {
        const struct sent *s = &receiver->sent[i];
        size_t place = (size_t)(s->place - fleet->places);
        size_t at_ = (size_t)((s->from - fleet->from) / fleet->step);

        ck_assert_int_eq(s->to - s->from, fleet->step);
        ck_assert_uint_lt(at_, fleet->n_steps);
        receiver->has[place][at_] = s->value;
        receiver->there[place][at_] = true;
    }
    receiver->n_sent = 0;
}

START_TEST(profiles_add_up_whatever_happens)
{
    const struct fleet_kind *kind = &profiles[_i % N(profiles)];
    emt_time now;

    begin(kind, _i / N(profiles));
    now = fleet->to + 2 * EMT_DAY;
    for (int round = 0; round < 4; round++) {
        change(round);
        unsigned messages =
            export_days(receiver, fleet->first_day, (int)kind->days, now + round * EMT_MINUTE);
        ck_assert_msg(notes[0] == '\0', "%s", notes);
        if (round == 0)
            ck_assert_uint_eq(messages, kind->places * kind->days);
        overwrite();
        for (unsigned i = 0; i < kind->places; i++) {
            const struct fleet_place *p = &fleet->places[i];
            int64_t sum = 0;

            for (unsigned k = 0; k < fleet->n_steps; k++) {
                ck_assert_msg(receiver->there[i][k], "%s: interval %u is missing", p->code, k);
                sum += receiver->has[i][k];
            }
            ck_assert_msg(sum == moved(p), "%s: %" PRId64 ", registers %" PRId64, p->code, sum,
                          moved(p));
        }
        /* Nothing changed: nothing goes out. */
        ck_assert_uint_eq(export_days(receiver, fleet->first_day, (int)kind->days,
                                      now + round * EMT_MINUTE + EMT_SECOND),
                          0);
    }
}
END_TEST

/* --- energies --- */

/* The one energy that the receiver has of a place and period; false: none. */
static bool energy_of(const struct fleet_place *p, emt_time from, emt_time to, int64_t *out)
{
    bool found = false;

    for (unsigned i = 0; i < receiver->n_sent; i++) {
        const struct sent *s = &receiver->sent[i];

        if (s->gone || s->maximum || s->place != p || s->from != from || s->to != to)
            continue;
        ck_assert_msg(!found, "%s has two energies", p->code);
        *out = s->value;
        found = true;
    }
    return found;
}

static emt_time day_begin(unsigned day)
{
    struct local_date d = local_date_add(fleet->first_day, (int)day);

    return fleet->kind->gas ? gas_day_start(d) : local_day_start(d);
}

/* Each day by itself, where its ends were read, and all of them at once. */
static unsigned export_energies(emt_time now)
{
    unsigned messages = export_days(receiver, fleet->first_day, (int)fleet->kind->days, now);

    ck_assert_msg(notes[0] == '\0', "%s", notes);
    for (unsigned d = 0; d < fleet->kind->days; d++)
        messages += export_days(receiver, local_date_add(fleet->first_day, (int)d), 1,
                                now + (emt_time)(d + 1) * EMT_MINUTE);
    return messages;
}

static void energies_add_up(const struct fleet_place *p, bool whole)
{
    int64_t sum = 0;
    int64_t value = 0;
    unsigned days = 0;

    ck_assert_msg(energy_of(p, fleet->from, fleet->to, &value), "%s has no energy", p->code);
    ck_assert_msg(value == moved(p), "%s: %" PRId64 ", registers %" PRId64, p->code, value,
                  moved(p));
    for (unsigned d = 0; d < fleet->kind->days; d++) {
        if (!energy_of(p, day_begin(d), day_begin(d + 1), &value))
            continue;
        sum += value;
        days++;
    }
    ck_assert(!whole || days == fleet->kind->days);
    if (days == fleet->kind->days)
        ck_assert_msg(sum == moved(p), "%s: days %" PRId64 ", registers %" PRId64, p->code, sum,
                      moved(p));
}

START_TEST(energies_of_days_add_up_to_the_period)
{
    emt_time now;

    begin(&energies[_i % N(energies)], _i / N(energies));
    now = fleet->to + 2 * EMT_DAY;
    for (int round = -1; round < 4; round++) {
        emt_time t = now + (round + 1) * EMT_HOUR;

        if (round >= 0)
            change(round);
        (void)export_energies(t);
        for (unsigned i = 0; i < fleet->kind->places; i++)
            energies_add_up(&fleet->places[i], round < 0);
        ck_assert_uint_eq(export_energies(t + 10 * EMT_MINUTE), 0);
    }
}
END_TEST

/* --- months --- */

static int64_t highest(const struct fleet_place *p)
{
    int64_t most = 0;

    for (unsigned i = 0; i < fleet->n_steps; i++)
        most = p->steps[i] > most ? p->steps[i] : most;
    return most;
}

START_TEST(a_month_has_its_energy_and_its_highest_quarter_hour)
{
    emt_time now;

    begin(&months[0], _i);
    /* The maximum stands beside the energy, from the same meters. */
    export_sql(fixture,
               "insert into location_channel (tenant_id, location_id, channel_id, obis,"
               " ratio_mantissa, ratio_exponent, device_number, valid_from, valid_to,"
               " capacity_mantissa, first_mantissa, last_mantissa)"
               " select tenant_id, location_id, channel_id, '1-1:1.6.0', ratio_mantissa,"
               " ratio_exponent, device_number, valid_from, valid_to, capacity_mantissa,"
               " first_mantissa, last_mantissa from location_channel where tenant_id = %d",
               (int)fleet->tenant);
    now = fleet->to + EMT_DAY;
    for (int round = -1; round < 4; round++) {
        if (round >= 0)
            change(round);
        (void)export_days(receiver, fleet->first_day, (int)fleet->kind->days,
                          now + (round + 1) * EMT_MINUTE);
        for (unsigned i = 0; i < fleet->kind->places; i++) {
            const struct fleet_place *p = &fleet->places[i];
            int64_t value = 0;
            unsigned maxima = 0;

            ck_assert_msg(energy_of(p, fleet->from, fleet->to, &value), "%s has no energy",
                          p->code);
            ck_assert_int_eq(value, moved(p));
            for (unsigned k = 0; k < receiver->n_sent; k++) {
                const struct sent *s = &receiver->sent[k];

                if (s->gone || !s->maximum || s->place != p)
                    continue;
                maxima++;
                if (round < 0)
                    ck_assert_int_eq(s->value, 4 * highest(p));
            }
            ck_assert_uint_le(maxima, 1);
            ck_assert(maxima == 1 || (round >= 0 && notes[0] != '\0'));
        }
        ck_assert_uint_eq(export_days(receiver, fleet->first_day, (int)fleet->kind->days,
                                      now + (round + 1) * EMT_MINUTE + EMT_SECOND),
                          0);
    }
}
END_TEST

/* --- readings --- */

static emt_time instant_of(const struct sent *s)
{
    return s->from != EMT_TIME_NONE ? s->from : s->to;
}

static int by_instant(const void *a, const void *b)
{
    emt_time x = instant_of(*(const struct sent *const *)a);
    emt_time y = instant_of(*(const struct sent *const *)b);

    return (x > y) - (x < y);
}

/* What the meter moved on by the readings that the receiver has. */
static int64_t moved_by(const struct fleet_place *p, const struct fleet_meter *m)
{
    static const struct sent *list[SENT_MAX];
    int64_t capacity = FLEET_CAPACITY * fleet->kind->milli;
    int64_t sum = 0;
    size_t n = 0;

    for (unsigned i = 0; i < receiver->n_sent; i++) {
        const struct sent *s = &receiver->sent[i];

        if (!s->gone && s->place == p && strcmp(s->device, m->number) == 0)
            list[n++] = s;
    }
    qsort(list, n, sizeof list[0], by_instant);
    for (size_t i = 1; i < n; i++) {
        ck_assert_msg(instant_of(list[i]) > instant_of(list[i - 1]), "%s: twice at one time",
                      m->number);
        sum += (list[i]->value - list[i - 1]->value + capacity) % capacity;
    }
    /* The first and the last are always there: of a day, or of an exchange. */
    ck_assert_uint_ge(n, 1);
    ck_assert_int_eq(instant_of(list[0]), m->from < fleet->from ? fleet->from : m->from);
    ck_assert_int_eq(instant_of(list[n - 1]), m->to == EMT_TIME_NONE ? fleet->to : m->to);
    return sum * m->ratio;
}

START_TEST(differences_of_readings_are_what_the_meters_moved_on)
{
    emt_time now;

    begin(&readings[_i % N(readings)], _i / N(readings));
    now = fleet->to + 2 * EMT_DAY;
    for (int round = -1; round < 4; round++) {
        emt_time t = now + (round + 1) * EMT_HOUR;

        if (round >= 0)
            change(round);
        /* The day behind them begins with the last reading. */
        (void)export_days(receiver, fleet->first_day, (int)fleet->kind->days + 1, t);
        for (unsigned i = 0; i < fleet->kind->places; i++) {
            const struct fleet_place *p = &fleet->places[i];
            int64_t sum = 0;

            for (unsigned k = 0; k < p->n_meters; k++)
                sum += moved_by(p, &p->meters[k]);
            ck_assert_msg(sum == moved(p), "%s: %" PRId64 ", registers %" PRId64, p->code, sum,
                          moved(p));
        }
        ck_assert_uint_eq(
            export_days(receiver, fleet->first_day, (int)fleet->kind->days + 1, t + EMT_MINUTE), 0);
    }
}
END_TEST

static void setup(void)
{
    store = pg_fixture_store(fixture, STORE_APP);
    fleet = calloc(1, sizeof *fleet);
    receiver = calloc(1, sizeof *receiver);
}

static void teardown(void)
{
    free(receiver);
    free(fleet);
    store_close(store);
}

int main(void)
{
    const char *text = getenv("EMT_RANDOM_RUNS"); /* more of them by hand */
    int runs = text != NULL ? (int)strtol(text, NULL, 10) : 3;
    Suite *suite = suite_create("export_random");
    TCase *c = tcase_create("all");

    fixture = pg_fixture_start();
    export_partitions(fixture);
    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, profiles_add_up_whatever_happens, 0, runs * N(profiles));
    tcase_add_loop_test(c, energies_of_days_add_up_to_the_period, 0, runs * N(energies));
    tcase_add_loop_test(c, a_month_has_its_energy_and_its_highest_quarter_hour, 0, runs);
    tcase_add_loop_test(c, differences_of_readings_are_what_the_meters_moved_on, 0,
                        runs * N(readings));
    suite_add_tcase(suite, c);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
