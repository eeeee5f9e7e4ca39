/* What a report's file is called, and what kind of file it is. */
#include "report_template.h"

#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* NULL past the last format. */
static const char *ending_of(enum report_format f)
{
    switch (f) {
    case REPORT_CSV:
        return "csv";
    case REPORT_XML:
        return "xml";
    case REPORT_XLSX:
        return "xlsx";
    }
    return NULL;
}

static void put_day(struct writer *w, const struct report_template *t, emt_time at)
{
    char text[REPORT_TIME_MAX];

    writer_text(w, report_time_text(t, "YYYYMMDD", at, text));
}

/* What a template's name may have that a file's name should not becomes _. */
static void put_name(struct writer *w, const char *name)
{
    for (const char *p = name; *p != '\0'; p++) {
        bool good = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                    (*p >= '0' && *p <= '9') || *p == '-';

        writer_u8(w, good ? (uint8_t)*p : '_');
    }
}

enum emt_err report_file_name(const struct report_template *t, const struct report_head *head,
                              char *buf, size_t size)
{
    char text[REPORT_TIME_MAX];
    struct writer w;
    bool numbered = false;

    writer_init_fixed(&w, buf, size);
    for (const char *p = t->file_name; *p != '\0';) {
        size_t n = *p == '{' ? strcspn(p, "}") + 1 : 1;

        if (strncmp(p, "{from}", n) == 0 && n > 1)
            put_day(&w, t, head->from);
        else if (strncmp(p, "{to}", n) == 0 && n > 1)
            put_day(&w, t, head->to - 1);
        else if (strncmp(p, "{created}", n) == 0 && n > 1)
            writer_text(&w, report_time_text(t, "YYYYMMDD_HHmmss", head->created, text));
        else if (strncmp(p, "{name}", n) == 0 && n > 1)
            put_name(&w, head->name);
        else if (strncmp(p, "{part}", n) == 0 && n > 1)
            numbered = writer_printf(&w, "%u", head->part);
        else
            writer_u8(&w, (uint8_t)*p);
        p += n;
    }
    if (head->part > 1 && !numbered)
        writer_printf(&w, "_%u", head->part);
    writer_printf(&w, ".%s", ending_of(t->format));
    (void)writer_cstr(&w);
    return w.failed ? EMT_ELIMIT : EMT_OK;
}

const char *report_media_type(enum report_format f)
{
    switch (f) {
    case REPORT_CSV:
        return "text/csv";
    case REPORT_XML:
        return "application/xml";
    case REPORT_XLSX:
        return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
    }
    return "application/octet-stream";
}

const char *report_media_type_of(const char *file_name)
{
    const char *dot = strrchr(file_name, '.');

    for (int i = 0; dot != NULL && ending_of((enum report_format)i) != NULL; i++) {
        if (strcmp(dot + 1, ending_of((enum report_format)i)) == 0)
            return report_media_type((enum report_format)i);
    }
    return NULL;
}
