/* Type Data of IEC 62056-6-2 in A-XDR. */
#include "dlms/dlms_axdr.h"
#include "suites.h"
#include "support.h"

static uint8_t bytes[8192];

static enum emt_err read_hex(const char *hex, struct axdr_tree *tree, size_t *left)
{
    size_t n = dlms_test_hex(hex, bytes, sizeof bytes);
    struct reader in = reader_of(bytes, n);
    enum emt_err err = axdr_read(&in, dlms_test_arena(), false, tree);

    *left = n - in.pos;
    return err;
}

static struct axdr_tree must_read(const char *hex)
{
    struct axdr_tree tree = { .n = 0 };
    size_t left;

    ck_assert_int_eq(read_hex(hex, &tree, &left), EMT_OK);
    ck_assert_uint_eq(left, 0);
    return tree;
}

static enum emt_err refuse(const char *hex)
{
    struct axdr_tree tree = { .n = 0 };
    size_t left;
    enum emt_err err = read_hex(hex, &tree, &left);

    ck_assert_int_ne(err, EMT_OK);
    ck_assert_ptr_null(tree.nodes);
    return err;
}

START_TEST(signs_are_extended)
{
    static const struct {
        const char *hex;
        int64_t value;
    } cases[] = {
        { "0f80", -128 },
        { "10fffe", -2 },
        { "0580000000", INT32_MIN },
        { "14ffffffffffffff80", -128 },
        { "11ff", 255 },
        { "12ffff", 65535 },
        { "06ffffffff", UINT32_MAX },
        { "0301", 1 },
        { "1603", 3 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_int_eq(must_read(cases[i].hex).nodes[0].i, cases[i].value);
    dlms_test_release();
}
END_TEST

START_TEST(containers_know_where_they_end)
{
    struct axdr_tree t = must_read("0203 0101 1105 0200 1206 07");

    ck_assert_uint_eq(t.n, 5);
    ck_assert_uint_eq(t.nodes[0].next, 5);
    ck_assert_uint_eq(t.nodes[1].next, 3);
    ck_assert_uint_eq(t.nodes[3].n, 0);
    ck_assert_uint_eq(t.nodes[3].next, 4);
    dlms_test_release();
}
END_TEST

START_TEST(a_long_length_has_its_own_length)
{
    struct axdr_tree t = must_read("0981 03 010203");

    ck_assert_uint_eq(t.nodes[0].n, 3);
    t = must_read("0984 00000002 0102");
    ck_assert_uint_eq(t.nodes[0].n, 2);
    (void)refuse("0980");               /* of no byte */
    (void)refuse("0985 0000000001 01"); /* of five bytes */
    dlms_test_release();
}
END_TEST

START_TEST(a_bit_string_counts_bits)
{
    struct axdr_tree t = must_read("0409 ff80");

    ck_assert_uint_eq(t.nodes[0].n, 9);
    ck_assert_int_eq(refuse("0411 ff80"), EMT_ETRUNCATED);
    dlms_test_release();
}
END_TEST

START_TEST(a_compact_array_reads_like_an_array)
{
    struct axdr_tree t = must_read("13 0202110f 04 01ff 0280");

    ck_assert_uint_eq(t.nodes[0].tag, AXDR_ARRAY);
    ck_assert_uint_eq(t.nodes[0].n, 2);
    ck_assert_uint_eq(t.n, 7);
    ck_assert_uint_eq(t.nodes[1].tag, AXDR_STRUCTURE);
    ck_assert_int_eq(t.nodes[3].i, -1);
    ck_assert_uint_eq(t.nodes[4].next, 7);
    t = must_read("13 0100 0211 02 0102"); /* one array of two */
    ck_assert_uint_eq(t.nodes[0].n, 1);
    ck_assert_uint_eq(t.nodes[1].n, 2);
    t = must_read("13 06 00"); /* of no element */
    ck_assert_uint_eq(t.nodes[0].n, 0);
    dlms_test_release();
}
END_TEST

START_TEST(a_compact_array_that_never_ends_is_refused)
{
    (void)refuse("13 00 01 00");
    (void)refuse("13 0200 01 00");
    /* an array of 65535 arrays of 65535 nulls: the number of nodes is bounded */
    ck_assert_int_eq(refuse("13 0202 01ffff01ffff00 11 0100"), EMT_ELIMIT);
    (void)refuse("13 0105");
    (void)refuse("13 13 00 00");
    dlms_test_release();
}
END_TEST

START_TEST(a_count_beyond_the_bytes_is_refused)
{
    ck_assert_int_eq(refuse("0184ffffffff00"), EMT_EMALFORMED);
    ck_assert_int_eq(refuse("0103 1101 1102"), EMT_ETRUNCATED);
    ck_assert_int_eq(refuse("0984fffffff0 00"), EMT_ETRUNCATED);
    dlms_test_release();
}
END_TEST

START_TEST(depth_is_bounded)
{
    struct axdr_tree tree;

    for (unsigned depth = AXDR_DEPTH_MAX; depth <= AXDR_DEPTH_MAX + 1; depth++) {
        struct reader in;

        for (unsigned i = 0; i < depth; i++) {
            bytes[2 * i] = AXDR_STRUCTURE;
            bytes[2 * i + 1] = 1;
        }
        bytes[2 * depth] = AXDR_NULL;
        in = reader_of(bytes, 2 * depth + 1);
        ck_assert_int_eq(axdr_read(&in, dlms_test_arena(), false, &tree),
                         depth == AXDR_DEPTH_MAX ? EMT_OK : EMT_EMALFORMED);
    }
    dlms_test_release();
}
END_TEST

START_TEST(every_prefix_is_refused)
{
    static const char hex[] = "0204 090401020304 0102 0600000001 0600000002 13060400000003 19"
                              "07ea0b150600150000ffc400";
    size_t n = dlms_test_hex(hex, bytes, sizeof bytes);

    for (size_t i = 0; i < n; i++) {
        struct reader in = reader_of(bytes, i);
        struct axdr_tree tree;

        ck_assert_int_ne(axdr_read(&in, dlms_test_arena(), false, &tree), EMT_OK);
    }
    (void)must_read(hex);
    dlms_test_release();
}
END_TEST

START_TEST(digits_are_no_logical_name)
{
    struct axdr_tree t = must_read("0906 0100010800ff");

    ck_assert(axdr_is_obis(&t.nodes[0]));
    t = must_read("0906 313831323230"); /* "181220" */
    ck_assert(!axdr_is_obis(&t.nodes[0]));
    t = must_read("0a06 0100010800ff");
    ck_assert(!axdr_is_obis(&t.nodes[0]));
    dlms_test_release();
}
END_TEST

SUITE(axdr, signs_are_extended, containers_know_where_they_end, a_long_length_has_its_own_length,
      a_bit_string_counts_bits, a_compact_array_reads_like_an_array,
      a_compact_array_that_never_ends_is_refused, a_count_beyond_the_bytes_is_refused,
      depth_is_bounded, every_prefix_is_refused, digits_are_no_logical_name)
