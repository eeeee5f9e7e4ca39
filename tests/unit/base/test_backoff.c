#include "base/backoff.h"
#include "suites.h"

START_TEST(steps_double_up_to_the_most)
{
    for (unsigned round = 0; round < 200; round++) {
        struct backoff b = { .first_ms = 100, .most_ms = 1000 };
        static const uint32_t steps[] = { 100, 200, 400, 800, 1000, 1000 };

        for (unsigned i = 0; i < sizeof steps / sizeof steps[0]; i++) {
            uint32_t wait = backoff_next(&b);

            ck_assert_uint_ge(wait, steps[i] / 2);
            ck_assert_uint_le(wait, steps[i]);
        }
    }
}
END_TEST

START_TEST(peers_do_not_come_back_together)
{
    unsigned same = 0;
    uint32_t first = 0;

    for (unsigned i = 0; i < 50; i++) {
        struct backoff b = { .first_ms = 60000, .most_ms = 60000 };
        uint32_t wait = backoff_next(&b);

        if (i == 0)
            first = wait;
        same += wait == first;
    }
    ck_assert_uint_lt(same, 10);
}
END_TEST

START_TEST(success_starts_again)
{
    struct backoff b = { .first_ms = 10, .most_ms = UINT32_MAX, .attempt = UINT32_MAX };

    ck_assert_uint_ge(backoff_next(&b), UINT32_MAX / 2);
    ck_assert_uint_eq(b.attempt, UINT32_MAX);
    backoff_reset(&b);
    ck_assert_uint_le(backoff_next(&b), 10);
}
END_TEST

START_TEST(nothing_to_wait_for_is_no_wait)
{
    struct backoff b = { 0 };

    ck_assert_uint_eq(backoff_next(&b), 0);
}
END_TEST

SUITE(backoff, steps_double_up_to_the_most, peers_do_not_come_back_together, success_starts_again,
      nothing_to_wait_for_is_no_wait)
