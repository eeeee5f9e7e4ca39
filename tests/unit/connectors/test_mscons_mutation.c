/* Every message of ours, broken in every way that the rules know: each segment left out, doubled or
 * moved, each qualifier, offset, format, number and time changed. None of it is clean, and where
 * the rules give the fault a name, that is raised. */
#include "connectors/mscons_check.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEGMENTS_MAX 512
#define TEXT_MAX 65536

/* One message between UNH and UNT; parties and document time stand in front of it. */
struct base {
    const char *name, *application;
    bool gas;
    const char *bgm, *references, *place;
};

#define MELO "LOC+172+DE0009991011500000000000000000077'"
#define MALO "LOC+172+51234567895'"
#define SPAN(a, b) "DTM+163:" a "?+00:303'DTM+164:" b "?+00:303'"
#define USED "DTM+7:202611162300?+00:303'"
#define REGISTER(obis) "PIA+5+" obis ":SRW'"
#define OCTOBER SPAN("202609302200", "202610312300")
#define GAS_OCTOBER SPAN("202610010400", "202611010500")

/* clang-format off */
static const struct base bases[] = {
    { "13018", "TL", false, "BGM+7+D1+9'", "RFF+Z13:13018'",
      MELO SPAN("202611170800", "202611170830") "LIN+1'" REGISTER("1-1?:1.29.0")
      "QTY+220:0.25'" SPAN("202611170800", "202611170815")
      "QTY+67:0.3'" SPAN("202611170815", "202611170830")
      "STS+Z33++Z84'STS+Z32++Z92'STS+Z34++ZA7'STS+Z40++Z75'" },
    { "13025", "TL", false, "BGM+Z48+D1+9'", "RFF+AGI:O1'RFF+Z13:13025'",
      MALO SPAN("202611170800", "202611170830") "LIN+1'" REGISTER("1-1?:1.29.0")
      "QTY+Z18:0.25'" SPAN("202611170800", "202611170815")
      "QTY+67:0.3'" SPAN("202611170815", "202611170830") "STS+Z32++ZS0'STS+Z40++ZS9'"
      "LIN+2'" REGISTER("1-1?:2.29.0") "QTY+220:1'" SPAN("202611170800", "202611170830") },
    { "13017", "VL", false, "BGM+7+D1+9'", "RFF+Z13:13017'",
      MELO "RFF+MG:1EMH1'"
      "LIN+1'" REGISTER("1-1?:1.8.1") "QTY+220:12345.678'DTM+9:20261117:102'" USED "STS+Z33++Z83'"
      "LIN+2'" REGISTER("1-1?:1.8.2") "QTY+67:5'" USED "DTM+60:202611170915?+00:303'"
      "STS+Z32++Z92'STS+Z40++Z78'" },
    { "13017 of a gateway", "VL", false, "BGM+7+D1+9'", "RFF+Z13:13017'",
      "LOC+172'RFF+AGK:CFG1'LIN+1'" REGISTER("1-1?:1.8.0") "QTY+Z18:5'" USED },
    { "13019", "EM", false, "BGM+7+D1+9'", "RFF+Z13:13019'",
      MALO "LIN+1'" REGISTER("1-1?:1.9.0") "QTY+220:2875.3'" OCTOBER "STS+10+Z38'STS+10+Z37'" },
    { "13019 of a MeLo", "EM", false, "BGM+7+D1+9'", "RFF+AGI:O1'RFF+Z13:13019'",
      MELO "LIN+1'" REGISTER("1-1?:1.9.0") "QTY+220:-1.5'" SPAN("202610010101", "202610010202") },
    { "13019 delivery note", "EM", false, "BGM+Z41+D1+9'", "RFF+Z13:13019'",
      MALO "LIN+1'" REGISTER("1-1?:1.9.0") "QTY+Z31:2875.3'" OCTOBER },
    { "13016", "EM", false, "BGM+Z28+D1+9'", "RFF+Z13:13016'",
      MALO "LIN+1'" REGISTER("1-1?:1.9.0") "QTY+220:100'" OCTOBER
      "LIN+2'" REGISTER("1-1?:1.6.0") "QTY+220:98.4'DTM+306:202610:610'" },
    { "13016 delivery note", "EM", false, "BGM+Z42+D1+9'", "RFF+Z13:13016'",
      MALO "LIN+1'" REGISTER("1-1?:1.9.0") "QTY+Z31:100'" OCTOBER
      "LIN+2'" REGISTER("1-1?:1.6.0") "QTY+Z31:98.4'DTM+306:20261012:102'"
      "LIN+3'PIA+5+1-66?:13.9.0:Z02'QTY+Z31:3'" OCTOBER },
    { "13027", "TL", false, "BGM+Z83+D1+9'", "RFF+AGI:O1'RFF+Z13:13027'",
      MALO "LIN+1'" REGISTER("1-1?:1.29.0") "QTY+220:1'" SPAN("202611170800", "202611170815")
      "LIN+2'" REGISTER("1-1?:32.7.0") "QTY+Z18:230.1'DTM+7:202611170800?+00:303'" },
    { "13008", "TL", true, "BGM+7+D1+9'", "RFF+Z13:13008'",
      MALO SPAN("202611170500", "202611170700") "LIN+1'" REGISTER("7-20?:99.33.17")
      "QTY+220:120'" SPAN("202611170500", "202611170600")
      "QTY+67:0.3'" SPAN("202611170600", "202611170700")
      "STS+Z32++Z95'STS+Z40++Z75'STS+Z31++ZG3'" },
    { "13002", "VL", true, "BGM+7+D1+9'", "RFF+Z30:UTILMD1'RFF+Z13:13002'",
      MELO "RFF+MG:7ELS1'LIN+1'" REGISTER("7-0?:3.0.0")
      "QTY+220:15230.21'DTM+9:202611170820?+00:303'DTM+7:202611170500?+00:303'" },
    { "13002 of a month", "VL", true, "BGM+7+D1+9'", "RFF+Z13:13002'",
      MELO "RFF+MG:7ELS1'LIN+1'" REGISTER("7-0?:52.0.22") "QTY+220:0.9512'" GAS_OCTOBER
      "LIN+2'" REGISTER("7-0?:54.0.22") "QTY+220:11.283'" GAS_OCTOBER },
    { "13009", "EM", true, "BGM+7+D1+9'", "RFF+Z13:13009'",
      MALO "LIN+1'" REGISTER("7-0?:33.86.0") "QTY+220:18342'" GAS_OCTOBER },
    { "13009 before a supply", "EM", true, "BGM+Z27+D1+9'", "RFF+Z13:13009'",
      MALO "LIN+1'" REGISTER("7-0?:33.86.0") "QTY+67:18342'" GAS_OCTOBER
      "LIN+2'" REGISTER("7-0?:33.47.0") "QTY+220:12.5'DTM+306:202610:610'" },
    { "13007", "TL", true, "BGM+Z21+D1+9'", "RFF+Z13:13007'",
      MALO SPAN("202611170500", "202611170700") "DTM+293:20261118031200?+00:304'"
      "LIN+1'" REGISTER("7-0?:54.0.16")
      "QTY+220:11.2474'" SPAN("202611170500", "202611170600")
      "QTY+201:11.2'" SPAN("202611170600", "202611170700") "STS+Z32++Z92'" },
    { "13006", "VL", false, "BGM+7+D1+1'", "RFF+ACW:D0'RFF+Z13:13006'", MELO },
    { "13006 of an energy", "EM", false, "BGM+Z28+D1+1'", "RFF+ACW:D0'RFF+Z13:13006'", MALO },
};
/* clang-format on */
#define BASES ((int)(sizeof(bases) / sizeof(bases[0])))

