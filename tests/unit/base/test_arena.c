#include "base/arena.h"
#include "suites.h"

#include <stdalign.h>
#include <stdint.h>
#include <string.h>

START_TEST(pieces_are_zeroed_aligned_and_apart)
{
    struct arena *a = arena_new(0);
    char *last = NULL;

    for (size_t n = 0; n < 300; n++) {
        char *p = arena_alloc(a, n);

        ck_assert_ptr_nonnull(p);
        ck_assert_uint_eq((uintptr_t)p % alignof(max_align_t), 0);
        ck_assert_ptr_ne(p, last);
        for (size_t i = 0; i < n; i++)
            ck_assert_int_eq(p[i], 0);
        memset(p, 0xff, n);
        last = p;
    }
    arena_free(a);
}
END_TEST

START_TEST(a_reset_zeroes_and_reuses)
{
    struct arena *a = arena_new(0);
    char *p = arena_alloc(a, 1000);

    memset(p, 1, 1000);
    ck_assert_uint_eq(arena_used(a), 1000);
    arena_reset(a);
    ck_assert_uint_eq(arena_used(a), 0);
    ck_assert_ptr_eq(arena_alloc(a, 1000), p);
    ck_assert_int_eq(p[999], 0);
    arena_free(a);
}
END_TEST

START_TEST(copies_stand_alone)
{
    struct arena *a = arena_new(0);
    char text[] = "meter";
    char *copy = arena_text(a, text, 3);

    text[0] = 'X';
    ck_assert_str_eq(copy, "met");
    ck_assert_str_eq(arena_text(a, NULL, 0), "");
    ck_assert_mem_eq(arena_copy(a, "abc", 3), "abc", 3);
    arena_free(a);
}
END_TEST

START_TEST(the_limit_holds)
{
    struct arena *a = arena_new(1000);

    ck_assert_ptr_nonnull(arena_alloc(a, 500));
    ck_assert_ptr_null(arena_alloc(a, 600));
    ck_assert_ptr_nonnull(arena_alloc(a, 100));
    ck_assert_ptr_null(arena_alloc(a, SIZE_MAX));
    ck_assert_ptr_null(arena_text(a, "", SIZE_MAX));
    arena_free(a);
}
END_TEST

START_TEST(empty_blocks_give_way_to_a_large_one)
{
    struct arena *a = arena_new((size_t)1 << 20);

    while (arena_alloc(a, 60000))
        ;
    arena_reset(a);
    ck_assert_ptr_nonnull(arena_alloc(a, 900000));
    arena_reset(a);
    ck_assert_ptr_nonnull(arena_alloc(a, 100));
    arena_free(a);
}
END_TEST

/* Sizes that do not fit the blocks in order: what was handed out must stay untouched. */
START_TEST(mixed_sizes_do_not_overlap)
{
    static const size_t sizes[] = { 40000, 30000, 70000, 10, 65536, 200000, 5, 64000, 1000 };
    enum { N = sizeof sizes / sizeof sizes[0], ROUNDS = 4 };
    struct arena *a = arena_new(0);

    for (unsigned round = 0; round < 3; round++) {
        uint8_t *p[N * ROUNDS];

        for (unsigned i = 0; i < N * ROUNDS; i++) {
            p[i] = arena_alloc(a, sizes[(i + round) % N]);
            ck_assert_ptr_nonnull(p[i]);
            memset(p[i], (int)i, sizes[(i + round) % N]);
        }
        for (unsigned i = 0; i < N * ROUNDS; i++)
            for (size_t at = 0; at < sizes[(i + round) % N]; at++)
                if (p[i][at] != i)
                    ck_abort_msg("piece %u changed at %zu", i, at);
        arena_reset(a);
    }
    arena_free(a);
    arena_free(NULL);
}
END_TEST

SUITE(arena, pieces_are_zeroed_aligned_and_apart, a_reset_zeroes_and_reuses, copies_stand_alone,
      the_limit_holds, empty_blocks_give_way_to_a_large_one, mixed_sizes_do_not_overlap)
