#include "meter_key_csv.h"

#include "api_text.h"
#include "base/cipher.h"
#include "base/hex.h"
#include "model/device_id.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define COLUMNS_MAX 16
#define CELL_MAX (4 * METER_KEY_LABEL_MAX + 1)

void meter_key_init(struct meter_key *k)
{
    memset(k, 0, sizeof *k);
    k->version = -1;
    k->type = -1;
}

void meter_key_wipe(struct meter_key *k)
{
    cipher_wipe(k, sizeof *k);
}

static enum emt_err set_key(struct meter_key *k, const char *text, struct emt_diag *diag)
{
    size_t n = 0;

    if (hex_decode(text, strlen(text), k->key, sizeof k->key, &n) != EMT_OK ||
        (n != 8 && n != 16 && n != 32))
        return emt_fail(diag, EMT_EMALFORMED, "key: must be 32 hex digits (or 16 for DES, 64)");
    k->key_len = n;
    return EMT_OK;
}

static enum emt_err set_manufacturer(struct meter_key *k, const char *text, struct emt_diag *diag)
{
    uint16_t code = 0;

    if (manufacturer_to_code(text, &code) != EMT_OK)
        return emt_fail(diag, EMT_EMALFORMED, "manufacturer: must be three capital letters");
    snprintf(k->manufacturer, sizeof k->manufacturer, "%s", text);
    return EMT_OK;
}

static enum emt_err set_number(struct meter_key *k, const char *text, struct emt_diag *diag)
{
    size_t n = strlen(text);

    if (n >= sizeof k->number || strspn(text, "0123456789ABCDEFabcdef") != n)
        return emt_fail(diag, EMT_EMALFORMED, "number: must be hex digits, at most 32");
    /* Spreadsheets drop leading zeros of the eight digits of an M-Bus number, which a device has in
     * capital letters where they are none. */
    snprintf(k->number, sizeof k->number, "%s%s", n < 8 ? &"00000000"[n] : "", text);
    for (size_t i = 0; n <= 8 && k->number[i] != '\0'; i++)
        k->number[i] = (char)toupper((unsigned char)k->number[i]);
    return EMT_OK;
}

static enum emt_err set_byte(int *out, const char *name, const char *text, struct emt_diag *diag)
{
    char *end = NULL;
    bool hex = strncmp(text, "0x", 2) == 0 || strncmp(text, "0X", 2) == 0;
    long v = strtol(text, &end, hex ? 16 : 10);

    if (end == text || *end != '\0' || v < 0 || v > 255)
        return emt_fail(diag, EMT_EMALFORMED, "%s: must be 0 to 255, or 0x00 to 0xff", name);
    *out = (int)v;
    return EMT_OK;
}

static enum emt_err set_label(struct meter_key *k, const char *text, struct emt_diag *diag)
{
    if (!text_is_utf8(text, strlen(text)))
        return emt_fail(diag, EMT_EMALFORMED, "label: is not UTF-8");
    if (text_length(text) > METER_KEY_LABEL_MAX)
        return emt_fail(diag, EMT_EMALFORMED, "label: longer than %d characters",
                        METER_KEY_LABEL_MAX);
    snprintf(k->label, sizeof k->label, "%s", text);
    return EMT_OK;
}

enum emt_err meter_key_set(struct meter_key *k, const char *name, const char *text,
                           struct emt_diag *diag)
{
    if (*text == '\0')
        return EMT_OK;
    if (strcmp(name, "key") == 0)
        return set_key(k, text, diag);
    if (strcmp(name, "number") == 0)
        return set_number(k, text, diag);
    if (strcmp(name, "manufacturer") == 0)
        return set_manufacturer(k, text, diag);
    if (strcmp(name, "version") == 0)
        return set_byte(&k->version, name, text, diag);
    if (strcmp(name, "type") == 0)
        return set_byte(&k->type, name, text, diag);
    return set_label(k, text, diag);
}

/* --- lines --- */

/* Column names of the field, and ours. */
static const char *field_of(const char *column)
{
    static const char *const names[][2] = {
        { "address", "number" },
        { "number", "number" },
        { "id", "number" },
        { "key", "key" },
        { "manufacturer", "manufacturer" },
        { "devicetype", "type" },
        { "type", "type" },
        { "version", "version" },
        { "label", "label" },
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcasecmp(column, names[i][0]) == 0)
            return names[i][1];
    }
    return NULL;
}

static bool is_separator(char c)
{
    return c == ',' || c == ';' || c == '\t';
}

/* Where a line is read, and what is wrong with it. */
struct line {
    const char *at, *end; /* at is past end behind the last cell */
    const char *fault;    /* NULL: none */
};

