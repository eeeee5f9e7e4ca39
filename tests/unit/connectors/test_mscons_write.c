#include "connectors/mscons_check.h"
#include "connectors/mscons_write.h"
#include "corpus.h"
#include "model/local_day.h"
#include "suites.h"

#include <stdlib.h>
#include <string.h>

#define Q (900 * EMT_SECOND)
#define MELO "DE0009991011500000000000000000001"
#define MALO "51234567895"

static struct writer bytes;
static struct sink sink;
static struct mscons_writer w;
static struct export_file file;
static struct emt_diag diag;

static emt_time utc(int year, int month, int day, int hour, int minute)
{
    struct civil c = { .year = year, .month = month, .day = day, .hour = hour, .minute = minute };

    return civil_to_time(&c);
}

static void setup(void)
{
    writer_init_heap(&bytes, 1u << 24);
    sink = sink_to_writer(&bytes);
    diag = (struct emt_diag){ 0 };
    file = (struct export_file){ .sender = "9900999000106",
                                 .recipient = "9900999000205",
                                 .reference = "GOLDEN1",
                                 .created = utc(2026, 11, 18, 3, 12) + 41 * EMT_SECOND };
    memset(&w, 0, sizeof(w));
}

static void teardown(void)
{
    mscons_release(&w);
    writer_release(&bytes);
}

static void begin(void)
{
    ck_assert_int_eq(mscons_begin(&w, &file, &sink, &diag), EMT_OK);
}

static struct export_value interval(emt_time from, int64_t mantissa, int exponent)
{
    return export_value_of(from, from + Q, decimal_of(mantissa, exponent), QUALITY_MEASURED);
}

/* Two quarter hours from 2026-11-17 08:00, the second one a substitute. */
static struct export_value half_hour[2];
static struct export_values half_hour_list;
static struct export_series half_hour_series;
static struct export_document half_hour_document;

static struct export_document *profile(void)
{
    emt_time from = utc(2026, 11, 17, 8, 0);

    half_hour[0] = interval(from, 250, -3);
    half_hour[1] = interval(from + Q, 3, -1);
    half_hour[1].quality = QUALITY_SUBSTITUTE;
    half_hour[1].method = "Z92";
    half_hour[1].reason = "Z75";
    half_hour_list = (struct export_values){ half_hour, 2, 0 };
    half_hour_series =
        (struct export_series){ { 1, 1, 1, 29, 0, 255 }, reading_cursor_of(&half_hour_list) };
    half_hour_document = (struct export_document){ .kind = 13018,
                                                   .number = "G-1",
                                                   .location = MELO,
                                                   .from = from,
                                                   .to = from + 2 * Q,
                                                   .series = &half_hour_series,
                                                   .n_series = 1 };
    return &half_hour_document;
}

/* Registers 1.8.1 and 1.8.2 at the end of October. */
static struct export_value registers[2];
static struct export_values register_lists[2];
static struct export_series register_series[2];
static struct export_document register_document;

static struct export_document *readings(void)
{
    emt_time midnight = utc(2026, 10, 31, 23, 0);

    for (unsigned i = 0; i < 2; i++) {
        registers[i] = export_value_of(EMT_TIME_NONE, midnight, decimal_of(12345678 + i, -3),
                                       QUALITY_MEASURED);
        register_lists[i] = (struct export_values){ &registers[i], 1, 0 };
        register_series[i] = (struct export_series){ { 1, 1, 1, 8, (uint8_t)(i + 1), 255 },
                                                     reading_cursor_of(&register_lists[i]) };
    }
    registers[0].read_at = midnight - 10 * EMT_HOUR;
    registers[0].read_day_only = true;
    registers[0].note = "Z83";
    register_document = (struct export_document){ .kind = 13017,
                                                  .number = "G-2",
                                                  .order = "ORD+1",
                                                  .location = MELO,
                                                  .device = "1EMH0012345678",
                                                  .series = register_series,
                                                  .n_series = 2 };
    return &register_document;
}

static void no_finding(void *ctx, const struct mscons_finding *f)
{
    (void)ctx;
    ck_abort_msg("segment %u: %s: %s", f->segment, f->code, f->text);
}

