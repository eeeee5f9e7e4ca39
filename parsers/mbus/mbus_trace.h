/* What the layers and records of an M-Bus telegram tell the trace of parsers/explain.h. Called only
 * where there is one. */
#ifndef EMT_PARSERS_MBUS_TRACE_H
#define EMT_PARSERS_MBUS_TRACE_H

#include "common/trace.h"
#include "mbus_context.h"
#include "mbus_record.h"
#include "mbus_wired.h"
#include "wmbus_link.h"

/* The radio link layer; what is read from link->bytes from now on has its place in the frame. */
void mbus_trace_radio(struct mbus_context *ctx, const char *name, const struct wmbus_link *link);
/* p: of the start byte. */
void mbus_trace_wired(struct mbus_context *ctx, const struct mbus_wired *link, const uint8_t *p);
/* p: of the CI; the fields stand as the CI says. */
void mbus_trace_ell(struct mbus_context *ctx, const uint8_t *p, bool has_address, bool has_session);
void mbus_trace_nwl(struct mbus_context *ctx, const uint8_t *p, size_t n);
/* p: of the CI of the transport layer that was read into ctx->tpl, n bytes of header. */
void mbus_trace_tpl(struct mbus_context *ctx, const uint8_t *p, size_t n);
/* A record; from `from` on to it stand fillers. Its number for trace_readings(). */
unsigned mbus_trace_record(struct mbus_context *ctx, const struct mbus_record *rec,
                           const uint8_t *from);
/* What is left behind the last record. */
void mbus_trace_rest(struct mbus_context *ctx, const uint8_t *p, size_t n, const char *text);
/* Bytes that are no records: a code, an application that is not read. */
void mbus_trace_block(struct mbus_context *ctx, const uint8_t *p, size_t n, const char *text);
/* A body in the layout of a manufacturer, with the first `count` readings. */
void mbus_trace_vendor(struct mbus_context *ctx, const uint8_t *p, size_t n, unsigned count);
/* One counter of the fixed data structure: its unit byte, its four bytes. */
void mbus_trace_counter(struct mbus_context *ctx, const uint8_t *p, const uint8_t *unit,
                        unsigned nth);

#endif
