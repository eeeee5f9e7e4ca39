/* Excel files by libxlsxwriter, in its mode of constant memory: rows go to a file of its own and
 * from there into the ZIP container, which is written to memory without a name and handed on. */
#define _GNU_SOURCE 1 /* memfd_create() */
#include "report_template.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xlsxwriter.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* What a worksheet takes. */
#define ROWS_MOST 1048576u
#define TEXT_MOST 32767
/* Numbers of a worksheet are IEEE doubles: 15 digits are exact. */
#define DIGITS_MOST INT64_C(999999999999999)

struct sheet {
    lxw_workbook *book;
    lxw_worksheet *page;
    lxw_format *bold;
    lxw_format *number[10]; /* by decimals */
    lxw_format *time[3];
    char patterns[3][REPORT_FORMAT_MAX + 1]; /* of the above */
    size_t n_times;
    lxw_row_t row;
    int fd;
    char *text; /* a cell without control characters */
};

bool report_has_xlsx(void)
{
    return true;
}

static enum emt_err stick(struct report_out *o, enum emt_err err, const char *why)
{
    if (o->bytes.err == EMT_OK) {
        o->bytes.err = err;
        snprintf(o->bytes.why, sizeof o->bytes.why, "%s", why);
    }
    return o->bytes.err;
}

static void take(struct report_out *o, lxw_error e)
{
    if (e != LXW_NO_ERROR)
        (void)stick(o, EMT_EIO, lxw_strerror(e));
}

static enum emt_err open_book(struct sheet *s)
{
    char path[32];
    lxw_workbook_options options = { .constant_memory = LXW_TRUE, .use_zip64 = LXW_FALSE };

    s->fd = memfd_create("report", MFD_CLOEXEC);
    if (s->fd < 0)
        return EMT_EIO;
    snprintf(path, sizeof path, "/proc/self/fd/%d", s->fd);
    s->book = workbook_new_opt(path, &options);
    if (s->book == NULL)
        return EMT_ENOMEM;
    s->page = workbook_add_worksheet(s->book, NULL);
    s->bold = workbook_add_format(s->book);
    if (s->page == NULL || s->bold == NULL)
        return EMT_ENOMEM;
    format_set_bold(s->bold);
    return EMT_OK;
}

/* UTF-8 that XML takes, at most what a cell takes. */
static const char *clean(struct sheet *s, const char *text)
{
    char *out = s->text;
    size_t n = 0;

    while (*text != '\0' && n + 4 < TEXT_MOST) {
        const char *from = text;
        uint32_t cp = 0;

        if (!report_utf8_next(&text, &cp) || cp == 0xfffe || cp == 0xffff) {
            memcpy(out + n, "\xef\xbf\xbd", 3);
            n += 3;
        } else if (cp < 0x20 || cp == 0x7f) {
            out[n++] = ' ';
        } else {
            memcpy(out + n, from, (size_t)(text - from));
            n += (size_t)(text - from);
        }
    }
    out[n] = '\0';
    return out;
}

/* Texts are strings whatever they begin with: a worksheet's formula is a thing of its own. */
static void put_text(struct report_out *o, lxw_col_t col, const char *text, lxw_format *format)
{
    struct sheet *s = o->own;

    if (text[0] != '\0')
        take(o, worksheet_write_string(s->page, s->row, col, clean(s, text), format));
}

static lxw_format *number_format(struct sheet *s, int decimals)
{
    static const char *const formats[10] = { "0",          "0.0",        "0.00",     "0.000",
                                             "0.0000",     "0.00000",    "0.000000", "0.0000000",
                                             "0.00000000", "0.000000000" };

    if (s->number[decimals] == NULL) {
        s->number[decimals] = workbook_add_format(s->book);
        if (s->number[decimals] != NULL)
            format_set_num_format(s->number[decimals], formats[decimals]);
    }
    return s->number[decimals];
}

static void put_number(struct report_out *o, lxw_col_t col, struct decimal d)
{
    struct sheet *s = o->own;
    char text[DECIMAL_TEXT_MAX];
    char *point;

    decimal_format(d, text);
    /* What a double does not hold exactly stands as text: nothing is rounded behind one's back. */
    if (d.mantissa > DIGITS_MOST || d.mantissa < -DIGITS_MOST || d.exponent < -9 ||
        d.exponent > 0) {
        if (strlen(text) > 15) {
            put_text(o, col, text, NULL);
            return;
        }
    }
    point = strchr(text, '.');
    int decimals = point == NULL ? 0 : (int)strlen(point + 1);
    take(o, worksheet_write_number(s->page, s->row, col, strtod(text, NULL),
                                   decimals <= 9 ? number_format(s, decimals) : NULL));
}

/* "DD.MM.YYYY HH:mm" is dd.mm.yyyy hh:mm there. */
static lxw_format *excel_format(struct sheet *s, const char *pattern)
{
    char excel[REPORT_FORMAT_MAX + 1];
    size_t i = 0;

    while (i < s->n_times && strcmp(s->patterns[i], pattern) != 0)
        i++;
    if (i < s->n_times)
        return s->time[i];
    if (i == 3)
        return NULL;
    for (size_t k = 0; k <= strlen(pattern); k++)
        excel[k] = strchr("YMDH", pattern[k]) != NULL && pattern[k] != '\0'
                       ? (char)(pattern[k] - 'A' + 'a')
                       : pattern[k];
    memcpy(s->patterns[i], pattern, strlen(pattern) + 1);
    s->time[i] = workbook_add_format(s->book);
    if (s->time[i] != NULL)
        format_set_num_format(s->time[i], excel);
    s->n_times++;
    return s->time[i];
}