static void is_clean(void)
{
    struct mscons_findings out = { no_finding, NULL };
    struct mscons_check_result result;
    char name[MSCONS_FILE_NAME_MAX];

    ck_assert_int_eq(mscons_file_name(&file, strcmp(w.application, "VL") == 0 ? 13017 : 13018, name,
                                      sizeof(name), &diag),
                     EMT_OK);
    ck_assert_int_eq(mscons_check(bytes.data, bytes.len, name, &out, &result), EMT_OK);
    ck_assert_uint_eq(result.findings, 0);
    ck_assert_uint_eq(result.messages, w.edi.messages);
    ck_assert_uint_eq(result.values, w.values);
}

/* What was written is clean and equals the golden file. */
static void equals(const char *golden)
{
    size_t len = 0;
    char *text = golden_read(golden, &len);

    ck_assert_int_eq(mscons_end(&w, &diag), EMT_OK);
    is_clean();
    ck_assert_str_eq(writer_cstr(&bytes), text);
    ck_assert_uint_eq(bytes.len, len);
    free(text);
}

/* The document is refused, the diag names it so, and no byte was written. */
static void refused(const struct export_document *d, enum emt_err err, const char *text)
{
    begin();
    ck_assert_int_eq(mscons_put(&w, d, &diag), err);
    ck_assert_msg(strstr(diag.text, text) != NULL, "'%s' does not name '%s'", diag.text, text);
    ck_assert_int_eq(mscons_end(&w, &diag), EMT_ENOTFOUND);
    ck_assert_uint_eq(bytes.len, 0);
}

START_TEST(golden_load_profile_of_a_melo)
{
    begin();
    ck_assert_int_eq(mscons_put(&w, profile(), &diag), EMT_OK);
    equals("13018_half_hour.edi");
}
END_TEST

START_TEST(golden_readings_with_device_and_with_configuration)
{
    struct export_document *d;

    file.recipient = "9900999000304";
    file.test = true;
    begin();
    ck_assert_int_eq(mscons_put(&w, readings(), &diag), EMT_OK);
    d = readings();
    d->number = "G-3";
    d->order = NULL;
    d->location = NULL;
    d->device = NULL;
    d->config_id = "CFG00000000000000000000000000000001";
    d->n_series = 1;
    registers[0] = export_value_of(EMT_TIME_NONE, utc(2026, 11, 16, 23, 0), decimal_of(3310125, -3),
                                   QUALITY_PROVISIONAL);
    ck_assert_int_eq(mscons_put(&w, d, &diag), EMT_OK);
    d = readings();
    d->number = "G-4";
    d->order = NULL;
    d->n_series = 1;
    registers[0] = export_value_of(EMT_TIME_NONE, utc(2026, 11, 8, 23, 0), decimal_of(4, -1),
                                   QUALITY_MEASURED);
    registers[0].exchange_at = utc(2026, 11, 9, 9, 15);
    ck_assert_int_eq(mscons_put(&w, d, &diag), EMT_OK);
    equals("13017_readings.edi");
}
END_TEST

/* A whole local day of a MaLo with two registers. */
static void put_day(struct local_date day, size_t expected)
{
    static struct export_value values[2][100];
    static struct export_values lists[2];
    static struct export_series series[2];
    emt_time from = local_day_start(day);
    emt_time to = local_day_end(day);
    struct export_document d = { .kind = 13025,
                                 .number = "G-5",
                                 .location = MALO,
                                 .from = from,
                                 .to = to,
                                 .series = series,
                                 .n_series = 2 };
    size_t n = (size_t)((to - from) / Q);

    ck_assert_uint_eq(n, expected);
    for (size_t s = 0; s < 2; s++) {
        for (size_t i = 0; i < n; i++)
            values[s][i] = interval(from + (emt_time)i * Q, (int64_t)((i + 1) * (s + 3) % 700), -3);
        lists[s] = (struct export_values){ values[s], n, 0 };
        series[s] = (struct export_series){ { 1, 1, (uint8_t)(s + 1), 29, 0, 255 },
                                            reading_cursor_of(&lists[s]) };
    }
    begin();
    ck_assert_int_eq(mscons_put(&w, &d, &diag), EMT_OK);
    ck_assert_uint_eq(w.values, 2 * expected);
}

