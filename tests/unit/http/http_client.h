/* A blocking HTTP client over loopback, for tests: one connection, TLS or plain. */
#ifndef EMT_TESTS_HTTP_CLIENT_H
#define EMT_TESTS_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_context;
struct tls_conn;

struct client {
    int fd;
    struct tls_conn *tls; /* NULL: plain */
    char *buf;            /* received and not yet given out */
    size_t len, cap;
};

struct answer {
    unsigned status;
    char *head; /* status line and headers, with a closing 0 */
    char *body; /* with a closing 0 */
    size_t body_len;
};

/* Ends the test when the connection or the handshake fails. */
void client_open(struct client *c, uint16_t port, struct tls_context *tls);
void client_open_v6(struct client *c, uint16_t port, struct tls_context *tls);
/* Only connects. */
int client_socket(uint16_t port);
void client_close(struct client *c); /* with close_notify */
void client_drop(struct client *c);  /* with a reset */

void client_send(struct client *c, const void *p, size_t n);
void client_text(struct client *c, const char *text);
/* No body is expected after a HEAD. False: the connection ended before an answer. */
bool client_read(struct client *c, bool head, struct answer *out);
void answer_release(struct answer *a);
/* Sends, reads, checks the status. body may be NULL. */
void client_ask(struct client *c, const char *method, const char *target, const char *headers,
                const char *body, unsigned status, struct answer *out);
/* Reads until the bytes received contain this text, and takes them up to its end out of the buffer;
 * false: the connection ended, or nothing came for long. */
bool client_await(struct client *c, const char *text);
/* The server has ended the connection within this time, with no bytes before. */
bool client_ended(struct client *c, int ms);

#endif
