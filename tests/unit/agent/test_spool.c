/* The ring of frames on disk: what was accepted is there, whatever happened to the process or to
 * the file. */
#include "agent/crc32c.h"
#include "agent/spool.h"
#include "base/file.h"
#include "base/reader.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define FILE_MAX (SPOOL_SIZE_MIN + 8192)

static char folder[64];
static char path[96];
static const struct spool_options options = { .size = SPOOL_SIZE_MIN, .sync = true };

static void setup(void)
{
    snprintf(folder, sizeof folder, "/tmp/emt-spool-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/spool", folder);
}

static void teardown(void)
{
    char other[128];

    unlink(path);
    snprintf(other, sizeof other, "%s/copy", folder);
    unlink(other);
    ck_assert_int_eq(rmdir(folder), 0); /* no temporary file is left behind */
}

static struct spool *open_at(const char *at)
{
    struct spool *s = NULL;
    struct emt_diag diag = { 0 };

    ck_assert_msg(spool_open(at, &options, &s, &diag) == EMT_OK, "%s", diag.text);
    return s;
}

/* The data of frame n: its length and content follow from n, so that any mix-up shows. */
static size_t content(uint64_t n, uint8_t *out)
{
    size_t len = 1 + (size_t)(n * 37 % 300);

    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(n * 131 + i);
    return len;
}

static void append(struct spool *s, uint64_t expect)
{
    uint8_t data[512];
    uint64_t seq = 0;
    struct spool_frame f = {
        .received_at = (emt_time)expect * 1000, .protocol = 1, .format = 2, .rssi_dbm = -70
    };

    f.len = content(expect, data);
    f.data = data;
    ck_assert_int_eq(spool_append(s, &f, &seq), EMT_OK);
    ck_assert_uint_eq(seq, expect);
}

static void check_frame(struct spool *s, uint64_t seq)
{
    static uint8_t buf[SPOOL_FRAME_MAX];
    uint8_t data[512];
    struct spool_frame f;
    size_t len = content(seq, data);

    ck_assert_int_eq(spool_read(s, seq, buf, &f), EMT_OK);
    ck_assert_uint_eq(f.seq, seq);
    ck_assert_int_eq(f.received_at, (emt_time)seq * 1000);
    ck_assert_uint_eq(f.protocol, 1);
    ck_assert_uint_eq(f.format, 2);
    ck_assert_int_eq(f.rssi_dbm, -70);
    ck_assert_uint_eq(f.len, len);
    ck_assert_mem_eq(f.data, data, len);
}

static struct spool_stats stats_of(const struct spool *s)
{
    struct spool_stats st;

    spool_stats(s, &st);
    return st;
}

START_TEST(checksum_is_crc_32c)
{
    uint8_t zeros[32] = { 0 };

    ck_assert_uint_eq(crc32c(0, "123456789", 9), 0xe3069283u);
    ck_assert_uint_eq(crc32c(0, zeros, 32), 0x8a9136aau); /* RFC 3720 B.4, 32 bytes of zeroes */
    ck_assert_uint_eq(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xe3069283u);
}
END_TEST

START_TEST(frames_survive_reopening_with_their_identity)
{
    uint8_t id[SPOOL_ID_LEN];
    struct spool *s = open_at(path);

    memcpy(id, spool_id(s), sizeof id);
    for (uint64_t n = 1; n <= 40; n++)
        append(s, n);
    ck_assert_int_eq(spool_sync(s), EMT_OK);
    ck_assert_int_eq(spool_ack(s, 10), EMT_OK);
    spool_close(s);

    s = open_at(path);
    ck_assert_mem_eq(spool_id(s), id, sizeof id);
    struct spool_stats st = stats_of(s);
    ck_assert_uint_eq(st.next_seq, 41);
    ck_assert_uint_eq(st.acked_seq, 10);
    ck_assert_uint_eq(st.owed_frames, 30);
    ck_assert_uint_eq(st.oldest_seq, 1); /* acknowledged frames stay readable */
    ck_assert_uint_eq(st.damaged, 0);
    for (uint64_t n = 1; n <= 40; n++)
        check_frame(s, n);
    append(s, 41);
    spool_close(s);
}
END_TEST

