#include "base/map.h"
#include "suites.h"

#include <stdint.h>
#include <string.h>

enum { MANY = 5000 };

START_TEST(keys_are_bytes_and_copied)
{
    struct map *m = map_new();
    char key[] = "a\0b";
    int one = 1;
    int two = 2;
    void *old = &one;

    ck_assert_int_eq(map_put(m, key, 3, &one, &old), EMT_OK);
    ck_assert_ptr_null(old);
    key[2] = 'c';
    ck_assert_ptr_null(map_get(m, key, 3));
    ck_assert_ptr_eq(map_get(m, "a\0b", 3), &one);
    ck_assert_ptr_null(map_get(m, "a", 1));
    ck_assert_int_eq(map_put(m, "a\0b", 3, &two, &old), EMT_OK);
    ck_assert_ptr_eq(old, &one);
    ck_assert_uint_eq(map_count(m), 1);
    map_free(m);
    map_free(NULL);
}
END_TEST

START_TEST(an_empty_key_is_a_key)
{
    struct map *m = map_new();
    int v;

    ck_assert_ptr_null(map_get(m, NULL, 0));
    ck_assert_int_eq(map_put(m, NULL, 0, &v, NULL), EMT_OK);
    ck_assert_ptr_eq(map_get(m, "", 0), &v);
    ck_assert_ptr_eq(map_del(m, "", 0), &v);
    ck_assert_ptr_null(map_del(m, "", 0));
    map_free(m);
}
END_TEST

START_TEST(many_entries_come_and_go)
{
    static int values[MANY];
    struct map *m = map_new();

    for (unsigned round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < MANY; i++)
            ck_assert_int_eq(map_put(m, &i, sizeof i, &values[i], NULL), EMT_OK);
        ck_assert_uint_eq(map_count(m), MANY);
        for (uint32_t i = 0; i < MANY; i += 2)
            ck_assert_ptr_eq(map_del(m, &i, sizeof i), &values[i]);
        for (uint32_t i = 0; i < MANY; i++)
            ck_assert_ptr_eq(map_get(m, &i, sizeof i), i % 2 ? &values[i] : NULL);
    }
    map_clear(m);
    ck_assert_uint_eq(map_count(m), 0);
    ck_assert_ptr_null(map_get(m, "x", 1));
    map_free(m);
}
END_TEST

START_TEST(a_walk_meets_each_entry_once_and_may_remove_it)
{
    static int values[MANY];
    struct map *m = map_new();
    const void *key;
    size_t n;
    size_t at = 0;
    void *value;
    unsigned met = 0;

    for (uint32_t i = 0; i < MANY; i++)
        ck_assert_int_eq(map_put(m, &i, sizeof i, &values[i], NULL), EMT_OK);
    while (map_next(m, &at, &key, &n, &value)) {
        uint32_t i;

        ck_assert_uint_eq(n, sizeof i);
        memcpy(&i, key, sizeof i);
        ck_assert_int_eq(values[i]++, 0);
        ck_assert_ptr_eq(map_del(m, &i, sizeof i), value);
        met++;
    }
    ck_assert_uint_eq(met, MANY);
    ck_assert_uint_eq(map_count(m), 0);
    at = 0;
    ck_assert(!map_next(m, &at, NULL, NULL, NULL));
    map_free(m);
}
END_TEST

SUITE(map, keys_are_bytes_and_copied, an_empty_key_is_a_key, many_entries_come_and_go,
      a_walk_meets_each_entry_once_and_may_remove_it)
