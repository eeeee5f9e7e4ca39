#include "sml_quirk.h"

#include "sml_server_id.h"

#include <string.h>

static const struct {
    const char *name;
} rows[SML_QUIRKS] = {
    [SML_QUIRK_KERMIT_CRC] = { "kermit-message-crc" }, /* Holley DTZ541 */
    [SML_QUIRK_ZERO_FILL] = { "uncounted-padding" },
    [SML_QUIRK_BARE_TIME] = { "bare-time" },               /* Holley DTZ541 */
    [SML_QUIRK_SHORT_POWER] = { "dzg-dvs74-short-power" }, /* DZG DVS74 */
};

const char *sml_quirk_name(enum sml_quirk q)
{
    return (unsigned)q < SML_QUIRKS ? rows[q].name : "unknown";
}

bool sml_quirk_short_power(const uint8_t *server, size_t len, struct obis o,
                           const struct sml_value *v)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = { { 42000000, 48999999 }, { 55000000, 58999999 } };
    const struct obis power = { 1, 0, 16, 7, 0, 255 };
    char maker[4];
    uint32_t number;

    if (v->kind != SML_VALUE_INTEGER || v->n > 2 || v->i >= 0 || !obis_equal(o, power))
        return false;
    if (!sml_server_id_parts(server, len, maker, &number) || strcmp(maker, "DZG") != 0)
        return false;
    for (unsigned i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (number >= ranges[i].first && number <= ranges[i].last)
            return true;
    return false;
}
