/* Each use case that is written, held against the checker, and what each of them refuses. */
#include "connectors/mscons_check.h"
#include "connectors/mscons_write.h"
#include "model/local_day.h"
#include "suites.h"

#include <string.h>

#define MELO "DE0009991011500000000000000000001"
#define GAS_MELO "DE0009991011500000000000000000501"
#define MALO "51234567902"
#define GAS_MALO "11234567906"

static struct writer bytes;
static struct sink sink;
static struct mscons_writer w;
static struct export_file file;
static struct emt_diag diag;

static emt_time utc(int year, int month, int day, int hour)
{
    struct civil c = { .year = year, .month = month, .day = day, .hour = hour };

    return civil_to_time(&c);
}

static void setup(void)
{
    writer_init_heap(&bytes, 1u << 20);
    sink = sink_to_writer(&bytes);
    diag = (struct emt_diag){ 0 };
    file = (struct export_file){ .sender = "9900999000106",
                                 .recipient = "9900999000205",
                                 .reference = "KINDS1",
                                 .created = utc(2026, 11, 18, 9) };
    memset(&w, 0, sizeof(w));
}

static void teardown(void)
{
    mscons_release(&w);
    writer_release(&bytes);
}

static void gas(void)
{
    file.sender = "9800999000207";
    file.recipient = "9800999000306";
}

/* One register with n values. */
static struct export_values list;
static struct export_series series;
static struct export_document document;

static struct export_document *of(unsigned kind, const char *location, struct obis obis,
                                  struct export_value *values, size_t n)
{
    list = (struct export_values){ values, n, 0 };
    series = (struct export_series){ obis, reading_cursor_of(&list) };
    document = (struct export_document){ .kind = kind,
                                         .number = "K-1",
                                         .location = location,
                                         .from = n > 0 ? values[0].from : EMT_TIME_NONE,
                                         .to = n > 0 ? values[n - 1].to : EMT_TIME_NONE,
                                         .series = &series,
                                         .n_series = 1 };
    return &document;
}

static void no_finding(void *ctx, const struct mscons_finding *f)
{
    (void)ctx;
    ck_abort_msg("segment %u: %s: %s\n%s", f->segment, f->code, f->text, writer_cstr(&bytes));
}

/* Writes the document alone; the file holds `text` and the checker finds nothing, its name
 * included. */
static void clean(const struct export_document *d, unsigned name_kind, const char *text)
{
    struct mscons_findings out = { no_finding, NULL };
    struct mscons_check_result result;
    char name[MSCONS_FILE_NAME_MAX];

    list.pos = 0;
    writer_clear(&bytes);
    ck_assert_int_eq(mscons_begin(&w, &file, &sink, &diag), EMT_OK);
    ck_assert_msg(mscons_put(&w, d, &diag) == EMT_OK, "%s: %s", diag.key, diag.text);
    ck_assert_int_eq(mscons_end(&w, &diag), EMT_OK);
    ck_assert_int_eq(mscons_file_name(&file, name_kind, name, sizeof(name), &diag), EMT_OK);
    ck_assert_int_eq(mscons_check(bytes.data, bytes.len, name, &out, &result), EMT_OK);
    ck_assert_uint_eq(result.values, w.values);
    ck_assert_msg(strstr(writer_cstr(&bytes), text) != NULL, "no '%s' in %s", text,
                  writer_cstr(&bytes));
    mscons_release(&w);
}

static void refused(const struct export_document *d, enum emt_err err, const char *text)
{
    list.pos = 0;
    writer_clear(&bytes);
    ck_assert_int_eq(mscons_begin(&w, &file, &sink, &diag), EMT_OK);
    ck_assert_int_eq(mscons_put(&w, d, &diag), err);
    ck_assert_msg(strstr(diag.text, text) != NULL, "'%s' does not name '%s'", diag.text, text);
    ck_assert_int_eq(mscons_end(&w, &diag), EMT_ENOTFOUND);
    ck_assert_uint_eq(bytes.len, 0);
    mscons_release(&w);
}

