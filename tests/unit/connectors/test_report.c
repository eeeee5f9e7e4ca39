#include "base/clock.h"
#include "connectors/report.h"
#include "model/local_day.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define Q (900 * EMT_SECOND)

static struct writer bytes;
static struct report_text text;
static struct report_template template;
static struct report_head head;
static struct emt_diag diag;
static const struct report_series meter_a = { .device = 1,
                                              .meter = "12345678",
                                              .ident = "EMH-12345678",
                                              .manufacturer = "EMH",
                                              .medium = "electricity",
                                              .name = "Cellar",
                                              .place = "Köln",
                                              .location = "DE0001",
                                              .register_number = "1EMH",
                                              .obis = "1-0:1.8.0",
                                              .quantity = "energy",
                                              .channel = "",
                                              .unit = "Wh",
                                              .cumulates = true };

static void setup(void)
{
    struct local_date day = { 2026, 11, 17 };

    writer_init_heap(&bytes, 1u << 24);
    text = report_ready_find("values")->text;
    memset(&diag, 0, sizeof diag);
    head = (struct report_head){ .name = "Nightly",
                                 .from = local_day_start(day),
                                 .to = local_day_end(day),
                                 .created = local_day_end(day) + EMT_HOUR,
                                 .tolerance = 120 * EMT_SECOND,
                                 .part = 1 };
}

static void teardown(void)
{
    writer_release(&bytes);
}

static void parse(void)
{
    ck_assert_msg(report_template_parse(&text, &template, &diag) == EMT_OK, "%s", diag.text);
}

static void refused(const char *says)
{
    ck_assert_int_ne(report_template_parse(&text, &template, &diag), EMT_OK);
    ck_assert_msg(strstr(diag.text, says) == diag.text, "%s", diag.text);
}

static struct report_writer *begin(void)
{
    static struct sink sink;
    struct report_writer *w = NULL;

    sink = sink_to_writer(&bytes);
    ck_assert_msg(report_begin(&template, &head, &sink, &w, &diag) == EMT_OK, "%s", diag.text);
    return w;
}

static void put(struct report_writer *w, emt_time at, int64_t mantissa, int exponent)
{
    const struct report_value v = { at, decimal_of(mantissa, exponent), QUALITY_MEASURED };

    ck_assert_int_eq(report_value(w, &v), EMT_OK);
}

static void end(struct report_writer *w)
{
    ck_assert_msg(report_end(w, &diag) == EMT_OK, "%s", diag.text);
    report_free(w);
}

static void series(struct report_writer *w, const struct report_series *s)
{
    ck_assert_int_eq(report_series(w, s), EMT_OK);
}

static void is(const char *expected)
{
    ck_assert_str_eq(writer_cstr(&bytes), expected);
}

START_TEST(one_row_per_value_with_comma_and_local_time)
{
    struct report_writer *w;

    text.columns = "row\ntime=When\nmeter\nplace\nobis\nvalue\nunit\nquality\nbegin\ntext:A;B";
    parse();
    w = begin();
    series(w, &meter_a);
    put(w, head.from - 1, 1, 0); /* before the period */
    put(w, head.from, 1234567, -1);
    put(w, head.from + Q, -5, 0);
    put(w, head.to, 7, 0); /* its end is not of it */
    end(w);
    is("Zeile;When;Zählernummer;Ort;OBIS;Wert;Einheit;Status;Beginn;\"A;B\"\r\n"
       "1;17.11.2026 00:00:00;12345678;Köln;1-0:1.8.0;123,4567;kWh;gemessen;;\"A;B\"\r\n"
       "2;17.11.2026 00:15:00;12345678;Köln;1-0:1.8.0;-0,005;kWh;gemessen;;\"A;B\"\r\n");
}
END_TEST

START_TEST(code_page_1252_has_umlauts_and_the_euro_and_an_answer_for_the_rest)
{
    struct report_series s = meter_a;
    struct report_writer *w;
    struct report_value v = { head.from, decimal_of(1, 0), QUALITY_ESTIMATED };

    text.columns = "place\nvalue\nquality";
    text.encoding = "cp1252";
    text.energy_unit = "Wh";
    text.heading = false;
    s.place = "Köln €5 „Ł“";
    parse();
    w = begin();
    series(w, &s);
    ck_assert_int_eq(report_value(w, &v), EMT_OK);
    end(w);
    is("K\xf6ln \x80"
       "5 \x84?\x93;1;gesch\xe4tzt\r\n");

    text.unrepresentable = "refuse";
    parse();
    w = begin();
    series(w, &s);
    ck_assert_int_eq(report_value(w, &v), EMT_EMALFORMED);
    ck_assert_int_eq(report_end(w, &diag), EMT_EMALFORMED);
    ck_assert_str_eq(diag.text, "U+0141 is not in code page 1252");
    report_free(w);
}
END_TEST

