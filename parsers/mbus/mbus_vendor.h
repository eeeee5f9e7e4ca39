/* Manufacturer profiles in memory, and reading a block with one. Loading stands in vendor_load.c.
 */
#ifndef EMT_PARSERS_MBUS_VENDOR_H
#define EMT_PARSERS_MBUS_VENDOR_H

#include "mbus_prios.h"
#include "mbus_readings.h"
#include "model/decimal.h"
#include "parsers/vendor_profiles.h"

#define VENDOR_HEADER_MAX 24 /* DIB and VIB of a record */
#define VENDOR_TERMS_MAX 4
#define VENDOR_CONDITIONS_MAX 4
#define VENDOR_CONDITION_LEN 8
#define VENDOR_MANUFACTURERS_MAX 8
#define VENDOR_CIS_MAX 8
#define VENDOR_PRIOS_KEYS_MAX 4
#define VENDOR_PARTS_MAX 8
#define VENDOR_LOOKUP_MAX 16
#define VENDOR_NO_TAG 0xff /* of tag_len: a walk ends there */

enum vendor_place {
    VENDOR_RECORD, /* the data of a record with this DIB and VIB */
    VENDOR_TAIL,   /* behind DIF 0F or 1F */
    VENDOR_BODY,   /* everything behind the transport header with this CI */
};

enum vendor_number { VENDOR_UNSIGNED, VENDOR_SIGNED, VENDOR_BCD };

/* A number at a place: bits of it, times a factor. */
struct vendor_term {
    uint16_t at;
    uint8_t len; /* bytes, 1 to 8 */
    enum vendor_number number;
    bool big_endian;
    uint8_t bit, bits; /* bits 0: all */
    int64_t times;
};

enum vendor_date { VENDOR_DATE_NONE, VENDOR_DATE_G, VENDOR_DATE_PACKED };

/* One value, the sum of its terms; or `count` of them, each `step` bytes on. */
struct vendor_field {
    struct vendor_term terms[VENDOR_TERMS_MAX];
    unsigned nterms;
    bool has_none;
    int64_t none; /* this sum means that there is no value */
    int vif_at; /* a primary VIF in the block says quantity, unit and scale; -1: the next four do */
    enum quantity quantity;
    const char *unit; /* static */
    struct decimal scale;
    enum vendor_date date;
    uint16_t date_at;
    struct reading shape; /* function, storage, tariff, subunit, qualifier of the readings */
    unsigned count, step;
    int storage_step;
    bool has_tag;
    uint8_t tag; /* the field lies in the data behind this tag */
    bool has_part;
    uint8_t part;   /* the field lies in the part that this bit announces */
    int64_t divide; /* 0: not; for what no decimal factor says, rounded to `places` */
    int places;
    bool is_power; /* the sum plus power_plus is an exponent of two */
    unsigned power_plus;
    struct decimal *lookup; /* the sum is an index into these; NULL: it is the number */
    unsigned nlookup;
};

/* A part of a block that is there when its bit is set, behind those before it in the list. */
struct vendor_part {
    uint8_t bit, len;
};

struct vendor_condition {
    uint16_t at;
    uint8_t len;
    uint8_t is[VENDOR_CONDITION_LEN];
};

struct vendor_layout {
    struct vendor_layout *next;
    enum vendor_place place;
    uint8_t header[VENDOR_HEADER_MAX]; /* RECORD */
    size_t header_len;
    uint8_t cis[VENDOR_CIS_MAX]; /* BODY */
    unsigned ncis;
    size_t least, most;
    struct vendor_condition conditions[VENDOR_CONDITIONS_MAX];
    unsigned nconditions;
    /* BODY: scrambled as mbus_prios.h says, with one of these keys. */
    uint8_t prios_keys[VENDOR_PRIOS_KEYS_MAX][MBUS_PRIOS_KEY];
    unsigned nprios_keys;
    bool has_skip; /* fields count from: the byte at skip_at, plus skip_plus */
    uint16_t skip_at, skip_plus;
    struct vendor_part parts[VENDOR_PARTS_MAX];
    unsigned nparts;
    uint16_t part_flags, parts_from;
    bool instead;     /* RECORD: the standard's reading of it is left out */
    uint8_t *tag_len; /* 256 lengths by tag; NULL: no tags */
    uint16_t tags_from;
    struct vendor_field *fields;
    unsigned nfields;
};

/* A reading that stands in no telegram: formed from others of the same telegram. */
enum vendor_operation { VENDOR_SUM, VENDOR_DIFFERENCE, VENDOR_HYPOTENUSE };

struct vendor_calculated {
    enum vendor_operation operation;
    struct reading of[VENDOR_TERMS_MAX]; /* identity only */
    unsigned nof;
    struct decimal divide; /* the result by this; 0: not */
    int places;            /* rounded half away from zero to so many */
    struct reading shape;  /* quantity, unit, qualifier */
};

struct vendor_profile {
    struct vendor_profile *next;
    char manufacturers[VENDOR_MANUFACTURERS_MAX][4];
    unsigned nmanufacturers;
    bool any_version, any_type;
    uint8_t versions[32], types[32]; /* one bit each */
    struct vendor_layout *layouts;
    struct vendor_calculated *calculated;
    unsigned ncalculated;
};

/* Bytes that a layout may describe. */
struct vendor_block {
    enum vendor_place place;
    const uint8_t *header; /* DIB and VIB of a record */
    size_t header_len;
    uint8_t ci; /* of a body */
    const uint8_t *p;
    size_t n;
};

/* The first profile for the meter of the telegram; NULL: there is none, and nothing to find. */
const struct vendor_profile *vendor_first(const struct mbus_context *ctx);
/* The layout for a block, or NULL. */
const struct vendor_layout *vendor_find(const struct mbus_context *ctx,
                                        const struct vendor_profile *first,
                                        const struct vendor_block *block);
/* Adds what the layout says about the block. *opened false: it is scrambled, and no key of the
 * profile fits. EMT_ENOMEM. */
EMT_CHECKED enum emt_err vendor_put(const struct mbus_context *ctx,
                                    const struct vendor_layout *layout,
                                    const struct vendor_block *block,
                                    struct mbus_reading_list *list, bool *opened);

/* Adds what profiles of the meter calculate from the readings of the list, and marks it. The first
 * profile that calculates anything is used. EMT_ENOMEM. */
EMT_CHECKED enum emt_err vendor_calculate(const struct mbus_context *ctx,
                                          const struct vendor_profile *first,
                                          struct mbus_reading_list *list);
/* True: the profile is for this device. */
bool vendor_is_for(const struct vendor_profile *p, const struct device_id *device);

/* The first profile of a set. */
const struct vendor_profile *vendor_profiles_first(const struct vendor_profiles *v);

#endif
