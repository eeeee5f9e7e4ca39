#include "store_internal.h"

#include <limits.h>

static void put_be(struct store_param *p, uint64_t v, int n)
{
    *p = (struct store_param){ NULL, n, STORE_PARAM_INLINE, { 0 } };
    for (int i = 0; i < n; i++)
        p->inline_[i] = (char)(uint8_t)(v >> (8 * (n - 1 - i)));
}

void p_null(struct store_param *p)
{
    *p = (struct store_param){ NULL, 0, STORE_PARAM_NULL, { 0 } };
}

void p_bool(struct store_param *p, bool v)
{
    put_be(p, v ? 1 : 0, 1);
}

void p_int2(struct store_param *p, int16_t v)
{
    put_be(p, (uint64_t)v, 2);
}

void p_int4(struct store_param *p, int32_t v)
{
    put_be(p, (uint64_t)v, 4);
}

void p_int8(struct store_param *p, int64_t v)
{
    put_be(p, (uint64_t)v, 8);
}

void p_time(struct store_param *p, emt_time v)
{
    int64_t pg;

    if (v == EMT_TIME_NONE) {
        p_null(p);
        return;
    }
    /* Past the range of the server's type, which then says so. */
    if (__builtin_sub_overflow(v, EMT_PG_EPOCH, &pg))
        pg = INT64_MIN + 1;
    put_be(p, (uint64_t)pg, 8);
}

void p_text(struct store_param *p, const char *v)
{
    *p = (struct store_param){ v, 0, v ? STORE_PARAM_TEXT : STORE_PARAM_NULL, { 0 } };
}

void p_bytes(struct store_param *p, const void *v, size_t n)
{
    if (!v && n == 0) {
        p_null(p);
        return;
    }
    *p = (struct store_param){ v, 0, STORE_PARAM_BORROWED, { 0 } };
    if (!v || n > INT_MAX)
        p->kind = STORE_PARAM_BAD;
    else
        p->len = (int)n;
}

enum emt_err wire_params_fill(struct wire_params *w, int n, const struct store_param *params)
{
    if (n < 0 || n > STORE_PARAMS_MAX)
        return EMT_ELIMIT;
    w->n = n;
    for (int i = 0; i < n; i++) {
        const struct store_param *p = &params[i];

        w->values[i] = p->kind == STORE_PARAM_NULL     ? NULL
                       : p->kind == STORE_PARAM_INLINE ? p->inline_
                                                       : p->data;
        w->lengths[i] = p->len;
        w->formats[i] = p->kind == STORE_PARAM_TEXT ? 0 : 1;
        if (p->kind == STORE_PARAM_BAD)
            return EMT_ENOMEM;
    }
    return EMT_OK;
}
