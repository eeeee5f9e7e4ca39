#include "mscons/mscons_rules.h"

#include "model/local_day.h"
#include "mscons/mscons_id.h"

#include <stdint.h>
#include <string.h>

/* Status codes, shared by the use cases of one sector (AHB 3.2, SG10 STS). */
#define NOTES_POWER "Z83:5 Z84:45 Z85:45 Z86:45 Z87:45 ZC3:45"
#define NOTES_GAS "Z83:5 Z84:456 Z85:456 Z86:456 Z87:456 ZC3:5 ZR5:456"
#define METHODS_POWER "Z88:4 Z89:4 Z92:4 ZJ2:4"
#define METHODS_GAS "Z89:46 Z90:46 Z91:46 Z92:46 Z93:46 Z94:46 Z95:46 ZQ8:46 ZQ9:46 ZR0:46"
#define CORRECTIONS_POWER                                                                          \
    "Z74:4 Z75:4 Z76:4 Z77:4 Z78:4 Z79:4 Z80:4 Z81:4 Z82:4 ZA0:4 ZA1:4 ZA3:45 ZA4:45 ZA5:45 "      \
    "ZA6:45 ZA7:45 ZB0:45 ZB9:45 ZC2:45 ZC4:4"
#define CORRECTIONS_GAS                                                                            \
    "Z74:4678 Z75:4678 Z76:4678 Z78:4678 Z80:4678 Z81:4678 Z82:4678 Z98:46 Z99:678 ZA0:4678 "      \
    "ZA1:678 ZA4:45678 ZA5:45678 ZA6:45678 ZA7:45678 ZA8:45678 ZA9:45678 ZB0:45678 ZC4:478 "       \
    "ZR1:4678 ZR2:4678 ZR3:4678 ZR4:4678"
#define REASONS_POWER                                                                              \
    "Z74:4 Z75:4 Z76:4 Z77:4 Z78:4 Z79:4 Z80:4 Z81:4 Z82:4 ZA0:4 ZA1:4 ZA3:4 ZA4:4 ZA5:4 ZA6:4 "   \
    "ZA7:4 ZB0:4 ZB9:4 ZC2:4 ZC4:4"
#define REASONS_GAS                                                                                \
    "Z74:4 Z75:4 Z76:4 Z78:4 Z80:4 Z81:4 Z82:4 Z98:4 Z99:4 ZA0:4 ZA1:4 ZA4:4 ZA5:4 ZA6:4 ZA7:4 "   \
    "ZB0:4 ZC4:4 ZR1:4 ZR2:4 ZR3:4 ZR4:4"