/* One character of a cell; those that no text has are a fault. */
static void put(struct line *l, char cell[CELL_MAX], size_t *n, char c)
{
    if ((unsigned char)c < 0x20 || c == 0x7f)
        l->fault = "a control character";
    else if (*n == CELL_MAX - 1)
        l->fault = "a cell is too long";
    else
        cell[(*n)++] = c;
}

/* The text in quotes, from behind the first one; leaves p behind the last one. */
static const char *quoted(struct line *l, const char *p, char cell[CELL_MAX], size_t *n)
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

/* The next cell, trimmed, without quotes; false at the end of the line or at a fault. */
static bool next_cell(struct line *l, char cell[CELL_MAX])
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

struct head {
    const char *field[COLUMNS_MAX];
    size_t n;
};

/* What stands there is not quoted: a file without a head begins with a key. */
static enum emt_err read_head(struct line *l, struct head *head, struct emt_diag *diag)
{
    char cell[CELL_MAX];
    bool has_key = false;

    if (l->end - l->at >= 3 && memcmp(l->at, "\xef\xbb\xbf", 3) == 0)
        l->at += 3;
    for (head->n = 0; next_cell(l, cell); head->n++) {
        const char *field = field_of(cell);

        if (head->n == COLUMNS_MAX)
            return emt_fail(diag, EMT_EMALFORMED, "line 1: more than %d columns", COLUMNS_MAX);
        if (field == NULL)
            return emt_fail(diag, EMT_EMALFORMED, "line 1: the name of column %zu is not known",
                            head->n + 1);
        for (size_t i = 0; i < head->n; i++) {
            if (head->field[i] == field || strcmp(head->field[i], field) == 0)
                return emt_fail(diag, EMT_EMALFORMED, "line 1: %s is there twice", field);
        }
        head->field[head->n] = field;
        has_key = has_key || strcmp(field, "key") == 0;
    }
    if (l->fault != NULL)
        return emt_fail(diag, EMT_EMALFORMED, "line 1: %s", l->fault);
    return has_key ? EMT_OK : emt_fail(diag, EMT_EMALFORMED, "line 1: there is no column 'key'");
}

static enum emt_err read_line(struct line *l, const struct head *head, struct meter_key *k,
                              struct emt_diag *diag)
{
    char cell[CELL_MAX];
    enum emt_err err = EMT_OK;

    meter_key_init(k);
    for (size_t i = 0; err == EMT_OK && next_cell(l, cell); i++) {
        if (i == head->n)
            err = emt_fail(diag, EMT_EMALFORMED, "more cells than columns");
        else
            err = meter_key_set(k, head->field[i], cell, diag);
    }
    cipher_wipe(cell, sizeof cell);
    if (err == EMT_OK && l->fault != NULL)
        err = emt_fail(diag, EMT_EMALFORMED, "%s", l->fault);
    if (err == EMT_OK && k->key_len == 0)
        err = emt_fail(diag, EMT_EMALFORMED, "key: is missing");
    return err;
}

static bool is_blank(const struct line *l)
{
    for (const char *p = l->at; p < l->end; p++) {
        if (*p != ' ')
            return false;
    }
    return true;
}

enum emt_err meter_key_csv_read(const char *text, size_t n,
                                void (*take)(void *ctx, unsigned line, const struct meter_key *k,
                                             const char *reason),
                                void *ctx, struct emt_diag *diag)
{
    const char *past = text + n;
    struct head head = { .n = 0 };

    for (unsigned no = 1; text < past; no++) {
        const char *next = memchr(text, '\n', (size_t)(past - text));
        struct line line = { text, next != NULL ? next : past, NULL };
        struct emt_diag why = { 0 };
        struct meter_key k;

        text = next != NULL ? next + 1 : past;
        if (line.end > line.at && line.end[-1] == '\r')
            line.end--;
        if (no > METER_KEY_LINES_MAX)
            return emt_fail(diag, EMT_ELIMIT, "more than %d lines", METER_KEY_LINES_MAX);
        if (no == 1) {
            enum emt_err err = read_head(&line, &head, diag);

            if (err != EMT_OK)
                return err;
        } else if (!is_blank(&line)) {
            bool ok = read_line(&line, &head, &k, &why) == EMT_OK;

            take(ctx, no, ok ? &k : NULL, ok ? NULL : why.text);
            meter_key_wipe(&k);
        }
    }
    return head.n > 0 ? EMT_OK : emt_fail(diag, EMT_EMALFORMED, "there is no head line");
}
