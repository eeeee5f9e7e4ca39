#include "fuzz_result.h"

#include "parsers/explain.h"

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

static void check_place(uint32_t offset, uint32_t len, size_t size)
{
    fuzz_must(offset <= size && len <= size - offset);
}

static void check_explanation(const struct explanation *ex, size_t size)
{
    for (unsigned i = 0; i < ex->nlayers; i++) {
        const struct explain_layer *l = &ex->layers[i];

        fuzz_must(l->name != NULL);
        check_place(l->offset, l->len, size);
        for (unsigned k = 0; k < l->nfields; k++) {
            fuzz_must(l->fields[k].name != NULL && l->fields[k].value != NULL);
            check_place(l->fields[k].offset, l->fields[k].len, size);
        }
    }
    for (unsigned i = 0; i < ex->nrecords; i++) {
        const struct explain_record *r = &ex->records[i];

        fuzz_must(r->text != NULL);
        check_place(r->offset, r->len, r->where == EXPLAIN_PLAIN ? ex->plain_len : size);
    }
}

void fuzz_explain(const struct decode_request *req, struct decode_result *out)
{
    struct explanation ex;
    struct writer w;

    writer_init_heap(&w, (size_t)64 << 20);
    fuzz_must(explain_frame(req, out, &ex) == EMT_OK);
    fuzz_check_result(out, SIZE_MAX);
    check_explanation(&ex, req->len);
    fuzz_must(out->state == FRAME_OK || ex.note != NULL);
    explain_put_json(&w, &ex);
    explain_put_text(&w, &ex);
    fuzz_must(!w.failed);
    writer_release(&w);
}
