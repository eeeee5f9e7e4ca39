/* FNN "Lastenheft Basiszähler", status word: bit 8 above start-up current, 9 magnetic field, 10
 * terminal cover, 11 sum of active power flows out, 12..14 the same for L1..L3, 15 phase order, 16
 * backstop, 17 fatal error, 18..20 voltage at L1..L3. */
#include "sml_status.h"

#include <string.h>

#define LAYOUT_MASK 0xffu
#define LAYOUT_FNN 0x04u
#define BIT_EXPORTS 11
#define BIT_FATAL 17

struct sml_status sml_status_of(uint64_t word)
{
    struct sml_status s = { 0 };

    s.known = (word & LAYOUT_MASK) == LAYOUT_FNN && word <= UINT32_MAX;
    if (s.known) {
        s.exports = word >> BIT_EXPORTS & 1u;
        s.fatal = word >> BIT_FATAL & 1u;
    }
    return s;
}

char *sml_status_flags(uint64_t word, char *buf, unsigned size)
{
    static const struct {
        uint8_t bit;
        const char *name;
    } flags[] = {
        { 8, "load" },        { 9, "magnet" },       { 10, "cover" },      { 11, "export" },
        { 12, "export-l1" },  { 13, "export-l2" },   { 14, "export-l3" },  { 15, "phase-order" },
        { 16, "backstop" },   { 17, "fatal-error" }, { 18, "voltage-l1" }, { 19, "voltage-l2" },
        { 20, "voltage-l3" },
    };
    unsigned len = 0;

    buf[0] = 0;
    if (!sml_status_of(word).known)
        return buf;
    for (unsigned i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        unsigned n = (unsigned)strlen(flags[i].name);

        if (!(word >> flags[i].bit & 1u) || len + n + 2 > size)
            continue;
        if (len)
            buf[len++] = '+';
        memcpy(buf + len, flags[i].name, n + 1);
        len += n;
    }
    return buf;
}
