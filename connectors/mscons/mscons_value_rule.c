#include "mscons/mscons_value_rule.h"

#include "model/local_day.h"

#include <string.h>

#define MALO_LEN 11
#define MELO_LEN 33

static bool obis_is(struct obis o, int c, int d, int e)
{
    return o.c == c && o.d == d && (e < 0 || o.e == e);
}

bool mscons_is_state_or_calorific(struct obis o)
{
    return o.a == 7 && (obis_is(o, 52, 0, 22) || obis_is(o, 54, 0, 16) || obis_is(o, 54, 0, 20) ||
                        obis_is(o, 54, 0, 22));
}

unsigned mscons_decimals_allowed(const struct mscons_value_place *p)
{
    struct obis o = p->obis;

    switch (p->rules->pid) {
    case 13002:
        return obis_is(o, 52, 0, 22) ? 4 : 3;
    case 13007:
        return 4;
    case 13008:
        return obis_is(o, 52, 0, 22) || obis_is(o, 53, 0, 16) || obis_is(o, 55, 0, -1) ||
                       obis_is(o, 99, 41, 16)
                   ? 4
                   : 3;
    case 13009:
        if (p->place_len == MALO_LEN && strcmp(p->bgm, "7") == 0)
            return 0;
        return obis_is(o, 52, 0, 22) ? 4 : 3;
    case 13011:
        return 5;
    default:
        return 3;
    }
}

bool mscons_negative_allowed(const struct mscons_value_place *p)
{
    struct obis o = p->obis;

    switch (p->rules->pid) {
    case 13007:
        return o.c == 70 && (o.d == 16 || o.d == 18);
    case 13008:
        return obis_is(o, 99, 41, 16);
    case 13009:
        return p->place_len == MELO_LEN && strcmp(p->bgm, "7") == 0;
    case 13019:
        return mscons_is_correction(p->rules, p->place_len, p->config);
    case 13020:
    case 13022:
    case 13023:
    case 13026:
        return true;
    default:
        return false;
    }
}

bool mscons_qualifier_allowed(const struct mscons_value_place *p, const char *qualifier)
{
    unsigned pid = p->rules->pid;
    bool gas = mscons_is_state_or_calorific(p->obis);

    if (!mscons_list_has(p->rules->quantities, qualifier, p->bgm, NULL))
        return false;
    if (pid == 13017 && strcmp(qualifier, "Z18") == 0)
        return p->config; /* condition 113 */
    if (pid == 13002 && gas)
        return strcmp(qualifier, "220") == 0 || strcmp(qualifier, "67") == 0; /* condition 12 */
    if ((pid == 13008 || pid == 13009) && strcmp(qualifier, "187") == 0)
        return gas; /* condition 11 */
    return true;
}

enum mscons_time_shape mscons_time_shape(const struct mscons_value_place *p, bool instant)
{
    struct obis o = p->obis;

    switch (p->rules->times) {
    case TIMES_INTERVAL:
        return SHAPE_INTERVAL;
    case TIMES_READING:
        return SHAPE_READING;
    case TIMES_READING_OR_GAS:
        return mscons_is_state_or_calorific(o) ? SHAPE_INTERVAL : SHAPE_READING;
    case TIMES_ENERGY_OR_MAX:
        return o.d == 6 ? SHAPE_MONTH : SHAPE_INTERVAL;
    case TIMES_GAS_YEAR:
        return strcmp(p->bgm, "Z27") == 0 && obis_is(o, 33, 47, 0) ? SHAPE_MONTH : SHAPE_INTERVAL;
    case TIMES_TYPE2:
        return instant ? SHAPE_INSTANT : SHAPE_INTERVAL;
    case TIMES_MONTH_DAY:
        return SHAPE_MONTH;
    case TIMES_NONE:
        break;
    }
    return SHAPE_NONE;
}

bool mscons_needs_day_line(const struct mscons_value_place *p, enum mscons_time_shape shape)
{
    if (p->rules->line == LINE_NONE || shape == SHAPE_MONTH)
        return false;
    return (p->rules->pid != 13019 && p->rules->pid != 13009) || p->place_len == MALO_LEN;
}

bool mscons_on_day_line(const struct mscons_use_case *rules, bool gas_sender, emt_time t)
{
    struct local_date d = local_date_of(t);
    bool gas = rules->line == LINE_GAS || (rules->line == LINE_SECTOR && gas_sender);

    return gas ? gas_day_start(d) == t : local_day_start(d) == t;
}

bool mscons_is_correction(const struct mscons_use_case *rules, size_t place_len, bool config)
{
    return rules->pid == 13019 && (place_len == MELO_LEN || config);
}

bool mscons_has_status(const struct mscons_value_place *p)
{
    return p->rules->pid != 13009 || strcmp(p->bgm, "Z27") != 0;
}

bool mscons_needs_basis(const struct mscons_value_place *p)
{
    return p->rules->basis && strcmp(p->bgm, "7") == 0 && p->place_len == MALO_LEN;
}
