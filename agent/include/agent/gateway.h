/* One gateway of this process: identity, spool and uplink client, made from a folder that enrolment
 * filled. */
#ifndef EMT_AGENT_GATEWAY_H
#define EMT_AGENT_GATEWAY_H

#include "agent/endpoint.h"
#include "agent/spool.h"
#include "agent/uplink_client.h"
#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct event_base;
struct gateway;

struct gateway_options {
    const char *dir;                 /* holds agent.yaml, key, certificate, ca */
    const struct endpoint *endpoint; /* in the place of the configured addresses; NULL: those */
    size_t nendpoints;               /* of endpoint, at most GATEWAY_ENDPOINTS_MAX; 0: one */
    size_t first_endpoint;           /* where dialling begins, modulo their number */
    bool no_resume;                  /* every handshake a full one */
    uint64_t spool_size;             /* of a new spool; 0: as configured */
    bool sync;                       /* false: only for simulated gateways */
    struct event_base *base;
    struct arena *arena;
    struct uplink_client_events events; /* fill_status is the gateway's own */
    /* The spool can take no more (disk error): nothing is accepted from now on. */
    void (*broken)(void *ctx);
    /* The command "read": has the meters read now that can be asked; how many. NULL: not
     * supported. */
    unsigned (*read_now)(void *ctx);
    void *ctx;
};

/* EMT_EMALFORMED and others with diag: what is wrong with which file. A spool whose header is
 * damaged is moved aside and a new one begun. Free with gateway_close(). */
EMT_CHECKED enum emt_err gateway_open(const struct gateway_options *options, struct gateway **out,
                                      struct emt_diag *diag);
void gateway_close(struct gateway *g);

void gateway_start(struct gateway *g, uint32_t delay_ms);
/* Takes a frame into the spool. It is durable, and on its way, within 50 ms. EMT_ELIMIT empty or
 * too long; EMT_EIO. */
EMT_CHECKED enum emt_err gateway_submit(struct gateway *g, const struct spool_frame *f);
/* Makes everything submitted durable now. */
EMT_CHECKED enum emt_err gateway_sync(struct gateway *g);

/* Everything submitted is durable and acknowledged in a session that stands. */
bool gateway_idle(const struct gateway *g);
/* Owed bytes of the ring and its size: sources that can wait do so before it is full. */
void gateway_spool(const struct gateway *g, struct spool_stats *out);
struct uplink_client *gateway_client(struct gateway *g);
const char *gateway_name(const struct gateway *g);
const char *gateway_tenant(const struct gateway *g);
uint64_t gateway_submitted(const struct gateway *g);

#endif
