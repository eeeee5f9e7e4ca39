#include "support.h"

#include "../parsers/explain_check.h"

#include <check.h>
#include <string.h>

static struct arena *arena; /* one process per test */

struct decode_result decode_bytes(enum protocol protocol, const void *p, size_t n)
{
    struct decode_request req = { .protocol = protocol, .frame = (const uint8_t *)p, .len = n };
    struct decode_result result, peeked;

    if (!arena)
        arena = arena_new(16u * 1024 * 1024);
    ck_assert_ptr_nonnull(arena);
    arena_reset(arena);
    req.arena = arena;
    ck_assert_int_eq(decode_peek(&req, &peeked), EMT_OK);
    ck_assert_uint_eq(peeked.nreadings, 0);
    ck_assert_int_eq(decode_frame(&req, &result), EMT_OK);
    ck_assert_int_eq(peeked.state, result.state);
    ck_assert_int_eq(peeked.has_device, result.has_device);
    ck_assert(!result.has_device || device_id_equal(&peeked.device, &result.device));
    ck_assert(result.state == FRAME_OK || result.reason[0]);
    explain_check(&req, &result, NULL, 0);
    return result;
}

void support_release(void)
{
    arena_free(arena);
    arena = NULL;
}

const struct reading *reading_of(const struct decode_result *r, const char *code,
                                 const char *qualifier)
{
    char text[OBIS_TEXT_MAX];

    for (unsigned i = 0; i < r->nreadings; i++) {
        const struct reading *x = &r->readings[i];
        const char *printed = x->obis_text ? x->obis_text : obis_format(x->obis, text);
        bool main = strcmp(x->qualifier, "status") != 0 && strcmp(x->qualifier, "signature") != 0;

        if (strcmp(printed, code) == 0 && (qualifier ? strcmp(x->qualifier, qualifier) == 0 : main))
            return x;
    }
    return NULL;
}

const char *value_of(const struct decode_result *r, const char *code, const char *qualifier)
{
    static char text[DECIMAL_TEXT_MAX];
    const struct reading *x = reading_of(r, code, qualifier);

    if (!x)
        return NULL;
    if (x->kind == READING_TEXT || x->kind == READING_RAW)
        return x->text;
    return decimal_format(x->value, text);
}

const char *link_of(const struct decode_result *r, const char *name)
{
    for (unsigned i = 0; i < r->nlink; i++)
        if (strcmp(r->link[i].name, name) == 0)
            return r->link[i].text;
    return NULL;
}
