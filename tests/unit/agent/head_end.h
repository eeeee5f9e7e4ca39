/* A scripted head-end on 127.0.0.1 for tests of the uplink client: a thread with blocking calls, so
 * that a test reads as the conversation that it is. Whatever does not happen within 10 s fails the
 * test. */
#ifndef TESTS_AGENT_HEAD_END_H
#define TESTS_AGENT_HEAD_END_H

#include "base/writer.h"
#include "wire/uplink.h"

#include <stdbool.h>
#include <stdint.h>

struct head_end;

/* Makes root, server and gateway certificates and fills dir with what enrolment would leave there:
 * key, certificates, agent.yaml. */
struct head_end *head_end_new(const char *dir);
void head_end_free(struct head_end *h);
uint16_t head_end_port(const struct head_end *h);
/* Runs script(h, arg) on a thread; head_end_join() waits for its end. */
void head_end_run(struct head_end *h, void (*script)(struct head_end *h, void *arg), void *arg);
bool head_end_done(struct head_end *h);
void head_end_join(struct head_end *h);

/* A certificate of the gateway for this request: chain as PEM. */
void head_end_certify(struct head_end *h, const char *csr, size_t len, struct writer *chain);

/* For the script. */

/* Hexadecimal, of the certificate that the gateway shows in this connection. */
const char *head_end_peer_serial(const struct head_end *h);

/* The next connection, with TLS up. */
void head_end_accept(struct head_end *h);
/* The next connection, without a word. */
void head_end_accept_silent(struct head_end *h);
void head_end_close(struct head_end *h);
/* The next message; Ping and Status are passed over unless they are what is expected. Valid until
 * the next call. */
struct uplink_message head_end_expect(struct head_end *h, enum uplink_kind kind);
void head_end_send(struct head_end *h, const struct uplink_message *m);
void head_end_send_bytes(struct head_end *h, const void *p, size_t n);
/* Nothing but Ping and Status arrives for this long. */
void head_end_expect_silence(struct head_end *h, int ms);

#endif
