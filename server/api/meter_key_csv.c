#include "meter_key_csv.h"

#include "base/cipher.h"
#include "base/hex.h"
#include "model/device_id.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define COLUMNS_MAX 16
#define CELL_MAX 160

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
    /* Spreadsheets drop leading zeros of the eight digits of an M-Bus number. */
    snprintf(k->number, sizeof k->number, "%s%s", n < 8 ? &"00000000"[n] : "", text);
    return EMT_OK;
}

static enum emt_err set_byte(int *out, const char *name, const char *text, struct emt_diag *diag)
{
    char *end = NULL;
    bool hex = strncmp(text, "0x", 2) == 0 || strncmp(text, "0X", 2) == 0;
    long v = strtol(text, &end, hex ? 16 : 10);

    if (*end != '\0' || v < 0 || v > 255)
        return emt_fail(diag, EMT_EMALFORMED, "%s: must be 0 to 255, or 0x00 to 0xff", name);
    *out = (int)v;
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
    snprintf(k->label, sizeof k->label, "%s", text);
    return EMT_OK;
}

/* --- lines
 * ----------------------------------------------------------------------------------------------------------------
 */

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

/* The next cell of a line, trimmed, without quotes; false at the end of the line. Too long ones are
 * cut. */
static bool next_cell(const char **at, const char *end, char cell[CELL_MAX])
{
    const char *p = *at;
    size_t n = 0;
    bool quoted = false;

    if (p > end)
        return false;
    while (p < end && (*p == ' ' || *p == '\r'))
        p++;
    if (p < end && *p == '"') {
        quoted = true;
        p++;
    }
    for (; p < end && (quoted || !is_separator(*p)); p++) {
        if (quoted && *p == '"') {
            if (p + 1 < end && p[1] == '"')
                p++;
            else {
                quoted = false;
                continue;
            }
        }
        if (n < CELL_MAX - 1)
            cell[n++] = *p;
    }
    while (n > 0 && (cell[n - 1] == ' ' || cell[n - 1] == '\r'))
        n--;
    cell[n] = '\0';
    *at = p + 1; /* behind the separator; past `end` after the last cell */
    return true;
}

struct head {
    const char *field[COLUMNS_MAX];
    size_t n;
};

static enum emt_err read_head(const char *line, const char *end, struct head *head,
                              struct emt_diag *diag)
{
    char cell[CELL_MAX];
    bool has_key = false;

    if (end - line >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0)
        line += 3;
    for (head->n = 0; next_cell(&line, end, cell); head->n++) {
        if (head->n == COLUMNS_MAX)
            return emt_fail(diag, EMT_EMALFORMED, "line 1: more than %d columns", COLUMNS_MAX);
        head->field[head->n] = field_of(cell);
        if (head->field[head->n] == NULL)
            return emt_fail(diag, EMT_EMALFORMED, "line 1: no column is called '%.40s'", cell);
        has_key = has_key || strcmp(head->field[head->n], "key") == 0;
    }
    return has_key ? EMT_OK : emt_fail(diag, EMT_EMALFORMED, "line 1: there is no column 'key'");
}

static enum emt_err read_line(const char *line, const char *end, const struct head *head,
                              struct meter_key *k, struct emt_diag *diag)
{
    char cell[CELL_MAX];
    enum emt_err err = EMT_OK;

    meter_key_init(k);
    for (size_t i = 0; err == EMT_OK && next_cell(&line, end, cell); i++) {
        if (i == head->n)
            err = emt_fail(diag, EMT_EMALFORMED, "more cells than columns");
        else
            err = meter_key_set(k, head->field[i], cell, diag);
    }
    cipher_wipe(cell, sizeof cell);
    if (err == EMT_OK && k->key_len == 0)
        err = emt_fail(diag, EMT_EMALFORMED, "key: is missing");
    return err;
}

enum emt_err meter_key_csv_read(const char *text, size_t n,
                                void (*take)(void *ctx, unsigned line, const struct meter_key *k,
                                             const char *reason),
                                void *ctx, struct emt_diag *diag)
{
    const char *past = text + n;
    struct head head = { .n = 0 };

    for (unsigned no = 1; text < past; no++) {
        const char *end = memchr(text, '\n', (size_t)(past - text));
        struct emt_diag why = { 0 };
        struct meter_key k;

        if (end == NULL)
            end = past;
        if (no > METER_KEY_LINES_MAX)
            return emt_fail(diag, EMT_ELIMIT, "more than %d lines", METER_KEY_LINES_MAX);
        if (no == 1) {
            enum emt_err err = read_head(text, end, &head, diag);

            if (err != EMT_OK)
                return err;
        } else if (strspn(text, " \r") < (size_t)(end - text)) {
            bool ok = read_line(text, end, &head, &k, &why) == EMT_OK;

            take(ctx, no, ok ? &k : NULL, ok ? NULL : why.text);
            meter_key_wipe(&k);
        }
        text = end + 1;
    }
    return head.n > 0 ? EMT_OK : emt_fail(diag, EMT_EMALFORMED, "there is no head line");
}
