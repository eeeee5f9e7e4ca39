#include "model/formula.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

struct parser {
    const char *text, *at;
    struct formula *out;
    struct emt_diag *diag;
    unsigned depth;
};

static enum emt_err wrong(struct parser *p, enum emt_err err, const char *what)
{
    return emt_fail(p->diag, err, "at character %u: %s", (unsigned)(p->at - p->text) + 1, what);
}

static void skip(struct parser *p)
{
    while (*p->at == ' ')
        p->at++;
}

static bool take(struct parser *p, char c)
{
    skip(p);
    if (*p->at != c)
        return false;
    p->at++;
    return true;
}

static enum emt_err put(struct parser *p, struct formula_step step)
{
    if (p->out->n == FORMULA_STEPS_MAX)
        return wrong(p, EMT_ELIMIT, "too long");
    p->out->steps[p->out->n++] = step;
    return EMT_OK;
}

static enum emt_err put_op(struct parser *p, enum formula_op op)
{
    return put(p, (struct formula_step){ .op = op });
}

static enum emt_err expression(struct parser *p);

static enum emt_err number(struct parser *p)
{
    struct formula_step step = { .op = FORMULA_CONSTANT };
    size_t n = strspn(p->at, "0123456789.");

    if (decimal_parse(p->at, n, &step.constant) != EMT_OK)
        return wrong(p, EMT_EMALFORMED, "not a number");
    p->at += n;
    return put(p, step);
}

static enum emt_err channel(struct parser *p)
{
    struct formula_step step = { .op = FORMULA_INPUT };
    struct formula *f = p->out;
    int64_t id = 0;

    for (p->at++; isdigit((unsigned char)*p->at); p->at++) {
        if (__builtin_mul_overflow(id, 10, &id) || __builtin_add_overflow(id, *p->at - '0', &id))
            return wrong(p, EMT_EMALFORMED, "no such channel");
    }
    if (id == 0)
        return wrong(p, EMT_EMALFORMED, "a channel is c and its number");
    while (step.input < f->ninputs && f->inputs[step.input] != id)
        step.input++;
    if (step.input == FORMULA_INPUTS_MAX)
        return wrong(p, EMT_ELIMIT, "too many channels");
    if (step.input == f->ninputs)
        f->inputs[f->ninputs++] = id;
    return put(p, step);
}

/* Of any number of operands, two at a time. */
static enum emt_err call(struct parser *p, const char *name, enum formula_op op)
{
    p->at += strlen(name);
    if (!take(p, '('))
        return wrong(p, EMT_EMALFORMED, "( is missing");
    enum emt_err err = expression(p);
    while (err == EMT_OK && take(p, ',')) {
        err = expression(p);
        if (err == EMT_OK)
            err = put_op(p, op);
    }
    if (err == EMT_OK && !take(p, ')'))
        err = wrong(p, EMT_EMALFORMED, ") is missing");
    return err;
}

static enum emt_err factor_inside(struct parser *p)
{
    static const struct {
        const char *name;
        enum formula_op op;
    } calls[] = { { "sum", FORMULA_ADD }, { "min", FORMULA_MIN }, { "max", FORMULA_MAX } };

    skip(p);
    if (isdigit((unsigned char)*p->at))
        return number(p);
    if (*p->at == 'c')
        return channel(p);
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        if (strncmp(p->at, calls[i].name, 3) == 0)
            return call(p, calls[i].name, calls[i].op);
    }
    if (!take(p, '('))
        return wrong(p, EMT_EMALFORMED, "a number, a channel or ( is missing");
    enum emt_err err = expression(p);
    if (err == EMT_OK && !take(p, ')'))
        err = wrong(p, EMT_EMALFORMED, ") is missing");
    return err;
}

static enum emt_err factor(struct parser *p)
{
    enum emt_err err;
    bool negative = take(p, '-');

    if (++p->depth > FORMULA_DEPTH_MAX)
        return wrong(p, EMT_ELIMIT, "too deep");
    err = factor_inside(p);
    p->depth--;
    return err == EMT_OK && negative ? put_op(p, FORMULA_NEGATE) : err;
}

static enum emt_err term(struct parser *p)
{
    enum emt_err err = factor(p);

    for (;;) {
        enum formula_op op;

        if (err != EMT_OK)
            return err;
        if (take(p, '*'))
            op = FORMULA_MULTIPLY;
        else if (take(p, '/'))
            op = FORMULA_DIVIDE;
        else
            return EMT_OK;
        err = factor(p);
        if (err == EMT_OK)
            err = put_op(p, op);
    }
}

static enum emt_err expression(struct parser *p)
{
    enum emt_err err = term(p);

    for (;;) {
        enum formula_op op;

        if (err != EMT_OK)
            return err;
        if (take(p, '+'))
            op = FORMULA_ADD;
        else if (take(p, '-'))
            op = FORMULA_SUBTRACT;
        else
            return EMT_OK;
        err = term(p);
        if (err == EMT_OK)
            err = put_op(p, op);
    }
}

enum emt_err formula_parse(const char *text, struct formula *out, struct emt_diag *diag)
{
    struct formula f = { 0 };
    struct parser p = { text, text, &f, diag, 0 };

    if (strlen(text) > FORMULA_TEXT_MAX)
        return emt_fail(diag, EMT_ELIMIT, "longer than %d characters", FORMULA_TEXT_MAX);
    enum emt_err err = expression(&p);
    if (err != EMT_OK)
        return err;
    skip(&p);
    if (*p.at != '\0')
        return wrong(&p, EMT_EMALFORMED, "an operator is missing");
    if (f.ninputs == 0)
        return wrong(&p, EMT_EMALFORMED, "there is no channel in it");
    *out = f;
    return EMT_OK;
}

static enum emt_err apply(enum formula_op op, struct decimal a, struct decimal b, int decimals,
                          struct decimal *out)
{
    switch (op) {
    case FORMULA_ADD:
        return decimal_add(a, b, out);
    case FORMULA_SUBTRACT:
        return decimal_sub(a, b, out);
    case FORMULA_MULTIPLY:
        return decimal_mul(a, b, out);
    case FORMULA_DIVIDE:
        return decimal_div(a, b, decimals, out);
    case FORMULA_MIN:
        *out = decimal_compare(a, b) <= 0 ? a : b;
        return EMT_OK;
    case FORMULA_MAX:
        *out = decimal_compare(a, b) >= 0 ? a : b;
        return EMT_OK;
    case FORMULA_CONSTANT:
    case FORMULA_INPUT:
    case FORMULA_NEGATE:
        break;
    }
    return EMT_EINTERNAL;
}

enum emt_err formula_value(const struct formula *f, const struct decimal *values, int decimals,
                           struct decimal *out)
{
    struct decimal stack[FORMULA_STEPS_MAX];
    unsigned top = 0;
    enum emt_err err = EMT_OK;

    for (unsigned i = 0; err == EMT_OK && i < f->n; i++) {
        const struct formula_step *s = &f->steps[i];

        if (s->op == FORMULA_CONSTANT) {
            stack[top++] = s->constant;
        } else if (s->op == FORMULA_INPUT) {
            stack[top++] = values[s->input];
        } else if (s->op == FORMULA_NEGATE) {
            err = decimal_sub(decimal_of(0, 0), stack[top - 1], &stack[top - 1]);
        } else {
            top--;
            err = apply(s->op, stack[top - 1], stack[top], decimals, &stack[top - 1]);
        }
    }
    if (err == EMT_OK)
        *out = stack[0];
    return err;
}
