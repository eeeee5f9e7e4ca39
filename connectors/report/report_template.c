#include "report_template.h"

#include "connectors/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define IN_VALUES 1u
#define IN_METERS 2u
#define IN_MATRIX 4u
#define IN_SERIES (IN_VALUES | IN_MATRIX) /* rows that belong to one register */
#define IN_ALL 7u

enum parameter { PLAIN, OF_OBIS, OF_MONTH, OF_TEXT };
static const struct field_name {
    const char *name;
    enum parameter parameter;
    unsigned shapes;
    const char *en, *de;
} fields[] = {
    [REPORT_ROW] = { "row", PLAIN, IN_ALL, "Row", "Zeile" },
    [REPORT_TIME] = { "time", PLAIN, IN_ALL, "Time", "Zeitpunkt" },
    [REPORT_DATE] = { "date", PLAIN, IN_ALL, "Date", "Datum" },
    [REPORT_CLOCK] = { "clock", PLAIN, IN_ALL, "Time of day", "Uhrzeit" },
    [REPORT_BEGIN] = { "begin", PLAIN, IN_VALUES, "Begin", "Beginn" },
    [REPORT_METER] = { "meter", PLAIN, IN_ALL, "Meter", "Zählernummer" },
    [REPORT_IDENT] = { "ident", PLAIN, IN_ALL, "Device", "Gerät" },
    [REPORT_MANUFACTURER] = { "manufacturer", PLAIN, IN_ALL, "Manufacturer", "Hersteller" },
    [REPORT_MEDIUM] = { "medium", PLAIN, IN_ALL, "Medium", "Medium" },
    [REPORT_NAME] = { "name", PLAIN, IN_ALL, "Name", "Name" },
    [REPORT_PLACE] = { "place", PLAIN, IN_ALL, "Place", "Ort" },
    [REPORT_LOCATION] = { "location", PLAIN, IN_ALL, "Location", "Messlokation" },
    [REPORT_REGISTER_NUMBER] = { "register_number", PLAIN, IN_ALL, "Market meter number",
                                 "Gerätenummer" },
    [REPORT_OBIS] = { "obis", PLAIN, IN_SERIES, "OBIS", "OBIS" },
    [REPORT_QUANTITY] = { "quantity", PLAIN, IN_SERIES, "Quantity", "Messgröße" },
    [REPORT_CHANNEL] = { "channel", PLAIN, IN_SERIES, "Channel", "Kanal" },
    [REPORT_UNIT] = { "unit", PLAIN, IN_ALL, "Unit", "Einheit" },
    [REPORT_VALUE] = { "value", PLAIN, IN_VALUES | IN_METERS, "Value", "Wert" },
    [REPORT_QUALITY] = { "quality", PLAIN, IN_VALUES | IN_METERS, "Quality", "Status" },
    [REPORT_STATUS] = { "status", PLAIN, IN_VALUES | IN_METERS, "Status", "Statuszahl" },
    [REPORT_TARIFF] = { "tariff", PLAIN, IN_SERIES, "Tariff", "Tarif" },
    [REPORT_STORAGE] = { "storage", PLAIN, IN_SERIES, "Storage", "Speicher" },
    [REPORT_STEP] = { "step", PLAIN, IN_ALL, "Minutes", "Minuten" },
    [REPORT_TITLE] = { "title", PLAIN, IN_ALL, "Report", "Bericht" },
    [REPORT_COMPANY] = { "company", PLAIN, IN_ALL, "Company", "Unternehmen" },
    [REPORT_EMPTY] = { "empty", PLAIN, IN_ALL, "", "" },
    [REPORT_TEXT] = { "text", OF_TEXT, IN_ALL, "", "" },
    [REPORT_LAST] = { "last", OF_OBIS, IN_METERS, "Last value", "Letzter Wert" },
    [REPORT_LAST_TIME] = { "last_time", OF_OBIS, IN_METERS, "Last time", "Letzter Zeitpunkt" },
    [REPORT_FIRST] = { "first", OF_OBIS, IN_METERS, "First value", "Erster Wert" },
    [REPORT_FIRST_TIME] = { "first_time", OF_OBIS, IN_METERS, "First time", "Erster Zeitpunkt" },
    [REPORT_MONTH] = { "month", OF_MONTH, IN_METERS, "Month", "Monat" },
};
#define FIELDS (sizeof fields / sizeof fields[0])