START_TEST(golden_short_day)
{
    file.created = utc(2027, 3, 29, 4, 5);
    put_day((struct local_date){ 2027, 3, 28 }, 92);
    equals("13025_short_day.edi");
}
END_TEST

START_TEST(golden_long_day)
{
    file.created = utc(2026, 10, 26, 4, 5);
    put_day((struct local_date){ 2026, 10, 25 }, 100);
    equals("13025_long_day.edi");
}
END_TEST

START_TEST(golden_old_version_with_contact)
{
    struct export_document *d = profile();

    file.created = utc(2026, 9, 30, 21, 59);
    file.contact_name = "Meßdaten";
    file.contact_mail = "messdaten@example.org";
    for (size_t i = 0; i < 2; i++) {
        half_hour[i].from -= 60 * EMT_DAY;
        half_hour[i].to -= 60 * EMT_DAY;
    }
    d->from -= 60 * EMT_DAY;
    d->to -= 60 * EMT_DAY;
    begin();
    ck_assert_int_eq(mscons_put(&w, d, &diag), EMT_OK);
    equals("13018_version_2_4c.edi");
}
END_TEST

START_TEST(the_version_follows_the_german_day_of_sending)
{
    ck_assert_str_eq(mscons_version_at(utc(2026, 9, 30, 21, 59)), "2.4c");
    ck_assert_str_eq(mscons_version_at(utc(2026, 9, 30, 22, 0)), "2.5");
    ck_assert_ptr_null(mscons_version_at(utc(2024, 4, 2, 21, 59)));
    file.created = utc(2024, 4, 2, 21, 59);
    ck_assert_int_eq(mscons_begin(&w, &file, &sink, &diag), EMT_EUNSUPPORTED);
    ck_assert_str_ne(diag.text, "");
}
END_TEST

START_TEST(a_gap_is_refused_and_named)
{
    struct export_document *d = profile();

    half_hour[1].from += Q;
    half_hour[1].to += Q;
    d->to += Q;
    refused(d, EMT_EMALFORMED, "gap from 2026-11-17T08:15:00Z to 2026-11-17T08:30:00Z");
}
END_TEST

START_TEST(a_gap_at_either_end_is_refused)
{
    struct export_document *d = profile();

    d->from -= Q;
    refused(d, EMT_EMALFORMED, "gap from 2026-11-17T07:45:00Z to 2026-11-17T08:00:00Z");
    mscons_release(&w);
    d = profile();
    d->to += Q;
    refused(d, EMT_EMALFORMED, "gap from 2026-11-17T08:30:00Z to 2026-11-17T08:45:00Z");
}
END_TEST

START_TEST(an_overlap_is_refused)
{
    struct export_document *d = profile();

    half_hour[1].from -= EMT_MINUTE;
    refused(d, EMT_EMALFORMED, "overlap");
    mscons_release(&w);
    d = profile();
    half_hour[1].to += EMT_MINUTE;
    refused(d, EMT_EMALFORMED, "after the period");
}
END_TEST

START_TEST(after_a_refused_message_the_file_goes_on)
{
    begin();
    ck_assert_int_eq(mscons_put(&w, profile(), &diag), EMT_OK);
    profile()->to += Q;
    half_hour_document.number = "G-9";
    ck_assert_int_eq(mscons_put(&w, &half_hour_document, &diag), EMT_EMALFORMED);
    profile();
    half_hour_document.number = "G-9";
    ck_assert_int_eq(mscons_put(&w, &half_hour_document, &diag), EMT_OK);
    ck_assert_int_eq(mscons_end(&w, &diag), EMT_OK);
    ck_assert_uint_eq(w.edi.messages, 2);
    ck_assert_uint_eq(w.values, 4);
    is_clean();
}
END_TEST

