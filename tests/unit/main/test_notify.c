#include "notify.h"

#include <check.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int listen_at(const char *name)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));

    memcpy(at.sun_path, name, strlen(name));
    if (name[0] == '@')
        at.sun_path[0] = 0;
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, len), 0);
    return fd;
}

static void expect(int fd, const char *text)
{
    char buf[100] = "";

    ck_assert_int_eq(recv(fd, buf, sizeof buf - 1, MSG_DONTWAIT), (ssize_t)strlen(text));
    ck_assert_str_eq(buf, text);
}

START_TEST(the_manager_hears_by_path_and_by_abstract_name)
{
    char name[64];
    int fd;

    snprintf(name, sizeof name, "@emt-notify-%d", (int)getpid());
    fd = listen_at(name);
    setenv("NOTIFY_SOCKET", name, 1);
    notify_manager("READY=1");
    expect(fd, "READY=1");
    close(fd);
    snprintf(name, sizeof name, "/tmp/emt-notify-%d", (int)getpid());
    fd = listen_at(name);
    setenv("NOTIFY_SOCKET", name, 1);
    notify_manager("STOPPING=1");
    expect(fd, "STOPPING=1");
    close(fd);
    unlink(name);
}
END_TEST

START_TEST(without_a_manager_nothing_happens)
{
    char big[300];

    unsetenv("NOTIFY_SOCKET");
    notify_manager("READY=1");
    setenv("NOTIFY_SOCKET", "", 1);
    notify_manager("READY=1");
    setenv("NOTIFY_SOCKET", "relative", 1);
    notify_manager("READY=1");
    memset(big, '/', sizeof big - 1);
    big[sizeof big - 1] = 0;
    setenv("NOTIFY_SOCKET", big, 1);
    notify_manager("READY=1");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("main_notify");
    TCase *t = tcase_create("notify");
    SRunner *sr;
    int failed;

    tcase_add_test(t, the_manager_hears_by_path_and_by_abstract_name);
    tcase_add_test(t, without_a_manager_nothing_happens);
    suite_add_tcase(suite, t);
    sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
