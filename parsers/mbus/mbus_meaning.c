#include "mbus_meaning.h"

#include "base/hex.h"

#include <string.h>

#define CODE 0x7fu
#define VIF_FB 0x7b
#define VIF_TEXT 0x7c
#define VIF_FD 0x7d
#define VIF_EF 0x6f
#define VIF_MANUFACTURER 0x7f
#define FD_SECOND_LEVEL 0x7d
#define VIF_DATE 0x6c
#define VIF_DATE_TIME 0x6d

#define PARTS_MAX (MBUS_VIB_MAX + 2)
#define PART_LEN 32
/* Names made here (codes in hex, units) together; what is longer has no room in a qualifier. */
#define MADE_LEN 160

/* The pieces of a qualifier: static texts, or texts in `made`. */
struct parts {
    const char *text[PARTS_MAX];
    unsigned n;
    bool overflow;
    char made[MADE_LEN];
    size_t made_len;
};

static void add_part(struct parts *p, const char *text)
{
    if (text && p->n < PARTS_MAX)
        p->text[p->n++] = text;
}

/* Prefix and text as one part of at most PART_LEN - 1 characters. */
static void add_made_part(struct parts *p, const char *prefix, const char *text, size_t len)
{
    size_t before = strlen(prefix);
    char *to = p->made + p->made_len;

    if (before + len > PART_LEN - 1)
        len = PART_LEN - 1 - before;
    if (before + len + 1 > MADE_LEN - p->made_len) {
        p->overflow = true;
        return;
    }
    memcpy(to, prefix, before);
    memcpy(to + before, text, len);
    to[before + len] = 0;
    p->made_len += before + len + 1;
    add_part(p, to);
}

static void add_hex_part(struct parts *p, const char *prefix, const uint8_t *codes, unsigned n)
{
    char hex[2 * MBUS_VIB_MAX + 1];

    (void)hex_encode(codes, n < MBUS_VIB_MAX ? n : MBUS_VIB_MAX, hex);
    add_made_part(p, prefix, hex, strlen(hex));
}

/* VIFEs of the manufacturer, which may be none. */
static void add_mfct_part(struct parts *p, const uint8_t *codes, unsigned n)
{
    if (n == 0)
        add_part(p, "mfct");
    else
        add_hex_part(p, "mfct-", codes, n);
}

static void sort_parts(struct parts *p)
{
    for (unsigned i = 1; i < p->n; i++) {
        const char *text = p->text[i];
        unsigned k = i;

        for (; k > 0 && strcmp(p->text[k - 1], text) > 0; k--)
            p->text[k] = p->text[k - 1];
        p->text[k] = text;
    }
}

/* False: they do not fit. */
static bool join_sorted(const struct parts *p, char *out)
{
    size_t len = 0;

    for (unsigned i = 0; i < p->n; i++) {
        size_t n = strlen(p->text[i]);

        if (i > 0 && strcmp(p->text[i], p->text[i - 1]) == 0)
            continue;
        if (len + n + 2 > READING_QUALIFIER_MAX)
            return false;
        if (len)
            out[len++] = '+';
        memcpy(out + len, p->text[i], n);
        len += n;
    }
    out[len] = 0;
    return true;
}

/* Sorted and without repetition, so that the order of VIFEs makes no second channel. What does not
 * fit is named by its codes, which always do. */
static void join_parts(struct parts *p, const struct mbus_record *rec, char *out)
{
    static const char prefix[] = "vib-";

    sort_parts(p);
    if (!p->overflow && join_sorted(p, out))
        return;
    memcpy(out, prefix, sizeof prefix);
    (void)hex_encode(rec->vif, rec->vif_len, out + sizeof prefix - 1);
}

/* s, min, h, d by two bits. */
static void set_duration(struct mbus_meaning *m, unsigned unit)
{
    static const uint32_t seconds[4] = { 1, 60, 3600, 86400 };

    m->data = MBUS_DATA_NUMBER;
    m->unit = "s";
    m->exponent = 0;
    m->factor = seconds[unit & 3u];
}