/* A field left out is empty, false or the first of its enum. */
static const struct mscons_use_case use_cases[] = {
    { .pid = 13002,
      .applications = "VL",
      .sector = SECTOR_GAS,
      .documents = "7",
      .function = "9",
      .references = "AGI Z30",
      .party = "DP",
      .locations = "172!",
      .places = PLACE_MELO,
      .details = "MG!",
      .products = "SRW",
      .quantities = "220 67 201 20 Z18",
      .times = TIMES_READING_OR_GAS,
      .line = LINE_GAS,
      .notes = NOTES_GAS,
      .methods = METHODS_GAS,
      .corrections = CORRECTIONS_GAS,
      .reasons = REASONS_GAS " ZT8:4",
      .gas_quality = true },
    { .pid = 13003,
      .applications = "TL",
      .documents = "BK Z39",
      .function = "9",
      .party = "DP",
      .locations = "172!",
      .places = PLACE_MELO,
      .period = "492!@BK 293!@BK",
      .products = "SRW",
      .quantities = "220@Z39 67@Z39 79@BK Z18@Z39 Z30@Z39" },
    { .pid = 13005,
      .applications = "TL",
      .documents = "Z15",
      .function = "9",
      .party = "Z15",
      .locations = "237! 107!",
      .places = PLACE_EIC,
      .period = "163! 164! 293!",
      .series_kind = true,
      .products = "SRW",
      .quantities = "79",
      .tiles = true },
    { .pid = 13006,
      .applications = "EM VL",
      .sector = SECTOR_BOTH,
      .documents = "7 270 Z27 Z28 Z41 Z42 Z85",
      .function = "1",
      .references = "ACW!",
      .party = "DP",
      .locations = "172!",
      .places = PLACE_MALO | PLACE_MELO | PLACE_NELO | PLACE_TR | PLACE_EMPTY },
    { .pid = 13007,
      .applications = "TL",
      .sector = SECTOR_GAS,
      .documents = "Z21",
      .function = "9",
      .party = "DP",
      .locations = "172!",
      .places = PLACE_MALO | PLACE_MELO,
      .period = "163! 164! 293!",
      .products = "SRW",
      .quantities = "220 67 201 20",
      .tiles = true,
      .methods = METHODS_GAS,
      .corrections = CORRECTIONS_GAS,
      .reasons = REASONS_GAS,
      .gas_quality = true },
    { .pid = 13008,
      .applications = "TL",
      .sector = SECTOR_GAS,
      .documents = "7",
      .function = "9",
      .references = "AGI",
      .party = "DP",
      .locations = "172!",
      .places = PLACE_MALO | PLACE_MELO,
      .period = "163! 164!",
      .products = "SRW",
      .quantities = "220 67 201 20 187 Z18",
      .future = true,
      .tiles = true,
      .notes = NOTES_GAS,
      .methods = METHODS_GAS " ZS0:4",
      .corrections = CORRECTIONS_GAS " ZJ9:45",
      .reasons = REASONS_GAS " ZS9:4",
      .gas_quality = true },
    { .pid = 13009,
      .applications = "EM",
      .sector = SECTOR_GAS,
      .documents = "7 Z27",
      .function = "9",
      .references = "AGI",
      .party = "DP",
      .locations = "172!",
      .places = PLACE_MALO | PLACE_MELO,
      .products = "SRW",
      .quantities = "220 67 201@7 20@7 187@7",
      .times = TIMES_GAS_YEAR,
      .line = LINE_GAS,
      .notes = NOTES_GAS,
      .methods = METHODS_GAS " ZS0:4m",
      .corrections = CORRECTIONS_GAS " ZJ9:45",
      .reasons = REASONS_GAS " ZS9:4m",
      .gas_quality = true },
    { .pid = 13010,
      .applications = "TL",
      .documents = "Z06",
      .function = "9",
      .party = "DED",
      .locations = "Z04!",
      .places = PLACE_NAME,
      .period = "293",
      .products = "SRW",
      .quantities = "187",
      .future = true },
    { .pid = 13011,
      .applications = "TL",
      .documents = "Z16",
      .function = "9",
      .party = "DED",
      .locations = "Z06!",
      .places = PLACE_NAME,
      .period = "293! 157!",
      .products = "SRW Z02",
      .quantities = "187",
      .times = TIMES_NONE },
    { .pid = 13012,
      .applications = "TL",
      .documents = "Z20",
      .function = "9",
      .party = "DED",
      .locations = "Z04!",
      .places = PLACE_NAME,
      .period = "293",
      .products = "SRW",
      .quantities = "187",
      .future = true },
    { .pid = 13013,
      .applications = "EM",
      .sector = SECTOR_GAS,
      .documents = "Z24",
      .function = "9",
      .references = "AGI!",
      .party = "DP",
      .locations = "172!",
      .places = PLACE_MALO,
      .period = "492!",
      .products = "Z02",
      .quantities = "79",
      .times = TIMES_MONTH_DAY,
      .several_places = true },
    { .pid = 13014,
      .applications = "EM",
      .sector = SECTOR_BOTH,
      .documents = "Z23",
      .function = "9",
      .references = "AGI", /* until 2.4c */
      .party = "DP",
      .locations = "172!",
      .places = PLACE_MALO,
      .products = "Z02",
      .quantities = "79",
      .line = LINE_SECTOR },
    { .pid = 13015,
      .applications = "EM",
      .documents = "Z27",
      .function = "9",
      .references = "AGI!",
      .party = "DP",
      .locations = "172!",
      .places = PLACE_MALO,
      .products = "SRW",
      .quantities = "220 67",
      .times = TIMES_ENERGY_OR_MAX,
      .line = LINE_POWER,
      .methods = METHODS_POWER },
    { .pid = 13016,
      .applications = "EM",
      .documents = "Z28 Z42",
      .function = "9",
      .references = "AGI@Z28",
      .party = "DP",
      .locations = "172!",
      .places = PLACE_MALO,
      .products = "SRW Z02",
      .quantities = "220@Z28 67@Z28 Z18@Z28 Z31@Z42",
      .times = TIMES_ENERGY_OR_MAX,
      .line = LINE_POWER,
      .notes = NOTES_POWER,
      .methods = METHODS_POWER " ZS0:4m",
      .corrections = CORRECTIONS_POWER,
      .reasons = REASONS_POWER " ZS9:4m" },
    { .pid = 13017,
      .applications = "VL",
      .documents = "7",
      .function = "9",
      .references = "AGI",
      .party = "DP",
      .locations = "172!",
      .places = PLACE_MELO | PLACE_EMPTY,
      .details = "MG AGK",
      .products = "SRW",
      .quantities = "220 67 Z18",
      .times = TIMES_READING,
      .line = LINE_POWER,
      .notes = NOTES_POWER " ZS2:4",
      .methods = METHODS_POWER,
      .corrections = CORRECTIONS_POWER,
      .reasons = REASONS_POWER " ZT8:4" },
    { .pid = 13018,
      .applications = "TL",
      .documents = "7",
      .function = "9",
      .references = "AGI",
      .party = "DP",
      .locations = "172!",
      .places = PLACE_MELO | PLACE_NELO,
      .period = "163! 164!",
      .products = "SRW",
      .quantities = "220 67 Z18",
      .tiles = true,
      .notes = NOTES_POWER,
      .methods = METHODS_POWER,
      .corrections = CORRECTIONS_POWER " ZJ8:4 ZJ9:45",
      .reasons = REASONS_POWER },
    { .pid = 13019,
      .applications = "EM",
      .documents = "7 Z41",
      .function = "9",
      .references = "AGI@7",
      .party = "DP",
      .locations = "172!",
      .places = PLACE_MALO | PLACE_MELO | PLACE_EMPTY,
      .details = "AGK",
      .products = "SRW",
      .quantities = "220@7 67@7 Z31@Z41",
      .line = LINE_POWER,
      .notes = NOTES_POWER,
      .methods = METHODS_POWER " ZS0:4m",
      .corrections = CORRECTIONS_POWER " ZJ8:4 ZJ9:45",
      .reasons = REASONS_POWER " ZS9:4m",
      .basis = true },
    { .pid = 13020,
      .applications = "TL",
      .documents = "Z43 Z69",
      .function = "9",
      .party = "Z15",
      .locations = "172!",
      .places = PLACE_MELO,
      .period = "163!@Z69 164!@Z69 492!@Z43 293!@Z43",
      .products = "Z08",
      .quantities = "79",
      .unit = true },
    { .pid = 13021,
      .applications = "TL",
      .documents = "Z44",
      .function = "9",
      .party = "DP",
      .locations = "172!",
      .places = PLACE_TR,
      .period = "163! 164! 293!",
      .products = "Z08",
      .quantities = "220",
      .unit = true,
      .tiles = true },
    { .pid = 13022,
      .applications = "TL",
      .documents = "Z45",
      .function = "9",
      .references = "AGI",
      .party = "DP",
      .locations = "172!",
      .places = PLACE_MALO | PLACE_TR,
      .period = "163! 164! 293!",
      .products = "Z08",
      .quantities = "220",
      .unit = true,
      .tiles = true },
    { .pid = 13023,
      .applications = "TL",
      .documents = "Z46",
      .function = "9",
      .party = "DP",
      .locations = "172!",
      .places = PLACE_MELO,
      .period = "492! 293!",
      .products = "Z08",
      .quantities = "79",
      .unit = true },
    { .pid = 13025,
      .applications = "TL",
      .documents = "Z48",
      .function = "9",
      .references = "AGI",
      .party = "DP",
      .locations = "172!",
      .places = PLACE_MALO,
      .period = "163! 164!",
      .products = "SRW",
      .quantities = "220 67 Z18",
      .tiles = true,
      .notes = NOTES_POWER,
      .methods = METHODS_POWER " ZS0:4m",
      .corrections = CORRECTIONS_POWER,
      .reasons = REASONS_POWER " ZS9:4m" },
    { .pid = 13026,
      .applications = "TL",
      .documents = "Z50",
      .function = "9",
      .party = "Z15",
      .locations = "237! 107!",
      .places = PLACE_EIC,
      .period = "163! 164! 293!",
      .series_kind = true,
      .products = "Z08",
      .quantities = "79",
      .unit = true,
      .tiles = true },
    { .pid = 13027,
      .applications = "TL",
      .documents = "Z83",
      .function = "9",
      .references = "AGI!",
      .party = "DP",
      .locations = "172!",
      .places = PLACE_MALO | PLACE_MELO | PLACE_NELO,
      .products = "SRW",
      .quantities = "220 67 Z18",
      .times = TIMES_TYPE2 },
    { .pid = 13028,
      .applications = "EM",
      .documents = "Z85",
      .function = "9",
      .party = "DP",
      .locations = "172!",
      .places = PLACE_MALO,
      .products = "SRW",
      .quantities = "Z47",
      .line = LINE_POWER },
};

