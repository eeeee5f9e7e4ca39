/* Small texts from outside: hex, base64, points in time, decimals, codes, identities. What parses
 * must come back the same after being formatted. */
#include "base/clock.h"
#include "base/hex.h"
#include "base/json_text.h"
#include "model/decimal.h"
#include "model/device_id.h"
#include "model/local_day.h"
#include "model/market_id.h"
#include "model/obis.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check_bytes(const char *text, size_t n)
{
    uint8_t bytes[TEXT_MAX];
    uint8_t again[TEXT_MAX];
    char out[2 * TEXT_MAX + 1];
    size_t len;
    size_t back;

    if (hex_decode(text, n, bytes, sizeof bytes, &len) == EMT_OK) {
        (void)hex_encode(bytes, len, out);
        must(hex_decode(out, 2 * len, again, sizeof again, &back) == EMT_OK && back == len);
        must(memcmp(bytes, again, len) == 0);
    }
    if (base64_decode(text, n, bytes, sizeof bytes, &len) == EMT_OK) {
        (void)base64url_encode(bytes, len, out);
        must(base64_decode(out, strlen(out), again, sizeof again, &back) == EMT_OK && back == len);
        must(memcmp(bytes, again, len) == 0);
    }
}

static void check_time(const char *text)
{
    char buf[32];
    emt_time t;
    emt_time back;
    struct local_date day;

    if (time_parse(text, &t) == EMT_OK && t >= INT64_C(-62135596800) * EMT_SECOND &&
        t < INT64_C(253402300800) * EMT_SECOND)
        must(time_parse(time_format(t, buf), &back) == EMT_OK && back == t);
    if (local_date_parse(text, &day) == EMT_OK && day.year > 1 && day.year < 9999)
        must(local_day_end(day) - local_day_start(day) >= 23 * EMT_HOUR);
}

static void check_model(const char *text, size_t n)
{
    char buf[DECIMAL_TEXT_MAX];
    char code[OBIS_TEXT_MAX];
    char name[DEVICE_ID_TEXT_MAX];
    struct decimal d;
    struct decimal back;
    struct obis o;
    struct device_id id;
    struct device_id same;

    if (decimal_parse(text, n, &d) == EMT_OK) {
        (void)decimal_format(d, buf);
        must(decimal_parse(buf, strlen(buf), &back) == EMT_OK && decimal_compare(d, back) == 0);
    }
    if (obis_parse(text, &o) == EMT_OK) {
        struct obis same_code;

        must(obis_parse(obis_format(o, code), &same_code) == EMT_OK && obis_equal(o, same_code));
    }
    if (device_id_parse(text, &id) == EMT_OK) {
        must(strcmp(device_id_format(&id, name), text) == 0);
        must(device_id_parse(name, &same) == EMT_OK && device_id_equal(&id, &same));
    }
    (void)!malo_check(text, NULL);
    (void)!melo_check(text, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t n = size < TEXT_MAX ? size : TEXT_MAX - 1;
    char *text = malloc(n + 1);
    struct writer w;

    if (!text)
        return 0;
    if (n)
        memcpy(text, data, n);
    text[n] = 0;
    check_bytes(text, n);
    check_time(text);
    check_model(text, n);
    writer_init_heap(&w, (size_t)8 * TEXT_MAX);
    json_put_string(&w, text, n);
    must(!w.failed);
    writer_release(&w);
    free(text);
    return 0;
}
