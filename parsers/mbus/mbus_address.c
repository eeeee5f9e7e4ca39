#include "mbus_address.h"

#include <string.h>

#define DEVICE_TYPE_WATER 0x07

struct mbus_address mbus_address_read_link(struct reader *in)
{
    struct mbus_address a = { 0 };

    reader_copy(in, a.m, sizeof a.m);
    reader_copy(in, a.id, sizeof a.id);
    a.version = reader_u8(in);
    a.type = reader_u8(in);
    return a;
}

struct mbus_address mbus_address_read_long(struct reader *in)
{
    struct mbus_address a = { 0 };

    reader_copy(in, a.id, sizeof a.id);
    reader_copy(in, a.m, sizeof a.m);
    a.version = reader_u8(in);
    a.type = reader_u8(in);
    return a;
}

void mbus_address_reorder(struct mbus_address *a, uint8_t ci)
{
    static const char *const makers[] = { "DME", "HYD", "EWT", "SPL", "SAP" };
    const uint8_t sent[6] = { a->id[0], a->id[1], a->id[2], a->id[3], a->version, a->type };
    bool prios = ci >= 0xa0 && ci <= 0xa7, known = false;
    char maker[4];

    manufacturer_from_code((uint16_t)(a->m[0] | a->m[1] << 8), maker);
    for (size_t i = 0; i < sizeof makers / sizeof makers[0]; i++)
        known = known || strcmp(maker, makers[i]) == 0;
    if (!known || (!prios && (ci < 0xb1 || ci > 0xb3)))
        return;
    if (strcmp(maker, "SAP") == 0) {
        if (prios) {
            a->version = 0;
            a->type = DEVICE_TYPE_WATER;
        }
        return;
    }
    memcpy(a->id, sent + 2, sizeof a->id);
    a->version = sent[0];
    a->type = sent[1];
}

static void swap(uint8_t *a, uint8_t *b)
{
    uint8_t t = *a;

    *a = *b;
    *b = t;
}

void mbus_address_reverse(struct mbus_address *a)
{
    swap(&a->id[0], &a->id[3]);
    swap(&a->id[1], &a->id[2]);
    swap(&a->m[0], &a->m[1]);
}

bool mbus_address_equal(const struct mbus_address *a, const struct mbus_address *b)
{
    return memcmp(a->m, b->m, sizeof a->m) == 0 && memcmp(a->id, b->id, sizeof a->id) == 0 &&
           a->version == b->version && a->type == b->type;
}

void mbus_id_text(const uint8_t id[4], char out[9])
{
    static const char digit[] = "0123456789ABCDEF"; /* letters are no BCD, but they occur */

    for (size_t i = 0; i < 4; i++) {
        out[2 * i] = digit[id[3 - i] >> 4];
        out[2 * i + 1] = digit[id[3 - i] & 0x0f];
    }
    out[8] = 0;
}

void mbus_address_device(const struct mbus_address *a, struct device_id *out)
{
    char number[9];

    memset(out, 0, sizeof *out);
    manufacturer_from_code((uint16_t)(a->m[0] | a->m[1] << 8), out->manufacturer);
    mbus_id_text(a->id, number);
    memcpy(out->number, number, sizeof number);
    out->version = a->version;
    out->type = a->type;
    out->has_version = true;
}
