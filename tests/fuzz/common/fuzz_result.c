#include "fuzz_result.h"

#include <stdlib.h>
#include <string.h>

void fuzz_must(bool holds)
{
    if (!holds)
        abort();
}

static void check_reading(const struct reading *r)
{
    char key[CHANNEL_KEY_MAX], text[DECIMAL_TEXT_MAX];

    fuzz_must(memchr(r->qualifier, 0, sizeof r->qualifier) != NULL);
    fuzz_must(memchr(r->time_text, 0, sizeof r->time_text) != NULL);
    fuzz_must(strlen(reading_channel_key(r, key)) < CHANNEL_KEY_MAX);
    if (r->kind == READING_TEXT || r->kind == READING_RAW)
        fuzz_must(r->text != NULL);
    else
        fuzz_must(r->value.exponent >= -64 && r->value.exponent <= 64 &&
                  strlen(decimal_format(r->value, text)) < DECIMAL_TEXT_MAX);
}

void fuzz_check_result(const struct decode_result *r, size_t size)
{
    fuzz_must((unsigned)r->state < FRAME_STATES);
    fuzz_must(memchr(r->reason, 0, sizeof r->reason) != NULL);
    fuzz_must(r->state == FRAME_OK ||
              (r->reason[0] != 0 && r->nreadings == 0 && !r->has_application));
    fuzz_must(r->plain != NULL || r->plain_len == 0);
    for (unsigned i = 0; i < r->nlayers; i++)
        fuzz_must(r->layers[i].name != NULL && r->layers[i].offset <= size);
    for (unsigned i = 0; i < r->nlink; i++)
        fuzz_must(r->link[i].name != NULL && r->link[i].text != NULL);
    for (unsigned i = 0; i < r->nreadings; i++)
        check_reading(&r->readings[i]);
    if (r->has_device) {
        char text[DEVICE_ID_TEXT_MAX];
        struct device_id id;

        fuzz_must(device_id_parse(device_id_format(&r->device, text), &id) == EMT_OK);
        fuzz_must(device_id_equal(&id, &r->device));
    }
}