START_TEST(hostile_texts_stay_one_cell_and_no_formula)
{
    struct report_series s = meter_a;
    struct report_writer *w;

    text.columns = "meter\nname\nplace\nlocation\nmanufacturer\nmedium\nregister_number\nvalue";
    text.heading = false;
    s.meter = "=1+1";
    s.name = " @SUM(A1)";
    s.place = "a\"b;c";
    s.location = "x\r\ny\tz";
    s.manufacturer = "\xff\xfe";
    s.medium = "-2";
    s.register_number = "\xef\xbc\x9d"
                        "1"; /* a wide = */
    parse();
    w = begin();
    series(w, &s);
    put(w, head.from, -1, 3);
    end(w);
    is("\"'=1+1\";\"' @SUM(A1)\";\"a\"\"b;c\";\"x  y z\";\xef\xbf\xbd\xef\xbf\xbd;\"'-2\";"
       "\"'\xef\xbc\x9d"
       "1\";-1\r\n");
}
END_TEST

START_TEST(xml_escapes_and_names_its_elements)
{
    struct report_series s = meter_a;
    struct report_writer *w;

    text = report_ready_find("xml")->text;
    text.columns = "time\nmeter=id\nplace\nvalue\nempty";
    text.title = "A & <B>";
    text.encoding = "cp1252";
    text.line_end = "lf";
    s.place = "\x01<Ł>";
    parse();
    w = begin();
    series(w, &s);
    put(w, head.from, 15, 2);
    end(w);
    is("<?xml version=\"1.0\" encoding=\"windows-1252\"?>\n"
       "<report title=\"A &amp; &lt;B&gt;\" from=\"2026-11-17T00:00:00+01:00\" "
       "to=\"2026-11-18T00:00:00+01:00\" created=\"2026-11-18T01:00:00+01:00\">\n"
       "<row><time>2026-11-17T00:00:00+01:00</time><id>12345678</id><place> &lt;&#x141;&gt;</place>"
       "<value>1.5</value></row>\n"
       "</report>\n");
    text.columns = "time=1st";
    refused("columns[0]: the heading is no name of an XML element");
}
END_TEST

static void fill_day(struct report_writer *w, int quarters, emt_time start)
{
    for (int i = 0; i <= quarters; i++)
        put(w, start + i * Q + 3 * EMT_SECOND, 1000 + 10 * i, 0);
}

/* Fields of line n, cut at ';' (empty ones counted). */
static size_t fields_of(int n)
{
    const char *p = writer_cstr(&bytes);
    size_t count = 1;

    while (n-- > 0)
        p = strchr(p, '\n') + 1;
    for (; *p != '\r'; p++)
        count += *p == ';';
    return count;
}

START_TEST(a_matrix_has_the_wall_clocks_columns_on_both_clock_changes)
{
    const struct {
        struct local_date day;
        int quarters;
        size_t columns;
        const char *part;
    } days[] = {
        { { 2026, 3, 29 }, 92, 96, ";0,010;;;;;0,010;" }, /* 02:00 to 02:45 is not */
        { { 2026, 10, 25 }, 100, 100, ";0,010;0,010;0,010;0,010;0,010;0,010;0,010;0,010;" },
        { { 2026, 11, 17 }, 96, 96, ";0,010;" },
    };

    text = report_ready_find("matrix")->text;
    text.columns = "date\nmeter";
    text.decimals = 3;
    parse();
    for (size_t i = 0; i < 3; i++) {
        struct report_writer *w;

        writer_clear(&bytes);
        head.from = local_day_start(days[i].day);
        head.to = local_day_end(days[i].day);
        w = begin();
        series(w, &meter_a);
        fill_day(w, days[i].quarters, head.from);
        end(w);
        ck_assert_uint_eq(fields_of(0), 2 + days[i].columns);
        ck_assert_uint_eq(fields_of(1), 2 + days[i].columns);
        ck_assert_ptr_nonnull(strstr(writer_cstr(&bytes), days[i].part));
        ck_assert_int_eq(strstr(writer_cstr(&bytes), "02:45;02:00B;02:15B;02:30B;02:45B;03:00") !=
                             NULL,
                         days[i].quarters == 100);
    }
}
END_TEST