const char *report_field_name(enum report_field f)
{
    return fields[f].name;
}

/* --- texts of the file --- */

static enum emt_err wrong(struct emt_diag *diag, const char *field, const char *reason)
{
    return emt_fail(diag, EMT_EMALFORMED, "%s: %s", field, reason);
}

/* One of the words in `words`, closed by NULL; its place. */
static enum emt_err one_of(const char *field, const char *text, const char *const *words, int *out,
                           struct emt_diag *diag)
{
    char list[160] = "";
    size_t n = 0;

    for (int i = 0; words[i] != NULL; i++) {
        int more = snprintf(list + n, sizeof list - n, "%s%s", i > 0 ? ", " : "", words[i]);

        n += more > 0 ? (size_t)more : 0;
        if (n >= sizeof list)
            n = sizeof list - 1;
        if (strcmp(words[i], text) == 0) {
            *out = i;
            return EMT_OK;
        }
    }
    return emt_fail(diag, EMT_EMALFORMED, "%s: one of %s", field, list);
}

/* Length in characters of what is UTF-8; SIZE_MAX when it is none or has control characters. */
static size_t characters(const char *text)
{
    size_t n = 0;
    uint32_t cp = 0;

    for (const char *p = text; *p != '\0'; n++) {
        if (!report_utf8_next(&p, &cp) || cp < 0x20 || cp == 0x7f)
            return SIZE_MAX;
    }
    return n;
}

static enum emt_err take_text(const char *field, const char *text, char *out, size_t size,
                              struct emt_diag *diag)
{
    if (characters(text) == SIZE_MAX)
        return wrong(diag, field, "no UTF-8, or a control character");
    if (strlen(text) >= size)
        return emt_fail(diag, EMT_EMALFORMED, "%s: longer than %zu bytes", field, size - 1);
    memcpy(out, text, strlen(text) + 1);
    return EMT_OK;
}

/* Letters only as the parts of a time; the rest stands as it is. */
static enum emt_err take_pattern(const char *field, const char *text, char *out,
                                 struct emt_diag *diag)
{
    static const char *const parts[] = { "YYYY", "YY", "MM", "DD", "HH", "mm", "ss", "Z", "T" };
    enum emt_err err = take_text(field, text, out, REPORT_FORMAT_MAX + 1, diag);

    for (const char *p = text; err == EMT_OK && *p != '\0';) {
        size_t i = 0;

        while (i < 9 && strncmp(p, parts[i], strlen(parts[i])) != 0)
            i++;
        if (i < 9)
            p += strlen(parts[i]);
        else if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z'))
            err = wrong(diag, field, "of YYYY YY MM DD HH mm ss Z T and signs between them");
        else
            p++;
    }
    if (err == EMT_OK && text[0] == '\0')
        err = wrong(diag, field, "is empty");
    return err;
}

static enum emt_err take_file_name(const char *text, char *out, struct emt_diag *diag)
{
    static const char *const parts[] = { "{from}", "{to}", "{created}", "{name}", "{part}" };
    enum emt_err err = take_text("file_name", text, out, REPORT_TEXT_MAX + 1, diag);

    if (err == EMT_OK && (text[0] == '\0' || text[0] == '.' || text[0] == '-'))
        return wrong(diag, "file_name", "begins with a letter, a digit, _ or {");
    for (const char *p = text; err == EMT_OK && *p != '\0';) {
        size_t i = 0;

        while (i < 5 && strncmp(p, parts[i], strlen(parts[i])) != 0)
            i++;
        if (i < 5)
            p += strlen(parts[i]);
        else if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
                 strchr("._-", *p) != NULL)
            p++;
        else
            err = wrong(diag, "file_name",
                        "of letters, digits, . _ - and {from} {to} {created} {name} {part}");
    }
    return err;
}

