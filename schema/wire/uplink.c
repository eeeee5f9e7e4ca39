/* The parts of the field channel that need no protobuf: names, length prefix, checks of texts and
 * lists. */
#include "wire/uplink.h"

#include "base/reader.h"
#include "uplink_check.h"

#include <stdbool.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

const char *uplink_kind_name(enum uplink_kind kind)
{
    switch (kind) {
    case UPLINK_HELLO:
        return "hello";
    case UPLINK_WELCOME:
        return "welcome";
    case UPLINK_FRAMES:
        return "frames";
    case UPLINK_ACK:
        return "ack";
    case UPLINK_GAP:
        return "gap";
    case UPLINK_STATUS:
        return "status";
    case UPLINK_LOG:
        return "log";
    case UPLINK_PING:
        return "ping";
    case UPLINK_PONG:
        return "pong";
    case UPLINK_COMMAND:
        return "command";
    case UPLINK_COMMAND_RESULT:
        return "command-result";
    case UPLINK_BYE:
        return "bye";
    case UPLINK_CREDIT:
        return "credit";
    case UPLINK_CERTIFICATE_REQUEST:
        return "certificate-request";
    case UPLINK_CERTIFICATE_ISSUED:
        return "certificate-issued";
    }
    return "unknown";
}

enum emt_err uplink_prefix(const uint8_t prefix[UPLINK_PREFIX_LEN], size_t *len)
{
    struct reader in = reader_of(prefix, UPLINK_PREFIX_LEN);
    size_t n = reader_u32be(&in);

    if (n == 0)
        return EMT_EMALFORMED;
    if (n > UPLINK_MESSAGE_MAX)
        return EMT_ELIMIT;
    *len = n;
    return EMT_OK;
}

/* Length of the UTF-8 sequence that a first byte announces, its least code point in *least; 0 for a
 * byte that starts none. */
static unsigned sequence_len(uint8_t first, uint32_t *least)
{
    if (first < 0x80u) {
        *least = 0;
        return 1;
    }
    if (first >= 0xc2u && first <= 0xdfu) {
        *least = 0x80u;
        return 2;
    }
    if (first >= 0xe0u && first <= 0xefu) {
        *least = 0x800u;
        return 3;
    }
    if (first >= 0xf0u && first <= 0xf4u) {
        *least = 0x10000u;
        return 4;
    }
    return 0;
}

/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
static bool utf8_valid(const char *text, size_t n)
{
    static const uint8_t first_mask[5] = { 0, 0x7fu, 0x1fu, 0x0fu, 0x07u };
    struct reader in = reader_of(text, n);

    while (reader_left(&in) > 0) {
        uint32_t least = 0;
        uint8_t first = reader_u8(&in);
        unsigned len = sequence_len(first, &least);

        if (len == 0)
            return false;
        uint32_t point = first & first_mask[len];
        for (unsigned i = 1; i < len; i++) {
            uint8_t b = reader_u8(&in); /* 0 past the end is no continuation */
            if ((b & 0xc0u) != 0x80u)
                return false;
            point = (point << 6) | (b & 0x3fu);
        }
        if (point < least || point > 0x10ffffu || (point >= 0xd800u && point <= 0xdfffu))
            return false;
    }
    return true;
}

enum emt_err uplink_check_text(const char *text)
{
    if (!text)
        return EMT_OK;
    size_t n = strnlen(text, UPLINK_TEXT_MAX + 1);
    if (n > UPLINK_TEXT_MAX)
        return EMT_ELIMIT;
    return utf8_valid(text, n) ? EMT_OK : EMT_EMALFORMED;
}

enum emt_err uplink_check_count(size_t n, size_t most)
{
    return n > most ? EMT_ELIMIT : EMT_OK;
}