/* ---- a file as a list of segments ---- */

struct file {
    char text[TEXT_MAX];
    char *segment[SEGMENTS_MAX]; /* without the terminator; borrowed from text */
    size_t n;
};

static void cut(struct file *f)
{
    f->n = 0;
    for (char *p = f->text; *p; p++) {
        char *end = p;

        while (*end != '\'')
            end += *end == '?' ? 2 : 1;
        *end = '\0';
        f->segment[f->n++] = p;
        p = end;
    }
}

static struct file *file_of(const struct base *b)
{
    struct file *f = calloc(1, sizeof(*f));
    const char *parties = b->gas ? "NAD+MS+9800999000207::332'NAD+MR+9800999000306::332'"
                                 : "NAD+MS+9900999000106::293'NAD+MR+9900999000205::293'";

    snprintf(f->text, sizeof(f->text),
             "UNB+UNOC:3+%s+%s+261118:0312+R1++%s'UNH+1+MSCONS:D:04B:UN:2.5'%s"
             "DTM+137:202611180312?+00:303'%s%sUNS+D'NAD+DP'%sUNT+0+1'UNZ+1+R1'",
             b->gas ? "9800999000207:502" : "9900999000106:500",
             b->gas ? "9800999000306:502" : "9900999000205:500", b->application, b->bgm,
             b->references, parties, b->place);
    cut(f);
    return f;
}