const struct mscons_use_case *mscons_use_case(unsigned pid)
{
    for (size_t i = 0; i < sizeof(use_cases) / sizeof(use_cases[0]); i++) {
        if (use_cases[i].pid == pid)
            return &use_cases[i];
    }
    return NULL;
}

/* One entry of a list: "code", "code!", "code@BGM", "code!@BGM". */
struct entry {
    const char *code;
    size_t code_len;
    bool must;
    const char *bgm;
    size_t bgm_len;
};

static bool next_entry(const char **at, struct entry *out)
{
    const char *p = *at;
    const char *end;

    while (p && *p == ' ')
        p++;
    if (!p || !*p)
        return false;
    end = p + strcspn(p, " ");
    *out = (struct entry){ .code = p };
    out->code_len = strcspn(p, " !@");
    p += out->code_len;
    if (*p == '!') {
        out->must = true;
        p++;
    }
    if (*p == '@') {
        out->bgm = p + 1;
        out->bgm_len = (size_t)(end - out->bgm);
    }
    *at = end;
    return true;
}

static bool same(const char *text, const char *p, size_t n)
{
    return strlen(text) == n && memcmp(text, p, n) == 0;
}

static bool entry_holds(const struct entry *e, const char *bgm)
{
    return !e->bgm || same(bgm, e->bgm, e->bgm_len);
}