START_TEST(lpex_has_as_many_values_as_the_day)
{
    const struct local_date autumn = { 2026, 10, 25 };
    struct report_writer *w;

    text = report_ready_find("lpex")->text;
    parse();
    head.from = local_day_start(autumn);
    head.to = local_day_end(autumn);
    w = begin();
    series(w, &meter_a);
    fill_day(w, 100, head.from);
    end(w);
    ck_assert_ptr_eq(
        strstr(writer_cstr(&bytes),
               "LPEX V2.0\r\nDatum;Zeit;Kundennummer;Kundenname;eindeutigeKDNr;GEId;GEKANr;KALINr;"
               "Linie;eindeutigeLINr;ZPB;Kennzahl;Einheit;Wandlerfaktor;MPDauer;Werte\r\n"
               "25.10.26;00:00:00;;;;;;;;;DE0001;1-0:1.8.0;kWh;1;15;0,010;0;0,010;0;"),
        writer_cstr(&bytes));
    ck_assert_uint_eq(fields_of(2), 15 + 200);
}
END_TEST

START_TEST(energies_are_differences_and_a_gap_stays_empty)
{
    struct report_writer *w;

    text.columns = "begin\ntime\nvalue";
    text.measure = "energy";
    text.energy_unit = "Wh";
    text.heading = false;
    parse();
    head.to = head.from + EMT_HOUR;
    w = begin();
    series(w, &meter_a);
    put(w, head.from - 10 * EMT_SECOND, 100, 0);
    put(w, head.from + Q + 5 * EMT_SECOND, 130, 0);
    put(w, head.from + 3 * Q, 150, 0); /* 00:30 has none */
    put(w, head.from + 4 * Q + 100 * EMT_SECOND, 157, 0);
    end(w);
    is("17.11.2026 00:00:00;17.11.2026 00:15:00;30\r\n"
       "17.11.2026 00:45:00;17.11.2026 01:00:00;7\r\n");
}
END_TEST

START_TEST(days_in_a_row_share_their_boundary)
{
    struct report_writer *w;

    text = report_ready_find("matrix")->text;
    text.columns = "date";
    text.step_s = 86400;
    text.heading = false;
    parse();
    head.to += 2 * EMT_DAY;
    w = begin();
    series(w, &meter_a);
    for (int i = 0; i <= 3; i++)
        put(w, head.from + i * EMT_DAY + 60 * EMT_SECOND, 1000 * (1 + i * i), 0);
    end(w);
    is("17.11.2026;1,000\r\n18.11.2026;3,000\r\n19.11.2026;5,000\r\n");
}
END_TEST

START_TEST(one_row_per_meter_with_registers_and_months)
{
    struct report_series feed_in = meter_a;
    struct report_series other = meter_a;
    struct report_writer *w;
    const struct local_date october = { 2026, 10, 1 };

    text = report_ready_find("meters")->text;
    text.columns = "meter\nvalue\ntime\nlast:1-0:2.8.0\nfirst\nmonth:1=Oktober\nmonth:2";
    text.energy_unit = "Wh";
    feed_in.obis = "1-0:2.8.0";
    other.device = 2;
    other.meter = "2";
    parse();
    w = begin();
    series(w, &meter_a);
    put(w, local_day_start(october) - EMT_HOUR, 5, 0);
    put(w, local_day_start(october) + 2 * EMT_HOUR, 6, 0);
    put(w, head.from, 10, 0);
    put(w, head.to - 1, 11, 0);
    series(w, &feed_in);
    put(w, head.from, 77, 0);
    series(w, &other); /* without a value */
    end(w);
    is("Zählernummer;Wert;Zeitpunkt;Letzter Wert 1-0:2.8.0;Erster Wert;Oktober;Monat -2\r\n"
       "12345678;11;17.11.2026 23:59:59;77;10;5;\r\n"
       "2;;;;;;\r\n");
}
END_TEST

START_TEST(thinning_keeps_the_first_of_each_interval)
{
    struct report_writer *w;

    text.columns = "clock\nvalue";
    text.heading = false;
    text.energy_unit = "Wh";
    parse();
    head.thin = EMT_HOUR;
    w = begin();
    series(w, &meter_a);
    for (int i = 0; i < 12; i++)
        put(w, head.from + i * 10 * EMT_MINUTE + EMT_SECOND, i, 0);
    end(w);
    is("00:00:01;0\r\n01:00:01;6\r\n");
}
END_TEST

START_TEST(a_letterhead_says_who_and_when)
{
    text.columns = "value";
    text.letterhead = true;
    text.language = "en";
    text.title = "Load";
    text.company = "Works";
    text.contact_name = "Ann";
    text.contact_mail = "ann@works.example";
    text.date_format = "YYYY";
    text.time_format = "YYYY-MM-DD";
    parse();
    end(begin());
    is("Report;Load\r\nCompany;Works\r\nContact;Ann, ann@works.example\r\n"
       "Period;2026-11-17 - 2026-11-18\r\nCreated;2026-11-18\r\n\r\nValue\r\n");
}
END_TEST

