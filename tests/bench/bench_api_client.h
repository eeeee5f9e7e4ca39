/* HTTPS clients for benchmarks: keep-alive connections that are asked at a rate, and connections
 * that only listen. One thread. */
#ifndef EMT_TESTS_BENCH_API_CLIENT_H
#define EMT_TESTS_BENCH_API_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_context;
struct tls_conn;

struct bench_client {
    int fd;
    struct tls_conn *tls;
    char *buf;
    size_t len, cap;
    bool busy;
    int64_t due_us; /* when what is asked should have been sent */
};

int64_t bench_now_us(void);
/* False with words on stderr. */
bool bench_client_open(struct bench_client *c, uint16_t port, struct tls_context *tls);
void bench_client_close(struct bench_client *c);
bool bench_client_send(struct bench_client *c, const char *text, size_t n);
/* Waits for a whole answer with Content-Length; *body lies in the client's buffer until the next
 * call. 0: the connection failed. */
unsigned bench_client_answer(struct bench_client *c, const char **body, size_t *n);
/* Reads and forgets until the text came. */
bool bench_client_await(struct bench_client *c, const char *text);

struct bench_load {
    uint16_t port;
    struct tls_context *tls;
    const char *const *requests; /* whole requests, asked in turn */
    size_t nrequests;
    unsigned connections, rate, total; /* connections, requests a second, requests */
    void (*started)(void *ctx);        /* the connections are up; may be NULL */
    void *ctx;
};
struct bench_load_result {
    unsigned asked;
    double p50_ms, p99_ms; /* from when a request was due to the end of its answer */
};
/* Asks at the rate, whether answers come in time or not. False: an answer was not 200. */
bool bench_load_run(const struct bench_load *l, struct bench_load_result *out);

#endif