START_TEST(values_are_rounded_to_three_decimals_each_by_itself)
{
    begin();
    profile();
    half_hour[0].value = decimal_of(2505, -4);
    half_hour[1].value = decimal_of(30004999, -8);
    ck_assert_int_eq(mscons_put(&w, &half_hour_document, &diag), EMT_OK);
    ck_assert_int_eq(mscons_end(&w, &diag), EMT_OK);
    ck_assert_uint_eq(w.rounded, 2);
    ck_assert_ptr_nonnull(strstr(writer_cstr(&bytes), "QTY+220:0.251'"));
    ck_assert_ptr_nonnull(strstr(writer_cstr(&bytes), "QTY+67:0.3'"));
    is_clean();
}
END_TEST

START_TEST(trailing_zeros_are_no_rounding)
{
    begin();
    profile();
    half_hour[0].value = decimal_of(250000000, -9);
    half_hour[1].value = decimal_of(12, 1);
    ck_assert_int_eq(mscons_put(&w, &half_hour_document, &diag), EMT_OK);
    ck_assert_int_eq(mscons_end(&w, &diag), EMT_OK);
    ck_assert_uint_eq(w.rounded, 0);
    ck_assert_ptr_nonnull(strstr(writer_cstr(&bytes), "QTY+220:0.25'"));
    ck_assert_ptr_nonnull(strstr(writer_cstr(&bytes), "QTY+67:120'"));
}
END_TEST

START_TEST(what_must_not_be_sent_is_refused)
{
    struct export_document *d = profile();

    half_hour[0].quality = QUALITY_INVALID;
    refused(d, EMT_EUNSUPPORTED, "invalid");
    mscons_release(&w);
    d = profile();
    half_hour[0].value.mantissa = -1;
    refused(d, EMT_EMALFORMED, "negative");
    mscons_release(&w);
    d = profile();
    half_hour[1].method = NULL;
    refused(d, EMT_EMALFORMED, "method and reason");
    mscons_release(&w);
    d = profile();
    half_hour[0].reason = "Z74"; /* only for substitutes */
    refused(d, EMT_EMALFORMED, "Z74");
    mscons_release(&w);
    d = profile();
    half_hour_list.count = 0;
    refused(d, EMT_EMALFORMED, "without a value");
    mscons_release(&w);
    d = profile();
    d->n_series = 0;
    refused(d, EMT_EMALFORMED, "without a register");
}
END_TEST

START_TEST(places_registers_and_periods_are_checked)
{
    struct export_document *d = profile();

    d->location = "DE000999101150000000000000000000";
    refused(d, EMT_EMALFORMED, "32 characters");
    mscons_release(&w);
    d = profile();
    d->location = MALO; /* a MaLo belongs into 13025 */
    refused(d, EMT_EMALFORMED, MALO);
    mscons_release(&w);
    d = profile();
    d->kind = 13025;
    d->location = "51234567894";
    refused(d, EMT_EMALFORMED, "51234567894");
    mscons_release(&w);
    d = profile();
    d->location = NULL;
    refused(d, EMT_EMALFORMED, "location");
    mscons_release(&w);
    d = profile();
    half_hour_series.obis.d = 8; /* a register is no profile */
    refused(d, EMT_EMALFORMED, "1-1:1.8.0");
    mscons_release(&w);
    d = profile();
    d->to = d->from;
    refused(d, EMT_EMALFORMED, "period");
    mscons_release(&w);
    d = profile();
    file.created = d->to - EMT_MINUTE;
    refused(d, EMT_EMALFORMED, "after the file was created");
}
END_TEST

START_TEST(numbers_and_texts_are_checked)
{
    struct export_document *d = profile();

    d->number = "0123456789012345678901234567890123456";
    refused(d, EMT_EMALFORMED, "document number");
    mscons_release(&w);
    d = profile();
    d->number = "";
    refused(d, EMT_EMALFORMED, "document number");
    mscons_release(&w);
    d = profile();
    d->number = "5 \xe2\x82\xac";
    refused(d, EMT_EMALFORMED, "ISO 8859-1");
    mscons_release(&w);
    d = profile();
    d->kind = 13003;
    refused(d, EMT_EUNSUPPORTED, "13003");
}
END_TEST

