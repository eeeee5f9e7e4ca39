/* Places of the market and the channels bound to them. Inside a transaction of the tenant. A list
 * is ascending or newest first as it says, starts behind the cursor, and its column 0 is the cursor
 * of each row. */
#ifndef EMT_STORE_LOCATION_STORE_H
#define EMT_STORE_LOCATION_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "model/decimal.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* EMT_ECONFLICT the code exists. */
EMT_CHECKED enum emt_err location_insert(struct store *s, int32_t tenant, int kind,
                                         const char *code, const char *name, const char *receiver,
                                         int64_t *id);
/* (cursor, code, kind, name, receiver_mp_id, created_at, location_id); q: part of code or name, in
 * any case, NULL: any; kind -1: any. */
EMT_CHECKED enum emt_err location_list(struct store *s, int32_t tenant, const char *q, int kind,
                                       const char *after, int limit, struct store_result **out);
/* Columns of location_get(). */
enum { LOCATION_NAME = 3, LOCATION_RECEIVER = 4 };
/* One row as location_list(). EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err location_get(struct store *s, int32_t tenant, const char *code,
                                      struct store_result **out);
/* Its number. EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err location_find(struct store *s, int32_t tenant, const char *code,
                                       int64_t *id);
/* The same, and locks the place until the end of the transaction: who binds does so alone. */
EMT_CHECKED enum emt_err location_lock(struct store *s, int32_t tenant, const char *code,
                                       int64_t *id);
/* receiver NULL: none. EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err location_update(struct store *s, int32_t tenant, const char *code,
                                         const char *name, const char *receiver);
/* EMT_ECONFLICT something is bound to it; EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err location_delete(struct store *s, int32_t tenant, const char *code);
/* EMT_ECONFLICT no such channel; EMT_ELIMIT the period ends before it begins. */
EMT_CHECKED enum emt_err binding_insert(struct store *s, int32_t tenant, int64_t location_id,
                                        int64_t channel_id, const char *obis,
                                        int64_t ratio_mantissa, int ratio_exponent,
                                        const char *device_number, emt_time valid_from,
                                        emt_time valid_to, int64_t *id);
/* What an export has to know of a binding besides. */
struct binding_market {
    unsigned use_case; /* the only one that it serves; 0: each that its OBIS number is listed for */
    const char *order_number, *config_id; /* NULL: none */
    const char *master_data_number;       /* of the message that announced its exchange; NULL */
    int decimals;                         /* fewer than the use case permits; -1: as many */
    int32_t step_s;                       /* 900 or 3600; 0: the use case's */
    /* In the unit of the channel; NULL: not known. The register begins again at 0 when it reaches
     * capacity; it showed first_reading when it was mounted and last_reading when it was taken
     * down. */
    const struct decimal *capacity, *first_reading, *last_reading;
};
/* EMT_ENOTFOUND; EMT_ELIMIT a number out of range. */
EMT_CHECKED enum emt_err binding_market_set(struct store *s, int32_t tenant, int64_t location_id,
                                            int64_t binding_id, const struct binding_market *m);
/* How many bindings of this place and code, but one (0: none), overlap the period; ordered: of
 * those for type-2 values, which have registers of their own. */
EMT_CHECKED enum emt_err binding_overlap(struct store *s, int32_t tenant, int64_t location_id,
                                         const char *obis, emt_time valid_from, emt_time valid_to,
                                         int64_t except, bool ordered, int64_t *n);
/* (cursor, binding_id, channel_id, obis, ratio_mantissa, ratio_exponent, device_number, valid_from,
 * valid_to, use_case text, order_number, config_id, decimals, step_s, capacity, first, last: each
 * mantissa and exponent, master_data_number). */
EMT_CHECKED enum emt_err binding_list(struct store *s, int32_t tenant, int64_t location_id,
                                      int limit, struct store_result **out);
/* One row as binding_list(). EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err binding_get(struct store *s, int32_t tenant, int64_t location_id,
                                     int64_t binding_id, struct store_result **out);
struct binding_row {
    int64_t channel_id;
    const char *obis, *device_number;
    struct decimal ratio;
    emt_time valid_from, valid_to; /* EMT_TIME_NONE: open */
    struct binding_market market;
};
/* All of it anew. EMT_ENOTFOUND; EMT_ECONFLICT no such channel; EMT_ELIMIT it ends before it
 * begins. */
EMT_CHECKED enum emt_err binding_update(struct store *s, int32_t tenant, int64_t location_id,
                                        int64_t binding_id, const struct binding_row *row);
/* As if it had never been: what was sent by it stays sent. EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err binding_delete(struct store *s, int32_t tenant, int64_t location_id,
                                        int64_t binding_id);

/* Columns of location_mapping(): a place with one of its bindings in each row, by code; places
 * without any have MAPPING_CHANNEL NULL. */
enum mapping_column {
    MAPPING_CURSOR,
    MAPPING_CODE,
    MAPPING_KIND,
    MAPPING_NAME,
    MAPPING_RECEIVER, /* "" none */
    MAPPING_CHANNEL,
    MAPPING_DEVICE,
    MAPPING_REGISTER, /* OBIS code of the channel, "" none */
    MAPPING_OBIS,
    MAPPING_RATIO, /* mantissa and exponent, as the other decimals */
    MAPPING_DEVICE_NUMBER = MAPPING_RATIO + 2,
    MAPPING_FROM,
    MAPPING_TO,
    MAPPING_USE_CASE,
    MAPPING_ORDER,
    MAPPING_CONFIG,
    MAPPING_DECIMALS,
    MAPPING_STEP,
    MAPPING_CAPACITY,
    MAPPING_FIRST = MAPPING_CAPACITY + 2,
    MAPPING_LAST = MAPPING_FIRST + 2,
    MAPPING_MASTER_DATA = MAPPING_LAST + 2
};
/* All of so many places behind a code. */
EMT_CHECKED enum emt_err location_mapping(struct store *s, int32_t tenant, const char *after,
                                          int places, struct store_result **out);

const struct store_statement *location_store_statements(size_t *n);

#endif
