/* Formulas over channels. */
#include "model/formula.h"
#include "suites.h"

#include <stdio.h>
#include <string.h>

static enum emt_err value(const char *text, int decimals, char out[DECIMAL_TEXT_MAX])
{
    const struct decimal values[FORMULA_INPUTS_MAX] = { decimal_of(125, -2), decimal_of(30, -1),
                                                        decimal_of(0, 0) };
    struct emt_diag diag = { 0 };
    struct formula f;
    struct decimal d;

    ck_assert_msg(formula_parse(text, &f, &diag) == EMT_OK, "%s: %s", text, diag.text);
    enum emt_err err = formula_value(&f, values, decimals, &d);
    if (err == EMT_OK)
        decimal_format(d, out);
    return err;
}

/* The first channel is 1.25, the second 3.0, the third 0. */
START_TEST(formulas_have_exact_values)
{
    static const struct {
        const char *text, *value;
    } good[] = {
        { "c7", "1.25" },
        { "c7+c8", "4.25" },
        { " c7 - c8 ", "-1.75" },
        { "c7 - c8 - c8", "-4.75" },
        { "c7 * 0.001", "0.00125" },
        { "2 * (c7 + c8) - -c7", "9.75" },
        { "c7 / c8", "0.417" },
        { "-c7 / c8", "-0.417" },
        { "1 / 8 * c7", "0.15625" },
        { "min(c7, c8)", "1.25" },
        { "max(c7, c8, 4)", "4" },
        { "sum(c7, c8, c7)", "5.50" },
        { "min(c7)", "1.25" },
    };
    char out[DECIMAL_TEXT_MAX];
    struct decimal want, got;

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        ck_assert_int_eq(value(good[i].text, 3, out), EMT_OK);
        ck_assert_int_eq(decimal_parse(out, strlen(out), &got), EMT_OK);
        ck_assert_int_eq(decimal_parse(good[i].value, strlen(good[i].value), &want), EMT_OK);
        ck_assert_msg(decimal_compare(got, want) == 0, "%s is %s", good[i].text, out);
    }
}
END_TEST

START_TEST(what_has_no_value_says_so)
{
    char out[DECIMAL_TEXT_MAX];

    ck_assert_int_eq(value("c1 / (c2 - c2)", 3, out), EMT_EMALFORMED);
    ck_assert_int_eq(value("c1 * 9000000000000000000 * 9000000000000000001", 3, out), EMT_ELIMIT);
}
END_TEST

START_TEST(broken_formulas_are_refused)
{
    static const char *const bad[] = { "",
                                       "1",
                                       "c",
                                       "c0",
                                       "c1 c2",
                                       "c1 +",
                                       "+ c1",
                                       "(c1",
                                       "c1)",
                                       "min()",
                                       "min c1",
                                       "min(c1",
                                       "c1,c2",
                                       "c1 ** 2",
                                       "c1 % 2",
                                       "1.2.3*c1",
                                       "c99999999999999999999",
                                       "avg(c1)",
                                       "c1\t+c2",
                                       "C1",
                                       "c1;drop" };
    struct emt_diag diag;
    struct formula f;
    char deep[200], many[600] = "c1";

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(formula_parse(bad[i], &f, &diag) != EMT_OK, "%s", bad[i]);
    memset(deep, '(', 100);
    snprintf(deep + 100, sizeof deep - 100, "c1");
    ck_assert_int_eq(formula_parse(deep, &f, &diag), EMT_ELIMIT);
    for (int i = 2; i <= FORMULA_INPUTS_MAX + 1; i++)
        snprintf(many + strlen(many), sizeof many - strlen(many), "+c%d", i);
    ck_assert_int_eq(formula_parse(many, &f, &diag), EMT_ELIMIT);
    memset(many, '-', sizeof many - 1);
    ck_assert_int_eq(formula_parse(many, &f, &diag), EMT_ELIMIT);
}
END_TEST

START_TEST(each_channel_is_one_input)
{
    struct formula f;

    ck_assert_int_eq(formula_parse("c9 + c4 * c9", &f, NULL), EMT_OK);
    ck_assert_uint_eq(f.ninputs, 2);
    ck_assert_int_eq(f.inputs[0], 9);
    ck_assert_int_eq(f.inputs[1], 4);
}
END_TEST

SUITE(formula, formulas_have_exact_values, what_has_no_value_says_so, broken_formulas_are_refused,
      each_channel_is_one_input)
