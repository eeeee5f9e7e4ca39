#include "explain_check.h"

#include "base/hex.h"

#include <check.h>
#include <string.h>

#define TEXT_MAX ((size_t)16 << 20)

static void check_place(uint32_t offset, uint32_t len, size_t size, const char *what)
{
    ck_assert_msg(offset <= size && len <= size - offset, "%s: %u bytes at %u of %zu", what, len,
                  offset, size);
}

static void check_layers(const struct explanation *ex, size_t size)
{
    for (unsigned i = 0; i < ex->nlayers; i++) {
        const struct explain_layer *l = &ex->layers[i];

        check_place(l->offset, l->len, size, l->name);
        for (unsigned k = 0; k < l->nfields; k++)
            check_place(l->fields[k].offset, l->fields[k].len, size, l->fields[k].name);
    }
}

/* The DIF that is printed is the byte at the place. Compact frames send none. */
static void check_dif(const struct explanation *ex, const struct explain_record *r,
                      const uint8_t *frame)
{
    const uint8_t *p = r->where == EXPLAIN_PLAIN ? ex->plain : frame;
    char text[3];

    if (r->dif && r->len > 0)
        ck_assert_msg(strncmp(hex_encode(p + r->offset, 1, text), r->dif, 2) == 0,
                      "DIF %s, the byte there is %s", r->dif, text);
}

static void check_records(const struct explanation *ex, const struct decode_request *req,
                          const struct decode_result *result)
{
    unsigned seen = 0;
    bool compact = false;

    for (unsigned i = 0; i < ex->nlayers; i++)
        compact = compact || strcmp(ex->layers[i].name, "compact") == 0;
    for (unsigned i = 0; i < ex->nrecords; i++) {
        const struct explain_record *r = &ex->records[i];

        check_place(r->offset, r->len, r->where == EXPLAIN_PLAIN ? ex->plain_len : req->len,
                    r->text);
        if (!compact)
            check_dif(ex, r, req->frame);
        if (!r->reading)
            continue;
        ck_assert_uint_gt(r->len, 0);
        ck_assert(r->reading >= result->readings &&
                  r->reading < result->readings + result->nreadings);
        seen++;
    }
    ck_assert_msg(seen == result->nreadings, "%u of %u readings are explained", seen,
                  result->nreadings);
}

static void check_secrets(const char *text, const struct device_key *keys, unsigned nkeys)
{
    char hex[2 * sizeof keys->bytes + 1];

    for (unsigned i = 0; i < nkeys; i++) {
        if (keys[i].len == 0)
            continue;
        ck_assert(!strstr(text, hex_encode(keys[i].bytes, keys[i].len, hex)));
        if (keys[i].ak_len)
            ck_assert(!strstr(text, hex_encode(keys[i].ak, keys[i].ak_len, hex)));
    }
}

void explain_check(const struct decode_request *req, const struct decode_result *decoded,
                   const struct device_key *keys, unsigned nkeys)
{
    struct decode_result result;
    struct explanation ex;
    struct writer w;

    ck_assert_int_eq(explain_frame(req, &result, &ex), EMT_OK);
    ck_assert_int_eq(result.state, decoded->state);
    ck_assert_uint_eq(result.nreadings, decoded->nreadings);
    ck_assert(result.state == FRAME_OK || ex.note);
    check_layers(&ex, req->len);
    check_records(&ex, req, &result);
    writer_init_heap(&w, TEXT_MAX);
    explain_put_json(&w, &ex);
    ck_assert(!w.failed);
    check_secrets(writer_cstr(&w), keys, nkeys);
    writer_clear(&w);
    explain_put_text(&w, &ex);
    ck_assert(!w.failed);
    check_secrets(writer_cstr(&w), keys, nkeys);
    writer_release(&w);
}