/* --- columns --- */

static enum emt_err bad_column(struct emt_diag *diag, size_t i, const char *reason)
{
    return emt_fail(diag, EMT_EMALFORMED, "columns[%zu]: %s", i, reason);
}

static enum emt_err parameter_of(struct report_column *c, const struct field_name *f,
                                 const char *text, size_t at, struct emt_diag *diag)
{
    char *end = NULL;

    switch (f->parameter) {
    case PLAIN:
        return text == NULL ? EMT_OK : bad_column(diag, at, "takes nothing behind a colon");
    case OF_OBIS: /* without one: the meter's main register */
        if (text == NULL)
            return EMT_OK;
        return obis_parse(text, &c->obis) == EMT_OK
                   ? EMT_OK
                   : bad_column(diag, at, "an OBIS code is expected, as last:1-0:1.8.0");
    case OF_MONTH:
        c->month =
            text != NULL && text[0] >= '0' && text[0] <= '9' ? (int)strtol(text, &end, 10) : -1;
        return c->month >= 0 && c->month <= REPORT_MONTHS_MAX && *end == '\0'
                   ? EMT_OK
                   : bad_column(diag, at, "a number of months up to 24, as month:1");
    case OF_TEXT:
        if (text == NULL || strlen(text) > REPORT_HEADING_MAX)
            return bad_column(diag, at, "a text of at most 64 bytes, as text:A");
        memcpy(c->text, text, strlen(text) + 1);
        return EMT_OK;
    }
    return EMT_OK;
}

static void usual_heading(struct report_column *c, bool english)
{
    const struct field_name *f = &fields[c->field];
    const char *what = english ? f->en : f->de;
    char code[OBIS_TEXT_MAX];

    if (f->parameter == OF_OBIS && !obis_is_none(c->obis))
        snprintf(c->heading, sizeof c->heading, "%s %s", what, obis_format_short(c->obis, code));
    else if (f->parameter == OF_MONTH)
        snprintf(c->heading, sizeof c->heading, "%s -%d", what, c->month);
    else if (f->parameter == OF_TEXT)
        memcpy(c->heading, c->text, sizeof c->heading);
    else
        snprintf(c->heading, sizeof c->heading, "%s", what);
}

/* Element names of XML: letters, digits, - . _ after a letter or _; any letters beyond ASCII. */
static bool is_xml_name(const char *text)
{
    if (strncasecmp(text, "xml", 3) == 0)
        return false;
    for (const char *p = text; *p != '\0'; p++) {
        bool letter = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || *p == '_';

        if (!letter && (p == text || ((*p < '0' || *p > '9') && *p != '-' && *p != '.')))
            return false;
    }
    return text[0] != '\0';
}

static enum emt_err heading_of(struct report_column *c, const char *given,
                               const struct report_template *t, size_t at, struct emt_diag *diag)
{
    if (given != NULL && strlen(given) > REPORT_HEADING_MAX)
        return bad_column(diag, at, "the heading is longer than 64 bytes");
    if (given != NULL)
        memcpy(c->heading, given, strlen(given) + 1);
    else if (t->format == REPORT_XML)
        snprintf(c->heading, sizeof c->heading, "%s", fields[c->field].name);
    else
        usual_heading(c, t->english);
    if (t->format == REPORT_XML && !is_xml_name(c->heading))
        return bad_column(diag, at, "the heading is no name of an XML element");
    return EMT_OK;
}

/* line: "field", "field:parameter", either with "=heading". */
static enum emt_err take_column(struct report_template *t, char *line, struct emt_diag *diag)
{
    size_t at = t->n_columns;
    struct report_column *c = &t->columns[at];
    char *heading = strchr(line, '=');
    char *parameter;
    size_t f = 0;

