/* Canonical text: MANUFACTURER "-" NUMBER [ "-" VERSION "-" TYPE ], the last two in hex. A number
 * without version that itself ends like one gets a closing "-", so that no two identities share a
 * text. */
#include "model/device_id.h"

#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define NUMBER_MAX 32
#define TAIL_LEN 6 /* "-19-0c" */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool take_hex(const char *p, uint8_t *out)
{
    int high = hex_digit(p[0]);
    int low = high < 0 ? -1 : hex_digit(p[1]);

    if (low < 0)
        return false;
    *out = (uint8_t)(high << 4 | low);
    return true;
}

/* Version and type from the last characters of a text; false when it does not end in them. */
static bool take_tail(const char *text, size_t n, uint8_t *version, uint8_t *type)
{
    const char *tail = n >= TAIL_LEN ? text + n - TAIL_LEN : "";

    return tail[0] == '-' && tail[3] == '-' && take_hex(tail + 1, version) &&
           take_hex(tail + 4, type);
}

static bool needs_mark(const char *number, size_t n)
{
    uint8_t version;
    uint8_t type;

    return n && (number[n - 1] == '-' || take_tail(number, n, &version, &type));
}

char *device_id_format(const struct device_id *id, char buf[DEVICE_ID_TEXT_MAX])
{
    size_t n = strnlen(id->number, NUMBER_MAX);

    if (id->has_version)
        (void)snprintf(buf, DEVICE_ID_TEXT_MAX, "%.3s-%.*s-%02x-%02x", id->manufacturer, (int)n,
                       id->number, id->version, id->type);
    else
        (void)snprintf(buf, DEVICE_ID_TEXT_MAX, "%.3s-%.*s%s", id->manufacturer, (int)n, id->number,
                       needs_mark(id->number, n) ? "-" : "");
    return buf;
}

enum emt_err device_id_parse(const char *text, struct device_id *out)
{
    struct device_id id = { .number = "" };
    size_t n = strnlen(text, DEVICE_ID_TEXT_MAX);
    size_t at = 0;

    if (n == DEVICE_ID_TEXT_MAX)
        return EMT_EMALFORMED;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return EMT_EMALFORMED;
    /* Five bits and 64: the letters and their neighbours '@' to '_' (EN 13757-3). */
    if (text[0] >= '@' && text[0] <= '_') {
        for (; at < 3 && text[at] >= '@' && text[at] <= '_'; at++)
            id.manufacturer[at] = text[at];
        if (at != 3)
            return EMT_EMALFORMED;
    }
    if (text[at] != '-')
        return EMT_EMALFORMED;
    at++;
    text += at;
    n -= at;
    id.has_version = take_tail(text, n, &id.version, &id.type);
    if (id.has_version)
        n -= TAIL_LEN;
    else if (n && text[n - 1] == '-' && needs_mark(text, n - 1))
        n--;
    if (n == 0 || n > NUMBER_MAX || (!id.has_version && n && text[n] == 0 && text[n - 1] == '-'))
        return EMT_EMALFORMED;
    memcpy(id.number, text, n);
    *out = id;
    return EMT_OK;
}

bool device_id_equal(const struct device_id *a, const struct device_id *b)
{
    if (strncmp(a->manufacturer, b->manufacturer, sizeof a->manufacturer) != 0 ||
        strncmp(a->number, b->number, sizeof a->number) != 0 || a->has_version != b->has_version)
        return false;
    return !a->has_version || (a->version == b->version && a->type == b->type);
}

void manufacturer_from_code(uint16_t code, char out[4])
{
    out[0] = (char)((code >> 10 & 31) + 64);
    out[1] = (char)((code >> 5 & 31) + 64);
    out[2] = (char)((code & 31) + 64);
    out[3] = 0;
}

enum emt_err manufacturer_to_code(const char *letters, uint16_t *out)
{
    unsigned code = 0;

    for (unsigned i = 0; i < 3; i++) {
        if (letters[i] < 'A' || letters[i] > 'Z')
            return EMT_EMALFORMED;
        code = code << 5 | (unsigned)(letters[i] - 64);
    }
    if (letters[3])
        return EMT_EMALFORMED;
    *out = (uint16_t)code;
    return EMT_OK;
}

/* EN 13757-7, device types. */
static const char *const media[] = {
    [0x00] = "other",
    [0x01] = "oil",
    [0x02] = "electricity",
    [0x03] = "gas",
    [0x04] = "heat",
    [0x05] = "steam",
    [0x06] = "warm-water",
    [0x07] = "water",
    [0x08] = "heat-cost-allocator",
    [0x09] = "compressed-air",
    [0x0a] = "cooling",
    [0x0b] = "cooling-flow",
    [0x0c] = "heat-flow",
    [0x0d] = "heat-cooling",
    [0x0e] = "bus-system",
    [0x15] = "hot-water",
    [0x16] = "cold-water",
    [0x17] = "dual-water",
    [0x18] = "pressure",
    [0x19] = "ad-converter",
    [0x1a] = "smoke-detector",
    [0x1b] = "room-sensor",
    [0x1c] = "gas-detector",
    [0x20] = "breaker",
    [0x21] = "valve",
    [0x25] = "display",
    [0x28] = "waste-water",
    [0x29] = "waste",
    [0x31] = "communication-controller",
    [0x36] = "radio-converter-system",
    [0x37] = "radio-converter-meter",
};

const char *medium_name(uint8_t type)
{
    if (type >= sizeof media / sizeof media[0] || !media[type])
        return "unknown";
    return media[type];
}