bool mscons_list_has(const char *list, const char *code, const char *bgm, bool *must)
{
    struct entry e;

    while (next_entry(&list, &e)) {
        if (same(code, e.code, e.code_len) && entry_holds(&e, bgm)) {
            if (must)
                *must = e.must;
            return true;
        }
    }
    return false;
}

bool mscons_list_must(const char *list, size_t n, const char *bgm, char out[8])
{
    struct entry e;

    while (next_entry(&list, &e)) {
        if (!e.must || !entry_holds(&e, bgm))
            continue;
        if (n-- == 0) {
            size_t len = e.code_len < 7 ? e.code_len : 7;

            memcpy(out, e.code, len);
            out[len] = '\0';
            return true;
        }
    }
    return false;
}

static char package_of(const char *qualifier)
{
    static const struct {
        const char *qualifier;
        char package;
    } packages[] = { { "67", '4' }, { "220", '5' }, { "201", '6' }, { "20", '7' }, { "Z18", '8' } };

    for (size_t i = 0; i < sizeof(packages) / sizeof(packages[0]); i++) {
        if (strcmp(packages[i].qualifier, qualifier) == 0)
            return packages[i].package;
    }
    return '-';
}

bool mscons_status_allowed(const char *list, const char *code, const char *qualifier,
                           bool short_place)
{
    size_t n = strlen(code);
    const char *p = list;

    while (p && *p) {
        size_t len = strcspn(p, " ");

        if (len > n && p[n] == ':' && memcmp(p, code, n) == 0) {
            bool at_malo = memchr(p + n, 'm', len - n) != NULL;

            return memchr(p + n, package_of(qualifier), len - n) && (short_place || !at_malo);
        }
        p += len;
        p += strspn(p, " ");
    }
    return false;
}

