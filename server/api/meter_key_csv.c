#include "meter_key_csv.h"

#include "api_text.h"
#include "base/cipher.h"
#include "base/hex.h"
#include "csv.h"
#include "model/device_id.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

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

static enum emt_err set_authentication_key(struct meter_key *k, const char *text,
                                           struct emt_diag *diag)
{
    size_t n = 0;

    if (hex_decode(text, strlen(text), k->authentication_key, sizeof k->authentication_key, &n) !=
            EMT_OK ||
        (n != 16 && n != 32))
        return emt_fail(diag, EMT_EMALFORMED, "authentication_key: must be 32 or 64 hex digits");
    k->authentication_key_len = n;
    return EMT_OK;
}

static enum emt_err set_system_title(struct meter_key *k, const char *text, struct emt_diag *diag)
{
    size_t n = 0;

    if (hex_decode(text, strlen(text), k->system_title, sizeof k->system_title, &n) != EMT_OK ||
        n != sizeof k->system_title)
        return emt_fail(diag, EMT_EMALFORMED, "system_title: must be 16 hex digits");
    k->has_system_title = true;
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
    if (strcmp(name, "authentication_key") == 0)
        return set_authentication_key(k, text, diag);
    if (strcmp(name, "system_title") == 0)
        return set_system_title(k, text, diag);
    return set_label(k, text, diag);
}

/* --- lines --- */

enum {
    FIELD_KEY,
    FIELD_NUMBER,
    FIELD_MANUFACTURER,
    FIELD_VERSION,
    FIELD_TYPE,
    FIELD_LABEL,
    FIELD_AUTHENTICATION_KEY,
    FIELD_SYSTEM_TITLE
};

/* Column names of the field, and ours. */
static const struct csv_name names[] = {
    { "key", FIELD_KEY },
    { "number", FIELD_NUMBER },
    { "address", FIELD_NUMBER },
    { "id", FIELD_NUMBER },
    { "manufacturer", FIELD_MANUFACTURER },
    { "version", FIELD_VERSION },
    { "type", FIELD_TYPE },
    { "devicetype", FIELD_TYPE },
    { "label", FIELD_LABEL },
    { "authenticationkey", FIELD_AUTHENTICATION_KEY },
    { "authentication_key", FIELD_AUTHENTICATION_KEY },
    { "systemtitle", FIELD_SYSTEM_TITLE },
    { "system_title", FIELD_SYSTEM_TITLE },
};
static const char *const field_names[] = { "key",  "number", "manufacturer",       "version",
                                           "type", "label",  "authentication_key", "system_title" };

static enum emt_err set_cell(void *ctx, int field, const char *text, struct emt_diag *diag)
{
    return meter_key_set(ctx, field_names[field], text, diag);
}

static enum emt_err read_line(struct csv_line *line, const struct csv_head *head,
                              struct meter_key *k, struct emt_diag *diag)
{
    meter_key_init(k);
    enum emt_err err = csv_read_line(line, head, set_cell, k, diag);
    if (err == EMT_OK && k->key_len == 0)
        err = emt_fail(diag, EMT_EMALFORMED, "key: is missing");
    return err;
}

enum emt_err meter_key_csv_read(const char *text, size_t n,
                                void (*take)(void *ctx, unsigned line, const struct meter_key *k,
                                             const char *reason),
                                void *ctx, struct emt_diag *diag)
{
    struct csv csv;
    struct csv_line line;
    struct csv_head head;

    csv_init(&csv, text, n);
    enum emt_err err =
        csv_read_head(&csv, names, sizeof names / sizeof names[0], 1u << FIELD_KEY, &head, diag);
    while (err == EMT_OK && csv_next_line(&csv, &line)) {
        struct emt_diag why = { 0 };
        struct meter_key k;

        if (csv.line > METER_KEY_LINES_MAX) {
            err = emt_fail(diag, EMT_ELIMIT, "more than %d lines", METER_KEY_LINES_MAX);
        } else if (!csv_is_blank(&line)) {
            bool ok = read_line(&line, &head, &k, &why) == EMT_OK;

            take(ctx, csv.line, ok ? &k : NULL, ok ? NULL : why.text);
            meter_key_wipe(&k);
        }
    }
    return err;
}
