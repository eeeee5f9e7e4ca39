/* The two servers of emt-bench channel. */
#ifndef EMT_TESTS_BENCH_CHANNEL_SERVER_H
#define EMT_TESTS_BENCH_CHANNEL_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct channel_identity {
    const char *root;  /* PEM */
    const char *chain; /* of the server */
    const char *key;
};

/* What a server is asked for and answers, over a socket pair. */
struct channel_report {
    int64_t rss_bytes;
    int64_t cpu_us; /* of the whole process, since its start */
    uint32_t sessions;
    uint16_t port;
};

struct channel_server {
    pid_t pid;
    int fd;
    uint16_t port;
};
/* bare: libevent and OpenSSL alone. Ends the program on failure. */
void channel_server_start(struct channel_server *s, const struct channel_identity *id, bool bare);
void channel_server_report(struct channel_server *s, struct channel_report *out);
void channel_server_stop(struct channel_server *s);

#endif