/* Ranges of the value groups, both ends included (EDI@Energy code list of OBIS numbers 2.5c). */
struct obis_rule {
    unsigned pid;
    uint8_t a, b[2], c[2], d[2], e[2];
    bool z02;        /* product qualifier Z02, OBIS-like, in the place of SRW */
    const char *bgm; /* only with this kind of document; NULL: with each */
};

#define B_POWER                                                                                    \
    {                                                                                              \
        0, 65                                                                                      \
    }
#define B_GAS                                                                                      \
    {                                                                                              \
        0, 64                                                                                      \
    }
#define E_TARIFF                                                                                   \
    {                                                                                              \
        0, 62                                                                                      \
    }
#define IS(v)                                                                                      \
    {                                                                                              \
        v, v                                                                                       \
    }

/* clang-format off */
static const struct obis_rule obis_rules[] = {
    { 13002, 7, B_GAS, IS(3), { 0, 2 }, IS(0), false, NULL },
    { 13002, 7, B_GAS, IS(6), { 0, 2 }, IS(0), false, NULL },
    { 13002, 7, B_GAS, IS(13), IS(2), IS(0), false, NULL },
    { 13002, 7, B_GAS, IS(16), IS(2), IS(0), false, NULL },
    { 13002, 7, IS(0), IS(52), IS(0), IS(22), false, NULL },
    { 13002, 7, IS(0), IS(54), IS(0), IS(16), false, NULL },
    { 13002, 7, IS(0), IS(54), IS(0), IS(20), false, NULL },
    { 13002, 7, IS(0), IS(54), IS(0), IS(22), false, NULL },
    { 13003, 1, IS(1), { 1, 2 }, IS(29), IS(0), false, NULL },
    { 13005, 1, IS(1), IS(1), IS(29), IS(0), false, NULL },
    /* Gas quality; 13 to 18 are named by the conditions on negative values, not by the list. */
    { 13007, 7, IS(0), IS(54), IS(0), { 16, 22 }, false, NULL },
    { 13007, 7, IS(30), IS(54), IS(0), { 16, 22 }, false, NULL },
    { 13007, 7, IS(40), IS(54), IS(0), { 16, 22 }, false, NULL },
    { 13007, 7, B_GAS, IS(99), IS(45), { 0, 62 }, false, NULL },
    { 13007, 7, B_GAS, IS(70), { 8, 18 }, { 16, 22 }, false, NULL },
    { 13007, 7, B_GAS, IS(70), { 60, 84 }, { 16, 22 }, false, NULL },
    { 13007, 7, B_GAS, IS(70), { 90, 92 }, { 16, 22 }, false, NULL },
    { 13008, 7, IS(10), IS(99), IS(33), IS(17), false, NULL },
    { 13008, 7, IS(20), IS(99), IS(33), IS(17), false, NULL },
    { 13008, 7, IS(10), IS(99), IS(36), IS(17), false, NULL },
    { 13008, 7, IS(20), IS(99), IS(36), IS(17), false, NULL },
    { 13008, 7, IS(0), IS(52), IS(0), IS(22), false, NULL },
    { 13008, 7, IS(0), IS(54), IS(0), IS(16), false, NULL },
    { 13008, 7, IS(0), IS(54), IS(0), IS(20), false, NULL },
    { 13008, 7, IS(0), IS(54), IS(0), IS(22), false, NULL },
    { 13008, 7, IS(30), IS(54), IS(0), { 16, 22 }, false, NULL },
    { 13008, 7, IS(40), IS(54), IS(0), { 16, 22 }, false, NULL },
    { 13008, 7, B_GAS, IS(99), { 21, 26 }, IS(0), false, NULL },
    { 13008, 7, B_GAS, IS(99), { 21, 26 }, IS(15), false, NULL },
    { 13008, 7, B_GAS, IS(99), { 21, 26 }, IS(2), false, NULL },
    { 13008, 7, B_GAS, IS(99), { 21, 26 }, IS(17), false, NULL },
    { 13008, 7, B_GAS, IS(99), { 31, 36 }, IS(2), false, NULL },
    { 13008, 7, B_GAS, IS(99), { 31, 36 }, IS(17), false, NULL },
    { 13008, 7, B_GAS, IS(99), { 61, 66 }, IS(0), false, NULL },
    { 13008, 7, B_GAS, IS(99), { 61, 66 }, IS(15), false, NULL },
    { 13008, 7, B_GAS, IS(99), { 41, 42 }, IS(16), false, NULL },
    { 13008, 7, B_GAS, IS(53), IS(0), IS(16), false, NULL },
    { 13008, 7, B_GAS, IS(55), IS(0), { 16, 22 }, false, NULL },
    { 13009, 7, B_GAS, IS(3), { 21, 23 }, IS(0), false, "7" },
    { 13009, 7, B_GAS, IS(6), { 21, 23 }, IS(0), false, "7" },
    { 13009, 7, B_GAS, IS(13), IS(21), IS(0), false, "7" },
    { 13009, 7, B_GAS, IS(16), IS(21), IS(0), false, "7" },
    { 13009, 7, IS(0), IS(33), IS(86), IS(0), false, NULL },
    { 13009, 7, IS(0), IS(33), IS(47), IS(0), false, "Z27" },
    { 13009, 7, IS(0), IS(52), IS(0), IS(22), false, "7" },
    { 13009, 7, IS(0), IS(54), IS(0), IS(16), false, "7" },
    { 13009, 7, IS(0), IS(54), IS(0), IS(20), false, "7" },
    { 13009, 7, IS(0), IS(54), IS(0), IS(22), false, "7" },
    { 13010, 1, B_POWER, IS(1), IS(29), IS(0), false, NULL },
    { 13011, 1, B_POWER, IS(1), IS(4), IS(0), false, NULL },
    { 13011, 1, B_POWER, IS(1), IS(29), IS(0), false, NULL },
    { 13011, 1, B_POWER, IS(9), IS(99), IS(0), true, NULL },
    { 13012, 1, B_POWER, IS(1), IS(29), IS(0), false, NULL },
    { 13013, 7, B_GAS, IS(9), IS(98), IS(0), true, NULL },
    { 13014, 1, B_POWER, { 1, 2 }, IS(98), IS(0), true, NULL },
    { 13014, 7, B_GAS, IS(9), IS(98), IS(1), true, NULL },
    { 13015, 1, IS(1), IS(1), IS(6), IS(0), false, NULL },
    { 13015, 1, IS(1), IS(1), IS(9), IS(0), false, NULL },
    { 13016, 1, B_POWER, IS(1), IS(9), E_TARIFF, false, NULL },
    { 13016, 1, B_POWER, { 1, 8 }, IS(6), IS(0), false, "Z28" },
    { 13016, 1, B_POWER, IS(1), IS(6), IS(0), false, "Z42" },
    /* Reactive energy of delivery notes on old periods, excess of it among them. */
    { 13016, 1, B_POWER, { 3, 4 }, IS(9), IS(0), false, "Z42" },
    { 13016, 1, B_POWER, { 3, 4 }, IS(6), IS(0), false, "Z42" },
    { 13016, 1, IS(66), { 13, 14 }, IS(9), IS(0), true, "Z42" },
    { 13016, 1, IS(66), { 13, 14 }, IS(6), IS(0), true, "Z42" },
    { 13017, 1, B_POWER, { 1, 8 }, IS(8), E_TARIFF, false, NULL },
    { 13017, 1, B_POWER, { 1, 2 }, IS(8), IS(63), false, NULL }, /* error register */
    { 13017, 1, B_POWER, { 1, 8 }, IS(6), IS(0), false, NULL },
    { 13018, 1, B_POWER, { 1, 8 }, IS(29), IS(0), false, NULL },
    { 13019, 1, B_POWER, IS(1), IS(9), E_TARIFF, false, NULL },
    { 13019, 1, B_POWER, { 2, 8 }, IS(9), IS(0), false, NULL },
    { 13025, 1, B_POWER, { 1, 8 }, IS(29), IS(0), false, NULL }, /* 3 to 8: see mscons_check.c */
    { 13027, 1, { 0, 255 }, { 0, 255 }, { 0, 255 }, { 0, 255 }, false, NULL }, /* by agreement */
    { 13028, 1, IS(1), IS(1), IS(9), IS(0), false, NULL },
};
/* clang-format on */