/* parts may be NULL where v has no qualifier. */
static void set_from_table(struct mbus_meaning *m, const struct mbus_vif *v, uint8_t code,
                           struct parts *parts)
{
    m->data = v->data;
    m->quantity = v->quantity;
    m->unit = v->unit;
    m->factor = v->factor ? v->factor : 1;
    if (v->data == MBUS_DATA_DURATION)
        set_duration(m, (code & 3u) + (unsigned)v->exponent);
    else
        m->exponent = v->exponent + (code & v->mask);
    if (v->qualifier)
        add_part(parts, v->qualifier);
}

/* A unit as text: one that the table knows is used, another becomes part of the channel's name. */
static void set_text_unit(struct mbus_meaning *m, const struct mbus_record *rec,
                          struct parts *parts)
{
    static const struct {
        const char *base;
        enum quantity quantity;
    } known[] = {
        { "Wh", QUANTITY_ENERGY },         { "J", QUANTITY_ENERGY },
        { "m3", QUANTITY_VOLUME },         { "W", QUANTITY_POWER },
        { "V", QUANTITY_VOLTAGE },         { "A", QUANTITY_CURRENT },
        { "°C", QUANTITY_TEMPERATURE },    { "bar", QUANTITY_PRESSURE },
        { "ppm", QUANTITY_CONCENTRATION },
    };
    char text[PART_LEN];
    const struct unit *u;
    size_t len = 0;

    for (size_t i = rec->unit_len; i > 0 && len + 1 < sizeof text; i--) {
        uint8_t c = rec->unit[i - 1];

        if (c > ' ' && c < 0x7f && c != '|' && c != '+')
            text[len++] = (char)c;
    }
    text[len] = 0;
    u = unit_find(text);
    if (strcmp(text, "%RH") == 0) {
        m->quantity = QUANTITY_HUMIDITY;
        m->unit = "%";
    } else if (u) {
        m->unit = u->name;
        for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
            if (strcmp(known[i].base, u->base) == 0)
                m->quantity = known[i].quantity;
    } else {
        add_made_part(parts, "unit-", text, len);
    }
}

static const struct mbus_vif *second_level(uint8_t code)
{
    static const struct mbus_vif table[] = {
        { 0x00, 0x00, MBUS_DATA_IDENTIFIER, QUANTITY_IDENTIFIER, NULL, 0, 0, 0, "application" },
        { 0x02, 0x02, MBUS_DATA_NUMBER, QUANTITY_BATTERY, "month", 0, 0, 0, "remaining" },
        { 0x03, 0x03, MBUS_DATA_NUMBER, QUANTITY_BATTERY, "year", 0, 0, 0, "remaining" },
    };

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].first == code)
            return &table[i];
    return NULL;
}

/* The VIF with its extension codes. Returns how many bytes of the VIB it took. */
static unsigned set_vif(struct mbus_meaning *m, const struct mbus_record *rec, struct parts *parts)
{
    uint8_t vif = rec->vif[0] & CODE;
    uint8_t ext = rec->vif_len > 1 ? rec->vif[1] & CODE : 0;
    bool extended = rec->vif_len > 1;
    const struct mbus_vif *v = NULL;
    unsigned used = 1;

    if (vif == VIF_MANUFACTURER) {
        add_mfct_part(parts, rec->vif + 1, rec->vif_len - 1u);
        return rec->vif_len;
    }
    if (vif == VIF_TEXT) {
        set_text_unit(m, rec, parts);
        return 1;
    }
    if (extended && (vif == VIF_FB || vif == VIF_FD || vif == VIF_EF)) {
        used = 2;
        v = vif == VIF_FB ? mbus_vif_fb(ext) : vif == VIF_FD ? mbus_vif_fd(ext) : NULL;
        vif = ext;
        if (rec->vif[0] == (VIF_FD | 0x80) && ext == FD_SECOND_LEVEL && rec->vif_len > 2) {
            used = 3;
            vif = rec->vif[2] & CODE;
            v = second_level(vif);
        }
    } else {
        v = mbus_vif_primary(vif);
    }
    if (v)
        set_from_table(m, v, vif, parts);
    else
        add_hex_part(parts, "vif-", rec->vif, used);
    return used;
}