/* A year of energy between two German midnights. */
static struct export_value year(void)
{
    struct export_value v = export_value_of(utc(2025, 10, 31, 23), utc(2026, 10, 31, 23),
                                            decimal_of(28753, -1), QUALITY_MEASURED);

    v.basis_begin = "Z36";
    v.basis_end = "Z37";
    return v;
}

START_TEST(energy_of_a_market_location_says_its_basis)
{
    static const struct obis total = { 1, 1, 1, 9, 0, 255 };
    struct export_value v = year();

    clean(of(13019, MALO, total, &v, 1), 13019,
          "QTY+220:2875.3'DTM+163:202510312300?+00:303'DTM+164:202610312300?+00:303'"
          "STS+10+Z36'STS+10+Z37'");
    v.basis_begin = NULL;
    refused(of(13019, MALO, total, &v, 1), EMT_EMALFORMED, "Z36");
    v = year();
    v.basis_end = "Z36";
    refused(of(13019, MALO, total, &v, 1), EMT_EMALFORMED, "Z37");
    v = year();
    v.from += EMT_HOUR;
    refused(of(13019, MALO, total, &v, 1), EMT_EMALFORMED, "midnight");
    v = year();
    v.value = decimal_of(-1, 0);
    refused(of(13019, MALO, total, &v, 1), EMT_EMALFORMED, "negative");
}
END_TEST

START_TEST(correction_energy_of_a_melo_may_be_negative_and_between_any_times)
{
    struct export_value v = export_value_of(utc(2026, 10, 1, 9), utc(2026, 10, 3, 12),
                                            decimal_of(-125, -1), QUALITY_MEASURED);
    struct export_document *d = of(13019, MELO, (struct obis){ 1, 1, 1, 9, 0, 255 }, &v, 1);

    refused(d, EMT_EMALFORMED, "names the order");
    d->order = "ORD-1";
    clean(d, 13019, "QTY+220:-12.5'");
    d->location = NULL;
    d->config_id = "KONF-1";
    clean(d, 13019, "RFF+AGK:KONF-1'");
    d->location = MELO;
    refused(d, EMT_EMALFORMED, "either");
}
END_TEST

START_TEST(a_delivery_note_has_its_own_qualifier)
{
    struct export_value v = year();
    struct export_document *d;

    v.basis_begin = v.basis_end = NULL;
    d = of(13019, MALO, (struct obis){ 1, 1, 1, 9, 0, 255 }, &v, 1);
    d->type = "Z41";
    clean(d, 13019, "QTY+Z31:2875.3'");
    d->type = "Z21";
    refused(d, EMT_EMALFORMED, "no document of type Z21");
}
END_TEST

START_TEST(energy_and_maximum_of_a_month)
{
    struct export_value energy = export_value_of(utc(2026, 9, 30, 22), utc(2026, 10, 31, 23),
                                                 decimal_of(4123525, -2), QUALITY_MEASURED);
    struct export_value most = energy;
    struct export_values lists[2] = { { &energy, 1, 0 }, { &most, 1, 0 } };
    struct export_series both[2] = {
        { { 1, 1, 1, 9, 0, 255 }, reading_cursor_of(&lists[0]) },
        { { 1, 1, 1, 6, 0, 255 }, reading_cursor_of(&lists[1]) },
    };
    struct export_document *d = of(13016, MALO, both[0].obis, &energy, 1);

    most.value = decimal_of(984, -1);
    d->series = both;
    d->n_series = 2;
    clean(d, 13016, "LIN+2'PIA+5+1-1?:1.6.0:SRW'QTY+220:98.4'DTM+306:202610:610'");
    lists[0].pos = lists[1].pos = 0;
    most.from += EMT_DAY;
    refused(d, EMT_EMALFORMED, "first day");
    d = of(13016, MALO, (struct obis){ 1, 66, 13, 9, 0, 255 }, &energy, 1);
    refused(d, EMT_EMALFORMED, "is not for use case 13016");
    d->type = "Z42";
    clean(d, 13016, "PIA+5+1-66?:13.9.0:Z02'QTY+Z31:");
    d->device = "1EMH0012345678";
    refused(d, EMT_EMALFORMED, "no device number");
}
END_TEST