START_TEST(every_wrong_template_names_field_and_reason)
{
    const struct report_text good = text;
#define WRONG(field, value, says)                                                                  \
    do {                                                                                           \
        text = good;                                                                               \
        text.field = value;                                                                        \
        refused(says);                                                                             \
    } while (0)

    WRONG(shape, "round", "shape: one of values, meters, matrix");
    WRONG(format, "pdf", "format: one of csv, xml, xlsx");
    WRONG(encoding, "latin1", "encoding: ");
    WRONG(time_zone, "Mars", "time_zone: ");
    WRONG(decimal_separator, "", "decimal_separator: ");
    WRONG(columns, "", "columns: there is none");
    WRONG(columns, "time\nnonsense", "columns[1]: there is no such field");
    WRONG(columns, "month:1", "columns[0]: not in a report of this shape");
    WRONG(columns, "time:5", "columns[0]: takes nothing behind a colon");
    WRONG(columns, "text", "columns[0]: a text");
    WRONG(columns, "time=\xff", "columns[0]: no UTF-8");
    WRONG(time_format, "hh:mm", "time_format: of YYYY");
    WRONG(time_format, "", "time_format: is empty");
    WRONG(file_name, "../x", "file_name: ");
    WRONG(file_name, "a/b", "file_name: of letters");
    WRONG(file_name, "{nothing}", "file_name: of letters");
    WRONG(title, "a\nb", "title: no UTF-8, or a control character");
    WRONG(decimals, 10, "decimals: ");
    WRONG(step_s, 7200, "step_s: ");
    text = good;
    text.field_separator = "comma";
    refused("decimal_separator: is the field separator");
    text = report_ready_find("meters")->text;
    text.columns = "last:nonsense";
    refused("columns[0]: an OBIS code");
    text.columns = "month:25";
    refused("columns[0]: a number of months");
}
END_TEST

START_TEST(values_out_of_order_are_refused)
{
    struct report_value v = { head.from - 1, decimal_of(1, 0), QUALITY_MEASURED };
    struct report_writer *w;

    parse();
    w = begin();
    series(w, &meter_a);
    put(w, head.from, 1, 0);
    ck_assert_int_eq(report_value(w, &v), EMT_EMALFORMED);
    ck_assert_int_eq(report_end(w, &diag), EMT_EMALFORMED);
    report_free(w);
}
END_TEST

START_TEST(what_is_ready_parses_and_names_its_file)
{
    const struct report_ready *r;
    char name[64];

    for (size_t i = 0; (r = report_ready_at(i)) != NULL; i++) {
        enum emt_err err = report_template_parse(&r->text, &template, &diag);

        if (err == EMT_EUNSUPPORTED)
            continue; /* built without Excel */
        ck_assert_msg(err == EMT_OK, "%s: %s", r->name, diag.text);
        writer_clear(&bytes);
        end(begin());
        ck_assert_int_eq(report_file_name(&template, &head, name, sizeof name), EMT_OK);
        ck_assert_ptr_eq(strstr(name, "Nightly_20261117_20261117_20261118_010000."), name);
        ck_assert_ptr_nonnull(report_media_type_of(name));
    }
    ck_assert_int_eq(report_file_name(&template, &head, name, 10), EMT_ELIMIT);
    ck_assert_ptr_null(report_ready_find("nothing"));
}
END_TEST

START_TEST(a_sink_that_fails_ends_the_report)
{
    struct report_writer *w;

    writer_release(&bytes);
    writer_init_heap(&bytes, 16);
    parse();
    w = begin();
    series(w, &meter_a);
    put(w, head.from, 1, 0);
    ck_assert_int_eq(report_end(w, &diag), EMT_ELIMIT);
    report_free(w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("report");
    TCase *t = tcase_create("report");
    const TTest *const tests[] = {
        one_row_per_value_with_comma_and_local_time,
        code_page_1252_has_umlauts_and_the_euro_and_an_answer_for_the_rest,
        hostile_texts_stay_one_cell_and_no_formula,
        xml_escapes_and_names_its_elements,
        a_matrix_has_the_wall_clocks_columns_on_both_clock_changes,
        lpex_has_as_many_values_as_the_day,
        energies_are_differences_and_a_gap_stays_empty,
        days_in_a_row_share_their_boundary,
        one_row_per_meter_with_registers_and_months,
        thinning_keeps_the_first_of_each_interval,
        a_letterhead_says_who_and_when,
        every_wrong_template_names_field_and_reason,
        values_out_of_order_are_refused,
        what_is_ready_parses_and_names_its_file,
        a_sink_that_fails_ends_the_report,
    };

    tcase_add_checked_fixture(t, setup, teardown);
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        tcase_add_test(t, tests[i]);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