    if (at == REPORT_COLUMNS_MAX)
        return emt_fail(diag, EMT_EMALFORMED, "columns: more than %d", REPORT_COLUMNS_MAX);
    if (heading != NULL)
        *heading++ = '\0';
    parameter = strchr(line, ':');
    if (parameter != NULL)
        *parameter++ = '\0';
    while (f < FIELDS && strcmp(fields[f].name, line) != 0)
        f++;
    if (f == FIELDS)
        return bad_column(diag, at, "there is no such field");
    if ((fields[f].shapes & (1u << t->shape)) == 0)
        return bad_column(diag, at, "not in a report of this shape");
    *c = (struct report_column){ .field = (enum report_field)f };
    enum emt_err err = parameter_of(c, &fields[f], parameter, at, diag);
    if (err == EMT_OK)
        err = heading_of(c, heading, t, at, diag);
    t->n_columns += err == EMT_OK;
    return err;
}

static enum emt_err take_columns(struct report_template *t, const char *text, struct emt_diag *diag)
{
    char line[3 * REPORT_HEADING_MAX];
    enum emt_err err = EMT_OK;

    while (err == EMT_OK && *text != '\0') {
        size_t n = strcspn(text, "\n");

        if (n >= sizeof line)
            return bad_column(diag, t->n_columns, "is too long");
        memcpy(line, text, n);
        line[n] = '\0';
        if (characters(line) == SIZE_MAX)
            return bad_column(diag, t->n_columns, "no UTF-8, or a control character");
        err = take_column(t, line, diag);
        text += n + (text[n] == '\n');
    }
    if (err == EMT_OK && t->n_columns == 0)
        err = wrong(diag, "columns", "there is none");
    return err;
}

/* --- the whole --- */

static enum emt_err take_words(const struct report_text *x, struct report_template *t,
                               struct emt_diag *diag)
{
    static const char *const shapes[] = { "values", "meters", "matrix", NULL };
    static const char *const formats[] = { "csv", "xml", "xlsx", NULL };
    static const char *const languages[] = { "de", "en", NULL };
    static const char *const encodings[] = { "utf-8", "utf-8-bom", "cp1252", NULL };
    static const char *const answers[] = { "replace", "refuse", NULL };
    static const char *const zones[] = { "Europe/Berlin", "UTC", NULL };
    static const char *const separators[] = { "semicolon", "comma", "tab", "pipe", NULL };
    static const char *const points[] = { "point", "comma", NULL };
    static const char *const quotings[] = { "needed", "always", NULL };
    static const char *const ends[] = { "crlf", "lf", NULL };
    static const char *const measures[] = { "readings", "energy", NULL };
    static const char *const units[] = { "Wh", "kWh", NULL };
    static const char *const grids[] = { "wall-clock", "day", NULL };
    enum {
        SHAPE,
        FORMAT,
        LANGUAGE,
        ENCODING,
        ANSWER,
        ZONE,
        SEPARATOR,
        POINT,
        QUOTING,
        END,
        MEASURE,
        UNIT,
        GRID,
        WORDS
    };
    const struct {
        const char *field, *text;
        const char *const *words;
    } all[WORDS] = {
        [SHAPE] = { "shape", x->shape, shapes },
        [FORMAT] = { "format", x->format, formats },
        [LANGUAGE] = { "language", x->language, languages },
        [ENCODING] = { "encoding", x->encoding, encodings },
        [ANSWER] = { "unrepresentable", x->unrepresentable, answers },
        [ZONE] = { "time_zone", x->time_zone, zones },
        [SEPARATOR] = { "field_separator", x->field_separator, separators },
        [POINT] = { "decimal_separator", x->decimal_separator, points },
        [QUOTING] = { "quoting", x->quoting, quotings },
        [END] = { "line_end", x->line_end, ends },
        [MEASURE] = { "measure", x->measure, measures },
        [UNIT] = { "energy_unit", x->energy_unit, units },
        [GRID] = { "grid", x->grid, grids },
    };
    int v[WORDS] = { 0 };
    enum emt_err err = EMT_OK;

