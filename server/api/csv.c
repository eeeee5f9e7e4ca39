#include "csv.h"

#include "base/cipher.h"

#include <string.h>
#include <strings.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

void csv_init(struct csv *c, const char *text, size_t n)
{
    *c = (struct csv){ text, text + n, 0 };
    if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        c->at += 3;
}

bool csv_next_line(struct csv *c, struct csv_line *line)
{
    if (c->at >= c->past)
        return false;
    const char *next = memchr(c->at, '\n', (size_t)(c->past - c->at));

    *line = (struct csv_line){ c->at, next != NULL ? next : c->past, NULL };
    c->at = next != NULL ? next + 1 : c->past;
    c->line++;
    if (line->end > line->at && line->end[-1] == '\r')
        line->end--;
    return true;
}

bool csv_is_blank(const struct csv_line *line)
{
    for (const char *p = line->at; p < line->end; p++) {
        if (*p != ' ')
            return false;
    }
    return true;
}

static bool is_separator(char c)
{
    return c == ',' || c == ';' || c == '\t';
}

/* One character of a cell; those that no text has are a fault. */
static void put(struct csv_line *l, char cell[CSV_CELL_MAX], size_t *n, char c)
{
    if ((unsigned char)c < 0x20 || c == 0x7f)
        l->fault = "a control character";
    else if (*n == CSV_CELL_MAX - 1)
        l->fault = "a cell is too long";
    else
        cell[(*n)++] = c;
}

/* The text in quotes, from behind the first one; leaves p behind the last one. */
static const char *quoted(struct csv_line *l, const char *p, char cell[CSV_CELL_MAX], size_t *n)
{
    for (; p < l->end; p++) {
        if (*p == '"' && (p + 1 == l->end || p[1] != '"'))
            return p + 1;
        p += *p == '"'; /* two of them stand for one */
        put(l, cell, n, *p);
    }
    l->fault = "a quote is not closed";
    return p;
}

bool csv_next_cell(struct csv_line *l, char cell[CSV_CELL_MAX])
{
    const char *p = l->at;
    size_t n = 0;

    if (p > l->end || l->fault != NULL)
        return false;
    while (p < l->end && *p == ' ')
        p++;
    if (p < l->end && *p == '"') {
        p = quoted(l, p + 1, cell, &n);
        while (p < l->end && *p == ' ')
            p++;
        if (p < l->end && !is_separator(*p) && l->fault == NULL)
            l->fault = "something stands behind a quote";
    } else {
        for (; p < l->end && !is_separator(*p); p++)
            put(l, cell, &n, *p);
        while (n > 0 && cell[n - 1] == ' ')
            n--;
    }
    cell[n] = '\0';
    l->at = p + 1;
    return l->fault == NULL;
}

static const struct csv_name *name_of(const struct csv_name *names, size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++) {
        if (strcasecmp(names[i].name, text) == 0)
            return &names[i];
    }
    return NULL;
}

/* The first name of a field. */
static const char *field_name(const struct csv_name *names, size_t n, int field)
{
    for (size_t i = 0; i < n; i++) {
        if (names[i].field == field)
            return names[i].name;
    }
    return "";
}

static enum emt_err read_names(struct csv_line *line, const struct csv_name *names, size_t n,
                               unsigned *there, struct csv_head *out, struct emt_diag *diag)
{
    char cell[CSV_CELL_MAX];

    for (out->n = 0; csv_next_cell(line, cell); out->n++) {
        const struct csv_name *name = name_of(names, n, cell);

        if (out->n == CSV_COLUMNS_MAX)
            return emt_fail(diag, EMT_EMALFORMED, "line 1: more than %d columns", CSV_COLUMNS_MAX);
        if (name == NULL)
            return emt_fail(diag, EMT_EMALFORMED, "line 1: the name of column %zu is not known",
                            out->n + 1);
        if (*there >> name->field & 1u)
            return emt_fail(diag, EMT_EMALFORMED, "line 1: %s is there twice",
                            field_name(names, n, name->field));
        *there |= 1u << name->field;
        out->field[out->n] = name->field;
    }
    return line->fault == NULL ? EMT_OK : emt_fail(diag, EMT_EMALFORMED, "line 1: %s", line->fault);
}

enum emt_err csv_read_head(struct csv *c, const struct csv_name *names, size_t n, unsigned needed,
                           struct csv_head *out, struct emt_diag *diag)
{
    struct csv_line line;
    unsigned there = 0;

    if (!csv_next_line(c, &line))
        return emt_fail(diag, EMT_EMALFORMED, "there is no head line");
    enum emt_err err = read_names(&line, names, n, &there, out, diag);
    for (int field = 0; err == EMT_OK && field < 32; field++) {
        if ((needed & ~there) >> field & 1u)
            err = emt_fail(diag, EMT_EMALFORMED, "line 1: there is no column '%s'",
                           field_name(names, n, field));
    }
    return err;
}

enum emt_err csv_read_line(struct csv_line *line, const struct csv_head *head,
                           enum emt_err (*set)(void *ctx, int field, const char *text,
                                               struct emt_diag *diag),
                           void *ctx, struct emt_diag *diag)
{
    char cell[CSV_CELL_MAX];
    enum emt_err err = EMT_OK;

    for (size_t i = 0; err == EMT_OK && csv_next_cell(line, cell); i++) {
        if (i == head->n)
            err = emt_fail(diag, EMT_EMALFORMED, "more cells than columns");
        else
            err = set(ctx, head->field[i], cell, diag);
    }
    cipher_wipe(cell, sizeof cell);
    if (err == EMT_OK && line->fault != NULL)
        err = emt_fail(diag, EMT_EMALFORMED, "%s", line->fault);
    return err;
}
