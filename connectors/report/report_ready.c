/* Templates that come with the product: data, as a tenant's own. */
#include "connectors/report.h"

#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* What all of them share, and what most do. */
// clang-format off
#define COMMON                                                                                     \
    .language = "de", .unrepresentable = "replace", .time_zone = "Europe/Berlin",                  \
    .clock_format = "HH:mm:ss", .field_separator = "semicolon", .quoting = "needed",               \
    .line_end = "crlf", .energy_unit = "kWh", .title = "", .company = "", .logo_text = "",         \
    .contact_name = "", .contact_mail = "", .contact_phone = "",                                   \
    .file_name = "{name}_{from}_{to}_{created}", .heading = true, .decimals = -1, .step_s = 900
#define GERMAN                                                                                     \
    COMMON, .encoding = "utf-8", .time_format = "DD.MM.YYYY HH:mm:ss",                             \
    .date_format = "DD.MM.YYYY", .decimal_separator = "comma", .grid = "wall-clock", .preamble = ""

static const struct report_ready ready[] = {
    { "values", "CSV, one row per value", "CSV, eine Zeile je Wert",
      { .shape = "values", .format = "csv", .measure = "readings", GERMAN,
        .columns = "time\nmeter\nmanufacturer\nmedium\nlocation\nobis\nvalue\nunit\nquality" } },
    { "meters", "CSV, one row per meter", "CSV, eine Zeile je Zähler",
      { .shape = "meters", .format = "csv", .measure = "readings", GERMAN,
        .columns = "meter\nmanufacturer\nmedium\nname\nplace\nlocation\ntime\nvalue\nunit\nquality" } },
    { "months", "CSV, one row per meter, the begins of the last 15 months",
      "CSV, eine Zeile je Zähler, die letzten 15 Monatsanfänge",
      { .shape = "meters", .format = "csv", .measure = "readings", GERMAN,
        .columns = "meter\nmanufacturer\nmedium\nunit\ntime\nvalue\nmonth:0\nmonth:1\nmonth:2\nmonth:3\nmonth:4\n"
                   "month:5\nmonth:6\nmonth:7\nmonth:8\nmonth:9\nmonth:10\nmonth:11\nmonth:12\nmonth:13\nmonth:14" } },
    { "matrix", "CSV, one row per register and day, a column per quarter hour",
      "CSV, eine Zeile je Zählwerk und Tag, eine Spalte je Viertelstunde",
      { .shape = "matrix", .format = "csv", .measure = "energy", GERMAN,
        .columns = "date\nmeter\nlocation\nobis\nunit" } },
    /* What readers of LPEX 2.0 agree on: the line of the version, 16 headings, the day's values
     * each with its status, as many as the day has. */
    { "lpex", "LPEX 2.0, load profiles by day", "LPEX 2.0, Lastgänge je Tag",
      { .shape = "matrix", .format = "csv", .measure = "energy", COMMON, .encoding = "cp1252",
        .time_format = "DD.MM.YYYY HH:mm:ss", .date_format = "DD.MM.YY", .decimal_separator = "comma",
        .grid = "day", .cell_status = true, .preamble = "LPEX V2.0",
        .columns = "date=Datum\nclock=Zeit\nempty=Kundennummer\nempty=Kundenname\nempty=eindeutigeKDNr\nempty=GEId\n"
                   "empty=GEKANr\nempty=KALINr\nempty=Linie\nempty=eindeutigeLINr\nlocation=ZPB\nobis=Kennzahl\n"
                   "unit=Einheit\ntext:1=Wandlerfaktor\nstep=MPDauer" } },
    { "xml", "XML, one row per value", "XML, eine Zeile je Wert",
      { .shape = "values", .format = "xml", .measure = "readings", COMMON, .encoding = "utf-8",
        .time_format = "YYYY-MM-DDTHH:mm:ssZ", .date_format = "YYYY-MM-DD", .decimal_separator = "point",
        .grid = "wall-clock", .preamble = "",
        .columns = "time\nmeter\nmanufacturer\nmedium\nlocation\nobis\nvalue\nunit\nquality" } },
    { "xlsx", "Excel, one row per value", "Excel, eine Zeile je Wert",
      { .shape = "values", .format = "xlsx", .measure = "readings", GERMAN, .letterhead = true,
        .columns = "time\nmeter\nmedium\nlocation\nobis\nvalue\nunit\nquality" } },
};
// clang-format on

const struct report_ready *report_ready_at(size_t i)
{
    return i < sizeof ready / sizeof ready[0] ? &ready[i] : NULL;
}

const struct report_ready *report_ready_find(const char *name)
{
    const struct report_ready *r;

    for (size_t i = 0; (r = report_ready_at(i)) != NULL; i++) {
        if (strcmp(r->name, name) == 0)
            return r;
    }
    return NULL;
}