    for (size_t i = 0; err == EMT_OK && i < WORDS; i++)
        err = one_of(all[i].field, all[i].text, all[i].words, &v[i], diag);
    t->shape = (enum report_shape)v[SHAPE];
    t->format = (enum report_format)v[FORMAT];
    t->english = v[LANGUAGE] == 1;
    t->bom = v[ENCODING] == 1;
    t->cp1252 = v[ENCODING] == 2;
    t->refuses = v[ANSWER] == 1;
    t->utc = v[ZONE] == 1;
    t->separator = ";,\t|"[v[SEPARATOR]];
    t->point = ".,"[v[POINT]];
    t->quotes_all = v[QUOTING] == 1;
    t->lf = v[END] == 1;
    t->energy = v[MEASURE] == 1;
    t->kilo = v[UNIT] == 1;
    t->wall_clock = v[GRID] == 0;
    return err;
}

static enum emt_err take_texts(const struct report_text *x, struct report_template *t,
                               struct emt_diag *diag)
{
    const struct {
        const char *field, *text;
        char *out;
    } all[] = {
        { "preamble", x->preamble, t->preamble },
        { "title", x->title, t->title },
        { "company", x->company, t->company },
        { "logo_text", x->logo_text, t->logo_text },
        { "contact_name", x->contact_name, t->contact_name },
        { "contact_mail", x->contact_mail, t->contact_mail },
        { "contact_phone", x->contact_phone, t->contact_phone },
    };
    enum emt_err err = EMT_OK;

    for (size_t i = 0; err == EMT_OK && i < sizeof all / sizeof all[0]; i++)
        err = take_text(all[i].field, all[i].text, all[i].out, REPORT_TEXT_MAX + 1, diag);
    if (err == EMT_OK)
        err = take_pattern("time_format", x->time_format, t->time_format, diag);
    if (err == EMT_OK)
        err = take_pattern("date_format", x->date_format, t->date_format, diag);
    if (err == EMT_OK)
        err = take_pattern("clock_format", x->clock_format, t->clock_format, diag);
    return err == EMT_OK ? take_file_name(x->file_name, t->file_name, diag) : err;
}

static enum emt_err check_whole(const struct report_text *x, const struct report_template *t,
                                struct emt_diag *diag)
{
    if (x->decimals < -1 || x->decimals > 9)
        return wrong(diag, "decimals", "-1 (as stored) to 9");
    if (x->step_s != 86400 && (x->step_s < 300 || x->step_s > 3600 || 3600 % x->step_s != 0))
        return wrong(diag, "step_s", "300 to 3600, a divisor of an hour, or 86400");
    if (t->format == REPORT_CSV && t->separator == t->point)
        return wrong(diag, "decimal_separator", "is the field separator");
    if (t->format == REPORT_XML && t->bom)
        return wrong(diag, "encoding", "XML says its encoding itself: utf-8 or cp1252");
    if (t->format != REPORT_CSV && x->preamble[0] != '\0')
        return wrong(diag, "preamble", "CSV only");
    if (t->shape == REPORT_METERS && t->energy)
        return wrong(diag, "measure", "one row per meter shows readings");
    if (t->shape == REPORT_MATRIX && t->utc && t->wall_clock)
        return wrong(diag, "grid", "the wall clock is German: day, or time_zone Europe/Berlin");
    if (t->format == REPORT_XLSX && !report_has_xlsx())
        return emt_fail(diag, EMT_EUNSUPPORTED,
                        "format: this program was built without libxlsxwriter (EMT_WITH_XLSX)");
    return EMT_OK;
}

enum emt_err report_template_parse(const struct report_text *text, struct report_template *out,
                                   struct emt_diag *diag)
{
    struct report_template t = { .heading = text->heading,
                                 .letterhead = text->letterhead,
                                 .cell_status = text->cell_status,
                                 .decimals = text->decimals,
                                 .step = text->step_s * EMT_SECOND };
    enum emt_err err = take_words(text, &t, diag);

    if (err == EMT_OK)
        err = take_texts(text, &t, diag);
    if (err == EMT_OK)
        err = check_whole(text, &t, diag);
    if (err == EMT_OK)
        err = take_columns(&t, text->columns, diag);
    if (err == EMT_OK)
        *out = t;
    return err;
}