static const char *tag(const struct file *f, size_t i, const char *text)
{
    return strncmp(f->segment[i], text, strlen(text)) == 0 ? f->segment[i] : NULL;
}

/* ---- judging ---- */

struct found {
    char codes[2048];
    unsigned n;
};

static void keep(void *ctx, const struct mscons_finding *f)
{
    struct found *found = ctx;
    size_t used = strlen(found->codes);

    if (f->warning)
        return;
    found->n++;
    snprintf(found->codes + used, sizeof(found->codes) - used, "%s%s ", used == 0 ? " " : "",
             f->code);
}

/* The segments as a file again, with the right count in UNT. */
static struct found judge(const struct file *f)
{
    char *text = malloc(TEXT_MAX);
    size_t n = (size_t)snprintf(text, TEXT_MAX, "UNA:+.? '");
    struct found found = { "", 0 };
    struct mscons_findings out = { keep, &found };
    struct mscons_check_result result;
    size_t unh = 0;

    for (size_t i = 0; i < f->n; i++) {
        if (tag(f, i, "UNH"))
            unh = i;
        if (tag(f, i, "UNT+0+"))
            n += (size_t)snprintf(text + n, TEXT_MAX - n, "UNT+%zu+%s'", i - unh + 1,
                                  f->segment[i] + 6);
        else
            n += (size_t)snprintf(text + n, TEXT_MAX - n, "%s'", f->segment[i]);
    }
    ck_assert_int_eq(mscons_check(text, n, NULL, &out, &result), EMT_OK);
    free(text);
    return found;
}

static bool has(const struct found *found, const char *code)
{
    char padded[32];

    snprintf(padded, sizeof(padded), " %s ", code);
    return strstr(found->codes, padded) != NULL;
}

static void expect(const struct base *b, const struct file *f, const char *what, size_t at,
                   const char *code)
{
    struct found found = judge(f);

    ck_assert_msg(found.n > 0, "%s: %s of '%s' is not found", b->name, what, f->segment[at]);
    ck_assert_msg(!code || has(&found, code), "%s: %s of '%s':%s, not %s", b->name, what,
                  f->segment[at], found.codes, code);
}

static bool is_optional(const struct file *f, size_t i)
{
    static const char *const tags[] = { "STS+Z33", "STS+Z34", "STS+Z31", "DTM+9:",
                                        "DTM+60",  "RFF+Z30", "RFF+AGI" };

    for (size_t k = 0; k < sizeof(tags) / sizeof(tags[0]); k++) {
        if (tag(f, i, tags[k]))
            return true;
    }
    return false;
}

START_TEST(what_is_right_is_clean)
{
    struct file *f = file_of(&bases[_i]);
    struct found found = judge(f);

    ck_assert_msg(found.n == 0, "%s:%s", bases[_i].name, found.codes);
    free(f);
}
END_TEST

/* What is raised when a segment is missing; NULL: anything. */
static const char *missing(const struct file *f, size_t i)
{
    static const struct {
        const char *tag, *code;
    } codes[] = {
        { "UNB", "UNB" },      { "UNH", "ORDER" }, { "BGM", "BGM" },   { "DTM", "DTM" },
        { "RFF+Z13", "PID" },  { "RFF", "RFF" },   { "NAD+M", "NAD" }, { "UNS", "UNS" },
        { "NAD+DP", "ORDER" }, { "LOC", "LOC" },   { "LIN", NULL },    { "PIA", "PIA" },
        { "STS", "STS" },      { "UNT", "UNT" },   { "UNZ", "UNZ" },   { "RFF+AGK", "LOCID" },
    };
    const char *code = NULL;
    size_t longest = 0;

    for (size_t k = 0; k < sizeof(codes) / sizeof(codes[0]); k++) {
        if (tag(f, i, codes[k].tag) && strlen(codes[k].tag) > longest) {
            longest = strlen(codes[k].tag);
            code = codes[k].code;
        }
    }
    return code;
}

