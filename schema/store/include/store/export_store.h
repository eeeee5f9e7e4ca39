/* What an export reads (places and their registers) and what it leaves behind (numbers, files).
 * Inside a transaction of the tenant. */
#ifndef EMT_STORE_EXPORT_STORE_H
#define EMT_STORE_EXPORT_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "store/store.h"

#include <stddef.h>
#include <stdint.h>

enum location_kind { LOCATION_MELO = 1, LOCATION_MALO = 2 };

/* Columns of export_bindings(), one row per place and register, ordered by receiver, place,
 * register. A place without a register gives one row with binding_id NULL. */
enum {
    EXPORT_LOCATION_CODE, /* text */
    EXPORT_RECEIVER,      /* text, "" when none */
    EXPORT_BINDING_ID,    /* int8, NULL: nothing bound */
    EXPORT_CHANNEL_ID,    /* int8 */
    EXPORT_OBIS,          /* text, the market's */
    EXPORT_RATIO_MANTISSA,
    EXPORT_RATIO_EXPONENT,
    EXPORT_DEVICE_NUMBER, /* text */
    EXPORT_UNIT,          /* text, "" without: base unit of the channel */
    EXPORT_KIND,          /* int2, enum reading_kind */
    EXPORT_ACTIVE,        /* bool: the device is active */
    EXPORT_VALID_FROM,
    EXPORT_VALID_TO, /* NULL: open */
};
/* Bindings of places of one kind that overlap [from, to); location NULL: all. */
EMT_CHECKED enum emt_err export_bindings(struct store *s, int32_t tenant, enum location_kind kind,
                                         const char *location, emt_time from, emt_time to,
                                         struct store_result **out);

/* What an export needs to know of its tenant. */
struct export_tenant {
    char own_mp_id[32]; /* "" for none */
    int32_t tolerance_s;
    bool mandates_required; /* mandate_store.h */
};
/* EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err export_tenant_get(struct store *s, int32_t tenant,
                                           struct export_tenant *out);

/* The sender's last interchange reference, locked until the end of the transaction; "" for none.
 * out holds 32. */
EMT_CHECKED enum emt_err export_number_lock(struct store *s, int32_t tenant, const char *sender,
                                            char out[32]);
EMT_CHECKED enum emt_err export_number_set(struct store *s, int32_t tenant, const char *sender,
                                           const char *last);

struct export_file_row {
    const char *kind, *pid, *sender, *receiver, *reference, *file_name, *notes;
    emt_time from, to, created;
    int32_t messages;
    const void *content;
    size_t content_len;
    int64_t job; /* that writes it; 0: none */
};
EMT_CHECKED enum emt_err export_file_insert(struct store *s, int32_t tenant,
                                            const struct export_file_row *row, int64_t *file_id);

/* The file that this job wrote for the receiver before it was interrupted: (file_id, notes).
 * EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err export_file_of_job(struct store *s, int32_t tenant, int64_t job,
                                            const char *receiver, struct store_result **out);

/* Rows (file_id, kind, pid, sender, receiver, reference, file_name, period_from, period_to,
 * created_at, messages, notes, size int4), newest first, with file_id < before (0: from the
 * newest). */
EMT_CHECKED enum emt_err export_file_list(struct store *s, int32_t tenant, int64_t before,
                                          int limit, struct store_result **out);
/* One row as above plus content bytea as last column. EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err export_file_get(struct store *s, int32_t tenant, int64_t file_id,
                                         struct store_result **out);

const struct store_statement *export_store_statements(size_t *n);

#endif
