/* DIN 43863-5 in ten bytes: 0a (09 in older meters), medium, three letters, block, number as 32 bit
 * big endian. Printed: medium, letters, block as two hex digits, number with eight digits. */
#include "sml_server_id.h"

#include "base/hex.h"

#include <string.h>

#define DIN_LEN 10
#define NUMBER_MOST 99999999u
#define MEDIUM_MANAGEMENT 0x0e /* printed E: gateways */
#define MEDIUM_FURTHER 0x0f    /* printed F */
#define NUMBER_TEXT_MAX 32     /* of struct device_id */

static char medium_letter(uint8_t medium)
{
    if (medium >= 1 && medium <= 9)
        return (char)('0' + medium);
    if (medium == MEDIUM_MANAGEMENT)
        return 'E';
    return medium == MEDIUM_FURTHER ? 'F' : 0;
}

bool sml_server_id_parts(const uint8_t *p, size_t n, char maker[4], uint32_t *number)
{
    if (n != DIN_LEN || (p[0] != 0x0a && p[0] != 0x09) || !medium_letter(p[1]))
        return false;
    for (unsigned i = 0; i < 3; i++) {
        if (p[2 + i] < 'A' || p[2 + i] > 'Z')
            return false;
        maker[i] = (char)p[2 + i];
    }
    maker[3] = 0;
    *number = (uint32_t)p[6] << 24 | (uint32_t)p[7] << 16 | (uint32_t)p[8] << 8 | p[9];
    return *number <= NUMBER_MOST;
}

bool sml_server_id_number(const uint8_t *p, size_t n, char out[SML_SERVER_ID_TEXT_MAX])
{
    static const char digits[] = "0123456789ABCDEF";
    char maker[4];
    uint32_t number;

    if (!sml_server_id_parts(p, n, maker, &number))
        return false;
    out[0] = medium_letter(p[1]);
    memcpy(out + 1, maker, 3);
    out[4] = digits[p[5] >> 4];
    out[5] = digits[p[5] & 0x0fu];
    for (unsigned i = 0; i < 8; i++, number /= 10)
        out[13 - i] = (char)('0' + number % 10);
    out[14] = 0;
    return true;
}

static bool is_printable(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] <= ' ' || p[i] > '~')
            return false;
    return n > 0;
}

/* EN 13757-7 device types of the media of DIN 43863-5, which are those of OBIS. */
static uint8_t type_of_medium(uint8_t medium)
{
    static const uint8_t types[] = {
        [1] = 0x02, [4] = 0x08, [5] = 0x0a, [6] = 0x04, [7] = 0x03, [8] = 0x16, [9] = 0x06,
    };

    if (medium == MEDIUM_MANAGEMENT)
        return 0x31;
    return medium < sizeof types ? types[medium] : 0;
}

bool sml_server_id_device(const uint8_t *p, size_t n, struct device_id *out)
{
    struct device_id id = { .number = "" };

    if (sml_server_id_number(p, n, id.number))
        id.type = type_of_medium(p[1]);
    else if (n <= NUMBER_TEXT_MAX && is_printable(p, n))
        memcpy(id.number, p, n);
    else if (n > 0 && n <= NUMBER_TEXT_MAX / 2)
        (void)hex_encode(p, n, id.number);
    else
        return false;
    *out = id;
    return true;
}