START_TEST(no_segment_may_be_missing)
{
    const struct base *b = &bases[_i];
    bool ordered = strstr(b->name, "13027") || strstr(b->name, "MeLo");

    for (size_t i = 0;; i++) {
        struct file *f = file_of(b);

        if (i == f->n) {
            free(f);
            break;
        }
        if (!is_optional(f, i) || (ordered && tag(f, i, "RFF+AGI"))) {
            const char *code = missing(f, i);

            memmove(&f->segment[i], &f->segment[i + 1], (f->n - i - 1) * sizeof(f->segment[0]));
            f->n--;
            expect(b, f, "the one missing in front", i < f->n ? i : i - 1, code);
        }
        free(f);
    }
}
END_TEST

START_TEST(no_segment_may_stand_twice)
{
    const struct base *b = &bases[_i];

    for (size_t i = 0;; i++) {
        struct file *f = file_of(b);

        if (i == f->n) {
            free(f);
            break;
        }
        memmove(&f->segment[i + 1], &f->segment[i], (f->n - i) * sizeof(f->segment[0]));
        f->n++;
        expect(b, f, "the double", i, NULL);
        free(f);
    }
}
END_TEST

START_TEST(no_two_neighbours_may_change_places)
{
    const struct base *b = &bases[_i];

    for (size_t i = 0;; i++) {
        struct file *f = file_of(b);

        if (i + 1 >= f->n) {
            free(f);
            break;
        }
        /* The two statements on the basis of an energy stand in any order. */
        if (!(tag(f, i, "STS+10") && tag(f, i + 1, "STS+10"))) {
            char *t = f->segment[i];

            f->segment[i] = f->segment[i + 1];
            f->segment[i + 1] = t;
            expect(b, f, "the move", i, NULL);
        }
        free(f);
    }
}
END_TEST

/* ---- changed data ---- */

/* Puts `to` in the place of the first `from` behind `at`. */
static void replace(struct file *f, size_t i, size_t at, size_t len, const char *to, char *room)
{
    snprintf(room, 256, "%.*s%s%s", (int)at, f->segment[i], to, f->segment[i] + at + len);
    f->segment[i] = room;
}

START_TEST(every_qualifier_is_judged)
{
    const struct base *b = &bases[_i];

    for (size_t i = 1;; i++) {
        struct file *f = file_of(b);
        char room[256];

        if (i == f->n) {
            free(f);
            break;
        }
        size_t len = strlen(f->segment[i]) > 4 ? strcspn(f->segment[i] + 4, "+:") : 0;

        /* References of head and end are free texts. */
        if (len > 0 && !tag(f, i, "UNH")) {
            replace(f, i, 4, len, "ZZ9", room);
            expect(b, f, "the qualifier", i, NULL);
        }
        free(f);
    }
}
END_TEST

struct change {
    const char *tag;  /* of the segments that are changed */
    const char *from; /* what is replaced in them */
    const char *to;
    const char *code;
};

