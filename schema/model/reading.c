#include "model/reading.h"

#include "base/writer.h"

#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* Longer keys are cut and end in a hash of the whole. */
#define KEY_WHOLE_MAX 512
#define HASH_LEN 17 /* '~' and 16 hex digits */

static const char *kind_name(enum reading_kind k)
{
    switch (k) {
    case READING_NUMBER:
        return "number";
    case READING_TEXT:
        return "text";
    case READING_STATE:
        return "state";
    case READING_RAW:
        return "raw";
    }
    return "unknown";
}

static const char *function_name(enum reading_function f)
{
    switch (f) {
    case READING_INSTANT:
        return "instant";
    case READING_MAXIMUM:
        return "maximum";
    case READING_MINIMUM:
        return "minimum";
    case READING_ERROR:
        return "error";
    }
    return "unknown";
}

static const struct unit *unit_of(const struct reading *r)
{
    return r->unit ? unit_find(r->unit) : NULL;
}

static const char *base_unit(const struct reading *r)
{
    const struct unit *u = unit_of(r);

    if (u)
        return u->exact ? u->base : u->name;
    return r->unit ? r->unit : "-";
}

static const char *code_text(const struct reading *r, char buf[OBIS_TEXT_MAX])
{
    if (r->obis_text)
        return r->obis_text;
    return obis_is_none(r->obis) ? "-" : obis_format(r->obis, buf);
}

/* FNV-1a, only to keep cut keys apart. */
static uint64_t hash_text(uint64_t h, const char *s)
{
    for (; *s; s++)
        h = (h ^ (uint8_t)*s) * UINT64_C(0x100000001b3);
    return h;
}

char *reading_channel_key(const struct reading *r, char buf[CHANNEL_KEY_MAX])
{
    char whole[KEY_WHOLE_MAX];
    char code_buf[OBIS_TEXT_MAX];
    const char *code = code_text(r, code_buf);
    int n =
        snprintf(whole, sizeof whole, "|%s|%s|%s|%s|%llu|%u|%u|%s|%u", quantity_name(r->quantity),
                 base_unit(r), kind_name(r->kind), function_name(r->function),
                 (unsigned long long)r->storage, r->tariff, r->subunit, r->qualifier, r->nth);
    size_t len = strlen(code);

    if (n > 0 && len + (size_t)n < CHANNEL_KEY_MAX) {
        memcpy(buf, code, len);
        memcpy(buf + len, whole, (size_t)n + 1);
    } else {
        uint64_t h = hash_text(hash_text(UINT64_C(0xcbf29ce484222325), code), whole);
        int keep = CHANNEL_KEY_MAX - 1 - HASH_LEN;
        int first = (int)(len < (size_t)keep ? len : (size_t)keep);

        (void)snprintf(buf, CHANNEL_KEY_MAX, "%.*s%.*s~%016llx", first, code, keep - first, whole,
                       (unsigned long long)h);
    }
    return buf;
}

enum emt_err reading_base_value(const struct reading *r, struct decimal *out)
{
    const struct unit *u = unit_of(r);

    if (!u || !u->exact) {
        *out = r->value;
        return EMT_OK;
    }
    return decimal_mul(r->value, u->factor, out);
}