START_TEST(readings_stand_at_german_midnight)
{
    struct export_document *d = readings();

    registers[0].to -= EMT_HOUR;
    refused(d, EMT_EMALFORMED, "midnight");
    mscons_release(&w);
    d = readings();
    registers[1].to += EMT_DAY;
    refused(d, EMT_EMALFORMED, "another time of use");
    mscons_release(&w);
    d = readings();
    registers[0].read_at -= 2 * EMT_DAY;
    refused(d, EMT_EMALFORMED, "a day or more");
    mscons_release(&w);
    d = readings();
    registers[0].from = registers[0].to - Q;
    refused(d, EMT_EMALFORMED, "instant");
    mscons_release(&w);
    d = readings();
    registers[1].quality = QUALITY_PROVISIONAL;
    refused(d, EMT_EMALFORMED, "configuration id");
    mscons_release(&w);
    d = readings();
    d->config_id = "CFG";
    refused(d, EMT_EMALFORMED, "either");
    mscons_release(&w);
    d = readings();
    d->device = NULL;
    refused(d, EMT_EMALFORMED, "device number");
}
END_TEST

START_TEST(readings_and_profiles_stand_in_different_files)
{
    begin();
    ck_assert_int_eq(mscons_put(&w, profile(), &diag), EMT_OK);
    ck_assert_int_eq(mscons_put(&w, readings(), &diag), EMT_ECONFLICT);
    ck_assert_int_eq(mscons_end(&w, &diag), EMT_OK);
    is_clean();
}
END_TEST

START_TEST(a_refused_first_message_does_not_decide_the_application)
{
    profile();
    half_hour[0].value.mantissa = -1;
    begin();
    ck_assert_int_eq(mscons_put(&w, &half_hour_document, &diag), EMT_EMALFORMED);
    ck_assert_int_eq(mscons_put(&w, readings(), &diag), EMT_OK);
    ck_assert_int_eq(mscons_end(&w, &diag), EMT_OK);
    ck_assert_str_eq(w.application, "VL");
    is_clean();
}
END_TEST

START_TEST(parties_and_reference_are_checked)
{
    file.sender = "990099900010";
    ck_assert_int_eq(mscons_begin(&w, &file, &sink, &diag), EMT_EMALFORMED);
    mscons_release(&w);
    file.sender = "9900999000106";
    file.recipient = NULL;
    ck_assert_int_eq(mscons_begin(&w, &file, &sink, &diag), EMT_EMALFORMED);
    mscons_release(&w);
    file.recipient = "9900999000205";
    file.reference = "lower";
    ck_assert_int_eq(mscons_begin(&w, &file, &sink, &diag), EMT_EMALFORMED);
    mscons_release(&w);
    file.reference = "123456789012345";
    ck_assert_int_eq(mscons_begin(&w, &file, &sink, &diag), EMT_EMALFORMED);
}
END_TEST

START_TEST(the_file_name_has_six_parts)
{
    char name[MSCONS_FILE_NAME_MAX];

    /* The date is UTC, also in the two hours in which Germany has the next day. */
    file.created = utc(2026, 10, 10, 23, 30);
    ck_assert_int_eq(mscons_file_name(&file, 13017, name, sizeof(name), &diag), EMT_OK);
    ck_assert_str_eq(name, "MSCONS_VL_9900999000106_9900999000205_20261010_GOLDEN1.txt");
    ck_assert_int_eq(mscons_file_name(&file, 13025, name, sizeof(name), &diag), EMT_OK);
    ck_assert_str_eq(name, "MSCONS_TL_9900999000106_9900999000205_20261010_GOLDEN1.txt");
    ck_assert_int_eq(mscons_file_name(&file, 13025, name, 20, &diag), EMT_ELIMIT);
    ck_assert_int_eq(mscons_file_name(&file, 13006, name, sizeof(name), &diag), EMT_EUNSUPPORTED);
}
END_TEST

static enum emt_err full_disk(void *ctx, const void *p, size_t n)
{
    size_t *left = ctx;

    (void)p;
    if (n > *left)
        return EMT_EIO;
    *left -= n;
    return EMT_OK;
}