static const struct change changes[] = {
    { "DTM", "?+00:303", "?+01:303", "DTM" },
    { "DTM", "?+00:303", "?+00:203", "DTM" },
    { "DTM", "?+00:303", "+00:303", "DTM" },
    { "DTM", "?+00:303", "?-00:303", "DTM" },
    { "DTM", "?+00:303", "?+00", "DTM" },
    { "DTM", "?+00:303", "00?+00:303", "DTM" },
    { "DTM", "?+00:303", "?+00:304", "DTM" },
    { "DTM", ":2026", ":202X", "DTM" },
    { "DTM", ":202611", ":202613", "DTM" },
    { "DTM", ":2026", ":20 6", "DTM" },
    { "DTM+7", ":2026111", ":2026112", "FUTURE" },
    { "QTY", ":", ":-0.0001", "NUM" },
    { "QTY", ":", ":,", "NUM" },
    { "QTY", ":", ":?+", "NUM" },
    { "QTY", ":", ":1 000", "NUM" },
    { "QTY", ":", ":0x", "NUM" },
    { "QTY", ":", ":.", "NUM" },
    { "QTY", ":", ":1:KWH'QTY+220:", "UNIT" },
    { "QTY", "QTY+", "QTY+79:1'QTY+", NULL },
    { "PIA", ":SRW", ":Z08", "PIA" },
    { "PIA", ".", ".99.", "OBIS" },
    { "PIA", ".0:SRW", ".0*255:SRW", "OBIS" },
    { "PIA", "?:", "-", "OBIS" },
    { "PIA", "+5+", "+1+", "PIA" },
    { "LOC", "+172+5", "+172+6", "LOCID" },
    { "LOC", "+172+", "+237+", "LOC" },
    { "LOC", "+DE00099910115", "+DE0009991011", "LOCID" },
    { "LOC", "+DE", "+D5", "LOCID" },
    { "BGM", "+9", "+5", "BGM" },
    { "BGM", "+1", "+9", "BGM" },
    { "BGM", "+D1+", "++", "BGM" },
    { "RFF+Z13", ":13", ":14", "PID" },
    { "NAD+MS", "::293", "::332", "NAD" },
    { "NAD+MR", "::332", "::293", "NAD" },
    { "NAD+MS", "106::", "205::", "NAD" },
    { "NAD+DP", "NAD+DP", "NAD+DED", "NAD" },
    { "UNS", "+D", "+S", "UNS" },
    { "UNH", ":2.5", ":2.4c", "UNH" },
    { "UNH", ":2.5", ":2.5+LIST+1:C", "UNH" },
    { "UNH", ":04B", ":96A", "UNH" },
    { "UNH", "MSCONS", "UTILMD", "UNH" },
    { "UNT", "UNT+0+1", "UNT+0+2", "UNT" },
    { "UNT", "UNT+0", "UNT+5", "UNT" },
    { "UNZ", "+1+", "+2+", "UNZ" },
    { "UNZ", "+R1", "+R2", "UNZ" },
    { "UNB", "UNOC:3", "UNOC:4", "UNB" },
    { "UNB", "+R1+", "+R-1+", "UNB" },
    { "UNB", "+R1+", "+R23456789012345+", "UNB" },
    { "UNB", "++TL", "++XX", "APP" },
    { "UNB", "++EM", "++TL", "APP" },
    { "UNB", "++VL", "++TL", "APP" },
    { "UNB", "+261118", "+261117", "FUTURE" },
    { "UNB", ":500+99", ":502+99", "MPIDCHK" },
    { "UNB", "9900999000106:", "990099900010:", "MPID" },
    { "LIN", "+1", "+7", "LIN" },
    { "STS", "++Z", "++Q", "STS" },
    { "STS+Z32++Z92", "Z92", "ZC9", "STS" },
    { "STS+10+Z38", "Z38", "Z39", "STS" },
    { "STS+10+Z37", "+10+", "+Z40++", NULL },
    { "RFF+ACW", "ACW", "AGI", "RFF" },
    { "RFF+MG", "+MG", "+AGI", "RFF" },
    { "RFF+AGK", ":CFG1", "", "RFF" },
};

START_TEST(every_change_is_found_under_its_name)
{
    const struct change *x = &changes[_i];
    unsigned done = 0;

    for (int k = 0; k < BASES; k++) {
        for (size_t i = 0;; i++) {
            struct file *f = file_of(&bases[k]);
            char room[256];
            const char *at;

            if (i == f->n) {
                free(f);
                break;
            }
            at = tag(f, i, x->tag) ? strstr(f->segment[i], x->from) : NULL;
            /* 13017 of the tables stands at a day, 13027 has no list of registers. */
            if (at && !(strcmp(x->code ? x->code : "", "OBIS") == 0 &&
                        strstr(bases[k].name, "13027") && strstr(x->to, "99"))) {
                replace(f, i, (size_t)(at - f->segment[i]), strlen(x->from), x->to, room);
                expect(&bases[k], f, x->to, i, x->code);
                done++;
            }
            free(f);
        }
    }
    ck_assert_msg(done > 0, "no '%s' in a %s", x->from, x->tag);
}
END_TEST

/* A minute more or less at an end of an interval leaves a gap, an overlap or no day. */
START_TEST(no_time_of_an_interval_may_move)
{
    const struct base *b = &bases[_i];
    bool free_times = strstr(b->name, "13027") || strstr(b->name, "MeLo");

    for (size_t i = 0; !free_times; i++) {
        struct file *f = file_of(b);
        char room[256];
        char *at;

        if (i == f->n) {
            free(f);
            break;
        }
        if ((tag(f, i, "DTM+163") || tag(f, i, "DTM+164")) &&
            (at = strstr(f->segment[i], "?+00")) != NULL) {
            size_t p = (size_t)(at - f->segment[i]) - 1;

            replace(f, i, p, 1, "1", room);
            expect(b, f, "a minute", i, NULL);
        }
        free(f);
    }
}
END_TEST

/* ---- what no change of one segment shows ---- */

