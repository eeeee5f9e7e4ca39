/* Keys of meters as people hand them over: CSV with a head line naming the columns address, key,
 * manufacturer, deviceType, version, label, authenticationKey, systemTitle in any order and case;
 * comma, semicolon or tab; quotes allowed; only key is required. */
#ifndef EMT_API_METER_KEY_CSV_H
#define EMT_API_METER_KEY_CSV_H

#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define METER_KEY_LINES_MAX 200000
#define METER_KEY_LABEL_MAX 100 /* characters */

/* "" and -1 match any meter. */
struct meter_key {
    char manufacturer[4];
    char number[33];
    int version;
    int type;
    char label[4 * METER_KEY_LABEL_MAX + 1];
    uint8_t key[32];
    size_t key_len; /* 16, 32, or 8 for DES */
    /* DLMS */
    uint8_t authentication_key[32];
    size_t authentication_key_len; /* 0, 16 or 32 */
    uint8_t system_title[8];
    bool has_system_title;
};
void meter_key_init(struct meter_key *k);
void meter_key_wipe(struct meter_key *k);
/* name: "key", "number", "manufacturer", "version", "type", "label", "authentication_key",
 * "system_title". An empty text leaves the field. EMT_EMALFORMED: diag says what is wrong, without
 * the key's digits. */
EMT_CHECKED enum emt_err meter_key_set(struct meter_key *k, const char *name, const char *text,
                                       struct emt_diag *diag);

/* Calls take once per line behind the head: with a key, or with NULL and the reason, which quotes
 * nothing of the line. EMT_EMALFORMED no head, a column that is unknown or there twice, or no
 * column "key"; EMT_ELIMIT more than METER_KEY_LINES_MAX lines. */
EMT_CHECKED enum emt_err meter_key_csv_read(const char *text, size_t n,
                                            void (*take)(void *ctx, unsigned line,
                                                         const struct meter_key *k,
                                                         const char *reason),
                                            void *ctx, struct emt_diag *diag);

#endif