START_TEST(a_broken_sink_ends_the_file)
{
    size_t left = 800;
    struct sink disk = { full_disk, &left };

    ck_assert_int_eq(mscons_begin(&w, &file, &disk, &diag), EMT_OK);
    ck_assert_int_eq(mscons_put(&w, profile(), &diag), EMT_OK);
    profile();
    half_hour_document.number = "G-9";
    ck_assert_int_eq(mscons_put(&w, &half_hour_document, &diag), EMT_EIO);
    ck_assert_int_eq(mscons_put(&w, profile(), &diag), EMT_EIO);
    ck_assert_int_eq(mscons_end(&w, &diag), EMT_EIO);
}
END_TEST

static enum emt_err lost_database(void *ctx, struct export_value *out, bool *more)
{
    (void)ctx;
    (void)out;
    (void)more;
    return EMT_EDB;
}

START_TEST(an_error_of_the_cursor_is_passed_on)
{
    profile();
    half_hour_series.values = (struct reading_cursor){ lost_database, NULL };
    refused(&half_hour_document, EMT_EDB, "could not be read");
}
END_TEST

static enum emt_err endless(void *ctx, struct export_value *out, bool *more)
{
    emt_time *at = ctx;

    *out = interval(*at, 1, 0);
    out->to = out->from + EMT_MINUTE;
    *at = out->to;
    *more = true;
    return EMT_OK;
}

START_TEST(an_endless_cursor_meets_the_limit)
{
    emt_time at;

    profile();
    at = utc(2026, 1, 1, 0, 0);
    half_hour_document.from = at;
    half_hour_series.values = (struct reading_cursor){ endless, &at };
    refused(&half_hour_document, EMT_ELIMIT, "9999");
}
END_TEST

START_TEST(the_table_of_connectors_writes_the_same_file)
{
    const struct connector *c = connector_find("mscons");
    size_t len = 0;
    char *text = golden_read("13018_half_hour.edi", &len);

    ck_assert_ptr_nonnull(c);
    ck_assert_ptr_null(connector_find("fax"));
    ck_assert_int_eq(c->write(&file, profile(), 1, &sink, &diag), EMT_OK);
    ck_assert_uint_eq(bytes.len, len);
    ck_assert_mem_eq(bytes.data, text, len);
    free(text);
}
END_TEST

Suite *mscons_write_suite(void)
{
    Suite *s = suite_create("mscons_write");
    TCase *t = tcase_create("mscons_write");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, golden_load_profile_of_a_melo);
    tcase_add_test(t, golden_readings_with_device_and_with_configuration);
    tcase_add_test(t, golden_short_day);
    tcase_add_test(t, golden_long_day);
    tcase_add_test(t, golden_old_version_with_contact);
    tcase_add_test(t, the_version_follows_the_german_day_of_sending);
    tcase_add_test(t, a_gap_is_refused_and_named);
    tcase_add_test(t, a_gap_at_either_end_is_refused);
    tcase_add_test(t, an_overlap_is_refused);
    tcase_add_test(t, after_a_refused_message_the_file_goes_on);
    tcase_add_test(t, values_are_rounded_to_three_decimals_each_by_itself);
    tcase_add_test(t, trailing_zeros_are_no_rounding);
    tcase_add_test(t, what_must_not_be_sent_is_refused);
    tcase_add_test(t, places_registers_and_periods_are_checked);
    tcase_add_test(t, numbers_and_texts_are_checked);
    tcase_add_test(t, readings_stand_at_german_midnight);
    tcase_add_test(t, readings_and_profiles_stand_in_different_files);
    tcase_add_test(t, a_refused_first_message_does_not_decide_the_application);
    tcase_add_test(t, parties_and_reference_are_checked);
    tcase_add_test(t, the_file_name_has_six_parts);
    tcase_add_test(t, a_broken_sink_ends_the_file);
    tcase_add_test(t, an_error_of_the_cursor_is_passed_on);
    tcase_add_test(t, an_endless_cursor_meets_the_limit);
    tcase_add_test(t, the_table_of_connectors_writes_the_same_file);
    suite_add_tcase(s, t);
    return s;
}