struct special {
    const char *claim, *base, *from, *to, *code; /* base: its name */
};

static const struct special specials[] = {
    { "a delivery note carries no true value", "13019 delivery note", "QTY+Z31", "QTY+220", "QTY" },
    { "nor a basis", "13019 delivery note", "UNT+0", "STS+10+Z36'STS+10+Z37'UNT+0", "STS" },
    { "nor an order", "13019 delivery note", "RFF+Z13", "RFF+AGI:O1'RFF+Z13", "RFF" },
    { "true energies are no delivery note", "13019", "QTY+220", "QTY+Z31", "QTY" },
    { "a correction has no basis", "13019 of a MeLo", "UNT+0", "STS+10+Z36'STS+10+Z37'UNT+0",
      "STS" },
    { "a correction names its order", "13019 of a MeLo", "RFF+AGI:O1'", "", "RFF" },
    { "an energy of a place is not negative", "13019", "QTY+220:", "QTY+220:-", "NUM" },
    { "an energy of a place begins at midnight", "13019", "202609302200", "202609302300",
      "DAYLINE" },
    { "winter midnight", "13019", "202610312300", "202610312200", "DAYLINE" },
    { "winter's gas day", "13009", "202611010500", "202611010400", "DAYLINE" },
    { "summer's gas day", "13009", "202610010400", "202610010500", "DAYLINE" },
    { "gas energies are whole", "13009", "18342", "18342.5", "NUM" },
    { "a maximum of a month is no day's", "13016", "202610:610", "20261001:102", "DTM" },
    { "an energy is no maximum", "13016", "1-1?:1.6.0", "1-1?:1.9.0", "DTM" },
    { "a maximum is no energy", "13016", "1-1?:1.9.0", "1-1?:1.6.0", "DTM" },
    { "reactive energy only in old notes", "13016", "1-1?:1.9.0", "1-1?:3.9.0", "OBIS" },
    { "feed-in maxima in no note", "13016 delivery note", "1-1?:1.6.0", "1-1?:2.6.0", "OBIS" },
    { "excess only in notes", "13016", "1-1?:1.9.0:SRW", "1-66?:13.9.0:Z02", "OBIS" },
    { "provisional energies in no note", "13016 delivery note", "QTY+Z31:100", "QTY+Z18:100",
      "QTY" },
    { "no maximum of gas but before a supply", "13009", "33.86.0", "33.47.0", "OBIS" },
    { "no volume before a supply", "13009 before a supply", "7-0?:33.86.0", "7-1?:3.21.0", "OBIS" },
    { "no status before a supply", "13009 before a supply", "LIN+2", "STS+Z32++Z92'LIN+2", "STS" },
    { "energy beside state number", "13009", "UNT+0",
      "LIN+2'PIA+5+7-0?:52.0.22:SRW'QTY+220:1'DTM+163:202610010400?+00:303'"
      "DTM+164:202611010500?+00:303'UNT+0",
      "OBIS" },
    { "a gateway's reading has no meter", "13017 of a gateway", "RFF+AGK", "RFF+MG:1'RFF+AGK",
      "RFF" },
    { "nor a time of reading", "13017 of a gateway", "QTY+Z18:5'",
      "QTY+220:5'DTM+9:202611170000?+00:303'", "DTM" },
    { "a meter has no provisional reading", "13017", "QTY+220", "QTY+Z18", "QTY" },
    { "a place and a configuration", "13017", "RFF+MG:1EMH1", "RFF+AGK:C", "RFF" },
    { "a substitute was not read", "13017", "QTY+220:12345.678", "QTY+67:1", "DTM" },
    { "read two days off", "13017", "DTM+9:20261117", "DTM+9:20261115", "USEDATE" },
    { "exchanged a day later", "13017", "DTM+60:202611170915", "DTM+60:202611172300", "USEDATE" },
    { "readings of two days in one message", "13017", "DTM+7:202611162300", "DTM+7:202611152300",
      "USEDATE" },
    { "two readings of a register", "13017 of a gateway", "UNT+0",
      "QTY+220:6'DTM+7:202611162300?+00:303'UNT+0", "QTY" },
    { "a month is no reading", "13002 of a month", "7-0?:52.0.22", "7-0?:3.0.0", "DTM" },
    { "an unusable state number", "13002 of a month", "QTY+220:0.9512", "QTY+20:0.9512", "QTY" },
    { "five decimals", "13007", "11.2474", "11.24741", "NUM" },
    { "four where three are allowed", "13002", "15230.21", "15230.2101", "NUM" },
    { "a stamp without seconds", "13007", "20261118031200?+00:304", "202611180312?+00:303", "DTM" },
    { "a forecast of a register", "13008", "QTY+220", "QTY+187", "QTY" },
    { "a method of power in gas", "13008", "Z32++Z95", "Z32++ZJ2", "STS" },
    { "a method of gas in power", "13018", "Z32++Z92", "Z32++Z95", "STS" },
    { "a reason for true values only", "13018", "Z34++ZA7", "Z34++ZR1", "STS" },
    { "a MaLo where a MeLo belongs", "13018", "LOC+172+DE0009991011500000000000000000077",
      "LOC+172+51234567895", "LOCID" },
    { "a MeLo where a MaLo belongs", "13025", "LOC+172+51234567895",
      "LOC+172+DE0009991011500000000000000000077", "LOCID" },
    { "a wrong check digit of a NeLo", "13018", "LOC+172+DE0009991011500000000000000000077",
      "LOC+172+E3XS7NXYTL7", "LOCID" },
    { "reactive profiles of a MaLo have ended", "13025", "1-1?:2.29.0", "1-1?:3.29.0", "OBIS" },
    { "an interval that is empty", "13018", "DTM+164:202611170815", "DTM+164:202611170800", "DTM" },
    { "an interval that runs back", "13027", "DTM+164:202611170815", "DTM+164:202611170745",
      "DTM" },
    { "an interval and an instant", "13027",
      "DTM+7:", "DTM+163:202611170745?+00:303'DTM+7:", "DTM" },
    { "a period that ends before it begins", "13018", "DTM+164:202611170830?+00:303'LIN",
      "DTM+164:202611170745?+00:303'LIN", "DTM" },
    { "a value behind the document's time", "13018", "DTM+137:202611180312", "DTM+137:202611170829",
      "FUTURE" },
    { "a second place", "13018", "UNT+0", "NAD+DP'" MELO "UNT+0", "NAD" },
    { "an energy's cancellation in a file of readings", "13006", "BGM+7", "BGM+Z28", "APP" },
    { "a cancellation with values", "13006", "UNT+0", "LIN+1'UNT+0", "LIN" },
    { "contacts since 2.5", "13018", "NAD+MR", "CTA+IC+:X'COM+a@b.c:EM'NAD+MR", "COM" },
    { "a method in the wrong element", "13018", "STS+Z32++", "STS+Z32+X+", "STS" },
    { "a basis in two elements", "13019", "STS+10+Z38", "STS+10+Z38+Z36", "STS" },
    { "an unknown segment", "13018", "UNS+D", "FTX+ABO'UNS+D", "SEG" },
    { "five notes", "13018", "STS+Z33++Z84",
      "STS+Z33++Z84'STS+Z33++Z85'STS+Z33++Z86'STS+Z33++Z87'STS+Z33++ZC3", "STS" },
    { "a line break", "13018", "UNS+D", "\r\nUNS+D", "LF" },
    { "a control character", "13018", "+D1+", "+D\a1+", "CHAR" },
    { "two files in one", "13018", "UNZ+1+R1'", "UNZ+1+R1'UNA:+.? 'UNB+UNOC:3'", "UNZ" },
    { "a rest behind the end", "13018", "UNZ+1+R1'", "UNZ+1+R1' '", "UNZ" },
    { "two interchanges", "13018", "UNZ+1+R1'", "UNZ+1+R1'UNB+UNOC:3+A+B+261118:0312+R2++TL'",
      "UNZ" },
};