START_TEST(values_of_type_two_need_their_order)
{
    struct export_value v = export_value_of(EMT_TIME_NONE, utc(2026, 11, 17, 8),
                                            decimal_of(2301, -1), QUALITY_MEASURED);
    struct export_document *d = of(13027, MELO, (struct obis){ 1, 1, 32, 7, 0, 255 }, &v, 1);

    refused(d, EMT_EMALFORMED, "needs the order number");
    d->order = "ORD-9";
    clean(d, 13027, "QTY+220:230.1'DTM+7:202611170800?+00:303'");
}
END_TEST

START_TEST(a_gas_day_of_hours)
{
    struct export_value hours[25];
    emt_time from = gas_day_start((struct local_date){ 2026, 10, 24 });
    struct export_document *d;

    gas();
    for (unsigned i = 0; i < 25; i++)
        hours[i] = export_value_of(from + i * EMT_HOUR, from + (i + 1) * EMT_HOUR,
                                   decimal_of(120 + i, 0), QUALITY_MEASURED);
    /* The long gas day begins on the Saturday. */
    ck_assert_int_eq(hours[24].to, gas_day_start((struct local_date){ 2026, 10, 25 }));
    d = of(13008, GAS_MALO, (struct obis){ 7, 20, 99, 33, 17, 255 }, hours, 25);
    clean(d, 13008, "QTY+220:144'");
    ck_assert_uint_eq(w.values, 25);
    hours[3].qualifier = "187";
    refused(d, EMT_EUNSUPPORTED, "187");
    hours[3].qualifier = "201";
    refused(d, EMT_EMALFORMED, "method");
    hours[3].method = "Z91";
    clean(d, 13008, "QTY+201:123'");
    hours[3].to -= EMT_MINUTE;
    refused(d, EMT_EMALFORMED, "gap");
}
END_TEST

START_TEST(gas_readings_stand_where_the_gas_day_begins)
{
    struct export_value v = export_value_of(EMT_TIME_NONE, utc(2026, 11, 1, 5),
                                            decimal_of(1523021, -2), QUALITY_MEASURED);
    struct export_document *d;

    gas();
    v.read_at = utc(2026, 11, 1, 8);
    d = of(13002, GAS_MELO, (struct obis){ 7, 0, 3, 0, 0, 255 }, &v, 1);
    refused(d, EMT_EMALFORMED, "device number");
    d->device = "7ELS0055512345";
    clean(d, 13002, "QTY+220:15230.21'DTM+9:202611010800?+00:303'DTM+7:202611010500?+00:303'");
    d->earlier = "M-1";
    clean(d, 13002, "RFF+Z30:M-1'");
    v.to = utc(2026, 10, 31, 23);
    v.read_at = EMT_TIME_NONE;
    refused(d, EMT_EMALFORMED, "gas day");
}
END_TEST

START_TEST(state_number_and_calorific_value_have_a_period_and_more_decimals)
{
    struct export_value v = export_value_of(utc(2026, 10, 1, 4), utc(2026, 11, 1, 5),
                                            decimal_of(95123, -5), QUALITY_MEASURED);
    struct export_document *d;

    gas();
    d = of(13002, GAS_MELO, (struct obis){ 7, 0, 52, 0, 22, 255 }, &v, 1);
    d->device = "7ELS0055512345";
    clean(d, 13002, "QTY+220:0.9512'DTM+163:202610010400?+00:303'");
    ck_assert_uint_eq(w.rounded, 1);
}
END_TEST

START_TEST(gas_energy_of_a_malo_is_whole)
{
    struct export_value v = export_value_of(utc(2025, 11, 1, 5), utc(2026, 11, 1, 5),
                                            decimal_of(183424, -1), QUALITY_MEASURED);
    struct export_document *d;

    gas();
    d = of(13009, GAS_MALO, (struct obis){ 7, 0, 33, 86, 0, 255 }, &v, 1);
    clean(d, 13009, "QTY+220:18342'");
    v.gas_quality_changed = true;
    clean(d, 13009, "STS+Z31++ZG3'");
}
END_TEST