/* A point in time as Excel counts it, where its formats can say the pattern; else as text. */
static void put_time(struct report_out *o, lxw_col_t col, const struct report_cell *c)
{
    struct sheet *s = o->own;
    char text[REPORT_TIME_MAX];
    char plain[REPORT_TIME_MAX];
    lxw_datetime d = { 0 };
    struct report_template local = *o->t;

    report_time_text(o->t, c->pattern, c->time, text);
    if (strpbrk(c->pattern, "ZT") != NULL) {
        put_text(o, col, text, NULL);
        return;
    }
    local.cp1252 = false;
    report_time_text(&local, "YYYY-MM-DD HH:mm:ss", c->time, plain);
    int second = 0;
    (void)sscanf(plain, "%d-%d-%d %d:%d:%d", &d.year, &d.month, &d.day, &d.hour, &d.min, &second);
    d.sec = second;
    take(o, worksheet_write_datetime(s->page, s->row, col, &d, excel_format(s, c->pattern)));
}

static bool has_room(struct report_out *o)
{
    struct sheet *s = o->own;

    if (s->row < ROWS_MOST)
        return o->bytes.err == EMT_OK;
    (void)stick(o, EMT_EMALFORMED, "a worksheet has 1048576 rows: split the report or thin it");
    return false;
}

static enum emt_err xlsx_begin(struct report_out *o)
{
    struct sheet *s = calloc(1, sizeof *s);
    struct report_letter letter;

    o->own = s;
    if (s == NULL)
        return stick(o, EMT_ENOMEM, "out of memory");
    s->fd = -1;
    s->text = malloc(TEXT_MOST + 1);
    if (s->text == NULL)
        return stick(o, EMT_ENOMEM, "out of memory");
    enum emt_err err = open_book(s);
    if (err != EMT_OK)
        return stick(o, err, "a workbook cannot be begun");
    worksheet_set_column(s->page, 0, 0, 20, NULL);
    worksheet_set_column(s->page, 1, REPORT_COLUMNS_MAX, 14, NULL);
    if (o->t->letterhead) {
        report_letter_make(o->t, o->head, &letter);
        for (size_t i = 0; i < letter.n; i++, s->row++) {
            put_text(o, 0, letter.label[i], s->bold);
            put_text(o, 1, letter.text[i], NULL);
        }
        s->row++;
    }
    return o->bytes.err;
}

static enum emt_err xlsx_headings(struct report_out *o, const char *const *labels, size_t n)
{
    struct sheet *s = o->own;

    for (size_t i = 0; i < n; i++)
        put_text(o, (lxw_col_t)i, labels[i], s->bold);
    s->row++;
    worksheet_freeze_panes(s->page, s->row, 0);
    return o->bytes.err;
}

static enum emt_err xlsx_row(struct report_out *o, const struct report_cell *cells,
                             const char *const *names, const char *const *labels, size_t n)
{
    struct sheet *s = o->own;

    (void)names;
    (void)labels;
    if (!has_room(o))
        return o->bytes.err;
    for (size_t i = 0; i < n; i++) {
        lxw_col_t col = (lxw_col_t)i;

        switch (cells[i].kind) {
        case CELL_EMPTY:
            break;
        case CELL_TEXT:
            put_text(o, col, cells[i].text, NULL);
            break;
        case CELL_NUMBER:
            put_number(o, col, cells[i].number);
            break;
        case CELL_TIME:
            put_time(o, col, &cells[i]);
            break;
        }
    }
    s->row++;
    return o->bytes.err;
}

/* The container to the sink, in parts. */
static void hand_on(struct report_out *o)
{
    struct sheet *s = o->own;
    unsigned char buf[65536];
    off_t at = 0;
    ssize_t n;

    while ((n = pread(s->fd, buf, sizeof buf, at)) > 0 && o->bytes.err == EMT_OK) {
        o->bytes.err = o->bytes.out->put(o->bytes.out->ctx, buf, (size_t)n);
        at += n;
    }
    if (n < 0)
        (void)stick(o, EMT_EIO, strerror(errno));
}

static enum emt_err xlsx_end(struct report_out *o)
{
    struct sheet *s = o->own;
    lxw_workbook *book = s->book;
    struct report_template said = *o->t; /* the library wants texts that may be written to */
    lxw_doc_properties properties = { .title = said.title, .company = said.company };

    (void)workbook_set_properties(book, &properties);
    s->book = NULL; /* closed, and freed, either way */
    take(o, workbook_close(book));
    if (o->bytes.err == EMT_OK)
        hand_on(o);
    return o->bytes.err;
}

static void xlsx_release(struct report_out *o)
{
    struct sheet *s = o->own;

    if (s == NULL)
        return;
    if (s->book != NULL)
        (void)workbook_close(s->book); /* there is no other way to free it */
    if (s->fd >= 0)
        (void)close(s->fd);
    free(s->text);
    free(s);
    o->own = NULL;
}

const struct report_format_ops report_xlsx_ops = { xlsx_begin, xlsx_headings, xlsx_row, xlsx_end,
                                                   xlsx_release };
