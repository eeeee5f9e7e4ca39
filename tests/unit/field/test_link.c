/* Framing over a bare socket: hostile lengths, slow senders, slow readers. */
#include "link.h"
#include "loop/loop.h"
#include "pki/tls_conn.h"
#include "wire/uplink.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static enum emt_err bare_read(void *wire, void *buf, size_t cap, size_t *n, unsigned *wait)
{
    ssize_t got = recv(*(int *)wire, buf, cap, 0);

    *wait = TLS_WAIT_READ;
    *n = got > 0 ? (size_t)got : 0;
    if (got > 0)
        return EMT_OK;
    if (got == 0)
        return EMT_ENOTFOUND;
    return errno == EAGAIN ? EMT_EAGAIN : EMT_EIO;
}

static enum emt_err bare_write(void *wire, const void *buf, size_t len, size_t *n, unsigned *wait)
{
    ssize_t put = send(*(int *)wire, buf, len, MSG_NOSIGNAL);

    *wait = TLS_WAIT_WRITE;
    *n = put > 0 ? (size_t)put : 0;
    if (put > 0)
        return EMT_OK;
    return errno == EAGAIN ? EMT_EAGAIN : EMT_EIO;
}

static size_t bare_pending(const void *wire)
{
    (void)wire;
    return 0;
}

static void bare_nothing(void *wire)
{
    (void)wire;
}

static const struct link_wire bare = { bare_read, bare_write, bare_pending, bare_nothing,
                                       bare_nothing };

static struct loop *loop;
static struct link_pool pool;
static struct link *lnk;
static int near, far;
static atomic_int messages, bytes, ended, gone;
static atomic_int end_reason;
static bool close_on_message;
static uint8_t last[64];

static void on_message(void *ctx, const uint8_t *p, size_t n)
{
    (void)ctx;
    memcpy(last, p, n < sizeof last ? n : sizeof last);
    atomic_fetch_add(&bytes, (int)n);
    atomic_fetch_add(&messages, 1);
    if (close_on_message)
        link_close(lnk);
}

static void on_ended(void *ctx, enum link_end end)
{
    (void)ctx;
    atomic_store(&end_reason, (int)end);
    atomic_fetch_add(&ended, 1);
}

static void on_gone(void *ctx)
{
    (void)ctx;
    atomic_fetch_add(&gone, 1);
}

static const struct link_handler handler = { on_message, on_ended };

static void nap(void)
{
    nanosleep(&(struct timespec){ 0, 2000000 }, NULL);
}

static void wait_for(atomic_int *n, int count)
{
    for (int i = 0; i < 2500 && atomic_load(n) < count; i++)
        nap();
    ck_assert_int_eq(atomic_load(n), count);
}

