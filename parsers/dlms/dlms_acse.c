/* tag, length, then components, each with tag and length:
 *
 * AARQ 60: A1 context name, A6 calling AP title, 8A requirements, 8B mechanism name, AC calling
 *          authentication value, BE user information
 * AARE 61: A1 context name, A2 result, A3 diagnostic, A4 responding AP title, 88 requirements,
 *          89 mechanism name, AA responding authentication value, BE user information
 * RLRQ 62, RLRE 63: 80 reason, BE user information */
#include "dlms_acse.h"

#include <string.h>

#define OID 0x06
#define OCTETS 0x04
#define NAME_LEN 7 /* of the object identifiers 2.16.756.5.8.x.y */
#define TITLE_LEN 8

static struct reader read_part(struct reader *in, uint8_t *tag)
{
    uint8_t first;
    size_t len;

    *tag = reader_u8(in);
    first = reader_u8(in);
    len = first;
    if (first & 0x80u) {
        unsigned n = first & 0x7fu;

        if (n < 1 || n > 2)
            reader_fail(in);
        else
            len = (size_t)reader_be(in, n);
    }
    return reader_sub(in, len);
}

/* One part inside another: its content when the tag is `want`. */
static const uint8_t *inner(struct reader part, uint8_t want, size_t *n)
{
    uint8_t tag;
    struct reader content = read_part(&part, &tag);

    *n = reader_left(&content);
    if (tag != want || content.failed || !reader_at_end(&part))
        return NULL;
    return reader_bytes(&content, *n);
}

static bool read_name(const uint8_t *p, size_t n, uint8_t *arc)
{
    static const uint8_t prefix[5] = { 0x60, 0x85, 0x74, 0x05, 0x08 };

    if (!p || n != NAME_LEN || memcmp(p, prefix, sizeof prefix) != 0)
        return false;
    *arc = p[NAME_LEN - 1];
    return true;
}

static bool read_small(const uint8_t *p, size_t n, uint8_t *out)
{
    if (!p || n != 1)
        return false;
    *out = p[0];
    return true;
}

/* A3: A1 (service user) or A2 (provider), then an integer. */
static bool read_diagnostic(struct reader part, uint8_t *out)
{
    uint8_t tag;
    struct reader choice = read_part(&part, &tag);
    size_t n;
    const uint8_t *p = inner(choice, 0x02, &n);

    return (tag == 0xa1 || tag == 0xa2) && read_small(p, n, out);
}

static bool read_title(struct reader part, struct acse_apdu *out)
{
    size_t n;
    const uint8_t *p = inner(part, OCTETS, &n);

    if (p && n == TITLE_LEN)
        out->title = p;
    return p != NULL;
}

static bool read_component(struct acse_apdu *out, uint8_t tag, struct reader part)
{
    size_t n;
    const uint8_t *p;

    switch (tag) {
    case 0xa1:
        p = inner(part, OID, &n);
        return read_name(p, n, &out->context);
    case 0xa2:
        if (out->tag != ACSE_AARE)
            return true; /* called AP title */
        p = inner(part, 0x02, &n);
        out->has_result = true;
        return read_small(p, n, &out->result);
    case 0xa3:
        return out->tag != ACSE_AARE || read_diagnostic(part, &out->diagnostic);
    case 0xa4:
    case 0xa6:
        return read_title(part, out);
    case 0x89:
    case 0x8b:
        n = reader_left(&part);
        return read_name(reader_bytes(&part, n), n, &out->mechanism);
    case 0xaa:
    case 0xac:
        out->authentication = inner(part, 0x80, &out->authentication_len);
        return out->authentication != NULL;
    case 0xbe:
        out->user_information = inner(part, OCTETS, &out->user_information_len);
        return out->user_information != NULL;
    default:
        return true;
    }
}

enum emt_err acse_read(const uint8_t *p, size_t n, struct acse_apdu *out)
{
    struct reader in = reader_of(p, n);
    struct acse_apdu a = { .tag = 0 };
    struct reader body = read_part(&in, &a.tag);

    if (in.failed)
        return EMT_ETRUNCATED;
    if (a.tag < ACSE_AARQ || a.tag > ACSE_RLRE || !reader_at_end(&in))
        return EMT_EMALFORMED;
    while (reader_left(&body)) {
        uint8_t tag;
        struct reader part = read_part(&body, &tag);

        if (body.failed || !read_component(&a, tag, part))
            return EMT_EMALFORMED;
    }
    *out = a;
    return EMT_OK;
}
