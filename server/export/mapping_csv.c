#include "export/mapping_csv.h"

#include "base/clock.h"
#include "model/decimal.h"
#include "store/export_store.h"
#include "store/location_store.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

static const char head[] = "code,kind,name,receiver_mp_id,channel,device,register,obis,ratio,"
                           "device_number,valid_from,valid_to,use_case,order_number,config_id,"
                           "decimals,step_s,capacity,first_reading,last_reading,"
                           "master_data_number\r\n";

void mapping_csv_head(struct writer *w)
{
    (void)writer_text(w, head);
}

/* A line stays one: names may have control characters, which no import takes. */
static void put_character(struct writer *w, char c)
{
    (void)writer_u8(w, (unsigned char)c < 0x20 || c == 0x7f ? ' ' : (uint8_t)c);
}

/* RFC 4180: in quotes where there is something to quote. */
static void put_text(struct writer *w, const char *text)
{
    size_t n = strlen(text);
    bool quotes =
        n > 0 && (strpbrk(text, ",;\t\"") != NULL || text[0] == ' ' || text[n - 1] == ' ');

    if (quotes)
        (void)writer_u8(w, '"');
    for (; *text; text++) {
        if (*text == '"')
            (void)writer_u8(w, '"');
        put_character(w, *text);
    }
    if (quotes)
        (void)writer_u8(w, '"');
}

static void put_comma(struct writer *w)
{
    (void)writer_u8(w, ',');
}

static void put_cell(struct writer *w, const struct store_result *r, int i, int column)
{
    put_comma(w);
    if (!c_null(r, i, column))
        put_text(w, c_text(r, i, column));
}

static void put_number(struct writer *w, const struct store_result *r, int i, int column)
{
    put_comma(w);
    if (!c_null(r, i, column))
        (void)writer_printf(w, "%lld", (long long)c_int(r, i, column));
}

static void put_decimal(struct writer *w, const struct store_result *r, int i, int column)
{
    char text[DECIMAL_TEXT_MAX];

    put_comma(w);
    if (!c_null(r, i, column))
        (void)writer_text(
            w, decimal_format(decimal_of(c_int(r, i, column), (int)c_int(r, i, column + 1)), text));
}

static void put_time(struct writer *w, const struct store_result *r, int i, int column)
{
    char text[32];

    put_comma(w);
    if (!c_null(r, i, column))
        (void)writer_text(w, time_format(c_time(r, i, column), text));
}

static const char *kind_name(int64_t kind)
{
    switch ((enum location_kind)kind) {
    case LOCATION_MELO:
        return "melo";
    case LOCATION_MALO:
        return "malo";
    case LOCATION_NELO:
        return "nelo";
    case LOCATION_TRANCHE:
        return "tranche";
    }
    return "";
}

static void put_line(struct writer *w, const struct store_result *r, int i)
{
    put_text(w, c_text(r, i, MAPPING_CODE));
    put_comma(w);
    (void)writer_text(w, kind_name(c_int(r, i, MAPPING_KIND)));
    put_cell(w, r, i, MAPPING_NAME);
    put_cell(w, r, i, MAPPING_RECEIVER);
    put_number(w, r, i, MAPPING_CHANNEL);
    put_cell(w, r, i, MAPPING_DEVICE);
    put_cell(w, r, i, MAPPING_REGISTER);
    put_cell(w, r, i, MAPPING_OBIS);
    put_decimal(w, r, i, MAPPING_RATIO);
    put_cell(w, r, i, MAPPING_DEVICE_NUMBER);
    put_time(w, r, i, MAPPING_FROM);
    put_time(w, r, i, MAPPING_TO);
    put_cell(w, r, i, MAPPING_USE_CASE);
    put_cell(w, r, i, MAPPING_ORDER);
    put_cell(w, r, i, MAPPING_CONFIG);
    put_number(w, r, i, MAPPING_DECIMALS);
    put_number(w, r, i, MAPPING_STEP);
    put_decimal(w, r, i, MAPPING_CAPACITY);
    put_decimal(w, r, i, MAPPING_FIRST);
    put_decimal(w, r, i, MAPPING_LAST);
    put_cell(w, r, i, MAPPING_MASTER_DATA);
    (void)writer_text(w, "\r\n");
}

enum emt_err mapping_csv_lines(struct store *s, int32_t tenant, const char *after, int places,
                               struct writer *w, char next[MAPPING_CODE_MAX])
{
    struct store_result *r = NULL;
    enum emt_err err = location_mapping(s, tenant, after, places, &r);
    const char *last = "";
    int seen = 0;

    next[0] = '\0';
    for (int i = 0; err == EMT_OK && i < store_rows(r); i++) {
        const char *code = c_text(r, i, MAPPING_CODE);

        seen += strcmp(code, last) != 0;
        last = code;
        put_line(w, r, i);
    }
    if (err == EMT_OK && w->failed)
        err = EMT_ELIMIT;
    if (err == EMT_OK && seen == places)
        snprintf(next, MAPPING_CODE_MAX, "%s", last);
    store_result_free(r);
    return err;
}