static void setup(void)
{
    int fds[2], small = 4096;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    near = fds[0];
    far = fds[1];
    setsockopt(near, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    ck_assert_int_eq(fcntl(near, F_SETFL, O_NONBLOCK), 0);
    loop = loop_new(0);
    ck_assert_int_eq(link_pool_init(&pool, loop), EMT_OK);
    pool.unfinished_max = 65536;
    pool.queue_max = 20000;
    pool.linger_ms = 200;
    pool.gone = on_gone;
    ck_assert_int_eq(link_new(&pool, &bare, &near, near, UPLINK_MESSAGE_MAX, &handler, NULL, &lnk),
                     EMT_OK);
}

static void run(void)
{
    ck_assert_int_eq(loop_start(loop), EMT_OK);
}

static void teardown(void)
{
    loop_stop(loop);
    loop_join(loop);
    link_pool_release(&pool);
    loop_free(loop);
    close(far);
}

static void put(const void *p, size_t n)
{
    const uint8_t *at = p;

    while (n > 0) {
        ssize_t done = send(far, at, n, MSG_NOSIGNAL);
        ck_assert_int_gt(done, 0);
        at += done;
        n -= (size_t)done;
    }
}

static void put_prefix(uint32_t n)
{
    uint8_t p[4] = { (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n };

    put(p, 4);
}

START_TEST(a_length_of_zero_ends_the_link)
{
    run();
    put_prefix(0);
    wait_for(&ended, 1);
    ck_assert_int_eq(atomic_load(&end_reason), LINK_UNREADABLE);
    ck_assert_int_eq(atomic_load(&messages), 0);
}
END_TEST

START_TEST(a_length_above_the_limit_ends_the_link)
{
    run();
    put_prefix(UPLINK_MESSAGE_MAX + 1);
    wait_for(&ended, 1);
    ck_assert_int_eq(atomic_load(&end_reason), LINK_TOO_LONG);
}
END_TEST

START_TEST(the_largest_length_of_all_ends_the_link)
{
    run();
    put_prefix(UINT32_MAX);
    wait_for(&ended, 1);
    ck_assert_int_eq(atomic_load(&end_reason), LINK_TOO_LONG);
}
END_TEST

START_TEST(a_link_may_allow_less)
{
    link_allow(lnk, 100);
    run();
    put_prefix(101);
    wait_for(&ended, 1);
    ck_assert_int_eq(atomic_load(&end_reason), LINK_TOO_LONG);
}
END_TEST

START_TEST(one_byte_at_a_time_is_a_message_all_the_same)
{
    uint8_t text[] = { 0, 0, 0, 5, 'h', 'e', 'l', 'l', 'o' };

    run();
    for (size_t i = 0; i < sizeof text; i++) {
        put(text + i, 1);
        nap();
    }
    wait_for(&messages, 1);
    ck_assert_mem_eq(last, "hello", 5);
}
END_TEST

START_TEST(many_messages_in_one_piece_and_a_large_one_in_many)
{
    static uint8_t burst[400 * 5], body[60000];

    for (int i = 0; i < 400; i++)
        memcpy(burst + 5 * i, "\0\0\0\1x", 5);
    run();
    put(burst, sizeof burst);
    wait_for(&messages, 400);
    memset(body, 7, sizeof body);
    put_prefix(sizeof body);
    for (size_t i = 0; i < sizeof body; i += 6000) {
        put(body + i, 6000);
        nap();
    }
    wait_for(&messages, 401);
    ck_assert_int_eq(atomic_load(&bytes), 400 + (int)sizeof body);
}
END_TEST

START_TEST(half_a_message_and_then_the_end_is_a_loss)
{
    run();
    put_prefix(100);
    put("only this", 9);
    shutdown(far, SHUT_WR);
    wait_for(&ended, 1);
    ck_assert_int_eq(atomic_load(&end_reason), LINK_LOST);
}
END_TEST

START_TEST(an_end_between_messages_is_clean)
{
    run();
    put("\0\0\0\1x", 5);
    shutdown(far, SHUT_WR);
    wait_for(&ended, 1);
    ck_assert_int_eq(atomic_load(&end_reason), LINK_CLOSED);
    ck_assert_int_eq(atomic_load(&messages), 1);
}
END_TEST

START_TEST(unfinished_messages_are_bounded_by_what_really_came)
{
    static uint8_t body[70000];

    run();
    put_prefix(UPLINK_MESSAGE_MAX); /* a promise costs nothing */
    put(body, 1000);
    for (int i = 0; i < 20; i++)
        nap();
    ck_assert_int_eq(atomic_load(&ended), 0);
    put(body, sizeof body);
    wait_for(&ended, 1);
    ck_assert_int_eq(atomic_load(&end_reason), LINK_MEMORY);
}
END_TEST

START_TEST(a_reader_that_does_not_read_meets_the_queue_limit)
{
    static uint8_t data[5000];
    unsigned sent = 0;
    enum emt_err err;

    /* Loop not running: this thread stands in for it. */
    do {
        err = link_send(lnk, data, sizeof data);
        sent++;
    } while (err == EMT_OK && sent < 100);
    ck_assert_int_eq(err, EMT_ELIMIT);
    ck_assert_uint_lt(sent, 100);
    run();
}
END_TEST

static atomic_int queued;

static void send_and_close(void *arg)
{
    static uint8_t data[5000];

    (void)arg;
    memset(data, 'q', sizeof data);
    for (int i = 0; i < 4; i++)
        if (link_send(lnk, data, sizeof data) == EMT_OK)
            atomic_fetch_add(&queued, (int)sizeof data);
    link_close(lnk);
}

START_TEST(closing_sends_what_is_queued_first)
{
    uint8_t buf[4096];
    int got = 0;
    ssize_t n;

    run();
    put_prefix(1000); /* unread input must not turn our goodbye into a reset */
    put("never finished", 14);
    ck_assert_int_eq(loop_post(loop, send_and_close, NULL), EMT_OK);
    while ((n = recv(far, buf, sizeof buf, 0)) > 0)
        got += (int)n;
    ck_assert_int_eq(n, 0);
    ck_assert_int_eq(got, atomic_load(&queued));
    ck_assert_int_eq(got, 20000);
    shutdown(far, SHUT_WR);
    wait_for(&gone, 1);
    ck_assert_int_eq(atomic_load(&ended), 0);
}
END_TEST

START_TEST(a_peer_that_never_closes_is_left_after_the_linger_time)
{
    close_on_message = true;
    run();
    put("\0\0\0\1x\0\0\0\1y", 10);
    wait_for(&gone, 1);
    /* Closed inside of the first message: the second is not delivered. */
    ck_assert_int_eq(atomic_load(&messages), 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("link");
    TCase *c = tcase_create("link");
    SRunner *r;
    int failed;

    tcase_set_timeout(c, 30);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, a_length_of_zero_ends_the_link);
    tcase_add_test(c, a_length_above_the_limit_ends_the_link);
    tcase_add_test(c, the_largest_length_of_all_ends_the_link);
    tcase_add_test(c, a_link_may_allow_less);
    tcase_add_test(c, one_byte_at_a_time_is_a_message_all_the_same);
    tcase_add_test(c, many_messages_in_one_piece_and_a_large_one_in_many);
    tcase_add_test(c, half_a_message_and_then_the_end_is_a_loss);
    tcase_add_test(c, an_end_between_messages_is_clean);
    tcase_add_test(c, unfinished_messages_are_bounded_by_what_really_came);
    tcase_add_test(c, a_reader_that_does_not_read_meets_the_queue_limit);
    tcase_add_test(c, closing_sends_what_is_queued_first);
    tcase_add_test(c, a_peer_that_never_closes_is_left_after_the_linger_time);
    suite_add_tcase(s, c);
    r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