START_TEST(a_frame_is_offered_only_after_the_sync)
{
    struct spool *s = open_at(path);

    append(s, 1);
    ck_assert_uint_eq(spool_next(s, 1), 0);
    ck_assert_int_eq(spool_sync(s), EMT_OK);
    append(s, 2);
    ck_assert_uint_eq(spool_next(s, 1), 1);
    ck_assert_uint_eq(spool_next(s, 2), 0);
    ck_assert_int_eq(spool_ack(s, 2), EMT_OK); /* cut to what was durable */
    ck_assert_uint_eq(stats_of(s).acked_seq, 1);
    spool_close(s);
}
END_TEST

START_TEST(acknowledgements_never_go_back)
{
    struct spool *s = open_at(path);

    for (uint64_t n = 1; n <= 5; n++)
        append(s, n);
    ck_assert_int_eq(spool_sync(s), EMT_OK);
    ck_assert_int_eq(spool_ack(s, 4), EMT_OK);
    ck_assert_int_eq(spool_ack(s, 2), EMT_OK);
    ck_assert_uint_eq(stats_of(s).acked_seq, 4);
    ck_assert_uint_eq(stats_of(s).owed_frames, 1);
    ck_assert_int_eq(spool_ack(s, UINT64_MAX), EMT_OK);
    ck_assert_uint_eq(stats_of(s).owed_frames, 0);
    ck_assert_uint_eq(stats_of(s).owed_bytes, 0);
    spool_close(s);
}
END_TEST

START_TEST(empty_and_oversized_frames_are_refused)
{
    static uint8_t data[SPOOL_FRAME_MAX + 1];
    static uint8_t buf[SPOOL_FRAME_MAX];
    struct spool *s = open_at(path);
    struct spool_frame f = { .data = data, .len = 0 };
    uint64_t seq = 0;

    ck_assert_int_eq(spool_append(s, &f, &seq), EMT_ELIMIT);
    f.len = sizeof data;
    ck_assert_int_eq(spool_append(s, &f, &seq), EMT_ELIMIT);
    f.len = SPOOL_FRAME_MAX;
    for (uint64_t n = 1; n <= 20; n++) { /* wraps with the largest frames */
        ck_assert_int_eq(spool_append(s, &f, &seq), EMT_OK);
        ck_assert_int_eq(spool_read(s, seq, buf, &(struct spool_frame){ 0 }), EMT_OK);
    }
    spool_close(s);
}
END_TEST

START_TEST(the_ring_wraps_and_forgets_only_acknowledged_frames)
{
    struct spool *s = open_at(path);

    for (uint64_t n = 1; n <= 3000; n++) {
        append(s, n);
        ck_assert_int_eq(spool_sync(s), EMT_OK);
        ck_assert_uint_eq(spool_next(s, n > 50 ? n - 50 : 1), n > 50 ? n - 50 : 1);
        if (n > 50)
            ck_assert_int_eq(spool_ack(s, n - 50), EMT_OK);
        if (n % 250 == 0) {
            spool_close(s);
            s = open_at(path);
            ck_assert_uint_eq(stats_of(s).next_seq, n + 1);
            ck_assert_uint_eq(stats_of(s).damaged, 0);
        }
    }
    struct spool_stats st = stats_of(s);
    ck_assert_uint_eq(st.given_up, 0);
    ck_assert_uint_eq(st.owed_frames, 50);
    ck_assert_uint_lt(st.oldest_seq, 2900); /* more than the owed ones are kept */
    for (uint64_t n = st.oldest_seq; n < st.next_seq; n++)
        check_frame(s, n);
    spool_close(s);
}
END_TEST

START_TEST(a_full_ring_gives_up_its_oldest_and_says_how_many)
{
    struct spool *s = open_at(path);

    for (uint64_t n = 1; n <= 2000; n++)
        append(s, n);
    ck_assert_int_eq(spool_sync(s), EMT_OK);
    struct spool_stats st = stats_of(s);
    ck_assert_uint_gt(st.given_up, 1000);
    ck_assert_uint_eq(st.owed_frames + st.given_up, 2000);
    ck_assert_uint_eq(spool_next(s, 1), st.given_up + 1); /* the gap that is announced */
    ck_assert_uint_le(st.owed_bytes, st.size);
    spool_close(s);
    s = open_at(path);
    ck_assert_uint_eq(stats_of(s).owed_frames, st.owed_frames);
    ck_assert_uint_eq(spool_next(s, 1), st.oldest_seq);
    for (uint64_t n = st.oldest_seq; n <= 2000; n++)
        check_frame(s, n);
    spool_close(s);
}
END_TEST

