/* One HTTPS request, blocking: enrolment happens once and before there is a loop. */
#ifndef EMT_AGENT_HTTPS_H
#define EMT_AGENT_HTTPS_H

#include "agent/endpoint.h"
#include "base/attr.h"
#include "base/error.h"
#include "base/writer.h"

#include <stddef.h>
#include <stdint.h>

#define HTTPS_BODY_MAX 65536u

/* "https://host:port" (port 443 when left out), nothing behind it but "/". EMT_EMALFORMED. */
EMT_CHECKED enum emt_err https_parse_url(const char *url, struct endpoint *out);

/* The status line, headers and body of an answer (RFC 9112): content-length, chunked or until the
 * end. *body is appended to. EMT_EMALFORMED, EMT_ETRUNCATED, EMT_ELIMIT. For tests apart from the
 * request. */
EMT_CHECKED enum emt_err https_parse_answer(const uint8_t *p, size_t n, unsigned *status,
                                            struct writer *body);

/* POSTs JSON to a server whose chain holds the pinned certificate (SHA-256). All within 30 s.
 * EMT_EIO no connection; EMT_EAUTH another certificate; others as above. */
EMT_CHECKED enum emt_err https_post_json(const struct endpoint *server, const uint8_t pin[32],
                                         const char *path, const char *json, size_t len,
                                         unsigned *status, struct writer *body,
                                         struct emt_diag *diag);

#endif