START_TEST(gas_quality_has_a_version)
{
    struct export_value v = export_value_of(utc(2026, 11, 17, 5), utc(2026, 11, 17, 6),
                                            decimal_of(112326, -4), QUALITY_MEASURED);
    struct export_document *d;

    gas();
    d = of(13007, GAS_MALO, (struct obis){ 7, 0, 54, 0, 16, 255 }, &v, 1);
    refused(d, EMT_EMALFORMED, "version stamp");
    d->version = file.created - EMT_MINUTE;
    clean(d, 13007, "DTM+293:20261118085900?+00:304'LIN+1'");
    d->version = file.created + EMT_MINUTE;
    refused(d, EMT_EMALFORMED, "version stamp");
}
END_TEST

START_TEST(a_cancellation_names_what_it_takes_back)
{
    struct export_document *d = of(13006, MELO, (struct obis){ 0 }, NULL, 0);

    d->series = NULL;
    d->n_series = 0;
    d->cancels_kind = 13017;
    refused(d, EMT_EMALFORMED, "cancelled document");
    d->cancels = "DOC3";
    clean(d, 13017, "BGM+7+K-1+1'");
    ck_assert_ptr_nonnull(strstr(writer_cstr(&bytes), "RFF+ACW:DOC3'RFF+Z13:13006'"));
    d->location = MALO;
    d->cancels_kind = 13019;
    d->type = "Z41";
    clean(d, 13019, "BGM+Z41+K-1+1'");
    d->type = NULL;
    d->cancels_kind = 13018;
    refused(d, EMT_EUNSUPPORTED, "corrected by a later message");
    d->cancels_kind = 13006;
    refused(d, EMT_EUNSUPPORTED, "not written");
    d = of(13006, MELO, (struct obis){ 0 }, NULL, 0);
    d->cancels_kind = 13017;
    d->cancels = "DOC3";
    refused(d, EMT_EMALFORMED, "carries no values");
}
END_TEST

START_TEST(only_kinds_of_one_application_share_a_file)
{
    struct export_value v = year();

    ck_assert_int_eq(mscons_begin(&w, &file, &sink, &diag), EMT_OK);
    ck_assert_int_eq(
        mscons_put(&w, of(13019, MALO, (struct obis){ 1, 1, 1, 9, 0, 255 }, &v, 1), &diag), EMT_OK);
    of(13006, MELO, (struct obis){ 0 }, NULL, 0);
    document.n_series = 0;
    document.cancels = "DOC3";
    document.cancels_kind = 13017;
    ck_assert_int_eq(mscons_put(&w, &document, &diag), EMT_ECONFLICT);
    document.cancels_kind = 13019;
    ck_assert_int_eq(mscons_put(&w, &document, &diag), EMT_OK);
}
END_TEST

Suite *mscons_kinds_suite(void)
{
    Suite *s = suite_create("mscons_kinds");
    TCase *t = tcase_create("core");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, energy_of_a_market_location_says_its_basis);
    tcase_add_test(t, correction_energy_of_a_melo_may_be_negative_and_between_any_times);
    tcase_add_test(t, a_delivery_note_has_its_own_qualifier);
    tcase_add_test(t, energy_and_maximum_of_a_month);
    tcase_add_test(t, values_of_type_two_need_their_order);
    tcase_add_test(t, a_gas_day_of_hours);
    tcase_add_test(t, gas_readings_stand_where_the_gas_day_begins);
    tcase_add_test(t, state_number_and_calorific_value_have_a_period_and_more_decimals);
    tcase_add_test(t, gas_energy_of_a_malo_is_whole);
    tcase_add_test(t, gas_quality_has_a_version);
    tcase_add_test(t, a_cancellation_names_what_it_takes_back);
    tcase_add_test(t, only_kinds_of_one_application_share_a_file);
    suite_add_tcase(s, t);
    return s;
}
