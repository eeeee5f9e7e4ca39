/* A gateway's certificate is replaced before it ends, with a new key. Internal to agent/.
 *
 * Key and certificate are two files, and either alone is worth nothing: the new pair is first
 * written as one file beside the certificate (CERTIFICATE.renewed), which is the moment that
 * counts; then the two are replaced and that file goes. Whoever is killed in between does the rest
 * at the next start. */
#ifndef EMT_AGENT_RENEWAL_H
#define EMT_AGENT_RENEWAL_H

#include "agent/gateway_config.h"
#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/writer.h"
#include "pki/authority.h"

#include <stddef.h>

struct event_base;
struct renewal;
struct tls_context;
struct uplink_certificate_issued;
struct uplink_client;

/* The context of key, certificate and root as they lie there, after finishing a replacement that
 * was interrupted. */
EMT_CHECKED enum emt_err renewal_load_tls(const struct gateway_config *c, struct tls_context **out,
                                          struct emt_diag *diag);

/* When a certificate is to be replaced: two thirds into its life, some earlier, each at another
 * moment, so that a street that was enrolled in an hour does not come back in one. */
emt_time renewal_due(const struct leaf_info *leaf);

/* Asks for a new certificate through the client when the time has come. config is borrowed for
 * good. EMT_EMALFORMED the certificate is unreadable. Free with renewal_free(); NULL is fine. */
EMT_CHECKED enum emt_err renewal_new(const struct gateway_config *c, struct event_base *base,
                                     struct uplink_client *client, struct renewal **out,
                                     struct emt_diag *diag);
void renewal_free(struct renewal *r);
/* A session stands: the time may have come. */
void renewal_look(struct renewal *r);
/* The head-end's answer. true: the client has a new certificate, and dials again with it. */
bool renewal_answer(struct renewal *r, const struct uplink_certificate_issued *a);

#endif