static const struct base *base_named(const char *name)
{
    for (int i = 0; i < BASES; i++) {
        if (strcmp(bases[i].name, name) == 0)
            return &bases[i];
    }
    ck_abort_msg("no base %s", name);
    return NULL;
}

/* The file with one text in the place of another, its segments cut anew. */
static struct file *changed(const struct base *b, const char *from, const char *to)
{
    struct file *f = file_of(b);
    struct file *out = calloc(1, sizeof(*out));
    char *text = malloc(TEXT_MAX);
    size_t n = 0;
    char *at;

    for (size_t i = 0; i < f->n; i++)
        n += (size_t)snprintf(text + n, TEXT_MAX - n, "%s'", f->segment[i]);
    at = strstr(text, from);
    ck_assert_msg(at != NULL, "%s has no '%s'", b->name, from);
    snprintf(out->text, sizeof(out->text), "%.*s%s%s", (int)(at - text), text, to,
             at + strlen(from));
    cut(out);
    free(text);
    free(f);
    return out;
}

START_TEST(what_the_rules_say_beyond_shape)
{
    const struct special *s = &specials[_i];
    struct file *f = changed(base_named(s->base), s->from, s->to);
    struct found found = judge(f);

    ck_assert_msg(has(&found, s->code), "%s:%s, not %s", s->claim, found.codes, s->code);
    free(f);
}
END_TEST