START_TEST(a_second_process_is_refused)
{
    struct spool *s = open_at(path), *other = NULL;
    struct emt_diag diag = { 0 };

    ck_assert_int_eq(spool_open(path, &options, &other, &diag), EMT_ECONFLICT);
    spool_close(s);
}
END_TEST

START_TEST(bad_sizes_are_refused)
{
    struct spool_options bad = { .size = 100, .sync = true };
    struct spool *s = NULL;

    ck_assert_int_eq(spool_open(path, &bad, &s, NULL), EMT_ELIMIT);
    bad.size = SPOOL_SIZE_MAX + 1;
    ck_assert_int_eq(spool_open(path, &bad, &s, NULL), EMT_ELIMIT);
}
END_TEST

/* A file with 1,200 accepted frames, more than one lap, as bytes. */
static char *filled_file(size_t *len, uint64_t acked)
{
    char *bytes = NULL;
    struct spool *s = open_at(path);

    for (uint64_t n = 1; n <= 1200; n++)
        append(s, n);
    ck_assert_int_eq(spool_sync(s), EMT_OK);
    ck_assert_int_eq(spool_ack(s, acked), EMT_OK);
    spool_close(s);
    ck_assert_int_eq(file_read(path, FILE_MAX, &bytes, len, NULL), EMT_OK);
    return bytes;
}