static bool in(uint8_t v, const uint8_t range[2])
{
    return v >= range[0] && v <= range[1];
}

bool mscons_obis_allowed(unsigned pid, struct obis obis, const char *product, const char *bgm)
{
    bool z02 = strcmp(product, "Z02") == 0;

    for (size_t i = 0; i < sizeof(obis_rules) / sizeof(obis_rules[0]); i++) {
        const struct obis_rule *r = &obis_rules[i];

        if (r->pid == pid && r->z02 == z02 && r->a == obis.a && in(obis.b, r->b) &&
            in(obis.c, r->c) && in(obis.d, r->d) && in(obis.e, r->e) &&
            (!bgm || !r->bgm || strcmp(bgm, r->bgm) == 0))
            return true;
    }
    return false;
}

bool mscons_obis_ended(unsigned pid, struct obis obis, emt_time to)
{
    static const struct local_date end = { 2024, 1, 1 };

    /* Reactive profiles of a MaLo ended with 2023 (code list of OBIS numbers, 13025). */
    return pid == 13025 && obis.c > 2 && to != EMT_TIME_NONE && to > local_day_start(end);
}

bool mscons_obis_parse(const char *text, struct obis *out)
{
    char canonical[OBIS_TEXT_MAX];

    /* The market writes the five groups in full; whatever does not print back the same is not one.
     */
    return obis_parse(text, out) == EMT_OK && strcmp(obis_format_short(*out, canonical), text) == 0;
}

/* Newest first. */
static const struct mscons_version versions[] = {
    { "2.5", 2026, 10, 1, false },
    { "2.4c", 2024, 4, 3, true },
};

const struct mscons_version *mscons_version_of(emt_time t)
{
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        const struct mscons_version *v = &versions[i];

        if (t >= local_day_start((struct local_date){ v->year, v->month, v->day }))
            return v;
    }
    return NULL;
}

const struct mscons_version *mscons_version_named(const char *name)
{
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        if (strcmp(versions[i].name, name) == 0)
            return &versions[i];
    }
    return NULL;
}

bool mscons_within_a_day(emt_time a, emt_time b)
{
    emt_time off = (a - b) + (local_offset_s(a) - local_offset_s(b)) * EMT_SECOND;

    return off < EMT_DAY && off > -EMT_DAY;
}

bool mscons_neighbour_days(struct local_date a, struct local_date b)
{
    for (int i = -1; i <= 1; i++) {
        struct local_date d = local_date_add(b, i);

        if (d.year == a.year && d.month == a.month && d.day == a.day)
            return true;
    }
    return false;
}
