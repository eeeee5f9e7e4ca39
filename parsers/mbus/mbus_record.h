/* One data record as sent (EN 13757-3): nothing scaled, nothing interpreted. */
#ifndef EMT_PARSERS_MBUS_RECORD_H
#define EMT_PARSERS_MBUS_RECORD_H

#include "base/attr.h"
#include "base/error.h"
#include "base/reader.h"
#include "model/reading.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MBUS_EXTENSIONS_MAX 10 /* DIFEs, and VIFEs */
#define MBUS_VIB_MAX (1 + MBUS_EXTENSIONS_MAX)

/* Data field codings, low nibble of the DIF. */
enum {
    MBUS_NO_DATA = 0,
    MBUS_INT8,
    MBUS_INT16,
    MBUS_INT24,
    MBUS_INT32,
    MBUS_FLOAT32,
    MBUS_INT48,
    MBUS_INT64,
    MBUS_SELECTION,
    MBUS_BCD2,
    MBUS_BCD4,
    MBUS_BCD6,
    MBUS_BCD8,
    MBUS_VARIABLE,
    MBUS_BCD12,
    MBUS_SPECIAL,
};

struct mbus_record {
    enum reading_function function;
    uint64_t storage; /* 0 = current value, 1.. = historic slots */
    uint32_t tariff;
    uint16_t subunit;
    uint8_t coding;            /* low nibble of the DIF */
    uint8_t vif[MBUS_VIB_MAX]; /* VIF and its VIFEs, vif_len of them, extension bits kept */
    uint8_t vif_len;
    const uint8_t *unit; /* plain-text unit, last character first; borrowed */
    size_t unit_len;
    const uint8_t *header; /* DIF to the last VIFE (and unit text); borrowed */
    size_t header_len;
    uint8_t lvar;         /* MBUS_VARIABLE: the length byte */
    const uint8_t *value; /* borrowed from the frame */
    size_t value_len;
    bool tail;         /* DIF 0F or 1F: manufacturer bytes to the end are in value */
    bool more_follows; /* DIF 1F */
};

/* Decodes the next record; fillers (2F) before it are passed over.
 * in:  positioned on a DIF; left behind the value on success.
 * out: good on EMT_OK only; its pointers live as long as the frame.
 * EMT_ENOTFOUND nothing but fillers is left; EMT_ETRUNCATED the bytes end inside the record;
 * EMT_EMALFORMED more than 10 extensions, or a reserved DIF or length. */
EMT_CHECKED enum emt_err mbus_record_decode(struct reader *in, struct mbus_record *out);
/* DIB and VIB of a record whose data stand elsewhere (compact frames): value stays empty. */
EMT_CHECKED enum emt_err mbus_record_header(struct reader *in, struct mbus_record *out);
/* The data of a record whose header is known. */
EMT_CHECKED enum emt_err mbus_record_data(struct reader *in, struct mbus_record *rec);
/* Walks a whole record area. EMT_OK: it ends behind a record or with manufacturer bytes; *count
 * records. */
EMT_CHECKED enum emt_err mbus_records_check(const uint8_t *p, size_t n, unsigned *count);

#endif