/* ---- days of every length ---- */

static struct found day(bool gas, int year, int month, int date, int from_hour, unsigned hours,
                        unsigned values, int minutes)
{
    struct base b = { "day",
                      "TL",
                      gas,
                      gas ? "BGM+7+D1+9'" : "BGM+Z48+D1+9'",
                      gas ? "RFF+Z13:13008'" : "RFF+Z13:13025'",
                      "" };
    char *place = malloc(TEXT_MAX);
    struct file *f;
    struct found found;
    size_t n = 0;

#define AT(q, m)                                                                                   \
    n += (size_t)snprintf(place + n, TEXT_MAX - n, "DTM+" q ":%04d%02d%02d%02d%02d?+00:303'",      \
                          year, month, date + (from_hour * 60 + (int)(m)) / 1440,                  \
                          (from_hour * 60 + (int)(m)) / 60 % 24, (int)(m) % 60)
    n += (size_t)snprintf(place, TEXT_MAX, MALO);
    AT("163", 0);
    AT("164", hours * 60);
    n += (size_t)snprintf(place + n, TEXT_MAX - n, "LIN+1'PIA+5+%s:SRW'",
                          gas ? "7-20?:99.33.17" : "1-1?:1.29.0");
    for (unsigned i = 0; i < values; i++) {
        n += (size_t)snprintf(place + n, TEXT_MAX - n, "QTY+220:1'");
        AT("163", (int)i * minutes);
        AT("164", ((int)i + 1) * minutes);
    }
    b.place = place;
    f = file_of(&b);
    found = judge(f);
    free(f);
    free(place);
    return found;
}

START_TEST(days_of_92_96_and_100_and_gas_days_of_23_24_and_25)
{
    static const struct {
        bool gas;
        int month, date, hour;
        unsigned hours;
    } days[] = { { false, 3, 28, 23, 23 }, { false, 10, 24, 22, 25 }, { false, 11, 15, 23, 24 },
                 { true, 3, 28, 5, 23 },   { true, 10, 24, 4, 25 },   { true, 11, 15, 5, 24 } };

    for (size_t i = 0; i < sizeof(days) / sizeof(days[0]); i++) {
        int minutes = days[i].gas ? 60 : 15;
        unsigned right = days[i].hours * 60 / (unsigned)minutes;

        for (unsigned n = right - 4; n <= right + 4; n++) {
            struct found found = day(days[i].gas, 2026, days[i].month, days[i].date, days[i].hour,
                                     days[i].hours, n, minutes);

            if (n == right)
                ck_assert_msg(found.n == 0, "%u values:%s", n, found.codes);
            else
                ck_assert_msg(has(&found, "GAP"), "%u values in %u hours:%s", n, days[i].hours,
                              found.codes);
        }
    }
}
END_TEST

Suite *mscons_mutation_suite(void)
{
    Suite *s = suite_create("mscons_mutation");
    TCase *t = tcase_create("mscons_mutation");

    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, what_is_right_is_clean, 0, BASES);
    tcase_add_loop_test(t, no_segment_may_be_missing, 0, BASES);
    tcase_add_loop_test(t, no_segment_may_stand_twice, 0, BASES);
    tcase_add_loop_test(t, no_two_neighbours_may_change_places, 0, BASES);
    tcase_add_loop_test(t, every_qualifier_is_judged, 0, BASES);
    tcase_add_loop_test(t, every_change_is_found_under_its_name, 0,
                        (int)(sizeof(changes) / sizeof(changes[0])));
    tcase_add_loop_test(t, no_time_of_an_interval_may_move, 0, BASES);
    tcase_add_loop_test(t, what_the_rules_say_beyond_shape, 0,
                        (int)(sizeof(specials) / sizeof(specials[0])));
    tcase_add_test(t, days_of_92_96_and_100_and_gas_days_of_23_24_and_25);
    suite_add_tcase(s, t);
    return s;
}