static void write_copy(const char *copy, const char *bytes, size_t len)
{
    int fd = open(copy, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
    close(fd);
}

/* Whatever is still offered is right, in order, and the spool goes on with a number that was never
 * given before. */
static void check_damaged_copy(const char *copy)
{
    struct spool *s = open_at(copy);
    struct spool_stats st = stats_of(s);
    uint64_t seen = 0;

    for (uint64_t seq = spool_next(s, 1); seq != 0; seq = spool_next(s, seq + 1)) {
        ck_assert_uint_le(seq, 1200);
        check_frame(s, seq);
        seen += seq > st.acked_seq;
    }
    ck_assert_uint_eq(seen, st.owed_frames);
    ck_assert_uint_ge(st.next_seq, st.acked_seq + 1);
    append(s, st.next_seq);
    ck_assert_int_eq(spool_sync(s), EMT_OK);
    check_frame(s, st.next_seq);
    spool_close(s);
    s = open_at(copy);
    check_frame(s, st.next_seq);
    spool_close(s);
}

START_TEST(every_truncation_leaves_a_usable_spool)
{
    char copy[128];
    size_t len = 0;
    char *bytes = filled_file(&len, 1100);

    snprintf(copy, sizeof copy, "%s/copy", folder);
    srand(7);
    for (unsigned i = 0; i < 60; i++) {
        size_t cut = SPOOL_ID_LEN * 4 + (size_t)rand() % (len - SPOOL_ID_LEN * 4);
        if (cut < 512)
            cut = 512;
        write_copy(copy, bytes, cut);
        check_damaged_copy(copy);
    }
    free(bytes);
}
END_TEST

START_TEST(every_damage_leaves_the_other_frames)
{
    char copy[128];
    size_t len = 0;
    char *bytes = filled_file(&len, 1100);

    snprintf(copy, sizeof copy, "%s/copy", folder);
    srand(11);
    for (unsigned i = 0; i < 120; i++) {
        size_t at = 1024 + (size_t)rand() % (len - 1024);
        size_t n = 1 + (size_t)rand() % 2000;
        char *damaged = malloc(len);
        ck_assert_ptr_nonnull(damaged);
        memcpy(damaged, bytes, len);
        for (size_t k = at; k < at + n && k < len; k++)
            damaged[k] = (char)rand();
        write_copy(copy, damaged, len);
        free(damaged);
        check_damaged_copy(copy);
    }
    free(bytes);
}
END_TEST

/* The first byte of data of the record with this number. */
static char *find_content(char *bytes, size_t len, uint64_t seq)
{
    for (size_t at = 4096; at + 40 <= len; at += 16) {
        struct reader r = reader_of(bytes + at, 16);
        reader_skip(&r, 8);
        if (memcmp(bytes + at, "EMTR", 4) == 0 && reader_le(&r, 8) == seq)
            return bytes + at + 40;
    }
    ck_abort_msg("frame %llu is not in the file", (unsigned long long)seq);
    return NULL;
}

START_TEST(one_damaged_record_is_a_hole_of_one)
{
    char copy[128];
    size_t len = 0;
    char *bytes = filled_file(&len, 1100);

    snprintf(copy, sizeof copy, "%s/copy", folder);
    char *at = find_content(bytes, len, 1150);
    *at = (char)~*at;
    write_copy(copy, bytes, len);
    struct spool *s = open_at(copy);
    ck_assert_uint_eq(spool_next(s, 1150), 1151);
    ck_assert_uint_eq(spool_next(s, 1149), 1149);
    ck_assert_uint_eq(stats_of(s).owed_frames, 99);
    ck_assert_uint_eq(stats_of(s).damaged, 1);
    spool_close(s);
    free(bytes);
}
END_TEST

START_TEST(a_lost_last_frame_does_not_give_its_number_again)
{
    char copy[128];
    size_t len = 0;
    char *bytes = filled_file(&len, 1200);

    snprintf(copy, sizeof copy, "%s/copy", folder);
    char *at = find_content(bytes, len, 1200);
    *at = (char)~*at;
    write_copy(copy, bytes, len);
    struct spool *s = open_at(copy);
    append(s, 1201);
    spool_close(s);
    free(bytes);
}
END_TEST

START_TEST(one_torn_header_is_repaired_by_the_other)
{
    char copy[128];
    size_t len = 0;
    char *bytes = filled_file(&len, 1);

    snprintf(copy, sizeof copy, "%s/copy", folder);
    bytes[20] = (char)~bytes[20];
    write_copy(copy, bytes, len);
    check_damaged_copy(copy);
    free(bytes);
    ck_assert_int_eq(file_read(copy, FILE_MAX, &bytes, &len, NULL), EMT_OK);
    ck_assert_mem_eq(bytes, bytes + 512, 512);
    bytes[20] = (char)~bytes[20];
    bytes[532] = (char)~bytes[532];
    write_copy(copy, bytes, len);
    struct spool *s = NULL;
    ck_assert_int_eq(spool_open(copy, &options, &s, NULL), EMT_EMALFORMED);
    free(bytes);
}
END_TEST

START_TEST(a_cursor_that_is_lost_owes_more_and_never_less)
{
    char copy[128];
    size_t len = 0;
    char *bytes = filled_file(&len, 1100);

    snprintf(copy, sizeof copy, "%s/copy", folder);
    memset(bytes + 1024, 0, 1024);
    write_copy(copy, bytes, len);
    struct spool *s = open_at(copy);
    struct spool_stats st = stats_of(s);
    ck_assert_uint_eq(st.acked_seq, 0);
    ck_assert_uint_eq(st.next_seq, 1201);
    ck_assert_uint_eq(st.owed_frames, 1201 - st.oldest_seq);
    spool_close(s);
    free(bytes);
}
END_TEST

/* A record inside a telegram must not be taken for one when the record around it is damaged. */
START_TEST(a_telegram_that_contains_a_record_is_not_one)
{
    char *bytes = NULL;
    size_t len = 0;
    struct spool *s = open_at(path);
    uint8_t inner[64], outer[128] = { 0 };
    uint64_t seq = 0;

    append(s, 1);
    spool_close(s);
    ck_assert_int_eq(file_read(path, FILE_MAX, &bytes, &len, NULL), EMT_OK);
    memcpy(inner, bytes + 4096, sizeof inner); /* a sound record of *another* spool */
    free(bytes);
    ck_assert_int_eq(unlink(path), 0);

    s = open_at(path);
    for (size_t i = 0; i + sizeof inner <= sizeof outer; i += 8)
        memcpy(outer + i, inner, sizeof inner);
    struct spool_frame f = { .data = outer, .len = sizeof outer };
    ck_assert_int_eq(spool_append(s, &f, &seq), EMT_OK);
    spool_close(s);
    ck_assert_int_eq(file_read(path, FILE_MAX, &bytes, &len, NULL), EMT_OK);
    bytes[4096] = 0;
    write_copy(path, bytes, len);
    free(bytes);
    s = open_at(path);
    ck_assert_uint_eq(spool_next(s, 1), 0);
    spool_close(s);
}
END_TEST

START_TEST(a_new_life_carries_over_what_is_owed)
{
    uint8_t id[SPOOL_ID_LEN];
    uint8_t buf[SPOOL_FRAME_MAX], data[512];
    struct spool_frame f;
    struct spool *s = open_at(path);

    memcpy(id, spool_id(s), sizeof id);
    for (uint64_t n = 1; n <= 20; n++)
        append(s, n);
    ck_assert_int_eq(spool_sync(s), EMT_OK);
    ck_assert_int_eq(spool_ack(s, 15), EMT_OK);
    ck_assert_int_eq(spool_renew(s, NULL), EMT_OK);
    ck_assert_mem_ne(spool_id(s), id, sizeof id);
    for (int round = 0; round < 2; round++) {
        ck_assert_uint_eq(stats_of(s).next_seq, 6);
        ck_assert_uint_eq(stats_of(s).owed_frames, 5);
        ck_assert_int_eq(spool_read(s, 1, buf, &f), EMT_OK);
        ck_assert_uint_eq(f.len, content(16, data));
        ck_assert_mem_eq(f.data, data, f.len);
        spool_close(s);
        s = open_at(path);
    }
    spool_close(s);
}
END_TEST

/* Appends without end; tells the parent each number whose frame was accepted. */
static void append_for_ever(int out)
{
    struct spool *s = open_at(path);
    struct spool_stats st = stats_of(s);

    for (uint64_t n = st.next_seq;; n++) {
        append(s, n);
        if (n % 3 == 0) {
            if (spool_sync(s) != EMT_OK || (n > 60 && spool_ack(s, n - 60) != EMT_OK))
                _exit(1);
            if (write(out, &n, sizeof n) != (ssize_t)sizeof n)
                _exit(1);
        }
    }
}

START_TEST(kill_9_loses_no_accepted_frame)
{
    uint64_t accepted = 0;

    srand(3);
    for (unsigned round = 0; round < 25; round++) {
        int pipes[2];
        ck_assert_int_eq(pipe(pipes), 0);
        pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0)
            append_for_ever(pipes[1]);
        close(pipes[1]);
        uint64_t n = 0;
        /* Every other one is killed while it appends, however slow the machine, the rest whatever
         * they do. */
        for (unsigned i = 0; round % 2 == 0 && i < 10; i++) {
            ck_assert_int_eq(read(pipes[0], &n, sizeof n), (ssize_t)sizeof n);
            accepted = n;
        }
        usleep((useconds_t)(2000 + rand() % 20000));
        ck_assert_int_eq(kill(child, SIGKILL), 0);
        while (read(pipes[0], &n, sizeof n) == (ssize_t)sizeof n)
            accepted = n;
        close(pipes[0]);
        ck_assert_int_eq(waitpid(child, NULL, 0), child);

        struct spool *s = open_at(path);
        struct spool_stats st = stats_of(s);
        ck_assert_uint_gt(st.next_seq, accepted);
        ck_assert_uint_eq(st.damaged, 0);
        for (uint64_t seq = st.acked_seq + 1; seq <= accepted; seq++)
            check_frame(s, seq);
        spool_close(s);
    }
    ck_assert_uint_gt(accepted, 100);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("agent_spool");
    TCase *t = tcase_create("spool");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, checksum_is_crc_32c);
    tcase_add_test(t, frames_survive_reopening_with_their_identity);
    tcase_add_test(t, a_frame_is_offered_only_after_the_sync);
    tcase_add_test(t, acknowledgements_never_go_back);
    tcase_add_test(t, empty_and_oversized_frames_are_refused);
    tcase_add_test(t, the_ring_wraps_and_forgets_only_acknowledged_frames);
    tcase_add_test(t, a_full_ring_gives_up_its_oldest_and_says_how_many);
    tcase_add_test(t, a_second_process_is_refused);
    tcase_add_test(t, bad_sizes_are_refused);
    tcase_add_test(t, every_truncation_leaves_a_usable_spool);
    tcase_add_test(t, every_damage_leaves_the_other_frames);
    tcase_add_test(t, one_damaged_record_is_a_hole_of_one);
    tcase_add_test(t, a_lost_last_frame_does_not_give_its_number_again);
    tcase_add_test(t, one_torn_header_is_repaired_by_the_other);
    tcase_add_test(t, a_cursor_that_is_lost_owes_more_and_never_less);
    tcase_add_test(t, a_telegram_that_contains_a_record_is_not_one);
    tcase_add_test(t, a_new_life_carries_over_what_is_owed);
    tcase_add_test(t, kill_9_loses_no_accepted_frame);
    suite_add_tcase(suite, t);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
