/* Meters that the gateway reads itself: SML over TCP, IEC 62056-21 over TCP or a serial port,
 * DLMS/COSEM over TCP. Each source owns its connections, timers and waiting times; what it reads
 * comes out as frames of the front door. */
#ifndef EMT_AGENT_SOURCE_H
#define EMT_AGENT_SOURCE_H

#include "agent/source_config.h"
#include "base/attr.h"
#include "base/error.h"
#include "model/protocol.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct source;

struct source_sink {
    /* A whole frame, at most DECODE_FRAME_MAX bytes; borrowed for the call. */
    void (*frame)(void *ctx, enum protocol protocol, enum frame_format format, const uint8_t *p,
                  size_t n);
    void *ctx;
};

struct source_counters {
    uint64_t frames;
    uint64_t bytes;     /* received */
    uint64_t lost;      /* of these, in no frame (SML) */
    uint64_t damaged;   /* SML: starts without an intact file */
    uint64_t readings;  /* IEC, DLMS: done */
    uint64_t failures;  /* readings, connections and attempts that failed */
    uint64_t refused;   /* connections above the limit */
    unsigned connected; /* now */
};

/* Begins at once; config is borrowed for the life of the source. EMT_EIO with diag (an address that
 * cannot be listened on), EMT_ENOMEM. Free with source_free(). */
EMT_CHECKED enum emt_err source_open(const struct source_config *config, struct event_base *base,
                                     const struct source_sink *sink, struct source **out,
                                     struct emt_diag *diag);
void source_free(struct source *s);
void source_counters(const struct source *s, struct source_counters *out);
/* Reads now and not when its turn comes; a reading under way counts. False: it sends by itself and
 * cannot be asked (SML). */
bool source_read_now(struct source *s);

#endif