/* The record is about the quantity, its value is something else. */
static void set_about(struct mbus_meaning *m, enum quantity quantity, struct parts *parts)
{
    const char *name = quantity_name(m->quantity);

    if (m->quantity != QUANTITY_DATE_TIME)
        add_made_part(parts, "of-", name, strlen(name));
    m->quantity = quantity;
    m->unit = NULL;
    m->exponent = 0;
    m->factor = 1;
    m->data = quantity == QUANTITY_DATE_TIME ? MBUS_DATA_DATE : MBUS_DATA_NUMBER;
}

static void apply_vife(struct mbus_meaning *m, const struct mbus_vife *v, uint8_t code,
                       struct parts *parts)
{
    switch (v->effect) {
    case VIFE_SCALES:
        m->exponent += v->scale + (code & v->mask);
        break;
    case VIFE_RECORD_ERROR:
        m->record_error = true;
        break;
    case VIFE_COUNTS:
        set_about(m, QUANTITY_COUNTER, parts);
        break;
    case VIFE_LASTS:
        set_about(m, QUANTITY_DURATION, parts);
        set_duration(m, code);
        break;
    case VIFE_DATES:
        set_about(m, QUANTITY_DATE_TIME, parts);
        break;
    case VIFE_PROFILE:
        m->profile = code;
        break;
    case VIFE_NON_METRIC:
        m->unit = NULL;
        break;
    case VIFE_QUALIFIES:
    case VIFE_NEXT_TABLE:
    case VIFE_MANUFACTURER:
    case VIFE_NOTHING:
        break;
    }
    add_part(parts, v->qualifier);
}

static void apply_vifes(struct mbus_meaning *m, const struct mbus_record *rec, unsigned from,
                        struct parts *parts)
{
    bool second = false;

    for (unsigned i = from; i < rec->vif_len; i++) {
        uint8_t code = rec->vif[i] & CODE;
        const struct mbus_vife *v = second ? mbus_vife_second(code) : mbus_vife_first(code);

        if (!v) {
            add_hex_part(parts, second ? "vife-fc-" : "vife-", &code, 1);
        } else if (v->effect == VIFE_MANUFACTURER) {
            add_mfct_part(parts, rec->vif + i + 1, rec->vif_len - i - 1u);
            return;
        } else {
            apply_vife(m, v, code, parts);
        }
        second = v && v->effect == VIFE_NEXT_TABLE;
    }
}

/* Everything that a VIB can hold. */
static void read_vib(const struct mbus_record *rec, struct mbus_meaning *out)
{
    struct parts parts; /* its texts are written before they are read */
    unsigned used;

    parts.n = 0;
    parts.made_len = 0;
    parts.overflow = false;
    used = set_vif(out, rec, &parts);
    apply_vifes(out, rec, used, &parts);
    if (parts.n > 0 || parts.overflow)
        join_parts(&parts, rec, out->qualifier);
}

void mbus_meaning_of(const struct mbus_record *rec, struct mbus_meaning *out)
{
    uint8_t vif = rec->vif[0] & CODE;
    const struct mbus_vif *v = rec->vif_len == 1 ? mbus_vif_primary(vif) : NULL;

    memset(out, 0, sizeof *out);
    out->quantity = QUANTITY_OTHER;
    out->factor = 1;
    if (v && !v->qualifier)
        set_from_table(out, v, vif, NULL); /* most records: one VIF that says it all */
    else
        read_vib(rec, out);
    out->is_timestamp = (vif == VIF_DATE || vif == VIF_DATE_TIME) && rec->vif_len == 1;
}
