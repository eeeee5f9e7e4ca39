/* A formula over channels, in exact decimals: "c12 + c13 - 0.5 * c14", "min(c1, c2)", "c1 / c2".
 *
 *   expression  term { (+|-) term }
 *   term        factor { (*|/) factor }
 *   factor      number | c<channel> | ( expression ) | - factor
 *               | (sum|min|max) ( expression { , expression } )
 *
 * Everything is exact but division, which is rounded half away from zero to a number of decimals.
 */
#ifndef EMT_MODEL_FORMULA_H
#define EMT_MODEL_FORMULA_H

#include "base/attr.h"
#include "base/error.h"
#include "model/decimal.h"

#include <stdint.h>

#define FORMULA_TEXT_MAX 500
#define FORMULA_STEPS_MAX 64
#define FORMULA_INPUTS_MAX 16
/* Parentheses within parentheses. */
#define FORMULA_DEPTH_MAX 16

enum formula_op {
    FORMULA_CONSTANT,
    FORMULA_INPUT,
    FORMULA_ADD,
    FORMULA_SUBTRACT,
    FORMULA_MULTIPLY,
    FORMULA_DIVIDE,
    FORMULA_NEGATE,
    FORMULA_MIN,
    FORMULA_MAX
};
/* For a stack: operands first. */
struct formula_step {
    enum formula_op op;
    unsigned input; /* INPUT: place in inputs */
    struct decimal constant;
};
struct formula {
    struct formula_step steps[FORMULA_STEPS_MAX];
    unsigned n;
    int64_t inputs[FORMULA_INPUTS_MAX]; /* channels, each once */
    unsigned ninputs;
};

/* EMT_EMALFORMED with place and reason in diag; EMT_ELIMIT: too long, too deep, too many inputs. A
 * formula without any channel is malformed. */
EMT_CHECKED enum emt_err formula_parse(const char *text, struct formula *out,
                                       struct emt_diag *diag);
/* values: one for each of inputs. EMT_EMALFORMED: divided by zero; EMT_ELIMIT: a result does not
 * fit a decimal. */
EMT_CHECKED enum emt_err formula_value(const struct formula *f, const struct decimal *values,
                                       int decimals, struct decimal *out);

#endif
