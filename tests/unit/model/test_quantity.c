#include "model/quantity.h"
#include "suites.h"

#include <string.h>

START_TEST(names_come_back)
{
    for (unsigned i = 0; i < QUANTITIES; i++) {
        enum quantity q = QUANTITY_NONE;

        ck_assert_int_eq(quantity_parse(quantity_name((enum quantity)i), &q), EMT_OK);
        ck_assert_uint_eq(q, i);
    }
    ck_assert_str_eq(quantity_name((enum quantity)1000), "unknown");
}
END_TEST

START_TEST(unknown_names_are_not_found)
{
    enum quantity q;

    ck_assert_int_eq(quantity_parse("Energy", &q), EMT_ENOTFOUND);
    ck_assert_int_eq(quantity_parse("", &q), EMT_ENOTFOUND);
    ck_assert_ptr_null(unit_find(""));
    ck_assert_ptr_null(unit_find("kwh"));
    ck_assert_ptr_null(unit_find("furlong"));
}
END_TEST

static void assert_base(const char *name, const char *base, const char *factor)
{
    const struct unit *u = unit_find(name);
    char buf[DECIMAL_TEXT_MAX];

    ck_assert_msg(u != NULL, "%s", name);
    ck_assert(u->exact);
    ck_assert_str_eq(u->base, base);
    ck_assert_str_eq(decimal_format(u->factor, buf), factor);
}

START_TEST(factors_to_the_base_unit)
{
    assert_base("MWh", "Wh", "1000000");
    assert_base("GJ", "J", "1000000000");
    assert_base("l", "m3", "0.001");
    assert_base("m3/min", "m3/h", "60");
    assert_base("m3/s", "m3/h", "3600");
    assert_base("l/s", "m3/h", "3.600");
    assert_base("t", "kg", "1000");
    assert_base("hPa", "bar", "0.001");
    assert_base("Pa", "bar", "0.00001");
    assert_base("d", "s", "86400");
    assert_base("kvarh", "varh", "1000");
    assert_base("mA", "A", "0.001");
    assert_base("m\xc2\xb3", "m3", "1");
    assert_base("Cel",
                "\xc2\xb0"
                "C",
                "1");
    assert_base("ft3", "m3", "0.028316846592");
}
END_TEST

START_TEST(what_has_no_exact_factor_stays_as_sent)
{
    static const char *const names[] = { "cal", "Gcal", "degF" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct unit *u = unit_find(names[i]);

        ck_assert_ptr_nonnull(u);
        ck_assert(!u->exact);
        ck_assert_str_eq(u->base, u->name);
    }
}
END_TEST

START_TEST(the_table_is_consistent)
{
    unsigned n = 0;

    for (; unit_at(n); n++) {
        const struct unit *u = unit_at(n);
        const struct unit *base = unit_find(u->base);

        ck_assert_msg(unit_find(u->name) == u, "%s stands twice", u->name);
        ck_assert_msg(base && strcmp(base->base, base->name) == 0, "%s", u->name);
        ck_assert_int_gt(u->factor.mantissa, 0);
    }
    ck_assert_uint_gt(n, 60);
}
END_TEST

SUITE(quantity, names_come_back, unknown_names_are_not_found, factors_to_the_base_unit,
      what_has_no_exact_factor_stays_as_sent, the_table_is_consistent)
